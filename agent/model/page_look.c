/* SPDX-License-Identifier: MIT */
#include "model/page_look.h"

#include "model/scope.h"
#include "wire/json.h"
#include "wire/json_outline.h"

struct look {
    const struct connector *connector;
    const struct page *page;
    struct arena arena; /* of one row */
    struct buf *into;
};

/* One key of the connector: a template or a path. */
struct sought {
    const char *key;
    const struct template *t;
    const struct json_path *path;
    bool is_time;
    enum timefmt unit;
};

enum finding { FOUND, ABSENT, NO_TIME };

/* Whether it says where in a row to look: a bare word may be a text, and fields
 * are not in the row. */
static bool
is_of_row(const struct sought *sought)
{
    if (sought->t == NULL) {
        return sought->path != NULL;
    }
    const struct slice source = template_source(sought->t);
    return !template_names(sought->t, "header") &&
           (sought->is_time || slice_find(source, '{') != SIZE_MAX ||
            slice_find(source, '?') != SIZE_MAX);
}

static enum status
seek(struct look *look, const struct sought *sought, struct slice row,
     enum finding *ret_finding)
{
    const struct scope scope = { .connector = look->connector, .item = row };
    struct slice text;
    int64_t at_ms;
    if (sought->path != NULL) {
        *ret_finding =
            json_path_first(sought->path, row, &text) ? FOUND : ABSENT;
        return STATUS_OK;
    }
    const enum status status =
        scope_eval(&scope, sought->t, &look->arena, &text, NULL);
    if (status == STATUS_NOMEM) {
        return status;
    }
    *ret_finding = status != STATUS_OK || text.len == 0 ? ABSENT
                   : sought->is_time &&
                           timefmt_read(sought->unit, text, &at_ms) != STATUS_OK
                       ? NO_TIME
                       : FOUND;
    return STATUS_OK;
}

static void
tell(struct look *look, const struct sought *sought, enum finding finding,
     size_t first, size_t count)
{
    struct buf *into = look->into;
    const struct slice source = sought->path != NULL
                                    ? json_path_source(sought->path)
                                    : template_source(sought->t);
    buf_format(into, "%s: %s at '%.*s' in row %zu", sought->key,
               finding == NO_TIME ? "no time" : "nothing", SLICE_ARG(source),
               first + 1);
    if (count > 1) {
        buf_format(into, " and %zu more", count - 1);
    }
    buf_text(into, ", which is ");
    json_outline(look->page->rows[first], into);
    buf_byte(into, '\n');
}

static enum status
look_for(struct look *look, const struct sought *sought)
{
    enum finding worst = FOUND;
    size_t first = 0;
    size_t count = 0;
    const size_t rows = is_of_row(sought) ? look->page->row_count : 0;
    for (size_t i = 0; i < rows; i++) {
        enum finding finding = FOUND;
        const enum status status =
            seek(look, sought, look->page->rows[i], &finding);
        arena_fini(&look->arena);
        if (status != STATUS_OK) {
            return status;
        }
        if (finding != FOUND && count++ == 0) {
            first = i;
            worst = finding;
        }
    }
    if (count > 0) {
        tell(look, sought, worst, first, count);
    }
    return STATUS_OK;
}

/* The walk ends where nothing names a next page, and a name misspelt looks the
 * same as the last page. One that is there and null was meant. */
static void
look_for_next(struct look *look)
{
    const struct page_spec *pages = &look->connector->poll.pages;
    const struct template_ref *ref =
        pages->from == NULL ? NULL : template_ref_at(pages->from, 0, 0);
    const struct slice body = look->page->body;
    struct slice value;
    if ((pages->kind != PAGE_TOKEN && pages->kind != PAGE_URL) || ref == NULL ||
        ref->path == NULL || template_ref_at(pages->from, 1, 0) != NULL ||
        pages->more != NULL || pages->done != NULL ||
        look->page->row_count == 0 || body.len == 0 ||
        json_path_first(ref->path, body, &value)) {
        return;
    }
    const struct slice source = template_source(pages->from);
    buf_format(look->into,
               "poll.pages.from: nothing at '%.*s', so this is "
               "the last page; the answer is ",
               SLICE_ARG(source));
    json_outline(body, look->into);
    buf_byte(look->into, '\n');
}

enum status
page_look(const struct connector *connector, const struct page *page,
          struct buf *into)
{
    const struct poll_spec *poll = &connector->poll;
    const struct record_spec *record = &poll->record;
    const bool by_row =
        poll->cursor.kind == CURSOR_TIME || poll->cursor.kind == CURSOR_ID;
    const struct sought all[] = {
        { .key = "poll.record.type", .t = record->type },
        { .key = "poll.record.time",
          .t = record->time,
          .is_time = true,
          .unit = record->time_unit },
        { .key = "poll.record.body", .path = record->body },
        { .key = "poll.record.data",
          .path = record->body == NULL ? record->data : NULL },
        { .key = "poll.cursor.from",
          .path = by_row ? poll->cursor.from : NULL },
    };
    struct look look = { .connector = connector, .page = page, .into = into };
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && status == STATUS_OK;
         i++) {
        status = look_for(&look, &all[i]);
    }
    look_for_next(&look);
    return status == STATUS_OK ? buf_status(into) : status;
}
