/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/line_stream.h"
#include "io/loop.h"

static struct loop *loop;
static struct loop_timer *guard;
static struct line_stream *stream;
static int peer; /* the other side */
static char lines[256];
static int line_count;
static int wanted;
static int end_count;
static enum status end_status;

static void
too_long(void *arg)
{
    (void)arg;
    fail_msg("nothing came within 20 s");
}

static bool
keep_line(void *arg, struct slice line)
{
    (void)arg;
    size_t len = strlen(lines);
    (void)snprintf(lines + len, sizeof(lines) - len, "[%.*s]",
                   SLICE_ARG(slice_first(line, 16)));
    if (++line_count == wanted) {
        loop_stop(loop);
    }
    return true;
}

static void
keep_end(void *arg, enum status status)
{
    (void)arg;
    end_count++;
    end_status = status;
    loop_stop(loop);
}

static void
open_stream(line_stream_line_fn *line)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    peer = fds[1];
    const struct line_stream_spec spec = {
        .in_fd = dup(fds[0]),
        .out_fd = fds[0],
        .line_limit = 1000,
        .line = line,
        .ended = keep_end,
    };
    assert_int_equal(line_stream_create(loop, &spec, &stream), STATUS_OK);
}

static int
set_up(void **state)
{
    (void)state;
    lines[0] = '\0';
    line_count = end_count = 0;
    wanted = 1;
    assert_int_equal(loop_create(&loop), STATUS_OK);
    assert_int_equal(loop_timer_create(loop, too_long, NULL, &guard),
                     STATUS_OK);
    loop_timer_arm(guard, 20000);
    open_stream(keep_line);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    line_stream_destroy(stream);
    stream = NULL;
    (void)close(peer);
    loop_timer_destroy(guard);
    loop_destroy(loop);
    return 0;
}

static void
say(const char *text)
{
    assert_int_equal(write(peer, text, strlen(text)), (ssize_t)strlen(text));
}

static void
lines_come_whole_however_they_are_cut(void **state)
{
    (void)state;
    static const char text[] = "one\n\ntwo words\nthree\n";
    wanted = 4;
    for (size_t i = 0; i + 1 < sizeof(text); i++) {
        const char piece[] = { text[i], '\0' };
        say(piece);
    }
    loop_run(loop);
    assert_string_equal(lines, "[one][][two words][three]");
    say("four\nfi");
    wanted = 5;
    loop_run(loop);
    say("ve\n");
    wanted = 6;
    loop_run(loop);
    assert_string_equal(lines, "[one][][two words][three][four][five]");
}

static void
a_line_that_does_not_end_ends_the_stream(void **state)
{
    (void)state;
    char flood[4096];
    memset(flood, 'x', sizeof(flood));
    assert_int_equal(write(peer, flood, sizeof(flood)), sizeof(flood));
    loop_run(loop);
    assert_int_equal(end_status, STATUS_TOO_LARGE);
    assert_int_equal(line_count, 0);
}

static void
the_end_comes_once_behind_the_last_line(void **state)
{
    (void)state;
    say("last\nunfinished");
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    wanted = 9;
    loop_run(loop);
    assert_string_equal(lines, "[last]");
    assert_int_equal(end_status, STATUS_OK);
    assert_int_equal(end_count, 1);
}

static void
what_came_is_drained_without_an_end(void **state)
{
    (void)state;
    say("a\nb\n");
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    line_stream_drain(stream);
    assert_string_equal(lines, "[a][b]");
    assert_int_equal(end_count, 0);
}

static bool
destroy_stream(void *arg, struct slice line)
{
    (void)arg;
    (void)line;
    line_stream_destroy(stream);
    stream = NULL;
    line_count++;
    loop_stop(loop);
    return false;
}

static void
a_stream_may_go_while_a_line_is_handed_on(void **state)
{
    (void)state;
    line_stream_destroy(stream);
    (void)close(peer);
    open_stream(destroy_stream);
    say("a\nb\n");
    loop_run(loop);
    assert_int_equal(line_count, 1);
}

static void
what_the_other_side_does_not_take_yet_follows(void **state)
{
    (void)state;
    enum { BYTES = 4 * 1024 * 1024 };
    struct buf *room = line_stream_room(stream);
    char *bytes = mem_alloc(BYTES);
    assert_non_null(bytes);
    memset(bytes, 'y', BYTES);
    buf_append(room, (struct slice){ bytes, BYTES });
    line_stream_flush(stream);
    assert_true(room->len > 0);
    /* The other side reads a little, then answers; the loop writes the rest. */
    size_t got = 0;
    assert_int_equal(fcntl(peer, F_SETFL, O_NONBLOCK), 0);
    for (int turn = 1; got < BYTES && turn < 100000; turn++) {
        ssize_t more = read(peer, bytes, BYTES);
        got += more > 0 ? (size_t)more : 0;
        wanted = line_count + 1;
        say("go on\n");
        loop_run(loop);
    }
    assert_int_equal(got, BYTES);
    assert_int_equal(room->len, 0);
    mem_free(bytes);
}

static void
a_finished_side_sees_its_end_and_may_still_answer(void **state)
{
    (void)state;
    char byte;
    line_stream_finish(stream);
    assert_int_equal(read(peer, &byte, 1), 0);
    say("bye\n");
    loop_run(loop);
    assert_string_equal(lines, "[bye]");
    line_stream_flush(stream); /* has no effect any more */
}

static void
memory_that_runs_out_closes_both_descriptors(void **state)
{
    (void)state;
    for (long after = 0; after < 3; after++) {
        int fds[2];
        struct line_stream *none = NULL;
        assert_int_equal(pipe(fds), 0);
        const struct line_stream_spec spec = { .in_fd = fds[1],
                                               .out_fd = fds[0],
                                               .line_limit = 10,
                                               .line = keep_line,
                                               .ended = keep_end };
        (void)mem_fail_after(after, 0);
        enum status status = line_stream_create(loop, &spec, &none);
        (void)mem_fail_after(-1, 0);
        assert_int_equal(status, STATUS_NOMEM);
        assert_int_equal(fcntl(fds[0], F_GETFD), -1);
        assert_int_equal(fcntl(fds[1], F_GETFD), -1);
    }
}

#define STREAM_TEST(name)                                                      \
    cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STREAM_TEST(lines_come_whole_however_they_are_cut),
        STREAM_TEST(a_line_that_does_not_end_ends_the_stream),
        STREAM_TEST(the_end_comes_once_behind_the_last_line),
        STREAM_TEST(what_came_is_drained_without_an_end),
        STREAM_TEST(a_stream_may_go_while_a_line_is_handed_on),
        STREAM_TEST(what_the_other_side_does_not_take_yet_follows),
        STREAM_TEST(a_finished_side_sees_its_end_and_may_still_answer),
        STREAM_TEST(memory_that_runs_out_closes_both_descriptors),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
