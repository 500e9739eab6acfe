/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/clock.h"
#include "io/loop.h"

/* What happened, one letter each, in order. */
struct trace {
    struct loop *loop;
    char text[64];
    size_t len;
};

static void
note(struct trace *trace, char what)
{
    if (trace->len + 1 < sizeof(trace->text)) {
        trace->text[trace->len++] = what;
        trace->text[trace->len] = '\0';
    }
}

static void
on_stop(void *arg)
{
    struct trace *trace = arg;
    note(trace, 's');
    loop_stop(trace->loop);
}

static void
on_letter(void *arg)
{
    note(arg, 'd');
}

static void
on_first(void *arg)
{
    struct trace *trace = arg;
    note(trace, '1');
    assert_int_equal(loop_defer(trace->loop, on_letter, trace), STATUS_OK);
    assert_int_equal(loop_defer(trace->loop, on_stop, trace), STATUS_OK);
}

static void
on_turn(void *arg)
{
    note(arg, 't');
}

static struct trace
fresh(void)
{
    struct trace trace = { 0 };
    assert_int_equal(loop_create(&trace.loop), STATUS_OK);
    return trace;
}

static void
deferred_calls_run_in_order_and_before_the_turn_hooks(void **state)
{
    (void)state;
    struct trace trace = fresh();
    struct loop_turn *turn;
    assert_int_equal(loop_turn_create(trace.loop, on_turn, &trace, &turn),
                     STATUS_OK);
    assert_int_equal(loop_defer(trace.loop, on_first, &trace), STATUS_OK);
    assert_int_equal(loop_defer(trace.loop, on_letter, &trace), STATUS_OK);
    /* nothing else is alive: only the deferred calls keep it from sleeping */
    loop_run(trace.loop);
    assert_string_equal(trace.text, "1dtdst");
    loop_turn_destroy(turn);
    loop_destroy(trace.loop);
}

static void
many_calls_can_be_deferred(void **state)
{
    (void)state;
    struct trace trace = fresh();
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(loop_defer(trace.loop, on_letter, &trace), STATUS_OK);
    }
    assert_int_equal(loop_defer(trace.loop, on_stop, &trace), STATUS_OK);
    loop_run(trace.loop);
    assert_int_equal(trace.len, sizeof(trace.text) - 1);
    loop_destroy(trace.loop);
}

static void
a_stop_before_the_run_is_not_lost(void **state)
{
    (void)state;
    struct trace trace = fresh();
    loop_stop(trace.loop);
    loop_run(trace.loop);
    /* and it is used up */
    assert_int_equal(loop_defer(trace.loop, on_stop, &trace), STATUS_OK);
    loop_run(trace.loop);
    assert_string_equal(trace.text, "s");
    loop_destroy(trace.loop);
}

struct timed {
    struct loop *loop;
    struct loop_timer *timer;
    int64_t due_ms;
    int fired;
};

static void
on_time(void *arg)
{
    struct timed *timed = arg;
    timed->fired++;
    assert_false(loop_timer_armed(timed->timer));
    assert_true(loop_now_ms(timed->loop) >= timed->due_ms);
    if (timed->fired < 5) {
        timed->due_ms = loop_now_ms(timed->loop) + 3;
        loop_timer_arm(timed->timer, 3);
        assert_true(loop_timer_armed(timed->timer));
    } else {
        loop_stop(timed->loop);
    }
}

static void
a_timer_fires_once_an_arming_and_never_early(void **state)
{
    (void)state;
    struct trace trace = fresh();
    struct timed timed = { .loop = trace.loop };
    assert_int_equal(
        loop_timer_create(trace.loop, on_time, &timed, &timed.timer),
        STATUS_OK);
    assert_false(loop_timer_armed(timed.timer));
    timed.due_ms = loop_now_ms(trace.loop) + 2;
    loop_timer_arm(timed.timer, 1000000);
    loop_timer_arm(timed.timer, 2);
    loop_run(trace.loop);
    assert_int_equal(timed.fired, 5);
    loop_timer_destroy(timed.timer);
    loop_destroy(trace.loop);
}

