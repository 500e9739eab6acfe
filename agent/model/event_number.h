/* SPDX-License-Identifier: MIT */
/*
 * event_number: the numbers that events get. Pure.
 *
 * A number is the time of acceptance, shifted, and where that would not grow
 * the last one and a bit more. Of agents that share a store each gives numbers
 * of its own: the ten bits below the time are the agent's, the ten below those
 * count.
 */
#ifndef MODEL_EVENT_NUMBER_H
#define MODEL_EVENT_NUMBER_H

#include <stdint.h>

#define EVENT_MS_SHIFT    20
#define EVENT_AGENT_SHIFT 10
#define EVENT_AGENT_MAX   ((1U << (EVENT_MS_SHIFT - EVENT_AGENT_SHIFT)) - 1)

/* The next number above `last`, whoever gave that, at `now_ms`. `agent` is at
 * most EVENT_AGENT_MAX; 0: there is only one. */
uint64_t event_number_next(uint64_t last, int64_t now_ms, unsigned agent);

#endif
