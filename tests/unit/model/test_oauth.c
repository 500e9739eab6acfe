/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include "base/instant.h"
#include "model/oauth.h"
#include "wire/digest.h"

#define FILE_(auth_)                                                           \
    "params: {client_id: {}, client_secret: {secret: true}, refresh_token: "   \
    "{secret: true, default: r}, account_id: {default: acc}, base: {default: " \
    "''}}\n"                                                                   \
    "poll: {request: {url: 'https://api.example/x'}, items: '$[*]', record: "  \
    "{id: id}, auth: {type: oauth2, " auth_ "}}\n"
#define WITH "with: {client_id: 'i/d', client_secret: 's+t'}\n"
#define URL_ "token_url: 'https://id.example/token'"

struct request_row {
    const char *auth;
    const char *entry;
    const char *refresh; /* given by the provider */
    const char *url;
    const char *body;
    const char *user;
    const char *password;
};

static const struct request_row request_rows[] = {
    { FILE_(URL_), WITH, "", "https://id.example/token",
      "grant_type=client_credentials", "i%2Fd", "s%2Bt" },
    { FILE_(URL_ ", client_auth: body, scope: 'a b'"), WITH, "",
      "https://id.example/token",
      "grant_type=client_credentials&scope=a%20b&client_id=i%2Fd&client_secret="
      "s%2Bt",
      "", "" },
    { FILE_(URL_ ", grant: refresh_token, client_auth: none"), WITH, "",
      "https://id.example/token",
      "grant_type=refresh_token&refresh_token=r&client_id=i%2Fd", "", "" },
    { FILE_(URL_ ", grant: refresh_token"), WITH, "r2",
      "https://id.example/token", "grant_type=refresh_token&refresh_token=r2",
      "i%2Fd", "s%2Bt" },
    { FILE_(URL_ ", grant: account_credentials"), WITH, "",
      "https://id.example/token",
      "grant_type=account_credentials&account_id=acc", "i%2Fd", "s%2Bt" },
    { FILE_(URL_ ", params: {audience: 'https://{var:client_id}'}"), WITH, "",
      "https://id.example/token",
      "grant_type=client_credentials&audience=https%3A%2F%2Fi%2Fd", "i%2Fd",
      "s%2Bt" },
    /* Where `base` is given, everything goes there. */
    { FILE_(URL_),
      "with: {client_id: i, client_secret: s, base: 'http://127.0.0.1:9'}", "",
      "http://127.0.0.1:9/token", "grant_type=client_credentials", "i", "s" },
};

static void
must_be(struct slice got, const char *want)
{
    if (!slice_equal_text(got, want)) {
        fail_msg("'%.*s', not '%s'", SLICE_ARG(got), want);
    }
}

static void
a_token_is_asked_for_as_the_grant_wants_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(request_rows) / sizeof(request_rows[0]);
         i++) {
        const struct request_row *row = &request_rows[i];
        struct bound bound;
        struct arena arena = { 0 };
        struct rendered_request request;
        struct slice value;
        struct error err = { "" };
        bound_texts(&bound, row->auth, row->entry, "");
        bound_must(&bound);
        if (oauth_request(&bound.connector, &bound.connector.poll.auth,
                          slice_of(row->refresh), &arena, &request,
                          &err) != STATUS_OK) {
            fail_msg("%s: %s", row->auth, err.text);
        }
        must_be(request.method, "POST");
        must_be(request.url, row->url);
        must_be(request.body, row->body);
        must_be(request.user, row->user);
        must_be(request.password, row->password);
        assert_true(http_field_find(request.fields, "content-type", &value));
        must_be(value, "application/x-www-form-urlencoded");
        arena_fini(&arena);
        bound_fini(&bound);
    }
}

static void
a_request_of_the_list_says_that_it_needs_one(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    struct walk_state walk = { .has_start = true };
    struct rendered_request request;
    struct slice value;
    struct error err = { "" };
    bound_texts(&bound, FILE_(URL_), WITH, "");
    bound_must(&bound);
    assert_int_equal(
        request_render(&bound.connector, &walk, &arena, &request, &err),
        STATUS_OK);
    assert_ptr_equal(request.oauth, &bound.connector.poll.auth);
    assert_false(http_field_find(request.fields, "authorization", &value));
    arena_fini(&arena);
    bound_fini(&bound);
}

