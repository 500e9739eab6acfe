/* SPDX-License-Identifier: MIT */
/*
 * source: where arrivals come from: the contract every source keeps, and the
 * sink it feeds.
 */
#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H

#include "base/mem.h"
#include "base/status.h"
#include "model/connector.h"
#include "model/sighting.h"
#include "model/verify.h"
#include "model/walk.h"

#include <stdbool.h>
#include <stdint.h>

enum arrival_kind {
    ARRIVAL_REQUEST, /* not verified yet: the sink verifies and extracts */
    ARRIVAL_PAGE     /* rows of a walk, extracted by the source */
};

/*
 * What came in, before anything is known of it. Its arena holds everything
 * derived from it and goes with it. Made by a source, taken by the sink.
 */
struct arrival {
    enum arrival_kind kind;
    const struct connector *connector;
    enum channel via;
    int64_t received_ms; /* Unix ms */
    struct arena arena;
    struct inbound request;  /* ARRIVAL_REQUEST */
    struct slice coded_body; /* as it came, when a content coding was undone */
    struct sighting *sightings; /* ARRIVAL_PAGE; set by the sink otherwise */
    size_t sighting_count;
    /* ARRIVAL_PAGE: becomes durable in the same transaction. */
    bool has_walk;
    unsigned tier;
    uint64_t fence; /* of the lease it walks by; 0: by none */
    struct slice walk_state;
    int64_t hw_ms;
    struct walk_past past;     /* for measuring how late the list shows */
    int64_t complete_until_ms; /* before this page: rows first listed below it
                                  break the bound */
    bool has_gap;
    struct walk_gap gap;
    bool has_read; /* a backfill's last page: gaps within are closed */
    int64_t read_from_ms;
    int64_t read_to_ms;
};

enum verdict_kind {
    VERDICT_STORED,  /* durable, at least one event was new */
    VERDICT_SEEN,    /* durable since before */
    VERDICT_ANSWER,  /* a handshake: `body` is the answer, nothing stored */
    VERDICT_FORGED,  /* not genuine */
    VERDICT_STALE,   /* genuine once, outside the tolerance */
    VERDICT_INVALID, /* genuine, but not what the connector says */
    VERDICT_BUSY,    /* not taken; send it again later */
    VERDICT_FENCED,  /* another agent walks the connector by now */
    VERDICT_FAILED   /* the store failed */
};

struct verdict {
    enum verdict_kind kind;
    size_t fresh; /* new events */
    size_t known;
    size_t seeded; /* of the known: taken for events of their stamp */
    int64_t
        oldest_ms; /* stamp of the oldest of the new ones; 0: none has one */
    int64_t broken_ms; /* stamp of the oldest that the list showed first below
                          what was complete; 0: none */
    struct lag_tally lag; /* how late the list showed what it showed first */
    bool signal;          /* a walk is asked for */
    /* VERDICT_ANSWER: borrowed for the call. Else empty. */
    const struct answer_spec *answer;
    struct slice body;
    struct http_fields fields;
    struct slice why; /* words for the operator; borrowed for the call */
};

/* Called once, on the loop, never before submit returned. */
typedef void verdict_fn(void *arg, const struct verdict *verdict);

struct source_sink {
    void *self;
    bool is_rehearsal; /* says stored, and stores nothing */
    /* Takes ownership of `arrival`, in every case; it lives until `done` has
     * returned. */
    void (*submit)(void *self, struct arrival *arrival, verdict_fn *done,
                   void *arg);
    /* Whether an arrival would be taken now; false asks for 503 at the head. */
    bool (*has_room)(void *self);
    /* Whether the store can be written; a walk waits when it cannot. */
    bool (*is_writable)(void *self);
    /* Stamps below it may have been forgotten by the ledger. */
    int64_t (*floor_ms)(void *self);
    /* Reads the stored state of a tier: STATUS_NOT_FOUND when there is none.
     * The text is borrowed for the callback, which comes once, later. */
    void (*load)(void *self, const struct connector *connector, unsigned tier,
                 void (*done)(void *arg, enum status status, struct slice state,
                              const struct error *err),
                 void *arg);
    /* Tells which of the sightings the ledger knows already; they stay the
     * caller's and untouched until the callback. */
    void (*known)(void *self, const struct sighting *sightings, size_t count,
                  void (*done)(void *arg, enum status status,
                               const bool *known),
                  void *arg);
};

/* Makes an empty arrival. */
NODISCARD
enum status arrival_create(const struct connector *connector,
                           enum arrival_kind kind, enum channel via,
                           int64_t received_ms, struct arrival **ret_arrival);
void arrival_destroy(struct arrival *arrival); /* NULL is allowed */

/*
 * Undoes the content coding of a request's body (gzip, deflate), keeping what
 * came in coded_body; without a coding nothing is done. STATUS_TOO_LARGE over
 * `limit_bytes` or `ratio_max`; STATUS_INVALID when the body is not what its
 * coding says. The listener and `longstop verify` both ask here, so that they
 * cannot disagree about what is genuine.
 */
NODISCARD
enum status arrival_inflate(struct arrival *arrival, size_t limit_bytes,
                            unsigned ratio_max);

#endif
