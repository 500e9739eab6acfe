/* SPDX-License-Identifier: MIT */
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
/* Later than any clock this runs under. */
#define GRACE_MS ((int64_t)60000)

static const struct store_suite_host *host;
static uint32_t shop;
static uint32_t mail;
static uint32_t log_to;

static void
open_store(void)
{
    struct error err = { 0 };
    enum status status = host->open(&store, &err);
    if (status != STATUS_OK) {
        fail_msg("open: %s", error_text(&err, status));
    }
    assert_ok(store->ops->name(store, STORE_CONNECTOR, slice_of("shop"), &shop,
                               &err));
    assert_ok(
        store->ops->name(store, STORE_HANDLER, slice_of("mail"), &mail, &err));
    assert_ok(
        store->ops->name(store, STORE_HANDLER, slice_of("log"), &log_to, &err));
}

static void
reopen(void)
{
    store->ops->close(store);
    store = NULL;
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

static int
tear_down(void **state)
{
    (void)state;
    if (store != NULL) {
        store->ops->close(store);
        store = NULL;
    }
    return 0;
}

/* A key of second `time_s` whose other bytes are the text's. */
static struct ledger_key
key_at(const char *text, int64_t time_s)
{
    struct ledger_key key = identity_floor_key(time_s);
    size_t len = strlen(text);
    assert_true(len <= LEDGER_KEY_BYTES - 4);
    memcpy(key.bytes + 4, text, len);
    return key;
}

static struct sighting
seen_by(enum channel via, const char *id)
{
    struct sighting sighting = {
        .via = via,
        .key_count = 1,
        .id = slice_of(id),
        .type = SLICE("order.paid"),
        .time_ms = NOW_S * 1000,
        .received_ms = NOW_S * 1000,
        .headers = SLICE("x-a: 1\n"),
        .content_type = SLICE("application/json"),
        .body = SLICE("{\"a\":1}"),
    };
    sighting.keys[0].role = KEY_ID;
    sighting.keys[0].key = key_at(id, NOW_S);
    return sighting;
}

static void
apply_sightings(struct sighting *sightings, size_t count, int64_t lease_until)
{
    struct store_unit unit = { .connector = shop,
                               .sightings = sightings,
                               .sighting_count = count,
                               .lease_until_ms = lease_until };
    assert_ok(apply_unit(&unit));
}

/* Applies one sighting, owed to `mail` where `owed` is given. */
static struct sighting
accept(enum channel via, const char *id, const struct owed *owed)
{
    struct sighting sighting = seen_by(via, id);
    sighting.owed = owed;
    sighting.owed_count = owed == NULL ? 0 : 1;
    apply_sightings(&sighting, 1, FAR_MS);
    return sighting;
}

static size_t
recall(uint32_t handler, int64_t now_ms, int64_t latest_ms)
{
    struct store_recall recall = { .handler = handler,
                                   .now_ms = now_ms,
                                   .latest_ms = latest_ms };
    struct store_unit unit = { .recalls = &recall, .recall_count = 1 };
    assert_ok(apply_unit(&unit));
    return recall.count;
}

static bool
settle(uint64_t event, unsigned attempt, enum outcome_kind kind, int64_t due_ms)
{
    struct store_outcome outcome = { .event = event,
                                     .handler = mail,
                                     .attempt = attempt,
                                     .kind = kind,
                                     .due_ms = due_ms,
                                     .reason = "exit 65",
                                     .started_ms = 5,
                                     .detail = SLICE("exit 65"),
                                     .output = SLICE("no") };
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

static bool
is_known(const struct sighting *sighting)
{
    bool known = false;
    struct error err = { 0 };
    assert_ok(store->ops->known(store, sighting, 1, &known, &err));
    return known;
}

static const struct owed *
to_mail(void)
{
    static struct owed owed;
    owed = (struct owed){ .handler = mail };
    return &owed;
}

static const struct owed *
hot_to_mail(void)
{
    static struct owed owed;
    owed = (struct owed){ .handler = mail, .hot = true };
    return &owed;
}

/* store_open */

static void
a_store_has_one_process_at_a_time(void **state)
{
    (void)state;
    struct store *second = NULL;
    struct error err = { 0 };
    if (host->is_shared) {
        skip();
    }
    assert_int_equal(host->open(&second, &err), STATUS_FENCED);
    assert_string_not_equal(err.text, "");
}

static void
opening_frees_the_leases_of_the_process_before(void **state)
{
    (void)state;
    (void)accept(CHANNEL_WEBHOOK, "e1", hot_to_mail());
    (void)accept(CHANNEL_WEBHOOK, "e2", to_mail());
    (void)claim_one(mail, FAR_MS - 1, 1);
    assert_int_equal(count_due(mail, FAR_MS - 1), 0);
    reopen();
    struct store_claims claims = claim(mail, 1, FAR_MS, 10);
    assert_int_equal(claims.count, 2);
    assert_int_equal(claims.at[0].attempt, 2);
    assert_int_equal(claims.at[1].attempt, 2);
    drop(&claims);
}

/* name */

static void
a_name_keeps_its_number(void **state)
{
    (void)state;
    uint32_t connector = shop;
    uint32_t handler = mail;
    assert_int_not_equal(mail, log_to);
    reopen();
    assert_int_equal(shop, connector);
    assert_int_equal(mail, handler);
}

static void
one_name_of_two_kinds_has_two_numbers(void **state)
{
    (void)state;
    uint32_t number = 0;
    struct error err = { 0 };
    assert_ok(store->ops->name(store, STORE_HANDLER, slice_of("shop"), &number,
                               &err));
    assert_int_not_equal(number, 0);
    assert_int_not_equal(number, shop);
}

/* apply: sightings */

static void
what_was_applied_is_there_after_a_restart(void **state)
{
    (void)state;
    (void)accept(CHANNEL_WEBHOOK, "e1", to_mail());
    reopen();
    struct sighting again = seen_by(CHANNEL_WEBHOOK, "e1");
    assert_true(is_known(&again));
    assert_int_equal(figure_of(mail).pending, 1);
}

static void
a_new_sighting_gets_a_number_greater_than_all_before(void **state)
{
    (void)state;
    uint64_t last = 0;
    for (int i = 0; i < 20; i++) {
        char id[8];
        (void)snprintf(id, sizeof(id), "e%d", i);
        struct sighting sighting = accept(CHANNEL_WEBHOOK, id, NULL);
        assert_true(sighting.fresh);
        assert_true(sighting.number > last);
        last = sighting.number;
        if (i == 10) {
            reopen();
        }
    }
}

static void
an_event_comes_back_as_it_was(void **state)
{
    (void)state;
    static const char body[] = "{\"n\":\0\xff}";
    struct sighting sighting = seen_by(CHANNEL_POLL, "evt_1");
    sighting.body = (struct slice){ body, sizeof(body) - 1 };
    sighting.owed = to_mail();
    sighting.owed_count = 1;
    int64_t before = clock_unix_ms();
    apply_sightings(&sighting, 1, FAR_MS);
    struct store_claims claims = claim(mail, FAR_MS, FAR_MS * 2, 10);
    assert_int_equal(claims.count, 1);
    const struct event *event = claims.at[0].event;
    assert_int_equal(event->number, sighting.number);
    assert_int_equal(event->connector, shop);
    assert_int_equal(event->via, CHANNEL_POLL);
    assert_int_equal(event->time_ms, NOW_S * 1000);
    assert_true(event->recorded_ms >= before &&
                event->recorded_ms <= clock_unix_ms());
    assert_true(slice_equal_text(event->id, "evt_1"));
    assert_true(slice_equal_text(event->type, "order.paid"));
    assert_true(slice_equal_text(event->headers, "x-a: 1\n"));
    assert_true(slice_equal_text(event->content_type, "application/json"));
    assert_true(slice_equal(event->body, sighting.body));
    assert_false(claims.at[0].has_lane);
    drop(&claims);
}

static void
an_event_without_bytes_comes_back_without_any(void **state)
{
    (void)state;
    struct sighting sighting = { .via = CHANNEL_WEBHOOK, .key_count = 1 };
    sighting.keys[0].key = key_at("e", NOW_S);
    sighting.owed = to_mail();
    sighting.owed_count = 1;
    apply_sightings(&sighting, 1, FAR_MS);
    struct store_claims claims = claim(mail, FAR_MS, FAR_MS * 2, 1);
    assert_int_equal(claims.count, 1);
    assert_int_equal(claims.at[0].event->body.len, 0);
    assert_int_equal(claims.at[0].event->id.len, 0);
    assert_int_equal(claims.at[0].event->headers.len, 0);
    drop(&claims);
}

static void
each_handler_it_is_owed_to_has_one_delivery(void **state)
{
    (void)state;
    const struct owed owed[] = { { .handler = mail }, { .handler = log_to } };
    struct sighting sighting = seen_by(CHANNEL_WEBHOOK, "e1");
    sighting.owed = owed;
    sighting.owed_count = 2;
    apply_sightings(&sighting, 1, FAR_MS);
    assert_int_equal(count_due(mail, FAR_MS), 1);
    assert_int_equal(count_due(log_to, FAR_MS), 1);
    assert_int_equal(count_due(mail, FAR_MS), 0);
}

static void
a_known_sighting_makes_no_event_and_no_delivery(void **state)
{
    (void)state;
    struct sighting first = accept(CHANNEL_WEBHOOK, "e1", to_mail());
    struct sighting second = accept(CHANNEL_WEBHOOK, "e1", to_mail());
    assert_true(first.fresh);
    assert_false(second.fresh);
    assert_int_equal(second.number, first.number);
    assert_int_equal(figure_of(mail).pending, 1);
}

static void
a_known_sighting_marks_its_channel_once(void **state)
{
    (void)state;
    (void)accept(CHANNEL_WEBHOOK, "e1", NULL);
    assert_true(accept(CHANNEL_WEBHOOK, "e1", NULL).seen_by_via);
    assert_false(accept(CHANNEL_POLL, "e1", NULL).seen_by_via);
    assert_true(accept(CHANNEL_POLL, "e1", NULL).seen_by_via);
    reopen();
    assert_true(accept(CHANNEL_POLL, "e1", NULL).seen_by_via);
    assert_false(accept(CHANNEL_STREAM, "e1", NULL).seen_by_via);
}

static void
sightings_of_one_unit_see_each_other(void **state)
{
    (void)state;
    struct sighting page[] = { seen_by(CHANNEL_POLL, "e1"),
                               seen_by(CHANNEL_POLL, "e2"),
                               seen_by(CHANNEL_POLL, "e1") };
    apply_sightings(page, 3, FAR_MS);
    assert_true(page[0].fresh);
    assert_true(page[1].fresh);
    assert_false(page[2].fresh);
    assert_int_equal(page[2].number, page[0].number);
    assert_true(page[1].number > page[0].number);
    assert_true(page[2].seen_by_via);
}

static void
units_of_one_group_see_each_other_in_order(void **state)
{
    (void)state;
    struct sighting hook = seen_by(CHANNEL_WEBHOOK, "e1");
    struct sighting row = seen_by(CHANNEL_POLL, "e1");
    struct store_unit a = { .connector = shop,
                            .sightings = &hook,
                            .sighting_count = 1 };
    struct store_unit b = { .connector = shop,
                            .sightings = &row,
                            .sighting_count = 1 };
    struct store_unit *const units[] = { &a, &b };
    struct error err = { 0 };
    assert_ok(store->ops->apply(store, units, 2, &err));
    assert_ok(a.status);
    assert_ok(b.status);
    assert_true(hook.fresh);
    assert_false(row.fresh);
    assert_int_equal(row.number, hook.number);
}

static void
a_webhook_is_covered_by_a_row_that_stands_for_it(void **state)
{
    (void)state;
    struct sighting row = seen_by(CHANNEL_POLL, "o:17:5");
    row.keys[0].role = KEY_STATE;
    apply_sightings(&row, 1, FAR_MS);
    struct sighting hook = seen_by(CHANNEL_WEBHOOK, "h1");
    hook.key_count = 2;
    hook.keys[1] = row.keys[0];
    hook.covered_by_row = true;
    apply_sightings(&hook, 1, FAR_MS);
    assert_false(hook.fresh);
    assert_int_equal(hook.number, row.number);
    assert_false(hook.seen_by_via);
    /* Its own id leads to the same event now. */
    struct sighting again = seen_by(CHANNEL_WEBHOOK, "h1");
    apply_sightings(&again, 1, FAR_MS);
    assert_false(again.fresh);
    assert_int_equal(again.number, row.number);
    assert_true(again.seen_by_via);
}

static void
two_webhooks_about_one_version_are_two_events(void **state)
{
    (void)state;
    struct sighting created = seen_by(CHANNEL_WEBHOOK, "h1");
    created.key_count = 2;
    created.keys[1].role = KEY_STATE;
    created.keys[1].key = key_at("o:17:5", NOW_S);
    created.covered_by_row = true;
    struct sighting paid = created;
    paid.keys[0].key = key_at("h2", NOW_S);
    apply_sightings(&created, 1, FAR_MS);
    apply_sightings(&paid, 1, FAR_MS);
    assert_true(created.fresh);
    assert_true(paid.fresh);
    /* The row that follows is one of them. */
    struct sighting row = seen_by(CHANNEL_POLL, "o:17:5");
    row.keys[0].role = KEY_STATE;
    apply_sightings(&row, 1, FAR_MS);
    assert_false(row.fresh);
    assert_int_equal(row.number, created.number);
}

static void
a_key_is_found_in_the_buckets_it_may_lie_in(void **state)
{
    (void)state;
    static const struct {
        int buckets;
        bool found;
    } rows[] = { { 0, true },  { 1, true },  { 3, true },
                 { 4, false }, { -1, true }, { -2, false } };
    const int64_t bucket = NOW_S / IDENTITY_BUCKET_S * IDENTITY_BUCKET_S;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char id[12];
        (void)snprintf(id, sizeof(id), "b%zu", i);
        struct sighting first = seen_by(CHANNEL_WEBHOOK, id);
        first.keys[0].key = key_at(id, bucket);
        apply_sightings(&first, 1, FAR_MS);
        struct sighting later = seen_by(CHANNEL_WEBHOOK, id);
        later.keys[0].key =
            key_at(id, bucket + rows[i].buckets * IDENTITY_BUCKET_S);
        later.keys[0].probes_back = 3;
        later.keys[0].probes_ahead = 1;
        assert_int_equal(is_known(&later), rows[i].found);
        apply_sightings(&later, 1, FAR_MS);
        assert_int_equal(later.fresh, !rows[i].found);
    }
}

static void
a_key_found_in_another_bucket_is_marked_there(void **state)
{
    (void)state;
    const int64_t bucket = NOW_S / IDENTITY_BUCKET_S * IDENTITY_BUCKET_S;
    struct sighting hook = seen_by(CHANNEL_WEBHOOK, "e");
    hook.keys[0].key = key_at("e", bucket - IDENTITY_BUCKET_S);
    apply_sightings(&hook, 1, FAR_MS);
    struct sighting row = seen_by(CHANNEL_POLL, "e");
    row.keys[0].key = key_at("e", bucket);
    row.keys[0].probes_back = 1;
    apply_sightings(&row, 1, FAR_MS);
    assert_false(row.seen_by_via);
    apply_sightings(&row, 1, FAR_MS);
    assert_true(row.seen_by_via);
    /* No second key was made where it was looked for first. */
    row.keys[0].probes_back = 0;
    assert_false(is_known(&row));
}

/* apply: units */

static void
a_unit_of_known_sightings_still_applies_its_walk(void **state)
{
    (void)state;
    (void)accept(CHANNEL_POLL, "e1", NULL);
    struct sighting again = seen_by(CHANNEL_POLL, "e1");
    struct store_walk walk = { .connector = shop,
                               .state = SLICE("{\"hw\":7}"),
                               .hw_ms = 7 };
    struct store_unit unit = { .connector = shop,
                               .sightings = &again,
                               .sighting_count = 1,
                               .walks = &walk,
                               .walk_count = 1 };
    assert_ok(apply_unit(&unit));
    assert_false(again.fresh);
    struct buf text = { 0 };
    struct error err = { 0 };
    assert_ok(store->ops->walk(store, shop, 0, &text, &err));
    assert_true(slice_equal_text(buf_slice(&text), "{\"hw\":7}"));
    buf_fini(&text);
}

static void
a_unit_that_is_too_large_fails_alone(void **state)
{
    (void)state;
    host->limit_row(store, 4096);
    static char large[8192];
    memset(large, 'x', sizeof(large));
    const struct owed owed = { .handler = mail };
    struct sighting sightings[4] = { seen_by(CHANNEL_WEBHOOK, "e1"),
                                     seen_by(CHANNEL_WEBHOOK, "e2"),
                                     seen_by(CHANNEL_WEBHOOK, "e3"),
                                     seen_by(CHANNEL_WEBHOOK, "e1") };
    sightings[1].body = (struct slice){ large, sizeof(large) };
    struct store_walk walk = { .connector = shop, .state = SLICE("no") };
    struct store_unit units[4] = { { 0 } };
    struct store_unit *at[4];
    for (size_t i = 0; i < 4; i++) {
        sightings[i].owed = &owed;
        sightings[i].owed_count = 1;
        units[i].connector = shop;
        units[i].sightings = &sightings[i];
        units[i].sighting_count = 1;
        at[i] = &units[i];
    }
    units[1].walks = &walk;
    units[1].walk_count = 1;
    struct error err = { 0 };
    assert_ok(store->ops->apply(store, at, 4, &err));
    assert_ok(units[0].status);
    assert_int_equal(units[1].status, STATUS_TOO_LARGE);
    assert_string_not_equal(units[1].err.text, "");
    assert_ok(units[2].status);
    /* What the others were told holds, whatever was tried before. */
    assert_true(sightings[0].fresh && sightings[2].fresh);
    assert_true(sightings[0].number < sightings[2].number);
    assert_ok(units[3].status);
    assert_false(sightings[3].fresh);
    assert_int_equal(sightings[3].number, sightings[0].number);
    assert_int_equal(figure_of(mail).pending, 2);
    reopen();
    assert_true(is_known(&sightings[0]));
    assert_false(is_known(&sightings[1]));
    assert_true(is_known(&sightings[2]));
    assert_int_equal(figure_of(mail).pending, 2);
    struct store_claims claims = claim(mail, FAR_MS, FAR_MS * 2, 10);
    assert_int_equal(claims.count, 2);
    assert_int_equal(claims.at[0].event->number, sightings[0].number);
    assert_int_equal(claims.at[1].event->number, sightings[2].number);
    drop(&claims);
    struct buf text = { 0 };
    assert_int_equal(store->ops->walk(store, shop, 0, &text, &err),
                     STATUS_NOT_FOUND);
    buf_fini(&text);
}

/* apply: outcomes */

static void
a_delivery_that_is_done_is_over(void **state)
{
    (void)state;
    struct sighting sighting = accept(CHANNEL_WEBHOOK, "e1", hot_to_mail());
    assert_true(settle(sighting.number, 1, OUTCOME_DONE, 0));
    assert_int_equal(figure_of(mail).pending, 0);
    assert_int_equal(count_due(mail, FAR_MS * 2), 0);
}

static void
a_delivery_for_later_is_due_then(void **state)
{
    (void)state;
    struct sighting sighting = accept(CHANNEL_WEBHOOK, "e1", hot_to_mail());
    assert_true(settle(sighting.number, 1, OUTCOME_LATER, 5000));
    assert_int_equal(figure_of(mail).next_due_ms, 5000);
    assert_int_equal(count_due(mail, 4999), 0);
    assert_int_equal(claim_one(mail, 5000, 2), sighting.number);
}

static void
what_waits_beyond_any_wait_is_recalled(void **state)
{
    (void)state;
    struct sighting sighting = accept(CHANNEL_WEBHOOK, "e1", hot_to_mail());
    assert_int_equal(recall(mail, 100, 200), 0); /* it is leased */
    assert_true(settle(sighting.number, 1, OUTCOME_LATER, 5000));
    assert_int_equal(recall(mail, 100, 5000), 0);
    assert_int_equal(recall(log_to, 100, 4999), 0);
    assert_int_equal(figure_of(mail).next_due_ms, 5000);
    assert_int_equal(recall(mail, 100, 4999), 1);
    assert_int_equal(figure_of(mail).next_due_ms, 100);
    assert_int_equal(claim_one(mail, 100, 2), sighting.number);
}

static void
a_dead_delivery_moves_to_the_dead_letters(void **state)
{
    (void)state;
    struct sighting sighting = accept(CHANNEL_WEBHOOK, "e1", hot_to_mail());
    assert_true(settle(sighting.number, 1, OUTCOME_DEAD, 0));
    struct store_figure figure = figure_of(mail);
    assert_int_equal(figure.pending, 0);
    assert_int_equal(figure.dead, 1);
    reopen();
    assert_int_equal(figure_of(mail).dead, 1);
    assert_int_equal(count_due(mail, FAR_MS * 2), 0);
}

static void
a_released_delivery_is_due_at_once_and_its_attempt_not_counted(void **state)
{
    (void)state;
    struct sighting sighting = accept(CHANNEL_WEBHOOK, "e1", hot_to_mail());
    assert_true(settle(sighting.number, 1, OUTCOME_RELEASE, 0));
    assert_int_equal(claim_one(mail, clock_unix_ms(), 1), sighting.number);
}

static void
an_outcome_of_another_attempt_changes_nothing(void **state)
{
    (void)state;
    struct sighting sighting = accept(CHANNEL_WEBHOOK, "e1", hot_to_mail());
    /* The lease ran out, and another attempt took over. */
    assert_int_equal(claim_one(mail, FAR_MS, 2), sighting.number);
    static const enum outcome_kind kinds[] = { OUTCOME_DONE, OUTCOME_LATER,
                                               OUTCOME_DEAD, OUTCOME_RELEASE };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        assert_false(settle(sighting.number, 1, kinds[i], 1));
        assert_false(settle(sighting.number, 3, kinds[i], 1));
    }
    assert_int_equal(count_due(mail, FAR_MS), 0);
    assert_int_equal(figure_of(mail).dead, 0);
    assert_true(settle(sighting.number, 2, OUTCOME_DONE, 0));
    assert_false(settle(sighting.number, 2, OUTCOME_DONE, 0));
}

