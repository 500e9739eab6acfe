/* SPDX-License-Identifier: MIT */
/*
 * retry: when to try a delivery again, or that it should not be. Pure.
 */
#ifndef MODEL_RETRY_H
#define MODEL_RETRY_H

#include "base/prng.h"
#include "base/status.h"
#include "config/config_key.h"

#include <stdint.h>

struct retry_policy {
    int64_t attempts;   /* after this many, dead; >= 1 */
    int64_t first_ms;   /* longest wait before the second attempt */
    int64_t cap_ms;     /* longest wait */
    int64_t give_up_ms; /* age of the event at which it is dead; 0: never */
    /* Waits in their order, the last one for all behind; none: first_ms and
     * cap_ms say them. */
    const int64_t *schedule;
    size_t schedule_count;
};

/* The table of `retry:` in a handler. */
extern const struct config_table retry_table;

/* Returns the policy of Standard Webhooks: all of its waits, then dead. */
struct retry_policy retry_standard(void);

struct retry_plan {
    bool dead;
    int64_t due_ms;     /* Unix ms of the next attempt, when not dead */
    const char *reason; /* static words, when dead */
};

/* Returns first_ms, doubled once for each of `times` behind the first, up to
 * cap_ms. */
int64_t retry_doubled(int64_t first_ms, int64_t cap_ms, unsigned times);

/* Returns the wait behind attempt `attempt`: all of it is drawn, up to first_ms
 * doubled each time (full jitter), so that what failed together spreads over
 * the whole of it and asks least of who comes back
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 * A written schedule is never cut short: up to a tenth is added to it. */
int64_t retry_wait(const struct retry_policy *policy, unsigned attempt,
                   struct prng *prng);

/* No wait of the policy is longer. */
int64_t retry_wait_most(const struct retry_policy *policy);

/*
 * Decides what follows attempt number `attempt` (1 is the first), which ended
 * in `outcome` at `now_ms`; the event was recorded at `recorded_ms`. Due after
 * retry_wait, never earlier than `not_before_ms` (0: the other side did not
 * ask), and then the wait is not jittered below it. Age alone ends nothing at
 * its first attempt: who was off for days, or had a wrong clock, gives each a
 * second one.
 */
struct retry_plan retry_next(const struct retry_policy *policy,
                             unsigned attempt, enum disposition outcome,
                             int64_t recorded_ms, int64_t now_ms,
                             int64_t not_before_ms, struct prng *prng);

#endif
