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
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/http_server.h"
#include "io/loop.h"

enum { PATIENCE_MS = 20000, BUFFER_BYTES = 65636 };

/* A server whose one answer goes on, and a client that reads when it is told
 * to. */
struct site {
    struct loop *loop;
    struct loop_timer *patience;
    struct http_server *server;
    struct http_outflow *flow;
    enum status begun;
    size_t requests;
    size_t drains;
    size_t ends;
    bool fails; /* the next flow finds no memory */
    bool ends_at_drain;
    int fd;
    bool reads;
    bool at_end;
    struct buf in;
    bool (*until)(void);
};

static struct site site;

static void
drained(void *arg)
{
    assert_ptr_equal(arg, &site);
    site.drains++;
    if (site.ends_at_drain) {
        http_outflow_end(site.flow);
        site.flow = NULL;
    }
}

static void
ended(void *arg)
{
    assert_ptr_equal(arg, &site);
    site.ends++;
    site.flow = NULL;
}

static unsigned
on_head(void *arg, const struct http_request *request, struct slice peer,
        size_t *body_limit, struct http_answer *refusal)
{
    (void)arg;
    (void)request;
    (void)peer;
    (void)refusal;
    *body_limit = 0; /* it has none */
    return 0;
}

static void
on_request(void *arg, struct http_exchange *exchange)
{
    (void)arg;
    static const struct http_field field = { SLICE("X-A"), SLICE("1") };
    const struct http_outflow_spec spec = {
        .head = { .status = 200,
                  .content_type = SLICE("text/event-stream"),
                  .fields = { &field, 1 } },
        .buffer_bytes = BUFFER_BYTES,
        .arg = &site,
        .drained = drained,
        .ended = ended,
    };
    site.requests++;
    mem_fail_after(site.fails ? 0 : -1, 0);
    site.begun = http_exchange_flow(exchange, &spec, &site.flow);
    mem_fail_after(-1, 0);
    if (site.begun == STATUS_NOMEM) {
        const struct http_answer answer = { .status = 503 };
        http_exchange_answer(exchange, &answer);
    }
}

static void
late(void *arg)
{
    (void)arg;
    fail_msg("what was waited for has not come");
}

static void
read_some(void)
{
    char bytes[65536];
    ssize_t got;
    while (site.reads && !site.at_end &&
           (got = recv(site.fd, bytes, sizeof(bytes), MSG_DONTWAIT)) != -1) {
        site.at_end = got == 0;
        buf_append(&site.in, (struct slice){ bytes, (size_t)got });
    }
    site.at_end = site.at_end || (site.reads && errno == ECONNRESET);
}

static void
look(void *arg)
{
    read_some();
    if (site.until != NULL && site.until()) {
        site.until = NULL;
        loop_stop(site.loop);
    } else {
        loop_timer_arm(arg, 1);
    }
}

static void
nothing(void *arg)
{
    (void)arg;
}

/* Runs the loop until the condition holds. */
static void
run(bool (*until)(void))
{
    struct loop_timer *tick;
    struct loop_turn *turn;
    assert_int_equal(loop_timer_create(site.loop, nothing, NULL, &tick),
                     STATUS_OK);
    assert_int_equal(loop_turn_create(site.loop, look, tick, &turn), STATUS_OK);
    site.until = until;
    loop_timer_arm(site.patience, PATIENCE_MS);
    loop_timer_arm(tick, 1);
    loop_run(site.loop);
    loop_timer_disarm(site.patience);
    loop_turn_destroy(turn);
    loop_timer_destroy(tick);
}

