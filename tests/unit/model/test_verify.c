/* SPDX-License-Identifier: MIT */
#include "harness/vectors.h"

#include "model/verify.h"
#include "wire/digest.h"
#include "wire/encode.h"
#include "wire/json.h"
#include "wire/public_key.h"

/* The specification, with one place of it changed where a test asks so. */
static char *
spec_text(struct slice name, const char *from, const char *to,
          struct arena *arena)
{
    char path[512];
    size_t len = 0;
    (void)snprintf(path, sizeof(path), "%s/%.*s.yaml", TEST_CONNECTORS_DIR,
                   SLICE_ARG(name));
    char *text = bound_read(path, arena, &len);
    char *at = from == NULL ? NULL : strstr(text, from);
    if (at == NULL) {
        assert_null(from);
        return text;
    }
    struct buf changed = { 0 };
    buf_append(&changed,
               slice_first((struct slice){ text, len }, (size_t)(at - text)));
    buf_text(&changed, to);
    buf_text(&changed, at + strlen(from));
    char *copy = arena_text(arena, buf_slice(&changed));
    buf_fini(&changed);
    return copy;
}

static bool
verdict_of(const struct vector *vector, const char *spec, bool changed,
           struct verify_result *ret_result)
{
    struct bound bound;
    struct arena arena = { 0 };
    *ret_result = (struct verify_result){ .verdict = VERIFY_FORGED };
    vectors_bind(&bound, vector, spec);
    if (!changed) {
        bound_must(&bound);
    }
    /* A secret that is no key any more is a refusal too. */
    if (bound.status == STATUS_OK) {
        vectors_verify(&bound.connector, vector, &arena, ret_result);
    }
    arena_fini(&arena);
    bound_fini(&bound);
    return ret_result->verdict == VERIFY_GENUINE;
}

/* Counts the vectors of `only` (NULL: of all) that come out otherwise than
 * they should under the changed specification. */
static size_t
count_wrong(const char *only, const char *from, const char *to, bool report,
            size_t *ret_total)
{
    struct slice list;
    struct slice object;
    size_t at = 0;
    size_t wrong = 0;
    *ret_total = 0;
    assert_true(json_member(vectors_text, slice_of("vectors"), &list));
    while (json_next_element(list, &at, &object)) {
        struct arena arena = { 0 };
        struct vector vector;
        struct verify_result result;
        vectors_read_head(object, &vector, &arena);
        vectors_read_request(object, &vector, &arena);
        if (only == NULL || slice_equal_text(vector.spec, only)) {
            const char *spec = spec_text(vector.spec, from, to, &arena);
            (*ret_total)++;
            if (verdict_of(&vector, spec, from != NULL, &result) !=
                vector.genuine) {
                wrong++;
                if (report) {
                    print_error("%.*s: %s\n", SLICE_ARG(vector.id), result.why);
                }
            }
        }
        arena_fini(&arena);
    }
    return wrong;
}

static void
every_vector_is_judged_as_a_strict_receiver_should(void **state)
{
    (void)state;
    size_t total;
    assert_int_equal(count_wrong(NULL, NULL, NULL, true, &total), 0);
    assert_int_equal(total, 224);
}

