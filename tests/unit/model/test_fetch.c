/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include "model/extract.h"
#include "model/fetch.h"
#include "model/request.h"
#include "wire/digest.h"

#define VERIFY                                                                 \
    "params: {base: {}, api_key: {secret: true}, webhook_secret: {secret: "    \
    "true}, hook: {default: h1}}\n"                                            \
    "verify: {type: token, from: 'header:X-Token'}\n"
#define EVENT(mode_, fetch_)                                                   \
    "event: {id: 'json:id', mode: " mode_ ", fetch: {" fetch_ "}}\n"
#define POLL(record_)                                                          \
    "poll: {request: {url: '{var:base}/v1/list'}, auth: {type: bearer}, "      \
    "items: '$[*]', record: {id: id" record_ "}}\n"
#define WITH                                                                   \
    "with: {webhook_secret: s, api_key: k, base: 'https://api.example'}\n"
/* Without the parameter `base`. */
#define ALONE                                                                  \
    "params: {webhook_secret: {secret: true}}\n"                               \
    "verify: {type: token, from: 'header:X-Token'}\n"

static void
what_an_event_lacks_follows_from_where_it_came(void **state)
{
    (void)state;
    static const struct {
        const char *mode;
        const char *recover;
        enum event_needs hook, row;
        bool may_fill;
    } rows[] = {
        { "full", "self", NEEDS_NOTHING, NEEDS_NOTHING, false },
        { "thin", "self", NEEDS_FETCH, NEEDS_NOTHING, false },
        { "full", "fetch", NEEDS_NOTHING, NEEDS_FETCH, false },
        { "full", "redeliver", NEEDS_NOTHING, NEEDS_HOOK, true },
        { "full", "none", NEEDS_NOTHING, NEEDS_NOTHING, false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char entry[512];
        struct bound bound;
        (void)snprintf(entry, sizeof(entry),
                       WITH "event: {mode: %s}\n"
                            "recover: {mode: %s, redeliver: {url: "
                            "'{var:base}/{id}'}}\n",
                       rows[i].mode, rows[i].recover);
        bound_texts(&bound,
                    VERIFY EVENT("full", "url: '{var:base}/o/{id}'") POLL(""),
                    entry, "");
        bound_must(&bound);
        struct sighting hook = { .via = CHANNEL_WEBHOOK };
        struct sighting row = { .via = CHANNEL_POLL };
        fetch_mark(&bound.connector, &hook);
        fetch_mark(&bound.connector, &row);
        assert_int_equal(hook.needs, rows[i].hook);
        assert_int_equal(hook.may_fill, rows[i].may_fill);
        assert_int_equal(row.needs, rows[i].row);
        assert_int_equal(fetch_timeout_ms(&bound.connector) > 0,
                         rows[i].hook != NEEDS_NOTHING ||
                             rows[i].row != NEEDS_NOTHING);
        bound_fini(&bound);
    }
}

/* Whoever takes a request out of the configuration has what came delivered. */
static void
without_a_request_an_event_goes_as_it_came(void **state)
{
    (void)state;
    struct bound bound;
    bound_texts(&bound, VERIFY "event: {id: 'json:id'}\n" POLL(""), WITH, "");
    bound_must(&bound);
    static const enum event_needs all[] = { NEEDS_NOTHING, NEEDS_FETCH,
                                            NEEDS_HOOK };
    for (size_t i = 0; i < 3; i++) {
        const struct event event = { .needs = all[i], .via = CHANNEL_POLL };
        assert_null(fetch_spec_of(&bound.connector, &event));
    }
    bound_fini(&bound);
}

static void
a_row_has_a_request_of_its_own_or_that_of_events(void **state)
{
    (void)state;
    struct bound bound;
    bound_texts(&bound,
                VERIFY EVENT("thin", "url: '{var:base}/a/{id}'")
                    POLL(", fetch: {url: '{var:base}/b/{id}'}"),
                WITH, "");
    bound_must(&bound);
    const struct connector *c = &bound.connector;
    struct event event = { .needs = NEEDS_FETCH, .via = CHANNEL_WEBHOOK };
    assert_ptr_equal(fetch_spec_of(c, &event), &c->event.fetch);
    event.via = CHANNEL_POLL;
    assert_ptr_equal(fetch_spec_of(c, &event), &c->poll.record.fetch);
    event.filled = FILLED_BY_HOOK;
    assert_ptr_equal(fetch_spec_of(c, &event), &c->event.fetch);
    bound_fini(&bound);
}

/* GitLab's rows have the webhook's body inside, and their number beside it. */
static void
a_row_that_lacks_something_is_kept_whole(void **state)
{
    (void)state;
    static const char text[] = "{\"id\":7,\"request_data\":{\"a\":1}}";
    static const char *const words[] = { "self", "redeliver" };
    for (size_t i = 0; i < 2; i++) {
        char entry[256];
        struct bound bound;
        struct arena arena = { 0 };
        struct sighting sighting;
        struct error err = { 0 };
        (void)snprintf(entry, sizeof(entry), WITH "recover: %s", words[i]);
        bound_texts(&bound,
                    VERIFY EVENT("full", "") POLL(
                        ", body: request_data") "recover: {redeliver: {url: "
                                                "'{request.url}/{id}'}}",
                    entry, "");
        bound_must(&bound);
        const struct row_view view = { .row = slice_of(text),
                                       .body = slice_of(text),
                                       .via = CHANNEL_POLL };
        assert_int_equal(
            extract_row(&bound.connector, &view, &arena, &sighting, &err),
            STATUS_OK);
        assert_true(
            slice_equal_text(sighting.body, i == 0 ? "{\"a\":1}" : text));
        const struct event event = { .via = CHANNEL_POLL,
                                     .needs = sighting.needs,
                                     .body = sighting.body };
        struct extracted_data data;
        assert_int_equal(extract_data(&bound.connector, &event, &arena, &data),
                         STATUS_OK);
        assert_true(slice_equal_text(data.bytes, "{\"a\":1}"));
        arena_fini(&arena);
        bound_fini(&bound);
    }
}

struct url_row {
    const char *file;
    const char *entry;
    const char *body;
    enum status status;
    const char *url; /* or words of the mistake */
};

#define TO(url_) VERIFY EVENT("thin", "url: " url_)

static const struct url_row url_rows[] = {
    { TO("'{var:base}/v1/{json:id}'"), WITH, "{\"id\":\"a\"}", STATUS_OK,
      "https://api.example/v1/a" },
    { TO("'{var:base}/v1/{id}?x={kind}'"), WITH,
      "{\"id\":12345678901234567890,\"kind\":\"a&b=c\"}", STATUS_OK,
      "https://api.example/v1/12345678901234567890?x=a%26b%3Dc" },
    { TO("'{var:base}/v1/{header:X-Object}', query: {'n': '{id}', m: '{no}'}"),
      WITH, "{\"id\":\"a b\"}", STATUS_OK,
      "https://api.example/v1/o%2F1?n=a%20b" },
    { TO("'{var:base}/v1/{form:id}'"), WITH, "id=x%2Fy&z=1", STATUS_OK,
      "https://api.example/v1/x%2Fy" },
    { TO("'{var:base}/v1/recover', query: {since: '{gap.start}', until: "
         "'{gap.end}'}"),
      WITH, "{}", STATUS_OK,
      "https://api.example/v1/"
      "recover?since=2023-11-14T22%3A13%3A19Z&until=2023-"
      "11-14T22%3A13%3A22Z" },
    { TO("'{request.url}/{id}'") POLL(""), WITH, "{\"id\":7}", STATUS_OK,
      "https://api.example/v1/list/7" },
    /* Another origin, or another path. */
    { TO("'{var:base}/v1/{id}'"), WITH, "{\"id\":\"../admin\"}", STATUS_OK,
      "https://api.example/v1/..%2Fadmin" },
    { TO("'{var:base}/v1/{id}/x'"), WITH, "{\"id\":\"..\"}", STATUS_INVALID,
      "dots in the path" },
    { TO("'{var:base}/v1/{a}{b}'"), WITH, "{\"a\":\".\",\"b\":\".\"}",
      STATUS_INVALID, "dots in the path" },
    { TO("'{var:base}/v1/{id}'"), WITH, "{\"id\":\"\"}", STATUS_NOT_FOUND,
      "cannot be filled" },
    { TO("'{var:base}/v1/{id}'"), WITH, "{\"id\":null}", STATUS_NOT_FOUND,
      "cannot be filled" },
    { TO("'{var:base}/v1/{id}'"), WITH, "not JSON", STATUS_NOT_FOUND,
      "cannot be filled" },
    { ALONE EVENT("thin", "url: 'https://{json:host}/x'"),
      "with: {webhook_secret: s}", "{\"host\":\"evil.example\"}", STATUS_DENIED,
      "another origin" },
    { ALONE EVENT("thin", "url: 'https://api.example{json:host}/x'"),
      "with: {webhook_secret: s}", "{\"host\":\".evil.example\"}",
      STATUS_DENIED, "another origin" },
    { ALONE EVENT("thin", "url: 'https://api.example/{json:id}'"),
      "with: {webhook_secret: s}", "{\"id\":\"@evil.example/\"}", STATUS_OK,
      "https://api.example/%40evil.example%2F" },
    /* A URL that came with the event. */
    { TO("'json:self'"), WITH, "{\"self\":\"/v1/o/1?a=b\"}", STATUS_OK,
      "https://api.example/v1/o/1?a=b" },
    { TO("'json:self'"), WITH, "{\"self\":\"https://api.example/v1/o/1\"}",
      STATUS_OK, "https://api.example/v1/o/1" },
    { TO("'json:self'"), WITH, "{\"self\":\"https://evil.example/v1\"}",
      STATUS_DENIED, "another origin" },
    { TO("'json:self'"), WITH, "{\"self\":\"//evil.example/v1\"}",
      STATUS_DENIED, "another origin" },
    { TO("'json:self'"), WITH, "{\"self\":\"file:///etc/passwd\"}",
      STATUS_INVALID, "" },
};

static enum status
render(const struct bound *bound, const char *body, struct arena *arena,
       struct rendered_request *request, struct error *err)
{
    const struct event event = { .needs = NEEDS_FETCH,
                                 .time_ms = INT64_C(1700000000500),
                                 .headers = SLICE("X-Object: o/1\n"),
                                 .body = slice_of(body) };
    return request_for_event(&bound->connector, &bound->connector.event.fetch,
                             &event, arena, request, err);
}

static void
a_request_for_an_event_stays_where_the_connector_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(url_rows) / sizeof(url_rows[0]); i++) {
        const struct url_row *row = &url_rows[i];
        struct bound bound;
        struct arena arena = { 0 };
        struct rendered_request request = { .url = SLICE("") };
        struct error err = { 0 };
        bound_texts(&bound, row->file, row->entry, "");
        bound_must(&bound);
        enum status status = render(&bound, row->body, &arena, &request, &err);
        if (status != row->status ||
            (status == STATUS_OK && !slice_equal_text(request.url, row->url)) ||
            (status != STATUS_OK && strstr(err.text, row->url) == NULL)) {
            fail_msg("%s with %s: %s, '%.*s', %s", row->file, row->body,
                     status_text(status), SLICE_ARG(request.url), err.text);
        }
        arena_fini(&arena);
        bound_fini(&bound);
    }
}