static void
an_outcome_counts_once(void **state)
{
    (void)state;
    struct sighting sighting = accept(CHANNEL_WEBHOOK, "e1", hot_to_mail());
    assert_true(settle(sighting.number, 1, OUTCOME_LATER, 5000));
    assert_false(settle(sighting.number, 1, OUTCOME_DONE, 0));
    assert_false(settle(sighting.number, 1, OUTCOME_LATER, 9000));
    assert_int_equal(figure_of(mail).next_due_ms, 5000);
}

/* claim */

static void
a_hot_delivery_is_born_leased(void **state)
{
    (void)state;
    struct sighting sighting = accept(CHANNEL_WEBHOOK, "e1", hot_to_mail());
    assert_int_equal(figure_of(mail).pending, 1);
    assert_int_equal(figure_of(mail).next_due_ms, 0);
    assert_int_equal(count_due(mail, FAR_MS - 1), 0);
    assert_int_equal(claim_one(mail, FAR_MS, 2), sighting.number);
}

/* The wall clock is set ahead, beyond every lease: what waits is due by it,
 * what is leased is not, until its own clock says so. */
static void
a_lease_ends_by_the_clock_of_leases(void **state)
{
    (void)state;
    struct sighting hot = accept(CHANNEL_WEBHOOK, "e1", hot_to_mail());
    struct sighting waits = accept(CHANNEL_WEBHOOK, "e2", to_mail());
    static const struct {
        int64_t leases_ms;
        size_t due;
    } looks[] = { { FAR_MS - 1, 1 }, { FAR_MS - 1, 0 }, { FAR_MS, 1 } };
    const uint64_t due[] = { waits.number, 0, hot.number };
    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
        struct store_claims claims = { .leases_ms = looks[i].leases_ms };
        struct error err = { 0 };
        assert_ok(store->ops->claim(store, mail, FAR_MS * 3, FAR_MS * 2, 10,
                                    &claims, &err));
        assert_int_equal(claims.count, looks[i].due);
        assert_int_equal(claims.count == 0 ? 0 : claims.at[0].event->number,
                         due[i]);
        drop(&claims);
    }
}

