/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/instant.h"
#include "wire/timefmt.h"
#include "wire/zone.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BERLIN       "CET-1CEST,M3.5.0,M10.5.0/3"
#define HOUR         3600

static int64_t
at(const char *iso)
{
    int64_t ms;
    assert_int_equal(timefmt_read(TIMEFMT_ISO8601, slice_of(iso), &ms),
                     STATUS_OK);
    return ms;
}

static const struct {
    const char *rule;
    const char *at;
    int64_t offset_s;
} offsets[] = {
    { "UTC0", "2026-07-01T00:00:00Z", 0 },
    { "<+0330>-3:30", "2026-07-01T00:00:00Z", 12600 },
    { BERLIN, "2026-01-15T12:00:00Z", HOUR },
    { BERLIN, "2026-07-15T12:00:00Z", 2 * HOUR },
    { BERLIN, "2026-03-29T00:59:59Z", HOUR },
    { BERLIN, "2026-03-29T01:00:00Z", 2 * HOUR },
    { BERLIN, "2026-10-25T00:59:59Z", 2 * HOUR },
    { BERLIN, "2026-10-25T01:00:00Z", HOUR },
    { "EST5EDT,M3.2.0,M11.1.0", "2026-03-08T06:59:59Z", -5 * HOUR },
    { "EST5EDT,M3.2.0,M11.1.0", "2026-03-08T07:00:00Z", -4 * HOUR },
    { "EST5EDT,M3.2.0,M11.1.0", "2026-11-01T06:00:00Z", -5 * HOUR },
    /* Summer over the turn of the year. */
    { "AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-01-01T00:00:00Z", 11 * HOUR },
    { "AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-07-01T00:00:00Z", 10 * HOUR },
    { "AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-04-04T15:59:59Z", 11 * HOUR },
    { "AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-04-04T16:00:00Z", 10 * HOUR },
    { "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-01-01T00:00:00Z",
      11 * HOUR },
};

static void
rules_say_what_clocks_show(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(offsets); i++) {
        struct arena arena = { 0 };
        const struct zone *zone;
        assert_int_equal(zone_rule(slice_of(offsets[i].rule), &arena, &zone),
                         STATUS_OK);
        const int64_t offset_ms = zone_offset_ms(zone, at(offsets[i].at));
        if (offset_ms != offsets[i].offset_s * 1000) {
            fail_msg("%s at %s: %lld ms", offsets[i].rule, offsets[i].at,
                     (long long)offset_ms);
        }
        arena_fini(&arena);
    }
}

static void
what_is_no_rule_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = { "",
                                         "Europe/Berlin",
                                         "CE-1",
                                         "CET",
                                         "CET-1CE",
                                         "CET-1CEST",
                                         "CET-1CEST,M3.5",
                                         "CET-1CEST,J60,J300",
                                         "<+03-3",
                                         "CET-1CEST,M13.5.0,M10.5.0",
                                         BERLIN " " };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct arena arena = { 0 };
        const struct zone *zone;
        if (zone_rule(slice_of(texts[i]), &arena, &zone) != STATUS_INVALID) {
            fail_msg("%s", texts[i]);
        }
        arena_fini(&arena);
    }
}

/* The hour from 02:00 to 03:00 comes twice on 2026-10-25. */
static void
a_bound_is_never_in_an_hour_that_comes_twice(void **state)
{
    (void)state;
    static const struct {
        const char *at;
        const char *sure;
    } rows[] = {
        { "2026-10-24T23:59:00Z", "2026-10-24T23:59:00Z" },
        { "2026-10-25T00:00:00Z", "2026-10-24T23:59:00Z" },
        { "2026-10-25T00:30:00Z", "2026-10-24T23:59:00Z" },
        { "2026-10-25T01:59:00Z", "2026-10-24T23:59:00Z" },
        { "2026-10-25T02:00:00Z", "2026-10-25T02:00:00Z" },
        /* 02:00 to 03:00 does not come at all on 2026-03-29. */
        { "2026-03-29T00:59:00Z", "2026-03-29T00:59:00Z" },
        { "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z" },
        { "2026-03-29T01:30:00Z", "2026-03-29T01:30:00Z" },
    };
    struct arena arena = { 0 };
    const struct zone *zone;
    assert_int_equal(zone_rule(slice_of(BERLIN), &arena, &zone), STATUS_OK);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(zone_sure_ms(zone, at(rows[i].at), INSTANT_MINUTE_MS),
                         at(rows[i].sure));
    }
    /* Over a year no bound goes forward, and none is more than two hours back.
     */
    int64_t last_ms = 0;
    for (int64_t ms = at("2026-01-01T00:00:00Z");
         ms < at("2027-01-01T00:00:00Z"); ms += 5 * INSTANT_MINUTE_MS) {
        const int64_t sure_ms = zone_sure_ms(zone, ms, INSTANT_MINUTE_MS);
        assert_true(sure_ms <= ms && sure_ms >= last_ms &&
                    ms - sure_ms <= 2 * INSTANT_HOUR_MS);
        last_ms = sure_ms;
    }
    arena_fini(&arena);
}

