/* SPDX-License-Identifier: MIT */
/* Answers that do not end: handed on as they come, held back, given up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>

#include "base/mem.h"
#include "harness/loopback.h"
#include "io/http_client.h"
#include "io/loop.h"

#define MUCH ((size_t)1 << 20)

struct world {
    struct loop *loop;
    struct http_client *client;
    struct loop_timer *guard;
    struct loop_timer *later; /* resumes */
    struct loopback server;
    char url[64];
    struct http_call *call;
    bool opens;      /* what `open` says */
    bool holds;      /* `take` refuses every other time */
    int64_t hold_ms; /* for so long */
    int heads;
    unsigned head_status;
    char type[64];
    struct buf got;
    int refused;
    enum status status; /* at the end */
    unsigned http;
    struct buf body;
    char words[512];
};

static struct world world;

static void
too_long(void *arg)
{
    (void)arg;
    fail_msg("nothing ended within 60 s");
}

static void
resume(void *arg)
{
    (void)arg;
    http_client_resume(world.call);
}

static bool
open_body(void *arg, const struct http_reply *head)
{
    struct slice type = { 0 };
    assert_ptr_equal(arg, &world);
    assert_int_equal(head->body.len, 0);
    assert_int_equal(world.got.len, 0);
    world.heads++;
    world.head_status = head->status;
    (void)http_field_find(head->fields, "content-type", &type);
    (void)snprintf(world.type, sizeof(world.type), "%.*s", SLICE_ARG(type));
    return world.opens;
}

static bool
take(void *arg, struct slice bytes)
{
    (void)arg;
    if (world.holds && world.refused % 2 == 0) {
        world.refused++;
        loop_timer_arm(world.later, world.hold_ms);
        return false;
    }
    world.refused += world.holds;
    buf_append(&world.got, bytes);
    return true;
}

static void
done(void *arg, enum status status, const struct http_reply *reply,
     const struct error *err)
{
    (void)arg;
    world.call = NULL;
    world.status = status;
    world.http = reply == NULL ? 0 : reply->status;
    if (reply != NULL) {
        buf_append(&world.body, reply->body);
    } else {
        (void)snprintf(world.words, sizeof(world.words), "%s", err->text);
    }
    loop_stop(world.loop);
}

static const struct http_stream stream = { open_body, take };

static void
open_world(loopback_serve_fn *serve, void *arg)
{
    const struct http_client_settings settings = { 0 };
    memset(&world, 0, sizeof(world));
    world.opens = true;
    assert_int_equal(loop_create(&world.loop), STATUS_OK);
    assert_int_equal(
        http_client_create(world.loop, &settings, &world.client, NULL),
        STATUS_OK);
    assert_int_equal(
        loop_timer_create(world.loop, too_long, NULL, &world.guard), STATUS_OK);
    assert_int_equal(loop_timer_create(world.loop, resume, NULL, &world.later),
                     STATUS_OK);
    loop_timer_arm(world.guard, 60000);
    assert_true(loopback_start(&world.server, NULL, serve, arg));
    (void)snprintf(world.url, sizeof(world.url), "http://127.0.0.1:%u/",
                   world.server.port);
}

static void
close_world(void)
{
    http_client_destroy(world.client);
    loop_timer_destroy(world.guard);
    loop_timer_destroy(world.later);
    loop_destroy(world.loop);
    loopback_stop(&world.server);
    buf_fini(&world.got);
    buf_fini(&world.body);
}

static enum status
run(int64_t timeout_ms, int64_t stall_ms)
{
    const struct http_call_spec spec = {
        .method = SLICE("GET"),
        .url = slice_of(world.url),
        .timeout_ms = timeout_ms,
        .stall_timeout_ms = stall_ms,
        .body_limit = 64,
        .is_held = true,
        .stream = &stream,
    };
    struct error err = { "" };
    enum status status =
        http_client_start(world.client, &spec, done, &world, &world.call, &err);
    if (status == STATUS_OK) {
        loop_run(world.loop);
        status = world.status;
    }
    return status;
}

static char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                     "Connection: close\r\n\r\n";

/* A head, then `arg`, then the end. */
static void
serve_text(struct loopback *server, int fd)
{
    if (loopback_read(server, fd)) {
        (void)loopback_say(fd, server->arg);
    }
}

static void
serve_much(struct loopback *server, int fd)
{
    static char bytes[MUCH];
    for (size_t i = 0; i < MUCH; i++) {
        bytes[i] = (char)('a' + i % 23);
    }
    if (loopback_read(server, fd) && loopback_say(fd, head)) {
        (void)loopback_write(fd, bytes, MUCH);
    }
}

/* A byte every 30 ms, ten times. */
static void
serve_slowly(struct loopback *server, int fd)
{
    bool more = loopback_read(server, fd) && loopback_say(fd, head);
    for (int i = 0; more && i < 10; i++) {
        (void)poll(NULL, 0, 30);
        more = loopback_say(fd, "x");
    }
}

