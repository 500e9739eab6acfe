/* SPDX-License-Identifier: MIT */
#include "io/loop.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/list.h"
#include "base/mem.h"
#include "io/clock.h"

struct deferred {
    loop_fn *fn;
    void *arg;
};

/* Grows once and is used again each turn, so that deferring costs nothing. */
struct deferred_queue {
    struct deferred *at;
    size_t count;
    size_t cap;
};

struct loop {
    struct ev_loop *ev;
    ev_prepare before_sleep;
    ev_check after_sleep;
    ev_idle stay_awake; /* active while something is deferred */
    struct deferred_queue queued;
    struct deferred_queue running;
    struct list turns;
    struct list *next_turn; /* lets a hook destroy any other */
    int64_t now_ms;
    bool is_running;
    bool is_stopped;
};

struct loop_timer {
    ev_timer ev;
    struct loop *loop;
    loop_fn *fn;
    void *arg;
    int64_t due_ms; /* by loop_now_ms, while it is armed */
    bool is_armed;
};

struct loop_io {
    ev_io ev;
    struct loop *loop;
    loop_io_fn *fn;
    void *arg;
    int fd;
    int want;
};

struct loop_signal {
    ev_signal ev;
    struct loop *loop;
    loop_fn *fn;
    void *arg;
};

struct loop_bell {
    ev_async ev;
    struct loop *loop;
    loop_fn *fn;
    void *arg;
};

struct loop_turn {
    struct list link;
    struct loop *loop;
    loop_fn *fn;
    void *arg;
};

/* EX_TEMPFAIL: whoever starts us may try again later. */
enum { EXIT_LATER = 75 };

static _Noreturn void
die(const char *what)
{
    (void)fprintf(stderr, "longstop: the event loop cannot go on: %s\n", what);
    _exit(EXIT_LATER);
}

/*
 * libev cannot be told that memory is short: it would abort with a core. What
 * it asks for are small tables that grow with the number of descriptors. This
 * is the one place beside base/mem that calls realloc, because the tests'
 * failing allocator must not end the test.
 */
static void *
allocate(void *old, long size)
{
    if (size == 0) {
        free(old);
        return NULL;
    }
    void *block = realloc(old, (size_t)size);
    if (block == NULL) {
        die("out of memory");
    }
    return block;
}

static void
on_after_sleep(struct ev_loop *ev, ev_check *check, int events)
{
    (void)ev;
    (void)events;
    struct loop *loop = check->data;
    loop->now_ms = clock_monotonic_ms();
}

/* What a callback defers lands in the other queue, for the next turn. */
static void
run_deferred(struct loop *loop)
{
    struct deferred_queue batch = loop->queued;
    loop->queued = loop->running;
    loop->running = batch;
    for (size_t i = 0; i < batch.count; i++) {
        batch.at[i].fn(batch.at[i].arg);
    }
    loop->running.count = 0;
}

static void
run_turns(struct loop *loop)
{
    struct list *at = loop->turns.next;
    while (at != &loop->turns) {
        struct loop_turn *turn = list_entry(at, struct loop_turn, link);
        loop->next_turn = at->next;
        turn->fn(turn->arg);
        at = loop->next_turn;
    }
    loop->next_turn = NULL;
}

static void
on_before_sleep(struct ev_loop *ev, ev_prepare *prepare, int events)
{
    (void)events;
    struct loop *loop = prepare->data;
    run_deferred(loop);
    run_turns(loop);
    /* an active idle watcher makes libev poll instead of sleeping */
    if (loop->queued.count > 0) {
        ev_idle_start(ev, &loop->stay_awake);
    } else {
        ev_idle_stop(ev, &loop->stay_awake);
    }
}

static void
on_idle(struct ev_loop *ev, ev_idle *idle, int events)
{
    (void)ev;
    (void)idle;
    (void)events;
}

enum status
loop_create(struct loop **ret_loop)
{
    struct loop *loop = mem_zero(sizeof(*loop));
    if (loop == NULL) {
        return STATUS_NOMEM;
    }
    ev_set_allocator(allocate);
    ev_set_syserr_cb(die);
    /* LIBEV_FLAGS in the environment is not ours to obey */
    loop->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    if (loop->ev == NULL) {
        mem_free(loop);
        return STATUS_NOMEM;
    }
    list_init(&loop->turns);
    loop->now_ms = clock_monotonic_ms();

    ev_prepare_init(&loop->before_sleep, on_before_sleep);
    loop->before_sleep.data = loop;
    ev_prepare_start(loop->ev, &loop->before_sleep);

    ev_check_init(&loop->after_sleep, on_after_sleep);
    loop->after_sleep.data = loop;
    ev_set_priority(&loop->after_sleep, EV_MAXPRI);
    ev_check_start(loop->ev, &loop->after_sleep);

    ev_idle_init(&loop->stay_awake, on_idle);
    *ret_loop = loop;
    return STATUS_OK;
}

