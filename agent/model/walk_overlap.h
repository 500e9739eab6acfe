/* SPDX-License-Identifier: MIT */
/*
 * walk_overlap: an overlap that follows how late the list was seen to be: twice
 * the largest lag, within bounds. Pure.
 *
 * It only decides where the next walk begins; an open walk keeps its own lower
 * bound. What the ledger and the marks of an id cursor must reach back to is
 * the deepest it may become, so that it can widen at any time.
 */
#ifndef MODEL_WALK_OVERLAP_H
#define MODEL_WALK_OVERLAP_H

#include "model/walk.h"

/* Returns the overlap that `lag` asks for: `least_ms` where the plan's stays as
 * configured. */
int64_t walk_overlap_ms(const struct walk_plan *plan, int64_t least_ms,
                        const struct lag *lag);

/* The deepest that the plan's overlap is or may become. */
int64_t walk_overlap_reach_ms(const struct walk_plan *plan);

/* A row was listed for the first time below what was complete: whatever else
 * came as late as it lies above its stamp less the overlap, and is read once
 * more. */
void walk_overlap_broken(const struct walk_plan *plan, struct walk_state *state,
                         int64_t stamp_ms);

#endif
