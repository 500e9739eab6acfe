/* SPDX-License-Identifier: MIT */
/*
 * share_suite: two agents that work on one store at the same time, for any
 * store that several may share. Each has a thread; what it finds wrong it says
 * in words, which the test looks at when both have ended.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "conformance/deeds.h"
#include "conformance/store_suite.h"
#include "io/clock.h"
#include "model/identity.h"

enum { EVENTS = 240, GROUP = 12, LANES = 3, TURNS_MOST = 4000 };

#define DAY_MS INT64_C(86400000)

static const struct store_suite_host *host;
static uint32_t shop;
static uint32_t handler;
static atomic_int running[LANES]; /* deliveries of each lane that are tried */
static atomic_ullong last_done[LANES];
static bool is_ordered; /* events came to their lanes by number */
static atomic_int left;

struct agent {
    struct store *store;
    bool is_second; /* it does all in the opposite order */
    enum channel via;
    size_t fresh, confirmed, late;
    struct error wrong; /* "": nothing */
};

static struct agent agents[2];

static void
wrong(struct agent *agent, const char *what, const struct error *err)
{
    if (agent->wrong.text[0] == '\0') {
        (void)error_set(&agent->wrong, STATUS_INVALID, "%s: %s", what,
                        err->text);
    }
}

static int
set_up(void **state)
{
    (void)state;
    host->wipe();
    memset(agents, 0, sizeof(agents));
    is_ordered = false;
    for (size_t i = 0; i < LANES; i++) {
        atomic_store(&last_done[i], 0);
    }
    for (size_t i = 0; i < 2; i++) {
        struct error err = { "" };
        if (host->open(&agents[i].store, &err) != STATUS_OK) {
            fail_msg("%s", err.text);
        }
        agents[i].is_second = i == 1;
        struct store *one = agents[i].store;
        assert_ok(one->ops->name(one, STORE_CONNECTOR, slice_of("shop"), &shop,
                                 &err));
        assert_ok(
            one->ops->name(one, STORE_HANDLER, slice_of("h"), &handler, &err));
        assert_ok(one->ops->lanes(one, handler, false, &err));
    }
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        if (agents[i].store != NULL) {
            agents[i].store->ops->close(agents[i].store);
        }
    }
    return 0;
}

/* Both do it at once. */
static void
do_both(void *(*what)(void *))
{
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, what, &agents[i]),
                         0);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        if (agents[i].wrong.text[0] != '\0') {
            fail_msg("agent %zu: %s", i, agents[i].wrong.text);
        }
    }
}

static struct store_figure
figure(const struct agent *agent)
{
    struct store_figure at = { .handler = handler };
    assert_ok(agent->store->ops->figures(agent->store, &at, 1, NULL));
    return at;
}

static struct sighting
sighting_of(size_t number, enum channel via, const struct owed *owed)
{
    struct sighting sighting = {
        .via = via,
        .key_count = 1,
        .id = SLICE("e"),
        .type = SLICE("t"),
        .time_ms = clock_unix_ms(),
        .body = SLICE("{}"),
        .owed = owed,
        .owed_count = owed != NULL,
    };
    sighting.keys[0].role = KEY_ID;
    sighting.keys[0].key = identity_floor_key(clock_unix_ms() / DAY_MS * 86400);
    memcpy(sighting.keys[0].key.bytes + 8, &number, sizeof(number));
    return sighting;
}

/* ---- what is shown to both ---- */

static void *
show_all(void *arg)
{
    struct agent *agent = arg;
    const struct owed owed = { .handler = handler };
    for (size_t from = 0; from < EVENTS; from += GROUP) {
        struct sighting rows[GROUP];
        for (size_t i = 0; i < GROUP; i++) {
            const size_t number = from + i;
            rows[i] =
                sighting_of(agent->is_second ? EVENTS - 1 - number : number,
                            agent->via, &owed);
        }
        struct store_unit unit = { .connector = shop,
                                   .sightings = rows,
                                   .sighting_count = GROUP,
                                   .grace_ms = DAY_MS };
        struct store_unit *units[] = { &unit };
        struct error err = { "" };
        if (agent->store->ops->apply(agent->store, units, 1, &err) !=
                STATUS_OK ||
            unit.status != STATUS_OK) {
            wrong(agent, "apply", &err);
            break;
        }
        for (size_t i = 0; i < GROUP; i++) {
            agent->fresh += rows[i].fresh;
            agent->confirmed += rows[i].confirmed;
            agent->late += rows[i].late;
        }
    }
    return NULL;
}

static void
an_id_that_both_show_at_once_is_one_event(void **state)
{
    (void)state;
    do_both(show_all);
    assert_int_equal(agents[0].fresh + agents[1].fresh, EVENTS);
    assert_int_equal(figure(&agents[0]).pending, EVENTS);
    assert_int_equal(figure(&agents[1]).pending, EVENTS);
}

