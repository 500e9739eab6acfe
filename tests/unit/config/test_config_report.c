/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "config/config_report.h"
#include "config/config_yaml.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *
text_of(const struct config_report *report, bool color, struct buf *into)
{
    buf_clear(into);
    config_report_text(report, color, into);
    assert_int_equal(buf_status(into), STATUS_OK);
    return into->ptr;
}

static struct config_source
source_of(const char *text)
{
    return (struct config_source){ .name = slice_of("a.yaml"),
                                   .text = slice_of(text) };
}

static void
a_finding_looks_like_a_compilers(void **state)
{
    (void)state;
    struct config_source source = source_of("shop:\n    verfy: {a: b}\n");
    struct config_report report = { 0 };
    struct buf text = { 0 };
    config_report_add(&report, CONFIG_ERROR,
                      (struct config_mark){ &source, 2, 5, 5 },
                      "unknown key '%s'", "verfy");
    config_report_add(&report, CONFIG_NOTE, (struct config_mark){ 0 },
                      "no place");
    assert_string_equal(text_of(&report, false, &text),
                        "a.yaml:2:5: error: unknown key 'verfy'\n"
                        "    2 |     verfy: {a: b}\n"
                        "      |     ^~~~~\n"
                        "note: no place\n"
                        "1 error, 0 warnings\n");
    assert_non_null(strstr(text_of(&report, true, &text), "\033[1;31merror:"));
    assert_int_equal(config_report_status(&report), STATUS_CONFIG);
    buf_fini(&text);
    config_report_fini(&report);
}

static void
what_is_hidden_is_shown_as_asterisks(void **state)
{
    (void)state;
    struct config_source source = source_of("with: {a: hunter2, b: c}\n");
    struct config_source other = source_of("with: {a: hunter2, b: c}\n");
    struct config_report report = { 0 };
    struct buf text = { 0 };
    config_report_hide(&report, (struct config_mark){ &source, 1, 11, 7 });
    config_report_add(&report, CONFIG_ERROR,
                      (struct config_mark){ &source, 1, 20, 1 }, "x");
    assert_string_equal(text_of(&report, false, &text),
                        "a.yaml:1:20: error: x\n"
                        "    1 | with: {a: *******, b: c}\n"
                        "      |                    ^\n"
                        "1 error, 0 warnings\n");
    config_report_add(&report, CONFIG_ERROR,
                      (struct config_mark){ &other, 1, 20, 1 }, "x");
    assert_non_null(strstr(text_of(&report, false, &text), "hunter2"));
    buf_fini(&text);
    config_report_fini(&report);
}

/* The file may be broken before anybody knows which keys are secret. */
static void
values_of_keys_that_sound_secret_are_never_shown(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *shown;
    } rows[] = {
        { "webhook_secret: hunter2", "webhook_secret: *******" },
        { "webhook_secret: a, b: c # d", "webhook_secret: ***********" },
        { "x: {webhook_secret: hunter2, b: c}",
          "x: {webhook_secret: *******, b: c}" },
        { "x: {webhook_secret: hunter2}", "x: {webhook_secret: *******}" },
        { "x: {\"api_key\": \"h\\\"2\", b: c}",
          "x: {\"api_key\": ******, b: c}" },
        { "{token: 'a b', password: c}", "{token: *****, password: *}" },
        { "x: {secret: [one, two], b: c}", "x: {secret: **********, b: c}" },
        { "x: {client_secret: {a: b}, c: d}",
          "x: {client_secret: ******, c: d}" },
        { "API_KEY:    k", "API_KEY:    *" },
        { "\xc3\xa9_token: \xc3\xa9\xc3\xa9", "\xc3\xa9_token: **" },
        { "webhook_secret_file: shop.secret",
          "webhook_secret_file: shop.secret" },
        { "signed: \"{secret:api_key}\"", "signed: \"{secret:api_key}\"" },
        { "secret:", "secret:" },
        { "secretary: bob", "secretary: bob" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config_source source = source_of(rows[i].line);
        struct config_report report = { 0 };
        struct buf text = { 0 };
        char wanted[128];
        config_report_add(&report, CONFIG_ERROR,
                          (struct config_mark){ &source, 1, 1, 1 }, "x");
        (void)snprintf(wanted, sizeof(wanted), "    1 | %s\n", rows[i].shown);
        const char *shown = text_of(&report, false, &text);
        if (strstr(shown, wanted) == NULL) {
            fail_msg("%s", shown);
        }
        buf_fini(&text);
        config_report_fini(&report);
    }
}

