/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include "base/mem.h"
#include "flow/intake.h"
#include "model/verify.h"
#include "wire/digest.h"
#include "wire/encode.h"
#include "wire/gzip.h"

#define NOW_MS INT64_C(1790000000000)

#define HEAD                                                                   \
    "params:\n"                                                                \
    "  webhook_secret: {secret: true}\n"

static const char plain[] =
    HEAD "verify: {type: token, signature: {from: 'header:X-Token'}}\n"
         "handshake:\n"
         "  - when: [{x: 'json:kind', equals: ping}]\n"
         "    verify: false\n"
         "    respond: {status: 200, json: {echo: '{json:word}'}}\n"
         "  - when: [{x: 'json:kind', equals: hello}]\n"
         "    verify: true\n"
         "    respond: {status: 200, body: 'hello'}\n"
         "ack: {status: 201, body: 'thanks'}\n"
         "event: {id: 'json:id', type: 'json:type',\n"
         "        time: {from: 'json:at', unit: s},\n"
         "        key_time: {from: 'json:at', unit: s}}\n";

static const char signals[] =
    HEAD "verify: {type: token, signature: {from: 'header:X-Token'}}\n"
         "event: {mode: signal}\n";

static const char batches[] =
    HEAD "verify: {type: token, signature: {from: 'header:X-Token'}}\n"
         "event: {split: 'events[*]', id: 'item:id', type: 'item:type'}\n";

static const char timed[] =
    HEAD "verify:\n"
         "  type: hmac\n"
         "  alg: sha256\n"
         "  signature: {from: 'header:X-Sign', encoding: hex}\n"
         "  timestamp: {from: 'header:X-At', unit: s, tolerance: 300s}\n"
         "  signed: '{header:X-At}.{body}'\n"
         "event: {id: 'json:id', type: 'json:type'}\n";

static void
bind_hook(struct bound *bound, const char *file)
{
    assert_int_equal(digest_init(NULL), STATUS_OK);
    bound_texts(bound, file, "use: shop\nwith: {webhook_secret: s3cret}\n",
                "https://hooks.example.com");
    bound_must(bound);
}

static struct arrival *
request_of(const struct bound *bound, const char *token, const char *body)
{
    struct arrival *arrival;
    assert_int_equal(arrival_create(&bound->connector, ARRIVAL_REQUEST,
                                    CHANNEL_WEBHOOK, NOW_MS, &arrival),
                     STATUS_OK);
    struct http_field *fields =
        arena_array(&arrival->arena, 4, sizeof(*fields));
    assert_non_null(fields);
    fields[0] =
        (struct http_field){ SLICE("Content-Type"), SLICE("application/json") };
    fields[1] = (struct http_field){ SLICE("X-Token"), slice_of(token) };
    arrival->request = (struct inbound){
        .method = SLICE("POST"),
        .path_query = SLICE("/hooks/shop"),
        .fields = { fields, token == NULL ? 1 : 2 },
        .body = slice_of(body),
    };
    return arrival;
}

struct judgement {
    const char *name;
    const char *connector;
    const char *token;
    const char *body;
    enum verdict_kind kind;
    size_t sightings;
    bool signal;
    unsigned status; /* of the answer; 0: none */
    const char *answer;
};

#define EVENT "{\"id\":\"e\",\"type\":\"t\",\"at\":1789999999}"

static const struct judgement judgements[] = {
    { "genuine", plain, "s3cret", EVENT, VERDICT_STORED, 1, false, 201,
      "thanks" },
    { "white space around it", plain, "s3cret", " \r\n" EVENT "\n",
      VERDICT_STORED, 1, false, 201, "thanks" },
    { "no token", plain, NULL, EVENT, VERDICT_FORGED, 0, false, 0, "" },
    { "a wrong token", plain, "s3cre", EVENT, VERDICT_FORGED, 0, false, 0, "" },
    { "no id", plain, "s3cret", "{\"type\":\"t\",\"at\":1}", VERDICT_INVALID, 0,
      false, 201, "thanks" },
    { "no JSON", plain, "s3cret", "{\"id\":", VERDICT_INVALID, 0, false, 201,
      "thanks" },
    { "no body", plain, "s3cret", "", VERDICT_INVALID, 0, false, 201,
      "thanks" },
    { "a handshake without proof", plain, NULL,
      "{\"kind\":\"ping\",\"word\":\"w\\\"\"}", VERDICT_ANSWER, 0, false, 200,
      "{\"echo\":\"w\\\"\"}" },
    { "a handshake that lacks its word", plain, NULL, "{\"kind\":\"ping\"}",
      VERDICT_INVALID, 0, false, 200, "" },
    { "a handshake with proof", plain, "s3cret", "{\"kind\":\"hello\"}",
      VERDICT_ANSWER, 0, false, 200, "hello" },
    { "a handshake that lacks its proof", plain, NULL, "{\"kind\":\"hello\"}",
      VERDICT_FORGED, 0, false, 0, "" },
    { "a signal", signals, "s3cret", "whatever", VERDICT_STORED, 0, true, 202,
      "" },
    { "a forged signal", signals, "x", "whatever", VERDICT_FORGED, 0, false, 0,
      "" },
    { "a batch", batches, "s3cret",
      "{\"events\":[{\"id\":\"a\",\"type\":\"t\"},{\"id\":\"b\",\"type\":\"t\"}"
      "]}",
      VERDICT_STORED, 2, false, 202, "" },
};