/* A test that no weaker specification fails would prove nothing. */
static void
each_weakening_of_a_specification_is_noticed(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        const char *from;
        const char *to;
    } rows[] = {
        { "standard_webhooks",
          "timestamp: {from: \"header:webhook-timestamp\", unit: s, "
          "tolerance: 300s}",
          "require_headers: []" },
        { "stripe", "{sig:t}.{body}", "{body}" },
        { "standard_webhooks", "tolerance: 300s", "tolerance: 301s" },
        { "stripe", "name: v1", "name: v0" },
        { "stripe", "encoding: hex", "encoding: base64" },
        { "slack", "v0:{header:X-Slack-Request-Timestamp}:{body}", "{body}" },
        { "slack", "tolerance: 300s", "tolerance: 600000s" },
        { "zoom", "tolerance: 300s", "tolerance: 600000s" },
        { "linear", "tolerance: 60s", "tolerance: 61s" },
        { "paddle", "tolerance: 5s", "tolerance: 6s" },
        { "paddle", "split: \";\", ", "" },
        { "shopify", ", X-Shopify-Webhook-Id]", "]" },
        { "shopify", "encoding: base64", "encoding: hex" },
        { "standard_webhooks", "{header:webhook-id}.", "" },
        { "standard_webhooks", "strip_prefix: whsec_", "strip_prefix: whsec" },
        { "standard_webhooks_v1a", "name: v1a", "name: v1" },
        { "svix", "present: true", "present: false" },
        { "hubspot_v1", "{secret}{body}", "{body}{secret}" },
        { "hubspot_v2", "{method}", "" },
        { "hubspot_v3", "title: HubSpot, signature v3",
          "verify: {signed: '{method}{url}{body}"
          "{header:X-HubSpot-Request-Timestamp}'}" },
        { "square", "{url}", "" },
        { "twilio", ", \"{url|noport|escape:%27}{form|sorted}\"", "" },
        { "mailgun", "{json:signature.token}", "" },
        { "adyen", "item:pspReference?", "item:eventCode?" },
        { "adyen", "{encoding: hex}", "{encoding: utf8}" },
        { "websub", "alg: sha512", "alg: sha384" },
        { "zendesk", "{header:X-Zendesk-Webhook-Signature-Timestamp}", "" },
        { "discord", "{header:X-Signature-Timestamp}", "" },
        { "sendgrid", "{header:X-Twilio-Email-Event-Webhook-Timestamp}", "" },
        { "github", "X-Hub-Signature-256", "X-Hub-Signature" },
        { "petstore", "{body}", "{body}{method}" },
    };
    size_t missed = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t total;
        if (count_wrong(rows[i].spec, rows[i].from, rows[i].to, false,
                        &total) == 0) {
            print_error("%s: nobody notices '%s' for '%s'\n", rows[i].spec,
                        rows[i].to, rows[i].from);
            missed++;
        }
    }
    assert_int_equal(missed, 0);
}

static bool
same_answer(struct slice ours, struct slice theirs)
{
    /* Both are flat objects; the order of members is nobody's business. */
    struct slice name;
    struct slice value;
    struct slice mine;
    size_t at = 0;
    if (theirs.len == 0) {
        return ours.len == 0;
    }
    if (json_check(ours, 8, NULL) != STATUS_OK) {
        return false;
    }
    while (json_next_member(theirs, &at, &name, &value)) {
        struct arena arena = { 0 };
        struct slice text;
        assert_int_equal(json_text(name, &arena, &text), STATUS_OK);
        const bool same = json_member(ours, text, &mine) &&
                          slice_equal(slice_trim(mine), slice_trim(value));
        arena_fini(&arena);
        if (!same) {
            return false;
        }
    }
    return true;
}

static void
handshakes_are_answered_as_the_provider_wants(void **state)
{
    (void)state;
    struct slice list;
    struct slice object;
    struct slice request;
    struct slice response;
    size_t at = 0;
    size_t total = 0;
    assert_true(json_member(vectors_text, slice_of("handshakes"), &list));
    while (json_next_element(list, &at, &object)) {
        struct arena arena = { 0 };
        struct vector vector;
        struct bound bound;
        struct slice body;
        vectors_read_head(object, &vector, &arena);
        assert_true(json_member(object, slice_of("request"), &request));
        assert_true(json_member(object, slice_of("response"), &response));
        vectors_read_request(request, &vector, &arena);
        vectors_bind(&bound, &vector,
                     spec_text(vector.spec, NULL, NULL, &arena));
        bound_must(&bound);
        const struct handshake *handshake =
            verify_handshake(&bound.connector, &vector.request, &arena);
        assert_non_null(handshake);
        assert_true(handshake->verify);
        assert_int_equal(verify_answer(&bound.connector, &handshake->respond,
                                       &vector.request, &arena, &body),
                         STATUS_OK);
        int64_t expected;
        assert_int_equal(
            slice_to_i64(vectors_member(response, "status", &arena), &expected),
            STATUS_OK);
        assert_int_equal(handshake->respond.status, expected);
        if (!same_answer(body, vectors_member(response, "body", &arena))) {
            fail_msg("%.*s: %.*s", SLICE_ARG(vector.spec), SLICE_ARG(body));
        }
        bound_fini(&bound);
        arena_fini(&arena);
        total++;
    }
    assert_int_equal(total, 4);
}