/* What is missing is found before anything is sent. */
static void
what_a_token_needs_is_demanded_at_the_start(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *entry;
        const char *says;
    } rows[] = {
        { FILE_("grant: refresh_token"), WITH, "'auth' needs a 'token_url'" },
        { FILE_(URL_ ", grant: password"), WITH, "account_credentials" },
        { FILE_(URL_), "with: {client_id: i}", "client_secret" },
        { "poll: {request: {url: '{var:base}/x'}, items: '$[*]', record: {id: "
          "id}, auth: {type: bearer, " URL_ "}}\n",
          "with: {base: 'http://127.0.0.1:9', api_key: k}",
          "'token_url' belongs to 'type: oauth2'" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bound bound;
        bound_texts(&bound, rows[i].file, rows[i].entry, "");
        if (bound.status != STATUS_CONFIG ||
            strstr(bound.words.ptr, rows[i].says) == NULL) {
            fail_msg("%s: %s", rows[i].file,
                     bound.words.ptr == NULL ? "bound" : bound.words.ptr);
        }
        bound_fini(&bound);
    }
}

static void
equal_requests_for_tokens_are_one_and_others_are_not(void **state)
{
    (void)state;
    static const struct rendered_request requests[] = {
        { .url = SLICE("u"), .body = SLICE("b"), .user = SLICE("i") },
        { .url = SLICE("u"), .body = SLICE("b"), .user = SLICE("j") },
        { .url = SLICE("u"), .body = SLICE("c"), .user = SLICE("i") },
        { .url = SLICE("v"), .body = SLICE("b"), .user = SLICE("i") },
        { .url = SLICE("u"), .body = SLICE("b"), .password = SLICE("i") },
        /* Nor do the ends of one and the begin of the next make another. */
        { .url = SLICE("u"), .body = SLICE("bc"), .password = SLICE("i") },
        { .url = SLICE("u"), .body = SLICE("c"), .password = SLICE("ib") },
    };
    enum { COUNT = sizeof(requests) / sizeof(requests[0]) };
    struct buf texts[COUNT] = { 0 };
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(oauth_identity(&requests[i], &texts[i]), STATUS_OK);
        assert_int_equal(texts[i].len, 64);
        for (size_t j = 0; j < i; j++) {
            assert_false(
                slice_equal(buf_slice(&texts[i]), buf_slice(&texts[j])));
        }
    }
    struct buf again = { 0 };
    assert_int_equal(oauth_identity(&requests[0], &again), STATUS_OK);
    assert_true(slice_equal(buf_slice(&again), buf_slice(&texts[0])));
    buf_fini(&again);
    for (size_t i = 0; i < COUNT; i++) {
        buf_fini(&texts[i]);
    }
}

struct answer_row {
    unsigned status;
    const char *body;
    enum status says;
    const char *text;    /* the token, or words */
    const char *refresh; /* or "" */
    int64_t good_ms;
};

static const struct answer_row answer_rows[] = {
    { 200,
      "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":3600}",
      STATUS_OK, "a", "", 3540000 },
    { 200,
      "{\"access_token\":\"a\",\"expires_in\":\"7200\",\"refresh_token\":"
      "\"n\"}",
      STATUS_OK, "a", "n", 7140000 },
    { 200, "{\"access_token\":\"a\"}", STATUS_OK, "a", "", 3540000 },
    { 201, "{\"access_token\":\"a\",\"expires_in\":60}", STATUS_OK, "a", "",
      30000 },
    { 200, "{\"access_token\":\"a\",\"expires_in\":-5}", STATUS_OK, "a", "",
      3540000 },
    { 200, "{\"access_token\":\"a\",\"expires_in\":1e99}", STATUS_OK, "a", "",
      3540000 },
    /* Nobody's token is good for years: 30 days, less the minute. */
    { 200, "{\"access_token\":\"a\",\"expires_in\":315360000}", STATUS_OK, "a",
      "", INT64_C(2591940000) },
    { 200, "{}", STATUS_PROTOCOL, "no access_token", "", 0 },
    { 200, "<html>", STATUS_PROTOCOL, "no access_token", "", 0 },
    { 200, "{\"access_token\":\"a\",\"token_type\":\"mac\"}", STATUS_PROTOCOL,
      "'mac'", "", 0 },
    { 200, "{\"access_token\":\"a\\nb\"}", STATUS_PROTOCOL, "cannot be sent",
      "", 0 },
    { 400, "{\"error\":\"invalid_grant\",\"error_description\":\"r3fresh\"}",
      STATUS_DENIED, "authorize the application again", "", 0 },
    { 401, "{\"error\":\"invalid_client\"}", STATUS_DENIED, "client_auth", "",
      0 },
    { 400, "{\"error\":\"invalid_scope\"}", STATUS_DENIED, "scope", "", 0 },
    { 400, "{\"error\":\"temporarily_unavailable\"}", STATUS_UNAVAILABLE,
      "cannot do it now", "", 0 },
    { 403, "no", STATUS_DENIED, "credentials are refused", "", 0 },
    { 404, "no", STATUS_PROTOCOL, "HTTP 404", "", 0 },
    { 429, "{\"error\":\"invalid_grant\"}", STATUS_UNAVAILABLE, "HTTP 429", "",
      0 },
    { 502, "bad gateway", STATUS_UNAVAILABLE, "HTTP 502", "", 0 },
};

