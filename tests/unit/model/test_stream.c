/* SPDX-License-Identifier: MIT */
/* Streams: the section of the configuration, what answers mean, how long to
 * wait, where to go on, and which request an event is. */
#include "harness/bound.h"

#include "base/instant.h"
#include "base/mem.h"
#include "model/request.h"
#include "model/stream.h"
#include "wire/digest.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define VERIFY                                                                 \
    "verify: {type: hmac, signature: {from: 'header:X-Sig'},"                  \
    " signed: '{body}'}\nevent: {id: 'json:id'}\n"
#define URL    "url: 'https://relay.test/c?k=v'"
#define STREAM VERIFY "stream: {" URL "}\n"
#define NONE   "verify: {type: none}\nevent: {id: 'header:Last-Event-ID'}\n"

/* ---- the section ---- */

static const struct {
    const char *file;
    const char *entry;
    const char *says; /* NULL: it streams; "": it does not */
} sections[] = {
    { STREAM, "with: {webhook_secret: s}", NULL },
    { VERIFY, "{with: {webhook_secret: s}, stream: {" URL "}}", NULL },
    { VERIFY, "{with: {webhook_secret: s}, stream: {use: smee, " URL "}}",
      NULL },
    { VERIFY, "{with: {webhook_secret: s}, stream: {use: smee}}",
      "'stream' needs 'url'" },
    { VERIFY, "{with: {webhook_secret: s}, stream: {use: petstore, " URL "}}",
      "'petstore' has no stream" },
    { STREAM, "with: {}", "'webhook_secret' is missing" },
    { "event: {id: 'json:id'}\nstream: {" URL "}\n", "with: {}",
      "it has no 'verify'" },
    { STREAM, "{with: {webhook_secret: s}, stream: {url: 'ftp://x'}}",
      "stream" },
    { VERIFY "stream: {url: '{var:hub}'}\n",
      "with: {webhook_secret: s, hub: 'https://h'}", NULL },
    { VERIFY "stream: {url: '{var:hub}'}\n", "with: {webhook_secret: s}", "" },
    { VERIFY "stream: {url: '{var:hub}', query: {t: '{var:t}'}}\n",
      "with: {webhook_secret: s, hub: 'https://h'}",
      "cannot stream: 't' is missing in 'with'" },
    { STREAM, "{with: {webhook_secret: s}, stream: {auth: {type: bearer}}}",
      "a relay's credential is not the provider's" },
    { STREAM,
      "{with: {webhook_secret: s}, stream: {auth: {type: header, value: v}}}",
      "needs 'name'" },
    { STREAM, "{with: {webhook_secret: s}, stream: {liveness: 500ms}}",
      "liveness" },
    { NONE "stream: {" URL ", auth: {type: bearer, value: v}}\n", "with: {}",
      NULL },
    { NONE "stream: {" URL "}\n", "with: {}", "need 'auth'" },
    { NONE "stream: {url: 'http://r.test', auth: {type: bearer, value: v}}\n",
      "with: {}", "must be at https" },
    { NONE "stream: {url: 'http://127.0.0.1:9/'}\n", "with: {}", NULL },
    { NONE, "with: {webhook_secret: s}", "'type: none' is for streams only" },
    { "verify: [{type: none}, {type: token, from: 'header:X'}]\n"
      "event: {id: 'json:id'}\nstream: {url: 'http://[::1]:9/'}\n",
      "with: {webhook_secret: s}", "stands alone" },
};

static void
a_stream_is_on_when_it_can_be_asked_for_and_believed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sections); i++) {
        struct bound bound;
        bound_texts(&bound, sections[i].file, sections[i].entry, "");
        const char *words = bound.words.ptr == NULL ? "" : bound.words.ptr;
        const bool on = sections[i].says == NULL;
        const bool fits =
            on || sections[i].says[0] == '\0'
                ? bound.status == STATUS_OK && bound.connector.has_stream == on
                : bound.status == STATUS_CONFIG &&
                      strstr(words, sections[i].says) != NULL;
        if (!fits) {
            fail_msg("%s %s: %s", sections[i].file, sections[i].entry, words);
        }
        bound_fini(&bound);
    }
}

