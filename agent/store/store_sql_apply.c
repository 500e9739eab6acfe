/* SPDX-License-Identifier: MIT */
#include "store/store_sql_private.h"

#include "base/rule.h"
#include "io/clock.h"
#include "model/identity.h"

/*
 * Units are applied optimistically, without a savepoint around each: one that
 * fails by itself takes the transaction down, is left out, and the others are
 * done again. That is rare (a body over SQLite's limit) and savepoints cost
 * every group.
 */

/* Times that a group is done again because another agent was first with some
 * of it: each time there is less of it left to be first with. */
#define OVERTAKEN_MOST 20

static enum status
add_event(struct store_sql *store, uint32_t connector,
          const struct sighting *sighting, uint64_t number, int64_t now_ms,
          struct error *err)
{
    struct sql_use use = sql_use(store, SQL_EVENT_ADD);
    sql_event(&use, number);
    sql_i64(&use, connector);
    sql_i64(&use, sighting->via);
    sql_i64(&use, sighting->time_ms);
    sql_i64(&use, sighting->imported_ms != 0 ? sighting->imported_ms : now_ms);
    sql_text(&use, sighting->id);
    sql_text(&use, sighting->type);
    sql_blob(&use, sighting->headers.ptr, sighting->headers.len);
    sql_text(&use, sighting->content_type);
    sql_blob(&use, sighting->body.ptr, sighting->body.len);
    return sql_run(&use, err);
}

