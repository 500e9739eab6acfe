/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/instant.h"
#include "model/cadence.h"

static int64_t
at(int64_t year, int month, int day, int hour, int minute)
{
    struct civil civil = {
        .year = year, .month = month, .day = day, .hour = hour, .minute = minute
    };
    return instant_from_civil(&civil);
}

static const struct cron_plan *
compiled(const char *line, struct arena *arena)
{
    const struct cron_plan *plan = NULL;
    struct error err = { { 0 } };
    enum status status = cron_compile(slice_of(line), arena, &plan, &err);
    if (status != STATUS_OK) {
        fail_msg("%s: %s", line, err.text);
    }
    return plan;
}

static void
a_cron_line_names_the_next_time(void **state)
{
    (void)state;
    /* 2026-11-21 is a Saturday. */
    const int64_t after = at(2026, 11, 21, 23, 22) + 1500;
    const struct {
        const char *line;
        int64_t next;
    } rows[] = {
        { "* * * * *", at(2026, 11, 21, 23, 23) },
        { "*/5 * * * *", at(2026, 11, 21, 23, 25) },
        { "22 23 * * *", at(2026, 11, 22, 23, 22) },
        { "  15\t* * * * ", at(2026, 11, 22, 0, 15) },
        { "0 9-17/4 * * mon-fri", at(2026, 11, 23, 9, 0) },
        { "30 4 1,15 * *", at(2026, 12, 1, 4, 30) },
        { "30 4 1,15 * MON", at(2026, 11, 23, 4, 30) },
        { "0 0 */2 * mon", at(2026, 11, 23, 0, 0) },
        { "0 0 * jan,Mar sun", at(2027, 1, 3, 0, 0) },
        { "0 0 29 feb *", at(2028, 2, 29, 0, 0) },
        { "0 0 * * 7", at(2026, 11, 22, 0, 0) },
        { "0 0 * * 5-7", at(2026, 11, 22, 0, 0) },
        { "59 23 31 12 *", at(2026, 12, 31, 23, 59) },
        { "@hourly", at(2026, 11, 22, 0, 0) },
        { "@daily", at(2026, 11, 22, 0, 0) },
        { "@weekly", at(2026, 11, 22, 0, 0) },
        { "@monthly", at(2026, 12, 1, 0, 0) },
        { "@Yearly", at(2027, 1, 1, 0, 0) },
    };
    struct arena arena = { 0 };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t next = cron_next(compiled(rows[i].line, &arena), after);
        if (next != rows[i].next) {
            char got[INSTANT_TEXT_BYTES];
            fail_msg("%s: %s", rows[i].line, instant_text(next, got));
        }
    }
    arena_fini(&arena);
}

static void
a_line_that_cannot_be_kept_is_refused(void **state)
{
    static const char *const lines[] = {
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 8",
        "5-1 * * * *",
        "*/0 * * * *",
        "*/60 * * * *",
        "5/10 * * * *",
        "1,,2 * * * *",
        "-1 * * * *",
        "1- * * * *",
        "a * * * *",
        "@reboot",
        "0 0 30 feb *",
        "0 0 31 4,6,9,11 *",
        "* * * * mon-sun",
        "*-5 * * * *",
        "1-5- * * * *",
        "*/ * * * *",
    };
    (void)state;
    struct arena arena = { 0 };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const struct cron_plan *plan;
        struct error err = { { 0 } };
        if (cron_compile(slice_of(lines[i]), &arena, &plan, &err) !=
            STATUS_INVALID) {
            fail_msg("taken: '%s'", lines[i]);
        }
        assert_true(err.text[0] != '\0');
    }
    arena_fini(&arena);
}

static void
the_times_between_two_runs_are_known(void **state)
{
    static const struct {
        const char *line;
        int64_t ms;
        int64_t longest_ms;
    } rows[] = {
        { "* * * * *", INSTANT_MINUTE_MS, INSTANT_MINUTE_MS },
        { "*/7 * * * *", 4 * INSTANT_MINUTE_MS, 7 * INSTANT_MINUTE_MS },
        { "0,50 * * * *", 10 * INSTANT_MINUTE_MS, 50 * INSTANT_MINUTE_MS },
        { "@hourly", INSTANT_HOUR_MS, INSTANT_HOUR_MS },
        { "*/5 8-17 * * *", 5 * INSTANT_MINUTE_MS,
          14 * INSTANT_HOUR_MS + 5 * INSTANT_MINUTE_MS },
        { "59 23 * * *", INSTANT_DAY_MS, INSTANT_DAY_MS },
        { "0,59 0,23 * * *", INSTANT_MINUTE_MS,
          22 * INSTANT_HOUR_MS + INSTANT_MINUTE_MS },
        { "@weekly", 7 * INSTANT_DAY_MS, 7 * INSTANT_DAY_MS },
        { "0 0 1 * *", 28 * INSTANT_DAY_MS, 31 * INSTANT_DAY_MS },
        { "0 0 * * sat,sun", INSTANT_DAY_MS, 6 * INSTANT_DAY_MS },
        { "0 9 * * mon-fri", INSTANT_DAY_MS, 3 * INSTANT_DAY_MS },
        { "0 0 29 feb *", 1461 * INSTANT_DAY_MS, 1461 * INSTANT_DAY_MS },
    };
    (void)state;
    struct arena arena = { 0 };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct cron_plan *plan = compiled(rows[i].line, &arena);
        assert_int_equal(cron_shortest_ms(plan), rows[i].ms);
        assert_int_equal(cron_longest_ms(plan), rows[i].longest_ms);
    }
    arena_fini(&arena);
}

