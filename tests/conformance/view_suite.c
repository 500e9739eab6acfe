/* SPDX-License-Identifier: MIT */
/*
 * view_suite: what store_view.h says, one test per sentence, for any store.
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
#include "io/clock.h"
#include "model/identity.h"

#define NOW_S ((int64_t)1790000000)

static const struct store_suite_host *host;
static struct store_view *view;
static struct arena arena;
static uint32_t shop, desk, mail, log_to;

static int
set_up(void **state)
{
    (void)state;
    struct error err = { 0 };
    host->wipe();
    assert_ok(host->open(&store, &err));
    const struct {
        enum store_name_kind kind;
        const char *name;
        uint32_t *number;
    } names[] = { { STORE_CONNECTOR, "shop", &shop },
                  { STORE_CONNECTOR, "desk", &desk },
                  { STORE_HANDLER, "mail", &mail },
                  { STORE_HANDLER, "log", &log_to } };
    for (size_t i = 0; i < 4; i++) {
        assert_ok(store->ops->name(store, names[i].kind,
                                   slice_of(names[i].name), names[i].number,
                                   &err));
    }
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
    view = NULL;
    store = NULL;
    return 0;
}

/* ---- what is there to look at ---- */

static void
apply(struct store_unit *unit)
{
    struct store_unit *const units[] = { unit };
    struct error err = { 0 };
    assert_ok(store->ops->apply(store, units, 1, &err));
    assert_ok(unit->status);
}

static struct sighting
seen(enum channel via, const char *id, const char *type)
{
    struct sighting sighting = {
        .via = via,
        .key_count = 1,
        .id = slice_of(id),
        .type = slice_of(type),
        .time_ms = NOW_S * 1000,
        .headers = SLICE("x-a: 1\n"),
        .content_type = SLICE("application/json"),
        .body = SLICE("{\"a\":1}"),
    };
    sighting.keys[0].role = KEY_ID;
    sighting.keys[0].key = identity_floor_key(NOW_S);
    assert_true(strlen(id) < LEDGER_KEY_BYTES - 4);
    memcpy(sighting.keys[0].key.bytes + 4, id, strlen(id));
    return sighting;
}

static uint64_t
show_to(uint32_t connector, struct sighting sighting, const struct owed *owed,
        size_t owed_count)
{
    sighting.owed = owed;
    sighting.owed_count = owed_count;
    struct store_unit unit = { .connector = connector,
                               .sightings = &sighting,
                               .sighting_count = 1,
                               .grace_ms = FAR_MS,
                               .lease_until_ms = FAR_MS };
    apply(&unit);
    return sighting.number;
}

static uint64_t
show(enum channel via, const char *id, const char *type)
{
    return show_to(shop, seen(via, id, type), NULL, 0);
}

static void
settle(uint64_t event, uint32_t handler, enum outcome_kind kind)
{
    struct store_outcome outcome = { .event = event,
                                     .handler = handler,
                                     .attempt = 1,
                                     .kind = kind,
                                     .due_ms = FAR_MS,
                                     .reason = "exit 65",
                                     .started_ms = 5,
                                     .duration_ms = 7,
                                     .detail = SLICE("exit 65"),
                                     .output = SLICE("no") };
    struct store_unit unit = { .outcomes = &outcome, .outcome_count = 1 };
    apply(&unit);
    assert_true(outcome.applied);
}

static void
add_gap(uint32_t connector, int64_t from_ms)
{
    const struct store_gap gap = { connector, { GAP_TIE, from_ms, from_ms } };
    struct store_unit unit = { .gaps = &gap, .gap_count = 1 };
    apply(&unit);
}

static void
close_gap(uint64_t id)
{
    struct store_gap_close close = { .id = id, .by = GAP_BY_BACKFILL };
    struct store_unit unit = { .closes = &close, .close_count = 1 };
    apply(&unit);
    assert_int_equal(close.closed, 1);
}

