/* SPDX-License-Identifier: MIT */
/*
 * seed_suite: what store.h says of keys that are led to stored events, and of
 * keys without a time of their own, one test per sentence, for any store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conformance/deeds.h"
#include "conformance/store_suite.h"
#include "model/identity.h"
#include "wire/digest.h"

#define STAMP INT64_C(1700000000000)

static const struct store_suite_host *host;
static uint32_t shop;

static int
set_up(void **state)
{
    struct error err = { 0 };
    (void)state;
    assert_ok(digest_init(&err));
    host->wipe();
    assert_ok(host->open(&store, &err));
    assert_ok(store->ops->name(store, STORE_CONNECTOR, slice_of("shop"), &shop,
                               &err));
    return 0;
}

static struct sighting
seen(enum channel via, const char *id, const char *type, int64_t time_ms)
{
    static const struct connector connector = { .name = SLICE("shop") };
    struct sighting sighting = { .via = via,
                                 .id = slice_of(id),
                                 .type = slice_of(type),
                                 .time_ms = time_ms,
                                 .content_type = slice_of("a/b"),
                                 .body = slice_of("{}"),
                                 .headers = slice_of("") };
    assert_ok(identity_add(&connector, &sighting, KEY_ID, sighting.id, STAMP));
    return sighting;
}

static void
apply_rows(uint32_t connector, struct sighting *rows, size_t count)
{
    struct store_unit unit = { .connector = connector,
                               .sightings = rows,
                               .sighting_count = count };
    struct store_unit *const units[] = { &unit };
    struct error err = { 0 };
    assert_ok(store->ops->apply(store, units, 1, &err));
    assert_ok(unit.status);
}

static uint64_t
add(enum channel via, const char *id, const char *type, int64_t time_ms)
{
    struct sighting one = seen(via, id, type, time_ms);
    apply_rows(shop, &one, 1);
    assert_true(one.fresh);
    return one.number;
}

static struct sighting
seed(const char *id, const char *type, int64_t time_ms)
{
    struct sighting one = seen(CHANNEL_POLL, id, type, time_ms);
    one.seed = true;
    apply_rows(shop, &one, 1);
    return one;
}

static void
a_seeded_row_is_the_event_of_its_stamp(void **state)
{
    (void)state;
    uint64_t hooked = add(CHANNEL_WEBHOOK, "a", "t", STAMP);
    uint64_t walked = add(CHANNEL_POLL, "b", "t", STAMP + 1);
    struct sighting one = seed("A", "t", STAMP);
    assert_true(one.seeded);
    assert_false(one.fresh);
    assert_true(one.number == hooked);
    one = seed("B", "t", STAMP + 1);
    assert_true(one.number == walked);
    /* From now on the new key is known like any other. */
    one = seen(CHANNEL_POLL, "A", "t", STAMP);
    apply_rows(shop, &one, 1);
    assert_false(one.fresh || one.seeded);
    assert_true(one.number == hooked);
}

static void
what_has_no_event_of_its_stamp_is_new(void **state)
{
    (void)state;
    (void)add(CHANNEL_POLL, "a", "t", STAMP);
    struct sighting one = seed("A", "t", STAMP + 1);
    assert_true(one.fresh);
    assert_false(one.seeded);
}

static void
a_row_that_is_not_to_be_seeded_is_new(void **state)
{
    (void)state;
    (void)add(CHANNEL_POLL, "a", "t", STAMP);
    assert_int_not_equal(add(CHANNEL_POLL, "A", "t", STAMP), 0);
}

static void
another_connectors_event_does_not_count(void **state)
{
    (void)state;
    (void)add(CHANNEL_POLL, "a", "t", STAMP);
    struct sighting one = seen(CHANNEL_POLL, "A", "t", STAMP);
    one.seed = true;
    apply_rows(shop + 1, &one, 1);
    assert_true(one.fresh);
}

static void
an_event_of_its_type_comes_first(void **state)
{
    (void)state;
    (void)add(CHANNEL_POLL, "a", "t", STAMP);
    uint64_t same = add(CHANNEL_POLL, "b", "u", STAMP);
    assert_true(seed("B", "u", STAMP).number == same);
}

static void
two_rows_of_one_stamp_are_two_events(void **state)
{
    (void)state;
    (void)add(CHANNEL_POLL, "a", "t", STAMP);
    (void)add(CHANNEL_POLL, "b", "t", STAMP);
    struct sighting rows[3] = { seen(CHANNEL_POLL, "A", "t", STAMP),
                                seen(CHANNEL_POLL, "B", "t", STAMP),
                                seen(CHANNEL_POLL, "C", "t", STAMP) };
    for (size_t i = 0; i < 3; i++) {
        rows[i].seed = true;
    }
    apply_rows(shop, rows, 3);
    assert_true(rows[0].seeded && rows[1].seeded);
    assert_true(rows[0].number != rows[1].number);
    assert_true(rows[2].fresh);
}

/* Notes what makes keys: `edit` is one of the words' hashes. */
static bool
keyed(uint64_t edit)
{
    struct error err = { 0 };
    bool edited;
    assert_ok(store->ops->keyed(store, shop, edit, &edited, &err));
    return edited;
}

static void
no_event_is_two_rows_in_different_transactions(void **state)
{
    (void)state;
    (void)keyed(1);
    uint64_t old = add(CHANNEL_POLL, "a", "t", STAMP);
    assert_true(keyed(2));
    assert_true(seed("A", "t", STAMP).number == old);
    struct sighting other = seed("B", "t", STAMP);
    assert_true(other.fresh);
    /* It came in since: it is nobody else, either. */
    assert_true(seed("C", "t", STAMP).fresh);
}

