/* SPDX-License-Identifier: MIT */
#include "flow/telemetry.h"

/* Commits last from 0.1 ms on a fast disk to seconds on a busy one. */
static const double commit_bounds[] = { 0.0001, 0.00025, 0.0005, 0.001, 0.0025,
                                        0.005,  0.01,    0.025,  0.05,  0.1,
                                        0.25,   1,       5 };

/* From seconds, for lists that are nearly live, to a day. */
static const double lag_bounds[] = { 0,  1,   2,   5,    10,    30,
                                     60, 300, 900, 3600, 21600, 86400 };

/* The families without series are named here for whoever writes alerts: what
 * nobody counts yet must not read as a zero. */
enum family {
    FAMILY_BUILD_INFO,
    FAMILY_WEBHOOK_REQUESTS,
    FAMILY_EVENTS,
    FAMILY_DUPLICATES,
    FAMILY_BEYOND_HORIZON,
    FAMILY_RECOVERED,
    FAMILY_LATE,
    FAMILY_CONFIRMED,
    FAMILY_WEBHOOK_ONLY,
    FAMILY_WEBHOOK_SILENT,
    FAMILY_POLL_RUNS,
    FAMILY_POLL_INTERVAL,
    FAMILY_COMPLETE_UNTIL,
    FAMILY_VISIBILITY_LAG,
    FAMILY_BOUND_BROKEN,
    FAMILY_OVERLAP_SHORT,
    FAMILY_GAPS,
    FAMILY_SUBSCRIPTION_OK,
    FAMILY_STREAM_CONNECTED,
    FAMILY_STREAM_RECONNECTS,
    FAMILY_STREAM_EVENTS,
    FAMILY_DELIVERIES,
    FAMILY_PENDING,
    FAMILY_OLDEST_PENDING,
    FAMILY_BREAKER_STATE,
    FAMILY_HANDLER_PAUSED,
    FAMILY_CONNECTOR_PAUSED,
    FAMILY_CERTIFICATE_EXPIRY,
    FAMILY_AGENTS,
    FAMILY_LEASE_HELD,
    FAMILY_COMMIT_SECONDS,
    FAMILY_RELOAD_OK,
    FAMILY_RELOAD_TIME,
    FAMILY_COUNT
};