/* ---- words and rules beside the vectors ---- */

static const char signed_hook[] =
    "verify:\n"
    "  type: hmac\n"
    "  signature: {from: 'header:X-Sig', encoding: hex}\n"
    "  timestamp: {from: 'header:X-Time', unit: s, tolerance: 300s}\n"
    "  signed: '{header:X-Time}.{body}'\n"
    "handshake:\n"
    "  when: {x: method, equals: GET}\n"
    "  verify: false\n"
    "  respond: {type: text/plain, body: 'got {query:challenge}',"
    " json: {said: ['{query:challenge}', 1, null, true, {}]}}\n"
    "event: {id: 'json:id'}\n";

struct sent {
    struct http_field fields[4];
    struct inbound request;
};

static void
sign(struct sent *sent, const char *key, const char *time, const char *body,
     struct arena *arena)
{
    struct digest digest;
    struct buf hex = { 0 };
    const struct slice parts[] = { slice_of(time), slice_of("."),
                                   slice_of(body) };
    memset(sent, 0, sizeof(*sent));
    assert_int_equal(
        digest_hmac(DIGEST_SHA256, slice_of(key), parts, 3, &digest),
        STATUS_OK);
    encode_hex(digest_slice(&digest), &hex);
    sent->fields[0].name = slice_of("x-sig");
    sent->fields[1].name = slice_of("x-time");
    sent->fields[1].value = slice_of(time);
    assert_int_equal(arena_copy(arena, buf_slice(&hex), &sent->fields[0].value),
                     STATUS_OK);
    buf_fini(&hex);
    sent->request.method = slice_of("POST");
    sent->request.body = slice_of(body);
    sent->request.fields = (struct http_fields){ sent->fields, 2 };
    sent->request.body_is_json = true;
}

static struct verify_result
judge(const struct bound *bound, const struct sent *sent, int64_t now_ms)
{
    struct arena arena = { 0 };
    struct verify_result result;
    assert_int_equal(verify_request(&bound->connector, &sent->request, NULL,
                                    now_ms, &arena, &result),
                     STATUS_OK);
    arena_fini(&arena);
    return result;
}

static void
any_of_several_secrets_may_match(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    struct sent sent;
    bound_texts(&bound, signed_hook, "with: {webhook_secret: [old, new]}", "");
    bound_must(&bound);
    static const struct {
        const char *key;
        enum verify_verdict verdict;
    } rows[] = { { "old", VERIFY_GENUINE },
                 { "new", VERIFY_GENUINE },
                 { "other", VERIFY_FORGED } };
    for (size_t i = 0; i < 3; i++) {
        sign(&sent, rows[i].key, "1760000000", "{}", &arena);
        assert_int_equal(judge(&bound, &sent, 1760000000000).verdict,
                         rows[i].verdict);
    }
    arena_fini(&arena);
    bound_fini(&bound);
}

