/* SPDX-License-Identifier: MIT */
#include "model/standing.h"

static enum standing
in_time(const struct standing_view *view)
{
    return view->now_ms - view->accepted_ms <= view->grace_ms
               ? STANDING_CONFIRMED
               : STANDING_SAME;
}

enum standing
standing_judge(const struct standing_view *view)
{
    if (!channel_is_hook(view->via)) {
        return view->is_first_row ? in_time(view) : STANDING_SAME;
    }
    if (!view->by_walk) {
        return STANDING_SAME;
    }
    switch (view->count) {
    case COUNT_NONE: return in_time(view);
    case COUNT_WAITS:
        /* What is counted decides, not the clock: an event is never both. */
        return STANDING_CONFIRMED;
    case COUNT_RECOVERED: return STANDING_LATE;
    case COUNT_BEFORE: break;
    }
    return STANDING_SAME;
}

int64_t
standing_over_ms(int64_t now_ms, int64_t grace_ms)
{
    return now_ms - grace_ms;
}
