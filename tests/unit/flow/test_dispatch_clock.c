/* SPDX-License-Identifier: MIT */
#include "flowing.h"

static size_t awaited;

static bool
first_has_started(void)
{
    return flow.handlers[0].started >= awaited;
}

static void
await_started(size_t count)
{
    awaited = count;
    flow_run(first_has_started);
}

/* One delivery that waits for so many days, as by a clock that was so far
 * ahead. */
static void
leave_waiting(int64_t days)
{
    flow_prepare(1);
    flow.handlers[0].behaviour = FAILS;
    flow.outlets[0].retry = (struct retry_policy){
        .attempts = 3,
        .first_ms = days * INSTANT_DAY_MS,
        .cap_ms = days * INSTANT_DAY_MS,
    };
    flow_open_store();
    flow_bring_all("a");
    await_started(1);
    flow_sleep(30);
    flow_close_store();
    flow.handlers[0].behaviour = SUCCEEDS;
    flow.outlets[0].retry.first_ms = 20;
    flow.outlets[0].retry.cap_ms = 40;
}

static void
what_waits_for_a_time_beyond_any_wait_is_due_at_the_start(void **state)
{
    (void)state;
    leave_waiting(3650);
    flow_open_store();
    dispatch_start(flow.dispatch);
    await_started(2);
    assert_int_equal(flow.handlers[0].attempts[1], 2);
    flow_stop(1000);
    assert_int_equal(flow_ask_store(0)->pending, 0);
    flow_close();
}

/* Retry-After may ask for a day. */
static void
what_waits_no_longer_than_it_can_is_left_alone(void **state)
{
    (void)state;
    leave_waiting(1);
    flow_open_store();
    dispatch_start(flow.dispatch);
    flow_sleep(60);
    assert_int_equal(flow.handlers[0].started, 1);
    flow_stop(1000);
    assert_int_equal(flow_ask_store(0)->pending, 1);
    flow_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            what_waits_for_a_time_beyond_any_wait_is_due_at_the_start),
        cmocka_unit_test(what_waits_no_longer_than_it_can_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
