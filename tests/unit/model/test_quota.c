/* SPDX-License-Identifier: MIT */
#include "list_fixture.h"

#include "base/prng.h"
#include "model/quota.h"

static void
a_quota_never_gives_more_than_it_says(void **state)
{
    static const struct {
        int64_t count, per_ms;
    } rows[] = { { 1, 1000 },   { 4, 1000 },    { 25, 1000 }, { 7, 1000 },
                 { 10, 60000 }, { 1000, 1000 }, { 3, 10 } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct quota quota = { .count = rows[i].count,
                               .per_ms = rows[i].per_ms };
        struct prng prng = { i };
        int64_t now = 1000000;
        int64_t given = 0;
        int64_t began = now;
        for (int step = 0; step < 20000; step++) {
            if (quota_take(&quota, now) == 0) {
                given++;
            }
            now += (int64_t)prng_below(&prng, 3);
        }
        /* One burst and what the time gone by earned. */
        int64_t most =
            rows[i].count + (now - began) * rows[i].count / rows[i].per_ms + 1;
        assert_true(given <= most);
        assert_true(given >= most * 9 / 10 - 2 || given >= 19000);
    }
}

static void
the_wait_that_is_named_is_enough_and_not_too_long(void **state)
{
    (void)state;
    struct quota quota = { .count = 3, .per_ms = 1000 };
    int64_t now = 5000;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(quota_take(&quota, now), 0);
    }
    for (int i = 0; i < 50; i++) {
        int64_t wait = quota_take(&quota, now);
        assert_in_range(wait, 1, 334);
        assert_int_not_equal(quota_take(&quota, now + wait - 1), 0);
        now += wait;
        assert_int_equal(quota_take(&quota, now), 0);
    }
}

static void
no_count_is_no_limit(void **state)
{
    (void)state;
    struct quota quota = { .per_ms = 1000 };
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(quota_take(&quota, 1), 0);
    }
}

static void
what_is_spent_at_once_and_given_back_is_counted_exactly(void **state)
{
    (void)state;
    struct quota quota = { .count = 100, .per_ms = 1000, .burst = 10 };
    int64_t now = 7000;
    assert_int_equal(quota_room(&quota, now), 10);
    quota_spend(&quota, 10, now);
    assert_int_equal(quota_room(&quota, now), 0);
    assert_int_equal(quota_wait(&quota, now), 10);
    quota_give(&quota, 3);
    assert_int_equal(quota_room(&quota, now), 3);
    assert_int_equal(quota_wait(&quota, now), 0);
    quota_spend(&quota, 3, now);
    assert_int_equal(quota_room(&quota, now + 25), 2);
    /* A rest earns no more than the burst. */
    assert_int_equal(quota_room(&quota, now + 100000), 10);
    const struct quota none = { 0 };
    assert_int_equal(quota_room(&none, now), INT64_MAX);
    assert_int_equal(quota_wait(&none, now), 0);
}

static void
a_burst_of_one_is_evenly_apart(void **state)
{
    (void)state;
    struct quota quota = { .count = 5, .per_ms = 1000, .burst = 1 };
    int64_t now = 7000;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(quota_take(&quota, now), 0);
        assert_int_equal(quota_take(&quota, now), 200);
        now += 200;
    }
}

#define NOW INT64_C(1700000000000) /* Tue, 14 Nov 2023 22:13:20 GMT */

struct advice_row {
    unsigned status;
    const char *fields[8]; /* name, value …, NULL */
    const char *body;
    bool limited;
    int64_t wait_ms;
    int64_t interval_ms;
};

static struct quota_advice
advise(const struct connector *connector, const struct advice_row *row)
{
    struct http_field fields[4];
    size_t count = 0;
    for (; count < 4 && row->fields[2 * count] != NULL; count++) {
        fields[count] =
            (struct http_field){ slice_of(row->fields[2 * count]),
                                 slice_of(row->fields[2 * count + 1]) };
    }
    struct quota_advice advice;
    assert_int_equal(quota_advise(connector, row->status,
                                  (struct http_fields){ fields, count },
                                  slice_of(row->body), NOW, &advice),
                     STATUS_OK);
    return advice;
}

