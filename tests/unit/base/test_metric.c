/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/mem.h"
#include "base/metric.h"

static const double bounds[] = { 0.1, 0.5, 1 };

static const struct metric_spec requests = {
    .name = "requests_total",
    .help = "Requests by outcome.",
    .kind = METRIC_COUNTER,
    .labels = { "connector", "outcome" },
};
static const struct metric_spec pending = { .name = "pending",
                                            .help = "Waiting now.",
                                            .kind = METRIC_GAUGE };
static const struct metric_spec seconds = { .name = "commit_seconds",
                                            .help = "Time of a commit.",
                                            .kind = METRIC_HISTOGRAM,
                                            .labels = { "store" },
                                            .bounds = bounds,
                                            .bound_count = 3 };

static struct metric_registry *
registry_new(void)
{
    struct metric_registry *registry = NULL;
    assert_int_equal(metric_registry_create(&registry), STATUS_OK);
    return registry;
}

static struct metric *
series_new(struct metric_registry *registry, const struct metric_spec *spec,
           const struct slice *values)
{
    struct metric_family *family = NULL;
    struct metric *metric = NULL;
    assert_int_equal(metric_family_add(registry, spec, &family), STATUS_OK);
    assert_int_equal(metric_series(family, values, &metric), STATUS_OK);
    return metric;
}

static void
assert_text(const struct metric_registry *registry, const char *expected)
{
    struct buf text = { 0 };
    metric_render(registry, METRIC_PROMETHEUS, &text);
    assert_int_equal(buf_status(&text), STATUS_OK);
    assert_string_equal(buf_slice(&text).ptr, expected);
    buf_fini(&text);
}

static void
families_are_written_in_order_with_help_and_type(void **state)
{
    static const struct slice labels[] = { SLICE("shop"), SLICE("accepted") };
    struct metric_registry *registry = registry_new();
    (void)state;
    assert_text(registry, "");
    metric_add(series_new(registry, &requests, labels), 3);
    metric_set(series_new(registry, &pending, NULL), -2.5);
    assert_text(registry,
                "# HELP requests_total Requests by outcome.\n"
                "# TYPE requests_total counter\n"
                "requests_total{connector=\"shop\",outcome=\"accepted\"} 3\n"
                "# HELP pending Waiting now.\n"
                "# TYPE pending gauge\n"
                "pending -2.5\n");
    metric_registry_destroy(registry);
    metric_registry_destroy(NULL);
}

static void
openmetrics_names_a_counter_without_total_and_says_where_it_ends(void **state)
{
    static const struct slice labels[] = { SLICE("shop"), SLICE("accepted") };
    struct metric_registry *registry = registry_new();
    struct buf text = { 0 };
    (void)state;
    metric_add(series_new(registry, &requests, labels), 3);
    metric_set(series_new(registry, &pending, NULL), -2.5);
    metric_render(registry, METRIC_OPENMETRICS, &text);
    assert_string_equal(
        text.ptr, "# HELP requests Requests by outcome.\n"
                  "# TYPE requests counter\n"
                  "requests_total{connector=\"shop\",outcome=\"accepted\"} 3\n"
                  "# HELP pending Waiting now.\n"
                  "# TYPE pending gauge\n"
                  "pending -2.5\n"
                  "# EOF\n");
    buf_fini(&text);
    metric_registry_destroy(registry);
}

static void
a_series_is_made_once_for_each_set_of_values(void **state)
{
    static const struct slice accepted[] = { SLICE("a"), SLICE("b") };
    static const struct slice shifted[] = { SLICE("ab"), SLICE("") };
    struct metric_registry *registry = registry_new();
    struct metric_family *family = NULL;
    struct metric *one = NULL;
    struct metric *same = NULL;
    struct metric *other = NULL;
    (void)state;
    assert_int_equal(metric_family_add(registry, &requests, &family),
                     STATUS_OK);
    assert_int_equal(metric_series(family, accepted, &one), STATUS_OK);
    assert_int_equal(metric_series(family, shifted, &other), STATUS_OK);
    assert_int_equal(metric_series(family, accepted, &same), STATUS_OK);
    assert_ptr_equal(one, same);
    assert_ptr_not_equal(one, other);
    metric_add(same, 1);
    metric_add(one, 2);
    assert_true(metric_value(one) == 3);
    assert_true(metric_value(other) == 0);
    metric_registry_destroy(registry);
}