static struct view_gaps
gaps(struct view_gaps asked)
{
    struct error err = { 0 };
    assert_ok(view->ops->gaps(view, &asked, &arena, &err));
    return asked;
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

static struct view_detail
detail(uint64_t number, bool with_body)
{
    struct view_detail asked = { .number = number, .with_body = with_body };
    struct error err = { 0 };
    assert_ok(view->ops->detail(view, &asked, &arena, &err));
    return asked;
}

static struct view_keys
keys(int64_t grace_ms, size_t look)
{
    struct view_keys asked = { .connector = shop,
                               .grace_ms = grace_ms,
                               .now_ms = clock_unix_ms(),
                               .behind_until_ms = FAR_MS,
                               .look = look };
    struct error err = { 0 };
    do {
        asked.before = asked.next;
        assert_ok(view->ops->keys(view, &asked, &arena, &err));
    } while (asked.more);
    return asked;
}

static struct view_key
key_of(const struct view_keys *of, const char *type)
{
    for (size_t i = 0; i < of->count; i++) {
        if (slice_equal_text(of->at[i].type, type)) {
            return of->at[i];
        }
    }
    fail_msg("no %s", type);
    return (struct view_key){ 0 };
}

/* ---- the words ---- */

static void
an_empty_store_shows_nothing(void **state)
{
    (void)state;
    struct error err = { 0 };
    struct view_totals totals = { 0 };
    struct view_detail one = { .number = 1 };
    assert_int_equal(gaps((struct view_gaps){ .limit = 9 }).count, 0);
    assert_int_equal(events((struct view_events){ .via = -1 }).count, 0);
    assert_int_equal(keys(1, 10).count, 0);
    assert_ok(view->ops->totals(view, &totals, &arena, &err));
    assert_int_equal(totals.count, 0);
    assert_int_equal(view->ops->detail(view, &one, &arena, &err),
                     STATUS_NOT_FOUND);
    assert_string_not_equal(err.text, "");
}

static void
gaps_come_newest_first_a_page_at_a_time(void **state)
{
    (void)state;
    for (int i = 1; i <= 5; i++) {
        add_gap(i == 3 ? desk : shop, i * 100);
    }
    close_gap(4);
    struct view_gaps page = gaps((struct view_gaps){ .limit = 2 });
    assert_int_equal(page.count, 2);
    assert_true(page.more);
    assert_int_equal(page.at[0].id, 5);
    assert_int_equal(page.at[0].closed_ms, 0);
    assert_int_equal(page.at[0].gap.kind, GAP_TIE);
    assert_int_equal(page.at[0].gap.from_ms, 500);
    assert_int_equal(page.at[0].gap.to_ms, 500);
    assert_true(page.at[0].found_ms > 0);
    assert_int_equal(page.at[1].id, 4);
    assert_int_equal(page.at[1].closed_by, GAP_BY_BACKFILL);
    assert_true(page.at[1].closed_ms > 0);
    page = gaps((struct view_gaps){ .limit = 3, .before = 4 });
    assert_int_equal(page.count, 3);
    assert_false(page.more);
    assert_true(slice_equal_text(page.at[0].connector, "desk"));
    assert_true(slice_equal_text(page.at[1].connector, "shop"));
}

static void
gaps_are_those_asked_for(void **state)
{
    (void)state;
    add_gap(shop, 100);
    add_gap(shop, 200);
    add_gap(desk, 300);
    close_gap(2);
    struct view_gaps open = { .connector = shop,
                              .open_only = true,
                              .limit = 9 };
    assert_int_equal(gaps(open).count, 1);
    assert_int_equal(gaps(open).at[0].id, 1);
    open.open_only = false;
    assert_int_equal(gaps(open).count, 2);
    open.connector = 0;
    assert_int_equal(gaps(open).count, 3);
}

static void
events_come_newest_first_a_page_at_a_time(void **state)
{
    (void)state;
    uint64_t numbers[5];
    for (int i = 0; i < 5; i++) {
        char id[8];
        (void)snprintf(id, sizeof(id), "e%d", i);
        numbers[i] = show(CHANNEL_WEBHOOK, id, "order.paid");
    }
    struct view_events page =
        events((struct view_events){ .via = -1, .limit = 2 });
    assert_int_equal(page.count, 2);
    assert_true(page.more);
    assert_int_equal(page.at[0].number, numbers[4]);
    assert_true(slice_equal_text(page.at[0].id, "e4"));
    assert_true(slice_equal_text(page.at[0].type, "order.paid"));
    assert_true(slice_equal_text(page.at[0].connector, "shop"));
    assert_int_equal(page.at[0].via, CHANNEL_WEBHOOK);
    assert_int_equal(page.at[0].time_ms, NOW_S * 1000);
    assert_int_equal(page.at[0].body_bytes, 7);
    assert_int_equal(page.at[0].body.len, 0);
    page = events(
        (struct view_events){ .via = -1, .limit = 9, .before = page.next });
    assert_int_equal(page.count, 3);
    assert_false(page.more);
    assert_int_equal(page.at[2].number, numbers[0]);
}

static void
events_are_those_asked_for(void **state)
{
    (void)state;
    (void)show(CHANNEL_WEBHOOK, "a", "order.paid");
    (void)show(CHANNEL_POLL, "b", "order.made");
    uint64_t c = show_to(desk, seen(CHANNEL_POLL, "c", "ticket.made"), NULL, 0);
    const int64_t c_ms = (int64_t)(c >> 20);
    const struct {
        struct view_events asked;
        const char *ids;
    } rows[] = {
        { { .via = -1 }, "cba" },
        { { .via = -1, .connector = shop }, "ba" },
        { { .via = CHANNEL_WEBHOOK }, "a" },
        { { .via = CHANNEL_POLL }, "cb" },
        { { .via = -1, .type = SLICE("order.*") }, "ba" },
        { { .via = -1, .type = SLICE("*.made") }, "cb" },
        { { .via = -1, .id = SLICE("b") }, "b" },
        { { .via = -1, .id = SLICE("b"), .connector = desk }, "" },
        { { .via = -1, .since_ms = c_ms + 1000 }, "" },
        { { .via = -1, .until_ms = c_ms + 1000 }, "cba" },
        { { .via = -1, .until_ms = 1000 }, "" },
        { { .via = -1, .since_ms = 1000 }, "cba" },
        { { .via = -1, .since_ms = INT64_MAX }, "" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct view_events page = events(rows[i].asked);
        char ids[8] = "";
        for (size_t j = 0; j < page.count; j++) {
            ids[j] = page.at[j].id.ptr[0];
            ids[j + 1] = '\0';
        }
        assert_string_equal(ids, rows[i].ids);
        assert_false(page.more);
    }
}

static void
a_page_tells_what_became_of_each_event_where_that_is_asked(void **state)
{
    (void)state;
    const struct owed owed[] = { { .handler = mail, .hot = true },
                                 { .handler = log_to, .hot = true } };
    uint64_t met =
        show_to(shop, seen(CHANNEL_WEBHOOK, "e1", "order.paid"), owed, 2);
    (void)show(CHANNEL_STREAM, "e1", "order.paid");
    (void)show(CHANNEL_POLL, "e1", "order.paid");
    settle(met, mail, OUTCOME_DEAD);
    (void)show(CHANNEL_POLL, "e2", "order.paid");
    (void)show(CHANNEL_BACKFILL, "e2", "order.paid");
    struct view_events page =
        events((struct view_events){ .via = -1, .with_fate = true });
    assert_int_equal(page.count, 2);
    /* only walks have shown it */
    assert_int_equal(page.at[0].other_ms, 0);
    assert_int_equal(page.at[0].owed, 0);
    assert_int_equal(page.at[0].dead, 0);
    assert_true(page.at[1].other_ms >= page.at[1].recorded_ms);
    assert_int_equal(page.at[1].owed, 1);
    assert_int_equal(page.at[1].dead, 1);
    page = events((struct view_events){ .via = -1 });
    assert_int_equal(page.at[1].other_ms, 0);
    assert_int_equal(page.at[1].owed, 0);
}

static void
a_call_looks_at_no_more_rows_than_it_is_told(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        char id[8];
        (void)snprintf(id, sizeof(id), "e%d", i);
        (void)show(CHANNEL_WEBHOOK, id, "order.paid");
    }
    struct view_events asked = { .via = -1, .id = SLICE("e0"), .look = 2 };
    struct view_events page = events(asked);
    assert_int_equal(page.count, 0);
    assert_true(page.more);
    asked.before = page.next;
    page = events(asked);
    assert_int_equal(page.count, 0);
    asked.before = page.next;
    page = events(asked);
    assert_int_equal(page.count, 1);
    assert_false(page.more);
}

static void
an_event_is_shown_with_all_that_is_known_of_it(void **state)
{
    (void)state;
    const struct owed owed[] = { { .handler = mail, .hot = true },
                                 { .handler = log_to, .hot = true } };
    uint64_t number =
        show_to(shop, seen(CHANNEL_WEBHOOK, "e1", "order.paid"), owed, 2);
    (void)show(CHANNEL_POLL, "e1", "order.paid");
    settle(number, mail, OUTCOME_DEAD);

    struct view_detail one = detail(number, true);
    assert_true(slice_equal_text(one.event.body, "{\"a\":1}"));
    assert_true(slice_equal_text(one.event.headers, "x-a: 1\n"));
    assert_true(slice_equal_text(one.event.content_type, "application/json"));
    assert_int_equal(one.sighting_count, 1);
    assert_int_equal(one.sightings[0].via, CHANNEL_POLL);
    assert_true(one.sightings[0].at_ms >= one.event.recorded_ms);

    assert_int_equal(one.delivery_count, 2);
    assert_true(slice_equal_text(one.deliveries[0].handler, "log"));
    assert_int_equal(one.deliveries[0].state, VIEW_RUNNING);
    assert_int_equal(one.deliveries[0].at_ms, FAR_MS);
    assert_true(slice_equal_text(one.deliveries[1].handler, "mail"));
    assert_int_equal(one.deliveries[1].state, VIEW_DEAD);
    assert_true(slice_equal_text(one.deliveries[1].reason, "exit 65"));
    assert_true(slice_equal_text(one.deliveries[1].answer, "exit 65"));

    assert_int_equal(one.attempt_count, 1);
    assert_true(slice_equal_text(one.attempts[0].handler, "mail"));
    assert_int_equal(one.attempts[0].attempt, 1);
    assert_int_equal(one.attempts[0].started_ms, 5);
    assert_int_equal(one.attempts[0].duration_ms, 7);
    assert_int_equal(one.attempts[0].outcome, VIEW_GIVEN_UP);
    assert_true(slice_equal_text(one.attempts[0].detail, "exit 65"));
    assert_true(slice_equal_text(one.attempts[0].output, "no"));
}

static void
a_body_comes_only_where_it_is_asked_for(void **state)
{
    (void)state;
    uint64_t number = show(CHANNEL_WEBHOOK, "e1", "order.paid");
    assert_int_equal(detail(number, false).event.body.len, 0);
    assert_int_equal(detail(number, false).event.body_bytes, 7);
    assert_int_equal(detail(number, true).event.body.len, 7);
}

static void
a_delivery_says_what_it_waits_for(void **state)
{
    (void)state;
    const struct owed lane = { .handler = mail, .has_lane = true, .lane = 4 };
    uint64_t first =
        show_to(shop, seen(CHANNEL_POLL, "e1", "order.paid"), &lane, 1);
    uint64_t second =
        show_to(shop, seen(CHANNEL_POLL, "e2", "order.paid"), &lane, 1);
    assert_int_equal(detail(first, false).deliveries[0].state, VIEW_WAITING);
    assert_false(detail(first, false).deliveries[0].parked);
    assert_true(detail(second, false).deliveries[0].parked);
    assert_int_equal(detail(second, false).deliveries[0].at_ms, 0);
}

static uint64_t
accept_without_hook(const char *id)
{
    const struct owed hot = { .handler = mail, .hot = true };
    struct sighting row = seen(CHANNEL_POLL, id, "order.paid");
    row.needs = NEEDS_HOOK;
    return show_to(shop, row, &hot, 1);
}

static void
ask_for_hook(uint64_t event)
{
    struct store_outcome outcome = { .event = event,
                                     .handler = mail,
                                     .attempt = 1,
                                     .kind = OUTCOME_LATER,
                                     .due_ms = FAR_MS,
                                     .reason = "",
                                     .waits = true,
                                     .asked_ms = 77 };
    struct store_unit unit = { .outcomes = &outcome, .outcome_count = 1 };
    apply(&unit);
    assert_true(outcome.applied);
}

static void
send_hook_again(const char *id)
{
    struct sighting hook = seen(CHANNEL_WEBHOOK, id, "order.paid");
    hook.may_fill = true;
    (void)show_to(shop, hook, NULL, 0);
}

static void
an_event_that_came_in_two_steps_says_who_filled_it_when(void **state)
{
    (void)state;
    uint64_t whole = show(CHANNEL_POLL, "e1", "order.paid");
    assert_false(detail(whole, false).fill.any);
    uint64_t number = accept_without_hook("e2");
    struct view_fill fill = detail(number, false).fill;
    assert_true(fill.any);
    assert_int_equal(fill.needs, NEEDS_HOOK);
    assert_int_equal(fill.filled, FILLED_NOT);
    assert_int_equal(fill.asked_ms, 0);
    assert_int_equal(fill.filled_ms, 0);
    ask_for_hook(number);
    assert_int_equal(detail(number, false).fill.asked_ms, 77);
    send_hook_again("e2");
    fill = detail(number, false).fill;
    assert_int_equal(fill.needs, NEEDS_NOTHING);
    assert_int_equal(fill.filled, FILLED_BY_HOOK);
    assert_int_equal(fill.asked_ms, 77);
    assert_true(fill.filled_ms > 77);
    /* The webhook may be faster than the outcome that asked for it. */
    number = accept_without_hook("e3");
    send_hook_again("e3");
    assert_int_equal(detail(number, false).fill.asked_ms, 0);
    ask_for_hook(number);
    assert_int_equal(detail(number, false).fill.asked_ms, 77);
    assert_int_equal(detail(number, false).fill.needs, NEEDS_NOTHING);
}

static void
make_keys(void)
{
    (void)show(CHANNEL_WEBHOOK, "a", "order.paid");
    (void)show(CHANNEL_POLL, "a", "order.paid");
    (void)show(CHANNEL_WEBHOOK, "b", "order.paid");
    (void)show(CHANNEL_POLL, "c", "order.paid");
    (void)show(CHANNEL_BACKFILL, "d", "order.made");
    (void)show(CHANNEL_WEBHOOK, "d", "order.made");
    (void)show(CHANNEL_STREAM, "e", "order.made");
    (void)show_to(desk, seen(CHANNEL_POLL, "f", "ticket"), NULL, 0);
}

static void
keys_say_by_type_whether_the_channels_meet(void **state)
{
    (void)state;
    make_keys();
    static const size_t looks[] = { 100, 8, 3, 1 };
    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
        struct view_keys of = keys(FAR_MS, looks[i]);
        assert_int_equal(of.count, 2);
        struct view_key paid = key_of(&of, "order.paid");
        assert_int_equal(paid.webhook, 2);
        assert_int_equal(paid.walk, 1);
        assert_int_equal(paid.met, 1);
        assert_int_equal(paid.confirmed, 1);
        assert_int_equal(paid.recovered, 0);
        assert_int_equal(paid.webhook_only, 1);
        struct view_key made = key_of(&of, "order.made");
        assert_int_equal(made.webhook, 0);
        assert_int_equal(made.walk, 1);
        assert_int_equal(made.stream, 1);
        assert_int_equal(made.met, 1);
        assert_int_equal(made.late, 0);
    }
}

