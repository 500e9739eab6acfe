/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include "base/instant.h"
#include "model/verify.h"
#include "wire/digest.h"
#include "wire/template.h"

/* ---- the files we ship ---- */

#define WHSEC "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

struct shipped {
    const char *file;
    const char *with;
    bool webhook;
    bool poll;
};

static const struct shipped shipped[] = {
    { "petstore", "{base: 'http://127.0.0.1:9', api_key: k, webhook_secret: s}",
      true, true },
    { "petstore", "{webhook_secret: s}", true, false },
    { "petstore", "{base: 'http://127.0.0.1:9', webhook_secret: s}", true,
      false },
    { "petstore", "{base: 'http://127.0.0.1:9/', api_key: k}", false, true },
    { "stripe", "{api_key: sk_1, webhook_secret: whsec_1}", true, true },
    { "stripe", "{base: 'http://127.0.0.1:9', webhook_secret: whsec_1}", true,
      false },
    { "github", "{api_key: t, repo: a/b, hook_id: 7, webhook_secret: [s, old]}",
      true, true },
    { "shopify",
      "{api_key: t, shop: x.myshopify.com, webhook_secret: s,"
      " base: 'http://127.0.0.1:9'}",
      true, true },
    { "standard_webhooks", "{webhook_secret: " WHSEC "}", true, false },
    { "gitlab", "{api_key: t, project: '1', hook_id: '2'}", false, true },
    { "gitlab", "{webhook_secret: " WHSEC "}", true, false },
    { "slack", "{api_key: t, channel: C1, webhook_secret: s}", true, true },
    { "generic_json", "{url: 'http://127.0.0.1:9/v1/items'}", false, true },
    { "generic_json", "{webhook_secret: s}", true, false },
};

static void
every_shipped_connector_binds_and_runs_its_channels(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(shipped) / sizeof(shipped[0]); i++) {
        struct bound bound;
        char path[512];
        char entry[512];
        (void)snprintf(path, sizeof(path), "%s/%s.yaml", TEST_CONNECTORS_DIR,
                       shipped[i].file);
        (void)snprintf(entry, sizeof(entry), "use: %s\nwith: %s\n",
                       shipped[i].file, shipped[i].with);
        bound_file(&bound, path, entry, "https://hooks.example.com");
        if (bound.status != STATUS_OK || bound.report.warnings > 0 ||
            bound.connector.has_webhook != shipped[i].webhook ||
            bound.connector.has_poll != shipped[i].poll) {
            fail_msg("%s %s: webhook %d poll %d %s", shipped[i].file,
                     shipped[i].with, bound.connector.has_webhook,
                     bound.connector.has_poll,
                     bound.words.ptr == NULL ? "" : bound.words.ptr);
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
        cmocka_unit_test(every_shipped_connector_binds_and_runs_its_channels),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
