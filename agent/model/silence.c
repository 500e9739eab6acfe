/* SPDX-License-Identifier: MIT */
#include "model/silence.h"

#define UNLIKELY 5.0    /* as likely by chance as e^-5, one in 148 */
#define MEMORY   1000.0 /* events, above which what is old counts half */

static double
needed(const struct silence *silence, const struct silence_plan *plan)
{
    double share =
        (silence->shown + 0.5) / (silence->shown + silence->missed + 1);
    double by_chance = UNLIKELY / share;
    return by_chance > (double)plan->after ? by_chance : (double)plan->after;
}

void
silence_begin(struct silence *silence, int64_t now_ms)
{
    *silence = (struct silence){ .begun_ms = now_ms, .hook_ms = now_ms };
}

bool
silence_hooked(struct silence *silence, size_t events, int64_t now_ms)
{
    const bool ends = silence->silent;
    /* A silence is no share of anything: it was not chance. */
    silence->missed += ends ? 0 : (double)silence->row;
    silence->shown += (double)events;
    if (silence->shown + silence->missed > MEMORY) {
        silence->shown /= 2;
        silence->missed /= 2;
    }
    silence->row = 0;
    silence->hook_ms = now_ms;
    silence->hooked = true;
    silence->silent = false;
    return ends;
}

bool
silence_missed(struct silence *silence, const struct silence_plan *plan,
               size_t events, int64_t now_ms)
{
    /* Those that are counted now were accepted a grace ago: in the first one
     * after the begin, they may be what piled up while we were away. */
    if (now_ms - silence->begun_ms < 2 * plan->grace_ms) {
        return false;
    }
    silence->row += events;
    if (plan->after == 0 || silence->silent ||
        now_ms - silence->hook_ms < plan->grace_ms ||
        (double)silence->row < needed(silence, plan)) {
        return false;
    }
    silence->silent = true;
    return true;
}