static void
what_no_webhook_showed_in_its_grace_is_recovered(void **state)
{
    (void)state;
    make_keys();
    struct view_keys of = keys(-1, 100); /* over before it began */
    struct view_key paid = key_of(&of, "order.paid");
    assert_int_equal(paid.recovered, 1);
    assert_int_equal(paid.met, 1);
    assert_int_equal(paid.confirmed, 0);
    /* As the account has it: a backfill recovers nothing. */
    struct view_key made = key_of(&of, "order.made");
    assert_int_equal(made.walk, 1);
    assert_int_equal(made.met, 1);
    assert_int_equal(made.recovered, 0);
    assert_int_equal(made.late, 0);
    (void)show(CHANNEL_POLL, "g", "order.made");
    (void)show(CHANNEL_WEBHOOK, "g", "order.made");
    of = keys(-1, 100);
    made = key_of(&of, "order.made");
    assert_int_equal(made.recovered, 1);
    assert_int_equal(made.late, 1);
}

/* Sent again by the provider, on our word: it shows that ids meet, and that
 * nothing would have come unasked. */
static void
a_webhook_that_was_asked_for_meets_its_row_and_is_not_late(void **state)
{
    (void)state;
    ask_for_hook(accept_without_hook("e1"));
    send_hook_again("e1");
    uint64_t faster = accept_without_hook("e2");
    send_hook_again("e2");
    ask_for_hook(faster);
    (void)accept_without_hook("e3");
    struct view_keys of = keys(-1, 100);
    struct view_key paid = key_of(&of, "order.paid");
    assert_int_equal(paid.walk, 3);
    assert_int_equal(paid.met, 2);
    assert_int_equal(paid.confirmed, 0);
    assert_int_equal(paid.late, 0);
    assert_int_equal(paid.recovered, 3);
}

