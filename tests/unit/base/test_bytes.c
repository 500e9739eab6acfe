/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct slice nothing = { NULL, 0 };

static void
assert_slice(struct slice got, const char *expected)
{
    assert_int_equal(got.len, strlen(expected));
    assert_memory_equal(got.ptr == NULL ? "" : got.ptr, expected, got.len);
}

static void
slices_compare_by_their_bytes(void **state)
{
    static const struct {
        struct slice a, b;
        int order; /* its sign */
        bool nocase;
    } rows[] = {
        { SLICE(""), SLICE(""), 0, true },
        { SLICE("a"), SLICE(""), 1, false },
        { SLICE("a"), SLICE("b"), -1, false },
        { SLICE("ab"), SLICE("a"), 1, false },
        { SLICE("abc"), SLICE("abd"), -1, false },
        { SLICE("a\0b"), SLICE("a\0c"), -1, false },
        { SLICE("\xff"), SLICE("a"), 1, false },
        { SLICE("Content-TYPE"), SLICE("content-type"), -1, true },
        { SLICE("[@`{"), SLICE("[@`{"), 0, true },
        { SLICE("@"), SLICE("`"), -1, false },
        { SLICE("\xc4"), SLICE("\xe4"), -1, false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int order = slice_compare(rows[i].a, rows[i].b);
        int back = slice_compare(rows[i].b, rows[i].a);
        assert_int_equal((order > 0) - (order < 0), rows[i].order);
        assert_int_equal((back > 0) - (back < 0), -rows[i].order);
        assert_int_equal(slice_equal(rows[i].a, rows[i].b), rows[i].order == 0);
        assert_int_equal(slice_equal_nocase(rows[i].a, rows[i].b),
                         rows[i].nocase);
    }
    assert_true(slice_equal(nothing, slice_of("")));
    assert_true(slice_equal(slice_of(NULL), nothing));
    assert_int_equal(slice_compare(nothing, slice_of("")), 0);
    assert_true(slice_equal_text(nothing, ""));
    assert_false(slice_equal_text((struct slice){ "a\0", 2 }, "a"));
}

static void
parts_are_found_at_both_ends_and_within(void **state)
{
    struct slice text = slice_of("one,two");
    (void)state;
    assert_true(slice_starts(text, slice_of("one")));
    assert_true(slice_starts(text, nothing));
    assert_true(slice_starts(text, text));
    assert_false(slice_starts(slice_of("on"), slice_of("one")));
    assert_false(slice_starts(text, slice_of("two")));
    assert_true(slice_ends(text, slice_of("two")));
    assert_true(slice_ends(text, nothing));
    assert_false(slice_ends(slice_of("wo"), slice_of("two")));
    assert_slice(slice_from(text, 4), "two");
    assert_slice(slice_from(text, 7), "");
    assert_slice(slice_from(text, SIZE_MAX), "");
    assert_null(slice_from(nothing, 3).ptr);
    assert_slice(slice_first(text, 3), "one");
    assert_slice(slice_first(text, 99), "one,two");
    assert_int_equal(slice_find(text, ','), 3);
    assert_int_equal(slice_find(text, ';'), SIZE_MAX);
    assert_int_equal(slice_find(nothing, ','), SIZE_MAX);
    assert_int_equal(slice_find((struct slice){ "\xff\xfe", 2 }, '\xfe'), 1);
}

static void
a_part_is_found_at_its_first_place(void **state)
{
    static const struct {
        struct slice text, part;
        size_t place;
    } rows[] = {
        { SLICE("abcabc"), SLICE("abc"), 0 },
        { SLICE("aaab"), SLICE("aab"), 1 },
        { SLICE("ababac"), SLICE("abac"), 2 },
        { SLICE("abc"), SLICE(""), 0 },
        { SLICE(""), SLICE(""), 0 },
        { SLICE(""), SLICE("a"), SIZE_MAX },
        { SLICE("ab"), SLICE("abc"), SIZE_MAX },
        { SLICE("xxab"), SLICE("abc"), SIZE_MAX },
        { SLICE("xa"), SLICE("a"), 1 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(slice_find_slice(rows[i].text, rows[i].part),
                         rows[i].place);
    }
}

static void
white_space_is_cut_from_both_ends_only(void **state)
{
    (void)state;
    assert_slice(slice_trim(slice_of(" \t\r\n a b \n")), "a b");
    assert_slice(slice_trim(slice_of(" \t ")), "");
    assert_slice(slice_trim(slice_of("a")), "a");
    assert_slice(slice_trim(nothing), "");
    assert_slice(slice_trim(slice_of("\v a")), "\v a");
}

static void
a_text_is_split_into_all_its_parts(void **state)
{
    static const struct {
        const char *text;
        size_t count;
        const char *parts[4];
    } rows[] = {
        { "a,,b", 3, { "a", "", "b" } }, { "", 1, { "" } },
        { ",", 2, { "", "" } },          { "a,", 2, { "a", "" } },
        { "abc", 1, { "abc" } },
    };
    struct slice part;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice rest = slice_of(rows[i].text);
        for (size_t at = 0; at < rows[i].count; at++) {
            assert_true(slice_split(&rest, ',', &part));
            assert_slice(part, rows[i].parts[at]);
        }
        assert_false(slice_split(&rest, ',', &part));
    }
    struct slice rest = nothing;
    assert_false(slice_split(&rest, ',', &part));
}

static void
numbers_are_digits_only_and_never_overflow(void **state)
{
    static const struct {
        const char *text;
        bool unsigned_ok, signed_ok;
        uint64_t number;
        int64_t signed_number;
    } rows[] = {
        { "0", true, true, 0, 0 },
        { "007", true, true, 7, 7 },
        { "18446744073709551615", true, false, UINT64_MAX, 0 },
        { "18446744073709551616", false, false, 0, 0 },
        { "99999999999999999999", false, false, 0, 0 },
        { "9223372036854775807", true, true, INT64_MAX, INT64_MAX },
        { "9223372036854775808", true, false, UINT64_C(1) << 63, 0 },
        { "-9223372036854775808", false, true, 0, INT64_MIN },
        { "-9223372036854775809", false, false, 0, 0 },
        { "-1", false, true, 0, -1 },
        { "-0", false, true, 0, 0 },
        { "", false, false, 0, 0 },
        { "-", false, false, 0, 0 },
        { "--1", false, false, 0, 0 },
        { "+1", false, false, 0, 0 },
        { " 1", false, false, 0, 0 },
        { "1 ", false, false, 0, 0 },
        { "1a", false, false, 0, 0 },
        { "0x1", false, false, 0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t number = 77;
        int64_t signed_number = 77;
        enum status status = slice_to_u64(slice_of(rows[i].text), &number);
        assert_int_equal(status,
                         rows[i].unsigned_ok ? STATUS_OK : STATUS_INVALID);
        assert_int_equal(number, rows[i].unsigned_ok ? rows[i].number : 77);
        status = slice_to_i64(slice_of(rows[i].text), &signed_number);
        assert_int_equal(status,
                         rows[i].signed_ok ? STATUS_OK : STATUS_INVALID);
        assert_int_equal(signed_number,
                         rows[i].signed_ok ? rows[i].signed_number : 77);
    }
    uint64_t number;
    assert_int_equal(slice_to_u64(nothing, &number), STATUS_INVALID);
}

/* Vectors: CPython 3.11's hash of bytes is SipHash-1-3; key zero. */
static void
the_hash_is_siphash_1_3(void **state)
{
    static const struct {
        const char *text;
        uint64_t hash;
    } rows[] = {
        { "a", UINT64_C(0x407448d2b89b1813) },
        { "12345678", UINT64_C(0x3489982430560a87) },
        { "abcdefgh12345678xyz", UINT64_C(0x5224beb4249fb98e) },
    };
    static const uint64_t zero[2] = { 0, 0 };
    static const uint64_t other[2] = { 0, 1 };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice text = slice_of(rows[i].text);
        assert_true(slice_hash(text, zero) == rows[i].hash);
        assert_true(slice_hash(text, other) != rows[i].hash);
    }
    assert_true(slice_hash(nothing, zero) == slice_hash(slice_of(""), zero));
}

static void
a_buf_grows_and_ends_in_nul(void **state)
{
    struct buf buf = { 0 };
    (void)state;
    assert_slice(buf_slice(&buf), "");
    assert_string_equal(buf_slice(&buf).ptr, "");
    buf_text(&buf, "x=");
    buf_i64(&buf, INT64_MIN);
    buf_byte(&buf, ';');
    buf_u64(&buf, UINT64_MAX);
    buf_u64(&buf, 0);
    buf_format(&buf, "%s-%03d", "n", 7);
    buf_append(&buf, nothing);
    assert_string_equal(buf.ptr,
                        "x=-9223372036854775808;184467440737095516150n-007");
    for (int i = 0; i < 1000; i++) {
        buf_byte(&buf, 'y');
    }
    assert_int_equal(buf.len, 49 + 1000);
    assert_int_equal(buf.ptr[buf.len], '\0');
    assert_int_equal(buf_status(&buf), STATUS_OK);
    buf_fini(&buf);
    buf_fini(&buf);
}

static void
a_buf_over_its_limit_stays_as_it_was_and_remembers(void **state)
{
    struct buf buf = { .limit = 8 };
    (void)state;
    buf_text(&buf, "12345678");
    assert_int_equal(buf_status(&buf), STATUS_OK);
    buf_byte(&buf, '9');
    assert_int_equal(buf_status(&buf), STATUS_TOO_LARGE);
    assert_slice(buf_slice(&buf), "12345678");
    buf_append(&buf, nothing);
    buf_truncate(&buf, 1);
    buf_text(&buf, "2");
    assert_slice(buf_slice(&buf), "1");
    buf_clear(&buf);
    buf_text(&buf, "again");
    assert_int_equal(buf_status(&buf), STATUS_OK);
    assert_slice(buf_slice(&buf), "again");
    assert_null(buf_reserve(&buf, SIZE_MAX));
    assert_int_equal(buf_status(&buf), STATUS_TOO_LARGE);
    buf_fini(&buf);
    assert_int_equal(buf.limit, 8);
    assert_int_equal(buf_status(&buf), STATUS_OK);
}

static void
bytes_are_reserved_taken_away_and_given_up(void **state)
{
    struct buf buf = { 0 };
    (void)state;
    buf_consume(&buf, 0);
    buf_truncate(&buf, 5);
    buf_clear(&buf);
    char *room = buf_reserve(&buf, 6);
    assert_non_null(room);
    memcpy(room, "abcdef", 6);
    buf.len += 6;
    buf_consume(&buf, 2);
    assert_string_equal(buf.ptr, "cdef");
    buf_consume(&buf, 0);
    buf_truncate(&buf, 99);
    buf_truncate(&buf, 3);
    assert_string_equal(buf.ptr, "cde");
    char *owned = buf_detach(&buf);
    assert_string_equal(owned, "cde");
    mem_free(owned);
    assert_null(buf_detach(&buf));
    buf_text(&buf, "next");
    buf_consume(&buf, 4);
    assert_slice(buf_slice(&buf), "");
    buf_fini(&buf);
}

static void
a_buf_without_memory_stays_as_it_was(void **state)
{
    struct buf buf = { 0 };
    (void)state;
    buf_text(&buf, "first");
    (void)mem_fail_after(0, 1);
    for (int i = 0; i < 100; i++) {
        buf_byte(&buf, '.');
    }
    (void)mem_fail_after(-1, 0);
    assert_int_equal(buf_status(&buf), STATUS_NOMEM);
    assert_memory_equal(buf.ptr, "first", 5);
    assert_int_equal(buf.len, 63);
    assert_int_equal(buf.ptr[63], '\0');
    buf_text(&buf, "more");
    assert_int_equal(buf.len, 63);
    buf_fini(&buf);
}

static void
json_strings_hold_any_bytes(void **state)
{
    static const struct {
        struct slice text;
        const char *json;
    } rows[] = {
        { SLICE(""), "\"\"" },
        { SLICE("plain"), "\"plain\"" },
        { SLICE("a\"b\\c/"), "\"a\\\"b\\\\c/\"" },
        { SLICE("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"" },
        { SLICE("\0\x1f\x7f"), "\"\\u0000\\u001f\\u007f\"" },
        { SLICE("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
          "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"" },
        { SLICE("a\xff"
                "b"),
          "\"a\xef\xbf\xbd"
          "b\"" },
        { SLICE("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
        { SLICE("x\xe2\x82"), "\"x\xef\xbf\xbd\xef\xbf\xbd\"" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf buf = { 0 };
        buf_json(&buf, rows[i].text);
        assert_int_equal(buf_status(&buf), STATUS_OK);
        assert_slice(buf_slice(&buf), rows[i].json);
        buf_fini(&buf);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_compare_by_their_bytes),
        cmocka_unit_test(parts_are_found_at_both_ends_and_within),
        cmocka_unit_test(a_part_is_found_at_its_first_place),
        cmocka_unit_test(white_space_is_cut_from_both_ends_only),
        cmocka_unit_test(a_text_is_split_into_all_its_parts),
        cmocka_unit_test(numbers_are_digits_only_and_never_overflow),
        cmocka_unit_test(the_hash_is_siphash_1_3),
        cmocka_unit_test(a_buf_grows_and_ends_in_nul),
        cmocka_unit_test(a_buf_over_its_limit_stays_as_it_was_and_remembers),
        cmocka_unit_test(bytes_are_reserved_taken_away_and_given_up),
        cmocka_unit_test(a_buf_without_memory_stays_as_it_was),
        cmocka_unit_test(json_strings_hold_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
