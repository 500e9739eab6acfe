/* SPDX-License-Identifier: MIT */
#include "model/retry.h"

#include "base/instant.h"

static const struct config_key retry_keys[] = {
    { .name = "attempts",
      .type = CONFIG_INT,
      .offset = offsetof(struct retry_policy, attempts),
      .fallback = "16",
      .min = "1",
      .max = "1000",
      .reloadable = true,
      .doc = "After this many attempts a delivery is dead." },
    { .name = "first",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct retry_policy, first_ms),
      .fallback = "1s",
      .min = "1ms",
      .max = "1d",
      .reloadable = true,
      .doc = "The wait before the second attempt; it doubles from there." },
    { .name = "cap",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct retry_policy, cap_ms),
      .fallback = "1h",
      .min = "1ms",
      .max = "7d",
      .reloadable = true,
      .doc = "The longest wait between two attempts." },
    { .name = "give_up",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct retry_policy, give_up_ms),
      .fallback = "3d",
      .min = "0s",
      .max = "3650d",
      .reloadable = true,
      .doc = "The age of an event at which its delivery is dead; 0s never "
             "gives up by age." },
};

const struct config_table retry_table = {
    .name = "retry",
    .keys = retry_keys,
    .count = sizeof retry_keys / sizeof retry_keys[0],
    .size = sizeof(struct retry_policy),
    .doc = "When a failed delivery is tried again, and when it is given up.",
};

static int64_t
later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t
backoff_ms(const struct retry_policy *policy, unsigned attempt)
{
    int64_t wait = policy->first_ms;
    for (unsigned i = 1; i < attempt && wait < policy->cap_ms; i++) {
        wait = wait > policy->cap_ms / 2 ? policy->cap_ms : wait * 2;
    }
    return wait < policy->cap_ms ? wait : policy->cap_ms;
}

/* Draws from the upper half, so that what failed together does not come back
 * together and no draw is close to at once. */
static int64_t
with_jitter(int64_t wait, struct prng *prng)
{
    int64_t half = wait / 2;
    return wait -
           (half <= 0 ? 0 : (int64_t)prng_below(prng, (uint64_t)half + 1));
}

static struct retry_plan
dead(const char *reason)
{
    return (struct retry_plan){ .dead = true, .reason = reason };
}

struct retry_plan
retry_next(const struct retry_policy *policy, unsigned attempt,
           enum disposition outcome, int64_t recorded_ms, int64_t now_ms,
           int64_t not_before_ms, struct prng *prng)
{
    if (outcome == DISPOSITION_NEVER) {
        return dead("the handler refused it for good");
    }
    if (attempt >= policy->attempts) {
        return dead("all attempts are used up");
    }
    int64_t due =
        instant_add(now_ms, with_jitter(backoff_ms(policy, attempt), prng));
    if (policy->give_up_ms > 0) {
        int64_t end = instant_add(recorded_ms, policy->give_up_ms);
        if (now_ms >= end) {
            return dead("older than give_up");
        }
        /* The wait that would pass the end is cut, so that the last attempt is
         * made as late as the operator allowed and not hours before. */
        due = due < end ? due : end;
    }
    return (struct retry_plan){ .due_ms = later_of(due, not_before_ms) };
}
