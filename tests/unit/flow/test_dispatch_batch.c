/* SPDX-License-Identifier: MIT */
#include "flowing.h"

#include "flow/batch.h"

/* Deliveries that go to their handler together. */

#define HOUR_MS ((int64_t)3600000)

static struct gather_policy policy;
static size_t awaited;

static struct fake_handler *
handler(void)
{
    return &flow.handlers[0];
}

static bool
has_started(void)
{
    return handler()->started >= awaited;
}

static void
await_started(size_t count)
{
    awaited = count;
    flow_run(has_started);
}

static void
prepare(int64_t max, int64_t wait_ms)
{
    flow_prepare(1);
    policy = (struct gather_policy){ .max = max,
                                     .wait_ms = wait_ms,
                                     .bytes = 1 << 20 };
    flow.outlets[0].batch = &policy;
    flow.outlets[0].retry.attempts = 16;
    flow.outlets[0].retry.first_ms = 1;
    flow.outlets[0].retry.cap_ms = 1;
}

static void
assert_owed(int64_t pending, int64_t dead)
{
    const struct store_figure *figure = flow_ask_store(0);
    assert_int_equal(figure->pending, pending);
    assert_int_equal(figure->dead, dead);
}

/* Runs until nothing is owed. */
static void
run_dry(void)
{
    for (int i = 0; i < 2000 && flow_ask_store(0)->pending > 0; i++) {
        flow_sleep(1);
    }
    assert_int_equal(flow.figure.pending, 0);
}

static void
a_full_batch_goes_at_once_as_an_array(void **state)
{
    (void)state;
    prepare(3, HOUR_MS);
    flow_open_store();
    flow_bring_all("c b a");
    await_started(1);
    assert_int_equal(handler()->counts[0], 3);
    const char *text = handler()->last_envelope;
    assert_int_equal(text[0], '[');
    assert_int_equal(text[strlen(text) - 1], ']');
    const char *c = strstr(text, "\"data\":{\"id\":\"c\"");
    const char *b = strstr(text, "},{");
    const char *a = strstr(text, "\"data\":{\"id\":\"a\"");
    assert_true(c != NULL && b > c && a > b); /* in order of acceptance */
    assert_string_equal(handler()->last_type,
                        "application/cloudevents-batch+json");
    assert_memory_equal(handler()->last_key, "batch:", 6);
    assert_int_equal(strlen(handler()->last_key), 6 + 64);
    flow_stop(1000);
    assert_owed(0, 0);
    flow_close();
}

static void
what_is_not_full_waits_from_its_first(void **state)
{
    (void)state;
    prepare(10, 60);
    flow_open_store();
    int64_t began_ms = clock_monotonic_us() / 1000;
    flow_bring_all("a b");
    assert_int_equal(handler()->started, 0);
    flow_sleep(20);
    flow_bring_all("c");
    await_started(1);
    assert_true(clock_monotonic_us() / 1000 - began_ms >= 60);
    assert_int_equal(handler()->counts[0], 3);
    flow_close();
}

static void
the_same_events_have_the_same_key(void **state)
{
    (void)state;
    char keys[2][128];
    for (int i = 0; i < 2; i++) {
        prepare(2, HOUR_MS);
        flow_open_store();
        flow_bring_all("a b");
        await_started(1);
        memcpy(keys[i], handler()->last_key, sizeof(keys[i]));
        flow_close();
    }
    assert_string_equal(keys[0], keys[1]);
    prepare(2, HOUR_MS);
    flow_open_store();
    flow_bring_all("a c");
    await_started(1);
    assert_string_not_equal(keys[0], handler()->last_key);
    flow_close();
}

/* A later event may be due, and ready, before an earlier one. */
static void
a_batch_is_in_order_of_acceptance(void **state)
{
    (void)state;
    static const uint64_t numbers[] = { 7, 5, 9 };
    struct list list = LIST_INIT(list);
    struct batch *batch;
    for (size_t i = 0; i < 3; i++) {
        char id[2] = { (char)('0' + numbers[i]), '\0' };
        struct event from = { .number = numbers[i], .id = slice_of(id) };
        struct store_claim claim = { .attempt = 1 };
        struct attempt *attempt;
        assert_int_equal(event_create(&from, &claim.event), STATUS_OK);
        assert_int_equal(attempt_create(NULL, &claim, &attempt), STATUS_OK);
        attempt->delivery.envelope = claim.event->id;
        list_append(&list, &attempt->link);
    }
    assert_int_equal(batch_create(&list, 3, &batch), STATUS_OK);
    assert_true(list_empty(&list));
    assert_true(slice_equal_text(batch->delivery.envelope, "[5,7,9]"));
    assert_true(batch->delivery.is_batch);
    assert_ptr_equal(batch->at[0]->batch, batch);
    for (size_t i = batch->count; i-- > 0;) {
        attempt_destroy(batch->at[i]);
    }
    batch_destroy(batch);
}