static void
types_beyond_the_limit_are_counted_together(void **state)
{
    (void)state;
    for (int i = 0; i < VIEW_KEY_TYPES + 5; i++) {
        char id[8];
        (void)snprintf(id, sizeof(id), "t%d", i);
        (void)show(CHANNEL_POLL, id, id);
    }
    struct view_keys of = keys(1, 1000);
    assert_int_equal(of.count, VIEW_KEY_TYPES);
    assert_true(slice_equal_text(of.at[VIEW_KEY_TYPES - 1].type, "*"));
    assert_int_equal(of.at[VIEW_KEY_TYPES - 1].walk, 6);
}

static void
totals_are_those_of_each_connector(void **state)
{
    (void)state;
    make_keys();
    add_gap(shop, 100);
    add_gap(shop, 200);
    add_gap(desk, 100);
    close_gap(1);
    struct view_totals totals = { 0 };
    struct error err = { 0 };
    assert_ok(view->ops->totals(view, &totals, &arena, &err));
    int64_t shop_met = 0;
    int64_t open[2] = { 0 };
    for (size_t i = 0; i < totals.count; i++) {
        if (totals.at[i].connector == shop) {
            shop_met = totals.at[i].met;
            open[0] = totals.at[i].open_gaps;
            assert_int_equal(totals.at[i].confirmed, 2);
        } else {
            open[1] = totals.at[i].open_gaps;
        }
    }
    assert_int_equal(shop_met, 2);
    assert_int_equal(open[0], 1);
    assert_int_equal(open[1], 1);
}

