/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/prng.h"
#include "config/config_bind.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A small program's settings, with every type of key once. */

struct hook {
    struct config_secret secret;
    int64_t max_body;
};

struct sweep {
    int64_t every_ms;
    int64_t overlap_ms;
};

struct shop {
    struct slice use;
    int pace;
    struct hook *webhook;
    struct config_list sweeps;
    const struct config_node *with;
};

struct listen_settings {
    struct slice address;
    struct slice certificate;
    struct config_secrets tokens;
};

struct settings {
    bool quiet;
    int64_t attempts;
    int64_t every_ms;
    int64_t max_body;
    struct slice store;
    struct slice file;
    struct config_texts types;
    struct listen_settings listen;
    struct config_list shops;
    unsigned word_len;
};

static const struct config_key hook_keys[] = {
    { .name = "secret",
      .type = CONFIG_SECRET,
      .offset = offsetof(struct hook, secret),
      .required = true },
    { .name = "max_body",
      .type = CONFIG_SIZE,
      .offset = offsetof(struct hook, max_body),
      .fallback = "64KiB" },
};

static const struct config_table hook_table = { .name = "webhook",
                                                .keys = hook_keys,
                                                .count = COUNT(hook_keys),
                                                .size = sizeof(struct hook) };

static const struct config_key sweep_keys[] = {
    { .name = "every",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct sweep, every_ms),
      .required = true },
    { .name = "overlap",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct sweep, overlap_ms),
      .fallback = "1d" },
};

static void
check_sweep(struct config_binding *binding, const struct config_node *node,
            void *bound)
{
    const struct sweep *sweep = bound;
    if (sweep->overlap_ms < sweep->every_ms) {
        config_report_add(binding->report, CONFIG_WARNING, node->mark,
                          "the overlap is shorter than the pause");
    }
}

static const struct config_table sweep_table = { .name = "sweep",
                                                 .keys = sweep_keys,
                                                 .count = COUNT(sweep_keys),
                                                 .size = sizeof(struct sweep),
                                                 .check = check_sweep };

static const char *const paces[] = { "fixed", "adaptive", NULL };

static const struct config_key shop_keys[] = {
    { .name = "use",
      .type = CONFIG_TEXT,
      .offset = offsetof(struct shop, use),
      .required = true },
    { .name = "pace",
      .type = CONFIG_CHOICE,
      .offset = offsetof(struct shop, pace),
      .choices = paces,
      .fallback = "adaptive" },
    { .name = "webhook",
      .type = CONFIG_TABLE_PTR,
      .offset = offsetof(struct shop, webhook),
      .table = &hook_table },
    { .name = "sweeps",
      .type = CONFIG_TABLES,
      .offset = offsetof(struct shop, sweeps),
      .table = &sweep_table },
    { .name = "with",
      .type = CONFIG_NODE,
      .offset = offsetof(struct shop, with) },
};

static const struct config_table shop_table = { .name = "connector",
                                                .keys = shop_keys,
                                                .count = COUNT(shop_keys),
                                                .size = sizeof(struct shop) };

static const struct config_key listen_keys[] = {
    { .name = "address",
      .type = CONFIG_TEXT,
      .offset = offsetof(struct listen_settings, address),
      .fallback = "127.0.0.1:8080" },
    { .name = "certificate",
      .type = CONFIG_PATH,
      .offset = offsetof(struct listen_settings, certificate) },
    { .name = "token",
      .type = CONFIG_SECRETS,
      .offset = offsetof(struct listen_settings, tokens) },
};

static int checks;

static void
check_listen(struct config_binding *binding, const struct config_node *node,
             void *bound)
{
    const struct listen_settings *listen = bound;
    checks++;
    if (listen->certificate.len > 0 && listen->tokens.count == 0) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "a certificate without a token");
    }
}

static const struct config_table listen_table = { .name = "listen",
                                                  .keys = listen_keys,
                                                  .count = COUNT(listen_keys),
                                                  .size = sizeof(
                                                      struct listen_settings),
                                                  .check = check_listen };

