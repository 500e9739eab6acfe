/* SPDX-License-Identifier: MIT */
#include "flowing.h"

#include "flow/attempt.h"

/* ---- conditions to wait for ---- */

static size_t awaited;

static bool
first_has_started(void)
{
    return flow.handlers[0].started >= awaited;
}

static bool
first_hangs(void)
{
    return flow.handlers[0].open >= awaited;
}

static void
await_started(size_t count)
{
    awaited = count;
    flow_run(first_has_started);
}

static void
assert_order(const struct fake_handler *handler, const char *ids)
{
    struct slice rest = slice_of(ids);
    struct slice id;
    size_t at = 0;
    while (slice_split(&rest, ' ', &id)) {
        assert_true(at < handler->started);
        if (!slice_equal_text(id, handler->order[at])) {
            fail_msg("%zu is %s, not %.*s", at, handler->order[at],
                     SLICE_ARG(id));
        }
        at++;
    }
    assert_int_equal(handler->started, at);
}

static void
assert_nothing_owed(size_t handler)
{
    const struct store_figure *figure = flow_ask_store(handler);
    assert_int_equal(figure->pending, 0);
    assert_int_equal(figure->dead, 0);
}

/* ---- the happy path ---- */

static void
an_event_is_started_from_memory_once_it_is_durable(void **state)
{
    (void)state;
    flow_open(1);
    flow_bring("a");
    assert_int_equal(flow.handlers[0].started, 0);
    flow_run(flow_all_judged);
    assert_int_equal(flow.kinds[VERDICT_STORED], 1);
    assert_int_equal(flow.last.fresh, 1);
    /* With the verdict: no claim was needed, nor was the store asked to. */
    assert_order(&flow.handlers[0], "a");
    assert_int_equal(flow.handlers[0].attempts[0], 1);
    flow_stop(1000);
    assert_nothing_owed(0);
    flow_close();
}

/* What whoever looks on has been told: "one a 1 later, one a 2 done, " */
static char told[512];

static void
look_on(void *arg, struct slice handler, const struct attempt *attempt,
        int64_t due_ms)
{
    static const char *const outcomes[] = { [OUTCOME_DONE] = "done",
                                            [OUTCOME_LATER] = "later",
                                            [OUTCOME_DEAD] = "dead",
                                            [OUTCOME_RELEASE] = "release" };
    size_t len = strlen(told);
    assert_ptr_equal(arg, &told);
    assert_int_equal(due_ms > 0, attempt->outcome.kind == OUTCOME_LATER);
    (void)snprintf(told + len, sizeof(told) - len, "%.*s %.*s %u %s, ",
                   SLICE_ARG(handler), SLICE_ARG(attempt->event->id),
                   attempt->delivery.attempt, outcomes[attempt->outcome.kind]);
}

static bool
four_are_told(void)
{
    size_t count = 0;
    for (const char *at = told; (at = strchr(at, ',')) != NULL; at++) {
        count++;
    }
    return count >= 4;
}

static void
whoever_looks_on_is_told_of_each_attempts_end(void **state)
{
    (void)state;
    told[0] = '\0';
    flow_prepare(2);
    flow.watch = (struct watch){ .arg = &told, .settled = look_on };
    flow.handlers[1].behaviour = FAILS;
    flow.outlets[1].concurrency = 2;
    flow_open_store();
    flow_bring_all("a");
    flow_run(four_are_told);
    assert_non_null(strstr(told, "one a 1 done, "));
    const char *last = strstr(told, "two a 1 later, ");
    last = last == NULL ? NULL : strstr(last, "two a 2 later, ");
    assert_non_null(last);
    assert_non_null(strstr(last, "two a 3 dead, "));
    flow_close();
}

static void
each_handler_gets_the_envelope_and_key_or_the_raw_bytes(void **state)
{
    (void)state;
    flow_prepare(2);
    flow.outlets[1].format = FORMAT_RAW;
    flow_open_store();
    flow_bring_all("a.1");
    assert_non_null(
        strstr(flow.handlers[0].last_envelope, "\"source\":\"longstop/shop\""));
    assert_non_null(
        strstr(flow.handlers[0].last_envelope, "\"data\":{\"id\":\"a.1\""));
    assert_string_equal(flow.handlers[0].last_type,
                        "application/cloudevents+json");
    assert_string_equal(flow.handlers[0].last_key, "shop/a%2E1");
    assert_string_equal(flow.handlers[1].last_envelope,
                        "{\"id\":\"a.1\",\"customer\":\"\"}");
    assert_string_equal(flow.handlers[1].last_type, "application/json");
    flow_close();
}

