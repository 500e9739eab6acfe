/* SPDX-License-Identifier: MIT */
#include "store/store_sql_private.h"

#include "io/clock.h"
#include "model/identity.h"

/* Events looked at in one go, and for each that may go: one that is still owed
 * or dead is stepped over, and a call must end all the same. */
#define SCAN_ROWS   64
#define SCAN_FACTOR 8

static enum status
run_limited(struct sql_use *use, size_t limit, size_t *removed,
            struct error *err)
{
    sql_i64(use, (int64_t)limit);
    enum status status = sql_run(use, err);
    if (status == STATUS_OK) {
        *removed += (size_t)use->changed;
    }
    return status;
}

/* The floor is on disk in the same transaction as the first key that goes, so
 * it is never above what may be missing; it never goes back. */
static enum status
prune_ledger(struct store_sql *store, struct store_prune *prune,
             int64_t *floor_ms, struct error *err)
{
    if (prune->ledger_floor_ms > *floor_ms) {
        *floor_ms = prune->ledger_floor_ms;
        enum status status =
            store_sql_meta_put(store, "dedup_floor", *floor_ms, err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    /* A backfill may read below the floor, and what it brings is known to it
     * for as long as it runs. */
    int64_t below_ms = prune->ledger_floor_ms;
    if (below_ms <= 0) {
        return STATUS_OK;
    }
    /* Rounded down: T is a whole second, and a stamp later in that second may
     * still be asked for. */
    struct ledger_key floor = identity_floor_key(below_ms / 1000);
    struct sql_use use = sql_use(store, SQL_PRUNE_LEDGER);
    sql_blob(&use, floor.bytes, sizeof(floor.bytes));
    return run_limited(&use, prune->limit, &prune->removed, err);
}

static enum status
prune_attempts(struct store_sql *store, struct store_prune *prune,
               struct error *err)
{
    struct sql_use use = sql_use(store, SQL_PRUNE_ATTEMPT);
    sql_i64(&use, prune->attempts_before_ms);
    return run_limited(&use, prune->limit, &prune->removed, err);
}

static enum status
prune_dead(struct store_sql *store, struct store_prune *prune,
           struct error *err)
{
    if (prune->dead_before_ms == 0) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < prune->limit; i++) {
        struct sql_use use = sql_use(store, SQL_PRUNE_DEAD_NEXT);
        sql_i64(&use, prune->dead_before_ms);
        bool row;
        enum status status = sql_row(&use, &row, err);
        if (status != STATUS_OK || !row) {
            return status;
        }
        uint32_t handler = (uint32_t)sql_number(&use, 0);
        uint64_t event = (uint64_t)sql_number(&use, 1);
        sql_stop(&use);
        status = store_sql_lane_drop_dead(store, handler, event,
                                          clock_unix_ms(), err);
        if (status != STATUS_OK) {
            return status;
        }
        prune->removed++;
    }
    return STATUS_OK;
}

/* Whether an event still has a delivery or a dead letter. Asked per handler:
 * their rows begin with it, and there are few. */
static enum status
is_owed(struct store_sql *store, uint64_t event, bool *ret_owed,
        struct error *err)
{
    *ret_owed = false;
    for (size_t i = 0; i < store->tally_count && !*ret_owed; i++) {
        const struct tally *tally = &store->tallies[i];
        if (tally->pending + tally->dead == 0) {
            continue;
        }
        struct sql_use use = sql_use(store, SQL_OWED);
        sql_i64(&use, tally->handler);
        sql_event(&use, event);
        enum status status = sql_row(&use, ret_owed, err);
        if (status != STATUS_OK) {
            return status;
        }
        if (*ret_owed) {
            sql_stop(&use);
        }
    }
    return STATUS_OK;
}

struct old_event {
    uint64_t number;
    int64_t recorded_ms;
};

static enum status
scan(struct store_sql *store, uint64_t from, struct old_event *rows,
     size_t *ret_count, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_PRUNE_EVENT_SCAN);
    sql_event(&use, from);
    sql_i64(&use, SCAN_ROWS);
    *ret_count = 0;
    bool row;
    enum status status = sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        struct old_event *at = &rows[(*ret_count)++];
        at->number = (uint64_t)sql_number(&use, 0);
        at->recorded_ms = sql_number(&use, 1);
        status = sql_row(&use, &row, err);
    }
    return status;
}

static enum status
drop_event(struct store_sql *store, uint64_t event, size_t *removed,
           struct error *err)
{
    bool owed;
    enum status status = is_owed(store, event, &owed, err);
    if (status != STATUS_OK || owed) {
        return status;
    }
    struct sql_use use = sql_use(store, SQL_PRUNE_EVENT_DROP);
    sql_event(&use, event);
    status = sql_run(&use, err);
    if (status != STATUS_OK) {
        return status;
    }
    *removed += 1;
    use = sql_use(store, SQL_PRUNE_SIGHTING_DROP);
    sql_event(&use, event);
    status = sql_run(&use, err);
    if (status == STATUS_OK) {
        use = sql_use(store, SQL_PRUNE_FILL_DROP);
        sql_event(&use, event);
        status = sql_run(&use, err);
    }
    return status;
}

/* Goes on where the last slice ended, so that dead letters which are kept for
 * ever are not walked over each time. */