static enum status
add_delivery(struct store_sql *store, const struct owed *owed, uint64_t number,
             int64_t now_ms, int64_t lease_until_ms, struct error *err)
{
    const struct lane lane = { .is_set = owed->has_lane, .number = owed->lane };
    struct tally *tally;
    int64_t due = lease_until_ms;
    bool leased = owed->hot && !owed->has_lane;
    enum status status = store_sql_tally_of(store, owed->handler, &tally, err);
    if (status == STATUS_OK && !leased) {
        status =
            store_sql_lane_join(store, owed->handler, &lane, now_ms, &due, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    store->has_lanes = store->has_lanes || owed->has_lane;
    tally->pending_change++;
    struct sql_use use = sql_use(store, SQL_DELIVERY_ADD);
    sql_i64(&use, owed->handler);
    sql_event(&use, number);
    sql_i64(&use, due);
    sql_i64(&use, leased ? 1 : 0);
    sql_i64(&use, leased ? store->epoch : 0);
    if (owed->has_lane) {
        sql_i64(&use, owed->lane);
    } else {
        sql_null(&use);
    }
    return sql_run(&use, err);
}

/* Adds what a new event needs, and the deliveries it is owed to. */
static enum status
add_owed(struct store_sql *store, const struct store_unit *unit,
         const struct sighting *sighting, uint64_t number, int64_t now_ms,
         struct error *err)
{
    enum status status = STATUS_OK;
    if (sighting->needs != NEEDS_NOTHING) {
        status = store_sql_fill_add(store, number, sighting->needs, err);
    }
    for (size_t i = 0; status == STATUS_OK && i < sighting->owed_count; i++) {
        status = add_delivery(store, &sighting->owed[i], number, now_ms,
                              unit->lease_until_ms, err);
    }
    return status;
}

/* What the ledger says of a sighting, and where. */
struct looked_up {
    struct key_seen seen[SIGHTING_KEYS_MAX];
    struct ledger_key at[SIGHTING_KEYS_MAX];
};

static enum status
write_keys(struct store_sql *store, const struct sighting *sighting,
           const struct identity_verdict *verdict,
           const struct looked_up *found, uint64_t number, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < sighting->key_count; i++) {
        unsigned bit = 1U << i;
        if ((verdict->insert & bit) != 0) {
            status = store_sql_ledger_add(store, &sighting->keys[i].key, number,
                                          sighting->via, err);
        } else if ((verdict->mark & bit) != 0 && found->seen[i].found &&
                   (found->seen[i].channels & 1U << (unsigned)sighting->via) ==
                       0) {
            status =
                store_sql_ledger_mark(store, &found->at[i], sighting->via, err);
        }
    }
    return status;
}

/* What is kept of a known sighting that its channel shows for the first time.
 */
static enum status
see_again(struct store_sql *store, const struct store_unit *unit,
          struct sighting *sighting, const struct identity_verdict *verdict,
          const struct looked_up *found, int64_t now_ms, struct error *err)
{
    if (!verdict->known || verdict->seen_by_via) {
        return STATUS_OK;
    }
    struct second_sighting second = { .unit = unit, .now_ms = now_ms };
    enum status status =
        store_sql_fill_by_hook(store, sighting, now_ms, &second.asked, err);
    if (status != STATUS_OK) {
        return status;
    }
    for (size_t i = 0; i < sighting->key_count; i++) {
        if ((verdict->mark & 1U << i) != 0) {
            const struct key_seen *seen = &found->seen[i];
            second.before |= seen->channels;
            second.before |= seen->brought_by_walk ? LEDGER_BY_WALK : 0;
        }
    }
    return store_sql_account_see(store, sighting, &second, err);
}

static uint64_t
next_number(struct store_sql *store, int64_t now_ms)
{
    store->last_event =
        event_number_next(store->last_event, now_ms, store->agent);
    return store->last_event;
}

static enum status
apply_sighting(struct store_sql *store, const struct store_unit *unit,
               struct sighting *sighting, int64_t now_ms, struct error *err)
{
    struct looked_up found = { 0 };
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < sighting->key_count; i++) {
        status = store_sql_ledger_look(store, &sighting->keys[i], &found.at[i],
                                       &found.seen[i], err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct identity_verdict verdict = identity_judge(sighting, found.seen);
    verdict.known = verdict.known && RULE(RULE_UNIQUE);
    sighting->seeded = false;
    sighting->filled = false;
    sighting->late = false;
    sighting->confirmed = false;
    if (sighting->seed && !verdict.known && sighting->time_ms > 0) {
        struct seed seed;
        status = store_sql_seed_find(store, unit, sighting, &seed, err);
        if (status != STATUS_OK || seed.number != 0) {
            return status != STATUS_OK
                       ? status
                       : store_sql_seed_keys(store, unit, sighting, &seed,
                                             now_ms, err);
        }
    }
    uint64_t number =
        verdict.known ? verdict.event : next_number(store, now_ms);
    if (!verdict.known) {
        status =
            add_event(store, unit->connector, sighting, number, now_ms, err);
    }
    if (status == STATUS_OK && !verdict.known) {
        status = add_owed(store, unit, sighting, number, now_ms, err);
    }
    if (status == STATUS_OK) {
        status = write_keys(store, sighting, &verdict, &found, number, err);
    }
    sighting->fresh = !verdict.known;
    sighting->number = number;
    sighting->recorded_ms = now_ms;
    sighting->seen_by_via = verdict.known && verdict.seen_by_via;
    if (status == STATUS_OK) {
        status =
            see_again(store, unit, sighting, &verdict, &found, now_ms, err);
    }
    return status;
}

/* Only the attempt that was handed out last may say what became of it. */
static int64_t
fence_of(const struct store_outcome *outcome)
{
    return RULE(RULE_FENCE) ? (int64_t)outcome->attempt : -1;
}

/* Drops a delivery that an outcome ends, if it is that outcome's to end. */
static enum status
drop_delivery(struct store_sql *store, struct store_outcome *outcome,
              struct lane *ret_lane, struct error *err)
{
    struct store_sql_end *end = store_sql_ends_get(store, outcome);
    if (end != NULL) {
        outcome->applied = end->is_ours;
        *ret_lane = end->lane;
        end->is_ours = false;
        return STATUS_OK;
    }
    struct sql_use use = sql_use(store, SQL_DELIVERY_DROP);
    sql_i64(&use, outcome->handler);
    sql_event(&use, outcome->event);
    sql_i64(&use, fence_of(outcome));
    enum status status = sql_row(&use, &outcome->applied, err);
    if (status != STATUS_OK || !outcome->applied) {
        outcome->applied = false;
        return status;
    }
    *ret_lane = store_sql_lane_read(&use, 0);
    sql_stop(&use);
    return STATUS_OK;
}

/* The end of a delivery: the next one of its lane is due, unless it became a
 * dead letter that holds the lane. */
static enum status
end_delivery(struct store_sql *store, struct store_outcome *outcome,
             struct tally *tally, int64_t now_ms, struct error *err)
{
    struct lane lane = { .is_set = false };
    enum status status = drop_delivery(store, outcome, &lane, err);
    if (status != STATUS_OK || !outcome->applied) {
        return status;
    }
    tally->pending_change--;
    const bool dies = outcome->kind == OUTCOME_DEAD;
    const bool holds = dies && lane.is_set && tally->dead_hold;
    if (dies) {
        tally->dead_change++;
        status =
            store_sql_again_bury(store, outcome, &lane, holds, now_ms, err);
    }
    return status == STATUS_OK && !holds
               ? store_sql_lane_next(store, outcome->handler, &lane, now_ms,
                                     err)
               : status;
}

static enum status
move_delivery(struct store_sql *store, struct store_outcome *outcome,
              int64_t now_ms, struct error *err)
{
    bool come;
    enum status status = store_sql_fill_has_come(store, outcome, &come, err);
    if (status != STATUS_OK) {
        return status;
    }
    bool released = outcome->kind == OUTCOME_RELEASE;
    if (come || (released && outcome->due_ms < now_ms)) {
        outcome->due_ms = now_ms;
    }
    struct sql_use use =
        sql_use(store, released ? SQL_DELIVERY_RELEASE : SQL_DELIVERY_LATER);
    sql_i64(&use, outcome->handler);
    sql_event(&use, outcome->event);
    sql_i64(&use, fence_of(outcome));
    sql_i64(&use, outcome->due_ms);
    status = sql_run(&use, err);
    outcome->applied = status == STATUS_OK && use.changed == 1;
    return status;
}

static enum status
apply_outcome(struct store_sql *store, struct store_outcome *outcome,
              int64_t now_ms, struct error *err)
{
    struct tally *tally;
    enum status status =
        store_sql_tally_of(store, outcome->handler, &tally, err);
    if (status != STATUS_OK) {
        return status;
    }
    bool ends = outcome->kind == OUTCOME_DONE || outcome->kind == OUTCOME_DEAD;
    status = ends ? end_delivery(store, outcome, tally, now_ms, err)
                  : move_delivery(store, outcome, now_ms, err);
    if (status != STATUS_OK || !outcome->applied) {
        return status;
    }
    status = store_sql_fill_by_outcome(store, outcome, now_ms, err);
    return status == STATUS_OK && outcome->kind != OUTCOME_RELEASE
               ? store_sql_attempt_log(store, outcome, err)
               : status;
}

enum status
store_sql_fence(struct store_sql *store, uint32_t connector, uint64_t fence,
                struct error *err)
{
    if (fence == 0 || !store_sql_is_shared(store)) {
        return STATUS_OK;
    }
    struct sql_use use = sql_use(store, SQL_LEASE_FENCE);
    sql_i64(&use, connector);
    sql_i64(&use, (int64_t)fence);
    bool row;
    enum status status = sql_row(&use, &row, err);
    if (status == STATUS_OK && row) {
        sql_stop(&use);
    }
    return status == STATUS_OK && !row
               ? error_set(err, STATUS_FENCED,
                           "store: another agent does this by now")
               : status;
}

static enum status
put_walk(struct store_sql *store, const struct store_walk *walk,
         struct error *err)
{
    struct sql_use use = sql_use(store, SQL_WALK_PUT);
    sql_i64(&use, walk->connector);
    sql_i64(&use, walk->tier);
    sql_i64(&use, walk->hw_ms);
    sql_text(&use, walk->state);
    return sql_run(&use, err);
}

static enum status
add_gap(struct store_sql *store, const struct store_gap *gap, int64_t now_ms,
        struct error *err)
{
    struct sql_use use = sql_use(store, SQL_GAP_ADD);
    sql_i64(&use, gap->connector);
    sql_i64(&use, gap->gap.kind);
    sql_i64(&use, gap->gap.from_ms);
    sql_i64(&use, gap->gap.to_ms);
    sql_i64(&use, now_ms);
    return sql_run(&use, err);
}

static enum status
close_gaps(struct store_sql *store, struct store_gap_close *close,
           int64_t now_ms, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_GAP_CLOSE);
    sql_i64(&use, close->connector);
    sql_i64(&use, (int64_t)close->id);
    sql_i64(&use, close->from_ms);
    sql_i64(&use, close->to_ms);
    sql_i64(&use, now_ms);
    sql_i64(&use, close->by);
    enum status status = sql_run(&use, err);
    close->closed = status == STATUS_OK ? (size_t)use.changed : 0;
    return status;
}

/* What ONE_COMMIT keeps from happening: the walk is durable before its rows. */
static enum status
put_walks_alone(struct store_sql *store, const struct store_unit *unit,
                struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < unit->walk_count; i++) {
        status = put_walk(store, &unit->walks[i], err);
    }
    status = store_sql_end(store, status, err);
    return status == STATUS_OK ? store_sql_begin(store, err) : status;
}

