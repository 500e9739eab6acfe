/* SPDX-License-Identifier: MIT */
#include "model/cadence.h"

#include "base/instant.h"

static int64_t
later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t
sooner_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How long the provider wants to be left alone between two walks. */
static int64_t
least_ms(const struct cadence *cadence, const struct cadence_input *input)
{
    return later_of(cadence->interval_min_ms, input->asked_min_ms);
}

/* When the last walk began, by the clock as it is now: one that was set back
 * has it too late, or in the future, and one that slept passes less than it
 * says. */
static int64_t
started(const struct cadence_input *input)
{
    return sooner_of(input->started_ms, input->now_ms - input->passed_ms);
}

/* When the next walk would be due if the last one had gone well. */
static int64_t
planned(const struct cadence *cadence, const struct cadence_input *input)
{
    int64_t least = least_ms(cadence, input);
    if (input->started_ms == 0) {
        return input->now_ms;
    }
    int64_t began = started(input);
    if (input->wanted) {
        return instant_add(began, later_of(least, input->apart_ms));
    }
    if (cadence->cron != NULL) {
        return later_of(cron_next(cadence->cron, began),
                        instant_add(began, least));
    }
    return instant_add(began, later_of(cadence->every_ms, least));
}

/* 1 s, 2 s, 4 s …, the upper half drawn, so that agents that failed together
 * do not come back together. */
static int64_t
backoff_ms(unsigned failures, struct prng *prng)
{
    unsigned doublings = failures - 1 < 20 ? failures - 1 : 20;
    int64_t wait = INSTANT_SECOND_MS << doublings;
    return wait - (int64_t)prng_below(prng, (uint64_t)wait / 2 + 1);
}

int64_t
cadence_next(const struct cadence *cadence, const struct cadence_input *input,
             struct prng *prng)
{
    int64_t due = planned(cadence, input);
    if (input->failures > 0) {
        /* The regular plan, counted from now, is the longest wait. */
        struct cadence_input fresh = *input;
        fresh.started_ms = input->now_ms;
        fresh.passed_ms = 0;
        fresh.wanted = false; /* a wish makes nothing work */
        due = sooner_of(
            instant_add(input->now_ms, backoff_ms(input->failures, prng)),
            planned(cadence, &fresh));
        due = later_of(due,
                       instant_add(started(input), least_ms(cadence, input)));
    }
    due = later_of(due, input->not_before_ms);
    return later_of(due, input->now_ms);
}
