/* SPDX-License-Identifier: MIT */
/*
 * pace: how long to wait between two walks when that follows what is seen:
 * seldom while webhooks show everything, often while they miss. Pure: time and
 * chance are arguments.
 *
 * A walk costs c event-seconds of staleness; events come at `rate`, and a
 * webhook misses one with probability p. What is lost a second, c/T for asking
 * and rate·p·T/2 for waiting, is least at T* = sqrt(2c / (rate·p)).
 *
 *     p = (misses + 1/2) / (misses + hits + 1), rate = events / time watched,
 *     all of them halved every hour
 *     T = min(T*, 1.5 · the last T), held between fastest and slowest,
 *     then multiplied by a draw from [0.9, 1]
 *
 * Panic, `fastest` for three walks: a walk found events whose webhooks are
 * overdue, more than the estimate foresees, or no webhook came while five were
 * to be expected. Whatever the estimates say, T is never above `slowest`.
 *
 * What a walk brings is a miss until its webhook comes and takes that back.
 */
#ifndef MODEL_PACE_H
#define MODEL_PACE_H

#include "base/prng.h"
#include "model/connector.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A webhook is overdue when its event is older. */
#define PACE_OVERDUE_MS ((int64_t)30000)

struct pace_plan {
    int64_t fastest_ms;
    int64_t slowest_ms; /* never below fastest */
    int64_t cost_ms;    /* event-milliseconds that one walk is worth */
    bool hooked;        /* there is a webhook channel; else p is 1 */
};

/* Start with pace_begin. Times are ms of one clock that does not go back. */
struct pace {
    double hits; /* these three fade */
    double misses;
    double watched_ms;
    int64_t faded_ms; /* when they last did */
    int64_t hook_ms;  /* of the last webhook */
    int64_t last_ms;  /* the last T, before chance */
    unsigned panics;  /* walks left at `fastest` */
    bool silent;      /* no webhooks: found once, until one comes */
};

/* What one walk brought. */
struct pace_walk {
    size_t fresh;      /* events that no webhook had shown before */
    int64_t oldest_ms; /* age of the oldest of them by the provider's clock */
};

/* What the connector asks for, never faster than its provider and its budget
 * allow. Only for PACE_ADAPTIVE. */
struct pace_plan pace_plan_of(const struct connector *connector);

void pace_begin(struct pace *pace, const struct pace_plan *plan,
                int64_t now_ms);

/* A request brought `fresh` new events, and showed `caught_up` ones that a walk
 * had brought before it. */
void pace_hooked(struct pace *pace, size_t fresh, size_t caught_up,
                 int64_t now_ms);

/* Returns how long after its begin the walk that has just ended is to be
 * followed by the next. */
int64_t pace_next_ms(struct pace *pace, const struct pace_plan *plan,
                     const struct pace_walk *walk, int64_t now_ms,
                     struct prng *prng);

/* Whether the next walks are hurried by a panic. */
bool pace_is_panic(const struct pace *pace);

#endif
