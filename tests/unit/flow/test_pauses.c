/* SPDX-License-Identifier: MIT */
#include "flowing.h"

static struct {
    size_t calls;
    enum status status;
} told;

static void
done(void *arg, enum status status, const struct error *err)
{
    (void)arg;
    (void)err;
    told.calls++;
    told.status = status;
}

static bool
is_told(void)
{
    return told.calls > 0;
}

static const struct pause *
pause_of(size_t handler)
{
    return pauses_find(flow.pauses, STORE_HANDLER,
                       flow.outlets[handler].number);
}

static void
change(bool is_paused, const char *reason)
{
    told.calls = 0;
    assert_int_equal(pauses_change(flow.pauses, pause_of(0), is_paused,
                                   slice_of(reason), done, NULL),
                     STATUS_OK);
    assert_int_equal(told.calls, 0);
    flow_run(is_told);
    assert_int_equal(told.status, STATUS_OK);
}

static double
gauge(void)
{
    return metric_value(
        telemetry_paused(&flow.telemetry, true, slice_of("one")));
}

/* The attempts that a test waits for. */
static size_t wanted[2];

static bool
as_many_have_started(void)
{
    return flow.handlers[0].started >= wanted[0] &&
           flow.handlers[1].started >= wanted[1];
}

static void
until_started(size_t first, size_t second)
{
    wanted[0] = first;
    wanted[1] = second;
    flow_run(as_many_have_started);
}

static void
nothing_is_given_to_a_paused_handler_until_it_is_resumed(void **state)
{
    (void)state;
    flow_open(2);
    change(true, "by me");
    assert_true(pause_of(0)->is_paused);
    assert_true(slice_equal_text(buf_slice(&pause_of(0)->reason), "by me"));
    assert_true(gauge() == 1);
    flow_bring_all("a b c");
    until_started(0, 3);
    flow_sleep(50);
    assert_int_equal(flow.handlers[0].started, 0);
    assert_int_equal(flow.handlers[1].started, 3);
    /* Nor is the store asked for it again and again. */
    struct store_worker_figures before, after;
    store_worker_figures(flow.worker, &before);
    flow_sleep(50);
    store_worker_figures(flow.worker, &after);
    assert_int_equal(after.commits, before.commits);
    change(false, "");
    assert_false(pause_of(0)->is_paused);
    assert_true(gauge() == 0);
    until_started(3, 3);
    flow_sleep(20);
    assert_int_equal(flow.handlers[0].started, 3);
    assert_int_equal(flow.handlers[0].attempts[0], 1);
    flow_close();
}

static void
a_pause_survives_a_restart_with_its_reason(void **state)
{
    (void)state;
    flow_open(1);
    change(true, "first");
    change(true, "second");
    int64_t since_ms = pause_of(0)->since_ms;
    flow_close_store();
    flow_open_store();
    dispatch_start(flow.dispatch);
    assert_true(pause_of(0)->is_paused);
    assert_int_equal(pause_of(0)->since_ms, since_ms);
    assert_true(slice_equal_text(buf_slice(&pause_of(0)->reason), "first"));
    assert_true(gauge() == 1);
    flow_bring_all("a");
    flow_sleep(20);
    assert_int_equal(flow.handlers[0].started, 0);
    change(false, "");
    flow_close_store();
    flow_open_store();
    assert_false(pause_of(0)->is_paused);
    flow_close();
}

static void
a_handler_that_asks_for_it_is_paused_over_restarts(void **state)
{
    (void)state;
    flow_prepare(1);
    flow.outlets[0].concurrency = 4;
    flow.handlers[0].behaviour = PAUSES;
    flow_open_store();
    flow_bring_all("a b");
    until_started(2, 0);
    flow_sleep(30);
    assert_true(pause_of(0)->is_paused);
    assert_int_equal(flow.handlers[0].started, 2);
    flow_close_store();
    flow.handlers[0].behaviour = SUCCEEDS;
    flow_open_store();
    dispatch_start(flow.dispatch);
    flow_sleep(50);
    assert_int_equal(flow.handlers[0].started, 2);
    assert_non_null(strstr(pause_of(0)->reason.ptr, "410"));
    change(false, "");
    until_started(4, 0);
    assert_int_equal(flow.handlers[0].started, 4);
    assert_int_equal(flow.handlers[0].attempts[2], 2);
    flow_close();
}

/* A resume is on its way to the store when the handler says that it is gone:
 * what came last holds, here and after a restart. */
static void
a_handler_that_asks_while_it_is_resumed_stays_paused(void **state)
{
    (void)state;
    flow_open(1);
    for (unsigned resumed = 0; resumed < 2; resumed++) {
        if (resumed > 0) {
            change(false, "");
        }
        told.calls = 0;
        assert_int_equal(pauses_change(flow.pauses, pause_of(0), false,
                                       slice_of(""), done, NULL),
                         STATUS_OK);
        pauses_take(flow.pauses, pause_of(0), slice_of("410"));
        flow_run(is_told);
        flow_sleep(20);
        assert_int_equal(told.status, STATUS_OK);
        assert_true(pause_of(0)->is_paused);
        assert_true(gauge() == 1);
        flow_close_store();
        flow_open_store();
        assert_true(pause_of(0)->is_paused);
        assert_true(slice_equal_text(buf_slice(&pause_of(0)->reason), "410"));
    }
    flow_close();
}

static void
what_cannot_be_stored_is_told_and_does_not_hold(void **state)
{
    (void)state;
    flow_open(1);
    for (long n = 0; n < 2; n++) {
        mem_fail_after(n, 0);
        enum status status = pauses_change(flow.pauses, pause_of(0), true,
                                           slice_of("why"), done, NULL);
        mem_fail_after(-1, 0);
        assert_int_equal(status, STATUS_NOMEM);
    }
    /* A handler's own is dropped without a word: its next answer says it. */
    mem_fail_after(0, 0);
    pauses_take(flow.pauses, pause_of(0), slice_of("410"));
    mem_fail_after(-1, 0);
    assert_false(pause_of(0)->is_paused);
    flow_close();
}

static void
what_is_not_configured_is_not_found(void **state)
{
    (void)state;
    flow_open(1);
    assert_null(
        pauses_find(flow.pauses, STORE_CONNECTOR, flow.outlets[0].number));
    assert_null(pauses_find(flow.pauses, STORE_HANDLER, 4711));
    assert_null(pauses_find(NULL, STORE_HANDLER, 1));
    flow_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            nothing_is_given_to_a_paused_handler_until_it_is_resumed),
        cmocka_unit_test(a_pause_survives_a_restart_with_its_reason),
        cmocka_unit_test(a_handler_that_asks_for_it_is_paused_over_restarts),
        cmocka_unit_test(a_handler_that_asks_while_it_is_resumed_stays_paused),
        cmocka_unit_test(what_cannot_be_stored_is_told_and_does_not_hold),
        cmocka_unit_test(what_is_not_configured_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