static bool
hangs(void)
{
    return handler()->open >= awaited;
}

static void
a_batch_takes_one_slot(void **state)
{
    (void)state;
    prepare(2, 0);
    flow.outlets[0].concurrency = 2;
    handler()->behaviour = HANGS;
    flow_open_store();
    flow_bring("a b c d e f g h");
    awaited = 2;
    flow_run(hangs);
    flow_sleep(20);
    assert_int_equal(handler()->started, 2);
    handler()->behaviour = SUCCEEDS;
    fake_let_go(handler(), DISPOSITION_DONE);
    await_started(4);
    run_dry();
    assert_int_equal(handler()->most_open, 2);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(handler()->counts[i], 2);
    }
    flow_close();
}

static void
a_batch_keeps_to_its_bytes(void **state)
{
    (void)state;
    prepare(100, 10);
    policy.bytes = 600; /* two envelopes, not three */
    flow_open_store();
    flow_bring("a b c d e");
    await_started(3);
    run_dry();
    assert_int_equal(handler()->started, 3);
    assert_int_equal(handler()->counts[0], 2);
    assert_int_equal(handler()->counts[1], 2);
    assert_int_equal(handler()->counts[2], 1);
    assert_int_equal(handler()->most_open, 1);
    flow_close();
}

static void
one_result_settles_all_in_one_unit(void **state)
{
    (void)state;
    struct store_worker_figures before;
    struct store_worker_figures after;
    prepare(4, HOUR_MS);
    handler()->behaviour = HANGS;
    flow_open_store();
    flow_bring_all("a b c d");
    awaited = 1;
    flow_run(hangs);
    store_worker_figures(flow.worker, &before);
    fake_let_go(handler(), DISPOSITION_DONE);
    run_dry();
    store_worker_figures(flow.worker, &after);
    assert_int_equal(after.units - before.units, 1);
    flow_close();
}

static bool
is_bad(const struct delivery *delivery)
{
    return slice_find_slice(delivery->envelope, slice_of("\"id\":\"bad\"")) !=
           SIZE_MAX;
}

static enum disposition
refuse_bad(const struct delivery *delivery)
{
    return is_bad(delivery) ? DISPOSITION_NEVER : DISPOSITION_DONE;
}

static enum disposition
fail_bad(const struct delivery *delivery)
{
    return is_bad(delivery) ? DISPOSITION_LATER : DISPOSITION_DONE;
}

static void
one_bad_event_takes_no_good_one_with_it(void **state)
{
    (void)state;
    prepare(8, 5);
    handler()->judge = refuse_bad;
    flow_open_store();
    flow_bring_all("a b c bad e f g h");
    run_dry();
    assert_owed(0, 1);
    assert_int_equal(handler()->counts[0], 8);
    /* Found by halves: 8, then 4 and 4, 2 and 2, 1 and 1. */
    assert_true(handler()->started <= 7);
    flow_close();
}

static void
an_event_that_fails_to_the_end_dies_alone(void **state)
{
    (void)state;
    prepare(8, 2);
    flow.outlets[0].retry.attempts = 3;
    handler()->judge = fail_bad;
    flow_open_store();
    flow_bring_all("a b c bad e f g h");
    run_dry();
    assert_owed(0, 1);
    size_t last = handler()->started;
    assert_true(last >= 3);
    flow_close();
}

static void
a_handler_that_cannot_be_started_costs_an_attempt(void **state)
{
    (void)state;
    prepare(2, 1);
    flow.outlets[0].retry.attempts = 2;
    handler()->behaviour = REFUSES;
    flow_open_store();
    flow_bring_all("a b c d");
    run_dry();
    assert_owed(0, 4);
    assert_int_equal(handler()->started, 6); /* two pairs, then each alone */
    flow_close();
}

