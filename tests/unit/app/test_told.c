/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "app/told.h"

/* 2026-11-27 12:00:00 */
#define NOW_MS INT64_C(1795780800000)

static void
members_are_read_and_what_is_not_there_is_empty(void **state)
{
    (void)state;
    const struct slice object =
        SLICE("{\"text\":\"a\\n\",\"number\": 42 ,\"true\":true,\"null\":null,"
              "\"array\":[1],\"object\":{\"a\":1},\"time\":\"1970-01-01T00:00:"
              "02Z\"}");
    struct arena arena = { 0 };
    assert_true(slice_equal_text(told_text(object, "text", &arena), "a\n"));
    assert_int_equal(told_text(object, "null", &arena).len, 0);
    assert_int_equal(told_text(object, "nothing", &arena).len, 0);
    assert_int_equal(told_number(object, "number"), 42);
    assert_int_equal(told_number(object, "text"), 0);
    assert_int_equal(told_number(object, "nothing"), 0);
    assert_true(told_true(object, "true"));
    assert_false(told_true(object, "null"));
    assert_true(slice_equal_text(told_array(object, "array"), "[1]"));
    assert_true(slice_equal_text(told_array(object, "object"), "[]"));
    assert_true(slice_equal_text(told_object(object, "object"), "{\"a\":1}"));
    assert_true(slice_equal_text(told_object(object, "null"), "{}"));
    assert_int_equal(told_time(object, "time"), 2000);
    assert_int_equal(told_time(object, "text"), 0);
    assert_int_equal(told_time(object, "null"), 0);
    arena_fini(&arena);
}

static void
a_time_is_as_short_as_it_stays_plain(void **state)
{
    (void)state;
    static const struct {
        int64_t at_ms;
        const char *text;
    } rows[] = {
        { 0, "-" },
        { NOW_MS, "12:00:00" },
        { NOW_MS - 12 * INSTANT_HOUR_MS, "00:00:00" },
        { NOW_MS - 12 * INSTANT_HOUR_MS - 1, "yesterday 23:59:59" },
        { NOW_MS - 36 * INSTANT_HOUR_MS, "yesterday 00:00:00" },
        { NOW_MS - 36 * INSTANT_HOUR_MS - 1, "2026-11-25 23:59:59" },
        { NOW_MS + 12 * INSTANT_HOUR_MS, "2026-11-28 00:00:00" },
        { -1, "1969-12-31 23:59:59" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf text = { 0 };
        told_when(rows[i].at_ms, NOW_MS, &text);
        assert_string_equal(text.ptr, rows[i].text);
        buf_fini(&text);
    }
}

static void
text_from_outside_does_nothing_to_a_terminal(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *plain;
    } rows[] = {
        { "evt_1", "evt_1" },
        { "\x1b[31mred", "?[31mred" },
        { "a\r\n\tb\x7f", "a???b?" },
        { "\xc2\x9b"
          "31m",
          "?31m" },
        { "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8f\x8f",
          "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8f\x8f" },
        { "\xff\xc3", "??" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf plain = { 0 };
        told_plain(slice_of(rows[i].text), &plain);
        assert_string_equal(plain.ptr, rows[i].plain);
        buf_fini(&plain);
    }
}

static void
what_is_lost_is_named_after_what_brings_the_events(void **state)
{
    (void)state;
    assert_string_equal(told_loss(true, false),
                        "what a webhook does not bring is lost");
    assert_string_equal(told_loss(true, true), "what neither a webhook nor the "
                                               "stream brings is lost");
    assert_non_null(strstr(told_loss(false, true), "the stream does not"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_read_and_what_is_not_there_is_empty),
        cmocka_unit_test(a_time_is_as_short_as_it_stays_plain),
        cmocka_unit_test(text_from_outside_does_nothing_to_a_terminal),
        cmocka_unit_test(what_is_lost_is_named_after_what_brings_the_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
