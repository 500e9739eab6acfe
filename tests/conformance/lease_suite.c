/* SPDX-License-Identifier: MIT */
/*
 * lease_suite: what store.h says of agents that share a store, one test per
 * sentence, for any store that several may share.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "conformance/deeds.h"
#include "conformance/store_suite.h"
#include "io/clock.h"

enum { CONNECTORS = 32, ROUNDS = 2000 };

/* Long enough for what is slow, and short enough to wait for. */
#define ALIVE_MS 60000
#define DEAD_MS  300

static const struct store_suite_host *host;
static uint32_t shop;
static uint32_t handler;

static struct one {
    struct store *store;
    struct store_lease leases[CONNECTORS];
    size_t count;
    int64_t lowest_ms;
    bool is_last;
    struct store_beat beat; /* the last answer; without its agents */
    struct store_agent agents[8];
} agents[3];

#define A (&agents[0])
#define B (&agents[1])

static void
open_one(struct one *one)
{
    struct error err = { "" };
    if (host->open(&one->store, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    one->count = CONNECTORS;
    one->lowest_ms = INT64_MAX;
    one->is_last = false;
    for (uint32_t i = 0; i < CONNECTORS; i++) {
        one->leases[i] = (struct store_lease){ .connector = i };
    }
}

static void
close_one(struct one *one)
{
    if (one->store != NULL) {
        one->store->ops->close(one->store);
        one->store = NULL;
    }
}

static int
set_up(void **state)
{
    (void)state;
    struct error err = { "" };
    memset(agents, 0, sizeof(agents));
    host->wipe();
    open_one(A);
    store = A->store; /* of deeds */
    assert_ok(store->ops->name(store, STORE_CONNECTOR, slice_of("shop"), &shop,
                               &err));
    assert_ok(
        store->ops->name(store, STORE_HANDLER, slice_of("h"), &handler, &err));
    assert_in_range(shop, 1, CONNECTORS - 1);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        close_one(&agents[i]);
    }
    store = NULL;
    return 0;
}

static void
beat(struct one *one, int64_t ttl_ms)
{
    struct error err = { "" };
    struct store_beat now = { .every_ms = 1,
                              .ttl_ms = ttl_ms,
                              .is_last = one->is_last,
                              .leases = one->leases,
                              .count = one->count,
                              .lowest_ms = one->lowest_ms };
    if (one->store->ops->beat(one->store, &now, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    assert_in_range(now.agent_count, 1, 8);
    memcpy(one->agents, now.agents, now.agent_count * sizeof(*now.agents));
    mem_free(now.agents);
    now.agents = one->agents;
    one->beat = now;
}

static size_t
holds(const struct one *one)
{
    size_t count = 0;
    for (size_t i = 0; i < one->count; i++) {
        count += one->leases[i].is_held;
        assert_true(one->leases[i].is_held == (one->leases[i].fence != 0));
    }
    return count;
}

static bool
both_hold(uint32_t connector)
{
    return A->leases[connector].is_held && B->leases[connector].is_held;
}

/* Until each has its part. */
static void
come_to_rest(void)
{
    for (size_t i = 0; i < ROUNDS; i++) {
        beat(A, ALIVE_MS);
        beat(B, ALIVE_MS);
        if (holds(B) > 0 && holds(A) + holds(B) == CONNECTORS) {
            return;
        }
    }
    fail_msg("%zu and %zu of %d", holds(A), holds(B), CONNECTORS);
}

/* ---- units by a lease ---- */

static enum status
walk_by(struct one *one, uint64_t fence, const char *words)
{
    const struct store_walk walk = {
        .connector = shop, .state = slice_of(words), .hw_ms = 5, .fence = fence
    };
    store = one->store;
    struct store_unit unit = { .connector = shop,
                               .walks = &walk,
                               .walk_count = 1 };
    return apply_unit(&unit);
}

static void
assert_walk(const char *words)
{
    struct buf text = { 0 };
    struct error err = { "" };
    assert_ok(B->store->ops->walk(B->store, shop, 0, &text, &err));
    assert_true(slice_equal_text(buf_slice(&text), words));
    buf_fini(&text);
}

/* ---- the tests ---- */

static void
an_agent_that_is_alone_takes_all_with_its_first_sign_of_life(void **state)
{
    (void)state;
    beat(A, ALIVE_MS);
    assert_int_equal(holds(A), CONNECTORS);
    assert_int_equal(A->beat.taken, CONNECTORS);
    assert_int_equal(A->beat.agent_count, 1);
    assert_true(A->agents[0].is_self);
    assert_true(A->agents[0].shares);
    assert_true(A->agents[0].host[0] != '\0');
    assert_false(A->beat.is_anew);
    uint64_t fence = A->leases[shop].fence;
    beat(A, ALIVE_MS);
    assert_int_equal(A->beat.taken, 0);
    assert_int_equal(holds(A), CONNECTORS);
    assert_int_equal(A->leases[shop].fence, fence); /* not written anew */
}

static void
a_second_agent_asks_for_its_part_and_is_given_it(void **state)
{
    (void)state;
    beat(A, ALIVE_MS);
    open_one(B);
    beat(B, ALIVE_MS);
    assert_int_equal(holds(B), 0);
    assert_int_equal(B->beat.agent_count, 2);
    assert_true(B->agents[1].is_self);
    come_to_rest();
    size_t held = holds(A);
    for (uint32_t i = 0; i < CONNECTORS; i++) {
        assert_false(both_hold(i));
    }
    for (size_t i = 0; i < 30; i++) { /* and that is all */
        beat(A, ALIVE_MS);
        beat(B, ALIVE_MS);
        assert_int_equal(
            A->beat.taken + A->beat.given + B->beat.taken + B->beat.given, 0);
    }
    assert_int_equal(holds(A), held);
}

static void
who_ends_gives_all_back_and_is_waited_for_by_nobody(void **state)
{
    (void)state;
    beat(A, ALIVE_MS);
    uint64_t fence = A->leases[shop].fence;
    open_one(B);
    beat(B, ALIVE_MS);
    A->is_last = true;
    beat(A, ALIVE_MS);
    assert_int_equal(holds(A), 0);
    beat(B, ALIVE_MS);
    assert_int_equal(holds(B), CONNECTORS);
    assert_true(B->leases[shop].fence > fence);
    assert_int_equal(B->beat.buried, 0); /* its deliveries may still run */
    beat(A, ALIVE_MS);
    assert_int_equal(holds(A), 0);
}

static void
what_is_not_named_any_more_is_given_back(void **state)
{
    (void)state;
    beat(A, ALIVE_MS);
    A->count = 4;
    beat(A, ALIVE_MS);
    assert_int_equal(A->beat.given, CONNECTORS - 4);
    assert_int_equal(holds(A), 4);
    /* Whom it should go to does not know it: after a while it is anybody's. */
    open_one(B);
    for (size_t i = 0; i < ROUNDS && holds(B) < CONNECTORS - 4; i++) {
        beat(A, DEAD_MS);
        beat(B, DEAD_MS);
    }
    assert_true(holds(B) >= CONNECTORS - 4);
}

static void
a_unit_by_a_fence_that_is_old_stores_nothing_and_fails_alone(void **state)
{
    (void)state;
    beat(A, ALIVE_MS);
    uint64_t fence = A->leases[shop].fence;
    open_one(B);
    assert_ok(walk_by(A, fence, "one"));
    A->is_last = true;
    beat(A, ALIVE_MS);
    assert_int_equal(walk_by(A, fence, "two"), STATUS_FENCED);
    assert_walk("one");
    beat(B, ALIVE_MS);
    assert_int_equal(walk_by(A, fence, "three"), STATUS_FENCED);
    assert_ok(walk_by(B, B->leases[shop].fence, "four"));
    assert_walk("four");
    assert_ok(walk_by(A, 0, "five")); /* by none: a command */
    assert_walk("five");

    const struct store_walk walk = { .connector = shop,
                                     .state = slice_of("six"),
                                     .fence = fence };
    const struct store_gap gap = { shop, { GAP_TIE, 1, 2 } };
    struct store_unit fenced = {
        .walks = &walk, .walk_count = 1, .gaps = &gap, .gap_count = 1
    };
    struct store_unit other = { .gaps = &gap, .gap_count = 1 };
    struct store_unit *const group[] = { &fenced, &other };
    struct error err = { "" };
    assert_ok(A->store->ops->apply(A->store, group, 2, &err));
    assert_int_equal(fenced.status, STATUS_FENCED);
    assert_ok(other.status);
    assert_walk("five");
}

static void
a_slice_of_an_errand_by_an_old_fence_changes_nothing(void **state)
{
    (void)state;
    struct error err = { "" };
    beat(A, ALIVE_MS);
    struct store_again begin = { .kind = AGAIN_REPLAY,
                                 .state = slice_of("begun") };
    assert_ok(A->store->ops->again(A->store, &begin, &err));
    struct store_again slice = { .kind = AGAIN_REPLAY,
                                 .errand = begin.errand,
                                 .fence = A->leases[0].fence,
                                 .state = slice_of("by A") };
    assert_ok(A->store->ops->again(A->store, &slice, &err));
    A->is_last = true;
    beat(A, ALIVE_MS);
    slice.state = slice_of("late");
    assert_int_equal(A->store->ops->again(A->store, &slice, &err),
                     STATUS_FENCED);
    struct store_errand errand = { 0 };
    assert_ok(A->store->ops->errand(A->store, &errand, &err));
    assert_int_equal(errand.number, begin.errand);
    assert_true(slice_equal_text(buf_slice(&errand.state), "by A"));
    buf_fini(&errand.state);
}

/* An event that is owed to the handler. */
static void
owe_one(struct one *one)
{
    struct owed owed = { .handler = handler };
    struct sighting sighting = { .via = CHANNEL_WEBHOOK,
                                 .id = SLICE("e"),
                                 .type = SLICE("t"),
                                 .time_ms = 1000,
                                 .body = SLICE("{}"),
                                 .key_count = 1,
                                 .owed = &owed,
                                 .owed_count = 1 };
    sighting.keys[0].key.bytes[0] = 0x60;
    struct store_unit unit = { .connector = shop,
                               .sightings = &sighting,
                               .sighting_count = 1 };
    store = one->store;
    assert_ok(apply_unit(&unit));
}

static void
who_is_silent_for_the_ttl_is_buried_and_what_it_had_is_free(void **state)
{
    (void)state;
    beat(A, ALIVE_MS);
    uint64_t fence = A->leases[shop].fence;
    owe_one(A);
    int64_t now_ms = clock_unix_ms();
    (void)claim_one(handler, now_ms, 1); /* leased until far ahead, by A */
    open_one(B);
    store = B->store;
    beat(B, ALIVE_MS);
    assert_int_equal(B->beat.buried, 0);
    struct store_claims none = claim(handler, now_ms, FAR_MS, 1);
    assert_int_equal(none.count, 0);
    drop(&none);
    for (size_t i = 0; i < ROUNDS && B->beat.buried == 0; i++) {
        beat(B, DEAD_MS);
    }
    assert_int_equal(B->beat.buried, 1);
    assert_int_equal(B->beat.freed, 1);
    assert_int_equal(B->beat.taken, CONNECTORS); /* with the same one */
    assert_int_equal(holds(B), CONNECTORS);
    assert_true(B->leases[shop].fence > fence);
    assert_int_equal(B->beat.agent_count, 1);
    (void)claim_one(handler, clock_unix_ms(), 2);
    /* It wakes. */
    assert_int_equal(walk_by(A, fence, "late"), STATUS_FENCED);
    beat(A, ALIVE_MS);
    assert_true(A->beat.is_anew);
    assert_int_equal(A->beat.agent_count, 2);
    assert_int_equal(holds(A), 0);
    assert_int_equal(walk_by(A, fence, "later"), STATUS_FENCED);
    beat(A, ALIVE_MS);
    assert_false(A->beat.is_anew);
}

static void
what_came_to_another_agent_is_told_to_the_holder_once(void **state)
{
    (void)state;
    beat(A, ALIVE_MS);
    open_one(B);
    B->leases[shop].is_poked = true;
    beat(B, ALIVE_MS);
    assert_false(B->leases[shop].is_poked);
    beat(A, ALIVE_MS);
    for (uint32_t i = 0; i < CONNECTORS; i++) {
        assert_true(A->leases[i].is_poked == (i == shop));
    }
    A->leases[shop].is_poked = false;
    beat(A, ALIVE_MS);
    assert_false(A->leases[shop].is_poked);
}

static void
the_lowest_stamp_is_that_of_all_once_nothing_is_on_its_way(void **state)
{
    (void)state;
    A->lowest_ms = 700;
    beat(A, ALIVE_MS);
    /* What it has taken it has not told of yet. */
    assert_true(A->beat.everybodys_lowest_ms == INT64_MIN);
    beat(A, ALIVE_MS);
    assert_int_equal(A->beat.everybodys_lowest_ms, 700);
    open_one(B);
    B->lowest_ms = 500;
    come_to_rest();
    beat(A, ALIVE_MS);
    beat(B, ALIVE_MS);
    assert_int_equal(B->beat.everybodys_lowest_ms, 500);
    B->is_last = true;
    beat(B, ALIVE_MS);
    beat(A, ALIVE_MS); /* takes what B had */
    assert_true(A->beat.everybodys_lowest_ms == INT64_MIN);
}

int
lease_suite_run(const struct store_suite_host *under)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(an_agent_that_is_alone_takes_all_with_its_first_sign_of_life),
        TEST(a_second_agent_asks_for_its_part_and_is_given_it),
        TEST(who_ends_gives_all_back_and_is_waited_for_by_nobody),
        TEST(what_is_not_named_any_more_is_given_back),
        TEST(a_unit_by_a_fence_that_is_old_stores_nothing_and_fails_alone),
        TEST(a_slice_of_an_errand_by_an_old_fence_changes_nothing),
        TEST(who_is_silent_for_the_ttl_is_buried_and_what_it_had_is_free),
        TEST(what_came_to_another_agent_is_told_to_the_holder_once),
        TEST(the_lowest_stamp_is_that_of_all_once_nothing_is_on_its_way),
#undef TEST
    };
    host = under;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
