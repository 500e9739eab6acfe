/* SPDX-License-Identifier: MIT */
#include "model/event.h"

#include <string.h>

#include "base/mem.h"

/* Copies one text behind the event; moves *at on. */
static struct slice
place_text(char **at, struct slice from)
{
    struct slice copy = { *at, from.len };
    if (from.len > 0) {
        memcpy(*at, from.ptr, from.len);
    }
    *at += from.len;
    return copy;
}

enum status
event_create(const struct event *from, struct event **ret_event)
{
    const struct slice texts[] = { from->id, from->type, from->headers,
                                   from->content_type, from->body };
    size_t size = sizeof(*from);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].len > SIZE_MAX - size) {
            return STATUS_TOO_LARGE;
        }
        size += texts[i].len;
    }
    struct event *event = mem_alloc(size);
    if (event == NULL) {
        return STATUS_NOMEM;
    }
    *event = *from;
    event->refs = 1;
    char *at = (char *)(event + 1);
    event->id = place_text(&at, from->id);
    event->type = place_text(&at, from->type);
    event->headers = place_text(&at, from->headers);
    event->content_type = place_text(&at, from->content_type);
    event->body = place_text(&at, from->body);
    *ret_event = event;
    return STATUS_OK;
}

struct event *
event_ref(struct event *event)
{
    PRE(event->refs > 0);
    event->refs++;
    return event;
}

void
event_unref(struct event *event)
{
    if (event == NULL) {
        return;
    }
    PRE(event->refs > 0);
    if (--event->refs == 0) {
        mem_free(event);
    }
}

struct slice
event_header(const struct event *event, const char *name)
{
    const struct slice wanted = slice_of(name);
    struct slice rest = event->headers;
    struct slice line;
    while (slice_split(&rest, '\n', &line)) {
        const size_t colon = slice_find(line, ':');
        if (colon != SIZE_MAX &&
            slice_equal_nocase(slice_first(line, colon), wanted)) {
            return slice_trim(slice_from(line, colon + 1));
        }
    }
    return (struct slice){ NULL, 0 };
}

/* Trace Context §3.2.2.1: version-trace-parent-flags, lower-case hex; a later
 * version may append more. Anybody may send the field, and what is none would
 * end up in the traces of who believes it. */
struct slice
event_traceparent(const struct event *event)
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
        slice_starts(text, slice_of("ff")) || (is_known && text.len > len) ||
        slice_starts(slice_from(text, 3),
                     slice_of("00000000000000000000000000000000-")) ||
        slice_starts(slice_from(text, 36), slice_of("0000000000000000-"));
    return is_invalid ? none : text;
}
