/* SPDX-License-Identifier: MIT */
/*
 * walk_window: the span a walk reads: where reading begins at all, the lower
 * bound, the clock it is measured by, and what retention cuts off. Pure.
 */
#ifndef MODEL_WALK_WINDOW_H
#define MODEL_WALK_WINDOW_H

#include "model/walk.h"

/* Fixes `start` the first time; true when it did. */
bool walk_window_start(const struct walk_plan *plan, struct walk_state *state,
                       const struct walk_now *now);

/* Returns when `start` was set, by the clock that `start` goes by: what the
 * list had dropped by then nobody was promised. */
int64_t walk_window_set_ms(const struct walk_plan *plan,
                           const struct walk_state *state);

/* Returns the lower bound of a walk that would begin now. */
int64_t walk_window_lower(const struct walk_plan *plan,
                          const struct walk_state *state);

/* Opens a new walk in place of whatever was open; `provider_ms` 0: not known.
 */
NODISCARD
enum status walk_window_open(const struct walk_plan *plan,
                             struct walk_state *state,
                             const struct walk_now *now, struct arena *arena,
                             struct walk_step *step);

/* Raises the bounds to what the provider still keeps by its own clock, with a
 * gap row when the watermark itself was below. A clock far ahead of ours, of
 * the watermark and of every stamp read is not believed: it is judged again,
 * and by the end of the walk. */
void walk_window_cut(const struct walk_plan *plan, struct walk_state *state,
                     const struct walk_now *now, struct walk_step *step);

/*
 * Returns where a row begins that tells what is missing behind `whole_ms`, up
 * to which walks have read all that was shown to them: `overlap` earlier, for
 * what the list shows late stands there, and nobody looks for it any more.
 * Never below `start`, nor in what an earlier row tells.
 */
int64_t walk_window_late_from(const struct walk_plan *plan,
                              const struct walk_state *state, int64_t whole_ms);

/* Tells of a gap. There is one row for a step: what is told already, such as
 * what an answer's Date has shown to be dropped, is taken in. */
void walk_window_tell(struct walk_step *step, enum gap_kind kind,
                      int64_t from_ms, int64_t to_ms);

/* The walk is whole, and the watermark is not yet moved: judges retention where
 * the first answer's clock could not be believed, and where answers have no
 * Date: then the largest stamp is what the time was at least. */
void walk_window_whole(const struct walk_plan *plan, struct walk_state *state,
                       const struct walk_answer *answer, int64_t settle_ms,
                       struct walk_step *step);

/*
 * Learns the provider's clock from an answer: the first one of a walk fixes
 * `s`, the very first one `start`. *ret_again says that what was asked did not
 * fit the start that was learnt, and the walk has to begin again.
 */
void walk_window_clock(const struct walk_plan *plan, struct walk_state *state,
                       const struct walk_answer *answer, struct walk_step *step,
                       bool *ret_again);

#endif