static void
an_answer_is_a_token_or_says_why_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(answer_rows) / sizeof(answer_rows[0]); i++) {
        const struct answer_row *row = &answer_rows[i];
        struct arena arena = { 0 };
        struct oauth_answer answer = { 0 };
        struct error err = { "" };
        enum status status =
            oauth_read(row->status, slice_of(row->body), &arena, &answer, &err);
        if (status != row->says) {
            fail_msg("%u %s: %s, %s", row->status, row->body,
                     status_text(status), err.text);
        }
        if (status == STATUS_OK) {
            must_be(answer.token, row->text);
            must_be(answer.refresh, row->refresh);
            assert_int_equal(answer.good_ms, row->good_ms);
        } else {
            assert_non_null(strstr(err.text, row->text));
            assert_null(strstr(err.text, "r3fresh"));
        }
        arena_fini(&arena);
    }
}

static void
the_provider_is_left_alone_longer_where_it_refused(void **state)
{
    (void)state;
    assert_int_equal(oauth_wait_ms(STATUS_UNAVAILABLE, 1, 0), 2000);
    assert_int_equal(oauth_wait_ms(STATUS_UNAVAILABLE, 3, 0), 8000);
    assert_int_equal(oauth_wait_ms(STATUS_UNAVAILABLE, 60, 0), 300000);
    assert_int_equal(oauth_wait_ms(STATUS_UNAVAILABLE, 1, 30000), 30000);
    assert_int_equal(oauth_wait_ms(STATUS_DENIED, 1, 0), 60000);
    assert_int_equal(oauth_wait_ms(STATUS_DENIED, 2, 0), 120000);
    assert_int_equal(oauth_wait_ms(STATUS_DENIED, 4000000000, 0), 3600000);
}

static void
running_out_of_memory_is_told(void **state)
{
    (void)state;
    struct bound bound;
    enum status status = STATUS_NOMEM;
    bound_texts(&bound, request_rows[1].auth, WITH, "");
    bound_must(&bound);
    for (long n = 0; status != STATUS_OK && n < 1000; n++) {
        struct arena arena = { 0 };
        struct buf identity = { 0 };
        struct rendered_request request;
        struct oauth_answer answer;
        (void)mem_fail_after(n, 0);
        status =
            oauth_request(&bound.connector, &bound.connector.poll.auth,
                          (struct slice){ NULL, 0 }, &arena, &request, NULL);
        if (status == STATUS_OK) {
            status = oauth_identity(&request, &identity);
        }
        if (status == STATUS_OK) {
            status = oauth_read(200, slice_of("{\"access_token\":\"\\u0061\"}"),
                                &arena, &answer, NULL);
        }
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        buf_fini(&identity);
        arena_fini(&arena);
    }
    assert_int_equal(status, STATUS_OK);
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
        cmocka_unit_test(a_token_is_asked_for_as_the_grant_wants_it),
        cmocka_unit_test(a_request_of_the_list_says_that_it_needs_one),
        cmocka_unit_test(what_a_token_needs_is_demanded_at_the_start),
        cmocka_unit_test(equal_requests_for_tokens_are_one_and_others_are_not),
        cmocka_unit_test(an_answer_is_a_token_or_says_why_not),
        cmocka_unit_test(the_provider_is_left_alone_longer_where_it_refused),
        cmocka_unit_test(running_out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
