/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "app/demo_figures.h"

/* As base/metric writes them; other connectors and names are not ours. */
#define TEXT                                                                   \
    "# HELP longstop_recovered_total Events of a walk.\n"                      \
    "# TYPE longstop_recovered_total counter\n"                                \
    "longstop_recovered_total{connector=\"shop\"} 12\n"                        \
    "longstop_late_total{connector=\"other\"} 99\n"                            \
    "longstop_late_total{connector=\"shop\"} 2\n"                              \
    "longstop_confirmed_total{connector=\"shop\"} 80\n"                        \
    "longstop_events_total{connector=\"shop\",via=\"webhook\"} 85\n"           \
    "longstop_events_total{connector=\"shop\",via=\"poll\"} 15\n"              \
    "longstop_duplicates_total{connector=\"shop\",via=\"webhook\"} 7\n"        \
    "longstop_duplicates_total{connector=\"shop\",via=\"poll\"} 1000\n"        \
    "longstop_visibility_lag_seconds_bucket{connector=\"shop\",le=\"0\"} 90\n" \
    "longstop_visibility_lag_seconds_bucket{connector=\"shop\",le=\"1\"} 91\n" \
    "longstop_visibility_lag_seconds_sum{connector=\"shop\"} 1.5\n"            \
    "longstop_visibility_lag_seconds_count{connector=\"shop\"} 95\n"           \
    "longstop_bound_broken_total{connector=\"shop\"} 0\n"

static const struct demo_expected right = {
    .recovered = { 12, 12 },
    .late = { 2, 2 },
    .confirmed = { 79, 81 },
    .by_webhook = { 85, 85 },
    .by_walk = { 15, 15 },
    .duplicates = { 7, 9 },
    .measured = { 95, 95 },
    .delayed = { 4, 5 },
};

static void
read_text(struct demo_figures *ret)
{
    struct error err = { 0 };
    assert_int_equal(demo_figures_read(slice_of(TEXT), ret, &err), STATUS_OK);
}

static void
the_figures_are_those_of_the_metrics(void **state)
{
    static const struct demo_figures want = {
        .recovered = 12,
        .late = 2,
        .confirmed = 80,
        .by_webhook = 85,
        .by_walk = 15,
        .duplicates = 7,
        .measured = 95,
        .delayed = 5,
        .broken = 0,
    };
    struct demo_figures got;
    (void)state;
    read_text(&got);
    assert_memory_equal(&got, &want, sizeof(want));
    assert_true(demo_figures_agree(&got, &right, NULL));
}

/* Each of them alone, one too many and one too few. */
static void
every_figure_that_is_off_by_one_is_named(void **state)
{
    static const struct {
        size_t at;
        int64_t by;
        const char *words;
    } wrong[] = {
#define AT(member) offsetof(struct demo_figures, member)
        { AT(recovered), 1,
          "the agent counts 13 recovered, but the journal says 12\n" },
        { AT(recovered), -1,
          "the agent counts 11 recovered, but the journal says 12\n" },
        { AT(late), -1, "the agent counts 1 late, but the journal says 2\n" },
        { AT(confirmed), 2,
          "the agent counts 82 confirmed, but the journal says 79 to 81\n" },
        { AT(by_webhook), 1,
          "the agent counts 86 events first brought by webhook, but the "
          "journal says 85\n" },
        { AT(by_walk), -1,
          "the agent counts 14 events first brought by polling, but the "
          "journal says 15\n" },
        { AT(duplicates), -1,
          "the agent counts 6 webhooks of known events, but the journal says "
          "7 to 9\n" },
        { AT(measured), -1,
          "the agent counts 94 events whose visibility lag is known, but the "
          "journal says 95\n" },
        { AT(delayed), 1,
          "the agent counts 6 events that the list showed late, but the "
          "journal says 4 to 5\n" },
        { AT(broken), 1,
          "the agent counts 1 events first listed below the complete-until, "
          "but the journal says 0\n" },
#undef AT
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct demo_figures got;
        struct buf words = { 0 };
        read_text(&got);
        *(int64_t *)(void *)((char *)&got + wrong[i].at) += wrong[i].by;
        assert_false(demo_figures_agree(&got, &right, NULL));
        assert_false(demo_figures_agree(&got, &right, &words));
        assert_string_equal(words.ptr, wrong[i].words);
        buf_fini(&words);
    }
}

static void
a_metric_that_is_missing_is_named(void **state)
{
    static const struct {
        const char *text;
        enum status status;
    } texts[] = {
        { "", STATUS_NOT_FOUND },
        { "longstop_recovered_total{connector=\"other\"} 12\n",
          STATUS_NOT_FOUND },
        { "longstop_recovered_total{connector=\"shop\"} 1.5\n",
          STATUS_INVALID },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct demo_figures got;
        struct error err = { 0 };
        assert_int_equal(demo_figures_read(slice_of(texts[i].text), &got, &err),
                         texts[i].status);
        assert_non_null(strstr(err.text, "longstop_recovered_total"));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_figures_are_those_of_the_metrics),
        cmocka_unit_test(every_figure_that_is_off_by_one_is_named),
        cmocka_unit_test(a_metric_that_is_missing_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
