/* SPDX-License-Identifier: MIT */
/*
 * poll_lag: how late the list shows events, kept with the walk's state, and the
 * overlap where it follows that.
 */
#include "model/walk_overlap.h"
#include "source/source_poll_private.h"

void
poll_lag_stored(struct source_poll *poll, const struct verdict *verdict)
{
    struct lag *lag = &poll->state.lag;
    int64_t max_ms = lag_max_ms(lag);
    if (poll->state.hw_ms > 0) {
        lag_turn(lag, poll->state.hw_ms);
    }
    lag_join(&lag->now, &verdict->lag);
    /* Counts may wait for the next page to become durable. */
    poll->unsaved |= lag_max_ms(lag) > max_ms;
    if (poll->plan.most_ms > 0 && verdict->broken_ms > 0) {
        poll_lag_follow(poll);
        walk_overlap_broken(&poll->plan, &poll->state, verdict->broken_ms);
        poll->unsaved = true;
    }
    poll->next.lag = *lag;
    poll->next.again_ms = poll->state.again_ms;
}

void
poll_lag_follow(struct source_poll *poll)
{
    poll->plan.overlap_ms = walk_overlap_ms(
        &poll->plan, poll->settings.overlap_ms, &poll->state.lag);
}

int64_t
poll_lag_covered_ms(const struct source_poll *poll)
{
    const struct poll_spec *spec = &poll->settings.connector->poll;
    bool reads_again =
        (spec->cursor.kind == CURSOR_TIME || spec->cursor.kind == CURSOR_ID) &&
        poll->plan.overlap_ms > 0;
    return reads_again ? poll->plan.overlap_ms + spec->settle_ms : 0;
}
