/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/lag.h"

static void
note_many(struct lag *lag, int64_t lag_ms, int count)
{
    for (int i = 0; i < count; i++) {
        lag_note(&lag->now, lag_ms);
    }
}

static void
the_largest_and_the_ninety_ninth_are_told(void **state)
{
    (void)state;
    static const struct {
        int none;
        int early; /* 1.5 s */
        int late;  /* 100 s */
        int64_t p99_ms;
        int64_t max_ms;
    } rows[] = {
        { 0, 0, 0, 0, 0 },
        { 100, 0, 0, 0, 0 },
        { 99, 1, 0, 0, 1500 },
        { 98, 2, 0, 1500, 1500 },
        { 98, 1, 1, 2000, 100000 },
        { 0, 0, 1, 100000, 100000 },
        { 900, 90, 10, 2000, 100000 },
        { 900, 89, 11, 100000, 100000 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lag lag = { 0 };
        note_many(&lag, 0, rows[i].none);
        note_many(&lag, 1500, rows[i].early);
        note_many(&lag, 100000, rows[i].late);
        lag_note(&lag.now, -1);
        assert_int_equal(lag_p99_ms(&lag), rows[i].p99_ms);
        assert_int_equal(lag_max_ms(&lag), rows[i].max_ms);
    }
}

static void
each_lag_falls_into_the_bucket_of_its_bound(void **state)
{
    (void)state;
    static const struct {
        int64_t lag_ms;
        size_t bucket;
    } rows[] = { { 0, 0 },         { 1, 1 },         { 1000, 1 },
                 { 1001, 2 },      { 2000, 2 },      { 60000, 7 },
                 { 65536000, 17 }, { 65536001, 18 }, { INT64_MAX, 18 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lag_tally tally = { 0 };
        lag_note(&tally, rows[i].lag_ms);
        assert_int_equal(tally.counts[rows[i].bucket], 1);
    }
}

static void
figures_reach_back_one_span_and_two_at_most(void **state)
{
    (void)state;
    struct lag lag = { 0 };
    int64_t now_ms = 1000;
    lag_turn(&lag, now_ms);
    note_many(&lag, 5000, 1);
    lag_turn(&lag, now_ms + LAG_SPAN_MS - 1);
    assert_int_equal(lag.now.max_ms, 5000);
    lag_turn(&lag, now_ms + LAG_SPAN_MS);
    assert_int_equal(lag.now.max_ms, 0);
    assert_int_equal(lag_max_ms(&lag), 5000);
    note_many(&lag, 2000, 1);
    lag_turn(&lag, now_ms + 2 * LAG_SPAN_MS);
    assert_int_equal(lag_max_ms(&lag), 2000);
    /* after a sleep of two spans nothing is left */
    note_many(&lag, 4000, 1);
    lag_turn(&lag, now_ms + 4 * LAG_SPAN_MS);
    assert_int_equal(lag_max_ms(&lag), 0);
    /* a clock that goes back turns nothing */
    note_many(&lag, 3000, 1);
    lag_turn(&lag, 5);
    assert_int_equal(lag_max_ms(&lag), 3000);
}

static void
tallies_join_and_do_not_overflow(void **state)
{
    (void)state;
    struct lag_tally a = { .counts = { UINT32_MAX, 3 }, .max_ms = 7 };
    struct lag_tally b = { .counts = { 5, UINT32_MAX - 3 }, .max_ms = 9 };
    lag_join(&a, &b);
    assert_true(a.counts[0] == UINT32_MAX && a.counts[1] == UINT32_MAX);
    assert_int_equal(a.max_ms, 9);
    lag_note(&a, 0);
    assert_true(a.counts[0] == UINT32_MAX);
}

static void
four_fifths_may_be_used(void **state)
{
    (void)state;
    assert_false(lag_is_short(0, 0));
    assert_false(lag_is_short(80, 100));
    assert_true(lag_is_short(81, 100));
    assert_false(lag_is_short(1, 0));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_and_the_ninety_ninth_are_told),
        cmocka_unit_test(each_lag_falls_into_the_bucket_of_its_bound),
        cmocka_unit_test(figures_reach_back_one_span_and_two_at_most),
        cmocka_unit_test(tallies_join_and_do_not_overflow),
        cmocka_unit_test(four_fifths_may_be_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
