/* SPDX-License-Identifier: MIT */
#include "model/failed.h"

#include "model/event.h"
#include "model/extract.h"
#include "model/next_page.h"
#include "model/request_private.h"
#include "model/scope.h"
#include "model/walk_paging.h"
#include "wire/json.h"

bool
failed_is_listed(const struct connector *connector)
{
    return connector->recover.list_failed.declared;
}

bool
failed_is_sent_again(const struct connector *connector)
{
    return connector->recover.redeliver.request.url != NULL;
}

bool
failed_is_asked_by_time(const struct connector *connector)
{
    return failed_is_sent_again(connector) &&
           connector_request_names(&connector->recover.redeliver.request,
                                   "gap.start");
}

/* ---- the list ---- */

/* Whether it is the list itself, whose pages are named by a token. */
static bool
has_tokens(const struct connector *connector)
{
    const enum page_kind kind = connector->poll.pages.kind;
    return connector->recover.list_failed.request.url == NULL &&
           connector->recover.list_failed.next == NULL &&
           (kind == PAGE_TOKEN || kind == PAGE_LAST_ID);
}

/* The list's own request, or one in its place; `{cursor}` is absent, so that
 * what names it is left out. */
static enum status
first_page(struct rendering *r, const struct failed_spec *failed,
           struct buf *url)
{
    const struct request_spec *list = &r->connector->poll.request;
    const bool is_own = failed->request.url != NULL;
    enum status status =
        request_url(r, is_own ? failed->request.url : list->url, url);
    if (status == STATUS_OK && !is_own) {
        status = request_add_query(r, list, url);
    }
    if (status == STATUS_OK) {
        status = request_add_query(r, &failed->request, url);
    }
    return status == STATUS_OK ? request_add_auth_query(r, url) : status;
}

enum status
failed_list(const struct connector *connector, struct slice next,
            struct arena *arena, struct rendered_request *ret_request,
            struct error *err)
{
    const struct failed_spec *failed = &connector->recover.list_failed;
    const struct request_spec *fields = failed->request.headers != NULL
                                            ? &failed->request
                                            : &connector->poll.request;
    struct request_spec bare = { .method = failed->request.method,
                                 .headers = fields->headers,
                                 .header_count = fields->header_count };
    const bool is_link = next.len > 0 && !has_tokens(connector);
    const struct walk_state state = { .page = next, .has_page = next.len > 0 };
    struct rendering r = { .connector = connector,
                           .auth = &connector->poll.auth,
                           .state = &state,
                           .arena = arena,
                           .err = err };
    struct rendered_request request = { .method = bare.method };
    struct buf url = { 0 };
    r.scope = (struct template_scope){ .lookup = request_look_up, .arg = &r };
    enum status status = STATUS_OK;
    if (is_link) {
        buf_append(&url, next);
        status = request_add_auth_query(&r, &url);
    } else {
        status = first_page(&r, failed, &url);
    }
    if (status != STATUS_OK) {
        buf_fini(&url);
        return status;
    }
    status = request_fill(&r, &bare, &url, &request);
    if (status == STATUS_OK) {
        request.fields = (struct http_fields){ r.fields, r.field_count };
        *ret_request = request;
    }
    return status;
}

/* ---- its rows ---- */

static bool
meets(const struct failed_spec *failed, struct slice row)
{
    for (size_t i = 0; i < failed->where_count; i++) {
        const struct failed_where *where = &failed->where[i];
        struct slice value;
        const bool is_equal = json_path_first(where->path, row, &value) &&
                              json_means(value, where->text);
        if (is_equal == where->negated) {
            return false;
        }
    }
    return true;
}