static void
a_line_of_many_secrets_is_hidden_whole(void **state)
{
    (void)state;
    struct buf line = { 0 };
    struct buf text = { 0 };
    for (int i = 0; i < 20; i++) {
        buf_text(&line, "{token: a}, ");
    }
    struct config_source source = source_of(line.ptr);
    struct config_report report = { 0 };
    config_report_add(&report, CONFIG_ERROR,
                      (struct config_mark){ &source, 1, 1, 1 }, "x");
    assert_null(strstr(text_of(&report, false, &text), "a}"));
    buf_fini(&line);
    buf_fini(&text);
    config_report_fini(&report);
}

static void
a_warning_alone_is_no_failure(void **state)
{
    (void)state;
    struct config_report report = { 0 };
    assert_int_equal(config_report_status(&report), STATUS_OK);
    config_report_add(&report, CONFIG_WARNING, (struct config_mark){ 0 }, "w");
    assert_int_equal(config_report_status(&report), STATUS_OK);
    config_report_fini(&report);
}

static void
lines_are_counted_as_the_parser_does(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
        const char *shown;
    } cases[] = {
        { "one\r\ntwo\r\n", 2, "    2 | two\n" },
        { "one\rtwo", 2, "    2 | two\n" },
        { "one\xc2\x85two", 2, "    2 | two\n" },
        { "one\xe2\x80\xa8two\xe2\x80\xa9three", 3, "    3 | three\n" },
        { "\xef\xbb\xbfone", 1, "    1 | one\n" },
        { "a\tb", 1, "    1 | a b\n" },
        { "a\033[2Jb", 1, "    1 | a?[2Jb\n" },
        { "a\xc2\x9b"
          "2Jb",
          1, "    1 | a?2Jb\n" },
        { "caf\xc3\xa9 \xff", 1, "    1 | caf\xc3\xa9 ?\n" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct config_source source = source_of(cases[i].text);
        struct config_report report = { 0 };
        struct buf text = { 0 };
        config_report_add(&report, CONFIG_ERROR,
                          (struct config_mark){ &source, cases[i].line, 1, 1 },
                          "x");
        if (strstr(text_of(&report, false, &text), cases[i].shown) == NULL) {
            fail_msg("case %zu: %s", i, text.ptr);
        }
        buf_fini(&text);
        config_report_fini(&report);
    }
}

static void
a_long_line_is_shown_around_its_place(void **state)
{
    (void)state;
    char line[1000];
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    line[499] = 'Y';
    struct config_source source = source_of(line);
    struct config_report report = { 0 };
    struct buf text = { 0 };
    config_report_add(&report, CONFIG_ERROR,
                      (struct config_mark){ &source, 1, 500, 900 }, "x");
    const char *shown = text_of(&report, false, &text);
    const char *first = strchr(shown, '\n') + 1;
    const char *second = strchr(first, '\n') + 1;
    assert_int_equal(second - first, 8 + 120 + 1);
    assert_int_equal(strchr(first, 'Y') - first, strchr(second, '^') - second);
    assert_true(strchr(second, '\n') - second <= 8 + 120);
    buf_fini(&text);
    config_report_fini(&report);
}

static void
a_place_that_is_not_there_shows_no_line(void **state)
{
    (void)state;
    struct config_source source = source_of("one");
    struct config_report report = { 0 };
    struct buf text = { 0 };
    config_report_add(&report, CONFIG_ERROR,
                      (struct config_mark){ &source, 9, 9, 9 }, "x");
    config_report_add(&report, CONFIG_ERROR,
                      (struct config_mark){ &source, 1, 900, 9 }, "y");
    assert_non_null(strstr(text_of(&report, false, &text),
                           "a.yaml:9:9: error: x\na.yaml:1:900: error: y\n"));
    buf_fini(&text);
    config_report_fini(&report);
}

static void
the_first_hundred_are_kept_and_all_are_counted(void **state)
{
    (void)state;
    struct config_report report = { 0 };
    struct buf text = { 0 };
    for (int i = 0; i < 250; i++) {
        config_report_add(&report, CONFIG_ERROR, (struct config_mark){ 0 },
                          "mistake %d", i);
    }
    const char *shown = text_of(&report, false, &text);
    assert_non_null(strstr(shown, "mistake 99\nand 150 more\n250 errors, "));
    assert_null(strstr(shown, "mistake 100"));
    buf_fini(&text);
    config_report_fini(&report);
}

