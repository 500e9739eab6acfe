/* SPDX-License-Identifier: MIT */
/*
 * poll_lag: how late the list shows events, kept with the walk's state.
 */
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
    poll->next.lag = *lag;
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
