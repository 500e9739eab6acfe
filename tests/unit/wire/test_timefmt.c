/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/timefmt.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* 2026-11-21T23:22:01Z */
#define NOW INT64_C(1795303321000)

#define REFUSED INT64_MIN

static const struct {
    enum timefmt format;
    const char *text;
    int64_t at_ms;
} reads[] = {
    { TIMEFMT_UNIX_S, "0", 0 },
    { TIMEFMT_UNIX_S, "1700000000", 1700000000000 },
    { TIMEFMT_UNIX_S, "1700000000.123", 1700000000123 },
    { TIMEFMT_UNIX_S, "1700000000.1239999999999", 1700000000123 },
    { TIMEFMT_UNIX_S, "1700000000.5", 1700000000500 },
    { TIMEFMT_UNIX_S, "-1.5", -1500 },
    { TIMEFMT_UNIX_S, "1.", REFUSED },
    { TIMEFMT_UNIX_S, ".5", REFUSED },
    { TIMEFMT_UNIX_S, "", REFUSED },
    { TIMEFMT_UNIX_S, "-", REFUSED },
    { TIMEFMT_UNIX_S, "--1", REFUSED },
    { TIMEFMT_UNIX_S, "+1", REFUSED },
    { TIMEFMT_UNIX_S, "1 ", REFUSED },
    { TIMEFMT_UNIX_S, "1e9", REFUSED },
    { TIMEFMT_UNIX_S, "253402300799", 253402300799000 },
    { TIMEFMT_UNIX_S, "253402300800", REFUSED },
    { TIMEFMT_UNIX_S, "9223372036854775807", REFUSED },
    { TIMEFMT_UNIX_S, "9223372036854775808", REFUSED },
    { TIMEFMT_UNIX_S, "-62135596800", -62135596800000 },
    { TIMEFMT_UNIX_S, "-62135596801", REFUSED },
    { TIMEFMT_UNIX_MS, "1700000000123", 1700000000123 },
    { TIMEFMT_UNIX_MS, "1700000000123.9", 1700000000123 },
    { TIMEFMT_UNIX_MS, "x", REFUSED },
    { TIMEFMT_ISO8601, "2026-11-21T23:22:01Z", NOW },
    { TIMEFMT_ISO8601_S, "2026-11-21T23:22:01Z", NOW },
    { TIMEFMT_ISO8601, "2026-11-21t23:22:01z", NOW },
    { TIMEFMT_ISO8601, "2026-11-21 23:22:01Z", NOW },
    { TIMEFMT_ISO8601, "2026-11-21T23:22:01.5Z", NOW + 500 },
    { TIMEFMT_ISO8601, "2026-11-21T23:22:01.0019999999999999999999Z", NOW + 1 },
    { TIMEFMT_ISO8601, "2026-11-22T00:22:01+01:00", NOW },
    { TIMEFMT_ISO8601, "2026-11-22T04:52:01+05:30", NOW },
    { TIMEFMT_ISO8601, "2026-11-21T15:22:01-08:00", NOW },
    { TIMEFMT_ISO8601, "2026-11-21T23:22:01-00:00", NOW },
    { TIMEFMT_ISO8601, "2026-11-22T00:22:01.000+0100", NOW },
    { TIMEFMT_ISO8601, "2026-11-22T00:22:01+01", NOW },
    { TIMEFMT_ISO8601, "2016-12-31T23:59:60Z", 1483228800000 },
    { TIMEFMT_ISO8601, "2017-01-01T08:59:60+09:00", 1483228800000 },
    { TIMEFMT_ISO8601, "2024-02-29T00:00:00Z", 1709164800000 },
    { TIMEFMT_ISO8601, "2000-02-29T00:00:00Z", 951782400000 },
    { TIMEFMT_ISO8601, "0001-01-01T00:00:00Z", -62135596800000 },
    { TIMEFMT_ISO8601, "9999-12-31T23:59:59.999Z", 253402300799999 },
    { TIMEFMT_ISO8601, "9999-12-31T23:59:60Z", REFUSED },
    { TIMEFMT_ISO8601, "9999-12-31T23:59:59-00:01", REFUSED },
    { TIMEFMT_ISO8601, "0001-01-01T00:00:00+00:01", REFUSED },
    { TIMEFMT_ISO8601, "0000-01-01T00:00:00Z", REFUSED },
    { TIMEFMT_ISO8601, "2025-02-29T00:00:00Z", REFUSED },
    { TIMEFMT_ISO8601, "1900-02-29T00:00:00Z", REFUSED },
    { TIMEFMT_ISO8601, "2026-04-31T00:00:00Z", REFUSED },
    { TIMEFMT_ISO8601, "2026-00-01T00:00:00Z", REFUSED },
    { TIMEFMT_ISO8601, "2026-13-01T00:00:00Z", REFUSED },
    { TIMEFMT_ISO8601, "2026-01-00T00:00:00Z", REFUSED },
    { TIMEFMT_ISO8601, "2026-01-01T24:00:00Z", REFUSED },
    { TIMEFMT_ISO8601, "2026-01-01T00:60:00Z", REFUSED },
    { TIMEFMT_ISO8601, "2026-01-01T00:00:61Z", REFUSED },
    { TIMEFMT_ISO8601, "2026-01-01T00:00:00", REFUSED },
    { TIMEFMT_ISO8601, "2026-01-01T00:00Z", REFUSED },
    { TIMEFMT_ISO8601, "2026-01-01T00:00:00.Z", REFUSED },
    { TIMEFMT_ISO8601, "2026-01-01T00:00:00,5Z", REFUSED },
    { TIMEFMT_ISO8601, "2026-01-01T00:00:00+24:00", REFUSED },
    { TIMEFMT_ISO8601, "2026-01-01T00:00:00+01:60", REFUSED },
    { TIMEFMT_ISO8601, "2026-01-01T00:00:00+01:", REFUSED },
    { TIMEFMT_ISO8601, "2026-01-01T00:00:00+1", REFUSED },
    { TIMEFMT_ISO8601, "2026-01-01T00:00:00ZZ", REFUSED },
    { TIMEFMT_ISO8601, " 2026-01-01T00:00:00Z", REFUSED },
    { TIMEFMT_ISO8601, "2026-1-1T00:00:00Z", REFUSED },
    { TIMEFMT_ISO8601, "26-01-01T00:00:00Z", REFUSED },
    { TIMEFMT_ISO8601, "2026-01-01", REFUSED },
    { TIMEFMT_ISO8601, "", REFUSED },
    { TIMEFMT_ISO8601_NAIVE, "2026-11-21T23:22:01", NOW },
    { TIMEFMT_ISO8601_NAIVE, "2026-11-21 23:22:01.25", NOW + 250 },
    { TIMEFMT_ISO8601_NAIVE, "2026-11-22T00:22:01+01:00", NOW },
    { TIMEFMT_ISO8601_NAIVE, "2026-11-21T23:22:01x", REFUSED },
    { TIMEFMT_DATE, "2026-11-21", NOW - 84121000 },
    { TIMEFMT_DATE, "2026-11-31", REFUSED },
    { TIMEFMT_DATE, "2026-11-21T", REFUSED },
    { TIMEFMT_MINUTE, "2026-11-21 23:22", NOW - 1000 },
    { TIMEFMT_MINUTE, "2026-11-21T23:22", NOW - 1000 },
    { TIMEFMT_MINUTE, "2026-11-21 23:60", REFUSED },
    { TIMEFMT_MINUTE, "2026-11-21 23", REFUSED },
    { TIMEFMT_MINUTE, "2026-11-21", REFUSED },
    { TIMEFMT_ISO8601, "2026-11-21 23:22:01 UTC", NOW },
    { TIMEFMT_AUTO, "2026-11-21 23:22:01 UTC", NOW },
    { TIMEFMT_ISO8601, "2026-11-21 23:22:01 UTCx", REFUSED },
    { TIMEFMT_ISO8601, "2026-11-21 23:22:01  UTC", REFUSED },
    { TIMEFMT_ISO8601, "2026-11-21 23:22:01 GMT", REFUSED },
    { TIMEFMT_RFC2822, "Sat, 21 Nov 2026 23:22:01 +0000", NOW },
    { TIMEFMT_RFC2822, "21 Nov 2026 23:22:01 GMT", NOW },
    { TIMEFMT_RFC2822, "sat,  21 nov 26 23:22:01 -0000", NOW },
    { TIMEFMT_RFC2822, "Sat, 21 Nov 2026 18:22:01 EST", NOW },
    { TIMEFMT_RFC2822, "Sun, 22 Nov 2026 00:22:01 +0100 (CET)", NOW },
    { TIMEFMT_RFC2822, "Sat, 21 Nov 2026 23:22 Z", NOW - 1000 },
    { TIMEFMT_RFC2822, "Sun, 6 Nov 94 08:49:37 UT", 784111777000 },
    { TIMEFMT_RFC2822, "Sat, 21 Nov 2026 23:22:01", REFUSED },
    { TIMEFMT_RFC2822, "Sat, 21 Nov 2026 23:22:01 A", REFUSED },
    { TIMEFMT_RFC2822, "Sat 21 Nov 2026 23:22:01 +0000", REFUSED },
    { TIMEFMT_RFC2822, "Xxx, 21 Nov 2026 23:22:01 +0000", REFUSED },
    { TIMEFMT_RFC2822, "31 Jun 2026 23:22:01 +0000", REFUSED },
    { TIMEFMT_RFC2822, "21 Foo 2026 23:22:01 +0000", REFUSED },
    { TIMEFMT_RFC2822, "21 Nov 126 23:22:01 +0000", REFUSED },
    { TIMEFMT_RFC2822, "21 Nov 2026 23:22: +0000", REFUSED },
    { TIMEFMT_RFC2822, "21 Nov 2026 23:22:01 +0000 x", REFUSED },
    { TIMEFMT_RFC2822, "", REFUSED },
    { TIMEFMT_AUTO, "1700000000", 1700000000000 },
    { TIMEFMT_AUTO, "1700000000.000100", 1700000000000 },
    { TIMEFMT_AUTO, "1700000000123", 1700000000123 },
    { TIMEFMT_AUTO, "99999999999", 99999999999000 },
    { TIMEFMT_AUTO, "100000000000", 100000000000 },
    { TIMEFMT_AUTO, "2026-11-22T00:22:01+01:00", NOW },
    { TIMEFMT_AUTO, "2026-11-21T23:22:01", NOW },
    { TIMEFMT_AUTO, "Sat, 21 Nov 2026 23:22:01 +0000", NOW },
    { TIMEFMT_AUTO, "2023-11-14 22:13", 1699999980000 },
    { TIMEFMT_AUTO, "2023-11-14", 1699920000000 },
    { TIMEFMT_AUTO, "yesterday", REFUSED },
    { TIMEFMT_AUTO, "", REFUSED },
};

