/* SPDX-License-Identifier: MIT */
/* The keys of `http:` in a handler. */
#include "base/list.h"
#include "base/mem.h"
#include "config/config_bind.h"
#include "handler/handler_http.h"
#include "wire/http_field.h"
#include "wire/url.h"

#define STATUS_LOWEST 400
#define STATUS_PAST   600

static bool
read_dead_status(struct config_binding *binding, const struct config_node *node,
                 int64_t *ret_status)
{
    if (node->kind != CONFIG_SCALAR ||
        slice_to_i64(node->text, ret_status) != STATUS_OK ||
        *ret_status < STATUS_LOWEST || *ret_status >= STATUS_PAST) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "dead_on: expected an HTTP status from 400 to 599");
        return false;
    }
    return true;
}

/* One status or a list of them. */
static void
parse_dead_on(struct config_binding *binding, const struct config_node *node,
              void *place)
{
    /* The key's place is its pointer; the count stands beside it. */
    struct handler_http_settings *settings =
        list_entry(place, struct handler_http_settings, dead_on);
    const struct config_node *first =
        node->kind == CONFIG_SEQUENCE ? node->children : node;
    size_t count = 0;
    for (const struct config_node *at = first; at != NULL; at = at->next) {
        count++;
        if (at == node) {
            break; /* its siblings are other keys */
        }
    }
    int64_t *statuses = arena_array(binding->arena, count, sizeof(*statuses));
    if (statuses == NULL) {
        binding->report->failed_memory = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (!read_dead_status(binding, first, &statuses[i])) {
            return;
        }
        first = first->next;
    }
    settings->dead_on = statuses;
    settings->dead_on_count = count;
}

/* What the handler or HTTP itself sets: not left to the configuration. */
static bool
is_reserved(struct slice name)
{
    static const char *const names[] = {
        "content-type",      "content-length",    "transfer-encoding",
        "connection",        "idempotency-key",   "webhook-id",
        "webhook-timestamp", "webhook-signature", "longstop-replay",
        "traceparent",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (slice_equal_nocase(name, slice_of(names[i]))) {
            return true;
        }
    }
    return slice_equal_nocase(slice_first(name, 3), slice_of("ce-"));
}

static void
check_headers(struct config_binding *binding, const struct config_node *headers)
{
    if (headers->kind != CONFIG_MAPPING) {
        config_report_add(binding->report, CONFIG_ERROR, headers->mark,
                          "headers: expected names and values, such as "
                          "X-Team: billing");
        return;
    }
    for (const struct config_node *at = headers->children; at != NULL;
         at = at->next) {
        if (!http_field_name_valid(at->key)) {
            config_report_add(binding->report, CONFIG_ERROR, at->key_mark,
                              "headers: '%.*s' is not the name of a header",
                              SLICE_ARG(at->key));
        } else if (is_reserved(at->key)) {
            config_report_add(binding->report, CONFIG_ERROR, at->key_mark,
                              "headers: %.*s is set by longstop itself",
                              SLICE_ARG(at->key));
        } else if (at->kind != CONFIG_SCALAR ||
                   !http_field_value_valid(at->text)) {
            config_report_add(binding->report, CONFIG_ERROR, at->mark,
                              "headers: the value of %.*s must be text on one "
                              "line",
                              SLICE_ARG(at->key));
        }
    }
}

/* One key that does not go with the others. */
static void
refuse(struct config_binding *binding, const struct config_node *node,
       const char *key, const char *words)
{
    const struct config_node *at = config_node_child(node, key);
    if (at != NULL) {
        config_report_add(binding->report, CONFIG_ERROR, at->key_mark, "%s: %s",
                          key, words);
    }
}