static void
full_connector(struct connector *connector, struct arena *arena,
               int64_t *statuses, const struct template **retry_after)
{
    list_connector(connector, arena);
    struct limit_spec *limit = &connector->poll.limit;
    retry_after[0] = list_template("header:X-Wait", arena);
    retry_after[1] = list_template("json:retry_after", arena);
    statuses[0] = 403;
    limit->retry_after = retry_after;
    limit->retry_after_count = 2;
    limit->statuses = statuses;
    limit->status_count = 1;
    limit->remaining = list_template("header:X-Remaining", arena);
    limit->reset = list_template("header:X-Reset", arena);
    limit->reset_unit = RESET_EPOCH_S;
    limit->used_of = list_template("header:X-Used", arena);
    limit->floor_ms = 60000;
    connector->poll.interval_header = slice_of("X-Poll-Interval");
}

static void
an_answer_says_how_long_to_keep_away(void **state)
{
    static const struct advice_row rows[] = {
        { 200, { NULL }, NULL, false, 0, 0 },
        { 500, { NULL }, NULL, false, 0, 0 },
        { 429, { NULL }, NULL, true, 60000, 0 },
        { 503, { "Retry-After", "7", NULL }, NULL, true, 7000, 0 },
        { 403, { "Retry-After", "7", NULL }, NULL, true, 7000, 0 },
        { 429, { "Retry-After", "2.0", NULL }, NULL, true, 2000, 0 },
        { 429,
          { "X-Wait", "3", "Retry-After", "7", NULL },
          NULL,
          true,
          3000,
          0 },
        { 429, { NULL }, "{\"retry_after\":1.5}", true, -1500, 0 },
        { 429, { NULL }, "{\"retry_after\":null}", true, 60000, 0 },
        { 429,
          { "Retry-After", "1000000000000", NULL },
          NULL,
          true,
          3600000,
          0 },
        { 429, { "Retry-After", "-5", NULL }, NULL, true, 60000, 0 },
        { 429, { "Retry-After", "soon", NULL }, NULL, true, 60000, 0 },
        { 429,
          { "Retry-After", "Tue, 14 Nov 2023 22:13:50 GMT", NULL },
          NULL,
          true,
          30000,
          0 },
        /* By the provider's clock, which is an hour behind ours. */
        { 429,
          { "Retry-After", "Tue, 14 Nov 2023 21:13:50 GMT", "Date",
            "Tue, 14 Nov 2023 21:13:20 GMT", NULL },
          NULL,
          true,
          30000,
          0 },
        { 429, { "X-Reset", "1700000045", NULL }, NULL, true, 45000, 0 },
        { 429, { "X-Reset", "1600000000", NULL }, NULL, true, 60000, 0 },
        { 200,
          { "X-Remaining", "0", "X-Reset", "1700000045", NULL },
          NULL,
          false,
          45000,
          0 },
        { 200,
          { "X-Remaining", "1", "X-Reset", "1700000045", NULL },
          NULL,
          false,
          0,
          0 },
        { 200, { "X-Used", "31/40", NULL }, NULL, false, 0, 0 },
        { 200, { "X-Used", "32/40", NULL }, NULL, false, 1000, 0 },
        { 200, { "X-Used", "40/40", NULL }, NULL, false, 5000, 0 },
        { 200, { "X-Used", "400/40", NULL }, NULL, false, 5000, 0 },
        { 200, { "X-Used", "1/0", NULL }, NULL, false, 0, 0 },
        { 200, { "X-Used", "full", NULL }, NULL, false, 0, 0 },
        { 200, { "X-Poll-Interval", "60", NULL }, NULL, false, 0, 60000 },
        { 304, { "X-Poll-Interval", "x", NULL }, NULL, false, 0, 0 },
    };
    (void)state;
    struct arena arena = { 0 };
    struct connector connector;
    int64_t statuses[1];
    const struct template *retry_after[2];
    full_connector(&connector, &arena, statuses, retry_after);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct quota_advice advice = advise(&connector, &rows[i]);
        /* A negative figure: a fraction may be rounded up to the second. */
        bool right = rows[i].wait_ms >= 0
                         ? advice.wait_ms == rows[i].wait_ms
                         : advice.wait_ms >= -rows[i].wait_ms &&
                               advice.wait_ms <= -rows[i].wait_ms + 999;
        if (!right || advice.limited != rows[i].limited ||
            advice.poll_interval_ms != rows[i].interval_ms) {
            fail_msg("row %zu: limited %d wait %lld interval %lld", i,
                     advice.limited, (long long)advice.wait_ms,
                     (long long)advice.poll_interval_ms);
        }
    }
    arena_fini(&arena);
}

