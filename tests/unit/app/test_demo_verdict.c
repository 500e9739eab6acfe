/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "app/demo_verdict.h"
#include "base/mem.h"

/* Journal lines of the facts 1, 2, …, all of which happened at 1,000. */
#define LINE(n, rest)                                                          \
    "{\"id\":\"order:" #n ":2026-11-21T23:22:01.000Z\",\"type\":\"x\","        \
    "\"produced_at\":\"2026-11-21T23:22:01.000Z\"," rest "}\n"
#define FACT(n)                                                                \
    LINE(n, "\"what\":\"fact\",\"stamp_ms\":1000,\"visible_ms\":1200")
#define HOOK_AT(n, sent, answered, attempts)                                   \
    LINE(n, "\"what\":\"hook\",\"sent_ms\":" #sent                             \
            ",\"answered_ms\":" #answered ",\"attempts\":" #attempts)
#define HOOK(n) HOOK_AT(n, 1000, 1010, 1)
#define LISTED(n)                                                              \
    LINE(n, "\"what\":\"listed\",\"shown_ms\":1500,\"asked_ms\":1502,"         \
            "\"missed_ms\":1000,\"missed_took_ms\":20")

/* Lines of the handler's file: by a webhook at 1,005, by a walk at 1,501. */
#define HANDED_BY(n, via, ms)                                                  \
    "{\"specversion\":\"1.0\",\"id\":\"dlv_1\",\"via\":\"" via "\","           \
    "\"recordedtime\":\"1970-01-01T00:00:01." ms "Z\","                        \
    "\"data\":{\"id\":" #n ",\"updated_at\":\"2026-11-21T23:22:01.000Z\"}}\n"
#define HANDED(n)    HANDED_BY(n, "webhook", "005")
#define RECOVERED(n) HANDED_BY(n, "poll", "501")

static const struct demo_rule rule = { .grace_ms = 2000, .patience_ms = 1000 };

static const struct {
    const char *name;
    const char *journal;
    const char *handled;
    struct demo_verdict verdict; /* but for times, and what is expected */
} runs[] = {
    { "nothing happened", "", "", { .produced = 0 } },
    { "one hooked and handed over",
      FACT(1) HOOK(1),
      HANDED(1),
      { .produced = 1, .hooked = 1, .delivered = 1, .unlisted = 1 } },
    { "one brought by the list alone",
      FACT(1) LISTED(1),
      RECOVERED(1),
      { .produced = 1, .recovered = 1, .delivered = 1 } },
    { "one hook sent three times",
      FACT(1) HOOK(1) HOOK(1) HOOK(1) LISTED(1),
      HANDED(1),
      { .produced = 1, .hooked = 1, .duplicates = 2, .delivered = 1 } },
    { "an acknowledged one is lost",
      FACT(1) HOOK(1) FACT(2) LISTED(1) LISTED(2),
      RECOVERED(2),
      { .produced = 2,
        .hooked = 1,
        .recovered = 1,
        .delivered = 1,
        .lost = 1 } },
    { "one is handed over twice",
      FACT(1) FACT(2) HOOK(2) LISTED(1) LISTED(2),
      HANDED(2) RECOVERED(1) HANDED(2),
      { .produced = 2,
        .hooked = 1,
        .recovered = 1,
        .delivered = 2,
        .twice = 1 } },
    { "one never happened",
      FACT(1) HOOK(1) LISTED(1),
      HANDED(1) HANDED(7),
      { .produced = 1, .hooked = 1, .delivered = 1, .unknown = 1 } },
    { "the last line is still being written",
      FACT(1) FACT(2) LISTED(1) LISTED(2),
      RECOVERED(1) "{\"data\":{\"id\":2,\"upda",
      { .produced = 2, .recovered = 1, .delivered = 1, .lost = 1 } },
    { "a webhook brought one that sent none",
      FACT(1) LISTED(1),
      HANDED(1),
      { .produced = 1, .recovered = 1, .delivered = 1, .misplaced = 1 } },
    { "a webhook brought one when another was answered",
      FACT(1) HOOK_AT(1, 1000, 1003, 1) HOOK(1) LISTED(1),
      HANDED(1),
      { .produced = 1,
        .hooked = 1,
        .duplicates = 1,
        .delivered = 1,
        .misplaced = 1 } },
    { "a walk brought one before the list showed it",
      FACT(1) HOOK(1) LISTED(1),
      HANDED_BY(1, "poll", "499"),
      { .produced = 1, .hooked = 1, .delivered = 1, .misplaced = 1 } },
};

static void
a_run_is_judged_by_the_two_texts_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        struct demo_verdict got;
        const struct demo_verdict *want = &runs[i].verdict;
        struct error err = { 0 };
        print_message("%s\n", runs[i].name);
        assert_int_equal(demo_verdict_reach(slice_of(runs[i].journal),
                                            slice_of(runs[i].handled), &rule,
                                            &got, &err),
                         STATUS_OK);
        assert_int_equal(got.lag_ms, want->produced * 200);
        assert_int_equal(got.longest_ms, want->produced > 0 ? 200 : 0);
        assert_memory_equal(&got, want,
                            offsetof(struct demo_verdict, accepted_ms));
    }
}

