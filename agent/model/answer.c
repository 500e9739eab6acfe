/* SPDX-License-Identifier: MIT */
#include "model/answer.h"

#include "model/scope.h"
#include "wire/json.h"

/* What says nothing is as good as absent. */
static enum status
said(enum status status, struct slice text, struct slice *ret_text)
{
    if (status != STATUS_OK) {
        return status == STATUS_NOMEM ? status : STATUS_NOT_FOUND;
    }
    text = slice_trim(text);
    if (text.len == 0) {
        return STATUS_NOT_FOUND;
    }
    *ret_text = text;
    return STATUS_OK;
}

enum status
answer_at(const struct json_path *path, struct slice value, struct arena *arena,
          struct slice *ret_text)
{
    struct slice found;
    struct slice text = { NULL, 0 };
    if (path == NULL || value.len == 0 ||
        !json_path_first(path, value, &found)) {
        return STATUS_NOT_FOUND;
    }
    enum json_type type = json_type(found);
    if (type == JSON_NULL || type == JSON_OBJECT || type == JSON_ARRAY) {
        return STATUS_NOT_FOUND;
    }
    enum status status = json_text(found, arena, &text);
    return said(status, text, ret_text);
}

bool
answer_truth(const struct json_path *path, struct slice value)
{
    struct slice found;
    if (value.len == 0 || !json_path_first(path, value, &found)) {
        return false;
    }
    found = slice_trim(found);
    enum json_type type = json_type(found);
    return type != JSON_NULL && type != JSON_FALSE &&
           !slice_equal_text(found, "0") && !slice_equal_text(found, "\"\"");
}

enum status
answer_text(const struct template *t, const struct answer_view *view,
            struct arena *arena, struct slice *ret_text)
{
    struct inbound inbound = { .fields = view->fields,
                               .body = view->body,
                               .body_is_json = view->body.len > 0 };
    struct scope scope = { .request = &inbound, .item = view->row };
    struct slice text = { NULL, 0 };
    if (t == NULL) {
        return STATUS_NOT_FOUND;
    }
    enum status status = scope_eval(&scope, t, arena, &text, NULL);
    if (status == STATUS_NOT_FOUND) {
        /* A bare path was meant for the row, or for the whole answer. */
        scope.item = view->body;
        status = scope_eval(&scope, t, arena, &text, NULL);
    }
    return said(status, text, ret_text);
}
