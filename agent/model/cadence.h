/* SPDX-License-Identifier: MIT */
/*
 * cadence: when the next walk is due: an interval or a cron line. Pure.
 */
#ifndef MODEL_CADENCE_H
#define MODEL_CADENCE_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/prng.h"
#include "base/status.h"

#include <stdint.h>

/*
 * A cron line of five fields with lists, ranges, steps and names, or @hourly,
 * @daily, @weekly, @monthly, @yearly; UTC. When both day fields are given
 * either may match (crontab(5)). A line that can never match is refused.
 */
struct cron_plan;
NODISCARD
enum status cron_compile(struct slice text, struct arena *arena,
                         const struct cron_plan **ret_plan, struct error *err);

/* Returns the first time after `after_ms` that the plan names. */
int64_t cron_next(const struct cron_plan *plan, int64_t after_ms);

/* The shortest and the longest time between two runs of the plan. */
int64_t cron_shortest_ms(const struct cron_plan *plan);
int64_t cron_longest_ms(const struct cron_plan *plan);

struct cadence {
    int64_t every_ms;
    const struct cron_plan *cron; /* NULL: every */
    int64_t interval_min_ms;      /* the provider's, from its connector */
};

struct cadence_input {
    int64_t started_ms;    /* Unix ms, when the last walk began; 0: never */
    int64_t passed_ms;     /* since then, by a clock that nobody sets */
    int64_t now_ms;        /* Unix ms */
    unsigned failures;     /* walks failed in a row */
    int64_t asked_min_ms;  /* X-Poll-Interval of the last answer; 0: none */
    int64_t not_before_ms; /* Retry-After, budget; 0: none */
    bool wanted;           /* as soon as the provider allows, not by the plan */
    int64_t apart_ms; /* what is wanted begins so long after the last one */
};

/*
 * Returns when the next walk is due (Unix ms, never before now). Failures wait
 * 1 s, 2 s, 4 s … with jitter up to the interval, whoever wants one, and never
 * less than the provider's least. A schedule missed while asleep runs once,
 * now; a clock that was set back keeps nobody waiting for it to come round.
 */
int64_t cadence_next(const struct cadence *cadence,
                     const struct cadence_input *input, struct prng *prng);

#endif
