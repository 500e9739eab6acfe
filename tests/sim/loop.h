/* SPDX-License-Identifier: MIT */
/*
 * loop: io/loop.h in virtual time. Whoever drives the world ends each turn.
 */
#ifndef SIM_LOOP_H
#define SIM_LOOP_H

struct loop;

/* Ends a turn: what was deferred, then what is done once a turn, until nothing
 * is left to do at this moment. */
void loop_end_turn(struct loop *loop);

#endif
