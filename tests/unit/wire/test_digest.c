/* SPDX-License-Identifier: MIT */
/* Digests and signatures against published vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "wire/digest.h"
#include "wire/encode.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A signed body as SendGrid publishes it (its SDK's test of 2020). */
static const char sendgrid_key[] =
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9m"
    "N1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==";
static const char sendgrid_signature[] =
    "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQ"
    "AbPIqHh89M15TluLtEZtM=";
static const char sendgrid_body[] =
    "[{\"email\":\"hello@world.com\",\"event\":\"dropped\",\"reason\":"
    "\"Bounced "
    "Address\",\"sg_event_id\":\"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV"
    "9BLTA\",\"sg_message_id\":\"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b"
    "745b58-kmzbl-18-5F5FC76C-9.0\",\"smtp-id\":\"<LRzXl_NHStOGhQ4kofSm_A@ismtp"
    "d0039p1iad1.sendgrid.net>\",\"timestamp\":1600112492}]\r\n";

/* "hello, world" signed with a 2048-bit RSA key made for this test. */
static const char rsa_key[] =
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvOsgaiDoX47oj2b8zK+6QX3MV8bbLu"
    "x51hwawNlSezrtNR2qJj9iZOd+abxjQ3azBMbc9qV6JJ9Y1pdeKSr3ijADJimGjIY8PNOjzm5P"
    "SYLNHkWC+7WwsQ+5qqXDo21atvdWm28Eb4Qzyw5kOB14FxI7AoLy/keu0HGlP6d9KrxGxqzLp9"
    "/gq8nVhamQhKBJyv4WACU9ZohzX3T4CgpVFpFsVXfBQ+0XZQjwzqnJV+3uAE+FEgsgc1BHww0o"
    "3E4qoG0KaAyTZhbEXNT6i8HO/pHpeurPEHWzDp7H3isNhE3X2WTclNVodtw9If27a66eTZLoSH"
    "Hb+ntC5LqhXaBBbwIDAQAB";
static const char rsa_signature[] =
    "EjPStzZRj12cGI4tKqF3KXq+5TMWfv0LlvQAjqQURVcMKe9aoqX9RW2mcYr/c6gWl159bOHc61"
    "NMtkEffEjWoj9ksUExRv13tF71FB++Wy/aYYgBjnLoTT1EVsxOmmUwlYy+sxJSoxFWmYJ2gmwq"
    "zjyGHSjVKqHjve+ZoO6xv9BWQGkZW4GB8Z96idLGGw7KpzSFBMIjg9hfgC28aSdXf94/1NLXpD"
    "Mx39No1sqGSZuQSSH3LGL7w9zzHJuokYk+6vJIRlem4ZxMMWvB8znkOLkpsL8HMWYHSaPhuowF"
    "MEh3lphANOqOlbeagT1CxOPHkMkR5xReCQHa0xdo52ccsg==";

static void
assert_digest(const struct digest *digest, const char *hex)
{
    struct buf buf = { 0 };
    encode_hex(digest_slice(digest), &buf);
    assert_string_equal(buf.ptr, hex);
    buf_fini(&buf);
}

static struct buf
from_base64(const char *text)
{
    struct buf buf = { 0 };
    assert_int_equal(decode_base64(slice_of(text), &buf), STATUS_OK);
    return buf;
}

static struct buf
from_hex(const char *text)
{
    struct buf buf = { 0 };
    assert_int_equal(decode_hex(slice_of(text), &buf), STATUS_OK);
    return buf;
}

static void
algorithms_go_by_name(void **state)
{
    (void)state;
    enum digest_alg alg = DIGEST_SHA1;
    assert_int_equal(digest_by_name(slice_of("sha384"), &alg), STATUS_OK);
    assert_int_equal(alg, DIGEST_SHA384);
    assert_int_equal(digest_by_name(slice_of("SHA256"), &alg),
                     STATUS_NOT_FOUND);
    assert_int_equal(digest_by_name(slice_of("md5"), &alg), STATUS_NOT_FOUND);
}

static void
hashes_agree_with_fips_180(void **state)
{
    (void)state;
    static const char *const expected[] = {
        "a9993e364706816aba3e25717850c26c9cd0d89d",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
        "8086072ba1e7cc2358baeca134c825a7",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    };
    const struct slice parts[] = { SLICE("a"), { NULL, 0 }, SLICE("bc") };
    for (enum digest_alg alg = DIGEST_SHA1; alg <= DIGEST_SHA512; alg++) {
        struct digest digest;
        assert_int_equal(digest_hash(alg, parts, 3, &digest), STATUS_OK);
        assert_digest(&digest, expected[alg]);
    }
    struct digest short_form = { .len = 32 };
    assert_int_equal(digest_sha256(slice_of("abc"), short_form.bytes),
                     STATUS_OK);
    assert_digest(&short_form, expected[DIGEST_SHA256]);
}