static void
at_the_end_what_waits_is_given_back_untried(void **state)
{
    (void)state;
    prepare(10, HOUR_MS);
    flow_open_store();
    flow_bring_all("a b");
    flow_sleep(5);
    flow_stop(1000);
    assert_int_equal(handler()->started, 0);
    assert_owed(2, 0);
    flow_close_store();
    policy.wait_ms = 0;
    flow_open_store();
    dispatch_start(flow.dispatch);
    await_started(1);
    assert_int_equal(handler()->counts[0], 2);
    assert_int_equal(handler()->attempts[0], 1);
    flow_close();
}

static enum disposition
fail_all(const struct delivery *delivery)
{
    (void)delivery;
    return DISPOSITION_LATER;
}

/* What failed once and what did not are batches of two kinds. */
static void
what_has_failed_goes_with_its_like(void **state)
{
    (void)state;
    prepare(4, 30);
    flow.outlets[0].retry.first_ms = 5;
    flow.outlets[0].retry.cap_ms = 5;
    handler()->judge = fail_all;
    flow_open_store();
    flow_bring_all("a b c d");
    await_started(1);
    handler()->judge = NULL;
    flow_sleep(10);
    flow_bring_all("e f");
    run_dry();
    assert_int_equal(handler()->counts[0], 4);
    for (size_t i = 1; i < handler()->started; i++) {
        assert_int_equal(handler()->counts[i], 2);
    }
    flow_close();
}

static void
a_paused_handler_gives_back_what_waits(void **state)
{
    (void)state;
    prepare(2, HOUR_MS);
    flow.outlets[0].concurrency = 2;
    handler()->behaviour = PAUSES;
    flow_open_store();
    flow_bring_all("a b c");
    await_started(1);
    flow_sleep(20);
    assert_int_equal(handler()->started, 1);
    assert_true(pauses_find(flow.pauses, STORE_HANDLER, flow.outlets[0].number)
                    ->is_paused);
    assert_int_equal(dispatch_running(flow.dispatch), 0);
    assert_owed(3, 0);
    flow_close();
}

static void
no_batch_begins_on_a_lease_that_would_end_in_it(void **state)
{
    (void)state;
    prepare(10, 100);
    flow.outlets[0].lease_ms = 300;
    flow.outlets[0].run_ms = 250;
    flow_open_store();
    flow_bring_all("a");
    flow_sleep(150);
    assert_int_equal(handler()->started, 0);
    flow.outlets[0].run_ms = 0;
    await_started(1);
    assert_int_equal(handler()->attempts[0], 1); /* given back untried */
    flow_close();
}

/* Whatever cannot be made for want of memory is made later. */
static void
running_out_of_memory_loses_no_delivery(void **state)
{
    (void)state;
    struct loop_timer *timer;
    for (long n = 0; n < 12; n++) {
        prepare(2, 1);
        flow.outlets[0].lease_ms = 50;
        handler()->behaviour = HANGS;
        flow_open_store();
        flow_bring_all("a");
        assert_int_equal(
            loop_timer_create(flow.loop, flow_wake, flow.loop, &timer),
            STATUS_OK);
        loop_timer_arm(timer, 5);
        mem_fail_after(n, 0);
        loop_run(flow.loop);
        mem_fail_after(-1, 0);
        loop_timer_destroy(timer);
        handler()->behaviour = SUCCEEDS;
        fake_let_go(handler(), DISPOSITION_DONE);
        run_dry();
        assert_int_equal(handler()->open, 0);
        flow_close();
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_batch_goes_at_once_as_an_array),
        cmocka_unit_test(what_is_not_full_waits_from_its_first),
        cmocka_unit_test(the_same_events_have_the_same_key),
        cmocka_unit_test(a_batch_is_in_order_of_acceptance),
        cmocka_unit_test(a_batch_takes_one_slot),
        cmocka_unit_test(a_batch_keeps_to_its_bytes),
        cmocka_unit_test(one_result_settles_all_in_one_unit),
        cmocka_unit_test(one_bad_event_takes_no_good_one_with_it),
        cmocka_unit_test(an_event_that_fails_to_the_end_dies_alone),
        cmocka_unit_test(a_handler_that_cannot_be_started_costs_an_attempt),
        cmocka_unit_test(at_the_end_what_waits_is_given_back_untried),
        cmocka_unit_test(what_has_failed_goes_with_its_like),
        cmocka_unit_test(a_paused_handler_gives_back_what_waits),
        cmocka_unit_test(no_batch_begins_on_a_lease_that_would_end_in_it),
        cmocka_unit_test(running_out_of_memory_loses_no_delivery),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