static void
what_a_webhook_and_a_row_show_at_once_meets_once(void **state)
{
    (void)state;
    struct store_account account = { .connector = shop,
                                     .counts = true,
                                     .grace_ms = DAY_MS,
                                     .now_ms = clock_unix_ms(),
                                     .limit = 10 };
    struct store *one = agents[0].store;
    assert_ok(one->ops->account(one, &account, NULL));
    agents[1].via = CHANNEL_POLL;
    do_both(show_all);
    account.now_ms = clock_unix_ms();
    assert_ok(one->ops->account(one, &account, NULL));
    assert_int_equal(agents[0].fresh + agents[1].fresh, EVENTS);
    assert_int_equal(account.met, EVENTS);
    assert_int_equal(account.late, agents[0].late + agents[1].late);
    assert_int_equal(account.confirmed,
                     agents[0].confirmed + agents[1].confirmed);
    assert_true(account.confirmed <= account.met);
}

static void
a_webhook_that_both_show_at_once_meets_its_row_once(void **state)
{
    (void)state;
    agents[0].via = CHANNEL_POLL;
    (void)show_all(&agents[0]);
    agents[0].via = CHANNEL_WEBHOOK;
    do_both(show_all);
    struct store_account account = { .connector = shop,
                                     .counts = true,
                                     .grace_ms = DAY_MS,
                                     .now_ms = clock_unix_ms(),
                                     .limit = 10 };
    struct store *one = agents[1].store;
    assert_ok(one->ops->account(one, &account, NULL));
    assert_int_equal(agents[0].fresh + agents[1].fresh, EVENTS);
    assert_int_equal(account.met, EVENTS);
}

/* ---- what is owed ---- */

static struct store_outcome
done(const struct store_claim *claim)
{
    return (struct store_outcome){ .event = claim->event->number,
                                   .handler = handler,
                                   .attempt = claim->attempt,
                                   .kind = OUTCOME_DONE,
                                   .started_ms = 1 };
}

static void
end_all(struct agent *agent, const struct store_claims *claims)
{
    struct store_outcome outcomes[GROUP];
    for (size_t i = 0; i < claims->count; i++) {
        outcomes[i] = done(&claims->at[i]);
    }
    struct store_unit unit = { .connector = shop,
                               .outcomes = outcomes,
                               .outcome_count = claims->count };
    struct store_unit *units[] = { &unit };
    struct error err = { "" };
    if (agent->store->ops->apply(agent->store, units, 1, &err) != STATUS_OK ||
        unit.status != STATUS_OK) {
        wrong(agent, "outcomes", &err);
    }
    for (size_t i = 0; i < claims->count; i++) {
        if (!outcomes[i].applied) {
            wrong(agent, "an outcome was not applied", &err);
        }
    }
    atomic_fetch_sub(&left, (int)claims->count);
}

/* Of each lane one at a time, and the events in their order. */
static void
look_at_lanes(struct agent *agent, const struct store_claims *claims, int step)
{
    const struct error none = { "" };
    for (size_t i = 0; i < claims->count; i++) {
        const struct store_claim *claim = &claims->at[i];
        if (!claim->has_lane) {
            continue;
        }
        if (step > 0) {
            if (atomic_fetch_add(&running[claim->lane], 1) != 0) {
                wrong(agent, "two of a lane at once", &none);
            }
            if (atomic_exchange(&last_done[claim->lane],
                                claim->event->number) >= claim->event->number &&
                is_ordered) {
                wrong(agent, "a lane out of order", &none);
            }
        } else {
            atomic_fetch_sub(&running[claim->lane], 1);
        }
    }
}

static void *
work(void *arg)
{
    struct agent *agent = arg;
    for (int turn = 0; turn < TURNS_MOST && atomic_load(&left) > 0 &&
                       agent->wrong.text[0] == '\0';
         turn++) {
        struct store_claims claims = { 0 };
        struct error err = { "" };
        const int64_t now_ms = clock_unix_ms();
        if (agent->store->ops->claim(agent->store, handler, now_ms,
                                     now_ms + DAY_MS, GROUP, &claims,
                                     &err) != STATUS_OK) {
            wrong(agent, "claim", &err);
            break;
        }
        look_at_lanes(agent, &claims, 1);
        look_at_lanes(agent, &claims, -1);
        if (claims.count > 0) {
            end_all(agent, &claims);
        }
        drop(&claims);
    }
    return NULL;
}

static void
what_both_claim_at_once_is_given_to_one(void **state)
{
    (void)state;
    do_both(show_all);
    atomic_store(&left, EVENTS);
    do_both(work);
    assert_int_equal(atomic_load(&left), 0);
    assert_int_equal(figure(&agents[0]).pending, 0);
}

