/* SPDX-License-Identifier: MIT */
#include "model/extract.h"

#include <string.h>

#include "base/utf8.h"
#include "model/extract_cover.h"
#include "model/extract_feed.h"
#include "model/extract_fields.h"
#include "model/extract_parts.h"
#include "model/fetch.h"
#include "model/identity.h"
#include "model/scope.h"
#include "wire/json.h"
#include "wire/json_outline.h"

/* One event being read. */
struct reading {
    struct scope scope;
    struct arena *arena;
    struct error *err;
};

/* An event's type where the provider names none: CloudEvents wants one. */
static const struct slice no_type = SLICE("unknown");

/* Evaluates what may be missing. */
static enum status
eval_optional(struct reading *reading, const struct template *t,
              struct slice *ret_text, bool *ret_found)
{
    *ret_found = false;
    if (t == NULL) {
        return STATUS_OK;
    }
    enum status status =
        scope_eval(&reading->scope, t, reading->arena, ret_text, NULL);
    if (status == STATUS_NOMEM) {
        return status;
    }
    *ret_found = status == STATUS_OK && ret_text->len > 0;
    return STATUS_OK;
}

/* Ids and types go into environments and fields: what cannot stand there as it
 * is would be cut short or changed on the way. */
static enum status
check_name(struct reading *reading, const char *what, struct slice source,
           struct slice text)
{
    const int64_t most = reading->scope.connector->event.max_id;
    if (most > 0 && text.len > (size_t)most) {
        return error_set(reading->err, STATUS_INVALID,
                         "the %s at '%.*s' has %zu bytes, and event.max_id "
                         "allows %lld",
                         what, SLICE_ARG(source), text.len, (long long)most);
    }
    if (slice_find(text, '\0') != SIZE_MAX) {
        return error_set(reading->err, STATUS_INVALID,
                         "the %s at '%.*s' has a NUL in it", what,
                         SLICE_ARG(source));
    }
    if (!utf8_valid(text)) {
        return error_set(reading->err, STATUS_INVALID,
                         "the %s at '%.*s' is not UTF-8", what,
                         SLICE_ARG(source));
    }
    return STATUS_OK;
}

/* Which places of the row are not there, and what is. */
static void
add_missing(const struct template *t, struct slice row, struct buf *into)
{
    const struct template_ref *ref;
    size_t count = 0;
    for (size_t i = 0; (ref = template_ref_at(t, SIZE_MAX, i)) != NULL; i++) {
        struct slice found;
        if (ref->path != NULL && !json_path_first(ref->path, row, &found)) {
            buf_format(into, "%s'%.*s'", count++ == 0 ? "" : ", ",
                       SLICE_ARG(ref->name));
        }
    }
    if (count > 0) {
        buf_text(into, count == 1 ? " is not in " : " are not in ");
        json_outline(row, into);
    } else {
        buf_text(into, "it is there, and empty or not what its filter reads");
    }
}

static enum status
refuse_row(struct reading *reading, const struct template *t)
{
    struct buf words = { 0 };
    add_missing(t, reading->scope.item, &words);
    const enum status status = error_set(
        reading->err, STATUS_INVALID, "there is nothing at '%.*s'%s%.*s",
        SLICE_ARG(template_source(t)), words.len == 0 ? "" : ": ",
        SLICE_ARG(buf_slice(&words)));
    buf_fini(&words);
    return status;
}

/* There is nothing at a place: because it is absent, or because the body that
 * it looks into is no JSON. */
static enum status
refuse_absent(struct reading *reading, const struct template *t)
{
    const struct inbound *request = reading->scope.request;
    const struct slice source =
        t == NULL ? (struct slice){ "id", 2 } : template_source(t);
    struct error why = { "" };
    if (reading->scope.item.len > 0 && template_names(t, "item")) {
        return refuse_row(reading, t);
    }
    if (request != NULL && !request->body_is_json &&
        template_names(t, "json") &&
        json_check(request->body, JSON_DEPTH_DEFAULT, &why) != STATUS_OK) {
        return error_set(reading->err, STATUS_INVALID,
                         "there is nothing at '%.*s': the body is %s",
                         SLICE_ARG(source), why.text);
    }
    return error_set(reading->err, STATUS_INVALID, "there is nothing at '%.*s'",
                     SLICE_ARG(source));
}

