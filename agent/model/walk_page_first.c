/* SPDX-License-Identifier: MIT */
/* The answer to the request that a list is begun with. */
#include "base/instant.h"
#include "model/answer.h"
#include "model/walk_cursor.h"
#include "model/walk_expired.h"
#include "model/walk_page_private.h"
#include "model/walk_window.h"
#include "wire/timefmt.h"

int64_t
walk_page_answered_ms(const struct walk_answer *answer)
{
    struct slice text;
    int64_t at_ms;
    if (http_field_find(answer->fields, "Date", &text) &&
        timefmt_read_http(text, &at_ms) == STATUS_OK) {
        return at_ms + INSTANT_SECOND_MS;
    }
    return answer->our_ms;
}

/* Where the answer to `first`, or to `resync`, says what the cursor is. */
struct first_place {
    const struct template *at;
    enum pick pick;
};

static struct first_place
first_place(const struct poll_spec *spec, bool resyncs)
{
    return resyncs
               ? (struct first_place){ spec->resync_cursor, spec->resync_pick }
               : (struct first_place){ spec->first_cursor, spec->first_pick };
}

/* Finds the cursor in that answer, in the row that its pick names. */
static enum status
pick_first(struct taking *t, struct first_place place, struct slice *ret_text)
{
    const struct page *page = t->answer->page;
    struct answer_view view = { .fields = t->answer->fields,
                                .body = page->body };
    bool is_max = place.pick == PICK_MAX || place.pick == PICK_MAX_PLUS_1;
    enum status found = STATUS_NOT_FOUND;
    size_t i = 0;
    do {
        struct slice text;
        if (page->row_count > 0) {
            view.row = page->rows[i];
        }
        enum status status = answer_text(place.at, &view, t->scratch, &text);
        if (status == STATUS_NOMEM) {
            return status;
        }
        if (status == STATUS_OK &&
            (found != STATUS_OK || place.pick == PICK_LAST ||
             (is_max && walk_cursor_compare(t->cursor, text, *ret_text) > 0))) {
            *ret_text = text;
            found = STATUS_OK;
        }
    } while (++i < page->row_count);
    return found;
}

/* A first answer may take so long before it counts as late. */
#define FIRST_LATE_MS (5 * INSTANT_MINUTE_MS)

/* Reading begins at this answer, and what came since `start` is passed over:
 * said where that is more than the first walk's own time, as with `start: 7d`,
 * or while nobody answered or the store had no room. A deeper tier speaks of
 * what it comes later than the first one might have. */
static void
tell_passed_over(struct taking *t)
{
    const struct poll_spec *spec = &t->connector->poll;
    struct walk_state *state = t->state;
    int64_t answered_ms = walk_page_answered_ms(t->answer);
    if (state->hw_ms > 0 || state->anew ||
        connector_request_names(&spec->first, "start")) {
        return;
    }
    int64_t from_ms = t->plan->tiers > 0 ? state->start_ms
                      : spec->start_kind == START_AT
                          ? answered_ms
                          : walk_window_set_ms(t->plan, state);
    if (answered_ms - from_ms > FIRST_LATE_MS) {
        walk_window_tell(t->step, GAP_CURSOR, from_ms, answered_ms);
    }
    state->told_ms =
        answered_ms > state->told_ms ? answered_ms : state->told_ms;
}

/* The answer to `first` says where the cursor is; none: before everything. The
 * one to `resync` likewise, but its rows are what the list still has. */
enum status
walk_page_first(struct taking *t)
{
    const struct poll_spec *spec = &t->connector->poll;
    struct walk_state *state = t->state;
    bool resyncs = state->anew && spec->resync.url != NULL;
    if (walk_expired_skips(t->plan, state)) {
        walk_expired_gap(t->plan, state, walk_page_answered_ms(t->answer),
                         t->step);
    }
    struct first_place place = first_place(spec, resyncs);
    struct slice text;
    enum status status = pick_first(t, place, &text);
    if (status == STATUS_NOT_FOUND) {
        bool by_rows = place.at == NULL && state->running_id.len > 0;
        text = by_rows ? state->running_id : spec->first_else;
    } else if (status != STATUS_OK) {
        return status;
    } else {
        tell_passed_over(t);
    }
    state->first = false;
    state->after_first = !resyncs;
    if (spec->cursor.kind == CURSOR_TOKEN && text.len == 0 &&
        state->has_token) {
        return STATUS_OK; /* take_token has found it */
    }
    status = arena_copy(t->arena, text, &state->token);
    if (status != STATUS_OK) {
        return status;
    }
    state->has_token = true;
    state->running_id = (struct slice){ NULL, 0 };
    if (spec->cursor.kind == CURSOR_ID) {
        walk_cursor_mark(t->plan, state, walk_page_answered_ms(t->answer));
    }
    return walk_cursor_set_text(t->connector, state, state->token, t->arena);
}
