/* SPDX-License-Identifier: MIT */
/*
 * What the ledger says of a group's keys, asked at once: where a database is a
 * way off, each key asked for by itself is a way there and back.
 *
 * It is only what was so at the beginning: whoever adds a key or marks one
 * learns from the database that another agent was first, and then the group is
 * done again. What the group itself adds is noted here.
 */
#include "store/store_sql_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/identity.h"

/* More keys than a group has; what is over is asked for by itself. */
#define AHEAD_MOST 4096

static int
compare(const void *a, const void *b)
{
    return memcmp(((const struct key_ahead *)a)->key.bytes,
                  ((const struct key_ahead *)b)->key.bytes, LEDGER_KEY_BYTES);
}

static struct key_ahead *
find(const struct store_sql *store, const void *key)
{
    struct key_ahead wanted = { .found = false };
    memcpy(wanted.key.bytes, key, LEDGER_KEY_BYTES);
    return store->ahead_count == 0
               ? NULL
               : bsearch(&wanted, store->ahead, store->ahead_count,
                         sizeof(wanted), compare);
}

static void
note_key(struct store_sql *store, struct ledger_key key)
{
    if (store->ahead_count < AHEAD_MOST) {
        store->ahead[store->ahead_count++] = (struct key_ahead){ .key = key };
    }
}

static void
note_keys(struct store_sql *store, const struct sighting_key *key)
{
    note_key(store, key->key);
    for (int i = 1; i <= key->probes_back; i++) {
        note_key(store, identity_shift(&key->key, -i));
    }
    for (int i = 1; i <= key->probes_ahead; i++) {
        note_key(store, identity_shift(&key->key, i));
    }
}

static void
note_all(struct store_sql *store, struct store_unit *const *units, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < units[i]->sighting_count; j++) {
            const struct sighting *sighting = &units[i]->sightings[j];
            for (size_t k = 0; k < sighting->key_count; k++) {
                note_keys(store, &sighting->keys[k]);
            }
        }
    }
    qsort(store->ahead, store->ahead_count, sizeof(*store->ahead), compare);
    for (size_t i = 0; i < store->ahead_count; i++) {
        if (kept == 0 ||
            compare(&store->ahead[kept - 1], &store->ahead[i]) != 0) {
            store->ahead[kept++] = store->ahead[i];
        }
    }
    store->ahead_count = kept;
}

static enum status
ask(struct store_sql *store, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_LEDGER_GET_ALL);
    struct slice *keys = mem_array(store->ahead_count, sizeof(*keys));
    enum status status = STATUS_OK;
    bool row = true;
    if (keys == NULL) {
        store_sql_ahead_forget(store);
        return STATUS_OK;
    }
    for (size_t i = 0; i < store->ahead_count; i++) {
        keys[i] = (struct slice){ (const char *)store->ahead[i].key.bytes,
                                  LEDGER_KEY_BYTES };
    }
    sql_list(&use, keys, store->ahead_count);
    while (status == STATUS_OK && row) {
        status = sql_row(&use, &row, err);
        if (status == STATUS_OK && row &&
            sql_bytes(&use, 0).len == LEDGER_KEY_BYTES) {
            store_sql_ahead_put(store, sql_bytes(&use, 0).ptr,
                                (uint64_t)sql_number(&use, 1),
                                (unsigned)sql_number(&use, 2));
        }
    }
    mem_free(keys);
    return status;
}

enum status
store_sql_ahead_ask(struct store_sql *store, struct store_unit *const *units,
                    size_t count, struct error *err)
{
    store->ahead_count = 0;
    if (store->ahead == NULL) {
        store->ahead = mem_array(AHEAD_MOST, sizeof(*store->ahead));
    }
    if (store->ahead == NULL) {
        return STATUS_OK; /* each is asked for by itself then */
    }
    note_all(store, units, count);
    if (store->ahead_count < 2) {
        store_sql_ahead_forget(store);
        return STATUS_OK;
    }
    return ask(store, err);
}

void
store_sql_ahead_put(struct store_sql *store, const void *key, uint64_t event,
                    unsigned channels)
{
    struct key_ahead *at = find(store, key);
    if (at != NULL) {
        at->found = true;
        at->event = event;
        at->channels = channels;
    }
}

void
store_sql_ahead_mark(struct store_sql *store, const void *key, unsigned channel)
{
    struct key_ahead *at = find(store, key);
    if (at != NULL) {
        at->channels |= channel;
    }
}

const struct key_ahead *
store_sql_ahead_get(const struct store_sql *store, const void *key)
{
    return find(store, key);
}

void
store_sql_ahead_forget(struct store_sql *store)
{
    store->ahead_count = 0;
}
