/* SPDX-License-Identifier: MIT */
/*
 * refusals: keeps requests that were not accepted, at a cost that whoever sends
 * them cannot raise.
 *
 * Of each connector and cause a few a minute are kept; the others are counted
 * at the last one that was. What is kept waits for half a second and becomes
 * one unit among those of others: nothing that is good waits for it, and when
 * it cannot be stored it is only counted.
 */
#ifndef FLOW_REFUSALS_H
#define FLOW_REFUSALS_H

#include "model/refusal.h"
#include "store/store_worker.h"

struct loop;
struct refusals;

/* Of one connector and cause: so many at once, and in each minute. */
#define REFUSALS_A_MINUTE 30

struct refusals_settings {
    const struct connector *connectors;
    size_t connector_count;
    size_t keep; /* of each connector; 0: none */
};

/* Borrows all but the settings struct itself. */
NODISCARD
enum status refusals_create(struct loop *loop, struct store_worker *worker,
                            const struct refusals_settings *settings,
                            struct refusals **ret);

/* Has what is over `keep` go, which may have been more before. */
void refusals_start(struct refusals *refusals);

/* Takes note of one; returns whether it is kept, not only counted. NULL is
 * allowed. */
bool refusals_note(struct refusals *refusals, const struct refusal *refusal);

/* Hands over what has gathered. NULL is allowed. */
void refusals_flush(struct refusals *refusals);

/* Hands over all that has gathered, also where a call is under way: before the
 * worker is destroyed. Nothing is taken note of from now on. NULL is allowed.
 */
void refusals_end(struct refusals *refusals);

/* The worker is gone. NULL is allowed. */
void refusals_destroy(struct refusals *refusals);

#endif
