/* SPDX-License-Identifier: MIT */
#include "wire/json_outline.h"

#include "wire/json.h"

/* A name without its quotes, cut where a character begins. */
static void
add_name(struct slice name, struct buf *into)
{
    size_t len = name.len - 2;
    const char *text = name.ptr + 1;
    if (len > JSON_OUTLINE_BYTES) {
        len = JSON_OUTLINE_BYTES;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) {
            len--;
        }
        buf_format(into, "%.*s...", (int)len, text);
        return;
    }
    buf_format(into, "%.*s", (int)len, text);
}

static void
outline_object(struct slice value, struct buf *into)
{
    struct slice name;
    struct slice member;
    size_t at = 0;
    size_t count = 0;
    while (json_next_member(value, &at, &name, &member)) {
        if (count < JSON_OUTLINE_NAMES) {
            buf_text(into, count == 0 ? "an object with " : ", ");
            add_name(slice_trim(name), into);
        }
        count++;
    }
    if (count == 0) {
        buf_text(into, "an empty object");
    } else if (count > JSON_OUTLINE_NAMES) {
        buf_format(into, " and %zu more", count - JSON_OUTLINE_NAMES);
    }
}

static void
outline_array(struct slice value, struct buf *into)
{
    struct slice element;
    size_t at = 0;
    size_t count = 0;
    while (json_next_element(value, &at, &element)) {
        count++;
    }
    if (count == 0) {
        buf_text(into, "an empty array");
    } else {
        buf_format(into, "an array of %zu", count);
    }
}

void
json_outline(struct slice value, struct buf *into)
{
    switch (json_type(value)) {
    case JSON_OBJECT: outline_object(value, into); break;
    case JSON_ARRAY: outline_array(value, into); break;
    case JSON_STRING: buf_text(into, "a text"); break;
    case JSON_NUMBER: buf_text(into, "a number"); break;
    case JSON_TRUE:
    case JSON_FALSE: buf_text(into, "a truth value"); break;
    case JSON_NULL: buf_text(into, "null"); break;
    }
}
