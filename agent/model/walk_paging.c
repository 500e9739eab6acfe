/* SPDX-License-Identifier: MIT */
#include "model/walk_paging.h"

#include "model/answer.h"
#include "model/request.h"
#include "model/walk_cursor.h"
#include "wire/json.h"
#include "wire/url.h"

/* How far back to look for the row that two pages share, where it is not known
 * how long a page is. */
#define BACK_ROWS 20

/* What a decision is made from. */
struct turn {
    const struct connector *connector;
    const struct page_spec *spec;
    const struct walk_state *state;
    const struct walk_answer *answer;
    struct arena *arena;
    struct error *err;
};

static const struct walk_paging at_end = { .kind = WALK_PAGING_END };
static const struct walk_paging broken = { .kind = WALK_PAGING_BROKEN };

static enum status
keep(struct turn *turn, const struct buf *buf, struct walk_paging *ret_next)
{
    struct slice text;
    enum status status = buf_status(buf);
    if (status == STATUS_OK && buf->len > WALK_TEXT_BYTES_MAX) {
        (void)error_set(turn->err, STATUS_TOO_LARGE,
                        "the next page is named by %zu bytes", buf->len);
        *ret_next = broken;
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = arena_copy(turn->arena, buf_slice(buf), &text);
    }
    if (status == STATUS_OK) {
        *ret_next =
            (struct walk_paging){ .kind = WALK_PAGING_PAGE, .text = text };
    }
    return status == STATUS_OK ? status : STATUS_NOMEM;
}

/* A link may lead on only where the request itself went. */
static enum status
follow(struct turn *turn, struct slice base, struct slice reference,
       struct walk_paging *ret_next)
{
    struct buf buf = { 0 };
    struct url from;
    struct url to;
    enum status status = url_resolve(base, reference, &buf, turn->err);
    if (status == STATUS_OK) {
        status = url_parse(buf_slice(&buf), &to, turn->err);
    }
    if (status == STATUS_OK) {
        status = url_parse(turn->answer->url, &from, turn->err);
    }
    if (status == STATUS_OK && !url_same_origin(&from, &to)) {
        status = error_set(turn->err, STATUS_DENIED,
                           "the next page is on another host: '%.*s'",
                           SLICE_ARG(to.host));
    }
    if (status == STATUS_OK) {
        status = keep(turn, &buf, ret_next);
    } else if (status != STATUS_NOMEM) {
        *ret_next = broken;
        status = STATUS_OK;
    }
    buf_fini(&buf);
    return status;
}

static enum status
after_link(struct turn *turn, struct walk_paging *ret_next)
{
    struct http_fields fields = turn->answer->fields;
    struct slice target;
    for (size_t i = 0; i < fields.count; i++) {
        if (slice_equal_nocase(fields.at[i].name, slice_of("Link")) &&
            http_field_link(fields.at[i].value, "next", &target)) {
            return follow(turn, turn->answer->url, target, ret_next);
        }
    }
    *ret_next = at_end;
    return STATUS_OK;
}

static struct answer_view
view_of(const struct turn *turn)
{
    return (struct answer_view){ .fields = turn->answer->fields,
                                 .body = turn->answer->page->body };
}