static enum status
prune_events(struct store_sql *store, struct store_prune *prune, uint64_t *from,
             struct error *err)
{
    size_t removed = 0;
    size_t looked_at = 0;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && removed < prune->limit &&
           looked_at < prune->limit * SCAN_FACTOR) {
        struct old_event rows[SCAN_ROWS];
        size_t count;
        status = scan(store, *from, rows, &count, err);
        bool at_end = status == STATUS_OK && count < SCAN_ROWS;
        for (size_t i = 0;
             status == STATUS_OK && i < count && removed < prune->limit; i++) {
            if (rows[i].recorded_ms >= prune->events_before_ms) {
                *from = 0; /* what follows is younger */
                prune->removed += removed;
                return STATUS_OK;
            }
            status = drop_event(store, rows[i].number, &removed, err);
            *from = rows[i].number;
            looked_at++;
        }
        if (at_end && removed < prune->limit) {
            *from = 0;
            break;
        }
    }
    prune->removed += removed;
    return status;
}

/* What is noted of events that are gone. */
static enum status
prune_rekeyed(struct store_sql *store, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_PRUNE_REKEYED);
    return sql_run(&use, err);
}

/* ---- of a shared store ---- */

/* Runs one that says how many it removed. */
static enum status
run_counted(struct sql_use *use, size_t *removed, struct error *err)
{
    int64_t count;
    enum status status = sql_run_numbered(use, &count, err);
    *removed += status == STATUS_OK && count > 0 ? (size_t)count : 0;
    return status;
}

/* One kind in one transaction: the lock of a table that a day goes out of is
 * not held while others are looked at, and one that cannot be had is the next
 * call's. */
static enum status
prune_by_days(struct store_sql *store, enum sql which, const int64_t *before_ms,
              struct store_prune *prune, struct error *err)
{
    enum status status = store_sql_begin(store, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct sql_use use = sql_use(store, which);
    struct ledger_key floor;
    if (which == SQL_PRUNE_LEDGER) {
        floor = identity_floor_key(*before_ms / 1000);
        sql_blob(&use, floor.bytes, sizeof(floor.bytes));
    } else if (before_ms != NULL) {
        sql_i64(&use, *before_ms);
    }
    if (before_ms != NULL) {
        sql_i64(&use, (int64_t)prune->limit);
    }
    status = store_sql_end(store, run_counted(&use, &prune->removed, err), err);
    return status == STATUS_BUSY ? STATUS_OK : status;
}

static enum status
raise_floor(struct store_sql *store, int64_t floor_ms, struct error *err)
{
    enum status status = store_sql_begin(store, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (floor_ms > store->floor_ms) {
        status = store_sql_meta_put(store, "dedup_floor", floor_ms, err);
    }
    int64_t floor = 0; /* another agent's may be higher */
    if (status == STATUS_OK) {
        status = store_sql_meta_get(store, "dedup_floor", &floor, err);
    }
    status = store_sql_end(store, status, err);
    if (status == STATUS_OK) {
        store->floor_ms = floor;
    }
    return status;
}

static enum status
prune_dead_alone(struct store_sql *store, struct store_prune *prune,
                 struct error *err)
{
    enum status status = store_sql_begin(store, err);
    return status == STATUS_OK
               ? store_sql_end(store, prune_dead(store, prune, err), err)
               : status;
}

static enum status
prune_shared(struct store_sql *store, struct store_prune *prune,
             struct error *err)
{
    const struct {
        enum sql which;
        const int64_t *before_ms;
    } steps[] = {
        { SQL_PRUNE_LEDGER, &prune->ledger_floor_ms },
        { SQL_PRUNE_ATTEMPT, &prune->attempts_before_ms },
        { SQL_PRUNE_EVENTS, &prune->events_before_ms },
        { SQL_PRUNE_ORPHANS, NULL },
    };
    enum status status = raise_floor(store, prune->ledger_floor_ms, err);
    if (status == STATUS_OK) {
        status = prune_dead_alone(store, prune, err);
    }
    for (size_t i = 0;
         status == STATUS_OK && i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (steps[i].before_ms == NULL || *steps[i].before_ms > 0) {
            status = prune_by_days(store, steps[i].which, steps[i].before_ms,
                                   prune, err);
        }
    }
    return status;
}

enum status
store_sql_prune(struct store *base, struct store_prune *prune,
                struct error *err)
{
    struct store_sql *store = store_sql_of(base);
    prune->removed = 0;
    if (store_sql_is_shared(store)) {
        return prune_shared(store, prune, err);
    }
    enum status status = store_sql_begin(store, err);
    if (status != STATUS_OK) {
        return status;
    }
    int64_t floor_ms = store->floor_ms;
    uint64_t from = store->prune_from;
    status = prune_ledger(store, prune, &floor_ms, err);
    if (status == STATUS_OK) {
        status = prune_attempts(store, prune, err);
    }
    if (status == STATUS_OK) {
        status = prune_dead(store, prune, err);
    }
    if (status == STATUS_OK) {
        status = prune_events(store, prune, &from, err);
    }
    if (status == STATUS_OK) {
        status = prune_rekeyed(store, err);
    }
    if (status == STATUS_OK && prune->removed > 0) {
        /* The highest number may go with its row, but is never given again. */
        status = store_sql_meta_put(store, "last_event",
                                    (int64_t)store->last_event, err);
    }
    status = store_sql_end(store, status, err);
    if (status == STATUS_OK) {
        store->floor_ms = floor_ms;
        store->prune_from = from;
    } else {
        prune->removed = 0;
    }
    return status;
}
