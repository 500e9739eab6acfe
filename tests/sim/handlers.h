/* SPDX-License-Identifier: MIT */
/*
 * handlers: handlers that succeed, fail, hang and die as the plan says, and
 * note what was handed to them.
 */
#ifndef SIM_HANDLERS_H
#define SIM_HANDLERS_H

#include <stddef.h>

struct handler;

/* An attempt that hangs is ended by its handler's own deadline. */
#define HANDLERS_TIMEOUT_MS 600000

/* Of a delivery: no stall of the store is as long. */
#define HANDLERS_LEASE_MS 7200000

void handlers_begin(void);
struct handler *handlers_at(size_t index);

/* The process is dead: every running attempt is reported as cut off. */
void handlers_cut(void);

#endif