static void
a_view_sees_what_was_written_since_and_holds_nothing_up(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        char id[8];
        (void)snprintf(id, sizeof(id), "e%d", i);
        (void)show(CHANNEL_WEBHOOK, id, "order.paid");
        assert_int_equal(events((struct view_events){ .via = -1 }).count,
                         i + 1);
    }
}

/* Asks everything once; the first failure. */
static enum status
ask_all(uint64_t number)
{
    struct view_gaps some_gaps = { .limit = 9 };
    struct view_events some_events = { .via = -1, .limit = 9, .look = 9 };
    struct view_detail one = { .number = number, .with_body = true };
    struct view_keys some_keys = { .connector = shop, .look = 9 };
    struct view_totals totals = { 0 };
    struct error err = { 0 };
    const struct store_view_ops *ops = view->ops;
    enum status status = ops->gaps(view, &some_gaps, &arena, &err);
    status = status != STATUS_OK
                 ? status
                 : ops->events(view, &some_events, &arena, &err);
    status =
        status != STATUS_OK ? status : ops->detail(view, &one, &arena, &err);
    status = status != STATUS_OK ? status
                                 : ops->keys(view, &some_keys, &arena, &err);
    status =
        status != STATUS_OK ? status : ops->totals(view, &totals, &arena, &err);
    struct view_check whole = { .most_ms = 60000 };
    return status != STATUS_OK ? status : ops->check(view, &whole, &err);
}

