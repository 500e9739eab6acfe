/* SPDX-License-Identifier: MIT */
/*
 * worker: store/store_worker.h without a thread: the real store, asked when
 * the plan says so, and whole groups that complete in a later turn.
 */
#ifndef SIM_WORKER_H
#define SIM_WORKER_H

#include <stdbool.h>
#include <stdint.h>

struct store_worker;

/* The ledger's floor, as the store was opened. */
int64_t worker_floor_ms(const struct store_worker *worker);

/* Whether something is asked, or answered and not yet told. */
bool worker_is_busy(const struct store_worker *worker);

/* The process is dead: what was not done will not be. Every caller is told, so
 * that it can free what it holds; nothing is written any more. */
void worker_abandon(struct store_worker *worker);

#endif
