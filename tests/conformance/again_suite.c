/* SPDX-License-Identifier: MIT */
/*
 * again_suite: what store.h says of dead letters that are tried again, of old
 * events that are replayed, of errands and of the log of attempts, for any
 * store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "conformance/store_suite.h"
#include "model/identity.h"

#define NOW_S  ((int64_t)1790000000)
#define FAR_MS ((int64_t)4000000000000)

static const struct store_suite_host *host;
static struct store *store;
static uint32_t shop, mail, log_to;

#define assert_ok(status) assert_int_equal((status), STATUS_OK)

static void
open_it(void)
{
    struct error err = { 0 };
    assert_ok(host->open(&store, &err));
    assert_ok(store->ops->name(store, STORE_CONNECTOR, slice_of("shop"), &shop,
                               &err));
    assert_ok(
        store->ops->name(store, STORE_HANDLER, slice_of("mail"), &mail, &err));
    assert_ok(
        store->ops->name(store, STORE_HANDLER, slice_of("log"), &log_to, &err));
}

static int
set_up(void **state)
{
    (void)state;
    host->wipe();
    open_it();
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    store->ops->close(store);
    store = NULL;
    return 0;
}

static void
reopen(void)
{
    store->ops->close(store);
    open_it();
}

static void
apply(struct store_unit *unit)
{
    struct store_unit *const units[] = { unit };
    struct error err = { 0 };
    assert_ok(store->ops->apply(store, units, 1, &err));
    assert_ok(unit->status);
}

/* Accepts an event that is owed to `mail`, running; `lane` 0: none. */
static uint64_t
accept(const char *id, int64_t lane)
{
    const struct owed owed = {
        .handler = mail, .hot = lane == 0, .has_lane = lane != 0, .lane = lane
    };
    struct sighting sighting = { .via = CHANNEL_WEBHOOK,
                                 .key_count = 1,
                                 .id = slice_of(id),
                                 .type = SLICE("order.paid"),
                                 .body = SLICE("{}"),
                                 .owed = &owed,
                                 .owed_count = 1 };
    sighting.keys[0].key = identity_floor_key(NOW_S);
    memcpy(sighting.keys[0].key.bytes + 4, id, strlen(id));
    struct store_unit unit = { .connector = shop,
                               .sightings = &sighting,
                               .sighting_count = 1,
                               .lease_until_ms = FAR_MS };
    apply(&unit);
    return sighting.number;
}

static bool
settle(uint64_t event, unsigned attempt, enum outcome_kind kind)
{
    struct store_outcome outcome = { .event = event,
                                     .handler = mail,
                                     .attempt = attempt,
                                     .kind = kind,
                                     .due_ms = 7,
                                     .reason = "exit 65",
                                     .started_ms = 5,
                                     .detail = SLICE("exit 65"),
                                     .output = SLICE("no") };
    struct store_unit unit = { .outcomes = &outcome, .outcome_count = 1 };
    apply(&unit);
    return outcome.applied;
}

static uint64_t
bury(const char *id)
{
    uint64_t event = accept(id, 0);
    assert_true(settle(event, 1, OUTCOME_DEAD));
    return event;
}

/* Claims at most one delivery; its event's number, 0: none was due. */
static uint64_t
claim(bool again, int64_t now_ms, struct store_claim *ret_claim)
{
    struct store_claims claims = { .again = again };
    struct error err = { 0 };
    assert_ok(
        store->ops->claim(store, mail, now_ms, FAR_MS * 2, 1, &claims, &err));
    uint64_t number = 0;
    if (claims.count == 1) {
        number = claims.at[0].event->number;
        *ret_claim = claims.at[0];
        event_unref(claims.at[0].event);
    }
    mem_free(claims.at);
    return number;
}

static enum status
ask(struct store_again *again)
{
    struct error err = { 0 };
    return store->ops->again(store, again, &err);
}

/* Asks for one event and `mail`; says whether it was done. */
static bool
once(enum again kind, uint64_t event)
{
    const struct store_again_one one = { .event = event, .handler = mail };
    struct store_again again = { .kind = kind, .at = &one, .count = 1 };
    assert_ok(ask(&again));
    assert_int_equal(again.done + again.skipped, 1);
    return again.done == 1;
}

static struct store_figure
figure(void)
{
    struct store_figure figure = { .handler = mail };
    struct error err = { 0 };
    assert_ok(store->ops->figures(store, &figure, 1, &err));
    return figure;
}

static struct view_detail
detail(uint64_t number, struct arena *arena)
{
    struct store_view *view;
    struct view_detail asked = { .number = number };
    struct error err = { 0 };
    assert_ok(host->view(&view, &err));
    assert_ok(view->ops->detail(view, &asked, arena, &err));
    view->ops->close(view);
    return asked;
}

/* ---- the words ---- */