static void
what_came_in_since_the_edit_is_no_other_row(void **state)
{
    (void)state;
    (void)keyed(1);
    (void)keyed(2);
    (void)add(CHANNEL_WEBHOOK, "new", "t", STAMP);
    assert_true(seed("late", "t", STAMP).fresh);
}

static void
an_event_whose_own_row_is_known_is_no_other_row(void **state)
{
    (void)state;
    (void)keyed(1);
    uint64_t old = add(CHANNEL_POLL, "a", "t", STAMP);
    (void)keyed(2);
    struct sighting rows[2] = { seen(CHANNEL_POLL, "b", "t", STAMP),
                                seen(CHANNEL_POLL, "a", "t", STAMP) };
    rows[0].seed = rows[1].seed = true;
    apply_rows(shop, rows, 2);
    assert_true(rows[0].fresh);
    assert_true(!rows[1].fresh && rows[1].number == old);
    assert_true(seed("c", "t", STAMP).fresh);
}

static void
each_edit_leads_rows_anew(void **state)
{
    (void)state;
    assert_false(keyed(1));
    uint64_t old = add(CHANNEL_POLL, "a", "t", STAMP);
    assert_false(keyed(1));
    assert_true(keyed(2));
    assert_true(seed("A", "t", STAMP).number == old);
    assert_true(keyed(2));
    assert_true(seed("x", "t", STAMP).fresh);
    assert_true(keyed(3));
    assert_true(seed("AA", "t", STAMP).number == old);
}

static struct sighting
hook_again(const char *id, const char *type, const char *body)
{
    struct sighting one = seen(CHANNEL_WEBHOOK, id, type, STAMP);
    one.body = slice_of(body);
    one.seed = true;
    apply_rows(shop, &one, 1);
    return one;
}

static void
a_webhook_sent_again_is_the_event_of_its_bytes(void **state)
{
    (void)state;
    (void)keyed(1);
    uint64_t old = add(CHANNEL_WEBHOOK, "a", "t", STAMP);
    assert_true(keyed(2));
    /* Its row was led to the event before. */
    assert_true(seed("row", "t", STAMP).number == old);
    assert_true(hook_again("b", "t", "{ }").fresh);
    assert_true(hook_again("c", "u", "{}").fresh);
    struct sighting again = hook_again("A", "t", "{}");
    assert_true(again.seeded && again.seen_by_via && again.number == old);
    again = hook_again("A", "t", "{}");
    assert_false(again.fresh || again.seeded);
    /* What came in since the edit is known by its keys alone. */
    assert_true(hook_again("d", "t", "{ }").fresh);
}

static void
what_is_noted_goes_with_the_events(void **state)
{
    (void)state;
    (void)keyed(1);
    (void)add(CHANNEL_POLL, "a", "t", STAMP);
    assert_true(keyed(2));
    struct store_prune all = { .events_before_ms = INT64_MAX, .limit = 100 };
    assert_ok(store->ops->prune(store, &all, NULL));
    assert_false(keyed(2));
}

/* A sighting whose key has no time of its own, with a short memory. */
static struct sighting
received(enum channel via, int64_t received_ms)
{
    static const struct connector connector = { .name = SLICE("shop"),
                                                .keep_ids_ms =
                                                    IDENTITY_BUCKET_S * 1000 };
    struct sighting sighting = { .via = via,
                                 .id = slice_of("e"),
                                 .type = slice_of("t"),
                                 .received_ms = received_ms,
                                 .content_type = slice_of("a/b"),
                                 .body = slice_of("{}"),
                                 .headers = slice_of("") };
    assert_ok(identity_add(&connector, &sighting, KEY_ID, sighting.id, -1));
    return sighting;
}

static void
a_key_by_receipt_is_looked_for_as_far_back_as_the_floor(void **state)
{
    (void)state;
    const int64_t bucket_ms = IDENTITY_BUCKET_S * 1000;
    const int64_t old_ms = (STAMP / bucket_ms - 5) * bucket_ms;
    struct store_prune to = { .ledger_floor_ms = old_ms };
    struct store_prune past = { .ledger_floor_ms = old_ms + 1000 };
    struct sighting hook = received(CHANNEL_WEBHOOK, old_ms);
    struct sighting row = received(CHANNEL_POLL, STAMP);
    bool known;
    apply_rows(shop, &hook, 1);
    /* Neither removes the key: their limit is none. */
    assert_ok(store->ops->prune(store, &to, NULL));
    assert_ok(store->ops->known(store, &row, 1, &known, NULL));
    assert_true(known);
    assert_ok(store->ops->prune(store, &past, NULL));
    assert_ok(store->ops->known(store, &row, 1, &known, NULL));
    assert_false(known);
}

int
seed_suite_run(const struct store_suite_host *of)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, deeds_close)
    const struct CMUnitTest tests[] = {
        ROW(a_seeded_row_is_the_event_of_its_stamp),
        ROW(what_has_no_event_of_its_stamp_is_new),
        ROW(a_row_that_is_not_to_be_seeded_is_new),
        ROW(another_connectors_event_does_not_count),
        ROW(an_event_of_its_type_comes_first),
        ROW(two_rows_of_one_stamp_are_two_events),
        ROW(no_event_is_two_rows_in_different_transactions),
        ROW(what_came_in_since_the_edit_is_no_other_row),
        ROW(an_event_whose_own_row_is_known_is_no_other_row),
        ROW(each_edit_leads_rows_anew),
        ROW(a_webhook_sent_again_is_the_event_of_its_bytes),
        ROW(what_is_noted_goes_with_the_events),
        ROW(a_key_by_receipt_is_looked_for_as_far_back_as_the_floor),
    };
    host = of;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
