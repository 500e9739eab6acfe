/* SPDX-License-Identifier: MIT */
#include "flowing.h"

static struct fake_handler *const guest = &flow.handlers[1];
static size_t gone;
static size_t told;
static size_t awaited;

static bool
guest_has_started(void)
{
    return guest->started >= awaited;
}

static bool
is_gone(void)
{
    return gone > 0;
}

static void
says_gone(void *arg)
{
    assert_ptr_equal(arg, guest);
    gone++;
}

static void
is_told(void *arg, const struct handler_result *result)
{
    assert_ptr_equal(arg, guest);
    assert_true(result->duration_ms >= 0);
    told++;
}

/* One handler that is configured, and one that is there to be added. */
static void
open_with_guest(void)
{
    flow_prepare(2);
    flow.guests = 1;
    gone = 0;
    told = 0;
    flow_open_store();
}

static void
add(void)
{
    assert_int_equal(dispatch_add(flow.dispatch, &flow.outlets[1]), STATUS_OK);
}

static void
retire(void)
{
    dispatch_retire(flow.dispatch, flow.outlets[1].number, says_gone, guest);
}

static void
bring_two_and_start_one(void)
{
    awaited = 1;
    flow_bring_all("a b");
    flow_run(guest_has_started);
}

static void
one_that_comes_is_owed_what_comes_in_from_then_on(void **state)
{
    (void)state;
    open_with_guest();
    flow_bring_all("a");
    add();
    flow_bring_all("b");
    awaited = 1;
    flow_run(guest_has_started);
    assert_string_equal(guest->order[0], "b");
    assert_int_equal(flow.handlers[0].started, 2);
    flow_close();
}

static void
one_that_goes_is_owed_nothing_new_and_what_runs_ends(void **state)
{
    (void)state;
    open_with_guest();
    guest->behaviour = HANGS;
    add();
    bring_two_and_start_one();
    retire();
    flow_bring_all("c");
    flow_sleep(30);
    assert_int_equal(gone, 0);
    assert_int_equal(guest->cancels, 0);
    fake_let_go(guest, DISPOSITION_DONE);
    flow_run(is_gone);
    assert_int_equal(guest->started, 1);
    assert_int_equal(flow_ask_store(1)->pending, 1);
    assert_int_equal(flow.handlers[0].started, 3);
    flow_close();
}

static void
one_that_has_nothing_under_way_is_gone_at_once(void **state)
{
    (void)state;
    open_with_guest();
    guest->behaviour = HANGS;
    flow.outlets[1].concurrency = 4;
    add();
    flow_run(flow_all_judged);
    flow_sleep(30); /* until it has claimed nothing */
    retire();
    assert_int_equal(gone, 1);
    flow_close();
}

static void
one_that_found_no_place_is_gone_at_once(void **state)
{
    (void)state;
    open_with_guest();
    retire(); /* it was never added */
    assert_int_equal(gone, 1);
    flow_close();
}

static void
one_that_comes_back_is_given_what_it_was_owed(void **state)
{
    (void)state;
    open_with_guest();
    guest->behaviour = HANGS;
    add();
    bring_two_and_start_one();
    retire();
    fake_let_go(guest, DISPOSITION_LATER);
    flow_run(is_gone);
    guest->behaviour = SUCCEEDS;
    add(); /* into the place that it left: there is one */
    awaited = 3;
    flow_run(guest_has_started);
    flow_stop(1000);
    assert_int_equal(flow_ask_store(1)->pending, 0);
    flow_close();
}

static void
there_is_room_for_so_many_and_no_more(void **state)
{
    (void)state;
    open_with_guest();
    add();
    assert_int_equal(dispatch_add(flow.dispatch, &flow.outlets[1]),
                     STATUS_BUSY);
    flow_close();
}

static void
while_its_own_pause_holds_nothing_new_is_owed_to_it(void **state)
{
    (void)state;
    struct pause pause = { .is_paused = false };
    open_with_guest();
    guest->behaviour = PAUSES;
    flow.outlets[1].retry.attempts = 100;
    flow.outlets[1].told = is_told;
    flow.outlets[1].told_arg = guest;
    flow.outlets[1].pause = &pause;
    add();
    flow_bring_all("a");
    awaited = 2; /* that it asks for a pause is for who is told to decide */
    flow_run(guest_has_started);
    pause.is_paused = true;
    dispatch_pause_changed(flow.dispatch, flow.outlets[1].number);
    flow_bring_all("b");
    flow_sleep(100);
    assert_true(told >= 2);
    size_t started = guest->started;
    flow_bring_all("c");
    flow_sleep(100);
    assert_int_equal(guest->started, started);
    assert_int_equal(flow_ask_store(1)->pending, 1);
    flow_close();
}

static void
adding_survives_every_failed_allocation(void **state)
{
    (void)state;
    open_with_guest();
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK && n < 100; n++) {
        mem_fail_after(n, 0);
        status = dispatch_add(flow.dispatch, &flow.outlets[1]);
        mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
    }
    assert_int_equal(status, STATUS_OK);
    awaited = 1;
    flow_bring_all("a");
    flow_run(guest_has_started);
    flow_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_comes_is_owed_what_comes_in_from_then_on),
        cmocka_unit_test(one_that_goes_is_owed_nothing_new_and_what_runs_ends),
        cmocka_unit_test(one_that_has_nothing_under_way_is_gone_at_once),
        cmocka_unit_test(one_that_found_no_place_is_gone_at_once),
        cmocka_unit_test(one_that_comes_back_is_given_what_it_was_owed),
        cmocka_unit_test(there_is_room_for_so_many_and_no_more),
        cmocka_unit_test(while_its_own_pause_holds_nothing_new_is_owed_to_it),
        cmocka_unit_test(adding_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
