/* SPDX-License-Identifier: MIT */
/*
 * walk_span: the part of a walk's window that one request asks for, where a
 * list has no pages and a full answer hides the rest (`cursor.window`,
 * `.full`). Pure.
 *
 * A walk asks [from, until], then what follows, up to its `{now}`. A full
 * answer is not trusted: the span is halved and asked again, down to what the
 * cursor can say. Spans grow again where the list is thin, and are kept from
 * walk to walk. What was read to its end is not read again by a walk that is
 * resumed.
 */
#ifndef MODEL_WALK_SPAN_H
#define MODEL_WALK_SPAN_H

#include "model/walk.h"

/* Whether the connector's list is asked span by span. */
bool walk_span_used(const struct connector *connector);

/* Makes the span at `a` the next request; `{cursor}` is its lower end. */
NODISCARD
enum status walk_span_begin(const struct connector *connector,
                            struct walk_state *state, struct arena *arena);

/* Whether the span has shown as many rows as an answer can hold. */
bool walk_span_is_full(const struct connector *connector,
                       const struct walk_state *state);

/* Halves the span in the state; false when it cannot be made shorter. */
bool walk_span_halve(const struct connector *connector,
                     struct walk_state *state);

/* Goes on behind the span, which was read to its end or is given up; false when
 * it was the last one. */
NODISCARD
enum status walk_span_next(const struct connector *connector,
                           struct walk_state *state, struct arena *arena,
                           bool *ret_more);

#endif
