/* SPDX-License-Identifier: MIT */
/*
 * attempts: what must hold of them: none before its fact is durable, none while
 * the one before runs, one event of a lane at a time, and no more than there
 * may be.
 */
#ifndef SIM_ATTEMPTS_H
#define SIM_ATTEMPTS_H

#include <stdbool.h>
#include <stddef.h>

struct fact;

void attempts_begin(void);

/* An attempt began, could not begin, ended. */
void attempts_started(struct fact *fact, size_t handler, unsigned attempt);
void attempts_refused(struct fact *fact, size_t handler, unsigned attempt);
void attempts_reported(struct fact *fact, size_t handler, unsigned attempt,
                       bool done);

/* Leases may have ended early: the clock was set, or the machine slept. */
void attempts_leases_moved(void);

/* How often the clock may have taken leases. */
unsigned attempts_lease_moves(void);

#endif