static void
a_plan_without_memory_is_a_status(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    const struct cron_plan *plan = NULL;
    (void)mem_fail_after(0, 0);
    assert_int_equal(cron_compile(slice_of("@daily"), &arena, &plan, NULL),
                     STATUS_NOMEM);
    (void)mem_fail_after(-1, 0);
    assert_int_equal(cron_compile(slice_of("@daily"), &arena, &plan, NULL),
                     STATUS_OK);
    arena_fini(&arena);
}

#define NOW INT64_C(1700000000000)

static void
a_walk_is_due_one_interval_after_the_last_began(void **state)
{
    static const struct {
        int64_t every_ms, interval_min_ms;
        struct cadence_input input;
        int64_t due_ms;
    } rows[] = {
        { 60000, 0, { .started_ms = 0, .now_ms = NOW }, NOW },
        { 60000, 0, { .started_ms = NOW - 1000, .now_ms = NOW }, NOW + 59000 },
        { 60000, 0, { .started_ms = NOW - 90000, .now_ms = NOW }, NOW },
        { 60000, 120000, { .started_ms = NOW, .now_ms = NOW }, NOW + 120000 },
        { 60000,
          0,
          { .started_ms = NOW, .now_ms = NOW, .asked_min_ms = 300000 },
          NOW + 300000 },
        { 60000,
          0,
          { .started_ms = NOW - 90000,
            .now_ms = NOW,
            .not_before_ms = NOW + 7 },
          NOW + 7 },
        { 60000,
          0,
          { .started_ms = NOW - 1000, .now_ms = NOW, .not_before_ms = NOW - 7 },
          NOW + 59000 },
        /* The clock was set back by a day. */
        { 60000,
          0,
          { .started_ms = NOW + INSTANT_DAY_MS, .now_ms = NOW },
          NOW + 60000 },
        /* By 30 s, and by a day, half a minute after the walk. */
        { 60000,
          0,
          { .started_ms = NOW, .passed_ms = 30000, .now_ms = NOW },
          NOW + 30000 },
        { 60000,
          0,
          { .started_ms = NOW + INSTANT_DAY_MS,
            .passed_ms = 30000,
            .now_ms = NOW },
          NOW + 30000 },
        { 60000,
          0,
          { .started_ms = NOW + 1, .passed_ms = 90000, .now_ms = NOW },
          NOW },
        /* It slept for a minute and a half, which not every clock counts. */
        { 60000,
          0,
          { .started_ms = NOW - 100000, .passed_ms = 10000, .now_ms = NOW },
          NOW },
        /* A walk failed just now, and its provider wants to rest. */
        { 60000,
          40000,
          { .started_ms = NOW + 5000,
            .passed_ms = 30000,
            .now_ms = NOW,
            .failures = 1 },
          NOW + 10000 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cadence cadence = { .every_ms = rows[i].every_ms,
                                   .interval_min_ms = rows[i].interval_min_ms };
        struct prng prng = { i };
        assert_int_equal(cadence_next(&cadence, &rows[i].input, &prng),
                         rows[i].due_ms);
    }
}

/* Whoever wants a walk does not wait for the plan, but for the provider. */
static void
a_walk_that_is_wanted_comes_as_soon_as_the_provider_allows(void **state)
{
    static const struct {
        int64_t interval_min_ms, asked_min_ms, not_before_ms, apart_ms;
        int64_t due_ms;
    } rows[] = {
        { 0, 0, 0, 0, NOW },
        { 0, 0, 0, 3000, NOW + 2000 },
        { 0, 0, 0, 500, NOW },
        { 60000, 0, 0, 0, NOW + 59000 },
        { 60000, 0, 0, 3000, NOW + 59000 },
        { 0, 90000, 0, 0, NOW + 89000 },
        { 60000, 90000, 0, 0, NOW + 89000 },
        { 60000, 0, NOW + 70000, 0, NOW + 70000 },
        { 500, 500, 0, 0, NOW },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cadence cadence = { .every_ms = 3600000,
                                   .interval_min_ms = rows[i].interval_min_ms };
        struct cadence_input input = { .started_ms = NOW - 1000,
                                       .now_ms = NOW,
                                       .asked_min_ms = rows[i].asked_min_ms,
                                       .not_before_ms = rows[i].not_before_ms,
                                       .wanted = true,
                                       .apart_ms = rows[i].apart_ms };
        struct prng prng = { i };
        assert_int_equal(cadence_next(&cadence, &input, &prng), rows[i].due_ms);
        /* The first walk of all, and failures, do not ask who wants it. */
        input.started_ms = 0;
        assert_int_equal(cadence_next(&cadence, &input, &prng),
                         rows[i].not_before_ms > NOW ? rows[i].not_before_ms
                                                     : NOW);
        input.started_ms = NOW - 1000;
        input.failures = 3;
        assert_true(cadence_next(&cadence, &input, &prng) >= NOW + 2000);
    }
}

static void
failures_wait_longer_each_time_up_to_the_interval(void **state)
{
    static const int64_t longest[] = { 1000,  2000,  4000,  8000, 16000,
                                       32000, 60000, 60000, 60000 };
    (void)state;
    struct cadence cadence = { .every_ms = 60000 };
    for (unsigned n = 0; n < sizeof longest / sizeof longest[0]; n++) {
        for (uint64_t seed = 0; seed < 50; seed++) {
            struct prng prng = { seed };
            struct cadence_input input = { .started_ms = NOW - 5000,
                                           .now_ms = NOW,
                                           .failures = n + 1 };
            int64_t wait = cadence_next(&cadence, &input, &prng) - NOW;
            /* 64 s halved is what the seventh may draw at least. */
            assert_in_range(wait, n < 6 ? longest[n] / 2 : 32000, longest[n]);
        }
    }
}

static void
failures_come_no_oftener_than_the_provider_wants(void **state)
{
    static const struct {
        int64_t interval_min_ms;
        int64_t asked_min_ms;
        int64_t due_ms;
    } rows[] = {
        { 30000, 0, NOW + 25000 },
        { 0, 40000, NOW + 35000 },
        { 30000, 40000, NOW + 35000 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cadence cadence = { .every_ms = 60000,
                                   .interval_min_ms = rows[i].interval_min_ms };
        struct cadence_input input = { .started_ms = NOW - 5000,
                                       .now_ms = NOW,
                                       .asked_min_ms = rows[i].asked_min_ms,
                                       .failures = 1 };
        struct prng prng = { i };
        assert_int_equal(cadence_next(&cadence, &input, &prng), rows[i].due_ms);
    }
}

static void
many_failures_overflow_nothing(void **state)
{
    (void)state;
    struct cadence cadence = { .every_ms = 60000 };
    struct cadence_input input = { .started_ms = NOW,
                                   .now_ms = NOW,
                                   .failures = UINT32_MAX };
    struct prng prng = { 1 };
    assert_int_equal(cadence_next(&cadence, &input, &prng), NOW + 60000);
}

static void
retry_after_counts_in_a_storm_too(void **state)
{
    (void)state;
    struct cadence cadence = { .every_ms = 60000 };
    struct cadence_input input = { .started_ms = NOW,
                                   .now_ms = NOW,
                                   .failures = 1,
                                   .not_before_ms = NOW + 3600000 };
    struct prng prng = { 1 };
    assert_int_equal(cadence_next(&cadence, &input, &prng), NOW + 3600000);
}

static void
a_schedule_that_was_slept_through_runs_once_now(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct cadence cadence = { .cron = compiled("0 * * * *", &arena) };
    struct prng prng = { 1 };
    int64_t now = at(2026, 11, 21, 23, 22);
    struct cadence_input input = { .started_ms = at(2026, 11, 20, 8, 0),
                                   .now_ms = now };
    assert_int_equal(cadence_next(&cadence, &input, &prng), now);
    input.started_ms = now;
    assert_int_equal(cadence_next(&cadence, &input, &prng),
                     at(2026, 11, 22, 0, 0));
    arena_fini(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cron_line_names_the_next_time),
        cmocka_unit_test(a_line_that_cannot_be_kept_is_refused),
        cmocka_unit_test(the_times_between_two_runs_are_known),
        cmocka_unit_test(a_plan_without_memory_is_a_status),
        cmocka_unit_test(a_walk_is_due_one_interval_after_the_last_began),
        cmocka_unit_test(
            a_walk_that_is_wanted_comes_as_soon_as_the_provider_allows),
        cmocka_unit_test(failures_wait_longer_each_time_up_to_the_interval),
        cmocka_unit_test(failures_come_no_oftener_than_the_provider_wants),
        cmocka_unit_test(many_failures_overflow_nothing),
        cmocka_unit_test(retry_after_counts_in_a_storm_too),
        cmocka_unit_test(a_schedule_that_was_slept_through_runs_once_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
