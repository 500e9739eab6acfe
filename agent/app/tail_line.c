/* SPDX-License-Identifier: MIT */
/* What happens, a line each. */
#include "app/tail_line.h"

#include <string.h>

#include "app/told.h"
#include "wire/json.h"

/* A member, then a blank; its text made plain. */
static void
put_member(struct slice data, const char *name, struct buf *into)
{
    struct arena arena = { 0 };
    struct slice text = told_text(data, name, &arena);
    if (text.len > 0) {
        buf_byte(into, ' ');
        told_plain(text, into);
    }
    arena_fini(&arena);
}

/* The time and a word, in columns. */
static void
begin(int64_t at_ms, int64_t now_ms, struct slice word, struct buf *into)
{
    static const size_t width = 9;
    told_when(at_ms, now_ms, into);
    buf_text(into, "  ");
    told_plain(word, into);
    for (size_t i = word.len; i < width; i++) {
        buf_byte(into, ' ');
    }
}

static void
event_line(struct slice data, int64_t now_ms, struct buf *into)
{
    begin(told_time(data, "received"), now_ms, slice_of("event"), into);
    put_member(data, "connector", into);
    put_member(data, "type", into);
    put_member(data, "id", into);
    buf_text(into, " by");
    put_member(data, "via", into);
}

static void
delivery_line(struct slice data, int64_t now_ms, struct buf *into)
{
    struct arena arena = { 0 };
    int64_t due_ms = told_time(data, "due");
    int64_t took_ms = told_number(data, "duration_ms");
    begin(told_time(data, "started") + took_ms, now_ms,
          told_text(data, "outcome", &arena), into);
    put_member(data, "connector", into);
    put_member(data, "type", into);
    put_member(data, "id", into);
    buf_text(into, " to");
    put_member(data, "handler", into);
    buf_format(into, "%s, attempt %lld, %lld ms",
               told_true(data, "replay") ? ", a replay" : "",
               (long long)told_number(data, "attempt"), (long long)took_ms);
    if (told_text(data, "detail", &arena).len > 0) {
        buf_byte(into, ':');
        put_member(data, "detail", into);
    }
    if (due_ms > 0) {
        buf_text(into, "; again at ");
        told_when(due_ms, now_ms, into);
    }
    arena_fini(&arena);
}

void
tail_line(struct slice topic, struct slice data, int64_t now_ms,
          struct buf *into)
{
    if (slice_equal_text(topic, "events")) {
        event_line(data, now_ms, into);
    } else if (slice_equal_text(topic, "deliveries")) {
        delivery_line(data, now_ms, into);
    } else {
        return;
    }
    buf_byte(into, '\n');
}

void
tail_json(struct slice topic, struct slice data, struct buf *into)
{
    struct slice members = slice_from(slice_trim(data), 1);
    buf_text(into, "{\"topic\":");
    buf_json(into, topic);
    buf_text(into, slice_equal_text(members, "}") ? "" : ",");
    buf_append(into, members);
    buf_byte(into, '\n');
}
