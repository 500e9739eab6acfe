/* SPDX-License-Identifier: MIT */
/*
 * promise: what a connector's polling promises and costs, as numbers, told from
 * its configuration alone. Pure.
 */
#ifndef MODEL_PROMISE_H
#define MODEL_PROMISE_H

#include "model/connector.h"

#include <stdint.h>

struct promise {
    int64_t shown_ms;      /* nothing is lost that the list shows within so long
                              of its time: the deepest overlap and settle, or
                              what retention leaves between two walks */
    int64_t shown_most_ms; /* the same where every `overlap: auto` is as deep as
                              it may become */
    int64_t walk_ms;       /* the part of shown_ms that walks of the first tier
                              cover; what is later waits for a sweep */
    int64_t interval_ms;   /* the longest time from one walk to the next */
    int64_t stale_ms;    /* what such a walk covers is here so long after it is
                            shown: the interval, one request and its commit */
    int64_t calls_least; /* a day, at one request a walk, sweeps included */
    int64_t calls_most;  /* likewise, at the shortest intervals */
};

/* For a connector that polls. */
struct promise promise_of(const struct connector *connector);

#endif
