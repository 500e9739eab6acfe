/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/gather.h"

static const struct gather_policy hundred = { .max = 100,
                                              .wait_ms = 500,
                                              .bytes = 1000 };

static int64_t
size_at(int64_t max, unsigned attempt, int64_t attempts)
{
    const struct gather_policy policy = { .max = max };
    unsigned halvings = gather_halvings(&policy, attempt, attempts);
    assert_true(halvings < GATHER_SIZES);
    int64_t size = max >> halvings;
    return size < 1 ? 1 : size;
}

static void
each_failure_halves_the_company(void **state)
{
    (void)state;
    static const int64_t sizes[] = { 100, 50, 25, 12, 6, 3, 1, 1, 1 };
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_int_equal(size_at(100, i + 1, 16), sizes[i]);
    }
}

static void
the_last_attempt_is_made_alone(void **state)
{
    (void)state;
    assert_int_equal(size_at(100, 3, 4), 25);
    assert_int_equal(size_at(100, 4, 4), 1);
    assert_int_equal(size_at(8192, 2, 2), 1);
    assert_int_equal(size_at(100, 9, 4), 1); /* there were more once */
}

static void
any_number_of_failures_has_a_size(void **state)
{
    (void)state;
    for (int64_t max = 2; max <= 8192; max++) {
        assert_int_equal(size_at(max, 1000000, INT64_MAX), 1);
        assert_int_equal(size_at(max, 1, INT64_MAX), max);
    }
}

static void
a_full_batch_goes_at_once_and_others_wait_from_the_first(void **state)
{
    (void)state;
    static const struct {
        struct gather_heap heap;
        int64_t due_ms;
    } rows[] = {
        { { 0, 1, 10, 7000 }, 7500 },   { { 0, 99, 10, 7000 }, 7500 },
        { { 0, 100, 10, 7000 }, 7000 }, { { 1, 49, 10, 7000 }, 7500 },
        { { 1, 50, 10, 7000 }, 7000 },  { { 13, 1, 10, 7000 }, 7000 },
        { { 0, 9, 989, 7000 }, 7500 },  { { 0, 9, 990, 7000 }, 7000 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(gather_due_ms(&hundred, &rows[i].heap),
                         rows[i].due_ms);
    }
}

static void
what_comes_in_one_turn_goes_together_without_a_wait_too(void **state)
{
    (void)state;
    const struct gather_policy policy = { .max = 10, .bytes = 1000 };
    const struct gather_heap heap = { 0, 1, 10, 7000 };
    assert_int_equal(gather_due_ms(&policy, &heap), 7001);
}

static void
a_batch_keeps_to_its_bytes_unless_one_event_is_longer(void **state)
{
    (void)state;
    const struct gather_heap none = { 0 };
    const struct gather_heap nine = { 0, 9, 800, 0 };
    assert_true(gather_fits(&hundred, &none, 5000));
    /* 800 and 189, ten commas or brackets, and one more. */
    assert_true(gather_fits(&hundred, &nine, 189));
    assert_false(gather_fits(&hundred, &nine, 190));
    const struct gather_heap full = { 0, 100, 800, 0 };
    assert_false(gather_fits(&hundred, &full, 1));
    const struct gather_heap alone = { 13, 1, 1, 0 };
    assert_false(gather_fits(&hundred, &alone, 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failure_halves_the_company),
        cmocka_unit_test(the_last_attempt_is_made_alone),
        cmocka_unit_test(any_number_of_failures_has_a_size),
        cmocka_unit_test(
            a_full_batch_goes_at_once_and_others_wait_from_the_first),
        cmocka_unit_test(
            what_comes_in_one_turn_goes_together_without_a_wait_too),
        cmocka_unit_test(a_batch_keeps_to_its_bytes_unless_one_event_is_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
