/* SPDX-License-Identifier: MIT */
#include "model/scope.h"

#include <string.h>

#include "model/pattern.h"
#include "wire/json.h"
#include "wire/url.h"

typedef enum status find_fn(const struct scope *scope,
                            const struct template_ref *ref, struct arena *arena,
                            struct slice *ret_value);

static enum status
find_body(const struct scope *scope, const struct template_ref *ref,
          struct arena *arena, struct slice *ret_value)
{
    (void)ref;
    (void)arena;
    if (scope->request == NULL) {
        return STATUS_NOT_FOUND;
    }
    *ret_value = scope->request->body;
    return STATUS_OK;
}

static enum status
find_method(const struct scope *scope, const struct template_ref *ref,
            struct arena *arena, struct slice *ret_value)
{
    (void)ref;
    (void)arena;
    if (scope->request == NULL) {
        return STATUS_NOT_FOUND;
    }
    *ret_value = scope->request->method;
    return STATUS_OK;
}

/* The URL as the provider knows it, never rebuilt from Host: a signature over
 * it would otherwise cover what the sender of the request chose. */
static enum status
find_url(const struct scope *scope, const struct template_ref *ref,
         struct arena *arena, struct slice *ret_value)
{
    (void)ref;
    const struct slice base = scope->connector->public_url;
    if (scope->request == NULL || base.len == 0) {
        return STATUS_NOT_FOUND;
    }
    const struct slice query = scope->request->query;
    if (query.len == 0) {
        *ret_value = base;
        return STATUS_OK;
    }
    const size_t len = base.len + 1 + query.len;
    char *url = arena_alloc(arena, len);
    if (url == NULL) {
        return STATUS_NOMEM;
    }
    memcpy(url, base.ptr, base.len);
    url[base.len] = '?';
    memcpy(url + base.len + 1, query.ptr, query.len);
    *ret_value = (struct slice){ url, len };
    return STATUS_OK;
}

static enum status
find_header(const struct scope *scope, const struct template_ref *ref,
            struct arena *arena, struct slice *ret_value)
{
    (void)arena;
    return scope->request != NULL &&
                   http_field_find_slice(scope->request->fields, ref->name,
                                         ret_value)
               ? STATUS_OK
               : STATUS_NOT_FOUND;
}

static enum status
find_query(const struct scope *scope, const struct template_ref *ref,
           struct arena *arena, struct slice *ret_value)
{
    return scope->request == NULL
               ? STATUS_NOT_FOUND
               : url_query_value(scope->request->query, ref->name, arena,
                                 ret_value);
}

static enum status
find_form(const struct scope *scope, const struct template_ref *ref,
          struct arena *arena, struct slice *ret_value)
{
    if (ref->name.len == 0) {
        return find_body(scope, ref, arena, ret_value);
    }
    return scope->request == NULL || scope->request->body_is_json
               ? STATUS_NOT_FOUND
               : url_query_value(scope->request->body, ref->name, arena,
                                 ret_value);
}

/* null is nothing: `json:id ?? header:X` must go on to the header. */
static enum status
find_path(const struct json_path *path, struct slice text, struct arena *arena,
          struct slice *ret_value)
{
    struct slice value;
    if (path == NULL || text.len == 0 || !json_path_first(path, text, &value) ||
        json_type(value) == JSON_NULL) {
        return STATUS_NOT_FOUND;
    }
    return json_text(value, arena, ret_value);
}

static enum status
find_json(const struct scope *scope, const struct template_ref *ref,
          struct arena *arena, struct slice *ret_value)
{
    return scope->request == NULL || !scope->request->body_is_json
               ? STATUS_NOT_FOUND
               : find_path(ref->path, scope->request->body, arena, ret_value);
}

static enum status
find_item(const struct scope *scope, const struct template_ref *ref,
          struct arena *arena, struct slice *ret_value)
{
    return find_path(ref->path, scope->item, arena, ret_value);
}

/* A named element beside the signature, as received: never parsed and printed
 * again. The first of that name counts. */
