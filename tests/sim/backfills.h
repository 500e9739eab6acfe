/* SPDX-License-Identifier: MIT */
/*
 * backfills: what must hold of past spans that were asked for: one that is read
 * to its end has brought all that the list showed of it.
 */
#ifndef SIM_BACKFILLS_H
#define SIM_BACKFILLS_H

#include "base/bytes.h"

void backfills_begin(void);

/* The state of a span that has become durable. */
void backfills_walk(struct slice state);

#endif
