/* SPDX-License-Identifier: MIT */
/*
 * retention: removes what is over its time, in short slices, and never what a
 * walk can bring back.
 */
#ifndef FLOW_RETENTION_H
#define FLOW_RETENTION_H

#include "flow/ingest.h"
#include "source/source_poll.h"
#include "store/store_worker.h"

struct retention;

struct retention_settings {
    int64_t keep_ids_ms; /* the longest of all connectors */
    int64_t keep_events_ms;
    int64_t keep_attempts_ms;
    int64_t keep_dead_ms; /* 0: for ever */
    struct source_poll *const *polls;
    size_t poll_count;
    /* The lowest stamp that other agents' walks can still read; NULL: there are
     * no others. */
    int64_t (*others)(void *arg);
    void *others_arg;
    struct ingest *ingest;     /* is told of the floor before keys go */
    struct dispatch *dispatch; /* is told when dead letters may have gone; NULL:
                                  nobody is */
    int64_t round_ms;          /* between two rounds; 0: a minute */
};

NODISCARD
enum status retention_create(struct loop *loop, struct store_worker *worker,
                             const struct retention_settings *settings,
                             struct retention **ret);

/* Begins; the first slice comes after a round. */
void retention_start(struct retention *retention);

/* Starts no further slice. One may be under way until the worker is destroyed.
 * NULL is allowed. */
void retention_stop(struct retention *retention);

/* Only after the worker was destroyed. NULL is allowed. */
void retention_destroy(struct retention *retention);

/*
 * The ledger's floor: now − keep_ids, never above the lowest stamp a walk can
 * still read, less one bucket. Pure.
 */
int64_t retention_floor(int64_t now_ms, int64_t keep_ids_ms, int64_t lowest_ms);

/* The lowest stamp that any of them can still read: see source_poll_lowest. */
int64_t retention_lowest(struct source_poll *const *polls, size_t count);

/* How long the ledger keeps ids: the longest that any connector wants. Pure. */
int64_t retention_keep_ids(const struct connector *connectors, size_t count);

/*
 * How long events stay: `keep_ms`, or where that is longer, until accounting
 * has passed them: the grace of their connector, and time to count. Pure.
 */
int64_t retention_keep_events(int64_t keep_ms,
                              const struct connector *connectors, size_t count);

#endif
