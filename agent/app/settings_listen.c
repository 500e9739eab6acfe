/* SPDX-License-Identifier: MIT */
/* The listeners' keys: webhooks, and the local endpoint. */
#include "app/settings.h"
#include "base/instant.h"
#include "model/address.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- TLS, of either ---- */

#define CERTIFICATE_KEYS(record, field)                                        \
    { .name = "certificate",                                                   \
      .type = CONFIG_PATH,                                                     \
      .offset = offsetof(record, field.certificate),                           \
      .required = true,                                                        \
      .doc =                                                                   \
          "File in PEM: the certificate, then those that lead to a root." },   \
    {                                                                          \
        .name = "key", .type = CONFIG_SECRET,                                  \
        .offset = offsetof(record, field.key), .required = true,               \
        .doc = "The certificate's private key, in PEM without a "              \
               "passphrase.",                                                  \
    }

struct certificate_settings {
    struct tls_identity identity;
};

static const struct config_key certificate_keys[] = {
    CERTIFICATE_KEYS(struct certificate_settings, identity),
};

static const struct config_table certificate_table = {
    .name = "certificate",
    .keys = certificate_keys,
    .count = COUNT(certificate_keys),
    .size = sizeof(struct certificate_settings),
    .doc = "One more certificate, for the names in it.",
};

#define TLS_KEYS                                                               \
    CERTIFICATE_KEYS(struct tls_settings, identity),                           \
    {                                                                          \
        .name = "more", .type = CONFIG_TABLES,                                 \
        .offset = offsetof(struct tls_settings, more),                         \
        .table = &certificate_table,                                           \
        .doc = "Further certificates, each shown to who asks for a name in "   \
               "it (SNI); who asks for another sees the first.",               \
    }

static const struct config_key tls_keys[] = {
    TLS_KEYS,
    { .name = "client_ca_file",
      .type = CONFIG_PATH,
      .offset = offsetof(struct tls_settings, client_ca),
      .doc = "File in PEM: whose certificates a client must show; without it "
             "none is asked for." },
};

static const struct config_table tls_table = {
    .name = "tls",
    .keys = tls_keys,
    .count = COUNT(tls_keys),
    .size = sizeof(struct tls_settings),
    .doc = "TLS 1.2 and 1.3. The files are read again on SIGHUP.",
};

/* Our own commands have a token to show, and no certificate. */
static const struct config_key admin_tls_keys[] = { TLS_KEYS };

static const struct config_table admin_tls_table = {
    .name = "tls",
    .keys = admin_tls_keys,
    .count = COUNT(admin_tls_keys),
    .size = sizeof(struct tls_settings),
    .doc = "TLS 1.2 and 1.3. The files are read again on SIGHUP.",
};

/* ---- listen ---- */

static void
read_address_rate(struct config_binding *binding,
                  const struct config_node *node, void *place)
{
    struct listen_settings *listen =
        (void *)((char *)place -
                 offsetof(struct listen_settings, address_rate));
    if (node->kind != CONFIG_SCALAR ||
        instant_parse_rate(node->text, &listen->address_rate,
                           &listen->address_rate_per_ms) != STATUS_OK) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "rate_per_address must be like \"20/s\"");
    }
}

static const struct config_key listen_keys[] = {
    { .name = "address",
      .type = CONFIG_TEXT,
      .offset = offsetof(struct listen_settings, address),
      .required = true,
      .doc = "Where webhooks arrive: host:port, unix:/path, or fd:NAME." },
    { .name = "public_url",
      .type = CONFIG_TEXT,
      .offset = offsetof(struct listen_settings, public_url),
      .doc = "How senders address us, without the path: for signatures over "
             "the URL." },
    { .name = "tls",
      .type = CONFIG_TABLE_PTR,
      .offset = offsetof(struct listen_settings, tls),
      .table = &tls_table,
      .doc = "Speaks TLS; leave it out behind a proxy that does." },
    { .name = "max_body",
      .type = CONFIG_SIZE,
      .offset = offsetof(struct listen_settings, max_body),
      .fallback = "1MiB",
      .min = "1KiB",
      .max = "64MiB",
      .doc = "Longest body of a webhook, after its coding is undone." },
    { .name = "max_bodies",
      .type = CONFIG_SIZE,
      .offset = offsetof(struct listen_settings, limits.bodies_bytes),
      .fallback = "256MiB",
      .min = "1MiB",
      .max = "64GiB",
      .doc = "Memory of all bodies on their way in, beyond 16KiB each; over "
             "it: 503." },
    { .name = "trusted_proxies",
      .type = CONFIG_TEXTS,
      .offset = offsetof(struct listen_settings, trusted_proxies),
      .doc = "Networks whose X-Forwarded-For is believed." },
    { .name = "max_head",
      .type = CONFIG_SIZE,
      .offset = offsetof(struct listen_settings, head_bytes),
      .fallback = "16KiB",
      .min = "1KiB",
      .max = "256KiB",
      .doc = "Longest request line and header fields together." },
    { .name = "max_fields",
      .type = CONFIG_INT,
      .offset = offsetof(struct listen_settings, field_count),
      .fallback = "100",
      .min = "8",
      .max = "1000",
      .doc = "Most header fields of a request." },
    { .name = "max_gzip_ratio",
      .type = CONFIG_INT,
      .offset = offsetof(struct listen_settings, gzip_ratio),
      .fallback = "100",
      .min = "1",
      .max = "1000",
      .doc = "Most bytes a compressed byte may stand for." },
    { .name = "connections",
      .type = CONFIG_INT,
      .offset = offsetof(struct listen_settings, limits.connections),
      .fallback = "10000",
      .min = "1",
      .max = "1000000",
      .doc = "Most connections at a time; over it: 503." },
    { .name = "connections_per_address",
      .type = CONFIG_INT,
      .offset =
          offsetof(struct listen_settings, limits.connections_per_address),
      .fallback = "1024",
      .min = "1",
      .max = "1000000",
      .doc = "Most connections from one address." },
    { .name = "rate_per_address",
      .type = CONFIG_CUSTOM,
      .offset = offsetof(struct listen_settings, address_rate),
      .parse = read_address_rate,
      .schema = "{\"type\":\"string\"}",
      .doc = "Most requests of one sender in a time, \"20/s\", so many at once "
             "too; over it: 429. Default: no limit. One is an IPv4 address or "
             "an IPv6 /64, behind trusted_proxies that of X-Forwarded-For." },
    { .name = "head_timeout",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct listen_settings, limits.head_timeout_ms),
      .fallback = "10s",
      .min = "1s",
      .max = "10m",
      .doc = "From a request's first byte to the end of its head." },
    { .name = "body_timeout",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct listen_settings, limits.body_timeout_ms),
      .fallback = "30s",
      .min = "1s",
      .max = "10m",
      .doc = "For the whole body." },
    { .name = "idle_timeout",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct listen_settings, limits.idle_timeout_ms),
      .fallback = "75s",
      .min = "1s",
      .max = "1h",
      .doc = "Between two requests of a connection." },
    { .name = "write_timeout",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct listen_settings, limits.write_timeout_ms),
      .fallback = "30s",
      .min = "1s",
      .max = "10m",
      .doc = "For an answer that is not taken." },
    { .name = "requests_per_connection",
      .type = CONFIG_INT,
      .offset =
          offsetof(struct listen_settings, limits.requests_per_connection),
      .fallback = "0",
      .min = "0",
      .max = "1000000000",
      .doc = "Requests after which a connection is closed; 0: no limit." },
};

