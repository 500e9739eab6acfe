/* SPDX-License-Identifier: MIT */
#include "model/walk.h"

#include "base/instant.h"
#include "base/rule.h"
#include "model/walk_backfill.h"
#include "model/walk_cursor.h"
#include "model/walk_expired.h"
#include "model/walk_overlap.h"
#include "model/walk_paging.h"
#include "model/walk_span.h"
#include "model/walk_window.h"

/* Refused page tokens in one walk, and refused cursors in a row, before we
 * believe it. */
#define REJECTIONS_MAX 3

/* Failures in a row on one page before the walk begins anew: a page that is
 * broken for good must not hide all that comes after it. */
#define FAILURES_MAX 5

const char *
gap_kind_name(enum gap_kind kind)
{
    static const char *const names[] = {
        [GAP_RETENTION] = "retention",
        [GAP_CURSOR] = "cursor",
        [GAP_TIE] = "tie",
        [GAP_COUNT] = "count",
    };
    return names[kind];
}

/* Whether `page` still means what it did when it was stored. Page numbers and
 * offsets do not: rows may have moved. */
static bool
page_keeps(const struct connector *connector, const struct walk_state *state)
{
    switch (connector->poll.pages.kind) {
    case PAGE_NUMBER:
    case PAGE_OFFSET: return !RULE(RULE_NO_RESUME);
    case PAGE_LINK:
    case PAGE_URL:
        /* The connector may have been changed in between. */
        return !state->has_page || slice_starts(state->page, slice_of("http"));
    case PAGE_NONE:
    case PAGE_TOKEN:
    case PAGE_LAST_ID:
    case PAGE_CURSOR: break;
    }
    return true;
}

enum status
walk_begin(const struct walk_plan *plan, struct walk_state *state,
           const struct walk_now *now, struct arena *arena,
           struct walk_step *ret_step)
{
    *ret_step = (struct walk_step){ .next = WALK_ASK };
    ret_step->state_changed = walk_window_start(plan, state, now);
    bool keeps = plan->resumable || page_keeps(plan->connector, state);
    bool spans = walk_span_used(plan->connector) && state->until_ms > 0;
    if (state->open && spans && !keeps) {
        /* The span begins again, and no other one does. */
        state->page = (struct slice){ NULL, 0 };
        state->has_page = false;
        state->page_hash = 0;
        state->span_rows = 0;
    }
    bool resume = state->open && state->pages > 0 && (keeps || spans);
    if (!resume) {
        return walk_window_open(plan, state, now, arena, ret_step);
    }
    /* Time has gone by since: what was still to be read may be gone too. */
    state->now_theirs = false;
    if (now->provider_ms != 0) {
        walk_window_cut(plan, state, now, ret_step);
    }
    return STATUS_OK;
}

static bool
is_rejection(unsigned status)
{
    static const unsigned statuses[] = { 400, 404, 409, 410, 412, 422 };
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i] == status) {
            return true;
        }
    }
    return false;
}

/* The token of a page was refused: back to the first page, of an ascending list
 * at what has been read, since everything below it is stored. */
static enum status
begin_anew(const struct walk_plan *plan, struct walk_state *state,
           unsigned status, struct arena *arena, struct walk_step *step)
{
    const struct poll_spec *spec = &plan->connector->poll;
    step->state_changed = true;
    walk_paging_first(state);
    if (++state->rejections > REJECTIONS_MAX) {
        state->rejections = 0;
        state->open = false;
        (void)error_set(&step->why, STATUS_PROTOCOL,
                        "HTTP %u to the next page, %d times in one walk",
                        status, REJECTIONS_MAX + 1);
        return STATUS_OK;
    }
    step->next = WALK_ASK;
    if (spec->order != ORDER_ASC) {
        return STATUS_OK;
    }
    if (spec->cursor.kind == CURSOR_TIME && state->has_cursor &&
        walk_cursor_sent_ms(&spec->cursor, state->running_ms) >
            state->cursor_ms) {
        return walk_cursor_set_time(plan->connector, state, state->running_ms,
                                    arena);
    }
    if (spec->cursor.kind == CURSOR_ID && state->running_id.len > 0) {
        return walk_cursor_set_text(plan->connector, state, state->running_id,
                                    arena);
    }
    return STATUS_OK;
}

