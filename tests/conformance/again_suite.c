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

#include "conformance/deeds.h"
#include "conformance/store_suite.h"
#include "model/identity.h"

#define NOW_S ((int64_t)1790000000)

static const struct store_suite_host *host;
static struct store_view *view;
static struct arena arena;
static uint32_t shop, mail, log_to;

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
    struct error err = { 0 };
    host->wipe();
    open_it();
    assert_ok(host->view(&view, &err));
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    view->ops->close(view);
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

/* Accepts an event that is owed to a handler, running; `lane` 0: none. */
static uint64_t
accept_as(const char *id, const char *type, uint32_t handler, int64_t lane)
{
    const struct owed owed = { .handler = handler,
                               .hot = lane == 0,
                               .has_lane = lane != 0,
                               .lane = lane };
    struct sighting sighting = { .via = CHANNEL_WEBHOOK,
                                 .key_count = 1,
                                 .id = slice_of(id),
                                 .type = slice_of(type),
                                 .headers = SLICE("x-a: 1\n"),
                                 .body = SLICE("{\"a\":1}"),
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

static uint64_t
accept(const char *id, int64_t lane)
{
    return accept_as(id, "order.paid", mail, lane);
}

static bool
settle_at(uint32_t handler, uint64_t event, unsigned attempt,
          enum outcome_kind kind)
{
    struct store_outcome outcome = { .event = event,
                                     .handler = handler,
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

static bool
settle(uint64_t event, unsigned attempt, enum outcome_kind kind)
{
    return settle_at(mail, event, attempt, kind);
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
claim_next(bool again, int64_t now_ms, struct store_claim *ret_claim)
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
detail(uint64_t number)
{
    struct view_detail asked = { .number = number };
    struct error err = { 0 };
    assert_ok(view->ops->detail(view, &asked, &arena, &err));
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
    assert_int_equal(claim_next(true, FAR_MS, &of), event);
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
    uint64_t event = bury("e1");
    assert_true(once(AGAIN_DROP, event));
    assert_int_equal(figure().dead, 0);
    assert_int_equal(figure().pending, 0);
    assert_int_equal(detail(event).delivery_count, 0);
}

static void
an_old_event_is_owed_once_more_and_its_dead_letter_goes(void **state)
{
    (void)state;
    struct store_claim of = { 0 };
    uint64_t done = accept("e1", 0);
    assert_true(settle(done, 1, OUTCOME_DONE));
    assert_true(once(AGAIN_REPLAY, done));
    assert_int_equal(claim_next(true, FAR_MS, &of), done);
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
    assert_int_equal(claim_next(false, FAR_MS, &of), live);
    assert_int_equal(of.again, AGAIN_NOT);
    assert_int_equal(claim_next(false, FAR_MS, &of), 0);
    assert_int_equal(claim_next(true, FAR_MS, &of), dead);
    assert_int_equal(claim_next(true, FAR_MS, &of), 0);
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
    assert_int_equal(claim_next(true, FAR_MS, &of), two);
    assert_int_equal(claim_next(true, FAR_MS, &of), one);
}

static void
a_dead_letter_comes_back_into_its_lane(void **state)
{
    (void)state;
    struct store_claim of = { 0 };
    uint64_t first = accept("e1", 4);
    uint64_t second = accept("e2", 4);
    assert_int_equal(claim_next(false, FAR_MS, &of), first);
    assert_true(settle(first, 1, OUTCOME_DEAD));
    assert_int_equal(claim_next(false, FAR_MS, &of), second);
    assert_true(once(AGAIN_RETRY, first));
    assert_int_equal(claim_next(true, FAR_MS, &of), 0);
    assert_true(settle(second, 1, OUTCOME_DONE));
    assert_int_equal(claim_next(true, FAR_MS, &of), first);
    assert_true(of.has_lane);
    assert_int_equal(of.lane, 4);
}

static void
a_replayed_letter_that_holds_a_lane_comes_back_into_that_one(void **state)
{
    (void)state;
    struct store_claim of = { 0 };
    struct error err = { 0 };
    const struct store_again_one ones[] = {
        { .handler = mail }, /* by now it has none */
        { .handler = mail, .has_lane = true, .lane = 5 },
    };
    for (size_t i = 0; i < 2; i++) {
        assert_ok(store->ops->lanes(store, mail, true, &err));
        uint64_t first = accept(i == 0 ? "e1" : "e3", 4);
        uint64_t second = accept(i == 0 ? "e2" : "e4", 4);
        assert_int_equal(claim_next(false, FAR_MS, &of), first);
        assert_true(settle(first, 1, OUTCOME_DEAD));
        struct store_again_one one = ones[i];
        one.event = first;
        struct store_again again = { .kind = AGAIN_REPLAY,
                                     .at = &one,
                                     .count = 1 };
        assert_ok(ask(&again));
        assert_int_equal(again.done, 1);
        assert_int_equal(claim_next(true, FAR_MS, &of), first);
        assert_int_equal(of.lane, 4);
        assert_int_equal(claim_next(false, FAR_MS, &of), 0);
        assert_true(settle(first, 2, OUTCOME_DONE));
        assert_int_equal(claim_next(false, FAR_MS, &of), second);
        assert_true(settle(second, 1, OUTCOME_DONE));
    }
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
    again.skipped = 5; /* that were passed over */
    again.at = wishes + 1;
    again.count = 2;
    again.state = slice_of("{3}");
    again.is_over = true;
    assert_ok(ask(&again));
    assert_int_equal(again.all_done, 2);
    assert_int_equal(again.all_skipped, 6);
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
    struct store_claim of = { 0 };
    uint64_t event = accept("e1", 0);
    assert_true(settle(event, 1, OUTCOME_LATER));
    assert_int_equal(claim_next(false, FAR_MS, &of), event);
    assert_true(settle(event, 2, OUTCOME_RELEASE));
    assert_int_equal(claim_next(false, FAR_MS, &of), event);
    assert_true(settle(event, 2, OUTCOME_DONE));
    struct view_detail of_it = detail(event);
    assert_int_equal(of_it.attempt_count, 2);
    assert_int_equal(of_it.attempts[0].outcome, VIEW_RETRY);
    assert_int_equal(of_it.attempts[0].due_ms, 7);
    assert_int_equal(of_it.attempts[1].outcome, VIEW_DONE);
    assert_int_equal(of_it.attempts[1].attempt, 2);
    assert_int_equal(of_it.attempts[1].due_ms, 0);
}

static void
of_one_delivery_the_last_attempts_are_kept(void **state)
{
    (void)state;
    struct store_claim of = { 0 };
    uint64_t event = accept("e1", 0);
    for (unsigned i = 1; i <= 120; i++) {
        assert_true(settle(event, i, OUTCOME_LATER));
        assert_int_equal(claim_next(false, FAR_MS, &of), event);
    }
    struct view_detail of_it = detail(event);
    assert_int_equal(of_it.attempt_count, 100);
    assert_int_equal(of_it.attempts[0].attempt, 21);
    assert_int_equal(of_it.attempts[99].attempt, 120);
}

/* ---- dead letters, reasons and errands, looked at ---- */

static uint64_t
show_dead(const char *id, const char *type, uint32_t handler)
{
    uint64_t event = accept_as(id, type, handler, 0);
    assert_true(settle_at(handler, event, 1, OUTCOME_DEAD));
    return event;
}

static struct view_events
events(struct view_events asked)
{
    struct error err = { 0 };
    asked.limit = asked.limit == 0 ? 100 : asked.limit;
    asked.look = asked.look == 0 ? 100 : asked.look;
    assert_ok(view->ops->events(view, &asked, &arena, &err));
    return asked;
}

static struct view_dead
dead(struct view_dead asked)
{
    struct error err = { 0 };
    asked.limit = asked.limit == 0 ? 100 : asked.limit;
    asked.look = asked.look == 0 ? 100 : asked.look;
    assert_ok(view->ops->dead(view, &asked, &arena, &err));
    return asked;
}

static void
dead_letters_are_those_asked_for(void **state)
{
    (void)state;
    (void)show_dead("a", "order.paid", mail);
    uint64_t b = show_dead("b", "order.made", mail);
    (void)show_dead("c", "order.paid", log_to);
    const struct {
        struct view_dead asked;
        const char *ids;
    } rows[] = {
        { { .filter = { 0 } }, "cba" },
        { { .oldest_first = true }, "abc" },
        { { .limit = 2 }, "cb" },
        { { .from = 2 }, "a" },
        { { .from = 2, .oldest_first = true }, "c" },
        { { .filter = { .handler = SLICE("mail") } }, "ba" },
        { { .filter = { .connector = SLICE("shop") } }, "cba" },
        { { .filter = { .connector = SLICE("desk") } }, "" },
        { { .filter = { .type = SLICE("*.paid") } }, "ca" },
        { { .filter = { .reason = SLICE("EXIT") } }, "cba" },
        { { .filter = { .reason = SLICE("http") } }, "" },
        { { .filter = { .since_ms = 1000 } }, "cba" },
        { { .filter = { .until_ms = 1000 } }, "" },
        { { .filter = { .event = b } }, "b" },
        { { .filter = { .event = b }, .oldest_first = true }, "b" },
        { { .filter = { .event = 1 } }, "" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct view_dead page = dead(rows[i].asked);
        char ids[8] = "";
        for (size_t j = 0; j < page.count; j++) {
            ids[j] = page.at[j].event_id.ptr[0];
            ids[j + 1] = '\0';
        }
        assert_string_equal(ids, rows[i].ids);
        assert_int_equal(page.more, rows[i].asked.limit == 2);
    }
    struct view_dead_row row = dead((struct view_dead){ .limit = 9 }).at[1];
    assert_int_equal(row.event, b);
    assert_int_equal(row.number, mail);
    assert_int_equal(row.attempt, 1);
    assert_true(slice_equal_text(row.answer, "exit 65"));
    struct view_dead count = dead((struct view_dead){ .counts_only = true });
    assert_int_equal(count.count, 3);
    assert_int_equal(count.lowest, 1);
    assert_int_equal(count.highest, 3);
}

static void
dead_letters_are_counted_by_their_words(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct view_reasons reasons = { .look = 2 };
    (void)show_dead("a", "order.paid", mail);
    (void)show_dead("b", "order.made", log_to);
    (void)show_dead("c", "order.paid", mail);
    do {
        reasons.from = reasons.next;
        assert_ok(view->ops->reasons(view, &reasons, &arena, &err));
    } while (reasons.more);
    assert_int_equal(reasons.count, 2);
    assert_true(slice_equal_text(reasons.at[0].handler, "mail"));
    assert_true(slice_equal_text(reasons.at[0].answer, "exit 65"));
    assert_int_equal(reasons.at[0].count, 2);
    assert_true(reasons.at[0].first_ms <= reasons.at[0].last_ms);
    assert_int_equal(reasons.at[1].count, 1);
}

static void
events_come_oldest_first_with_their_bodies_or_are_counted(void **state)
{
    (void)state;
    uint64_t a = accept_as("a", "order.paid", mail, 0);
    uint64_t b = accept_as("b", "order.paid", mail, 0);
    uint64_t c = accept_as("c", "order.made", mail, 0);
    struct view_events asked = {
        .via = -1, .oldest_first = true, .with_body = true, .limit = 2
    };
    struct view_events page = events(asked);
    assert_int_equal(page.count, 2);
    assert_true(page.more);
    assert_int_equal(page.at[0].number, a);
    assert_true(slice_equal_text(page.at[1].body, "{\"a\":1}"));
    assert_true(slice_equal_text(page.at[1].headers, "x-a: 1\n"));
    asked.before = page.next;
    page = events(asked);
    assert_int_equal(page.count, 1);
    assert_int_equal(page.at[0].number, c);
    assert_false(page.more);
    struct view_events count = events((struct view_events){
        .via = -1, .counts_only = true, .type = SLICE("order.paid") });
    assert_int_equal(count.count, 2);
    assert_int_equal(count.lowest, a);
    assert_int_equal(count.highest, b);
}

static void
errands_come_newest_first_with_what_is_open(void **state)
{
    (void)state;
    struct error err = { 0 };
    const struct store_again_one one = { .event =
                                             show_dead("a", "order.paid", mail),
                                         .handler = mail };
    struct store_again first = { .kind = AGAIN_RETRY, .state = SLICE("{1}") };
    struct store_again second = { .kind = AGAIN_DROP, .state = SLICE("{2}") };
    assert_ok(store->ops->again(store, &first, &err));
    assert_ok(store->ops->again(store, &second, &err));
    first.at = &one;
    first.count = 1;
    first.is_over = true;
    assert_ok(store->ops->again(store, &first, &err));
    struct view_errands errands = { .limit = 1 };
    assert_ok(view->ops->errands(view, &errands, &arena, &err));
    assert_true(errands.more);
    assert_true(errands.at[0].is_running);
    assert_true(slice_equal_text(errands.at[0].state, "{2}"));
    errands.before = errands.at[0].number;
    assert_ok(view->ops->errands(view, &errands, &arena, &err));
    assert_false(errands.more);
    assert_int_equal(errands.at[0].number, first.errand);
    assert_false(errands.at[0].is_running);
    assert_int_equal(errands.at[0].done, 1);
    assert_int_equal(errands.at[0].open, 1);
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
        ROW(a_replayed_letter_that_holds_a_lane_comes_back_into_that_one),
        ROW(an_errand_goes_on_over_restarts_until_it_is_over),
        ROW(a_slice_of_an_errand_that_is_over_changes_nothing),
        ROW(the_log_of_attempts_holds_all_that_were_made),
        ROW(of_one_delivery_the_last_attempts_are_kept),
        ROW(dead_letters_are_those_asked_for),
        ROW(dead_letters_are_counted_by_their_words),
        ROW(events_come_oldest_first_with_their_bodies_or_are_counted),
        ROW(errands_come_newest_first_with_what_is_open),
    };
    return cmocka_run_group_tests_name("again", tests, NULL, NULL);
}