static const char whole[] =
    VERIFY EVENT("thin", "method: POST, url: '{var:base}/{id}', headers: "
                         "{X-Kind: '{kind}', X-None: '{none}'}, json: {ids: "
                         "['{id}', '{var:hook}'], none: '{none}', all: true}");

static void
a_request_for_an_event_has_all_its_parts(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    struct rendered_request request;
    struct slice value;
    struct error err = { 0 };
    bound_texts(&bound, whole, WITH "event: {fetch: {auth: {type: bearer}}}",
                "");
    bound_must(&bound);
    assert_int_equal(render(&bound, "{\"id\":\"a/b\",\"kind\":\"k/1\"}", &arena,
                            &request, &err),
                     STATUS_OK);
    assert_true(slice_equal_text(request.method, "POST"));
    assert_true(slice_equal_text(request.url, "https://api.example/a%2Fb"));
    assert_true(slice_equal_text(request.body,
                                 "{\"ids\":[\"a/b\",\"h1\"],\"all\":true}"));
    assert_true(http_field_find(request.fields, "X-Kind", &value));
    assert_true(slice_equal_text(value, "k/1"));
    assert_false(http_field_find(request.fields, "X-None", &value));
    assert_true(http_field_find(request.fields, "Authorization", &value));
    assert_true(slice_equal_text(value, "Bearer k"));
    arena_fini(&arena);
    bound_fini(&bound);
}