/* How the server is reached. */
static void
check_way(struct config_binding *binding, const struct config_node *node,
          const struct handler_http_settings *settings)
{
    static const struct slice proxies[] = { SLICE("http://"), SLICE("https://"),
                                            SLICE("socks5://"),
                                            SLICE("socks5h://") };
    bool is_proxy = settings->proxy.len == 0;
    for (size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++) {
        is_proxy = is_proxy || slice_starts(settings->proxy, proxies[i]);
    }
    if (!is_proxy) {
        refuse(binding, node, "proxy",
               "expected a URL, such as http://proxy.example.com:3128, or "
               "socks5h://");
    }
    if (settings->proxy.len > 0 && settings->unix_socket.len > 0) {
        refuse(binding, node, "proxy", "there is none before a unix_socket");
    }
    if (settings->key_file.len > 0 && settings->certificate_file.len == 0) {
        refuse(binding, node, "key_file",
               "it is the key of a certificate_file, which is not given");
    }
    if (!slice_starts(settings->url, slice_of("https://"))) {
        refuse(binding, node, "ca_file", "it is for https URLs");
        refuse(binding, node, "certificate_file", "it is for https URLs");
    }
}

static void
check_settings(struct config_binding *binding, const struct config_node *node,
               void *bound)
{
    const struct handler_http_settings *settings = bound;
    struct url url;
    struct error err = { "" };
    if (settings->url.len > 0 &&
        url_parse(settings->url, &url, &err) != STATUS_OK) {
        const struct config_node *at = config_node_child(node, "url");
        config_report_add(binding->report, CONFIG_ERROR,
                          at != NULL ? at->mark : node->mark, "url: %s",
                          err.text);
    }
    if (settings->headers != NULL) {
        check_headers(binding, settings->headers);
    }
    check_way(binding, node, settings);
}

/* In the order of enum http_version. */
static const char *const versions[] = { "1.1", "auto", "2", NULL };

static const struct config_key keys[] = {
    { .name = "url",
      .type = CONFIG_TEXT,
      .offset = offsetof(struct handler_http_settings, url),
      .required = true,
      .doc = "Where deliveries are posted to; http or https." },
    { .name = "secret",
      .type = CONFIG_SECRET,
      .offset = offsetof(struct handler_http_settings, secret),
      .doc = "Signs deliveries as Standard Webhooks; whsec_ and base64, or any "
             "text." },
    { .name = "headers",
      .type = CONFIG_NODE,
      .offset = offsetof(struct handler_http_settings, headers),
      .schema = "{\"type\":\"object\",\"additionalProperties\":{\"type\":"
                "[\"string\",\"number\",\"boolean\"]}}",
      .doc = "Further header fields of every delivery." },
    { .name = "dead_on",
      .type = CONFIG_CUSTOM,
      .offset = offsetof(struct handler_http_settings, dead_on),
      .parse = parse_dead_on,
      .schema = "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":400,"
                "\"maximum\":599},{\"type\":\"array\",\"items\":{\"type\":"
                "\"integer\",\"minimum\":400,\"maximum\":599}}]}",
      .doc = "Statuses that make a delivery dead at once." },
    { .name = "unix_socket",
      .type = CONFIG_PATH,
      .offset = offsetof(struct handler_http_settings, unix_socket),
      .doc = "Where the server of the URL listens, instead of its host and "
             "port." },
    { .name = "proxy",
      .type = CONFIG_TEXT,
      .offset = offsetof(struct handler_http_settings, proxy),
      .doc = "URL of a proxy, http, https or socks5h; the environment's is "
             "never used." },
    { .name = "version",
      .type = CONFIG_CHOICE,
      .offset = offsetof(struct handler_http_settings, version),
      .choices = versions,
      .fallback = "auto",
      .doc = "Of HTTP: auto takes 2 where a server of https offers it; 2 is "
             "spoken at once, also without TLS." },
    { .name = "ca_file",
      .type = CONFIG_PATH,
      .offset = offsetof(struct handler_http_settings, ca_file),
      .doc = "Certificates that the server's is checked against (PEM), "
             "instead of the system's." },
    { .name = "certificate_file",
      .type = CONFIG_PATH,
      .offset = offsetof(struct handler_http_settings, certificate_file),
      .doc = "The certificate we show (PEM), with what leads to its issuer." },
    { .name = "key_file",
      .type = CONFIG_PATH,
      .offset = offsetof(struct handler_http_settings, key_file),
      .doc = "The key of certificate_file (PEM), when it is not in it." },
};

const struct config_table handler_http_table = {
    .name = "http",
    .keys = keys,
    .count = sizeof(keys) / sizeof(keys[0]),
    .size = sizeof(struct handler_http_settings),
    .doc = "Posts the envelope to a URL.",
    .check = check_settings,
};