static const struct metric_spec specs[FAMILY_COUNT] = {
    [FAMILY_BUILD_INFO] = { .name = "longstop_build_info",
                            .help = "The program that is running.",
                            .kind = METRIC_GAUGE,
                            .labels = { "version" } },
    [FAMILY_WEBHOOK_REQUESTS] = { .name = "longstop_webhook_requests_total",
                                  .help = "Requests to a webhook route.",
                                  .kind = METRIC_COUNTER,
                                  .labels = { "connector", "outcome" } },
    [FAMILY_EVENTS] = { .name = "longstop_events_total",
                        .help = "Events, by the channel that brought them "
                                "first.",
                        .kind = METRIC_COUNTER,
                        .labels = { "connector", "via" } },
    [FAMILY_DUPLICATES] = { .name = "longstop_duplicates_total",
                            .help = "Sightings of events that were known.",
                            .kind = METRIC_COUNTER,
                            .labels = { "connector", "via" } },
    [FAMILY_BEYOND_HORIZON] = { .name = "longstop_beyond_horizon_total",
                                .help = "Genuine webhooks stamped below the "
                                        "ledger's floor.",
                                .kind = METRIC_COUNTER,
                                .labels = { "connector" } },
    [FAMILY_RECOVERED] = { .name = "longstop_recovered_total",
                           .help = "Events of a walk that no webhook had "
                                   "shown when grace had passed.",
                           .kind = METRIC_COUNTER,
                           .labels = { "connector" } },
    [FAMILY_LATE] = { .name = "longstop_late_total",
                      .help = "Webhooks of events already counted as "
                              "recovered.",
                      .kind = METRIC_COUNTER,
                      .labels = { "connector" } },
    [FAMILY_CONFIRMED] = { .name = "longstop_confirmed_total",
                           .help = "Events that both channels showed within "
                                   "grace of each other.",
                           .kind = METRIC_COUNTER,
                           .labels = { "connector" } },
    [FAMILY_WEBHOOK_ONLY] = { .name = "longstop_webhook_only",
                              .help = "Genuine webhooks that no walk listed.",
                              .kind = METRIC_GAUGE,
                              .labels = { "connector" } },
    [FAMILY_WEBHOOK_SILENT] = { .name = "longstop_webhook_silent",
                                .help = "1 while webhooks have stopped and "
                                        "only walks bring events.",
                                .kind = METRIC_GAUGE,
                                .labels = { "connector" } },
    [FAMILY_POLL_RUNS] = { .name = "longstop_poll_runs_total",
                           .help = "Walks, by how they ended.",
                           .kind = METRIC_COUNTER,
                           .labels = { "connector", "outcome" } },
    [FAMILY_POLL_INTERVAL] = { .name = "longstop_poll_interval_seconds",
                               .help = "Time from one walk to the next as it "
                                       "is now; 0: by cron.",
                               .kind = METRIC_GAUGE,
                               .labels = { "connector" } },
    [FAMILY_COMPLETE_UNTIL] = { .name = "longstop_complete_until_seconds",
                                .help = "The provider's time up to which "
                                        "everything it listed is stored.",
                                .kind = METRIC_GAUGE,
                                .labels = { "connector" } },
    [FAMILY_VISIBILITY_LAG] = { .name = "longstop_visibility_lag_seconds",
                                .help = "Time from an event's stamp until the "
                                        "list showed it.",
                                .kind = METRIC_HISTOGRAM,
                                .labels = { "connector" },
                                .bounds = lag_bounds,
                                .bound_count = sizeof(lag_bounds) /
                                               sizeof(lag_bounds[0]) },
    [FAMILY_BOUND_BROKEN] = { .name = "longstop_bound_broken_total",
                              .help = "Events first listed below the "
                                      "complete-until: the overlap is too "
                                      "small.",
                              .kind = METRIC_COUNTER,
                              .labels = { "connector" } },
    [FAMILY_OVERLAP_SHORT] = { .name = "longstop_overlap_short",
                               .help = "1 while the list shows events later "
                                       "than four fifths of what overlap and "
                                       "settle cover.",
                               .kind = METRIC_GAUGE,
                               .labels = { "connector" } },
    [FAMILY_GAPS] = { .name = "longstop_gaps_total",
                      .help = "Spans that could not be read any more.",
                      .kind = METRIC_COUNTER,
                      .labels = { "connector" } },
    [FAMILY_SUBSCRIPTION_OK] = { .name = "longstop_subscription_ok",
                                 .help = "Whether the provider's hook that "
                                         "subscribe made is as it should be.",
                                 .kind = METRIC_GAUGE,
                                 .labels = { "connector" } },
    [FAMILY_CERTIFICATE_EXPIRY] = { .name = "longstop_certificate_expiry_"
                                            "timestamp_seconds",
                                    .help = "Until when the listeners' "
                                            "certificates are good: the first "
                                            "that ends.",
                                    .kind = METRIC_GAUGE },
    [FAMILY_STREAM_CONNECTED] = { .name = "longstop_stream_connected",
                                  .help = "1 while the relay's stream is "
                                          "open.",
                                  .kind = METRIC_GAUGE,
                                  .labels = { "connector" } },
    [FAMILY_STREAM_RECONNECTS] = { .name = "longstop_stream_reconnects_total",
                                   .help = "How often the relay's stream was "
                                           "asked for again.",
                                   .kind = METRIC_COUNTER,
                                   .labels = { "connector" } },
    [FAMILY_STREAM_EVENTS] = { .name = "longstop_stream_requests_total",
                               .help = "Requests that a relay handed on.",
                               .kind = METRIC_COUNTER,
                               .labels = { "connector", "outcome" } },
    [FAMILY_DELIVERIES] = { .name = "longstop_deliveries_total",
                            .help = "Attempts, by how they ended.",
                            .kind = METRIC_COUNTER,
                            .labels = { "handler", "outcome" } },
    [FAMILY_PENDING] = { .name = "longstop_pending_deliveries",
                         .help = "Deliveries owed and not over.",
                         .kind = METRIC_GAUGE,
                         .labels = { "handler" } },
    [FAMILY_OLDEST_PENDING] = { .name = "longstop_oldest_pending_seconds",
                                .help = "Age of the oldest delivery owed.",
                                .kind = METRIC_GAUGE,
                                .labels = { "handler" } },
    [FAMILY_BREAKER_STATE] = { .name = "longstop_handler_breaker_state",
                               .help = "0 closed, 1 half-open: one delivery is "
                                       "tried, 2 open: none is.",
                               .kind = METRIC_GAUGE,
                               .labels = { "handler" } },
    [FAMILY_HANDLER_PAUSED] = { .name = "longstop_handler_paused",
                                .help = "1 while nothing is given to it, by a "
                                        "command or because it said 410.",
                                .kind = METRIC_GAUGE,
                                .labels = { "handler" } },
    [FAMILY_CONNECTOR_PAUSED] = { .name = "longstop_connector_paused",
                                  .help = "1 while its list is not asked, by a "
                                          "command.",
                                  .kind = METRIC_GAUGE,
                                  .labels = { "connector" } },
    [FAMILY_AGENTS] = { .name = "longstop_agents",
                        .help = "Agents that share the store and live.",
                        .kind = METRIC_GAUGE },
    [FAMILY_LEASE_HELD] = { .name = "longstop_lease_held",
                            .help = "1 while this agent is the one of several "
                                    "that walks the connector.",
                            .kind = METRIC_GAUGE,
                            .labels = { "connector" } },
    [FAMILY_COMMIT_SECONDS] = { .name = "longstop_commit_seconds",
                                .help = "Time from the begin of a transaction "
                                        "to its end on disk.",
                                .kind = METRIC_HISTOGRAM,
                                .bounds = commit_bounds,
                                .bound_count = sizeof(commit_bounds) /
                                               sizeof(commit_bounds[0]) },
    [FAMILY_RELOAD_OK] = { .name = "longstop_config_last_reload_successful",
                           .help = "1 while the configuration that was read "
                                   "last is the one that runs.",
                           .kind = METRIC_GAUGE },
    [FAMILY_RELOAD_TIME] = { .name = "longstop_config_last_reload_success_"
                                     "timestamp_seconds",
                             .help = "When the configuration that runs was "
                                     "read.",
                             .kind = METRIC_GAUGE },
};