/* A head and two bytes, and then nothing until the client goes. */
static void
serve_silence(struct loopback *server, int fd)
{
    char byte;
    if (loopback_read(server, fd) && loopback_say(fd, head) &&
        loopback_say(fd, "ab")) {
        (void)!read(fd, &byte, 1);
    }
}

static void
assert_much_came(void)
{
    assert_int_equal(world.status, STATUS_OK);
    assert_int_equal(world.got.len, MUCH);
    for (size_t i = 0; i < MUCH; i++) {
        assert_int_equal(world.got.ptr[i], 'a' + (int)(i % 23));
    }
}

static void
the_head_comes_first_and_bytes_beyond_every_limit_follow(void **state)
{
    (void)state;
    open_world(serve_much, NULL);
    assert_int_equal(run(10000, 10000), STATUS_OK);
    assert_int_equal(world.heads, 1);
    assert_int_equal(world.head_status, 200);
    assert_string_equal(world.type, "text/event-stream");
    assert_much_came();
    assert_int_equal(world.http, 200);
    assert_int_equal(world.body.len, 0);
    assert_null(strstr(world.server.last, "Accept-Encoding"));
    close_world();
}

static void
bytes_that_were_refused_come_again(void **state)
{
    (void)state;
    open_world(serve_much, NULL);
    world.holds = true;
    world.hold_ms = 0;
    assert_int_equal(run(10000, 10000), STATUS_OK);
    assert_true(world.refused > 10);
    assert_much_came();
    close_world();
}

static void
time_stands_still_while_bytes_are_refused(void **state)
{
    (void)state;
    char text[256];
    (void)snprintf(text, sizeof(text), "%sabc", head);
    open_world(serve_text, text);
    world.holds = true;
    world.hold_ms = 300;
    assert_int_equal(run(50000, 100), STATUS_OK);
    assert_int_equal(world.refused, 2);
    assert_int_equal(world.got.len, 3);
    close_world();
}

static void
a_stream_that_is_open_has_no_deadline(void **state)
{
    (void)state;
    open_world(serve_slowly, NULL);
    assert_int_equal(run(150, 30000), STATUS_OK);
    assert_int_equal(world.got.len, 10);
    close_world();
}

static void
a_stream_that_falls_silent_is_given_up(void **state)
{
    (void)state;
    open_world(serve_silence, NULL);
    assert_int_equal(run(30000, 100), STATUS_TIMEOUT);
    assert_int_equal(world.got.len, 2);
    assert_non_null(strstr(world.words, "no byte came for 100ms"));
    close_world();
}

static void
a_head_that_does_not_come_meets_the_deadline(void **state)
{
    (void)state;
    open_world(serve_silence, NULL);
    world.opens = false; /* and so is a body that does not end */
    assert_int_equal(run(100, 30000), STATUS_TIMEOUT);
    assert_int_equal(world.heads, 1);
    close_world();
}

static void
what_is_no_stream_is_an_answer_as_any_other(void **state)
{
    (void)state;
    char text[] = "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"
                  "HTTP/1.1 429 Wait\r\nContent-Length: 4\r\n\r\nwait";
    open_world(serve_text, text);
    world.opens = false;
    assert_int_equal(run(10000, 10000), STATUS_OK);
    assert_int_equal(world.heads, 1);
    assert_int_equal(world.head_status, 429);
    assert_int_equal(world.http, 429);
    assert_string_equal(world.body.ptr, "wait");
    assert_int_equal(world.got.len, 0);
    close_world();

    open_world(serve_much, NULL);
    world.opens = false;
    assert_int_equal(run(10000, 10000), STATUS_TOO_LARGE);
    close_world();
}

static void
a_stream_cut_in_a_chunk_is_a_failure(void **state)
{
    (void)state;
    char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "5\r\nhello\r\n9\r\nwor";
    open_world(serve_text, text);
    assert_int_not_equal(run(10000, 10000), STATUS_OK);
    assert_true(slice_equal_text(buf_slice(&world.got), "hellowor"));
    close_world();
}

static void
memory_that_runs_out_ends_the_call_in_words(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    for (long n = 0; status == STATUS_NOMEM; n++) {
        assert_true(n < 40);
        open_world(serve_slowly, NULL);
        (void)mem_fail_after(n, 0);
        status = run(10000, 10000);
        (void)mem_fail_after(-1, 0);
        close_world();
    }
    assert_int_equal(status, STATUS_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            the_head_comes_first_and_bytes_beyond_every_limit_follow),
        cmocka_unit_test(bytes_that_were_refused_come_again),
        cmocka_unit_test(time_stands_still_while_bytes_are_refused),
        cmocka_unit_test(a_stream_that_is_open_has_no_deadline),
        cmocka_unit_test(a_stream_that_falls_silent_is_given_up),
        cmocka_unit_test(a_head_that_does_not_come_meets_the_deadline),
        cmocka_unit_test(what_is_no_stream_is_an_answer_as_any_other),
        cmocka_unit_test(a_stream_cut_in_a_chunk_is_a_failure),
        cmocka_unit_test(memory_that_runs_out_ends_the_call_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
