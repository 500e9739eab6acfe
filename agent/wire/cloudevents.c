/* SPDX-License-Identifier: MIT */
#include "wire/cloudevents.h"

#include "base/instant.h"
#include "wire/encode.h"
#include "wire/json.h"

/* `before` is the comma, the name and the colon. */
static void
write_text(struct buf *into, const char *before, struct slice text)
{
    buf_text(into, before);
    buf_json(into, text);
}

/* JSON format §2: an attribute without a value is left out. */
static void
write_optional(struct buf *into, const char *before, struct slice text)
{
    if (text.len > 0) {
        write_text(into, before, text);
    }
}

static void
write_time(struct buf *into, const char *before, int64_t at_ms)
{
    char text[INSTANT_TEXT_BYTES];
    if (at_ms != 0) {
        write_text(into, before, slice_of(instant_text(at_ms, text)));
    }
}

/* JSON format §3.1: `data` is the JSON value itself only under a JSON type, so
 * what is JSON says so, whatever its sender called it. */
struct slice
cloudevent_content_type(const struct cloudevent *event)
{
    if (event->is_json) {
        return slice_of("application/json");
    }
    return event->content_type.len > 0 ? event->content_type
                                       : slice_of("application/octet-stream");
}

void
cloudevent_write(const struct cloudevent *event, struct buf *into)
{
    write_text(into, "{\"specversion\":\"1.0\",\"id\":", event->id);
    write_text(into, ",\"source\":", event->source);
    write_text(into, ",\"type\":", event->type);
    write_time(into, ",\"time\":", event->time_ms);
    write_text(into, ",\"datacontenttype\":", cloudevent_content_type(event));
    write_optional(into, ",\"via\":", event->via);
    write_time(into, ",\"recordedtime\":", event->recorded_ms);
    write_optional(into, ",\"traceparent\":", event->traceparent);
    if (event->is_replay) {
        buf_text(into, ",\"replay\":true");
    }
    if (event->is_json) {
        buf_text(into, ",\"data\":");
        json_compact(event->data, into);
        buf_byte(into, '}');
    } else {
        buf_text(into, ",\"data_base64\":\"");
        encode_base64(event->data, into);
        buf_text(into, "\"}");
    }
}

/* ---- binary mode ---- */

struct fields {
    struct arena *arena;
    struct http_field *at;
    size_t count;
    enum status status;
};

/* Space, '"', '%' and what is not printable ASCII is encoded, nothing else. */
static void
add_field(struct fields *fields, const char *name, struct slice text)
{
    struct buf value = { 0 };
    struct http_field *field = &fields->at[fields->count];
    if (text.len == 0 || fields->status != STATUS_OK) {
        return;
    }
    encode_percent(text, "!#$&'()*+,/:;<=>?@[\\]^`{|}", &value);
    fields->status = buf_status(&value);
    if (fields->status == STATUS_OK) {
        fields->status =
            arena_copy(fields->arena, buf_slice(&value), &field->value);
        field->name = slice_of(name);
        fields->count++;
    }
    buf_fini(&value);
}

static void
add_time(struct fields *fields, const char *name, int64_t at_ms)
{
    char text[INSTANT_TEXT_BYTES];
    if (at_ms != 0) {
        add_field(fields, name, slice_of(instant_text(at_ms, text)));
    }
}

enum status
cloudevent_fields(const struct cloudevent *event, struct arena *arena,
                  struct http_fields *ret_fields)
{
    struct fields fields = { .arena = arena };
    fields.at = arena_array(arena, CLOUDEVENT_FIELDS, sizeof(*fields.at));
    if (fields.at == NULL) {
        return STATUS_NOMEM;
    }
    add_field(&fields, "ce-specversion", slice_of("1.0"));
    add_field(&fields, "ce-id", event->id);
    add_field(&fields, "ce-source", event->source);
    add_field(&fields, "ce-type", event->type);
    add_time(&fields, "ce-time", event->time_ms);
    add_field(&fields, "ce-via", event->via);
    add_time(&fields, "ce-recordedtime", event->recorded_ms);
    add_field(&fields, "ce-traceparent", event->traceparent);
    add_field(&fields, "ce-replay", slice_of(event->is_replay ? "true" : ""));
    *ret_fields = (struct http_fields){ fields.at, fields.count };
    return fields.status;
}