static void
a_disarmed_timer_stays_silent(void **state)
{
    (void)state;
    struct trace trace = fresh();
    struct loop_timer *silent;
    struct loop_timer *stop;
    assert_int_equal(loop_timer_create(trace.loop, on_letter, &trace, &silent),
                     STATUS_OK);
    assert_int_equal(loop_timer_create(trace.loop, on_stop, &trace, &stop),
                     STATUS_OK);
    loop_timer_arm(silent, 0);
    loop_timer_arm(stop, 2);
    loop_timer_disarm(silent);
    assert_false(loop_timer_armed(silent));
    loop_run(trace.loop);
    assert_string_equal(trace.text, "s");
    loop_timer_destroy(silent);
    loop_timer_destroy(stop);
    loop_timer_destroy(NULL);
    loop_destroy(trace.loop);
}

struct watched {
    struct loop *loop;
    struct loop_io *io;
    int fd;
    int seen[4];
    size_t count;
};

static void
on_ready(void *arg, int ready)
{
    struct watched *watched = arg;
    assert_true(watched->count < 4);
    watched->seen[watched->count++] = ready;
    if ((ready & LOOP_READ) != 0) {
        char byte;
        assert_int_equal(read(watched->fd, &byte, 1), 1);
        /* destroyed inside its own callback */
        loop_io_destroy(watched->io);
        loop_stop(watched->loop);
        return;
    }
    loop_io_want(watched->io, LOOP_READ);
}

static void
a_descriptor_is_watched_for_what_is_wanted(void **state)
{
    (void)state;
    struct trace trace = fresh();
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct watched watched = { .loop = trace.loop, .fd = pair[0] };
    assert_int_equal(
        loop_io_create(trace.loop, pair[0], on_ready, &watched, &watched.io),
        STATUS_OK);
    assert_int_equal(write(pair[1], "x", 1), 1);
    loop_io_want(watched.io, LOOP_WRITE);
    loop_run(trace.loop);
    assert_int_equal(watched.count, 2);
    assert_int_equal(watched.seen[0], LOOP_WRITE);
    assert_int_equal(watched.seen[1], LOOP_READ);
    (void)close(pair[0]);
    (void)close(pair[1]);
    loop_destroy(trace.loop);
}

static void
an_unwanted_descriptor_is_left_alone(void **state)
{
    (void)state;
    struct trace trace = fresh();
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct watched watched = { .loop = trace.loop, .fd = pair[0] };
    assert_int_equal(
        loop_io_create(trace.loop, pair[0], on_ready, &watched, &watched.io),
        STATUS_OK);
    assert_int_equal(write(pair[1], "x", 1), 1);
    loop_io_want(watched.io, LOOP_READ);
    loop_io_want(watched.io, 0);
    struct loop_timer *stop;
    assert_int_equal(loop_timer_create(trace.loop, on_stop, &trace, &stop),
                     STATUS_OK);
    loop_timer_arm(stop, 1);
    loop_run(trace.loop);
    assert_int_equal(watched.count, 0);
    loop_timer_destroy(stop);
    loop_io_destroy(watched.io);
    (void)close(pair[0]);
    (void)close(pair[1]);
    loop_destroy(trace.loop);
}

static void
a_signal_reaches_the_loop(void **state)
{
    (void)state;
    struct trace trace = fresh();
    struct loop_signal *usr1;
    assert_int_equal(
        loop_signal_create(trace.loop, SIGUSR1, on_stop, &trace, &usr1),
        STATUS_OK);
    assert_int_equal(raise(SIGUSR1), 0);
    loop_run(trace.loop);
    assert_string_equal(trace.text, "s");
    loop_signal_destroy(usr1);
    loop_destroy(trace.loop);
}

enum { RINGS = 10000 };

struct tower {
    struct loop *loop;
    struct loop_bell *bell;
    atomic_int rung;
    int heard;
};

static void *
ring(void *arg)
{
    struct tower *tower = arg;
    for (int i = 0; i < RINGS; i++) {
        atomic_fetch_add(&tower->rung, 1);
        loop_bell_ring(tower->bell);
    }
    return NULL;
}

static void
on_bell(void *arg)
{
    struct tower *tower = arg;
    tower->heard++;
    /* the last ring is never lost, whatever was coalesced before */
    if (atomic_load(&tower->rung) == RINGS) {
        loop_stop(tower->loop);
    }
}

static void
rings_of_another_thread_wake_the_loop(void **state)
{
    (void)state;
    struct trace trace = fresh();
    struct tower tower = { .loop = trace.loop };
    assert_int_equal(loop_bell_create(trace.loop, on_bell, &tower, &tower.bell),
                     STATUS_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ring, &tower), 0);
    loop_run(trace.loop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(tower.heard >= 1);
    assert_true(tower.heard <= RINGS);
    loop_bell_destroy(tower.bell);
    loop_destroy(trace.loop);
}