static enum status
after_url(struct turn *turn, struct walk_paging *ret_next)
{
    struct answer_view view = view_of(turn);
    struct slice text;
    struct buf base = { 0 };
    *ret_next = at_end;
    if (turn->spec->stop_empty && turn->answer->page->row_count == 0) {
        return STATUS_OK;
    }
    enum status status =
        answer_text(turn->spec->from, &view, turn->arena, &text);
    if (status != STATUS_OK) {
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    if (turn->spec->base.len == 0) {
        return follow(turn, turn->answer->url, text, ret_next);
    }
    status = request_based(turn->connector, turn->spec->base, &base, turn->err);
    if (status == STATUS_OK) {
        status = follow(turn, buf_slice(&base), text, ret_next);
    } else if (status != STATUS_NOMEM) {
        *ret_next = broken;
        status = STATUS_OK;
    }
    buf_fini(&base);
    return status;
}

/* `{page}` from the answer, or from the last row. */
static enum status
after_token(struct turn *turn, struct walk_paging *ret_next)
{
    const struct page *page = turn->answer->page;
    struct answer_view view = view_of(turn);
    struct slice text;
    enum status status = STATUS_NOT_FOUND;
    if (turn->spec->last == NULL) {
        status = answer_text(turn->spec->from, &view, turn->arena, &text);
    } else if (page->row_count > 0) {
        status = answer_at(turn->spec->last, page->rows[page->row_count - 1],
                           turn->arena, &text);
    }
    *ret_next = at_end;
    if (status != STATUS_OK) {
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    struct buf buf = { 0 };
    buf_append(&buf, text);
    status = keep(turn, &buf, ret_next);
    buf_fini(&buf);
    return status;
}

static enum status
step_by(struct turn *turn, int64_t step, struct walk_paging *ret_next)
{
    int64_t at = turn->spec->start;
    struct buf buf = { 0 };
    if (turn->state->has_page &&
        slice_to_i64(turn->state->page, &at) != STATUS_OK) {
        at = turn->spec->start;
    }
    if (step <= 0 || at > INT64_MAX - step) {
        *ret_next = at_end;
        return STATUS_OK;
    }
    buf_i64(&buf, at + step);
    enum status status = keep(turn, &buf, ret_next);
    buf_fini(&buf);
    return status;
}

static enum status
after_number(struct turn *turn, struct walk_paging *ret_next)
{
    struct answer_view view = view_of(turn);
    struct slice text;
    int64_t total;
    int64_t at;
    enum status status =
        answer_text(turn->spec->total, &view, turn->arena, &text);
    if (status == STATUS_NOMEM) {
        return status;
    }
    bool known = status == STATUS_OK && slice_to_i64(text, &total) == STATUS_OK;
    if (!known && turn->answer->page->row_count == 0) {
        *ret_next = at_end;
        return STATUS_OK;
    }
    status = step_by(turn, 1, ret_next);
    /* The pages are numbered from `start`, so the last is start + total - 1. */
    if (status == STATUS_OK && known && ret_next->kind == WALK_PAGING_PAGE &&
        slice_to_i64(ret_next->text, &at) == STATUS_OK &&
        at - turn->spec->start >= total) {
        *ret_next = at_end;
    }
    return status;
}

enum status
walk_paging_row_hash(const struct connector *connector, struct slice row,
                     struct arena *arena, uint64_t *ret_hash)
{
    const struct answer_view view = { .row = row };
    struct slice id;
    enum status status =
        answer_text(connector->poll.record.id, &view, arena, &id);
    *ret_hash = walk_cursor_hash(status == STATUS_OK ? id : row);
    return status == STATUS_NOMEM ? status : STATUS_OK;
}

enum status
walk_paging_holds(const struct connector *connector,
                  const struct walk_state *state, const struct page *page,
                  struct arena *arena, bool *ret_holds)
{
    enum status status = STATUS_OK;
    *ret_holds = state->anchor == 0 || !state->has_page ||
                 connector->poll.pages.kind != PAGE_OFFSET;
    for (size_t i = 0;
         i < page->row_count && !*ret_holds && status == STATUS_OK; i++) {
        uint64_t hash = 0;
        status = walk_paging_row_hash(connector, page->rows[i], arena, &hash);
        *ret_holds = hash == state->anchor;
    }
    return status;
}

void
walk_paging_first(struct walk_state *state)
{
    state->page = (struct slice){ NULL, 0 };
    state->has_page = false;
    state->page_hash = 0;
    state->anchor = 0;
    state->met = false;
    state->oldest_ms = 0;
}

enum status
walk_paging_back(const struct connector *connector, struct walk_state *state,
                 struct arena *arena, bool *ret_more)
{
    const struct page_spec *spec = &connector->poll.pages;
    int64_t at = spec->start;
    int64_t back = spec->size > 0 ? spec->size : BACK_ROWS;
    if (slice_to_i64(state->page, &at) != STATUS_OK || at <= spec->start) {
        *ret_more = false;
        return STATUS_OK;
    }
    struct buf buf = { 0 };
    buf_i64(&buf, at - spec->start > back ? at - back : spec->start);
    enum status status = buf_status(&buf);
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&buf), &state->page);
    }
    buf_fini(&buf);
    *ret_more = true;
    return status;
}

/* The next page begins with the last row of this one, where that is not all of
 * it. */
static enum status
after_offset(struct turn *turn, struct walk_paging *ret_next)
{
    const struct page *page = turn->answer->page;
    int64_t rows = (int64_t)page->row_count;
    bool alone = rows == 1 && turn->state->anchor == 0;
    if (rows == 0 || alone || turn->spec->size == 1) {
        return step_by(turn, rows, ret_next);
    }
    enum status status = step_by(turn, rows - 1, ret_next);
    return status == STATUS_OK && ret_next->kind == WALK_PAGING_PAGE
               ? walk_paging_row_hash(turn->connector, page->rows[rows - 1],
                                      turn->arena, &ret_next->anchor)
               : status;
}

static enum status
after_cursor(struct turn *turn, struct walk_paging *ret_next)
{
    *ret_next = (struct walk_paging){
        .kind = WALK_PAGING_ADVANCE,
        .certain = turn->spec->more != NULL || turn->spec->done != NULL ||
                   turn->spec->size > 0,
    };
    if (!ret_next->certain && turn->answer->page->row_count == 0) {
        *ret_next = at_end;
    }
    return STATUS_OK;
}

/* A list that has no pages but a known size is cut when it is full. */
static enum status
after_all(struct turn *turn, struct walk_paging *ret_next)
{
    *ret_next = at_end;
    return turn->spec->size > 0 ? after_cursor(turn, ret_next) : STATUS_OK;
}

static bool
says_end(const struct turn *turn)
{
    const struct page *page = turn->answer->page;
    if (page->ends) {
        return true;
    }
    if (turn->spec->more != NULL &&
        !answer_truth(turn->spec->more, page->body)) {
        return true;
    }
    if (turn->spec->done != NULL &&
        answer_truth(turn->spec->done, page->body)) {
        return true;
    }
    return turn->spec->size > 0 && page->row_count < (size_t)turn->spec->size;
}

enum status
walk_paging_next(const struct connector *connector,
                 const struct walk_state *state,
                 const struct walk_answer *answer, struct arena *arena,
                 struct walk_paging *ret_next, struct error *err)
{
    static enum status (*const after[])(struct turn *, struct walk_paging *) = {
        [PAGE_NONE] = after_all,      [PAGE_LINK] = after_link,
        [PAGE_URL] = after_url,       [PAGE_TOKEN] = after_token,
        [PAGE_LAST_ID] = after_token, [PAGE_CURSOR] = after_cursor,
        [PAGE_NUMBER] = after_number, [PAGE_OFFSET] = after_offset,
    };
    struct turn turn = { .connector = connector,
                         .spec = &connector->poll.pages,
                         .state = state,
                         .answer = answer,
                         .arena = arena,
                         .err = err };
    if (says_end(&turn)) {
        *ret_next = at_end;
        return STATUS_OK;
    }
    return after[turn.spec->kind](&turn, ret_next);
}
