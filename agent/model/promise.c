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

struct promise
promise_of(const struct connector *connector)
{
    const struct poll_spec *poll = &connector->poll;
    const struct sweep_spec *sweeps = poll->sweeps.at;
    struct interval interval = interval_of(connector);
    struct promise promise = {
        .shown_ms = connector_overlap_ms(connector) + poll->settle_ms,
        .shown_most_ms = connector_overlap_most_ms(connector) + poll->settle_ms,
        .walk_ms = poll->overlap_ms + poll->settle_ms,
        .interval_ms = interval.longest_ms,
        .stale_ms = interval.longest_ms + poll->timeout_ms + COMMIT_MS,
        .calls_least = INSTANT_DAY_MS / interval.longest_ms,
        .calls_most = INSTANT_DAY_MS / interval.shortest_ms,
    };
    if (poll->gate.request.url != NULL) {
        /* The clock is looked at between two questions to the gate. */
        promise.stale_ms += poll->gate.timeout_ms;
    }
    for (size_t i = 0; i < poll->sweeps.count; i++) {
        promise.calls_least += INSTANT_DAY_MS / sweeps[i].every_ms;
        promise.calls_most += INSTANT_DAY_MS / sweeps[i].every_ms;
    }
    return promise;
}
