/* SPDX-License-Identifier: MIT */
#include "base/instant.h"
#include "base/rule.h"
#include "model/walk_cursor.h"
#include "model/walk_page_private.h"
#include "model/walk_paging.h"
#include "model/walk_span.h"
#include "model/walk_window.h"

/* Walks in a row that end on one full second before it becomes a gap. */
#define TIES_MAX 3

/* A first walk that ends as soon as this has seen what the list showed when it
 * was to begin. */
#define FIRST_WITHIN_MS (5 * INSTANT_MINUTE_MS)

/* So often a walk begins again because rows moved while it read. */
#define RESTARTS_MAX 5

static enum status
fail(struct taking *t, const char *why)
{
    t->step->next = WALK_FAILED;
    (void)error_set(&t->step->why, STATUS_PROTOCOL, "%s", why);
    return STATUS_OK;
}

/* Fails and lets the next walk begin anew at its lower bound. */
static enum status
fail_closed(struct taking *t, const char *why)
{
    t->state->open = false;
    t->state->has_page = false;
    return fail(t, why);
}

static enum status
ask(struct taking *t)
{
    int64_t most = t->connector->poll.max_pages;
    t->step->next = WALK_ASK;
    if (!RULE(RULE_WHOLE_WALK) && t->state->s_ms > t->state->hw_ms) {
        t->state->hw_ms = t->state->s_ms;
    }
    /* A span was asked for as long as it is. */
    if (!t->plan->is_backfill && most > 0 && t->state->pages % most == 0) {
        /* The walk stays open: the next one goes on here. */
        t->step->next = WALK_FAILED;
        (void)error_set(&t->step->why, STATUS_TOO_LARGE,
                        "the walk has %lld pages and is not at its end "
                        "(max_pages); it goes on with the next one",
                        (long long)t->state->pages);
    }
    return STATUS_OK;
}

/* ---- what follows a page ---- */

/* Counts the walks that end on one full second; true when it is to be passed
 * over. */
static bool
tie_is_final(struct taking *t, int64_t at_ms)
{
    struct walk_state *state = t->state;
    t->step->is_elsewhere = state->tie_ms != at_ms;
    state->ties = t->step->is_elsewhere ? 1 : state->ties + 1;
    state->tie_ms = at_ms;
    if (state->ties < TIES_MAX) {
        return false;
    }
    state->ties = 0;
    return true;
}

/* A whole page of one stamp, and the cursor is the only way on. */
static enum status
take_tie(struct taking *t)
{
    struct walk_state *state = t->state;
    int64_t unit = walk_cursor_unit_ms(t->cursor);
    int64_t behind = state->cursor_ms + unit;
    if (!tie_is_final(t, state->cursor_ms)) {
        return fail(t, "a whole page has one time stamp and there is no way "
                       "on: raise the page size");
    }
    int64_t from = state->running_ms - state->running_ms % unit;
    walk_window_tell(t->step, GAP_TIE, from, from + unit);
    state->cursor_ms = behind;
    enum status status =
        walk_cursor_time_text(t->cursor, behind, t->arena, &state->cursor);
    return status == STATUS_OK ? ask(t) : status;
}

/* Tells that a list which keeps only so many rows has dropped some. */
static void
tell_count(struct taking *t, int64_t whole_ms, int64_t to_ms)
{
    struct walk_state *state = t->state;
    int64_t from_ms = walk_window_late_from(t->plan, state, whole_ms);
    walk_window_tell(t->step, GAP_COUNT, from_ms, to_ms);
    state->told_ms = to_ms > state->told_ms ? to_ms : state->told_ms;
}

/* A full answer of a list without pages that does not run upwards: what it did
 * not show cannot be asked for. */
