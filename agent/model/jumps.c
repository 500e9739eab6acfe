/* SPDX-License-Identifier: MIT */
/* jumps: the last few, walked backwards from now. */
#include "model/jumps.h"

#include <string.h>

#include "base/instant.h"

bool
jumps_note(struct jumps *jumps, int64_t unix_ms, int64_t steady_ms)
{
    int64_t ahead_ms = unix_ms - steady_ms;
    int64_t by_ms = jumps->begun ? ahead_ms - jumps->ahead_ms : 0;
    jumps->begun = true;
    jumps->ahead_ms = ahead_ms;
    if (by_ms <= INSTANT_MINUTE_MS && by_ms >= -INSTANT_MINUTE_MS) {
        return false;
    }
    if (jumps->count == JUMPS_KEPT) {
        jumps->count--;
        memmove(&jumps->at[0], &jumps->at[1],
                jumps->count * sizeof(jumps->at[0]));
    }
    jumps->at[jumps->count].from_ms = unix_ms - by_ms;
    jumps->at[jumps->count].to_ms = unix_ms;
    jumps->count++;
    return by_ms < 0;
}

int64_t
jumps_age(const struct jumps *jumps, int64_t since_ms, int64_t now_ms)
{
    int64_t age_ms = 0;
    int64_t until_ms = now_ms;
    for (size_t i = jumps == NULL ? 0 : jumps->count; i > 0; i--) {
        /* Behind this jump, by what the clock said then? Where it was set back
         * that cannot be told of all; the shorter age is taken. */
        if (since_ms >= jumps->at[i - 1].to_ms && since_ms <= until_ms) {
            break;
        }
        age_ms += until_ms - jumps->at[i - 1].to_ms;
        until_ms = jumps->at[i - 1].from_ms;
    }
    age_ms += until_ms - since_ms;
    return age_ms < 0 ? 0 : age_ms;
}