void
loop_destroy(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    PRE(!loop->is_running);
    PRE(list_empty(&loop->turns));
    ev_loop_destroy(loop->ev);
    mem_free(loop->queued.at);
    mem_free(loop->running.at);
    mem_free(loop);
}

/* Outside of a turn libev's idea of now is as old as the last one. */
static void
refresh_now(struct loop *loop)
{
    if (!loop->is_running) {
        ev_now_update(loop->ev);
        loop->now_ms = clock_monotonic_ms();
    }
}

void
loop_run(struct loop *loop)
{
    PRE(!loop->is_running);
    refresh_now(loop);
    loop->is_running = true;
    while (!loop->is_stopped) {
        (void)ev_run(loop->ev, 0);
    }
    loop->is_stopped = false;
    loop->is_running = false;
}

void
loop_stop(struct loop *loop)
{
    loop->is_stopped = true;
    ev_break(loop->ev, EVBREAK_ALL);
}

int64_t
loop_now_ms(const struct loop *loop)
{
    return loop->is_running ? loop->now_ms : clock_monotonic_ms();
}

enum status
loop_defer(struct loop *loop, loop_fn *fn, void *arg)
{
    struct deferred_queue *queue = &loop->queued;
    if (queue->count == queue->cap) {
        size_t cap = queue->cap == 0 ? 16 : queue->cap * 2;
        struct deferred *at = mem_resize(queue->at, cap, sizeof(*at));
        if (at == NULL) {
            return STATUS_NOMEM;
        }
        queue->at = at;
        queue->cap = cap;
    }
    queue->at[queue->count++] = (struct deferred){ .fn = fn, .arg = arg };
    return STATUS_OK;
}

static void
start_timer(struct loop_timer *timer, int64_t delay_ms)
{
    /* libev read its clock a little before loop_now_ms was set: the millisecond
     * more spares most of the turns that would come too early */
    double delay_s = delay_ms <= 0 ? 0. : ((double)delay_ms + 1.) / 1000.;
    ev_timer_set(&timer->ev, delay_s, 0.);
    ev_timer_start(timer->loop->ev, &timer->ev);
}

static void
on_timer(struct ev_loop *ev, ev_timer *watcher, int events)
{
    (void)ev;
    (void)events;
    struct loop_timer *timer = watcher->data;
    int64_t early_ms = timer->due_ms - timer->loop->now_ms;
    if (early_ms > 0) {
        start_timer(timer, early_ms); /* we were held up between both reads */
        return;
    }
    timer->is_armed = false;
    timer->fn(timer->arg);
}

enum status
loop_timer_create(struct loop *loop, loop_fn *fn, void *arg,
                  struct loop_timer **ret)
{
    struct loop_timer *timer = mem_zero(sizeof(*timer));
    if (timer == NULL) {
        return STATUS_NOMEM;
    }
    timer->loop = loop;
    timer->fn = fn;
    timer->arg = arg;
    ev_timer_init(&timer->ev, on_timer, 0., 0.);
    timer->ev.data = timer;
    *ret = timer;
    return STATUS_OK;
}

void
loop_timer_arm(struct loop_timer *timer, int64_t delay_ms)
{
    struct loop *loop = timer->loop;
    refresh_now(loop);
    ev_timer_stop(loop->ev, &timer->ev);
    timer->due_ms = instant_add(loop->now_ms, delay_ms <= 0 ? 0 : delay_ms);
    start_timer(timer, delay_ms);
    timer->is_armed = true;
}

void
loop_timer_disarm(struct loop_timer *timer)
{
    ev_timer_stop(timer->loop->ev, &timer->ev);
    timer->is_armed = false;
}

bool
loop_timer_armed(const struct loop_timer *timer)
{
    return timer->is_armed;
}

void
loop_timer_destroy(struct loop_timer *timer)
{
    if (timer != NULL) {
        ev_timer_stop(timer->loop->ev, &timer->ev);
        mem_free(timer);
    }
}

