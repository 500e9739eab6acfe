/* SPDX-License-Identifier: MIT */
/*
 * walk_cursor: what a walk sends as `{cursor}`, and what rows say of it. Pure.
 */
#ifndef MODEL_WALK_CURSOR_H
#define MODEL_WALK_CURSOR_H

#include "model/walk.h"

/* Returns the widest of the cursor's granularity and what its format can say,
 * >= 1. */
int64_t walk_cursor_unit_ms(const struct cursor_spec *cursor);

/* Returns the time that is sent so that a row stamped `at_ms` is shown: one
 * granularity earlier for an exclusive filter, floored to what can be said. */
int64_t walk_cursor_sent_ms(const struct cursor_spec *cursor, int64_t at_ms);

/* Floors a bound to what rows and requests can say: a row of that unit is not
 * below it. */
int64_t walk_cursor_floor_ms(const struct cursor_spec *cursor, int64_t at_ms);

/* Writes a time as the connector's requests want it. */
NODISCARD
enum status walk_cursor_time_text(const struct cursor_spec *cursor,
                                  int64_t at_ms, struct arena *arena,
                                  struct slice *ret_text);

/* Makes `{cursor}` the time `at_ms`, as sent. */
NODISCARD
enum status walk_cursor_set_time(const struct connector *connector,
                                 struct walk_state *state, int64_t at_ms,
                                 struct arena *arena);

/* Makes `{cursor}` the id or token; an empty one stands before everything and
 * is not sent. */
NODISCARD
enum status walk_cursor_set_text(const struct connector *connector,
                                 struct walk_state *state, struct slice text,
                                 struct arena *arena);

/* Makes `{cursor}` what a new walk begins with. */
NODISCARD
enum status walk_cursor_begin(const struct walk_plan *plan,
                              struct walk_state *state, struct arena *arena);

/* Whether a walk that has no id or token yet begins at `start`. Where there is
 * a `first`, that decides, and what it shows of a list of ids is left out. */
bool walk_cursor_at_start(const struct poll_spec *spec);

/* Reads a row's stamp; STATUS_NOT_FOUND when it has none that can be read. */
NODISCARD
enum status walk_cursor_row_ms(const struct connector *connector,
                               struct slice row, struct arena *arena,
                               int64_t *ret_ms);

/* Orders ids: as bytes, or when numeric as decimals of any length, those with a
 * fraction too (Slack's "1699959600.000200"). */
int walk_cursor_compare(const struct cursor_spec *cursor, struct slice a,
                        struct slice b);

/* Notes that `state->token` was the newest id at `at_ms` and forgets what no
 * later walk can need. */
void walk_cursor_mark(const struct walk_plan *plan, struct walk_state *state,
                      int64_t at_ms);

/*
 * Returns the mark that the next walk begins behind, or NULL: the newest one
 * that was set `overlap` and `settle` before the last whole walk began.
 * Measured from that walk and not from now, for a row that became visible
 * between the two was seen by neither.
 */
const struct walk_mark *walk_cursor_behind(const struct walk_plan *plan,
                                           const struct walk_state *state);

/* Returns a number for the text that is stable over restarts; never 0. */
uint64_t walk_cursor_hash(struct slice text);

#endif
