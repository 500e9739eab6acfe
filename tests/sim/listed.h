/* SPDX-License-Identifier: MIT */
/*
 * listed: what the list has shown for the first time: how late, and below which
 * complete-until; the world's own count of both.
 *
 * Complete until is what the walks that are durable say. A page may have been
 * asked for before another tier's walk was, so that where there is more than
 * one tier a count lies between two; else it is exact.
 */
#ifndef SIM_LISTED_H
#define SIM_LISTED_H

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>

struct fact;
struct store_unit;

void listed_begin(void);

/* A process begins: what its metrics say begins at nothing. Behind
 * listed_walk of each state that it finds. */
void listed_life(void);

/* A live walk has shown it, perhaps before. */
void listed_mark(struct fact *fact);

/* The unit is durable; before its walk is looked at. */
void listed_unit(const struct store_unit *unit);

/* The state of a tier's walk is durable. */
void listed_walk(unsigned tier, int64_t hw_ms, struct slice state);

/* At rest: the metrics of the process that is up say the same. */
void listed_end(void);

#endif
