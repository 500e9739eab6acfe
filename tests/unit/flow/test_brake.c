/* SPDX-License-Identifier: MIT */
#include "flowing.h"

#include "flow/brake.h"

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

static double
gauge(void)
{
    return metric_value(
        telemetry_of_handler(&flow.telemetry, slice_of("one")).breaker_state);
}

static bool
is_open(void)
{
    return gauge() == BREAKER_OPEN;
}

static bool
is_closed(void)
{
    return gauge() == BREAKER_CLOSED;
}

static void
prepare(enum behaviour behaviour)
{
    flow_prepare(1);
    flow.outlets[0].brake.breaker = (struct breaker_policy){
        .failures = 3, .open_ms = 200, .cap_ms = 400, .hold_ms = 300
    };
    flow.outlets[0].retry =
        (struct retry_policy){ .attempts = 100, .first_ms = 1, .cap_ms = 1 };
    flow.handlers[0].behaviour = behaviour;
}

/* ---- the breaker ---- */

static void
what_waits_for_an_open_breaker_burns_no_attempts(void **state)
{
    (void)state;
    prepare(FAILS);
    flow_open_store();
    flow_bring_all("a b c d e f g h");
    flow_run(is_open);
    size_t started = flow.handlers[0].started;
    flow_sleep(60);
    /* Open: a hundred retries would have been due. */
    assert_int_equal(flow.handlers[0].started, started);
    flow_bring_all("new");
    assert_int_equal(flow.handlers[0].started, started);
    flow.handlers[0].behaviour = SUCCEEDS;
    flow_run(is_closed);
    await_started(started + 9);
    for (size_t i = started; i < started + 9; i++) {
        assert_true(flow.handlers[0].attempts[i] <= 3);
    }
    flow_stop(1000);
    assert_int_equal(flow_ask_store(0)->pending, 0);
    flow_close();
}

static void
half_open_lets_one_through_at_a_time(void **state)
{
    (void)state;
    prepare(FAILS);
    flow.outlets[0].concurrency = 8;
    flow_open_store();
    flow_bring_all("a b c d e f g h");
    flow_run(is_open);
    flow_sleep(20);
    size_t started = flow.handlers[0].started;
    flow.handlers[0].most_open = 0;
    flow.handlers[0].behaviour = HANGS;
    await_started(started + 1);
    assert_true(gauge() == BREAKER_HALF_OPEN);
    flow_sleep(50);
    assert_int_equal(flow.handlers[0].started, started + 1);
    assert_int_equal(flow.handlers[0].most_open, 1);
    flow.handlers[0].behaviour = SUCCEEDS;
    fake_let_go(&flow.handlers[0], DISPOSITION_DONE);
    await_started(started + 8);
    assert_true(is_closed());
    flow_stop(1000);
    flow_close();
}

/* Claimed, or held a slot, before it opened: given back, untried. */
static void
what_was_claimed_before_it_opened_is_not_started(void **state)
{
    (void)state;
    prepare(REFUSES);
    flow.outlets[0].concurrency = 64;
    flow.owe_only = true;
    flow_open_store();
    flow_bring_all("a b c d e f g h i j k l");
    flow_close_store();
    flow.owe_only = false;
    flow.handlers[0].behaviour = REFUSES;
    flow_open_store();
    dispatch_start(flow.dispatch);
    flow_run(is_open);
    flow_sleep(20);
    assert_int_equal(flow.handlers[0].started, 3);
    flow.handlers[0].behaviour = SUCCEEDS;
    await_started(15);
    unsigned seconds = 0;
    for (size_t i = 3; i < 15; i++) {
        seconds += flow.handlers[0].attempts[i] == 2;
        assert_true(flow.handlers[0].attempts[i] <= 2);
    }
    assert_int_equal(seconds, 3);
    flow_stop(1000);
    flow_close();
}

static void
a_refusal_of_the_event_does_not_speak_of_the_handler(void **state)
{
    (void)state;
    prepare(KILLS);
    flow_open_store();
    flow_bring_all("a b c d e f g h");
    await_started(8);
    assert_true(is_closed());
    flow_close();
}

static bool
second_has_all(void)
{
    return flow.handlers[1].started == 6;
}

static void
an_open_breaker_costs_the_others_nothing(void **state)
{
    (void)state;
    flow_prepare(2);
    flow.outlets[0].brake.breaker = (struct breaker_policy){ .failures = 2,
                                                             .open_ms = 60000,
                                                             .cap_ms = 60000 };
    flow.handlers[0].behaviour = FAILS;
    flow_open_store();
    flow_bring_all("a b c");
    flow_run(is_open);
    flow_bring_all("d e f");
    flow_run(second_has_all);
    flow_stop(1000);
    assert_int_equal(flow_ask_store(1)->pending, 0);
    assert_int_equal(flow_ask_store(0)->pending, 6);
    flow_close();
}

/* ---- what an answer asks ---- */

