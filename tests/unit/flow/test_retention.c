/* SPDX-License-Identifier: MIT */
#include "flowing.h"

#include <stdatomic.h>

#include "flow/retention.h"

#define DAY INSTANT_DAY_MS

/* A store that notes what it is to remove. */
struct fake_store {
    struct store store;
    enum status answers[8];
    size_t removed[8];
    atomic_size_t calls;
    struct store_prune last;
};

static struct fake_store fake;

static enum status
note_prune(struct store *store, struct store_prune *prune, struct error *err)
{
    (void)store;
    size_t at = fake.calls < 7 ? fake.calls : 7;
    prune->removed = fake.removed[at];
    fake.last = *prune;
    fake.calls++;
    return error_set(err, fake.answers[at], "the words");
}

static void
note_close(struct store *store)
{
    (void)store;
}

static const struct store_ops ops = { .prune = note_prune,
                                      .close = note_close };

static struct retention *retention;
static struct ingest *ingest;

/* What other agents' walks can still read. */
static int64_t others_ms = INT64_MAX;

static int64_t
others(void *arg)
{
    (void)arg;
    return others_ms;
}

static void
open_retention(int64_t keep_dead_ms)
{
    const struct store_worker_settings worker_settings = { .group_units = 1 };
    memset(&flow, 0, sizeof(flow));
    fake.store.ops = &ops;
    fake.calls = 0;
    assert_int_equal(loop_create(&flow.loop), STATUS_OK);
    assert_int_equal(store_worker_create(flow.loop, &fake.store,
                                         &worker_settings, &flow.worker, NULL),
                     STATUS_OK);
    assert_int_equal(telemetry_init(&flow.telemetry, "1"), STATUS_OK);
    const struct ingest_settings of = { .telemetry = &flow.telemetry };
    assert_int_equal(ingest_create(flow.loop, flow.worker, &of, &ingest),
                     STATUS_OK);
    const struct retention_settings settings = {
        .keep_ids_ms = 35 * DAY,
        .keep_events_ms = 7 * DAY,
        .keep_attempts_ms = 6 * DAY,
        .keep_dead_ms = keep_dead_ms,
        .ingest = ingest,
        .others = others,
        .round_ms = 100,
    };
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK; n++) {
        mem_fail_after(n, 0);
        status =
            retention_create(flow.loop, flow.worker, &settings, &retention);
        mem_fail_after(-1, 0);
    }
    retention_start(retention);
}

static void
close_retention(void)
{
    store_worker_destroy(flow.worker);
    retention_destroy(retention);
    ingest_destroy(ingest);
    telemetry_fini(&flow.telemetry);
    loop_destroy(flow.loop);
    memset(&fake, 0, sizeof(fake));
}

static void
await_slices(size_t count)
{
    for (int i = 0; i < 2000 && fake.calls < count; i++) {
        flow_sleep(1);
    }
    flow_sleep(5);
}

struct floor {
    int64_t now_ms;
    int64_t keep_ms;
    int64_t lowest_ms;
    int64_t floor_ms;
};

static const struct floor floors[] = {
    /* Nothing reads back: now less keep_ids, less one bucket. */
    { 100 * DAY, 35 * DAY, INT64_MAX, 57 * DAY },
    { 100 * DAY, 35 * DAY, 90 * DAY, 57 * DAY },
    /* A walk that reads further back holds the floor down, by a bucket more
     * for a clock that was slow at receipt. */
    { 100 * DAY, 35 * DAY, 60 * DAY, 44 * DAY },
    { 100 * DAY, 35 * DAY, 0, -16 * DAY },
    /* A walk of which nothing is known yet: nothing goes. */
    { 100 * DAY, 35 * DAY, INT64_MIN, INT64_MIN },
};

static void
the_floor_lies_below_all_that_a_walk_can_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(floors) / sizeof(floors[0]); i++) {
        assert_int_equal(retention_floor(floors[i].now_ms, floors[i].keep_ms,
                                         floors[i].lowest_ms),
                         floors[i].floor_ms);
    }
}