static void
what_the_agent_must_have_counted_is_read_from_the_times(void **state)
{
    /* 1 recovered, 2 late and so recovered too, 3 confirmed by a hook, 4 by a
     * walk, 5 brought by a hook that the list never shows */
    static const char journal[] = FACT(1) LISTED(1) FACT(2) LISTED(2)
        HOOK_AT(2, 9000, 9010, 1) FACT(3) LISTED(3) HOOK_AT(3, 1600, 1610, 1)
            FACT(4) HOOK(4) HOOK_AT(4, 1100, 1110, 3) LISTED(4) FACT(5) HOOK(5);
    static const char handled[] =
        RECOVERED(1) RECOVERED(2) RECOVERED(3) HANDED(4) HANDED(5);
    static const struct demo_expected want = {
        .recovered = { 2, 2 },
        .late = { 1, 1 },
        .confirmed = { 2, 2 },
        .by_webhook = { 2, 2 },
        .by_walk = { 3, 3 },
        .duplicates = { 3, 5 },
        .measured = { 4, 4 },
    };
    struct demo_verdict got;
    struct error err = { 0 };
    (void)state;
    assert_int_equal(demo_verdict_reach(slice_of(journal), slice_of(handled),
                                        &rule, &got, &err),
                     STATUS_OK);
    assert_memory_equal(&got.expected, &want, sizeof(want));
    assert_int_equal(got.accepted_ms, 1501);
    assert_int_equal(got.misplaced, 0);
    assert_int_equal(got.unlisted, 1);
}

static void
a_text_that_is_not_what_it_should_be_is_no_verdict(void **state)
{
    static const struct {
        const char *journal;
        const char *handled;
        const char *words;
    } broken[] = {
        { "{\n", "", "journal" },
        { "[]\n", "", "journal" },
        { "{\"id\":\"order:1:x\"}\n", "", "journal" },
        { "{\"id\":\"order:1:x\",\"what\":\"rain\"}\n", "", "journal" },
        { HOOK(1), "", "journal" },
        { FACT(1) LINE(1, "\"what\":\"hook\",\"sent_ms\":1"), "", "journal" },
        { LINE(1, "\"what\":\"fact\",\"stamp_ms\":\"x\""), "", "journal" },
        { FACT(1), "no JSON\n", "handler" },
        { FACT(1), HANDED_BY(1, "poll", "x"), "handler" },
        { FACT(1), "{\"id\":\"x\"}\n", "handler" },
        { FACT(1), "{\"data\":[1]}\n", "handler" },
        { FACT(1), "{\"data\":{\"id\":1}}\n", "handler" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct demo_verdict got;
        struct error err = { 0 };
        assert_int_equal(demo_verdict_reach(slice_of(broken[i].journal),
                                            slice_of(broken[i].handled), &rule,
                                            &got, &err),
                         STATUS_INVALID);
        assert_non_null(strstr(err.text, broken[i].words));
    }
}

static void
running_out_of_memory_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK; n++) {
        struct demo_verdict got;
        struct error err = { 0 };
        assert_true(n < 1000);
        mem_fail_after(n, 0);
        status = demo_verdict_reach(slice_of(FACT(1) FACT(2) HOOK(2)),
                                    slice_of(HANDED(1) HANDED(2)), &rule, &got,
                                    &err);
        mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_judged_by_the_two_texts_alone),
        cmocka_unit_test(
            what_the_agent_must_have_counted_is_read_from_the_times),
        cmocka_unit_test(a_text_that_is_not_what_it_should_be_is_no_verdict),
        cmocka_unit_test(running_out_of_memory_is_an_error_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
