/* SPDX-License-Identifier: MIT */
/* What a refusal says: one line, which place, and never a secret. */
#include "harness/bound.h"

#include "model/verify.h"
#include "wire/digest.h"
#include "wire/encode.h"
#include "wire/json.h"
#include "wire/public_key.h"

#define NOW_S    1760000000
#define SECRET   "hush-hush:0f1e2d"
#define BODY     "{\"a\":1}"
#define FROM     "signature: {from: 'header:X-Sig', encoding: hex}"
#define TIMED    "timestamp: {from: 'header:X-Time', unit: s, tolerance: 300s}"
#define TEXT     "signed: '{header:X-Time}.{body}'"
#define HMAC     "type: hmac, " FROM ", " TEXT
#define EVENT    "event: {id: 'sha256(body)'}\n"
#define ROWS     "event: {split: 'rows[*]', id: 'item:id'}\n"
#define TIME     "1760000000"
#define ELEMENTS "split: ',', kv: '=', name: v1, encoding: hex}, "

struct row {
    const char *verify;
    const char *sig;  /* X-Sig; NULL: none; "%s" is the right one */
    const char *time; /* X-Time; NULL: none */
    const char *body; /* that came; NULL: the one that was signed */
    int64_t late_s;
    const char *why;
};

static void
hold_quiet(const char *why)
{
    assert_null(strchr(why, '\n'));
    assert_null(strstr(why, "hush"));
    assert_null(strstr(why, "0f1e2d"));
}

/* The signature of "TIME.BODY", in the place of the first %s. */
static void
spell_signature(const struct row *row, struct buf *into)
{
    const struct slice parts[] = {
        slice_of(row->time == NULL ? TIME : row->time), slice_of("." BODY)
    };
    const struct slice sig = slice_of(row->sig);
    const size_t at = slice_find(sig, '%');
    struct digest digest;
    buf_append(into, slice_first(sig, at));
    if (at != SIZE_MAX) {
        assert_int_equal(
            digest_hmac(DIGEST_SHA256, slice_of(SECRET), parts, 2, &digest),
            STATUS_OK);
        encode_hex(digest_slice(&digest), into);
        buf_append(into, slice_from(sig, at + 2));
    }
}

static void
hold(const struct row *row)
{
    struct bound bound;
    struct arena arena = { 0 };
    struct buf sig = { 0 };
    struct http_field fields[3];
    struct verify_result result;
    char file[1024];
    size_t count = 0;
    (void)snprintf(file, sizeof(file), "verify: [{%s}]\n%s", row->verify,
                   strstr(row->verify, "each:") == NULL ? EVENT : ROWS);
    /* A fetched key needs no secret. */
    bound_texts(&bound, file,
                strstr(row->verify, "cert_url") == NULL
                    ? "with: {webhook_secret: '" SECRET "'}"
                    : NULL,
                "");
    bound_must(&bound);
    if (row->sig != NULL) {
        spell_signature(row, &sig);
        fields[count++] =
            (struct http_field){ SLICE("X-Sig"), buf_slice(&sig) };
    }
    if (row->time != NULL) {
        fields[count++] =
            (struct http_field){ SLICE("X-Time"), slice_of(row->time) };
    }
    const struct inbound request = {
        .method = SLICE("POST"),
        .fields = { fields, count },
        .body = slice_of(row->body == NULL ? BODY : row->body),
        .body_is_json = true,
    };
    assert_int_equal(verify_request(&bound.connector, &request, NULL,
                                    (NOW_S + row->late_s) * 1000, &arena,
                                    &result),
                     STATUS_OK);
    assert_int_not_equal(result.verdict, VERIFY_GENUINE);
    assert_string_equal(result.why, row->why);
    hold_quiet(result.why);
    buf_fini(&sig);
    arena_fini(&arena);
    bound_fini(&bound);
}

