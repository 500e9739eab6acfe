/* SPDX-License-Identifier: MIT */
#include "model/walk_backfill.h"

#include <string.h>

#include "base/instant.h"
#include "model/walk_cursor.h"
#include "model/walk_window.h"
#include "wire/timefmt.h"

#define YIELD_MS 100

const char *
walk_backfill_phase_name(unsigned phase)
{
    static const char *const names[BACKFILL_PHASE_COUNT] = {
        [BACKFILL_NONE] = "none",           [BACKFILL_RUNNING] = "running",
        [BACKFILL_DONE] = "done",           [BACKFILL_FAILED] = "failed",
        [BACKFILL_CANCELLED] = "cancelled",
    };
    return phase < BACKFILL_PHASE_COUNT ? names[phase] : "unknown";
}

/* ---- what is asked for ---- */

/* Ids and tokens lead back in time only where what they begin with is made of
 * a time. */
static enum status
check_list(const struct connector *connector, struct error *err)
{
    const struct poll_spec *spec = &connector->poll;
    const char *why = NULL;
    bool by_start = walk_cursor_at_start(spec);
    switch (spec->cursor.kind) {
    case CURSOR_TIME: break;
    case CURSOR_ID:
        why = by_start ? NULL : "its list is read by id and not from a time";
        break;
    case CURSOR_TOKEN:
        why = by_start ? NULL
                       : "its list is read by an opaque cursor, which only "
                         "leads on";
        break;
    case CURSOR_SEEN:
    case CURSOR_NONE:
        why = "every walk reads its whole list already: there is nothing "
              "further back";
        break;
    }
    if (why == NULL) {
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID,
                     "connector '%.*s' cannot be backfilled: %s",
                     SLICE_ARG(connector->name), why);
}

static enum status
read_time(const char *name, struct slice text, int64_t now_ms, int64_t *ret_ms,
          struct error *err)
{
    if (timefmt_read_since(text, now_ms, ret_ms) == STATUS_OK) {
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID,
                     "'%s' is '%.*s': must be a time such as "
                     "2026-01-31T00:00:00Z, or an age such as 90d",
                     name, SLICE_ARG(slice_first(text, 64)));
}

static enum status
read_rate(const struct connector *connector, struct slice text,
          struct walk_backfill *span, struct error *err)
{
    span->rate = connector->poll.backfill_rate;
    span->rate_per_ms = connector->poll.backfill_rate_per_ms;
    if (text.len == 0 || instant_parse_rate(text, &span->rate,
                                            &span->rate_per_ms) == STATUS_OK) {
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID, "'rate' is '%.*s': must be like 2/1s",
                     SLICE_ARG(slice_first(text, 64)));
}

static enum status
check_floor(const struct walk_backfill *span, int64_t floor_ms,
            struct error *err)
{
    char since[INSTANT_TEXT_BYTES];
    char floor[INSTANT_TEXT_BYTES];
    if (span->since_ms >= floor_ms) {
        return STATUS_OK;
    }
    return error_set(err, STATUS_DENIED,
                     "the ledger keeps ids from %s on: what it has forgotten "
                     "of the time since %s would be handed over once more. "
                     "Begin later, or say --again to have that",
                     instant_text(floor_ms, floor),
                     instant_text(span->since_ms, since));
}

