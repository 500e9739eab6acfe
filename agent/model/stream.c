/* SPDX-License-Identifier: MIT */
#include "model/stream.h"

#include "base/instant.h"
#include "base/utf8.h"
#include "model/scope.h"
#include "model/walk_cursor.h"
#include "wire/json.h"
#include "wire/template.h"
#include "wire/url.h"

#define FIRST_MS     INSTANT_SECOND_MS
#define MOST_MS      (5 * INSTANT_MINUTE_MS)
#define LASTED_MS    (10 * INSTANT_SECOND_MS)
#define DOUBLING_END 9 /* 1 s doubled nine times is more than 5 min */
#define STATE_DEPTH  4

static const struct slice event_stream = SLICE("text/event-stream");

/* ---- the connection ---- */

static const struct {
    unsigned status;
    enum stream_way way;
    const char *words;
} answers[] = {
    { 204, STREAM_OVER, "the relay says that there is nothing to wait for" },
    { 301, STREAM_SLOWLY, "the relay has moved: give its new place as 'url'" },
    { 302, STREAM_SLOWLY, "the relay points elsewhere: give that as 'url'" },
    { 307, STREAM_SLOWLY, "the relay points elsewhere: give that as 'url'" },
    { 308, STREAM_SLOWLY, "the relay has moved: give its new place as 'url'" },
    { 401, STREAM_SLOWLY, "the relay does not know us: look at 'auth'" },
    { 403, STREAM_SLOWLY, "the relay does not let us in: look at 'auth'" },
    { 404, STREAM_SLOWLY, "there is no such stream: look at 'url'" },
    { 410, STREAM_SLOWLY, "the stream is no more: look at 'url'" },
    { 429, STREAM_AGAIN, "the relay asks to wait" },
    { 503, STREAM_AGAIN, "the relay asks to wait" },
};

static bool
is_event_stream(struct http_fields fields)
{
    struct slice value;
    return http_field_find(fields, "Content-Type", &value) &&
           slice_equal_nocase(http_field_media_type(value), event_stream);
}

enum stream_way
stream_judge(unsigned status, struct http_fields fields, const char **ret_words)
{
    if (status == 200) {
        const bool is_stream = is_event_stream(fields);
        *ret_words = is_stream ? ""
                               : "the answer is no text/event-stream: look at "
                                 "'url'";
        return is_stream ? STREAM_READ : STREAM_SLOWLY;
    }
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (answers[i].status == status) {
            *ret_words = answers[i].words;
            return answers[i].way;
        }
    }
    *ret_words = "the relay answers with an error";
    return STREAM_AGAIN;
}

int64_t
stream_wait_ms(const struct stream_pause *pause, struct prng *prng)
{
    const unsigned doublings =
        pause->failures < DOUBLING_END ? pause->failures : DOUBLING_END;
    const int64_t grown_ms = FIRST_MS << doublings;
    int64_t span_ms = grown_ms < MOST_MS ? grown_ms : MOST_MS;
    int64_t least_ms = pause->retry_ms > 0 ? pause->retry_ms : 0;
    if (pause->way == STREAM_SLOWLY) {
        span_ms = MOST_MS / 2;
        least_ms = least_ms > span_ms ? least_ms : span_ms;
    }
    if (pause->retry_after_ms > least_ms) {
        least_ms = pause->retry_after_ms;
    }
    return least_ms + (int64_t)prng_below(prng, (uint64_t)span_ms);
}

unsigned
stream_failures(unsigned failures, int64_t open_ms)
{
    return open_ms >= LASTED_MS ? 0 : failures + 1;
}

/* ---- the place ---- */

bool
stream_id_fits(struct slice id)
{
    return utf8_valid(id) && http_field_value_valid(id) &&
           slice_trim(id).len == id.len;
}

static struct slice
place_of(struct slice url)
{
    const size_t end = slice_find(url, '?');
    return end == SIZE_MAX ? url : slice_first(url, end);
}

static void
write_hash(struct slice url, struct buf *into)
{
    buf_u64(into, walk_cursor_hash(place_of(url)));
}

enum status
stream_encode(struct slice id, struct slice url, struct arena *arena,
              struct slice *ret_text)
{
    struct buf text = { 0 };
    buf_text(&text, "{\"v\":1,\"at\":");
    write_hash(url, &text);
    buf_text(&text, ",\"id\":");
    buf_json(&text, id);
    buf_text(&text, "}");
    enum status status = buf_status(&text);
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&text), ret_text);
    }
    buf_fini(&text);
    return status;
}