static void
what_finds_no_slot_waits_and_keeps_its_order(void **state)
{
    (void)state;
    flow_open(1);
    flow_bring("a b c d e f g");
    await_started(7);
    assert_order(&flow.handlers[0], "a b c d e f g");
    assert_int_equal(flow.handlers[0].most_open, 1);
    flow_stop(1000);
    assert_nothing_owed(0);
    flow_close();
}

static void
no_more_run_than_the_slots_allow(void **state)
{
    (void)state;
    flow_prepare(1);
    flow.outlets[0].concurrency = 3;
    flow.handlers[0].behaviour = HANGS;
    flow_open_store();
    flow_bring_all("a b");
    flow_bring_all("c d e");
    awaited = 3;
    flow_run(first_hangs);
    assert_int_equal(flow.handlers[0].started, 3);
    flow.handlers[0].behaviour = SUCCEEDS;
    fake_let_go(&flow.handlers[0], DISPOSITION_DONE);
    await_started(5);
    assert_int_equal(flow.handlers[0].most_open, 3);
    flow_stop(1000);
    assert_nothing_owed(0);
    flow_close();
}

static void
more_than_one_claim_takes_a_long_backlog(void **state)
{
    (void)state;
    flow_prepare(1);
    flow.outlets[0].concurrency = 100;
    flow_open_store();
    struct buf ids = { 0 };
    for (int i = 0; i < 300; i++) {
        buf_format(&ids, i == 0 ? "e%d" : " e%d", i);
    }
    flow_bring(buf_slice(&ids).ptr);
    buf_fini(&ids);
    await_started(300);
    flow_stop(1000);
    assert_nothing_owed(0);
    flow_close();
}

static void
a_handler_that_hangs_costs_the_others_nothing(void **state)
{
    (void)state;
    flow_prepare(2);
    flow.handlers[1].behaviour = HANGS;
    flow_open_store();
    flow_bring("a b c");
    await_started(3);
    assert_order(&flow.handlers[0], "a b c");
    assert_order(&flow.handlers[1], "a");
    flow_close();
}

/* What one is owed piles up, another fails all the time: neither is worked off
 * before what a third gets. */
static void
others_that_hang_and_fail_do_not_hold_up_what_is_due(void **state)
{
    (void)state;
    flow_prepare(3);
    flow.handlers[1].behaviour = HANGS;
    flow.handlers[2].behaviour = FAILS;
    flow.outlets[2].retry.attempts = 1000;
    flow.outlets[2].retry.first_ms = 1;
    flow.outlets[2].retry.cap_ms = 1;
    flow.outlets[2].concurrency = 4;
    flow_open_store();
    for (int page = 0; page < 20; page++) {
        struct buf ids = { 0 };
        for (int i = 0; i < 8; i++) {
            buf_format(&ids, i == 0 ? "e%d.%d" : " e%d.%d", page, i);
        }
        size_t failed = flow.handlers[2].started;
        flow_bring(buf_slice(&ids).ptr);
        buf_fini(&ids);
        await_started((size_t)(page + 1) * 8);
        /* While one page came and went, the other did not take all turns. */
        assert_true(flow.handlers[2].started - failed < 200);
    }
    assert_int_equal(flow.handlers[0].most_open, 1);
    assert_int_equal(flow.handlers[1].started, 1);
    assert_int_equal(flow_ask_store(1)->pending, 160);
    flow_close();
}

/* ---- slots ---- */

static void
a_duplicate_gives_its_slot_back(void **state)
{
    (void)state;
    flow_open(1);
    flow_bring_all("a");
    for (int i = 0; i < 5; i++) {
        flow_bring_all("a");
    }
    assert_int_equal(flow.kinds[VERDICT_SEEN], 5);
    flow_bring_all("b");
    await_started(2);
    assert_order(&flow.handlers[0], "a b");
    flow_close();
}

/* The slot is held for an event whose transaction fails, while another event
 * has been stored for want of that slot. */
