/* SPDX-License-Identifier: MIT */
/*
 * streams: the streams of an agent, one for each connector that has one.
 */
#ifndef APP_STREAMS_H
#define APP_STREAMS_H

#include "flow/leases.h"
#include "flow/telemetry.h"
#include "source/source_stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_client;
struct streams;

struct streams_settings {
    struct loop *loop;
    struct http_client *client;
    const struct connector *connectors;
    size_t connector_count;
    const struct source_sink *sink;
    const struct telemetry *telemetry;
    /* An event asked for an early walk. */
    void (*signal)(void *arg, const struct connector *connector);
    void *signal_arg;
    /* A request was refused, see source_stream.h. */
    void (*refused)(void *arg, const struct refusal *refusal);
    void *refused_arg;
    uint64_t seed;
};

/* Borrows what the settings point to. */
NODISCARD
enum status streams_create(const struct streams_settings *settings,
                           struct streams **ret);

/* After `stopped`, or never started, or with the sink gone. NULL is allowed. */
void streams_destroy(struct streams *streams);

/* From here on NULL stands for no streams. */
void streams_start(struct streams *streams);

/* Ends all; returns how often `stopped` will be called, never before this has
 * returned. */
size_t streams_stop(struct streams *streams, void (*stopped)(void *arg),
                    void *arg);

/*
 * Ends `streams`, and starts those of `heirs` as soon as what they follow has
 * nothing on its way to the store any more: they go on behind it. Returns how
 * often `ended` will be called, never before this has returned.
 */
size_t streams_hand_over(struct streams *streams, struct streams *heirs,
                         void (*ended)(void *arg), void *arg);

/* Reads those that are held, by their fences, and lets the others go; what is
 * held again goes on from where another agent has read to. Again with each
 * answer of the store: what lacked memory is tried once more. */
void streams_hold(struct streams *streams, const struct leases *leases);

/* How the stream of `connector` stands; false when it has none, or another
 * agent reads it. */
bool streams_figures(const struct streams *streams,
                     const struct connector *connector,
                     struct stream_figures *ret_figures);

#endif
