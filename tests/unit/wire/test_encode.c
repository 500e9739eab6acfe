/* SPDX-License-Identifier: MIT */
/* Encodings against the vectors of RFC 4648 and against what is broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/encode.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
assert_text(struct buf *buf, const char *expected)
{
    assert_int_equal(buf_status(buf), STATUS_OK);
    assert_string_equal(buf->ptr == NULL ? "" : buf->ptr, expected);
    buf_fini(buf);
}

static void
base64_agrees_with_rfc_4648(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy" },
        { "\xff\xfe\xfd", "//79" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf buf = { 0 };
        encode_base64(slice_of(rows[i][0]), &buf);
        assert_text(&buf, rows[i][1]);
        assert_int_equal(decode_base64(slice_of(rows[i][1]), &buf), STATUS_OK);
        assert_text(&buf, rows[i][0]);
    }
}

static void
base64url_has_its_own_letters_and_no_padding(void **state)
{
    (void)state;
    struct buf buf = { 0 };
    encode_base64url(slice_of("\xff\xfe\xfd\xfc"), &buf);
    assert_text(&buf, "__79_A");
    assert_int_equal(decode_base64url(slice_of("__79_A"), &buf), STATUS_OK);
    assert_text(&buf, "\xff\xfe\xfd\xfc");
    assert_int_equal(decode_base64url(slice_of("__79_A=="), &buf),
                     STATUS_INVALID);
    assert_int_equal(decode_base64url(slice_of("//79"), &buf), STATUS_INVALID);
    buf_fini(&buf);
}

static void
broken_base64_appends_nothing(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "Z",     "Zg",       "Zg=",  "Z===",     "====",  "=",
        "Zm9v=", "Zg==Zg==", "Zh==", "Zm9=",     " Zm9v", "Zm9v ",
        "Zm 9v", "Zm\n9",    "__79", "Zm9v====", "Z=g=",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf buf = { 0 };
        buf_text(&buf, "kept");
        assert_int_equal(decode_base64(slice_of(rows[i]), &buf),
                         STATUS_INVALID);
        assert_text(&buf, "kept");
    }
}

static void
hex_is_lower_case_and_read_in_either(void **state)
{
    (void)state;
    struct buf buf = { 0 };
    encode_hex((struct slice){ "\x00\x0f\xa5\xff", 4 }, &buf);
    assert_text(&buf, "000fa5ff");
    assert_int_equal(decode_hex(slice_of("6C6f6E67"), &buf), STATUS_OK);
    assert_text(&buf, "long");
}

static void
broken_hex_appends_nothing(void **state)
{
    (void)state;
    static const char *const rows[] = { "0", "0g", "g0", " 0", "0x00", "00 " };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf buf = { 0 };
        buf_text(&buf, "kept");
        assert_int_equal(decode_hex(slice_of(rows[i]), &buf), STATUS_INVALID);
        assert_text(&buf, "kept");
    }
}

static void
percent_encoding_leaves_what_was_allowed(void **state)
{
    (void)state;
    struct buf buf = { 0 };
    encode_percent((struct slice){ "aZ9-._~ /\0\xc3", 11 }, NULL, &buf);
    assert_text(&buf, "aZ9-._~%20%2F%00%C3");
    encode_percent((struct slice){ "a/b:c d\0", 8 }, "/:", &buf);
    assert_text(&buf, "a/b:c%20d%00");
}

static void
percent_decoding_leaves_broken_escapes(void **state)
{
    (void)state;
    struct buf buf = { 0 };
    decode_percent(slice_of("a%20b+c%2Fd%2fe%%%g1%4%41%"), false, &buf);
    assert_text(&buf, "a b+c/d/e%%%g1%4A%");
    decode_percent(slice_of("a+b%2B%4"), true, &buf);
    assert_text(&buf, "a b+%4");
}

static void
secrets_compare_by_bytes_and_length(void **state)
{
    (void)state;
    assert_true(encode_same_secret(slice_of("abc"), slice_of("abc")));
    assert_true(encode_same_secret(slice_of(""), slice_of(NULL)));
    assert_false(encode_same_secret(slice_of("abc"), slice_of("abd")));
    assert_false(encode_same_secret(slice_of("abc"), slice_of("bbc")));
    assert_false(encode_same_secret(slice_of("abc"), slice_of("abcd")));
    assert_false(encode_same_secret((struct slice){ "a\0b", 3 },
                                    (struct slice){ "a\0c", 3 }));
}

static void
running_out_of_memory_is_reported(void **state)
{
    (void)state;
    struct buf buf = { 0 };
    (void)mem_fail_after(0, 1);
    assert_int_equal(decode_hex(slice_of("00"), &buf), STATUS_NOMEM);
    buf_fini(&buf);
    assert_int_equal(decode_base64(slice_of("Zm9v"), &buf), STATUS_NOMEM);
    buf_fini(&buf);
    encode_hex(slice_of("a"), &buf);
    assert_int_equal(buf_status(&buf), STATUS_NOMEM);
    buf_fini(&buf);
    encode_base64(slice_of("a"), &buf);
    assert_int_equal(buf_status(&buf), STATUS_NOMEM);
    (void)mem_fail_after(-1, 0);
    buf_fini(&buf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_agrees_with_rfc_4648),
        cmocka_unit_test(base64url_has_its_own_letters_and_no_padding),
        cmocka_unit_test(broken_base64_appends_nothing),
        cmocka_unit_test(hex_is_lower_case_and_read_in_either),
        cmocka_unit_test(broken_hex_appends_nothing),
        cmocka_unit_test(percent_encoding_leaves_what_was_allowed),
        cmocka_unit_test(percent_decoding_leaves_broken_escapes),
        cmocka_unit_test(secrets_compare_by_bytes_and_length),
        cmocka_unit_test(running_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
