/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/instant.h"
#include "model/jumps.h"

#define NOW  INT64_C(1700000000000)
#define YEAR (365 * INSTANT_DAY_MS)
#define HOUR INSTANT_HOUR_MS

static void
an_age_is_the_time_that_went_by_whatever_the_clock_was_set_to(void **state)
{
    /* Noted an hour apart, each time set by so much; recorded half an hour
     * behind the first note. */
    static const struct {
        const char *name;
        int64_t by_ms[4];
        int64_t since_ms; /* by the clock of then, from the first note on */
        int64_t age_ms;   /* at the last note */
    } rows[] = {
        { "none", { 0, 0, 0, 0 }, HOUR / 2, 7 * HOUR / 2 },
        { "years ahead", { YEAR * 3, 0, 0, 0 }, HOUR / 2, 7 * HOUR / 2 },
        { "ahead, recorded behind it",
          { YEAR * 3, 0, 0, 0 },
          YEAR * 3 + HOUR + 1,
          3 * HOUR - 1 },
        { "years back", { -YEAR, 0, 0, 0 }, HOUR / 2, 7 * HOUR / 2 },
        { "ahead and back", { YEAR, 0, -YEAR, 0 }, HOUR / 2, 7 * HOUR / 2 },
        { "ahead twice", { YEAR, 0, 0, YEAR }, HOUR / 2, 7 * HOUR / 2 },
        { "by a little", { 50000, -50000, 0, 0 }, HOUR / 2, 7 * HOUR / 2 },
        { "older than the process", { YEAR, 0, 0, 0 }, -HOUR, 5 * HOUR },
        { "of the future", { 0, 0, 0, 0 }, 90 * HOUR, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct jumps jumps = { 0 };
        int64_t unix_ms = NOW;
        (void)jumps_note(&jumps, unix_ms, 1000);
        for (int j = 0; j < 4; j++) {
            unix_ms += HOUR + rows[i].by_ms[j];
            (void)jumps_note(&jumps, unix_ms, 1000 + (j + 1) * HOUR);
        }
        int64_t age = jumps_age(&jumps, NOW + rows[i].since_ms, unix_ms);
        if (age != rows[i].age_ms) {
            fail_msg("%s: %lld, not %lld", rows[i].name, (long long)age,
                     (long long)rows[i].age_ms);
        }
    }
}

static void
it_says_once_that_the_clock_was_set_back(void **state)
{
    (void)state;
    struct jumps jumps = { 0 };
    assert_false(jumps_note(&jumps, NOW, 0));
    assert_false(jumps_note(&jumps, NOW + YEAR, 1000));
    assert_true(jumps_note(&jumps, NOW, 2000));
    assert_false(jumps_note(&jumps, NOW + 1000, 3000));
    assert_false(jumps_note(&jumps, NOW - 50000, 4000));
}

static void
more_jumps_than_are_kept_are_stood(void **state)
{
    (void)state;
    struct jumps jumps = { 0 };
    int64_t unix_ms = NOW;
    for (int i = 0; i < 100; i++) {
        unix_ms += HOUR;
        (void)jumps_note(&jumps, unix_ms, i);
    }
    assert_int_equal(jumps.count, JUMPS_KEPT);
    assert_in_range(jumps_age(&jumps, unix_ms - 8 * HOUR, unix_ms), 0, HOUR);
}

static void
without_any_an_age_is_what_the_clock_says(void **state)
{
    (void)state;
    assert_int_equal(jumps_age(NULL, NOW - 5, NOW), 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            an_age_is_the_time_that_went_by_whatever_the_clock_was_set_to),
        cmocka_unit_test(it_says_once_that_the_clock_was_set_back),
        cmocka_unit_test(more_jumps_than_are_kept_are_stood),
        cmocka_unit_test(without_any_an_age_is_what_the_clock_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
