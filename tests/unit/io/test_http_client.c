/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <zlib.h>

#include "harness/loopback.h"
#include "io/http_client.h"
#include "io/loop.h"

/* What a call ended with, copied out of the callback. */
struct answer {
    struct loop *loop;
    struct http_call *call;
    int calls;
    int wanted; /* the loop stops when so many have ended */
    enum status status;
    unsigned http;
    char body[4096];
    size_t body_len;
    char field[128]; /* value of X-Test */
    size_t set_cookies;
    int64_t duration_ms;
    int64_t first_byte_ms;
    char words[512];
};

struct world {
    struct loop *loop;
    struct http_client *client;
    struct loop_timer *guard;
    struct loopback server;
    char url[128];
    struct answer answer;
};

static struct world world;

static void
too_long(void *arg)
{
    (void)arg;
    fail_msg("nothing ended within 20 s");
}

static void
keep(void *arg, enum status status, const struct http_reply *reply,
     const struct error *err)
{
    struct answer *answer = arg;
    answer->calls++;
    answer->call = NULL;
    answer->status = status;
    if (reply != NULL) {
        assert_int_equal(status, STATUS_OK);
        answer->http = reply->status;
        answer->body_len = reply->body.len;
        size_t kept = reply->body.len < sizeof(answer->body) - 1
                          ? reply->body.len
                          : sizeof(answer->body) - 1;
        memcpy(answer->body, kept == 0 ? "" : reply->body.ptr, kept);
        answer->body[kept] = '\0';
        struct slice value = { 0 };
        (void)http_field_find(reply->fields, "x-test", &value);
        (void)snprintf(answer->field, sizeof(answer->field), "%.*s",
                       SLICE_ARG(value));
        answer->set_cookies = http_field_count(reply->fields, "set-cookie");
        answer->duration_ms = reply->duration_ms;
        answer->first_byte_ms = reply->first_byte_ms;
    } else {
        assert_int_not_equal(status, STATUS_OK);
        (void)snprintf(answer->words, sizeof(answer->words), "%s", err->text);
    }
    if (answer->calls >= answer->wanted) {
        loop_stop(answer->loop);
    }
}

static void
open_client(void)
{
    memset(&world, 0, sizeof(world));
    assert_int_equal(loop_create(&world.loop), STATUS_OK);
    const struct http_client_settings settings = {
        .connections = 64,
        .connections_per_host = 8,
        .user_agent = "longstop/test",
    };
    assert_int_equal(
        http_client_create(world.loop, &settings, &world.client, NULL),
        STATUS_OK);
    assert_int_equal(
        loop_timer_create(world.loop, too_long, NULL, &world.guard), STATUS_OK);
    loop_timer_arm(world.guard, 20000);
    world.answer.loop = world.loop;
    world.answer.wanted = 1;
}

static void
close_client(void)
{
    http_client_destroy(world.client);
    loop_timer_destroy(world.guard);
    loop_destroy(world.loop);
}

static void
open_world(loopback_serve_fn *serve, void *arg)
{
    open_client();
    assert_true(loopback_start(&world.server, NULL, serve, arg));
    (void)snprintf(world.url, sizeof(world.url), "http://127.0.0.1:%u/a?b=c",
                   world.server.port);
}

static void
close_world(void)
{
    close_client();
    loopback_stop(&world.server);
}

static struct http_call_spec
get(void)
{
    return (struct http_call_spec){
        .method = SLICE("GET"),
        .url = slice_of(world.url),
        .timeout_ms = 10000,
        .stall_timeout_ms = 10000,
        .body_limit = 65536,
    };
}

