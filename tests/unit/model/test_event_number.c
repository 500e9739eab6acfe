/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/event_number.h"

#define AT(ms, agent, count)                                                   \
    ((uint64_t)(ms) << 20 | (uint64_t)(agent) << 10 | (uint64_t)(count))

static void
a_number_says_when_and_by_whom(void **state)
{
    (void)state;
    static const struct {
        uint64_t last;
        int64_t now_ms;
        unsigned agent;
        uint64_t next;
    } rows[] = {
        { 0, 5, 0, AT(5, 0, 0) },
        { 0, 5, 3, AT(5, 3, 0) },
        { AT(5, 3, 0), 5, 3, AT(5, 3, 1) },
        { AT(5, 3, 0), 6, 3, AT(6, 3, 0) },
        /* The clock went back. */
        { AT(5, 3, 7), 2, 3, AT(5, 3, 8) },
        { AT(5, 3, 7), -2, 3, AT(5, 3, 8) },
        /* The count is full. */
        { AT(5, 3, 1023), 5, 3, AT(6, 3, 0) },
        { AT(5, 1023, 1023), 5, 1023, AT(6, 1023, 0) },
        /* It is another agent's. */
        { AT(5, 4, 0), 5, 3, AT(6, 3, 0) },
        { AT(5, 2, 1023), 5, 3, AT(5, 3, 0) },
        { AT(5, 2, 0), 5, 3, AT(5, 3, 0) },
        /* Alone, all twenty bits count. */
        { AT(5, 0, 1023), 5, 0, AT(5, 1, 0) },
        { 0, 0, 0, 1 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(
            event_number_next(rows[i].last, rows[i].now_ms, rows[i].agent),
            rows[i].next);
    }
}

static void
numbers_of_an_agent_grow_whatever_its_clock_does(void **state)
{
    (void)state;
    uint64_t last = AT(1000, 7, 0);
    for (int64_t i = 0; i < 5000; i++) {
        const uint64_t next = event_number_next(last, 1000 - i % 17, 9);
        assert_true(next > last);
        assert_int_equal(next >> 10 & 1023, 9);
        last = next;
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_says_when_and_by_whom),
        cmocka_unit_test(numbers_of_an_agent_grow_whatever_its_clock_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