static const struct hmac_row {
    enum digest_alg alg;
    const char *key_hex;
    const char *text;
    const char *expected;
} hmac_rows[] = {
    { DIGEST_SHA1, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
      "b617318655057264e28bc0b6fb378c8ef146be00" },
    { DIGEST_SHA256, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
    { DIGEST_SHA384, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
      "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
      "faea9ea9076ede7f4af152e8b2fa9cb6" },
    { DIGEST_SHA512, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
      "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
      "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854" },
    { DIGEST_SHA256, "4a656665", "what do ya want for nothing?",
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
    { DIGEST_SHA512, "4a656665", "what do ya want for nothing?",
      "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
      "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737" },
};

static void
hmacs_agree_with_rfc_4231(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hmac_rows); i++) {
        const struct hmac_row *row = &hmac_rows[i];
        struct buf key = from_hex(row->key_hex);
        struct slice text = slice_of(row->text);
        const struct slice parts[] = { slice_first(text, 3),
                                       slice_from(text, 3) };
        struct digest digest;
        assert_int_equal(
            digest_hmac(row->alg, buf_slice(&key), parts, 2, &digest),
            STATUS_OK);
        assert_digest(&digest, row->expected);

        struct digest_key *prepared = NULL;
        assert_int_equal(
            digest_key_create(row->alg, buf_slice(&key), &prepared), STATUS_OK);
        for (int again = 0; again < 3; again++) {
            memset(&digest, 0, sizeof(digest));
            assert_int_equal(digest_key_sign(prepared, parts, 2, &digest),
                             STATUS_OK);
            assert_digest(&digest, row->expected);
        }
        digest_key_destroy(prepared);
        buf_fini(&key);
    }
}