static void
start(const struct http_call_spec *spec)
{
    struct error err = { "" };
    enum status status = http_client_start(
        world.client, spec, keep, &world.answer, &world.answer.call, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(status, STATUS_OK);
    /* never before the call that started it has returned */
    assert_int_equal(world.answer.calls, 0);
}

static void
call(const struct http_call_spec *spec)
{
    world.answer.calls = 0;
    start(spec);
    loop_run(world.loop);
}

/* Writes `arg` to every request. */
static void
serve_text(struct loopback *server, int fd)
{
    while (loopback_read(server, fd)) {
        if (!loopback_say(fd, server->arg)) {
            return;
        }
    }
}

/* Writes `arg` to one request and closes. */
static void
serve_once(struct loopback *server, int fd)
{
    if (loopback_read(server, fd)) {
        (void)loopback_say(fd, server->arg);
    }
}

static char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Test:  a b \r\n"
                   "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nhello";

static void
an_answer_comes_whole(void **state)
{
    (void)state;
    open_world(serve_text, ok);
    struct http_call_spec spec = get();
    call(&spec);
    assert_int_equal(world.answer.status, STATUS_OK);
    assert_int_equal(world.answer.http, 200);
    assert_string_equal(world.answer.body, "hello");
    assert_string_equal(world.answer.field, "a b");
    assert_int_equal(world.answer.set_cookies, 2);
    assert_true(world.answer.duration_ms >= world.answer.first_byte_ms);
    assert_non_null(strstr(world.server.last, "GET /a?b=c HTTP/1.1\r\n"));
    assert_non_null(strstr(world.server.last, "User-Agent: longstop/test\r\n"));
    assert_non_null(
        strstr(world.server.last, "Accept-Encoding: gzip, deflate\r\n"));
    close_world();
}

/* Answers the first request and hangs up on the second. */
static void
serve_one_of_two(struct loopback *server, int fd)
{
    if (loopback_read(server, fd) && loopback_say(fd, server->arg)) {
        (void)loopback_read(server, fd);
    }
}

static void
what_is_to_be_sent_once_is_not_sent_again(void **state)
{
    (void)state;
    open_world(serve_one_of_two, ok);
    struct http_call_spec spec = get();
    call(&spec);
    call(&spec); /* on the same connection, then on another */
    assert_int_equal(atomic_load(&world.server.requests), 3);
    spec.is_once = true;
    spec.method = slice_of("POST");
    call(&spec);
    assert_int_equal(world.answer.status, STATUS_OK);
    assert_int_equal(atomic_load(&world.server.requests), 4);
    close_world();
}

static void
a_connection_is_used_again_and_forgets_cookies(void **state)
{
    (void)state;
    open_world(serve_text, ok);
    struct http_call_spec spec = get();
    for (int i = 0; i < 20; i++) {
        call(&spec);
        assert_int_equal(world.answer.status, STATUS_OK);
        assert_null(strstr(world.server.last, "Cookie:"));
    }
    assert_int_equal(atomic_load(&world.server.connected), 1);
    assert_int_equal(atomic_load(&world.server.requests), 20);
    close_world();
}

static void
calls_beyond_the_connections_of_a_host_wait(void **state)
{
    (void)state;
    open_world(serve_text, ok);
    struct http_call_spec spec = get();
    world.answer.wanted = 100;
    for (int i = 0; i < 100; i++) {
        start(&spec);
    }
    loop_run(world.loop);
    assert_int_equal(world.answer.calls, 100);
    assert_int_equal(world.answer.status, STATUS_OK);
    assert_in_range(atomic_load(&world.server.connected), 1, 8);
    close_world();
}

enum { HELD = 20 };

/* Keeps the first requests until their connections end, and answers others. */
static void
serve_behind_held(struct loopback *server, int fd)
{
    while (loopback_read(server, fd)) {
        if (atomic_load(&server->requests) > HELD &&
            !loopback_say(fd, server->arg)) {
            return;
        }
    }
}

static struct loop_timer *look;

static void
look_for_held(void *arg)
{
    (void)arg;
    if (atomic_load(&world.server.requests) == HELD) {
        loop_stop(world.loop);
    } else {
        loop_timer_arm(look, 5);
    }
}

static void
held_calls_take_no_connection_of_those_that_are_answered(void **state)
{
    (void)state;
    open_world(serve_behind_held, ok);
    struct http_call_spec spec = get();
    spec.is_held = true;
    world.answer.wanted = HELD;
    for (int i = 0; i < HELD; i++) {
        start(&spec);
    }
    assert_int_equal(loop_timer_create(world.loop, look_for_held, NULL, &look),
                     STATUS_OK);
    loop_timer_arm(look, 0);
    loop_run(world.loop);
    spec.is_held = false;
    for (int i = 0; i < HELD; i++) {
        start(&spec);
    }
    loop_run(world.loop);
    assert_int_equal(world.answer.calls, HELD);
    assert_int_equal(world.answer.status, STATUS_OK);
    assert_in_range(atomic_load(&world.server.connected), HELD + 1, HELD + 8);
    loop_timer_destroy(look);
    close_world();
}

static void
a_body_goes_out_as_it_is(void **state)
{
    (void)state;
    open_world(serve_text, ok);
    const struct http_field fields[] = {
        { SLICE("Content-Type"), SLICE("application/json") },
        { SLICE("X-Empty"), SLICE("") },
    };
    /* curl would ask before it sends a body above 1 MiB */
    static char large[1100000];
    memset(large, 'x', sizeof(large));
    struct http_call_spec spec = get();
    spec.method = slice_of("POST");
    spec.fields = (struct http_fields){ fields, 2 };
    spec.body = (struct slice){ large, sizeof(large) };
    spec.has_body = true;
    call(&spec);
    assert_int_equal(world.answer.status, STATUS_OK);
    const char *request = world.server.last;
    assert_non_null(strstr(request, "POST /a?b=c HTTP/1.1\r\n"));
    assert_non_null(strstr(request, "Content-Length: 1100000\r\n"));
    assert_non_null(strstr(request, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(request, "X-Empty:\r\n"));
    assert_null(strstr(request, "Expect:"));
    assert_non_null(strstr(request, "\r\n\r\nxxxx"));

    spec = get();
    spec.method = slice_of("DELETE");
    spec.user = slice_of("me");
    spec.password = slice_of("pw");
    call(&spec);
    assert_non_null(strstr(request, "DELETE /a?b=c HTTP/1.1\r\n"));
    assert_non_null(strstr(request, "Authorization: Basic bWU6cHc=\r\n"));
    assert_null(strstr(request, "Content-"));

    spec.method = slice_of("POST");
    call(&spec);
    assert_non_null(strstr(request, "Content-Length: 0\r\n"));
    assert_null(strstr(request, "Content-Type"));
    close_world();
}

static struct http_call_spec
post(const char *body)
{
    struct http_call_spec spec = get();
    spec.method = slice_of("POST");
    spec.body = slice_of(body);
    spec.has_body = true;
    return spec;
}

/* Handles are used again, and those of plain POSTs as they are. */
static void
nothing_of_a_call_is_in_the_next_one(void **state)
{
    (void)state;
    open_world(serve_text, ok);
    const char *request = world.server.last;
    const struct http_field fields[] = {
        { SLICE("Content-Type"), SLICE("text/plain") },
        { SLICE("X-Secret"), SLICE("mine") },
    };
    struct http_call_spec one = post("one and more");
    one.fields = (struct http_fields){ fields, 2 };
    struct http_call_spec other = post("two");
    for (int i = 0; i < 2; i++) {
        call(&one);
        assert_non_null(strstr(request, "X-Secret: mine\r\n"));
        assert_non_null(strstr(request, "Content-Length: 12\r\n"));
        assert_non_null(strstr(request, "\r\n\r\none and more"));
        call(&other);
        assert_non_null(strstr(request, "POST /a?b=c HTTP/1.1\r\n"));
        assert_null(strstr(request, "X-Secret"));
        assert_null(strstr(request, "Content-Type"));
        assert_non_null(strstr(request, "Content-Length: 3\r\n"));
        assert_non_null(strstr(request, "\r\n\r\ntwo"));
        assert_null(strstr(request, "Authorization"));
        struct http_call_spec known = post("x");
        known.user = slice_of("me");
        known.password = slice_of("pw");
        call(&known);
        assert_non_null(strstr(request, "Authorization: Basic bWU6cHc="));
        struct http_call_spec read = get();
        call(&read);
        assert_non_null(strstr(request, "GET /a?b=c HTTP/1.1\r\n"));
        assert_null(strstr(request, "Content-"));
        assert_null(strstr(request, "Authorization"));
        struct http_call_spec remove = get();
        remove.method = slice_of("DELETE");
        call(&remove);
        assert_non_null(strstr(request, "DELETE /a?b=c"));
        call(&other);
        assert_non_null(strstr(request, "POST /a?b=c HTTP/1.1\r\n"));
        assert_non_null(strstr(request, "Content-Length: 3\r\n"));
    }
    /* Nor is its socket that of the next. */
    struct http_call_spec local = post("x");
    local.unix_socket = "/tmp/longstop-test-no-such.sock";
    call(&local);
    assert_int_equal(world.answer.status, STATUS_UNAVAILABLE);
    call(&other);
    assert_int_equal(world.answer.status, STATUS_OK);
    close_world();
}

static void
a_head_has_no_body(void **state)
{
    (void)state;
    char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    open_world(serve_text, text);
    struct http_call_spec spec = get();
    spec.method = slice_of("HEAD");
    call(&spec);
    assert_int_equal(world.answer.status, STATUS_OK);
    assert_int_equal(world.answer.body_len, 0);
    close_world();
}

static void
any_status_is_an_answer(void **state)
{
    (void)state;
    static const unsigned codes[] = { 204, 304, 401, 404, 410, 429, 500, 503 };
    char text[128];
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        (void)snprintf(
            text, sizeof(text), "HTTP/1.1 %u Because\r\n%s\r\n", codes[i],
            codes[i] == 204 || codes[i] == 304 ? "" : "Content-Length: 0\r\n");
        open_world(serve_text, text);
        struct http_call_spec spec = get();
        call(&spec);
        assert_int_equal(world.answer.status, STATUS_OK);
        assert_int_equal(world.answer.http, codes[i]);
        close_world();
    }
}

static void
an_interim_answer_is_not_the_answer(void **state)
{
    (void)state;
    char text[] = "HTTP/1.1 103 Early Hints\r\nX-Test: early\r\n\r\n"
                  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    open_world(serve_text, text);
    struct http_call_spec spec = get();
    call(&spec);
    assert_int_equal(world.answer.http, 200);
    assert_string_equal(world.answer.field, "");
    close_world();
}

static void
what_is_no_whole_answer_is_an_error(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum status status;
    } rows[] = {
        { "garbage, not HTTP at all\r\n\r\n", STATUS_PROTOCOL },
        { "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
          STATUS_PROTOCOL },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
          STATUS_PROTOCOL },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhel",
          STATUS_UNAVAILABLE },
        { "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
          "Content-Length: 5\r\n\r\nhello",
          STATUS_PROTOCOL },
        { "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhello",
          STATUS_PROTOCOL },
        { "", STATUS_UNAVAILABLE },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text), "%s", rows[i].text);
        open_world(serve_once, text);
        struct http_call_spec spec = get();
        call(&spec);
        if (world.answer.status != rows[i].status) {
            print_error("row %zu: %s\n", i, world.answer.words);
        }
        assert_int_equal(world.answer.status, rows[i].status);
        /* the words say who, and no more of the URL than that */
        assert_non_null(strstr(world.answer.words, "127.0.0.1:"));
        assert_null(strstr(world.answer.words, "b=c"));
        close_world();
    }
}

