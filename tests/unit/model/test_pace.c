/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include <math.h>

#include "base/instant.h"
#include "model/pace.h"

static const struct pace_plan both = {
    .fastest_ms = 10000, .slowest_ms = 900000, .cost_ms = 20000, .hooked = true
};
static const struct pace_walk nothing;

/* The next T without its draw. */
static int64_t
next(struct pace *pace, const struct pace_plan *plan,
     const struct pace_walk *walk, int64_t now_ms)
{
    struct prng prng = { 1 };
    int64_t drawn_ms = pace_next_ms(pace, plan, walk, now_ms, &prng);
    assert_true(drawn_ms <= pace->last_ms);
    assert_true(drawn_ms >= pace->last_ms * 9 / 10);
    return pace->last_ms;
}

static void
it_begins_fast_and_slows_down_by_half_at_most(void **state)
{
    (void)state;
    static const int64_t expected[] = { 15000,  22500,  33750,  50625,  75937,
                                        113905, 170857, 256285, 384427, 576640,
                                        864960, 900000, 900000 };
    struct pace pace;
    int64_t now_ms = 5000;
    pace_begin(&pace, &both, now_ms);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        int64_t got = next(&pace, &both, &nothing, now_ms);
        assert_int_equal(got, expected[i]);
        now_ms += got;
    }
}

static void
what_is_seen_decides_where_it_settles(void **state)
{
    (void)state;
    /* After a long time, an event every `apart_ms`, of which one in `missed`
     * is not shown by a webhook: T* = sqrt(2c / (rate·p)). */
    static const struct {
        int64_t apart_ms;
        int missed; /* 0: there is no webhook channel */
        double expected_ms;
    } rows[] = {
        { 1000, 0, 6325 },    /* sqrt(2·20 s / (1/s)) */
        { 10000, 0, 20000 },  /* sqrt(40 / 0.1) */
        { 100000, 0, 63246 }, /* sqrt(40 / 0.01) */
        { 1000, 100, 63246 }, /* sqrt(40 / (1 · 0.01)) */
        { 10000, 10, 63246 }, /* sqrt(40 / (0.1 · 0.1)) */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pace_plan plan = both;
        struct pace pace;
        int64_t now_ms = 0;
        int64_t got = 0;
        plan.fastest_ms = 1000;
        plan.hooked = rows[i].missed > 0;
        pace_begin(&pace, &plan, now_ms);
        for (int n = 1; n <= 60000; n++) {
            now_ms += rows[i].apart_ms;
            bool missed = rows[i].missed == 0 || n % rows[i].missed == 0;
            /* Young enough to cause no panic. */
            struct pace_walk walk = { .fresh = missed, .oldest_ms = 1000 };
            if (!missed) {
                pace_hooked(&pace, 1, 0, now_ms);
            }
            got = next(&pace, &plan, &walk, now_ms);
        }
        double off = fabs((double)got - rows[i].expected_ms);
        if (off > rows[i].expected_ms * 0.05) {
            fail_msg("row %zu: %ld", i, (long)got);
        }
    }
}