/* Evaluates what identifies: absent, or empty, is an error with words. */
static enum status
eval_id(struct reading *reading, const struct template *t,
        struct slice *ret_text, size_t *ret_choice)
{
    enum status status = STATUS_NOT_FOUND;
    if (t != NULL) {
        status = scope_eval(&reading->scope, t, reading->arena, ret_text,
                            ret_choice);
    }
    if (status == STATUS_NOMEM) {
        return error_set(reading->err, status, "out of memory");
    }
    if (status != STATUS_OK || ret_text->len == 0) {
        return refuse_absent(reading, t);
    }
    return STATUS_OK;
}

/* Reads a time: 0 and false where there is none that can be read. */
static enum status
eval_time(struct reading *reading, const struct template *t, enum timefmt unit,
          int64_t *ret_ms, bool *ret_found)
{
    struct slice text;
    enum status status = eval_optional(reading, t, &text, ret_found);
    *ret_ms = 0;
    if (status == STATUS_OK && *ret_found) {
        *ret_found = timefmt_read(unit, text, ret_ms) == STATUS_OK;
    }
    return status;
}

/* The time of a key, or -1: the bucket of receipt. */
static enum status
eval_key_time(struct reading *reading, const struct template *t,
              enum timefmt unit, int64_t *ret_ms)
{
    bool found;
    enum status status = eval_time(reading, t, unit, ret_ms, &found);
    if (!found || *ret_ms < 0) {
        *ret_ms = -1;
    }
    return status;
}

/* ---- webhooks ---- */

/* Whether rows of this connector may be what a webhook of this type says. */
static bool
covered_by_row(const struct connector *connector, struct slice type)
{
    const struct record_spec *record = &connector->poll.record;
    struct slice literal;
    if (connector->match.mode != MATCH_STATE ||
        connector_is_unlisted(connector, type)) {
        return false;
    }
    for (size_t i = 0; i < record->stands_for_count; i++) {
        if (glob_match(record->stands_for[i], type)) {
            return true;
        }
    }
    if (record->type == NULL) {
        return false;
    }
    if (!template_is_literal(record->type, &literal)) {
        /* A bare word is a path or, where rows have no such place, a text. */
        literal = template_source(record->type);
    }
    return slice_equal(literal, type);
}

/* Whether a row may be the fact of this webhook. A connector that lists what
 * its rows stand for says of all other types that they are something else: a
 * pet must not make the order of the same number known, nor an order that was
 * changed the same order that was deleted. */
static bool
shares_rows(const struct connector *connector, const struct sighting *sighting)
{
    return connector->match.mode == MATCH_STATE &&
           !connector_is_unlisted(connector, sighting->type) &&
           (sighting->covered_by_row ||
            connector->poll.record.stands_for_count == 0);
}

/* Adds the key of the object's version. Absent: the webhook has its id only. */
static enum status
add_state_key(struct reading *reading, const struct template *key,
              const struct template *time, struct sighting *sighting)
{
    const struct connector *connector = reading->scope.connector;
    struct slice text;
    bool found;
    int64_t key_ms;
    enum status status = eval_optional(reading, key, &text, &found);
    if (status != STATUS_OK || !found) {
        return status;
    }
    status = eval_key_time(reading, time, connector->match.time_unit, &key_ms);
    return status == STATUS_OK
               ? identity_add(connector, sighting, KEY_STATE, text, key_ms)
               : status;
}

/* The bytes, and in front of them a stamp that is not among them. */
static enum status
stamped_bytes(struct reading *reading, struct slice stamp, struct slice body,
              struct slice *ret_text)
{
    struct buf text = { 0 };
    buf_append(&text, stamp);
    buf_byte(&text, '\n');
    buf_append(&text, body);
    enum status status = buf_status(&text);
    if (status == STATUS_OK) {
        status = arena_copy(reading->arena, buf_slice(&text), ret_text);
    }
    buf_fini(&text);
    return status;
}

/* Twilio signs the fields of a form in order of their names: the same fields in
 * another order are other bytes under the same signature, so what is signed
 * identifies, not how it was written. */