static void
a_refusal_says_why_and_never_a_secret(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    struct sent sent;
    bound_texts(&bound, signed_hook, "with: {webhook_secret: hush}", "");
    bound_must(&bound);
    sign(&sent, "hush", "1760000000", "{}", &arena);
    struct verify_result result = judge(&bound, &sent, 1760000412000);
    assert_int_equal(result.verdict, VERIFY_STALE);
    assert_string_equal(
        result.why,
        "the signature is right, but 412 s too old (allowed: 300 s)");
    result = judge(&bound, &sent, 1759999000000);
    assert_int_equal(result.verdict, VERIFY_STALE);
    assert_non_null(strstr(result.why, "in the future"));
    /* Within the second that is the tolerance, and behind it. */
    assert_int_equal(judge(&bound, &sent, 1760000300999).verdict,
                     VERIFY_GENUINE);
    assert_int_equal(judge(&bound, &sent, 1760000301000).verdict, VERIFY_STALE);

    sent.request.body = slice_of("{ }");
    result = judge(&bound, &sent, 1760000412000);
    assert_int_equal(result.verdict, VERIFY_FORGED);
    assert_non_null(strstr(result.why, "wrong secret or altered"));
    assert_null(strstr(result.why, "hush"));

    sent.request.fields.count = 1;
    result = judge(&bound, &sent, 1760000000000);
    assert_int_equal(result.verdict, VERIFY_FORGED);
    assert_non_null(strstr(result.why, "is missing"));
    sent.request.fields.count = 0;
    result = judge(&bound, &sent, 1760000000000);
    assert_string_equal(result.why, "header:X-Sig is missing");
    arena_fini(&arena);
    bound_fini(&bound);
}

/* `v1` of "{}" at 1760000000, by the secret "hush". */
#define V1_OF_HUSH                                                             \
    "a46659eba4f51dc8b47fb830a81aad3b"                                         \
    "679a8aa525068bc796aa54377043109f"

static void
blanks_around_elements_count_unless_they_are_trimmed(void **state)
{
    (void)state;
    static const char file[] =
        "verify: {type: hmac, signature: {from: 'header:Acme-Sig', "
        "split: ',', kv: '=', name: v1}, signed: '{sig:t}.{body}'}\n"
        "event: {id: 'json:id'}\n";
    static const struct {
        bool trims;
        const char *field;
        enum verify_verdict verdict;
        const char *why;
    } rows[] = {
        { true, "t=1760000000,v1=" V1_OF_HUSH, VERIFY_GENUINE, "" },
        { true, "t=1760000000, v1=" V1_OF_HUSH, VERIFY_GENUINE, "" },
        { true, "v1=" V1_OF_HUSH " ,\tt=1760000000", VERIFY_GENUINE, "" },
        { true, "t=1760000000,v 1=" V1_OF_HUSH, VERIFY_FORGED,
          "header:Acme-Sig has no element called 'v1'" },
        { true, "ts=1760000000,v1=" V1_OF_HUSH, VERIFY_FORGED,
          "header:Acme-Sig has no element called 't'" },
        { false, "t=1760000000,v1=" V1_OF_HUSH, VERIFY_GENUINE, "" },
        { false, "t=1760000000, v1=" V1_OF_HUSH, VERIFY_FORGED,
          "header:Acme-Sig has no element called 'v1'" },
        { false, "v1=" V1_OF_HUSH ", t=1760000000", VERIFY_FORGED,
          "header:Acme-Sig has no element called 't'" },
    };
    struct bound bound;
    struct arena arena = { 0 };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bound_texts(&bound, file,
                    rows[i].trims ? "with: {webhook_secret: hush}\n"
                                    "verify: {signature: {trim: true}}"
                                  : "with: {webhook_secret: hush}",
                    "");
        bound_must(&bound);
        struct sent sent = { .request = { .body = SLICE("{}") } };
        sent.fields[0] =
            (struct http_field){ SLICE("Acme-Sig"), slice_of(rows[i].field) };
        sent.request.fields = (struct http_fields){ sent.fields, 1 };
        struct verify_result result = judge(&bound, &sent, 1760000000000);
        assert_int_equal(result.verdict, rows[i].verdict);
        assert_string_equal(result.why, rows[i].why);
        bound_fini(&bound);
    }
    arena_fini(&arena);
}

