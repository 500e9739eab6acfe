/* SPDX-License-Identifier: MIT */
#include "store/store_sql_private.h"

/*
 * A connector's key expressions were changed: what the list shows of the past
 * has keys that the ledger has never seen, though its events are here. The new
 * keys are led to them, by stamp, so that nothing is handed over once more. An
 * event that has a key by the new words, or came in since, is no other row. A
 * webhook that is sent again is led to the event of its bytes: an id that lies
 * in them is the same by any words.
 */

/* Reads what made a connector's keys when that was noted last. */
static enum status
get_keyed(struct store_sql *store, uint32_t connector, uint64_t *ret_keys,
          bool *ret_edited, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_KEYED_GET);
    sql_i64(&use, connector);
    bool row;
    enum status status = sql_row(&use, &row, err);
    if (status == STATUS_OK && row) {
        *ret_keys = (uint64_t)sql_number(&use, 0);
        *ret_edited = sql_number(&use, 1) != 0;
        sql_stop(&use);
    }
    return status != STATUS_OK ? status : row ? STATUS_OK : STATUS_NOT_FOUND;
}

enum status
store_sql_keyed(struct store *base, uint32_t connector, uint64_t keys,
                bool *ret_edited, struct error *err)
{
    struct store_sql *store = store_sql_of(base);
    uint64_t noted = 0;
    *ret_edited = false;
    enum status status = store_sql_usable(store, err);
    if (status == STATUS_OK) {
        status = get_keyed(store, connector, &noted, ret_edited, err);
    }
    bool is_first = status == STATUS_NOT_FOUND;
    if ((status != STATUS_OK && !is_first) || (!is_first && noted == keys)) {
        return status;
    }
    status = store_sql_begin(store, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct sql_use use = sql_use(store, SQL_KEYED_PUT);
    sql_i64(&use, connector);
    sql_i64(&use, (int64_t)keys);
    sql_event(&use, store->last_event);
    status = store_sql_end(store, sql_run(&use, err), err);
    return status == STATUS_OK && !is_first
               ? get_keyed(store, connector, &noted, ret_edited, err)
               : status;
}

enum status
store_sql_seed_note(struct store_sql *store, uint32_t connector, uint64_t event,
                    struct error *err)
{
    struct sql_use use = sql_use(store, SQL_REKEYED_PUT);
    sql_i64(&use, connector);
    sql_event(&use, event);
    return sql_run(&use, err);
}

/* Two agents that lead rows to the events of a stamp do so one behind the
 * other: what the first has led is not free for the second. */
static enum status
lock(struct store_sql *store, uint32_t connector, struct error *err)
{
    if (!store_sql_is_shared(store)) {
        return STATUS_OK;
    }
    struct sql_use use = sql_use(store, SQL_LOCK_SEED);
    sql_i64(&use, connector);
    return sql_run(&use, err);
}

enum status
store_sql_seed_find(struct store_sql *store, const struct store_unit *unit,
                    const struct sighting *sighting, struct seed *ret_seed,
                    struct error *err)
{
    bool row;
    *ret_seed = (struct seed){ 0 };
    bool is_hook = channel_is_hook(sighting->via);
    enum status status = lock(store, unit->connector, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct sql_use use =
        sql_use(store, is_hook ? SQL_SEED_HOOK : SQL_SEED_FIND);
    sql_i64(&use, unit->connector);
    sql_i64(&use, sighting->time_ms);
    sql_text(&use, sighting->type);
    if (is_hook) {
        sql_blob(&use, sighting->body.ptr, sighting->body.len);
    }
    status = sql_row(&use, &row, err);
    if (status == STATUS_OK && row) {
        ret_seed->number = (uint64_t)sql_number(&use, 0);
        ret_seed->by_walk = channel_is_walk((enum channel)sql_number(&use, 1));
        sql_stop(&use);
    }
    return status;
}

/* Whether nobody had entered a key when the group began. */
static bool
was_free(const struct store_sql *store, const struct ledger_key *key)
{
    const struct key_ahead *ahead = store_sql_ahead_get(store, key->bytes);
    return ahead != NULL && !ahead->found;
}

enum status
store_sql_seed_keys(struct store_sql *store, const struct store_unit *unit,
                    struct sighting *sighting, const struct seed *seed,
                    int64_t now_ms, struct error *err)
{
    unsigned channels = 1U << (unsigned)sighting->via;
    if (seed->by_walk) {
        channels |= LEDGER_BY_WALK;
    }
    enum status status =
        store_sql_seed_note(store, unit->connector, seed->number, err);
    for (size_t i = 0; status == STATUS_OK && i < sighting->key_count; i++) {
        const struct ledger_key *key = &sighting->keys[i].key;
        struct sql_use use = sql_use(store, SQL_LEDGER_ADD);
        sql_blob(&use, key->bytes, sizeof(key->bytes));
        sql_event(&use, seed->number);
        sql_i64(&use, channels);
        status = sql_run(&use, err);
        if (status == STATUS_OK && use.changed > 0) {
            store_sql_ahead_put(store, key->bytes, seed->number, channels);
        } else if (status == STATUS_OK && was_free(store, key)) {
            status =
                error_set(err, STATUS_BUSY, "store: another agent was first");
        }
    }
    store_sql_ahead_forget(store);
    sighting->fresh = false;
    sighting->seeded = true;
    sighting->seen_by_via = true; /* under its old keys */
    sighting->number = seed->number;
    sighting->recorded_ms = now_ms;
    return status;
}