/* Notes which events the rows of a unit are by their own keys, before any other
 * row is led to one of them: two rows of one stamp are two facts. */
static enum status
note_known(struct store_sql *store, const struct store_unit *unit,
           struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < unit->sighting_count; i++) {
        const struct sighting *sighting = &unit->sightings[i];
        struct key_seen seen = { 0 };
        struct ledger_key at;
        for (size_t j = 0; status == STATUS_OK && sighting->seed &&
                           !seen.found && j < sighting->key_count;
             j++) {
            status = store_sql_ledger_look(store, &sighting->keys[j], &at,
                                           &seen, err);
        }
        if (status == STATUS_OK && seen.found) {
            status =
                store_sql_seed_note(store, unit->connector, seen.event, err);
        }
    }
    return status;
}

/* Whether the walks of a unit are this agent's still. */
static enum status
check_fences(struct store_sql *store, const struct store_unit *unit,
             struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < unit->walk_count; i++) {
        status = store_sql_fence(store, unit->walks[i].connector,
                                 unit->walks[i].fence, err);
    }
    return status;
}

/* What came in, and what became of what was handed out. */
static enum status
apply_events(struct store_sql *store, struct store_unit *unit, int64_t now_ms,
             struct error *err)
{
    enum status status = note_known(store, unit, err);
    for (size_t i = 0; status == STATUS_OK && i < unit->sighting_count; i++) {
        status = apply_sighting(store, unit, &unit->sightings[i], now_ms, err);
    }
    for (size_t i = 0; status == STATUS_OK && i < unit->outcome_count; i++) {
        status = apply_outcome(store, &unit->outcomes[i], now_ms, err);
    }
    return status;
}

