/* SPDX-License-Identifier: MIT */
/* The files of connectors/: each one by itself, and all of them by one rule. */
#include "harness/bound.h"

#include <dirent.h>

#include "wire/digest.h"

#define URL   "https://hooks.example.com"
#define BASE  "base: 'http://127.0.0.1:9'"
#define WHSEC "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define WHPK  "whpk_KioqKioqKioqKioqKioqKioqKioqKioqKioqKioqKio="
#define HEX32 "4242424242424242424242424242424242424242424242424242424242424242"
#define P256                                                                   \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/"              \
    "7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="

#define JWK                                                                    \
    "{\"kty\":\"EC\",\"crv\":\"P-256\","                                       \
    "\"x\":\"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY\","                   \
    "\"y\":\"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU\"}"
#define SECRET(text) "webhook_secret: '" text "'"

struct shipped {
    const char *file;
    const char *hook; /* what its webhooks need; NULL: it has none */
    const char *list; /* what its list needs; NULL: it has none */
    bool exclusive;   /* one or the other */
};

static const struct shipped shipped[] = {
    { "adyen", SECRET(HEX32), NULL, false },
    { "adyen_platform", SECRET(HEX32), NULL, false },
    { "asana", SECRET("s"), NULL, false },
    { "aws_sns", "topic_arn: 'arn:aws:sns:eu-west-1:1:t'", NULL, false },
    { "basic", SECRET("user:password"), NULL, false },
    { "bitbucket", SECRET("s"), "api_key: k, repo: w/r", false },
    { "cloudevents", SECRET("Bearer t"), NULL, false },
    { "couchdb", NULL, BASE ", api_key: k, db: d, user: u", false },
    { "discord", SECRET(HEX32), "api_key: k, channel: '7'", false },
    { "discord_interactions", SECRET(HEX32), NULL, false },
    { "dropbox", SECRET("s"), "client_id: c, api_key: r", false },
    { "generic_json", SECRET("s"), "url: 'http://127.0.0.1:9/v1/items'",
      false },
    { "gitea", SECRET("s"), BASE ", api_key: k, repo: o/r", false },
    { "github", SECRET("s"), "api_key: k, repo: o/r, hook_id: 7", false },
    { "github_issues", SECRET("s"), "api_key: k, repo: o/r", false },
    { "gitlab", SECRET(WHSEC), "api_key: k, project: '1', hook_id: '2'",
      false },
    { "gitlab", SECRET("token"), "api_key: k, project: '1', hook_id: '2'",
      false },
    { "gitlab_signed", SECRET(WHSEC), "api_key: k, project: '1', hook_id: '2'",
      false },
    { "gitlab_token", SECRET("s"), "api_key: k, project: '1', hook_id: '2'",
      false },
    { "gocardless", SECRET("s"), NULL, false },
    { "hubspot", SECRET("s"), "api_key: k", false },
    { "hubspot_journal", NULL, "client_id: c, api_key: k", false },
    { "hubspot_v1", SECRET("s"), "api_key: k", false },
    { "hubspot_v2", SECRET("s"), "api_key: k", false },
    { "hubspot_v3", SECRET("s"), "api_key: k", false },
    { "intercom", SECRET("s"), "api_key: k", false },
    { "jira", SECRET("s"), BASE ", api_key: k, email: a@b.c", false },
    { "linear", SECRET("s"), "api_key: k", false },
    { "mailgun", SECRET("s"), "api_key: k, domain: d.example", false },
    { "paddle", SECRET("s"), "api_key: k", false },
    { "paypal", SECRET("WH-1"), "client_id: c, api_key: k", false },
    { "petstore", SECRET("s"), BASE ", api_key: k", false },
    { "plaid", "client_id: c, api_key: k", NULL, false },
    { "plaid", SECRET(JWK), NULL, false },
    { "razorpay", SECRET("s"), "api_key: k, key_id: rzp_1", false },
    { "rss_atom", SECRET("s"), "feed: 'http://127.0.0.1:9/feed.xml'", false },
    { "sendgrid", SECRET(P256), "api_key: k", false },
    { "shopify", SECRET("s"), "api_key: k, shop: x.myshopify.com", false },
    { "shopify_events", SECRET("s"), "api_key: k, shop: x.myshopify.com",
      false },
    { "slack", SECRET("s"), "api_key: k, channel: C1", false },
    { "square", SECRET("s"), "api_key: k", false },
    { "standard_webhooks", SECRET(WHSEC), NULL, false },
    { "standard_webhooks_v1a", SECRET(WHPK), NULL, false },
    { "stripe", SECRET("whsec_1"), "api_key: k", false },
    { "stripe_id", SECRET("whsec_1"), "api_key: k", false },
    { "svix", SECRET(WHSEC), BASE ", api_key: k, app: app_1, sink: poll_1",
      false },
    { "telegram", SECRET("s"), "api_key: k", true },
    { "twilio", SECRET("s"), "api_key: k, sid: AC1", false },
    { "websub", SECRET("s"), NULL, false },
    { "woocommerce", SECRET("s"), BASE ", api_key: k, consumer_key: c", false },
    { "zendesk", SECRET("s"), "api_key: k, sub: x, email: a@b.c", false },
    { "zoom", SECRET("s"), "account_id: a, client_id: c, api_key: k, user: me",
      false },
};

#define SHIPPED_COUNT (sizeof(shipped) / sizeof(shipped[0]))

/* What webhooks come over, and nothing else. */
static const struct {
    const char *file;
    const char *entry; /* of a connector that they come to */
} relays[] = {
    { "mercure", "use: mercure\nwith: {url: 'https://h.example/', topic: t, "
                 "hub_token: k}" },
    { "relay", "use: github\nwith: {webhook_secret: s}\n"
               "stream: {use: relay, url: 'https://r.example/'}" },
    { "smee", "use: github\nwith: {webhook_secret: s}\n"
              "stream: {use: smee, url: 'https://smee.io/x'}" },
};

