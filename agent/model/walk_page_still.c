/* SPDX-License-Identifier: MIT */
/* Whether the rows of one place held still while its pages were read. */
#include "model/walk_cursor.h"
#include "model/walk_page_private.h"
#include "model/walk_paging.h"
#include "model/walk_span.h"
#include "wire/http_field.h"

/* An odd number without a pattern, so that a stamp changes all of a hash. */
#define SPREAD UINT64_C(0x9e3779b97f4a7c15)

/* Offsets overlap by a row, which says so at once. */
static bool
is_by_place(const struct taking *t)
{
    const struct poll_spec *spec = &t->connector->poll;
    return spec->pages.restart && spec->order == ORDER_ASC &&
           t->cursor->kind == CURSOR_TIME && t->state->has_cursor &&
           spec->pages.kind != PAGE_OFFSET && spec->pages.kind != PAGE_CURSOR &&
           !walk_span_used(t->connector);
}

/* Adds a row, whatever its neighbours are: in one place a provider may list
 * rows in any order. */
static enum status
add_row(struct taking *t, struct slice row)
{
    int64_t at_ms = 0;
    uint64_t hash = 0;
    enum status status =
        walk_cursor_row_ms(t->connector, row, t->scratch, &at_ms);
    if (status == STATUS_NOMEM) {
        return status;
    }
    if (status == STATUS_OK &&
        walk_cursor_sent_ms(t->cursor, at_ms) > t->state->cursor_ms) {
        return STATUS_OK;
    }
    status = walk_paging_row_hash(t->connector, row, t->scratch, &hash);
    t->state->place_sum += (hash ^ (uint64_t)at_ms) * SPREAD;
    return status;
}

/* The latest stamp whose rows the provider may have dropped by now. */
static int64_t
dropped_up_to(const struct taking *t)
{
    struct slice date;
    int64_t now_ms = http_field_find(t->answer->fields, "Date", &date)
                         ? walk_page_answered_ms(t->answer)
                         : t->state->largest_ms;
    return now_ms - t->connector->poll.retention_ms;
}

/* A row that is listed though its time is over says that the provider keeps
 * more than it promises, or that its clock is another: then nothing tells when
 * the row goes. */
static void
note_top(struct taking *t)
{
    bool is_kept = t->connector->poll.retention_ms > 0 &&
                   t->oldest_ms != INT64_MAX && t->oldest_ms > dropped_up_to(t);
    t->state->place_top_ms = is_kept ? t->oldest_ms : 0;
}

bool
walk_page_has_dropped(const struct taking *t)
{
    const struct walk_state *state = t->state;
    return is_by_place(t) && state->has_page && state->place_top_ms > 0 &&
           t->connector->poll.retention_ms > 0 &&
           state->place_top_ms <= dropped_up_to(t);
}

enum status
walk_page_note_place(struct taking *t)
{
    const struct page *page = t->answer->page;
    enum status status = STATUS_OK;
    if (!is_by_place(t)) {
        return STATUS_OK;
    }
    if (!t->state->has_page) {
        t->state->place_sum = 0;
        note_top(t);
    }
    for (size_t i = 0; i < page->row_count && status == STATUS_OK; i++) {
        status = add_row(t, page->rows[i]);
    }
    return status;
}

/* Whether the next walk reads all of the place again, and this one does not say
 * yet that it is complete. An overlap that follows what is seen may be shorter
 * by then. */
static bool
is_read_again(const struct taking *t)
{
    const struct walk_state *state = t->state;
    int64_t hw_ms = state->s_ms - walk_page_settle_ms(t->connector);
    hw_ms = hw_ms > state->hw_ms ? hw_ms : state->hw_ms;
    return !t->plan->is_backfill && t->plan->most_ms == 0 &&
           state->cursor_ms >= hw_ms - t->plan->overlap_ms;
}

bool
walk_page_has_moved(struct taking *t)
{
    struct walk_state *state = t->state;
    if (!is_by_place(t) || !state->has_page || is_read_again(t)) {
        return false;
    }
    bool same = state->place_ms == state->cursor_ms &&
                state->place_last == state->place_sum;
    state->place_ms = state->cursor_ms;
    state->place_last = state->place_sum;
    return !same;
}