struct hooks {
    struct loop *loop;
    struct loop_turn *turn[3];
    int calls[3];
};

static void
on_hook_that_ends_the_next(void *arg)
{
    struct hooks *hooks = arg;
    hooks->calls[0]++;
    loop_turn_destroy(hooks->turn[1]);
    hooks->turn[1] = NULL;
    loop_turn_destroy(hooks->turn[0]);
    hooks->turn[0] = NULL;
}

static void
on_hook_that_was_ended(void *arg)
{
    struct hooks *hooks = arg;
    hooks->calls[1]++;
}

static void
on_last_hook(void *arg)
{
    struct hooks *hooks = arg;
    hooks->calls[2]++;
    loop_stop(hooks->loop);
}

static void
a_turn_hook_may_end_itself_and_others(void **state)
{
    (void)state;
    struct trace trace = fresh();
    struct hooks hooks = { .loop = trace.loop };
    loop_fn *fn[3] = { on_hook_that_ends_the_next, on_hook_that_was_ended,
                       on_last_hook };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(
            loop_turn_create(trace.loop, fn[i], &hooks, &hooks.turn[i]),
            STATUS_OK);
    }
    loop_run(trace.loop);
    assert_int_equal(hooks.calls[0], 1);
    assert_int_equal(hooks.calls[1], 0);
    assert_int_equal(hooks.calls[2], 1);
    loop_turn_destroy(hooks.turn[2]);
    loop_destroy(trace.loop);
}

/* Makes one of each; gives up at the first that fails. */
static enum status
make_one_of_each(void)
{
    struct loop *loop = NULL;
    struct loop_timer *timer = NULL;
    struct loop_io *io = NULL;
    struct loop_signal *usr2 = NULL;
    struct loop_bell *bell = NULL;
    struct loop_turn *turn = NULL;
    enum status status = loop_create(&loop);
    if (status != STATUS_OK) {
        return status;
    }
    status = loop_timer_create(loop, on_letter, NULL, &timer);
    if (status == STATUS_OK) {
        status = loop_io_create(loop, 0, on_ready, NULL, &io);
    }
    if (status == STATUS_OK) {
        status = loop_signal_create(loop, SIGUSR2, on_letter, NULL, &usr2);
    }
    if (status == STATUS_OK) {
        status = loop_bell_create(loop, on_bell, NULL, &bell);
    }
    if (status == STATUS_OK) {
        status = loop_turn_create(loop, on_turn, NULL, &turn);
    }
    if (status == STATUS_OK) {
        status = loop_defer(loop, on_letter, NULL);
    }
    loop_turn_destroy(turn);
    loop_bell_destroy(bell);
    loop_signal_destroy(usr2);
    loop_io_destroy(io);
    loop_timer_destroy(timer);
    loop_destroy(loop);
    return status;
}

static void
memory_may_run_out_anywhere(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    long n = 0;
    for (; status != STATUS_OK && n < 100; n++) {
        (void)mem_fail_after(n, 0);
        status = make_one_of_each();
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
    }
    assert_true(n > 6);
    assert_int_equal(status, STATUS_OK);
    loop_destroy(NULL);
}

static void
the_clocks_run(void **state)
{
    (void)state;
    int64_t before = clock_monotonic_us();
    assert_true(clock_monotonic_us() >= before);
    assert_true(clock_monotonic_ms() >= before / 1000);
    assert_true(clock_unix_ms() > INT64_C(1600000000000));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deferred_calls_run_in_order_and_before_the_turn_hooks),
        cmocka_unit_test(many_calls_can_be_deferred),
        cmocka_unit_test(a_stop_before_the_run_is_not_lost),
        cmocka_unit_test(a_timer_fires_once_an_arming_and_never_early),
        cmocka_unit_test(a_disarmed_timer_stays_silent),
        cmocka_unit_test(a_descriptor_is_watched_for_what_is_wanted),
        cmocka_unit_test(an_unwanted_descriptor_is_left_alone),
        cmocka_unit_test(a_signal_reaches_the_loop),
        cmocka_unit_test(rings_of_another_thread_wake_the_loop),
        cmocka_unit_test(a_turn_hook_may_end_itself_and_others),
        cmocka_unit_test(memory_may_run_out_anywhere),
        cmocka_unit_test(the_clocks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