static void
a_slot_of_what_was_not_stored_serves_what_waits(void **state)
{
    (void)state;
    flow_open(1);
    struct arena arena = { 0 };
    struct arrival *held = flow_page("held", CHANNEL_WEBHOOK, NULL);
    int64_t lease_ms;
    assert_int_equal(dispatch_route(flow.dispatch, &flow.bound.connector,
                                    held->sightings, 1, &arena, &lease_ms),
                     STATUS_OK);
    assert_true(held->sightings[0].owed[0].hot);
    flow_bring_all("waits");
    flow_sleep(20);
    assert_int_equal(flow.handlers[0].started, 0);
    dispatch_dropped(flow.dispatch, held->sightings, 1);
    await_started(1);
    assert_order(&flow.handlers[0], "waits");
    arrival_destroy(held);
    arena_fini(&arena);
    flow_close();
}

static void
routing_without_memory_holds_no_slot(void **state)
{
    (void)state;
    flow_open(2);
    struct arrival *arrival = flow_page("a b", CHANNEL_WEBHOOK, NULL);
    enum status status = STATUS_NOMEM;
    int64_t lease_ms;
    for (long n = 0; status != STATUS_OK; n++) {
        struct arena arena = { 0 };
        mem_fail_after(n, 0);
        status = dispatch_route(flow.dispatch, &flow.bound.connector,
                                arrival->sightings, 2, &arena, &lease_ms);
        mem_fail_after(-1, 0);
        if (status == STATUS_OK) {
            assert_true(arrival->sightings[0].owed[0].hot);
            assert_true(arrival->sightings[0].owed[1].hot);
            dispatch_dropped(flow.dispatch, arrival->sightings, 2);
        } else {
            assert_int_equal(status, STATUS_NOMEM);
        }
        arena_fini(&arena);
    }
    arrival_destroy(arrival);
    flow_close();
}

/* Stores one event with a slot held for it; returns its arrival. */
static struct arrival *
store_held(int64_t *ret_lease_until_ms)
{
    struct arrival *arrival = flow_page("a", CHANNEL_WEBHOOK, NULL);
    assert_int_equal(dispatch_route(flow.dispatch, &flow.bound.connector,
                                    arrival->sightings, 1, &arrival->arena,
                                    ret_lease_until_ms),
                     STATUS_OK);
    struct store_call call = {
        .kind = STORE_CALL_UNIT,
        .done = flow_figures_came,
        .unit = { .connector = flow.bound.connector.id,
                  .sightings = arrival->sightings,
                  .sighting_count = 1,
                  .lease_until_ms = *ret_lease_until_ms },
    };
    flow.figured = false;
    assert_int_equal(store_worker_submit(flow.worker, &call), STATUS_OK);
    flow_run(flow_has_figures);
    return arrival;
}

/* Whatever allocation fails, the event is delivered: from memory, or once its
 * lease has ended. */
static void
an_event_that_cannot_be_made_is_claimed_later(void **state)
{
    (void)state;
    for (long n = 0; n < 6; n++) {
        flow_prepare(1);
        flow.outlets[0].lease_ms = 50;
        flow_open_store();
        int64_t lease_until_ms;
        struct arrival *arrival = store_held(&lease_until_ms);
        mem_fail_after(n, 0);
        dispatch_stored(flow.dispatch, &flow.bound.connector,
                        arrival->sightings, 1, INT64_MAX);
        mem_fail_after(-1, 0);
        arrival_destroy(arrival);
        if (flow.handlers[0].started == 0) {
            await_started(1);
        }
        flow_stop(1000);
        flow_close();
    }
}

/* A machine that slept while the store answered holds leases that are over: the
 * next attempt could begin beside this one. */
static void
no_attempt_begins_on_a_lease_that_is_over(void **state)
{
    (void)state;
    flow_prepare(1);
    flow.outlets[0].lease_ms = 200;
    flow_open_store();
    int64_t lease_until_ms;
    struct arrival *arrival = store_held(&lease_until_ms);
    dispatch_stored(flow.dispatch, &flow.bound.connector, arrival->sightings, 1,
                    clock_steady_ms() - 1);
    arrival_destroy(arrival);
    assert_int_equal(flow.handlers[0].started, 0);
    await_started(1); /* claimed, when the lease has ended in the store too */
    flow_stop(1000);
    flow_close();
}

/* ---- failures ---- */

