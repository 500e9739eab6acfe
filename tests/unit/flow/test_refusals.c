/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "flow/refusals.h"
#include "io/loop.h"

/* A store that notes what it is given; another thread's while it works. */
struct fake_store {
    struct store store;
    atomic_size_t calls;
    enum status answer;
    size_t rows;
    size_t keep;
    int64_t more;
    size_t named; /* rows that only name a connector */
    char head[256];
    char why[64];
};

static struct fake_store fake;
static struct loop *loop;
static struct store_worker *worker;
static struct refusals *refusals;
static struct connector connectors[300];
static const char *awaited;
static size_t wanted_calls;

static enum status
take_units(struct store *store, struct store_unit *const *units, size_t count,
           struct error *err)
{
    (void)store;
    (void)err;
    for (size_t i = 0; i < count; i++) {
        const struct store_refusals *given = &units[i]->refusals;
        units[i]->status = fake.answer;
        for (size_t j = 0; fake.answer == STATUS_OK && j < given->count; j++) {
            const struct store_refusal *row = &given->at[j];
            fake.rows += !row->only_more;
            fake.named += row->only_more && row->more == 0;
            fake.more += row->more;
            if (!row->only_more) {
                (void)snprintf(fake.head, sizeof(fake.head), "%.*s",
                               SLICE_ARG(row->head));
                (void)snprintf(fake.why, sizeof(fake.why), "%.*s",
                               SLICE_ARG(row->why));
            }
        }
        fake.keep = given->keep;
    }
    fake.calls++;
    return STATUS_OK;
}

static void
close_fake(struct store *store)
{
    (void)store;
}

static const struct store_ops ops = { .apply = take_units,
                                      .close = close_fake };

static void
late(void *arg)
{
    (void)arg;
    fail_msg("not in time: %s", awaited);
}

static void
look(void *arg)
{
    (void)arg;
    if (fake.calls >= wanted_calls) {
        loop_stop(loop);
    }
}

/* Runs the loop until the store was called so often. */
static void
await_calls(size_t calls)
{
    struct loop_timer *guard;
    struct loop_turn *turn;
    awaited = "a call of the store";
    wanted_calls = calls;
    assert_int_equal(loop_timer_create(loop, late, NULL, &guard), STATUS_OK);
    assert_int_equal(loop_turn_create(loop, look, NULL, &turn), STATUS_OK);
    loop_timer_arm(guard, 30000);
    if (fake.calls < calls) {
        loop_run(loop);
    }
    loop_turn_destroy(turn);
    loop_timer_destroy(guard);
}

static void
open_refusals(size_t connector_count, size_t keep)
{
    const struct store_worker_settings settings = { .group_units = 8 };
    const struct refusals_settings of = { connectors, connector_count, keep };
    memset(&fake, 0, sizeof(fake));
    fake.store.ops = &ops;
    for (size_t i = 0; i < 300; i++) {
        connectors[i].id = (uint32_t)i + 1;
    }
    assert_int_equal(loop_create(&loop), STATUS_OK);
    assert_int_equal(
        store_worker_create(loop, &fake.store, &settings, &worker, NULL),
        STATUS_OK);
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK; n++) {
        mem_fail_after(n, 0);
        status = refusals_create(loop, worker, &of, &refusals);
        mem_fail_after(-1, 0);
    }
}

/* What gathered is stored before it ends. */
static void
close_refusals(void)
{
    refusals_end(refusals);
    store_worker_destroy(worker);
    refusals_destroy(refusals);
    loop_destroy(loop);
}

static bool
note(size_t connector, enum refusal_cause cause)
{
    const struct refusal refusal = { .connector = &connectors[connector],
                                     .cause = cause,
                                     .status = 401,
                                     .why = SLICE("no signature fits"),
                                     .peer = SLICE("192.0.2.7"),
                                     .method = SLICE("POST"),
                                     .target = SLICE("/hooks/shop?token=abc"),
                                     .bytes = 12 };
    return refusals_note(refusals, &refusal);
}

static void
a_refusal_is_stored_without_being_asked_for(void **state)
{
    (void)state;
    open_refusals(1, 7);
    assert_true(note(0, REFUSAL_STALE));
    await_calls(1);
    assert_int_equal(fake.rows, 1);
    assert_int_equal(fake.keep, 7);
    assert_string_equal(fake.head, "POST /hooks/shop?token=***\n");
    assert_string_equal(fake.why, "no signature fits");
    close_refusals();
}

