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

struct shipped {
    const char *file;
    const char *secret; /* NULL: it has no webhooks */
    const char *list;   /* what its list needs; NULL: it has none */
    bool exclusive;     /* one or the other */
};

static const struct shipped shipped[] = {
    { "adyen", HEX32, NULL, false },
    { "adyen_platform", HEX32, NULL, false },
    { "basic", "user:password", NULL, false },
    { "bitbucket", "s", "api_key: k, repo: w/r", false },
    { "cloudevents", "s", NULL, false },
    { "couchdb", NULL, BASE ", api_key: k, db: d, user: u", false },
    { "discord", HEX32, "api_key: k, channel: '7'", false },
    { "discord_interactions", HEX32, NULL, false },
    { "dropbox", "s", NULL, false },
    { "generic_json", "s", "url: 'http://127.0.0.1:9/v1/items'", false },
    { "gitea", "s", BASE ", api_key: k, repo: o/r", false },
    { "github", "s", "api_key: k, repo: o/r, hook_id: 7", false },
    { "github_issues", "s", "api_key: k, repo: o/r", false },
    { "gitlab", WHSEC, "api_key: k, project: '1', hook_id: '2'", false },
    { "gitlab", "token", "api_key: k, project: '1', hook_id: '2'", false },
    { "gitlab_signed", WHSEC, "api_key: k, project: '1', hook_id: '2'", false },
    { "gitlab_token", "s", "api_key: k, project: '1', hook_id: '2'", false },
    { "gocardless", "s", NULL, false },
    { "hubspot", "s", "api_key: k", false },
    { "hubspot_v1", "s", "api_key: k", false },
    { "hubspot_v2", "s", "api_key: k", false },
    { "hubspot_v3", "s", "api_key: k", false },
    { "intercom", "s", "api_key: k", false },
    { "jira", "s", BASE ", api_key: k, email: a@b.c", false },
    { "linear", "s", "api_key: k", false },
    { "mailgun", "s", "api_key: k, domain: d.example", false },
    { "paddle", "s", "api_key: k", false },
    { "petstore", "s", BASE ", api_key: k", false },
    { "razorpay", "s", "api_key: k, key_id: rzp_1", false },
    { "sendgrid", P256, "api_key: k", false },
    { "shopify", "s", "api_key: k, shop: x.myshopify.com", false },
    { "shopify_events", "s", "api_key: k, shop: x.myshopify.com", false },
    { "slack", "s", "api_key: k, channel: C1", false },
    { "square", "s", "api_key: k", false },
    { "standard_webhooks", WHSEC, NULL, false },
    { "standard_webhooks_v1a", WHPK, NULL, false },
    { "stripe", "whsec_1", "api_key: k", false },
    { "stripe_id", "whsec_1", "api_key: k", false },
    { "svix", WHSEC, BASE ", api_key: k, app: app_1, sink: poll_1", false },
    { "telegram", "s", "api_key: k", true },
    { "twilio", "s", "api_key: k, sid: AC1", false },
    { "websub", "s", NULL, false },
    { "woocommerce", "s", BASE ", api_key: k, consumer_key: c", false },
    { "zendesk", "s", "api_key: k, sub: x, email: a@b.c", false },
    { "zoom", "s", NULL, false },
};

#define SHIPPED_COUNT (sizeof(shipped) / sizeof(shipped[0]))

static void
path_of(const char *file, char *path, size_t room)
{
    (void)snprintf(path, room, "%s/%s.yaml", TEST_CONNECTORS_DIR, file);
}

/* Binds the file with these parameters; which channels does it run? */
static void
must_run(const struct shipped *row, const char *secret, const char *list)
{
    struct bound bound;
    char path[512];
    char entry[1024];
    path_of(row->file, path, sizeof(path));
    (void)snprintf(entry, sizeof(entry), "use: %s\nwith: {%s%s%s%s%s}\n",
                   row->file, secret == NULL ? "" : "webhook_secret: '",
                   secret == NULL ? "" : secret, secret == NULL ? "" : "'",
                   secret == NULL || list == NULL ? "" : ", ",
                   list == NULL ? "" : list);
    bound_file(&bound, path, entry, URL);
    if (bound.status != STATUS_OK || bound.report.warnings > 0 ||
        bound.connector.has_webhook != (secret != NULL) ||
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
        if (row->secret != NULL) {
            must_run(row, row->secret, NULL);
        }
        if (row->list != NULL) {
            must_run(row, NULL, row->list);
        }
        if (row->secret != NULL && row->list != NULL && !row->exclusive) {
            must_run(row, row->secret, row->list);
        }
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
        cmocka_unit_test(every_file_is_tested_here),
        cmocka_unit_test(every_file_says_what_it_is_and_what_it_asks_for),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
