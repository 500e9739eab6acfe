/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"

/* The first numbers of SplitMix64 for this seed, from its author's code. */
static void
the_numbers_are_those_of_splitmix64(void **state)
{
    static const uint64_t numbers[] = {
        UINT64_C(6457827717110365317),  UINT64_C(3203168211198807973),
        UINT64_C(9817491932198370423),  UINT64_C(4593380528125082431),
        UINT64_C(16408922859458223821),
    };
    struct prng prng = { 1234567 };
    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        assert_true(prng_next(&prng) == numbers[i]);
    }
}

static void
a_seed_gives_the_same_numbers_again(void **state)
{
    struct prng one = { 42 };
    struct prng same = { 42 };
    struct prng other = { 43 };
    (void)state;
    uint64_t number = prng_next(&one);
    assert_true(prng_next(&same) == number);
    assert_true(prng_next(&other) != number);
}

static void
numbers_stay_below_their_limit_and_reach_all_of_it(void **state)
{
    struct prng prng = { 0 };
    int seen[7] = { 0 };
    (void)state;
    for (int i = 0; i < 7000; i++) {
        uint64_t number = prng_below(&prng, 7);
        assert_true(number < 7);
        seen[number]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(seen[i], 850, 1150);
    }
    assert_true(prng_below(&prng, 1) == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_numbers_are_those_of_splitmix64),
        cmocka_unit_test(a_seed_gives_the_same_numbers_again),
        cmocka_unit_test(numbers_stay_below_their_limit_and_reach_all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
