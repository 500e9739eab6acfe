/* SPDX-License-Identifier: MIT */
/*
 * metric: counters, gauges and histograms, registered once and read as text.
 *
 * A family has a name, a help line and fixed label names; a series is one set
 * of label values. Look a series up once, keep the pointer, add to it. All
 * calls come from the loop thread. The text is the Prometheus exposition
 * format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats), or
 * OpenMetrics 1.0 (github.com/OpenObservability/OpenMetrics).
 */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include "base/bytes.h"
#include "base/status.h"

#include <stddef.h>

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

#define METRIC_LABELS_MAX 3

struct metric_registry; /* owns its families and their series */
struct metric_family;
struct metric;

NODISCARD
enum status metric_registry_create(struct metric_registry **ret);
void metric_registry_destroy(struct metric_registry *registry);

/* What a family is; every text is borrowed and must be static. */
struct metric_spec {
    const char *name; /* with its unit, counters with _total */
    const char *help;
    enum metric_kind kind;
    const char *labels[METRIC_LABELS_MAX]; /* NULL behind the last */
    const double *bounds; /* histogram: ascending, without Inf */
    size_t bound_count;
};

/* Returns the family; it lives as long as the registry. */
NODISCARD
enum status metric_family_add(struct metric_registry *registry,
                              const struct metric_spec *spec,
                              struct metric_family **ret);

/*
 * Returns the series with these label values (copied), made at its first use;
 * `values` has one entry per label name of the family.
 */
NODISCARD
enum status metric_series(struct metric_family *family,
                          const struct slice *values, struct metric **ret);

/* A NULL metric is allowed everywhere below: counting must never be a reason
 * to fail. */
void metric_add(struct metric *metric, double amount);    /* counter: >= 0 */
void metric_set(struct metric *metric, double value);     /* gauge */
void metric_observe(struct metric *metric, double value); /* histogram */
double metric_value(const struct metric *metric);

enum metric_form { METRIC_PROMETHEUS, METRIC_OPENMETRICS };

/* Appends all families in order of registration. */
void metric_render(const struct metric_registry *registry,
                   enum metric_form form, struct buf *into);

#endif