static void
check_listen(struct config_binding *binding, const struct config_node *node,
             void *bound)
{
    struct listen_settings *listen = bound;
    (void)node;
    listen->limits.request =
        (struct http_limits){ .head_bytes = (size_t)listen->head_bytes,
                              .field_count = (size_t)listen->field_count,
                              .body_bytes = (size_t)listen->max_body };
    listen->trusted = arena_array(binding->arena, listen->trusted_proxies.count,
                                  sizeof(struct cidr));
    for (size_t i = 0;
         listen->trusted != NULL && i < listen->trusted_proxies.count; i++) {
        if (address_parse_cidr(listen->trusted_proxies.at[i],
                               &listen->trusted[listen->trusted_count]) ==
            STATUS_OK) {
            listen->trusted_count++;
        } else {
            config_report_add(binding->report, CONFIG_ERROR,
                              listen->trusted_proxies.marks[i],
                              "'%.*s' is no network; write it as "
                              "192.0.2.0/24 or 2001:db8::/32",
                              SLICE_ARG(listen->trusted_proxies.at[i]));
        }
    }
}

const struct config_table listen_table = {
    .name = "listen",
    .keys = listen_keys,
    .count = COUNT(listen_keys),
    .size = sizeof(struct listen_settings),
    .doc = "The listener for webhooks. Without it the agent is outbound only.",
    .check = check_listen,
};

/* ---- admin ---- */

static const struct config_key admin_keys[] = {
    { .name = "address",
      .type = CONFIG_TEXT,
      .offset = offsetof(struct admin_settings, address),
      .doc = "unix:PATH (the default: admin.sock beside the store, in "
             "$RUNTIME_DIRECTORY first) or host:port, where browsers find the "
             "dashboard; beyond loopback with 'token' and 'tls' only." },
    { .name = "token",
      .type = CONFIG_SECRET,
      .offset = offsetof(struct admin_settings, token),
      .doc = "Bearer token asked of who comes by TCP or socket." },
    { .name = "tls",
      .type = CONFIG_TABLE_PTR,
      .offset = offsetof(struct admin_settings, tls),
      .table = &admin_tls_table,
      .doc = "Speaks TLS; beyond loopback it must, and ask for a token." },
    { .name = "streams",
      .type = CONFIG_INT,
      .offset = offsetof(struct admin_settings, streams),
      .fallback = "16",
      .min = "1",
      .max = "128",
      .doc = "How many may read along (tail, /api/v1/stream) at a time; over "
             "it: 503." },
};

static bool
is_loopback(struct slice address)
{
    static const char *const locals[] = { "127.", "localhost:", "[::1]:",
                                          "unix:", "fd:" };
    for (size_t i = 0; i < COUNT(locals); i++) {
        if (slice_starts(address, slice_of(locals[i]))) {
            return true;
        }
    }
    return address.len == 0;
}

static void
check_admin(struct config_binding *binding, const struct config_node *node,
            void *bound)
{
    const struct admin_settings *admin = bound;
    const struct config_node *address =
        node == NULL ? NULL : config_node_child(node, "address");
    bool is_guarded = admin->token.from != SECRET_NONE && admin->tls != NULL;
    if (address != NULL && !is_loopback(admin->address) && !is_guarded) {
        config_report_add(binding->report, CONFIG_ERROR, address->mark,
                          "beyond loopback the admin listener needs 'token' "
                          "and 'tls': '%.*s' is no loopback address and no "
                          "unix socket",
                          SLICE_ARG(admin->address));
    }
}

const struct config_table admin_table = {
    .name = "admin",
    .keys = admin_keys,
    .count = COUNT(admin_keys),
    .size = sizeof(struct admin_settings),
    .doc = "The local endpoint for health, metrics and commands.",
    .check = check_admin,
};