static void
a_secret_of_one_alternative_does_not_open_another(void **state)
{
    (void)state;
    struct bound bound;
    struct sent sent = { .request = { .body = SLICE("{}") } };
    bound_file(&bound, TEST_CONNECTORS_DIR "/gitlab.yaml",
               "with: {webhook_secret: not-base64!}", "");
    bound_must(&bound);
    sent.fields[0] =
        (struct http_field){ SLICE("X-Gitlab-Token"), SLICE("not-base64!") };
    sent.request.fields = (struct http_fields){ sent.fields, 1 };
    assert_int_equal(judge(&bound, &sent, 0).verdict, VERIFY_GENUINE);
    /* A signature, even an empty one, must be the one that decides. */
    sent.fields[1] =
        (struct http_field){ SLICE("Webhook-Signature"), SLICE("") };
    sent.request.fields.count = 2;
    const struct verify_result result = judge(&bound, &sent, 0);
    assert_int_equal(result.verdict, VERIFY_FORGED);
    assert_non_null(strstr(result.why, "no secret is for this kind"));
    bound_fini(&bound);
}

static void
an_answer_escapes_what_the_request_says(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    struct slice body;
    const struct inbound request = { .method = SLICE("GET"),
                                     .query = SLICE("challenge=a%22%7Bb") };
    bound_texts(&bound, signed_hook, "with: {webhook_secret: s}", "");
    bound_must(&bound);
    const struct handshake *handshake =
        verify_handshake(&bound.connector, &request, &arena);
    assert_non_null(handshake);
    assert_false(handshake->verify);
    assert_int_equal(verify_answer(&bound.connector, &handshake->respond,
                                   &request, &arena, &body),
                     STATUS_OK);
    assert_true(
        slice_equal_text(body, "{\"said\":[\"a\\\"{b\",1,null,true,{}]}"));
    const struct inbound bare = { .method = SLICE("GET") };
    assert_int_equal(verify_answer(&bound.connector, &handshake->respond, &bare,
                                   &arena, &body),
                     STATUS_NOT_FOUND);
    const struct inbound post = { .method = SLICE("POST") };
    assert_null(verify_handshake(&bound.connector, &post, &arena));
    arena_fini(&arena);
    bound_fini(&bound);
}

static void
running_out_of_memory_is_never_a_verdict(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    struct sent sent;
    bound_texts(&bound, signed_hook, "with: {webhook_secret: hush}", "");
    bound_must(&bound);
    sign(&sent, "hush", "1760000000", "{}", &arena);
    for (long n = 0; n < 1000; n++) {
        struct arena scratch = { 0 };
        struct verify_result result;
        (void)mem_fail_after(n, 0);
        const enum status status =
            verify_request(&bound.connector, &sent.request, NULL, 1760000000000,
                           &scratch, &result);
        (void)mem_fail_after(-1, 0);
        arena_fini(&scratch);
        if (status == STATUS_OK) {
            assert_int_equal(result.verdict, VERIFY_GENUINE);
            break;
        }
        assert_int_equal(status, STATUS_NOMEM);
    }
    arena_fini(&arena);
    bound_fini(&bound);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_is_judged_as_a_strict_receiver_should),
        cmocka_unit_test(each_weakening_of_a_specification_is_noticed),
        cmocka_unit_test(handshakes_are_answered_as_the_provider_wants),
        cmocka_unit_test(any_of_several_secrets_may_match),
        cmocka_unit_test(a_refusal_says_why_and_never_a_secret),
        cmocka_unit_test(blanks_around_elements_count_unless_they_are_trimmed),
        cmocka_unit_test(a_secret_of_one_alternative_does_not_open_another),
        cmocka_unit_test(an_answer_escapes_what_the_request_says),
        cmocka_unit_test(running_out_of_memory_is_never_a_verdict),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
