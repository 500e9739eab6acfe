/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/instant.h"
#include "base/prng.h"
#include "model/pulse.h"

static void
nothing_has_no_durations(void **state)
{
    (void)state;
    struct pulse pulse = { 0 };
    struct pulse_figures figures = pulse_figures(&pulse, 5000);
    assert_int_equal(figures.per_minute, 0);
    assert_int_equal(figures.p50_ms, -1);
    assert_int_equal(figures.p99_ms, -1);
}

static void
the_last_minute_is_counted_and_moves_along(void **state)
{
    static const struct {
        int64_t later_ms, count;
    } rows[] = {
        { 0, 30 },    { 29999, 30 }, { 45000, 15 },
        { 58000, 2 }, { 60000, 0 },  { 600000, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pulse pulse = { 0 };
        int64_t now = INT64_C(1000000);
        for (int second = 0; second < 30; second++) {
            pulse_add(&pulse, 1, now + second * INSTANT_SECOND_MS);
        }
        struct pulse_figures figures = pulse_figures(
            &pulse, now + 29 * INSTANT_SECOND_MS + rows[i].later_ms);
        assert_int_equal(figures.per_minute, rows[i].count);
    }
}

/* Against what sorting would say. */
static void
what_is_told_is_at_most_a_sixteenth_too_long(void **state)
{
    (void)state;
    for (int64_t most = 1; most < INT64_C(200000000); most = most * 3 + 1) {
        struct pulse pulse = { 0 };
        struct prng prng = { (uint64_t)most };
        int64_t all[1000];
        for (size_t i = 0; i < 1000; i++) {
            int64_t took = (int64_t)prng_below(&prng, (uint64_t)most + 1);
            size_t at = i;
            for (; at > 0 && all[at - 1] > took; at--) {
                all[at] = all[at - 1];
            }
            all[at] = took;
            pulse_add(&pulse, took, 1000);
        }
        struct pulse_figures figures = pulse_figures(&pulse, 1000);
        assert_in_range(figures.p50_ms, all[499], all[499] * 17 / 16);
        assert_in_range(figures.p99_ms, all[989], all[989] * 17 / 16);
    }
}

static void
a_few_slow_ones_show_in_the_99th_only(void **state)
{
    (void)state;
    struct pulse pulse = { 0 };
    for (int i = 0; i < 98; i++) {
        pulse_add(&pulse, 4, 1000);
    }
    pulse_add(&pulse, 9000, 1000);
    pulse_add(&pulse, INT64_MAX, 1000);
    struct pulse_figures figures = pulse_figures(&pulse, 1000);
    assert_int_equal(figures.p50_ms, 4);
    assert_in_range(figures.p99_ms, 9000, 9563);
    pulse_add(&pulse, -5, 1000); /* no clock does that; it is not trusted */
}

static void
durations_are_forgotten_after_ten_minutes(void **state)
{
    static const struct {
        int64_t later_ms;
        int64_t p50_ms;
    } rows[] = { { 0, 7 },
                 { 4 * INSTANT_MINUTE_MS, 7 },
                 { 5 * INSTANT_MINUTE_MS, 7 },
                 { 10 * INSTANT_MINUTE_MS, -1 },
                 { INSTANT_DAY_MS, -1 } };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pulse pulse = { 0 };
        pulse_add(&pulse, 7, 1000);
        assert_int_equal(pulse_figures(&pulse, 1000 + rows[i].later_ms).p50_ms,
                         rows[i].p50_ms);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_has_no_durations),
        cmocka_unit_test(the_last_minute_is_counted_and_moves_along),
        cmocka_unit_test(what_is_told_is_at_most_a_sixteenth_too_long),
        cmocka_unit_test(a_few_slow_ones_show_in_the_99th_only),
        cmocka_unit_test(durations_are_forgotten_after_ten_minutes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
