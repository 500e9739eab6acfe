/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/instant.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
points_are_written_as_rfc_3339(void **state)
{
    static const struct {
        int64_t at_ms;
        const char *text;
    } rows[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 1, "1970-01-01T00:00:00.001Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { INT64_C(951782400000), "2000-02-29T00:00:00.000Z" },
        { INT64_C(1700000000123), "2023-11-14T22:13:20.123Z" },
        { INT64_C(4102444799999), "2099-12-31T23:59:59.999Z" },
        { INT64_C(253402300799999), "9999-12-31T23:59:59.999Z" },
        { INT64_C(-62135596800000), "0001-01-01T00:00:00.000Z" },
        { INT64_MAX, "292278994-08-17T07:12:55.807Z" },
        { INT64_MIN, "-292275055-05-16T16:47:04.192Z" },
    };
    char text[INSTANT_TEXT_BYTES];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_ptr_equal(instant_text(rows[i].at_ms, text), text);
        assert_string_equal(text, rows[i].text);
    }
}

static void
every_day_of_four_centuries_goes_both_ways(void **state)
{
    struct civil day = { .year = 1900, .month = 1, .day = 1, .ms = 7 };
    int64_t at_ms = instant_from_civil(&day);
    int weekday = 1; /* a Monday */
    (void)state;
    for (int i = 0; i < 146097; i++) {
        struct civil got = instant_to_civil(at_ms);
        assert_int_equal(instant_from_civil(&day), at_ms);
        if (got.year != day.year || got.month != day.month ||
            got.day != day.day || got.ms != 7 || got.weekday != weekday) {
            fail_msg("%d-%d-%d", (int)day.year, day.month, day.day);
        }
        at_ms += INSTANT_DAY_MS;
        weekday = (weekday + 1) % 7;
        if (++day.day > instant_month_days(day.year, day.month)) {
            day.day = 1;
            day.year += day.month == 12;
            day.month = day.month % 12 + 1;
        }
    }
    assert_int_equal(day.year, 2300);
}

static void
february_has_its_leap_day(void **state)
{
    (void)state;
    assert_int_equal(instant_month_days(2023, 2), 28);
    assert_int_equal(instant_month_days(2024, 2), 29);
    assert_int_equal(instant_month_days(1900, 2), 28);
    assert_int_equal(instant_month_days(2000, 2), 29);
    assert_int_equal(instant_month_days(2024, 1), 31);
    assert_int_equal(instant_month_days(2024, 11), 30);
}

static void
a_time_of_day_is_kept(void **state)
{
    struct civil at = { .year = 2024,
                        .month = 2,
                        .day = 29,
                        .hour = 23,
                        .minute = 58,
                        .second = 57,
                        .ms = 56 };
    (void)state;
    struct civil got = instant_to_civil(instant_from_civil(&at));
    assert_int_equal(got.hour, 23);
    assert_int_equal(got.minute, 58);
    assert_int_equal(got.second, 57);
    assert_int_equal(got.ms, 56);
    assert_int_equal(got.weekday, 4);
}

static void
spans_are_written_as_a_person_would(void **state)
{
    static const struct {
        int64_t span_ms;
        const char *text;
    } rows[] = {
        { 0, "0s" },
        { -5, "0s" },
        { 1, "1ms" },
        { 250, "250ms" },
        { 1000, "1s" },
        { 1500, "1.5s" },
        { 1050, "1.05s" },
        { 1001, "1.001s" },
        { 90500, "1m30.5s" },
        { 60100, "1m0.1s" },
        { 120000, "2m" },
        { 129600000, "1d12h" },
        { INT64_C(90061000), "1d1h1m1s" },
        { INT64_MAX, "106751991167d7h12m55.807s" },
    };
    char text[INSTANT_TEXT_BYTES];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_ptr_equal(instant_span_text(rows[i].span_ms, text), text);
        assert_string_equal(text, rows[i].text);
    }
}