static enum status
signed_bytes(struct reading *reading, const struct verify_rule *rule,
             struct slice element, struct slice *ret_bytes)
{
    static const char *const kinds[] = { "form", NULL };
    const struct template *sorted = NULL;
    *ret_bytes = element;
    for (size_t i = 0; i < rule->signed_count; i++) {
        if (slice_find_slice(template_source(rule->signed_texts[i]),
                             slice_of("{form|sorted}")) == SIZE_MAX) {
            return STATUS_OK;
        }
    }
    if (rule->signed_count == 0) {
        return STATUS_OK;
    }
    enum status status =
        template_compile(slice_of("{form|sorted}"), TEMPLATE_BARE_SOURCE, kinds,
                         reading->arena, &sorted, reading->err);
    return status == STATUS_OK ? scope_eval(&reading->scope, sorted,
                                            reading->arena, ret_bytes, NULL)
                               : status;
}

/* Where the id is not signed, the signed bytes identify the webhook, if there
 * is something inside that makes them unique. Shopify sends the same bytes
 * for orders/create and orders/paid: there the stamp names the topic too. */
static enum status
add_body_key(struct reading *reading, const struct verify_rule *rule,
             size_t choice, struct slice element, struct sighting *sighting)
{
    const struct event_spec *event = &reading->scope.connector->event;
    struct slice stamp;
    struct slice bytes;
    size_t stamp_choice = 0;
    if (event->stamp == NULL ||
        extract_cover_template(rule, event->body, event->id, choice) ||
        !extract_cover_body(rule)) {
        return STATUS_OK;
    }
    enum status status = scope_eval(&reading->scope, event->stamp,
                                    reading->arena, &stamp, &stamp_choice);
    if (status == STATUS_NOMEM) {
        return status;
    }
    if (status != STATUS_OK || stamp.len == 0) {
        return STATUS_OK;
    }
    status = signed_bytes(reading, rule, element, &bytes);
    if (status != STATUS_OK) {
        return status;
    }
    if (!extract_cover_template(rule, event->body, event->stamp,
                                stamp_choice)) {
        status = stamped_bytes(reading, stamp, bytes, &bytes);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return identity_add(reading->scope.connector, sighting, KEY_BODY, bytes,
                        -1);
}

/* Where a signature covers nothing of the event (Mailgun), what it covers
 * stands for the whole request: signed once, it is believed once. */
static enum status
add_replay_key(struct reading *reading, struct sighting *sighting)
{
    const struct connector *connector = reading->scope.connector;
    struct slice text;
    if (connector->event.replay_key == NULL) {
        return STATUS_OK;
    }
    enum status status =
        eval_id(reading, connector->event.replay_key, &text, NULL);
    return status == STATUS_OK
               ? identity_add(connector, sighting, KEY_BODY, text, -1)
               : status;
}

/* Whether the id is part of the bytes that are stored, so that equal bytes are
 * one event. */
static bool
is_id_in_bytes(const struct event_spec *event, size_t choice)
{
    static const char *const kinds[] = { "item", "json", "form", "body" };
    const size_t count =
        event->split != NULL ? 1 : sizeof(kinds) / sizeof(kinds[0]);
    const struct template_ref *ref;
    for (size_t i = 0; (ref = template_ref_at(event->id, choice, i)) != NULL;
         i++) {
        bool is_in = slice_equal_text(ref->kind, "var");
        for (size_t j = 0; j < count && !is_in; j++) {
            is_in = slice_equal_text(ref->kind, kinds[j]);
        }
        if (!is_in) {
            return false;
        }
    }
    return true;
}

static enum status
read_hook(struct reading *reading, const struct verify_rule *rule,
          struct slice element, struct sighting *sighting)
{
    const struct connector *connector = reading->scope.connector;
    const struct event_spec *event = &connector->event;
    size_t choice = 0;
    bool found;
    int64_t key_ms;
    enum status status = eval_id(reading, event->id, &sighting->id, &choice);
    if (status == STATUS_OK) {
        status =
            check_name(reading, "id", template_source(event->id), sighting->id);
    }
    if (status == STATUS_OK) {
        status = add_replay_key(reading, sighting);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = eval_optional(reading, event->type, &sighting->type, &found);
    if (!found) {
        sighting->type = no_type;
    } else if (check_name(reading, "type", template_source(event->type),
                          sighting->type) != STATUS_OK) {
        return STATUS_INVALID;
    }
    if (status == STATUS_OK) {
        status = eval_time(reading, event->time, event->time_unit,
                           &sighting->time_ms, &found);
    }
    if (status == STATUS_OK) {
        status = eval_key_time(reading, event->key_time, event->key_time_unit,
                               &key_ms);
    }
    if (status == STATUS_OK) {
        status =
            identity_add(connector, sighting, KEY_ID, sighting->id, key_ms);
    }
    sighting->covered_by_row = covered_by_row(connector, sighting->type);
    sighting->seed = connector->rekeyed && sighting->time_ms > 0 &&
                     slice_equal(element, sighting->body) &&
                     is_id_in_bytes(event, choice);
    if (status == STATUS_OK && shares_rows(connector, sighting)) {
        status = add_state_key(reading, connector->match.webhook,
                               connector->match.webhook_time, sighting);
    }
    if (status == STATUS_OK) {
        status = add_body_key(reading, rule, choice, element, sighting);
    }
    return status == STATUS_OK
               ? status
               : error_set(reading->err, status, "%s", status_text(status));
}

enum status
extract_request(const struct connector *connector,
                const struct inbound *request, const struct verify_rule *rule,
                int64_t now_ms, struct arena *arena, struct extracted *ret,
                struct error *err)
{
    struct inbound feed = *request;
    struct part *parts = NULL;
    struct slice headers = { NULL, 0 };
    size_t count = 0;
    *ret = (struct extracted){ NULL, 0 };
    if (connector->event.mode == EVENT_SIGNAL) {
        return STATUS_OK;
    }
    enum status status = STATUS_OK;
    if (connector->event.split_feed) {
        status = extract_feed(request->body, arena, &feed.body, err);
        feed.body_is_json = true;
        request = &feed;
    }
    if (status == STATUS_OK) {
        status = extract_parts(connector, request, now_ms, arena, &parts,
                               &count, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct sighting *list = arena_array(arena, count + 1, sizeof(*list));
    if (list == NULL || extract_keep_fields(request->fields, rule, arena,
                                            &headers) != STATUS_OK) {
        return error_set(err, STATUS_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        struct reading reading = { .scope = { .connector = connector,
                                              .request = request,
                                              .item = parts[i].item,
                                              .now_ms = now_ms },
                                   .arena = arena,
                                   .err = err };
        list[i] =
            (struct sighting){ .via = request->is_streamed ? CHANNEL_STREAM
                                                           : CHANNEL_WEBHOOK,
                               .received_ms = now_ms,
                               .headers = headers,
                               .content_type = parts[i].content_type,
                               .body = parts[i].body };
        fetch_mark(connector, &list[i]);
        status = read_hook(&reading, rule, parts[i].element, &list[i]);
        if (status != STATUS_OK) {
            return status;
        }
    }
    *ret = (struct extracted){ list, count };
    return STATUS_OK;
}

/* ---- rows ---- */

/* A type that was written as a bare word is a path where rows have one, else
 * the word itself. */
static enum status
read_row_type(struct reading *reading, struct slice *ret_type)
{
    const struct template *t = reading->scope.connector->poll.record.type;
    bool found;
    enum status status = eval_optional(reading, t, ret_type, &found);
    if (status == STATUS_OK && !found) {
        *ret_type = t == NULL ? no_type : template_source(t);
        if (slice_find(*ret_type, '{') != SIZE_MAX ||
            slice_find(*ret_type, '?') != SIZE_MAX) {
            *ret_type = no_type;
        }
    }
    return status;
}

static enum status
add_row_key(struct reading *reading, struct sighting *sighting)
{
    const struct connector *connector = reading->scope.connector;
    const struct record_spec *record = &connector->poll.record;
    const struct match_spec *match = &connector->match;
    const bool by_state = match->mode == MATCH_STATE;
    struct slice key = sighting->id;
    int64_t key_ms;
    enum status status = STATUS_OK;
    if (by_state) {
        status = eval_id(reading, match->poll, &key, NULL);
    }
    if (status == STATUS_OK) {
        status = eval_key_time(
            reading, by_state ? match->poll_time : record->key_time,
            by_state ? match->time_unit : record->key_time_unit, &key_ms);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (record->id == NULL) {
        sighting->id = key;
    }
    return identity_add(connector, sighting, by_state ? KEY_STATE : KEY_ID, key,
                        key_ms);
}

/* A log of webhooks has their fields as an object, each value a text or a list
 * of texts. What could not have been a field is left out. */
static enum status
read_fields(struct slice object, struct arena *arena,
            struct http_fields *ret_fields)
{
    struct http_field *fields;
    struct slice name;
    struct slice value;
    size_t count = 0;
    *ret_fields = (struct http_fields){ NULL, 0 };
    if (object.len == 0 || json_type(object) != JSON_OBJECT) {
        return STATUS_OK;
    }
    for (size_t at = 0; json_next_member(object, &at, &name, &value);) {
        count++;
    }
    fields = arena_array(arena, count + 1, sizeof(*fields));
    if (fields == NULL) {
        return STATUS_NOMEM;
    }
    for (size_t at = 0; json_next_member(object, &at, &name, &value);) {
        struct http_field *field = &fields[ret_fields->count];
        size_t first = 0;
        if (json_type(value) == JSON_ARRAY &&
            !json_next_element(value, &first, &value)) {
            continue;
        }
        if (json_text(name, arena, &field->name) != STATUS_OK ||
            json_text(value, arena, &field->value) != STATUS_OK) {
            return STATUS_NOMEM;
        }
        if (http_field_name_valid(field->name) &&
            http_field_value_valid(field->value)) {
            ret_fields->count++;
        }
    }
    ret_fields->at = fields;
    return STATUS_OK;
}

/* Returns the rule whose token a log of webhooks may show, or NULL. */
static const struct verify_rule *
token_rule(const struct connector *connector)
{
    for (size_t i = 0; i < connector->verify_count; i++) {
        if (connector->verify[i].type == VERIFY_TOKEN) {
            return &connector->verify[i];
        }
    }
    return NULL;
}

static enum status
take_fields(const struct connector *connector, const struct row_view *view,
            struct arena *arena, struct inbound *hook,
            struct sighting *sighting)
{
    const struct json_path *path = connector->poll.record.headers;
    struct slice object = view->headers;
    if (object.len == 0 && path != NULL) {
        (void)json_path_first(path, view->row, &object);
    }
    enum status status = read_fields(object, arena, &hook->fields);
    return status == STATUS_OK && hook->fields.count > 0
               ? extract_keep_fields(hook->fields, token_rule(connector), arena,
                                     &sighting->headers)
               : status;
}

static enum status
check_row_names(struct reading *reading, const struct sighting *sighting)
{
    const struct connector *connector = reading->scope.connector;
    const struct record_spec *record = &connector->poll.record;
    const struct template *id =
        record->id == NULL ? connector->match.poll : record->id;
    enum status status =
        check_name(reading, "id", template_source(id), sighting->id);
    return status == STATUS_OK && record->type != NULL
               ? check_name(reading, "type", template_source(record->type),
                            sighting->type)
               : status;
}

enum status
extract_row(const struct connector *connector, const struct row_view *view,
            struct arena *arena, struct sighting *ret_sighting,
            struct error *err)
{
    const struct record_spec *record = &connector->poll.record;
    struct inbound hook = { 0 };
    struct reading reading = { .scope = { .connector = connector,
                                          .request = &hook,
                                          .item = view->row,
                                          .now_ms = view->received_ms },
                               .arena = arena,
                               .err = err };
    struct sighting sighting = { .via = view->via,
                                 .received_ms = view->received_ms,
                                 .content_type = SLICE("application/json"),
                                 .body = slice_trim(view->body) };
    struct slice inner;
    fetch_mark(connector, &sighting);
    /* A follow request brought the body already; what is asked for later may
     * need any part of the row. */
    if (record->body != NULL && view->body.ptr == view->row.ptr &&
        sighting.needs == NEEDS_NOTHING &&
        json_path_first(record->body, view->row, &inner)) {
        sighting.body = slice_trim(inner);
    }
    enum status status = take_fields(connector, view, arena, &hook, &sighting);
    if (status == STATUS_OK && record->id != NULL) {
        status = eval_id(&reading, record->id, &sighting.id, NULL);
    }
    if (status == STATUS_OK) {
        status = add_row_key(&reading, &sighting);
    }
    if (status == STATUS_OK) {
        status = read_row_type(&reading, &sighting.type);
    }
    if (status == STATUS_OK) {
        status = check_row_names(&reading, &sighting);
    }
    if (status == STATUS_INVALID) {
        return status; /* with words */
    }
    bool found;
    if (status == STATUS_OK) {
        status = eval_time(&reading, record->time, record->time_unit,
                           &sighting.time_ms, &found);
    }
    if (status != STATUS_OK) {
        return error_set(err, status, "%s", status_text(status));
    }
    *ret_sighting = sighting;
    return STATUS_OK;
}