static void
events_stay_until_accounting_has_passed_them(void **state)
{
    (void)state;
    struct connector shops[] = { { .grace_ms = DAY },
                                 { .grace_ms = INT64_MAX } };
    shops[0].has_poll = true;
    shops[0].has_webhook = true;
    shops[1].has_poll = true; /* nothing of it is counted */
    assert_int_equal(retention_keep_events(7 * DAY, shops, 2), 7 * DAY);
    assert_true(retention_keep_events(1000, shops, 2) > DAY);
    assert_true(retention_keep_events(1000, shops, 2) < 2 * DAY);
    assert_int_equal(retention_keep_events(1000, shops, 0), 1000);
    shops[1].has_webhook = true;
    assert_int_equal(retention_keep_events(1000, shops, 2), INT64_MAX);
}

static void
each_kind_goes_at_its_own_age(void **state)
{
    (void)state;
    open_retention(30 * DAY);
    int64_t now_ms = clock_unix_ms();
    await_slices(1);
    const struct {
        int64_t at_ms;
        int64_t age_ms;
    } rows[] = {
        { fake.last.ledger_floor_ms, 43 * DAY },
        { fake.last.events_before_ms, 7 * DAY },
        { fake.last.attempts_before_ms, 6 * DAY },
        { fake.last.dead_before_ms, 30 * DAY },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t off_ms = rows[i].at_ms - (now_ms - rows[i].age_ms);
        assert_true(off_ms >= 0 && off_ms < 20000);
    }
    assert_true(fake.last.limit > 0);
    close_retention();
}

static void
what_another_agent_can_still_read_stays(void **state)
{
    (void)state;
    others_ms = clock_unix_ms() - 60 * DAY;
    open_retention(0);
    await_slices(1);
    assert_int_equal(fake.last.ledger_floor_ms, others_ms - 16 * DAY);
    others_ms = INT64_MIN; /* nothing was heard of them */
    await_slices(fake.calls + 1);
    assert_true(fake.last.ledger_floor_ms == INT64_MIN);
    others_ms = INT64_MAX;
    close_retention();
}

static void
dead_letters_may_stay_for_ever(void **state)
{
    (void)state;
    open_retention(0);
    await_slices(1);
    assert_int_equal(fake.last.dead_before_ms, 0);
    close_retention();
}

static void
a_full_slice_is_followed_by_another_soon(void **state)
{
    (void)state;
    fake.removed[0] = 1000;
    fake.removed[1] = 1000;
    open_retention(0);
    await_slices(1);
    int64_t first_ms = clock_monotonic_ms();
    await_slices(3);
    /* Two pauses of a slice, not two rounds. */
    assert_true(clock_monotonic_ms() - first_ms < 200);
    close_retention();
}

static void
a_slice_that_failed_is_tried_again_in_the_next_round(void **state)
{
    (void)state;
    fake.answers[0] = STATUS_FULL;
    open_retention(0);
    await_slices(2);
    assert_true(fake.calls >= 2);
    close_retention();
}

static void
nothing_is_asked_of_a_store_that_has_failed(void **state)
{
    (void)state;
    fake.answers[0] = STATUS_IO;
    open_retention(0);
    await_slices(1);
    flow_sleep(250);
    assert_int_equal(fake.calls, 1);
    close_retention();
}

static void
no_slice_begins_after_the_stop(void **state)
{
    (void)state;
    open_retention(0);
    await_slices(1);
    retention_stop(retention);
    size_t calls = fake.calls;
    flow_sleep(250);
    assert_int_equal(fake.calls, calls);
    close_retention();
    retention_destroy(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_floor_lies_below_all_that_a_walk_can_read),
        cmocka_unit_test(events_stay_until_accounting_has_passed_them),
        cmocka_unit_test(each_kind_goes_at_its_own_age),
        cmocka_unit_test(what_another_agent_can_still_read_stays),
        cmocka_unit_test(dead_letters_may_stay_for_ever),
        cmocka_unit_test(a_full_slice_is_followed_by_another_soon),
        cmocka_unit_test(a_slice_that_failed_is_tried_again_in_the_next_round),
        cmocka_unit_test(nothing_is_asked_of_a_store_that_has_failed),
        cmocka_unit_test(no_slice_begins_after_the_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