static void
what_nothing_signs_has_no_route(void **state)
{
    (void)state;
    struct bound bound;
    bound_texts(&bound, NONE "stream: {url: 'http://127.0.0.1:9/'}\n",
                "with: {webhook_secret: s}", "https://here.test");
    bound_must(&bound);
    assert_true(bound.connector.has_stream);
    assert_false(bound.connector.has_webhook);
    struct arena arena = { 0 };
    struct inbound request = { .body = SLICE("{}") };
    struct verify_result result;
    assert_int_equal(
        verify_request(&bound.connector, &request, NULL, 0, &arena, &result),
        STATUS_OK);
    assert_int_equal(result.verdict, VERIFY_FORGED);
    request.is_streamed = true;
    assert_int_equal(
        verify_request(&bound.connector, &request, NULL, 0, &arena, &result),
        STATUS_OK);
    assert_int_equal(result.verdict, VERIFY_GENUINE);
    arena_fini(&arena);
    bound_fini(&bound);
}

static void
presets_are_laid_under_what_is_said(void **state)
{
    (void)state;
    struct bound bound;
    bound_texts(&bound, VERIFY,
                "{with: {webhook_secret: s}, stream: {use: smee, " URL
                ", liveness: 9s, events: ['*']}}",
                "");
    bound_must(&bound);
    const struct stream_spec *spec = bound.connector.stream;
    assert_int_equal(spec->liveness_ms, 9 * INSTANT_SECOND_MS);
    assert_non_null(spec->from.body);
    assert_true(stream_takes(spec, slice_of("ready")));
    bound_fini(&bound);
}

/* ---- the connection ---- */

static void
answers_are_judged_by_status_and_type(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *type;
        enum stream_way way;
    } rows[] = {
        { 200, "text/event-stream", STREAM_READ },
        { 200, "Text/Event-Stream; charset=utf-8", STREAM_READ },
        { 200, "text/html", STREAM_SLOWLY },
        { 200, NULL, STREAM_SLOWLY },
        { 201, "text/event-stream", STREAM_AGAIN },
        { 204, NULL, STREAM_OVER },
        { 301, NULL, STREAM_SLOWLY },
        { 401, NULL, STREAM_SLOWLY },
        { 403, NULL, STREAM_SLOWLY },
        { 404, NULL, STREAM_SLOWLY },
        { 410, NULL, STREAM_SLOWLY },
        { 429, NULL, STREAM_AGAIN },
        { 500, NULL, STREAM_AGAIN },
        { 503, NULL, STREAM_AGAIN },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct http_field field = { SLICE("content-type"),
                                          slice_of(rows[i].type) };
        const struct http_fields fields = { &field, rows[i].type != NULL };
        const char *words = NULL;
        assert_int_equal(stream_judge(rows[i].status, fields, &words),
                         rows[i].way);
        assert_non_null(words);
        assert_true((words[0] == '\0') == (rows[i].way == STREAM_READ));
    }
}

static void
waits_grow_and_never_undercut_what_the_relay_asks(void **state)
{
    (void)state;
    static const struct {
        struct stream_pause pause;
        int64_t least_ms;
        int64_t most_ms;
    } rows[] = {
        { { STREAM_AGAIN, 0, -1, 0 }, 0, 1000 },
        { { STREAM_AGAIN, 3, -1, 0 }, 0, 8000 },
        { { STREAM_AGAIN, 8, -1, 0 }, 0, 256000 },
        { { STREAM_AGAIN, 9, -1, 0 }, 0, 300000 },
        { { STREAM_AGAIN, UINT32_MAX, -1, 0 }, 0, 300000 },
        { { STREAM_AGAIN, 0, 5000, 0 }, 5000, 6000 },
        { { STREAM_AGAIN, 0, 5000, 60000 }, 60000, 61000 },
        { { STREAM_AGAIN, 0, 86400000, 60000 }, 86400000, 86401000 },
        { { STREAM_SLOWLY, 0, -1, 0 }, 150000, 300000 },
        { { STREAM_SLOWLY, 0, 10, 600000 }, 600000, 750000 },
    };
    struct prng prng = { 7 };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t least_ms = INT64_MAX;
        int64_t most_ms = 0;
        for (size_t n = 0; n < 1000; n++) {
            const int64_t ms = stream_wait_ms(&rows[i].pause, &prng);
            least_ms = ms < least_ms ? ms : least_ms;
            most_ms = ms > most_ms ? ms : most_ms;
        }
        const int64_t tenth_ms = (rows[i].most_ms - rows[i].least_ms) / 10;
        assert_true(least_ms >= rows[i].least_ms);
        assert_true(least_ms < rows[i].least_ms + tenth_ms);
        assert_true(most_ms < rows[i].most_ms);
        assert_true(most_ms >= rows[i].most_ms - tenth_ms);
    }
}

