/* SPDX-License-Identifier: MIT */
/*
 * wake: looks for what other agents that share the store have made due: when
 * one of them tells, and without that every few seconds; and tells them of what
 * finds no free slot here.
 *
 * Nothing depends on being told: it is a hint, which saves the seconds. Looks
 * and tells are spread and counted, so that many agents which are told at once
 * do not ask at once, and a flood of events is not one of hints.
 */
#ifndef FLOW_WAKE_H
#define FLOW_WAKE_H

#include "store/store_wake.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct wake;

struct wake_settings {
    /* Something may be due; whether much is going on here. */
    bool (*look)(void *arg);
    void *arg;
    uint64_t seed;
    int64_t busy_ms; /* between two looks while much is; 0: a second */
    int64_t idle_ms; /* and while not; 0: five */
};

/* Takes `store`, even when it fails. */
NODISCARD
enum status wake_create(struct loop *loop, struct store_wake *store,
                        const struct wake_settings *settings, struct wake **ret,
                        struct error *err);

/* Begins to listen and to look. NULL is allowed: there are no others. */
void wake_start(struct wake *wake);

/* Something is due that this agent cannot begin now. NULL is allowed. */
void wake_tell(struct wake *wake);

/* Waits for what its thread does, 100 ms or the time that it takes to be told
 * so. NULL is allowed. */
void wake_destroy(struct wake *wake);

#endif
