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

#include "store/store_call.h"

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

/* Whether a unit with sightings would be taken now, and could be stored. */
bool store_worker_has_room(const struct store_worker *worker);

struct store_worker_figures {
    int64_t queued_events;
    int64_t queued_bytes;
    uint64_t commits;
    uint64_t units;
    /* STATUS_OK; STATUS_FULL (no room), STATUS_UNAVAILABLE or STATUS_UNKNOWN
     * (the database is away) until a probe, made each second, finds that the
     * store can be written; STATUS_IO and STATUS_CORRUPT for good. */
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

/* Told on the loop when the store cannot be written for now, with words for the
 * operator, and when it can again. */
void store_worker_on_wait(struct store_worker *worker,
                          void (*fn)(void *arg, bool waits, const char *words),
                          void *arg);

/* Takes nothing new, finishes what is queued, closes the store, calls what is
 * left to call, frees. Blocks until then. NULL is allowed. */
void store_worker_destroy(struct store_worker *worker);

#endif