static void
a_histogram_counts_cumulatively(void **state)
{
    static const struct slice label = SLICE("sqlite");
    struct metric_registry *registry = registry_new();
    struct metric *metric = series_new(registry, &seconds, &label);
    (void)state;
    metric_observe(metric, 0.05);
    metric_observe(metric, 0.1); /* a bound belongs to its bucket */
    metric_observe(metric, 0.7);
    metric_observe(metric, 30);
    assert_text(registry,
                "# HELP commit_seconds Time of a commit.\n"
                "# TYPE commit_seconds histogram\n"
                "commit_seconds_bucket{store=\"sqlite\",le=\"0.1\"} 2\n"
                "commit_seconds_bucket{store=\"sqlite\",le=\"0.5\"} 2\n"
                "commit_seconds_bucket{store=\"sqlite\",le=\"1\"} 3\n"
                "commit_seconds_bucket{store=\"sqlite\",le=\"+Inf\"} 4\n"
                "commit_seconds_sum{store=\"sqlite\"} 30.85\n"
                "commit_seconds_count{store=\"sqlite\"} 4\n");
    metric_registry_destroy(registry);
}

static void
label_values_are_escaped(void **state)
{
    static const struct slice label = SLICE("a\\b\"c\nd\xc3\xa4");
    struct metric_spec spec = pending;
    struct metric_registry *registry = registry_new();
    (void)state;
    spec.labels[0] = "handler";
    metric_set(series_new(registry, &spec, &label), 1);
    assert_text(registry, "# HELP pending Waiting now.\n"
                          "# TYPE pending gauge\n"
                          "pending{handler=\"a\\\\b\\\"c\\nd\xc3\xa4\"} 1\n");
    metric_registry_destroy(registry);
}

static void
numbers_are_written_so_that_they_can_be_read_back(void **state)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        { 0, "0" },
        { 1700000000, "1700000000" },
        { 1700000000.123, "1700000000.123" },
        { 999999999999999, "999999999999999" },
        { 1e18, "1e+18" },
        { -0.25, "-0.25" },
        { (double)INFINITY, "+Inf" },
        { (double)-INFINITY, "-Inf" },
        { (double)NAN, "NaN" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct metric_registry *registry = registry_new();
        struct buf expected = { 0 };
        metric_set(series_new(registry, &pending, NULL), rows[i].value);
        buf_format(&expected,
                   "# HELP pending Waiting now.\n# TYPE pending gauge\n"
                   "pending %s\n",
                   rows[i].text);
        assert_text(registry, expected.ptr);
        buf_fini(&expected);
        metric_registry_destroy(registry);
    }
}

static void
counting_without_a_series_is_allowed(void **state)
{
    (void)state;
    metric_add(NULL, 1);
    metric_set(NULL, 1);
    metric_observe(NULL, 1);
    assert_true(metric_value(NULL) == 0);
}

static enum status
build(struct metric_registry **ret)
{
    static const struct slice labels[] = { SLICE("shop"), SLICE("accepted") };
    struct metric_family *family = NULL;
    struct metric *metric = NULL;
    enum status status = metric_registry_create(ret);
    if (status == STATUS_OK) {
        status = metric_family_add(*ret, &requests, &family);
    }
    if (status == STATUS_OK) {
        status = metric_series(family, labels, &metric);
    }
    return status;
}

static void
running_out_of_memory_leaves_nothing_half_made(void **state)
{
    enum status status = STATUS_NOMEM;
    long step = 0;
    (void)state;
    for (; status != STATUS_OK && step < 50; step++) {
        struct metric_registry *registry = NULL;
        (void)mem_fail_after(step, 0);
        status = build(&registry);
        (void)mem_fail_after(-1, 0);
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_NOMEM);
        }
        if (registry != NULL) {
            struct buf text = { 0 };
            metric_render(registry, METRIC_PROMETHEUS, &text);
            buf_fini(&text);
        }
        metric_registry_destroy(registry);
    }
    assert_in_range(step, 5, 49);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_are_written_in_order_with_help_and_type),
        cmocka_unit_test(
            openmetrics_names_a_counter_without_total_and_says_where_it_ends),
        cmocka_unit_test(a_series_is_made_once_for_each_set_of_values),
        cmocka_unit_test(a_histogram_counts_cumulatively),
        cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(numbers_are_written_so_that_they_can_be_read_back),
        cmocka_unit_test(counting_without_a_series_is_allowed),
        cmocka_unit_test(running_out_of_memory_leaves_nothing_half_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
