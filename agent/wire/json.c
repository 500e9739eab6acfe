/* SPDX-License-Identifier: MIT */
#include "wire/json.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

/*
 * Two kinds of code live here. json_check trusts nothing and sees every byte
 * once. Everything behind it reads text that passed, so it only looks for the
 * ends of tokens; it still never reads past the slice it was given.
 *
 * Most bytes of JSON stand in strings, so those are scanned eight at a time.
 */

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

static uint64_t
word_load(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* The borrow of a subtraction only runs towards higher bytes, so the lowest
 * marked byte is always a true one. */
static size_t
word_first(uint64_t marks)
{
    return (size_t)__builtin_ctzll(marks) / 8;
}

static bool
is_blank(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static bool
is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static const char *
skip_blanks(const char *at, const char *end)
{
    /* Mostly there are none; in indented text they come in long runs. */
    if (at < end && (unsigned char)*at > ' ') {
        return at;
    }
    while (end - at >= 8 && word_load(at) == ONES * ' ') {
        at += 8;
    }
    while (at < end && is_blank(*at)) {
        at++;
    }
    return at;
}

/* Returns the value of four hexadecimal digits, or -1. */
static int32_t
hex4(const char *at, const char *end)
{
    int32_t value = 0;
    if (end - at < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        char low = (char)(at[i] | 0x20);
        if (is_digit(at[i])) {
            value = value * 16 + (at[i] - '0');
        } else if (low >= 'a' && low <= 'f') {
            value = value * 16 + (low - 'a' + 10);
        } else {
            return -1;
        }
    }
    return value;
}

static bool
is_high_surrogate(int32_t unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool
is_low_surrogate(int32_t unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/* Checking. */

#define DEPTH_MAX 1024

struct check {
    const char *end;
    const char *bad; /* the byte at which the text stopped being JSON */
    const char *why;
    unsigned depth;
    unsigned depth_max;
    uint64_t objects[DEPTH_MAX / 64]; /* one bit a level: object, not array */
};

static const char *
fail(struct check *c, const char *at, const char *why)
{
    c->bad = at;
    c->why = why;
    return NULL;
}

static const char *
check_surrogates(struct check *c, const char *at, int32_t unit)
{
    if (!is_high_surrogate(unit)) {
        return is_low_surrogate(unit) ? fail(c, at, "lone surrogate") : at + 6;
    }
    if (c->end - at < 12 || at[6] != '\\' || at[7] != 'u' ||
        !is_low_surrogate(hex4(at + 8, c->end))) {
        return fail(c, at, "lone surrogate");
    }
    return at + 12;
}

/* `at` is the backslash. */
static const char *
check_escape(struct check *c, const char *at)
{
    if (c->end - at < 2) {
        return fail(c, c->end, "string without an end");
    }
    if (at[1] == 'u') {
        int32_t unit = hex4(at + 2, c->end);
        return unit < 0 ? fail(c, at, "unknown escape")
                        : check_surrogates(c, at, unit);
    }
    if (at[1] == '\0' || strchr("\"\\/bfnrt", at[1]) == NULL) {
        return fail(c, at, "unknown escape");
    }
    return at + 2;
}

static const char *
check_utf8(struct check *c, const char *at)
{
    size_t length = utf8_length((struct slice){ at, (size_t)(c->end - at) });
    return length == 0 ? fail(c, at, "bytes that are not UTF-8") : at + length;
}

/* Returns the first byte that a string does not simply contain: a quote, a
 * backslash, a control byte, or one outside ASCII. */
static const char *
skip_plain(const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t word = word_load(at);
        uint64_t marks =
            (((word ^ (ONES * '"')) - ONES) | ((word ^ (ONES * '\\')) - ONES) |
             (word - ONES * ' ') | word) &
            HIGHS;
        if (marks != 0) {
            return at + word_first(marks);
        }
        at += 8;
    }
    while (at < end && (unsigned char)*at >= ' ' && (unsigned char)*at < 0x80 &&
           *at != '"' && *at != '\\') {
        at++;
    }
    return at;
}

/* `at` is behind the opening quote; returns what is behind the closing one. */
static const char *
check_string(struct check *c, const char *at)
{
    while (at != NULL) {
        at = skip_plain(at, c->end);
        if (at == c->end) {
            return fail(c, at, "string without an end");
        }
        if (*at == '"') {
            return at + 1;
        }
        if (*at == '\\') {
            at = check_escape(c, at);
        } else if ((unsigned char)*at >= 0x80) {
            at = check_utf8(c, at);
        } else {
            return fail(c, at, "control byte in a string");
        }
    }
    return NULL;
}

static const char *
check_digits(struct check *c, const char *at)
{
    if (at == c->end || !is_digit(*at)) {
        return fail(c, at, "number without a digit");
    }
    while (at < c->end && is_digit(*at)) {
        at++;
    }
    return at;
}

static const char *
check_number(struct check *c, const char *at)
{
    if (*at == '-') {
        at++;
    }
    if (at < c->end && *at == '0') {
        at++;
        if (at < c->end && is_digit(*at)) {
            return fail(c, at, "number with a leading zero");
        }
    } else {
        at = check_digits(c, at);
    }
    if (at != NULL && at < c->end && *at == '.') {
        at = check_digits(c, at + 1);
    }
    if (at != NULL && at < c->end && (*at | 0x20) == 'e') {
        at++;
        if (at < c->end && (*at == '+' || *at == '-')) {
            at++;
        }
        at = check_digits(c, at);
    }
    return at;
}

static const char *
check_word(struct check *c, const char *at)
{
    static const struct slice words[] = { SLICE("true"), SLICE("false"),
                                          SLICE("null") };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if ((size_t)(c->end - at) >= words[i].len &&
            memcmp(at, words[i].ptr, words[i].len) == 0) {
            return at + words[i].len;
        }
    }
    return fail(c, at, "a value expected");
}

static const char *
check_name(struct check *c, const char *at)
{
    if (at == c->end || *at != '"') {
        return fail(c, at, "a member name expected");
    }
    at = check_string(c, at + 1);
    if (at == NULL) {
        return NULL;
    }
    at = skip_blanks(at, c->end);
    if (at == c->end || *at != ':') {
        return fail(c, at, "':' expected");
    }
    return at + 1;
}

static bool
in_object(const struct check *c)
{
    unsigned level = c->depth - 1;
    return (c->objects[level / 64] >> (level % 64) & 1) != 0;
}

static bool
check_enter(struct check *c, bool object)
{
    if (c->depth == c->depth_max) {
        return false;
    }
    uint64_t bit = UINT64_C(1) << (c->depth % 64);
    if (object) {
        c->objects[c->depth / 64] |= bit;
    } else {
        c->objects[c->depth / 64] &= ~bit;
    }
    c->depth++;
    return true;
}

static const char *
check_scalar(struct check *c, const char *at)
{
    if (*at == '"') {
        return check_string(c, at + 1);
    }
    return *at == '-' || is_digit(*at) ? check_number(c, at)
                                       : check_word(c, at);
}

/* Reads the brackets that open before a value, and then one scalar, or the
 * bracket that closes an empty array or object. */
static const char *
check_value(struct check *c, const char *at)
{
    for (;;) {
        at = skip_blanks(at, c->end);
        if (at == c->end) {
            return fail(c, at, "a value expected");
        }
        bool object = *at == '{';
        if (!object && *at != '[') {
            return check_scalar(c, at);
        }
        if (!check_enter(c, object)) {
            return fail(c, at, "nested too deeply");
        }
        at = skip_blanks(at + 1, c->end);
        if (at < c->end && *at == (object ? '}' : ']')) {
            c->depth--;
            return at + 1;
        }
        if (object) {
            at = check_name(c, at);
            if (at == NULL) {
                return NULL;
            }
        }
    }
}

/* Reads the brackets that close behind a value, and the comma (and the name)
 * before the next one; at depth 0 the text is complete. */
static const char *
check_behind(struct check *c, const char *at)
{
    while (c->depth > 0) {
        bool object = in_object(c);
        at = skip_blanks(at, c->end);
        if (at < c->end && *at == ',') {
            return object ? check_name(c, skip_blanks(at + 1, c->end)) : at + 1;
        }
        if (at == c->end || *at != (object ? '}' : ']')) {
            return fail(c, at,
                        object ? "',' or '}' expected" : "',' or ']' expected");
        }
        c->depth--;
        at++;
    }
    return at;
}

enum status
json_check(struct slice text, unsigned depth, struct error *err)
{
    /* An empty slice may have no pointer at all. */
    const char *start = text.len == 0 ? "" : text.ptr;
    struct check c = { .end = start + text.len,
                       .depth_max = depth < DEPTH_MAX ? depth : DEPTH_MAX };
    const char *at = start;
    do {
        at = check_value(&c, at);
        if (at != NULL) {
            at = check_behind(&c, at);
        }
    } while (at != NULL && c.depth > 0);
    if (at != NULL) {
        at = skip_blanks(at, c.end);
        if (at < c.end) {
            at = fail(&c, at, "something behind the value");
        }
    }
    if (at == NULL) {
        return error_set(err, STATUS_INVALID, "not JSON: %s at byte %zu", c.why,
                         (size_t)(c.bad - start) + 1);
    }
    return STATUS_OK;
}

/* Reading what passed. */

/* `at` is behind the opening quote; returns what is behind the closing one. */
static const char *
skip_string(const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t word = word_load(at);
        uint64_t quote = word ^ (ONES * '"');
        uint64_t slash = word ^ (ONES * '\\');
        uint64_t marks =
            (((quote - ONES) & ~quote) | ((slash - ONES) & ~slash)) & HIGHS;
        if (marks == 0) {
            at += 8;
            continue;
        }
        at += word_first(marks);
        if (*at == '"') {
            return at + 1;
        }
        at += end - at > 1 ? 2 : 1;
    }
    for (; at < end && *at != '"'; at++) {
        at += *at == '\\' && end - at > 1;
    }
    return at < end ? at + 1 : end;
}

static const char *
skip_nested(const char *at, const char *end)
{
    size_t depth = 0;
    while (at < end) {
        char byte = *at++;
        if (byte == '"') {
            at = skip_string(at, end);
        } else if (byte == '{' || byte == '[') {
            depth++;
        } else if (byte == '}' || byte == ']') {
            depth--;
            if (depth == 0) {
                return at;
            }
        }
    }
    return end;
}

static const char *
skip_value(const char *at, const char *end)
{
    if (at == end) {
        return end;
    }
    if (*at == '"') {
        return skip_string(at + 1, end);
    }
    if (*at == '{' || *at == '[') {
        return skip_nested(at, end);
    }
    while (at < end && *at != ',' && *at != ']' && *at != '}' &&
           !is_blank(*at)) {
        at++;
    }
    return at;
}

/* Cuts the first value out of `value`: no blanks before or behind it. */
static struct slice
value_only(struct slice value)
{
    if (value.len == 0) {
        return value;
    }
    const char *end = value.ptr + value.len;
    const char *at = skip_blanks(value.ptr, end);
    return (struct slice){ at, (size_t)(skip_value(at, end) - at) };
}

enum json_type
json_type(struct slice value)
{
    if (value.len == 0) {
        return JSON_NULL;
    }
    const char *end = value.ptr + value.len;
    const char *at = skip_blanks(value.ptr, end);
    switch (at == end ? 'n' : *at) {
    case 'n': return JSON_NULL;
    case 'f': return JSON_FALSE;
    case 't': return JSON_TRUE;
    case '"': return JSON_STRING;
    case '[': return JSON_ARRAY;
    case '{': return JSON_OBJECT;
    default: return JSON_NUMBER;
    }
}

/* Finds where the next element or member begins; NULL at the end, and where
 * `within` does not begin with `open` at all. */
static const char *
next_start(struct slice within, size_t at, char open)
{
    if (at >= within.len) {
        return NULL;
    }
    const char *end = within.ptr + within.len;
    const char *place = skip_blanks(within.ptr + at, end);
    if (place == end || *place != (at == 0 ? open : ',')) {
        return NULL;
    }
    place = skip_blanks(place + 1, end);
    return place == end || *place == ']' || *place == '}' ? NULL : place;
}

bool
json_next_element(struct slice array, size_t *at, struct slice *ret_value)
{
    const char *start = next_start(array, *at, '[');
    if (start == NULL) {
        return false;
    }
    const char *behind = skip_value(start, array.ptr + array.len);
    *ret_value = (struct slice){ start, (size_t)(behind - start) };
    *at = (size_t)(behind - array.ptr);
    return true;
}

bool
json_next_member(struct slice object, size_t *at, struct slice *ret_name,
                 struct slice *ret_value)
{
    const char *end = object.ptr + object.len;
    const char *start = next_start(object, *at, '{');
    if (start == NULL) {
        return false;
    }
    const char *behind = skip_value(start, end);
    const char *value = skip_blanks(behind, end);
    if (value < end) {
        value = skip_blanks(value + 1, end);
    }
    const char *last = skip_value(value, end);
    *ret_name = (struct slice){ start, (size_t)(behind - start) };
    *ret_value = (struct slice){ value, (size_t)(last - value) };
    *at = (size_t)(last - object.ptr);
    return true;
}

/* Decodes the escape at the start of `raw`; returns how many bytes of `raw` it
 * took, and into how many bytes of `into` it went. */
static size_t
decode_escape(struct slice raw, char into[4], size_t *ret_length)
{
    static const char named[] = "bfnrt";
    static const char meant[] = "\b\f\n\r\t";
    const char *end = raw.ptr + raw.len;
    *ret_length = 1;
    if (raw.len < 2) {
        into[0] = '\\';
        return raw.len;
    }
    if (raw.ptr[1] != 'u') {
        const char *name = strchr(named, raw.ptr[1]);
        into[0] = raw.ptr[1];
        if (name != NULL && *name != '\0') {
            into[0] = meant[name - named];
        }
        return 2;
    }
    int32_t unit = hex4(raw.ptr + 2, end);
    if (unit < 0) {
        into[0] = 'u';
        return 2;
    }
    if (!is_high_surrogate(unit) || raw.len < 12) {
        *ret_length = utf8_encode((uint32_t)unit, into);
        return 6;
    }
    int32_t low = hex4(raw.ptr + 8, end);
    uint32_t point =
        0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
    *ret_length = utf8_encode(point, into);
    return 12;
}

/* Takes the next piece off `raw`: a run without a backslash as it stands, or
 * one escape decoded into `room`. */
static struct slice
next_piece(struct slice *raw, char room[4])
{
    struct slice piece = { raw->ptr, 0 };
    size_t used;
    if (raw->ptr[0] == '\\') {
        used = decode_escape(*raw, room, &piece.len);
        piece.ptr = room;
    } else {
        used = slice_find(*raw, '\\');
        used = used == SIZE_MAX ? raw->len : used;
        piece.len = used;
    }
    *raw = slice_from(*raw, used);
    return piece;
}

static struct slice
unquote(struct slice string)
{
    return string.len < 2 ? (struct slice){ string.ptr, 0 }
                          : (struct slice){ string.ptr + 1, string.len - 2 };
}

/* Whether the string with the bytes `raw` between its quotes means `text`. */
static bool
raw_means(struct slice raw, struct slice text)
{
    /* Decoding never makes a string longer. */
    if (raw.len < text.len) {
        return false;
    }
    if (slice_find(raw, '\\') == SIZE_MAX) {
        return slice_equal(raw, text);
    }
    while (raw.len > 0) {
        char room[4];
        struct slice piece = next_piece(&raw, room);
        if (!slice_starts(text, piece)) {
            return false;
        }
        text = slice_from(text, piece.len);
    }
    return text.len == 0;
}

bool
json_member(struct slice object, struct slice name, struct slice *ret_value)
{
    size_t at = 0;
    struct slice quoted;
    struct slice value;
    while (json_next_member(object, &at, &quoted, &value)) {
        if (raw_means(unquote(quoted), name)) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

bool
json_means(struct slice value, struct slice text)
{
    value = value_only(value);
    return value.len > 0 && value.ptr[0] == '"'
               ? raw_means(unquote(value), text)
               : slice_equal(value, text);
}

enum status
json_text(struct slice value, struct arena *arena, struct slice *ret_text)
{
    value = value_only(value);
    if (value.len == 0 || value.ptr[0] != '"') {
        *ret_text = value;
        return STATUS_OK;
    }
    struct slice raw = unquote(value);
    if (slice_find(raw, '\\') == SIZE_MAX) {
        *ret_text = raw;
        return STATUS_OK;
    }
    char *copy = arena_alloc(arena, raw.len);
    if (copy == NULL) {
        return STATUS_NOMEM;
    }
    size_t len = 0;
    while (raw.len > 0) {
        char room[4];
        struct slice piece = next_piece(&raw, room);
        memcpy(copy + len, piece.ptr, piece.len);
        len += piece.len;
    }
    *ret_text = (struct slice){ copy, len };
    return STATUS_OK;
}

void
json_compact(struct slice value, struct buf *into)
{
    value = value_only(value);
    const char *end = slice_from(value, value.len).ptr;
    const char *at = value.ptr;
    const char *from = at; /* not yet copied */
    while (at < end) {
        if (*at == '"') {
            at = skip_string(at + 1, end);
        } else if (is_blank(*at)) {
            buf_append(into, (struct slice){ from, (size_t)(at - from) });
            at = skip_blanks(at, end);
            from = at;
        } else {
            at++;
        }
    }
    buf_append(into, (struct slice){ from, (size_t)(at - from) });
}