static void
a_failure_is_tried_again_when_it_is_due(void **state)
{
    (void)state;
    flow_prepare(1);
    flow.handlers[0].behaviour = FAILS;
    flow_open_store();
    flow_bring("a");
    await_started(1);
    flow.handlers[0].behaviour = SUCCEEDS;
    await_started(2);
    assert_int_equal(flow.handlers[0].attempts[1], 2);
    flow_stop(1000);
    assert_nothing_owed(0);
    flow_close();
}

static void
a_failure_does_not_hold_up_what_comes_behind_it(void **state)
{
    (void)state;
    flow_prepare(1);
    flow.outlets[0].retry.first_ms = 86400000;
    flow.outlets[0].retry.cap_ms = 86400000;
    flow.handlers[0].behaviour = FAILS;
    flow_open_store();
    flow_bring("a");
    await_started(1);
    flow.handlers[0].behaviour = SUCCEEDS;
    flow_sleep(30);
    flow_bring_all("b");
    await_started(2);
    assert_order(&flow.handlers[0], "a b");
    flow_close();
}

static bool
is_dead(void)
{
    return metric_value(telemetry_of_handler(&flow.telemetry, slice_of("one"))
                            .deliveries[DELIVERY_DEAD]) > 0;
}

static void
a_delivery_that_always_fails_becomes_a_dead_letter(void **state)
{
    (void)state;
    flow_prepare(1);
    flow.handlers[0].behaviour = FAILS;
    flow_open_store();
    flow_bring("a");
    flow_run(is_dead);
    assert_int_equal(flow.handlers[0].started, 3);
    flow_stop(1000);
    const struct store_figure *figure = flow_ask_store(0);
    assert_int_equal(figure->pending, 0);
    assert_int_equal(figure->dead, 1);
    flow_close();
}

static void
a_handler_may_kill_a_delivery_at_once(void **state)
{
    (void)state;
    flow_prepare(1);
    flow.handlers[0].behaviour = KILLS;
    flow_open_store();
    flow_bring("a");
    flow_run(is_dead);
    assert_int_equal(flow.handlers[0].started, 1);
    flow_close();
}

/* Each of them fails before a handler runs: their slots are free at once, while
 * the rest of the same claim still waits to be started. */
static void
handlers_that_cannot_start_count_as_failed_attempts(void **state)
{
    (void)state;
    flow_prepare(1);
    flow.outlets[0].concurrency = 4;
    flow.handlers[0].behaviour = REFUSES;
    flow_open_store();
    flow_bring_all("a b c d e f g h i j");
    await_started(30);
    flow_run(is_dead);
    flow_stop(1000);
    const struct store_figure *figure = flow_ask_store(0);
    assert_int_equal(figure->pending, 0);
    assert_int_equal(figure->dead, 10);
    flow_close();
}

static void
an_event_of_a_connector_that_is_gone_is_a_failed_attempt(void **state)
{
    (void)state;
    flow_prepare(1);
    flow.handlers[0].behaviour = FAILS;
    flow_open_store();
    flow_bring("a");
    await_started(1);
    flow.bound.connector.id += 7; /* as if it were another one */
    flow_run(is_dead);
    assert_int_equal(flow.handlers[0].started, 1);
    flow_close();
}

static void
a_paused_handler_is_left_alone(void **state)
{
    (void)state;
    flow_prepare(2);
    flow.handlers[0].behaviour = PAUSES;
    flow_open_store();
    flow_bring_all("a");
    flow_bring_all("b c");
    flow_sleep(100);
    assert_order(&flow.handlers[0], "a");
    assert_int_equal(flow.handlers[1].started, 3);
    assert_int_equal(flow_ask_store(0)->pending, 3);
    flow_close();
}

/* ---- lanes ---- */

static void
order_by_customer(void)
{
    struct outlet_settings *outlet = &flow.outlets[0];
    outlet->concurrency = 8;
    outlet->route.order_by = slice_of("/data/customer");
    assert_int_equal(json_path_compile(slice_of("data.customer"),
                                       &flow.bound.arena,
                                       &outlet->route.order_path, NULL),
                     STATUS_OK);
}

