/* SPDX-License-Identifier: MIT */
#include "flowing.h"

#include "flow/errands.h"
#include "model/event.h"
#include "store/store_reader.h"

/* Numbers of events begin with the ms of their acceptance. */
#define EVENT_MS_SHIFT 20

/* What is above every number that a test makes. */
#define ALL ((uint64_t)1 << 62)

static struct {
    struct store_reader *reader;
    struct errands *errands;
    struct store_call call;
    bool told;
    size_t awaited;
    size_t handler;
    int64_t open_most;
} at;

/* ---- opening ---- */

static void
open_errands(void)
{
    struct store_view *view;
    struct error err = { "" };
    assert_int_equal(store_view_open(flow.url, &view, &err), STATUS_OK);
    assert_int_equal(store_reader_create(flow.loop, view, &at.reader, &err),
                     STATUS_OK);
    const struct errands_settings settings = {
        .dispatch = flow.dispatch,
        .reader = at.reader,
        .connectors = &flow.bound.connector,
        .connector_count = 1,
        .open_most = at.open_most,
    };
    assert_int_equal(
        errands_create(flow.loop, flow.worker, &settings, &at.errands),
        STATUS_OK);
    errands_look(at.errands);
}

static void
prepare(size_t handlers)
{
    memset(&at, 0, sizeof(at));
    at.open_most = 1000;
    flow_prepare(handlers);
    for (size_t i = 0; i < handlers; i++) {
        flow.outlets[i].concurrency = 64;
    }
}

static void
open_all(void)
{
    flow_open_store();
    open_errands();
    dispatch_start(flow.dispatch);
}

/* In the order in which the agent ends. */
static void
close_errands(void)
{
    errands_stop(at.errands);
    store_reader_destroy(at.reader);
}

static void
close_all(void)
{
    close_errands();
    flow_close_store();
    errands_destroy(at.errands);
    flow_close_loop();
}

static void
restart(void)
{
    close_errands();
    flow_close_store();
    errands_destroy(at.errands);
    open_all();
}

/* ---- errands ---- */

static void
again_came(struct store_call *call)
{
    assert_true(call == &at.call);
    at.told = true;
}

static bool
is_told(void)
{
    return at.told;
}

static void
ask(struct store_again again)
{
    at.call = (struct store_call){ .kind = STORE_CALL_AGAIN,
                                   .done = again_came,
                                   .again = again };
    at.told = false;
    assert_int_equal(store_worker_submit(flow.worker, &at.call), STATUS_OK);
    flow_run(is_told);
}

/* Stores an errand, as who asks for one does; returns its number. */
static uint64_t
begin(struct errand errand)
{
    struct buf text = { 0 };
    errand.last = errand.last == 0 ? ALL : errand.last;
    errand.began_ms = clock_unix_ms();
    errand_encode(&errand, &text);
    ask((struct store_again){ .kind = errand.kind, .state = buf_slice(&text) });
    assert_int_equal(at.call.status, STATUS_OK);
    buf_fini(&text);
    errands_look(at.errands);
    return at.call.again.errand;
}

/* How many the errand has done and passed over, and whether it goes on. */
static void
assert_went(uint64_t number, int64_t done, int64_t skipped)
{
    for (int i = 0; i < 2000; i++) {
        ask((struct store_again){ .errand = number });
        if (at.call.again.all_done + at.call.again.all_skipped >=
            done + skipped) {
            break;
        }
        flow_sleep(1);
    }
    assert_int_equal(at.call.again.all_done, done);
    assert_int_equal(at.call.again.all_skipped, skipped);
}

static bool
has_started(void)
{
    return flow.handlers[at.handler].started >= at.awaited;
}

static void
await_started(size_t handler, size_t count)
{
    at.handler = handler;
    at.awaited = count;
    flow_run(has_started);
}

static void
run_dry(size_t handler)
{
    for (int i = 0; i < 2000 && flow_ask_store(handler)->pending > 0; i++) {
        flow_sleep(1);
    }
    assert_int_equal(flow.figure.pending, 0);
}

/* `count` events that are delivered; their ids begin with the letter. */
static void
bring_many(char letter, size_t count)
{
    struct buf ids = { 0 };
    for (size_t i = 0; i < count; i++) {
        buf_format(&ids, "%s%c%zu", i == 0 ? "" : " ", letter, i);
    }
    buf_byte(&ids, '\0');
    assert_int_equal(buf_status(&ids), STATUS_OK);
    flow_bring_all(ids.ptr);
    buf_fini(&ids);
}

/* ---- tests ---- */

static void
a_replay_hands_old_events_to_all_handlers_once_more_and_says_so(void **state)
{
    (void)state;
    prepare(2);
    open_all();
    flow_bring_all("a b c");
    await_started(0, 3);
    await_started(1, 3);
    assert_null(strstr(flow.handlers[1].last_envelope, "\"replay\""));
    uint64_t number = begin((struct errand){ .kind = AGAIN_REPLAY });
    await_started(0, 6);
    await_started(1, 6);
    assert_non_null(strstr(flow.handlers[1].last_envelope, "\"replay\""));
    assert_went(number, 6, 0);
    run_dry(0);
    run_dry(1);
    /* What was replayed is known as ever. */
    flow_bring_all("a");
    flow_sleep(20);
    assert_int_equal(flow.handlers[0].started, 6);
    close_all();
}