static void
the_usual_limit_fields_count_where_none_are_named(void **state)
{
    static const struct advice_row rows[] = {
        { 200,
          { "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1700000045",
            NULL },
          NULL,
          false,
          45000,
          0 },
        { 200,
          { "RateLimit-Remaining", "0", "RateLimit-Reset", "45", NULL },
          NULL,
          false,
          45000,
          0 },
        { 200,
          { "x-rate-limit-remaining", "0", "x-rate-limit-reset",
            "1700000045500", NULL },
          NULL,
          false,
          45500,
          0 },
        { 200,
          { "X-RateLimit-Remaining", "1", "X-RateLimit-Reset", "45", NULL },
          NULL,
          false,
          0,
          0 },
        { 200, { "X-RateLimit-Remaining", "0", NULL }, NULL, false, 0, 0 },
        { 200,
          { "X-RateLimit-Remaining", "none", "X-RateLimit-Reset", "9", NULL },
          NULL,
          false,
          0,
          0 },
        { 429, { "X-RateLimit-Reset", "45", NULL }, NULL, true, 45000, 0 },
        { 403,
          { "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "45", NULL },
          NULL,
          true,
          45000,
          0 },
        { 403, { "X-RateLimit-Remaining", "7", NULL }, NULL, false, 0, 0 },
    };
    (void)state;
    struct arena arena = { 0 };
    struct connector connector;
    list_connector(&connector, &arena);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct quota_advice advice = advise(&connector, &rows[i]);
        if (advice.wait_ms != rows[i].wait_ms ||
            advice.limited != rows[i].limited) {
            fail_msg("row %zu: limited %d wait %lld", i, advice.limited,
                     (long long)advice.wait_ms);
        }
    }
    arena_fini(&arena);
}

static void
reset_headers_come_in_three_units(void **state)
{
    static const struct {
        unsigned unit;
        const char *value;
        int64_t wait_ms;
    } rows[] = { { RESET_EPOCH_S, "1700000002", 2000 },
                 { RESET_EPOCH_MS, "1700000002500", 2500 },
                 { RESET_DELTA_S, "4", 4000 },
                 { RESET_DELTA_S, "0.25", 250 },
                 { RESET_DELTA_S, "999999999", 3600000 } };
    (void)state;
    struct arena arena = { 0 };
    struct connector connector;
    list_connector(&connector, &arena);
    connector.poll.limit.reset = list_template("header:X-Reset", &arena);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        connector.poll.limit.reset_unit = rows[i].unit;
        struct advice_row row = { .status = 429,
                                  .fields = { "X-Reset", rows[i].value } };
        assert_int_equal(advise(&connector, &row).wait_ms, rows[i].wait_ms);
    }
    arena_fini(&arena);
}

static void
advice_without_memory_is_a_status(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct connector connector;
    int64_t statuses[1];
    const struct template *retry_after[2];
    struct quota_advice advice = { 0 };
    full_connector(&connector, &arena, statuses, retry_after);
    retry_after[1] = list_template("{json:retry_after}{json:more?}", &arena);
    struct slice body = slice_of("{\"retry_after\":\"\\u0031\"}");
    enum status status = STATUS_NOMEM;
    long n = 0;
    for (; n < 100 && status != STATUS_OK; n++) {
        (void)mem_fail_after(n, 0);
        status = quota_advise(&connector, 429, (struct http_fields){ NULL, 0 },
                              body, NOW, &advice);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
    }
    assert_true(n > 1);
    assert_int_equal(advice.wait_ms, 1000);
    arena_fini(&arena);
}

static void
an_answer_says_how_long_it_stays_right(void **state)
{
    static const struct advice_row rows[] = {
        { 200, { "Cache-Control", "max-age=90", NULL }, NULL, false, 0, 90000 },
        { 200,
          { "Cache-Control", "private, Max-Age = 7 , x=1", NULL },
          NULL,
          false,
          0,
          7000 },
        { 200, { "Cache-Control", "s-maxage=90", NULL }, NULL, false, 0, 0 },
        { 200, { "Cache-Control", "max-age=soon", NULL }, NULL, false, 0, 0 },
        { 200,
          { "Cache-Control", "max-age=9", "X-Poll-Interval", "60", "X-Ttl",
            "30", NULL },
          NULL,
          false,
          0,
          60000 },
        { 304, { "X-Ttl", "999999999", NULL }, NULL, false, 0, 3600000 },
    };
    (void)state;
    struct arena arena = { 0 };
    struct connector connector;
    struct interval_source from[] = { { .field = SLICE("cache-control"),
                                        .directive = SLICE("max-age") },
                                      { .field = SLICE("X-TTL") } };
    list_connector(&connector, &arena);
    connector.poll.interval_header = slice_of("X-Poll-Interval");
    connector.poll.interval_from = from;
    connector.poll.interval_from_count = 2;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct quota_advice advice = advise(&connector, &rows[i]);
        if (advice.poll_interval_ms != rows[i].interval_ms) {
            fail_msg("row %zu: %lld", i, (long long)advice.poll_interval_ms);
        }
    }
    arena_fini(&arena);
}

