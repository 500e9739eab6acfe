/* SPDX-License-Identifier: MIT */
/* store_sql_again: dead letters, what comes again, and errands. */
#include "store/store_sql_private.h"

#include "io/clock.h"

/* Errands that are over, kept for people to look at. */
#define ERRANDS_KEPT 100

/* What is counted of an errand's open deliveries: more is as good as this. */
#define OPEN_MOST 100000

static void
bind_lane(struct sql_use *use, const struct lane *lane)
{
    if (lane->is_set) {
        sql_i64(use, lane->number);
    } else {
        sql_null(use);
    }
}

enum status
store_sql_again_bury(struct store_sql *store,
                     const struct store_outcome *outcome,
                     const struct lane *lane, bool holds, int64_t now_ms,
                     struct error *err)
{
    struct sql_use use = sql_use(store, SQL_DEAD_ADD);
    sql_i64(&use, outcome->handler);
    sql_event(&use, outcome->event);
    sql_i64(&use, outcome->attempt);
    sql_i64(&use, now_ms);
    sql_text(&use, slice_of(outcome->reason));
    sql_text(&use, outcome->detail);
    bind_lane(&use, lane);
    sql_i64(&use, holds ? 1 : 0);
    return sql_run(&use, err);
}

/* ---- what comes again ---- */

/* Where a delivery that comes again goes on. */
struct comeback {
    struct lane lane;
    int64_t base; /* attempts made before */
};