static void
a_claim_leases_and_counts_the_attempt(void **state)
{
    (void)state;
    (void)accept(CHANNEL_WEBHOOK, "e1", to_mail());
    struct store_claims claims = claim(mail, FAR_MS, FAR_MS + 10, 10);
    assert_int_equal(claims.count, 1);
    assert_int_equal(claims.at[0].attempt, 1);
    drop(&claims);
    assert_int_equal(count_due(mail, FAR_MS + 9), 0);
    claims = claim(mail, FAR_MS + 10, FAR_MS + 20, 10);
    assert_int_equal(claims.count, 1);
    assert_int_equal(claims.at[0].attempt, 2);
    drop(&claims);
}

static void
a_claim_gives_the_oldest_due_first_and_no_more_than_asked(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        int64_t due_ms;
    } rows[] = {
        { "e1", 3000 }, { "e2", 1000 }, { "e3", 2000 }, { "e4", 9000 }
    };
    uint64_t numbers[4];
    for (size_t i = 0; i < 4; i++) {
        numbers[i] = accept(CHANNEL_WEBHOOK, rows[i].id, hot_to_mail()).number;
        assert_true(settle(numbers[i], 1, OUTCOME_LATER, rows[i].due_ms));
    }
    struct store_claims claims = claim(mail, 5000, FAR_MS, 2);
    assert_int_equal(claims.count, 2);
    assert_int_equal(claims.at[0].event->number, numbers[1]);
    assert_int_equal(claims.at[1].event->number, numbers[2]);
    drop(&claims);
    claims = claim(mail, 5000, FAR_MS, 2);
    assert_int_equal(claims.count, 1);
    assert_int_equal(claims.at[0].event->number, numbers[0]);
    assert_int_equal(claims.next_due_ms, 9000);
    drop(&claims);
}