static void
a_refusal_names_the_place_and_the_cause(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { HMAC, "%s", TIME, "{\"a\":2}", 0,
          "header:X-Sig matches no secret: wrong secret or altered body" },
        { HMAC ", " TIMED, "%s", TIME, NULL, 412,
          "the signature is right, but 412 s too old (allowed: 300 s)" },
        { HMAC ", " TIMED, "%s", TIME, NULL, -1000,
          "the signature is right, but 1000 s in the future (allowed: 300 s)" },
        { HMAC ", " TIMED, "%s", "soon", NULL, 0,
          "header:X-Time is not a time" },
        { HMAC, NULL, TIME, NULL, 0, "header:X-Sig is missing" },
        { HMAC, "%s", NULL, NULL, 0, "header:X-Time is missing" },
        { HMAC, "", TIME, NULL, 0, "header:X-Sig is empty" },
        { HMAC, "no-hex", TIME, NULL, 0, "header:X-Sig is no hex" },
        { "type: hmac, signature: {from: 'header:X-Sig', encoding: base64}, "
          "signed: '{body}'",
          "?", NULL, NULL, 0, "header:X-Sig is no base64" },
        { "type: hmac, signature: {from: 'header:X-Sig', " ELEMENTS TEXT,
          "v2=%s", TIME, NULL, 0, "header:X-Sig has no element called 'v1'" },
        { "type: hmac, signature: {from: 'header:X-Sig', " ELEMENTS
          "signed: '{sig:t}.{body}'",
          "t=1,t=" TIME ",v1=%s", TIME, NULL, 0,
          "header:X-Sig matches no secret: wrong secret or altered body" },
        { HMAC ", require_headers: [X-Id]", "%s", TIME, NULL, 0,
          "X-Id is missing" },
        { HMAC ", assert: [['{header:X-Time}', '{body}']]", "%s", TIME, NULL, 0,
          "{header:X-Time} is not what was signed" },
        { HMAC ", assert: [['{header:X-Id}', '{body}']]", "%s", TIME, NULL, 0,
          "header:X-Id is missing" },
        { HMAC ", each: 'rows[*]'", "%s", TIME, NULL, 0,
          "rows[*] names nothing" },
        { HMAC ", when: [{x: 'header:X-Id', present: true}]", "%s", TIME, NULL,
          0, "no way of verifying applies" },
        { "type: hmac, key: {encoding: hex}, " FROM ", " TEXT
          ", when: [{x: method, equals: POST}]}, {type: token, from: "
          "'header:X-Sig'",
          "%s", TIME, NULL, 0, "no secret is for this kind of request" },
        { "type: token, from: 'header:X-Sig'", "hush", NULL, NULL, 0,
          "header:X-Sig matches no secret" },
        { "type: basic, from: 'header:X-Sig'", "Bearer x", NULL, NULL, 0,
          "header:X-Sig holds no Basic credentials" },
        { "type: basic, from: 'header:X-Sig'", "Basic ?", NULL, NULL, 0,
          "header:X-Sig holds broken Basic credentials" },
        { "type: basic, from: 'header:X-Sig'", "Basic aHVzaDpodXNo", NULL, NULL,
          0, "header:X-Sig matches no secret" },
        { "type: rsa, signature: {from: 'header:X-Sig', encoding: base64}, "
          "signed: '{body}', key: {cert_url: 'header:X-Time', allow: "
          "'^https://keys\\.example\\.com/'}",
          "AAAA", "https://keys.example.org/x.pem", NULL, 0,
          "header:X-Time names a certificate where none is allowed to be" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        hold(&rows[i]);
    }
}

/* What a lenient reader takes for NOW_S; each is signed as it stands. */
static void
a_time_is_spelt_in_digits_alone(void **state)
{
    (void)state;
    static const char *const times[] = {
        "+1760000000",   "1760000000.0", "1760000000.5", "1.76e9", "0x68e77800",
        "1760000000abc", "1760000000 ",  " 1760000000",  "-1",     "",
    };
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        hold(&(struct row){ HMAC ", " TIMED, "%s", times[i], NULL, 0,
                            "header:X-Time is not a time" });
    }
}

/* ---- tokens ---- */

static struct arena data_arena;
static struct slice tokens;
static struct slice keys;

