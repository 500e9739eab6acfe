/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/log_fold.h"
#include "base/mem.h"

#define AT_MS INT64_C(1700000000123)

static struct {
    int lines;
    enum log_level level;
    char text[4096];
} seen;

static void
see(void *arg, enum log_level level, struct slice line)
{
    assert_ptr_equal(arg, &seen);
    assert_true(line.len < sizeof(seen.text));
    memcpy(seen.text, line.ptr, line.len);
    seen.text[line.len] = '\0';
    seen.level = level;
    seen.lines++;
}

static int64_t
fixed_clock(void)
{
    return AT_MS;
}

static int
start(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    log_set_sink(see, &seen, LOG_INFO);
    log_set_format(LOG_FORMAT_LOGFMT, NULL);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    (void)mem_fail_after(-1, 0);
    log_set_fold(0, NULL);
    log_set_sink(NULL, NULL, LOG_ERROR);
    log_set_format(LOG_FORMAT_LOGFMT, NULL);
    (void)mem_fail_after(-1, 0);
    return 0;
}

static void
a_line_is_rendered_in_each_format(void **state)
{
    static const struct {
        enum log_format format;
        enum log_level level;
        int64_t at_ms;
        const char *line;
    } rows[] = {
        { LOG_FORMAT_LOGFMT, LOG_WARN, AT_MS,
          "ts=2023-11-14T22:13:20.123Z level=warn msg=\"poll failed\" "
          "connector=shop status=-503" },
        { LOG_FORMAT_LOGFMT, LOG_ERROR, -1,
          "level=error msg=\"poll failed\" connector=shop status=-503" },
        { LOG_FORMAT_TEXT, LOG_INFO, AT_MS,
          "22:13:20.123 info  poll failed connector=shop status=-503" },
        { LOG_FORMAT_TEXT, LOG_DEBUG, -1,
          "debug poll failed connector=shop status=-503" },
        { LOG_FORMAT_JSON, LOG_WARN, AT_MS,
          "{\"ts\":\"2023-11-14T22:13:20.123Z\",\"level\":\"warn\","
          "\"msg\":\"poll failed\",\"connector\":\"shop\",\"status\":-503}" },
        { LOG_FORMAT_JSON, LOG_WARN, -1,
          "{\"level\":\"warn\",\"msg\":\"poll failed\","
          "\"connector\":\"shop\",\"status\":-503}" },
    };
    const struct log_field fields[] = { log_text("connector", "shop"),
                                        log_i64("status", -503) };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf line = { 0 };
        log_render(&line, rows[i].format, rows[i].level, rows[i].at_ms,
                   "poll failed", fields, 2);
        assert_string_equal(buf_slice(&line).ptr, rows[i].line);
        buf_fini(&line);
    }
}

