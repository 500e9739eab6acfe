/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

/* RFC 3629 §4: the first byte decides the length and what may stand second. */
struct lead {
    unsigned char first, last; /* of the first byte */
    unsigned char low, high;   /* of the second byte */
    unsigned char length;
};

static const struct lead leads[] = {
    { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
    { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
    { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
    { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

static size_t
length_by_lead(const struct lead *lead, const unsigned char *at, size_t len)
{
    if (len < lead->length || at[1] < lead->low || at[1] > lead->high) {
        return 0;
    }
    for (size_t i = 2; i < lead->length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return lead->length;
}

size_t
utf8_length(struct slice text)
{
    const unsigned char *at = (const unsigned char *)text.ptr;
    if (text.len == 0) {
        return 0;
    }
    if (at[0] < 0x80) {
        return 1;
    }
    for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++) {
        if (at[0] >= leads[i].first && at[0] <= leads[i].last) {
            return length_by_lead(&leads[i], at, text.len);
        }
    }
    return 0;
}

bool
utf8_valid(struct slice text)
{
    while (text.len > 0) {
        size_t length = utf8_length(text);
        if (length == 0) {
            return false;
        }
        text = slice_from(text, length);
    }
    return true;
}

size_t
utf8_encode(uint32_t point, char into[4])
{
    static const unsigned char marks[] = { 0, 0x00, 0xc0, 0xe0, 0xf0 };
    size_t length = point < 0x80      ? 1
                    : point < 0x800   ? 2
                    : point < 0x10000 ? 3
                                      : 4;
    for (size_t i = length - 1; i > 0; i--) {
        into[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    into[0] = (char)(marks[length] | point);
    return length;
}
