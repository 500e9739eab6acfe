/* SPDX-License-Identifier: MIT */
/*
 * telemetry: the program's metrics: their fixed names, and the series of each
 * connector and handler.
 *
 * Counting never fails: a series that could not be made is NULL, which the
 * metric functions ignore.
 */
#ifndef FLOW_TELEMETRY_H
#define FLOW_TELEMETRY_H

#include "base/metric.h"
#include "flow/duplicates.h"
#include "model/channel.h"
#include "source/source_poll.h"
#include "source/source_stream.h"

enum delivery_outcome {
    DELIVERY_DONE,
    DELIVERY_RETRY,
    DELIVERY_DEAD,
    DELIVERY_OUTCOME_COUNT
};

struct telemetry {
    struct metric_registry *registry;
    struct metric_family *webhook_requests;
    struct metric_family *events;
    struct metric_family *duplicates;
    struct metric_family *beyond_horizon;
    struct metric_family *recovered;
    struct metric_family *late;
    struct metric_family *confirmed;
    struct metric_family *webhook_only;
    struct metric_family *webhook_silent;
    struct metric_family *poll_runs;
    struct metric_family *poll_interval;
    struct metric_family *complete_until;
    struct metric_family *visibility_lag;
    struct metric_family *bound_broken;
    struct metric_family *overlap_short;
    struct metric_family *gaps;
    struct metric_family *subscription_ok;
    struct metric_family *stream_connected;
    struct metric_family *stream_reconnects;
    struct metric_family *stream_events;
    struct metric_family *deliveries;
    struct metric_family *pending;
    struct metric_family *oldest_pending;
    struct metric_family *breaker_state;
    struct metric_family *handler_paused;
    struct metric_family *connector_paused;
    struct metric_family *certificate_expiry;
    struct metric_family *agents;
    struct metric_family *lease_held;
    struct metric *commit_seconds;
    struct metric *reload_ok;
    struct metric *reload_time;
    struct duplicates_shelf *shelf; /* no metric: a label for each type */
};

struct telemetry_connector {
    struct metric *events[CHANNEL_COUNT];
    struct metric *duplicates[CHANNEL_COUNT];
    struct duplicates *by_type; /* of these */
    struct metric *beyond_horizon;
    struct metric *recovered; /* these four where there are both channels */
    struct metric *late;
    struct metric *confirmed;
    struct metric *webhook_silent;
    struct metric *webhook_only; /* and rows are events */
    struct metric *poll_runs[POLL_OUTCOME_COUNT];
    struct metric *poll_interval;
    struct metric *visibility_lag;
    struct metric *bound_broken;
    struct metric *overlap_short;
    struct metric *gaps;
    struct metric *stream_connected; /* these where there is a stream */
    struct metric *stream_reconnects;
    struct metric *stream_events[STREAM_OUTCOME_COUNT];
};

struct telemetry_handler {
    struct metric *deliveries[DELIVERY_OUTCOME_COUNT];
    struct metric *pending;
    struct metric *oldest_pending;
    struct metric *breaker_state; /* enum breaker_state */
};

/* Registers every family. `version` is static. */
NODISCARD
enum status telemetry_init(struct telemetry *telemetry, const char *version);
void telemetry_fini(struct telemetry *telemetry);

/* The configuration was read: it runs now, or the one before goes on. */
void telemetry_loaded(const struct telemetry *telemetry, bool good,
                      int64_t at_ms);

struct telemetry_connector
telemetry_of_connector(const struct telemetry *telemetry,
                       const struct connector *connector);
/* Tells up to when a connector is complete, by the provider's clock. Its series
 * is there from the first time on: a zero before would go back. */
void telemetry_complete_until(const struct telemetry *telemetry,
                              const struct connector *connector,
                              int64_t until_ms);

/* Returns the gauge of a hook that `subscribe` made: 1 while it is as it should
 * be. Its series is there once that was looked at. */
struct metric *telemetry_subscription(const struct telemetry *telemetry,
                                      const struct connector *connector);

/* Tells until when the listeners' certificates are good: the first of them that
 * ends. Its series is there from the first time on. */
void telemetry_certificate_expiry(const struct telemetry *telemetry,
                                  int64_t until_ms);

/* Returns the gauge of a handler, or of a connector: 1 while it is paused. */
struct metric *telemetry_paused(const struct telemetry *telemetry,
                                bool is_handler, struct slice name);

/* Return the gauges of a store that agents share, to be asked for only there:
 * how many live; 1 while this one walks a connector. */
struct metric *telemetry_agents(const struct telemetry *telemetry);
struct metric *telemetry_lease(const struct telemetry *telemetry,
                               const struct connector *connector);

/* Have gauges of one that is not in the configuration any more say nothing: 0;
 * its counters stay as they are. */
void telemetry_connector_gone(const struct telemetry *telemetry,
                              const struct connector *connector);
void telemetry_handler_gone(const struct telemetry *telemetry,
                            struct slice name);

struct telemetry_handler telemetry_of_handler(const struct telemetry *telemetry,
                                              struct slice name);

#endif
