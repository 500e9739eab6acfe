/* SPDX-License-Identifier: MIT */
/* What the rows of a page say of the cursor, and what its body says. */
#include "model/answer.h"
#include "model/walk_backfill.h"
#include "model/walk_cursor.h"
#include "model/walk_page_private.h"
#include "model/walk_paging.h"

/* A row that stood in the list before the last whole walk began shows that the
 * list still reaches back to it. One that a webhook brought since does not, nor
 * does one that became visible late. */
static void
take_sight(struct taking *t, size_t at, int64_t at_ms)
{
    struct walk_state *state = t->state;
    bool known = t->answer->known != NULL && t->answer->known[at];
    bool before_start =
        !state->start_ours &&
        at_ms < walk_cursor_floor_ms(t->cursor, state->start_ms);
    if ((known && at_ms <= state->listed_ms) || before_start) {
        state->met = true;
    }
    if (at_ms > state->listed_ms &&
        (state->oldest_ms == 0 || at_ms < state->oldest_ms)) {
        state->oldest_ms = at_ms;
    }
}

static enum status
take_stamp(struct taking *t, size_t at)
{
    struct walk_state *state = t->state;
    int64_t at_ms;
    enum status status = walk_cursor_row_ms(
        t->connector, t->answer->page->rows[at], t->scratch, &at_ms);
    if (t->cursor->kind == CURSOR_SEEN && status == STATUS_OK) {
        take_sight(t, at, at_ms);
    } else if (t->cursor->kind == CURSOR_SEEN && t->answer->known != NULL) {
        state->met = state->met || t->answer->known[at];
    }
    if (status != STATUS_OK) {
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    if (at_ms > state->running_ms) {
        state->running_ms = at_ms;
    }
    if (at_ms > state->largest_ms) {
        state->largest_ms = at_ms;
    }
    if (at_ms < t->oldest_ms) {
        t->oldest_ms = at_ms;
    }
    t->below += at_ms < walk_cursor_floor_ms(t->cursor, state->a_ms);
    return STATUS_OK;
}

static enum status
take_id(struct taking *t, struct slice row)
{
    struct slice id;
    enum status status = answer_at(t->cursor->from, row, t->scratch, &id);
    if (status != STATUS_OK) {
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    if (id.len > WALK_TEXT_BYTES_MAX) {
        t->is_long = true;
        return STATUS_OK;
    }
    bool take = t->picked.len == 0;
    if (t->cursor->pick == PICK_LAST) {
        take = true;
    } else if (t->cursor->pick != PICK_FIRST) {
        take = take || walk_cursor_compare(t->cursor, id, t->picked) > 0;
    }
    if (take) {
        t->picked = id;
    }
    return STATUS_OK;
}

/* The id of the walk so far. On the pages of a newest-first list the first page
 * has the newest one. */
static enum status
take_picked(struct taking *t)
{
    struct slice *running = &t->state->running_id;
    bool is_max =
        t->cursor->pick == PICK_MAX || t->cursor->pick == PICK_MAX_PLUS_1;
    if (t->picked.len == 0) {
        return STATUS_OK;
    }
    if (running->len > 0 &&
        (is_max ? walk_cursor_compare(t->cursor, t->picked, *running) <= 0
                : t->connector->poll.order == ORDER_DESC)) {
        return STATUS_OK;
    }
    return arena_copy(t->arena, t->picked, running);
}

/* How far a span has been read. */
static void
note_backfill(struct taking *t)
{
    struct walk_backfill *span = &t->state->backfill;
    span->pages++;
    span->rows += (int64_t)t->answer->page->row_count;
    if (t->connector->poll.order != ORDER_DESC) {
        span->at_ms = t->state->running_ms;
    } else if (t->oldest_ms != INT64_MAX) {
        span->at_ms = t->oldest_ms;
    }
}

enum status
walk_page_rows(struct taking *t)
{
    const struct page *page = t->answer->page;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < page->row_count && status == STATUS_OK; i++) {
        if (t->cursor->kind == CURSOR_TIME || t->cursor->kind == CURSOR_SEEN) {
            status = take_stamp(t, i);
        } else if (t->cursor->kind == CURSOR_ID) {
            status = take_id(t, page->rows[i]);
        }
    }
    t->state->pages++;
    t->state->span_rows += (int64_t)page->row_count;
    t->state->rows += (int64_t)page->row_count;
    t->state->failures = 0;
    if (t->plan->is_backfill) {
        note_backfill(t);
    }
    return status == STATUS_OK ? take_picked(t) : status;
}

enum status
walk_page_token(struct taking *t)
{
    struct slice text;
    enum status status =
        answer_at(t->cursor->from, t->answer->page->body, t->scratch, &text);
    if (status != STATUS_OK) {
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    if (text.len > WALK_TEXT_BYTES_MAX) {
        t->is_long = true;
        return STATUS_OK;
    }
    status = arena_copy(t->arena, text, &t->state->token);
    if (status != STATUS_OK) {
        return status;
    }
    t->state->has_token = true;
    return walk_cursor_set_text(t->connector, t->state, t->state->token,
                                t->arena);
}