static void
times_are_read_as_their_format_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(reads); i++) {
        int64_t at_ms = REFUSED;
        enum status status =
            timefmt_read(reads[i].format, slice_of(reads[i].text), &at_ms);
        if (at_ms != reads[i].at_ms ||
            status != (at_ms == REFUSED ? STATUS_INVALID : STATUS_OK)) {
            fail_msg("format %d, \"%s\": %lld", (int)reads[i].format,
                     reads[i].text, (long long)at_ms);
        }
    }
}

static const struct {
    enum timefmt format;
    int64_t at_ms;
    const char *text;
} writes[] = {
    { TIMEFMT_AUTO, NOW + 7, "2026-11-21T23:22:01.007Z" },
    { TIMEFMT_UNIX_S, NOW + 999, "1795303321" },
    { TIMEFMT_UNIX_S, -1, "-1" },
    { TIMEFMT_UNIX_S, -1000, "-1" },
    { TIMEFMT_UNIX_MS, NOW + 999, "1795303321999" },
    { TIMEFMT_ISO8601, NOW + 999, "2026-11-21T23:22:01.999Z" },
    { TIMEFMT_ISO8601, -1, "1969-12-31T23:59:59.999Z" },
    { TIMEFMT_ISO8601_S, NOW + 999, "2026-11-21T23:22:01Z" },
    { TIMEFMT_ISO8601_NAIVE, NOW + 999, "2026-11-21T23:22:01" },
    { TIMEFMT_DATE, NOW, "2026-11-21" },
    { TIMEFMT_MINUTE, NOW + 58999, "2026-11-21 23:22" },
    { TIMEFMT_RFC2822, NOW + 999, "Sat, 21 Nov 2026 23:22:01 +0000" },
    { TIMEFMT_RFC2822, 784111777000, "Sun, 06 Nov 1994 08:49:37 +0000" },
    { TIMEFMT_ISO8601, -62135596800000, "0001-01-01T00:00:00.000Z" },
};