/* What is damaged depends on the store: its own tests say that it is told. */
static void
a_whole_store_is_found_whole_within_its_time_only(void **state)
{
    (void)state;
    const struct store_view_ops *ops = view->ops;
    struct view_check check = { .most_ms = 60000 };
    for (int i = 0; i < 200; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "e%d", i);
        (void)show(CHANNEL_WEBHOOK, id, "order.paid");
    }
    assert_ok(ops->check(view, &check, NULL));
    assert_true(check.is_whole);
    check.most_ms = 0;
    assert_ok(ops->check(view, &check, NULL));
    assert_false(check.is_whole);
}

static void
running_out_of_memory_is_said_and_passes(void **state)
{
    (void)state;
    const struct owed owed = { .handler = mail, .hot = true };
    uint64_t number =
        show_to(shop, seen(CHANNEL_WEBHOOK, "e1", "order.paid"), &owed, 1);
    (void)show(CHANNEL_POLL, "e1", "order.paid");
    settle(number, mail, OUTCOME_DEAD);
    add_gap(shop, 100);
    enum status status = STATUS_NOMEM;
    for (long after = 0; status != STATUS_OK; after++) {
        assert_true(after < 1000);
        (void)mem_fail_after(after, 1);
        status = ask_all(number);
        (void)mem_fail_after(-1, 0);
        arena_fini(&arena);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
    }
    assert_ok(ask_all(number));
}