/* Where a claim began is where the next one begins to look. */
static void
what_is_due_below_the_last_claim_is_given_out_too(void **state)
{
    (void)state;
    struct store *one = agents[0].store;
    struct store_claims claims = { 0 };
    const int64_t now_ms = clock_unix_ms() + 1000;
    (void)show_all(&agents[0]);
    assert_ok(one->ops->claim(one, handler, now_ms, now_ms + DAY_MS, 2, &claims,
                              NULL));
    assert_int_equal(claims.count, 2);
    const uint64_t event = claims.at[1].event->number;
    struct store_outcome later = done(&claims.at[1]);
    later.kind = OUTCOME_LATER;
    later.due_ms = 1;
    struct store_unit unit = { .connector = shop,
                               .outcomes = &later,
                               .outcome_count = 1 };
    struct store_unit *units[] = { &unit };
    assert_ok(one->ops->apply(one, units, 1, NULL));
    drop(&claims);
    bool found = false;
    size_t count = 0;
    for (size_t given = 1; given > 0 && count < EVENTS; count += given) {
        claims = (struct store_claims){ 0 };
        assert_ok(one->ops->claim(one, handler, now_ms, now_ms + DAY_MS, GROUP,
                                  &claims, NULL));
        for (size_t i = 0; i < claims.count; i++) {
            found = found || claims.at[i].event->number == event;
        }
        given = claims.count;
        drop(&claims);
    }
    assert_true(found);
    assert_int_equal(count, EVENTS - 1);
}

/* Adds to the lanes, in turn with ending what is there. */
static void *
join_and_work(void *arg)
{
    struct agent *agent = arg;
    for (size_t i = 0; i < EVENTS / 2; i++) {
        const struct owed owed = { .handler = handler,
                                   .has_lane = true,
                                   .lane = (int64_t)(i % LANES) };
        struct sighting row = sighting_of(i + (agent->is_second ? EVENTS : 0),
                                          CHANNEL_WEBHOOK, &owed);
        struct store_unit unit = { .connector = shop,
                                   .sightings = &row,
                                   .sighting_count = 1 };
        struct store_unit *units[] = { &unit };
        struct error err = { "" };
        if (agent->store->ops->apply(agent->store, units, 1, &err) !=
                STATUS_OK ||
            unit.status != STATUS_OK) {
            wrong(agent, "apply", &err);
            break;
        }
        struct store_claims claims = { 0 };
        const int64_t now_ms = clock_unix_ms();
        if (agent->store->ops->claim(agent->store, handler, now_ms,
                                     now_ms + DAY_MS, 1, &claims,
                                     &err) != STATUS_OK) {
            wrong(agent, "claim", &err);
            break;
        }
        if (claims.count > 0) {
            end_all(agent, &claims);
        }
        drop(&claims);
    }
    return NULL;
}

static void
no_lane_stands_still_when_one_agent_joins_it_and_the_other_ends_it(void **state)
{
    (void)state;
    atomic_store(&left, EVENTS);
    do_both(join_and_work);
    do_both(work);
    assert_int_equal(atomic_load(&left), 0);
    assert_int_equal(figure(&agents[1]).pending, 0);
}

static void
lanes_are_in_order_over_agents(void **state)
{
    (void)state;
    for (size_t i = 0; i < EVENTS; i++) {
        const struct owed owed = { .handler = handler,
                                   .has_lane = true,
                                   .lane = (int64_t)(i % LANES) };
        struct sighting row = sighting_of(i, CHANNEL_WEBHOOK, &owed);
        struct store_unit unit = { .connector = shop,
                                   .sightings = &row,
                                   .sighting_count = 1 };
        struct store_unit *units[] = { &unit };
        assert_ok(agents[0].store->ops->apply(agents[0].store, units, 1, NULL));
    }
    atomic_store(&left, EVENTS);
    is_ordered = true;
    do_both(work);
    assert_int_equal(atomic_load(&left), 0);
}

static void
numbers_of_events_are_never_anothers(void **state)
{
    (void)state;
    uint64_t last = 0;
    for (size_t i = 0; i < 20; i++) {
        struct sighting row = sighting_of(i, CHANNEL_WEBHOOK, NULL);
        struct store_unit unit = { .connector = shop,
                                   .sightings = &row,
                                   .sighting_count = 1 };
        struct store_unit *units[] = { &unit };
        const struct agent *agent = &agents[i % 2];
        assert_ok(agent->store->ops->apply(agent->store, units, 1, NULL));
        assert_true(row.fresh && row.number != last);
        last = row.number;
    }
}

int
share_suite_run(const struct store_suite_host *of)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(an_id_that_both_show_at_once_is_one_event),
        TEST(what_a_webhook_and_a_row_show_at_once_meets_once),
        TEST(a_webhook_that_both_show_at_once_meets_its_row_once),
        TEST(what_both_claim_at_once_is_given_to_one),
        TEST(what_is_due_below_the_last_claim_is_given_out_too),
        TEST(
            no_lane_stands_still_when_one_agent_joins_it_and_the_other_ends_it),
        TEST(lanes_are_in_order_over_agents),
        TEST(numbers_of_events_are_never_anothers),
#undef TEST
    };
    host = of;
    return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}
