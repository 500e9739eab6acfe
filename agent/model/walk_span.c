/* SPDX-License-Identifier: MIT */
#include "model/walk_span.h"

#include "base/instant.h"
#include "model/walk_cursor.h"

static int64_t
shorter_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

bool
walk_span_used(const struct connector *connector)
{
    const struct cursor_spec *cursor = &connector->poll.cursor;
    return cursor->kind == CURSOR_TIME && cursor->window_ms > 0;
}

/* Where the walk ends: what is behind was not there when it began, or lies
 * behind what is to be filled in. */
static int64_t
top_of(const struct cursor_spec *cursor, const struct walk_state *state)
{
    int64_t unit = walk_cursor_unit_ms(cursor);
    int64_t now = state->now_ms - state->now_ms % unit;
    int64_t wanted = instant_add(state->backfill.until_ms, unit - 1);
    return state->backfill.until_ms > 0
               ? shorter_of(now, wanted - wanted % unit)
               : now;
}

/* Puts the upper end where the span's length says, and forgets what belonged to
 * the request before. */
static void
set_until(const struct cursor_spec *cursor, struct walk_state *state)
{
    int64_t unit = walk_cursor_unit_ms(cursor);
    int64_t most = cursor->window_ms - cursor->window_ms % unit;
    int64_t span = state->span_ms > 0 ? shorter_of(state->span_ms, most) : most;
    state->span_ms = span < unit ? unit : span;
    state->until_ms = instant_add(state->from_ms, state->span_ms);
    int64_t top = top_of(cursor, state);
    if (state->until_ms > top) {
        /* Never empty: a list may leave out what stands at the upper end. */
        state->until_ms =
            top > state->from_ms ? top : instant_add(state->from_ms, unit);
    }
    state->span_rows = 0;
    state->page = (struct slice){ NULL, 0 };
    state->has_page = false;
    state->page_hash = 0;
}

static enum status
set_from(const struct connector *connector, struct walk_state *state,
         int64_t from_ms, struct arena *arena)
{
    const struct cursor_spec *cursor = &connector->poll.cursor;
    state->from_ms = from_ms - from_ms % walk_cursor_unit_ms(cursor);
    set_until(cursor, state);
    return walk_cursor_set_time(connector, state, state->from_ms, arena);
}

enum status
walk_span_begin(const struct connector *connector, struct walk_state *state,
                struct arena *arena)
{
    return set_from(connector, state, state->a_ms, arena);
}

bool
walk_span_is_full(const struct connector *connector,
                  const struct walk_state *state)
{
    return state->span_rows >= connector->poll.cursor.full;
}

bool
walk_span_halve(const struct connector *connector, struct walk_state *state)
{
    const struct cursor_spec *cursor = &connector->poll.cursor;
    int64_t unit = walk_cursor_unit_ms(cursor);
    int64_t half = (state->until_ms - state->from_ms) / 2;
    half -= half % unit;
    if (state->until_ms - state->from_ms <= unit) {
        return false;
    }
    state->span_ms = half < unit ? unit : half;
    set_until(cursor, state);
    return true;
}

enum status
walk_span_next(const struct connector *connector, struct walk_state *state,
               struct arena *arena, bool *ret_more)
{
    const struct cursor_spec *cursor = &connector->poll.cursor;
    /* Twice the time would bring about twice the rows, and not be full. */
    if (state->span_rows < cursor->full / 2) {
        state->span_ms = shorter_of(2 * state->span_ms, cursor->window_ms);
    }
    *ret_more = state->until_ms < top_of(cursor, state);
    return *ret_more ? set_from(connector, state, state->until_ms, arena)
                     : STATUS_OK;
}