static void
a_claim_that_finds_nothing_says_when_to_ask_again(void **state)
{
    (void)state;
    struct store_claims claims = claim(mail, 10, 20, 1);
    assert_int_equal(claims.count, 0);
    assert_int_equal(claims.next_due_ms, 0);
    drop(&claims);
    (void)accept(CHANNEL_WEBHOOK, "e1", hot_to_mail());
    claims = claim(mail, 10, 20, 1);
    assert_int_equal(claims.count, 0);
    assert_int_equal(claims.next_due_ms, FAR_MS);
    drop(&claims);
}

static void
a_claim_is_for_one_handler(void **state)
{
    (void)state;
    (void)accept(CHANNEL_WEBHOOK, "e1", to_mail());
    assert_int_equal(count_due(log_to, FAR_MS), 0);
    assert_int_equal(count_due(mail, FAR_MS), 1);
}

/* known */

static void
any_key_makes_a_sighting_known(void **state)
{
    (void)state;
    (void)accept(CHANNEL_WEBHOOK, "e1", NULL);
    struct sighting sightings[3] = { seen_by(CHANNEL_WEBHOOK, "e0"),
                                     seen_by(CHANNEL_WEBHOOK, "e1"),
                                     seen_by(CHANNEL_WEBHOOK, "e2") };
    sightings[2].key_count = 2;
    sightings[2].keys[1] = sightings[1].keys[0];
    bool known[3] = { true, false, false };
    struct error err = { 0 };
    assert_ok(store->ops->known(store, sightings, 3, known, &err));
    assert_false(known[0]);
    assert_true(known[1]);
    assert_true(known[2]);
}