static void
words_are_cut_between_characters_and_cleaned(void **state)
{
    (void)state;
    char word[701];
    memset(word, 'x', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    for (size_t i = 1; i + 1 < sizeof(word) - 1; i += 2) {
        word[i] = '\xc3';
        word[i + 1] = '\xa9';
    }
    struct config_report report = { 0 };
    config_report_add(&report, CONFIG_ERROR, (struct config_mark){ 0 }, "%s",
                      word);
    config_report_add(&report, CONFIG_ERROR, (struct config_mark){ 0 },
                      "a\033b\nc");
    assert_int_equal(report.first->message.len, 511);
    config_report_add(&report, CONFIG_ERROR, (struct config_mark){ 0 }, " %s",
                      word);
    assert_string_equal(report.first->next->message.ptr, "a?b?c");
    assert_int_equal(report.first->next->next->message.len, 510);
    config_report_fini(&report);
}

static void
json_has_one_object_a_finding(void **state)
{
    (void)state;
    struct config_source source = source_of("a: b");
    struct config_report report = { 0 };
    struct buf text = { 0 };
    config_report_json(&report, &text);
    assert_string_equal(text.ptr, "[]");
    buf_clear(&text);
    config_report_add(&report, CONFIG_ERROR,
                      (struct config_mark){ &source, 1, 2, 1 }, "say \"a\"");
    config_report_add(&report, CONFIG_NOTE, (struct config_mark){ 0 }, "n");
    config_report_json(&report, &text);
    assert_string_equal(
        text.ptr,
        "[{\"file\":\"a.yaml\",\"line\":1,\"column\":2,\"severity\":\"error\","
        "\"message\":\"say \\\"a\\\"\"},"
        "{\"file\":null,\"line\":null,\"column\":null,\"severity\":\"note\","
        "\"message\":\"n\"}]");
    buf_fini(&text);
    config_report_fini(&report);
}

static void
a_lost_finding_is_remembered(void **state)
{
    (void)state;
    for (long n = 0;; n++) {
        struct config_report report = { 0 };
        (void)mem_fail_after(n, 0);
        config_report_add(&report, CONFIG_ERROR, (struct config_mark){ 0 },
                          "x");
        (void)mem_fail_after(-1, 0);
        enum status status = config_report_status(&report);
        config_report_fini(&report);
        if (status == STATUS_CONFIG) {
            assert_true(n > 0);
            return;
        }
        assert_int_equal(status, STATUS_NOMEM);
    }
}

static void
the_nearest_word_within_two_edits_is_suggested(void **state)
{
    (void)state;
    static const char *const names[] = { "verify", "webhook", "poll",   "every",
                                         "on",     "exec",    "timeout" };
    static const struct {
        const char *word;
        const char *nearest;
    } cases[] = {
        { "verfy", "verify" },   { "vreify", "verify" },
        { "verifyy", "verify" }, { "xverifyx", "verify" },
        { "vxrifx", "verify" },  { "vrefyi", NULL },
        { "pol", "poll" },       { "plol", "poll" },
        { "evrey", "every" },    { "TIMEOUT", "timeout" },
        { "Poll", "poll" },      { "of", "on" },
        { "at", NULL },          { "", NULL },
        { "xyz", NULL },         { "webhooks", "webhook" },
        { "exce", "exec" },      { "web_hook", "webhook" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *nearest =
            suggest_near(slice_of(cases[i].word), names, COUNT(names));
        if (cases[i].nearest == NULL
                ? nearest != NULL
                : nearest == NULL || strcmp(nearest, cases[i].nearest)) {
            fail_msg("'%s' gave '%s'", cases[i].word,
                     nearest == NULL ? "nothing" : nearest);
        }
    }
    char word[200];
    memset(word, 'x', sizeof(word));
    assert_null(suggest_near((struct slice){ word, sizeof(word) }, names,
                             COUNT(names)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finding_looks_like_a_compilers),
        cmocka_unit_test(what_is_hidden_is_shown_as_asterisks),
        cmocka_unit_test(values_of_keys_that_sound_secret_are_never_shown),
        cmocka_unit_test(a_line_of_many_secrets_is_hidden_whole),
        cmocka_unit_test(a_warning_alone_is_no_failure),
        cmocka_unit_test(lines_are_counted_as_the_parser_does),
        cmocka_unit_test(a_long_line_is_shown_around_its_place),
        cmocka_unit_test(a_place_that_is_not_there_shows_no_line),
        cmocka_unit_test(the_first_hundred_are_kept_and_all_are_counted),
        cmocka_unit_test(words_are_cut_between_characters_and_cleaned),
        cmocka_unit_test(json_has_one_object_a_finding),
        cmocka_unit_test(a_lost_finding_is_remembered),
        cmocka_unit_test(the_nearest_word_within_two_edits_is_suggested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