static enum status
name_build(struct metric_family *family, const char *version)
{
    struct metric *build;
    struct slice label = slice_of(version);
    enum status status = metric_series(family, &label, &build);
    if (status == STATUS_OK) {
        metric_set(build, 1);
    }
    return status;
}

enum status
telemetry_init(struct telemetry *telemetry, const char *version)
{
    struct metric_family *families[FAMILY_COUNT];
    *telemetry = (struct telemetry){ 0 };
    enum status status = metric_registry_create(&telemetry->registry);
    telemetry->shelf = duplicates_shelf_create();
    if (status == STATUS_OK && telemetry->shelf == NULL) {
        status = STATUS_NOMEM;
    }
    for (size_t i = 0; i < FAMILY_COUNT && status == STATUS_OK; i++) {
        status =
            metric_family_add(telemetry->registry, &specs[i], &families[i]);
    }
    if (status == STATUS_OK) {
        status = name_build(families[FAMILY_BUILD_INFO], version);
    }
    if (status == STATUS_OK) {
        status = metric_series(families[FAMILY_COMMIT_SECONDS], NULL,
                               &telemetry->commit_seconds);
    }
    if (status == STATUS_OK) {
        status = metric_series(families[FAMILY_RELOAD_OK], NULL,
                               &telemetry->reload_ok);
    }
    if (status == STATUS_OK) {
        status = metric_series(families[FAMILY_RELOAD_TIME], NULL,
                               &telemetry->reload_time);
    }
    if (status != STATUS_OK) {
        telemetry_fini(telemetry);
        return status;
    }
    telemetry->webhook_requests = families[FAMILY_WEBHOOK_REQUESTS];
    telemetry->events = families[FAMILY_EVENTS];
    telemetry->duplicates = families[FAMILY_DUPLICATES];
    telemetry->beyond_horizon = families[FAMILY_BEYOND_HORIZON];
    telemetry->recovered = families[FAMILY_RECOVERED];
    telemetry->late = families[FAMILY_LATE];
    telemetry->confirmed = families[FAMILY_CONFIRMED];
    telemetry->webhook_only = families[FAMILY_WEBHOOK_ONLY];
    telemetry->webhook_silent = families[FAMILY_WEBHOOK_SILENT];
    telemetry->poll_runs = families[FAMILY_POLL_RUNS];
    telemetry->poll_interval = families[FAMILY_POLL_INTERVAL];
    telemetry->agents = families[FAMILY_AGENTS];
    telemetry->lease_held = families[FAMILY_LEASE_HELD];
    telemetry->complete_until = families[FAMILY_COMPLETE_UNTIL];
    telemetry->visibility_lag = families[FAMILY_VISIBILITY_LAG];
    telemetry->bound_broken = families[FAMILY_BOUND_BROKEN];
    telemetry->overlap_short = families[FAMILY_OVERLAP_SHORT];
    telemetry->gaps = families[FAMILY_GAPS];
    telemetry->subscription_ok = families[FAMILY_SUBSCRIPTION_OK];
    telemetry->certificate_expiry = families[FAMILY_CERTIFICATE_EXPIRY];
    telemetry->stream_connected = families[FAMILY_STREAM_CONNECTED];
    telemetry->stream_reconnects = families[FAMILY_STREAM_RECONNECTS];
    telemetry->stream_events = families[FAMILY_STREAM_EVENTS];
    telemetry->deliveries = families[FAMILY_DELIVERIES];
    telemetry->pending = families[FAMILY_PENDING];
    telemetry->oldest_pending = families[FAMILY_OLDEST_PENDING];
    telemetry->breaker_state = families[FAMILY_BREAKER_STATE];
    telemetry->handler_paused = families[FAMILY_HANDLER_PAUSED];
    telemetry->connector_paused = families[FAMILY_CONNECTOR_PAUSED];
    return STATUS_OK;
}

