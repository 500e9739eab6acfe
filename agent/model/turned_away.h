/* SPDX-License-Identifier: MIT */
/*
 * turned_away: which names were turned away lately, in a table that does not
 * grow. Pure.
 *
 * Strangers make names up, each another one; what is really wanted comes again
 * under the same name. Where more are turned away than the table holds, some
 * are forgotten, whichever chance says.
 */
#ifndef MODEL_TURNED_AWAY_H
#define MODEL_TURNED_AWAY_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* Zeroed but for the seed, which is drawn by chance so that nobody knows which
 * names share a place. */
struct turned_away {
    uint64_t seed[2];
    uint32_t *marks; /* owned; made by the first note */
};

/* Notes a name; where memory is short nothing is noted. */
void turned_away_note(struct turned_away *names, struct slice name);

/* Whether the name was noted and is not forgotten. */
bool turned_away_knows(const struct turned_away *names, struct slice name);

void turned_away_fini(struct turned_away *names);

#endif