/* walk */

static void
each_tier_has_a_state_of_its_own(void **state)
{
    (void)state;
    struct buf text = { 0 };
    struct error err = { 0 };
    assert_int_equal(store->ops->walk(store, shop, 0, &text, &err),
                     STATUS_NOT_FOUND);
    const struct store_walk walks[] = {
        { .connector = shop, .tier = 0, .state = SLICE("old"), .hw_ms = 1 },
        { .connector = shop, .tier = 1, .state = SLICE("deep"), .hw_ms = 2 },
        { .connector = shop, .tier = 0, .state = SLICE("new"), .hw_ms = 3 },
    };
    struct store_unit unit = { .walks = walks, .walk_count = 3 };
    assert_ok(apply_unit(&unit));
    reopen();
    assert_ok(store->ops->walk(store, shop, 0, &text, &err));
    assert_ok(store->ops->walk(store, shop, 1, &text, &err));
    assert_true(slice_equal_text(buf_slice(&text), "newdeep"));
    assert_int_equal(store->ops->walk(store, shop, 2, &text, &err),
                     STATUS_NOT_FOUND);
    buf_fini(&text);
}

/* figures */

static void
figures_tell_what_is_owed(void **state)
{
    (void)state;
    struct store_figure figure = figure_of(mail);
    assert_int_equal(figure.pending, 0);
    assert_int_equal(figure.oldest_ms, 0);
    assert_int_equal(figure.next_due_ms, 0);
    assert_int_equal(figure.dead, 0);
    int64_t before = clock_unix_ms();
    uint64_t first = accept(CHANNEL_WEBHOOK, "e1", hot_to_mail()).number;
    (void)accept(CHANNEL_WEBHOOK, "e2", to_mail());
    (void)accept(CHANNEL_WEBHOOK, "e3", NULL);
    figure = figure_of(mail);
    assert_int_equal(figure.pending, 2);
    assert_true(figure.oldest_ms >= before);
    assert_true(figure.next_due_ms >= before && figure.next_due_ms < FAR_MS);
    assert_true(settle(first, 1, OUTCOME_DEAD, 0));
    figure = figure_of(mail);
    assert_int_equal(figure.pending, 1);
    assert_int_equal(figure.dead, 1);
    reopen();
    figure = figure_of(mail);
    assert_int_equal(figure.pending, 1);
    assert_int_equal(figure.dead, 1);
}

/* account */

static struct store_account
account(int64_t now_ms, size_t limit)
{
    struct store_account of = { .connector = shop,
                                .counts = true,
                                .grace_ms = GRACE_MS,
                                .now_ms = now_ms,
                                .limit = limit };
    struct error err = { 0 };
    assert_ok(store->ops->account(store, &of, &err));
    return of;
}

static int64_t
recover(int64_t now_ms)
{
    return account(now_ms, 100).counted;
}

static void
end_counting(void)
{
    struct store_account of = { .connector = shop, .limit = 100 };
    struct error err = { 0 };
    assert_ok(store->ops->account(store, &of, &err));
    assert_int_equal(of.counted, 0);
}

/* Shows a fact to the store within the grace it is asked with. */
static struct sighting
show(enum channel via, const char *id)
{
    struct sighting sighting = seen_by(via, id);
    struct store_unit unit = { .connector = shop,
                               .sightings = &sighting,
                               .sighting_count = 1,
                               .grace_ms = GRACE_MS };
    sighting.late = true; /* the store's to set */
    sighting.confirmed = true;
    assert_ok(apply_unit(&unit));
    return sighting;
}