static void
serve_endlessly(struct loopback *server, int fd)
{
    static const char chunk[] = "400\r\n";
    char bytes[1026];
    memset(bytes, 'x', sizeof(bytes));
    bytes[1024] = '\r';
    bytes[1025] = '\n';
    bool more = loopback_read(server, fd) &&
                loopback_say(fd, "HTTP/1.1 200 OK\r\n"
                                 "Transfer-Encoding: chunked\r\n\r\n");
    while (more) {
        more =
            loopback_say(fd, chunk) && loopback_write(fd, bytes, sizeof(bytes));
    }
}

static void
an_endless_body_meets_its_limit(void **state)
{
    (void)state;
    open_world(serve_endlessly, NULL);
    struct http_call_spec spec = get();
    call(&spec);
    assert_int_equal(world.answer.status, STATUS_TOO_LARGE);
    assert_non_null(strstr(world.answer.words, "longer than 65536 bytes"));

    spec.body_may_be_cut = true;
    call(&spec);
    assert_int_equal(world.answer.status, STATUS_OK);
    assert_int_equal(world.answer.http, 200);
    assert_int_equal(world.answer.body_len, 65536);
    close_world();
}

static void
serve_endless_head(struct loopback *server, int fd)
{
    bool more =
        loopback_read(server, fd) && loopback_say(fd, "HTTP/1.1 200 OK\r\n");
    while (more) {
        more = loopback_say(fd, "X-More: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
    }
}

static void
an_endless_head_meets_its_limit(void **state)
{
    (void)state;
    open_world(serve_endless_head, NULL);
    struct http_call_spec spec = get();
    call(&spec);
    assert_int_equal(world.answer.status, STATUS_PROTOCOL);
    close_world();
}

/* Serves `zeros` zero bytes, gzipped. */
static void
serve_gzip(struct loopback *server, int fd)
{
    size_t zeros = *(size_t *)server->arg;
    static unsigned char plain[1 << 20];
    static unsigned char packed[1 << 16];
    z_stream stream = { 0 };
    assert_int_equal(
        deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY),
        Z_OK);
    stream.next_in = plain;
    stream.avail_in = (uInt)zeros;
    stream.next_out = packed;
    stream.avail_out = sizeof(packed);
    (void)deflate(&stream, Z_FINISH);
    size_t len = sizeof(packed) - stream.avail_out;
    (void)deflateEnd(&stream);
    char head[128];
    (void)snprintf(head, sizeof(head),
                   "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   len);
    if (loopback_read(server, fd) && loopback_say(fd, head)) {
        (void)loopback_write(fd, (const char *)packed, len);
    }
}

static void
gzip_is_decoded_and_counted_decoded(void **state)
{
    (void)state;
    size_t fits = 65536;
    open_world(serve_gzip, &fits);
    struct http_call_spec spec = get();
    call(&spec);
    assert_int_equal(world.answer.status, STATUS_OK);
    assert_int_equal(world.answer.body_len, fits);
    close_world();

    /* one MiB in about a kB: far below the limit as it travels */
    size_t bomb = 1 << 20;
    open_world(serve_gzip, &bomb);
    spec = get();
    call(&spec);
    assert_int_equal(world.answer.status, STATUS_TOO_LARGE);
    close_world();
}

/* Sends half of an answer and waits for the client to go. */
static void
serve_half(struct loopback *server, int fd)
{
    char byte;
    if (loopback_read(server, fd) &&
        loopback_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhel")) {
        (void)!read(fd, &byte, 1);
    }
}

static void
a_stalled_body_is_given_up(void **state)
{
    (void)state;
    open_world(serve_half, NULL);
    struct http_call_spec spec = get();
    spec.stall_timeout_ms = 100;
    call(&spec);
    assert_int_equal(world.answer.status, STATUS_TIMEOUT);
    assert_non_null(strstr(world.answer.words, "no byte came for 100ms"));
    close_world();
}

/* Sends a byte at a time, all of them in longer than the stall timeout. */
static void
serve_slowly(struct loopback *server, int fd)
{
    bool more = loopback_read(server, fd) &&
                loopback_say(fd, "HTTP/1.1 200 OK\r\n"
                                 "Content-Length: 10\r\n\r\n");
    for (int i = 0; more && i < 10; i++) {
        (void)poll(NULL, 0, 20);
        more = loopback_say(fd, "x");
    }
}

static void
a_slow_body_is_waited_for(void **state)
{
    (void)state;
    open_world(serve_slowly, NULL);
    struct http_call_spec spec = get();
    spec.stall_timeout_ms = 100;
    call(&spec);
    assert_int_equal(world.answer.status, STATUS_OK);
    assert_int_equal(world.answer.body_len, 10);
    close_world();
}

static void
a_call_has_a_deadline(void **state)
{
    (void)state;
    open_world(serve_half, NULL);
    struct http_call_spec spec = get();
    spec.timeout_ms = 50;
    call(&spec);
    assert_int_equal(world.answer.status, STATUS_TIMEOUT);
    assert_non_null(strstr(world.answer.words, "no whole answer within 50ms"));
    close_world();
}

/* Also one that has not even got a connection yet. */
static void
a_waiting_call_has_a_deadline_too(void **state)
{
    (void)state;
    open_world(serve_half, NULL);
    struct http_call_spec spec = get();
    spec.timeout_ms = 300;
    world.answer.wanted = 9;
    for (int i = 0; i < 9; i++) {
        start(&spec);
    }
    loop_run(world.loop);
    assert_int_equal(world.answer.calls, 9);
    assert_int_equal(world.answer.status, STATUS_TIMEOUT);
    close_world();
}

static void
a_redirect_is_an_answer_and_no_key_travels_on(void **state)
{
    (void)state;
    static struct loopback other;
    assert_true(loopback_start(&other, NULL, serve_text, ok));
    char text[128];
    (void)snprintf(text, sizeof(text),
                   "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/\r\n"
                   "Content-Length: 0\r\n\r\n",
                   other.port);
    open_world(serve_text, text);
    const struct http_field field = { SLICE("X-Api-Key"), SLICE("s3cret") };
    struct http_call_spec spec = get();
    spec.fields = (struct http_fields){ &field, 1 };
    call(&spec);
    assert_int_equal(world.answer.status, STATUS_OK);
    assert_int_equal(world.answer.http, 302);
    assert_non_null(strstr(world.server.last, "X-Api-Key: s3cret\r\n"));
    assert_int_equal(atomic_load(&other.connected), 0);
    close_world();
    loopback_stop(&other);
}

static void
nobody_listening_is_unavailable(void **state)
{
    (void)state;
    open_world(serve_text, ok);
    loopback_stop(&world.server);
    struct http_call_spec spec = get();
    call(&spec);
    assert_int_equal(world.answer.status, STATUS_UNAVAILABLE);
    close_client();
}

static void
a_server_that_left_is_asked_on_a_new_connection(void **state)
{
    (void)state;
    open_world(serve_once, ok);
    struct http_call_spec spec = get();
    for (int i = 0; i < 3; i++) {
        call(&spec);
        assert_int_equal(world.answer.status, STATUS_OK);
    }
    assert_int_equal(atomic_load(&world.server.connected), 3);
    close_world();
}

static void
stop_later(void *arg)
{
    loop_stop(arg);
}

/* The call before it leaves a connection that may not be used. */
static void
a_url_from_outside_leads_to_no_private_address(void **state)
{
    (void)state;
    static const char *const hosts[] = { "127.0.0.1", "localhost", "[::1]",
                                         "0x7f.1" };
    open_world(serve_text, ok);
    struct http_call_spec spec = get();
    call(&spec);
    assert_int_equal(world.answer.status, STATUS_OK);
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        char url[128];
        (void)snprintf(url, sizeof(url), "http://%s:%u/", hosts[i],
                       world.server.port);
        spec.url = slice_of(url);
        spec.public_only = true;
        call(&spec);
        assert_int_equal(world.answer.status, STATUS_DENIED);
        assert_non_null(strstr(world.answer.words, "private network"));
    }
    close_world();
}