static void
an_overdue_webhook_hurries_three_walks(void **state)
{
    (void)state;
    static const struct {
        struct pace_walk walk;
        bool hooked;
        bool hurries;
    } rows[] = {
        { { .fresh = 1, .oldest_ms = 30001 }, true, true },
        { { .fresh = 7, .oldest_ms = 60000 }, true, true },
        { { .fresh = 1, .oldest_ms = 30000 }, true, false },
        { { .fresh = 0, .oldest_ms = 60000 }, true, false },
        { { .fresh = 1, .oldest_ms = 60000 }, false, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pace_plan plan = both;
        struct pace pace;
        plan.hooked = rows[i].hooked;
        pace_begin(&pace, &plan, 0);
        pace.last_ms = 600000;
        pace_hooked(&pace, 1, 0, 3600000);
        assert_int_equal(next(&pace, &plan, &rows[i].walk, 3600000) ==
                             plan.fastest_ms,
                         rows[i].hurries);
        for (int walks = 1; walks < 3 && rows[i].hurries; walks++) {
            assert_true(pace_is_panic(&pace));
            assert_int_equal(next(&pace, &plan, &nothing, 3600000), 10000);
        }
        assert_false(pace_is_panic(&pace));
        assert_true(next(&pace, &plan, &nothing, 3600000) > 10000);
    }
}

static void
silence_of_the_webhooks_hurries_walks_once(void **state)
{
    (void)state;
    struct pace pace;
    int64_t now_ms = 0;
    pace_begin(&pace, &both, now_ms);
    for (int n = 0; n < 1000; n++) {
        now_ms += 10000;
        pace_hooked(&pace, 1, 0, now_ms);
    }
    pace.last_ms = 300000;
    /* Four would have been due, then six. */
    assert_true(next(&pace, &both, &nothing, now_ms + 40000) > 10000);
    for (int walks = 0; walks < 3; walks++) {
        assert_int_equal(next(&pace, &both, &nothing, now_ms + 60000), 10000);
    }
    /* A night is no emergency for long. */
    assert_int_equal(next(&pace, &both, &nothing, now_ms + 90000), 15000);
    assert_int_equal(next(&pace, &both, &nothing, now_ms + 99000), 22500);
    /* The next silence is another one. */
    pace_hooked(&pace, 1, 0, now_ms + 100000);
    assert_int_equal(next(&pace, &both, &nothing, now_ms + 200000), 10000);
}

static void
a_webhook_that_was_only_behind_is_no_miss(void **state)
{
    (void)state;
    struct pace raced, missed;
    struct pace_walk walk = { .fresh = 1, .oldest_ms = 1000 };
    int64_t now_ms = 0;
    pace_begin(&raced, &both, 0);
    pace_begin(&missed, &both, 0);
    for (int n = 0; n < 500; n++) {
        now_ms += 60000;
        (void)next(&raced, &both, &walk, now_ms);
        pace_hooked(&raced, 0, 1, now_ms + 500);
        (void)next(&missed, &both, &walk, now_ms);
    }
    assert_true(next(&raced, &both, &nothing, now_ms + 1000) > 300000);
    assert_true(missed.last_ms < 60000);
}

static void
an_hour_halves_what_is_remembered(void **state)
{
    (void)state;
    struct pace pace;
    pace_begin(&pace, &both, 0);
    pace_hooked(&pace, 8, 0, INSTANT_HOUR_MS);
    (void)next(&pace, &both, &nothing, 2 * INSTANT_HOUR_MS);
    assert_true(fabs(pace.hits - 4) < 1e-9);
    pace_hooked(&pace, 0, 0, 3 * INSTANT_HOUR_MS);
    assert_true(fabs(pace.hits - 2) < 1e-9);
    /* A clock that stands still takes nothing. */
    pace_hooked(&pace, 0, 0, 3 * INSTANT_HOUR_MS);
    assert_true(fabs(pace.hits - 2) < 1e-9);
}

static void
the_provider_and_its_budget_come_before_what_is_wanted(void **state)
{
    (void)state;
    static const struct {
        const char *keys;
        int64_t fastest_ms;
        int64_t slowest_ms;
        int64_t cost_ms;
    } rows[] = {
        { "", 10000, 60000, 20000 },
        { "every: 5s", 5000, 5000, 20000 },
        { "every: 5m, cost: 7", 10000, 300000, 7000 },
        { "fastest: 2s, slowest: 15m", 2000, 900000, 20000 },
        { "interval: {min: 30s}", 30000, 60000, 20000 },
        { "interval: {min: 90s}", 90000, 90000, 20000 },
        { "limit: {budget: 3/1m}", 20000, 60000, 20000 },
        { "limit: {budget: 10/s}", 10000, 60000, 20000 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bound bound;
        char file[512];
        (void)snprintf(file, sizeof(file),
                       "poll: {request: {url: '{var:base}/x'}, items: '$[*]', "
                       "record: {id: id}, pace: adaptive%s%s}\n",
                       rows[i].keys[0] == '\0' ? "" : ", ", rows[i].keys);
        bound_texts(&bound, file, "with: {base: 'http://127.0.0.1:9'}", "");
        bound_must(&bound);
        struct pace_plan plan = pace_plan_of(&bound.connector);
        assert_int_equal(plan.fastest_ms, rows[i].fastest_ms);
        assert_int_equal(plan.slowest_ms, rows[i].slowest_ms);
        assert_int_equal(plan.cost_ms, rows[i].cost_ms);
        assert_false(plan.hooked);
        bound_fini(&bound);
    }
}

/* ---- three days of a provider ---- */

#define DAYS       3
#define SPAN_MS    (DAYS * INSTANT_DAY_MS)
#define HOOK_MS    1000 /* how long a webhook takes */
#define OUT_FROM   (INSTANT_DAY_MS + 9 * INSTANT_HOUR_MS)
#define OUT_UNTIL  (OUT_FROM + 2 * INSTANT_HOUR_MS)
#define EVENTS_MAX 300000

struct days {
    int64_t stamps[EVENTS_MAX];
    bool hooked[EVENTS_MAX];
    bool seen[EVENTS_MAX];
    size_t count;
};

static struct days days;

struct outcome {
    int64_t walks_a_day;
    double mean_ms;
    int64_t longest_ms;
};

static double
uniform(struct prng *prng)
{
    return ((double)(prng_next(prng) >> 11) + 0.5) / 9007199254740992.0;
}

/* Events at random; webhooks miss `missed` of them and are out for 2 hours. */
static void
make_days(double rate_per_ms, double missed, uint64_t seed)
{
    struct prng prng = { seed };
    double at = 0;
    days.count = 0;
    for (;;) {
        at -= log(uniform(&prng)) / rate_per_ms;
        if (at >= (double)SPAN_MS || days.count == EVENTS_MAX) {
            return;
        }
        int64_t stamp = (int64_t)at;
        days.stamps[days.count] = stamp;
        days.hooked[days.count] = uniform(&prng) >= missed &&
                                  (stamp < OUT_FROM || stamp >= OUT_UNTIL);
        days.seen[days.count++] = false;
    }
}

struct run {
    struct pace pace;
    size_t hook; /* events before it had their webhook's time */
    size_t row;  /* events before it have been listed */
    double stale_ms;
    struct outcome outcome;
};

static void
note_stale(struct run *run, int64_t stale_ms)
{
    run->stale_ms += (double)stale_ms;
    if (stale_ms > run->outcome.longest_ms) {
        run->outcome.longest_ms = stale_ms;
    }
}

static void
bring_hooks(struct run *run, int64_t until_ms)
{
    for (;
         run->hook < days.count && days.stamps[run->hook] + HOOK_MS <= until_ms;
         run->hook++) {
        size_t at = run->hook;
        if (days.hooked[at]) {
            pace_hooked(&run->pace, !days.seen[at], days.seen[at],
                        days.stamps[at] + HOOK_MS);
            days.seen[at] = true;
        }
    }
}

static struct pace_walk
list_rows(struct run *run, int64_t now_ms)
{
    struct pace_walk walk = { 0 };
    for (; run->row < days.count && days.stamps[run->row] <= now_ms;
         run->row++) {
        if (!days.seen[run->row]) {
            int64_t age_ms = now_ms - days.stamps[run->row];
            walk.oldest_ms = walk.fresh++ == 0 ? age_ms : walk.oldest_ms;
            days.seen[run->row] = true;
            note_stale(run, age_ms);
        }
    }
    return walk;
}

/* Runs the days with a plan, or every `fixed_ms` when that is not 0. */
static struct outcome
live(const struct pace_plan *plan, int64_t fixed_ms)
{
    struct run run = { 0 };
    struct prng prng = { 7 };
    int64_t walks = 0;
    for (size_t i = 0; i < days.count; i++) {
        days.seen[i] = false;
    }
    pace_begin(&run.pace, plan, 0);
    for (int64_t now_ms = 0; now_ms < SPAN_MS; walks++) {
        bring_hooks(&run, now_ms);
        struct pace_walk walk = list_rows(&run, now_ms);
        now_ms += fixed_ms > 0
                      ? fixed_ms
                      : pace_next_ms(&run.pace, plan, &walk, now_ms, &prng);
    }
    run.outcome.mean_ms = run.stale_ms / (double)days.count;
    run.outcome.walks_a_day = walks / DAYS;
    return run.outcome;
}

static struct outcome
shown(const char *name, struct outcome outcome)
{
    print_message("  %-8s %6ld walks a day, mean %6.2f s, longest %4ld s\n",
                  name, (long)outcome.walks_a_day, outcome.mean_ms / 1000,
                  (long)(outcome.longest_ms / 1000));
    return outcome;
}

static void
three_days_cost_less_than_a_minute_and_are_as_fresh(void **state)
{
    (void)state;
    static const struct {
        double rate_per_s;
        double missed;
    } rows[] = { { 0.1, 0.0005 }, { 1, 0.0005 }, { 0.01, 0 }, { 0.1, 0.05 } };
    const struct pace_plan plan = { .fastest_ms = 30000,
                                    .slowest_ms = 900000,
                                    .cost_ms = 20000,
                                    .hooked = true };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        make_days(rows[i].rate_per_s / 1000, rows[i].missed, 11 + i);
        print_message("%g events a second, %g %% missed\n", rows[i].rate_per_s,
                      rows[i].missed * 100);
        struct outcome minute = shown("60 s", live(&plan, 60000));
        struct outcome five = shown("300 s", live(&plan, 300000));
        struct outcome slow = shown("900 s", live(&plan, 900000));
        struct outcome paced = shown("adaptive", live(&plan, 0));
        assert_true(minute.mean_ms <= five.mean_ms);
        assert_true(five.mean_ms <= slow.mean_ms);
        /* Whatever the estimates say. */
        assert_true(paced.longest_ms <= plan.slowest_ms);
        assert_true(paced.walks_a_day < minute.walks_a_day);
        assert_true(paced.mean_ms < 3 * minute.mean_ms + 1000);
        assert_true(paced.mean_ms < slow.mean_ms);
    }
}

static void
no_estimate_leads_beyond_the_slowest(void **state)
{
    (void)state;
    struct prng prng = { 3 };
    struct pace pace;
    int64_t now_ms = 0;
    pace_begin(&pace, &both, now_ms);
    for (int n = 0; n < 100000; n++) {
        struct pace_walk walk = {
            .fresh = (size_t)prng_below(&prng, 3) * prng_below(&prng, 1000000),
            .oldest_ms = (int64_t)prng_below(&prng, 100000) - 20000,
        };
        now_ms += (int64_t)prng_below(&prng, 3) * INSTANT_HOUR_MS;
        pace_hooked(&pace, prng_below(&prng, 100), prng_below(&prng, 9),
                    now_ms);
        int64_t next_ms = pace_next_ms(&pace, &both, &walk, now_ms, &prng);
        assert_in_range(next_ms, both.fastest_ms * 9 / 10, both.slowest_ms);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_begins_fast_and_slows_down_by_half_at_most),
        cmocka_unit_test(what_is_seen_decides_where_it_settles),
        cmocka_unit_test(an_overdue_webhook_hurries_three_walks),
        cmocka_unit_test(silence_of_the_webhooks_hurries_walks_once),
        cmocka_unit_test(a_webhook_that_was_only_behind_is_no_miss),
        cmocka_unit_test(an_hour_halves_what_is_remembered),
        cmocka_unit_test(
            the_provider_and_its_budget_come_before_what_is_wanted),
        cmocka_unit_test(three_days_cost_less_than_a_minute_and_are_as_fresh),
        cmocka_unit_test(no_estimate_leads_beyond_the_slowest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
