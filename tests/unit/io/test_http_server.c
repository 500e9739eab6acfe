/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/http_answer.h"
#include "io/http_server.h"
#include "io/loop.h"

/* No test waits longer for anything. */
enum { PATIENCE_MS = 10000, KEPT_MAX = 8 };

/* A loop, a server on a free port, and what its handler saw. */
struct site {
    struct loop *loop;
    struct loop_timer *patience;
    struct http_server *server;
    struct http_server_limits limits;
    struct http_exchange *kept[KEPT_MAX]; /* "/later": answered by the test */
    size_t kept_count;
    size_t requests;
    size_t heads;
    size_t refusals;
    unsigned refused; /* the last one the server refused by itself */
    char refused_path[64];
    size_t stops;
    bool waits_for_kept;
    bool is_late;
};

struct client {
    struct site *site;
    struct loop_io *io;
    int fd;
    struct buf in;
    bool at_end;
    const char *until;
};

static const struct http_server_limits ordinary = {
    .request = { .head_bytes = 16384, .field_count = 100, .body_bytes = 65536 },
    .connections = 100,
    .connections_per_address = 100,
    .head_timeout_ms = PATIENCE_MS,
    .body_timeout_ms = PATIENCE_MS,
    .idle_timeout_ms = PATIENCE_MS,
    .write_timeout_ms = PATIENCE_MS,
};

static unsigned
on_head(void *arg, const struct http_request *request, struct slice peer,
        size_t *body_limit, struct http_answer *refusal)
{
    static const struct http_field allow = { SLICE("Allow"), SLICE("POST") };
    struct site *site = arg;
    site->heads++;
    assert_true(slice_equal_text(peer, "127.0.0.1") ||
                slice_equal_text(peer, "unix"));
    if (slice_equal_text(request->path, "/small")) {
        *body_limit = 4;
    }
    if (slice_equal_text(request->path, "/no")) {
        refusal->fields = (struct http_fields){ &allow, 1 };
        refusal->body = slice_of("no\n");
        return 405;
    }
    return 0;
}

static void
answer_with(struct http_exchange *exchange, unsigned status, struct slice body)
{
    const struct http_answer answer = {
        .status = status,
        .content_type = slice_of("text/plain"),
        .body = body,
    };
    http_exchange_answer(exchange, &answer);
}

static void
on_request(void *arg, struct http_exchange *exchange)
{
    struct site *site = arg;
    const struct http_request *request = http_exchange_request(exchange);
    site->requests++;
    if (slice_equal_text(request->path, "/later")) {
        assert_true(site->kept_count < KEPT_MAX);
        site->kept[site->kept_count++] = exchange;
        if (site->waits_for_kept) {
            loop_stop(site->loop);
        }
        return;
    }
    if (slice_equal_text(request->path, "/none")) {
        answer_with(exchange, 204, slice_of("never sent"));
        return;
    }
    /* the body borrows from the request it answers */
    answer_with(exchange, 200, request->body);
}

static void
on_refused(void *arg, struct slice path, unsigned status, const char *reason)
{
    struct site *site = arg;
    assert_non_null(reason);
    site->refusals++;
    site->refused = status;
    (void)snprintf(site->refused_path, sizeof(site->refused_path), "%.*s",
                   SLICE_ARG(path));
}

static void
on_late(void *arg)
{
    struct site *site = arg;
    site->is_late = true;
    loop_stop(site->loop);
}

static enum status
open_at(struct site *site, const char *address, struct error *err)
{
    struct http_server_handler handler = {
        .arg = site,
        .head = on_head,
        .request = on_request,
        .refused = on_refused,
    };
    return http_server_create(site->loop, address, 0600, &site->limits,
                              &handler, &site->server, err);
}

static void
site_loop(struct site *site)
{
    *site = (struct site){ .limits = ordinary };
    assert_int_equal(loop_create(&site->loop), STATUS_OK);
    assert_int_equal(
        loop_timer_create(site->loop, on_late, site, &site->patience),
        STATUS_OK);
}

