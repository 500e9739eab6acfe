/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config/config_print.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct config_key hook_keys[] = {
    { .name = "secret",
      .type = CONFIG_SECRET,
      .required = true,
      .doc = "What its sender signs with." },
};

static const struct config_table hook_table = { .name = "web hook",
                                                .keys = hook_keys,
                                                .count = COUNT(hook_keys),
                                                .doc = "One listener." };

static const struct config_key shop_keys[] = {
    { .name = "hook", .type = CONFIG_TABLE_PTR, .table = &hook_table },
    { .name = "hooks", .type = CONFIG_TABLES, .table = &hook_table },
};

static const struct config_table shop_table = { .name = "shop",
                                                .keys = shop_keys,
                                                .count = COUNT(shop_keys) };

static const char *const paces[] = { "fixed", "adaptive", NULL };

static const struct config_key keys[] = {
    { .name = "quiet", .type = CONFIG_BOOL, .fallback = "false" },
    { .name = "attempts",
      .type = CONFIG_INT,
      .fallback = "16",
      .min = "1",
      .max = "100",
      .doc = "How often." },
    { .name = "every",
      .type = CONFIG_DURATION,
      .fallback = "60s",
      .min = "1s",
      .doc = "The pause." },
    { .name = "max_body", .type = CONFIG_SIZE, .max = "1GiB" },
    { .name = "store", .type = CONFIG_TEXT, .required = true },
    { .name = "file", .type = CONFIG_PATH },
    { .name = "pace",
      .type = CONFIG_CHOICE,
      .choices = paces,
      .fallback = "fixed" },
    { .name = "types", .type = CONFIG_TEXTS },
    { .name = "tokens", .type = CONFIG_SECRETS },
    { .name = "shops", .type = CONFIG_NAMED, .table = &shop_table },
    { .name = "start",
      .type = CONFIG_CUSTOM,
      .schema = "{ \"type\": \"string\" }" },
    { .name = "with", .type = CONFIG_NODE },
};

static const struct config_table table = {
    .name = "root", .keys = keys, .count = COUNT(keys), .doc = "All of it."
};

static const char manual[] =
    ".TP\n\\fBquiet\\fR (true or false, default false)\n"
    ".TP\n\\fBattempts\\fR (number, 1 to 100, default 16)\nHow often.\n"
    ".TP\n\\fBevery\\fR (duration, at least 1s, default 60s)\nThe pause.\n"
    ".TP\n\\fBmax_body\\fR (size, at most 1GiB)\n"
    ".TP\n\\fBstore\\fR (text, required)\n"
    ".TP\n\\fBfile\\fR (path)\n"
    ".TP\n\\fBpace\\fR (one of fixed, adaptive, default fixed)\n"
    ".TP\n\\fBtypes\\fR (text or a list of texts)\n"
    ".TP\n\\fBtokens\\fR, \\fBtokens_file\\fR (secret or a list of secrets)\n"
    ".TP\n\\fBshops\\fR (mapping of names)\n"
    ".TP\n\\fBshops.NAME.hook\\fR (mapping)\n"
    ".TP\n\\fBshops.NAME.hook.secret\\fR, \\fBshops.NAME.hook.secret_file\\fR "
    "(secret, required)\nWhat its sender signs with.\n"
    ".TP\n\\fBshops.NAME.hooks\\fR (mapping or a list of mappings)\n"
    ".TP\n\\fBshops.NAME.hooks.secret\\fR, "
    "\\fBshops.NAME.hooks.secret_file\\fR "
    "(secret, required)\nWhat its sender signs with.\n"
    ".TP\n\\fBstart\\fR\n"
    ".TP\n\\fBwith\\fR\n";

static void
the_schema_says_what_the_binder_does(void **state)
{
    (void)state;
    static char wanted[16384];
    FILE *file = fopen(TEST_DATA_DIR "/config/print_schema.json", "r");
    assert_non_null(file);
    size_t len = fread(wanted, 1, sizeof(wanted) - 1, file);
    assert_int_equal(fclose(file), 0);
    wanted[len] = '\0';

    struct buf text = { 0 };
    config_print_schema(&table, "urn:x", "A \"title\"", &text);
    assert_int_equal(buf_status(&text), STATUS_OK);
    assert_string_equal(text.ptr, wanted);
    buf_fini(&text);
}

