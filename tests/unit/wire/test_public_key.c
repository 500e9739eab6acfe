/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "wire/digest.h"
#include "wire/encode.h"
#include "wire/public_key.h"

static char file_text[16384];

static struct slice
file_of(const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/keys/%s", TEST_DATA_DIR, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("cannot open %s", path);
        return slice_of("");
    }
    const size_t len = fread(file_text, 1, sizeof(file_text), file);
    (void)fclose(file);
    return (struct slice){ file_text, len };
}

static struct buf
key_of(const char *name, const char *kid)
{
    struct buf spki = { 0 };
    struct error err = { "" };
    const enum status status =
        public_key_read(file_of(name), slice_of(kid), &spki, &err);
    if (status != STATUS_OK) {
        fail_msg("%s: %s", name, err.text);
    }
    return spki;
}

static void
every_form_of_a_key_is_the_same_key(void **state)
{
    (void)state;
    static const struct {
        const char *name, *kid;
        enum digest_key_kind kind;
        const char *same_as;
    } rows[] = {
        { "rsa.pub.pem", "", DIGEST_KEY_RSA, "rsa.pub.pem" },
        { "rsa1.pub.pem", "", DIGEST_KEY_RSA, "rsa.pub.pem" },
        { "cert.pem", "", DIGEST_KEY_RSA, "rsa.pub.pem" },
        { "jwks.json", "r", DIGEST_KEY_RSA, "rsa.pub.pem" },
        { "ec.pub.pem", "", DIGEST_KEY_P256, "ec.pub.pem" },
        { "eccert.pem", "", DIGEST_KEY_P256, "ec.pub.pem" },
        { "jwks.json", "e", DIGEST_KEY_P256, "ec.pub.pem" },
        { "ec384.pub.pem", "", DIGEST_KEY_EC, "ec384.pub.pem" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum digest_key_kind kind;
        struct buf key = key_of(rows[i].name, rows[i].kid);
        struct buf same = key_of(rows[i].same_as, "");
        assert_int_equal(key.len, same.len);
        assert_memory_equal(key.ptr, same.ptr, key.len);
        assert_int_equal(digest_key_kind_of(buf_slice(&key), &kind), STATUS_OK);
        assert_int_equal(kind, rows[i].kind);
        buf_fini(&key);
        buf_fini(&same);
    }
}

static void
a_certificate_may_be_der_or_the_first_of_a_chain(void **state)
{
    (void)state;
    struct buf chain = { 0 };
    struct buf der = { 0 };
    struct buf joined = { 0 };
    struct buf key = { 0 };
    struct buf want = key_of("rsa.pub.pem", "");
    buf_text(&chain, "subject=/CN=leaf\r\n");
    buf_append(&chain, file_of("cert.pem"));
    buf_append(&chain, file_of("eccert.pem"));
    assert_int_equal(
        public_key_read(buf_slice(&chain), slice_of(""), &key, NULL),
        STATUS_OK);
    assert_true(slice_equal(buf_slice(&key), buf_slice(&want)));
    struct slice text = file_of("cert.pem");
    for (size_t i = sizeof("-----BEGIN CERTIFICATE-----"); i < text.len; i++) {
        if (text.ptr[i] == '-') {
            break;
        }
        if (text.ptr[i] != '\n') {
            buf_byte(&joined, text.ptr[i]);
        }
    }
    assert_int_equal(decode_base64(buf_slice(&joined), &der), STATUS_OK);
    buf_clear(&key);
    assert_int_equal(public_key_read(buf_slice(&der), slice_of(""), &key, NULL),
                     STATUS_OK);
    assert_true(slice_equal(buf_slice(&key), buf_slice(&want)));
    buf_fini(&chain);
    buf_fini(&der);
    buf_fini(&joined);
    buf_fini(&key);
    buf_fini(&want);
}

static void
what_is_no_key_is_refused_with_words(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } rows[] = {
        { "", "empty" },
        { " \n", "empty" },
        { "<html>not found</html>", "neither PEM" },
        { "-----BEGIN PUBLIC KEY-----\nno end", "broken" },
        { "-----BEGIN PUBLIC KEY-----\n!!\n-----END PUBLIC KEY-----",
          "broken" },
        { "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
          "a 'PRIVATE KEY'" },
        { "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
          "no X.509 certificate" },
        { "0\x03\x01\x01", "no X.509 certificate" },
        { "{\"kty\":\"oct\",\"k\":\"AAAA\"}", "no JWK of RSA" },
        { "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}",
          "no JWK" },
        { "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
          "no JWK" },
        { "{\"kty\":\"RSA\",\"n\":\"AQAB\"}", "no JWK" },
        { "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":3}", "no JWK" },
        { "{\"kty\":", "" },
        { "{\"keys\":[1,{\"kty\":\"RSA\"}]}",
          "no key of that name among the 2" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf key = { 0 };
        struct error err = { "" };
        const enum status status =
            public_key_read(slice_of(rows[i].text), slice_of(""), &key, &err);
        assert_true(status == STATUS_INVALID || status == STATUS_NOT_FOUND);
        if (strstr(err.text, rows[i].words) == NULL) {
            fail_msg("'%s': %s", rows[i].text, err.text);
        }
        assert_int_equal(key.len, 0);
        buf_fini(&key);
    }
    struct buf key = { 0 };
    assert_int_equal(
        public_key_read(file_of("edcert.pem"), slice_of(""), &key, NULL),
        STATUS_INVALID);
    assert_int_equal(
        public_key_read(file_of("jwks.json"), slice_of("x"), &key, NULL),
        STATUS_NOT_FOUND);
    /* Of several keys none is taken by guess. */
    assert_int_equal(
        public_key_read(file_of("jwks.json"), slice_of(""), &key, NULL),
        STATUS_NOT_FOUND);
    buf_fini(&key);
}

static void
an_ecdsa_signature_is_joined_as_der(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *der;
    } rows[] = {
        /* high bits get a zero before them, leading zeros go */
        { "8001", "3007"
                  "02020080"
                  "020101" },
        { "0000", "3006"
                  "020100"
                  "020100" },
        { "7f7f", "3006"
                  "02017f"
                  "02017f" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf raw = { 0 };
        struct buf der = { 0 };
        struct buf hex = { 0 };
        assert_int_equal(decode_hex(slice_of(rows[i].raw), &raw), STATUS_OK);
        assert_int_equal(public_key_join_ecdsa(buf_slice(&raw), 1, &der),
                         STATUS_OK);
        encode_hex(buf_slice(&der), &hex);
        assert_string_equal(hex.ptr, rows[i].der);
        assert_int_equal(public_key_join_ecdsa(buf_slice(&raw), 2, &der),
                         STATUS_INVALID);
        buf_fini(&raw);
        buf_fini(&der);
        buf_fini(&hex);
    }
    struct buf der = { 0 };
    assert_int_equal(
        public_key_join_ecdsa((struct slice){ file_text, 134 }, 67, &der),
        STATUS_INVALID);
    assert_int_equal(
        public_key_join_ecdsa((struct slice){ file_text, 132 }, 66, &der),
        STATUS_OK);
    assert_int_equal((unsigned char)der.ptr[1], 0x81);
    buf_fini(&der);
}

static void
running_out_of_memory_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *name, *kid;
    } rows[] = { { "jwks.json", "r" },
                 { "jwks.json", "e" },
                 { "rsa1.pub.pem", "" },
                 { "cert.pem", "" } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct slice text = file_of(rows[i].name);
        enum status status = STATUS_NOMEM;
        for (long n = 0; n < 300 && status != STATUS_OK; n++) {
            struct buf key = { 0 };
            (void)mem_fail_after(n, 0);
            status = public_key_read(text, slice_of(rows[i].kid), &key, NULL);
            (void)mem_fail_after(-1, 0);
            assert_true(status == STATUS_OK || status == STATUS_NOMEM ||
                        (status == STATUS_INVALID && i == 3));
            buf_fini(&key);
        }
        assert_int_equal(status, STATUS_OK);
    }
}

static int
set_up(void **state)
{
    (void)state;
    return digest_init(NULL) == STATUS_OK ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_a_key_is_the_same_key),
        cmocka_unit_test(a_certificate_may_be_der_or_the_first_of_a_chain),
        cmocka_unit_test(what_is_no_key_is_refused_with_words),
        cmocka_unit_test(an_ecdsa_signature_is_joined_as_der),
        cmocka_unit_test(running_out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