static void
a_span_is_a_number_and_a_unit(void **state)
{
    static const struct {
        const char *text;
        int64_t span_ms; /* -1: refused */
    } rows[] = {
        { "250ms", 250 },
        { "30s", 30000 },
        { "5m", 300000 },
        { "2h", 7200000 },
        { "35d", INT64_C(3024000000) },
        { "0s", 0 },
        { "9223372036854775807ms", INT64_MAX },
        { "9223372036854775807s", -1 },
        { "9223372036854775808ms", -1 },
        { "30", -1 },
        { "s", -1 },
        { "", -1 },
        { "-1s", -1 },
        { "+1s", -1 },
        { "1.5s", -1 },
        { "1 s", -1 },
        { "1S", -1 },
        { "1h30m", -1 },
        { "1s ", -1 },
        { "1w", -1 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t span_ms = 77;
        enum status status =
            instant_parse_span(slice_of(rows[i].text), &span_ms);
        if (rows[i].span_ms < 0) {
            assert_int_equal(status, STATUS_INVALID);
            assert_int_equal(span_ms, 77);
        } else {
            assert_int_equal(status, STATUS_OK);
            assert_int_equal(span_ms, rows[i].span_ms);
        }
    }
}

static void
a_size_is_a_number_and_a_unit(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes; /* -1: refused */
    } rows[] = {
        { "512B", 512 },
        { "64kB", 64000 },
        { "2MB", 2000000 },
        { "1GB", 1000000000 },
        { "1KiB", 1024 },
        { "1MiB", 1048576 },
        { "2GiB", INT64_C(2147483648) },
        { "8589934591GiB", INT64_C(9223372035781033984) },
        { "8589934592GiB", -1 },
        { "1", -1 },
        { "1kb", -1 },
        { "1K", -1 },
        { "MiB", -1 },
        { "-1B", -1 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t bytes = 77;
        enum status status = instant_parse_size(slice_of(rows[i].text), &bytes);
        if (rows[i].bytes < 0) {
            assert_int_equal(status, STATUS_INVALID);
            assert_int_equal(bytes, 77);
        } else {
            assert_int_equal(status, STATUS_OK);
            assert_int_equal(bytes, rows[i].bytes);
        }
    }
}

static void
sums_stay_inside_64_bits(void **state)
{
    (void)state;
    assert_int_equal(instant_add(1, 2), 3);
    assert_int_equal(instant_add(INT64_MAX - 1, 1), INT64_MAX);
    assert_int_equal(instant_add(INT64_MAX - 1, 2), INT64_MAX);
    assert_int_equal(instant_add(INT64_MIN + 1, -1), INT64_MIN);
    assert_int_equal(instant_add(INT64_MIN + 1, -2), INT64_MIN);
    assert_int_equal(instant_add(INT64_MAX, INT64_MIN), -1);
}

static void
a_rate_is_so_many_in_a_time(void **state)
{
    static const struct {
        const char *text;
        int64_t count, per_ms; /* 0: refused */
    } rows[] = {
        { "25/1s", 25, 1000 },
        { "100/s", 100, 1000 },
        { "9 / 2m", 9, 120000 },
        { "1/500ms", 1, 500 },
        { "0/1s", 0, 0 },
        { "5", 0, 0 },
        { "5/", 0, 0 },
        { "/1s", 0, 0 },
        { "5/0s", 0, 0 },
        { "5/1", 0, 0 },
        { "", 0, 0 },
        { "-1/1s", 0, 0 },
        { "1/365d", 1, 365 * INSTANT_DAY_MS },
        { "1/366d", 0, 0 },
        { "1/106751991167d", 0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t count = 0;
        int64_t per_ms = 0;
        enum status status =
            instant_parse_rate(slice_of(rows[i].text), &count, &per_ms);
        assert_int_equal(status,
                         rows[i].count == 0 ? STATUS_INVALID : STATUS_OK);
        assert_int_equal(count, rows[i].count);
        assert_int_equal(per_ms, rows[i].per_ms);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_are_written_as_rfc_3339),
        cmocka_unit_test(every_day_of_four_centuries_goes_both_ways),
        cmocka_unit_test(february_has_its_leap_day),
        cmocka_unit_test(a_time_of_day_is_kept),
        cmocka_unit_test(spans_are_written_as_a_person_would),
        cmocka_unit_test(a_span_is_a_number_and_a_unit),
        cmocka_unit_test(a_size_is_a_number_and_a_unit),
        cmocka_unit_test(sums_stay_inside_64_bits),
        cmocka_unit_test(a_rate_is_so_many_in_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
