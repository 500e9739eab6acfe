/* SPDX-License-Identifier: MIT */
/*
 * poll_pace: what walks and webhooks bring, on its way to model/pace, and the
 * interval that comes of it.
 */
#include "io/loop.h"
#include "source/source_poll_private.h"

static bool
is_paced(const struct source_poll *poll)
{
    return poll->settings.pace.slowest_ms > 0;
}

void
poll_pace_stored(struct source_poll *poll, const struct verdict *verdict)
{
    int64_t now_ms = source_poll_provider_ms(poll);
    poll->brought.fresh += verdict->fresh;
    /* Ages are by the provider's clock; without one nothing is overdue. */
    if (now_ms > 0 && verdict->oldest_ms > 0 &&
        now_ms - verdict->oldest_ms > poll->brought.oldest_ms) {
        poll->brought.oldest_ms = now_ms - verdict->oldest_ms;
    }
}

void
poll_pace_walked(struct source_poll *poll)
{
    /* The first walk also brings what came to pass while we were away, which
     * says nothing about webhooks. */
    if (!poll->walked) {
        poll->brought = (struct pace_walk){ 0 };
        poll->walked = true;
    }
    if (is_paced(poll)) {
        poll->settings.cadence.every_ms =
            pace_next_ms(&poll->pace, &poll->settings.pace, &poll->brought,
                         loop_now_ms(poll->loop), &poll->prng);
    }
    poll->brought = (struct pace_walk){ 0 };
}

void
source_poll_hooked(struct source_poll *poll, size_t fresh, size_t caught_up)
{
    if (is_paced(poll)) {
        pace_hooked(&poll->pace, fresh, caught_up, loop_now_ms(poll->loop));
    }
}

struct poll_figures
source_poll_figures(const struct source_poll *poll)
{
    const struct cadence *cadence = &poll->settings.cadence;
    struct poll_figures figures = {
        .interval_ms = cadence->cron != NULL ? 0 : cadence->every_ms,
        .overlap_ms = poll->plan.overlap_ms,
        .covered_ms = poll_lag_covered_ms(poll),
        .lag_max_ms = lag_max_ms(&poll->state.lag),
        .lag_p99_ms = lag_p99_ms(&poll->state.lag),
        .hurried = is_paced(poll) && pace_is_panic(&poll->pace),
    };
    return figures;
}
