/* SPDX-License-Identifier: MIT */
/*
 * breaker: whether a handler is left alone because it fails whatever it is
 * given. Pure.
 *
 * Closed: all may start. It opens when `failures` different events in a row
 * have failed, with no success between them. A share over a window would need
 * a volume that webhooks seldom have, and would count every retry of one bad
 * event; failures in a row tell "the handler is unwell" at any traffic, and one
 * event that fails again and again says nothing of the handler.
 *
 * Open: none may start until its time is over. Half-open: one may, the probe;
 * what becomes of it closes the breaker, or opens it again for twice as long.
 * Attempts that began before it opened are not asked any more.
 *
 * All times are ms of a clock that does not go back.
 */
#ifndef MODEL_BREAKER_H
#define MODEL_BREAKER_H

#include "base/prng.h"
#include "base/status.h"
#include "config/config_key.h"

#include <stdbool.h>
#include <stdint.h>

struct breaker_policy {
    int64_t failures; /* of different events in a row that open it; 0: none do
                       */
    int64_t open_ms;  /* the first time */
    int64_t cap_ms;   /* the longest; each time in a row is twice as long */
    int64_t hold_ms;  /* so long at most does an answer that asks to wait hold
                         all deliveries; 0: only its own */
};

/* The table of `breaker:` in a handler. */
extern const struct config_table breaker_table;

enum breaker_state { BREAKER_CLOSED, BREAKER_HALF_OPEN, BREAKER_OPEN };

/* "closed", "half-open", "open". */
const char *breaker_state_name(enum breaker_state state);

/* All zeroes is a closed one. */
struct breaker {
    unsigned failures;   /* in a row, of different events */
    uint64_t last_event; /* that failed */
    unsigned opened;     /* times in a row; 0: closed */
    int64_t until_ms;    /* open so long, then half-open */
    bool probing;
};

/* What an attempt that is over says of its handler. */
enum breaker_word {
    BREAKER_WELL,   /* it did its work, be it to refuse the event for good */
    BREAKER_UNWELL, /* it failed */
    BREAKER_NOTHING /* it was not asked, or asked to wait */
};

enum breaker_state breaker_state(const struct breaker *breaker, int64_t now_ms);

/* How many attempts may start now: INT64_MAX, 1 for the probe, or 0. */
int64_t breaker_room(const struct breaker *breaker, int64_t now_ms);

/* An attempt begins. Returns whether it is the probe, which breaker_end wants
 * to know. */
bool breaker_begin(struct breaker *breaker, int64_t now_ms);

/* An attempt at `event` has ended. Returns whether the breaker has opened, or
 * closed. The time it is open has its upper half drawn from `prng`. */
bool breaker_end(struct breaker *breaker, const struct breaker_policy *policy,
                 bool is_probe, uint64_t event, enum breaker_word word,
                 int64_t now_ms, struct prng *prng);

#endif
