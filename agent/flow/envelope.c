/* SPDX-License-Identifier: MIT */
#include "flow/envelope.h"

#include "model/extract.h"
#include "wire/cloudevents.h"

/* Trace Context §3.2.2.1: version-trace-parent-flags, lower-case hex; a later
 * version may append more. Anybody may send the field, and what is none would
 * end up in the traces of who believes it. */
static struct slice
traceparent_of(const struct event *event)
{
    static const char shape[] =
        "hh-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh";
    const struct slice none = { NULL, 0 };
    struct slice text = event_header(event, "traceparent");
    size_t len = sizeof(shape) - 1;
    if (text.len < len || (text.len > len && text.ptr[len] != '-')) {
        return none;
    }
    for (size_t i = 0; i < len; i++) {
        char c = text.ptr[i];
        bool is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (shape[i] == 'h' ? !is_hex : c != '-') {
            return none;
        }
    }
    bool is_known = slice_starts(text, slice_of("00"));
    bool is_invalid =
        slice_starts(text, slice_of("ff")) || (is_known && text.len > len);
    return is_invalid ? none : text;
}

static enum status
describe(const struct connector *connector, const struct event *event,
         bool is_replay, struct arena *arena, struct cloudevent *ret)
{
    struct buf source = { 0 };
    struct extracted_data data;
    enum status status = extract_data(connector, event, arena, &data);
    if (status != STATUS_OK) {
        return status;
    }
    *ret = (struct cloudevent){
        .id = event->id,
        .type = event->type,
        .time_ms = event->time_ms,
        .recorded_ms = event->recorded_ms,
        .via = slice_of(channel_name(event->via)),
        .traceparent = traceparent_of(event),
        .content_type = data.content_type,
        .data = data.bytes,
        .is_json = data.is_json,
        .is_replay = is_replay,
    };
    buf_text(&source, "longstop/");
    buf_append(&source, connector->name);
    status = buf_status(&source);
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&source), &ret->source);
    }
    buf_fini(&source);
    return status;
}

void
envelope_write(const struct connector *connector, const struct event *event,
               bool is_replay, struct buf *into)
{
    struct arena arena = { 0 };
    struct cloudevent cloudevent;
    if (describe(connector, event, is_replay, &arena, &cloudevent) ==
        STATUS_OK) {
        cloudevent_write(&cloudevent, into);
    } else {
        into->failure = STATUS_NOMEM;
    }
    arena_fini(&arena);
}

enum status
envelope_split(const struct connector *connector, const struct event *event,
               bool is_replay, struct arena *arena, struct envelope_parts *ret)
{
    struct cloudevent cloudevent;
    enum status status =
        describe(connector, event, is_replay, arena, &cloudevent);
    if (status != STATUS_OK) {
        return status;
    }
    ret->data = cloudevent.data;
    ret->content_type = cloudevent_content_type(&cloudevent);
    return cloudevent_fields(&cloudevent, arena, &ret->fields);
}

struct event
envelope_preview(const struct connector *connector,
                 const struct sighting *sighting)
{
    return (struct event){ .connector = connector->id,
                           .via = sighting->via,
                           .time_ms = sighting->time_ms,
                           .needs = sighting->needs,
                           .recorded_ms = sighting->recorded_ms != 0
                                              ? sighting->recorded_ms
                                              : sighting->received_ms,
                           .id = sighting->id,
                           .type = sighting->type,
                           .headers = sighting->headers,
                           .content_type = sighting->content_type,
                           .body = sighting->body };
}
