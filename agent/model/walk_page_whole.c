/* SPDX-License-Identifier: MIT */
/* The end of a walk that has read all of its list. */
#include "base/instant.h"
#include "base/rule.h"
#include "model/walk_backfill.h"
#include "model/walk_change.h"
#include "model/walk_cursor.h"
#include "model/walk_page_private.h"
#include "model/walk_window.h"
#include "wire/timefmt.h"

/* Whether the list cannot have changed any more in the second that its
 * Last-Modified names, by the provider's own clock (RFC 9110 §8.8.2.2). A row
 * that came in that same second would stay hidden behind a 304. */
static bool
modified_is_over(const struct http_fields fields, struct slice modified)
{
    struct slice date;
    int64_t date_ms;
    int64_t modified_ms;
    return http_field_find(fields, "Date", &date) &&
           timefmt_read_http(date, &date_ms) == STATUS_OK &&
           timefmt_read_http(modified, &modified_ms) == STATUS_OK &&
           date_ms >= modified_ms + INSTANT_SECOND_MS;
}

void
walk_page_forget(struct walk_state *state)
{
    state->etag = (struct slice){ NULL, 0 };
    state->modified = (struct slice){ NULL, 0 };
    state->etag_url = 0;
}

static enum status
keep_validators(struct taking *t)
{
    struct walk_state *state = t->state;
    const unsigned wanted = t->connector->poll.conditional;
    struct slice text;
    enum status status = STATUS_OK;
    if (t->answer->page == NULL) {
        return STATUS_OK; /* 304: what we sent is still right */
    }
    walk_page_forget(state);
    if (state->pages != 1) {
        return STATUS_OK;
    }
    if ((wanted & CONDITIONAL_ETAG) != 0 &&
        http_field_find(t->answer->fields, "ETag", &text)) {
        status = arena_copy(t->arena, text, &state->etag);
    }
    if (status == STATUS_OK && (wanted & CONDITIONAL_LAST_MODIFIED) != 0 &&
        http_field_find(t->answer->fields, "Last-Modified", &text) &&
        modified_is_over(t->answer->fields, text)) {
        status = arena_copy(t->arena, text, &state->modified);
    }
    if (state->etag.len > 0 || state->modified.len > 0) {
        state->etag_url = walk_cursor_hash(t->answer->url);
    }
    return status;
}

/* The id that the walk has come to. Behind a refused cursor there may be none:
 * what comes then is read from the beginning too, for `first` would skip it. */
static void
take_newest(struct taking *t)
{
    struct walk_state *state = t->state;
    if (state->running_id.len > 0) {
        state->token = state->running_id;
        state->has_token = true;
    } else if (state->anew && !state->has_token) {
        state->token = t->connector->poll.first_else;
        state->has_token = true;
    }
}

/* Up to when the list was read, by its own stamps; one that is ahead of the
 * provider's clock says nothing of what comes before that time. Nor does one
 * that came while later pages were waited for: what came with it and went again
 * nobody has seen. */
static int64_t
listed_up_to(const struct taking *t)
{
    const struct walk_state *state = t->state;
    int64_t now_ms =
        state->top_ms > 0 ? state->top_ms : walk_page_answered_ms(t->answer);
    int64_t listed_ms = state->largest_ms < now_ms ? state->largest_ms : now_ms;
    return listed_ms > state->hw_ms ? listed_ms : state->hw_ms;
}

int64_t
walk_page_settle_ms(const struct connector *connector)
{
    const struct poll_spec *spec = &connector->poll;
    int64_t settle = spec->settle_ms > spec->cursor.settle_ms
                         ? spec->settle_ms
                         : spec->cursor.settle_ms;
    return RULE(RULE_SETTLE) ? settle : 0;
}

/* What the provider dropped while a span was read, or had dropped before where
 * nobody told the time, is none of what was read: no gap of it is closed. */
static void
leave_out_dropped(const struct taking *t)
{
    struct walk_state *state = t->state;
    int64_t retention = t->connector->poll.retention_ms;
    int64_t now_ms = walk_page_answered_ms(t->answer);
    now_ms = state->largest_ms > now_ms ? state->largest_ms : now_ms;
    if (retention > 0 && now_ms - retention > state->start_ms) {
        state->start_ms = now_ms - retention < state->backfill.until_ms
                              ? now_ms - retention
                              : state->backfill.until_ms;
    }
}

enum status
walk_page_whole(struct taking *t)
{
    struct walk_state *state = t->state;
    const struct poll_spec *spec = &t->connector->poll;
    if (t->plan->is_backfill) {
        leave_out_dropped(t);
        t->step->next = WALK_WHOLE;
        return walk_backfill_end(state, BACKFILL_DONE, t->answer->our_ms,
                                 (struct slice){ NULL, 0 }, t->arena);
    }
    int64_t settle = walk_page_settle_ms(t->connector);
    walk_window_whole(t->plan, state, t->answer, settle, t->step);
    if (state->s_ms - settle > state->hw_ms) {
        state->hw_ms = state->s_ms - settle;
    }
    int64_t until_ms = walk_complete_until(t->plan, state);
    if (until_ms > state->complete_ms) {
        state->complete_ms = until_ms;
    }
    walk_change_note(t->plan, state);
    /* What was asked for during this walk stays for the next; nothing is read
     * below the start. */
    if (state->again_ms >= state->a_ms || state->a_ms <= state->start_ms) {
        state->again_ms = 0;
    }
    if (spec->cursor.kind == CURSOR_ID) {
        take_newest(t);
        walk_cursor_mark(t->plan, state, walk_page_answered_ms(t->answer));
    }
    enum status status = keep_validators(t);
    state->open = false;
    state->has_s = false;
    state->page = (struct slice){ NULL, 0 };
    state->has_page = false;
    state->running_id = (struct slice){ NULL, 0 };
    state->ties = 0;
    state->tie_ms = 0;
    state->rejections = 0;
    state->anew = false;
    if (t->answer->page != NULL) {
        state->last_rows = state->rows;
        state->listed_ms = listed_up_to(t);
    }
    t->step->next = WALK_WHOLE;
    return status;
}