static void
parse_word(struct config_binding *binding, const struct config_node *node,
           void *place)
{
    struct slice text;
    unsigned *len = place;
    if (config_bind_text(binding, node, &text)) {
        *len = (unsigned)text.len;
    }
}

static const struct config_key keys[] = {
    { .name = "quiet",
      .type = CONFIG_BOOL,
      .offset = offsetof(struct settings, quiet),
      .fallback = "true" },
    { .name = "attempts",
      .type = CONFIG_INT,
      .offset = offsetof(struct settings, attempts),
      .fallback = "16",
      .min = "1",
      .max = "100" },
    { .name = "every",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct settings, every_ms),
      .fallback = "60s",
      .min = "1s",
      .max = "7d" },
    { .name = "max_body",
      .type = CONFIG_SIZE,
      .offset = offsetof(struct settings, max_body),
      .fallback = "1MiB",
      .max = "1GiB" },
    { .name = "store",
      .type = CONFIG_TEXT,
      .offset = offsetof(struct settings, store),
      .fallback = "sqlite" },
    { .name = "file",
      .type = CONFIG_PATH,
      .offset = offsetof(struct settings, file),
      .fallback = "events.jsonl" },
    { .name = "types",
      .type = CONFIG_TEXTS,
      .offset = offsetof(struct settings, types),
      .fallback = "*" },
    { .name = "listen",
      .type = CONFIG_TABLE,
      .offset = offsetof(struct settings, listen),
      .table = &listen_table },
    { .name = "connectors",
      .type = CONFIG_NAMED,
      .offset = offsetof(struct settings, shops),
      .table = &shop_table },
    { .name = "word",
      .type = CONFIG_CUSTOM,
      .offset = offsetof(struct settings, word_len),
      .fallback = "four",
      .parse = parse_word },
};

static const struct config_table table = { .name = NULL,
                                           .keys = keys,
                                           .count = COUNT(keys),
                                           .size = sizeof(struct settings) };

struct fixture {
    struct arena arena;
    struct config_report report;
    struct config_source source;
    struct settings settings;
    struct buf text;
};

static const char *
environment(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "N") == 0       ? "7"
           : strcmp(name, "ON") == 0    ? "true"
           : strcmp(name, "EMPTY") == 0 ? ""
                                        : NULL;
}

static enum status
bind_slice(struct fixture *fixture, struct slice text)
{
    struct config_node *root;
    *fixture = (struct fixture){ .source = { .name = slice_of("a.yaml"),
                                             .directory = slice_of("/etc/x"),
                                             .text = text } };
    enum status status =
        config_yaml_parse(&fixture->source, environment, NULL, &fixture->arena,
                          &fixture->report, &root);
    if (status != STATUS_OK || root == NULL) {
        return status;
    }
    struct config_binding binding = { .arena = &fixture->arena,
                                      .report = &fixture->report };
    return config_bind(&binding, &table, root, &fixture->settings);
}

static void
bind_text(struct fixture *fixture, const char *text)
{
    assert_int_equal(bind_slice(fixture, slice_of(text)), STATUS_OK);
}

static void
fini(struct fixture *fixture)
{
    arena_fini(&fixture->arena);
    config_report_fini(&fixture->report);
    buf_fini(&fixture->text);
}

static const char *
report_text(struct fixture *fixture)
{
    buf_clear(&fixture->text);
    config_report_text(&fixture->report, false, &fixture->text);
    assert_non_null(fixture->text.ptr);
    return fixture->text.ptr;
}

static void
assert_slice(struct slice slice, const char *text)
{
    if (!slice_equal_text(slice, text)) {
        fail_msg("'%.*s' is not '%s'", SLICE_ARG(slice), text);
    }
}

static void
assert_defaults(const struct settings *settings)
{
    assert_true(settings->quiet);
    assert_int_equal(settings->attempts, 16);
    assert_int_equal(settings->every_ms, 60000);
    assert_int_equal(settings->max_body, 1 << 20);
    assert_slice(settings->store, "sqlite");
    assert_int_equal(settings->types.count, 1);
    assert_slice(settings->types.at[0], "*");
    assert_slice(settings->listen.address, "127.0.0.1:8080");
    assert_int_equal(settings->listen.tokens.count, 0);
    assert_int_equal(settings->shops.count, 0);
    assert_int_equal(settings->word_len, 4);
}

