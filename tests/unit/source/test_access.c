/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/instant.h"
#include "io/http_server.h"
#include "io/loop.h"
#include "model/request.h"
#include "source/access.h"
#include "wire/digest.h"

enum { CALLS = 4, GUARD_MS = 20000 };

static const char file[] =
    "params: {base: {}, client_id: {}, client_secret: {secret: true}, "
    "refresh_token: {secret: true}}\n"
    "poll: {request: {url: '{var:base}/list'}, items: '$[*]', record: {id: "
    "id}, auth: {type: oauth2, grant: refresh_token, token_url: "
    "'https://id.example/token'}}\n";

/* What a call was told. */
struct told {
    struct access_call *call;
    unsigned times;
    enum status status;
    unsigned http;
    char text[256]; /* the body, or words */
    bool begins_again;
};

static struct {
    struct loop *loop;
    struct loop_timer *guard;
    struct loop_turn *turn;
    struct http_server *server;
    struct http_client *client;
    struct access *access;
    struct bound bound;
    struct arena arena;
    char secrets[64];
    /* The provider. */
    unsigned tokens;       /* asked for */
    unsigned asks;         /* of the API */
    unsigned token_status; /* 0: 200 with a token */
    const char *more;      /* in the answer with a token */
    const char *good;      /* the token that the API takes; NULL: any */
    unsigned holds;        /* this ask of the API is not answered yet */
    struct http_exchange *held;
    bool waits_for_held;
    char token_body[256]; /* of the last request */
    struct told told[CALLS];
    unsigned wanted;
} site;

static void
late(void *arg)
{
    (void)arg;
    fail_msg("what was waited for has not come");
}

static void
look(void *arg)
{
    unsigned told = 0;
    (void)arg;
    for (size_t i = 0; i < CALLS; i++) {
        told += site.told[i].times;
    }
    if (site.waits_for_held ? site.held != NULL : told >= site.wanted) {
        loop_stop(site.loop);
    }
}

static void
answer(struct http_exchange *exchange, unsigned status, const char *body)
{
    const struct http_answer reply = {
        .status = status,
        .body = slice_of(body),
    };
    http_exchange_answer(exchange, &reply);
}

static void
answer_token(struct http_exchange *exchange)
{
    char body[256];
    const struct http_request *request = http_exchange_request(exchange);
    site.tokens++;
    (void)snprintf(site.token_body, sizeof(site.token_body), "%.*s",
                   SLICE_ARG(request->body));
    (void)snprintf(body, sizeof(body), "{\"access_token\":\"t%u\"%s}",
                   site.tokens, site.more);
    if (site.token_status != 0) {
        answer(exchange, site.token_status, "{\"error\":\"invalid_grant\"}");
    } else {
        answer(exchange, 200, body);
    }
}

static unsigned
take_head(void *arg, const struct http_request *request, struct slice peer,
          size_t *body_limit, struct http_answer *refusal)
{
    (void)arg;
    (void)request;
    (void)peer;
    (void)body_limit;
    (void)refusal;
    return 0;
}

static void
provide(void *arg, struct http_exchange *exchange)
{
    const struct http_request *request = http_exchange_request(exchange);
    struct slice value = { NULL, 0 };
    (void)arg;
    if (slice_equal_text(request->target, "/token")) {
        answer_token(exchange);
        return;
    }
    site.asks++;
    (void)http_field_find(request->fields, "Authorization", &value);
    if (site.asks == site.holds) {
        site.held = exchange;
        return;
    }
    bool good = site.good == NULL || slice_equal_text(value, site.good);
    char body[128];
    (void)snprintf(body, sizeof(body), "%.*s", SLICE_ARG(value));
    answer(exchange, good ? 200 : 401, body);
}

static void call(size_t at);

static void
came(void *arg, enum status status, const struct http_reply *reply,
     const struct error *err)
{
    struct told *told = arg;
    told->call = NULL;
    told->times++;
    told->status = status;
    told->http = reply == NULL ? 0 : reply->status;
    if (reply != NULL) {
        (void)snprintf(told->text, sizeof(told->text), "%.*s",
                       SLICE_ARG(reply->body));
    } else {
        (void)snprintf(told->text, sizeof(told->text), "%s",
                       error_text(err, status));
    }
    if (told->begins_again) {
        told->begins_again = false;
        call((size_t)(told - site.told));
    }
}

