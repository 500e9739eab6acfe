/* SPDX-License-Identifier: MIT */
/* config: any text becomes a connector or a list of mistakes with words; either
 * way the mistakes can be printed. */
#include <string.h>

#include "base/mem.h"
#include "config/config_report.h"
#include "config/config_yaml.h"
#include "fuzz/fuzz.h"
#include "model/connector.h"
#include "wire/digest.h"

static bool
no_secret(void *arg, const struct config_secret *secret,
          struct config_report *report, struct arena *arena,
          struct slice *ret_text)
{
    (void)arg;
    (void)secret;
    (void)report;
    (void)arena;
    *ret_text = slice_of("c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0");
    return true;
}

static const char *
no_variable(void *arg, const char *name)
{
    (void)arg;
    return strlen(name) % 2 == 0 ? "value" : NULL;
}

/* Binds the tree as a connector's file would be. */
static void
bind(const struct config_node *root, struct arena *arena,
     struct config_report *report)
{
    struct config_binding binding = { .arena = arena, .report = report };
    const struct connector_env env = { .read_secret = no_secret };
    struct connector connector;
    memset(&connector, 0, sizeof(connector));
    FUZZ_HOLDS(connector_bind(&binding, slice_of("fuzz"), root->mark, root,
                              NULL, &env, &connector) == STATUS_OK);
    connector_fini(&connector);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct arena arena = { 0 };
    struct config_report report = { 0 };
    struct config_source source = { .name = SLICE("fuzz.yaml"),
                                    .directory = SLICE("."),
                                    .text = fuzz_input(bytes, count) };
    struct config_node *root = NULL;
    struct buf words = { 0 };
    static bool ready;
    if (!ready) {
        ready = digest_init(NULL) == STATUS_OK;
        FUZZ_HOLDS(ready);
    }
    FUZZ_HOLDS(config_yaml_parse(&source, no_variable, NULL, &arena, &report,
                                 &root) == STATUS_OK);
    FUZZ_HOLDS(root != NULL || report.errors > 0);
    if (root != NULL) {
        bind(root, &arena, &report);
    }
    config_report_text(&report, false, &words);
    config_report_json(&report, &words);
    FUZZ_HOLDS(report.errors == 0 || buf_slice(&words).len > 0);
    buf_fini(&words);
    config_report_fini(&report);
    arena_fini(&arena);
    return 0;
}
