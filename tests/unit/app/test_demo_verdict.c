/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "app/demo_verdict.h"
#include "base/mem.h"

/* Journal lines. */
#define FACT(n)                                                                \
    "{\"id\":\"order:" #n ":2026-11-21T23:22:01.000Z\",\"type\":\"x\","        \
    "\"produced_at\":\"2026-11-21T23:22:01.000Z\",\"what\":\"fact\"}\n"
#define HOOK(n)                                                                \
    "{\"id\":\"order:" #n ":2026-11-21T23:22:01.000Z\",\"type\":\"x\","        \
    "\"produced_at\":\"2026-11-21T23:22:01.000Z\",\"what\":\"hook\"}\n"

/* Lines of the handler's file. */
#define HANDED(n)                                                              \
    "{\"specversion\":\"1.0\",\"id\":\"dlv_1\",\"data\":{\"id\":" #n ","       \
    "\"updated_at\":\"2026-11-21T23:22:01.000Z\"}}\n"

static const struct {
    const char *name;
    const char *journal;
    const char *handled;
    struct demo_verdict verdict;
} runs[] = {
    { "nothing happened", "", "", { .produced = 0 } },
    { "one hooked and handed over",
      FACT(1) HOOK(1),
      HANDED(1),
      { .produced = 1, .hooked = 1, .delivered = 1 } },
    { "one brought by the list alone",
      FACT(1),
      HANDED(1),
      { .produced = 1, .recovered = 1, .delivered = 1 } },
    { "one hook sent three times",
      FACT(1) HOOK(1) HOOK(1) HOOK(1),
      HANDED(1),
      { .produced = 1, .hooked = 1, .duplicates = 2, .delivered = 1 } },
    { "an acknowledged one is lost",
      FACT(1) HOOK(1) FACT(2),
      HANDED(2),
      { .produced = 2,
        .hooked = 1,
        .recovered = 1,
        .delivered = 1,
        .lost = 1 } },
    { "one is handed over twice",
      FACT(1) FACT(2) HOOK(2),
      HANDED(2) HANDED(1) HANDED(2),
      { .produced = 2,
        .hooked = 1,
        .recovered = 1,
        .delivered = 2,
        .twice = 1 } },
    { "one never happened",
      FACT(1) HOOK(1),
      HANDED(1) HANDED(7),
      { .produced = 1, .hooked = 1, .delivered = 1, .unknown = 1 } },
    { "the last line is still being written",
      FACT(1) FACT(2),
      HANDED(1) "{\"data\":{\"id\":2,\"upda",
      { .produced = 2, .recovered = 1, .delivered = 1, .lost = 1 } },
};

static void
a_run_is_judged_by_the_two_texts_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        struct demo_verdict got;
        struct error err = { 0 };
        print_message("%s\n", runs[i].name);
        assert_int_equal(demo_verdict_reach(slice_of(runs[i].journal),
                                            slice_of(runs[i].handled), &got,
                                            &err),
                         STATUS_OK);
        assert_memory_equal(&got, &runs[i].verdict, sizeof(got));
    }
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
        { FACT(1), "no JSON\n", "handler" },
        { FACT(1), "{\"id\":\"x\"}\n", "handler" },
        { FACT(1), "{\"data\":[1]}\n", "handler" },
        { FACT(1), "{\"data\":{\"id\":1}}\n", "handler" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct demo_verdict got;
        struct error err = { 0 };
        assert_int_equal(demo_verdict_reach(slice_of(broken[i].journal),
                                            slice_of(broken[i].handled), &got,
                                            &err),
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
                                    slice_of(HANDED(1) HANDED(2)), &got, &err);
        mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_judged_by_the_two_texts_alone),
        cmocka_unit_test(a_text_that_is_not_what_it_should_be_is_no_verdict),
        cmocka_unit_test(running_out_of_memory_is_an_error_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