#define RELAY_COUNT (sizeof(relays) / sizeof(relays[0]))

static void
path_of(const char *file, char *path, size_t room)
{
    (void)snprintf(path, room, "%s/%s.yaml", TEST_CONNECTORS_DIR, file);
}

/* What PayPal's webhooks name cannot be fetched with their secret alone. */
static bool
may_warn(const struct shipped *row, const char *list)
{
    return strcmp(row->file, "paypal") == 0 && list == NULL;
}

/* Binds the file with these parameters; which channels does it run? */
static void
must_run(const struct shipped *row, const char *hook, const char *list)
{
    struct bound bound;
    char path[512];
    char entry[1024];
    path_of(row->file, path, sizeof(path));
    (void)snprintf(entry, sizeof(entry), "use: %s\nwith: {%s%s%s}\n", row->file,
                   hook == NULL ? "" : hook,
                   hook == NULL || list == NULL ? "" : ", ",
                   list == NULL ? "" : list);
    bound_file(&bound, path, entry, URL);
    if (bound.status != STATUS_OK ||
        (bound.report.warnings > 0 && !may_warn(row, list)) ||
        bound.connector.has_webhook != (hook != NULL) ||
        bound.connector.has_poll != (list != NULL)) {
        fail_msg("%s: webhook %d poll %d %s", entry,
                 bound.connector.has_webhook, bound.connector.has_poll,
                 bound.words.ptr == NULL ? "" : bound.words.ptr);
    }
    bound_fini(&bound);
}

static void
every_connector_runs_the_channels_its_parameters_allow(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHIPPED_COUNT; i++) {
        const struct shipped *row = &shipped[i];
        if (row->hook != NULL) {
            must_run(row, row->hook, NULL);
        }
        if (row->list != NULL) {
            must_run(row, NULL, row->list);
        }
        if (row->hook != NULL && row->list != NULL && !row->exclusive) {
            must_run(row, row->hook, row->list);
        }
    }
}

static void
every_relay_has_a_connector_to_come_to(void **state)
{
    (void)state;
    for (size_t i = 0; i < RELAY_COUNT; i++) {
        struct bound bound;
        char path[512];
        const bool is_own = relays[i].entry[5] == 'm';
        path_of(is_own ? relays[i].file : "github", path, sizeof(path));
        bound_file(&bound, path, relays[i].entry, "");
        bound_must(&bound);
        assert_true(bound.connector.has_stream);
        assert_int_equal(bound.connector.has_webhook, !is_own);
        assert_false(bound.connector.has_poll);
        bound_fini(&bound);
    }
}

static void
every_file_is_tested_here(void **state)
{
    (void)state;
    DIR *folder = opendir(TEST_CONNECTORS_DIR);
    assert_non_null(folder);
    for (const struct dirent *at = readdir(folder); at != NULL;
         at = readdir(folder)) {
        struct slice name = slice_of(at->d_name);
        bool found = !slice_ends(name, slice_of(".yaml"));
        for (size_t i = 0; i < SHIPPED_COUNT && !found; i++) {
            found = slice_equal_text(slice_first(name, name.len - 5),
                                     shipped[i].file);
        }
        for (size_t i = 0; i < RELAY_COUNT && !found; i++) {
            found = slice_equal_text(slice_first(name, name.len - 5),
                                     relays[i].file);
        }
        if (!found) {
            fail_msg("%s has no row in this file", at->d_name);
        }
    }
    assert_int_equal(closedir(folder), 0);
}

/* ---- what people are told ---- */

static bool
is_written(const struct config_node *root, const char *key)
{
    const struct config_node *node = config_node_child(root, key);
    return node != NULL && !node->is_null;
}

static const struct config_node *
read_tree(struct bound *bound, const char *file)
{
    struct config_node *root = NULL;
    char path[512];
    size_t len = 0;
    path_of(file, path, sizeof(path));
    memset(bound, 0, sizeof(*bound));
    char *text = bound_read(path, &bound->arena, &len);
    assert_int_equal(
        bound_tree(bound, file, (struct slice){ text, len }, &root), STATUS_OK);
    assert_non_null(root);
    return root;
}

/* A variant may leave its group and its pages to what it extends. */
static void
every_file_says_what_it_is_and_what_it_asks_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHIPPED_COUNT; i++) {
        struct bound bound;
        const struct config_node *root = read_tree(&bound, shipped[i].file);
        const bool variant = is_written(root, "extends");
        if (!is_written(root, "title") ||
            (!variant &&
             (!is_written(root, "group") || !is_written(root, "params")))) {
            fail_msg("%s: title, group or params", shipped[i].file);
        }
        const struct config_node *params = config_node_child(root, "params");
        for (const struct config_node *at = params == NULL ? NULL
                                                           : params->children;
             at != NULL; at = at->next) {
            if (!at->is_null && !is_written(at, "doc")) {
                fail_msg("%s: '%.*s' has no doc", shipped[i].file,
                         SLICE_ARG(at->key));
            }
        }
        bound_fini(&bound);
    }
}

static int
set_up(void **state)
{
    (void)state;
    return digest_init(NULL) == STATUS_OK ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            every_connector_runs_the_channels_its_parameters_allow),
        cmocka_unit_test(every_relay_has_a_connector_to_come_to),
        cmocka_unit_test(every_file_is_tested_here),
        cmocka_unit_test(every_file_says_what_it_is_and_what_it_asks_for),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
