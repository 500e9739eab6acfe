/* SPDX-License-Identifier: MIT */
#include "handler/handler.h"

#include <string.h>

static bool
is_plain(char byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == '-' ||
           byte == ':' || byte == '/';
}

/* Stricter than a URL: the key goes into header fields, environments, broker
 * keys, and into Standard Webhooks' signed content, where '.' separates. */
static void
append_encoded(struct slice text, struct buf *into)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if (is_plain(text.ptr[i])) {
            buf_byte(into, text.ptr[i]);
        } else {
            buf_byte(into, '%');
            buf_byte(into, digits[byte >> 4]);
            buf_byte(into, digits[byte & 15]);
        }
    }
}

void
handler_key(struct slice connector, struct slice id, struct buf *into)
{
    append_encoded(connector, into);
    buf_byte(into, '/');
    append_encoded(id, into);
}