static void
an_empty_file_gives_the_defaults(void **state)
{
    (void)state;
    struct fixture fixture;
    checks = 0;
    bind_text(&fixture, "");
    assert_int_equal(fixture.report.errors, 0);
    assert_defaults(&fixture.settings);
    assert_slice(fixture.settings.file, "/etc/x/events.jsonl");
    assert_int_equal(checks, 1);
    fini(&fixture);
}

static void
no_node_at_all_gives_the_defaults(void **state)
{
    (void)state;
    struct fixture fixture = { 0 };
    struct config_binding binding = { .arena = &fixture.arena,
                                      .report = &fixture.report };
    assert_int_equal(config_bind(&binding, &table, NULL, &fixture.settings),
                     STATUS_OK);
    assert_int_equal(fixture.report.errors, 0);
    assert_defaults(&fixture.settings);
    assert_slice(fixture.settings.file, "events.jsonl");
    /* Even what must be given is not missed in what is not there. */
    struct hook hook = { 0 };
    assert_int_equal(config_bind(&binding, &hook_table, NULL, &hook),
                     STATUS_OK);
    assert_int_equal(fixture.report.errors, 0);
    assert_int_equal(hook.max_body, 65536);
    fini(&fixture);
}

static const char good[] =
    "quiet: false\n"
    "attempts: 3\n"
    "every: 5m\n"
    "max_body: 64kB\n"
    "store: 12\n"
    "file: ./out/all.jsonl\n"
    "types: [order.*, \"!order.test\"]\n"
    "listen:\n"
    "  address: \"unix:/run/a\"\n"
    "  certificate: /etc/ssl/cert.pem\n"
    "  token: [one, \"credential:two\"]\n"
    "connectors:\n"
    "  shop:\n"
    "    use: petstore\n"
    "    pace: fixed\n"
    "    webhook: {secret_file: shop.secret, max_body: 0}\n"
    "    sweeps:\n"
    "      - every: 1h\n"
    "      - {every: 1d, overlap: 2d}\n"
    "    with: {base: \"http://127.0.0.1\"}\n"
    "  other.1:\n"
    "    use: \"\"\n"
    "    sweeps: {every: 10s}\n"
    "word: sixsix\n";

static void
every_type_of_key_is_bound(void **state)
{
    (void)state;
    struct fixture fixture;
    bind_text(&fixture, good);
    const struct settings *settings = &fixture.settings;
    if (fixture.report.errors != 0) {
        fail_msg("%s", report_text(&fixture));
    }
    assert_false(settings->quiet);
    assert_int_equal(settings->attempts, 3);
    assert_int_equal(settings->every_ms, 300000);
    assert_int_equal(settings->max_body, 64000);
    assert_slice(settings->store, "12");
    assert_slice(settings->file, "/etc/x/out/all.jsonl");
    assert_int_equal(settings->types.count, 2);
    assert_slice(settings->types.at[1], "!order.test");
    assert_int_equal(settings->types.marks[1].column, 18);
    assert_slice(settings->listen.certificate, "/etc/ssl/cert.pem");
    assert_int_equal(settings->listen.tokens.count, 2);
    assert_int_equal(settings->listen.tokens.at[0].from, SECRET_INLINE);
    assert_int_equal(settings->listen.tokens.at[1].from, SECRET_CREDENTIAL);
    assert_slice(settings->listen.tokens.at[1].text, "two");
    assert_int_equal(settings->word_len, 6);

    assert_int_equal(settings->shops.count, 2);
    assert_slice(settings->shops.names[0], "shop");
    assert_slice(settings->shops.names[1], "other.1");
    assert_int_equal(settings->shops.marks[1].line, 21);
    const struct shop *shops = settings->shops.at;
    assert_slice(shops[0].use, "petstore");
    assert_int_equal(shops[0].pace, 0);
    assert_int_equal(shops[0].webhook->secret.from, SECRET_FILE);
    assert_slice(shops[0].webhook->secret.text, "/etc/x/shop.secret");
    assert_int_equal(shops[0].webhook->secret.mark.line, 16);
    assert_int_equal(shops[0].webhook->max_body, 0);
    assert_int_equal(shops[0].sweeps.count, 2);
    const struct sweep *sweeps = shops[0].sweeps.at;
    assert_int_equal(sweeps[0].every_ms, 3600000);
    assert_int_equal(sweeps[1].overlap_ms, 172800000);
    assert_int_equal(shops[0].sweeps.marks[1].line, 19);
    assert_non_null(config_node_child(shops[0].with, "base"));
    assert_int_equal(shops[1].pace, 1);
    assert_null(shops[1].webhook);
    assert_null(shops[1].with);
    assert_int_equal(shops[1].sweeps.count, 1);
    fini(&fixture);
}