static void
a_value_from_outside_cannot_forge_a_line_or_a_field(void **state)
{
    static const struct {
        struct slice value;
        const char *logfmt;
    } rows[] = {
        { SLICE("plain-1/2"), "v=plain-1/2" },
        { SLICE(""), "v=\"\"" },
        { SLICE("a b"), "v=\"a b\"" },
        { SLICE("x level=error"), "v=\"x level=error\"" },
        { SLICE("a=b"), "v=\"a=b\"" },
        { SLICE("q\"q"), "v=\"q\\\"q\"" },
        { SLICE("back\\slash"), "v=\"back\\\\slash\"" },
        { SLICE("one\nlevel=error msg=forged"),
          "v=\"one\\nlevel=error msg=forged\"" },
        { SLICE("\x1b[2J"), "v=\"\\u001b[2J\"" },
        { SLICE("nul\0."), "v=\"nul\\u0000.\"" },
        { SLICE("\xff"), "v=\"\xef\xbf\xbd\"" },
        { SLICE("\x7f"), "v=\"\\u007f\"" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct log_field field = log_slice("v", rows[i].value);
        struct buf line = { 0 };
        log_render(&line, LOG_FORMAT_LOGFMT, LOG_INFO, -1, "s", &field, 1);
        assert_string_equal(strstr(buf_slice(&line).ptr, "v="), rows[i].logfmt);
        buf_clear(&line);
        log_render(&line, LOG_FORMAT_JSON, LOG_INFO, -1, "s", &field, 1);
        assert_null(strchr(buf_slice(&line).ptr, '\n'));
        buf_fini(&line);
    }
}

static void
a_line_without_fields_is_a_line(void **state)
{
    (void)state;
    log_write(LOG_INFO, "started", NULL, 0);
    assert_string_equal(seen.text, "level=info msg=\"started\"");
}

static void
only_levels_that_were_asked_for_reach_the_sink(void **state)
{
    (void)state;
    assert_true(log_enabled(LOG_ERROR));
    assert_true(log_enabled(LOG_INFO));
    assert_false(log_enabled(LOG_DEBUG));
    LOG(LOG_DEBUG, "unseen", log_i64("n", 1));
    log_write(LOG_DEBUG, "unseen", NULL, 0);
    assert_int_equal(seen.lines, 0);
    LOG(LOG_WARN, "seen", log_i64("n", 1), log_text("t", NULL));
    assert_int_equal(seen.lines, 1);
    assert_int_equal(seen.level, LOG_WARN);
    assert_string_equal(seen.text, "level=warn msg=\"seen\" n=1 t=\"\"");
}

static void
without_a_sink_nothing_is_rendered(void **state)
{
    (void)state;
    log_set_sink(NULL, NULL, LOG_DEBUG);
    assert_false(log_enabled(LOG_ERROR));
    (void)mem_fail_after(-1, 0);
    log_write(LOG_ERROR, "unheard", NULL, 0);
    assert_int_equal(mem_fail_after(-1, 0), 0);
}

static void
the_clock_stamps_each_line(void **state)
{
    (void)state;
    log_set_format(LOG_FORMAT_TEXT, fixed_clock);
    LOG(LOG_INFO, "now", log_i64("n", 2));
    assert_string_equal(seen.text, "22:13:20.123 info  now n=2");
}

/* ---- lines that come again ---- */

static int64_t tick_ms;

static int64_t
tick(void)
{
    return tick_ms;
}

static void
fold_over(int64_t window_ms)
{
    tick_ms = 1000;
    log_set_fold(window_ms, tick);
}

static void
say_failed(const char *connector, int64_t wait_ms)
{
    LOG(LOG_WARN, "poll failed", log_text("connector", connector),
        log_figure("wait_ms", wait_ms));
}

static void
a_line_that_comes_again_is_counted_and_said_once(void **state)
{
    static const struct {
        enum log_format format;
        const char *line;
    } rows[] = {
        { LOG_FORMAT_TEXT,
          "warn  poll failed (repeated 37 times in 37s) connector=shop "
          "wait_ms=1" },
        { LOG_FORMAT_LOGFMT,
          "level=warn msg=\"poll failed (repeated 37 times in 37s)\" "
          "repeated=37 connector=shop wait_ms=1" },
        { LOG_FORMAT_JSON,
          "{\"level\":\"warn\",\"msg\":\"poll failed (repeated 37 times in "
          "37s)\",\"repeated\":37,\"connector\":\"shop\",\"wait_ms\":1}" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        log_set_format(rows[i].format, NULL);
        fold_over(60000);
        seen.lines = 0;
        say_failed("shop", 1);
        assert_int_equal(seen.lines, 1); /* the first is said at once */
        for (int j = 0; j < 37; j++) {
            tick_ms += 1000;
            say_failed("shop", 2 + j); /* a figure is no other line */
        }
        log_fold_due();
        assert_int_equal(seen.lines, 1);
        tick_ms = 61000;
        log_fold_due();
        assert_int_equal(seen.lines, 2);
        assert_string_equal(seen.text, rows[i].line);
        log_fold_due();
        log_fold_flush();
        assert_int_equal(seen.lines, 2); /* once */
        say_failed("shop", 1);
        assert_int_equal(seen.lines, 3);
    }
}

static void
lines_that_differ_are_all_said(void **state)
{
    (void)state;
    fold_over(60000);
    say_failed("shop", 1);
    say_failed("till", 1);
    LOG(LOG_ERROR, "poll failed", log_text("connector", "shop"),
        log_figure("wait_ms", 1));
    LOG(LOG_WARN, "poll began", log_text("connector", "shop"),
        log_figure("wait_ms", 1));
    LOG(LOG_WARN, "poll began", log_text("connector", "shop"),
        log_i64("event", 1));
    LOG(LOG_WARN, "poll began", log_text("connector", "shop"),
        log_i64("event", 2));
    assert_int_equal(seen.lines, 6);
    log_fold_flush();
    assert_int_equal(seen.lines, 6);
}

static void
what_is_no_trouble_is_always_said_and_makes_trouble_news(void **state)
{
    (void)state;
    log_set_sink(see, &seen, LOG_DEBUG);
    fold_over(60000);
    for (int i = 0; i < 3; i++) {
        LOG(LOG_INFO, "resumed", log_text("connector", "shop"));
        LOG(LOG_DEBUG, "asked", log_text("connector", "shop"));
    }
    assert_int_equal(seen.lines, 6);
    seen.lines = 0;
    say_failed("shop", 1);
    say_failed("shopping", 1);
    say_failed("shop", 1);
    assert_int_equal(seen.lines, 2);
    LOG(LOG_DEBUG, "asked", log_text("connector", "shop"));
    assert_int_equal(seen.lines, 3);
    LOG(LOG_INFO, "resumed", log_text("connector", "shop"));
    assert_int_equal(seen.lines, 5); /* the count, and itself */
    assert_non_null(strstr(seen.text, "resumed"));
    say_failed("shopping", 1); /* was not meant */
    assert_int_equal(seen.lines, 5);
    say_failed("shop", 1);
    assert_int_equal(seen.lines, 6);
}

static void
a_line_whose_time_is_over_is_said_at_once_again(void **state)
{
    (void)state;
    fold_over(60000);
    say_failed("shop", 1);
    tick_ms += 100;
    say_failed("shop", 1);
    tick_ms += 59900;
    say_failed("shop", 9); /* what was counted, then the line */
    assert_int_equal(seen.lines, 3);
    assert_string_equal(seen.text,
                        "level=warn msg=\"poll failed\" connector=shop "
                        "wait_ms=9");
    say_failed("shop", 9);
    assert_int_equal(seen.lines, 3);
}

static void
at_the_end_what_was_counted_is_said(void **state)
{
    (void)state;
    fold_over(60000);
    say_failed("shop", 1);
    say_failed("shop", 1);
    log_set_fold(0, NULL);
    assert_int_equal(seen.lines, 2);
    assert_non_null(strstr(seen.text, "(repeated 1 time in 1s)"));
    say_failed("shop", 1);
    say_failed("shop", 1);
    assert_int_equal(seen.lines, 4);
}

static void
a_full_table_lets_the_oldest_line_go_and_says_its_count(void **state)
{
    char name[24];
    (void)state;
    fold_over(60000);
    say_failed("first", 1);
    say_failed("first", 1);
    for (int i = 1; i < LOG_FOLD_LINES; i++) {
        tick_ms++;
        (void)snprintf(name, sizeof(name), "shop-%d", i);
        say_failed(name, 1);
    }
    assert_int_equal(seen.lines, LOG_FOLD_LINES);
    tick_ms++;
    say_failed("one more", 1); /* and the count of the first */
    assert_int_equal(seen.lines, LOG_FOLD_LINES + 2);
    say_failed("first", 1); /* it is forgotten, and said */
    assert_int_equal(seen.lines, LOG_FOLD_LINES + 3);
    say_failed("first", 1);
    assert_int_equal(seen.lines, LOG_FOLD_LINES + 3);
}

static void
a_line_too_long_to_keep_is_always_said(void **state)
{
    static char words[LOG_FOLD_BYTES + 2];
    (void)state;
    memset(words, 'x', sizeof(words) - 1);
    fold_over(60000);
    say_failed(words, 1);
    say_failed(words, 1);
    assert_int_equal(seen.lines, 2);
    log_fold_flush();
    assert_int_equal(seen.lines, 2);
}

static void
without_memory_a_line_that_comes_again_is_said(void **state)
{
    (void)state;
    for (long step = 0; step < 12; step++) {
        fold_over(60000);
        say_failed("shop", 1);
        seen.lines = 0;
        (void)mem_fail_after(step, 0);
        say_failed("shop", 1);
        (void)mem_fail_after(-1, 0);
        log_fold_flush();
        assert_int_equal(seen.lines, 1); /* itself, or its count */
    }
    for (long step = 0; step < 12; step++) {
        fold_over(60000);
        seen.lines = 0;
        (void)mem_fail_after(step, 0);
        say_failed("shop", 1);
        (void)mem_fail_after(-1, 0);
        assert_int_equal(seen.lines, 1);
    }
}

static atomic_long said, repeated;

static void
count(void *arg, enum log_level level, struct slice line)
{
    const char *more = strstr(line.ptr, "repeated=");
    (void)arg;
    (void)level;
    said += more == NULL;
    repeated += more == NULL ? 0 : strtol(more + strlen("repeated="), NULL, 10);
}

static void *
say_often(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        say_failed("shop", i);
        LOG(LOG_WARN, "its own", log_i64("number", (int64_t)(intptr_t)arg));
        if (i % 100 == 0) {
            log_fold_due();
        }
    }
    return NULL;
}

static void
lines_of_several_threads_are_counted_together(void **state)
{
    pthread_t threads[4];
    (void)state;
    log_set_sink(count, NULL, LOG_WARN);
    fold_over(60000);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, say_often, (void *)(intptr_t)i),
            0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    log_fold_flush();
    assert_int_equal(said, 5);
    assert_int_equal(said + repeated, 4 * 2 * 2000);
}