/* Starts a call; what is said at once is told as what comes later. */
static void
call(size_t at)
{
    struct walk_state walk = { .has_start = true };
    struct rendered_request request;
    struct error err = { "" };
    if (request_render(&site.bound.connector, &walk, &site.arena, &request,
                       &err) != STATUS_OK) {
        came(&site.told[at], STATUS_NOMEM, NULL, &err);
        return;
    }
    const struct http_call_spec spec = { .method = request.method,
                                         .url = request.url,
                                         .fields = request.fields,
                                         .connect_timeout_ms = 5000,
                                         .timeout_ms = GUARD_MS,
                                         .stall_timeout_ms = GUARD_MS,
                                         .body_limit = 1000 };
    const struct access_need need = { &site.bound.connector, request.oauth };
    enum status status =
        access_start(site.access, &need, &spec, came, &site.told[at],
                     &site.told[at].call, &err);
    if (status != STATUS_OK) {
        came(&site.told[at], status, NULL, &err);
    }
}

static void
run_until(unsigned told)
{
    site.wanted = told;
    loop_timer_arm(site.guard, GUARD_MS);
    loop_run(site.loop);
    loop_timer_disarm(site.guard);
}

static void
must_have(size_t at, unsigned http, const char *text)
{
    assert_int_equal(site.told[at].status, STATUS_OK);
    assert_int_equal(site.told[at].http, http);
    assert_string_equal(site.told[at].text, text);
}

static void
open_access(bool keeps)
{
    assert_int_equal(access_create(site.loop, site.client,
                                   keeps ? site.secrets : NULL, &site.access),
                     STATUS_OK);
}