static void
the_manual_lists_nested_keys_behind_their_parent(void **state)
{
    (void)state;
    struct buf text = { 0 };
    config_print_manual(&table, &text);
    assert_int_equal(buf_status(&text), STATUS_OK);
    assert_string_equal(text.ptr, manual);
    buf_fini(&text);
}

/* Tables of one name stay apart, and one that holds itself has an end. */
static void
definitions_have_names_of_their_own(void **state)
{
    (void)state;
    static const struct config_key text_key = { .name = "a",
                                                .type = CONFIG_TEXT };
    static const struct config_table first = { .name = "x",
                                               .keys = &text_key,
                                               .count = 1 };
    static const struct config_table second = { .name = "x",
                                                .keys = &text_key,
                                                .count = 1 };
    static const struct config_table third = { .keys = &text_key, .count = 1 };
    static struct config_table self;
    static const struct config_key self_keys[] = {
        { .name = "one", .type = CONFIG_TABLE, .table = &first },
        { .name = "two", .type = CONFIG_TABLE, .table = &second },
        { .name = "three", .type = CONFIG_TABLE, .table = &third },
        { .name = "self", .type = CONFIG_TABLE_PTR, .table = &self },
    };
    self = (struct config_table){ .name = "self",
                                  .keys = self_keys,
                                  .count = COUNT(self_keys) };
    struct buf text = { 0 };
    config_print_schema(&self, "urn:x", "t", &text);
    assert_non_null(strstr(text.ptr, "\"#/definitions/x\""));
    assert_non_null(strstr(text.ptr, "\"#/definitions/x-2\""));
    assert_non_null(strstr(text.ptr, "\"x-2\": {"));
    assert_non_null(strstr(text.ptr, "\"#/definitions/table-3\""));
    assert_non_null(strstr(text.ptr, "\"$ref\": \"#\""));
    buf_clear(&text);
    config_print_manual(&self, &text);
    assert_non_null(strstr(text.ptr, "\\fBself.self.one.a\\fR (text)"));
    buf_fini(&text);
}

/* Half of a mapping is right where it is laid over the other half. */
static void
a_layered_table_asks_for_no_key_and_takes_null(void **state)
{
    (void)state;
    static const struct config_key inner_keys[] = {
        { .name = "a", .type = CONFIG_TEXT, .required = true },
    };
    static const struct config_table inner = { .name = "inner",
                                               .keys = inner_keys,
                                               .count = 1 };
    static const struct config_key root_keys[] = {
        { .name = "one", .type = CONFIG_TABLE, .table = &inner },
    };
    struct config_table root = { .name = "root",
                                 .keys = root_keys,
                                 .count = 1 };
    struct buf text = { 0 };
    config_print_schema(&root, "urn:x", "t", &text);
    assert_non_null(strstr(text.ptr, "\"required\": [\n"));
    assert_null(strstr(text.ptr, "{ \"type\": \"null\" }"));
    buf_clear(&text);
    root.layered = true;
    config_print_schema(&root, "urn:x", "t", &text);
    assert_null(strstr(text.ptr, "\"required\""));
    const char *definition = strstr(text.ptr, "\"definitions\"");
    assert_non_null(definition);
    assert_non_null(strstr(definition, "{ \"type\": \"null\" }"));
    buf_fini(&text);
}

static void
running_out_of_memory_is_remembered_by_the_buffer(void **state)
{
    (void)state;
    for (long n = 0;; n++) {
        struct buf text = { 0 };
        (void)mem_fail_after(n, 0);
        config_print_schema(&table, "urn:x", "t", &text);
        config_print_manual(&table, &text);
        (void)mem_fail_after(-1, 0);
        enum status status = buf_status(&text);
        buf_fini(&text);
        if (status == STATUS_OK) {
            assert_true(n > 10);
            return;
        }
        assert_int_equal(status, STATUS_NOMEM);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_schema_says_what_the_binder_does),
        cmocka_unit_test(the_manual_lists_nested_keys_behind_their_parent),
        cmocka_unit_test(definitions_have_names_of_their_own),
        cmocka_unit_test(a_layered_table_asks_for_no_key_and_takes_null),
        cmocka_unit_test(running_out_of_memory_is_remembered_by_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