static void
a_canceled_call_says_nothing(void **state)
{
    (void)state;
    open_world(serve_half, NULL);
    struct http_call_spec spec = get();
    start(&spec);
    struct http_call *first = world.answer.call;
    start(&spec);
    struct loop_timer *timer = NULL;
    assert_int_equal(
        loop_timer_create(world.loop, stop_later, world.loop, &timer),
        STATUS_OK);
    http_client_cancel(world.answer.call); /* before it went out */
    while (atomic_load(&world.server.requests) == 0) {
        loop_timer_arm(timer, 1);
        loop_run(world.loop);
    }
    http_client_cancel(first); /* in flight */
    http_client_cancel(NULL);
    loop_timer_arm(timer, 20);
    loop_run(world.loop);
    assert_int_equal(world.answer.calls, 0);
    loop_timer_destroy(timer);
    close_world();
}

static void
destroying_the_client_ends_what_runs(void **state)
{
    (void)state;
    open_world(serve_half, NULL);
    struct http_call_spec spec = get();
    for (int i = 0; i < 12; i++) {
        start(&spec);
    }
    close_world();
    assert_int_equal(world.answer.calls, 0);
}

/* Cancels the other call, and starts a new one. */
static void
cancel_other(void *arg, enum status status, const struct http_reply *reply,
             const struct error *err)
{
    struct http_call *other = arg;
    (void)reply;
    (void)err;
    assert_int_equal(status, STATUS_OK);
    http_client_cancel(other);
    struct http_call_spec spec = get();
    start(&spec);
}