static void
deliveries_of_one_lane_run_one_at_a_time_and_in_order(void **state)
{
    (void)state;
    flow_prepare(1);
    order_by_customer();
    flow.handlers[0].behaviour = HANGS;
    flow_open_store();
    flow_submit(flow_page("a b c", CHANNEL_WEBHOOK, "x"));
    flow_submit(flow_page("d e", CHANNEL_WEBHOOK, "y"));
    awaited = 2;
    flow_run(first_hangs);
    flow_sleep(30);
    assert_order(&flow.handlers[0], "a d");
    fake_let_go(&flow.handlers[0], DISPOSITION_DONE);
    await_started(4);
    assert_order(&flow.handlers[0], "a d b e");
    fake_let_go(&flow.handlers[0], DISPOSITION_DONE);
    await_started(5);
    fake_let_go(&flow.handlers[0], DISPOSITION_DONE);
    assert_order(&flow.handlers[0], "a d b e c");
    flow_close();
}

/* The configuration may lose its order_by while a lane is owed. */
static void
a_lane_goes_on_when_its_handler_has_no_order_any_more(void **state)
{
    (void)state;
    flow_prepare(1);
    order_by_customer();
    flow.owe_only = true;
    flow_open_store();
    flow_submit(flow_page("a b c", CHANNEL_WEBHOOK, "x"));
    flow_run(flow_all_judged);
    flow_close_store();
    flow.owe_only = false;
    flow.outlets[0].route.order_by = (struct slice){ NULL, 0 };
    flow.outlets[0].route.order_path = NULL;
    flow_open_store();
    dispatch_start(flow.dispatch);
    await_started(3);
    assert_order(&flow.handlers[0], "a b c");
    flow_stop(1000);
    assert_nothing_owed(0);
    flow_close();
}

static void
drop_came(struct store_call *call)
{
    assert_int_equal(call->status, STATUS_OK);
    flow.figured = true;
}

/* Retention lets the letter go that holds the lane. */
static void
a_lane_that_was_held_goes_on_when_dispatch_is_told(void **state)
{
    (void)state;
    flow_prepare(1);
    order_by_customer();
    flow.outlets[0].concurrency = 1;
    flow.handlers[0].behaviour = KILLS;
    flow.dead_hold = true;
    flow_open_store();
    flow_submit(flow_page("a b", CHANNEL_WEBHOOK, "x"));
    await_started(1);
    for (int i = 0; i < 1000 && flow_ask_store(0)->dead == 0; i++) {
        flow_sleep(1);
    }
    flow_sleep(20);
    assert_order(&flow.handlers[0], "a");
    struct store_call call = { .kind = STORE_CALL_PRUNE,
                               .done = drop_came,
                               .prune = { .dead_before_ms = INT64_MAX,
                                          .limit = 10 } };
    flow.handlers[0].behaviour = SUCCEEDS;
    flow.figured = false;
    assert_int_equal(store_worker_submit(flow.worker, &call), STATUS_OK);
    flow_run(flow_has_figures);
    dispatch_again(flow.dispatch);
    await_started(2);
    assert_order(&flow.handlers[0], "a b");
    flow_close();
}

/* ---- others who share the store ---- */

static void
what_others_have_stored_is_found_by_a_look(void **state)
{
    (void)state;
    flow_open(1);
    struct arrival *arrival = flow_page("a", CHANNEL_WEBHOOK, NULL);
    struct owed owed = { .handler = flow.outlets[0].number };
    struct store_call call = {
        .kind = STORE_CALL_UNIT,
        .done = flow_figures_came,
        .unit = { .connector = flow.bound.connector.id,
                  .sightings = arrival->sightings,
                  .sighting_count = 1 },
    };
    arrival->sightings[0].owed = &owed;
    arrival->sightings[0].owed_count = 1;
    flow.figured = false;
    assert_int_equal(store_worker_submit(flow.worker, &call), STATUS_OK);
    flow_run(flow_has_figures);
    flow_sleep(20);
    assert_int_equal(flow.handlers[0].started, 0);
    dispatch_look(flow.dispatch);
    await_started(1);
    arrival_destroy(arrival);
    flow_stop(1000);
    flow_close();
}

static void
count_one(void *arg)
{
    (*(int *)arg)++;
}

static void
they_are_told_of_what_finds_no_free_slot(void **state)
{
    int waiting = 0;
    (void)state;
    flow_prepare(1);
    flow.outlets[0].concurrency = 1;
    flow.handlers[0].behaviour = HANGS;
    flow_open_store();
    dispatch_on_waiting(flow.dispatch, count_one, &waiting);
    flow_bring_all("a");
    awaited = 1;
    flow_run(first_hangs);
    assert_int_equal(waiting, 0);
    flow_bring_all("b");
    assert_int_equal(waiting, 1);
    flow_stop(0);
    flow_close();
}