static void
a_request_is_answered_refused_or_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(judgements) / sizeof(judgements[0]); i++) {
        const struct judgement *row = &judgements[i];
        struct bound bound;
        struct verdict verdict;
        struct intake_want want;
        bind_hook(&bound, row->connector);
        struct arrival *arrival = request_of(&bound, row->token, row->body);
        assert_int_equal(
            intake_judge(arrival, NULL, NOW_MS, 0, &verdict, &want), STATUS_OK);
        if (verdict.kind != row->kind ||
            arrival->sighting_count != row->sightings ||
            verdict.signal != row->signal ||
            (verdict.answer == NULL ? 0 : verdict.answer->status) !=
                row->status ||
            !slice_equal_text(verdict.body, row->answer)) {
            fail_msg("%s: kind %d, %zu sightings, answer %u '%.*s', why '%.*s'",
                     row->name, (int)verdict.kind, arrival->sighting_count,
                     verdict.answer == NULL ? 0 : verdict.answer->status,
                     SLICE_ARG(verdict.body), SLICE_ARG(verdict.why));
        }
        bool refused =
            row->kind == VERDICT_FORGED || row->kind == VERDICT_INVALID;
        assert_int_equal(verdict.why.len > 0, refused);
        assert_int_equal(slice_find_slice(verdict.why, slice_of("s3cret")),
                         SIZE_MAX);
        arrival_destroy(arrival);
        bound_fini(&bound);
    }
}

static void
sign_at(struct arrival *arrival, int64_t at_s, struct slice signed_body)
{
    struct buf text = { 0 };
    struct buf hex = { 0 };
    struct digest mac;
    buf_format(&text, "%lld.", (long long)at_s);
    buf_append(&text, signed_body);
    const struct slice part = buf_slice(&text);
    assert_int_equal(
        digest_hmac(DIGEST_SHA256, slice_of("s3cret"), &part, 1, &mac),
        STATUS_OK);
    encode_hex((struct slice){ (const char *)mac.bytes, mac.len }, &hex);
    struct http_field *fields =
        arena_array(&arrival->arena, 2, sizeof(*fields));
    assert_non_null(fields);
    fields[0].name = slice_of("X-Sign");
    fields[1].name = slice_of("X-At");
    assert_int_equal(
        arena_copy(&arrival->arena, buf_slice(&hex), &fields[0].value),
        STATUS_OK);
    buf_truncate(&text, slice_find(buf_slice(&text), '.'));
    assert_int_equal(
        arena_copy(&arrival->arena, buf_slice(&text), &fields[1].value),
        STATUS_OK);
    arrival->request.fields = (struct http_fields){ fields, 2 };
    buf_fini(&text);
    buf_fini(&hex);
}

static void
genuine_bytes_of_another_time_are_stale(void **state)
{
    (void)state;
    struct bound bound;
    struct verdict verdict;
    struct intake_want want;
    bind_hook(&bound, timed);
    struct arrival *arrival = request_of(&bound, NULL, EVENT);
    sign_at(arrival, NOW_MS / 1000 - 412, slice_of(EVENT));
    assert_int_equal(intake_judge(arrival, NULL, NOW_MS, 0, &verdict, &want),
                     STATUS_OK);
    assert_int_equal(verdict.kind, VERDICT_STALE);
    assert_int_not_equal(slice_find_slice(verdict.why, slice_of("412")),
                         SIZE_MAX);
    arrival_destroy(arrival);
    bound_fini(&bound);
}

/* Some senders sign what they compress, others what they send. */
static void
either_form_of_a_compressed_body_may_prove_it(void **state)
{
    (void)state;
    struct bound bound;
    struct buf packed = { 0 };
    bind_hook(&bound, timed);
    assert_int_equal(gzip_deflate(slice_of(EVENT), &packed), STATUS_OK);
    for (int form = 0; form < 3; form++) {
        struct verdict verdict;
        struct intake_want want;
        struct arrival *arrival = request_of(&bound, NULL, EVENT);
        sign_at(arrival, NOW_MS / 1000,
                form == 0   ? slice_of(EVENT)
                : form == 1 ? buf_slice(&packed)
                            : slice_of("neither"));
        arrival->coded_body = buf_slice(&packed);
        assert_int_equal(
            intake_judge(arrival, NULL, NOW_MS, 0, &verdict, &want), STATUS_OK);
        assert_int_equal(verdict.kind,
                         form == 2 ? VERDICT_FORGED : VERDICT_STORED);
        assert_int_equal(arrival->sighting_count, form == 2 ? 0 : 1);
        if (form < 2) {
            assert_true(slice_equal_text(arrival->sightings[0].body, EVENT));
        }
        arrival_destroy(arrival);
    }
    buf_fini(&packed);
    bound_fini(&bound);
}