static void
a_callback_may_cancel_and_start_calls(void **state)
{
    (void)state;
    static struct loopback silent;
    assert_true(loopback_start(&silent, NULL, serve_half, NULL));
    open_world(serve_text, ok);
    char url[64];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", silent.port);
    struct http_call_spec spec = get();
    spec.url = slice_of(url);
    start(&spec);
    struct http_call *other = world.answer.call;
    spec.url = slice_of(world.url);
    assert_int_equal(http_client_start(world.client, &spec, cancel_other, other,
                                       &world.answer.call, NULL),
                     STATUS_OK);
    loop_run(world.loop);
    assert_int_equal(world.answer.calls, 1);
    assert_int_equal(world.answer.status, STATUS_OK);
    close_world();
    loopback_stop(&silent);
}

static void
a_unix_socket_is_spoken_to(void **state)
{
    (void)state;
    open_client();
    char path[64];
    (void)snprintf(path, sizeof(path), "/tmp/longstop-test-%d.sock",
                   (int)getpid());
    assert_true(loopback_start(&world.server, path, serve_text, ok));
    (void)snprintf(world.url, sizeof(world.url), "http://admin/livez");
    struct http_call_spec spec = get();
    spec.unix_socket = path;
    call(&spec);
    assert_int_equal(world.answer.status, STATUS_OK);
    assert_non_null(strstr(world.server.last, "GET /livez HTTP/1.1\r\n"));
    close_world();
    (void)unlink(path);
}

