/* SPDX-License-Identifier: MIT */
#include "base/metric.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "base/list.h"
#include "base/mem.h"

struct metric_registry {
    struct list families;
};

struct metric_family {
    struct list link;
    struct list series;
    struct metric_spec spec;
    size_t label_count;
};

struct metric {
    struct list link;
    struct metric_family *family;
    char *labels[METRIC_LABELS_MAX];
    double value; /* the sum, for a histogram */
    uint64_t count;
    uint64_t buckets[]; /* family->spec.bound_count of them */
};

enum status
metric_registry_create(struct metric_registry **ret)
{
    struct metric_registry *registry = mem_zero(sizeof(*registry));
    if (registry == NULL) {
        return STATUS_NOMEM;
    }
    list_init(&registry->families);
    *ret = registry;
    return STATUS_OK;
}

static void
metric_destroy(struct metric *metric)
{
    for (size_t i = 0; i < METRIC_LABELS_MAX; i++) {
        mem_free(metric->labels[i]);
    }
    mem_free(metric);
}

void
metric_registry_destroy(struct metric_registry *registry)
{
    if (registry == NULL) {
        return;
    }
    list_for_each_safe(at, &registry->families) {
        struct metric_family *family =
            list_entry(at, struct metric_family, link);
        list_for_each_safe(series, &family->series) {
            metric_destroy(list_entry(series, struct metric, link));
        }
        mem_free(family);
    }
    mem_free(registry);
}

enum status
metric_family_add(struct metric_registry *registry,
                  const struct metric_spec *spec, struct metric_family **ret)
{
    struct metric_family *family = mem_zero(sizeof(*family));
    if (family == NULL) {
        return STATUS_NOMEM;
    }
    family->spec = *spec;
    while (family->label_count < METRIC_LABELS_MAX &&
           spec->labels[family->label_count] != NULL) {
        family->label_count++;
    }
    list_init(&family->series);
    list_append(&registry->families, &family->link);
    *ret = family;
    return STATUS_OK;
}

static bool
has_labels(const struct metric *metric, const struct slice *values)
{
    for (size_t i = 0; i < metric->family->label_count; i++) {
        if (!slice_equal_text(values[i], metric->labels[i])) {
            return false;
        }
    }
    return true;
}

static enum status
series_create(struct metric_family *family, const struct slice *values,
              struct metric **ret)
{
    struct metric *metric =
        mem_zero(sizeof(*metric) + family->spec.bound_count * sizeof(uint64_t));
    if (metric == NULL) {
        return STATUS_NOMEM;
    }
    metric->family = family;
    for (size_t i = 0; i < family->label_count; i++) {
        struct buf text = { 0 };
        buf_append(&text, values[i]);
        metric->labels[i] = buf_detach(&text);
        if (metric->labels[i] == NULL) {
            metric_destroy(metric);
            return STATUS_NOMEM;
        }
    }
    list_append(&family->series, &metric->link);
    *ret = metric;
    return STATUS_OK;
}

enum status
metric_series(struct metric_family *family, const struct slice *values,
              struct metric **ret)
{
    list_for_each(at, &family->series) {
        struct metric *metric = list_entry(at, struct metric, link);
        if (has_labels(metric, values)) {
            *ret = metric;
            return STATUS_OK;
        }
    }
    return series_create(family, values, ret);
}

void
metric_add(struct metric *metric, double amount)
{
    if (metric != NULL) {
        metric->value += amount;
    }
}

void
metric_set(struct metric *metric, double value)
{
    if (metric != NULL) {
        metric->value = value;
    }
}

void
metric_observe(struct metric *metric, double value)
{
    if (metric == NULL) {
        return;
    }
    metric->value += value;
    metric->count++;
    for (size_t i = 0; i < metric->family->spec.bound_count; i++) {
        if (value <= metric->family->spec.bounds[i]) {
            metric->buckets[i]++;
        }
    }
}

double
metric_value(const struct metric *metric)
{
    return metric == NULL ? 0 : metric->value;
}

/* Label values escape backslash, quote and newline, and nothing else. */
static void
render_label_value(struct buf *into, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            buf_text(into, "\\n");
        } else {
            if (*text == '\\' || *text == '"') {
                buf_byte(into, '\\');
            }
            buf_byte(into, *text);
        }
    }
}

static void
render_labels(struct buf *into, const struct metric *metric, const char *bound)
{
    const struct metric_family *family = metric->family;
    if (family->label_count == 0 && bound == NULL) {
        return;
    }
    buf_byte(into, '{');
    for (size_t i = 0; i < family->label_count; i++) {
        buf_format(into, "%s%s=\"", i == 0 ? "" : ",", family->spec.labels[i]);
        render_label_value(into, metric->labels[i]);
        buf_byte(into, '"');
    }
    if (bound != NULL) {
        buf_format(into, "%sle=\"%s\"", family->label_count == 0 ? "" : ",",
                   bound);
    }
    buf_byte(into, '}');
}

static void
render_number(struct buf *into, double value)
{
    if (isnan(value)) {
        buf_text(into, " NaN\n");
    } else if (isinf(value)) {
        buf_text(into, value > 0 ? " +Inf\n" : " -Inf\n");
    } else if (value == floor(value) && fabs(value) < 1e15) {
        buf_format(into, " %.0f\n", value);
    } else {
        buf_format(into, " %.15g\n", value);
    }
}

static void
render_histogram(struct buf *into, const struct metric *metric)
{
    const struct metric_spec *spec = &metric->family->spec;
    for (size_t i = 0; i <= spec->bound_count; i++) {
        char bound[32] = "+Inf";
        bool last = i == spec->bound_count;
        if (!last) {
            (void)snprintf(bound, sizeof(bound), "%g", spec->bounds[i]);
        }
        buf_format(into, "%s_bucket", spec->name);
        render_labels(into, metric, bound);
        render_number(into,
                      (double)(last ? metric->count : metric->buckets[i]));
    }
    buf_format(into, "%s_sum", spec->name);
    render_labels(into, metric, NULL);
    render_number(into, metric->value);
    buf_format(into, "%s_count", spec->name);
    render_labels(into, metric, NULL);
    render_number(into, (double)metric->count);
}

/* OpenMetrics calls a counter's family without what its samples end in. */
static void
render_head(struct buf *into, const struct metric_spec *spec,
            enum metric_form form)
{
    static const char *const kinds[] = { "counter", "gauge", "histogram" };
    static const struct slice total = SLICE("_total");
    struct slice name = slice_of(spec->name);
    if (form == METRIC_OPENMETRICS && spec->kind == METRIC_COUNTER &&
        slice_ends(name, total)) {
        name = slice_first(name, name.len - total.len);
    }
    buf_format(into, "# HELP %.*s %s\n# TYPE %.*s %s\n", SLICE_ARG(name),
               spec->help, SLICE_ARG(name), kinds[spec->kind]);
}

void
metric_render(const struct metric_registry *registry, enum metric_form form,
              struct buf *into)
{
    list_for_each(at, &registry->families) {
        const struct metric_family *family =
            list_entry(at, struct metric_family, link);
        render_head(into, &family->spec, form);
        list_for_each(series, &family->series) {
            const struct metric *metric =
                list_entry(series, struct metric, link);
            if (family->spec.kind == METRIC_HISTOGRAM) {
                render_histogram(into, metric);
            } else {
                buf_text(into, family->spec.name);
                render_labels(into, metric, NULL);
                render_number(into, metric->value);
            }
        }
    }
    buf_text(into, form == METRIC_OPENMETRICS ? "# EOF\n" : "");
}
