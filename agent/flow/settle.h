/* SPDX-License-Identifier: MIT */
/*
 * settle: a result to done, later or dead, and that outcome to the store.
 *
 * An outcome that the store could not take (no room, outcome unknown) is kept
 * and tried again until it is durable: the delivery stays leased meanwhile, so
 * nobody repeats it.
 */
#ifndef FLOW_SETTLE_H
#define FLOW_SETTLE_H

#include "base/prng.h"
#include "flow/attempt.h"
#include "model/jumps.h"

struct settle;

struct settle_rules {
    const struct retry_policy *retry;
    struct slice handler; /* for the log */
    const struct telemetry_handler *counts;
    const struct jumps *jumps; /* of our clock; NULL: it never does */
};

/* Told when an attempt is over for good: its outcome is durable, or the store
 * has failed. `due_ms` is when it is due again, 0 when it is not. The attempt
 * is gone after the call. */
typedef void settle_over_fn(void *arg, struct attempt *attempt, int64_t due_ms);

NODISCARD
enum status settle_create(struct loop *loop, struct store_worker *worker,
                          uint64_t seed, settle_over_fn *over, void *arg,
                          struct settle **ret);

/* Frees the attempts whose outcomes nobody took, too. NULL is allowed. */
void settle_destroy(struct settle *settle);

/*
 * Decides what follows a result and stores it, with all that went together with
 * the attempt in one unit. Of several nothing is dead: each goes again, in a
 * smaller batch. `release`: what is not done is given back instead of counted,
 * due when the result says or at once. `over` comes later, exactly once for
 * each.
 */
void settle_result(struct settle *settle, struct attempt *attempt,
                   const struct settle_rules *rules,
                   const struct handler_result *result, bool release);

/* Outcomes that are not durable yet. */
size_t settle_open(const struct settle *settle);

/* Whether attempts may start: false while an outcome waits for the store to
 * have room, or while too many are on their way. */
bool settle_takes(const struct settle *settle);

#endif
