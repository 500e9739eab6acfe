/* SPDX-License-Identifier: MIT */
/* breaker: counts failures in a row, and lets one through when time is over. */
#include "model/breaker.h"

#include "model/retry.h"

static const struct config_key breaker_keys[] = {
    { .name = "failures",
      .type = CONFIG_INT,
      .offset = offsetof(struct breaker_policy, failures),
      .fallback = "10",
      .min = "0",
      .max = "1000000",
      .reloadable = true,
      .doc = "So many different events that fail in a row open the breaker: "
             "nothing is started then; 0: it never opens." },
    { .name = "open",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct breaker_policy, open_ms),
      .fallback = "5s",
      .min = "10ms",
      .max = "1d",
      .reloadable = true,
      .doc = "How long it is open before one delivery is let through; twice as "
             "long each time that one fails." },
    { .name = "cap",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct breaker_policy, cap_ms),
      .fallback = "1m",
      .min = "10ms",
      .max = "1d",
      .reloadable = true,
      .doc = "The longest that it is open at a time." },
    { .name = "hold",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct breaker_policy, hold_ms),
      .fallback = "5m",
      .min = "0s",
      .max = "1d",
      .reloadable = true,
      .doc = "The longest that an answer with Retry-After holds all "
             "deliveries of the handler; 0s: only the one that it answers." },
};

const struct config_table breaker_table = {
    .name = "breaker",
    .keys = breaker_keys,
    .count = sizeof(breaker_keys) / sizeof(breaker_keys[0]),
    .size = sizeof(struct breaker_policy),
    .doc = "When a handler that fails is left alone.",
};

const char *
breaker_state_name(enum breaker_state state)
{
    static const char *const names[] = { [BREAKER_CLOSED] = "closed",
                                         [BREAKER_HALF_OPEN] = "half-open",
                                         [BREAKER_OPEN] = "open" };
    return names[state];
}

enum breaker_state
breaker_state(const struct breaker *breaker, int64_t now_ms)
{
    return breaker->opened == 0         ? BREAKER_CLOSED
           : now_ms < breaker->until_ms ? BREAKER_OPEN
                                        : BREAKER_HALF_OPEN;
}

int64_t
breaker_room(const struct breaker *breaker, int64_t now_ms)
{
    switch (breaker_state(breaker, now_ms)) {
    case BREAKER_CLOSED: return INT64_MAX;
    case BREAKER_HALF_OPEN: return breaker->probing ? 0 : 1;
    case BREAKER_OPEN: break;
    }
    return 0;
}

bool
breaker_begin(struct breaker *breaker, int64_t now_ms)
{
    if (breaker_state(breaker, now_ms) != BREAKER_HALF_OPEN ||
        breaker->probing) {
        return false;
    }
    breaker->probing = true;
    return true;
}

static void
open_it(struct breaker *breaker, const struct breaker_policy *policy,
        int64_t now_ms, struct prng *prng)
{
    breaker->opened++;
    int64_t longest_ms =
        retry_doubled(policy->open_ms, policy->cap_ms, breaker->opened);
    breaker->until_ms = now_ms + longest_ms -
                        (int64_t)prng_below(prng, (uint64_t)longest_ms / 2 + 1);
}

/* Closed: counts. */
static bool
count(struct breaker *breaker, const struct breaker_policy *policy,
      uint64_t event, enum breaker_word word, int64_t now_ms, struct prng *prng)
{
    if (word == BREAKER_WELL) {
        breaker->failures = 0;
        breaker->last_event = 0;
    }
    if (word != BREAKER_UNWELL || event == breaker->last_event ||
        policy->failures == 0) {
        return false;
    }
    breaker->last_event = event;
    breaker->failures++;
    if (breaker->failures < policy->failures) {
        return false;
    }
    open_it(breaker, policy, now_ms, prng);
    return true;
}

bool
breaker_end(struct breaker *breaker, const struct breaker_policy *policy,
            bool is_probe, uint64_t event, enum breaker_word word,
            int64_t now_ms, struct prng *prng)
{
    if (breaker->opened == 0) {
        return count(breaker, policy, event, word, now_ms, prng);
    }
    if (!is_probe) {
        return false;
    }
    breaker->probing = false;
    if (word == BREAKER_WELL) {
        *breaker = (struct breaker){ 0 };
        return true;
    }
    if (word == BREAKER_UNWELL) {
        open_it(breaker, policy, now_ms, prng);
    }
    return word == BREAKER_UNWELL;
}
