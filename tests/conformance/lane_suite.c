/* SPDX-License-Identifier: MIT */
/*
 * lane_suite: what store.h says of deliveries that come in order, one test per
 * sentence, for any store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conformance/deeds.h"
#include "conformance/store_suite.h"
#include "io/clock.h"
#include "model/identity.h"

#include <string.h>

/* Later than any clock this runs under. */

static const struct store_suite_host *host;
static uint32_t shop;
static uint32_t mail;

static void
open_store(void)
{
    struct error err = { 0 };
    assert_ok(host->open(&store, &err));
    assert_ok(store->ops->name(store, STORE_CONNECTOR, slice_of("shop"), &shop,
                               &err));
    assert_ok(
        store->ops->name(store, STORE_HANDLER, slice_of("mail"), &mail, &err));
}

static void
reopen(void)
{
    store->ops->close(store);
    open_store();
}

static int
set_up(void **state)
{
    (void)state;
    host->wipe();
    open_store();
    return 0;
}

/* Accepts an event that is owed to `mail`, as a slot is free for it. */
static struct sighting
accept(const char *id, const struct owed *owed)
{
    struct sighting sighting = {
        .via = CHANNEL_WEBHOOK,
        .key_count = 1,
        .id = slice_of(id),
        .type = SLICE("order.paid"),
        .content_type = SLICE("application/json"),
        .body = SLICE("{}"),
        .owed = owed,
        .owed_count = 1,
    };
    sighting.keys[0].key = identity_floor_key(1790000000);
    memcpy(sighting.keys[0].key.bytes + 4, id, strlen(id));
    struct store_unit unit = { .connector = shop,
                               .sightings = &sighting,
                               .sighting_count = 1,
                               .lease_until_ms = FAR_MS };
    assert_ok(apply_unit(&unit));
    return sighting;
}

static const struct owed *
in_lane(int64_t lane)
{
    static struct owed owed;
    owed = (struct owed){
        .handler = mail, .hot = true, .has_lane = true, .lane = lane
    };
    return &owed;
}

static const struct owed *
in_no_lane(void)
{
    static struct owed owed;
    owed = (struct owed){ .handler = mail };
    return &owed;
}

static bool
settle(uint64_t event, unsigned attempt, enum outcome_kind kind, int64_t due_ms)
{
    struct store_outcome outcome = { .event = event,
                                     .handler = mail,
                                     .attempt = attempt,
                                     .kind = kind,
                                     .due_ms = due_ms,
                                     .reason = "exit 65" };
    struct store_unit unit = { .outcomes = &outcome, .outcome_count = 1 };
    assert_ok(apply_unit(&unit));
    return outcome.applied;
}

static struct store_figure
figure_of(uint32_t handler)
{
    struct store_figure figure = { .handler = handler };
    struct error err = { 0 };
    assert_ok(store->ops->figures(store, &figure, 1, &err));
    return figure;
}

static void
a_delivery_with_a_lane_is_never_born_leased(void **state)
{
    (void)state;
    struct sighting sighting = accept("e1", in_lane(7));
    struct store_claims claims = claim(mail, clock_unix_ms(), FAR_MS, 10);
    assert_int_equal(claims.count, 1);
    assert_int_equal(claims.at[0].event->number, sighting.number);
    assert_int_equal(claims.at[0].attempt, 1);
    assert_true(claims.at[0].has_lane);
    assert_int_equal(claims.at[0].lane, 7);
    drop(&claims);
}

static void
a_lane_gives_one_at_a_time_in_order(void **state)
{
    (void)state;
    uint64_t a1 = accept("a1", in_lane(-1)).number;
    uint64_t b1 = accept("b1", in_lane(2)).number;
    uint64_t a2 = accept("a2", in_lane(-1)).number;
    uint64_t a3 = accept("a3", in_lane(-1)).number;
    struct store_claims claims = claim(mail, FAR_MS, FAR_MS * 2, 10);
    assert_int_equal(claims.count, 2);
    assert_int_equal(claims.at[0].event->number, a1);
    assert_int_equal(claims.at[1].event->number, b1);
    drop(&claims);
    /* A wait of the first holds the lane. */
    assert_true(settle(a1, 1, OUTCOME_LATER, FAR_MS + 5));
    assert_int_equal(count_due(mail, FAR_MS + 4), 0);
    assert_int_equal(claim_one(mail, FAR_MS + 5, 2), a1);
    assert_true(settle(a1, 2, OUTCOME_DONE, 0));
    assert_int_equal(claim_one(mail, FAR_MS, 1), a2);
    assert_true(settle(a2, 1, OUTCOME_DEAD, 0));
    assert_int_equal(claim_one(mail, FAR_MS, 1), a3);
    assert_true(settle(b1, 1, OUTCOME_DONE, 0));
    assert_int_equal(figure_of(mail).pending, 1);
}

