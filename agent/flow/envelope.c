/* SPDX-License-Identifier: MIT */
#include "flow/envelope.h"

#include "model/extract.h"
#include "wire/cloudevents.h"

void
envelope_write(const struct connector *connector, const struct event *event,
               struct buf *into)
{
    struct buf source = { 0 };
    struct cloudevent cloudevent = {
        .id = event->id,
        .type = event->type,
        .time_ms = event->time_ms,
        .recorded_ms = event->recorded_ms,
        .via = slice_of(channel_name(event->via)),
        .traceparent = event_header(event, "traceparent"),
        .data = event->body,
    };
    cloudevent.is_json =
        extract_data(connector, event->via, event->body, &cloudevent.data);
    if (!cloudevent.is_json) {
        cloudevent.content_type = event->content_type;
    }
    buf_text(&source, "longstop/");
    buf_append(&source, connector->name);
    cloudevent.source = buf_slice(&source);
    if (buf_status(&source) == STATUS_OK) {
        cloudevent_write(&cloudevent, into);
    } else {
        into->failure = STATUS_NOMEM;
    }
    buf_fini(&source);
}

struct event
envelope_preview(const struct connector *connector,
                 const struct sighting *sighting)
{
    return (struct event){ .connector = connector->id,
                           .via = sighting->via,
                           .time_ms = sighting->time_ms,
                           .recorded_ms = sighting->recorded_ms != 0
                                              ? sighting->recorded_ms
                                              : sighting->received_ms,
                           .id = sighting->id,
                           .type = sighting->type,
                           .headers = sighting->headers,
                           .content_type = sighting->content_type,
                           .body = sighting->body };
}
