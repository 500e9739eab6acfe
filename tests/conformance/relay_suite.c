/* SPDX-License-Identifier: MIT */
/*
 * relay_suite: what store.h says of webhooks holds for those that a relay has
 * handed on, one test per sentence, for any store.
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

#define STAMP    INT64_C(1700000000000)
#define GRACE_MS INT64_C(3600000)

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

/* Shows a fact to the store. */
static struct sighting
show(enum channel via, const char *id)
{
    static const struct connector connector = { .name = SLICE("shop") };
    struct sighting sighting = { .via = via,
                                 .id = slice_of(id),
                                 .type = SLICE("order.paid"),
                                 .time_ms = STAMP,
                                 .content_type = SLICE("a/b"),
                                 .body = SLICE("{}"),
                                 .headers = SLICE("") };
    assert_ok(identity_add(&connector, &sighting, KEY_ID, sighting.id, STAMP));
    struct store_unit unit = { .connector = shop,
                               .sightings = &sighting,
                               .sighting_count = 1,
                               .grace_ms = GRACE_MS };
    struct store_unit *const units[] = { &unit };
    assert_ok(store->ops->apply(store, units, 1, NULL));
    assert_ok(unit.status);
    return sighting;
}

/* Counts what is recovered by then. */
static struct store_account
account(int64_t now_ms)
{
    struct store_account of = { .connector = shop,
                                .counts = true,
                                .grace_ms = GRACE_MS,
                                .now_ms = now_ms,
                                .limit = 100 };
    assert_ok(store->ops->account(store, &of, NULL));
    return of;
}

static void
a_relay_confirms_what_a_walk_has_shown(void **state)
{
    (void)state;
    (void)account(1); /* counting begins */
    (void)show(CHANNEL_POLL, "e1");
    assert_true(show(CHANNEL_STREAM, "e1").confirmed);
    (void)show(CHANNEL_STREAM, "e2");
    assert_true(show(CHANNEL_POLL, "e2").confirmed);
    const struct store_account of = account(FAR_MS);
    assert_int_equal(of.counted, 0);
    assert_int_equal(of.confirmed, 2);
    assert_int_equal(of.met, 2);
}

static void
a_relay_is_late_where_a_webhook_would_be(void **state)
{
    (void)state;
    (void)account(1);
    (void)show(CHANNEL_POLL, "e1");
    assert_int_equal(account(FAR_MS).counted, 1);
    assert_true(show(CHANNEL_STREAM, "e1").late);
    assert_int_equal(account(FAR_MS).late, 1);
}

static void
a_webhook_and_its_relay_count_once(void **state)
{
    (void)state;
    static const enum channel firsts[] = { CHANNEL_STREAM, CHANNEL_WEBHOOK };
    static const enum channel seconds[] = { CHANNEL_WEBHOOK, CHANNEL_STREAM };
    (void)account(1);
    for (size_t i = 0; i < 2; i++) {
        const char *const id = i == 0 ? "e1" : "e2";
        (void)show(CHANNEL_POLL, id);
        assert_true(show(firsts[i], id).confirmed);
        const struct sighting second = show(seconds[i], id);
        assert_false(second.confirmed || second.late || second.fresh);
        assert_false(show(CHANNEL_POLL, id).confirmed);
    }
    const struct store_account of = account(FAR_MS);
    assert_int_equal(of.confirmed, 2);
    assert_int_equal(of.met, 2);
}

static void
what_a_relay_brought_is_looked_for_in_the_list(void **state)
{
    (void)state;
    (void)show(CHANNEL_STREAM, "e1");
    (void)show(CHANNEL_STREAM, "e2");
    (void)show(CHANNEL_POLL, "e2");
    struct store_unlisted of = { .connector = shop,
                                 .until_ms = FAR_MS,
                                 .limit = 10 };
    assert_ok(store->ops->unlisted(store, &of, NULL));
    assert_int_equal(of.count, 1);
}

int
relay_suite_run(const struct store_suite_host *of)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, deeds_close)
    const struct CMUnitTest tests[] = {
        ROW(a_relay_confirms_what_a_walk_has_shown),
        ROW(a_relay_is_late_where_a_webhook_would_be),
        ROW(a_webhook_and_its_relay_count_once),
        ROW(what_a_relay_brought_is_looked_for_in_the_list),
    };
    host = of;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