static void
what_no_webhook_shows_within_grace_is_recovered_once(void **state)
{
    (void)state;
    assert_int_equal(recover(FAR_MS), 0);
    (void)show(CHANNEL_POLL, "e1");
    (void)show(CHANNEL_WEBHOOK, "e2");
    (void)show(CHANNEL_BACKFILL, "e3");
    (void)show(CHANNEL_STREAM, "e4");
    (void)show(CHANNEL_POLL, "e5");
    (void)show(CHANNEL_WEBHOOK, "e5");
    int64_t now_ms = clock_unix_ms();
    assert_int_equal(recover(now_ms), 0);
    /* what was accepted this millisecond is within its grace at its end */
    assert_int_equal(recover(now_ms + GRACE_MS + 1), 1);
    assert_int_equal(recover(now_ms + GRACE_MS + 1), 0);
    assert_int_equal(account(FAR_MS, 100).recovered, 1);
}

static void
a_restart_neither_loses_nor_doubles_a_count(void **state)
{
    (void)state;
    assert_int_equal(recover(FAR_MS), 0);
    (void)show(CHANNEL_POLL, "e1");
    (void)show(CHANNEL_POLL, "e2");
    (void)show(CHANNEL_WEBHOOK, "e2");
    reopen();
    assert_int_equal(recover(FAR_MS), 1);
    reopen();
    assert_int_equal(recover(FAR_MS), 0);
    assert_true(show(CHANNEL_WEBHOOK, "e1").late);
    reopen();
    struct store_account of = account(FAR_MS, 100);
    assert_int_equal(of.counted, 0);
    assert_int_equal(of.recovered, 1);
    assert_int_equal(of.late, 1);
    assert_int_equal(of.confirmed, 1);
}

static void
a_count_looks_at_no_more_than_asked(void **state)
{
    (void)state;
    assert_int_equal(recover(FAR_MS), 0);
    (void)show(CHANNEL_POLL, "e1");
    (void)show(CHANNEL_POLL, "e2");
    (void)show(CHANNEL_POLL, "e3");
    struct store_account of = account(FAR_MS, 2);
    assert_int_equal(of.counted, 2);
    assert_true(of.more);
    of = account(FAR_MS, 2);
    assert_int_equal(of.counted, 1);
    assert_false(of.more);
    assert_int_equal(of.recovered, 3);
}

static void
a_webhook_is_late_once_its_event_was_counted(void **state)
{
    (void)state;
    assert_int_equal(recover(FAR_MS), 0);
    (void)show(CHANNEL_POLL, "e1");
    (void)show(CHANNEL_POLL, "e2");
    struct sighting sighting = show(CHANNEL_WEBHOOK, "e1");
    assert_true(sighting.confirmed);
    assert_false(sighting.late);
    assert_int_equal(recover(FAR_MS), 1);
    sighting = show(CHANNEL_WEBHOOK, "e2");
    assert_true(sighting.late);
    assert_false(sighting.confirmed);
    /* Each of them once, whatever comes again. */
    static const char *const ids[] = { "e1", "e2" };
    for (size_t i = 0; i < 2; i++) {
        sighting = show(CHANNEL_WEBHOOK, ids[i]);
        assert_false(sighting.late || sighting.confirmed);
    }
    struct store_account of = account(FAR_MS, 100);
    assert_int_equal(of.late, 1);
    assert_int_equal(of.confirmed, 1);
}

static void
a_backfills_event_is_neither_recovered_nor_late(void **state)
{
    (void)state;
    assert_int_equal(recover(FAR_MS), 0);
    (void)show(CHANNEL_BACKFILL, "e2");
    (void)show(CHANNEL_BACKFILL, "e3");
    (void)show(CHANNEL_POLL, "e3"); /* the walk after it saw it too */
    (void)show(CHANNEL_POLL, "e4");
    (void)show(CHANNEL_BACKFILL, "e4"); /* recovered all the same */
    assert_int_equal(recover(FAR_MS), 1);
    assert_false(show(CHANNEL_WEBHOOK, "e2").late);
    assert_false(show(CHANNEL_WEBHOOK, "e3").late);
    assert_true(show(CHANNEL_WEBHOOK, "e4").late);
}

static void
a_row_confirms_the_webhook_before_it_within_grace(void **state)
{
    (void)state;
    (void)show(CHANNEL_WEBHOOK, "e1");
    (void)show(CHANNEL_WEBHOOK, "e2");
    (void)show(CHANNEL_STREAM, "e3");
    assert_true(show(CHANNEL_POLL, "e1").confirmed);
    assert_false(show(CHANNEL_POLL, "e1").confirmed);
    assert_false(show(CHANNEL_BACKFILL, "e1").confirmed);
    assert_true(show(CHANNEL_POLL, "e3").confirmed); /* a relay's counts too */
    struct sighting sighting = seen_by(CHANNEL_POLL, "e2");
    struct store_unit unit = { .connector = shop,
                               .sightings = &sighting,
                               .sighting_count = 1,
                               .grace_ms = -1 };
    assert_ok(apply_unit(&unit));
    assert_false(sighting.confirmed);
    assert_int_equal(account(FAR_MS, 100).confirmed, 2);
}

static void
a_covered_webhook_counts_for_the_row_that_stands_for_it(void **state)
{
    (void)state;
    assert_int_equal(recover(FAR_MS), 0);
    struct sighting row = seen_by(CHANNEL_POLL, "o:17:5");
    row.keys[0].role = KEY_STATE;
    apply_sightings(&row, 1, FAR_MS);
    struct sighting hook = seen_by(CHANNEL_WEBHOOK, "h1");
    hook.key_count = 2;
    hook.keys[1] = row.keys[0];
    hook.covered_by_row = true;
    apply_sightings(&hook, 1, FAR_MS);
    assert_true(hook.confirmed);
    assert_int_equal(recover(FAR_MS), 0);
}

