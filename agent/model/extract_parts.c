/* SPDX-License-Identifier: MIT */
#include "model/extract_parts.h"

#include "model/scope.h"
#include "wire/cloudevents_read.h"
#include "wire/json.h"

static enum status
one_element(struct slice element, struct arena *arena,
            struct slice **ret_elements, size_t *ret_count, struct error *err)
{
    *ret_elements = arena_array(arena, 1, sizeof(**ret_elements));
    if (*ret_elements == NULL) {
        return error_set(err, STATUS_NOMEM, "out of memory");
    }
    (*ret_elements)[0] = element;
    *ret_count = 1;
    return STATUS_OK;
}

static enum status
check_count(const struct event_spec *event, struct slice place, size_t count,
            struct error *err)
{
    return event->max_batch > 0 && count > (size_t)event->max_batch
               ? error_set(err, STATUS_INVALID,
                           "%zu events at '%.*s', and event.max_batch allows "
                           "%lld",
                           count, SLICE_ARG(place), (long long)event->max_batch)
               : STATUS_OK;
}

/* The elements of the batch, or the whole body. */
static enum status
find_elements(const struct connector *connector, const struct inbound *request,
              struct arena *arena, struct slice **ret_elements,
              size_t *ret_count, struct error *err)
{
    const struct event_spec *event = &connector->event;
    if (event->split == NULL) {
        return one_element(request->body, arena, ret_elements, ret_count, err);
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
    if (status == STATUS_OK && json_path_misses(event->split, request->body)) {
        return error_set(err, STATUS_INVALID,
                         "an element has nothing at '%.*s'", SLICE_ARG(place));
    }
    return status == STATUS_OK
               ? check_count(event, place, *ret_count, err)
               : error_set(err, status, "%s", status_text(status));
}

/* ---- CloudEvents ---- */

static enum status
take_batch(const struct connector *connector, struct slice body,
           struct arena *arena, struct slice **ret_elements, size_t *ret_count,
           struct error *err)
{
    const struct json_path *every = NULL;
    if (json_type(body) != JSON_ARRAY) {
        return error_set(err, STATUS_INVALID, "a batch is a JSON array");
    }
    enum status status =
        json_path_compile(slice_of("$[*]"), arena, &every, err);
    if (status == STATUS_OK) {
        status = scope_rows(every, body, arena, ret_elements, ret_count);
    }
    return status == STATUS_OK
               ? check_count(&connector->event, slice_of("$[*]"), *ret_count,
                             err)
               : error_set(err, status, "%s", status_text(status));
}

static enum status
take_binary(const struct inbound *request, struct arena *arena,
            struct slice **ret_elements, size_t *ret_count, struct error *err)
{
    struct buf text = { 0 };
    struct slice event = { NULL, 0 };
    enum status status =
        cloudevents_from_fields(request->fields, request->body, &text, err);
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&text), &event);
    }
    buf_fini(&text);
    if (status == STATUS_NOMEM) {
        return error_set(err, status, "out of memory");
    }
    return status == STATUS_OK
               ? one_element(event, arena, ret_elements, ret_count, err)
               : status;
}

static enum status
find_cloudevents(const struct connector *connector,
                 const struct inbound *request, struct arena *arena,
                 struct slice **ret_elements, size_t *ret_count,
                 struct error *err)
{
    struct slice content_type = { NULL, 0 };
    (void)http_field_find(request->fields, "content-type", &content_type);
    const enum cloudevents_mode mode = cloudevents_mode_of(content_type);
    if (mode == CLOUDEVENTS_UNKNOWN) {
        return error_set(err, STATUS_INVALID,
                         "'%.*s' is no form of CloudEvents that is read here: "
                         "send JSON, or binary mode",
                         SLICE_ARG(content_type));
    }
    if (mode == CLOUDEVENTS_BINARY) {
        return take_binary(request, arena, ret_elements, ret_count, err);
    }
    enum status status = json_check(request->body, JSON_DEPTH_DEFAULT, err);
    if (status != STATUS_OK) {
        return status;
    }
    return mode == CLOUDEVENTS_BATCH
               ? take_batch(connector, request->body, arena, ret_elements,
                            ret_count, err)
               : one_element(request->body, arena, ret_elements, ret_count,
                             err);
}

static enum status
check_cloudevents(const struct slice *elements, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        enum status status = cloudevents_check(elements[i], err);
        if (status != STATUS_OK) {
            return count > 1 ? error_wrap(err, status, "event %zu", i + 1)
                             : status;
        }
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

/* Finds the elements, in whichever format they come. */
static enum status
find_all(const struct connector *connector, const struct inbound *request,
         struct arena *arena, struct slice **ret_elements, size_t *ret_count,
         struct error *err)
{
    if (connector->event.format == EVENT_FORMAT_OWN) {
        return find_elements(connector, request, arena, ret_elements, ret_count,
                             err);
    }
    enum status status = find_cloudevents(connector, request, arena,
                                          ret_elements, ret_count, err);
    return status == STATUS_OK
               ? check_cloudevents(*ret_elements, *ret_count, err)
               : status;
}

enum status
extract_parts(const struct connector *connector, const struct inbound *request,
              int64_t now_ms, struct arena *arena, struct part **ret_parts,
              size_t *ret_count, struct error *err)
{
    const bool is_checked = connector->event.split != NULL ||
                            connector->event.format == EVENT_FORMAT_CLOUDEVENTS;
    struct slice content_type = { NULL, 0 };
    struct slice *elements = NULL;
    size_t count = 0;
    enum status status =
        find_all(connector, request, arena, &elements, &count, err);
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
        part->element = is_checked ? slice_trim(elements[i]) : elements[i];
        part->body = part->element;
        part->content_type = content_type;
        part->item = (struct slice){ NULL, 0 };
        if (is_checked || request->body_is_json) {
            part->item = elements[i];
        }
        if (connector->event.split_feed) {
            part->content_type = slice_of("application/json");
        }
        if (connector->event.body != NULL) {
            status = choose_body(connector, request, now_ms, arena, part, err);
        }
    }
    *ret_parts = parts;
    *ret_count = count;
    return status;
}