static enum status
take_cut(struct taking *t)
{
    int64_t reached =
        t->state->hw_ms > t->state->a_ms ? t->state->hw_ms : t->state->a_ms;
    if (t->oldest_ms == INT64_MAX) {
        return fail_closed(t, "the list is full and its rows have no time");
    }
    if (t->plan->is_backfill && t->oldest_ms > reached) {
        return fail_closed(t, "the list shows no more than its newest rows, "
                              "and they do not reach back to 'since'");
    }
    if (t->oldest_ms > reached) {
        tell_count(t, reached, t->oldest_ms);
    }
    return walk_page_whole(t);
}

static enum status
advance_time(struct taking *t, bool certain)
{
    struct walk_state *state = t->state;
    if (t->connector->poll.order != ORDER_ASC || !state->has_cursor) {
        return certain ? take_cut(t) : walk_page_whole(t);
    }
    if (state->running_ms > 0 &&
        walk_cursor_sent_ms(t->cursor, state->running_ms) > state->cursor_ms) {
        enum status status = walk_cursor_set_time(t->connector, state,
                                                  state->running_ms, t->arena);
        return status == STATUS_OK ? ask(t) : status;
    }
    if (!certain) {
        return walk_page_whole(t);
    }
    if (t->oldest_ms == INT64_MAX) {
        return fail_closed(t, "there is more, but no row says from when");
    }
    return take_tie(t);
}

