/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "handler/handler_unix.h"
#include "unit/handler/handling.h"

static char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
static int listener;

static void
open_socket(void)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    (void)signal(SIGPIPE, SIG_IGN);
    handling_open();
    (void)snprintf(path, sizeof(path), "%s/in.sock", handling.folder);
    memcpy(at.sun_path, path, sizeof(path));
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 4), 0);
}

static struct handler *
create(int64_t timeout_ms)
{
    struct handler *handler = NULL;
    assert_int_equal(handler_unix_create(handling.loop, slice_of(path),
                                         timeout_ms, 1, 1, &handler, NULL),
                     STATUS_OK);
    return handler;
}

static void
closed(void *arg)
{
    bool *is_closed = arg;
    *is_closed = true;
    loop_stop(handling.loop);
}

static void
close_all(struct handler *handler)
{
    bool is_closed = false;
    if (handler->ops->close(handler, closed, &is_closed)) {
        loop_run(handling.loop);
        assert_true(is_closed);
    }
    handler->ops->destroy(handler);
    (void)close(listener);
    (void)unlink(path);
    handling_close();
}

/* The connection is there as soon as it was asked for: the server's side of it
 * can be played before the loop runs. */
static void
a_line_goes_out_and_its_answer_is_the_outcome(void **state)
{
    (void)state;
    static const char answer[] = "{\"id\":\"evt_1\",\"ok\":true}\n";
    char line[256] = "";
    open_socket();
    struct handler *handler = create(5000);
    for (int i = 0; i < 2; i++) {
        static int server = -1;
        handling.calls = 0;
        assert_int_equal(handling_start(handler, NULL), STATUS_OK);
        if (i == 0) {
            server = accept(listener, NULL, NULL); /* once for both */
        }
        assert_int_equal(write(server, answer, sizeof(answer) - 1),
                         sizeof(answer) - 1);
        loop_run(handling.loop);
        assert_int_equal(handling.disposition, DISPOSITION_DONE);
        ssize_t got = read(server, line, sizeof(line) - 1);
        assert_true(got > 0);
        assert_non_null(strstr(line, "\"idempotencykey\":\"shop/evt_1\"}\n"));
        if (i == 1) {
            (void)close(server);
        }
    }
    close_all(handler);
}

static void
a_server_that_is_not_there_is_told_with_a_way_out(void **state)
{
    (void)state;
    open_socket();
    (void)unlink(path);
    struct handler *handler = create(5000);
    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_LATER);
    assert_non_null(strstr(handling.detail, "in.sock: No such file"));
    assert_non_null(strstr(handling.detail, "is the server running"));
    close_all(handler);
}

static void
a_server_that_says_nothing_is_left_in_time(void **state)
{
    (void)state;
    open_socket();
    struct handler *handler = create(200);
    handling_run(handler);
    assert_string_equal(handling.detail, "timed out after 200ms");
    close_all(handler);
}

static void
a_path_that_no_socket_can_have_is_refused(void **state)
{
    (void)state;
    char name[200];
    struct error err = { "" };
    struct handler *handler = NULL;
    memset(name, 'x', sizeof(name));
    handling_open();
    assert_int_equal(handler_unix_create(handling.loop,
                                         (struct slice){ name, sizeof(name) },
                                         100, 1, 1, &handler, &err),
                     STATUS_CONFIG);
    assert_non_null(strstr(err.text, "at most 107 bytes"));
    handling_close();
}

static void
memory_that_runs_out_is_told(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    for (long after = 0; after < 20 && status != STATUS_OK; after++) {
        struct handler *handler = NULL;
        open_socket();
        (void)mem_fail_after(after, 0);
        status = handler_unix_create(handling.loop, slice_of(path), 100, 1, 1,
                                     &handler, NULL);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        if (status == STATUS_OK) {
            close_all(handler);
        } else {
            (void)close(listener);
            (void)unlink(path);
            handling_close();
        }
    }
    assert_int_equal(status, STATUS_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_goes_out_and_its_answer_is_the_outcome),
        cmocka_unit_test(a_server_that_is_not_there_is_told_with_a_way_out),
        cmocka_unit_test(a_server_that_says_nothing_is_left_in_time),
        cmocka_unit_test(a_path_that_no_socket_can_have_is_refused),
        cmocka_unit_test(memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
