/* SPDX-License-Identifier: MIT */
#include "wire/encode.h"

#include <stdint.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";
static const char base64_standard[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64_url_safe[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Counts bytes as appended that were written into reserved room. */
static void
commit(struct buf *into, size_t count)
{
    into->len += count;
    into->ptr[into->len] = '\0';
}

void
encode_hex(struct slice bytes, struct buf *into)
{
    size_t need;
    if (__builtin_mul_overflow(bytes.len, 2, &need)) {
        need = SIZE_MAX; /* buf_reserve notes it as too large */
    }
    char *at = buf_reserve(into, need);
    if (at == NULL) {
        return;
    }
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.ptr[i];
        *at++ = hex_digits[byte >> 4];
        *at++ = hex_digits[byte & 15];
    }
    commit(into, need);
}

static void
base64(struct slice bytes, const char *alphabet, bool padded, struct buf *into)
{
    size_t groups = bytes.len / 3 + 1;
    char *start =
        buf_reserve(into, groups > SIZE_MAX / 4 ? SIZE_MAX : groups * 4);
    if (start == NULL) {
        return;
    }
    char *at = start;
    size_t i = 0;
    for (; bytes.len - i >= 3; i += 3) {
        uint32_t bits = (uint32_t)(unsigned char)bytes.ptr[i] << 16 |
                        (uint32_t)(unsigned char)bytes.ptr[i + 1] << 8 |
                        (uint32_t)(unsigned char)bytes.ptr[i + 2];
        *at++ = alphabet[bits >> 18];
        *at++ = alphabet[bits >> 12 & 63];
        *at++ = alphabet[bits >> 6 & 63];
        *at++ = alphabet[bits & 63];
    }
    size_t rest = bytes.len - i;
    if (rest > 0) {
        uint32_t bits = (uint32_t)(unsigned char)bytes.ptr[i] << 16;
        if (rest == 2) {
            bits |= (uint32_t)(unsigned char)bytes.ptr[i + 1] << 8;
        }
        *at++ = alphabet[bits >> 18];
        *at++ = alphabet[bits >> 12 & 63];
        if (rest == 2) {
            *at++ = alphabet[bits >> 6 & 63];
        }
        for (; padded && rest < 3; rest++) {
            *at++ = '=';
        }
    }
    commit(into, (size_t)(at - start));
}

void
encode_base64(struct slice bytes, struct buf *into)
{
    base64(bytes, base64_standard, true, into);
}

void
encode_base64url(struct slice bytes, struct buf *into)
{
    base64(bytes, base64_url_safe, false, into);
}

/* Returns the value of a hex digit, or -1. */
static int
hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

enum status
decode_hex(struct slice text, struct buf *into)
{
    if (text.len % 2 != 0) {
        return STATUS_INVALID;
    }
    char *at = buf_reserve(into, text.len / 2);
    if (at == NULL) {
        return buf_status(into);
    }
    for (size_t i = 0; i < text.len; i += 2) {
        int high = hex_value(text.ptr[i]);
        int low = hex_value(text.ptr[i + 1]);
        if (high < 0 || low < 0) {
            into->ptr[into->len] = '\0';
            return STATUS_INVALID;
        }
        *at++ = (char)(unsigned char)(high << 4 | low);
    }
    commit(into, text.len / 2);
    return STATUS_OK;
}

/* Returns the six bits a base64 letter stands for, or -1. */
static int
base64_value(char letter, const char *alphabet)
{
    if (letter >= 'A' && letter <= 'Z') {
        return letter - 'A';
    }
    if (letter >= 'a' && letter <= 'z') {
        return letter - 'a' + 26;
    }
    if (letter >= '0' && letter <= '9') {
        return letter - '0' + 52;
    }
    if (letter == alphabet[62]) {
        return 62;
    }
    return letter == alphabet[63] ? 63 : -1;
}

/*
 * Decodes letters without padding. The spare bits of a last, partial group
 * must be zero (RFC 4648 §3.5), so each byte string has one spelling only.
 */
static enum status
base64_decode(struct slice text, const char *alphabet, struct buf *into)
{
    if (text.len % 4 == 1) {
        return STATUS_INVALID;
    }
    size_t count = text.len / 4 * 3 + (text.len % 4 * 3) / 4;
    char *at = buf_reserve(into, count);
    if (at == NULL) {
        return buf_status(into);
    }
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = base64_value(text.ptr[i], alphabet);
        if (value < 0) {
            goto refuse;
        }
        bits = bits << 6 | (uint32_t)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            *at++ = (char)(unsigned char)(bits >> have);
            bits &= (UINT32_C(1) << have) - 1;
        }
    }
    if (bits != 0) {
        goto refuse;
    }
    commit(into, count);
    return STATUS_OK;

refuse:
    into->ptr[into->len] = '\0';
    return STATUS_INVALID;
}

enum status
decode_base64(struct slice text, struct buf *into)
{
    if (text.len % 4 != 0) {
        return STATUS_INVALID;
    }
    for (int i = 0; i < 2 && text.len > 0 && text.ptr[text.len - 1] == '=';
         i++) {
        text.len--;
    }
    return base64_decode(text, base64_standard, into);
}

enum status
decode_base64url(struct slice text, struct buf *into)
{
    return base64_decode(text, base64_url_safe, into);
}

static bool
is_unreserved(char byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' ||
           byte == '_' || byte == '~';
}

void
encode_percent(struct slice bytes, const char *also_plain, struct buf *into)
{
    for (size_t i = 0; i < bytes.len; i++) {
        char byte = bytes.ptr[i];
        if (is_unreserved(byte) || (also_plain != NULL && byte != '\0' &&
                                    strchr(also_plain, byte) != NULL)) {
            buf_byte(into, byte);
        } else {
            unsigned char value = (unsigned char)byte;
            buf_format(into, "%%%02X", value);
        }
    }
}

void
decode_percent(struct slice text, bool plus, struct buf *into)
{
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        if (byte == '%' && text.len - i > 2) {
            int high = hex_value(text.ptr[i + 1]);
            int low = hex_value(text.ptr[i + 2]);
            if (high >= 0 && low >= 0) {
                byte = (char)(unsigned char)(high << 4 | low);
                i += 2;
            }
        } else if (byte == '+' && plus) {
            byte = ' ';
        }
        buf_byte(into, byte);
    }
}

bool
encode_same_secret(struct slice a, struct slice b)
{
    if (a.len != b.len) {
        return false;
    }
    /* volatile: the compiler may not stop at the first difference. */
    volatile unsigned char difference = 0;
    for (size_t i = 0; i < a.len; i++) {
        difference = (unsigned char)(difference | (a.ptr[i] ^ b.ptr[i]));
    }
    return difference == 0;
}