static enum status
advance_text(struct taking *t, bool certain)
{
    struct walk_state *state = t->state;
    enum status status = STATUS_OK;
    if (t->cursor->kind == CURSOR_ID && state->running_id.len > 0) {
        status = walk_cursor_set_text(t->connector, state, state->running_id,
                                      t->arena);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (state->has_cursor && !slice_equal(state->cursor, t->sent)) {
        return ask(t);
    }
    return certain ? fail_closed(t, "there is more, says the answer, but its "
                                    "cursor is the same as before")
                   : walk_page_whole(t);
}

static enum status
advance(struct taking *t, bool certain)
{
    switch (t->cursor->kind) {
    case CURSOR_TIME: return advance_time(t, certain);
    case CURSOR_ID:
    case CURSOR_TOKEN: return advance_text(t, certain);
    case CURSOR_SEEN:
    case CURSOR_NONE: break;
    }
    return walk_page_whole(t);
}

/* Position-paged and ascending: rows move while they are listed, so ask again
 * from the first page as soon as that begins elsewhere. */
static bool
may_restart(const struct taking *t)
{
    const struct poll_spec *spec = &t->connector->poll;
    return RULE(RULE_RESTART) && spec->pages.restart &&
           spec->order == ORDER_ASC && t->cursor->kind == CURSOR_TIME &&
           t->state->has_cursor && t->state->running_ms > 0 &&
           walk_cursor_sent_ms(t->cursor, t->state->running_ms) >
               t->state->cursor_ms;
}

/* What makes a page the same as the one before it. Numbers always differ, so
 * there the rows count. */
static uint64_t
hash_of(const struct taking *t, struct slice next)
{
    enum page_kind kind = t->connector->poll.pages.kind;
    if (kind != PAGE_NUMBER && kind != PAGE_OFFSET) {
        return walk_cursor_hash(next);
    }
    return t->answer->page->row_count == 0
               ? 0
               : walk_cursor_hash(t->answer->page->body);
}

/* From the first page on, since rows have moved; though not for ever. */
static enum status
begin_again(struct taking *t)
{
    walk_paging_first(t->state);
    /* What the pages behind it showed is no reason to pass it over. */
    t->state->running_ms = t->state->has_cursor ? t->state->cursor_ms : 0;
    if (++t->state->restarts > RESTARTS_MAX) {
        return fail_closed(t, "rows move away between the pages, however often "
                              "the list is begun");
    }
    return ask(t);
}

/* Rows have moved up past the end of the last page: back a page, and another,
 * until the row is met that both have to show. It may be gone itself. */
static enum status
step_back(struct taking *t)
{
    struct walk_state *state = t->state;
    bool more = false;
    enum status status = walk_paging_back(t->connector, state, t->arena, &more);
    state->page_hash = 0;
    if (status != STATUS_OK || more) {
        return status == STATUS_OK ? ask(t) : status;
    }
    return begin_again(t);
}

static enum status
next_page(struct taking *t, struct slice next, uint64_t anchor)
{
    struct walk_state *state = t->state;
    if (may_restart(t)) {
        if (walk_page_has_moved(t)) {
            return begin_again(t);
        }
        walk_paging_first(state);
        state->restarts = 0;
        enum status status = walk_cursor_set_time(t->connector, state,
                                                  state->running_ms, t->arena);
        return status == STATUS_OK ? ask(t) : status;
    }
    uint64_t hash = hash_of(t, next);
    if ((hash != 0 && hash == state->page_hash) ||
        slice_equal(next, t->answer->url)) {
        return fail_closed(t, "the list points to the same page again");
    }
    state->page_hash = hash;
    state->page = next;
    state->has_page = true;
    state->anchor = anchor;
    return ask(t);
}

/* The first whole walk of a list that keeps only so many rows. Where it comes
 * long after `start` was set, and no row is as old as that, nobody knows what
 * came and went meanwhile. Rows without a stamp tell nothing of it. */
static void
look_for_first(struct taking *t)
{
    const struct walk_state *state = t->state;
    int64_t set_ms = walk_window_set_ms(t->plan, state);
    int64_t from_ms = state->start_ms > set_ms ? state->start_ms : set_ms;
    if (state->oldest_ms > from_ms &&
        walk_page_answered_ms(t->answer) - from_ms > FIRST_WITHIN_MS) {
        walk_window_tell(t->step, GAP_COUNT, from_ms, state->oldest_ms);
    }
}

/* A list that keeps only so many rows was read to its end, and what the last
 * walk saw of it is there no more: whatever stood between was never seen. */
static void
look_for_dropped(struct taking *t)
{
    const struct walk_state *state = t->state;
    bool timed = t->connector->poll.record.time != NULL;
    if (!RULE(RULE_GAP) || t->cursor->kind != CURSOR_SEEN || state->rows == 0) {
        return;
    }
    if (state->listed_ms == 0 && state->keys_hash == 0) {
        look_for_first(t);
        return;
    }
    if (state->last_rows == 0 || state->met ||
        (timed && state->oldest_ms == 0)) {
        return;
    }
    int64_t to_ms = timed ? state->oldest_ms : state->s_ms;
    tell_count(t, state->hw_ms, to_ms > state->hw_ms ? to_ms : state->hw_ms);
}

/* Nothing that follows can lie in the span. */
static bool
is_past_backfill(const struct taking *t)
{
    return t->plan->is_backfill && t->connector->poll.order == ORDER_ASC &&
           t->oldest_ms != INT64_MAX &&
           t->oldest_ms >= t->state->backfill.until_ms;
}

/* The list has no more of what was asked for. */
static enum status
take_end(struct taking *t)
{
    if (walk_page_has_moved(t)) {
        return begin_again(t);
    }
    look_for_dropped(t);
    bool more = false;
    enum status status = STATUS_OK;
    if (walk_span_used(t->connector)) {
        status = walk_span_next(t->connector, t->state, t->arena, &more);
    }
    if (status != STATUS_OK) {
        return status;
    }
    return more ? ask(t) : walk_page_whole(t);
}

/* A full answer says nothing of what it left out. Its rows are stored, and the
 * span is asked for again in parts. */
static enum status
take_full(struct taking *t)
{
    struct walk_state *state = t->state;
    if (walk_span_halve(t->connector, state)) {
        return ask(t);
    }
    if (!tie_is_final(t, state->from_ms)) {
        return fail(t, "the shortest span that can be asked for is full: what "
                       "it leaves out cannot be read");
    }
    walk_window_tell(t->step, GAP_TIE, state->from_ms, state->until_ms);
    return take_end(t);
}

static enum status
go_on(struct taking *t)
{
    const struct page *page = t->answer->page;
    struct walk_paging next;
    if (t->state->after_first && t->cursor->kind == CURSOR_ID) {
        return ask(t); /* what it showed lies before the cursor */
    }
    /* Where rows go as fast as they are read, the walk must end all the same.
     */
    if (walk_page_has_dropped(t) && t->state->restarts < RESTARTS_MAX) {
        return begin_again(t);
    }
    if (is_past_backfill(t)) {
        return walk_page_has_moved(t) ? begin_again(t) : walk_page_whole(t);
    }
    if (walk_span_used(t->connector) &&
        walk_span_is_full(t->connector, t->state)) {
        return take_full(t);
    }
    if (t->connector->poll.pages.until_cursor && page->row_count > 0 &&
        t->below == page->row_count) {
        return walk_page_whole(t);
    }
    bool holds;
    enum status status =
        walk_paging_holds(t->connector, t->state, page, t->scratch, &holds);
    if (status == STATUS_OK && !holds) {
        return step_back(t);
    }
    if (status == STATUS_OK) {
        status = walk_paging_next(t->connector, t->state, t->answer, t->arena,
                                  &next, &t->step->why);
    }
    if (status != STATUS_OK) {
        return status;
    }
    switch (next.kind) {
    case WALK_PAGING_END: return take_end(t);
    case WALK_PAGING_PAGE: return next_page(t, next.text, next.anchor);
    case WALK_PAGING_ADVANCE: return advance(t, next.certain);
    case WALK_PAGING_BROKEN: break;
    }
    t->state->open = false;
    t->step->next = WALK_FAILED;
    return STATUS_OK;
}

static enum status
take_page(struct taking *t)
{
    bool first = t->state->first;
    t->state->after_first = false;
    if (t->cursor->kind == CURSOR_SEEN && !t->state->has_page) {
        t->state->top_ms = walk_page_answered_ms(t->answer);
    }
    if (t->state->has_cursor) {
        t->sent = t->state->cursor;
    }
    enum status status = walk_page_rows(t);
    if (status == STATUS_OK) {
        status = walk_page_note_place(t);
    }
    if (status == STATUS_OK && t->cursor->kind == CURSOR_TOKEN) {
        status = walk_page_token(t);
    }
    if (status == STATUS_OK && first) {
        status = walk_page_first(t);
    }
    if (status == STATUS_OK && t->is_long) {
        return fail_closed(t, "the cursor is longer than 64 KiB");
    }
    return status == STATUS_OK ? go_on(t) : status;
}

/* The list is as it was when it was one page. */
static enum status
take_unchanged(struct taking *t)
{
    /* As request_render decides it: what is kept may be another URL's. */
    bool asked = t->state->etag_url == walk_cursor_hash(t->answer->url);
    if (!asked || t->state->pages > 0) {
        walk_page_forget(t->state);
        return fail_closed(t, "HTTP 304 to a request that did not ask for it");
    }
    return walk_page_whole(t);
}

enum status
walk_page(const struct walk_plan *plan, struct walk_state *state,
          const struct walk_answer *answer, struct arena *arena,
          struct walk_step *ret_step)
{
    struct arena scratch = { 0 };
    bool again;
    struct taking t = { .plan = plan,
                        .connector = plan->connector,
                        .cursor = &plan->connector->poll.cursor,
                        .state = state,
                        .answer = answer,
                        .arena = arena,
                        .scratch = &scratch,
                        .step = ret_step,
                        .oldest_ms = INT64_MAX };
    *ret_step =
        (struct walk_step){ .next = WALK_FAILED, .state_changed = true };
    enum status status;
    walk_window_clock(plan, state, answer, ret_step, &again);
    if (again) {
        struct walk_now now = { .our_ms = answer->our_ms,
                                .provider_ms = walk_page_answered_ms(answer) -
                                               INSTANT_SECOND_MS };
        status = walk_window_open(plan, state, &now, arena, ret_step);
        ret_step->next = WALK_ASK;
    } else if (answer->page == NULL) {
        status = take_unchanged(&t);
    } else {
        status = take_page(&t);
    }
    state->backfill.gaps += plan->is_backfill && ret_step->has_gap;
    arena_fini(&scratch);
    return status;
}
