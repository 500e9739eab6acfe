/* SPDX-License-Identifier: MIT */
/* Deliveries of one value of order_by, of which one at a time is tried. */
#include "store/store_sql_private.h"

#include "io/clock.h"

/*
 * At most one delivery of a lane, its head, is due or leased; the others are
 * parked, where no claim walks over them. The end of the head makes the
 * earliest of the others the head, unless it died and holds the lane: then
 * there is no head until the dead letter has gone.
 */

struct lane
store_sql_lane_read(const struct sql_use *use, int column)
{
    return (struct lane){ .is_set = !sql_is_null(use, column),
                          .number = sql_number(use, column) };
}

enum status
store_sql_lane_join(struct store_sql *store, uint32_t handler,
                    const struct lane *lane, int64_t now_ms,
                    int64_t *ret_due_ms, struct error *err)
{
    *ret_due_ms = now_ms;
    if (!lane->is_set) {
        return STATUS_OK;
    }
    if (lane->was_held) {
        return STATUS_OK; /* all the others are parked */
    }
    struct sql_use use = sql_use(store, SQL_LANE_BUSY);
    sql_i64(&use, handler);
    sql_i64(&use, lane->number);
    bool busy;
    enum status status = sql_row(&use, &busy, err);
    if (status == STATUS_OK && busy) {
        sql_stop(&use);
        *ret_due_ms = DUE_PARKED;
    }
    return status;
}

enum status
store_sql_lane_next(struct store_sql *store, uint32_t handler,
                    const struct lane *lane, int64_t now_ms, struct error *err)
{
    if (!lane->is_set) {
        return STATUS_OK;
    }
    struct sql_use use = sql_use(store, SQL_LANE_NEXT);
    sql_i64(&use, handler);
    sql_i64(&use, lane->number);
    sql_i64(&use, now_ms);
    return sql_run(&use, err);
}

enum status
store_sql_lane_take_dead(struct store_sql *store, uint32_t handler,
                         uint64_t event, bool *ret_found, struct lane *ret,
                         int64_t *ret_attempt, struct error *err)
{
    struct tally *tally;
    *ret = (struct lane){ 0 };
    *ret_found = false;
    enum status status = store_sql_tally_of(store, handler, &tally, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct sql_use use = sql_use(store, SQL_DEAD_DROP);
    sql_i64(&use, handler);
    sql_event(&use, event);
    status = sql_row(&use, ret_found, err);
    if (status == STATUS_OK && *ret_found) {
        *ret = store_sql_lane_read(&use, 0);
        ret->was_held = sql_number(&use, 1) != 0;
        *ret_attempt = sql_number(&use, 2);
        sql_stop(&use);
        tally->dead_change--;
    }
    return status;
}

enum status
store_sql_lane_drop_dead(struct store_sql *store, uint32_t handler,
                         uint64_t event, int64_t now_ms, struct error *err)
{
    bool found;
    struct lane lane;
    int64_t attempt;
    enum status status = store_sql_lane_take_dead(store, handler, event, &found,
                                                  &lane, &attempt, err);
    return status == STATUS_OK && found && lane.was_held
               ? store_sql_lane_next(store, handler, &lane, now_ms, err)
               : status;
}

/* Lets one held lane go on; `*ret_more`: there was one. */
static enum status
free_one(struct store_sql *store, uint32_t handler, int64_t now_ms,
         bool *ret_more, struct error *err)
{
    struct lane lane = { .is_set = true };
    struct sql_use use = sql_use(store, SQL_LANE_HELD);
    sql_i64(&use, handler);
    enum status status = sql_row(&use, ret_more, err);
    if (status != STATUS_OK || !*ret_more) {
        return status;
    }
    lane.number = sql_number(&use, 0);
    sql_stop(&use);
    use = sql_use(store, SQL_LANE_FREE);
    sql_i64(&use, handler);
    sql_i64(&use, lane.number);
    status = sql_run(&use, err);
    return status == STATUS_OK
               ? store_sql_lane_next(store, handler, &lane, now_ms, err)
               : status;
}

enum status
store_sql_lanes(struct store *base, uint32_t handler, bool dead_hold,
                struct error *err)
{
    struct store_sql *store = store_sql_of(base);
    struct tally *tally;
    bool more = !dead_hold;
    enum status status = store_sql_usable(store, err);
    if (status == STATUS_OK) {
        status = store_sql_tally_of(store, handler, &tally, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    tally->dead_hold = dead_hold;
    if (dead_hold) {
        return STATUS_OK;
    }
    status = store_sql_begin(store, err);
    if (status != STATUS_OK) {
        return status;
    }
    const int64_t now_ms = clock_unix_ms();
    while (status == STATUS_OK && more) {
        status = free_one(store, handler, now_ms, &more, err);
    }
    return store_sql_end(store, status, err);
}