static void
site_open(int64_t write_timeout_ms)
{
    const struct http_server_limits limits = {
        .request = { .head_bytes = 4096, .field_count = 20, .body_bytes = 99 },
        .connections = 4,
        .connections_per_address = 4,
        .head_timeout_ms = 200,
        .body_timeout_ms = 200,
        .idle_timeout_ms = 200,
        .write_timeout_ms = write_timeout_ms,
    };
    const struct http_server_handler handler = { .head = on_head,
                                                 .request = on_request };
    struct error err = { "" };
    memset(&site, 0, sizeof(site));
    site.reads = true;
    assert_int_equal(loop_create(&site.loop), STATUS_OK);
    assert_int_equal(loop_timer_create(site.loop, late, NULL, &site.patience),
                     STATUS_OK);
    if (http_server_create(site.loop, "127.0.0.1:0", 0600, &limits, &handler,
                           &site.server, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
}

static void
call_up(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port =
                                  htons(http_server_port(site.server)) };
    int small = 4096; /* what nobody reads is not to lie in the kernel */
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    site.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(site.fd >= 0);
    assert_int_equal(
        setsockopt(site.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    assert_int_equal(connect(site.fd, (struct sockaddr *)&to, sizeof(to)), 0);
}

static bool
was_asked(void)
{
    return site.requests > 0;
}

static void
ask(const char *method)
{
    struct buf text = { 0 };
    call_up();
    buf_format(&text, "%s / HTTP/1.1\r\nHost: a\r\n\r\n", method);
    assert_int_equal(send(site.fd, text.ptr, text.len, MSG_NOSIGNAL), text.len);
    buf_fini(&text);
    run(was_asked);
}

static void
site_close(void)
{
    http_server_destroy(site.server);
    (void)close(site.fd);
    buf_fini(&site.in);
    loop_timer_destroy(site.patience);
    loop_destroy(site.loop);
}

static bool
has_second(void)
{
    return slice_find_slice(buf_slice(&site.in), slice_of("second")) !=
           SIZE_MAX;
}

static bool
is_at_end(void)
{
    return site.at_end;
}

static bool
has_ended(void)
{
    return site.ends > 0;
}

static bool
has_drained(void)
{
    return site.drains > 0;
}

/* Sends until no more is taken; returns how much was. */
static size_t
fill(void)
{
    static char bytes[4096];
    size_t sent = 0;
    memset(bytes, 'x', sizeof(bytes));
    for (int i = 0; i < 100000; i++) {
        enum status status = http_outflow_send(
            site.flow, (struct slice){ bytes, sizeof(bytes) });
        if (status == STATUS_FULL) {
            return sent;
        }
        assert_int_equal(status, STATUS_OK);
        sent += sizeof(bytes);
    }
    fail_msg("nothing bounds what waits");
    return 0;
}

static void
an_answer_goes_on_until_it_is_ended(void **state)
{
    (void)state;
    site_open(PATIENCE_MS);
    ask("GET");
    assert_int_equal(site.begun, STATUS_OK);
    assert_int_equal(http_outflow_send(site.flow, slice_of("first\n")),
                     STATUS_OK);
    assert_int_equal(http_outflow_send(site.flow, slice_of("second\n")),
                     STATUS_OK);
    run(has_second);
    struct slice text = buf_slice(&site.in);
    assert_true(slice_starts(text, slice_of("HTTP/1.1 200 OK\r\n")));
    assert_true(slice_find_slice(text, slice_of("Content-Length")) == SIZE_MAX);
    assert_true(slice_find_slice(text, slice_of("\r\nX-A: 1\r\n")) != SIZE_MAX);
    assert_true(slice_find_slice(text, slice_of("\r\nConnection: close\r\n")) !=
                SIZE_MAX);
    assert_true(slice_ends(text, slice_of("\r\n\r\nfirst\nsecond\n")));
    http_outflow_end(site.flow);
    run(is_at_end);
    assert_int_equal(site.ends, 0); /* it was ended, it did not end */
    site_close();
}

/* Neither the head's time nor a keep-alive's ends it while it is silent. */
static bool
is_past_all_times(void)
{
    static int64_t begin_ms;
    int64_t now_ms = loop_now_ms(site.loop);
    begin_ms = begin_ms == 0 ? now_ms : begin_ms;
    return now_ms - begin_ms > 500;
}

static void
a_silent_answer_has_no_deadline(void **state)
{
    (void)state;
    site_open(100);
    ask("GET");
    run(is_past_all_times);
    assert_int_equal(site.ends, 0);
    assert_int_equal(http_outflow_send(site.flow, slice_of("second")),
                     STATUS_OK);
    run(has_second);
    site_close();
    assert_int_equal(site.ends, 1);
}

static void
what_waits_is_bounded_and_room_is_told_of(void **state)
{
    (void)state;
    site_open(PATIENCE_MS);
    ask("GET");
    site.reads = false;
    size_t sent = fill();
    /* The kernel holds some of it: no more than tcp_wmem says, 4 MiB. */
    assert_in_range(sent, BUFFER_BYTES / 2, BUFFER_BYTES + (6 << 20));
    assert_int_equal(http_outflow_send(site.flow, slice_of("12345")),
                     STATUS_OK); /* a small one still fits */
    site.reads = true;
    run(has_drained);
    assert_int_equal(site.drains, 1);
    assert_int_equal(http_outflow_send(site.flow, slice_of("second")),
                     STATUS_OK);
    run(has_second);
    /* Nothing of what was refused has come, and nothing is missing. */
    size_t head = slice_find_slice(buf_slice(&site.in), slice_of("\r\n\r\n"));
    assert_int_equal(site.in.len, head + 4 + sent + 5 + 6);
    site_close();
}

static void
who_takes_nothing_is_cut_off(void **state)
{
    (void)state;
    site_open(100);
    ask("GET");
    site.reads = false;
    (void)fill();
    run(has_ended);
    assert_null(site.flow);
    site_close();
    assert_int_equal(site.ends, 1);
}

static void
that_the_peer_is_gone_is_told_once(void **state)
{
    (void)state;
    site_open(PATIENCE_MS);
    ask("GET");
    (void)close(site.fd);
    site.fd = -1;
    site.at_end = true;
    run(has_ended);
    site_close();
    assert_int_equal(site.ends, 1);
}

/* The loop has not told yet that the peer is gone when the next send finds out:
 * its answer is all that is said. */
static void
a_send_to_who_is_gone_says_so_and_nothing_else_does(void **state)
{
    (void)state;
    const struct linger at_once = { .l_onoff = 1 };
    site_open(PATIENCE_MS);
    ask("GET");
    assert_int_equal(
        setsockopt(site.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)),
        0);
    (void)close(site.fd); /* with a reset */
    site.fd = -1;
    site.at_end = true;
    enum status status = STATUS_OK;
    for (int i = 0; i < 1000 && status == STATUS_OK; i++) {
        status = http_outflow_send(site.flow, slice_of("x"));
    }
    assert_int_equal(status, STATUS_CANCELED);
    site_close();
    assert_int_equal(site.ends, 0);
}

static void
it_can_be_cut_with_what_waits(void **state)
{
    (void)state;
    site_open(PATIENCE_MS);
    ask("GET");
    site.reads = false;
    size_t sent = fill();
    http_outflow_cut(site.flow);
    site.reads = true;
    run(is_at_end);
    assert_true(site.in.len < sent);
    site_close();
    assert_int_equal(site.ends, 0);
}

static void
the_servers_end_ends_it(void **state)
{
    (void)state;
    site_open(PATIENCE_MS);
    ask("GET");
    site_close();
    assert_int_equal(site.ends, 1);
}

static void
it_may_be_ended_from_what_tells_of_room(void **state)
{
    (void)state;
    site_open(PATIENCE_MS);
    ask("GET");
    site.reads = false;
    site.ends_at_drain = true;
    (void)fill();
    site.reads = true;
    run(is_at_end);
    assert_int_equal(site.drains, 1);
    site_close();
    assert_int_equal(site.ends, 0);
}

static void
a_head_request_is_answered_without_it(void **state)
{
    (void)state;
    site_open(PATIENCE_MS);
    ask("HEAD");
    assert_int_equal(site.begun, STATUS_CANCELED);
    assert_null(site.flow);
    site_close();
    assert_int_equal(site.ends, 0);
}

static bool
has_503(void)
{
    return slice_find_slice(buf_slice(&site.in), slice_of("HTTP/1.1 503")) !=
           SIZE_MAX;
}

static void
without_memory_it_can_still_be_answered(void **state)
{
    (void)state;
    site_open(PATIENCE_MS);
    site.fails = true;
    ask("GET");
    assert_int_equal(site.begun, STATUS_NOMEM);
    run(has_503);
    site_close();
    assert_int_equal(site.ends, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_goes_on_until_it_is_ended),
        cmocka_unit_test(a_silent_answer_has_no_deadline),
        cmocka_unit_test(what_waits_is_bounded_and_room_is_told_of),
        cmocka_unit_test(who_takes_nothing_is_cut_off),
        cmocka_unit_test(that_the_peer_is_gone_is_told_once),
        cmocka_unit_test(a_send_to_who_is_gone_says_so_and_nothing_else_does),
        cmocka_unit_test(it_can_be_cut_with_what_waits),
        cmocka_unit_test(the_servers_end_ends_it),
        cmocka_unit_test(it_may_be_ended_from_what_tells_of_room),
        cmocka_unit_test(a_head_request_is_answered_without_it),
        cmocka_unit_test(without_memory_it_can_still_be_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
