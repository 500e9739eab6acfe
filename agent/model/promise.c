/* SPDX-License-Identifier: MIT */
#include "model/promise.h"

#include "base/instant.h"
#include "model/cadence.h"
#include "model/pace.h"

/* A disk that takes longer to commit is a broken one, and said to be. */
#define COMMIT_MS INSTANT_SECOND_MS

struct interval {
    int64_t shortest_ms;
    int64_t longest_ms;
};

static int64_t
longer_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* From one walk of the first tier to the next. */
static struct interval
interval_of(const struct connector *connector)
{
    const struct poll_spec *poll = &connector->poll;
    struct interval of = { poll->every_ms, poll->every_ms };
    if (poll->pace == PACE_ADAPTIVE) {
        struct pace_plan plan = pace_plan_of(connector);
        of = (struct interval){ plan.fastest_ms, plan.slowest_ms };
    } else if (poll->cron_plan != NULL) {
        of.shortest_ms = cron_shortest_ms(poll->cron_plan);
        of.longest_ms = cron_longest_ms(poll->cron_plan);
    }
    of.shortest_ms = longer_of(of.shortest_ms, poll->interval_min_ms);
    of.longest_ms = longer_of(of.longest_ms, poll->interval_min_ms);
    return of;
}

/* How late the list may show an event that walks so far apart still find: what
 * it drops before the next one comes, no overlap brings back. */
static int64_t
bound_of(const struct poll_spec *poll, int64_t overlap_ms, int64_t apart_ms)
{
    int64_t bound_ms = overlap_ms + poll->settle_ms;
    int64_t kept_ms = longer_of(poll->retention_ms - apart_ms, 0);
    return poll->retention_ms > 0 && kept_ms < bound_ms ? kept_ms : bound_ms;
}

static void
take_tier(struct promise *promise, const struct poll_spec *poll,
          const struct sweep_spec *tier)
{
    int64_t most_ms = longer_of(tier->overlap_ms, tier->overlap_most_ms);
    promise->shown_ms = longer_of(
        promise->shown_ms, bound_of(poll, tier->overlap_ms, tier->every_ms));
    promise->shown_most_ms = longer_of(promise->shown_most_ms,
                                       bound_of(poll, most_ms, tier->every_ms));
}

struct promise
promise_of(const struct connector *connector)
{
    const struct poll_spec *poll = &connector->poll;
    const struct sweep_spec *sweeps = poll->sweeps.at;
    struct interval interval = interval_of(connector);
    struct promise promise = {
        .walk_ms = bound_of(poll, poll->overlap_ms, interval.longest_ms),
        .interval_ms = interval.longest_ms,
        .stale_ms = interval.longest_ms + poll->timeout_ms + COMMIT_MS,
        .calls_least = INSTANT_DAY_MS / interval.longest_ms,
        .calls_most = INSTANT_DAY_MS / interval.shortest_ms,
    };
    if (poll->gate.request.url != NULL) {
        /* The clock is looked at between two questions to the gate. */
        promise.stale_ms += poll->gate.timeout_ms;
    }
    take_tier(&promise, poll,
              &(struct sweep_spec){ .every_ms = interval.longest_ms,
                                    .overlap_ms = poll->overlap_ms,
                                    .overlap_most_ms = poll->overlap_most_ms });
    for (size_t i = 0; i < poll->sweeps.count; i++) {
        take_tier(&promise, poll, &sweeps[i]);
        promise.calls_least += INSTANT_DAY_MS / sweeps[i].every_ms;
        promise.calls_most += INSTANT_DAY_MS / sweeps[i].every_ms;
    }
    return promise;
}