static void
what_could_forge_a_line_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct slice method, url, name, value, user;
    } rows[] = {
        { SLICE("GET"), SLICE("ftp://h/"), SLICE("A"), SLICE(""), SLICE("") },
        { SLICE("GET"), SLICE("file:///etc/passwd"), SLICE("A"), SLICE(""),
          SLICE("") },
        { SLICE("GET"), SLICE("/relative"), SLICE("A"), SLICE(""), SLICE("") },
        { SLICE("GET"), SLICE(""), SLICE("A"), SLICE(""), SLICE("") },
        { SLICE("GET"), SLICE("http://h/a b"), SLICE("A"), SLICE(""),
          SLICE("") },
        { SLICE("GET"), SLICE("http://h/a\r\nX: y"), SLICE("A"), SLICE(""),
          SLICE("") },
        { SLICE("GET"), SLICE("http://h/\0x"), SLICE("A"), SLICE(""),
          SLICE("") },
        { SLICE("G T"), SLICE("http://h/"), SLICE("A"), SLICE(""), SLICE("") },
        { SLICE(""), SLICE("http://h/"), SLICE("A"), SLICE(""), SLICE("") },
        { SLICE("GET"), SLICE("http://h/"), SLICE("A\r\nB"), SLICE(""),
          SLICE("") },
        { SLICE("GET"), SLICE("http://h/"), SLICE("A"), SLICE("b\r\nC: d"),
          SLICE("") },
        { SLICE("GET"), SLICE("http://h/"), SLICE("A"), SLICE("b\nC"),
          SLICE("") },
        { SLICE("GET"), SLICE("http://h/"), SLICE("A"), SLICE("b\0C"),
          SLICE("") },
        { SLICE("GET"), SLICE("http://h/"), SLICE("A"), SLICE(""),
          SLICE("a\0b") },
    };
    open_client();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct http_field field = { rows[i].name, rows[i].value };
        const struct http_call_spec spec = {
            .method = rows[i].method,
            .url = rows[i].url,
            .fields = { &field, 1 },
            .user = rows[i].user,
        };
        struct error err = { "" };
        assert_int_equal(http_client_start(world.client, &spec, keep,
                                           &world.answer, &world.answer.call,
                                           &err),
                         STATUS_INVALID);
        assert_string_not_equal(err.text, "");
    }
    close_client();
}