void
telemetry_fini(struct telemetry *telemetry)
{
    metric_registry_destroy(telemetry->registry);
    duplicates_shelf_destroy(telemetry->shelf);
    *telemetry = (struct telemetry){ 0 };
}

void
telemetry_loaded(const struct telemetry *telemetry, bool good, int64_t at_ms)
{
    metric_set(telemetry->reload_ok, good);
    if (good) {
        metric_set(telemetry->reload_time, (double)at_ms / 1000);
    }
}

static struct metric *
series(struct metric_family *family, struct slice first, const char *second)
{
    struct metric *metric = NULL;
    struct slice labels[] = { first, slice_of(second) };
    return metric_series(family, labels, &metric) == STATUS_OK ? metric : NULL;
}

static void
add_stream(const struct telemetry *telemetry, struct slice name,
           struct telemetry_connector *of)
{
    of->stream_connected = series(telemetry->stream_connected, name, NULL);
    of->stream_reconnects = series(telemetry->stream_reconnects, name, NULL);
    for (enum stream_outcome i = 0; i < STREAM_OUTCOME_COUNT; i++) {
        of->stream_events[i] =
            series(telemetry->stream_events, name, stream_outcome_name(i));
    }
}

struct telemetry_connector
telemetry_of_connector(const struct telemetry *telemetry,
                       const struct connector *connector)
{
    struct slice name = connector->name;
    struct telemetry_connector of = {
        .by_type = duplicates_of(telemetry->shelf, name),
        .beyond_horizon = series(telemetry->beyond_horizon, name, NULL),
        .gaps = series(telemetry->gaps, name, NULL),
        .bound_broken = series(telemetry->bound_broken, name, NULL),
    };
    bool used[CHANNEL_COUNT] = { [CHANNEL_WEBHOOK] = connector->has_webhook,
                                 [CHANNEL_STREAM] = connector->has_stream,
                                 [CHANNEL_POLL] = connector->has_poll,
                                 [CHANNEL_BACKFILL] = connector->has_poll };
    for (enum channel via = 0; via < CHANNEL_COUNT; via++) {
        if (used[via]) {
            of.events[via] = series(telemetry->events, name, channel_name(via));
            of.duplicates[via] =
                series(telemetry->duplicates, name, channel_name(via));
        }
    }
    for (enum poll_outcome i = 0; i < POLL_YIELDED && connector->has_poll;
         i++) {
        of.poll_runs[i] =
            series(telemetry->poll_runs, name, poll_outcome_name(i));
    }
    if (connector->has_poll) {
        of.poll_interval = series(telemetry->poll_interval, name, NULL);
        of.overlap_short = series(telemetry->overlap_short, name, NULL);
        of.visibility_lag = series(telemetry->visibility_lag, name, NULL);
    }
    if (connector->has_poll && connector_has_hooks(connector)) {
        of.recovered = series(telemetry->recovered, name, NULL);
        of.late = series(telemetry->late, name, NULL);
        of.confirmed = series(telemetry->confirmed, name, NULL);
        of.webhook_silent = series(telemetry->webhook_silent, name, NULL);
        if (connector->match.mode == MATCH_EVENT) {
            of.webhook_only = series(telemetry->webhook_only, name, NULL);
        }
    }
    if (connector->has_stream) {
        add_stream(telemetry, name, &of);
    }
    return of;
}

