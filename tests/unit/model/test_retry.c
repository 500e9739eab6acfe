/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/instant.h"
#include "config/config_bind.h"
#include "model/retry.h"

static const struct retry_policy usual = {
    .attempts = 16, .first_ms = 1000, .cap_ms = 3600000, .give_up_ms = 259200000
};

#define NOW INT64_C(1700000000000)

static void
the_wait_is_drawn_from_all_of_a_span_that_doubles_up_to_the_cap(void **state)
{
    static const struct {
        unsigned attempt;
        int64_t longest_ms;
    } rows[] = { { 1, 1000 },     { 2, 2000 },     { 3, 4000 },
                 { 12, 2048000 }, { 13, 3600000 }, { 15, 3600000 } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t least = INT64_MAX;
        int64_t most = 0;
        int64_t sum = 0;
        for (uint64_t seed = 0; seed < 500; seed++) {
            struct prng prng = { seed };
            struct retry_plan plan = retry_next(
                &usual, rows[i].attempt, DISPOSITION_LATER, NOW, NOW, 0, &prng);
            assert_false(plan.dead);
            int64_t wait = plan.due_ms - NOW;
            least = wait < least ? wait : least;
            most = wait > most ? wait : most;
            sum += wait;
        }
        assert_in_range(least, 1, rows[i].longest_ms / 20);
        assert_in_range(sum / 500, rows[i].longest_ms * 9 / 20,
                        rows[i].longest_ms * 11 / 20);
        assert_in_range(most, rows[i].longest_ms * 19 / 20, rows[i].longest_ms);
    }
}

static void
a_delivery_dies_of_attempts_age_or_refusal(void **state)
{
    static const struct {
        unsigned attempt;
        enum disposition outcome;
        int64_t age_ms;
        const char *reason; /* NULL: lives */
    } rows[] = {
        { 1, DISPOSITION_LATER, 0, NULL },
        { 15, DISPOSITION_LATER, 0, NULL },
        { 16, DISPOSITION_LATER, 0, "all attempts are used up" },
        { 17, DISPOSITION_LATER, 0, "all attempts are used up" },
        { 1, DISPOSITION_NEVER, 0, "the handler refused it for good" },
        { 1, DISPOSITION_FATAL, 0, NULL },
        { 2, DISPOSITION_LATER, 259199999, NULL },
        { 2, DISPOSITION_LATER, 259200000, "older than give_up" },
        { 1, DISPOSITION_LATER, 259200000, NULL },
        { 1, DISPOSITION_LATER, INT64_C(94608000000), NULL }, /* 3 years */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct prng prng = { 7 };
        struct retry_plan plan =
            retry_next(&usual, rows[i].attempt, rows[i].outcome,
                       NOW - rows[i].age_ms, NOW, 0, &prng);
        assert_int_equal(plan.dead, rows[i].reason != NULL);
        if (plan.dead) {
            assert_string_equal(plan.reason, rows[i].reason);
        }
    }
}

static void
the_last_wait_ends_where_give_up_does(void **state)
{
    (void)state;
    struct prng prng = { 1 };
    struct retry_plan plan = retry_next(&usual, 14, DISPOSITION_LATER,
                                        NOW - 259200000 + 5000, NOW, 0, &prng);
    assert_false(plan.dead);
    assert_int_equal(plan.due_ms, NOW + 5000);
}

static void
a_first_attempt_that_comes_too_late_has_a_second_behind_its_wait(void **state)
{
    (void)state;
    struct prng prng = { 1 };
    struct retry_plan plan =
        retry_next(&usual, 1, DISPOSITION_LATER, NOW - 2 * usual.give_up_ms,
                   NOW, 0, &prng);
    assert_false(plan.dead);
    assert_in_range(plan.due_ms, NOW + 1, NOW + 1000);
}

static void
zero_give_up_never_gives_up_by_age(void **state)
{
    (void)state;
    struct retry_policy patient = usual;
    struct prng prng = { 1 };
    patient.give_up_ms = 0;
    assert_false(
        retry_next(&patient, 1, DISPOSITION_LATER, 1, NOW, 0, &prng).dead);
}

static void
the_other_side_is_not_asked_before_it_wants_to_be(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct prng prng = { seed };
        struct retry_plan plan = retry_next(&usual, 1, DISPOSITION_LATER, NOW,
                                            NOW, NOW + 60000, &prng);
        assert_int_equal(plan.due_ms, NOW + 60000);
    }
}

static void
tiny_waits_are_not_jittered_away(void **state)
{
    (void)state;
    struct retry_policy quick = {
        .attempts = 3, .first_ms = 1, .cap_ms = 1, .give_up_ms = 0
    };
    struct prng prng = { 3 };
    assert_int_equal(
        retry_next(&quick, 2, DISPOSITION_LATER, NOW, NOW, 0, &prng).due_ms,
        NOW + 1);
}

/* ---- schedules ---- */

struct reading {
    struct arena arena;
    struct config_report report;
    struct buf words; /* of the mistakes */
    struct retry_policy policy;
};

static void
read_policy(struct reading *reading, const char *yaml)
{
    struct config_node *root = NULL;
    memset(reading, 0, sizeof(*reading));
    struct config_source *source =
        arena_array(&reading->arena, 1, sizeof(*source));
    assert_non_null(source);
    source->text = slice_of(yaml);
    struct config_binding binding = { .arena = &reading->arena,
                                      .report = &reading->report };
    assert_int_equal(config_yaml_parse(source, NULL, NULL, &reading->arena,
                                       &reading->report, &root),
                     STATUS_OK);
    assert_int_equal(
        config_bind(&binding, &retry_table, root, &reading->policy), STATUS_OK);
    config_report_text(&reading->report, false, &reading->words);
}

