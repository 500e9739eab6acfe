/* SPDX-License-Identifier: MIT */
/*
 * lag: how late a list shows its events, over a span of time that moves along:
 * the largest lag there was, and what 99 of 100 stay below. Pure.
 *
 * The samples are those of walk_lag_ms. Two spans are kept, this one and the
 * one before it, so that figures reach back one span at least and two at most.
 * All times are by the provider's clock.
 */
#ifndef MODEL_LAG_H
#define MODEL_LAG_H

#include "base/instant.h"

#include <stdbool.h>
#include <stdint.h>

#define LAG_SPAN_MS (7 * INSTANT_DAY_MS)

/* None, up to 1 s, 2 s, 4 s … 65,536 s, more. */
#define LAG_BUCKETS 19

struct lag_tally {
    uint32_t counts[LAG_BUCKETS];
    int64_t max_ms;
};

struct lag {
    struct lag_tally now;
    struct lag_tally before;
    int64_t turned_ms; /* when `now` began; 0: not yet */
};

/* `lag_ms` below 0 says nothing and counts nothing. */
void lag_note(struct lag_tally *tally, int64_t lag_ms);

void lag_join(struct lag_tally *into, const struct lag_tally *from);

/* Begins a new span where one is over at `now_ms`. */
void lag_turn(struct lag *lag, int64_t now_ms);

/* The largest lag, 0 where there was none. */
int64_t lag_max_ms(const struct lag *lag);

/* What 99 of 100 events stayed within, to the next power of two. */
int64_t lag_p99_ms(const struct lag *lag);

/* Whether what a walk reads again is too short for the largest lag, which
 * should use no more than four fifths of it. Where nothing is read again (0)
 * the order of the list is trusted. */
bool lag_is_short(int64_t max_ms, int64_t covered_ms);

#endif