enum status
stream_decode(struct slice text, struct slice url, struct arena *arena,
              struct slice *ret_id)
{
    struct slice at;
    struct slice id;
    struct buf ours = { 0 };
    *ret_id = (struct slice){ NULL, 0 };
    if (json_check(text, STATE_DEPTH, NULL) != STATUS_OK ||
        json_type(text) != JSON_OBJECT ||
        !json_member(text, slice_of("at"), &at) ||
        !json_member(text, slice_of("id"), &id) ||
        json_type(id) != JSON_STRING) {
        return STATUS_CORRUPT;
    }
    write_hash(url, &ours);
    enum status status = buf_status(&ours);
    if (status == STATUS_OK && slice_equal(at, buf_slice(&ours))) {
        status = json_text(id, arena, ret_id);
    }
    buf_fini(&ours);
    return status;
}

/* ---- the events ---- */

bool
stream_takes(const struct stream_spec *spec, struct slice type)
{
    if (type.len == 0) {
        type = slice_of("message");
    }
    for (size_t i = 0; i < spec->event_count; i++) {
        if (glob_match(spec->events[i], type)) {
            return true;
        }
    }
    return spec->event_count == 0;
}

/* The event itself as a request: what the templates of `request_from` look at,
 * and what it is where there are none. */
static enum status
as_request(const struct stream_event *event, struct arena *arena,
           struct inbound *ret_request)
{
    struct http_field *fields = arena_array(arena, 3, sizeof(*fields));
    if (fields == NULL) {
        return STATUS_NOMEM;
    }
    const bool is_json =
        json_check(event->data, JSON_DEPTH_DEFAULT, NULL) == STATUS_OK;
    fields[0] = (struct http_field){ SLICE("Last-Event-ID"), event->id };
    fields[1] = (struct http_field){
        SLICE("Event"), event->type.len > 0 ? event->type : slice_of("message")
    };
    fields[2] = (struct http_field){ SLICE("Content-Type"),
                                     slice_of(is_json ? "application/json"
                                                      : "text/plain") };
    *ret_request = (struct inbound){
        .method = SLICE("POST"),
        .fields = { event->id.len > 0 ? fields : fields + 1,
                    event->id.len > 0 ? 3 : 2 },
        .body = event->data,
        .body_is_json = is_json,
    };
    return STATUS_OK;
}

/* Fields being gathered from the members of an object. */
struct gathering {
    struct arena *arena;
    struct http_field *at;
    size_t count;
};

/* A relay mixes other members among the fields: only what can be one is. */
static enum status
gather_value(struct gathering *gathering, struct slice name, struct slice value)
{
    struct http_field field;
    if (json_type(value) != JSON_STRING) {
        return STATUS_OK;
    }
    enum status status = json_text(name, gathering->arena, &field.name);
    if (status == STATUS_OK) {
        status = json_text(value, gathering->arena, &field.value);
    }
    if (status == STATUS_OK && http_field_name_valid(field.name) &&
        http_field_value_valid(field.value)) {
        gathering->at[gathering->count++] = field;
    }
    return status;
}

/* How many fields an object can hold: one a member, or one an element. */
static size_t
count_values(struct slice object)
{
    struct slice name;
    struct slice value;
    struct slice element;
    size_t count = 0;
    for (size_t at = 0; json_next_member(object, &at, &name, &value);) {
        count++;
        if (json_type(value) == JSON_ARRAY) {
            for (size_t i = 0; json_next_element(value, &i, &element);) {
                count++;
            }
        }
    }
    return count;
}

static enum status
gather_fields(const struct json_path *path, struct slice data,
              struct arena *arena, struct http_fields *ret_fields)
{
    struct gathering gathering = { .arena = arena };
    struct slice object;
    struct slice name;
    struct slice value;
    struct slice element;
    enum status status = STATUS_OK;
    if (path == NULL || !json_path_first(path, data, &object) ||
        json_type(object) != JSON_OBJECT) {
        return STATUS_OK;
    }
    gathering.at =
        arena_array(arena, count_values(object) + 1, sizeof(*gathering.at));
    if (gathering.at == NULL) {
        return STATUS_NOMEM;
    }
    for (size_t at = 0;
         status == STATUS_OK && json_next_member(object, &at, &name, &value);) {
        if (json_type(value) != JSON_ARRAY) {
            status = gather_value(&gathering, name, value);
            continue;
        }
        for (size_t i = 0;
             status == STATUS_OK && json_next_element(value, &i, &element);) {
            status = gather_value(&gathering, name, element);
        }
    }
    *ret_fields = (struct http_fields){ gathering.at, gathering.count };
    return status;
}

