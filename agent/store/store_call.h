/* SPDX-License-Identifier: MIT */
/*
 * store_call: what is asked of a store as a value, so that it can wait in a
 * queue; which calls make one transaction, and what each of them runs.
 */
#ifndef STORE_STORE_CALL_H
#define STORE_STORE_CALL_H

#include "base/list.h"
#include "store/store.h"

enum store_call_kind {
    STORE_CALL_UNIT,
    STORE_CALL_CLAIM,
    STORE_CALL_AGAIN,
    STORE_CALL_ERRAND,
    STORE_CALL_KNOWN,
    STORE_CALL_WALK,
    STORE_CALL_FIGURES,
    STORE_CALL_ACCOUNT,
    STORE_CALL_UNLISTED,
    STORE_CALL_PRUNE,
    STORE_CALL_RECEIVER,
    STORE_CALL_BEAT, /* of a store that has one */
    STORE_CALL_RUN
};

/* Embed it in what the caller keeps. */
struct store_call {
    struct list link; /* the worker's while the call is under way */
    bool gave_way;    /* the queue's */
    enum store_call_kind kind;
    void (*done)(struct store_call *call); /* on the loop, exactly once */
    void *arg;
    enum status status; /* set before done */
    struct error err;
    /* The worker's: on the last call of a group, what its commit took. */
    int64_t commit_us;
    size_t commit_units;
    union {
        struct store_unit unit; /* its status is copied to `status` */
        struct {
            uint32_t handler;
            int64_t now_ms, lease_until_ms;
            size_t limit;
            struct store_claims claims;
        } claim;
        struct store_again again;
        struct store_errand errand;
        struct {
            const struct sighting *sightings;
            size_t count;
            bool *known;
        } known;
        struct {
            uint32_t connector;
            unsigned tier;
            struct buf text;
        } walk;
        struct {
            struct store_figure *at;
            size_t count;
        } figures;
        struct store_account account;
        struct store_unlisted unlisted;
        struct store_prune prune;
        struct store_receiver receiver;
        struct store_beat beat;
        /* Anything with the store, on its thread; also nothing (NULL): done
         * comes when all that was asked before is answered. */
        struct {
            enum status (*fn)(struct store *store, void *arg,
                              struct error *err);
            void *arg;
        } run;
    };
};

struct store_call *store_call_of(struct list *link);

/* Sightings of the call, and the bytes of their bodies; 0 of what is no unit.
 */
int64_t store_call_events(const struct store_call *call);
int64_t store_call_bytes(const struct store_call *call);

/* Moves all from `gathered` behind what is queued; signs of life before it: one
 * that waits behind a long queue would come too late, and the agent be taken
 * for dead. The last one waits for what stands before it. */
void store_call_gather(struct list *queued, struct list *gathered);

/* Moves from `queued` to `taken` what makes the next transaction: units that
 * stand in a row, `units_max` at most, or one call of another kind. Returns how
 * many. What nobody outside waits for (a slice of an errand, a claim of what
 * comes again, pruning) lets one group of units behind it go first, so that a
 * sender waits for one such commit at most, and errands get on all the same. */
size_t store_call_take(struct list *queued, int64_t units_max,
                       struct list *taken);

/* Runs a call that is no unit, and gives it its status; units are applied in
 * groups. */
void store_call_run(struct store *store, struct store_call *call);

#endif