static void
on_io(struct ev_loop *ev, ev_io *watcher, int events)
{
    (void)ev;
    struct loop_io *io = watcher->data;
    int ready = ((events & EV_READ) != 0 ? LOOP_READ : 0) |
                ((events & EV_WRITE) != 0 ? LOOP_WRITE : 0);
    if ((events & EV_ERROR) != 0) {
        /* a bad descriptor: the read or write that follows says why */
        ready = io->want;
        io->want = 0;
    }
    io->fn(io->arg, ready);
}

enum status
loop_io_create(struct loop *loop, int fd, loop_io_fn *fn, void *arg,
               struct loop_io **ret)
{
    struct loop_io *io = mem_zero(sizeof(*io));
    if (io == NULL) {
        return STATUS_NOMEM;
    }
    io->loop = loop;
    io->fn = fn;
    io->arg = arg;
    io->fd = fd;
    ev_io_init(&io->ev, on_io, fd, 0);
    io->ev.data = io;
    *ret = io;
    return STATUS_OK;
}

void
loop_io_want(struct loop_io *io, int what)
{
    if (what == io->want) {
        return;
    }
    io->want = what;
    ev_io_stop(io->loop->ev, &io->ev);
    if (what == 0) {
        return;
    }
    int events = ((what & LOOP_READ) != 0 ? EV_READ : 0) |
                 ((what & LOOP_WRITE) != 0 ? EV_WRITE : 0);
    ev_io_set(&io->ev, io->fd, events);
    ev_io_start(io->loop->ev, &io->ev);
}

void
loop_io_destroy(struct loop_io *io)
{
    if (io != NULL) {
        ev_io_stop(io->loop->ev, &io->ev);
        mem_free(io);
    }
}

static void
on_signal(struct ev_loop *ev, ev_signal *watcher, int events)
{
    (void)ev;
    (void)events;
    struct loop_signal *signal = watcher->data;
    signal->fn(signal->arg);
}

enum status
loop_signal_create(struct loop *loop, int signal, loop_fn *fn, void *arg,
                   struct loop_signal **ret)
{
    struct loop_signal *made = mem_zero(sizeof(*made));
    if (made == NULL) {
        return STATUS_NOMEM;
    }
    made->loop = loop;
    made->fn = fn;
    made->arg = arg;
    ev_signal_init(&made->ev, on_signal, signal);
    made->ev.data = made;
    ev_signal_start(loop->ev, &made->ev);
    *ret = made;
    return STATUS_OK;
}

void
loop_signal_destroy(struct loop_signal *signal)
{
    if (signal != NULL) {
        ev_signal_stop(signal->loop->ev, &signal->ev);
        mem_free(signal);
    }
}

static void
on_bell(struct ev_loop *ev, ev_async *watcher, int events)
{
    (void)ev;
    (void)events;
    struct loop_bell *bell = watcher->data;
    bell->fn(bell->arg);
}

enum status
loop_bell_create(struct loop *loop, loop_fn *fn, void *arg,
                 struct loop_bell **ret)
{
    struct loop_bell *bell = mem_zero(sizeof(*bell));
    if (bell == NULL) {
        return STATUS_NOMEM;
    }
    bell->loop = loop;
    bell->fn = fn;
    bell->arg = arg;
    ev_async_init(&bell->ev, on_bell);
    bell->ev.data = bell;
    ev_async_start(loop->ev, &bell->ev);
    *ret = bell;
    return STATUS_OK;
}

void
loop_bell_ring(struct loop_bell *bell)
{
    ev_async_send(bell->loop->ev, &bell->ev);
}

void
loop_bell_destroy(struct loop_bell *bell)
{
    if (bell != NULL) {
        ev_async_stop(bell->loop->ev, &bell->ev);
        mem_free(bell);
    }
}

enum status
loop_turn_create(struct loop *loop, loop_fn *fn, void *arg,
                 struct loop_turn **ret)
{
    struct loop_turn *turn = mem_zero(sizeof(*turn));
    if (turn == NULL) {
        return STATUS_NOMEM;
    }
    turn->loop = loop;
    turn->fn = fn;
    turn->arg = arg;
    list_append(&loop->turns, &turn->link);
    *ret = turn;
    return STATUS_OK;
}

void
loop_turn_destroy(struct loop_turn *turn)
{
    if (turn == NULL) {
        return;
    }
    if (turn->loop->next_turn == &turn->link) {
        turn->loop->next_turn = turn->link.next;
    }
    list_remove(&turn->link);
    mem_free(turn);
}