static enum status
find_sig(const struct scope *scope, const struct template_ref *ref,
         struct arena *arena, struct slice *ret_value)
{
    (void)arena;
    struct slice rest = scope->signature;
    struct slice part = rest;
    while (scope->kv != 0 && rest.ptr != NULL) {
        if (scope->split == 0) {
            rest.ptr = NULL;
        } else if (!slice_split(&rest, scope->split, &part)) {
            break;
        }
        if (scope->trim) {
            part = slice_trim(part);
        }
        const size_t at = slice_find(part, scope->kv);
        if (at != SIZE_MAX && slice_equal(slice_first(part, at), ref->name)) {
            *ret_value = slice_from(part, at + 1);
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}

static enum status
find_param(const struct scope *scope, const struct template_ref *ref,
           struct arena *arena, struct slice *ret_value)
{
    (void)arena;
    const struct connector_param *param =
        connector_param_find(scope->connector, ref->name);
    if (param == NULL || param->count == 0) {
        return STATUS_NOT_FOUND;
    }
    *ret_value = param->values[0];
    return STATUS_OK;
}

static enum status
find_secret(const struct scope *scope, const struct template_ref *ref,
            struct arena *arena, struct slice *ret_value)
{
    if (ref->name.len > 0) {
        return find_param(scope, ref, arena, ret_value);
    }
    if (scope->secret.len == 0) {
        return STATUS_NOT_FOUND;
    }
    *ret_value = scope->secret;
    return STATUS_OK;
}

static enum status
find_now(const struct scope *scope, const struct template_ref *ref,
         struct arena *arena, struct slice *ret_value)
{
    (void)ref;
    struct buf text = { 0 };
    buf_i64(&text, scope->now_ms);
    enum status status = buf_status(&text);
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&text), ret_value);
    }
    buf_fini(&text);
    return status;
}

static const struct {
    const char *kind;
    find_fn *find;
} finders[] = {
    { "body", find_body },     { "json", find_json },     { "item", find_item },
    { "header", find_header }, { "sig", find_sig },       { "url", find_url },
    { "query", find_query },   { "method", find_method }, { "form", find_form },
    { "var", find_param },     { "secret", find_secret }, { "now", find_now },
};

static enum status
lookup(void *arg, const struct template_ref *ref, struct arena *arena,
       struct slice *ret_value)
{
    const struct scope *scope = arg;
    for (size_t i = 0; i < sizeof(finders) / sizeof(finders[0]); i++) {
        if (slice_equal_text(ref->kind, finders[i].kind)) {
            return finders[i].find(scope, ref, arena, ret_value);
        }
    }
    return STATUS_NOT_FOUND;
}

enum status
scope_find(const struct scope *scope, const struct template_ref *ref,
           struct arena *arena, struct slice *ret_value)
{
    struct scope copy = *scope;
    return lookup(&copy, ref, arena, ret_value);
}

enum status
scope_eval(const struct scope *scope, const struct template *t,
           struct arena *arena, struct slice *ret_text, size_t *ret_choice)
{
    struct scope copy = *scope;
    const struct template_scope view = { lookup, &copy, scope->secret };
    return template_eval(t, &view, arena, ret_text, ret_choice);
}

enum status
scope_parts(const struct scope *scope, const struct template *t,
            struct arena *arena, struct slice parts[TEMPLATE_PARTS_MAX],
            size_t *ret_count)
{
    struct scope copy = *scope;
    const struct template_scope view = { lookup, &copy, scope->secret };
    return template_parts(t, &view, arena, parts, ret_count);
}

enum status
scope_conditions(const struct scope *scope, const struct conditions *conditions,
                 struct arena *arena, bool *ret_hold)
{
    bool hold = true;
    for (size_t i = 0; hold && i < conditions->count; i++) {
        const struct condition *condition = &conditions->at[i];
        struct slice value = { NULL, 0 };
        enum status status =
            scope_eval(scope, condition->x, arena, &value, NULL);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
            return status;
        }
        const bool found = status == STATUS_OK;
        if (condition->test == CONDITION_PRESENT) {
            hold = found == condition->present;
        } else if (!found) {
            hold = false;
        } else if (condition->test == CONDITION_EQUALS) {
            hold = slice_equal(value, condition->equals);
        } else {
            status = pattern_find(condition->regex, value, arena, &hold);
            if (status != STATUS_OK) {
                return status;
            }
        }
    }
    *ret_hold = hold;
    return STATUS_OK;
}

static bool
take_row(void *arg, struct slice value)
{
    struct buf *rows = arg;
    buf_append(rows, (struct slice){ (const char *)&value, sizeof(value) });
    return buf_status(rows) == STATUS_OK;
}

enum status
scope_rows(const struct json_path *path, struct slice text, struct arena *arena,
           struct slice **ret_rows, size_t *ret_count)
{
    /* Gathered aside: to count them first would read the whole page again. */
    struct buf rows = { 0 };
    bool exists = json_path_each(path, text, take_row, &rows);
    enum status status = buf_status(&rows);
    size_t count = rows.len / sizeof(struct slice);
    if (status == STATUS_OK && exists) {
        *ret_rows = arena_array(arena, count + 1, sizeof(**ret_rows));
        *ret_count = count;
        if (*ret_rows == NULL) {
            status = STATUS_NOMEM;
        } else if (count > 0) {
            memcpy(*ret_rows, rows.ptr, rows.len);
        }
    }
    buf_fini(&rows);
    return status == STATUS_OK && !exists ? STATUS_NOT_FOUND : status;
}