static void
a_feed_says_how_often_it_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int64_t interval_ms;
    } rows[] = {
        { "{\"feed\":{\"ttl\":\"30\"},\"items\":[]}", 1800000 },
        { "{\"feed\":{\"ttl\":\"1440\"}}", 3600000 },
        { "{\"feed\":{\"ttl\":\"9223372036854775807\"}}", 3600000 },
        { "{\"feed\":{\"ttl\":\"-1\"}}", 0 },
        { "{\"feed\":{\"ttl\":\"soon\"}}", 0 },
        { "{\"feed\":{\"updatePeriod\":\"hourly\"}}", 3600000 },
        { "{\"feed\":{\"updatePeriod\":\"hourly\",\"updateFrequency\":\"4\"}}",
          900000 },
        { "{\"feed\":{\"updatePeriod\":\"daily\",\"updateFrequency\":\"0\"}}",
          3600000 },
        { "{\"feed\":{\"updatePeriod\":\"often\"}}", 0 },
        { "{\"feed\":{\"ttl\":\"5\",\"updatePeriod\":\"hourly\","
          "\"updateFrequency\":\"2\"}}",
          1800000 },
        { "{\"feed\":{}}", 0 },
        { "[]", 0 },
        { "", 0 },
    };
    struct arena arena = { 0 };
    struct connector connector;
    struct interval_source from[] = {
        { .field = SLICE("ttl"), .of_feed = true },
        { .field = SLICE("updatePeriod"), .of_feed = true },
        { .field = SLICE("ttl") },
    };
    list_connector(&connector, &arena);
    connector.poll.interval_from = from;
    connector.poll.interval_from_count = 3;
    assert_int_equal(quota_feed_interval_ms(&connector, slice_of(rows[0].json)),
                     0);
    connector.poll.items_in_feed = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(
            quota_feed_interval_ms(&connector, slice_of(rows[i].json)),
            rows[i].interval_ms);
    }
    arena_fini(&arena);
}

static void
a_failure_says_whether_to_ask_again_or_never(void **state)
{
    static const struct {
        unsigned status;
        const char *again;
        unsigned retry;
        bool gone;
    } rows[] = {
        { 500, NULL, RETRY_UNSAID, false },
        { 409, "true", RETRY_SOON, false },
        { 400, "False", RETRY_LATER, false },
        { 200, "false", RETRY_UNSAID, false },
        { 400, "maybe", RETRY_UNSAID, false },
        { 410, NULL, RETRY_UNSAID, true },
        { 404, NULL, RETRY_UNSAID, true },
    };
    (void)state;
    struct arena arena = { 0 };
    struct connector connector;
    int64_t gone[] = { 404, 410 };
    list_connector(&connector, &arena);
    connector.poll.limit.retry_header = slice_of("X-Should-Retry");
    connector.poll.limit.gone = gone;
    connector.poll.limit.gone_count = 2;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct advice_row row = {
            .status = rows[i].status,
            .fields = { rows[i].again == NULL ? NULL : "x-should-retry",
                        rows[i].again, NULL },
        };
        struct quota_advice advice = advise(&connector, &row);
        assert_int_equal(advice.retry, rows[i].retry);
        assert_int_equal(advice.gone, rows[i].gone);
    }
    arena_fini(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quota_never_gives_more_than_it_says),
        cmocka_unit_test(the_wait_that_is_named_is_enough_and_not_too_long),
        cmocka_unit_test(no_count_is_no_limit),
        cmocka_unit_test(
            what_is_spent_at_once_and_given_back_is_counted_exactly),
        cmocka_unit_test(a_burst_of_one_is_evenly_apart),
        cmocka_unit_test(an_answer_says_how_long_it_stays_right),
        cmocka_unit_test(a_feed_says_how_often_it_is_read),
        cmocka_unit_test(a_failure_says_whether_to_ask_again_or_never),
        cmocka_unit_test(an_answer_says_how_long_to_keep_away),
        cmocka_unit_test(the_usual_limit_fields_count_where_none_are_named),
        cmocka_unit_test(reset_headers_come_in_three_units),
        cmocka_unit_test(advice_without_memory_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