static void
a_dead_letter_that_is_tried_again_is_a_delivery_that_is_due(void **state)
{
    (void)state;
    struct store_claim of = { 0 };
    uint64_t event = bury("e1");
    assert_int_equal(figure().dead, 1);
    assert_true(once(AGAIN_RETRY, event));
    assert_int_equal(figure().dead, 0);
    assert_int_equal(figure().pending, 1);
    assert_true(figure().next_due_ms > 0);
    assert_int_equal(claim(true, FAR_MS, &of), event);
    assert_int_equal(of.again, AGAIN_RETRY);
    assert_int_equal(of.attempt, 2);
    assert_int_equal(of.base, 1);
    assert_true(of.since_ms > 0);
    /* an outcome of its life before changes nothing */
    assert_false(settle(event, 1, OUTCOME_DEAD));
    assert_true(settle(event, 2, OUTCOME_DONE));
    assert_int_equal(figure().pending, 0);
}

static void
what_is_not_there_or_owed_already_is_skipped(void **state)
{
    (void)state;
    uint64_t running = accept("e1", 0);
    assert_false(once(AGAIN_RETRY, running));
    assert_false(once(AGAIN_DROP, running));
    assert_false(once(AGAIN_REPLAY, running));
    assert_false(once(AGAIN_REPLAY, 12345));
    assert_int_equal(figure().pending, 1);
    uint64_t dead = bury("e2");
    assert_true(once(AGAIN_RETRY, dead));
    assert_false(once(AGAIN_RETRY, dead));
    assert_int_equal(figure().pending, 2);
}

static void
a_dead_letter_that_is_dropped_is_gone_and_its_event_stays(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    uint64_t event = bury("e1");
    assert_true(once(AGAIN_DROP, event));
    assert_int_equal(figure().dead, 0);
    assert_int_equal(figure().pending, 0);
    assert_int_equal(detail(event, &arena).delivery_count, 0);
    arena_fini(&arena);
}

static void
an_old_event_is_owed_once_more_and_its_dead_letter_goes(void **state)
{
    (void)state;
    struct store_claim of = { 0 };
    uint64_t done = accept("e1", 0);
    assert_true(settle(done, 1, OUTCOME_DONE));
    assert_true(once(AGAIN_REPLAY, done));
    assert_int_equal(claim(true, FAR_MS, &of), done);
    assert_int_equal(of.again, AGAIN_REPLAY);
    assert_int_equal(of.attempt, 2);
    assert_true(settle(done, 2, OUTCOME_DONE));
    uint64_t dead = bury("e2");
    assert_true(once(AGAIN_REPLAY, dead));
    assert_int_equal(figure().dead, 0);
    assert_int_equal(figure().pending, 1);
    /* the ledger knows both as before */
    assert_int_equal(accept("e1", 0), done);
    assert_int_equal(accept("e2", 0), dead);
    assert_int_equal(figure().pending, 1);
}

static void
what_comes_again_and_what_does_not_are_claimed_apart(void **state)
{
    (void)state;
    struct store_claim of = { 0 };
    uint64_t dead = bury("e1");
    assert_true(once(AGAIN_RETRY, dead));
    uint64_t live = accept("e2", 0);
    assert_true(settle(live, 1, OUTCOME_LATER));
    assert_int_equal(claim(false, FAR_MS, &of), live);
    assert_int_equal(of.again, AGAIN_NOT);
    assert_int_equal(claim(false, FAR_MS, &of), 0);
    assert_int_equal(claim(true, FAR_MS, &of), dead);
    assert_int_equal(claim(true, FAR_MS, &of), 0);
}

static void
what_is_asked_to_be_first_is_claimed_first(void **state)
{
    (void)state;
    struct store_claim of = { 0 };
    uint64_t one = bury("e1");
    uint64_t two = bury("e2");
    assert_true(once(AGAIN_RETRY, one));
    const struct store_again_one wish = { .event = two, .handler = mail };
    struct store_again again = {
        .kind = AGAIN_RETRY, .at = &wish, .count = 1, .first = true
    };
    assert_ok(ask(&again));
    assert_int_equal(claim(true, FAR_MS, &of), two);
    assert_int_equal(claim(true, FAR_MS, &of), one);
}

static void
a_dead_letter_comes_back_into_its_lane(void **state)
{
    (void)state;
    struct store_claim of = { 0 };
    uint64_t first = accept("e1", 4);
    uint64_t second = accept("e2", 4);
    assert_int_equal(claim(false, FAR_MS, &of), first);
    assert_true(settle(first, 1, OUTCOME_DEAD));
    assert_int_equal(claim(false, FAR_MS, &of), second);
    assert_true(once(AGAIN_RETRY, first));
    assert_int_equal(claim(true, FAR_MS, &of), 0);
    assert_true(settle(second, 1, OUTCOME_DONE));
    assert_int_equal(claim(true, FAR_MS, &of), first);
    assert_true(of.has_lane);
    assert_int_equal(of.lane, 4);
}