static void
variables_are_read_by_type(void **state)
{
    (void)state;
    struct fixture fixture;
    bind_text(&fixture, "{quiet: \"${ON}\", attempts: \"${N}\", "
                        "every: \"${N}s\", listen: {token: \"${N}\"}}");
    assert_int_equal(fixture.report.errors, 0);
    assert_int_equal(fixture.settings.attempts, 7);
    assert_int_equal(fixture.settings.every_ms, 7000);
    assert_slice(fixture.settings.listen.tokens.at[0].text, "7");
    fini(&fixture);
}

static void
an_empty_section_is_an_empty_mapping(void **state)
{
    (void)state;
    struct fixture fixture;
    bind_text(&fixture, "listen:\nconnectors: ~\n");
    assert_int_equal(fixture.report.errors, 0);
    assert_defaults(&fixture.settings);
    fini(&fixture);
}

struct refusal {
    const char *text;
    const char *line;
};

static const struct refusal scalar_refusals[] = {
    { "quiet: yes", "1:8: error: 'yes' is neither true nor false; write true" },
    { "quiet: Off",
      "1:8: error: 'Off' is neither true nor false; write false" },
    { "quiet: True",
      "1:8: error: 'True' is neither true nor false; write true" },
    { "quiet: 0", "1:8: error: '0' is neither true nor false; write false" },
    { "quiet: maybe", "1:8: error: 'maybe' is neither true nor false" },
    { "quiet: \"true\"",
      "1:8: error: 'true' in quotes is text; write true without quotes" },
    { "quiet:", "1:1: error: 'quiet' has no value" },
    { "quiet: []", "1:8: error: 'quiet' must be true or false, not a list" },
    { "attempts: three", "1:11: error: 'three' is not a whole number; write "
                         "decimal digits" },
    { "attempts: 010", "1:11: error: '010' is not a whole number; write "
                       "decimal digits" },
    { "attempts: 1e3", "1:11: error: '1e3' is not a whole number; write "
                       "decimal digits" },
    { "attempts: 1_0", "1:11: error: '1_0' is not a whole number; write "
                       "decimal digits" },
    { "attempts: 9223372036854775808",
      "1:11: error: '9223372036854775808' is not a whole number; write decimal "
      "digits" },
    { "attempts: '3'",
      "1:11: error: '3' in quotes is text; write 3 without quotes" },
    { "attempts: 0",
      "1:11: error: '0' is too small for 'attempts'; the least is 1" },
    { "attempts: -1",
      "1:11: error: '-1' is too small for 'attempts'; the least is 1" },
    { "attempts: 101",
      "1:11: error: '101' is too large for 'attempts'; the most is 100" },
    { "every: 30", "1:8: error: '30' needs a unit; try '30s'" },
    { "every: 30 sec", "1:8: error: '30 sec' has an unknown unit; try '30s'" },
    { "every: 5min", "1:8: error: '5min' has an unknown unit; try '5m'" },
    { "every: 2w", "1:8: error: '2w' has an unknown unit; try '14d'" },
    { "every: 5M", "1:8: error: '5M' has an unknown unit; try '5m'" },
    { "every: 5x", "1:8: error: '5x' is not a duration; write a whole number "
                   "and a unit (ms, s, m, h or d)" },
    { "every: 1.5s", "1:8: error: '1.5s' is not a duration; write a whole "
                     "number and a unit (ms, s, m, h or d)" },
    { "every: soon", "1:8: error: 'soon' is not a duration; write a whole "
                     "number and a unit (ms, s, m, h or d)" },
    { "every: -5s", "1:8: error: '-5s' is not a duration; write a whole "
                    "number and a unit (ms, s, m, h or d)" },
    { "every: 999999999999999999d",
      "1:8: error: '999999999999999999d' is too large" },
    { "every: 0", "1:8: error: '0' is too small for 'every'; the least is 1s" },
    { "every: 500ms",
      "1:8: error: '500ms' is too small for 'every'; the least is 1s" },
    { "every: 8d",
      "1:8: error: '8d' is too large for 'every'; the most is 7d" },
    { "every: {a: 1s}",
      "1:8: error: 'every' must be a duration, not a mapping" },
    { "max_body: 1048576",
      "1:11: error: '1048576' needs a unit; try '1048576B'" },
    { "max_body: 1M", "1:11: error: '1M' has an unknown unit; try '1MiB'" },
    { "max_body: 10kb", "1:11: error: '10kb' has an unknown unit; try '10kB'" },
    { "max_body: big", "1:11: error: 'big' is not a size; write a whole number "
                       "and a unit (B, kB, MB, GB, KiB, MiB or GiB)" },
    { "max_body: 2GiB",
      "1:11: error: '2GiB' is too large for 'max_body'; the most is 1GiB" },
    { "store: [a]", "1:8: error: 'store' must be text, not a list" },
    { "store: null", "1:1: error: 'store' has no value" },
    { "file: ''", "1:7: error: 'file' is empty; write a path" },
    { "file: {}", "1:7: error: 'file' must be a path, not a mapping" },
    { "types: {a: b}",
      "1:8: error: 'types' must be text or a list, not a mapping" },
    { "types: [a, [b]]", "1:12: error: this entry must be text, not a list" },
    { "types:\n  - a\n  -\n", "3:4: error: this entry has no value" },
    { "word: []", "1:7: error: 'word' must be text, not a list" },
};

