/* SPDX-License-Identifier: MIT */
#include "wire/charset.h"

#include "base/utf8.h"

/* An XML declaration is over by then. */
#define DECLARATION_BYTES 256

enum charset { CHARSET_UTF8, CHARSET_LATIN, CHARSET_UTF16LE, CHARSET_UTF16BE };

static const struct {
    struct slice name;
    enum charset charset;
} names[] = {
    { SLICE("utf-8"), CHARSET_UTF8 },
    { SLICE("utf8"), CHARSET_UTF8 },
    { SLICE("us-ascii"), CHARSET_LATIN },
    { SLICE("ascii"), CHARSET_LATIN },
    { SLICE("iso-8859-1"), CHARSET_LATIN },
    { SLICE("latin1"), CHARSET_LATIN },
    { SLICE("windows-1252"), CHARSET_LATIN },
    { SLICE("cp1252"), CHARSET_LATIN },
};

/* What windows-1252 has at 0x80 to 0x9f; 0 where it has nothing, which then
 * means what ISO-8859-1 has there. */
static const uint16_t windows[32] = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
    0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017d, 0,
    0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
    0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178,
};

static void
append_point(struct buf *into, uint32_t point)
{
    char bytes[4];
    buf_append(into, (struct slice){ bytes, utf8_encode(point, bytes) });
}

static enum status
from_latin(struct slice text, struct buf *into)
{
    for (size_t i = 0; i < text.len; i++) {
        uint32_t point = (unsigned char)text.ptr[i];
        if (point >= 0x80 && point < 0xa0 && windows[point - 0x80] != 0) {
            point = windows[point - 0x80];
        }
        append_point(into, point);
    }
    return STATUS_OK;
}

static uint32_t
unit_at(struct slice text, size_t at, bool big)
{
    const uint32_t first = (unsigned char)text.ptr[at];
    const uint32_t second = (unsigned char)text.ptr[at + 1];
    return big ? first << 8 | second : second << 8 | first;
}

static enum status
from_utf16(struct slice text, bool big, struct buf *into)
{
    if (text.len % 2 != 0) {
        return STATUS_INVALID;
    }
    for (size_t i = 0; i < text.len; i += 2) {
        uint32_t point = unit_at(text, i, big);
        if (point >= 0xd800 && point < 0xdc00 && i + 4 <= text.len) {
            const uint32_t low = unit_at(text, i + 2, big);
            if (low < 0xdc00 || low > 0xdfff) {
                return STATUS_INVALID;
            }
            point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
            i += 2;
        } else if (point >= 0xd800 && point <= 0xdfff) {
            return STATUS_INVALID;
        }
        append_point(into, point);
    }
    return STATUS_OK;
}

/* Returns what `encoding="…"` of the declaration says, or nothing. */
static struct slice
declared(struct slice xml)
{
    const struct slice none = { NULL, 0 };
    struct slice head = slice_first(xml, DECLARATION_BYTES);
    head = slice_first(head, slice_find_slice(head, slice_of("?>")));
    const size_t at = slice_find_slice(head, slice_of("encoding"));
    if (!slice_starts(head, slice_of("<?xml")) || at == SIZE_MAX) {
        return none;
    }
    struct slice rest = slice_trim(slice_from(head, at + 8));
    if (rest.len == 0 || rest.ptr[0] != '=') {
        return none;
    }
    rest = slice_trim(slice_from(rest, 1));
    if (rest.len == 0 || (rest.ptr[0] != '"' && rest.ptr[0] != '\'')) {
        return none;
    }
    const char quote = rest.ptr[0];
    rest = slice_from(rest, 1);
    return slice_first(rest, slice_find(rest, quote));
}

/* Takes a byte order mark off, or tells UTF-16 by its first angle bracket. */
static bool
is_marked(struct slice *xml, enum charset *ret_charset)
{
    static const struct {
        struct slice bytes;
        size_t mark; /* so many of them are no text */
        enum charset charset;
    } marks[] = {
        { SLICE("\xef\xbb\xbf"), 3, CHARSET_UTF8 },
        { SLICE("\xff\xfe"), 2, CHARSET_UTF16LE },
        { SLICE("\xfe\xff"), 2, CHARSET_UTF16BE },
        { SLICE("<\0"), 0, CHARSET_UTF16LE },
        { SLICE("\0<"), 0, CHARSET_UTF16BE },
    };
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (slice_starts(*xml, marks[i].bytes)) {
            *xml = slice_from(*xml, marks[i].mark);
            *ret_charset = marks[i].charset;
            return true;
        }
    }
    return false;
}

static enum status
find_charset(struct slice *xml, enum charset *ret_charset, struct error *err)
{
    *ret_charset = CHARSET_UTF8;
    if (is_marked(xml, ret_charset)) {
        return STATUS_OK;
    }
    const struct slice name = declared(*xml);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (slice_equal_nocase(name, names[i].name)) {
            *ret_charset = names[i].charset;
            return STATUS_OK;
        }
    }
    return name.len == 0
               ? STATUS_OK
               : error_set(err, STATUS_INVALID,
                           "the encoding '%.*s' is not known; known are UTF-8, "
                           "UTF-16, ISO-8859-1, windows-1252 and US-ASCII",
                           SLICE_ARG(name));
}

enum status
charset_to_utf8(struct slice xml, struct buf *into, struct error *err)
{
    enum charset charset;
    const size_t before = into->len;
    enum status status = find_charset(&xml, &charset, err);
    if (status != STATUS_OK) {
        return status;
    }
    switch (charset) {
    case CHARSET_UTF8:
        status = utf8_valid(xml) ? STATUS_OK : STATUS_INVALID;
        buf_append(into, xml);
        break;
    case CHARSET_LATIN: status = from_latin(xml, into); break;
    case CHARSET_UTF16LE:
    case CHARSET_UTF16BE:
        status = from_utf16(xml, charset == CHARSET_UTF16BE, into);
        break;
    }
    if (status != STATUS_OK) {
        buf_truncate(into, before);
        return error_set(err, status,
                         "bytes that are not in the encoding of the text");
    }
    return buf_status(into);
}