static void
a_lane_keeps_its_order_over_a_restart(void **state)
{
    (void)state;
    uint64_t first = accept("a1", in_lane(1)).number;
    uint64_t second = accept("a2", in_lane(1)).number;
    assert_int_equal(claim_one(mail, FAR_MS, 1), first);
    reopen();
    assert_int_equal(claim_one(mail, FAR_MS, 2), first);
    assert_true(settle(first, 2, OUTCOME_DONE, 0));
    assert_int_equal(claim_one(mail, FAR_MS, 1), second);
}

static void
a_lane_that_waits_is_not_due(void **state)
{
    (void)state;
    (void)accept("a1", in_lane(1));
    (void)accept("a2", in_lane(1));
    (void)claim_one(mail, FAR_MS, 1);
    assert_int_equal(figure_of(mail).next_due_ms, 0);
    assert_int_equal(figure_of(mail).pending, 2);
    struct store_claims claims = claim(mail, FAR_MS, FAR_MS * 3, 1);
    assert_int_equal(claims.count, 0);
    assert_int_equal(claims.next_due_ms, FAR_MS * 2);
    drop(&claims);
}

static void
dead_letters_hold(bool hold)
{
    struct error err = { 0 };
    assert_ok(store->ops->lanes(store, mail, hold, &err));
}

/* Lane 1: `first` dead, and one behind it. */
static uint64_t
lane_with_a_dead_head(uint64_t *ret_second)
{
    uint64_t first = accept("a1", in_lane(1)).number;
    *ret_second = accept("a2", in_lane(1)).number;
    assert_int_equal(claim_one(mail, FAR_MS, 1), first);
    assert_true(settle(first, 1, OUTCOME_DEAD, 0));
    return first;
}

static void
a_dead_letter_keeps_its_lane_closed_where_dead_letters_hold(void **state)
{
    (void)state;
    uint64_t second;
    dead_letters_hold(true);
    (void)lane_with_a_dead_head(&second);
    uint64_t other = accept("b1", in_lane(2)).number;
    (void)accept("a3", in_lane(1));
    assert_int_equal(claim_one(mail, FAR_MS, 1), other);
    assert_true(settle(other, 1, OUTCOME_DONE, 0));
    reopen();
    dead_letters_hold(true);
    assert_int_equal(count_due(mail, FAR_MS), 0);
    assert_int_equal(figure_of(mail).next_due_ms, 0);
    assert_int_equal(figure_of(mail).pending, 2);
}

static void
lanes_that_were_held_go_on_where_dead_letters_hold_no_more(void **state)
{
    (void)state;
    uint64_t second;
    dead_letters_hold(true);
    (void)lane_with_a_dead_head(&second);
    uint64_t third = accept("a3", in_lane(1)).number;
    reopen();
    dead_letters_hold(false);
    assert_int_equal(figure_of(mail).dead, 1);
    assert_int_equal(claim_one(mail, FAR_MS, 1), second);
    assert_true(settle(second, 1, OUTCOME_DEAD, 0));
    assert_int_equal(claim_one(mail, FAR_MS, 1), third);
}

static void
a_lane_goes_on_when_the_letter_that_held_it_has_gone(void **state)
{
    (void)state;
    uint64_t second;
    dead_letters_hold(true);
    (void)lane_with_a_dead_head(&second);
    struct store_prune prune = { .dead_before_ms = FAR_MS, .limit = 10 };
    struct error err = { 0 };
    assert_ok(store->ops->prune(store, &prune, &err));
    assert_int_equal(claim_one(mail, FAR_MS, 1), second);
}

static void
what_is_in_no_lane_is_held_by_no_dead_letter(void **state)
{
    (void)state;
    dead_letters_hold(true);
    uint64_t first = accept("a1", in_no_lane()).number;
    assert_int_equal(claim_one(mail, FAR_MS, 1), first);
    assert_true(settle(first, 1, OUTCOME_DEAD, 0));
    uint64_t second = accept("a2", in_no_lane()).number;
    assert_int_equal(claim_one(mail, FAR_MS, 1), second);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, deeds_close)

int
lane_suite_run(const struct store_suite_host *of)
{
    host = of;
    const struct CMUnitTest tests[] = {
        ROW(a_delivery_with_a_lane_is_never_born_leased),
        ROW(a_lane_gives_one_at_a_time_in_order),
        ROW(a_lane_keeps_its_order_over_a_restart),
        ROW(a_lane_that_waits_is_not_due),
        ROW(a_dead_letter_keeps_its_lane_closed_where_dead_letters_hold),
        ROW(lanes_that_were_held_go_on_where_dead_letters_hold_no_more),
        ROW(a_lane_goes_on_when_the_letter_that_held_it_has_gone),
        ROW(what_is_in_no_lane_is_held_by_no_dead_letter),
    };
    return cmocka_run_group_tests_name("lanes", tests, NULL, NULL);
}
