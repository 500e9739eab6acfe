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
static struct slice
content_type(const struct cloudevent *event)
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
    write_text(into, ",\"datacontenttype\":", content_type(event));
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