/* An opaque cursor was refused. 410 says that it is gone; the others may be a
 * bad moment of the provider and have to say it again. */
static void
lose_cursor(const struct walk_plan *plan, struct walk_state *state,
            const struct walk_now *now, unsigned status, struct walk_step *step)
{
    step->state_changed = true;
    state->open = false;
    (void)error_set(&step->why, STATUS_PROTOCOL,
                    "HTTP %u: the provider refuses the cursor", status);
    if (status != 410 && ++state->rejections < REJECTIONS_MAX) {
        return;
    }
    walk_expired_reset(plan, state, now, status, step);
}

static void
count_failure(struct walk_state *state, unsigned status, struct slice body,
              struct walk_step *step)
{
    if (status == 0) {
        (void)error_set(&step->why, STATUS_UNAVAILABLE, "no answer");
        return;
    }
    struct slice said = slice_first(slice_trim(body), 200);
    (void)error_set(&step->why, STATUS_PROTOCOL, "HTTP %u%s%.*s", status,
                    said.len > 0 ? ": " : "", SLICE_ARG(said));
    if (!state->open || state->pages == 0) {
        return;
    }
    step->state_changed = true;
    if (++state->failures >= FAILURES_MAX) {
        state->failures = 0;
        state->open = false;
    }
}

enum status
walk_failed(const struct walk_plan *plan, struct walk_state *state,
            const struct walk_now *now, unsigned status, struct slice body,
            struct arena *arena, struct walk_step *ret_step)
{
    const struct cursor_spec *cursor = &plan->connector->poll.cursor;
    bool expired;
    *ret_step = (struct walk_step){ .next = WALK_FAILED };
    enum status result =
        walk_expired_says(plan->connector, status, body, &expired);
    if (result != STATUS_OK) {
        return result;
    }
    if (expired && state->has_cursor && !state->anew && !plan->is_backfill) {
        walk_expired_reset(plan, state, now, status, ret_step);
        return STATUS_OK;
    }
    if (is_rejection(status) && state->has_page) {
        return begin_anew(plan, state, status, arena, ret_step);
    }
    bool opaque = (cursor->kind == CURSOR_ID || cursor->kind == CURSOR_TOKEN) &&
                  state->has_token && state->has_cursor;
    if (is_rejection(status) && opaque && !plan->is_backfill) {
        lose_cursor(plan, state, now, status, ret_step);
    } else {
        count_failure(state, status, body, ret_step);
    }
    return STATUS_OK;
}

/* A tier that lost its cursor reads the list from its beginning. */
static bool
is_from_beginning(const struct walk_state *state)
{
    return state->anew && !state->has_token;
}

static enum status
copy_ids(struct walk_state *state, const struct walk_state *from,
         struct arena *arena)
{
    enum status status = arena_copy(arena, from->token, &state->token);
    for (size_t i = 0; i < from->id_count && status == STATUS_OK; i++) {
        state->ids[i].at_ms = from->ids[i].at_ms;
        status = arena_copy(arena, from->ids[i].id, &state->ids[i].id);
    }
    state->id_count = from->id_count;
    state->has_token = true;
    state->cursor_hash = from->cursor_hash;
    return status;
}

/* Where a list of ids is read from: what was the newest id at a time was it for
 * every tier, so those that reach back furthest count. */
static enum status
seed_ids(struct walk_state *state, const struct walk_state *from,
         struct arena *arena)
{
    if (state->cursor_hash == 0) {
        state->cursor_hash = from->cursor_hash;
    }
    if (is_from_beginning(state) || is_from_beginning(from)) {
        state->anew = true;
        state->has_token = false;
        state->id_count = 0;
        return STATUS_OK;
    }
    bool reaches_back = from->id_count > 0 && state->id_count > 0 &&
                        from->ids[0].at_ms < state->ids[0].at_ms &&
                        state->cursor_hash == from->cursor_hash;
    return from->has_token && (!state->has_token || reaches_back)
               ? copy_ids(state, from, arena)
               : STATUS_OK;
}