enum status
walk_backfill_read(const struct connector *connector,
                   const struct walk_backfill_wish *wish,
                   const struct walk_now *now, int64_t floor_ms,
                   struct walk_backfill *ret_span, struct error *err)
{
    struct walk_backfill span = { .phase = BACKFILL_RUNNING,
                                  .began_ms = now->our_ms };
    int64_t now_ms = now->provider_ms != 0 ? now->provider_ms : now->our_ms;
    span.until_ms = now_ms;
    enum status status = check_list(connector, err);
    if (status == STATUS_OK) {
        status = read_time("since", wish->since, now_ms, &span.since_ms, err);
    }
    if (status == STATUS_OK && wish->until.len > 0) {
        status = read_time("until", wish->until, now_ms, &span.until_ms, err);
    }
    if (status == STATUS_OK) {
        status = read_rate(connector, wish->rate, &span, err);
    }
    if (status == STATUS_OK &&
        (span.since_ms < 0 || span.since_ms >= span.until_ms)) {
        status = error_set(err, STATUS_INVALID,
                           "'since' must lie before %s and after 1970",
                           wish->until.len > 0 ? "'until'" : "now");
    }
    if (status == STATUS_OK && !wish->again) {
        status = check_floor(&span, floor_ms, err);
    }
    *ret_span = span;
    return status;
}

/* ---- its walk ---- */

enum status
walk_backfill_begin(const struct walk_plan *plan,
                    const struct walk_backfill *span,
                    const struct walk_now *now, struct arena *arena,
                    struct walk_state *ret_state, struct walk_step *ret_step)
{
    *ret_step = (struct walk_step){ .next = WALK_ASK, .state_changed = true };
    memset(ret_state, 0, sizeof(*ret_state));
    ret_state->has_start = true;
    ret_state->start_ms = span->since_ms;
    ret_state->start_set_ms = now->our_ms;
    ret_state->backfill = *span;
    return walk_window_open(plan, ret_state, now, arena, ret_step);
}

enum status
walk_backfill_end(struct walk_state *state, enum walk_backfill_phase phase,
                  int64_t our_ms, struct slice why, struct arena *arena)
{
    state->backfill.phase = (unsigned)phase;
    state->backfill.ended_ms = our_ms;
    state->open = false;
    state->has_s = false;
    state->has_page = false;
    state->page = (struct slice){ NULL, 0 };
    state->has_cursor = false;
    state->cursor = (struct slice){ NULL, 0 };
    state->token = (struct slice){ NULL, 0 };
    state->has_token = false;
    state->running_id = (struct slice){ NULL, 0 };
    return arena_copy(arena, why, &state->backfill.why);
}

bool
walk_backfill_holds(const struct walk_plan *plan,
                    const struct walk_state *state, struct slice row,
                    int64_t time_ms, struct arena *arena)
{
    const struct cursor_spec *cursor = &plan->connector->poll.cursor;
    int64_t at_ms = time_ms;
    int64_t from_ms = state->start_ms;
    if (cursor->kind == CURSOR_TIME) {
        from_ms = INT64_MIN; /* walk_below has looked */
        if (walk_cursor_row_ms(plan->connector, row, arena, &at_ms) !=
            STATUS_OK) {
            at_ms = 0;
        }
    }
    return at_ms == 0 || (at_ms >= from_ms && at_ms < state->backfill.until_ms);
}

int64_t
walk_backfill_yield_ms(bool walks, int64_t waited_ms)
{
    return walks && waited_ms < INSTANT_MINUTE_MS ? YIELD_MS : 0;
}

bool
walk_backfill_whole(const struct walk_state *state, int64_t *ret_from_ms,
                    int64_t *ret_to_ms)
{
    *ret_from_ms = state->start_ms;
    *ret_to_ms = state->backfill.until_ms;
    return state->backfill.phase == BACKFILL_DONE && state->backfill.gaps == 0;
}

int
walk_backfill_permille(const struct connector *connector,
                       const struct walk_state *state)
{
    const struct walk_backfill *span = &state->backfill;
    int64_t whole_ms = span->until_ms - state->start_ms;
    if (span->phase == BACKFILL_DONE) {
        return 1000;
    }
    if (span->at_ms == 0 || whole_ms <= 0) {
        return 0;
    }
    int64_t read_ms = connector->poll.order == ORDER_DESC
                          ? span->until_ms - span->at_ms
                          : span->at_ms - state->start_ms;
    if (read_ms <= 0) {
        return 0;
    }
    return read_ms >= whole_ms ? 999 : (int)(read_ms * 999 / whole_ms);
}
