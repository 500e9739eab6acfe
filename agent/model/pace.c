/* SPDX-License-Identifier: MIT */
#include "model/pace.h"

#include <math.h>

#include "base/instant.h"

#define HALVED_IN_MS  INSTANT_HOUR_MS
#define PANIC_WALKS   3
#define GROWTH        1.5
#define SILENT_EVENTS 5.0 /* as likely by chance as e^-5, one in 148 */
#define SURPRISE      5.0 /* times the misses that were to be expected */
#define DRAWN_BELOW   0.1 /* the share of T that chance may take off */

static int64_t
longer_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Lets the estimates fade. While nothing happens the time watched goes on, so
 * that a list which falls quiet is known to have done so. */
static void
fade(struct pace *pace, int64_t now_ms)
{
    double gone = (double)(now_ms - pace->faded_ms);
    if (gone <= 0) {
        return;
    }
    double left = exp2(-gone / (double)HALVED_IN_MS);
    pace->hits *= left;
    pace->misses *= left;
    /* What is watched fades while it is watched. */
    pace->watched_ms =
        pace->watched_ms * left + (double)HALVED_IN_MS / log(2) * (1 - left);
    pace->faded_ms = now_ms;
}

static double
events_per_ms(const struct pace *pace)
{
    return pace->watched_ms > 0 ? (pace->hits + pace->misses) / pace->watched_ms
                                : 0;
}

static double
miss_share(const struct pace *pace, const struct pace_plan *plan)
{
    return plan->hooked ? (pace->misses + 0.5) / (pace->misses + pace->hits + 1)
                        : 1;
}

/* T*, where asking more often costs more than it saves; in ms. */
static double
cheapest_ms(const struct pace *pace, const struct pace_plan *plan)
{
    double missed_per_ms = events_per_ms(pace) * miss_share(pace, plan);
    return missed_per_ms > 0 ? sqrt(2 * (double)plan->cost_ms / missed_per_ms)
                             : HUGE_VAL;
}

/* No webhook for so long that chance does not explain it. Found once: the
 * misses that walks find from then on say the rest. */
static bool
falls_silent(struct pace *pace, int64_t now_ms)
{
    double expected = events_per_ms(pace) * (double)(now_ms - pace->hook_ms);
    if (pace->silent || expected < SILENT_EVENTS) {
        return false;
    }
    pace->silent = true;
    return true;
}

/* Webhooks are overdue that the estimate did not foresee. Where misses are
 * usual T* has them in it, and each of them would be a false alarm. */
static bool
is_surprised(const struct pace *pace, const struct pace_plan *plan,
             const struct pace_walk *walk)
{
    double expected =
        events_per_ms(pace) * miss_share(pace, plan) * (double)pace->last_ms;
    return walk->fresh > 0 && walk->oldest_ms > PACE_OVERDUE_MS &&
           (double)walk->fresh > SURPRISE * expected;
}

static int64_t
held(const struct pace_plan *plan, double ms)
{
    if (ms <= (double)plan->fastest_ms) {
        return plan->fastest_ms;
    }
    return ms < (double)plan->slowest_ms ? (int64_t)ms : plan->slowest_ms;
}

struct pace_plan
pace_plan_of(const struct connector *connector)
{
    const struct poll_spec *poll = &connector->poll;
    const struct limit_spec *limit = &poll->limit;
    /* A walk is one request at least. */
    int64_t request_ms =
        limit->budget > 0 ? limit->budget_per_ms / limit->budget : 0;
    int64_t least_ms = longer_of(poll->interval_min_ms, request_ms);
    struct pace_plan plan = {
        .fastest_ms = longer_of(poll->fastest_ms, least_ms),
        .slowest_ms = longer_of(poll->slowest_ms, least_ms),
        .cost_ms = poll->cost_s * INSTANT_SECOND_MS,
        .hooked = connector_has_hooks(connector),
    };
    return plan;
}

void
pace_begin(struct pace *pace, const struct pace_plan *plan, int64_t now_ms)
{
    *pace = (struct pace){ .faded_ms = now_ms,
                           .hook_ms = now_ms,
                           .last_ms = plan->fastest_ms };
}

void
pace_hooked(struct pace *pace, size_t fresh, size_t caught_up, int64_t now_ms)
{
    fade(pace, now_ms);
    double back = (double)caught_up;
    pace->hits += (double)fresh + back;
    /* What it was counted as has faded since. */
    pace->misses = pace->misses > back ? pace->misses - back : 0;
    pace->hook_ms = now_ms;
    pace->silent = false;
}

int64_t
pace_next_ms(struct pace *pace, const struct pace_plan *plan,
             const struct pace_walk *walk, int64_t now_ms, struct prng *prng)
{
    fade(pace, now_ms);
    if (plan->hooked &&
        (falls_silent(pace, now_ms) || is_surprised(pace, plan, walk))) {
        pace->panics = PANIC_WALKS;
    }
    pace->misses += (double)walk->fresh;
    double next_ms =
        fmin(cheapest_ms(pace, plan), GROWTH * (double)pace->last_ms);
    pace->last_ms = held(plan, next_ms);
    if (pace->panics > 0) {
        pace->panics--;
        pace->last_ms = plan->fastest_ms;
    }
    int64_t drawn = (int64_t)((double)pace->last_ms * DRAWN_BELOW);
    return pace->last_ms - (int64_t)prng_below(prng, (uint64_t)drawn + 1);
}

bool
pace_is_panic(const struct pace *pace)
{
    return pace->panics > 0;
}