static void
what_comes_in_while_nothing_counts_never_does(void **state)
{
    (void)state;
    (void)show(CHANNEL_POLL, "e1");
    end_counting();
    assert_int_equal(recover(FAR_MS), 0);
    assert_int_equal(recover(FAR_MS), 0);
    struct sighting old = show(CHANNEL_WEBHOOK, "e1");
    assert_false(old.late || old.confirmed);
    (void)show(CHANNEL_POLL, "e2");
    end_counting();
    (void)show(CHANNEL_POLL, "e3");
    reopen();
    assert_int_equal(recover(FAR_MS), 0);
    assert_int_equal(recover(FAR_MS), 0);
    (void)show(CHANNEL_POLL, "e4");
    assert_int_equal(recover(FAR_MS), 1);
    end_counting();
    struct store_account of = account(FAR_MS, 100);
    assert_int_equal(of.recovered, 1);
}

static void
each_connector_has_an_account_of_its_own(void **state)
{
    (void)state;
    uint32_t one = shop;
    struct error err = { 0 };
    assert_int_equal(recover(FAR_MS), 0);
    assert_ok(store->ops->name(store, STORE_CONNECTOR, slice_of("bank"), &shop,
                               &err));
    assert_int_equal(recover(FAR_MS), 0);
    (void)show(CHANNEL_POLL, "e1");
    uint32_t other = shop;
    shop = one;
    assert_int_equal(recover(FAR_MS), 0);
    shop = other;
    assert_int_equal(recover(FAR_MS), 1);
}

/* unlisted */

static void
hook_stamped(const char *id, int64_t time_ms)
{
    struct sighting hook = seen_by(CHANNEL_WEBHOOK, id);
    hook.time_ms = time_ms;
    apply_sightings(&hook, 1, FAR_MS);
    assert_true(hook.fresh);
}

/* Counts to the end, `limit` at a call, in so many calls. */
static size_t
count_unlisted(int64_t from_ms, int64_t until_ms, size_t limit, size_t calls)
{
    struct store_unlisted of = { .connector = shop,
                                 .from_ms = from_ms,
                                 .until_ms = until_ms,
                                 .limit = limit };
    struct error err = { 0 };
    size_t count = 0;
    for (size_t i = 0; i < calls; i++) {
        assert_ok(store->ops->unlisted(store, &of, &err));
        assert_int_equal(of.more, i + 1 < calls);
        count += of.count;
    }
    return count;
}

static void
a_webhook_that_no_walk_lists_is_unlisted(void **state)
{
    (void)state;
    hook_stamped("e0", 0);
    hook_stamped("e1", 1000);
    hook_stamped("e2", 2000);
    hook_stamped("e3", 3000);
    hook_stamped("e4", 4000);
    (void)show(CHANNEL_POLL, "e5");
    assert_int_equal(count_unlisted(0, FAR_MS, 100, 1), 4);
    assert_int_equal(count_unlisted(2000, 4000, 100, 1), 2);
    (void)show(CHANNEL_POLL, "e2");
    (void)show(CHANNEL_STREAM, "e3");
    assert_int_equal(count_unlisted(2000, 4000, 100, 1), 1);
    (void)show(CHANNEL_BACKFILL, "e3");
    reopen();
    assert_int_equal(count_unlisted(2000, 4000, 100, 1), 0);
    assert_int_equal(count_unlisted(0, FAR_MS, 100, 1), 2);
    shop++;
    assert_int_equal(count_unlisted(0, FAR_MS, 100, 1), 0);
}

static void
slices_of_one_stamp_count_each_event_once(void **state)
{
    (void)state;
    hook_stamped("e1", 1000);
    hook_stamped("e2", 1000);
    hook_stamped("e3", 1000);
    hook_stamped("e4", 500);
    hook_stamped("e5", 2000);
    (void)show(CHANNEL_POLL, "e2");
    assert_int_equal(count_unlisted(0, FAR_MS, 2, 3), 4);
    assert_int_equal(count_unlisted(0, FAR_MS, 1, 6), 4);
    assert_int_equal(count_unlisted(1000, FAR_MS, 3, 2), 3);
}

/* prune */

static size_t
prune(struct store_prune what)
{
    struct error err = { 0 };
    assert_ok(store->ops->prune(store, &what, &err));
    return what.removed;
}

static void
keys_below_the_floor_go_and_the_floor_never_goes_back(void **state)
{
    (void)state;
    assert_int_equal(store->ops->ledger_floor_ms(store), 0);
    struct sighting rows[3] = { seen_by(CHANNEL_POLL, "e1"),
                                seen_by(CHANNEL_POLL, "e2"),
                                seen_by(CHANNEL_POLL, "e3") };
    for (size_t i = 0; i < 3; i++) {
        char id[8];
        (void)snprintf(id, sizeof(id), "e%zu", i + 1);
        rows[i].keys[0].key = key_at(id, 1000 + (int64_t)i);
    }
    apply_sightings(rows, 3, FAR_MS);
    int64_t floor = 1001 * 1000 + 500;
    size_t removed =
        prune((struct store_prune){ .ledger_floor_ms = floor, .limit = 10 });
    assert_int_equal(removed, 1);
    assert_int_equal(store->ops->ledger_floor_ms(store), floor);
    assert_false(is_known(&rows[0]));
    /* The floor lies inside its second: a stamp above it has this key. */
    assert_true(is_known(&rows[1]));
    assert_true(is_known(&rows[2]));
    apply_sightings(&rows[0], 1, FAR_MS);
    (void)prune((struct store_prune){ .ledger_floor_ms = 5, .limit = 10 });
    assert_int_equal(store->ops->ledger_floor_ms(store), floor);
    assert_true(is_known(&rows[0]));
    reopen();
    assert_int_equal(store->ops->ledger_floor_ms(store), floor);
}

static void
a_prune_removes_no_more_than_asked(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        char id[8];
        (void)snprintf(id, sizeof(id), "e%d", i);
        (void)accept(CHANNEL_WEBHOOK, id, NULL);
    }
    const struct store_prune keys = { .ledger_floor_ms = (NOW_S + 1) * 1000,
                                      .limit = 2 };
    assert_int_equal(prune(keys), 2);
    assert_int_equal(prune(keys), 2);
    assert_int_equal(prune(keys), 1);
    assert_int_equal(prune(keys), 0);
    const struct store_prune events = { .events_before_ms = FAR_MS,
                                        .limit = 3 };
    assert_int_equal(prune(events), 3);
    assert_int_equal(prune(events), 2);
    assert_int_equal(prune(events), 0);
}