static const struct refusal table_refusals[] = {
    { "evry: 5m", "1:1: error: unknown key 'evry'; did you mean 'every'?" },
    { "every: 5m\nfoo: 1", "2:1: error: unknown key 'foo'" },
    { "x-note: 1", "1:1: error: unknown key 'x-note'" },
    { "EVERY: 5m", "1:1: error: unknown key 'EVERY'; did you mean 'every'?" },
    { "every: 5m\nevery: 6m", "2:1: error: key 'every' is given twice" },
    { "file_file: a", "1:1: error: unknown key 'file_file'" },
    { "connectors:\n  shop:\n    use: a\n    verfy: b\n    wibhook: {}",
      "4:5: error: unknown key 'verfy' in connector 'shop'" },
    { "connectors:\n  shop:\n    use: a\n    wibhook: {}",
      "4:5: error: unknown key 'wibhook' in connector 'shop'; did you mean "
      "'webhook'?" },
    { "connectors: {shop: {use: a, webhook: {secret_fil: x, secret: y}}}",
      "1:39: error: unknown key 'secret_fil' in webhook; did you mean "
      "'secret_file'?" },
    { "connectors:\n  shop: {}",
      "2:3: error: key 'use' is missing in connector 'shop'" },
    { "connectors:\n  shop:",
      "2:3: error: key 'use' is missing in connector 'shop'" },
    { "connectors:\n  shop: {use: a, webhook: }",
      "2:18: error: key 'secret' is missing in webhook" },
    { "connectors:\n  shop: {use: a, webhook: {max_body: 1B}}",
      "2:18: error: key 'secret' is missing in webhook" },
    { "connectors:\n  shop: {use: a, sweeps: [{every: 1s}, {}]}",
      "2:40: error: key 'every' is missing in sweep" },
    { "connectors:\n  shop: {use: a, sweeps: {}}",
      "2:18: error: key 'every' is missing in sweep" },
    { "connectors:\n  shop: {use: a, sweeps: }",
      "2:18: error: 'sweeps' must be a mapping or a list of them, not "
      "nothing" },
    { "connectors:\n  shop: {use: a, sweeps: 5}",
      "2:26: error: 'sweeps' must be a mapping or a list of them, not text" },
    { "connectors:\n  shop: {use: a, sweeps: [5]}",
      "2:27: error: this must be a mapping, not text" },
    { "connectors:\n  shop: {use: a, sweeps: [~]}",
      "2:27: error: this entry has no value" },
    { "connectors:\n  shop: {use: a, pace: adaptiv}",
      "2:24: error: 'adaptiv' is not one of: fixed, adaptive; did you mean "
      "'adaptive'?" },
    { "connectors:\n  shop: {use: a, pace: off}",
      "2:24: error: 'off' is not one of: fixed, adaptive" },
    { "connectors: [shop]",
      "1:13: error: 'connectors' must be a mapping of names, not a list" },
    { "connectors: {shop: petstore}",
      "1:20: error: 'shop' must be a mapping, not text" },
    { "connectors: {a b: {use: a}}",
      "1:14: error: 'a b' cannot be a name; use up to 64 letters, digits, '_', "
      "'.' and '-', a letter or digit first" },
    { "connectors: {../x: {use: a}}",
      "1:14: error: '../x' cannot be a name; use up to 64 letters, digits, "
      "'_', '.' and '-', a letter or digit first" },
    { "connectors: {-x: {use: a}}",
      "1:14: error: '-x' cannot be a name; use up to 64 letters, digits, '_', "
      "'.' and '-', a letter or digit first" },
    { "listen: 8080", "1:9: error: 'listen' must be a mapping, not text" },
    { "[a]", "1:1: error: this must be a mapping, not a list" },
    { "word", "1:1: error: this must be a mapping, not text" },
    { "listen: {token: a, token_file: b}",
      "1:20: error: 'token' and 'token_file' are both given; keep one" },
    { "listen: {token_file: a, token: b}",
      "1:25: error: 'token' and 'token_file' are both given; keep one" },
    { "listen: {token: ''}", "1:17: error: 'token' is empty; leave it out or "
                             "give the secret" },
    { "listen: {token: \"${EMPTY}\"}",
      "1:17: error: 'token' is empty; leave it out or give the secret" },
    { "listen: {token: }", "1:10: error: 'token' has no value" },
    { "listen: {token: []}", "1:17: error: 'token' is an empty list; leave it "
                             "out or give a secret" },
    { "listen: {token: [a, '']}", "1:21: error: 'token' is empty; leave it out "
                                  "or give the secret" },
    { "listen: {token_file: ''}", "1:22: error: 'token_file' is empty; leave "
                                  "it out or give the path" },
    { "listen: {token: {a: b}}",
      "1:17: error: 'token' must be text, not a mapping" },
    { "listen: {token: 'credential:'}",
      "1:17: error: 'token' needs a name without '/' after 'credential:'" },
    { "listen: {token: 'credential:../x'}",
      "1:17: error: 'token' needs a name without '/' after 'credential:'" },
    { "listen: {certificate: a}", "1:9: error: a certificate without a token" },
};