static enum status
name_row(const struct connector *connector, struct slice row,
         struct arena *arena, struct slice *ret_id)
{
    const struct template *id = connector->recover.list_failed.id != NULL
                                    ? connector->recover.list_failed.id
                                    : connector->poll.record.id;
    const struct scope scope = { .connector = connector, .item = row };
    *ret_id = slice_of("");
    if (id == NULL) {
        return STATUS_OK;
    }
    enum status status = scope_eval(&scope, id, arena, ret_id, NULL);
    return status == STATUS_NOMEM ? status : STATUS_OK;
}

/* Keeps those of `rows` that failed. */
static enum status
choose(const struct connector *connector, const struct slice *rows,
       size_t count, struct arena *arena, struct failed_page *page)
{
    const struct failed_spec *failed = &connector->recover.list_failed;
    enum status status = STATUS_OK;
    page->rows = arena_array(arena, count + 1, sizeof(*page->rows));
    if (page->rows == NULL) {
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (meets(failed, rows[i])) {
            struct failed_row *row = &page->rows[page->count++];
            row->row = rows[i];
            status = name_row(connector, rows[i], arena, &row->id);
        }
    }
    return status;
}

/* Finds what names the next page. Some lists name one behind the last. */
static enum status
find_next(const struct connector *connector, const struct failed_answer *answer,
          const struct page *page, struct arena *arena, struct slice *ret_next,
          struct error *err)
{
    if (page->row_count == 0) {
        return STATUS_OK;
    }
    if (has_tokens(connector)) {
        const struct walk_state state = { 0 };
        const struct walk_answer seen = { .url = answer->url,
                                          .status = 200,
                                          .fields = answer->fields,
                                          .page = page };
        struct walk_paging next;
        enum status status =
            walk_paging_next(connector, &state, &seen, arena, &next, err);
        if (status == STATUS_OK && next.kind == WALK_PAGING_PAGE) {
            *ret_next = next.text;
        }
        return status;
    }
    const struct next_page_answer last = { answer->fields, page->body,
                                           answer->url };
    return next_page_find(connector->recover.list_failed.next, &last, arena,
                          ret_next, err);
}

enum status
failed_read(const struct connector *connector,
            const struct failed_answer *answer, struct arena *arena,
            struct failed_page *ret_page, struct error *err)
{
    const struct failed_spec *failed = &connector->recover.list_failed;
    const struct json_path *items =
        failed->items != NULL ? failed->items : connector->poll.items;
    struct page page = { .body = { NULL, 0 } };
    *ret_page = (struct failed_page){ 0 };
    if (json_check(answer->body, JSON_DEPTH_DEFAULT, err) != STATUS_OK) {
        return error_wrap(err, STATUS_PROTOCOL, "the answer is not JSON");
    }
    enum status status = arena_copy(arena, answer->body, &page.body);
    if (status == STATUS_OK) {
        status =
            scope_rows(items, page.body, arena, &page.rows, &page.row_count);
    }
    if (status == STATUS_NOT_FOUND) {
        return error_set(err, STATUS_PROTOCOL, "there is nothing at '%.*s'",
                         SLICE_ARG(json_path_source(items)));
    }
    if (status == STATUS_OK) {
        status = choose(connector, page.rows, page.row_count, arena, ret_page);
    }
    if (status != STATUS_OK) {
        return error_set(err, status, "%s", status_text(status));
    }
    return find_next(connector, answer, &page, arena, &ret_page->next, err);
}

enum status
failed_again(const struct connector *connector, const struct failed_row *row,
             struct arena *arena, struct rendered_request *ret_request,
             struct error *err)
{
    const struct event event = { .id = row->id,
                                 .via = CHANNEL_POLL,
                                 .needs = NEEDS_HOOK,
                                 .body = row->row };
    return request_for_event(connector, &connector->recover.redeliver, &event,
                             arena, ret_request, err);
}

enum status
failed_since(const struct connector *connector, const struct request_span *span,
             struct arena *arena, struct rendered_request *ret_request,
             struct error *err)
{
    return request_for_span(connector, &connector->recover.redeliver, span,
                            arena, ret_request, err);
}
