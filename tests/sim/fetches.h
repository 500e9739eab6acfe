/* SPDX-License-Identifier: MIT */
/*
 * fetches: what must hold where events are thin: how often an object may be
 * asked for, and that handlers are given it.
 */
#ifndef SIM_FETCHES_H
#define SIM_FETCHES_H

#include "handler/handler.h"
#include "sim/world.h"

/* The object of the fact was asked for, and whether the answer has it. */
void fetches_asked(struct fact *fact, bool whole);

/* A handler is given this. */
void fetches_handed(const struct fact *fact, const struct delivery *delivery);

#endif
