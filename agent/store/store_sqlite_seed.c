/* SPDX-License-Identifier: MIT */
#include "store/store_sqlite_private.h"

/*
 * A connector's key expressions were changed: what the list shows of the past
 * has keys that the ledger has never seen, though its events are here. The new
 * keys are led to them, by stamp, so that nothing is handed over once more.
 */

/* Whether an earlier row of the unit is this event already: two rows of one
 * stamp are two facts. */
static bool
is_taken(const struct store_unit *unit, const struct sighting *sighting,
         uint64_t number)
{
    for (const struct sighting *at = unit->sightings; at < sighting; at++) {
        if (!at->fresh && at->number == number) {
            return true;
        }
    }
    return false;
}

enum status
store_sqlite_seed_find(struct store_sqlite *store,
                       const struct store_unit *unit,
                       const struct sighting *sighting, struct seed *ret_seed,
                       struct error *err)
{
    bool row;
    *ret_seed = (struct seed){ 0 };
    struct sql_use use = sql_use(store, SQL_SEED_FIND);
    sql_i64(&use, unit->connector);
    sql_i64(&use, sighting->time_ms);
    sql_text(&use, sighting->type);
    enum status status = store_sqlite_sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        uint64_t number = (uint64_t)sqlite3_column_int64(use.stmt, 0);
        if (!is_taken(unit, sighting, number)) {
            ret_seed->number = number;
            ret_seed->by_walk =
                channel_is_walk((enum channel)sqlite3_column_int(use.stmt, 1));
            sql_stop(&use);
            return STATUS_OK;
        }
        status = store_sqlite_sql_row(&use, &row, err);
    }
    return status;
}

enum status
store_sqlite_seed_keys(struct store_sqlite *store, struct sighting *sighting,
                       const struct seed *seed, int64_t now_ms,
                       struct error *err)
{
    unsigned channels = 1U << (unsigned)sighting->via;
    if (seed->by_walk) {
        channels |= LEDGER_BY_WALK;
    }
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < sighting->key_count; i++) {
        const struct ledger_key *key = &sighting->keys[i].key;
        struct sql_use use = sql_use(store, SQL_LEDGER_ADD);
        sql_blob(&use, key->bytes, sizeof(key->bytes));
        sql_event(&use, seed->number);
        sql_i64(&use, channels);
        status = store_sqlite_sql_run(&use, err);
    }
    sighting->fresh = false;
    sighting->seeded = true;
    sighting->seen_by_via = true; /* under its old keys */
    sighting->number = seed->number;
    sighting->recorded_ms = now_ms;
    return status;
}