static void
a_request_for_an_event_without_memory_is_none(void **state)
{
    (void)state;
    struct bound bound;
    enum status status = STATUS_NOMEM;
    long n = 0;
    bound_texts(&bound, whole, WITH "event: {fetch: {auth: {type: bearer}}}",
                "");
    bound_must(&bound);
    for (; status != STATUS_OK; n++) {
        struct arena arena = { 0 };
        struct rendered_request request;
        struct error err = { 0 };
        mem_fail_after(n, 0);
        status = render(&bound, "{\"id\":\"a\"}", &arena, &request, &err);
        mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        arena_fini(&arena);
    }
    assert_true(n > 5);
    bound_fini(&bound);
}

static void
an_answer_is_worth_what_it_says(void **state)
{
    (void)state;
    static const struct {
        const char *keys;
        unsigned http;
        const char *body;
        enum status status;
        const char *part; /* or words */
    } rows[] = {
        { "", 200, " {\"a\":1.10} ", STATUS_OK, "{\"a\":1.10}" },
        { ", body: a.b", 200, "{\"a\":{\"b\":[1]}}", STATUS_OK, "[1]" },
        { ", body: a.b", 200, "{\"a\":1}", STATUS_PROTOCOL,
          "nothing at 'a.b'" },
        { "", 200, "<html>", STATUS_PROTOCOL, "not JSON" },
        { "", 204, "", STATUS_PROTOCOL, "not JSON" },
        { "", 404, "{}", STATUS_NOT_FOUND, "HTTP 404" },
        { "", 410, "{}", STATUS_NOT_FOUND, "HTTP 410" },
        { "", 302, "{}", STATUS_PROTOCOL, "HTTP 302" },
        { "", 500, "{}", STATUS_PROTOCOL, "HTTP 500" },
        { "", 200, "{\"ok\":false}", STATUS_PROTOCOL,
          "says that it failed: 'json:ok'" },
        { "", 500, "{\"ok\":false}", STATUS_PROTOCOL, "HTTP 500" },
        { ", expect: 203", 203, "{}", STATUS_OK, "{}" },
        { ", expect: 203", 200, "{}", STATUS_PROTOCOL, "HTTP 200" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bound bound;
        struct slice part = SLICE("");
        struct error err = { 0 };
        char entry[256];
        (void)snprintf(entry, sizeof(entry),
                       WITH
                       "event: {fetch: {url: 'https://x.example/'%s}}\n"
                       "poll: {fail_when: {x: 'json:ok', equals: 'false'}}",
                       rows[i].keys);
        const struct fetch_answer answer = { .status = rows[i].http,
                                             .body = slice_of(rows[i].body) };
        bound_texts(&bound, VERIFY EVENT("thin", "") POLL(""), entry, "");
        bound_must(&bound);
        enum status status =
            fetch_read(&bound.connector, &bound.connector.event.fetch, &answer,
                       &part, &err);
        if (status != rows[i].status ||
            (status == STATUS_OK && !slice_equal_text(part, rows[i].part)) ||
            (status != STATUS_OK && strstr(err.text, rows[i].part) == NULL)) {
            fail_msg("%zu: %s, '%.*s', %s", i, status_text(status),
                     SLICE_ARG(part), err.text);
        }
        bound_fini(&bound);
    }
}

int
main(void)
{
    if (digest_init(NULL) != STATUS_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_event_lacks_follows_from_where_it_came),
        cmocka_unit_test(without_a_request_an_event_goes_as_it_came),
        cmocka_unit_test(a_row_has_a_request_of_its_own_or_that_of_events),
        cmocka_unit_test(a_row_that_lacks_something_is_kept_whole),
        cmocka_unit_test(a_request_for_an_event_stays_where_the_connector_is),
        cmocka_unit_test(a_request_for_an_event_has_all_its_parts),
        cmocka_unit_test(a_request_for_an_event_without_memory_is_none),
        cmocka_unit_test(an_answer_is_worth_what_it_says),
    };
    return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