/* ---- start and stop ---- */

static void
what_an_earlier_run_owed_is_delivered_at_the_start(void **state)
{
    (void)state;
    flow_prepare(1);
    flow.owe_only = true;
    flow_open_store();
    flow_bring_all("a b c");
    assert_int_equal(flow.handlers[0].started, 0);
    flow_close_store();
    flow.owe_only = false;
    flow_open_store();
    dispatch_start(flow.dispatch);
    await_started(3);
    assert_order(&flow.handlers[0], "a b c");
    assert_int_equal(flow.handlers[0].attempts[0], 1);
    flow_stop(1000);
    assert_nothing_owed(0);
    flow_close();
}

static void
outlets_without_a_handler_are_stood(void **state)
{
    (void)state;
    flow_prepare(1);
    flow.owe_only = true;
    flow.outlets[0].handler = NULL;
    flow_open_store();
    flow_bring_all("a");
    dispatch_reopen(flow.dispatch);
    dispatch_cancel(flow.dispatch);
    flow_close();
}

static void
a_stop_waits_for_what_runs(void **state)
{
    (void)state;
    flow_prepare(1);
    flow.handlers[0].behaviour = HANGS;
    flow_open_store();
    flow_bring_all("a b");
    assert_int_equal(dispatch_running(flow.dispatch), 1);
    dispatch_stop(flow.dispatch, 60000, flow_says_stopped, NULL);
    flow_sleep(20);
    assert_false(flow.stopped);
    fake_let_go(&flow.handlers[0], DISPOSITION_DONE);
    flow_run(flow_is_stopped);
    assert_int_equal(flow.handlers[0].cancels, 0);
    assert_order(&flow.handlers[0], "a");
    assert_int_equal(flow_ask_store(0)->pending, 1);
    flow_close();
}

static void
a_stop_waits_for_handlers_that_let_go_of_something(void **state)
{
    (void)state;
    flow_prepare(1);
    flow.handlers[0].keeps = true;
    flow_open_store();
    dispatch_stop(flow.dispatch, 60000, flow_says_stopped, NULL);
    flow_sleep(20);
    assert_false(flow.stopped);
    assert_int_equal(dispatch_running(flow.dispatch), 1);
    flow.handlers[0].closed(flow.handlers[0].closed_arg);
    assert_true(flow.stopped);
    assert_int_equal(dispatch_running(flow.dispatch), 0);
    flow_close();
}

static void
a_stop_releases_what_does_not_end_in_time(void **state)
{
    (void)state;
    flow_prepare(1);
    flow.handlers[0].behaviour = HANGS;
    flow_open_store();
    flow_bring_all("a");
    flow_stop(20);
    assert_int_equal(flow.handlers[0].cancels, 1);
    assert_int_equal(flow_ask_store(0)->pending, 1);
    flow_close_store();
    /* Given back untried: it is due at once, and as its first attempt. */
    flow.handlers[0].behaviour = SUCCEEDS;
    flow_open_store();
    dispatch_start(flow.dispatch);
    await_started(2);
    assert_int_equal(flow.handlers[0].attempts[1], 1);
    flow_close();
}

static void
a_stop_gives_back_what_was_being_claimed(void **state)
{
    (void)state;
    flow_prepare(1);
    flow.owe_only = true;
    flow_open_store();
    flow_bring_all("a");
    flow_close_store();
    flow.owe_only = false;
    flow_open_store();
    dispatch_start(flow.dispatch);
    flow_stop(60000);
    assert_int_equal(flow.handlers[0].started, 0);
    const struct store_figure *figure = flow_ask_store(0);
    assert_int_equal(figure->pending, 1);
    assert_true(figure->next_due_ms <= clock_unix_ms());
    flow_close();
}

static void
what_is_stored_after_the_stop_is_given_back(void **state)
{
    (void)state;
    flow_open(1);
    flow_bring("a");
    flow_stop(1000);
    flow_run(flow_all_judged);
    assert_int_equal(flow.kinds[VERDICT_STORED], 1);
    assert_int_equal(flow.handlers[0].started, 0);
    flow_close_store();
    flow_open_store();
    dispatch_start(flow.dispatch);
    await_started(1);
    assert_int_equal(flow.handlers[0].attempts[0], 1);
    flow_close();
}

