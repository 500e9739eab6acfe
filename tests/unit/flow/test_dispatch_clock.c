/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* syscall */
#include "flowing.h"

#include <sys/syscall.h>
#include <time.h>

/* By how many seconds the wall clock is set ahead of what it was. */
static time_t ahead_s;

/* Stands before libc's, for all of this program. */
int
clock_gettime(clockid_t clock, struct timespec *into)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, into);
    into->tv_sec += clock == CLOCK_REALTIME ? ahead_s : 0;
    return failed;
}

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

static bool
is_empty(void)
{
    return flow.handlers[0].open == 0;
}

/* By the wall clock the lease of the one that runs is over; nothing is handed
 * over beside it, and what it comes to counts. */
static void
a_clock_set_ahead_ends_no_lease_of_an_attempt_that_runs(void **state)
{
    (void)state;
    flow_prepare(1);
    flow.outlets[0].concurrency = 2;
    flow.handlers[0].behaviour = HANGS;
    flow_open_store();
    dispatch_start(flow.dispatch);
    flow_bring_all("hot");
    await_started(1);
    ahead_s = (time_t)86400;
    dispatch_start(flow.dispatch); /* as anything that makes it claim */
    flow_bring_all("late");
    await_started(2);
    flow_sleep(60);
    assert_int_equal(flow.handlers[0].started, 2);
    assert_string_equal(flow.handlers[0].order[1], "late");
    fake_let_go(&flow.handlers[0], DISPOSITION_DONE);
    flow_run(is_empty);
    flow_stop(1000);
    assert_int_equal(flow_ask_store(0)->pending, 0);
    flow_close();
    ahead_s = 0;
}

/* Of a claimed one too; and a clock set back keeps nobody waiting. */
static void
what_was_claimed_keeps_its_lease_when_the_clock_is_set_ahead(void **state)
{
    (void)state;
    flow_prepare(1);
    flow.outlets[0].concurrency = 3;
    flow.handlers[0].behaviour = FAILS;
    flow.outlets[0].retry.first_ms = 20;
    flow.outlets[0].retry.cap_ms = 40;
    flow_open_store();
    dispatch_start(flow.dispatch);
    flow_bring_all("a");
    await_started(1);
    flow.handlers[0].behaviour = HANGS;
    await_started(2); /* this one was claimed */
    ahead_s = (time_t)86400;
    dispatch_start(flow.dispatch);
    flow_sleep(60);
    assert_int_equal(flow.handlers[0].started, 2);
    fake_let_go(&flow.handlers[0], DISPOSITION_DONE);
    flow_run(is_empty);
    flow_stop(1000);
    assert_int_equal(flow_ask_store(0)->pending, 0);
    flow_close();
    ahead_s = 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            what_waits_for_a_time_beyond_any_wait_is_due_at_the_start),
        cmocka_unit_test(what_waits_no_longer_than_it_can_is_left_alone),
        cmocka_unit_test(
            a_clock_set_ahead_ends_no_lease_of_an_attempt_that_runs),
        cmocka_unit_test(
            what_was_claimed_keeps_its_lease_when_the_clock_is_set_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
