/* SPDX-License-Identifier: MIT */
#include "model/walk_overlap.h"

int64_t
walk_overlap_ms(const struct walk_plan *plan, int64_t least_ms,
                const struct lag *lag)
{
    int64_t wanted_ms = instant_add(lag_max_ms(lag), lag_max_ms(lag));
    if (wanted_ms <= least_ms || plan->most_ms <= least_ms) {
        return least_ms;
    }
    return wanted_ms < plan->most_ms ? wanted_ms : plan->most_ms;
}

int64_t
walk_overlap_reach_ms(const struct walk_plan *plan)
{
    return plan->most_ms > plan->overlap_ms ? plan->most_ms : plan->overlap_ms;
}

void
walk_overlap_broken(const struct walk_plan *plan, struct walk_state *state,
                    int64_t stamp_ms)
{
    int64_t again_ms = stamp_ms - plan->overlap_ms;
    again_ms = again_ms > 1 ? again_ms : 1; /* 0 is none */
    if (state->again_ms == 0 || again_ms < state->again_ms) {
        state->again_ms = again_ms;
    }
}
