/* SPDX-License-Identifier: MIT */
#include "flowing.h"

/* The first handler as it is configured, and what it is changed into. */
static struct fake_handler *const old = &flow.handlers[0];
static struct fake_handler *const new = &flow.handlers[1];
static size_t gone;
static size_t left;
static size_t awaited;

static bool
new_has_started(void)
{
    return new->started >= awaited;
}

static bool
old_has_started(void)
{
    return old->started >= 1;
}

static bool
is_gone(void)
{
    return gone > 0;
}

static bool
is_left(void)
{
    return left > 0;
}

static void
counts(void *arg)
{
    (*(size_t *)arg)++;
}

static void
open_with_heir(void)
{
    flow_prepare(2);
    flow.guests = 1;
    gone = 0;
    left = 0;
    awaited = 1;
}

/* The heir has the name, and so the number, of what it is made from. */
static struct outlet_settings
heir(void)
{
    struct outlet_settings settings = flow.outlets[0];
    settings.handler = &new->base;
    return settings;
}

static void
prepare(void)
{
    const struct outlet_settings settings = heir();
    assert_int_equal(dispatch_prepare(flow.dispatch, &settings), STATUS_OK);
}

static void
change(void)
{
    dispatch_retire(flow.dispatch, flow.outlets[0].number, counts, &gone);
    dispatch_let_come(flow.dispatch);
}

static void
start_one_that_hangs(void)
{
    old->behaviour = HANGS;
    flow_open_store();
    flow_bring_all("a");
    flow_run(old_has_started);
}

static void
what_is_prepared_is_given_nothing_until_it_comes(void **state)
{
    (void)state;
    open_with_heir();
    flow_open_store();
    prepare();
    flow_bring_all("a");
    flow_run(old_has_started);
    flow_sleep(30);
    assert_int_equal(new->started, 0);
    change();
    flow_bring_all("b");
    flow_run(new_has_started);
    assert_string_equal(new->order[0], "b");
    assert_int_equal(old->started, 1);
    assert_int_equal(gone, 1);
    flow_close();
}

static void
what_is_let_go_leaves_all_as_it_was(void **state)
{
    (void)state;
    open_with_heir();
    flow_open_store();
    prepare();
    dispatch_let_go(flow.dispatch);
    flow_bring_all("a");
    flow_run(old_has_started);
    prepare(); /* its place is free again */
    change();
    flow_bring_all("b");
    flow_run(new_has_started);
    flow_close();
}

static void
what_runs_ends_where_it_began_and_holds_its_slot(void **state)
{
    (void)state;
    open_with_heir();
    start_one_that_hangs();
    prepare();
    change();
    flow_bring_all("b");
    flow_sleep(30);
    assert_int_equal(new->started, 0); /* its concurrency is 1 */
    assert_int_equal(gone, 0);
    assert_int_equal(old->cancels, 0);
    fake_let_go(old, DISPOSITION_DONE);
    flow_run(new_has_started);
    assert_string_equal(new->order[0], "b");
    flow_run(is_gone);
    flow_stop(1000);
    assert_int_equal(flow_ask_store(0)->pending, 0);
    assert_int_equal(old->started + new->started, 2);
    flow_close();
}

static void
what_fails_where_it_began_is_tried_again_by_the_heir(void **state)
{
    (void)state;
    open_with_heir();
    flow.outlets[0].concurrency = 2;
    start_one_that_hangs();
    prepare();
    change();
    flow_sleep(30); /* until the heir has found nothing to do */
    fake_let_go(old, DISPOSITION_LATER);
    flow_run(new_has_started);
    assert_string_equal(new->order[0], "a");
    assert_int_equal(new->attempts[0], 2);
    flow_run(is_gone);
    flow_close();
}

static void
what_was_stored_under_way_goes_to_the_heir(void **state)
{
    (void)state;
    open_with_heir();
    start_one_that_hangs();
    prepare();
    flow_bring("b"); /* it is owed to the old one, which has no slot */
    change();
    fake_let_go(old, DISPOSITION_DONE);
    flow_run(new_has_started);
    assert_string_equal(new->order[0], "b");
    flow_close();
}

static void
a_slot_that_was_held_under_way_is_given_back(void **state)
{
    (void)state;
    open_with_heir();
    flow_open_store();
    prepare();
    flow_run(flow_all_judged);
    flow_sleep(30); /* until it has claimed nothing, and takes hot ones */
    flow_bring("a");
    change();
    flow_run(new_has_started);
    assert_string_equal(new->order[0], "a");
    assert_int_equal(old->started, 0);
    assert_int_equal(gone, 1);
    flow_close();
}

static void
a_batch_goes_when_the_old_one_has_left_its_slot(void **state)
{
    (void)state;
    static const struct gather_policy batch = { .max = 2,
                                                .wait_ms = 20,
                                                .bytes = 1 << 20 };
    open_with_heir();
    flow.outlets[0].batch = &batch;
    old->behaviour = HANGS;
    flow_open_store();
    flow_bring_all("a b");
    flow_run(old_has_started);
    prepare();
    change();
    flow_bring_all("c d");
    flow_sleep(60);
    assert_int_equal(new->started, 0);
    fake_let_go(old, DISPOSITION_DONE);
    flow_run(new_has_started);
    assert_int_equal(new->counts[0], 2);
    flow_close();
}

static void
an_epoch_is_left_when_the_last_that_began_in_it_is_over(void **state)
{
    (void)state;
    struct dispatch_epoch epoch = { .connectors = &flow.bound.connector,
                                    .connector_count = 1 };
    open_with_heir();
    start_one_that_hangs();
    dispatch_enter(flow.dispatch, &epoch, counts, &left);
    flow_sleep(20);
    assert_int_equal(left, 0);
    assert_int_equal(epoch.alive, 0);
    fake_let_go(old, DISPOSITION_DONE);
    flow_run(is_left);
    flow_bring_all("b");
    assert_int_equal(epoch.alive, 1);
    assert_int_equal(left, 1);
    flow_close();
}

static void
an_epoch_in_which_nothing_began_is_left_at_once(void **state)
{
    (void)state;
    struct dispatch_epoch epoch = { .connectors = &flow.bound.connector,
                                    .connector_count = 1 };
    open_with_heir();
    flow_open_store();
    dispatch_enter(flow.dispatch, &epoch, counts, &left);
    assert_int_equal(left, 1);
    flow_close();
}

static void
preparing_survives_every_failed_allocation(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    open_with_heir();
    flow_open_store();
    const struct outlet_settings settings = heir();
    for (long n = 0; status != STATUS_OK && n < 100; n++) {
        mem_fail_after(n, 0);
        status = dispatch_prepare(flow.dispatch, &settings);
        mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
    }
    assert_int_equal(status, STATUS_OK);
    change();
    flow_bring_all("a");
    flow_run(new_has_started);
    flow_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_prepared_is_given_nothing_until_it_comes),
        cmocka_unit_test(what_is_let_go_leaves_all_as_it_was),
        cmocka_unit_test(what_runs_ends_where_it_began_and_holds_its_slot),
        cmocka_unit_test(what_fails_where_it_began_is_tried_again_by_the_heir),
        cmocka_unit_test(what_was_stored_under_way_goes_to_the_heir),
        cmocka_unit_test(a_slot_that_was_held_under_way_is_given_back),
        cmocka_unit_test(a_batch_goes_when_the_old_one_has_left_its_slot),
        cmocka_unit_test(
            an_epoch_is_left_when_the_last_that_began_in_it_is_over),
        cmocka_unit_test(an_epoch_in_which_nothing_began_is_left_at_once),
        cmocka_unit_test(preparing_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
