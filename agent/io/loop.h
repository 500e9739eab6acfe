/* SPDX-License-Identifier: MIT */
/*
 * loop: the libev gate: timers, descriptors, signals, and posts from other
 * threads.
 *
 * Three rules hold for every callback of the program: exactly once where one
 * answer is promised, on the loop's thread, and never before the call that
 * started it has returned (loop_defer is there for that). Everything but
 * loop_post is for the loop's own thread.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
typedef void loop_fn(void *arg);

NODISCARD
enum status loop_create(struct loop **ret_loop);
void loop_destroy(struct loop *loop); /* NULL is allowed */

/* Runs until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Monotonic ms at the start of this turn; never goes back, not affected by
 * clock changes. */
int64_t loop_now_ms(const struct loop *loop);

/* Calls `fn` in this turn's end, after all ready descriptors, in the order of
 * the calls; what it defers itself runs in the next turn. */
NODISCARD
enum status loop_defer(struct loop *loop, loop_fn *fn, void *arg);

/* A timer that fires once each time it is armed. */
struct loop_timer;
NODISCARD
enum status loop_timer_create(struct loop *loop, loop_fn *fn, void *arg,
                              struct loop_timer **ret);
void loop_timer_arm(struct loop_timer *timer, int64_t delay_ms);
void loop_timer_disarm(struct loop_timer *timer);
bool loop_timer_armed(const struct loop_timer *timer);
void loop_timer_destroy(struct loop_timer *timer);

/* A descriptor, which stays the caller's; not watched until loop_io_want. */
enum { LOOP_READ = 1, LOOP_WRITE = 2 };
struct loop_io;
typedef void loop_io_fn(void *arg, int ready);
NODISCARD
enum status loop_io_create(struct loop *loop, int fd, loop_io_fn *fn, void *arg,
                           struct loop_io **ret);
void loop_io_want(struct loop_io *io, int what);
void loop_io_destroy(struct loop_io *io);

struct loop_signal;
NODISCARD
enum status loop_signal_create(struct loop *loop, int signal, loop_fn *fn,
                               void *arg, struct loop_signal **ret);
void loop_signal_destroy(struct loop_signal *signal);

/* A bell other threads may ring; several rings before the loop wakes are one.
 */
struct loop_bell;
NODISCARD
enum status loop_bell_create(struct loop *loop, loop_fn *fn, void *arg,
                             struct loop_bell **ret);
void loop_bell_ring(struct loop_bell *bell); /* any thread */
void loop_bell_destroy(struct loop_bell *bell);

/* Calls `fn` once before the loop sleeps, each turn: for work that is gathered
 * over a turn and handed over once. */
struct loop_turn;
NODISCARD
enum status loop_turn_create(struct loop *loop, loop_fn *fn, void *arg,
                             struct loop_turn **ret);
void loop_turn_destroy(struct loop_turn *turn);

#endif
