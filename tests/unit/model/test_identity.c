/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "model/identity.h"
#include "wire/digest.h"

#define NOW_MS  INT64_C(1790000000000)
#define DAY_MS  INT64_C(86400000)
#define HOOK    (1U << CHANNEL_WEBHOOK)
#define POLL    (1U << CHANNEL_POLL)
#define NO_KEYS 0U

static struct connector
shop(void)
{
    struct connector connector = { .name = SLICE("shop"),
                                   .keep_ids_ms = 35 * DAY_MS };
    return connector;
}

static int64_t
time_of(const struct ledger_key *key)
{
    int64_t t = 0;
    for (size_t i = 0; i < 4; i++) {
        t = t * 256 + key->bytes[i];
    }
    return t;
}

static struct ledger_key
key_of(const struct connector *connector, enum key_role role, const char *id,
       int64_t time_s)
{
    struct ledger_key key;
    assert_int_equal(identity_key(connector, role, slice_of(id), time_s, &key),
                     STATUS_OK);
    return key;
}

static bool
same(struct ledger_key a, struct ledger_key b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

static void
a_key_begins_with_its_time_and_sorts_by_it(void **state)
{
    (void)state;
    const struct connector connector = shop();
    const struct ledger_key early = key_of(&connector, KEY_ID, "z", 0x01020304);
    const struct ledger_key late = key_of(&connector, KEY_ID, "a", 0x01020305);
    assert_int_equal(time_of(&early), 0x01020304);
    assert_true(memcmp(early.bytes, late.bytes, sizeof(early.bytes)) < 0);
}

static void
a_time_outside_four_bytes_is_held_at_their_ends(void **state)
{
    (void)state;
    const struct connector connector = shop();
    const struct ledger_key before = key_of(&connector, KEY_ID, "a", -5);
    const struct ledger_key after =
        key_of(&connector, KEY_ID, "a", INT64_C(1) << 40);
    assert_int_equal(time_of(&before), 0);
    assert_int_equal(time_of(&after), UINT32_MAX);
}

static void
connector_role_and_id_each_make_another_key(void **state)
{
    (void)state;
    struct connector connector = shop();
    const struct ledger_key key = key_of(&connector, KEY_ID, "evt_1", 5);
    assert_true(same(key, key_of(&connector, KEY_ID, "evt_1", 5)));
    assert_false(same(key, key_of(&connector, KEY_STATE, "evt_1", 5)));
    assert_false(same(key, key_of(&connector, KEY_BODY, "evt_1", 5)));
    assert_false(same(key, key_of(&connector, KEY_ID, "evt_2", 5)));
    connector.name = slice_of("shop2");
    assert_false(same(key, key_of(&connector, KEY_ID, "evt_1", 5)));
}

static void
a_name_cannot_borrow_from_the_id(void **state)
{
    (void)state;
    struct connector a = shop();
    struct connector b = shop();
    a.name = slice_of("ab");
    b.name = slice_of("a");
    assert_false(same(key_of(&a, KEY_ID, "c", 1), key_of(&b, KEY_ID, "bc", 1)));
}

static struct sighting
seen_at(enum channel via, int64_t received_ms)
{
    struct sighting sighting = { .via = via, .received_ms = received_ms };
    return sighting;
}

static struct sighting_key
key_added(const struct connector *connector, enum channel via,
          int64_t received_ms, int64_t key_time_ms)
{
    struct sighting sighting = seen_at(via, received_ms);
    assert_int_equal(identity_add(connector, &sighting, KEY_ID,
                                  slice_of("evt_1"), key_time_ms),
                     STATUS_OK);
    assert_int_equal(sighting.key_count, 1);
    return sighting.keys[0];
}

static void
with_key_time_both_channels_make_one_key_whenever_they_saw_it(void **state)
{
    (void)state;
    const struct connector connector = shop();
    const int64_t stamp = NOW_MS - 3 * DAY_MS;
    const struct sighting_key hook =
        key_added(&connector, CHANNEL_WEBHOOK, NOW_MS, stamp);
    const struct sighting_key row =
        key_added(&connector, CHANNEL_POLL, NOW_MS + 20 * DAY_MS, stamp + 999);
    assert_true(same(hook.key, row.key));
    assert_int_equal(time_of(&hook.key), stamp / 1000);
    assert_int_equal(hook.probes_back, 0);
    assert_int_equal(hook.probes_ahead, 0);
}

/* The judge of a store: does a look-up with `probe`'s reach find `stored`? */
static bool
reaches(const struct sighting_key *probe, const struct ledger_key *stored)
{
    for (int i = -(int)probe->probes_back; i <= (int)probe->probes_ahead; i++) {
        if (same(identity_shift(&probe->key, i), *stored)) {
            return true;
        }
    }
    return false;
}

static void
without_key_time_the_bucket_of_receipt_is_found_over_keep_ids(void **state)
{
    (void)state;
    const struct connector connector = shop();
    const struct sighting_key first =
        key_added(&connector, CHANNEL_WEBHOOK, NOW_MS, -1);
    assert_int_equal(time_of(&first.key) % IDENTITY_BUCKET_S, 0);
    assert_true(time_of(&first.key) <= NOW_MS / 1000);
    assert_true(time_of(&first.key) > NOW_MS / 1000 - IDENTITY_BUCKET_S);
    /* One second, one day, and every day of keep_ids later, by any channel. */
    for (int64_t age = 0; age <= 35 * DAY_MS; age += DAY_MS / 3) {
        const struct sighting_key later =
            key_added(&connector, CHANNEL_POLL, NOW_MS + age, -1);
        assert_true(reaches(&later, &first.key));
    }
    /* A clock set back by less than a bucket. */
    const struct sighting_key back =
        key_added(&connector, CHANNEL_POLL, NOW_MS - 7 * DAY_MS, -1);
    assert_true(reaches(&back, &first.key));
}

static void
keep_ids_changes_the_probes_and_never_the_key(void **state)
{
    (void)state;
    static const struct {
        int64_t keep_ms;
        unsigned probes;
    } rows[] = { { 0, 0 },
                 { 1, 1 },
                 { 8 * DAY_MS, 1 },
                 { 8 * DAY_MS + 1, 2 },
                 { 35 * DAY_MS, 5 },
                 { 480 * DAY_MS, 60 },
                 { 5000 * DAY_MS, 60 } };
    struct connector connector = shop();
    const struct sighting_key before =
        key_added(&connector, CHANNEL_POLL, NOW_MS, -1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        connector.keep_ids_ms = rows[i].keep_ms;
        const struct sighting_key key =
            key_added(&connector, CHANNEL_POLL, NOW_MS, -1);
        assert_true(same(key.key, before.key));
        assert_int_equal(key.probes_back, rows[i].probes);
        assert_int_equal(key.probes_ahead, 1);
    }
}

static void
the_floor_key_is_below_every_key_of_its_second(void **state)
{
    (void)state;
    const struct connector connector = shop();
    const struct ledger_key floor = identity_floor_key(1000);
    const struct ledger_key at = key_of(&connector, KEY_ID, "a", 1000);
    const struct ledger_key below = key_of(&connector, KEY_ID, "a", 999);
    assert_true(memcmp(floor.bytes, at.bytes, sizeof(floor.bytes)) <= 0);
    assert_true(memcmp(below.bytes, floor.bytes, sizeof(floor.bytes)) < 0);
}

static void
a_webhook_below_the_floor_is_keyed_by_its_receipt(void **state)
{
    (void)state;
    const struct connector connector = shop();
    struct sighting hook = seen_at(CHANNEL_WEBHOOK, NOW_MS);
    const int64_t old = NOW_MS - 400 * DAY_MS;
    assert_int_equal(
        identity_add(&connector, &hook, KEY_ID, slice_of("a"), old), STATUS_OK);
    assert_int_equal(
        identity_add(&connector, &hook, KEY_BODY, slice_of("{}"), -1),
        STATUS_OK);
    const struct sighting before = hook;
    assert_int_equal(
        identity_below_floor(&connector, NOW_MS - 40 * DAY_MS, &hook),
        STATUS_OK);
    assert_true(hook.beyond_horizon);
    assert_int_equal(time_of(&hook.keys[0].key) % IDENTITY_BUCKET_S, 0);
    assert_int_equal(hook.keys[0].probes_back, 5);
    assert_memory_equal(hook.keys[0].key.bytes + 4,
                        before.keys[0].key.bytes + 4, 12);
    assert_true(same(hook.keys[1].key, before.keys[1].key));
}

static void
a_row_and_a_webhook_at_the_floor_keep_their_keys(void **state)
{
    (void)state;
    const struct connector connector = shop();
    const int64_t floor_ms = NOW_MS - 40 * DAY_MS;
    struct sighting row = seen_at(CHANNEL_POLL, NOW_MS);
    struct sighting hook = seen_at(CHANNEL_WEBHOOK, NOW_MS);
    assert_int_equal(
        identity_add(&connector, &row, KEY_ID, slice_of("a"), floor_ms - 1000),
        STATUS_OK);
    assert_int_equal(
        identity_add(&connector, &hook, KEY_ID, slice_of("a"), floor_ms),
        STATUS_OK);
    assert_int_equal(identity_below_floor(&connector, floor_ms, &row),
                     STATUS_OK);
    assert_int_equal(identity_below_floor(&connector, floor_ms, &hook),
                     STATUS_OK);
    assert_false(row.beyond_horizon);
    assert_false(hook.beyond_horizon);
    assert_int_equal(time_of(&hook.keys[0].key), floor_ms / 1000);
}

/* One key of a sighting and what the ledger knows of it. */
struct judged_key {
    enum key_role role;
    uint64_t event; /* 0: not found */
    unsigned channels;
    bool by_walk;
};

struct judgement {
    const char *says;
    enum channel via;
    bool covered;
    struct judged_key keys[SIGHTING_KEYS_MAX];
    size_t count;
    bool known;
    uint64_t event;
    bool seen_by_via;
    unsigned insert;
    unsigned mark;
};

static const struct judgement judgements[] = {
    { "a webhook nobody has seen enters with all its keys",
      CHANNEL_WEBHOOK,
      true,
      { { KEY_ID, 0, 0, false },
        { KEY_STATE, 0, 0, false },
        { KEY_BODY, 0, 0, false } },
      3,
      false,
      0,
      false,
      7,
      NO_KEYS },
    { "a retry is known by its id",
      CHANNEL_WEBHOOK,
      false,
      { { KEY_ID, 4, HOOK, false } },
      1,
      true,
      4,
      true,
      NO_KEYS,
      1 },
    { "a webhook whose id a walk brought is that event",
      CHANNEL_WEBHOOK,
      false,
      { { KEY_ID, 4, POLL, true } },
      1,
      true,
      4,
      false,
      NO_KEYS,
      1 },
    { "its unsigned bytes are known from then on",
      CHANNEL_WEBHOOK,
      false,
      { { KEY_ID, 4, POLL, true }, { KEY_BODY, 0, 0, false } },
      2,
      true,
      4,
      false,
      2,
      1 },
    { "replayed bytes under a fresh id are a duplicate, the id stays out",
      CHANNEL_WEBHOOK,
      false,
      { { KEY_ID, 0, 0, false }, { KEY_BODY, 4, HOOK, false } },
      2,
      true,
      4,
      true,
      NO_KEYS,
      2 },
    { "replayed bytes under the id of another event confirm nothing of it",
      CHANNEL_WEBHOOK,
      false,
      { { KEY_ID, 9, POLL, true }, { KEY_BODY, 4, HOOK, false } },
      2,
      true,
      4,
      true,
      NO_KEYS,
      2 },
    { "other bytes under an id that a webhook has shown enter nowhere",
      CHANNEL_WEBHOOK,
      true,
      { { KEY_ID, 4, HOOK, false },
        { KEY_STATE, 0, 0, false },
        { KEY_BODY, 0, 0, false } },
      3,
      true,
      4,
      true,
      NO_KEYS,
      1 },
    { "replayed bytes do not plant a state either",
      CHANNEL_WEBHOOK,
      true,
      { { KEY_ID, 0, 0, false },
        { KEY_STATE, 0, 0, false },
        { KEY_BODY, 4, HOOK, false } },
      3,
      true,
      4,
      true,
      NO_KEYS,
      4 },
    { "two webhooks about one version are two facts",
      CHANNEL_WEBHOOK,
      true,
      { { KEY_ID, 0, 0, false }, { KEY_STATE, 4, HOOK, false } },
      2,
      false,
      0,
      false,
      1,
      NO_KEYS },
    { "also when the walk came between them",
      CHANNEL_WEBHOOK,
      true,
      { { KEY_ID, 0, 0, false }, { KEY_STATE, 4, HOOK | POLL, false } },
      2,
      false,
      0,
      false,
      1,
      NO_KEYS },
    { "a row stands for a webhook of its types",
      CHANNEL_WEBHOOK,
      true,
      { { KEY_ID, 0, 0, false },
        { KEY_STATE, 4, POLL, true },
        { KEY_BODY, 0, 0, false } },
      3,
      true,
      4,
      false,
      5,
      2 },
    { "a row does not stand for another type, nor is it confirmed",
      CHANNEL_WEBHOOK,
      false,
      { { KEY_ID, 0, 0, false }, { KEY_STATE, 4, POLL, true } },
      2,
      false,
      0,
      false,
      1,
      NO_KEYS },
    { "a row is new when its key is new",
      CHANNEL_POLL,
      false,
      { { KEY_STATE, 0, 0, false } },
      1,
      false,
      0,
      false,
      1,
      NO_KEYS },
    { "a row is known when its key is known, whoever brought it",
      CHANNEL_POLL,
      false,
      { { KEY_STATE, 4, HOOK, false } },
      1,
      true,
      4,
      false,
      NO_KEYS,
      1 },
    { "a row read again is known to its channel",
      CHANNEL_POLL,
      false,
      { { KEY_ID, 4, POLL, true } },
      1,
      true,
      4,
      true,
      NO_KEYS,
      1 },
    { "a backfill is a channel of its own",
      CHANNEL_BACKFILL,
      false,
      { { KEY_ID, 4, POLL, true } },
      1,
      true,
      4,
      false,
      NO_KEYS,
      1 },
};

static void
sightings_are_judged_by_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(judgements) / sizeof(judgements[0]); i++) {
        const struct judgement *row = &judgements[i];
        struct sighting sighting = { .via = row->via,
                                     .covered_by_row = row->covered,
                                     .key_count = row->count };
        struct key_seen seen[SIGHTING_KEYS_MAX] = { { .found = false } };
        for (size_t k = 0; k < row->count; k++) {
            sighting.keys[k].role = row->keys[k].role;
            seen[k] =
                (struct key_seen){ .found = row->keys[k].event != 0,
                                   .event = row->keys[k].event,
                                   .channels = row->keys[k].channels,
                                   .brought_by_walk = row->keys[k].by_walk };
        }
        const struct identity_verdict verdict = identity_judge(&sighting, seen);
        if (verdict.known != row->known || verdict.event != row->event ||
            verdict.seen_by_via != row->seen_by_via ||
            verdict.insert != row->insert || verdict.mark != row->mark) {
            fail_msg("%s: known %d event %u via %d insert %u mark %u",
                     row->says, verdict.known, (unsigned)verdict.event,
                     verdict.seen_by_via, verdict.insert, verdict.mark);
        }
    }
}

static int
set_up(void **state)
{
    (void)state;
    return digest_init(NULL) == STATUS_OK ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_begins_with_its_time_and_sorts_by_it),
        cmocka_unit_test(a_time_outside_four_bytes_is_held_at_their_ends),
        cmocka_unit_test(connector_role_and_id_each_make_another_key),
        cmocka_unit_test(a_name_cannot_borrow_from_the_id),
        cmocka_unit_test(
            with_key_time_both_channels_make_one_key_whenever_they_saw_it),
        cmocka_unit_test(
            without_key_time_the_bucket_of_receipt_is_found_over_keep_ids),
        cmocka_unit_test(keep_ids_changes_the_probes_and_never_the_key),
        cmocka_unit_test(the_floor_key_is_below_every_key_of_its_second),
        cmocka_unit_test(a_webhook_below_the_floor_is_keyed_by_its_receipt),
        cmocka_unit_test(a_row_and_a_webhook_at_the_floor_keep_their_keys),
        cmocka_unit_test(sightings_are_judged_by_the_table),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
