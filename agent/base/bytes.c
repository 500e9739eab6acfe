/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

struct slice
slice_of(const char *text)
{
    return (struct slice){ text, text == NULL ? 0 : strlen(text) };
}

bool
slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool
slice_equal_text(struct slice a, const char *text)
{
    return slice_equal(a, slice_of(text));
}

static unsigned char
lower(char byte)
{
    unsigned char c = (unsigned char)byte;
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c;
}

bool
slice_equal_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

int
slice_compare(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, len);
    if (order != 0) {
        return order;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

bool
slice_starts(struct slice text, struct slice prefix)
{
    return text.len >= prefix.len &&
           slice_equal(slice_first(text, prefix.len), prefix);
}

bool
slice_ends(struct slice text, struct slice suffix)
{
    return text.len >= suffix.len &&
           slice_equal(slice_from(text, text.len - suffix.len), suffix);
}

struct slice
slice_from(struct slice text, size_t start)
{
    if (start >= text.len) {
        return (struct slice){ text.ptr == NULL ? NULL : text.ptr + text.len,
                               0 };
    }
    return (struct slice){ text.ptr + start, text.len - start };
}

struct slice
slice_first(struct slice text, size_t len)
{
    return (struct slice){ text.ptr, len < text.len ? len : text.len };
}

static bool
is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

struct slice
slice_trim(struct slice text)
{
    while (text.len > 0 && is_space(text.ptr[0])) {
        text = slice_from(text, 1);
    }
    while (text.len > 0 && is_space(text.ptr[text.len - 1])) {
        text.len--;
    }
    return text;
}

bool
slice_split(struct slice *rest, char separator, struct slice *ret_part)
{
    if (rest->ptr == NULL) {
        return false;
    }
    size_t at = slice_find(*rest, separator);
    if (at == SIZE_MAX) {
        *ret_part = *rest;
        *rest = (struct slice){ NULL, 0 };
    } else {
        *ret_part = slice_first(*rest, at);
        *rest = slice_from(*rest, at + 1);
    }
    return true;
}

size_t
slice_find(struct slice text, char byte)
{
    const char *at =
        text.len == 0 ? NULL : memchr(text.ptr, (unsigned char)byte, text.len);
    return at == NULL ? SIZE_MAX : (size_t)(at - text.ptr);
}

size_t
slice_find_slice(struct slice text, struct slice part)
{
    if (part.len == 0) {
        return 0;
    }
    for (size_t start = 0; start + part.len <= text.len;) {
        size_t at = slice_find(slice_from(text, start), part.ptr[0]);
        if (at == SIZE_MAX || start + at + part.len > text.len) {
            return SIZE_MAX;
        }
        if (memcmp(text.ptr + start + at, part.ptr, part.len) == 0) {
            return start + at;
        }
        start += at + 1;
    }
    return SIZE_MAX;
}

enum status
slice_to_u64(struct slice text, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (text.len == 0) {
        return STATUS_INVALID;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return STATUS_INVALID;
        }
        uint64_t digit = (uint64_t)(text.ptr[i] - '0');
        if (__builtin_mul_overflow(number, (uint64_t)10, &number) ||
            __builtin_add_overflow(number, digit, &number)) {
            return STATUS_INVALID;
        }
    }
    *ret_number = number;
    return STATUS_OK;
}

enum status
slice_to_i64(struct slice text, int64_t *ret_number)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    uint64_t number;
    enum status status = slice_to_u64(slice_from(text, negative), &number);
    /* There is one number more below zero than above it. */
    if (status != STATUS_OK || number > (uint64_t)INT64_MAX + negative) {
        return STATUS_INVALID;
    }
    if (negative && number > 0) {
        *ret_number = -(int64_t)(number - 1) - 1;
    } else {
        *ret_number = (int64_t)number;
    }
    return STATUS_OK;
}

static uint64_t
rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static void
sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