static void
a_connection_that_lasted_begins_anew(void **state)
{
    (void)state;
    assert_int_equal(stream_failures(4, -1), 5);
    assert_int_equal(stream_failures(4, 9999), 5);
    assert_int_equal(stream_failures(4, 10000), 0);
}

/* ---- the place ---- */

static void
an_id_is_kept_for_its_stream_alone(void **state)
{
    (void)state;
    static const char *const ids[] = { "", "7", "a b", "\"\\", "\xc3\xa4" };
    struct arena arena = { 0 };
    for (size_t i = 0; i < COUNT(ids); i++) {
        struct slice text;
        struct slice id;
        assert_int_equal(stream_encode(slice_of(ids[i]),
                                       slice_of("https://a/b?token=1"), &arena,
                                       &text),
                         STATUS_OK);
        assert_int_equal(
            stream_decode(text, slice_of("https://a/b?token=2"), &arena, &id),
            STATUS_OK);
        assert_true(slice_equal_text(id, ids[i]));
        assert_int_equal(
            stream_decode(text, slice_of("https://a/c"), &arena, &id),
            STATUS_OK);
        assert_int_equal(id.len, 0);
    }
    static const char *const broken[] = {
        "", "{}", "[1]", "{\"at\":1}", "{\"at\":1,\"id\":2}", "{\"at\":1"
    };
    for (size_t i = 0; i < COUNT(broken); i++) {
        struct slice id;
        assert_int_equal(stream_decode(slice_of(broken[i]),
                                       slice_of("https://a"), &arena, &id),
                         STATUS_CORRUPT);
    }
    arena_fini(&arena);
}

static void
an_id_that_cannot_be_sent_back_is_none(void **state)
{
    (void)state;
    assert_true(stream_id_fits(slice_of("")));
    assert_true(stream_id_fits(slice_of("urn:uuid:\xc3\xa4 b")));
    assert_false(stream_id_fits(slice_of("a\x01")));
    assert_false(stream_id_fits(slice_of(" a")));
    assert_false(stream_id_fits(slice_of("\xff")));
}

static void
the_request_names_the_last_id_and_stays_with_its_url(void **state)
{
    (void)state;
    static const struct {
        const char *more;
        const char *id;
        const char *url;
        const char *field; /* Last-Event-ID */
    } rows[] = {
        { "", "", "https://relay.test/c?k=v", NULL },
        { "", "7", "https://relay.test/c?k=v", "7" },
        { ", query: {a: b}, last_id: {query: last}", "7&",
          "https://relay.test/c?k=v&a=b&last=7%26", NULL },
        { ", auth: {type: query, name: t, value: '{secret:relay}'}", "",
          "https://relay.test/c?k=v&t=r", NULL },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bound bound;
        char file[512];
        struct rendered_request request;
        struct error err = { "" };
        struct slice value = { NULL, 0 };
        (void)snprintf(file, sizeof(file),
                       "params: {relay: {secret: true, default: r}}\n" VERIFY
                       "stream: {" URL "%s}\n",
                       rows[i].more);
        bound_texts(&bound, file, "with: {webhook_secret: s}", "");
        bound_must(&bound);
        assert_int_equal(request_stream(&bound.connector, slice_of(rows[i].id),
                                        &bound.arena, &request, &err),
                         STATUS_OK);
        assert_true(slice_equal_text(request.url, rows[i].url));
        assert_true(http_field_find(request.fields, "accept", &value));
        assert_true(slice_equal_text(value, "text/event-stream"));
        assert_int_equal(http_field_count(request.fields, "accept"), 1);
        assert_int_equal(
            http_field_find(request.fields, "last-event-id", &value),
            rows[i].field != NULL);
        assert_true(rows[i].field == NULL ||
                    slice_equal_text(value, rows[i].field));
        bound_fini(&bound);
    }
}

