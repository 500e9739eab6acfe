/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "wire/jwt.h"

/* The example of RFC 7515, appendix A.1. */
static const char rfc_token[] =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvb"
    "S9pc19yb290Ijp0cnVlfQ."
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

static void
the_token_of_rfc_7515_comes_apart(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct jwt token;
    const struct slice text = slice_of(rfc_token);
    assert_int_equal(jwt_read(text, &arena, &token, NULL), STATUS_OK);
    assert_true(slice_equal_text(token.alg, "HS256"));
    assert_int_equal(token.kid.len, 0);
    assert_true(slice_starts(text, token.signed_text));
    assert_int_equal(text.ptr[token.signed_text.len], '.');
    assert_int_equal(text.len - token.signed_text.len - 1, 43);
    assert_int_equal(token.signature.len, 32);
    assert_true(slice_starts(token.payload, slice_of("{\"iss\":\"joe\"")));
    arena_fini(&arena);
}

static void
what_is_no_token_is_refused_with_words(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } rows[] = {
        { "", "three parts" },
        { "a.b", "three parts" },
        { "e30.e30.AA.", "three parts" },
        { "e30.e30.AA.AA", "three parts" },
        { "!.e30.AA", "not decodable" },
        { "e30=.e30.AA", "not decodable" },
        { "W10.e30.AA", "not decodable" }, /* [] */
        { "e30.W10.AA", "not decodable" },
        { "e30.e30.A", "not decodable" },
        { "e30.e30.AA", "no 'alg'" },                        /* {} */
        { "eyJhbGciOjF9.e30.AA", "no 'alg'" },               /* {"alg":1} */
        { "eyJhbGciOiJFUzI1NiIsImtpZCI6MX0.e30.AA", "alg" }, /* kid: 1 */
        { "eyJhbGciOiJFUzI1NiIsImNyaXQiOltdfQ.e30.AA", "crit" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = { 0 };
        struct jwt token;
        struct error err = { "" };
        assert_int_equal(jwt_read(slice_of(rows[i].text), &arena, &token, &err),
                         STATUS_INVALID);
        if (strstr(err.text, rows[i].words) == NULL) {
            fail_msg("'%s': %s", rows[i].text, err.text);
        }
        arena_fini(&arena);
    }
}

static void
algorithms_go_by_their_exact_names(void **state)
{
    (void)state;
    static const char *const unknown[] = { "none",  "None",  "",      "es256",
                                           "ES384", "PS256", "HS256 " };
    assert_int_equal(jwt_alg_by_name(slice_of("HS512"))->digest, DIGEST_SHA512);
    assert_int_equal(jwt_alg_by_name(slice_of("RS384"))->family, JWT_RSA);
    assert_int_equal(jwt_alg_by_name(slice_of("ES256"))->family, JWT_P256);
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_null(jwt_alg_by_name(slice_of(unknown[i])));
    }
}

static void
running_out_of_memory_is_told(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    for (long n = 0; n < 100 && status != STATUS_OK; n++) {
        struct arena arena = { 0 };
        struct jwt token;
        (void)mem_fail_after(n, 0);
        status = jwt_read(slice_of(rfc_token), &arena, &token, NULL);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        arena_fini(&arena);
    }
    assert_int_equal(status, STATUS_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_token_of_rfc_7515_comes_apart),
        cmocka_unit_test(what_is_no_token_is_refused_with_words),
        cmocka_unit_test(algorithms_go_by_their_exact_names),
        cmocka_unit_test(running_out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
