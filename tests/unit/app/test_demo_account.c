/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/demo_account.h"

/* Grace ends at 13,000 for what is accepted at 10,000, and by 14,000 the agent
 * has certainly looked. */
static const struct demo_rule rule = { .grace_ms = 3000, .patience_ms = 1000 };

#define WALKED .by_walk = true, .accepted_ms = 10000, .handed = 1
#define HOOKED                                                                 \
    .accepted_ms = 10000, .handed = 1, .hooks = 1, .attempts = 1,              \
    .hook_from_ms = 9999, .hook_until_ms = 10001
#define HOOK_AT(from, until)                                                   \
    .hooks = 1, .attempts = 1, .hook_from_ms = (from), .hook_until_ms = (until)
#define SHOWN_AT(shown, asked) .shown_ms = (shown), .asked_ms = (asked)

/* Of struct demo_range. */
#define NONE                                                                   \
    {                                                                          \
        0, 0                                                                   \
    }
#define ONE                                                                    \
    {                                                                          \
        1, 1                                                                   \
    }
#define PERHAPS                                                                \
    {                                                                          \
        0, 1                                                                   \
    }

static const struct {
    const char *name;
    struct demo_fact fact;
    struct demo_range recovered, late, confirmed;
} cases[] = {
    { "a walk's that no hook shows", { WALKED }, ONE, NONE, NONE },
    { "a walk's and a hook just in time",
      { WALKED, HOOK_AT(12990, 13000) },
      NONE,
      NONE,
      ONE },
    { "a walk's and a hook in the very moment",
      { WALKED, HOOK_AT(12999, 13001) },
      PERHAPS,
      PERHAPS,
      PERHAPS },
    { "a walk's and a hook before the agent has looked",
      { WALKED, HOOK_AT(13001, 13002) },
      PERHAPS,
      PERHAPS,
      PERHAPS },
    { "a walk's and a hook at the last of its looks",
      { WALKED, HOOK_AT(14000, 14002) },
      PERHAPS,
      PERHAPS,
      PERHAPS },
    { "a walk's and a hook that is late",
      { WALKED, HOOK_AT(14001, 14002) },
      ONE,
      ONE,
      NONE },
    { "a hook's that no walk shows", { HOOKED }, NONE, NONE, NONE },
    { "a hook's and a walk just in time",
      { HOOKED, SHOWN_AT(12999, 13000) },
      NONE,
      NONE,
      ONE },
    { "a hook's and a walk in the very moment",
      { HOOKED, SHOWN_AT(13000, 13001) },
      NONE,
      NONE,
      PERHAPS },
    { "a hook's and a walk too late",
      { HOOKED, SHOWN_AT(13001, 13002) },
      NONE,
      NONE,
      NONE },
    { "a hook's and a walk that asked no more",
      { HOOKED, SHOWN_AT(10500, 0) },
      NONE,
      NONE,
      PERHAPS },
};

#define EQUAL(got, want)                                                       \
    assert_memory_equal(&(got), &(want), sizeof(struct demo_range))

static void
each_fact_has_its_place_on_one_side_of_its_grace(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct demo_expected got = { 0 };
        print_message("%s\n", cases[i].name);
        demo_account_add(&rule, &cases[i].fact, &got);
        EQUAL(got.recovered, cases[i].recovered);
        EQUAL(got.late, cases[i].late);
        EQUAL(got.confirmed, cases[i].confirmed);
        bool decided = cases[i].confirmed.least == cases[i].confirmed.most;
        assert_int_equal(got.undecided, !decided);
        assert_int_equal(got.by_walk.least, cases[i].fact.by_walk);
        assert_int_equal(got.by_webhook.least, !cases[i].fact.by_walk);
    }
}

static void
a_lag_is_what_a_walk_missed_less_what_its_date_may_hide(void **state)
{
    static const struct {
        int64_t missed_ms;
        int64_t took_ms;
        struct demo_range measured, delayed;
    } lags[] = {
        { 0, 0, NONE, NONE },        { 5000, 0, ONE, NONE },
        { 6000, 0, ONE, NONE },      { 6001, 0, ONE, ONE },
        { 6500, 500, ONE, PERHAPS }, { 6501, 500, ONE, ONE },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(lags) / sizeof(lags[0]); i++) {
        const struct demo_fact fact = { WALKED, .stamp_ms = 5000,
                                        SHOWN_AT(9000, 9001),
                                        .missed_ms = lags[i].missed_ms,
                                        .missed_took_ms = lags[i].took_ms };
        struct demo_expected got = { 0 };
        demo_account_add(&rule, &fact, &got);
        EQUAL(got.measured, lags[i].measured);
        EQUAL(got.delayed, lags[i].delayed);
        assert_int_equal(got.undecided,
                         lags[i].delayed.least != lags[i].delayed.most);
    }
}

static void
every_answered_hook_but_the_first_is_a_duplicate(void **state)
{
    static const struct {
        struct demo_fact fact;
        struct demo_range duplicates;
    } facts[] = {
        { { WALKED }, { 0, 0 } },
        { { WALKED, HOOK_AT(10500, 10501) }, { 1, 1 } },
        { { HOOKED }, { 0, 0 } },
        /* an attempt that was not answered may have arrived */
        { { .accepted_ms = 10000, .handed = 1, .hooks = 2, .attempts = 5 },
          { 1, 4 } },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        struct demo_expected got = { 0 };
        demo_account_add(&rule, &facts[i].fact, &got);
        EQUAL(got.duplicates, facts[i].duplicates);
    }
}

static void
a_channel_cannot_bring_what_it_has_not_shown(void **state)
{
    static const struct {
        struct demo_fact fact;
        bool fits;
    } facts[] = {
        { { HOOKED }, true },
        { { WALKED, SHOWN_AT(10000, 10001) }, true },
        { { WALKED, SHOWN_AT(10001, 10002) }, false },
        { { WALKED, HOOK_AT(9999, 10001) }, false },
        { { .accepted_ms = 10000 }, false },
        { { .accepted_ms = 10000, HOOK_AT(10001, 10002) }, false },
        { { .accepted_ms = 10000, HOOK_AT(9000, 9999) }, false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        assert_int_equal(demo_account_fits(&facts[i].fact), facts[i].fits);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fact_has_its_place_on_one_side_of_its_grace),
        cmocka_unit_test(
            a_lag_is_what_a_walk_missed_less_what_its_date_may_hide),
        cmocka_unit_test(every_answered_hook_but_the_first_is_a_duplicate),
        cmocka_unit_test(a_channel_cannot_bring_what_it_has_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
