/* SPDX-License-Identifier: MIT */
#include "model/extract_parts.h"

#include "model/scope.h"
#include "wire/json.h"

/* The elements of the batch, or the whole body. */
static enum status
find_elements(const struct connector *connector, const struct inbound *request,
              struct arena *arena, struct slice **ret_elements,
              size_t *ret_count, struct error *err)
{
    const struct event_spec *event = &connector->event;
    if (event->split == NULL) {
        *ret_elements = arena_array(arena, 1, sizeof(**ret_elements));
        if (*ret_elements == NULL) {
            return error_set(err, STATUS_NOMEM, "out of memory");
        }
        (*ret_elements)[0] = request->body;
        *ret_count = 1;
        return STATUS_OK;
    }
    const struct slice place = json_path_source(event->split);
    enum status status = STATUS_NOT_FOUND;
    if (request->body_is_json) {
        status = scope_rows(event->split, request->body, arena, ret_elements,
                            ret_count);
    }
    if (status == STATUS_NOT_FOUND) {
        return error_set(err, STATUS_INVALID, "there are no events at '%.*s'",
                         SLICE_ARG(place));
    }
    if (status != STATUS_OK) {
        return error_set(err, status, "%s", status_text(status));
    }
    if (event->max_batch > 0 && *ret_count > (size_t)event->max_batch) {
        return error_set(err, STATUS_INVALID,
                         "%zu events at '%.*s', and event.max_batch allows "
                         "%lld",
                         *ret_count, SLICE_ARG(place),
                         (long long)event->max_batch);
    }
    return STATUS_OK;
}

/* Puts what `event.body` names in the place of the whole element. */
static enum status
choose_body(const struct connector *connector, const struct inbound *request,
            int64_t now_ms, struct arena *arena, struct part *part,
            struct error *err)
{
    const struct template *body = connector->event.body;
    const struct scope scope = { .connector = connector,
                                 .request = request,
                                 .item = part->item,
                                 .now_ms = now_ms };
    struct slice text = { NULL, 0 };
    enum status status = scope_eval(&scope, body, arena, &text, NULL);
    if (status == STATUS_NOMEM) {
        return error_set(err, status, "out of memory");
    }
    if (status != STATUS_OK) {
        const struct slice place = template_source(body);
        return error_set(err, STATUS_INVALID,
                         "there is no body at '%.*s' (event.body)",
                         SLICE_ARG(place));
    }
    if (text.ptr == part->body.ptr) {
        return STATUS_OK; /* all of it after all */
    }
    const bool is_json =
        json_check(text, JSON_DEPTH_DEFAULT, NULL) == STATUS_OK;
    part->body = is_json ? slice_trim(text) : text;
    part->item = is_json ? part->body : (struct slice){ NULL, 0 };
    part->content_type = slice_of(is_json ? "application/json" : "text/plain");
    return STATUS_OK;
}

enum status
extract_parts(const struct connector *connector, const struct inbound *request,
              int64_t now_ms, struct arena *arena, struct part **ret_parts,
              size_t *ret_count, struct error *err)
{
    const bool is_batch = connector->event.split != NULL;
    struct slice content_type = { NULL, 0 };
    struct slice *elements = NULL;
    size_t count = 0;
    enum status status =
        find_elements(connector, request, arena, &elements, &count, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct part *parts = arena_array(arena, count + 1, sizeof(*parts));
    if (parts == NULL) {
        return error_set(err, STATUS_NOMEM, "out of memory");
    }
    (void)http_field_find(request->fields, "content-type", &content_type);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        struct part *part = &parts[i];
        part->element = is_batch ? slice_trim(elements[i]) : elements[i];
        part->body = part->element;
        part->content_type = content_type;
        part->item = (struct slice){ NULL, 0 };
        if (is_batch || request->body_is_json) {
            part->item = elements[i];
        }
        if (connector->event.body != NULL) {
            status = choose_body(connector, request, now_ms, arena, part, err);
        }
    }
    *ret_parts = parts;
    *ret_count = count;
    return status;
}
