/* SPDX-License-Identifier: MIT */
#include "flow/envelope.h"

#include "model/extract.h"
#include "wire/cloudevents.h"

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
        .traceparent = event_traceparent(event),
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