static size_t
count_wrong(const struct refusal *refusals, size_t count)
{
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        struct fixture fixture;
        bind_text(&fixture, refusals[i].text);
        struct slice shown = slice_of(report_text(&fixture));
        struct slice first = slice_first(shown, slice_find(shown, '\n'));
        if (!slice_starts(first, slice_of("a.yaml:")) ||
            !slice_equal_text(slice_from(first, 7), refusals[i].line)) {
            print_error("%s\nwanted        %s\ngot    %.*s\n", refusals[i].text,
                        refusals[i].line, SLICE_ARG(first));
            wrong++;
        }
        assert_int_equal(config_report_status(&fixture.report), STATUS_CONFIG);
        fini(&fixture);
    }
    return wrong;
}

static void
a_wrong_value_is_refused_at_its_place(void **state)
{
    (void)state;
    assert_int_equal(count_wrong(scalar_refusals, COUNT(scalar_refusals)), 0);
}

static void
a_wrong_table_is_refused_at_its_place(void **state)
{
    (void)state;
    assert_int_equal(count_wrong(table_refusals, COUNT(table_refusals)), 0);
}

static void
a_wrong_value_leaves_the_default(void **state)
{
    (void)state;
    struct fixture fixture;
    bind_text(&fixture, "{quiet: no, attempts: 0, every: 1, max_body: x, "
                        "store: [], types: {}, listen: 1, connectors: 2}");
    assert_int_equal(fixture.report.errors, 8);
    assert_defaults(&fixture.settings);
    fini(&fixture);
}

