/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/retry.h"

static const struct retry_policy usual = {
    .attempts = 16, .first_ms = 1000, .cap_ms = 3600000, .give_up_ms = 259200000
};

#define NOW INT64_C(1700000000000)

static void
the_wait_doubles_up_to_the_cap_with_the_upper_half_drawn(void **state)
{
    static const struct {
        unsigned attempt;
        int64_t longest_ms;
    } rows[] = { { 1, 1000 },     { 2, 2000 },     { 3, 4000 },
                 { 12, 2048000 }, { 13, 3600000 }, { 15, 3600000 } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t least = INT64_MAX;
        int64_t most = 0;
        for (uint64_t seed = 0; seed < 500; seed++) {
            struct prng prng = { seed };
            struct retry_plan plan = retry_next(
                &usual, rows[i].attempt, DISPOSITION_LATER, NOW, NOW, 0, &prng);
            assert_false(plan.dead);
            int64_t wait = plan.due_ms - NOW;
            least = wait < least ? wait : least;
            most = wait > most ? wait : most;
        }
        assert_in_range(least, rows[i].longest_ms / 2,
                        rows[i].longest_ms * 11 / 20);
        assert_in_range(most, rows[i].longest_ms * 19 / 20, rows[i].longest_ms);
    }
}

static void
a_delivery_dies_of_attempts_age_or_refusal(void **state)
{
    static const struct {
        unsigned attempt;
        enum disposition outcome;
        int64_t age_ms;
        const char *reason; /* NULL: lives */
    } rows[] = {
        { 1, DISPOSITION_LATER, 0, NULL },
        { 15, DISPOSITION_LATER, 0, NULL },
        { 16, DISPOSITION_LATER, 0, "all attempts are used up" },
        { 17, DISPOSITION_LATER, 0, "all attempts are used up" },
        { 1, DISPOSITION_NEVER, 0, "the handler refused it for good" },
        { 1, DISPOSITION_FATAL, 0, NULL },
        { 2, DISPOSITION_LATER, 259199999, NULL },
        { 2, DISPOSITION_LATER, 259200000, "older than give_up" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct prng prng = { 7 };
        struct retry_plan plan =
            retry_next(&usual, rows[i].attempt, rows[i].outcome,
                       NOW - rows[i].age_ms, NOW, 0, &prng);
        assert_int_equal(plan.dead, rows[i].reason != NULL);
        if (plan.dead) {
            assert_string_equal(plan.reason, rows[i].reason);
        }
    }
}

static void
the_last_wait_ends_where_give_up_does(void **state)
{
    (void)state;
    struct prng prng = { 1 };
    struct retry_plan plan = retry_next(&usual, 14, DISPOSITION_LATER,
                                        NOW - 259200000 + 5000, NOW, 0, &prng);
    assert_false(plan.dead);
    assert_int_equal(plan.due_ms, NOW + 5000);
}

static void
zero_give_up_never_gives_up_by_age(void **state)
{
    (void)state;
    struct retry_policy patient = usual;
    struct prng prng = { 1 };
    patient.give_up_ms = 0;
    assert_false(
        retry_next(&patient, 1, DISPOSITION_LATER, 1, NOW, 0, &prng).dead);
}

static void
the_other_side_is_not_asked_before_it_wants_to_be(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct prng prng = { seed };
        struct retry_plan plan = retry_next(&usual, 1, DISPOSITION_LATER, NOW,
                                            NOW, NOW + 60000, &prng);
        assert_int_equal(plan.due_ms, NOW + 60000);
    }
}

static void
tiny_waits_are_not_jittered_away(void **state)
{
    (void)state;
    struct retry_policy quick = {
        .attempts = 3, .first_ms = 1, .cap_ms = 1, .give_up_ms = 0
    };
    struct prng prng = { 3 };
    assert_int_equal(
        retry_next(&quick, 2, DISPOSITION_LATER, NOW, NOW, 0, &prng).due_ms,
        NOW + 1);
}

static void
the_table_names_every_field_once(void **state)
{
    (void)state;
    assert_int_equal(retry_table.count, 4);
    assert_int_equal(retry_table.size, sizeof(struct retry_policy));
    for (size_t i = 0; i < retry_table.count; i++) {
        assert_non_null(retry_table.keys[i].doc);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(retry_table.keys[i].offset,
                                 retry_table.keys[j].offset);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            the_wait_doubles_up_to_the_cap_with_the_upper_half_drawn),
        cmocka_unit_test(a_delivery_dies_of_attempts_age_or_refusal),
        cmocka_unit_test(the_last_wait_ends_where_give_up_does),
        cmocka_unit_test(zero_give_up_never_gives_up_by_age),
        cmocka_unit_test(the_other_side_is_not_asked_before_it_wants_to_be),
        cmocka_unit_test(tiny_waits_are_not_jittered_away),
        cmocka_unit_test(the_table_names_every_field_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