enum status
walk_seed(struct walk_state *state, const struct walk_state *from,
          struct arena *arena)
{
    if (!from->has_start) {
        return STATUS_OK;
    }
    bool first = !state->has_start;
    if (first || from->start_ms < state->start_ms) {
        state->has_start = true;
        state->start_ours = from->start_ours;
        state->start_ms = from->start_ms;
        state->start_set_ms = from->start_set_ms;
    }
    /* A tier without a whole walk has not come past its start. */
    if (first || from->hw_ms < state->hw_ms) {
        state->hw_ms = from->hw_ms;
        state->seen_ms = from->seen_ms;
    }
    if (from->largest_ms > state->largest_ms) {
        state->largest_ms = from->largest_ms;
    }
    return seed_ids(state, from, arena);
}

int64_t
walk_complete_until(const struct walk_plan *plan,
                    const struct walk_state *state)
{
    if (state->hw_ms == 0) {
        return 0;
    }
    int64_t until = state->hw_ms - plan->overlap_ms;
    return state->has_start && until < state->start_ms ? state->start_ms
                                                       : until;
}

int64_t
walk_lag_ms(const struct walk_past *past, int64_t time_ms)
{
    if (past->own_ms == 0 || time_ms < past->start_ms) {
        return -1;
    }
    int64_t last_ms = past->own_ms;
    /* The first tier covered the event until it fell behind its overlap. */
    int64_t covered_ms = instant_add(time_ms, past->fast_overlap_ms);
    int64_t fast_ms = past->fast_ms < covered_ms ? past->fast_ms : covered_ms;
    fast_ms = time_ms < past->fast_from_ms ? 0 : fast_ms;
    last_ms = fast_ms > last_ms ? fast_ms : last_ms;
    return last_ms > time_ms ? last_ms - time_ms : 0;
}

int64_t
walk_lowest(const struct walk_plan *plan, const struct walk_state *state)
{
    const struct cursor_spec *cursor = &plan->connector->poll.cursor;
    if (!plan->connector->has_poll ||
        (plan->is_backfill && state->backfill.phase != BACKFILL_RUNNING)) {
        return INT64_MAX;
    }
    if (!state->has_start) {
        return INT64_MIN;
    }
    struct walk_plan deepest = *plan;
    deepest.overlap_ms = walk_overlap_reach_ms(plan);
    int64_t lowest = walk_window_lower(&deepest, state);
    if (state->open && state->a_ms < lowest) {
        lowest = state->a_ms;
    }
    switch (cursor->kind) {
    case CURSOR_TIME:
        return cursor->send ? walk_cursor_sent_ms(cursor, lowest)
                            : walk_cursor_floor_ms(cursor, lowest);
    case CURSOR_ID:
        /* The oldest mark is the furthest back a walk can begin; its id was the
         * newest one then. */
        return state->id_count > 0 && state->ids[0].at_ms < lowest
                   ? state->ids[0].at_ms
                   : lowest;
    case CURSOR_TOKEN: return lowest;
    case CURSOR_SEEN:
    case CURSOR_NONE: break;
    }
    /* No filter: whatever the list shows. */
    int64_t shown = state->start_ms;
    int64_t retention = plan->connector->poll.retention_ms;
    if (cursor->kind == CURSOR_SEEN && retention > 0 &&
        state->hw_ms - retention > shown) {
        shown = state->hw_ms - retention;
    }
    return shown < lowest ? shown : lowest;
}

bool
walk_wants_known(const struct walk_plan *plan, const struct walk_state *state)
{
    return plan->connector->poll.cursor.kind == CURSOR_SEEN &&
           state->last_rows > 0 && !state->met;
}

bool
walk_below(const struct walk_plan *plan, const struct walk_state *state,
           struct slice row, struct arena *arena)
{
    const struct cursor_spec *cursor = &plan->connector->poll.cursor;
    int64_t at_ms;
    if (cursor->kind == CURSOR_ID) {
        return state->after_first;
    }
    bool timed = cursor->kind == CURSOR_TIME || cursor->kind == CURSOR_SEEN;
    if (!timed ||
        walk_cursor_row_ms(plan->connector, row, arena, &at_ms) != STATUS_OK) {
        return false;
    }
    if (cursor->kind == CURSOR_TIME && !cursor->send) {
        return at_ms < walk_cursor_floor_ms(cursor, state->a_ms);
    }
    /* What was asked for is believed, and what the ledger says, but for what
     * lies before the start. */
    return state->has_start && !state->start_ours &&
           at_ms < walk_cursor_floor_ms(cursor, state->start_ms);
}
