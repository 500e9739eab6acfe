/* SPDX-License-Identifier: MIT */
/*
 * fill_suite: what store.h says of events that come in two steps, one test per
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
#define GRACE_MS ((int64_t)60000)

static const struct store_suite_host *host;
static uint32_t shop;
static uint32_t mail;
static uint32_t log_to;

static void
open_store(void)
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
    open_store();
    return 0;
}

static struct sighting
seen_by(enum channel via, const char *id)
{
    struct sighting sighting = {
        .via = via,
        .key_count = 1,
        .id = slice_of(id),
        .type = SLICE("order.paid"),
        .headers = SLICE("x-a: 1\n"),
        .content_type = SLICE("application/json"),
        .body = SLICE("{\"a\":1}"),
    };
    sighting.keys[0].key = identity_floor_key(1790000000);
    memcpy(sighting.keys[0].key.bytes + 4, id, strlen(id));
    return sighting;
}

static void
show(struct sighting *sighting)
{
    struct store_unit unit = { .connector = shop,
                               .sightings = sighting,
                               .sighting_count = 1,
                               .grace_ms = GRACE_MS,
                               .lease_until_ms = FAR_MS };
    assert_ok(apply_unit(&unit));
}

static struct store_account
account(void)
{
    struct store_account of = { .connector = shop,
                                .counts = true,
                                .grace_ms = GRACE_MS,
                                .now_ms = FAR_MS,
                                .limit = 100 };
    struct error err = { 0 };
    assert_ok(store->ops->account(store, &of, &err));
    return of;
}

static struct sighting
accept_needing(enum event_needs needs, const char *id, const struct owed *owed,
               size_t count)
{
    struct sighting sighting = seen_by(CHANNEL_POLL, id);
    sighting.needs = needs;
    sighting.owed = owed;
    sighting.owed_count = count;
    show(&sighting);
    return sighting;
}

/* An outcome of `mail` that keeps a body, or that waits for a webhook. */
static bool
learn(uint64_t event, unsigned attempt, enum outcome_kind kind,
      const char *body, int64_t asked_ms, int64_t *due_ms)
{
    struct store_outcome outcome = { .event = event,
                                     .handler = mail,
                                     .attempt = attempt,
                                     .kind = kind,
                                     .due_ms = *due_ms,
                                     .reason = "gone",
                                     .has_body = body != NULL,
                                     .content_type = SLICE("text/json"),
                                     .waits = asked_ms != 0,
                                     .asked_ms = asked_ms };
    if (body != NULL) {
        outcome.body = slice_of(body);
    }
    struct store_unit unit = { .outcomes = &outcome, .outcome_count = 1 };
    assert_ok(apply_unit(&unit));
    *due_ms = outcome.due_ms;
    return outcome.applied;
}

static void
assert_claimed(uint32_t handler, int64_t now_ms, enum event_needs needs,
               enum event_filled filled, const char *body)
{
    struct store_claims claims = { 0 };
    struct error err = { 0 };
    assert_ok(store->ops->claim(store, handler, now_ms, FAR_MS * 2, 10, &claims,
                                &err));
    assert_int_equal(claims.count, 1);
    const struct event *event = claims.at[0].event;
    assert_int_equal(event->needs, needs);
    assert_int_equal(event->filled, filled);
    assert_true(slice_equal_text(event->body, body));
    event_unref(claims.at[0].event);
    mem_free(claims.at);
}

static void
what_a_thin_event_fetched_first_is_its_body(void **state)
{
    (void)state;
    const struct owed owed[] = { { .handler = mail }, { .handler = log_to } };
    uint64_t event = accept_needing(NEEDS_FETCH, "e1", owed, 2).number;
    int64_t due_ms = FAR_MS + 1;
    assert_claimed(mail, FAR_MS, NEEDS_FETCH, FILLED_NOT, "{\"a\":1}");
    assert_true(learn(event, 1, OUTCOME_LATER, NULL, 0, &due_ms));
    assert_claimed(mail, FAR_MS + 1, NEEDS_FETCH, FILLED_NOT, "{\"a\":1}");
    /* Overtaken: it keeps nothing. */
    assert_false(learn(event, 1, OUTCOME_LATER, "[0]", 0, &due_ms));
    assert_true(learn(event, 2, OUTCOME_LATER, "[1]", 0, &due_ms));
    store->ops->close(store);
    open_store();
    assert_claimed(mail, FAR_MS + 1, NEEDS_NOTHING, FILLED_BY_FETCH, "[1]");
    assert_true(learn(event, 3, OUTCOME_LATER, "[2]", 0, &due_ms));
    assert_claimed(log_to, FAR_MS + 1, NEEDS_NOTHING, FILLED_BY_FETCH, "[1]");
}

static void
every_kind_of_outcome_keeps_a_fetched_body(void **state)
{
    (void)state;
    static const enum outcome_kind kinds[] = { OUTCOME_DONE, OUTCOME_LATER,
                                               OUTCOME_DEAD, OUTCOME_RELEASE };
    static const char *const ids[] = { "e1", "e2", "e3", "e4" };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct owed owed[] = { { .handler = mail, .hot = true },
                                     { .handler = log_to } };
        uint64_t event = accept_needing(NEEDS_FETCH, ids[i], owed, 2).number;
        int64_t due_ms = FAR_MS;
        assert_true(learn(event, 1, kinds[i], "[1]", 0, &due_ms));
        assert_claimed(log_to, FAR_MS, NEEDS_NOTHING, FILLED_BY_FETCH, "[1]");
    }
}

static struct sighting
send_again(const char *id)
{
    struct sighting sighting = seen_by(CHANNEL_WEBHOOK, id);
    sighting.body = slice_of("{\"hook\":1}");
    sighting.may_fill = true;
    show(&sighting);
    assert_false(sighting.fresh);
    return sighting;
}

