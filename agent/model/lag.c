/* SPDX-License-Identifier: MIT */
#include "model/lag.h"

static int64_t
bound_ms(size_t bucket)
{
    return bucket == 0 ? 0 : INSTANT_SECOND_MS << (bucket - 1);
}

void
lag_note(struct lag_tally *tally, int64_t lag_ms)
{
    size_t bucket = 0;
    if (lag_ms < 0) {
        return;
    }
    while (bucket < LAG_BUCKETS - 1 && lag_ms > bound_ms(bucket)) {
        bucket++;
    }
    if (tally->counts[bucket] < UINT32_MAX) {
        tally->counts[bucket]++;
    }
    tally->max_ms = lag_ms > tally->max_ms ? lag_ms : tally->max_ms;
}

void
lag_join(struct lag_tally *into, const struct lag_tally *from)
{
    for (size_t i = 0; i < LAG_BUCKETS; i++) {
        uint32_t room = UINT32_MAX - into->counts[i];
        into->counts[i] += from->counts[i] < room ? from->counts[i] : room;
    }
    into->max_ms = from->max_ms > into->max_ms ? from->max_ms : into->max_ms;
}

void
lag_turn(struct lag *lag, int64_t now_ms)
{
    if (lag->turned_ms == 0) {
        lag->turned_ms = now_ms;
    }
    if (now_ms - lag->turned_ms < LAG_SPAN_MS) {
        return;
    }
    /* After a long sleep both are too old. */
    lag->before = now_ms - lag->turned_ms < 2 * LAG_SPAN_MS
                      ? lag->now
                      : (struct lag_tally){ 0 };
    lag->now = (struct lag_tally){ 0 };
    lag->turned_ms = now_ms;
}

int64_t
lag_max_ms(const struct lag *lag)
{
    return lag->now.max_ms > lag->before.max_ms ? lag->now.max_ms
                                                : lag->before.max_ms;
}

int64_t
lag_p99_ms(const struct lag *lag)
{
    int64_t max_ms = lag_max_ms(lag);
    uint64_t all = 0;
    uint64_t within = 0;
    for (size_t i = 0; i < LAG_BUCKETS; i++) {
        all += (uint64_t)lag->now.counts[i] + lag->before.counts[i];
    }
    for (size_t i = 0; i < LAG_BUCKETS - 1; i++) {
        within += (uint64_t)lag->now.counts[i] + lag->before.counts[i];
        if (within * 100 >= all * 99) {
            return bound_ms(i) < max_ms ? bound_ms(i) : max_ms;
        }
    }
    return max_ms;
}

bool
lag_is_short(int64_t max_ms, int64_t covered_ms)
{
    return covered_ms > 0 && max_ms > covered_ms - covered_ms / 5;
}
