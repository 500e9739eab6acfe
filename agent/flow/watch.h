/* SPDX-License-Identifier: MIT */
/*
 * watch: who looks on while events come in and deliveries end.
 *
 * ingest and dispatch tell after the transaction: what is told is durable. All
 * is borrowed for the call, and nothing waits for whoever looks on.
 */
#ifndef FLOW_WATCH_H
#define FLOW_WATCH_H

#include "base/bytes.h"

#include <stdint.h>

struct arrival;
struct attempt;

/* Start with `{ 0 }`: nobody looks on. Each may be NULL. */
struct watch {
    void *arg;
    /* An arrival is stored; its sightings say which of them are fresh. */
    void (*stored)(void *arg, const struct arrival *arrival);
    /* An attempt at a delivery of `handler` is over. `due_ms`: the next one, 0
     * when there is none. */
    void (*settled)(void *arg, struct slice handler,
                    const struct attempt *attempt, int64_t due_ms);
};

#endif