static void
all_mistakes_are_reported_in_the_order_of_the_file(void **state)
{
    (void)state;
    struct fixture fixture;
    bind_text(&fixture, "every: 5\n"
                        "connectors:\n"
                        "  shop: {use: a, pce: fixed}\n"
                        "  stop: {pace: x}\n"
                        "quiet: on\n"
                        "nothing: 1\n");
    static const unsigned lines[] = { 1, 3, 4, 4, 5, 6 };
    assert_int_equal(fixture.report.errors, COUNT(lines));
    const struct config_finding *finding = fixture.report.first;
    for (size_t i = 0; i < COUNT(lines); i++, finding = finding->next) {
        assert_int_equal(finding->mark.line, lines[i]);
    }
    fini(&fixture);
}

static void
rules_over_keys_wait_until_each_is_right(void **state)
{
    (void)state;
    struct fixture fixture;
    checks = 0;
    bind_text(&fixture, "listen: {certificate: a, tken: b}");
    assert_int_equal(fixture.report.errors, 1);
    assert_int_equal(checks, 0);
    fini(&fixture);
    /* A mistake further in is no reason to keep quiet about this one. */
    bind_text(&fixture, "connectors: {a: {use: b, sweeps: {every: 2d}}}");
    assert_int_equal(fixture.report.errors, 0);
    assert_int_equal(fixture.report.warnings, 1);
    fini(&fixture);
}

static void
no_secret_is_ever_in_a_message(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "listen: {token: {hunter2: hunter2}}",
        "listen: {token: credential:hunter2/}",
        "listen: {token: [hunter2, '']}",
        "listen: {token: hunter2, token_file: b}",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct fixture fixture;
        struct buf json = { 0 };
        bind_text(&fixture, texts[i]);
        assert_int_equal(fixture.report.errors, 1);
        config_report_json(&fixture.report, &json);
        assert_null(strstr(json.ptr, "hunter2"));
        buf_fini(&json);
        fini(&fixture);
    }
}