static void
an_answer_that_asks_to_wait_holds_all_deliveries(void **state)
{
    (void)state;
    prepare(HANGS);
    flow_open_store();
    flow_bring_all("a b c");
    int64_t began_ms = clock_monotonic_ms();
    flow.handlers[0].hanging->result.not_before_ms = clock_unix_ms() + 150;
    flow.handlers[0].behaviour = SUCCEEDS;
    fake_let_go(&flow.handlers[0], DISPOSITION_LATER);
    await_started(2);
    assert_true(clock_monotonic_ms() - began_ms >= 145);
    await_started(4);
    /* It says nothing of the handler's health. */
    assert_true(is_closed());
    flow_stop(1000);
    flow_close();
}

static void
it_holds_them_no_longer_than_the_cap(void **state)
{
    (void)state;
    prepare(HANGS);
    flow_open_store();
    flow_bring_all("a b");
    int64_t began_ms = clock_monotonic_ms();
    flow.handlers[0].hanging->result.not_before_ms =
        clock_unix_ms() + INSTANT_DAY_MS;
    flow.handlers[0].behaviour = SUCCEEDS;
    fake_let_go(&flow.handlers[0], DISPOSITION_LATER);
    await_started(2);
    assert_true(clock_monotonic_ms() - began_ms >= 295);
    assert_string_equal(flow.handlers[0].order[1], "b");
    flow_stop(1000);
    assert_int_equal(flow_ask_store(0)->pending, 1); /* a, in a day */
    flow_close();
}

/* ---- the rate ---- */

static void
attempts_are_no_faster_than_the_rate(void **state)
{
    (void)state;
    prepare(SUCCEEDS);
    flow.outlets[0].concurrency = 16;
    flow.outlets[0].brake.rate = 50;
    flow.outlets[0].brake.rate_per_ms = 1000;
    flow_open_store();
    int64_t began_ms = clock_monotonic_ms();
    flow_bring_all("a b c d e f g h i j k l m n o");
    await_started(15);
    /* Five at once, then ten, each 20 ms behind the one before. */
    assert_in_range(clock_monotonic_ms() - began_ms, 195, 5000);
    flow_stop(1000);
    assert_int_equal(flow_ask_store(0)->pending, 0);
    flow_close();
}

static void
duplicates_give_back_what_they_held_of_the_rate(void **state)
{
    (void)state;
    prepare(SUCCEEDS);
    flow.outlets[0].brake.rate = 1;
    flow.outlets[0].brake.rate_per_ms = 600;
    flow_open_store();
    flow_bring_all("a");
    await_started(1);
    flow_sleep(620);
    for (int i = 0; i < 4; i++) {
        flow_bring_all("a");
    }
    assert_int_equal(flow.kinds[VERDICT_SEEN], 4);
    flow_bring_all("b");
    assert_int_equal(flow.handlers[0].started, 2);
    flow_stop(1000);
    flow_close();
}

/* ---- figures ---- */

static struct brake_figures
figures(void)
{
    struct brake_figures figures;
    assert_true(
        dispatch_figures(flow.dispatch, flow.outlets[0].number, &figures));
    return figures;
}

static void
what_runs_and_what_has_ended_is_counted(void **state)
{
    (void)state;
    struct brake_figures none;
    prepare(HANGS);
    flow.outlets[0].concurrency = 3;
    flow_open_store();
    assert_false(dispatch_figures(flow.dispatch, 4711, &none));
    flow_bring_all("a b c d");
    assert_int_equal(figures().running, 3);
    assert_int_equal(figures().pulse.per_minute, 0);
    flow.handlers[0].behaviour = SUCCEEDS;
    fake_let_go(&flow.handlers[0], DISPOSITION_DONE);
    await_started(4);
    flow_sleep(30);
    assert_int_equal(figures().running, 0);
    assert_int_equal(figures().pulse.per_minute, 4);
    assert_int_equal(figures().pulse.p50_ms, 1); /* as the fake says */
    flow_close();
}

/* Claimed, given back, claimed again: none of it is an attempt that runs. */
static void
what_is_given_back_untried_is_not_counted(void **state)
{
    (void)state;
    prepare(REFUSES);
    flow.outlets[0].concurrency = 64;
    flow_open_store();
    flow_bring_all("a b c d e f g h");
    flow_run(is_open);
    flow_sleep(30);
    assert_int_equal(figures().running, 0);
    assert_int_equal(figures().pulse.per_minute, flow.handlers[0].started);
    assert_true(figures().wait_ms > 0);
    flow_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_for_an_open_breaker_burns_no_attempts),
        cmocka_unit_test(half_open_lets_one_through_at_a_time),
        cmocka_unit_test(what_was_claimed_before_it_opened_is_not_started),
        cmocka_unit_test(a_refusal_of_the_event_does_not_speak_of_the_handler),
        cmocka_unit_test(an_open_breaker_costs_the_others_nothing),
        cmocka_unit_test(an_answer_that_asks_to_wait_holds_all_deliveries),
        cmocka_unit_test(it_holds_them_no_longer_than_the_cap),
        cmocka_unit_test(attempts_are_no_faster_than_the_rate),
        cmocka_unit_test(duplicates_give_back_what_they_held_of_the_rate),
        cmocka_unit_test(what_runs_and_what_has_ended_is_counted),
        cmocka_unit_test(what_is_given_back_untried_is_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