/* Where walks stand, and what they could not read. */
static enum status
apply_walks(struct store_sql *store, struct store_unit *unit, int64_t now_ms,
            struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < unit->walk_count; i++) {
        status = put_walk(store, &unit->walks[i], err);
    }
    for (size_t i = 0; status == STATUS_OK && i < unit->gap_count; i++) {
        status = add_gap(store, &unit->gaps[i], now_ms, err);
    }
    for (size_t i = 0; status == STATUS_OK && i < unit->close_count; i++) {
        status = close_gaps(store, &unit->closes[i], now_ms, err);
    }
    return status;
}

/* What people see and do. */
static enum status
apply_rest(struct store_sql *store, struct store_unit *unit, struct error *err)
{
    enum status status = store_sql_refusal_put(store, &unit->refusals, err);
    for (size_t i = 0; status == STATUS_OK && i < unit->pause_count; i++) {
        status = store_sql_pause_put(store, &unit->pauses[i], err);
    }
    for (size_t i = 0; status == STATUS_OK && i < unit->recall_count; i++) {
        status = store_sql_recall(store, &unit->recalls[i], err);
    }
    return status;
}

static bool
is_empty(const struct store_unit *unit)
{
    return unit->sighting_count + unit->outcome_count + unit->walk_count +
               unit->gap_count + unit->close_count + unit->refusals.count +
               unit->pause_count + unit->recall_count ==
           0;
}

