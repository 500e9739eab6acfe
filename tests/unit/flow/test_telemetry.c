/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "flow/telemetry.h"

static const struct connector both = { .name = SLICE("shop"),
                                       .has_webhook = true,
                                       .has_poll = true,
                                       .match = { .mode = MATCH_EVENT } };
static const struct connector hooks = { .name = SLICE("shop"),
                                        .has_webhook = true };

/* These names are fixed: dashboards and alerts lean on them. */
static const char *const lines[] = {
    "longstop_build_info{version=\"1.2.3\"} 1\n",
    "# TYPE longstop_webhook_requests_total counter\n",
    "longstop_events_total{connector=\"shop\",via=\"webhook\"} 0\n",
    "longstop_events_total{connector=\"shop\",via=\"poll\"} 0\n",
    "longstop_duplicates_total{connector=\"shop\",via=\"poll\"} 0\n",
    "longstop_poll_runs_total{connector=\"shop\",outcome=\"limited\"} 0\n",
    "# TYPE longstop_complete_until_seconds gauge\n",
    "longstop_bound_broken_total{connector=\"shop\"} 0\n",
    "longstop_beyond_horizon_total{connector=\"shop\"} 0\n",
    "longstop_recovered_total{connector=\"shop\"} 0\n",
    "longstop_late_total{connector=\"shop\"} 0\n",
    "longstop_confirmed_total{connector=\"shop\"} 0\n",
    "longstop_webhook_only{connector=\"shop\"} 0\n",
    "longstop_webhook_silent{connector=\"shop\"} 0\n",
    "longstop_gaps_total{connector=\"shop\"} 0\n",
    "longstop_deliveries_total{handler=\"h\",outcome=\"done\"} 0\n",
    "longstop_deliveries_total{handler=\"h\",outcome=\"retry\"} 0\n",
    "longstop_deliveries_total{handler=\"h\",outcome=\"dead\"} 0\n",
    "longstop_pending_deliveries{handler=\"h\"} 0\n",
    "longstop_oldest_pending_seconds{handler=\"h\"} 0\n",
    "# TYPE longstop_commit_seconds histogram\n",
    "# TYPE longstop_config_last_reload_successful gauge\n",
    "# TYPE longstop_config_last_reload_success_timestamp_seconds gauge\n",
};

static void
the_fixed_names_are_there_before_anything_happened(void **state)
{
    (void)state;
    struct telemetry telemetry;
    struct buf text = { 0 };
    assert_int_equal(telemetry_init(&telemetry, "1.2.3"), STATUS_OK);
    (void)telemetry_of_connector(&telemetry, &both);
    (void)telemetry_of_handler(&telemetry, slice_of("h"));
    metric_render(telemetry.registry, METRIC_PROMETHEUS, &text);
    assert_int_equal(buf_status(&text), STATUS_OK);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (strstr(text.ptr, lines[i]) == NULL) {
            fail_msg("missing: %s", lines[i]);
        }
    }
    buf_fini(&text);
    telemetry_fini(&telemetry);
}

static void
only_the_channels_of_a_connector_have_series(void **state)
{
    (void)state;
    struct telemetry telemetry;
    assert_int_equal(telemetry_init(&telemetry, "1"), STATUS_OK);
    const struct telemetry_connector of =
        telemetry_of_connector(&telemetry, &hooks);
    assert_non_null(of.events[CHANNEL_WEBHOOK]);
    assert_null(of.events[CHANNEL_POLL]);
    assert_null(of.poll_runs[POLL_OK]);
    assert_null(of.recovered);
    assert_null(of.late);
    assert_null(of.confirmed);
    assert_null(of.webhook_only);
    metric_add(of.events[CHANNEL_POLL], 1); /* counting never fails */
    telemetry_fini(&telemetry);
}

static void
complete_until_has_a_series_once_there_is_something_to_tell(void **state)
{
    (void)state;
    static const char name[] =
        "longstop_complete_until_seconds{connector=\"shop\"";
    static const int64_t rows[] = { 0, 1500 };
    struct telemetry telemetry;
    assert_int_equal(telemetry_init(&telemetry, "1"), STATUS_OK);
    for (size_t i = 0; i < 2; i++) {
        struct buf text = { 0 };
        telemetry_complete_until(&telemetry, &hooks, rows[i]);
        metric_render(telemetry.registry, METRIC_PROMETHEUS, &text);
        assert_int_equal(strstr(text.ptr, name) != NULL, rows[i] > 0);
        assert_int_equal(strstr(text.ptr, "\"} 1.5\n") != NULL, rows[i] > 0);
        buf_fini(&text);
    }
    telemetry_fini(&telemetry);
}

static void
asking_twice_gives_the_same_series(void **state)
{
    (void)state;
    struct telemetry telemetry;
    assert_int_equal(telemetry_init(&telemetry, "1"), STATUS_OK);
    const struct telemetry_handler first =
        telemetry_of_handler(&telemetry, slice_of("h"));
    const struct telemetry_handler second =
        telemetry_of_handler(&telemetry, slice_of("h"));
    assert_ptr_equal(first.pending, second.pending);
    telemetry_fini(&telemetry);
}

static void
without_memory_nothing_leaks_and_counting_goes_on(void **state)
{
    (void)state;
    struct telemetry telemetry;
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK; n++) {
        memset(&telemetry, 0xa5, sizeof(telemetry));
        mem_fail_after(n, 0);
        status = telemetry_init(&telemetry, "1");
        mem_fail_after(-1, 0);
    }
    mem_fail_after(0, 1);
    const struct telemetry_connector of =
        telemetry_of_connector(&telemetry, &both);
    mem_fail_after(-1, 0);
    assert_null(of.gaps);
    metric_add(of.gaps, 1);
    telemetry_fini(&telemetry);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fixed_names_are_there_before_anything_happened),
        cmocka_unit_test(only_the_channels_of_a_connector_have_series),
        cmocka_unit_test(
            complete_until_has_a_series_once_there_is_something_to_tell),
        cmocka_unit_test(asking_twice_gives_the_same_series),
        cmocka_unit_test(without_memory_nothing_leaks_and_counting_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