static void
a_key_longer_than_a_block_is_hashed_first(void **state)
{
    (void)state;
    char key[131];
    memset(key, 0xaa, sizeof(key));
    const struct slice text =
        SLICE("Test Using Larger Than Block-Size Key - Hash Key First");
    struct digest digest;
    assert_int_equal(digest_hmac(DIGEST_SHA256,
                                 (struct slice){ key, sizeof(key) }, &text, 1,
                                 &digest),
                     STATUS_OK);
    assert_digest(
        &digest,
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void
an_empty_key_is_refused(void **state)
{
    (void)state;
    const struct slice text = SLICE("x");
    struct digest digest;
    struct digest_key *key = NULL;
    assert_int_equal(
        digest_hmac(DIGEST_SHA256, slice_of(""), &text, 1, &digest),
        STATUS_INVALID);
    assert_int_equal(digest_key_create(DIGEST_SHA256, slice_of(""), &key),
                     STATUS_INVALID);
    assert_null(key);
    digest_key_destroy(NULL);
}

static const struct ed25519_row {
    const char *key, *text, *signature;
} ed25519_rows[] = {
    { "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555f"
      "b8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
    { "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da08"
      "5ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
    { "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
      "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18"
      "ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
};

static void
ed25519_agrees_with_rfc_8032(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ed25519_rows); i++) {
        struct buf key = from_hex(ed25519_rows[i].key);
        struct buf text = from_hex(ed25519_rows[i].text);
        struct buf signature = from_hex(ed25519_rows[i].signature);
        const struct slice parts[] = { slice_first(buf_slice(&text), 1),
                                       slice_from(buf_slice(&text), 1) };
        assert_int_equal(digest_verify_ed25519(buf_slice(&key),
                                               buf_slice(&signature), parts, 2),
                         STATUS_OK);
        const struct slice one = buf_slice(&text);
        assert_int_equal(digest_verify_ed25519(buf_slice(&key),
                                               buf_slice(&signature), &one, 1),
                         STATUS_OK);
        signature.ptr[5] ^= 1;
        assert_int_equal(digest_verify_ed25519(buf_slice(&key),
                                               buf_slice(&signature), parts, 2),
                         STATUS_DENIED);
        assert_int_equal(
            digest_verify_ed25519(buf_slice(&key), slice_of("x"), parts, 2),
            STATUS_DENIED);
        assert_int_equal(digest_verify_ed25519(slice_of("short"),
                                               buf_slice(&signature), parts, 2),
                         STATUS_INVALID);
        buf_fini(&key);
        buf_fini(&text);
        buf_fini(&signature);
    }
}

static void
ecdsa_accepts_what_sendgrid_signed_and_nothing_else(void **state)
{
    (void)state;
    struct buf key = from_base64(sendgrid_key);
    struct buf signature = from_base64(sendgrid_signature);
    struct slice parts[] = { SLICE("1600112502"), slice_of(sendgrid_body) };
    assert_int_equal(digest_verify_spki(DIGEST_SHA256, buf_slice(&key),
                                        buf_slice(&signature), parts, 2),
                     STATUS_OK);
    parts[1].len -= 2; /* the CRLF at its end is signed too */
    assert_int_equal(digest_verify_spki(DIGEST_SHA256, buf_slice(&key),
                                        buf_slice(&signature), parts, 2),
                     STATUS_DENIED);
    parts[1].len += 2;
    assert_int_equal(digest_verify_spki(DIGEST_SHA512, buf_slice(&key),
                                        buf_slice(&signature), parts, 2),
                     STATUS_DENIED);
    assert_int_equal(digest_verify_spki(DIGEST_SHA256, buf_slice(&key),
                                        slice_of("no DER"), parts, 2),
                     STATUS_DENIED);
    assert_int_equal(digest_verify_spki(DIGEST_SHA256, buf_slice(&key),
                                        slice_of(""), parts, 2),
                     STATUS_DENIED);
    buf_byte(&key, 'x');
    assert_int_equal(digest_verify_spki(DIGEST_SHA256, buf_slice(&key),
                                        buf_slice(&signature), parts, 2),
                     STATUS_INVALID);
    assert_int_equal(digest_verify_spki(DIGEST_SHA256, slice_of("no key"),
                                        buf_slice(&signature), parts, 2),
                     STATUS_INVALID);
    assert_int_equal(digest_verify_spki(DIGEST_SHA256, slice_of(""),
                                        buf_slice(&signature), parts, 2),
                     STATUS_INVALID);
    buf_fini(&key);
    buf_fini(&signature);
}

static void
rsa_is_pkcs1_with_the_hash_named(void **state)
{
    (void)state;
    struct buf key = from_base64(rsa_key);
    struct buf signature = from_base64(rsa_signature);
    const struct slice parts[] = { SLICE("hello, "), SLICE("world") };
    assert_int_equal(digest_verify_spki(DIGEST_SHA256, buf_slice(&key),
                                        buf_slice(&signature), parts, 2),
                     STATUS_OK);
    assert_int_equal(digest_verify_spki(DIGEST_SHA1, buf_slice(&key),
                                        buf_slice(&signature), parts, 2),
                     STATUS_DENIED);
    assert_int_equal(digest_verify_spki(DIGEST_SHA256, buf_slice(&key),
                                        buf_slice(&signature), parts, 1),
                     STATUS_DENIED);
    buf_fini(&key);
    buf_fini(&signature);
}

static void
crc32_is_zlibs(void **state)
{
    (void)state;
    assert_int_equal(digest_crc32(slice_of("")), 0);
    assert_int_equal(digest_crc32(slice_of("123456789")), 0xcbf43926);
}

static void
random_bytes_differ(void **state)
{
    (void)state;
    unsigned char a[16] = { 0 };
    unsigned char b[16] = { 0 };
    assert_int_equal(digest_random(a, sizeof(a)), STATUS_OK);
    assert_int_equal(digest_random(b, sizeof(b)), STATUS_OK);
    assert_memory_not_equal(a, b, sizeof(a));
}

static void
a_failing_allocation_is_no_forgery(void **state)
{
    (void)state;
    struct buf key = from_hex(ed25519_rows[2].key);
    struct buf signature = from_hex(ed25519_rows[2].signature);
    const struct slice parts[] = { SLICE("\xaf"), SLICE("\x82") };
    struct digest_key *prepared = NULL;
    (void)mem_fail_after(0, 1);
    assert_int_equal(
        digest_verify_ed25519(buf_slice(&key), buf_slice(&signature), parts, 2),
        STATUS_NOMEM);
    assert_int_equal(digest_key_create(DIGEST_SHA256, slice_of("k"), &prepared),
                     STATUS_NOMEM);
    (void)mem_fail_after(-1, 0);
    assert_null(prepared);
    buf_fini(&key);
    buf_fini(&signature);
}

static int
set_up(void **state)
{
    (void)state;
    enum status first = digest_init(NULL);
    enum status again = digest_init(NULL); /* harmless */
    return first == STATUS_OK && again == STATUS_OK ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(algorithms_go_by_name),
        cmocka_unit_test(hashes_agree_with_fips_180),
        cmocka_unit_test(hmacs_agree_with_rfc_4231),
        cmocka_unit_test(a_key_longer_than_a_block_is_hashed_first),
        cmocka_unit_test(an_empty_key_is_refused),
        cmocka_unit_test(ed25519_agrees_with_rfc_8032),
        cmocka_unit_test(ecdsa_accepts_what_sendgrid_signed_and_nothing_else),
        cmocka_unit_test(rsa_is_pkcs1_with_the_hash_named),
        cmocka_unit_test(crc32_is_zlibs),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(a_failing_allocation_is_no_forgery),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
