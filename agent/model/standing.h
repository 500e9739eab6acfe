/* SPDX-License-Identifier: MIT */
/*
 * standing: what it makes of an event that the other channel shows it too, and
 * when its webhook counts as missed. Pure.
 *
 * Nobody waits for any of this: an event is owed to its handlers at once,
 * whichever channel brings it. A webhook that comes after its event was counted
 * recovered is late; that leaves it recovered, for it was.
 */
#ifndef MODEL_STANDING_H
#define MODEL_STANDING_H

#include "model/channel.h"

#include <stdbool.h>
#include <stdint.h>

/* What counting says of an event that a walk brought. */
enum standing_count {
    COUNT_NONE,      /* nothing: no webhook was to be waited for */
    COUNT_WAITS,     /* its webhook may still come in time */
    COUNT_RECOVERED, /* its grace has ended without one */
    COUNT_BEFORE     /* it was there before counting began */
};

enum standing {
    STANDING_SAME,
    STANDING_CONFIRMED, /* both channels, within grace of each other */
    STANDING_LATE       /* the webhook of what was counted recovered */
};

struct standing_view {
    enum channel via;    /* that shows the event, and had not before */
    bool by_walk;        /* a walk brought it, and no webhook had shown it */
    bool is_first_row;   /* a webhook had shown it, and no walk had */
    int64_t accepted_ms; /* these two by one clock */
    int64_t now_ms;
    int64_t grace_ms;
    enum standing_count count; /* where by_walk */
};

/* What comes of a second sighting. */
enum standing standing_judge(const struct standing_view *view);

/* The grace of what was accepted up to then has ended. */
int64_t standing_over_ms(int64_t now_ms, int64_t grace_ms);

#endif