static void
paths_start_where_their_file_is(void **state)
{
    (void)state;
    static const struct {
        const char *directory;
        const char *path;
        const char *joined;
    } cases[] = {
        { "/etc/x", "a", "/etc/x/a" },
        { "/etc/x/", "a", "/etc/x/a" },
        { "/etc/x", "./a", "/etc/x/a" },
        { "/etc/x", "/a", "/a" },
        { "/etc/x", "../a", "/etc/x/../a" },
        { ".", "a", "a" },
        { "", "./a", "./a" },
        { "conf.d", "a", "conf.d/a" },
        { "/", "a", "/a" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture fixture = { 0 };
        struct config_source source = {
            .name = slice_of("a.yaml"),
            .directory = slice_of(cases[i].directory),
        };
        struct config_node child = { .kind = CONFIG_SCALAR,
                                     .text = slice_of(cases[i].path),
                                     .key = slice_of("file"),
                                     .mark = { &source, 1, 1, 1 } };
        struct config_node root = { .kind = CONFIG_MAPPING,
                                    .children = &child };
        struct config_binding binding = { .arena = &fixture.arena,
                                          .report = &fixture.report };
        assert_int_equal(
            config_bind(&binding, &table, &root, &fixture.settings), STATUS_OK);
        assert_slice(fixture.settings.file, cases[i].joined);
        fini(&fixture);
    }
}

static void
a_custom_parser_can_read_a_duration(void **state)
{
    (void)state;
    struct fixture fixture = { 0 };
    struct config_binding binding = { .arena = &fixture.arena,
                                      .report = &fixture.report };
    struct config_node node = { .kind = CONFIG_SCALAR, .text = slice_of("2m") };
    int64_t ms = 5;
    assert_true(config_bind_duration(&binding, &node, &ms));
    assert_int_equal(ms, 120000);
    node.text = slice_of("2");
    assert_false(config_bind_duration(&binding, &node, &ms));
    assert_int_equal(ms, 120000);
    assert_int_equal(fixture.report.errors, 1);
    fini(&fixture);
}

/* Arenas ask for memory a block at a time; `ballast` moves the place at which
 * the next block is needed through the whole of the work. */
static long
walk_out_of_memory(int ballast)
{
    struct buf text = { 0 };
    buf_text(&text, good);
    buf_format(&text, "unknown: %0*d\n", ballast * 97 + 1, 1);
    for (int i = 0; i < 20 + ballast; i++) {
        buf_format(&text, "unknown_key_number_%d: {}\n", i);
    }
    for (long n = 0;; n++) {
        struct fixture fixture;
        (void)mem_fail_after(n, 0);
        enum status status = bind_slice(&fixture, buf_slice(&text));
        (void)mem_fail_after(-1, 0);
        size_t errors = fixture.report.errors;
        fini(&fixture);
        if (status == STATUS_OK) {
            assert_int_equal(errors, 21 + ballast);
            buf_fini(&text);
            return n;
        }
        assert_int_equal(status, STATUS_NOMEM);
    }
}

static void
running_out_of_memory_is_an_error_anywhere(void **state)
{
    (void)state;
    for (int ballast = 0; ballast < 42; ballast++) {
        assert_true(walk_out_of_memory(ballast) > 4);
    }
}

/* Small damage to a good file: whatever comes of it, no crash and no leak. */
static void
damaged_files_are_survived(void **state)
{
    (void)state;
    static const char bytes[] = "{}[],:&*!|>'\"%@`#-?\n\t \\$~x0\xff\xc3\x01";
    struct prng prng = { 20 };
    size_t refused = 0;
    for (int i = 0; i < 5000; i++) {
        char text[sizeof(good) + 8];
        size_t len = sizeof(good) - 1;
        memcpy(text, good, len);
        size_t changes = 1 + (size_t)prng_below(&prng, 4);
        for (size_t k = 0; k < changes; k++) {
            size_t at = (size_t)prng_below(&prng, len);
            char byte = bytes[prng_below(&prng, sizeof(bytes) - 1)];
            if (prng_below(&prng, 3) == 0) {
                memmove(text + at, text + at + 1, len - at - 1);
                len--;
            } else if (prng_below(&prng, 2) == 0) {
                memmove(text + at + 1, text + at, len - at);
                text[at] = byte;
                len++;
            } else {
                text[at] = byte;
            }
        }
        struct fixture fixture;
        assert_int_equal(bind_slice(&fixture, (struct slice){ text, len }),
                         STATUS_OK);
        refused += fixture.report.errors > 0;
        (void)report_text(&fixture);
        fini(&fixture);
    }
    assert_in_range(refused, 2000, 4999);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_gives_the_defaults),
        cmocka_unit_test(no_node_at_all_gives_the_defaults),
        cmocka_unit_test(every_type_of_key_is_bound),
        cmocka_unit_test(variables_are_read_by_type),
        cmocka_unit_test(an_empty_section_is_an_empty_mapping),
        cmocka_unit_test(a_wrong_value_is_refused_at_its_place),
        cmocka_unit_test(a_wrong_table_is_refused_at_its_place),
        cmocka_unit_test(a_wrong_value_leaves_the_default),
        cmocka_unit_test(all_mistakes_are_reported_in_the_order_of_the_file),
        cmocka_unit_test(rules_over_keys_wait_until_each_is_right),
        cmocka_unit_test(no_secret_is_ever_in_a_message),
        cmocka_unit_test(paths_start_where_their_file_is),
        cmocka_unit_test(a_custom_parser_can_read_a_duration),
        cmocka_unit_test(running_out_of_memory_is_an_error_anywhere),
        cmocka_unit_test(damaged_files_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