static void
what_is_stamped_below_the_floor_is_keyed_by_its_receipt(void **state)
{
    (void)state;
    struct bound bound;
    bind_hook(&bound, plain);
    for (int below = 0; below < 2; below++) {
        struct verdict verdict;
        struct intake_want want;
        struct arrival *arrival = request_of(&bound, "s3cret", EVENT);
        int64_t floor_ms = INT64_C(1789999999000) + below * 1000;
        assert_int_equal(
            intake_judge(arrival, NULL, NOW_MS, floor_ms, &verdict, &want),
            STATUS_OK);
        assert_int_equal(verdict.kind, VERDICT_STORED);
        assert_int_equal(arrival->sightings[0].beyond_horizon, below);
        arrival_destroy(arrival);
    }
    bound_fini(&bound);
}

static void
judging_survives_every_failed_allocation(void **state)
{
    (void)state;
    static const size_t rows[] = { 0, 3, 4, 7, 8, 9, 11, 13 };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct judgement *row = &judgements[rows[i]];
        struct bound bound;
        enum status status = STATUS_NOMEM;
        bind_hook(&bound, row->connector);
        for (long n = 0; status != STATUS_OK; n++) {
            struct verdict verdict;
            struct intake_want want;
            struct arrival *arrival = request_of(&bound, row->token, row->body);
            mem_fail_after(n, 0);
            status = intake_judge(arrival, NULL, NOW_MS, 0, &verdict, &want);
            mem_fail_after(-1, 0);
            if (status == STATUS_OK) {
                assert_int_equal(verdict.kind, row->kind);
            } else {
                assert_int_equal(status, STATUS_NOMEM);
            }
            arrival_destroy(arrival);
        }
        bound_fini(&bound);
    }
}

/* A field of an answer may have a place. One that is absent leaves the field
 * out, and nothing that is asked can begin another field. */
static void
whoever_asks_by_options_is_told_what_is_declared(void **state)
{
    (void)state;
    static const char asked[] =
        "verify: {type: token, from: 'header:X-Token'}\n"
        "event: {id: 'json:id'}\n"
        "handshake: {when: [{x: method, equals: OPTIONS}, {x: 'query:o', "
        "present: true}], verify: false, respond: {headers: {Allow: POST, "
        "X-Origin: '{query:o}', X-Rate: '{query:r}'}}}\n";
    static const struct {
        const char *query;
        unsigned status;
        size_t fields;
        const char *last; /* value */
    } rows[] = {
        { "o=a.test&r=120", 200, 3, "120" },
        { "o=a.test", 200, 2, "a.test" },
        { "o=a.test&r=1%0d%0aX-More:%20y", 200, 2, "a.test" },
        { "r=1", 204, 0, NULL },
    };
    struct bound bound;
    bind_hook(&bound, asked);
    assert_true(verify_greets(&bound.connector, slice_of("OPTIONS")));
    assert_false(verify_greets(&bound.connector, slice_of("GET")));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct verdict verdict;
        struct intake_want want;
        struct arrival *arrival = request_of(&bound, NULL, "");
        arrival->request.method = slice_of("OPTIONS");
        arrival->request.query = slice_of(rows[i].query);
        assert_int_equal(
            intake_judge(arrival, NULL, NOW_MS, 0, &verdict, &want), STATUS_OK);
        assert_int_equal(verdict.kind, VERDICT_ANSWER);
        assert_int_equal(verdict.answer->status, rows[i].status);
        assert_int_equal(verdict.fields.count, rows[i].fields);
        assert_true(
            rows[i].last == NULL ||
            slice_equal_text(verdict.fields.at[verdict.fields.count - 1].value,
                             rows[i].last));
        arrival_destroy(arrival);
    }
    bound_fini(&bound);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered_refused_or_read),
        cmocka_unit_test(genuine_bytes_of_another_time_are_stale),
        cmocka_unit_test(either_form_of_a_compressed_body_may_prove_it),
        cmocka_unit_test(
            what_is_stamped_below_the_floor_is_keyed_by_its_receipt),
        cmocka_unit_test(whoever_asks_by_options_is_told_what_is_declared),
        cmocka_unit_test(judging_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
