/* SPDX-License-Identifier: MIT */
#include "app/told.h"

#include <inttypes.h>

#include "base/utf8.h"
#include "wire/json.h"
#include "wire/timefmt.h"

struct slice
told_text(struct slice object, const char *name, struct arena *arena)
{
    struct slice value, text;
    if (!json_member(object, slice_of(name), &value) ||
        json_type(value) == JSON_NULL ||
        json_text(value, arena, &text) != STATUS_OK) {
        return (struct slice)SLICE("");
    }
    return text;
}

int64_t
told_number(struct slice object, const char *name)
{
    struct slice value;
    int64_t number;
    return json_member(object, slice_of(name), &value) &&
                   slice_to_i64(slice_trim(value), &number) == STATUS_OK
               ? number
               : 0;
}

bool
told_true(struct slice object, const char *name)
{
    struct slice value;
    return json_member(object, slice_of(name), &value) &&
           json_type(value) == JSON_TRUE;
}

static struct slice
member_of_type(struct slice object, const char *name, enum json_type type,
               const char *otherwise)
{
    struct slice value;
    return json_member(object, slice_of(name), &value) &&
                   json_type(value) == type
               ? value
               : slice_of(otherwise);
}

struct slice
told_array(struct slice object, const char *name)
{
    return member_of_type(object, name, JSON_ARRAY, "[]");
}

struct slice
told_object(struct slice object, const char *name)
{
    return member_of_type(object, name, JSON_OBJECT, "{}");
}

int64_t
told_time(struct slice object, const char *name)
{
    struct arena arena = { 0 };
    int64_t at_ms = 0;
    if (timefmt_read(TIMEFMT_ISO8601, told_text(object, name, &arena),
                     &at_ms) != STATUS_OK) {
        at_ms = 0;
    }
    arena_fini(&arena);
    return at_ms;
}

static int64_t
day_of(int64_t at_ms)
{
    int64_t day = at_ms / INSTANT_DAY_MS;
    return at_ms % INSTANT_DAY_MS < 0 ? day - 1 : day;
}

void
told_when(int64_t at_ms, int64_t now_ms, struct buf *into)
{
    if (at_ms == 0) {
        buf_byte(into, '-');
        return;
    }
    struct civil civil = instant_to_civil(at_ms);
    int64_t days = day_of(now_ms) - day_of(at_ms);
    if (days == 1) {
        buf_text(into, "yesterday ");
    } else if (days != 0) {
        buf_format(into, "%04" PRId64 "-%02d-%02d ", civil.year, civil.month,
                   civil.day);
    }
    buf_format(into, "%02d:%02d:%02d", civil.hour, civil.minute, civil.second);
}

/* Whether a character of `len` bytes moves a cursor or worse: C0, DEL, C1. */
static bool
is_control(const unsigned char *at, size_t len)
{
    return len == 1 ? at[0] < 0x20 || at[0] == 0x7f
                    : len == 2 && at[0] == 0xc2 && at[1] < 0xa0;
}

void
told_plain(struct slice text, struct buf *into)
{
    while (text.len > 0) {
        size_t len = utf8_length(text);
        if (len == 0 || is_control((const unsigned char *)text.ptr, len)) {
            buf_byte(into, '?');
            len = len == 0 ? 1 : len;
        } else {
            buf_append(into, slice_first(text, len));
        }
        text = slice_from(text, len);
    }
}

const char *
told_loss(bool by_webhook, bool by_stream)
{
    if (!by_stream) {
        return "what a webhook does not bring is lost";
    }
    return by_webhook ? "what neither a webhook nor the stream brings is lost"
                      : "what the stream does not bring, because the relay "
                        "has not kept it, is lost";
}