static void
an_errand_goes_on_over_restarts_until_it_is_over(void **state)
{
    (void)state;
    struct error err = { 0 };
    const struct store_again_one wishes[] = {
        { .event = bury("e1"), .handler = mail },
        { .event = bury("e2"), .handler = mail },
        { .event = 77, .handler = mail },
    };
    struct store_again again = { .kind = AGAIN_RETRY, .state = SLICE("{1}") };
    assert_ok(ask(&again));
    assert_true(again.errand > 0);
    again.at = wishes;
    again.count = 1;
    again.state = slice_of("{2}");
    assert_ok(ask(&again));
    assert_int_equal(again.all_done, 1);
    assert_int_equal(again.open, 1);
    reopen();

    struct store_errand errand = { 0 };
    assert_ok(store->ops->errand(store, &errand, &err));
    assert_int_equal(errand.number, again.errand);
    assert_true(slice_equal_text(buf_slice(&errand.state), "{2}"));
    assert_int_equal(errand.done, 1);
    again.at = wishes + 1;
    again.count = 2;
    again.state = slice_of("{3}");
    again.is_over = true;
    assert_ok(ask(&again));
    assert_int_equal(again.all_done, 2);
    assert_int_equal(again.all_skipped, 1);
    assert_int_equal(again.open, 2);
    assert_ok(store->ops->errand(store, &errand, &err));
    assert_int_equal(errand.number, 0);
    buf_fini(&errand.state);
}

static void
a_slice_of_an_errand_that_is_over_changes_nothing(void **state)
{
    (void)state;
    const struct store_again_one wish = { .event = bury("e1"),
                                          .handler = mail };
    struct store_again again = { .kind = AGAIN_RETRY,
                                 .state = SLICE("{1}"),
                                 .is_over = true };
    assert_ok(ask(&again));
    again.at = &wish;
    again.count = 1;
    assert_int_equal(ask(&again), STATUS_NOT_FOUND);
    assert_int_equal(again.done, 0);
    assert_int_equal(figure().dead, 1);
    again.errand = 99;
    assert_int_equal(ask(&again), STATUS_NOT_FOUND);
    assert_int_equal(figure().dead, 1);
}

static void
the_log_of_attempts_holds_all_that_were_made(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct store_claim of = { 0 };
    uint64_t event = accept("e1", 0);
    assert_true(settle(event, 1, OUTCOME_LATER));
    assert_int_equal(claim(false, FAR_MS, &of), event);
    assert_true(settle(event, 2, OUTCOME_RELEASE));
    assert_int_equal(claim(false, FAR_MS, &of), event);
    assert_true(settle(event, 2, OUTCOME_DONE));
    struct view_detail of_it = detail(event, &arena);
    assert_int_equal(of_it.attempt_count, 2);
    assert_int_equal(of_it.attempts[0].outcome, VIEW_RETRY);
    assert_int_equal(of_it.attempts[0].due_ms, 7);
    assert_int_equal(of_it.attempts[1].outcome, VIEW_DONE);
    assert_int_equal(of_it.attempts[1].attempt, 2);
    assert_int_equal(of_it.attempts[1].due_ms, 0);
    arena_fini(&arena);
}

static void
of_one_delivery_the_last_attempts_are_kept(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct store_claim of = { 0 };
    uint64_t event = accept("e1", 0);
    for (unsigned i = 1; i <= 120; i++) {
        assert_true(settle(event, i, OUTCOME_LATER));
        assert_int_equal(claim(false, FAR_MS, &of), event);
    }
    struct view_detail of_it = detail(event, &arena);
    assert_int_equal(of_it.attempt_count, 100);
    assert_int_equal(of_it.attempts[0].attempt, 21);
    assert_int_equal(of_it.attempts[99].attempt, 120);
    arena_fini(&arena);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
again_suite_run(const struct store_suite_host *of)
{
    host = of;
    const struct CMUnitTest tests[] = {
        ROW(a_dead_letter_that_is_tried_again_is_a_delivery_that_is_due),
        ROW(what_is_not_there_or_owed_already_is_skipped),
        ROW(a_dead_letter_that_is_dropped_is_gone_and_its_event_stays),
        ROW(an_old_event_is_owed_once_more_and_its_dead_letter_goes),
        ROW(what_comes_again_and_what_does_not_are_claimed_apart),
        ROW(what_is_asked_to_be_first_is_claimed_first),
        ROW(a_dead_letter_comes_back_into_its_lane),
        ROW(an_errand_goes_on_over_restarts_until_it_is_over),
        ROW(a_slice_of_an_errand_that_is_over_changes_nothing),
        ROW(the_log_of_attempts_holds_all_that_were_made),
        ROW(of_one_delivery_the_last_attempts_are_kept),
    };
    return cmocka_run_group_tests_name("again", tests, NULL, NULL);
}