uint64_t
slice_hash(struct slice text, const uint64_t seed[2])
{
    uint64_t v[4] = { seed[0] ^ UINT64_C(0x736f6d6570736575),
                      seed[1] ^ UINT64_C(0x646f72616e646f6d),
                      seed[0] ^ UINT64_C(0x6c7967656e657261),
                      seed[1] ^ UINT64_C(0x7465646279746573) };
    size_t at = 0;
    for (; at + 8 <= text.len; at += 8) {
        uint64_t word;
        memcpy(&word, text.ptr + at, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)text.len << 56;
    for (size_t i = at; i < text.len; i++) {
        last |= (uint64_t)(unsigned char)text.ptr[i] << (8 * (i - at));
    }
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) {
        sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct slice
buf_slice(const struct buf *buf)
{
    return (struct slice){ buf->ptr == NULL ? "" : buf->ptr, buf->len };
}

enum status
buf_status(const struct buf *buf)
{
    return buf->failure;
}

char *
buf_reserve(struct buf *buf, size_t count)
{
    size_t need;
    if (buf->failure != STATUS_OK) {
        return NULL;
    }
    if (__builtin_add_overflow(buf->len, count, &need) || need == SIZE_MAX ||
        (buf->limit != 0 && need > buf->limit)) {
        buf->failure = STATUS_TOO_LARGE;
        return NULL;
    }
    if (need + 1 > buf->cap) {
        size_t cap = buf->cap < 64 ? 64 : buf->cap;
        while (cap < need + 1) {
            cap = cap > SIZE_MAX / 2 ? need + 1 : cap * 2;
        }
        char *ptr = mem_resize(buf->ptr, cap, 1);
        if (ptr == NULL) {
            buf->failure = STATUS_NOMEM;
            return NULL;
        }
        buf->ptr = ptr;
        buf->cap = cap;
    }
    return buf->ptr + buf->len;
}

void
buf_append(struct buf *buf, struct slice bytes)
{
    char *room = buf_reserve(buf, bytes.len);
    if (room == NULL) {
        return;
    }
    if (bytes.len > 0) {
        memcpy(room, bytes.ptr, bytes.len);
    }
    buf->len += bytes.len;
    buf->ptr[buf->len] = '\0';
}

void
buf_text(struct buf *buf, const char *text)
{
    buf_append(buf, slice_of(text));
}

void
buf_byte(struct buf *buf, char byte)
{
    buf_append(buf, (struct slice){ &byte, 1 });
}

static void
append_digits(struct buf *buf, bool negative, uint64_t rest)
{
    char digits[21]; /* "-9223372036854775808", "18446744073709551615" */
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (negative) {
        digits[--at] = '-';
    }
    buf_append(buf, (struct slice){ digits + at, sizeof(digits) - at });
}

void
buf_i64(struct buf *buf, int64_t number)
{
    append_digits(buf, number < 0,
                  number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void
buf_u64(struct buf *buf, uint64_t number)
{
    append_digits(buf, false, number);
}

void
buf_format(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *room = len < 0 ? NULL : buf_reserve(buf, (size_t)len);
    if (room == NULL) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(room, (size_t)len + 1, format, args);
    va_end(args);
    buf->len += (size_t)len;
}

static void
json_byte(struct buf *buf, char byte)
{
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *pair = named; *pair != '\0'; pair += 2) {
        if (pair[0] == byte) {
            buf_append(buf, (struct slice){ "\\", 1 });
            buf_append(buf, (struct slice){ pair + 1, 1 });
            return;
        }
    }
    buf_format(buf, "\\u%04x", (unsigned char)byte);
}

void
buf_json(struct buf *buf, struct slice text)
{
    buf_byte(buf, '"');
    size_t plain = 0; /* start of the run that needs no escape */
    for (size_t i = 0; i < text.len;) {
        unsigned char c = (unsigned char)text.ptr[i];
        size_t step = utf8_length(slice_from(text, i));
        bool escape = c < 0x20 || c == '"' || c == '\\' || c == 0x7f;
        if (step > 0 && !escape) {
            i += step;
            continue;
        }
        buf_append(buf, (struct slice){ text.ptr + plain, i - plain });
        if (step == 0) {
            buf_text(buf, "\xef\xbf\xbd");
        } else {
            json_byte(buf, text.ptr[i]);
        }
        i++;
        plain = i;
    }
    buf_append(buf, slice_from(text, plain));
    buf_byte(buf, '"');
}

void
buf_consume(struct buf *buf, size_t count)
{
    PRE(count <= buf->len);
    if (count > 0) {
        memmove(buf->ptr, buf->ptr + count, buf->len - count);
        buf->len -= count;
        buf->ptr[buf->len] = '\0';
    }
}

void
buf_truncate(struct buf *buf, size_t len)
{
    if (len < buf->len) {
        buf->len = len;
        buf->ptr[len] = '\0';
    }
}

void
buf_clear(struct buf *buf)
{
    buf_truncate(buf, 0);
    buf->failure = STATUS_OK;
}

char *
buf_detach(struct buf *buf)
{
    char *bytes = buf->ptr;
    *buf = (struct buf){ .limit = buf->limit };
    return bytes;
}

void
buf_fini(struct buf *buf)
{
    mem_free(buf->ptr);
    *buf = (struct buf){ .limit = buf->limit };
}
