/* SPDX-License-Identifier: MIT */
/*
 * walk_change: what an edited connector means for the stored state of a walk.
 * The watermark stays, whatever was edited; what cannot be used any more is
 * dropped and found again by time. Pure.
 *
 * A state keeps hashes of the words that it was made by. State of a program
 * that kept none is taken as it is.
 */
#ifndef MODEL_WALK_CHANGE_H
#define MODEL_WALK_CHANGE_H

#include "model/walk.h"

/* What makes keys: ids, versions and their times, and how rows and webhooks
 * match. */
uint64_t walk_change_keys(const struct connector *connector);

/* What a cursor is: its kind, where it is found, how it is picked. */
uint64_t walk_change_cursor(const struct connector *connector);

/* How the list is asked and paged. */
uint64_t walk_change_list(const struct connector *connector);

/*
 * Whether a row of this stamp is to be seeded: it lies below the watermark of a
 * tier whose last whole walk made keys by other words. Its event is stored, if
 * anything of its stamp is, and would be handed over once more.
 */
bool walk_change_seeds(const struct walk_plan *plan,
                       const struct walk_state *state, int64_t time_ms);

/* What was changed since, for the log: NULL: nothing; else words. */
const char *walk_change_words(const struct walk_plan *plan,
                              const struct walk_state *state);

/* Whether `start` says another time than the one where reading began: it has
 * no effect any more. An age is compared to the day. */
bool walk_change_start(const struct walk_plan *plan,
                       const struct walk_state *state);

/*
 * Fits a stored state to the connector as it is now, before walk_begin. Another
 * list: an open walk begins anew, for its page may be another's. Another
 * cursor: ids and tokens are dropped; where the new one cannot begin at a time,
 * the list is read from its beginning, and *ret_step says the gap from the
 * watermark on that nobody can vouch for.
 */
void walk_change_fit(const struct walk_plan *plan, struct walk_state *state,
                     const struct walk_now *now, struct walk_step *ret_step);

/* Notes what a whole walk went by. */
void walk_change_note(const struct walk_plan *plan, struct walk_state *state);

#endif