/* Two times, two types, a rule: what a small file has. */
static void
write_number(struct buf *into, int64_t number, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--) {
        buf_byte(into, (char)((uint64_t)number >> (8 * i) & 0xff));
    }
}

static void
write_block(struct buf *into, int time_bytes, const int64_t *times,
            size_t count)
{
    buf_text(into, "TZif2");
    for (int i = 0; i < 15; i++) {
        buf_byte(into, '\0');
    }
    const int64_t counts[] = { 0, 0, 0, (int64_t)count, 2, 8 };
    for (size_t i = 0; i < 6; i++) {
        write_number(into, counts[i], 4);
    }
    for (size_t i = 0; i < count; i++) {
        write_number(into, times[i], time_bytes);
    }
    for (size_t i = 0; i < count; i++) {
        buf_byte(into, (char)((i + 1) % 2));
    }
    for (int i = 0; i < 2; i++) {
        write_number(into, i == 0 ? 3600 : 7200, 4);
        buf_byte(into, (char)i);
        buf_byte(into, (char)(4 * i));
    }
    buf_append(into, (struct slice){ "CET\0CES\0", 8 });
}

static void
files_say_what_clocks_show(void **state)
{
    (void)state;
    const int64_t times[] = { at("1990-03-25T01:00:00Z") / 1000,
                              at("1990-09-30T01:00:00Z") / 1000 };
    struct arena arena = { 0 };
    struct buf file = { 0 };
    const struct zone *zone;
    struct error err = { "" };
    write_block(&file, 4, times, 1);
    write_block(&file, 8, times, 2);
    buf_text(&file, "\n" BERLIN "\n");
    assert_int_equal(zone_read(buf_slice(&file), &arena, &zone, &err),
                     STATUS_OK);
    assert_int_equal(zone_offset_ms(zone, at("1980-07-01T00:00:00Z")), 3600000);
    assert_int_equal(zone_offset_ms(zone, at("1990-07-01T00:00:00Z")), 7200000);
    assert_int_equal(zone_offset_ms(zone, at("1990-12-01T00:00:00Z")), 3600000);
    assert_int_equal(zone_offset_ms(zone, at("2026-07-01T00:00:00Z")), 7200000);
    /* Whatever is cut off is refused, or leaves the rule out. */
    for (size_t len = 0; len < file.len; len++) {
        const enum status status =
            zone_read(slice_first(buf_slice(&file), len), &arena, &zone, &err);
        if (status == STATUS_OK) {
            assert_true(len >= file.len - sizeof(BERLIN) - 1);
            (void)zone_offset_ms(zone, at("2026-07-01T00:00:00Z"));
        }
    }
    buf_fini(&file);
    arena_fini(&arena);
}

static void
without_memory_there_is_no_zone_and_no_rule_is_called_wrong(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    const struct zone *zone = NULL;
    (void)mem_fail_after(0, 1);
    const enum status status = zone_rule(slice_of(BERLIN), &arena, &zone);
    (void)mem_fail_after(-1, 0);
    assert_int_equal(status, STATUS_NOMEM);
    assert_null(zone);
    assert_int_equal(zone_rule(slice_of(BERLIN), &arena, &zone), STATUS_OK);
    arena_fini(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_say_what_clocks_show),
        cmocka_unit_test(what_is_no_rule_is_refused),
        cmocka_unit_test(a_bound_is_never_in_an_hour_that_comes_twice),
        cmocka_unit_test(files_say_what_clocks_show),
        cmocka_unit_test(
            without_memory_there_is_no_zone_and_no_rule_is_called_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