static void
without_memory_the_sentence_still_comes_through(void **state)
{
    long step = 0;
    (void)state;
    do {
        (void)mem_fail_after(step, 0);
        LOG(LOG_ERROR, "disk full", log_text("path", "/var/lib/long/path/name"),
            log_text("more", "enough to make the line grow once or twice"));
        bool rendered = strstr(seen.text, "more=") != NULL;
        (void)mem_fail_after(-1, 0);
        assert_int_equal(seen.lines, step + 1);
        if (rendered) {
            break;
        }
        assert_string_equal(seen.text, "disk full");
    } while (++step < 20);
    assert_in_range(step, 1, 19);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_is_rendered_in_each_format,
                                        start, stop),
        cmocka_unit_test_setup_teardown(
            a_value_from_outside_cannot_forge_a_line_or_a_field, start, stop),
        cmocka_unit_test_setup_teardown(a_line_without_fields_is_a_line, start,
                                        stop),
        cmocka_unit_test_setup_teardown(
            only_levels_that_were_asked_for_reach_the_sink, start, stop),
        cmocka_unit_test_setup_teardown(without_a_sink_nothing_is_rendered,
                                        start, stop),
        cmocka_unit_test_setup_teardown(the_clock_stamps_each_line, start,
                                        stop),
        cmocka_unit_test_setup_teardown(
            a_line_that_comes_again_is_counted_and_said_once, start, stop),
        cmocka_unit_test_setup_teardown(lines_that_differ_are_all_said, start,
                                        stop),
        cmocka_unit_test_setup_teardown(
            what_is_no_trouble_is_always_said_and_makes_trouble_news, start,
            stop),
        cmocka_unit_test_setup_teardown(
            a_line_whose_time_is_over_is_said_at_once_again, start, stop),
        cmocka_unit_test_setup_teardown(at_the_end_what_was_counted_is_said,
                                        start, stop),
        cmocka_unit_test_setup_teardown(
            a_full_table_lets_the_oldest_line_go_and_says_its_count, start,
            stop),
        cmocka_unit_test_setup_teardown(a_line_too_long_to_keep_is_always_said,
                                        start, stop),
        cmocka_unit_test_setup_teardown(
            without_memory_a_line_that_comes_again_is_said, start, stop),
        cmocka_unit_test_setup_teardown(
            lines_of_several_threads_are_counted_together, start, stop),
        cmocka_unit_test_setup_teardown(
            without_memory_the_sentence_still_comes_through, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
