/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define AT_MS INT64_C(1700000000123)

static struct {
    int lines;
    enum log_level level;
    char text[512];
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
            without_memory_the_sentence_still_comes_through, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
