/* SPDX-License-Identifier: MIT */
/*
 * pulse: how a handler has been doing lately: how many of its attempts ended in
 * the last minute, and how long they took. Pure; of a fixed size, whatever
 * comes.
 *
 * Durations are kept for five to ten minutes, by size: sixteen steps between a
 * number and its double, so what is told is at most a sixteenth too long.
 * Times are ms of a clock that does not go back.
 */
#ifndef MODEL_PULSE_H
#define MODEL_PULSE_H

#include <stddef.h>
#include <stdint.h>

enum {
    PULSE_SECONDS = 60,
    PULSE_STEPS = 16,
    PULSE_SIZES = PULSE_STEPS * 25 /* up to 2^28 ms: three days */
};

/* All zeroes is one that has seen nothing. */
struct pulse {
    int64_t second; /* the last one that was counted */
    uint32_t ended[PULSE_SECONDS];
    int64_t span; /* of five minutes, that the first row is of */
    uint32_t took[2][PULSE_SIZES]; /* this span, and the one before it */
};

/* An attempt has ended that took so long. */
void pulse_add(struct pulse *pulse, int64_t duration_ms, int64_t now_ms);

struct pulse_figures {
    int64_t per_minute; /* ended in the last minute */
    int64_t p50_ms;     /* half of them took no longer; -1: there were none */
    int64_t p99_ms;
};

/* Moves on to `now_ms` and tells. */
struct pulse_figures pulse_figures(struct pulse *pulse, int64_t now_ms);

#endif
