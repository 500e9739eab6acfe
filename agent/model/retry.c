/* SPDX-License-Identifier: MIT */
#include "model/retry.h"

#include "base/instant.h"
#include "config/config_bind.h"

/* Standard Webhooks 1.0, "Deliverability and reliability": at once, then after
 * these. */
static const int64_t standard_waits[] = {
    5 * INSTANT_SECOND_MS, 5 * INSTANT_MINUTE_MS, 30 * INSTANT_MINUTE_MS,
    2 * INSTANT_HOUR_MS,   5 * INSTANT_HOUR_MS,   10 * INSTANT_HOUR_MS,
    14 * INSTANT_HOUR_MS,  20 * INSTANT_HOUR_MS,  24 * INSTANT_HOUR_MS,
};

/* The longest wait that a schedule may name. */
#define WAIT_MOST_MS (30 * INSTANT_DAY_MS)

struct retry_policy
retry_standard(void)
{
    const size_t count = sizeof(standard_waits) / sizeof(standard_waits[0]);
    return (struct retry_policy){ .attempts = 1 + (int64_t)count,
                                  .first_ms = standard_waits[0],
                                  .cap_ms = standard_waits[count - 1],
                                  .schedule = standard_waits,
                                  .schedule_count = count };
}

static bool
is_list(const struct config_node *node)
{
    return node->kind == CONFIG_SEQUENCE && node->children != NULL;
}

/* The name of the one preset, or a list of waits. */
static void
parse_schedule(struct config_binding *binding, const struct config_node *node,
               void *place)
{
    struct retry_policy *policy =
        (void *)((char *)place - offsetof(struct retry_policy, schedule));
    if (node->kind == CONFIG_SCALAR &&
        slice_equal_text(node->text, "standard-webhooks")) {
        const struct retry_policy standard = retry_standard();
        policy->schedule = standard.schedule;
        policy->schedule_count = standard.schedule_count;
        return;
    }
    if (!is_list(node)) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "schedule: expected standard-webhooks, or a list of "
                          "waits such as [5s, 5m, 1h]");
        return;
    }
    size_t count = 0;
    for (const struct config_node *at = node->children; at; at = at->next) {
        count++;
    }
    int64_t *waits = arena_array(binding->arena, count, sizeof(*waits));
    if (waits == NULL) {
        binding->report->failed_memory = true;
        return;
    }
    policy->schedule = waits;
    for (const struct config_node *at = node->children; at; at = at->next) {
        int64_t *wait = &waits[policy->schedule_count++];
        if (!config_bind_duration(binding, at, wait)) {
            return;
        }
        if (*wait < 1 || *wait > WAIT_MOST_MS) {
            config_report_add(binding->report, CONFIG_ERROR, at->mark,
                              "schedule: a wait is from 1ms to 30d");
        }
    }
}

/* A schedule says all of it: the waits, and by its length how many attempts
 * there are. */
static void
check_retry(struct config_binding *binding, const struct config_node *node,
            void *bound)
{
    static const char *const others[] = { "first", "cap" };
    struct retry_policy *policy = bound;
    if (policy->schedule_count == 0) {
        return;
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        const struct config_node *other = config_node_child(node, others[i]);
        if (other != NULL) {
            config_report_add(binding->report, CONFIG_ERROR, other->key_mark,
                              "schedule says every wait: leave out '%s'",
                              others[i]);
        }
    }
    if (config_node_child(node, "attempts") == NULL) {
        policy->attempts = (int64_t)policy->schedule_count + 1;
    }
    if (config_node_child(node, "give_up") == NULL) {
        policy->give_up_ms = 0;
    }
}

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
      .doc = "The longest wait before the second attempt; it doubles from "
             "there, and each wait is drawn from all of it." },
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
    { .name = "schedule",
      .type = CONFIG_CUSTOM,
      .offset = offsetof(struct retry_policy, schedule),
      .parse = parse_schedule,
      .schema = "{\"anyOf\":[{\"const\":\"standard-webhooks\"},{\"type\":"
                "\"array\",\"minItems\":1,\"items\":{\"type\":\"string\"}}]}",
      .reloadable = true,
      .doc =
          "The waits one by one, such as [5s, 5m, 1h], or standard-webhooks: "
          "5s, 5m, 30m, 2h, 5h, 10h, 14h, 20h, 24h; behind the last one a "
          "delivery is dead, where attempts and give_up do not say more." },
};

const struct config_table retry_table = {
    .name = "retry",
    .keys = retry_keys,
    .count = sizeof retry_keys / sizeof retry_keys[0],
    .size = sizeof(struct retry_policy),
    .doc = "When a failed delivery is tried again, and when it is given up.",
    .check = check_retry,
};

static int64_t
later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t
retry_doubled(int64_t first_ms, int64_t cap_ms, unsigned times)
{
    int64_t wait = first_ms;
    for (unsigned i = 1; i < times && wait < cap_ms; i++) {
        wait = wait > cap_ms / 2 ? cap_ms : wait * 2;
    }
    return wait < cap_ms ? wait : cap_ms;
}

int64_t
retry_wait(const struct retry_policy *policy, unsigned attempt,
           struct prng *prng)
{
    if (policy->schedule_count > 0) {
        size_t last = policy->schedule_count - 1;
        int64_t wait =
            policy->schedule[attempt - 1 < last ? attempt - 1 : last];
        return wait + (int64_t)prng_below(prng, (uint64_t)wait / 10 + 1);
    }
    int64_t longest = retry_doubled(policy->first_ms, policy->cap_ms, attempt);
    return longest <= 1 ? longest
                        : 1 + (int64_t)prng_below(prng, (uint64_t)longest);
}

int64_t
retry_wait_most(const struct retry_policy *policy)
{
    int64_t most = policy->cap_ms;
    for (size_t i = 0; i < policy->schedule_count; i++) {
        int64_t wait = policy->schedule[i] + policy->schedule[i] / 10;
        most = wait > most ? wait : most;
    }
    return most;
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
    int64_t due = instant_add(now_ms, retry_wait(policy, attempt, prng));
    if (policy->give_up_ms > 0) {
        int64_t end = instant_add(recorded_ms, policy->give_up_ms);
        if (now_ms >= end && attempt > 1) {
            return dead("older than give_up");
        }
        /* The wait that would pass the end is cut, so that the last attempt is
         * made as late as the operator allowed and not hours before. */
        if (now_ms < end && due > end) {
            due = end;
        }
    }
    return (struct retry_plan){ .due_ms = later_of(due, not_before_ms) };
}
