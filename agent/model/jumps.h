/* SPDX-License-Identifier: MIT */
/*
 * jumps: what our clock was set by while the process ran, so that an age is the
 * time that went by and not what the clock says. Pure.
 *
 * A machine that starts in 1970, takes events, and is told the time a minute
 * later has not kept them for half a century.
 */
#ifndef MODEL_JUMPS_H
#define MODEL_JUMPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JUMPS_KEPT = 8 };

/* All zeroes is one that has seen nothing. */
struct jumps {
    bool begun;
    int64_t ahead_ms; /* the clock, of the one that never jumps */
    struct {
        int64_t from_ms; /* what it would have said … */
        int64_t to_ms;   /* … and what it said instead */
    } at[JUMPS_KEPT];    /* the last ones, oldest first */
    size_t count;
};

/* Takes both clocks of one instant. Returns whether ours was set back since the
 * last time; a minute and less is no jump. */
bool jumps_note(struct jumps *jumps, int64_t unix_ms, int64_t steady_ms);

/* How long ago it was `since_ms` by our clock, as far as this process has seen;
 * never more than the clock says where it was set ahead. NULL: as it says. */
int64_t jumps_age(const struct jumps *jumps, int64_t since_ms, int64_t now_ms);

#endif