/* Verifies the token of that name; the key that is wanted is in jwks.json. */
static void
judge_token(const struct bound *bound, const char *name, struct arena *arena,
            struct verify_result *ret_result)
{
    struct slice value;
    struct http_field field = { .name = SLICE("X-Token") };
    const struct inbound request = { .method = SLICE("POST"),
                                     .fields = { &field, 1 },
                                     .body = SLICE(BODY),
                                     .body_is_json = true };
    assert_true(json_member(tokens, slice_of(name), &value));
    assert_int_equal(json_text(value, arena, &field.value), STATUS_OK);
    assert_int_equal(verify_request(&bound->connector, &request, NULL,
                                    (int64_t)NOW_S * 1000, arena, ret_result),
                     STATUS_OK);
    if (ret_result->verdict != VERIFY_WANTS_KEY) {
        return;
    }
    struct buf spki = { 0 };
    assert_int_equal(public_key_read(keys, ret_result->want.kid, &spki, NULL),
                     STATUS_OK);
    const struct verify_found found = { ret_result->want.name,
                                        buf_slice(&spki) };
    assert_int_equal(verify_request(&bound->connector, &request, &found,
                                    (int64_t)NOW_S * 1000, arena, ret_result),
                     STATUS_OK);
    buf_fini(&spki);
}

static void
a_refused_token_says_which_part_of_it_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum verify_verdict verdict;
        const char *why;
    } rows[] = {
        { "es256", VERIFY_GENUINE, "" },
        { "rs256", VERIFY_GENUINE, "" },
        { "fraction_iat", VERIFY_GENUINE, "" },
        { "expiring", VERIFY_GENUINE, "" },
        { "rs512", VERIFY_FORGED,
          "the token's algorithm 'RS512' is not allowed" },
        { "none", VERIFY_FORGED,
          "the token's algorithm 'none' is not allowed" },
        { "es256_by_p384", VERIFY_FORGED,
          "header:X-Token matches no key: wrong key or altered token" },
        { "no_kid", VERIFY_FORGED, "the token names no key ('kid')" },
        { "no_alg", VERIFY_FORGED, "the token's header has no 'alg'" },
        { "crit", VERIFY_FORGED,
          "the token demands an extension ('crit') that is not "
          "known here" },
        { "array", VERIFY_FORGED, "the token is not decodable" },
        { "no_iat", VERIFY_FORGED, "the token's claim 'iat' is missing" },
        { "bad_iat", VERIFY_FORGED, "the token's claim 'iat' is not a time" },
        { "no_body", VERIFY_FORGED, "the token's claim 'body' is missing" },
        { "other_body", VERIFY_FORGED,
          "the token's claim 'body' is not what was received" },
        { "expired", VERIFY_STALE,
          "the signature is right, but 61 s too old (allowed: 60 s)" },
        { "not_yet", VERIFY_STALE,
          "the signature is right, but 61 s in the future (allowed: 60 s)" },
    };
    struct bound bound;
    bound_texts(&bound,
                "verify: {type: jwt, from: 'header:X-Token', alg: [ES256, "
                "RS256], max_age: 300s, claims: [[body, "
                "'{body|sha256|hex}']], key: {jwk: {url: "
                "'https://keys.example.com/{kid}'}}}\n" EVENT,
                NULL, "");
    bound_must(&bound);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = { 0 };
        struct verify_result result;
        judge_token(&bound, rows[i].name, &arena, &result);
        if (result.verdict != rows[i].verdict ||
            strcmp(result.why, rows[i].why) != 0) {
            fail_msg("%s: %s", rows[i].name, result.why);
        }
        hold_quiet(result.why);
        arena_fini(&arena);
    }
    bound_fini(&bound);
}

static int
set_up(void **state)
{
    (void)state;
    size_t len = 0;
    tokens = slice_of(
        bound_read(TEST_DATA_DIR "/keys/tokens.json", &data_arena, &len));
    keys = slice_of(
        bound_read(TEST_DATA_DIR "/keys/jwks.json", &data_arena, &len));
    return digest_init(NULL) == STATUS_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    arena_fini(&data_arena);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_names_the_place_and_the_cause),
        cmocka_unit_test(a_time_is_spelt_in_digits_alone),
        cmocka_unit_test(a_refused_token_says_which_part_of_it_is_wrong),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
