/* SPDX-License-Identifier: MIT */
/*
 * brake: how many attempts a handler may be given now: by its circuit breaker,
 * by what its answers ask, and by its rate; one for each outlet.
 *
 * Nothing here costs a delivery an attempt: what may not start stays in the
 * store, unclaimed, and `wake` comes when it may. Times are monotonic, so a
 * clock that jumps neither opens nor strands anything.
 */
#ifndef FLOW_BRAKE_H
#define FLOW_BRAKE_H

#include "base/bytes.h"
#include "flow/telemetry.h"
#include "handler/handler.h"
#include "io/loop.h"
#include "model/breaker.h"
#include "model/pulse.h"
#include "model/quota.h"

struct brake_rules {
    struct breaker_policy breaker;
    int64_t rate;        /* attempts … */
    int64_t rate_per_ms; /* … in so long; 0: as fast as it can */
};

struct brake;

struct brake_settings {
    const struct brake_rules *rules;
    struct slice handler; /* its name */
    const struct telemetry_handler *counts;
    uint64_t seed;
    loop_fn *wake; /* attempts that found no room may have it */
    void *arg;
};

/* Borrows what the settings point to. */
NODISCARD
enum status brake_create(struct loop *loop,
                         const struct brake_settings *settings,
                         struct brake **ret);
void brake_destroy(struct brake *brake); /* NULL is allowed */

/* How many attempts may be asked for now; `most` at most. Where there is no
 * room now, `wake` comes when there may be. */
int64_t brake_room(struct brake *brake, int64_t most);

/* Whether one may be held for an event that is not stored yet. */
bool brake_takes_hot(const struct brake *brake);

/* Takes `count` of the rate, or gives back what was taken and not used. */
void brake_take(struct brake *brake, int64_t count);
void brake_give(struct brake *brake, int64_t count);

/* An attempt begins, if it still may: a breaker that has opened since its claim
 * lets only the probe through. */
bool brake_begin(struct brake *brake, bool *ret_is_probe);

/* An attempt that brake_begin let through is over; a NULL result: its handler
 * was not asked. */
void brake_end(struct brake *brake, bool is_probe, uint64_t event,
               const struct handler_result *result);

/* How it stands, for people. */
struct brake_figures {
    enum breaker_state state;
    int64_t wait_ms; /* until attempts may start again; 0: they may */
    size_t running;  /* attempts that have begun and not ended */
    struct pulse_figures pulse;
};
struct brake_figures brake_figures(struct brake *brake);

#endif
