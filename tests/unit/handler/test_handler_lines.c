/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "handler/handler_lines.h"
#include "unit/handler/handling.h"

/* A way whose peers are played by the test. */
static struct {
    struct lines_peer *peer;
    int server; /* the other side of the last that was opened */
    int opened;
    bool is_slow; /* opened by the test, not at once */
    bool is_gone;
} fake;

static void
open_now(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    fake.server = pair[1];
    fake.is_gone = false;
    lines_opened(fake.peer, dup(pair[0]), pair[0]);
}

static enum status
open_peer(void *arg, struct lines_peer *peer, void **data, struct error *err)
{
    (void)arg;
    (void)err;
    *data = &fake;
    fake.peer = peer;
    fake.opened++;
    if (!fake.is_slow) {
        open_now();
    }
    return STATUS_OK;
}

static void
end_peer(void *arg, struct lines_peer *peer, void *data)
{
    (void)arg;
    (void)data;
    fake.is_gone = true;
    lines_closed(peer, "gone", slice_of(""));
}

static void
forget(void *data)
{
    (void)data;
    assert_false(fake.is_gone);
}

static void
destroy(void *arg)
{
    (void)arg;
}

static const struct lines_way way = {
    .noun = "the peer",
    .open = open_peer,
    .end = end_peer,
    .forget = forget,
    .destroy = destroy,
};

static struct handler *
create(bool is_slow)
{
    struct handler *handler = NULL;
    const struct handler_lines_settings settings = {
        .way = &way, .arg = &fake, .timeout_ms = 15000, .peers = 1, .ahead = 1
    };
    (void)signal(SIGPIPE, SIG_IGN);
    memset(&fake, 0, sizeof(fake));
    fake.is_slow = is_slow;
    handling_open();
    assert_int_equal(handler_lines_create(handling.loop, &settings, &handler),
                     STATUS_OK);
    return handler;
}

static void
answer(const char *text)
{
    assert_int_equal(write(fake.server, text, strlen(text)), strlen(text));
}

static void
closed(void *arg)
{
    bool *is_closed = arg;
    *is_closed = true;
    loop_stop(handling.loop);
}

static void
a_peer_that_has_ended_is_given_no_more(void **state)
{
    (void)state;
    bool is_closed = false;
    struct event second = { .number = 8, .id = SLICE("evt_2") };
    struct handler *handler = create(false);
    struct delivery waits = handling.delivery;
    waits.event = &second;
    handling.wanted = 2;
    assert_int_equal(handling_start(handler, NULL), STATUS_OK);
    assert_int_equal(
        handler->ops->start(handler, &waits, handling_keep, NULL, NULL),
        STATUS_OK);
    answer("{\"id\":\"evt_1\",\"ok\":true}\n");
    (void)close(fake.server);
    fake.is_gone = true;
    lines_closed(fake.peer, "exit 0", slice_of("")); /* with that unread */
    assert_int_equal(handling.calls, 1);
    assert_int_equal(handling.disposition, DISPOSITION_DONE);
    assert_int_equal(fake.opened, 2);
    answer("{\"id\":\"evt_2\",\"ok\":true}\n");
    loop_run(handling.loop);
    assert_int_equal(handling.calls, 2);
    assert_int_equal(handling.disposition, DISPOSITION_DONE);
    assert_true(handler->ops->close(handler, closed, &is_closed));
    (void)close(fake.server);
    loop_run(handling.loop);
    assert_true(is_closed);
    handler->ops->destroy(handler);
    handling_close();
}

static void
what_waits_for_a_peer_when_all_is_closed_is_still_given(void **state)
{
    (void)state;
    bool is_closed = false;
    struct handler *handler = create(true);
    assert_int_equal(handling_start(handler, NULL), STATUS_OK);
    assert_true(handler->ops->close(handler, closed, &is_closed));
    open_now();
    answer("{\"id\":\"evt_1\",\"ok\":true}\n");
    loop_run(handling.loop);
    assert_int_equal(handling.calls, 1);
    assert_int_equal(handling.disposition, DISPOSITION_DONE);
    (void)close(fake.server);
    loop_run(handling.loop);
    assert_true(is_closed);
    assert_int_equal(fake.opened, 1);
    handler->ops->destroy(handler);
    handling_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_that_has_ended_is_given_no_more),
        cmocka_unit_test(
            what_waits_for_a_peer_when_all_is_closed_is_still_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
