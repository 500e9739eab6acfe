/* SPDX-License-Identifier: MIT */
/*
 * walk_expired: whether an answer says that the cursor is worth nothing any
 * more, and where a list is read from then. Pure.
 *
 * Never silently from now on: what the list still shows is read from its
 * beginning, and a gap row names the span that nobody can vouch for.
 */
#ifndef MODEL_WALK_EXPIRED_H
#define MODEL_WALK_EXPIRED_H

#include "model/walk.h"

/* Whether the answer is one of those that the connector names as the cursor's
 * end. `body` is JSON that was checked, or empty. STATUS_NOMEM at worst. */
NODISCARD
enum status walk_expired_says(const struct connector *connector,
                              unsigned status, struct slice body,
                              bool *ret_expired);

/* Forgets the cursor and ends the walk; the next one begins anew. Writes the
 * gap row: from what was complete up to where the list still reaches, but where
 * the next walk skips what there is: then its first answer tells up to when. */
void walk_expired_forget(const struct walk_plan *plan, struct walk_state *state,
                         const struct walk_now *now, struct walk_step *step);

/* The same for an answer, with words. */
void walk_expired_reset(const struct walk_plan *plan, struct walk_state *state,
                        const struct walk_now *now, unsigned status,
                        struct walk_step *step);

/* Whether the request that a walk begins with, once the cursor was refused, is
 * `first`, which finds where the list ends and skips all before it. */
bool walk_expired_skips(const struct walk_plan *plan,
                        const struct walk_state *state);

/* The gap row from what was complete up to `to_ms`. */
void walk_expired_gap(const struct walk_plan *plan,
                      const struct walk_state *state, int64_t to_ms,
                      struct walk_step *step);

/*
 * Whether an event of this stamp (0: it has none) is left out: the list is read
 * from its beginning, where only a backfill goes below `start`. `state` is that
 * before the page, for the last page ends this.
 */
bool walk_expired_leaves_out(const struct walk_plan *plan,
                             const struct walk_state *state, int64_t time_ms);

/* Returns the request that a walk begins with in place of the list's own, as
 * the state says; NULL when there is none. */
const struct request_spec *walk_expired_first(const struct connector *connector,
                                              const struct walk_state *state);

#endif