static void
memory_that_runs_out_is_an_answer_too(void **state)
{
    (void)state;
    open_world(serve_text, ok);
    struct http_call_spec spec = get();
    const struct http_field field = { SLICE("A"), SLICE("b") };
    spec.fields = (struct http_fields){ &field, 1 };
    spec.is_held = true; /* goes through all there is to set up */
    bool worked = false;
    for (long n = 0; n < 200 && !worked; n++) {
        const struct http_client_settings settings = {
            .connections = 2,
            .connections_per_host = 2,
            .user_agent = "a",
            .ca_file = "/nowhere",
        };
        struct http_client *client = NULL;
        struct http_call *one = NULL;
        (void)mem_fail_after(n, 0);
        enum status status =
            http_client_create(world.loop, &settings, &client, NULL);
        if (status == STATUS_OK) {
            world.answer.calls = 0;
            status = http_client_start(client, &spec, keep, &world.answer, &one,
                                       NULL);
        }
        if (status == STATUS_OK) {
            loop_run(world.loop);
            status = world.answer.status;
        }
        (void)mem_fail_after(-1, 0);
        http_client_destroy(client);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        worked = status == STATUS_OK;
    }
    assert_true(worked);
    close_world();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_whole),
        cmocka_unit_test(what_is_to_be_sent_once_is_not_sent_again),
        cmocka_unit_test(a_connection_is_used_again_and_forgets_cookies),
        cmocka_unit_test(calls_beyond_the_connections_of_a_host_wait),
        cmocka_unit_test(
            held_calls_take_no_connection_of_those_that_are_answered),
        cmocka_unit_test(a_body_goes_out_as_it_is),
        cmocka_unit_test(nothing_of_a_call_is_in_the_next_one),
        cmocka_unit_test(a_head_has_no_body),
        cmocka_unit_test(any_status_is_an_answer),
        cmocka_unit_test(an_interim_answer_is_not_the_answer),
        cmocka_unit_test(what_is_no_whole_answer_is_an_error),
        cmocka_unit_test(an_endless_body_meets_its_limit),
        cmocka_unit_test(an_endless_head_meets_its_limit),
        cmocka_unit_test(gzip_is_decoded_and_counted_decoded),
        cmocka_unit_test(a_stalled_body_is_given_up),
        cmocka_unit_test(a_slow_body_is_waited_for),
        cmocka_unit_test(a_call_has_a_deadline),
        cmocka_unit_test(a_waiting_call_has_a_deadline_too),
        cmocka_unit_test(a_redirect_is_an_answer_and_no_key_travels_on),
        cmocka_unit_test(nobody_listening_is_unavailable),
        cmocka_unit_test(a_server_that_left_is_asked_on_a_new_connection),
        cmocka_unit_test(a_url_from_outside_leads_to_no_private_address),
        cmocka_unit_test(a_canceled_call_says_nothing),
        cmocka_unit_test(destroying_the_client_ends_what_runs),
        cmocka_unit_test(a_callback_may_cancel_and_start_calls),
        cmocka_unit_test(a_unix_socket_is_spoken_to),
        cmocka_unit_test(what_could_forge_a_line_is_refused),
        cmocka_unit_test(memory_that_runs_out_is_an_answer_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
