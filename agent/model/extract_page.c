/* SPDX-License-Identifier: MIT */
/* The rows of an answer, and of the file that an answer names. */
#include "model/extract.h"

#include "model/extract_feed.h"
#include "model/fail_when.h"
#include "model/scope.h"
#include "wire/json.h"
#include "wire/json_outline.h"

/* Says what there is instead: a name may only be misspelt. */
static enum status
no_list(const struct json_path *items, struct slice text, struct error *err)
{
    struct buf instead = { 0 };
    json_outline(text, &instead);
    const enum status status = error_set(
        err, STATUS_PROTOCOL, "there is no list at '%.*s': the answer is %.*s",
        SLICE_ARG(json_path_source(items)), SLICE_ARG(buf_slice(&instead)));
    buf_fini(&instead);
    return status;
}

static enum status
find_rows(const struct connector *connector, struct slice text,
          struct arena *arena, struct page *page, struct error *err)
{
    const struct json_path *items = connector->poll.items;
    enum status status =
        scope_rows(items, text, arena, &page->rows, &page->row_count);
    if (status == STATUS_NOT_FOUND && connector->poll.items_optional &&
        json_type(text) == JSON_OBJECT) {
        page->row_count = 0;
        return STATUS_OK;
    }
    if (status == STATUS_NOT_FOUND) {
        return no_list(items, text, err);
    }
    return status == STATUS_OK
               ? status
               : error_set(err, status, "%s", status_text(status));
}

enum status
extract_page(const struct connector *connector, struct slice body,
             struct http_fields fields, struct arena *arena,
             struct page *ret_page, struct error *err)
{
    const struct poll_spec *poll = &connector->poll;
    if (poll->items_in_feed) {
        const enum status read = extract_feed(body, arena, &body, err);
        if (read != STATUS_OK) {
            return error_wrap(err,
                              read == STATUS_NOMEM ? read : STATUS_PROTOCOL,
                              "the answer is no feed");
        }
    } else if (json_check(body, JSON_DEPTH_DEFAULT, err) != STATUS_OK) {
        return error_wrap(err, STATUS_PROTOCOL, "the answer is not JSON");
    }
    enum status status = fail_when_says(connector, body, fields, arena, err);
    struct page page = { .body = body };
    if (status == STATUS_OK && poll->indirect.url == NULL) {
        status = find_rows(connector, body, arena, &page, err);
    }
    *ret_page = page;
    return status;
}

enum status
extract_file(const struct connector *connector, struct slice file,
             struct arena *arena, struct page *page, struct error *err)
{
    if (json_check(file, JSON_DEPTH_DEFAULT, err) != STATUS_OK) {
        return error_wrap(err, STATUS_PROTOCOL, "the file is not JSON");
    }
    return find_rows(connector, file, arena, page, err);
}
