/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/utf8.h"

/* What RFC 3629 §4 allows, computed another way than in utf8.c: decode, then
 * look whether the shortest form of that number is what stood there. */
static size_t
length_by_decoding(const unsigned char *at, size_t len)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t need = at[0] < 0x80             ? 1
                  : (at[0] & 0xe0) == 0xc0 ? 2
                  : (at[0] & 0xf0) == 0xe0 ? 3
                  : (at[0] & 0xf8) == 0xf0 ? 4
                                           : 0;
    if (need < 2 || len < need) {
        return need == 1 ? 1 : 0;
    }
    uint32_t point = at[0] & (0xffU >> (need + 1));
    for (size_t i = 1; i < need; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        point = point << 6 | (at[i] & 0x3fU);
    }
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    return point < least[need] || surrogate || point > 0x10ffff ? 0 : need;
}

static void
every_start_of_three_bytes_is_judged_as_the_rfc_does(void **state)
{
    unsigned char bytes[4] = { 0, 0, 0, 0x80 };
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned second = 0; second < 256; second++) {
            for (unsigned third = 0x70; third < 0xd0; third += 0x10) {
                bytes[0] = (unsigned char)first;
                bytes[1] = (unsigned char)second;
                bytes[2] = (unsigned char)third;
                for (size_t len = 1; len <= 4; len++) {
                    struct slice text = { (const char *)bytes, len };
                    if (utf8_length(text) != length_by_decoding(bytes, len)) {
                        fail_msg("%02x %02x %02x, %zu bytes", first, second,
                                 third, len);
                    }
                }
            }
        }
    }
}

static void
a_text_is_valid_if_every_character_is(void **state)
{
    static const struct {
        struct slice text;
        bool valid;
    } rows[] = {
        { SLICE(""), true },
        { SLICE("plain\0text"), true },
        { SLICE("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), true },
        { SLICE("\xef\xbf\xbf"), true },
        { SLICE("\xf4\x8f\xbf\xbf"), true },
        { SLICE("\xf4\x90\x80\x80"), false },
        { SLICE("\xc0\x80"), false },
        { SLICE("\xed\xa0\x80"), false },
        { SLICE("ok\x80"), false },
        { SLICE("cut\xe2\x82"), false },
        { SLICE("\xfe\xff"), false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(utf8_valid(rows[i].text), rows[i].valid);
    }
    assert_true(utf8_valid((struct slice){ NULL, 0 }));
    assert_int_equal(utf8_length((struct slice){ NULL, 0 }), 0);
}

static void
what_is_encoded_is_valid_and_as_short_as_can_be(void **state)
{
    static const struct {
        uint32_t point;
        const char *bytes;
    } rows[] = {
        { 0x41, "A" },
        { 0x7f, "\x7f" },
        { 0x80, "\xc2\x80" },
        { 0x7ff, "\xdf\xbf" },
        { 0x800, "\xe0\xa0\x80" },
        { 0xffff, "\xef\xbf\xbf" },
        { 0x10000, "\xf0\x90\x80\x80" },
        { 0x10ffff, "\xf4\x8f\xbf\xbf" },
    };
    char bytes[4];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = utf8_encode(rows[i].point, bytes);
        assert_int_equal(len, strlen(rows[i].bytes));
        assert_memory_equal(bytes, rows[i].bytes, len);
    }
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        if (point < 0xd800 || point > 0xdfff) {
            size_t len = utf8_encode(point, bytes);
            if (utf8_length((struct slice){ bytes, len }) != len) {
                fail_msg("U+%04X", point);
            }
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_start_of_three_bytes_is_judged_as_the_rfc_does),
        cmocka_unit_test(a_text_is_valid_if_every_character_is),
        cmocka_unit_test(what_is_encoded_is_valid_and_as_short_as_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
