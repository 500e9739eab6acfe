/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "model/identity.h"
#include "store/store_sql_private.h"

/* A database that has one key. */
static struct {
    struct ledger_key has;
    size_t asked; /* for so many keys */
    int calls;
    bool is_read;
    enum status answer;
} fake;

static struct sql_link link;
static struct store_sql store;
static struct error err;

static void
fake_list(struct sql_use *use, const struct slice *bytes, size_t count)
{
    (void)use;
    fake.asked = count;
    fake.is_read = true;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(bytes[i].len, LEDGER_KEY_BYTES);
        fake.is_read = fake.is_read && memcmp(bytes[i].ptr, fake.has.bytes,
                                              LEDGER_KEY_BYTES) != 0;
    }
    fake.calls++;
}

static enum status
fake_row(struct sql_use *use, bool *ret_row, struct error *words)
{
    (void)use;
    *ret_row = fake.answer == STATUS_OK && !fake.is_read;
    fake.is_read = true;
    return error_set(words, fake.answer, "the words");
}

static int64_t
fake_number(const struct sql_use *use, int column)
{
    (void)use;
    return column == 1 ? 77 : LEDGER_BY_WALK | 2;
}

static struct slice
fake_bytes(const struct sql_use *use, int column)
{
    (void)use;
    assert_int_equal(column, 0);
    return (struct slice){ (const char *)fake.has.bytes, LEDGER_KEY_BYTES };
}

static const struct sql_driver driver = { .bind_list = fake_list,
                                          .row = fake_row,
                                          .number = fake_number,
                                          .bytes = fake_bytes };

static struct ledger_key
key_of(unsigned char first, unsigned char last)
{
    struct ledger_key key = { .bytes = { 0x60, first } };
    key.bytes[LEDGER_KEY_BYTES - 1] = last;
    return key;
}

static int
set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    link = (struct sql_link){ .driver = &driver };
    store = (struct store_sql){ .link = &link };
    fake.has = key_of(1, 2);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    mem_free(store.ahead);
    return 0;
}

/* A unit of one sighting for each key. */
static enum status
ask_for(const struct ledger_key *keys, size_t count, uint8_t probes)
{
    struct sighting sightings[8];
    struct store_unit unit = { .sightings = sightings,
                               .sighting_count = count };
    struct store_unit *units[] = { &unit };
    memset(sightings, 0, sizeof(sightings));
    for (size_t i = 0; i < count; i++) {
        sightings[i].key_count = 1;
        sightings[i].keys[0] = (struct sighting_key){ .key = keys[i],
                                                      .probes_back = probes,
                                                      .probes_ahead = probes };
    }
    return store_sql_ahead_ask(&store, units, 1, &err);
}

static void
keys_are_asked_for_at_once_and_once_each(void **state)
{
    (void)state;
    const struct ledger_key keys[] = { key_of(3, 1), key_of(1, 2), key_of(3, 1),
                                       key_of(2, 2) };
    assert_int_equal(ask_for(keys, 4, 0), STATUS_OK);
    assert_int_equal(fake.calls, 1);
    assert_int_equal(fake.asked, 3);
    const struct key_ahead *there = store_sql_ahead_get(&store, &keys[1]);
    assert_non_null(there);
    assert_true(there->found);
    assert_int_equal(there->event, 77);
    assert_int_equal(there->channels, LEDGER_BY_WALK | 2);
    assert_false(store_sql_ahead_get(&store, &keys[0])->found);
    const struct ledger_key other = key_of(9, 9);
    assert_null(store_sql_ahead_get(&store, &other));
}

static void
where_a_key_may_lie_besides_is_asked_for_too(void **state)
{
    (void)state;
    const struct ledger_key key = key_of(3, 1);
    const struct ledger_key before = identity_shift(&key, -2);
    const struct ledger_key behind = identity_shift(&key, 2);
    assert_int_equal(ask_for(&key, 1, 2), STATUS_OK);
    assert_int_equal(fake.asked, 5);
    assert_non_null(store_sql_ahead_get(&store, &before));
    assert_non_null(store_sql_ahead_get(&store, &behind));
}

static void
what_the_group_adds_is_known_from_then_on(void **state)
{
    (void)state;
    const struct ledger_key keys[] = { key_of(3, 1), key_of(1, 2) };
    assert_int_equal(ask_for(keys, 2, 0), STATUS_OK);
    store_sql_ahead_put(&store, &keys[0], 5, 1);
    store_sql_ahead_mark(&store, &keys[0], 4);
    const struct key_ahead *mine = store_sql_ahead_get(&store, &keys[0]);
    assert_true(mine->found);
    assert_int_equal(mine->event, 5);
    assert_int_equal(mine->channels, 5);
    store_sql_ahead_forget(&store);
    assert_null(store_sql_ahead_get(&store, &keys[0]));
    store_sql_ahead_put(&store, &keys[0], 5, 1); /* of no use, and no harm */
    assert_null(store_sql_ahead_get(&store, &keys[0]));
}

static void
one_key_alone_is_not_worth_it(void **state)
{
    (void)state;
    const struct ledger_key key = key_of(1, 2);
    assert_int_equal(ask_for(&key, 1, 0), STATUS_OK);
    assert_int_equal(fake.calls, 0);
    assert_null(store_sql_ahead_get(&store, &key));
}

static void
without_memory_each_is_asked_for_by_itself(void **state)
{
    (void)state;
    const struct ledger_key keys[] = { key_of(3, 1), key_of(1, 2) };
    for (long after = 0; after < 2; after++) {
        mem_free(store.ahead);
        store.ahead = NULL;
        (void)mem_fail_after(after, 0);
        enum status status = ask_for(keys, 2, 0);
        (void)mem_fail_after(-1, 0);
        assert_int_equal(status, STATUS_OK);
        assert_null(store_sql_ahead_get(&store, &keys[1]));
    }
    assert_int_equal(fake.calls, 0);
}

static void
a_database_that_fails_is_told(void **state)
{
    (void)state;
    const struct ledger_key keys[] = { key_of(3, 1), key_of(1, 2) };
    fake.answer = STATUS_UNAVAILABLE;
    assert_int_equal(ask_for(keys, 2, 0), STATUS_UNAVAILABLE);
    assert_string_equal(err.text, "the words");
}

#define AHEAD_TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AHEAD_TEST(keys_are_asked_for_at_once_and_once_each),
        AHEAD_TEST(where_a_key_may_lie_besides_is_asked_for_too),
        AHEAD_TEST(what_the_group_adds_is_known_from_then_on),
        AHEAD_TEST(one_key_alone_is_not_worth_it),
        AHEAD_TEST(without_memory_each_is_asked_for_by_itself),
        AHEAD_TEST(a_database_that_fails_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