static void
times_are_written_cut_never_rounded_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(writes); i++) {
        struct buf buf = { 0 };
        timefmt_write(writes[i].format, writes[i].at_ms, &buf);
        assert_true(slice_equal_text(buf_slice(&buf), writes[i].text));
        buf_fini(&buf);
    }
}

static void
what_was_written_is_read_back(void **state)
{
    static const enum timefmt formats[] = {
        TIMEFMT_UNIX_S,        TIMEFMT_ISO8601, TIMEFMT_ISO8601_S,
        TIMEFMT_ISO8601_NAIVE, TIMEFMT_RFC2822, TIMEFMT_UNIX_MS,
    };
    (void)state;
    for (int64_t at_ms = -62135596800000; at_ms < 253402300799000;
         at_ms += INT64_C(123456789) * 1000) {
        for (size_t i = 0; i < COUNT(formats); i++) {
            struct buf buf = { 0 };
            int64_t again;
            timefmt_write(formats[i], at_ms, &buf);
            assert_int_equal(timefmt_read(formats[i], buf_slice(&buf), &again),
                             STATUS_OK);
            assert_true(again == at_ms);
            buf_fini(&buf);
        }
    }
}

static void
every_name_has_its_format(void **state)
{
    static const struct {
        const char *name;
        enum timefmt format;
    } rows[] = {
        { "s", TIMEFMT_UNIX_S },
        { "ms", TIMEFMT_UNIX_MS },
        { "unix_s", TIMEFMT_UNIX_S },
        { "unix_ms", TIMEFMT_UNIX_MS },
        { "epoch_s", TIMEFMT_UNIX_S },
        { "epoch_ms", TIMEFMT_UNIX_MS },
        { "iso8601", TIMEFMT_ISO8601 },
        { "iso8601_s", TIMEFMT_ISO8601_S },
        { "iso8601_naive", TIMEFMT_ISO8601_NAIVE },
        { "iso8601_utc", TIMEFMT_ISO8601_NAIVE },
        { "date", TIMEFMT_DATE },
        { "minute", TIMEFMT_MINUTE },
        { "rfc2822", TIMEFMT_RFC2822 },
        { "auto", TIMEFMT_AUTO },
        { "feed", TIMEFMT_AUTO },
    };
    enum timefmt format;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(timefmt_by_name(slice_of(rows[i].name), &format),
                         STATUS_OK);
        assert_int_equal(format, rows[i].format);
    }
    assert_int_equal(timefmt_by_name(slice_of("S"), &format), STATUS_NOT_FOUND);
    assert_int_equal(timefmt_by_name(slice_of(""), &format), STATUS_NOT_FOUND);
}