static void
site_open(struct site *site, const struct http_server_limits *limits)
{
    site_loop(site);
    site->limits = *limits;
    struct error err = { 0 };
    if (open_at(site, "127.0.0.1:0", &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_not_equal(http_server_port(site->server), 0);
}

static void
site_close(struct site *site)
{
    http_server_destroy(site->server);
    loop_timer_destroy(site->patience);
    loop_destroy(site->loop);
}

static void
run(struct site *site)
{
    loop_timer_arm(site->patience, PATIENCE_MS);
    loop_run(site->loop);
    loop_timer_disarm(site->patience);
    assert_false(site->is_late);
}

static bool
has(const struct client *client, const char *text)
{
    return slice_find_slice(buf_slice(&client->in), slice_of(text)) != SIZE_MAX;
}

static void
on_client(void *arg, int ready)
{
    (void)ready;
    struct client *client = arg;
    char bytes[65536];
    /* only what is new can hold it: a large answer comes in many parts */
    size_t seen = client->in.len < 256 ? 0 : client->in.len - 256;
    ssize_t got = recv(client->fd, bytes, sizeof(bytes), 0);
    if (got > 0) {
        buf_append(&client->in, (struct slice){ bytes, (size_t)got });
        assert_int_equal(buf_status(&client->in), STATUS_OK);
    } else if (got == 0 || errno != EAGAIN) {
        client->at_end = true;
        loop_io_want(client->io, 0);
    }
    struct slice fresh = slice_from(buf_slice(&client->in), seen);
    if (client->at_end ||
        (client->until != NULL &&
         slice_find_slice(fresh, slice_of(client->until)) != SIZE_MAX)) {
        loop_stop(client->site->loop);
    }
}

static void
client_watch(struct client *client, struct site *site, int fd)
{
    *client = (struct client){ .site = site, .fd = fd };
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(
        loop_io_create(site->loop, fd, on_client, client, &client->io),
        STATUS_OK);
}

static int
tcp_connect(uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static void
client_open(struct client *client, struct site *site)
{
    client_watch(client, site, tcp_connect(http_server_port(site->server)));
}

static void
client_close(struct client *client)
{
    loop_io_destroy(client->io);
    (void)close(client->fd);
    buf_fini(&client->in);
}

static void
say(struct client *client, const char *text)
{
    size_t len = strlen(text);
    assert_int_equal(send(client->fd, text, len, MSG_NOSIGNAL), len);
}

/* Runs the loop until the client has read `text`. */
static void
hear(struct client *client, const char *text)
{
    client->until = text;
    loop_io_want(client->io, LOOP_READ);
    if (!has(client, text) && !client->at_end) {
        run(client->site);
    }
    loop_io_want(client->io, 0);
    client->until = NULL;
    if (!has(client, text)) {
        fail_msg("wanted \"%s\", got \"%s\"", text,
                 client->in.ptr == NULL ? "" : client->in.ptr);
    }
}

/* Runs the loop until the server has closed. */
static void
hear_end(struct client *client)
{
    if (!client->at_end) {
        loop_io_want(client->io, LOOP_READ);
        run(client->site);
        loop_io_want(client->io, 0);
    }
    assert_true(client->at_end);
}

static void
forget(struct client *client)
{
    buf_clear(&client->in);
    client->in.len = 0;
}

/* Runs the loop until the handler holds one more exchange. */
static struct http_exchange *
keep_one(struct site *site)
{
    size_t before = site->kept_count;
    site->waits_for_kept = true;
    run(site);
    site->waits_for_kept = false;
    assert_int_equal(site->kept_count, before + 1);
    return site->kept[before];
}

static void
requests_are_answered_one_after_another_on_one_connection(void **state)
{
    (void)state;
    struct site site;
    struct client client;
    site_open(&site, &ordinary);
    client_open(&client, &site);
    for (int i = 0; i < 3; i++) {
        say(&client, "POST /now HTTP/1.1\r\nHost: a\r\n"
                     "Content-Length: 5\r\n\r\nhello");
        hear(&client, "\r\n\r\nhello");
        assert_true(has(&client, "HTTP/1.1 200 OK\r\nDate: "));
        assert_true(has(&client, " GMT\r\nContent-Type: text/plain\r\n"
                                 "X-Content-Type-Options: nosniff\r\n"
                                 "Content-Length: 5\r\n\r\nhello"));
        assert_false(has(&client, "Connection"));
        forget(&client);
    }
    assert_int_equal(site.requests, 3);
    client_close(&client);
    site_close(&site);
}

static void
a_request_may_come_in_single_bytes(void **state)
{
    (void)state;
    static const char request[] = "\r\nPOST /now HTTP/1.1\r\nHost: a\r\n"
                                  "Content-Length: 2\r\n\r\nhi";
    struct site site;
    struct client client;
    site_open(&site, &ordinary);
    client_open(&client, &site);
    struct client other;
    client_open(&other, &site);
    for (size_t i = 0; i + 1 < sizeof(request); i++) {
        char byte[2] = { request[i], '\0' };
        say(&client, byte);
        /* one whole turn of the server's, seen through another client */
        say(&other, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
        hear(&other, "\r\n\r\n");
        forget(&other);
    }
    hear(&client, "\r\n\r\nhi");
    client_close(&other);
    client_close(&client);
    site_close(&site);
}

static void
answers_without_a_body_have_none(void **state)
{
    (void)state;
    struct site site;
    struct client client;
    site_open(&site, &ordinary);
    client_open(&client, &site);
    say(&client, "HEAD /now HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
                 "helloGET /none HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(&client, "HTTP/1.1 204 No Content\r\n");
    hear(&client, "Content-Length: 5\r\n\r\nHTTP/1.1 204 No Content");
    assert_false(has(&client, "hello"));
    assert_false(has(&client, "never sent"));
    assert_false(has(&client, "Content-Length: 10"));
    client_close(&client);
    site_close(&site);
}

static void
pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    struct site site;
    struct client client;
    site_open(&site, &ordinary);
    client_open(&client, &site);
    say(&client, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
                 "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\ntwo"
                 "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
                 "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
    struct http_exchange *first = keep_one(&site);
    /* more arrives while the program thinks */
    say(&client, "four");
    assert_int_equal(site.requests, 1);
    answer_with(first, 200, slice_of("one"));
    /* the next is not handed over inside of the answer */
    assert_int_equal(site.requests, 1);
    struct http_exchange *third = keep_one(&site);
    assert_int_equal(site.requests, 3);
    answer_with(third, 200, slice_of("three"));
    hear(&client, "four");
    static const char *const bodies[] = { "\r\n\r\none", "\r\n\r\ntwo",
                                          "\r\n\r\nthree", "\r\n\r\nfour" };
    size_t at = 0;
    for (size_t i = 0; i < 4; i++) {
        size_t next =
            slice_find_slice(buf_slice(&client.in), slice_of(bodies[i]));
        assert_true(next != SIZE_MAX && next >= at);
        at = next;
    }
    client_close(&client);
    site_close(&site);
}

static void
a_connection_is_kept_or_closed_as_agreed(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        const char *says; /* or NULL: no Connection field */
        bool closes;
    } cases[] = {
        { "GET /now HTTP/1.1\r\nHost: a\r\n\r\n", NULL, false },
        { "GET /now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
          "Connection: close\r\n", true },
        { "GET /now HTTP/1.0\r\nHost: a\r\n\r\n", "Connection: close\r\n",
          true },
        { "GET /now HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n",
          "Connection: keep-alive\r\n", false },
        { "POST /now HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
          "2\r\nhi\r\n0\r\n\r\n",
          "Connection: close\r\n", true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct site site;
        struct client client;
        site_open(&site, &ordinary);
        client_open(&client, &site);
        say(&client, cases[i].request);
        hear(&client, "\r\n\r\n");
        if (cases[i].says == NULL) {
            assert_false(has(&client, "Connection"));
        } else {
            assert_true(has(&client, cases[i].says));
        }
        if (cases[i].closes) {
            hear_end(&client);
        } else {
            forget(&client);
            say(&client, cases[i].request);
            hear(&client, "200 OK");
        }
        client_close(&client);
        site_close(&site);
    }
}

static void
bodies_that_hold_too_much_together_are_refused_with_503(void **state)
{
    (void)state;
    struct http_server_limits limits = ordinary;
    limits.bodies_bytes = 1; /* beyond what each has of its own */
    struct site site;
    struct client client;
    site_open(&site, &limits);
    client_open(&client, &site);
    say(&client, "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n"
                 "\r\n");
    for (size_t i = 0; i < 2 * HTTP_BODY_OWN_BYTES; i += 64) {
        say(&client, "0123456789abcdef0123456789abcdef"
                     "0123456789abcdef0123456789abcdef");
    }
    hear_end(&client);
    assert_true(has(&client, "HTTP/1.1 503 "));
    assert_true(has(&client, "Retry-After: 1\r\n"));
    assert_int_equal(site.refused, 503);
    client_close(&client);

    client_open(&client, &site);
    say(&client, "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                 "\r\nshort");
    hear(&client, "\r\n\r\nshort");
    client_close(&client);
    site_close(&site);
}

static void
a_connection_ends_after_its_last_allowed_request(void **state)
{
    (void)state;
    struct http_server_limits limits = ordinary;
    limits.requests_per_connection = 2;
    struct site site;
    struct client client;
    site_open(&site, &limits);
    client_open(&client, &site);
    say(&client, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n"
                 "GET /now HTTP/1.1\r\nHost: a\r\n\r\n"
                 "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
    hear_end(&client);
    assert_true(has(&client, "Connection: close"));
    assert_int_equal(site.requests, 2);
    client_close(&client);
    site_close(&site);
}

static void
continue_is_sent_only_for_a_body_that_is_wanted(void **state)
{
    (void)state;
    struct site site;
    struct client client;
    site_open(&site, &ordinary);
    client_open(&client, &site);
    say(&client, "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                 "Expect: 100-continue\r\n\r\n");
    hear(&client, "HTTP/1.1 100 Continue\r\n\r\n");
    say(&client, "hi");
    hear(&client, "\r\n\r\nhi");
    forget(&client);
    /* the body is there already */
    say(&client, "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                 "Expect: 100-continue\r\n\r\nho");
    hear(&client, "\r\n\r\nho");
    assert_false(has(&client, "100 Continue"));
    forget(&client);
    /* over the limit that head() set */
    say(&client, "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                 "Expect: 100-continue\r\n\r\n");
    hear_end(&client);
    assert_true(has(&client, "HTTP/1.1 413 "));
    assert_false(has(&client, "100 Continue"));
    assert_int_equal(site.refused, 413);
    assert_string_equal(site.refused_path, "/small");
    client_close(&client);

    client_open(&client, &site);
    say(&client, "POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                 "Expect: 100-continue\r\n\r\n");
    hear_end(&client);
    assert_true(has(&client, "HTTP/1.1 405 "));
    assert_false(has(&client, "100 Continue"));
    client_close(&client);
    site_close(&site);
}

static void
a_refused_request_with_a_small_body_keeps_its_connection(void **state)
{
    (void)state;
    struct site site;
    struct client client;
    site_open(&site, &ordinary);
    client_open(&client, &site);
    say(&client, "POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    hear(&client, "Allow: POST\r\n");
    hear(&client, "no\n");
    assert_false(has(&client, "Connection"));
    say(&client,
        "helloGET /no HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    hear(&client, "\r\n\r\nhi");
    assert_int_equal(site.requests, 1);
    assert_int_equal(site.heads, 3);
    client_close(&client);
    site_close(&site);
}

enum { PUMP_BYTES = 4 * 1024 * 1024 };

struct pump {
    struct client client;
    size_t sent;
};

/* Sends a large body and looks for an answer only afterwards, as simple
 * clients do. */
static void
on_pump(void *arg, int ready)
{
    struct pump *pump = arg;
    static const char zeros[65536];
    if ((ready & LOOP_WRITE) != 0) {
        ssize_t put = send(pump->client.fd, zeros, sizeof(zeros), MSG_NOSIGNAL);
        /* a reset would destroy the answer */
        assert_true(put > 0 || errno == EAGAIN);
        pump->sent += put > 0 ? (size_t)put : 0;
        if (pump->sent >= PUMP_BYTES) {
            loop_io_want(pump->client.io, LOOP_READ);
        }
    } else {
        on_client(&pump->client, ready);
    }
}

static void
the_answer_to_a_large_refused_body_can_be_read(void **state)
{
    (void)state;
    struct site site;
    struct pump pump = { 0 };
    site_open(&site, &ordinary);
    client_open(&pump.client, &site);
    loop_io_destroy(pump.client.io);
    assert_int_equal(loop_io_create(site.loop, pump.client.fd, on_pump, &pump,
                                    &pump.client.io),
                     STATUS_OK);
    say(&pump.client,
        "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
    loop_io_want(pump.client.io, LOOP_WRITE);
    run(&site);
    assert_true(has(&pump.client, "HTTP/1.1 413 "));
    assert_true(has(&pump.client, "Connection: close\r\n"));
    assert_int_equal(site.requests, 0);
    client_close(&pump.client);
    site_close(&site);
}

static void
what_is_no_request_is_refused_and_told(void **state)
{
    (void)state;
    struct site site;
    struct client client;
    site_open(&site, &ordinary);
    client_open(&client, &site);
    say(&client, "GET / HTTP/1.1\r\nthis is no field\r\n\r\n");
    hear_end(&client);
    assert_true(has(&client, "HTTP/1.1 400 Bad Request\r\n"));
    assert_true(has(&client, "Content-Length: 0\r\n\r\n"));
    assert_int_equal(site.refused, 400);
    assert_string_equal(site.refused_path, "");
    client_close(&client);
    site_close(&site);
}

/* Lets the server see everything that has arrived so far. */
static void
pass_a_turn(struct site *site)
{
    struct client other;
    client_open(&other, site);
    say(&other, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(&other, "200 OK");
    client_close(&other);
}

static void
a_client_that_closed_its_half_still_gets_its_answer(void **state)
{
    (void)state;
    struct site site;
    struct client client;
    site_open(&site, &ordinary);
    client_open(&client, &site);
    say(&client, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    struct http_exchange *exchange = keep_one(&site);
    pass_a_turn(&site);
    answer_with(exchange, 200, slice_of("still here"));
    hear_end(&client);
    assert_true(has(&client, "still here"));
    client_close(&client);
    site_close(&site);
}

static void
what_is_pipelined_behind_an_open_request_stays_in_the_kernel(void **state)
{
    (void)state;
    enum { KERNEL_MAX = 32 * 1024 * 1024 };
    static const char zeros[65536];
    struct site site;
    struct client client;
    site_open(&site, &ordinary);
    client_open(&client, &site);
    say(&client, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    struct http_exchange *exchange = keep_one(&site);
    size_t sent = 0;
    bool is_full = false;
    while (!is_full && sent < KERNEL_MAX) {
        ssize_t put = send(client.fd, zeros, sizeof(zeros), MSG_NOSIGNAL);
        if (put < 0) {
            assert_int_equal(errno, EAGAIN);
            /* room comes late: the kernel tells of it in large steps */
            for (int i = 0; i < 50 && put < 0; i++) {
                pass_a_turn(&site);
                put = send(client.fd, zeros, sizeof(zeros), MSG_NOSIGNAL);
            }
            is_full = put < 0;
        }
        sent += put > 0 ? (size_t)put : 0;
    }
    assert_true(is_full);
    answer_with(exchange, 200, slice_of(""));
    client_close(&client);
    site_close(&site);
}

static void
an_exchange_outlives_its_client(void **state)
{
    (void)state;
    struct site site;
    struct client gone;
    site_open(&site, &ordinary);
    client_open(&gone, &site);
    say(&gone,
        "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    struct http_exchange *exchange = keep_one(&site);
    struct linger reset = { .l_onoff = 1 };
    assert_int_equal(
        setsockopt(gone.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    client_close(&gone);
    pass_a_turn(&site);
    assert_true(slice_equal_text(http_exchange_request(exchange)->body, "hi"));
    assert_true(slice_equal_text(http_exchange_peer(exchange), "127.0.0.1"));
    answer_with(exchange, 200, slice_of("too late"));
    site_close(&site);
}

static void
an_exchange_outlives_the_server(void **state)
{
    (void)state;
    struct site site;
    struct client client;
    site_open(&site, &ordinary);
    client_open(&client, &site);
    say(&client,
        "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    struct http_exchange *exchange = keep_one(&site);
    http_server_destroy(site.server);
    site.server = NULL;
    hear_end(&client);
    assert_true(slice_equal_text(http_exchange_request(exchange)->body, "hi"));
    client_close(&client);
    site_close(&site);
    answer_with(exchange, 200, slice_of("too late"));
}

static void
a_taken_request_outlives_its_exchange(void **state)
{
    (void)state;
    struct site site;
    struct client client;
    site_open(&site, &ordinary);
    client_open(&client, &site);
    say(&client,
        "POST /later?q HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"
        "hi");
    struct http_exchange *exchange = keep_one(&site);
    struct arena arena = { 0 };
    struct http_request request;
    assert_int_equal(http_exchange_take(exchange, &arena, &request), STATUS_OK);
    answer_with(exchange, 202, slice_of("taken"));
    hear(&client, "taken");
    client_close(&client);
    site_close(&site);
    assert_true(slice_equal_text(request.target, "/later?q"));
    assert_true(slice_equal_text(request.body, "hi"));
    assert_int_equal(request.fields.count, 2);
    arena_fini(&arena);
}

static void
every_phase_has_a_deadline(void **state)
{
    (void)state;
    static const struct {
        const char *before; /* a whole request first, or "" */
        const char *begun;
        const char *answer; /* "": closed without a word */
        int head_ms, body_ms, idle_ms;
    } cases[] = {
        { "", "GET /now HTTP/1.1\r\nHo", "HTTP/1.1 408 ", 15, 0, 0 },
        { "", "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhal",
          "HTTP/1.1 408 ", 0, 15, 0 },
        /* earlier than what the timer was armed for before */
        { "GET /now HTTP/1.1\r\nHost: a\r\n\r\n",
          "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhal",
          "HTTP/1.1 408 ", PATIENCE_MS, 15, PATIENCE_MS },
        { "", "", "", 15, 0, 0 },
        { "", "\r\n", "", 15, 0, 0 },
        { "GET /now HTTP/1.1\r\nHost: a\r\n\r\n", "", "", 0, 0, 15 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_server_limits limits = ordinary;
        limits.head_timeout_ms = cases[i].head_ms;
        limits.body_timeout_ms = cases[i].body_ms;
        limits.idle_timeout_ms = cases[i].idle_ms;
        struct site site;
        struct client client;
        site_open(&site, &limits);
        client_open(&client, &site);
        if (cases[i].before[0] != '\0') {
            say(&client, cases[i].before);
            hear(&client, "\r\n\r\n");
            forget(&client);
        }
        say(&client, cases[i].begun);
        hear_end(&client);
        if (cases[i].answer[0] == '\0') {
            assert_int_equal(client.in.len, 0);
            assert_int_equal(site.refused, 0);
        } else {
            assert_true(has(&client, cases[i].answer));
            assert_true(has(&client, "Connection: close"));
            assert_int_equal(site.refused, 408);
        }
        client_close(&client);
        site_close(&site);
    }
}

struct trickle {
    struct client *client;
    struct loop_timer *timer;
};

static void
on_trickle(void *arg)
{
    struct trickle *trickle = arg;
    (void)send(trickle->client->fd, "x", 1, MSG_NOSIGNAL);
    loop_timer_arm(trickle->timer, 2);
}

static void
a_trickle_of_bytes_does_not_move_the_deadline(void **state)
{
    (void)state;
    struct http_server_limits limits = ordinary;
    limits.head_timeout_ms = 30;
    struct site site;
    struct client client;
    site_open(&site, &limits);
    client_open(&client, &site);
    struct trickle trickle = { .client = &client };
    assert_int_equal(
        loop_timer_create(site.loop, on_trickle, &trickle, &trickle.timer),
        STATUS_OK);
    say(&client, "GET /");
    loop_timer_arm(trickle.timer, 2);
    hear(&client, "HTTP/1.1 408 ");
    loop_timer_destroy(trickle.timer);
    client_close(&client);
    site_close(&site);
}

static void
a_large_answer_waits_for_its_reader(void **state)
{
    (void)state;
    static char large[4000001];
    memset(large, 'x', sizeof(large) - 1);
    memcpy(large + sizeof(large) - 4, "end", 3);
    struct site site;
    struct client client;
    site_open(&site, &ordinary);
    client_open(&client, &site);
    say(&client, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
                 "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
    answer_with(keep_one(&site), 200, slice_of(large));
    hear(&client, "xend");
    assert_true(has(&client, "Content-Length: 4000000\r\n"));
    hear(&client, "xendHTTP/1.1 200 OK");
    client_close(&client);
    site_close(&site);
}

static void
an_answer_nobody_takes_has_a_deadline(void **state)
{
    (void)state;
    static char large[16000001];
    memset(large, 'x', sizeof(large) - 1);
    struct http_server_limits limits = ordinary;
    limits.write_timeout_ms = 15;
    limits.connections = 1;
    struct site site;
    struct client client;
    struct client next;
    site_open(&site, &limits);
    client_open(&client, &site);
    say(&client, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    answer_with(keep_one(&site), 200, slice_of(large));
    /* the one place is free again when the deadline has passed; until then
     * each try is refused */
    bool free_again = false;
    for (int i = 0; i < 1000 && !free_again; i++) {
        client_open(&next, &site);
        say(&next, "GET /now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        hear_end(&next);
        free_again = has(&next, "200 OK");
        assert_true(free_again || has(&next, "503"));
        client_close(&next);
    }
    assert_true(free_again);
    client_close(&client);
    site_close(&site);
}

static void
connections_over_a_limit_are_told_to_come_back(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct http_server_limits limits = ordinary;
        if (i == 0) {
            limits.connections = 1;
        } else {
            limits.connections_per_address = 1;
        }
        struct site site;
        struct client first;
        struct client second;
        site_open(&site, &limits);
        client_open(&first, &site);
        say(&first, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
        hear(&first, "200 OK");
        client_open(&second, &site);
        hear_end(&second);
        assert_true(has(&second, "HTTP/1.1 503 Service Unavailable\r\n"));
        assert_true(has(&second, "Retry-After: 1\r\n"));
        assert_int_equal(site.refused, 503);
        client_close(&second);
        /* the first one's place becomes free */
        say(&first,
            "GET /now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        hear_end(&first);
        client_close(&first);
        bool served = false;
        for (int tries = 0; tries < 100 && !served; tries++) {
            client_open(&second, &site);
            say(&second, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
            hear(&second, "\r\n\r\n");
            served = has(&second, "200 OK");
            client_close(&second);
        }
        assert_true(served);
        site_close(&site);
    }
}

static void
on_enough(void *arg)
{
    struct site *site = arg;
    loop_stop(site->loop);
}

static void
without_descriptors_accepting_pauses_and_goes_on(void **state)
{
    (void)state;
    struct site site;
    struct client first;
    struct client second;
    struct rlimit old;
    site_open(&site, &ordinary);
    client_open(&first, &site);
    client_open(&second, &site);
    int probe = dup(0);
    assert_true(probe >= 0);
    (void)close(probe);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit small = { .rlim_cur = (rlim_t)probe,
                            .rlim_max = old.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
    hear_end(&first);
    assert_int_equal(site.refused, 503);
    /* the second is there, and nobody spins over it */
    struct loop_timer *turns;
    assert_int_equal(loop_timer_create(site.loop, on_enough, &site, &turns),
                     STATUS_OK);
    loop_timer_arm(turns, 10);
    run(&site);
    loop_timer_destroy(turns);
    assert_int_equal(site.refusals, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    client_close(&first);
    say(&second, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(&second, "200 OK");
    client_close(&second);
    site_close(&site);
}

static void
on_stopped(void *arg)
{
    struct site *site = arg;
    site->stops++;
    http_server_destroy(site->server);
    site->server = NULL;
    loop_stop(site->loop);
}

static void
a_stop_lets_open_exchanges_finish(void **state)
{
    (void)state;
    struct site site;
    struct client idle;
    struct client busy;
    site_open(&site, &ordinary);
    uint16_t port = http_server_port(site.server);
    client_open(&idle, &site);
    say(&idle, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(&idle, "200 OK");
    client_open(&busy, &site);
    say(&busy, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    struct http_exchange *exchange = keep_one(&site);
    http_server_stop(site.server, PATIENCE_MS, on_stopped, &site);
    assert_int_equal(site.stops, 0);
    hear_end(&idle);
    assert_int_equal(site.stops, 0);
    /* nobody listens any more */
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), -1);
    (void)close(fd);
    answer_with(exchange, 200, slice_of("the last"));
    hear(&busy, "the last");
    assert_true(has(&busy, "Connection: close"));
    client_close(&busy);
    client_close(&idle);
    if (site.stops == 0) {
        run(&site);
    }
    assert_int_equal(site.stops, 1);
    site_close(&site);
}

static void
a_stop_does_not_wait_longer_than_its_grace(void **state)
{
    (void)state;
    struct site site;
    struct client busy;
    site_open(&site, &ordinary);
    client_open(&busy, &site);
    say(&busy, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    struct http_exchange *exchange = keep_one(&site);
    http_server_stop(site.server, 5, on_stopped, &site);
    run(&site);
    assert_int_equal(site.stops, 1);
    hear_end(&busy);
    answer_with(exchange, 200, slice_of("too late"));
    client_close(&busy);
    site_close(&site);
}

static void
a_request_on_its_way_in_is_answered_before_the_stop(void **state)
{
    (void)state;
    struct site site;
    struct client client;
    site_open(&site, &ordinary);
    client_open(&client, &site);
    say(&client,
        "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    http_server_stop(site.server, PATIENCE_MS, on_stopped, &site);
    hear(&client, "\r\n\r\nhi");
    assert_true(has(&client, "Connection: close"));
    client_close(&client);
    if (site.stops == 0) {
        run(&site);
    }
    assert_int_equal(site.stops, 1);
    site_close(&site);
}

static int
unix_connect(const char *path)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    assert_true(strlen(path) < sizeof(to.sun_path));
    memcpy(to.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static void
a_unix_socket_is_made_private_and_removed(void **state)
{
    (void)state;
    struct site site;
    struct site second;
    struct client client;
    struct error err;
    char folder[] = "/tmp/longstop-http-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char address[128];
    (void)snprintf(address, sizeof(address), "unix:%s/sock", folder);
    const char *path = address + 5;
    site_loop(&site);
    assert_int_equal(open_at(&site, address, &err), STATUS_OK);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(http_server_port(site.server), 0);
    client_watch(&client, &site, unix_connect(path));
    say(&client, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(&client, "200 OK");
    client_close(&client);

    /* somebody answers there */
    site_loop(&second);
    assert_int_equal(open_at(&second, address, &err), STATUS_EXISTS);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "another process"));
    site_close(&second);

    /* left by a crash: a socket nobody answers on */
    char other[160];
    (void)snprintf(other, sizeof(other), "%s/old", folder);
    assert_int_equal(rename(path, other), 0);
    site_close(&site);
    assert_int_equal(rename(other, path), 0);
    site_loop(&site);
    assert_int_equal(open_at(&site, address, &err), STATUS_OK);
    site_close(&site);
    assert_int_equal(stat(path, &info), -1);

    /* never anything else */
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    site_loop(&site);
    assert_int_equal(open_at(&site, address, &err), STATUS_EXISTS);
    site_close(&site);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void
bad_addresses_are_refused_with_the_way_out(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        enum status status;
        const char *words;
    } cases[] = {
        { "", STATUS_INVALID, "want host:port" },
        { "8080", STATUS_INVALID, "want host:port" },
        { ":8080", STATUS_INVALID, "must be an IPv4 or IPv6" },
        { "127.0.0.1:", STATUS_INVALID, "want host:port" },
        { "127.0.0.1:65536", STATUS_INVALID, "want host:port" },
        { "127.0.0.1:+80", STATUS_INVALID, "want host:port" },
        { "::1:8080", STATUS_INVALID, "want host:port" },
        { "[127.0.0.1]:80", STATUS_INVALID, "want host:port" },
        { "example.com:80", STATUS_INVALID, "must be an IPv4 or IPv6" },
        { "192.0.2.1:0", STATUS_INVALID, "no such address" },
        { "unix:", STATUS_INVALID, "choose a shorter one" },
        { "unix:/no/such/folder/sock", STATUS_NOT_FOUND, "folder is missing" },
        { "fd:webhook", STATUS_NOT_FOUND, "FileDescriptorName=webhook" },
    };
    struct error err;
    struct site site;
    site_loop(&site);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum status status = open_at(&site, cases[i].address, &err);
        if (status != cases[i].status ||
            strstr(err.text, cases[i].words) == NULL) {
            fail_msg("%s: %d %s", cases[i].address, (int)status, err.text);
        }
    }
    char wide[256] = "unix:/";
    memset(wide + 6, 'x', 200);
    assert_int_equal(open_at(&site, wide, &err), STATUS_INVALID);
    site_close(&site);
}

static void
all_kinds_of_addresses_are_listened_on(void **state)
{
    (void)state;
    static const char *const addresses[] = { "localhost:0", "*:0",
                                             "127.0.0.1:0" };
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct site site;
        struct client client;
        struct error err;
        site_loop(&site);
        assert_int_equal(open_at(&site, addresses[i], &err), STATUS_OK);
        client_open(&client, &site);
        say(&client, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
        hear(&client, "200 OK");
        client_close(&client);
        site_close(&site);
    }
}

static void
a_port_in_use_is_named(void **state)
{
    (void)state;
    struct site site;
    struct site second;
    struct error err;
    char address[32];
    site_open(&site, &ordinary);
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u",
                   (unsigned)http_server_port(site.server));
    site_loop(&second);
    assert_int_equal(open_at(&second, address, &err), STATUS_EXISTS);
    assert_non_null(strstr(err.text, address));
    assert_non_null(strstr(err.text, "address in use"));
    site_close(&second);
    site_close(&site);
}

static void
nothing_from_outside_begins_a_line_of_an_answer(void **state)
{
    (void)state;
    static const struct http_field fields[] = {
        { SLICE("X-Good"), SLICE("yes") },
        { SLICE("X-Bad"), SLICE("a\r\nSet-Cookie: b") },
        { SLICE("X Bad"), SLICE("c") },
    };
    const struct http_answer answer = {
        .status = 299,
        .content_type = slice_of("text/plain\r\nX: y"),
        .fields = { fields, 3 },
    };
    const struct http_framing framing = { .date = "now" };
    struct buf buf = { 0 };
    http_answer_render(&answer, &framing, &buf);
    assert_string_equal(buf.ptr, "HTTP/1.1 299 \r\nDate: now\r\n"
                                 "X-Content-Type-Options: nosniff\r\n"
                                 "X-Good: yes\r\nContent-Length: 0\r\n\r\n");
    buf_fini(&buf);
}

static void
the_date_is_an_http_date(void **state)
{
    (void)state;
    struct http_date date = { 0 };
    assert_string_equal(http_date_text(&date, 784111777000),
                        "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_string_equal(http_date_text(&date, 784111777999),
                        "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_string_equal(http_date_text(&date, 784111778000),
                        "Sun, 06 Nov 1994 08:49:38 GMT");
}

static void
a_server_that_finds_no_memory_is_not_made(void **state)
{
    (void)state;
    struct site site;
    site_loop(&site);
    enum status status = STATUS_NOMEM;
    long n = 0;
    for (; status != STATUS_OK && n < 20; n++) {
        (void)mem_fail_after(n, 0);
        status = open_at(&site, "127.0.0.1:0", NULL);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
    }
    assert_int_equal(status, STATUS_OK);
    assert_true(n > 4);
    site_close(&site);
}

/* One request while memory is short once: it is answered or refused, or the
 * connection ends; nothing hangs. Returns whether it was answered. */
static bool
is_answered_despite(long n)
{
    struct site site;
    struct client client;
    site_open(&site, &ordinary);
    client_open(&client, &site);
    assert_non_null(buf_reserve(&client.in, 4096));
    say(&client, "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                 "Connection: close\r\n\r\nhi");
    loop_io_want(client.io, LOOP_READ);
    (void)mem_fail_after(n, 0);
    run(&site);
    (void)mem_fail_after(-1, 0);
    bool answered = has(&client, "200 OK");
    client_close(&client);
    site_close(&site);
    return answered;
}

static void
a_request_that_finds_no_memory_does_not_hang(void **state)
{
    (void)state;
    long n = 0;
    while (n < 100 && !is_answered_despite(n)) {
        n++;
    }
    assert_true(n > 3 && n < 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            requests_are_answered_one_after_another_on_one_connection),
        cmocka_unit_test(a_request_may_come_in_single_bytes),
        cmocka_unit_test(answers_without_a_body_have_none),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(a_connection_is_kept_or_closed_as_agreed),
        cmocka_unit_test(
            bodies_that_hold_too_much_together_are_refused_with_503),
        cmocka_unit_test(a_connection_ends_after_its_last_allowed_request),
        cmocka_unit_test(continue_is_sent_only_for_a_body_that_is_wanted),
        cmocka_unit_test(
            a_refused_request_with_a_small_body_keeps_its_connection),
        cmocka_unit_test(the_answer_to_a_large_refused_body_can_be_read),
        cmocka_unit_test(what_is_no_request_is_refused_and_told),
        cmocka_unit_test(a_client_that_closed_its_half_still_gets_its_answer),
        cmocka_unit_test(
            what_is_pipelined_behind_an_open_request_stays_in_the_kernel),
        cmocka_unit_test(an_exchange_outlives_its_client),
        cmocka_unit_test(an_exchange_outlives_the_server),
        cmocka_unit_test(a_taken_request_outlives_its_exchange),
        cmocka_unit_test(every_phase_has_a_deadline),
        cmocka_unit_test(a_trickle_of_bytes_does_not_move_the_deadline),
        cmocka_unit_test(a_large_answer_waits_for_its_reader),
        cmocka_unit_test(an_answer_nobody_takes_has_a_deadline),
        cmocka_unit_test(connections_over_a_limit_are_told_to_come_back),
        cmocka_unit_test(without_descriptors_accepting_pauses_and_goes_on),
        cmocka_unit_test(a_stop_lets_open_exchanges_finish),
        cmocka_unit_test(a_stop_does_not_wait_longer_than_its_grace),
        cmocka_unit_test(a_request_on_its_way_in_is_answered_before_the_stop),
        cmocka_unit_test(a_unix_socket_is_made_private_and_removed),
        cmocka_unit_test(bad_addresses_are_refused_with_the_way_out),
        cmocka_unit_test(all_kinds_of_addresses_are_listened_on),
        cmocka_unit_test(a_port_in_use_is_named),
        cmocka_unit_test(nothing_from_outside_begins_a_line_of_an_answer),
        cmocka_unit_test(the_date_is_an_http_date),
        cmocka_unit_test(a_server_that_finds_no_memory_is_not_made),
        cmocka_unit_test(a_request_that_finds_no_memory_does_not_hang),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