static int
set_up(void **state)
{
    (void)state;
    static const struct http_server_limits limits = {
        .request = { .head_bytes = 4096,
                     .field_count = 50,
                     .body_bytes = 4096 },
        .connections = 20,
        .connections_per_address = 20,
        .head_timeout_ms = GUARD_MS,
        .body_timeout_ms = GUARD_MS,
        .idle_timeout_ms = GUARD_MS,
        .write_timeout_ms = GUARD_MS,
    };
    static const struct http_client_settings client = {
        .connections = 4, .connections_per_host = 4, .user_agent = "test"
    };
    static const struct http_server_handler handler = { .head = take_head,
                                                        .request = provide };
    char entry[256];
    struct error err = { "" };
    memset(&site, 0, sizeof(site));
    site.more = "";
    (void)snprintf(site.secrets, sizeof(site.secrets), "/tmp/access.XXXXXX");
    assert_non_null(mkdtemp(site.secrets));
    assert_int_equal(digest_init(NULL), STATUS_OK);
    assert_int_equal(loop_create(&site.loop), STATUS_OK);
    assert_int_equal(loop_timer_create(site.loop, late, NULL, &site.guard),
                     STATUS_OK);
    assert_int_equal(loop_turn_create(site.loop, look, NULL, &site.turn),
                     STATUS_OK);
    if (http_server_create(site.loop, "127.0.0.1:0", 0600, &limits, &handler,
                           &site.server, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    (void)snprintf(entry, sizeof(entry),
                   "with: {base: 'http://127.0.0.1:%u', client_id: i, "
                   "client_secret: s3cret, refresh_token: r0}\n",
                   http_server_port(site.server));
    bound_texts(&site.bound, file, entry, NULL);
    bound_must(&site.bound);
    assert_int_equal(http_client_create(site.loop, &client, &site.client, &err),
                     STATUS_OK);
    open_access(true);
    return 0;
}

static void
empty_secrets(void)
{
    DIR *directory = opendir(site.secrets);
    char path[512];
    for (struct dirent *at;
         directory != NULL && (at = readdir(directory)) != NULL;) {
        (void)snprintf(path, sizeof(path), "%s/%s", site.secrets, at->d_name);
        (void)unlink(path);
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    (void)rmdir(site.secrets);
}

static int
tear_down(void **state)
{
    (void)state;
    access_destroy(site.access);
    http_client_destroy(site.client);
    http_server_destroy(site.server);
    loop_turn_destroy(site.turn);
    loop_timer_destroy(site.guard);
    loop_destroy(site.loop);
    bound_fini(&site.bound);
    arena_fini(&site.arena);
    empty_secrets();
    return 0;
}

static void
one_token_serves_all_who_wait_and_all_who_come(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        call(i);
    }
    run_until(3);
    call(3);
    run_until(4);
    assert_int_equal(site.tokens, 1);
    assert_int_equal(site.asks, 4);
    assert_string_equal(site.token_body,
                        "grant_type=refresh_token&refresh_token=r0");
    for (size_t i = 0; i < CALLS; i++) {
        must_have(i, 200, "Bearer t1");
    }
}

static void
a_token_that_is_refused_is_renewed_once(void **state)
{
    (void)state;
    call(0);
    run_until(1);
    site.good = "Bearer t2";
    call(0);
    call(1);
    run_until(3);
    must_have(0, 200, "Bearer t2");
    must_have(1, 200, "Bearer t2");
    assert_int_equal(site.tokens, 2);
    /* The provider takes none: its answer is what the caller gets. */
    site.good = "Bearer none";
    call(0);
    run_until(4);
    must_have(0, 401, "Bearer t3");
    assert_int_equal(site.tokens, 3);
}

/* What is refused with a token that is no longer ours says nothing of the one
 * that is. */
static void
a_late_refusal_of_an_old_token_renews_nothing(void **state)
{
    (void)state;
    call(0);
    run_until(1);
    site.holds = 2;
    site.waits_for_held = true;
    call(1);
    run_until(0);
    site.waits_for_held = false;
    site.good = "Bearer t2";
    call(0);
    run_until(2);
    must_have(0, 200, "Bearer t2");
    answer(site.held, 401, "late");
    run_until(3);
    must_have(1, 200, "Bearer t2");
    assert_int_equal(site.tokens, 2);
}

static void
a_refusal_is_told_to_all_and_the_provider_left_alone(void **state)
{
    (void)state;
    site.token_status = 400;
    site.told[0].begins_again = true;
    call(0);
    call(1);
    run_until(3);
    call(2);
    run_until(4);
    assert_int_equal(site.tokens, 1);
    assert_int_equal(site.asks, 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(site.told[i].status, STATUS_DENIED);
        assert_non_null(strstr(site.told[i].text, "invalid_grant"));
        assert_null(strstr(site.told[i].text, "s3cret"));
    }
}

static void
a_token_about_to_end_is_not_sent(void **state)
{
    (void)state;
    site.more = ",\"expires_in\":0.001";
    call(0);
    run_until(1);
    call(0);
    run_until(2);
    assert_int_equal(site.tokens, 2);
    must_have(0, 200, "Bearer t2");
}

static void
another_refresh_token_is_kept_over_a_restart(void **state)
{
    (void)state;
    site.more = ",\"refresh_token\":\"r1\"";
    call(0);
    run_until(1);
    access_destroy(site.access);
    open_access(true);
    site.more = "";
    call(0);
    run_until(2);
    assert_string_equal(site.token_body,
                        "grant_type=refresh_token&refresh_token=r1");
    access_destroy(site.access);
    open_access(false);
    call(0);
    run_until(3);
    assert_string_equal(site.token_body,
                        "grant_type=refresh_token&refresh_token=r0");
}

static void
a_call_that_is_cancelled_is_never_told(void **state)
{
    (void)state;
    call(0);
    call(1);
    access_cancel(site.told[0].call);
    access_cancel(NULL);
    run_until(1);
    assert_int_equal(site.told[0].times, 0);
    must_have(1, 200, "Bearer t1");
    /* What still runs at the end is cut off. */
    site.good = "Bearer t2";
    call(2);
    call(3);
}

static void
a_call_survives_every_failed_allocation(void **state)
{
    (void)state;
    site.more = ",\"refresh_token\":\"r1\"";
    for (long n = 0; n < 2000; n++) {
        const unsigned told = site.told[0].times;
        access_destroy(site.access);
        open_access(false);
        mem_fail_after(n, 0);
        call(0);
        if (site.told[0].times == told) {
            run_until(told + 1);
        }
        if (mem_fail_after(-1, 0) <= n) {
            assert_int_equal(site.told[0].status, STATUS_OK);
            return;
        }
    }
    fail_msg("it never came through");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_token_serves_all_who_wait_and_all_who_come),
        TEST(a_token_that_is_refused_is_renewed_once),
        TEST(a_late_refusal_of_an_old_token_renews_nothing),
        TEST(a_refusal_is_told_to_all_and_the_provider_left_alone),
        TEST(a_token_about_to_end_is_not_sent),
        TEST(another_refresh_token_is_kept_over_a_restart),
        TEST(a_call_that_is_cancelled_is_never_told),
        TEST(a_call_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