static void
a_webhook_fills_the_event_that_waits_for_it(void **state)
{
    (void)state;
    const struct owed hot = { .handler = mail, .hot = true };
    (void)account();
    uint64_t event = accept_needing(NEEDS_HOOK, "e1", &hot, 1).number;
    (void)accept_needing(NEEDS_NOTHING, "e2", NULL, 0);
    int64_t due_ms = FAR_MS;
    assert_true(learn(event, 1, OUTCOME_LATER, NULL, 77, &due_ms));
    assert_int_equal(due_ms, FAR_MS);
    assert_false(send_again("e2").filled);
    struct sighting hook = send_again("e1");
    assert_true(hook.filled);
    assert_int_equal(hook.number, event);
    assert_false(hook.confirmed || hook.late);
    assert_claimed(mail, clock_unix_ms(), NEEDS_NOTHING, FILLED_BY_HOOK,
                   "{\"hook\":1}");
    assert_false(send_again("e1").filled);
    /* It was asked for: no webhook would have shown it. */
    assert_int_equal(account().recovered, 1);
    assert_int_equal(account().confirmed, 1); /* e2 */
}

static void
a_webhook_that_comes_before_any_attempt_confirms(void **state)
{
    (void)state;
    const struct owed owed = { .handler = mail };
    (void)account();
    (void)accept_needing(NEEDS_HOOK, "e1", &owed, 1);
    struct sighting hook = send_again("e1");
    assert_true(hook.filled && hook.confirmed);
    assert_claimed(mail, clock_unix_ms(), NEEDS_NOTHING, FILLED_BY_HOOK,
                   "{\"hook\":1}");
    assert_int_equal(account().recovered, 0);
}

static void
a_webhook_may_be_faster_than_the_outcome_that_asked_for_it(void **state)
{
    (void)state;
    const struct owed hot = { .handler = mail, .hot = true };
    (void)account();
    uint64_t event = accept_needing(NEEDS_HOOK, "e1", &hot, 1).number;
    struct sighting hook = send_again("e1");
    assert_true(hook.filled);
    assert_false(hook.confirmed);
    /* The attempt that is on its way to wait has nothing to wait for. */
    int64_t due_ms = FAR_MS;
    assert_true(learn(event, 1, OUTCOME_LATER, NULL, 77, &due_ms));
    assert_true(due_ms <= clock_unix_ms());
    assert_claimed(mail, clock_unix_ms(), NEEDS_NOTHING, FILLED_BY_HOOK,
                   "{\"hook\":1}");
    assert_int_equal(account().recovered, 1);
}

static void
a_thin_webhook_that_was_sent_again_is_fetched(void **state)
{
    (void)state;
    const struct owed owed = { .handler = mail };
    uint64_t event = accept_needing(NEEDS_HOOK, "e1", &owed, 1).number;
    struct sighting hook = seen_by(CHANNEL_WEBHOOK, "e1");
    hook.may_fill = true;
    hook.needs = NEEDS_FETCH;
    show(&hook);
    assert_true(hook.filled);
    assert_claimed(mail, FAR_MS, NEEDS_FETCH, FILLED_BY_HOOK, "{\"a\":1}");
    int64_t due_ms = FAR_MS;
    assert_true(learn(event, 1, OUTCOME_LATER, "[1]", 0, &due_ms));
    assert_claimed(mail, FAR_MS, NEEDS_NOTHING, FILLED_BY_FETCH, "[1]");
}

static void
a_webhook_fills_no_event_that_is_fetched(void **state)
{
    (void)state;
    const struct owed hot = { .handler = mail, .hot = true };
    (void)accept_needing(NEEDS_FETCH, "e1", &hot, 1);
    assert_false(send_again("e1").filled);
    assert_claimed(mail, FAR_MS, NEEDS_FETCH, FILLED_NOT, "{\"a\":1}");
}

static void
a_delivery_released_for_later_is_due_then(void **state)
{
    (void)state;
    const struct owed hot = { .handler = mail, .hot = true };
    uint64_t event = accept_needing(NEEDS_FETCH, "e1", &hot, 1).number;
    int64_t due_ms = FAR_MS;
    assert_true(learn(event, 1, OUTCOME_RELEASE, NULL, 0, &due_ms));
    struct store_claims claims = { 0 };
    struct error err = { 0 };
    assert_ok(
        store->ops->claim(store, mail, FAR_MS - 1, FAR_MS, 1, &claims, &err));
    assert_int_equal(claims.count, 0);
    assert_int_equal(claims.next_due_ms, FAR_MS);
    assert_claimed(mail, FAR_MS, NEEDS_FETCH, FILLED_NOT, "{\"a\":1}");
    /* Not counted: the attempt is the first once more. */
    assert_true(learn(event, 1, OUTCOME_DONE, NULL, 0, &due_ms));
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, deeds_close)

int
fill_suite_run(const struct store_suite_host *of)
{
    host = of;
    const struct CMUnitTest tests[] = {
        ROW(what_a_thin_event_fetched_first_is_its_body),
        ROW(every_kind_of_outcome_keeps_a_fetched_body),
        ROW(a_webhook_fills_the_event_that_waits_for_it),
        ROW(a_webhook_that_comes_before_any_attempt_confirms),
        ROW(a_webhook_may_be_faster_than_the_outcome_that_asked_for_it),
        ROW(a_thin_webhook_that_was_sent_again_is_fetched),
        ROW(a_webhook_fills_no_event_that_is_fetched),
        ROW(a_delivery_released_for_later_is_due_then),
    };
    return cmocka_run_group_tests_name("fill", tests, NULL, NULL);
}
