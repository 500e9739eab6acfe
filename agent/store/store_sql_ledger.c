/* SPDX-License-Identifier: MIT */
/* store_sql_ledger: keys looked up, entered and marked. */
#include "store/store_sql_private.h"

#include <string.h>

#include "base/rule.h"
#include "model/identity.h"

static void
take_seen(struct key_seen *seen, uint64_t event, unsigned channels)
{
    *seen = (struct key_seen){
        .found = true,
        .event = event,
        .channels = channels & (LEDGER_BY_WALK - 1),
        .brought_by_walk = (channels & LEDGER_BY_WALK) != 0,
    };
}

static enum status
look_at(struct store_sql *store, const struct ledger_key *key,
        struct key_seen *seen, struct error *err)
{
    const struct key_ahead *ahead = store_sql_ahead_get(store, key->bytes);
    if (ahead != NULL) {
        if (ahead->found) {
            take_seen(seen, ahead->event, ahead->channels);
        }
        return STATUS_OK;
    }
    struct sql_use use = sql_use(store, SQL_LEDGER_GET);
    sql_blob(&use, key->bytes, sizeof(key->bytes));
    bool row;
    enum status status = sql_row(&use, &row, err);
    if (status == STATUS_OK && row) {
        take_seen(seen, (uint64_t)sql_number(&use, 0),
                  (unsigned)sql_number(&use, 1));
        sql_stop(&use);
    }
    return status;
}

/* Whether a key by receipt is looked for so many buckets back: as far as
 * keep_ids asks, and on to the floor. A walk that was away for longer brings
 * back what came in before keep_ids, and retention has kept its keys. */
static bool
reaches_back(const struct store_sql *store, const struct sighting_key *key,
             int buckets)
{
    if (buckets <= key->probes_back) {
        return RULE(RULE_PROBES);
    }
    if (key->probes_ahead == 0 || store->floor_ms <= 0 ||
        buckets > IDENTITY_PROBES_MAX) {
        return false;
    }
    struct ledger_key at = identity_shift(&key->key, -buckets);
    struct ledger_key floor = identity_floor_key(store->floor_ms / 1000);
    return RULE(RULE_PROBES) &&
           memcmp(at.bytes, floor.bytes, IDENTITY_TIME_BYTES) >= 0;
}

enum status
store_sql_ledger_look(struct store_sql *store, const struct sighting_key *key,
                      struct ledger_key *ret_at, struct key_seen *seen,
                      struct error *err)
{
    *ret_at = key->key;
    enum status status = look_at(store, ret_at, seen, err);
    for (int i = 1;
         status == STATUS_OK && !seen->found && reaches_back(store, key, i);
         i++) {
        *ret_at = identity_shift(&key->key, -i);
        status = look_at(store, ret_at, seen, err);
    }
    for (int i = 1;
         status == STATUS_OK && !seen->found && i <= key->probes_ahead; i++) {
        *ret_at = identity_shift(&key->key, i);
        status = look_at(store, ret_at, seen, err);
    }
    return status;
}

/* Another agent was first: what was read before does not hold any more. */
static enum status
overtaken(struct error *err)
{
    return error_set(err, STATUS_BUSY, "store: another agent was first");
}

/* Whether a key that was there already is one of the same event's. */
static enum status
check_own(struct store_sql *store, const struct ledger_key *key,
          uint64_t number, struct error *err)
{
    struct key_seen seen = { 0 };
    store_sql_ahead_forget(store); /* it is not so any more */
    enum status status = look_at(store, key, &seen, err);
    return status == STATUS_OK && seen.event != number ? overtaken(err)
                                                       : status;
}

/* One that was not there when the group began. Nobody waits for it: where
 * another agent was first, the group fails with it and is done again. */
static enum status
add_new_key(struct store_sql *store, const struct ledger_key *key,
            uint64_t number, unsigned channels, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_LEDGER_NEW);
    sql_blob(&use, key->bytes, sizeof(key->bytes));
    sql_event(&use, number);
    sql_i64(&use, channels);
    enum status status = sql_run(&use, err);
    store_sql_ahead_put(store, key->bytes, number, channels);
    return status_disposition(status) == DISPOSITION_NEVER ? overtaken(err)
                                                           : status;
}

enum status
store_sql_ledger_add(struct store_sql *store, const struct ledger_key *key,
                     uint64_t number, enum channel via, struct error *err)
{
    unsigned channels = 1U << (unsigned)via;
    if (channel_is_walk(via)) {
        channels |= LEDGER_BY_WALK;
    }
    const struct key_ahead *ahead = store_sql_ahead_get(store, key->bytes);
    if (ahead != NULL && !ahead->found) {
        return add_new_key(store, key, number, channels, err);
    }
    struct sql_use use = sql_use(store, SQL_LEDGER_ADD);
    sql_blob(&use, key->bytes, sizeof(key->bytes));
    sql_event(&use, number);
    sql_i64(&use, channels);
    enum status status = sql_run(&use, err);
    if (status == STATUS_OK && use.changed > 0) {
        store_sql_ahead_put(store, key->bytes, number, channels);
    }
    return status == STATUS_OK && use.changed == 0 && store_sql_is_shared(store)
               ? check_own(store, key, number, err)
               : status;
}

enum status
store_sql_ledger_mark(struct store_sql *store, const struct ledger_key *key,
                      enum channel via, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_LEDGER_MARK);
    sql_blob(&use, key->bytes, sizeof(key->bytes));
    sql_i64(&use, 1U << (unsigned)via);
    bool row;
    enum status status = sql_row(&use, &row, err);
    if (status == STATUS_OK && row) {
        store_sql_ahead_mark(store, key->bytes, 1U << (unsigned)via);
        sql_stop(&use);
    }
    return status == STATUS_OK && !row && store_sql_is_shared(store)
               ? overtaken(err)
               : status;
}