static void
a_replay_to_one_handler_leaves_the_others_alone(void **state)
{
    (void)state;
    prepare(2);
    open_all();
    flow_bring_all("a b");
    await_started(0, 2);
    await_started(1, 2);
    struct errand errand = { .kind = AGAIN_REPLAY };
    errand.filter.handler = slice_of("two");
    assert_went(begin(errand), 2, 0);
    await_started(1, 4);
    run_dry(1);
    flow_sleep(20);
    assert_int_equal(flow.handlers[0].started, 2);
    close_all();
}

static void
events_that_are_younger_than_the_errand_are_not_replayed(void **state)
{
    (void)state;
    prepare(1);
    open_all();
    flow_bring_all("old");
    await_started(0, 1);
    flow_sleep(5);
    uint64_t last = (uint64_t)clock_unix_ms() << EVENT_MS_SHIFT;
    flow_sleep(5);
    flow_bring_all("young");
    await_started(0, 2);
    assert_went(begin((struct errand){ .kind = AGAIN_REPLAY, .last = last }), 1,
                0);
    await_started(0, 3);
    run_dry(0);
    flow_sleep(20);
    assert_int_equal(flow.handlers[0].started, 3);
    assert_string_equal(flow.handlers[0].order[2], "old");
    close_all();
}

static void
dead_letters_are_tried_again_or_dropped_by_reason(void **state)
{
    (void)state;
    prepare(1);
    flow.handlers[0].behaviour = KILLS;
    open_all();
    flow_bring_all("a b");
    await_started(0, 2);
    run_dry(0);
    assert_int_equal(flow.figure.dead, 2);
    flow.handlers[0].behaviour = SUCCEEDS;
    struct errand errand = { .kind = AGAIN_RETRY };
    errand.filter.reason = slice_of("no such words");
    assert_went(begin(errand), 0, 0);
    errand.filter.reason = slice_of("exit 65");
    assert_went(begin(errand), 2, 0);
    await_started(0, 4);
    run_dry(0);
    assert_int_equal(flow.figure.dead, 0);
    assert_int_equal(flow.handlers[0].attempts[2], 2);

    flow.handlers[0].behaviour = KILLS;
    flow_bring_all("c");
    await_started(0, 5);
    run_dry(0);
    assert_went(begin((struct errand){ .kind = AGAIN_DROP }), 1, 0);
    assert_int_equal(flow_ask_store(0)->dead, 0);
    assert_int_equal(flow.handlers[0].started, 5);
    close_all();
}

static void
letters_of_a_handler_that_is_gone_are_passed_over(void **state)
{
    (void)state;
    prepare(2);
    flow.handlers[0].behaviour = KILLS;
    flow.handlers[1].behaviour = KILLS;
    open_all();
    flow_bring_all("a");
    await_started(0, 1);
    await_started(1, 1);
    run_dry(0);
    run_dry(1);
    flow.handlers[0].behaviour = SUCCEEDS;
    flow.outlet_count = 1;
    restart();
    assert_went(begin((struct errand){ .kind = AGAIN_RETRY }), 1, 1);
    run_dry(0);
    close_all();
}

static void
errands_of_a_lease_that_is_not_held_wait_for_it(void **state)
{
    (void)state;
    prepare(1);
    open_all();
    bring_many('e', 5);
    await_started(0, 5);
    run_dry(0);
    errands_hold(at.errands, false, 0);
    uint64_t number = begin((struct errand){ .kind = AGAIN_REPLAY });
    flow_sleep(40);
    assert_int_equal(flow.handlers[0].started, 5);
    errands_hold(at.errands, true, 7);
    assert_went(number, 5, 0);
    await_started(0, 10);
    run_dry(0);
    close_all();
}

/* Lost and held again while slices are read and stored, and while errands are
 * looked for: each event comes once, whoever has done the slice before. */
static void
an_errand_goes_on_from_where_it_is_whenever_the_lease_changes(void **state)
{
    (void)state;
    prepare(1);
    at.open_most = 3; /* so that there are many slices */
    open_all();
    bring_many('e', 40);
    await_started(0, 40);
    run_dry(0);
    uint64_t number = begin((struct errand){ .kind = AGAIN_REPLAY });
    for (uint64_t fence = 1; flow.handlers[0].started < 80; fence++) {
        errands_hold(at.errands, fence % 2 == 0, fence);
        flow_sleep(fence % 2 == 0 ? (int64_t)(fence % 13) : 1);
        assert_true(fence < 5000);
    }
    errands_hold(at.errands, true, 5001);
    assert_went(number, 40, 0);
    run_dry(0);
    assert_int_equal(flow.handlers[0].started, 80);
    close_all();
}