static void
reading_fini(struct reading *reading)
{
    buf_fini(&reading->words);
    config_report_fini(&reading->report);
    arena_fini(&reading->arena);
}

/* Walks a delivery that always fails to its end; returns the attempts made and
 * adds up what it waited. */
static unsigned
live(const struct retry_policy *policy, int64_t *ret_waited_ms)
{
    struct prng prng = { 9 };
    int64_t now = NOW;
    for (unsigned attempt = 1; attempt < 100; attempt++) {
        struct retry_plan plan =
            retry_next(policy, attempt, DISPOSITION_LATER, NOW, now, 0, &prng);
        if (plan.dead) {
            *ret_waited_ms = now - NOW;
            return attempt;
        }
        now = plan.due_ms;
    }
    return 100;
}

static void
a_schedule_says_every_wait_and_how_many_attempts_there_are(void **state)
{
    static const struct {
        const char *yaml;
        unsigned attempts;
        int64_t least_ms; /* from the first attempt to the last; with jitter up
                             to a tenth more */
    } rows[] = {
        /* 75:35:05, as the specification's table ends */
        { "schedule: standard-webhooks", 10, 272105000 },
        { "schedule: [5s, 5m]", 3, 305000 },
        { "schedule: [1m]", 2, 60000 },
        { "{schedule: [1s, 2s], attempts: 5}", 5, 7000 },
        { "{schedule: [1s, 1h], attempts: 2}", 2, 1000 },
        { "{schedule: standard-webhooks, attempts: 4}", 4, 2105000 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reading reading;
        int64_t waited = 0;
        read_policy(&reading, rows[i].yaml);
        assert_int_equal(reading.report.errors, 0);
        assert_int_equal(live(&reading.policy, &waited), rows[i].attempts);
        assert_in_range(waited, rows[i].least_ms, rows[i].least_ms * 11 / 10);
        reading_fini(&reading);
    }
}

static void
a_schedule_with_give_up_ends_by_age_too(void **state)
{
    struct reading reading;
    int64_t waited = 0;
    (void)state;
    read_policy(&reading, "{schedule: standard-webhooks, give_up: 1h}");
    assert_int_equal(live(&reading.policy, &waited), 5);
    assert_int_equal(waited, INSTANT_HOUR_MS);
    reading_fini(&reading);
}

static void
a_schedule_that_is_none_is_a_mistake_with_words(void **state)
{
    static const struct {
        const char *yaml, *words;
    } rows[] = {
        { "schedule: svix", "expected standard-webhooks, or a list" },
        { "schedule: []", "expected standard-webhooks, or a list" },
        { "schedule: {a: 1}", "expected standard-webhooks, or a list" },
        { "schedule: [5s, soon]", "soon" },
        { "schedule: [0s]", "a wait is from 1ms to 30d" },
        { "schedule: [31d]", "a wait is from 1ms to 30d" },
        { "{schedule: [5s], first: 1s}", "leave out 'first'" },
        { "{schedule: [5s], cap: 1s}", "leave out 'cap'" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reading reading;
        read_policy(&reading, rows[i].yaml);
        buf_byte(&reading.words, '\0');
        if (strstr(reading.words.ptr, rows[i].words) == NULL) {
            fail_msg("%s: %s", rows[i].yaml, reading.words.ptr);
        }
        reading_fini(&reading);
    }
}

static void
no_wait_is_longer_than_the_longest(void **state)
{
    static const char *const rows[] = { "{}", "schedule: [5s, 3h, 1s]",
                                        "schedule: standard-webhooks" };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reading reading;
        read_policy(&reading, rows[i]);
        int64_t most = retry_wait_most(&reading.policy);
        for (uint64_t seed = 0; seed < 300; seed++) {
            struct prng prng = { seed };
            assert_true(retry_wait(&reading.policy, (unsigned)seed % 20 + 1,
                                   &prng) <= most);
        }
        reading_fini(&reading);
    }
}

static void
the_table_names_every_field_once(void **state)
{
    (void)state;
    assert_int_equal(retry_table.count, 5);
    assert_int_equal(retry_table.size, sizeof(struct retry_policy));
    for (size_t i = 0; i < retry_table.count; i++) {
        assert_non_null(retry_table.keys[i].doc);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(retry_table.keys[i].offset,
                                 retry_table.keys[j].offset);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            the_wait_is_drawn_from_all_of_a_span_that_doubles_up_to_the_cap),
        cmocka_unit_test(a_delivery_dies_of_attempts_age_or_refusal),
        cmocka_unit_test(the_last_wait_ends_where_give_up_does),
        cmocka_unit_test(
            a_first_attempt_that_comes_too_late_has_a_second_behind_its_wait),
        cmocka_unit_test(zero_give_up_never_gives_up_by_age),
        cmocka_unit_test(the_other_side_is_not_asked_before_it_wants_to_be),
        cmocka_unit_test(tiny_waits_are_not_jittered_away),
        cmocka_unit_test(
            a_schedule_says_every_wait_and_how_many_attempts_there_are),
        cmocka_unit_test(a_schedule_with_give_up_ends_by_age_too),
        cmocka_unit_test(a_schedule_that_is_none_is_a_mistake_with_words),
        cmocka_unit_test(no_wait_is_longer_than_the_longest),
        cmocka_unit_test(the_table_names_every_field_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