static void
a_store_that_is_not_there_is_said_and_not_made(void **state)
{
    (void)state;
    struct store_view *other = NULL;
    struct error err = { 0 };
    if (host->is_shared) {
        skip();
    }
    (void)tear_down(NULL);
    host->wipe();
    assert_int_equal(host->view(&other, &err), STATUS_NOT_FOUND);
    assert_string_not_equal(err.text, "");
    assert_int_equal(host->view(&other, &err), STATUS_NOT_FOUND);
    (void)set_up(NULL);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
view_suite_run(const struct store_suite_host *of)
{
    host = of;
    const struct CMUnitTest tests[] = {
        ROW(an_empty_store_shows_nothing),
        ROW(gaps_come_newest_first_a_page_at_a_time),
        ROW(gaps_are_those_asked_for),
        ROW(events_come_newest_first_a_page_at_a_time),
        ROW(events_are_those_asked_for),
        ROW(a_page_tells_what_became_of_each_event_where_that_is_asked),
        ROW(a_call_looks_at_no_more_rows_than_it_is_told),
        ROW(an_event_is_shown_with_all_that_is_known_of_it),
        ROW(a_body_comes_only_where_it_is_asked_for),
        ROW(a_delivery_says_what_it_waits_for),
        ROW(an_event_that_came_in_two_steps_says_who_filled_it_when),
        ROW(keys_say_by_type_whether_the_channels_meet),
        ROW(what_no_webhook_showed_in_its_grace_is_recovered),
        ROW(a_webhook_that_was_asked_for_meets_its_row_and_is_not_late),
        ROW(types_beyond_the_limit_are_counted_together),
        ROW(totals_are_those_of_each_connector),
        ROW(a_view_sees_what_was_written_since_and_holds_nothing_up),
        ROW(a_whole_store_is_found_whole_within_its_time_only),
        ROW(running_out_of_memory_is_said_and_passes),
        ROW(a_store_that_is_not_there_is_said_and_not_made),
    };
    return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