void
telemetry_complete_until(const struct telemetry *telemetry,
                         const struct connector *connector, int64_t until_ms)
{
    if (until_ms > 0) {
        metric_set(series(telemetry->complete_until, connector->name, NULL),
                   (double)until_ms / 1000);
    }
}

struct metric *
telemetry_subscription(const struct telemetry *telemetry,
                       const struct connector *connector)
{
    return series(telemetry->subscription_ok, connector->name, NULL);
}

void
telemetry_certificate_expiry(const struct telemetry *telemetry,
                             int64_t until_ms)
{
    metric_set(series(telemetry->certificate_expiry, slice_of(""), NULL),
               (double)until_ms / 1000);
}

struct metric *
telemetry_paused(const struct telemetry *telemetry, bool is_handler,
                 struct slice name)
{
    return series(is_handler ? telemetry->handler_paused
                             : telemetry->connector_paused,
                  name, NULL);
}

struct metric *
telemetry_agents(const struct telemetry *telemetry)
{
    struct metric *agents;
    return metric_series(telemetry->agents, NULL, &agents) == STATUS_OK ? agents
                                                                        : NULL;
}

struct metric *
telemetry_lease(const struct telemetry *telemetry,
                const struct connector *connector)
{
    return series(telemetry->lease_held, connector->name, NULL);
}

struct telemetry_handler
telemetry_of_handler(const struct telemetry *telemetry, struct slice name)
{
    static const char *const outcomes[] = { "done", "retry", "dead" };
    struct telemetry_handler of = {
        .pending = series(telemetry->pending, name, NULL),
        .oldest_pending = series(telemetry->oldest_pending, name, NULL),
        .breaker_state = series(telemetry->breaker_state, name, NULL),
    };
    for (size_t i = 0; i < DELIVERY_OUTCOME_COUNT; i++) {
        of.deliveries[i] = series(telemetry->deliveries, name, outcomes[i]);
    }
    return of;
}

static void
zero(struct metric *const *gauges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        metric_set(gauges[i], 0);
    }
}

void
telemetry_connector_gone(const struct telemetry *telemetry,
                         const struct connector *connector)
{
    const struct telemetry_connector of =
        telemetry_of_connector(telemetry, connector);
    struct metric *const gauges[] = {
        of.webhook_silent,
        of.webhook_only,
        of.overlap_short,
        of.poll_interval,
        of.stream_connected,
        telemetry_paused(telemetry, false, connector->name),
        connector->has_poll
            ? series(telemetry->complete_until, connector->name, NULL)
            : NULL,
    };
    zero(gauges, sizeof(gauges) / sizeof(gauges[0]));
}

void
telemetry_handler_gone(const struct telemetry *telemetry, struct slice name)
{
    const struct telemetry_handler of = telemetry_of_handler(telemetry, name);
    struct metric *const gauges[] = { of.pending, of.oldest_pending,
                                      of.breaker_state,
                                      telemetry_paused(telemetry, true, name) };
    zero(gauges, sizeof(gauges) / sizeof(gauges[0]));
}