/* Owes an event once more; false where it is owed already, or gone. */
static enum status
owe(struct store_sql *store, const struct store_again *again,
    const struct store_again_one *one, const struct comeback *from,
    bool *ret_owed, struct error *err)
{
    const int64_t now_ms = clock_unix_ms();
    int64_t due;
    struct tally *tally;
    enum status status = store_sql_lane_join(store, one->handler, &from->lane,
                                             now_ms, &due, err);
    if (status == STATUS_OK) {
        status = store_sql_tally_of(store, one->handler, &tally, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct sql_use use = sql_use(store, SQL_AGAIN_ADD);
    sql_i64(&use, one->handler);
    sql_event(&use, one->event);
    sql_i64(&use, again->first && due != DUE_PARKED ? 0 : due);
    sql_i64(&use, from->base);
    bind_lane(&use, &from->lane);
    sql_i64(&use, again->kind);
    sql_i64(&use, now_ms);
    sql_i64(&use, (int64_t)again->errand);
    status = sql_run(&use, err);
    *ret_owed = status == STATUS_OK && use.changed == 1;
    tally->pending_change += *ret_owed;
    return status;
}

/* Another agent may be about to make a dead letter of it. */
static enum status
wait_for_outcome(struct store_sql *store, const struct store_again_one *one,
                 struct error *err)
{
    if (!store_sql_is_shared(store)) {
        return STATUS_OK;
    }
    struct sql_use use = sql_use(store, SQL_LOCK_DELIVERY);
    sql_i64(&use, one->handler);
    sql_event(&use, one->event);
    bool row;
    enum status status = sql_row(&use, &row, err);
    if (status == STATUS_OK && row) {
        sql_stop(&use);
    }
    return status;
}

/* An event that is gone, or a delivery that is alive, has no dead letter: what
 * is skipped has changed nothing. */
static enum status
do_one(struct store_sql *store, struct store_again *again,
       const struct store_again_one *one, struct error *err)
{
    bool found;
    struct comeback from = { .base = 0 };
    enum status status = wait_for_outcome(store, one, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = store_sql_lane_take_dead(store, one->handler, one->event, &found,
                                      &from.lane, &from.base, err);
    bool is_done = found;
    if (again->kind == AGAIN_REPLAY) {
        /* One that holds a lane comes back into that one, whatever its lane
         * would be by now: nothing else lets the others of it go on. */
        if (!from.lane.was_held) {
            from.lane.is_set = one->has_lane;
            from.lane.number = one->lane;
        }
        is_done = true;
        if (status == STATUS_OK && !found) {
            status = store_sql_attempt_last(store, one->event, one->handler,
                                            &from.base, err);
        }
    }
    if (status == STATUS_OK && is_done && again->kind != AGAIN_DROP) {
        status = owe(store, again, one, &from, &is_done, err);
    } else if (status == STATUS_OK && found && from.lane.was_held) {
        status = store_sql_lane_next(store, one->handler, &from.lane,
                                     clock_unix_ms(), err);
    }
    again->done += is_done;
    again->skipped += !is_done;
    return status;
}

/* ---- errands ---- */

static enum status
begin_errand(struct store_sql *store, struct store_again *again,
             struct error *err)
{
    struct sql_use use = sql_use(store, SQL_ERRAND_ADD);
    sql_i64(&use, !again->is_over);
    sql_text(&use, again->state);
    int64_t number;
    enum status status = sql_run_numbered(&use, &number, err);
    if (status != STATUS_OK) {
        return status;
    }
    again->errand = (uint64_t)number;
    use = sql_use(store, SQL_ERRAND_TIDY);
    sql_i64(&use, (int64_t)again->errand - ERRANDS_KEPT);
    return sql_run(&use, err);
}

static enum status
put_errand(struct store_sql *store, const struct store_again *again,
           struct error *err)
{
    struct sql_use use = sql_use(store, SQL_ERRAND_PUT);
    sql_i64(&use, (int64_t)again->errand);
    sql_i64(&use, !again->is_over);
    sql_i64(&use, (int64_t)again->done);
    sql_i64(&use, (int64_t)again->skipped);
    sql_text(&use, again->state);
    enum status status = sql_run(&use, err);
    return status == STATUS_OK && use.changed == 0
               ? error_set(err, STATUS_NOT_FOUND, "the errand is over")
               : status;
}

/* Tells how the errand stands. */
static enum status
read_errand(struct store_sql *store, struct store_again *again,
            struct error *err)
{
    struct sql_use use = sql_use(store, SQL_ERRAND_GET);
    sql_i64(&use, (int64_t)again->errand);
    bool row;
    enum status status = sql_row(&use, &row, err);
    if (status == STATUS_OK && row) {
        again->all_done = sql_number(&use, 0);
        again->all_skipped = sql_number(&use, 1);
        sql_stop(&use);
    }
    if (status != STATUS_OK) {
        return status;
    }
    use = sql_use(store, SQL_ERRAND_OPEN);
    sql_i64(&use, (int64_t)again->errand);
    sql_i64(&use, OPEN_MOST);
    status = sql_row(&use, &row, err);
    if (status == STATUS_OK && row) {
        again->open = sql_number(&use, 0);
        sql_stop(&use);
    }
    return status;
}

static enum status
do_slice(struct store_sql *store, struct store_again *again, struct error *err)
{
    enum status status = store_sql_fence(store, 0, again->fence, err);
    bool begins = again->errand == 0;
    again->done = 0;
    if (status == STATUS_OK && begins && again->state.len > 0) {
        status = begin_errand(store, again, err);
    }
    for (size_t i = 0; status == STATUS_OK && i < again->count; i++) {
        status = do_one(store, again, &again->at[i], err);
    }
    if (status == STATUS_OK && !begins) {
        status = put_errand(store, again, err);
    }
    return status == STATUS_OK && again->errand != 0
               ? read_errand(store, again, err)
               : status;
}

enum status
store_sql_again(struct store *base, struct store_again *again,
                struct error *err)
{
    struct store_sql *store = store_sql_of(base);
    bool only_looks =
        again->count == 0 && again->state.len == 0 && !again->is_over;
    enum status status = store_sql_usable(store, err);
    if (status == STATUS_OK && only_looks) {
        again->done = 0;
        return read_errand(store, again, err);
    }
    if (status == STATUS_OK) {
        status = store_sql_begin(store, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t errand = again->errand;
    size_t skipped = again->skipped;
    status = store_sql_end(store, do_slice(store, again, err), err);
    if (status != STATUS_OK) {
        again->errand = errand;
        again->done = 0;
        again->skipped = skipped;
    }
    return status;
}

enum status
store_sql_again_errand(struct store *base, struct store_errand *errand,
                       struct error *err)
{
    struct store_sql *store = store_sql_of(base);
    enum status status = store_sql_usable(store, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct sql_use use = sql_use(store, SQL_ERRAND_NEXT);
    sql_i64(&use, (int64_t)errand->after);
    bool row;
    status = sql_row(&use, &row, err);
    errand->number = 0;
    if (status != STATUS_OK || !row) {
        return status;
    }
    errand->number = (uint64_t)sql_number(&use, 0);
    errand->done = sql_number(&use, 1);
    errand->skipped = sql_number(&use, 2);
    buf_clear(&errand->state);
    buf_append(&errand->state, sql_bytes(&use, 3));
    sql_stop(&use);
    return buf_status(&errand->state);
}
