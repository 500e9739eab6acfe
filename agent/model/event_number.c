/* SPDX-License-Identifier: MIT */
#include "model/event_number.h"

static unsigned
agent_of(uint64_t number)
{
    return (unsigned)(number >> EVENT_AGENT_SHIFT) & EVENT_AGENT_MAX;
}

uint64_t
event_number_next(uint64_t last, int64_t now_ms, unsigned agent)
{
    const uint64_t bits = (uint64_t)agent << EVENT_AGENT_SHIFT;
    const uint64_t by_clock =
        now_ms > 0 ? (uint64_t)now_ms << EVENT_MS_SHIFT | bits : bits;
    if (by_clock > last) {
        return by_clock;
    }
    if (agent == 0 || agent_of(last + 1) == agent) {
        return last + 1;
    }
    /* The last is another agent's, or the count is full: a millisecond on. */
    return ((last >> EVENT_MS_SHIFT) + 1) << EVENT_MS_SHIFT | bits;
}
