/* SPDX-License-Identifier: MIT */
/*
 * gather: attempts of one handler that wait until enough of them are there to
 * go together (model/gather decides how many, and when). What comes again never
 * goes with what does not.
 */
#ifndef FLOW_GATHER_H
#define FLOW_GATHER_H

#include "flow/batch.h"
#include "io/loop.h"
#include "model/gather.h"

struct gather;

/* Borrows the policies. `ready` is called when some have waited long enough.
 */
NODISCARD
enum status gather_create(struct loop *loop, const struct gather_policy *policy,
                          const struct retry_policy *retry, loop_fn *ready,
                          void *arg, struct gather **ret);

/* Takes an attempt that is rendered. */
void gather_add(struct gather *gather, struct attempt *attempt);

/* Whether some are to go now. */
bool gather_is_due(struct gather *gather);

/*
 * Makes a batch of those that are to go now; NULL: none is. Those whose lease
 * ends before `until_ms` (clock_steady_ms) are moved to `late` instead.
 * STATUS_NOMEM: the others stay.
 */
NODISCARD
enum status gather_take(struct gather *gather, int64_t until_ms,
                        struct list *late, struct batch **ret);

/* Gives back any one of those that wait; NULL: there is none. */
struct attempt *gather_drop(struct gather *gather);

/* Bytes of those that wait. */
size_t gather_bytes(const struct gather *gather);

/* None may wait. NULL is allowed. */
void gather_destroy(struct gather *gather);

#endif