static enum status
apply_unit(struct store_sql *store, struct store_unit *unit, int64_t now_ms,
           struct error *err)
{
    if (is_empty(unit)) {
        return store_sql_meta_put(store, "probed", now_ms, err);
    }
    enum status status = check_fences(store, unit, err);
    if (status == STATUS_OK && !RULE(RULE_ONE_COMMIT) && unit->walk_count > 0) {
        status = put_walks_alone(store, unit, err);
    }
    if (status == STATUS_OK) {
        status = apply_events(store, unit, now_ms, err);
    }
    if (status == STATUS_OK) {
        status = apply_walks(store, unit, now_ms, err);
    }
    return status == STATUS_OK ? apply_rest(store, unit, err) : status;
}

/* What the group will ask of a store that others write to, behind the locks of
 * its lanes. */
static enum status
look_ahead(struct store_sql *store, struct store_unit *const *units,
           size_t count, struct error *err)
{
    if (!store_sql_is_shared(store)) {
        return STATUS_OK;
    }
    enum status status = store_sql_lane_lock_all(store, units, count, err);
    if (status == STATUS_OK) {
        status = store_sql_ahead_ask(store, units, count, err);
    }
    return status == STATUS_OK ? store_sql_ends_ask(store, units, count, err)
                               : status;
}

/* One transaction over the units that have not failed. `*ret_left_out` says
 * that one of them now has, by itself, and that the rest is to be done again.
 */
static enum status
try_group(struct store_sql *store, struct store_unit *const *units,
          size_t count, bool *ret_left_out, struct error *err)
{
    *ret_left_out = false;
    enum status status = store_sql_begin(store, err);
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t last_event = store->last_event;
    int64_t now_ms = clock_unix_ms();
    struct store_unit *unit = NULL;
    struct error looking = { 0 };
    status = look_ahead(store, units, count, &looking);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        unit = units[i];
        if (unit->status == STATUS_OK) {
            status = apply_unit(store, unit, now_ms, &unit->err);
        }
    }
    if (status == STATUS_OK) {
        status = store_sql_commit(store, err);
    } else {
        store_sql_rollback(store);
        if (err != NULL) {
            *err = unit != NULL ? unit->err : looking;
        }
        if (unit != NULL && status_disposition(status) == DISPOSITION_NEVER) {
            unit->status = status;
            *ret_left_out = true;
            status = STATUS_OK;
        }
    }
    store_sql_ahead_forget(store);
    store_sql_ends_forget(store);
    if (status != STATUS_OK || *ret_left_out) {
        store->last_event = last_event;
    }
    return status;
}

static void
fail_all(struct store_unit *const *units, size_t count, enum status status,
         const struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (units[i]->status == STATUS_OK) {
            units[i]->status = status;
            units[i]->err = *err;
        }
    }
}

enum status
store_sql_apply(struct store *base, struct store_unit *const *units,
                size_t count, struct error *err)
{
    struct store_sql *store = store_sql_of(base);
    for (size_t i = 0; i < count; i++) {
        units[i]->status = STATUS_OK;
        units[i]->err.text[0] = '\0';
    }
    bool left_out;
    enum status status;
    struct error words = { 0 };
    int overtaken_times = 0;
    bool again;
    do {
        status = try_group(store, units, count, &left_out, &words);
        again = status == STATUS_BUSY && store_sql_is_shared(store) &&
                overtaken_times++ < OVERTAKEN_MOST;
    } while (left_out || again);
    if (status != STATUS_OK) {
        fail_all(units, count, status, &words);
        return error_set(err, status, "%s", words.text);
    }
    return STATUS_OK;
}

enum status
store_sql_apply_known(struct store *base, const struct sighting *sightings,
                      size_t count, bool *ret_known, struct error *err)
{
    struct store_sql *store = store_sql_of(base);
    enum status status = store_sql_usable(store, err);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        struct key_seen seen = { 0 };
        const struct sighting *sighting = &sightings[i];
        for (size_t j = 0;
             status == STATUS_OK && !seen.found && j < sighting->key_count;
             j++) {
            struct ledger_key at;
            status = store_sql_ledger_look(store, &sighting->keys[j], &at,
                                           &seen, err);
        }
        ret_known[i] = seen.found;
    }
    return status;
}