/* Writes "?name=value&…" of an object. */
static enum status
write_query(struct slice object, struct arena *arena, struct buf *into)
{
    struct slice name;
    struct slice value;
    enum status status = STATUS_OK;
    for (size_t at = 0;
         status == STATUS_OK && json_next_member(object, &at, &name, &value);) {
        struct slice name_text;
        struct slice value_text;
        status = json_text(name, arena, &name_text);
        if (status == STATUS_OK) {
            status = json_text(value, arena, &value_text);
        }
        if (status == STATUS_OK) {
            url_add_query(into, name_text, value_text);
            status = buf_status(into);
        }
    }
    return status;
}

static enum status
gather_query(const struct json_path *path, struct slice data,
             struct arena *arena, struct slice *ret_query)
{
    struct slice value;
    struct buf text = { 0 };
    if (path == NULL || !json_path_first(path, data, &value)) {
        return STATUS_OK;
    }
    if (json_type(value) == JSON_STRING) {
        return json_text(value, arena, ret_query);
    }
    if (json_type(value) != JSON_OBJECT) {
        return STATUS_OK;
    }
    enum status status = write_query(value, arena, &text);
    if (status == STATUS_OK) {
        status = arena_copy(arena, slice_from(buf_slice(&text), 1), ret_query);
    }
    buf_fini(&text);
    return status;
}

/* The target as if it had come to our own route. */
static enum status
write_target(const struct connector *connector, struct arena *arena,
             struct inbound *request)
{
    struct buf text = { 0 };
    buf_text(&text, "/hooks/");
    buf_append(&text, connector->name);
    if (request->query.len > 0) {
        buf_byte(&text, '?');
        buf_append(&text, request->query);
    }
    enum status status = buf_status(&text);
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&text), &request->path_query);
    }
    buf_fini(&text);
    return status;
}

/* The request that stands in `carrier`. */
static enum status
take_out(const struct connector *connector, const struct inbound *carrier,
         struct arena *arena, struct inbound *request, struct error *err)
{
    const struct forward_spec *from = &connector->stream->from;
    const struct scope scope = { .connector = connector, .request = carrier };
    enum status status =
        scope_eval(&scope, from->body, arena, &request->body, NULL);
    if (status == STATUS_NOT_FOUND || status == STATUS_INVALID) {
        return error_set(err, STATUS_INVALID, "no body at '%.*s' of the event",
                         SLICE_ARG(template_source(from->body)));
    }
    if (status == STATUS_OK && from->method != NULL) {
        status =
            scope_eval(&scope, from->method, arena, &request->method, NULL);
        status = status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    if (status == STATUS_OK && request->method.len == 0) {
        request->method = slice_of("POST");
    }
    if (status == STATUS_OK && carrier->body_is_json) {
        status = gather_fields(from->headers, carrier->body, arena,
                               &request->fields);
    }
    if (status == STATUS_OK && carrier->body_is_json) {
        status =
            gather_query(from->query, carrier->body, arena, &request->query);
    }
    return status;
}

enum status
stream_request(const struct connector *connector,
               const struct stream_event *event, struct arena *arena,
               struct inbound *ret_request, struct error *err)
{
    struct inbound carrier;
    struct inbound request = { 0 };
    enum status status = as_request(event, arena, &carrier);
    if (status == STATUS_OK && connector->stream->from.body != NULL) {
        status = take_out(connector, &carrier, arena, &request, err);
    } else {
        request = carrier;
    }
    if (status == STATUS_OK) {
        status = write_target(connector, arena, &request);
    }
    if (status != STATUS_OK) {
        return status;
    }
    request.body_is_json = false; /* the sink looks for itself */
    request.is_streamed = true;
    request.late_ms = connector->stream->late_ms;
    *ret_request = request;
    return STATUS_OK;
}