/* As many are open as may be; the others follow as those end. */
static void
no_more_are_open_than_may_be_and_the_rest_follow(void **state)
{
    (void)state;
    prepare(1);
    at.open_most = 3;
    open_all();
    bring_many('e', 10);
    await_started(0, 10);
    run_dry(0);
    flow.handlers[0].behaviour = HANGS;
    (void)begin((struct errand){ .kind = AGAIN_REPLAY });
    await_started(0, 13);
    flow_sleep(150);
    assert_int_equal(flow.handlers[0].started, 13);
    flow.handlers[0].behaviour = SUCCEEDS;
    fake_let_go(&flow.handlers[0], DISPOSITION_DONE);
    await_started(0, 20);
    run_dry(0);
    close_all();
}

static void
an_errand_keeps_its_rate_and_goes_on_after_a_restart(void **state)
{
    (void)state;
    prepare(1);
    at.open_most = 4;
    open_all();
    bring_many('e', 10);
    await_started(0, 10);
    run_dry(0);
    uint64_t number = begin((struct errand){
        .kind = AGAIN_REPLAY, .rate = 20, .rate_per_ms = 1000 });
    await_started(0, 12);
    assert_true(flow.handlers[0].started < 20);
    restart();
    assert_went(number, 10, 0);
    await_started(0, 20);
    run_dry(0);
    flow_sleep(20);
    /* None twice: what was with its handler at the end was let go untried. */
    assert_true(flow.handlers[0].started <= 20 + 4);
    close_all();
}

static void
a_cancelled_errand_does_no_more(void **state)
{
    (void)state;
    prepare(1);
    at.open_most = 2;
    open_all();
    bring_many('e', 6);
    await_started(0, 6);
    run_dry(0);
    flow.handlers[0].behaviour = HANGS;
    uint64_t number = begin((struct errand){ .kind = AGAIN_REPLAY });
    await_started(0, 8);
    ask((struct store_again){ .errand = number, .is_over = true });
    assert_int_equal(at.call.status, STATUS_OK);
    flow.handlers[0].behaviour = SUCCEEDS;
    fake_let_go(&flow.handlers[0], DISPOSITION_DONE);
    run_dry(0);
    flow_sleep(150);
    assert_int_equal(flow.handlers[0].started, 8);
    close_all();
}

/* Full ones, at once, and never with what comes for the first time. */
static void
what_is_replayed_goes_in_batches_of_its_own(void **state)
{
    (void)state;
    static const struct gather_policy policy = { .max = 5,
                                                 .wait_ms = INSTANT_HOUR_MS,
                                                 .bytes = 1 << 20 };
    prepare(1);
    flow.outlets[0].concurrency = 1;
    flow.outlets[0].batch = &policy;
    open_all();
    bring_many('e', 20);
    await_started(0, 4);
    run_dry(0);
    flow_sleep(5);
    uint64_t last = (uint64_t)clock_unix_ms() << EVENT_MS_SHIFT;
    flow_sleep(5);
    flow_bring_all("f1 f2");
    (void)begin((struct errand){ .kind = AGAIN_REPLAY, .last = last });
    await_started(0, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(flow.handlers[0].counts[i], 5);
    }
    flow_bring_all("f3 f4 f5");
    await_started(0, 9);
    assert_string_equal(flow.handlers[0].order[8], "f1");
    assert_int_equal(flow.handlers[0].counts[8], 5);
    run_dry(0);
    close_all();
}

static void
memory_that_runs_out_makes_none(void **state)
{
    (void)state;
    prepare(1);
    flow_open_store();
    const struct errands_settings settings = { .dispatch = flow.dispatch,
                                               .open_most = 1 };
    struct errands *errands = NULL;
    enum status status = STATUS_NOMEM;
    long n = 0;
    for (; status != STATUS_OK && n < 10; n++) {
        mem_fail_after(n, 0);
        status = errands_create(flow.loop, flow.worker, &settings, &errands);
        mem_fail_after(-1, 0);
    }
    assert_int_equal(status, STATUS_OK);
    assert_true(n > 2);
    errands_stop(NULL);
    errands_destroy(NULL);
    flow_close_store();
    errands_destroy(errands);
    flow_close_loop();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_replay_hands_old_events_to_all_handlers_once_more_and_says_so),
        cmocka_unit_test(a_replay_to_one_handler_leaves_the_others_alone),
        cmocka_unit_test(
            events_that_are_younger_than_the_errand_are_not_replayed),
        cmocka_unit_test(dead_letters_are_tried_again_or_dropped_by_reason),
        cmocka_unit_test(letters_of_a_handler_that_is_gone_are_passed_over),
        cmocka_unit_test(errands_of_a_lease_that_is_not_held_wait_for_it),
        cmocka_unit_test(
            an_errand_goes_on_from_where_it_is_whenever_the_lease_changes),
        cmocka_unit_test(no_more_are_open_than_may_be_and_the_rest_follow),
        cmocka_unit_test(an_errand_keeps_its_rate_and_goes_on_after_a_restart),
        cmocka_unit_test(a_cancelled_errand_does_no_more),
        cmocka_unit_test(what_is_replayed_goes_in_batches_of_its_own),
        cmocka_unit_test(memory_that_runs_out_makes_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
