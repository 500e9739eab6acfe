/* SPDX-License-Identifier: MIT */
/*
 * gather: how many deliveries go to their handler in one attempt, and when.
 * Pure.
 *
 * A batch that fails says nothing of which of its events is at fault. So a
 * delivery that has failed goes again in company of half the size, and with its
 * last attempt alone: one bad event is found in few attempts, and takes no good
 * one with it.
 */
#ifndef MODEL_GATHER_H
#define MODEL_GATHER_H

#include "config/config_key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gather_policy {
    int64_t max;     /* events in one attempt, at most */
    int64_t wait_ms; /* for others, from the first that is ready */
    int64_t bytes;   /* of one attempt, unless one event is longer by itself */
};

/* The table of `batch:` in a handler. */
extern const struct config_table gather_table;

/* `max` is at most 2^13: so often it can be halved until one is left. */
#define GATHER_SIZES 14

/* How often the size is halved for attempt number `attempt` of `attempts`:
 * below GATHER_SIZES. Deliveries of one number go together. */
unsigned gather_halvings(const struct gather_policy *policy, unsigned attempt,
                         int64_t attempts);

/* Deliveries that wait to go together. */
struct gather_heap {
    unsigned halvings;
    size_t count;
    size_t bytes;     /* of their envelopes */
    int64_t first_ms; /* when the first was ready */
};

/* When one attempt of them is to begin: at once (`first_ms`) when it is full,
 * else when the first has waited. There must be one. */
int64_t gather_due_ms(const struct gather_policy *policy,
                      const struct gather_heap *heap);

/* Whether the next, of `bytes`, goes with those in `taken` of its heap. The
 * first always does. */
bool gather_fits(const struct gather_policy *policy,
                 const struct gather_heap *taken, size_t bytes);

#endif
