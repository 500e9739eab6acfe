/* SPDX-License-Identifier: MIT */
/*
 * store_worker: one thread in front of a store: a queue, group commit,
 * completions on the loop, back-pressure.
 *
 * While one commit is on its way to disk, whatever queues becomes the next
 * transaction: no timer, no linger. Requests travel whole to the thread and
 * whole back; the two threads share nothing else. Completions come in the
 * order of submission.
 */
#ifndef STORE_STORE_WORKER_H
#define STORE_STORE_WORKER_H

#include "base/list.h"
#include "store/store.h"

struct loop;
struct store_worker;

struct store_worker_settings {
    int64_t queue_events; /* sightings queued at most: 8,192 */
    int64_t queue_bytes;  /* of their bodies: 64 MiB */
    int64_t group_units;  /* in one transaction at most: 512 */
};

/* Takes the store, which is closed by the thread at the end. */
NODISCARD
enum status store_worker_create(struct loop *loop, struct store *store,
                                const struct store_worker_settings *settings,
                                struct store_worker **ret, struct error *err);

/* What is asked of the thread; embed it in what the caller keeps. */
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
    STORE_CALL_RECEIVER
};

struct store_call {
    struct list link; /* the worker's while the call is under way */
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
    };
};

/*
 * Queues a call. STATUS_OK: done will come. STATUS_BUSY: the queue is over its
 * high-water mark (units with sightings only); STATUS_IO or STATUS_CORRUPT: the
 * store has failed for good; STATUS_CANCELED: the worker is being destroyed;
 * the call is untouched and done will not come. Calls of one loop turn are
 * handed over together at its end.
 */
NODISCARD
enum status store_worker_submit(struct store_worker *worker,
                                struct store_call *call);

/* Whether a unit with sightings would be taken now. */
bool store_worker_has_room(const struct store_worker *worker);

struct store_worker_figures {
    int64_t queued_events;
    int64_t queued_bytes;
    uint64_t commits;
    uint64_t units;
    /* STATUS_OK; STATUS_FULL until a probe, made each second, finds room again;
     * STATUS_IO and STATUS_CORRUPT for good. */
    enum status health;
};
void store_worker_figures(const struct store_worker *worker,
                          struct store_worker_figures *ret);

/* Told on the loop of each commit's duration, for longstop_commit_seconds. */
void store_worker_on_commit(struct store_worker *worker,
                            void (*fn)(void *arg, double seconds, size_t units),
                            void *arg);

/* Told on the loop once, when the store has failed for good. */
void store_worker_on_failure(struct store_worker *worker,
                             void (*fn)(void *arg, enum status status,
                                        const char *words),
                             void *arg);

/* Told on the loop when the file system is full, with words for the operator,
 * and when there is room again. */
void store_worker_on_room(struct store_worker *worker,
                          void (*fn)(void *arg, bool is_full,
                                     const char *words),
                          void *arg);

/* Takes nothing new, finishes what is queued, closes the store, calls what is
 * left to call, frees. Blocks until then. NULL is allowed. */
void store_worker_destroy(struct store_worker *worker);

#endif