static void
files_are_reopened(void **state)
{
    (void)state;
    flow_open(2);
    dispatch_reopen(flow.dispatch);
    assert_int_equal(flow.handlers[0].reopens, 1);
    assert_int_equal(flow.handlers[1].reopens, 1);
    flow_close();
}

static void
the_gauges_say_what_the_store_counted(void **state)
{
    (void)state;
    flow_open(1);
    const struct telemetry_handler counts =
        telemetry_of_handler(&flow.telemetry, slice_of("one"));
    const struct store_figure figures[] = {
        { .handler = flow.outlets[0].number, .pending = 5, .oldest_ms = 1000 },
        { .handler = 4711, .pending = 9 },
    };
    dispatch_gauge(flow.dispatch, figures, 2, 3500);
    assert_true(metric_value(counts.pending) == 5);
    assert_true(metric_value(counts.oldest_pending) == 2.5);
    flow_close();
}

static void
creating_it_survives_every_failed_allocation(void **state)
{
    (void)state;
    flow_open(2);
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK; n++) {
        struct dispatch *dispatch;
        const struct dispatch_settings settings = {
            .outlets = flow.outlets,
            .outlet_count = flow.outlet_count,
            .connectors = &flow.bound.connector,
            .connector_count = 1,
            .telemetry = &flow.telemetry,
        };
        mem_fail_after(n, 0);
        status = dispatch_create(flow.loop, flow.worker, &settings, &dispatch);
        mem_fail_after(-1, 0);
        if (status == STATUS_OK) {
            dispatch_destroy(dispatch);
        }
    }
    dispatch_destroy(NULL);
    flow_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_started_from_memory_once_it_is_durable),
        cmocka_unit_test(
            each_handler_gets_the_envelope_and_key_or_the_raw_bytes),
        cmocka_unit_test(what_finds_no_slot_waits_and_keeps_its_order),
        cmocka_unit_test(no_more_run_than_the_slots_allow),
        cmocka_unit_test(more_than_one_claim_takes_a_long_backlog),
        cmocka_unit_test(a_handler_that_hangs_costs_the_others_nothing),
        cmocka_unit_test(others_that_hang_and_fail_do_not_hold_up_what_is_due),
        cmocka_unit_test(a_duplicate_gives_its_slot_back),
        cmocka_unit_test(a_slot_of_what_was_not_stored_serves_what_waits),
        cmocka_unit_test(routing_without_memory_holds_no_slot),
        cmocka_unit_test(an_event_that_cannot_be_made_is_claimed_later),
        cmocka_unit_test(no_attempt_begins_on_a_lease_that_is_over),
        cmocka_unit_test(a_failure_is_tried_again_when_it_is_due),
        cmocka_unit_test(a_failure_does_not_hold_up_what_comes_behind_it),
        cmocka_unit_test(a_delivery_that_always_fails_becomes_a_dead_letter),
        cmocka_unit_test(a_handler_may_kill_a_delivery_at_once),
        cmocka_unit_test(handlers_that_cannot_start_count_as_failed_attempts),
        cmocka_unit_test(
            an_event_of_a_connector_that_is_gone_is_a_failed_attempt),
        cmocka_unit_test(a_paused_handler_is_left_alone),
        cmocka_unit_test(deliveries_of_one_lane_run_one_at_a_time_and_in_order),
        cmocka_unit_test(a_lane_goes_on_when_its_handler_has_no_order_any_more),
        cmocka_unit_test(a_lane_that_was_held_goes_on_when_dispatch_is_told),
        cmocka_unit_test(what_others_have_stored_is_found_by_a_look),
        cmocka_unit_test(they_are_told_of_what_finds_no_free_slot),
        cmocka_unit_test(what_an_earlier_run_owed_is_delivered_at_the_start),
        cmocka_unit_test(outlets_without_a_handler_are_stood),
        cmocka_unit_test(a_stop_waits_for_what_runs),
        cmocka_unit_test(a_stop_waits_for_handlers_that_let_go_of_something),
        cmocka_unit_test(a_stop_releases_what_does_not_end_in_time),
        cmocka_unit_test(a_stop_gives_back_what_was_being_claimed),
        cmocka_unit_test(what_is_stored_after_the_stop_is_given_back),
        cmocka_unit_test(whoever_looks_on_is_told_of_each_attempts_end),
        cmocka_unit_test(files_are_reopened),
        cmocka_unit_test(the_gauges_say_what_the_store_counted),
        cmocka_unit_test(creating_it_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