/* ---- the events ---- */

#define FROM(text_) VERIFY "stream: {" URL ", request_from: {" text_ "}}\n"
#define SMEE        FROM("headers: '$', query: '$.query', body: 'json:body'")
#define OWN                                                                    \
    FROM("method: 'json:m', headers: '$.h', query: '$.q',"                     \
         " body: '{json:b|unbase64}'")

/* The request as text: method, target, fields, body. */
static void
write_request(const struct inbound *request, struct buf *into)
{
    buf_append(into, request->method);
    buf_byte(into, ' ');
    buf_append(into, request->path_query);
    for (size_t i = 0; i < request->fields.count; i++) {
        buf_text(into, " ");
        buf_append(into, request->fields.at[i].name);
        buf_byte(into, '=');
        buf_append(into, request->fields.at[i].value);
    }
    buf_text(into, " | ");
    buf_append(into, request->body);
}

static const struct {
    const char *file;
    const char *data;
    const char *request; /* NULL: there is none in it */
} carried[] = {
    { STREAM, "{\"a\":1}",
      "POST /hooks/shop Last-Event-ID=7 Event=push "
      "Content-Type=application/json | {\"a\":1}" },
    { STREAM, "hello",
      "POST /hooks/shop Last-Event-ID=7 Event=push Content-Type=text/plain | "
      "hello" },
    { SMEE,
      "{\"x-a\":\"b\",\"body\":{\"n\": 1.50},\"query\":{},\"timestamp\":1}",
      "POST /hooks/shop x-a=b | {\"n\": 1.50}" },
    { SMEE, "{\"body\":\"t\\u00e4\",\"query\":{\"a\":\"b c\",\"d\":[1]}}",
      "POST /hooks/shop?a=b%20c&d=%5B1%5D body=t\xc3\xa4 | t\xc3\xa4" },
    { SMEE, "{\"bad name\":\"x\",\"x\":\"a\\nb\",\"body\":1}",
      "POST /hooks/shop | 1" },
    { SMEE, "{\"query\":{}}", NULL },
    { SMEE, "{\"body\":null}", NULL },
    { SMEE, "no json", NULL },
    { SMEE, "[1]", NULL },
    { OWN,
      "{\"m\":\"PUT\",\"h\":{\"A\":\"1\",\"B\":[\"2\",\"3\",4]},\"q\":\"x=y\","
      "\"b\":\"aGVsbG8=\"}",
      "PUT /hooks/shop?x=y A=1 B=2 B=3 | hello" },
    { OWN, "{\"b\":\"\"}", "POST /hooks/shop | " },
    { OWN, "{\"m\":\"PUT\",\"b\":\"%\"}", NULL },
    { OWN, "{\"m\":\"PUT\",\"h\":[],\"q\":7,\"b\":\"aGVsbG8=\"}",
      "PUT /hooks/shop | hello" },
};

static void
an_event_carries_the_request_that_its_relay_was_sent(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(carried); i++) {
        struct bound bound;
        struct inbound request;
        struct error err = { "" };
        struct buf text = { 0 };
        const struct stream_event event = { SLICE("push"), SLICE("7"),
                                            slice_of(carried[i].data) };
        bound_texts(&bound, carried[i].file, "with: {webhook_secret: s}", "");
        bound_must(&bound);
        const enum status status = stream_request(&bound.connector, &event,
                                                  &bound.arena, &request, &err);
        if (carried[i].request == NULL) {
            assert_int_equal(status, STATUS_INVALID);
            assert_non_null(strstr(err.text, "no body at"));
        } else {
            assert_int_equal(status, STATUS_OK);
            write_request(&request, &text);
            assert_string_equal(text.ptr, carried[i].request);
            assert_true(request.is_streamed);
            assert_int_equal(request.late_ms, INSTANT_DAY_MS);
        }
        buf_fini(&text);
        bound_fini(&bound);
    }
}

static void
types_that_are_not_wanted_carry_nothing(void **state)
{
    (void)state;
    struct slice globs[] = { SLICE("message"), SLICE("hook.*") };
    struct stream_spec spec = { .events = globs, .event_count = 2 };
    assert_true(stream_takes(&spec, slice_of("")));
    assert_true(stream_takes(&spec, slice_of("hook.a")));
    assert_false(stream_takes(&spec, slice_of("ping")));
    spec.event_count = 0;
    assert_true(stream_takes(&spec, slice_of("ping")));
}

