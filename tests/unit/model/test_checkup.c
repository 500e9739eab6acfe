/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/checkup.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
grades_are_called_as_people_read_them(void **state)
{
    (void)state;
    assert_string_equal(checkup_grade_name(CHECKUP_OK), "ok");
    assert_string_equal(checkup_grade_name(CHECKUP_WARN), "warn");
    assert_string_equal(checkup_grade_name(CHECKUP_FAIL), "fail");
}

static void
room_is_graded_by_what_is_left(void **state)
{
    static const struct {
        int64_t bytes;
        enum checkup_grade grade;
    } rows[] = {
        { 0, CHECKUP_FAIL },
        { CHECKUP_ROOM_FAIL - 1, CHECKUP_FAIL },
        { CHECKUP_ROOM_FAIL, CHECKUP_WARN },
        { CHECKUP_ROOM_WARN - 1, CHECKUP_WARN },
        { CHECKUP_ROOM_WARN, CHECKUP_OK },
        { INT64_MAX, CHECKUP_OK },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(checkup_room(rows[i].bytes), rows[i].grade);
    }
}

static void
only_what_is_certain_of_two_clocks_counts(void **state)
{
    static const struct {
        int64_t date_ms, sent_ms, received_ms, skew_ms;
    } rows[] = {
        { 10000, 10000, 10050, 0 },     /* the same */
        { 10000, 10990, 11050, 0 },     /* the cut second */
        { 10000, 10999, 10999, 0 },     /* just that */
        { 10000, 11000, 11100, 1 },     /* from there on it is ahead */
        { 10000, 9000, 20000, 0 },      /* a slow answer says nothing */
        { 10000, 70999, 71000, 60000 }, /* ahead */
        { 10000, 3900, 4000, -6000 },   /* behind */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(checkup_skew_ms(rows[i].date_ms, rows[i].sent_ms,
                                         rows[i].received_ms),
                         rows[i].skew_ms);
    }
}

static void
a_skew_is_graded_alike_both_ways(void **state)
{
    static const struct {
        int64_t apart_ms;
        enum checkup_grade grade;
    } rows[] = {
        { 0, CHECKUP_OK },
        { CHECKUP_SKEW_WARN_MS - 1, CHECKUP_OK },
        { CHECKUP_SKEW_WARN_MS, CHECKUP_WARN },
        { CHECKUP_SKEW_FAIL_MS - 1, CHECKUP_WARN },
        { CHECKUP_SKEW_FAIL_MS, CHECKUP_FAIL },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(checkup_skew(rows[i].apart_ms), rows[i].grade);
        assert_int_equal(checkup_skew(-rows[i].apart_ms), rows[i].grade);
    }
}

static void
hooks_are_told_apart_by_what_is_known_of_them(void **state)
{
    static const struct {
        struct checkup_hooks known;
        enum checkup_hooks_state expect;
    } rows[] = {
        { { .came = true }, CHECKUP_HOOKS_CAME },
        /* scanners send what nobody accepts, too */
        { { .came = true, .refused = true, .by_list = 9 }, CHECKUP_HOOKS_CAME },
        { { .came = true, .is_silent = true }, CHECKUP_HOOKS_SILENT },
        { { .refused = true, .by_list = 9 }, CHECKUP_HOOKS_REFUSED },
        { { .by_list = 1 }, CHECKUP_HOOKS_MISSED },
        { { .is_silent = true }, CHECKUP_HOOKS_NONE },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(checkup_hooks(&rows[i].known), rows[i].expect);
    }
}

static void
a_unit_says_what_it_starts(void **state)
{
    static const struct {
        const char *text, *program, *config;
    } rows[] = {
        { "", "", "" },
        { "[Service]\nExecStart=/usr/bin/longstop run\n", "/usr/bin/longstop",
          "" },
        { "ExecStart=/usr/bin/longstop run -c /etc/longstop/a.yaml\n",
          "/usr/bin/longstop", "/etc/longstop/a.yaml" },
        { "  ExecStart=-/l run --config=/a.yaml -v\r\n", "/l", "/a.yaml" },
        { "ExecStart=!@/l run  --config  /a.yaml", "/l", "/a.yaml" },
        { "ExecStart=/l run --config /a.yaml", "/l", "/a.yaml" },
        { "ExecStart=\nExecStart=/second run -c", "/second", "" },
        { "ExecStart=/first\nExecStart=\n", "", "" },
        { "#ExecStart=/l\nExecStartPre=/l\nExecStart", "", "" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct checkup_unit unit = checkup_unit(slice_of(rows[i].text));
        assert_true(slice_equal_text(unit.program, rows[i].program));
        assert_true(slice_equal_text(unit.config, rows[i].config));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grades_are_called_as_people_read_them),
        cmocka_unit_test(room_is_graded_by_what_is_left),
        cmocka_unit_test(only_what_is_certain_of_two_clocks_counts),
        cmocka_unit_test(a_skew_is_graded_alike_both_ways),
        cmocka_unit_test(hooks_are_told_apart_by_what_is_known_of_them),
        cmocka_unit_test(a_unit_says_what_it_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
