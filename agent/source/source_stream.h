/* SPDX-License-Identifier: MIT */
/*
 * source_stream: one request that is held open to a relay, whose events are
 * requests as if they had come in; opened again whenever it ends.
 *
 * An event's id becomes durable in the transaction that holds its events, or
 * behind it, and never while an earlier one is on its way: after a crash the
 * relay is asked for all that may be missing, and the ledger knows the rest.
 * What the sink cannot take is held back, down to the relay's socket.
 */
#ifndef SOURCE_SOURCE_STREAM_H
#define SOURCE_SOURCE_STREAM_H

#include "base/metric.h"
#include "model/refusal.h"
#include "source/source.h"

struct http_client;
struct loop;
struct source_stream;

/* What became of an event of the stream. */
enum stream_outcome {
    STREAM_ACCEPTED,
    STREAM_DUPLICATE,
    STREAM_BAD_SIGNATURE,
    STREAM_STALE,
    STREAM_MALFORMED, /* it carries no request, or not the connector's */
    STREAM_TOO_LARGE,
    STREAM_GIVEN_UP, /* it could not be judged for a minute */
    STREAM_OUTCOME_COUNT
};

const char *stream_outcome_name(enum stream_outcome outcome);

struct source_stream_settings {
    const struct connector *connector; /* has_stream */
    uint64_t seed;
    uint64_t fence; /* of the lease it is read by; 0: there are none */
    /* These may be NULL. */
    struct metric *connected;
    struct metric *reconnects;
    struct metric *outcomes[STREAM_OUTCOME_COUNT];
    /* An event asked for an early walk. May be NULL. */
    void (*signal)(void *arg, const struct connector *connector);
    void *signal_arg;
    /* Told of each request that is refused for what it is; nothing was
     * answered, so its status is 0. Borrowed for the call. May be NULL. */
    void (*refused)(void *arg, const struct refusal *refusal);
    void *refused_arg;
};

NODISCARD
enum status source_stream_create(struct loop *loop, struct http_client *client,
                                 const struct source_stream_settings *settings,
                                 const struct source_sink *sink,
                                 struct source_stream **ret);

/* After `stopped`, or never started, or with the sink gone. NULL is allowed. */
void source_stream_destroy(struct source_stream *stream);

void source_stream_start(struct source_stream *stream);

/* Closes; `stopped` comes once, when nothing is on its way to the store any
 * more, never before this has returned. */
void source_stream_stop(struct source_stream *stream,
                        void (*stopped)(void *arg), void *arg);

/* How it stands, for people. Borrowed until the loop's next turn. */
struct stream_figures {
    const char *state;    /* starting connecting connected waiting over */
    int64_t connected_ms; /* Unix ms since when; 0: it is not */
    int64_t byte_ms;      /* when the last byte came; 0: none has */
    int64_t next_ms;      /* when it is opened again; 0: it is not waiting */
    uint64_t reconnects;
    uint64_t refused; /* not genuine, stale, malformed or too large */
    struct slice id;  /* the last one that is durable, or needs not be */
    struct slice why; /* it is not connected */
};

void source_stream_figures(const struct source_stream *stream,
                           struct stream_figures *ret_figures);

#endif