static void
what_a_relay_kept_is_not_stale(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    struct verify_result result;
    bound_texts(&bound,
                "verify: {type: hmac, signature: {from: 'header:S'}, signed: "
                "'{body}', timestamp: {from: 'header:T', unit: s, tolerance: "
                "60s}}\nevent: {id: 'json:id'}\n",
                "with: {webhook_secret: key}", "");
    bound_must(&bound);
    const struct http_field fields[] = {
        { SLICE("T"), SLICE("1000") },
        { SLICE("S"), SLICE("a777724d943eb48dc69bca8a4a6d57a04db3f9ec"
                            "7e1de4e581e860265bdf3032") },
    };
    struct inbound request = { .fields = { fields, 2 }, .body = SLICE("{}") };
    static const struct {
        int64_t late_ms;
        int64_t now_ms;
        bool stale;
    } rows[] = {
        { 0, 1060000, false },    { 0, 1061000, true },
        { 5000, 1065000, false }, { 5000, 1066000, true },
        { 5000, 939000, true },   { 5000, 940000, false },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        request.late_ms = rows[i].late_ms;
        assert_int_equal(verify_request(&bound.connector, &request, NULL,
                                        rows[i].now_ms, &arena, &result),
                         STATUS_OK);
        assert_int_equal(result.verdict,
                         rows[i].stale ? VERIFY_STALE : VERIFY_GENUINE);
    }
    arena_fini(&arena);
    bound_fini(&bound);
}

static void
memory_that_runs_out_is_told(void **state)
{
    (void)state;
    struct bound bound;
    bound_texts(&bound, SMEE, "with: {webhook_secret: s}", "");
    bound_must(&bound);
    /* longer than what an arena has room for from the start */
    enum { LENGTH = 100000 };
    struct buf data = { 0 };
    buf_text(&data, "{\"a\\u0062\":\"\\u00e4\",\"query\":{\"a\":\"\\u00e4\"},"
                    "\"body\":\"\\n");
    buf_format(&data, "%*d\"}", LENGTH - 1, 7);
    const struct stream_event event = { SLICE(""), SLICE("7"),
                                        buf_slice(&data) };
    enum status status = STATUS_NOMEM;
    for (long n = 0; status == STATUS_NOMEM; n++) {
        struct arena arena = { 0 };
        struct inbound request;
        struct rendered_request rendered;
        struct slice text;
        struct error err = { "" };
        assert_true(n < 40);
        (void)mem_fail_after(n, 0);
        status =
            stream_request(&bound.connector, &event, &arena, &request, &err);
        if (status == STATUS_OK) {
            /* a request that has lost its body would be taken for a forgery */
            assert_int_equal(request.body.len, LENGTH);
            status =
                stream_encode(event.id, slice_of("https://a"), &arena, &text);
        }
        if (status == STATUS_OK) {
            status = request_stream(&bound.connector, event.id, &arena,
                                    &rendered, &err);
        }
        (void)mem_fail_after(-1, 0);
        arena_fini(&arena);
    }
    assert_int_equal(status, STATUS_OK);
    buf_fini(&data);
    bound_fini(&bound);
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
        cmocka_unit_test(a_stream_is_on_when_it_can_be_asked_for_and_believed),
        cmocka_unit_test(what_nothing_signs_has_no_route),
        cmocka_unit_test(presets_are_laid_under_what_is_said),
        cmocka_unit_test(answers_are_judged_by_status_and_type),
        cmocka_unit_test(waits_grow_and_never_undercut_what_the_relay_asks),
        cmocka_unit_test(a_connection_that_lasted_begins_anew),
        cmocka_unit_test(an_id_is_kept_for_its_stream_alone),
        cmocka_unit_test(an_id_that_cannot_be_sent_back_is_none),
        cmocka_unit_test(the_request_names_the_last_id_and_stays_with_its_url),
        cmocka_unit_test(an_event_carries_the_request_that_its_relay_was_sent),
        cmocka_unit_test(types_that_are_not_wanted_carry_nothing),
        cmocka_unit_test(what_a_relay_kept_is_not_stale),
        cmocka_unit_test(memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
