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
store_sql_lane_lock(struct store_sql *store, uint32_t handler,
                    const struct lane *lane, struct error *err)
{
    if (!store_sql_is_shared(store) || !lane->is_set) {
        return STATUS_OK;
    }
    struct sql_use use = sql_use(store, SQL_LOCK_LANE);
    sql_i64(&use, handler);
    sql_i64(&use, lane->number);
    bool row;
    enum status status = sql_row(&use, &row, err);
    if (status == STATUS_OK && row) {
        sql_stop(&use);
    }
    return status;
}

/* Two columns of numbers for SQL_LOCK_LANES. */
struct pairs {
    int64_t *handlers;
    int64_t *others;
    size_t count;
};

static void
add_pair(struct pairs *pairs, uint32_t handler, int64_t other)
{
    pairs->handlers[pairs->count] = handler;
    pairs->others[pairs->count++] = other;
}

/* Fills the pairs in, where they have room, else only counts them: lanes that
 * are joined, and deliveries that end. */
static void
collect(const struct store_unit *unit, bool fill, struct pairs *joined,
        struct pairs *ended)
{
    for (size_t i = 0; i < unit->sighting_count; i++) {
        const struct sighting *sighting = &unit->sightings[i];
        for (size_t j = 0; j < sighting->owed_count; j++) {
            const struct owed *owed = &sighting->owed[j];
            if (owed->has_lane && fill) {
                add_pair(joined, owed->handler, owed->lane);
            } else {
                joined->count += owed->has_lane;
            }
        }
    }
    for (size_t i = 0; i < unit->outcome_count; i++) {
        const struct store_outcome *outcome = &unit->outcomes[i];
        if (fill) {
            add_pair(ended, outcome->handler, (int64_t)outcome->event);
        } else {
            ended->count++;
        }
    }
}

enum status
store_sql_lane_lock_all(struct store_sql *store,
                        struct store_unit *const *units, size_t count,
                        struct error *err)
{
    struct pairs joined = { 0 };
    struct pairs ended = { 0 };
    for (size_t i = 0; i < count; i++) {
        collect(units[i], false, &joined, &ended);
    }
    /* What ends was claimed or joined here. */
    if (joined.count == 0 && (!store->has_lanes || ended.count == 0)) {
        return STATUS_OK;
    }
    const size_t all = joined.count + ended.count;
    int64_t *numbers = mem_alloc(2 * all * sizeof(*numbers));
    if (numbers == NULL) {
        return error_set(err, STATUS_NOMEM, "store: out of memory");
    }
    int64_t *const rest = numbers + 2 * joined.count;
    joined = (struct pairs){ numbers, numbers + joined.count, 0 };
    ended = (struct pairs){ rest, rest + ended.count, 0 };
    for (size_t i = 0; i < count; i++) {
        collect(units[i], true, &joined, &ended);
    }
    struct sql_use use = sql_use(store, SQL_LOCK_LANES);
    sql_numbers(&use, joined.handlers, joined.count);
    sql_numbers(&use, joined.others, joined.count);
    sql_numbers(&use, ended.handlers, ended.count);
    sql_numbers(&use, ended.others, ended.count);
    bool row;
    enum status status = sql_row(&use, &row, err);
    if (status == STATUS_OK && row) {
        sql_stop(&use);
    }
    mem_free(numbers);
    return status;
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
    enum status locked = store_sql_lane_lock(store, handler, lane, err);
    if (locked != STATUS_OK) {
        return locked;
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
    enum status locked = store_sql_lane_lock(store, handler, lane, err);
    if (locked != STATUS_OK) {
        return locked;
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
