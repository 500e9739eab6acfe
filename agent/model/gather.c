/* SPDX-License-Identifier: MIT */
#include "model/gather.h"

#include "base/instant.h"

static const struct config_key keys[] = {
    { .name = "max",
      .type = CONFIG_INT,
      .offset = offsetof(struct gather_policy, max),
      .fallback = "100",
      .min = "2",
      .max = "8192",
      .doc = "Events in one attempt, at most." },
    { .name = "wait",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct gather_policy, wait_ms),
      .fallback = "1s",
      .min = "0s",
      .max = "10m",
      .doc = "How long the first event of a batch waits for others." },
    { .name = "bytes",
      .type = CONFIG_SIZE,
      .offset = offsetof(struct gather_policy, bytes),
      .fallback = "1MiB",
      .min = "1KiB",
      .max = "64MiB",
      .doc = "Bytes of one attempt, at most; an event that is longer goes "
             "alone." },
};

const struct config_table gather_table = {
    .name = "batch",
    .keys = keys,
    .count = sizeof keys / sizeof keys[0],
    .size = sizeof(struct gather_policy),
    .doc = "Several events in one attempt, as a JSON array.",
};

static int64_t
size_of(const struct gather_policy *policy, unsigned halvings)
{
    int64_t size = policy->max >> halvings;
    return size < 1 ? 1 : size;
}

unsigned
gather_halvings(const struct gather_policy *policy, unsigned attempt,
                int64_t attempts)
{
    const bool last = (int64_t)attempt >= attempts;
    unsigned halvings = 0;
    while (halvings + 1 < GATHER_SIZES && size_of(policy, halvings) > 1 &&
           (last || halvings + 1 < attempt)) {
        halvings++;
    }
    return halvings;
}

/* Brackets, and a comma behind each. */
static int64_t
bytes_of(size_t count, size_t bytes)
{
    return (int64_t)(bytes + count + 1);
}

int64_t
gather_due_ms(const struct gather_policy *policy,
              const struct gather_heap *heap)
{
    if ((int64_t)heap->count >= size_of(policy, heap->halvings) ||
        bytes_of(heap->count, heap->bytes) >= policy->bytes) {
        return heap->first_ms;
    }
    /* Not before the turn after: what comes together goes together. */
    return instant_add(heap->first_ms,
                       policy->wait_ms < 1 ? 1 : policy->wait_ms);
}

bool
gather_fits(const struct gather_policy *policy, const struct gather_heap *taken,
            size_t bytes)
{
    return taken->count == 0 ||
           ((int64_t)taken->count < size_of(policy, taken->halvings) &&
            bytes_of(taken->count + 1, taken->bytes + bytes) <= policy->bytes);
}