/* RFC 9110 §5.6.7's own examples, and what is near them. */
static void
http_dates_are_read_in_their_three_forms(void **state)
{
    static const struct {
        const char *text;
        int64_t at_ms;
    } rows[] = {
        { "Sun, 06 Nov 1994 08:49:37 GMT", 784111777000 },
        { " Sun, 06 Nov 1994 08:49:37 GMT ", 784111777000 },
        { "Sunday, 06-Nov-94 08:49:37 GMT", 784111777000 },
        { "Sun Nov  6 08:49:37 1994", 784111777000 },
        { "Wednesday, 06-Nov-30 08:49:37 GMT", 1920185377000 },
        { "Sun Nov 16 08:49:37 1994", 784975777000 },
        { "Sun, 06 Nov 1994 08:49:37 UTC", REFUSED },
        { "Sun, 06 Nov 1994 08:49:37 +0000", REFUSED },
        { "Sun, 6 Nov 1994 08:49:37 GMT", REFUSED },
        { "Sun, 32 Nov 1994 08:49:37 GMT", REFUSED },
        { "Sun, 06 Nov 1994 08:49 GMT", REFUSED },
        { "Sunday 06-Nov-94 08:49:37 GMT", REFUSED },
        { "Sun Nov  6 08:49:37 1994 GMT", REFUSED },
        { "1994-11-06T08:49:37Z", REFUSED },
        { "Su,", REFUSED },
        { "Sun,", REFUSED },
        { "", REFUSED },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t at_ms = REFUSED;
        enum status status = timefmt_read_http(slice_of(rows[i].text), &at_ms);
        if (at_ms != rows[i].at_ms ||
            status != (at_ms == REFUSED ? STATUS_INVALID : STATUS_OK)) {
            fail_msg("\"%s\": %lld", rows[i].text, (long long)at_ms);
        }
    }
}

static void
from_when_on_is_an_age_a_time_or_a_day(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t at_ms; /* -1: refused */
    } rows[] = {
        { "90d", INT64_C(1692224000000) },
        { "2h", INT64_C(1699992800000) },
        { "2023-11-14T22:13:20Z", INT64_C(1700000000000) },
        { "2023-11-14", INT64_C(1699920000000) },
        { "1700000000", -1 },
        { "soon", -1 },
        { "", -1 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t at_ms = -1;
        enum status status = timefmt_read_since(slice_of(rows[i].text),
                                                INT64_C(1700000000000), &at_ms);
        assert_int_equal(status == STATUS_OK, rows[i].at_ms >= 0);
        if (status == STATUS_OK) {
            assert_int_equal(at_ms, rows[i].at_ms);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read_as_their_format_says),
        cmocka_unit_test(times_are_written_cut_never_rounded_up),
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(every_name_has_its_format),
        cmocka_unit_test(http_dates_are_read_in_their_three_forms),
        cmocka_unit_test(from_when_on_is_an_age_a_time_or_a_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