static void
an_event_that_is_owed_or_dead_stays(void **state)
{
    (void)state;
    uint64_t owed = accept(CHANNEL_WEBHOOK, "e1", hot_to_mail()).number;
    uint64_t dead = accept(CHANNEL_WEBHOOK, "e2", hot_to_mail()).number;
    uint64_t done = accept(CHANNEL_WEBHOOK, "e3", hot_to_mail()).number;
    (void)accept(CHANNEL_WEBHOOK, "e4", NULL);
    assert_true(settle(dead, 1, OUTCOME_DEAD, 0));
    assert_true(settle(done, 1, OUTCOME_DONE, 0));
    const struct store_prune all = { .events_before_ms = FAR_MS, .limit = 10 };
    assert_int_equal(prune(all), 2);
    assert_int_equal(prune(all), 0);
    assert_int_equal(claim_one(mail, FAR_MS, 2), owed);
    assert_int_equal(figure_of(mail).dead, 1);
    /* What is gone is still known, and its number is not given again. */
    struct sighting again = accept(CHANNEL_WEBHOOK, "e4", NULL);
    assert_false(again.fresh);
    reopen();
    assert_true(accept(CHANNEL_WEBHOOK, "e5", NULL).number > done);
}

static void
young_events_stay(void **state)
{
    (void)state;
    (void)accept(CHANNEL_WEBHOOK, "e1", NULL);
    assert_int_equal(
        prune((struct store_prune){ .events_before_ms = 1000, .limit = 9 }), 0);
    assert_int_equal(
        prune((struct store_prune){ .events_before_ms = FAR_MS, .limit = 9 }),
        1);
}

static void
dead_letters_stay_for_ever_unless_told_otherwise(void **state)
{
    (void)state;
    uint64_t number = accept(CHANNEL_WEBHOOK, "e1", hot_to_mail()).number;
    assert_true(settle(number, 1, OUTCOME_DEAD, 0));
    (void)prune((struct store_prune){ .events_before_ms = FAR_MS, .limit = 9 });
    assert_int_equal(figure_of(mail).dead, 1);
    /* The dead letter and the event it kept. */
    const struct store_prune all = { .dead_before_ms = FAR_MS,
                                     .events_before_ms = FAR_MS,
                                     .limit = 9 };
    assert_int_equal(prune(all), 2);
    assert_int_equal(figure_of(mail).dead, 0);
    assert_int_equal(prune(all), 0);
}

static void
attempts_have_a_retention_of_their_own(void **state)
{
    (void)state;
    uint64_t number = accept(CHANNEL_WEBHOOK, "e1", hot_to_mail()).number;
    assert_true(settle(number, 1, OUTCOME_LATER, 1));
    assert_int_equal(
        prune((struct store_prune){ .attempts_before_ms = 5, .limit = 9 }), 0);
    assert_int_equal(
        prune((struct store_prune){ .attempts_before_ms = 6, .limit = 9 }), 1);
    assert_int_equal(figure_of(mail).pending, 1);
}

static void
closing_nothing_is_allowed(void **state)
{
    (void)state;
    store->ops->close(NULL);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
store_suite_run(const struct store_suite_host *of)
{
    host = of;
    const struct CMUnitTest tests[] = {
        ROW(a_store_has_one_process_at_a_time),
        ROW(opening_frees_the_leases_of_the_process_before),
        ROW(a_name_keeps_its_number),
        ROW(one_name_of_two_kinds_has_two_numbers),
        ROW(what_was_applied_is_there_after_a_restart),
        ROW(a_new_sighting_gets_a_number_greater_than_all_before),
        ROW(an_event_comes_back_as_it_was),
        ROW(an_event_without_bytes_comes_back_without_any),
        ROW(each_handler_it_is_owed_to_has_one_delivery),
        ROW(a_known_sighting_makes_no_event_and_no_delivery),
        ROW(a_known_sighting_marks_its_channel_once),
        ROW(sightings_of_one_unit_see_each_other),
        ROW(units_of_one_group_see_each_other_in_order),
        ROW(a_webhook_is_covered_by_a_row_that_stands_for_it),
        ROW(two_webhooks_about_one_version_are_two_events),
        ROW(a_key_is_found_in_the_buckets_it_may_lie_in),
        ROW(a_key_found_in_another_bucket_is_marked_there),
        ROW(a_unit_of_known_sightings_still_applies_its_walk),
        ROW(a_unit_that_is_too_large_fails_alone),
        ROW(a_delivery_that_is_done_is_over),
        ROW(a_delivery_for_later_is_due_then),
        ROW(what_waits_beyond_any_wait_is_recalled),
        ROW(a_dead_delivery_moves_to_the_dead_letters),
        ROW(a_released_delivery_is_due_at_once_and_its_attempt_not_counted),
        ROW(an_outcome_of_another_attempt_changes_nothing),
        ROW(an_outcome_counts_once),
        ROW(a_hot_delivery_is_born_leased),
        ROW(a_lease_ends_by_the_clock_of_leases),
        ROW(a_claim_leases_and_counts_the_attempt),
        ROW(a_claim_gives_the_oldest_due_first_and_no_more_than_asked),
        ROW(a_claim_that_finds_nothing_says_when_to_ask_again),
        ROW(a_claim_is_for_one_handler),
        ROW(any_key_makes_a_sighting_known),
        ROW(each_tier_has_a_state_of_its_own),
        ROW(figures_tell_what_is_owed),
        ROW(what_no_webhook_shows_within_grace_is_recovered_once),
        ROW(a_backfills_event_is_neither_recovered_nor_late),
        ROW(a_restart_neither_loses_nor_doubles_a_count),
        ROW(a_count_looks_at_no_more_than_asked),
        ROW(a_webhook_is_late_once_its_event_was_counted),
        ROW(a_row_confirms_the_webhook_before_it_within_grace),
        ROW(a_covered_webhook_counts_for_the_row_that_stands_for_it),
        ROW(what_comes_in_while_nothing_counts_never_does),
        ROW(each_connector_has_an_account_of_its_own),
        ROW(a_webhook_that_no_walk_lists_is_unlisted),
        ROW(slices_of_one_stamp_count_each_event_once),
        ROW(keys_below_the_floor_go_and_the_floor_never_goes_back),
        ROW(a_prune_removes_no_more_than_asked),
        ROW(an_event_that_is_owed_or_dead_stays),
        ROW(young_events_stay),
        ROW(dead_letters_stay_for_ever_unless_told_otherwise),
        ROW(attempts_have_a_retention_of_their_own),
        ROW(closing_nothing_is_allowed),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
