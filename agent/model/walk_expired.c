/* SPDX-License-Identifier: MIT */
#include "model/walk_expired.h"

#include "model/scope.h"
#include "model/walk_cursor.h"
#include "model/walk_window.h"

enum status
walk_expired_says(const struct connector *connector, unsigned status,
                  struct slice body, bool *ret_expired)
{
    const struct cursor_spec *cursor = &connector->poll.cursor;
    const struct inbound answer = { .body = body,
                                    .body_is_json = body.len > 0 };
    const struct scope scope = { .connector = connector,
                                 .request = &answer,
                                 .item = body };
    struct arena scratch = { 0 };
    enum status result = STATUS_OK;
    bool expired = false;
    for (size_t i = 0;
         i < cursor->expired_count && !expired && result == STATUS_OK; i++) {
        const struct expired_spec *spec = &cursor->expired[i];
        if (spec->status == 0 || spec->status == status) {
            result = scope_conditions(&scope, &spec->when, &scratch, &expired);
        }
    }
    arena_fini(&scratch);
    *ret_expired = expired;
    return result == STATUS_NOMEM ? result : STATUS_OK;
}

const struct request_spec *
walk_expired_first(const struct connector *connector,
                   const struct walk_state *state)
{
    const struct poll_spec *spec = &connector->poll;
    const struct request_spec *request = &spec->first;
    if (state->anew && spec->resync.url != NULL) {
        return &spec->resync;
    }
    /* `first` finds the newest id and skips all before it. */
    bool skips = state->anew && spec->cursor.kind == CURSOR_ID;
    return request->url == NULL || skips ? NULL : request;
}

bool
walk_expired_leaves_out(const struct walk_plan *plan,
                        const struct walk_state *state, int64_t time_ms)
{
    const struct cursor_spec *cursor = &plan->connector->poll.cursor;
    /* Without `first`, reading began at the list's beginning once before. */
    bool skipped = plan->connector->poll.first.url != NULL;
    return !plan->is_backfill && skipped && state->anew && state->has_start &&
           !state->start_ours && time_ms != 0 &&
           time_ms < walk_cursor_floor_ms(cursor, state->start_ms);
}

bool
walk_expired_skips(const struct walk_plan *plan, const struct walk_state *state)
{
    const struct request_spec *first =
        walk_expired_first(plan->connector, state);
    return state->anew && first == &plan->connector->poll.first &&
           !connector_request_names(first, "start");
}

/* Returns up to where nobody knows what the list has lost: all of it is read
 * from the beginning, but it may have forgotten. */
static int64_t
unknown_up_to(const struct walk_plan *plan, const struct walk_state *state,
              const struct walk_now *now, int64_t from_ms)
{
    const struct poll_spec *spec = &plan->connector->poll;
    const struct request_spec *first =
        walk_expired_first(plan->connector, state);
    int64_t now_ms = now->provider_ms != 0 ? now->provider_ms : now->our_ms;
    if (first != NULL && connector_request_names(first, "start")) {
        return from_ms; /* the list is asked from there on */
    }
    if (first == NULL && spec->retention_ms > 0) {
        return now_ms - spec->retention_ms;
    }
    return now_ms;
}

void
walk_expired_gap(const struct walk_plan *plan, const struct walk_state *state,
                 int64_t to_ms, struct walk_step *step)
{
    int64_t from_ms = walk_window_lower(plan, state);
    walk_window_tell(step, GAP_CURSOR, from_ms,
                     to_ms > from_ms ? to_ms : from_ms);
}

void
walk_expired_forget(const struct walk_plan *plan, struct walk_state *state,
                    const struct walk_now *now, struct walk_step *step)
{
    state->anew = true;
    state->open = false;
    state->rejections = 0;
    state->token = (struct slice){ NULL, 0 };
    state->has_token = false;
    state->id_count = 0;
    step->state_changed = true;
    if (!walk_expired_skips(plan, state)) {
        int64_t from_ms = walk_window_lower(plan, state);
        walk_expired_gap(plan, state, unknown_up_to(plan, state, now, from_ms),
                         step);
    }
}

void
walk_expired_reset(const struct walk_plan *plan, struct walk_state *state,
                   const struct walk_now *now, unsigned status,
                   struct walk_step *step)
{
    walk_expired_forget(plan, state, now, step);
    (void)error_set(&step->why, STATUS_PROTOCOL,
                    "HTTP %u: the provider refuses the cursor; the list is "
                    "read from its beginning",
                    status);
}