static void
at_the_end_what_has_gathered_is_stored_behind_what_is_under_way(void **state)
{
    (void)state;
    open_refusals(2, 7);
    assert_true(note(0, REFUSAL_STALE));
    refusals_flush(refusals); /* under way */
    assert_true(note(0, REFUSAL_STALE));
    for (size_t i = 0; i < REFUSALS_A_MINUTE + 5; i++) {
        (void)note(1, REFUSAL_BAD_SIGNATURE);
    }
    refusals_end(refusals);
    assert_false(note(0, REFUSAL_STALE));
    close_refusals();
    assert_int_equal(fake.rows, 2 + REFUSALS_A_MINUTE);
    assert_int_equal(fake.more, 5);
}

/* However many there are: a few rows, a few transactions, and the number. */
static void
a_flood_costs_next_to_nothing_and_is_counted(void **state)
{
    (void)state;
    open_refusals(2, 1000);
    size_t kept = 0;
    for (size_t i = 0; i < 100000; i++) {
        kept += note(0, REFUSAL_BAD_SIGNATURE);
    }
    assert_in_range(kept, REFUSALS_A_MINUTE, REFUSALS_A_MINUTE + 2);
    /* Neither another cause nor another connector pays for it. */
    assert_true(note(0, REFUSAL_STALE));
    assert_true(note(1, REFUSAL_BAD_SIGNATURE));
    await_calls(1);
    close_refusals();
    assert_int_equal(fake.rows, kept + 2);
    assert_int_equal(fake.more, 100000 - (int64_t)kept);
    assert_in_range(fake.calls, 1, 3);
}

/* A batch has room for so many; the others are counted all the same. */
static void
a_flood_over_all_connectors_is_bounded_too(void **state)
{
    (void)state;
    open_refusals(300, 1000);
    size_t kept = 0;
    for (size_t i = 0; i < 3000; i++) {
        kept += note(i % 300, REFUSAL_BAD_SIGNATURE);
    }
    assert_in_range(kept, 1, 256);
    for (size_t i = 1; i < 20 && fake.rows + (size_t)fake.more < 3000; i++) {
        await_calls(i);
    }
    assert_int_equal(fake.rows, kept);
    assert_int_equal(fake.more, 3000 - (int64_t)kept);
    close_refusals();
}

static void
what_cannot_be_stored_is_counted(void **state)
{
    (void)state;
    open_refusals(1, 10);
    fake.answer = STATUS_FULL;
    assert_true(note(0, REFUSAL_STALE));
    assert_true(note(0, REFUSAL_STALE));
    await_calls(1);
    assert_int_equal(fake.rows, 0);
    fake.answer = STATUS_OK;
    assert_true(note(0, REFUSAL_STALE));
    await_calls(2);
    close_refusals();
    assert_int_equal(fake.rows, 1);
    assert_int_equal(fake.more, 2);
}

static void
without_memory_it_is_counted(void **state)
{
    (void)state;
    open_refusals(1, 10);
    bool kept = false;
    size_t failed = 0;
    for (long n = 0; !kept; n++) {
        mem_fail_after(n, 0);
        kept = note(0, REFUSAL_STALE);
        mem_fail_after(-1, 0);
        failed += !kept;
    }
    assert_in_range(failed, 1, 20);
    close_refusals();
    assert_int_equal(fake.rows, 1);
    assert_int_equal(fake.more, failed);
}

static void
at_the_start_what_is_over_the_limit_goes(void **state)
{
    (void)state;
    /* Of all connectors, however many a batch holds. */
    static const size_t counts[] = { 3, 256, 300 };
    for (size_t i = 0; i < 3; i++) {
        open_refusals(counts[i], 0);
        refusals_start(refusals);
        await_calls(1 + (counts[i] > 256));
        close_refusals();
        assert_int_equal(fake.named, counts[i]);
        assert_int_equal(fake.keep, 0);
    }
}

static void
where_none_is_to_be_kept_nothing_is(void **state)
{
    (void)state;
    open_refusals(1, 0);
    assert_false(note(0, REFUSAL_STALE));
    close_refusals();
    assert_int_equal(fake.calls, 0);
    assert_false(refusals_note(NULL, NULL));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_is_stored_without_being_asked_for),
        cmocka_unit_test(
            at_the_end_what_has_gathered_is_stored_behind_what_is_under_way),
        cmocka_unit_test(a_flood_costs_next_to_nothing_and_is_counted),
        cmocka_unit_test(a_flood_over_all_connectors_is_bounded_too),
        cmocka_unit_test(what_cannot_be_stored_is_counted),
        cmocka_unit_test(without_memory_it_is_counted),
        cmocka_unit_test(at_the_start_what_is_over_the_limit_goes),
        cmocka_unit_test(where_none_is_to_be_kept_nothing_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
