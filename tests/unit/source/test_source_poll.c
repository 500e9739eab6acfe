/* SPDX-License-Identifier: MIT */
#include "poll_site.h"

/* ---- the happy path ---- */

static void
a_walk_asks_page_after_page_and_each_is_stored(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    assert_true(source_poll_lowest(site.poll) == INT64_MIN);
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_int_equal(site.ended.rows, 3);
    assert_int_equal(site.ended.fresh, 3);
    assert_int_equal(site.ended.pages, 2);
    assert_int_equal(site.requests, 2);
    assert_string_equal(site.authorization, "Bearer k3y");
    assert_non_null(strstr(site.targets[0], "since=2026-0"));
    assert_null(strstr(site.targets[0], "page="));
    assert_non_null(strstr(site.targets[1], "page=p2"));
    assert_string_equal(first_rows()->ids, "a b");
    assert_submitted(site.submissions - 1, "c");
    assert_true(source_poll_complete_until(site.poll) > 0);
    assert_true(source_poll_lowest(site.poll) > INT64_MIN);
    assert_int_equal(source_poll_failures(site.poll), 0);
    site_close();
}

static void
the_observer_is_told_of_each_request(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    start();
    await_ends(1);
    assert_int_equal(site.asks, 2);
    assert_int_equal(site.asked.status, 200);
    assert_int_equal(site.asked.rows, 1);
    assert_int_equal(site.asked.fresh, 1);
    assert_non_null(strstr(site.asked_url, "/v1/list?"));
    assert_true(site.ended.next_ms > clock_unix_ms());
    site_close();
}

static void
the_watermark_moves_behind_the_last_page_only(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    start();
    await_ends(1);
    size_t last = site.submissions - 1;
    for (size_t i = 0; i < last; i++) {
        assert_int_equal(site.submitted[i].hw_ms, 0);
    }
    assert_true(site.submitted[last].hw_ms > 0);
    site_close();
}

/* A longer overlap promises less of what was read, and takes back nothing of
 * what was told. */
static void
complete_until_goes_back_neither_at_a_restart_nor_with_the_overlap(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    start();
    await_ends(1);
    int64_t told_ms = site.account.complete_until_ms;
    int64_t tier_ms = source_poll_complete_until(site.poll);
    assert_true(told_ms > 0 && tier_ms == told_ms);
    source_poll_destroy(site.poll);
    memcpy(site.stored, site.submitted[site.submissions - 1].state,
           sizeof(site.stored));
    site.account = (struct poll_account){ .host = &site.host };
    site.settings.overlap_ms += INSTANT_HOUR_MS;
    make_poll();
    start();
    await_requests(3);
    assert_int_equal(site.account.complete_until_ms, told_ms);
    assert_int_equal(source_poll_complete_until(site.poll),
                     tier_ms - INSTANT_HOUR_MS);
    site_close();
}

static void
walks_come_one_after_another(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    source_poll_destroy(site.poll);
    site.settings.cadence.every_ms = 30;
    make_poll();
    start();
    await_ends(3);
    assert_int_equal(site.outcomes[POLL_OK], 3);
    assert_int_equal(site.requests, 4);
    site_close();
}

static void
without_a_filter_what_lies_below_is_left_out_and_the_order_turned(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL,
          "{\"rows\":[" ROW("d", "05") "," ROW(
              "c", "04") ","
                         "{\"id\":\"old\",\"at\":\"2026-08-30T00:00:00Z\"}]}" },
        { 200, NULL, NULL, "{\"payload\":{\"x\":1}}" },
        { 0, NULL, NULL, NULL },
    };
    site_open(details, script);
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_string_equal(first_rows()->ids, "c d");
    site_close();
}

/* ---- failures ---- */

struct failing {
    const char *name;
    struct answer answer;
    const char *why;
};

static const struct failing failings[] = {
    { "HTML with 200", { 200, NULL, NULL, "<html>welcome</html>" }, NULL },
    { "an error in JSON", { 200, NULL, NULL, "{\"error\":\"no\"}" }, NULL },
    { "half an answer", { 200, NULL, NULL, "{\"rows\":[" }, NULL },
    { "a server error", { 500, NULL, NULL, "{}" }, "HTTP 500" },
    { "not found", { 404, NULL, NULL, "" }, "HTTP 404" },
    { "not allowed", { 401, NULL, NULL, "" }, "HTTP 401" },
    { "a redirect", { 302, "Location", "/elsewhere", "" }, "HTTP 302" },
    { "a row without an id",
      { 200, NULL, NULL, "{\"rows\":[{\"at\":\"2026-09-02T00:00:00Z\"}]}" },
      "row 1" },
    { "unchanged, unasked", { 304, NULL, NULL, "" }, NULL },
};

static void
a_failed_walk_says_why_and_is_begun_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(failings) / sizeof(failings[0]); i++) {
        const struct failing *row = &failings[i];
        struct answer script[] = { row->answer, two_pages[1], two_pages[3] };
        site_open(pages, script);
        start();
        await_ends(1);
        if (site.ended.outcome != POLL_FAILED || site.ended.failures != 1 ||
            site.why[0] == '\0' ||
            (row->why != NULL && strstr(site.why, row->why) == NULL)) {
            fail_msg("%s: outcome %d, '%s'", row->name, (int)site.ended.outcome,
                     site.why);
        }
        assert_int_equal(source_poll_complete_until(site.poll), 0);
        /* Not after the hour of its interval: 1 s, with jitter. */
        await_ends(2);
        assert_int_equal(site.ended.outcome, POLL_OK);
        assert_int_equal(source_poll_failures(site.poll), 0);
        assert_string_equal(first_rows()->ids, "c");
        site_close();
    }
}

static void
a_provider_that_is_not_there_is_a_failure(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    http_server_destroy(site.server);
    site.server = NULL;
    start();
    await_ends(2);
    assert_int_equal(site.outcomes[POLL_FAILED], 2);
    assert_int_equal(site.ended.failures, 2);
    assert_int_equal(site.asked.status, 0);
    site_close();
}

/* A run of full seconds is as many failures as there are seconds, and each of
 * them is over as soon as the first was. */
static void
a_full_second_behind_another_is_tried_again_as_soon_as_the_first(void **state)
{
    static const char one_row[] = PARAMS
        "poll:\n"
        "  request: {url: '{var:base}/v1/list', query: {since: '{cursor}'}}\n"
        "  auth: {type: bearer}\n"
        "  items: '$.rows[*]'\n"
        "  order: asc\n"
        "  start: 2026-09-01T00:00:00Z\n"
        "  cursor: {kind: time, from: at, format: iso8601, inclusive: true}\n"
        "  pages: {kind: cursor, size: 1}\n"
        "  record: {id: '{id}', type: t, time: at}\n"
        "match: {mode: event, same_id: true}\n";
#define ONE(id, at)                                                            \
    {                                                                          \
        200, NULL, NULL, "{\"rows\":[" ROW(id, at) "]}"                        \
    }
    static const struct answer script[] = {
        ONE("a", "02"), ONE("a", "02"),
        ONE("a", "02"), ONE("a", "02"), /* its gap */
        ONE("b", "03"), ONE("b", "03"),
        ONE("b", "03"), { 0, NULL, NULL, NULL },
    };
    static const unsigned failures[] = { 1, 2, 1, 2 };
    (void)state;
    site_open(one_row, script);
    source_poll_destroy(site.poll);
    site.settings.cadence.every_ms = 30; /* no wait is longer */
    make_poll();
    start();
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        await_ends(i + 1);
        assert_int_equal(site.ended.outcome, POLL_FAILED);
        assert_int_equal(site.ended.failures, failures[i]);
        assert_int_equal(site.ended.has_gap, i == 2);
    }
    site_close();
#undef ONE
}

static void
a_page_the_store_did_not_take_is_asked_again(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, PAGE_2 },
        { 0, NULL, NULL, NULL },
    };
    site_open(pages, script);
    site.verdicts[0] = VERDICT_STORED; /* the start of the walk */
    site.verdicts[1] = VERDICT_BUSY;
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_FAILED);
    assert_non_null(strstr(site.why, "the sink's words"));
    await_ends(2);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_int_equal(site.requests, 2);
    assert_string_equal(site.targets[0], site.targets[1]);
    assert_submitted(site.submissions - 1, "c");
    site_close();
}

static void
a_state_that_cannot_be_read_is_read_again(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    site.load_status = STATUS_IO;
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_FAILED);
    assert_int_equal(site.requests, 0);
    assert_true(source_poll_lowest(site.poll) == INT64_MIN);
    await_ends(2);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_int_equal(site.loads, 2);
    site_close();
}

/* Webhooks that signal, faster than the wait after a failure. */
static void
pokes_do_not_put_off_the_walk_after_a_failure(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 500, NULL, NULL, "{}" },
        { 200, NULL, NULL, PAGE_2 },
        { 0, NULL, NULL, NULL },
    };
    site_open(pages, script);
    start();
    await_ends(1);
    int64_t until_ms = clock_monotonic_ms() + 5000;
    while (site.ends < 2 && clock_monotonic_ms() < until_ms) {
        source_poll_poke(site.poll);
        rest(20);
    }
    assert_int_equal(site.outcomes[POLL_OK] > 0, 1);
    site_close();
}

/* As after hours of suspension: the monotonic clock has not counted them. */
static void
the_providers_clock_is_not_known_after_a_sleep(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    start();
    await_ends(1);
    assert_true(source_poll_now(site.poll).provider_ms != 0);
    site.account.date_ours_ms -= 2 * INSTANT_HOUR_MS;
    assert_int_equal(source_poll_now(site.poll).provider_ms, 0);
    site_close();
}

/* ---- limits ---- */

static void
a_limit_pauses_the_walk_which_then_goes_on(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, PAGE_1 },
        { 429, "Retry-After", "1", "{}" },
        { 200, NULL, NULL, PAGE_2 },
        { 0, NULL, NULL, NULL },
    };
    site_open(pages, script);
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_LIMITED);
    assert_int_equal(site.asked.status, 429);
    assert_int_equal(site.asked.wait_ms, 1000);
    int64_t limited_ms = clock_monotonic_ms();
    await_ends(2);
    assert_true(clock_monotonic_ms() - limited_ms >= 990);
    assert_int_equal(site.ended.outcome, POLL_OK);
    /* The page that was refused, not the walk from its beginning. */
    assert_string_equal(site.targets[1], site.targets[2]);
    assert_int_equal(site.ended.rows, 3);
    site_close();
}

static void
a_limit_without_a_wait_is_not_asked_again_at_once(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 503, NULL, NULL, "" },
        { 200, NULL, NULL, PAGE_2 },
        { 0, NULL, NULL, NULL },
    };
    site_open(pages, script);
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_LIMITED);
    rest(300);
    assert_int_equal(site.requests, 1);
    site_close();
}

static void
the_budget_spaces_the_pages(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    site.host.budget = (struct quota){ .count = 1, .per_ms = 300 };
    int64_t begun_ms = clock_monotonic_ms();
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_true(clock_monotonic_ms() - begun_ms >= 290);
    site_close();
}

static void
a_good_answer_that_says_nothing_remains_is_obeyed(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, "X-Left", "0", PAGE_1 },
        { 200, NULL, NULL, PAGE_2 },
        { 0, NULL, NULL, NULL },
    };
    site_open(pages, script);
    int64_t begun_ms = clock_monotonic_ms();
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_true(clock_monotonic_ms() - begun_ms >= 990);
    site_close();
}

/* ---- lag ---- */

static void
a_larger_lag_is_durable_once_the_walk_is_whole(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    lag_note(&site.lag, 5000);
    start();
    await_ends(1);
    const struct submitted *last = &site.submitted[site.submissions - 1];
    assert_string_equal(last->ids, "");
    assert_non_null(strstr(last->state, "\"lag\":["));
    assert_non_null(strstr(last->state, "[5000,0,0,0,"));
    assert_false(last->has_gap);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_int_equal(site.ended.fresh, 3);
    assert_int_equal(site.ended.pages, 2);
    struct poll_figures figures = source_poll_figures(site.poll);
    assert_int_equal(figures.lag_max_ms, 5000);
    assert_int_equal(figures.overlap_ms, 120000);
    assert_int_equal(figures.covered_ms, 120000);
    /* The same again is nothing to write at once. */
    size_t submissions = site.submissions;
    source_poll_poke(site.poll);
    await_ends(2);
    assert_int_equal(site.submissions, submissions + 1);
    site_close();
}

static void
a_broken_bound_widens_an_overlap_that_follows_and_is_read_again(void **state)
{
    (void)state;
    for (int follows = 0; follows < 2; follows++) {
        char again[64];
        site_open(pages, two_pages);
        source_poll_destroy(site.poll);
        site.settings.overlap_most_ms = follows ? INSTANT_HOUR_MS : 0;
        make_poll();
        lag_note(&site.lag, 200000);
        /* between start and the first row */
        site.broken_ms = INT64_C(1788307200000);
        start();
        await_ends(1);
        (void)snprintf(again, sizeof(again), "\"again\":%lld",
                       (long long)site.broken_ms - 400000);
        const char *text = site.submitted[site.submissions - 1].state;
        assert_int_equal(strstr(text, again) != NULL, follows);
        assert_int_equal(source_poll_figures(site.poll).overlap_ms,
                         follows ? 400000 : 120000);
        site_close();
    }
}

/* ---- pace ---- */

static const struct answer no_rows[] = {
    { 200, NULL, NULL, "{\"rows\":[]}" },
    { 0, NULL, NULL, NULL },
};

static const struct answer a_row[] = {
    { 200, NULL, NULL, "{\"rows\":[" ROW("late", "09") "]}" },
    { 0, NULL, NULL, NULL },
};

/* Begins walks between `fastest_ms` and `slowest_ms`. */
static void
start_paced(const struct answer *script, int64_t fastest_ms, int64_t slowest_ms,
            int64_t cost_ms)
{
    site_open(pages, script);
    source_poll_destroy(site.poll);
    site.settings.pace =
        (struct pace_plan){ fastest_ms, slowest_ms, cost_ms, .hooked = true };
    site.settings.cadence.every_ms = 50;
    make_poll();
    start();
}

static int64_t
interval_ms(void)
{
    return source_poll_figures(site.poll).interval_ms;
}

static void
an_adaptive_pace_slows_down_until_a_webhook_is_overdue(void **state)
{
    (void)state;
    start_paced(no_rows, 40, 200, 20000);
    site.oldest_ms = clock_unix_ms() - 40000;
    await_ends(1);
    assert_in_range(interval_ms(), 54, 60);
    await_ends(5);
    assert_in_range(interval_ms(), 180, 200);
    assert_false(source_poll_figures(site.poll).hurried);
    site.script = a_row;
    await_ends(6);
    assert_in_range(interval_ms(), 36, 40);
    assert_true(source_poll_figures(site.poll).hurried);
    site_close();
}

static void
the_first_walk_says_nothing_about_webhooks(void **state)
{
    (void)state;
    start_paced(a_row, 40000, 90000, 20000);
    site.oldest_ms = clock_unix_ms() - 40000;
    await_ends(1);
    assert_false(source_poll_figures(site.poll).hurried);
    assert_true(interval_ms() > 50000);
    site_close();
}

static void
a_webhook_that_catches_up_takes_the_miss_back(void **state)
{
    (void)state;
    int64_t intervals[2];
    for (int caught_up = 0; caught_up < 2; caught_up++) {
        start_paced(a_row, 4, 3600000, 10);
        for (size_t i = 1; i <= 20; i++) {
            await_ends(i);
            source_poll_hooked(site.poll, 0, (size_t)caught_up);
        }
        intervals[caught_up] = interval_ms();
        site_close();
    }
    assert_true(intervals[1] > 2 * intervals[0]);
}

static void
a_fixed_pace_heeds_no_webhook(void **state)
{
    (void)state;
    start_paced(a_row, 0, 0, 0);
    site.oldest_ms = clock_unix_ms() - 40000;
    for (size_t i = 1; i <= 4; i++) {
        await_ends(i);
        source_poll_hooked(site.poll, 1, 1);
        assert_int_equal(interval_ms(), 50);
    }
    site_close();
}

/* ---- follow ---- */

static const struct answer followed[] = {
    { 200, NULL, NULL,
      "{\"rows\":[" ROW("d", "05") "," ROW("c", "04") "," ROW("b", "03") "]}" },
    { 200, NULL, NULL, "{\"payload\":{\"of\":\"d\"}}" },
    { 200, NULL, NULL, "{\"payload\":{\"of\":\"b\"}}" },
    { 0, NULL, NULL, NULL },
};

static void
rows_that_are_not_known_get_their_details(void **state)
{
    (void)state;
    site_open(details, followed);
    site.known = "c";
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_int_equal(site.requests, 3);
    assert_string_equal(site.targets[1], "/v1/list/d");
    assert_string_equal(site.targets[2], "/v1/list/b");
    assert_string_equal(first_rows()->ids, "b c d");
    assert_string_equal(first_rows()->bodies,
                        "{\"of\":\"b\"}\n" ROW("c", "04") "\n{\"of\":\"d\"}\n");
    /* The observer hears of the page, and its URL is still there. */
    assert_true(slice_ends(slice_of(site.asked_url), slice_of("/v1/list")));
    assert_int_equal(site.asked.rows, 3);
    site_close();
}

static void
rows_that_are_all_known_need_no_details(void **state)
{
    (void)state;
    site_open(details, followed);
    site.known = "b c d";
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_int_equal(site.requests, 1);
    assert_string_equal(first_rows()->ids, "b c d");
    site_close();
}

static void
a_limit_costs_no_detail_that_came_before_it(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL,
          "{\"rows\":[" ROW("d", "05") "," ROW("b", "03") "]}" },
        { 200, NULL, NULL, "{\"payload\":{\"of\":\"d\"}}" },
        { 429, "Retry-After", "1", "{}" },
        { 200, NULL, NULL, "{\"payload\":{\"of\":\"b\"}}" },
        { 0, NULL, NULL, NULL },
    };
    site_open(details, script);
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_int_equal(site.requests, 4);
    assert_string_equal(site.targets[2], "/v1/list/b");
    assert_string_equal(site.targets[3], "/v1/list/b");
    assert_string_equal(first_rows()->bodies,
                        "{\"of\":\"b\"}\n{\"of\":\"d\"}\n");
    site_close();
}

static void
a_command_does_not_wait_for_a_detail(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, "{\"rows\":[" ROW("d", "05") "]}" },
        { 429, "Retry-After", "1", "{}" },
        { 0, NULL, NULL, NULL },
    };
    site_open(details, script);
    source_poll_destroy(site.poll);
    site.settings.once = true;
    make_poll();
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_LIMITED);
    site_close();
}

static void
a_detail_that_fails_fails_the_walk(void **state)
{
    (void)state;
    static const struct answer bad[] = {
        { 500, NULL, NULL, "{}" },
        { 200, NULL, NULL, "garbage" },
        { 200, NULL, NULL, "{\"other\":1}" },
        { 200, NULL, NULL, "{\"ok\":false,\"payload\":{}}" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct answer script[] = { followed[0], bad[i], two_pages[3] };
        site_open(details, script);
        start();
        await_ends(1);
        assert_int_equal(site.ended.outcome, POLL_FAILED);
        assert_non_null(strstr(site.why, "detail"));
        assert_int_equal(source_poll_complete_until(site.poll), 0);
        site_close();
    }
}

/* ---- poke ---- */

static void
pokes_before_a_walk_are_one_walk(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    start();
    await_ends(1);
    source_poll_poke(site.poll);
    source_poll_poke(site.poll);
    source_poll_poke(site.poll);
    await_ends(2);
    rest(50);
    assert_int_equal(site.ends, 2);
    assert_int_equal(site.requests, 3);
    site_close();
}

static void
pokes_during_a_walk_are_one_more_behind_it(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 0, NULL, NULL, "" },
        { 200, NULL, NULL, PAGE_2 },
        { 0, NULL, NULL, NULL },
    };
    site_open(pages, script);
    start();
    run(is_held);
    source_poll_poke(site.poll);
    source_poll_poke(site.poll);
    struct http_exchange *held = site.held;
    site.held = NULL;
    provider_answer(held, &script[1]);
    await_ends(2);
    rest(50);
    assert_int_equal(site.ends, 2);
    assert_int_equal(site.outcomes[POLL_OK], 2);
    site_close();
}

/* However many webhooks signal, their walks have a second between them; what a
 * person asks for does not wait for it. */
static void
signals_are_walks_a_second_apart(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    start();
    await_ends(1);
    int64_t began_ms = loop_now_ms(site.loop);
    for (int i = 0; i < 5; i++) {
        source_poll_signal(site.poll);
    }
    rest(50);
    assert_int_equal(site.ends, 1);
    await_ends(2);
    assert_true(loop_now_ms(site.loop) - began_ms > 500);
    source_poll_signal(site.poll);
    rest(20);
    assert_int_equal(site.ends, 2);
    source_poll_poke(site.poll);
    rest(200);
    assert_int_equal(site.ends, 3);
    site_close();
}

/* Nor does a wish make the provider allow more: of itself, as its connector
 * says, or as its last answer said. */
static void
pokes_wait_as_long_as_the_provider_wants(void **state)
{
    (void)state;
    for (int by_answer = 0; by_answer < 2; by_answer++) {
        static const struct answer script[] = {
            { 200, "X-Poll-Interval", "1", PAGE_2 },
            { 0, NULL, NULL, NULL },
        };
        site_open(pages, script);
        if (by_answer == 1) {
            site.bound.connector.poll.interval_header =
                slice_of("X-Poll-Interval");
        } else {
            source_poll_destroy(site.poll);
            site.settings.cadence.interval_min_ms = 1000;
            make_poll();
        }
        start();
        await_ends(1);
        int64_t began_ms = loop_now_ms(site.loop);
        source_poll_signal(site.poll);
        source_poll_poke(site.poll);
        rest(50);
        assert_int_equal(site.ends, 1);
        await_ends(2);
        assert_true(loop_now_ms(site.loop) - began_ms > 500);
        site_close();
    }
}

static void
a_command_walks_once(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    source_poll_destroy(site.poll);
    site.settings.once = true;
    site.settings.cadence.every_ms = 1;
    make_poll();
    start();
    await_ends(1);
    rest(50);
    assert_int_equal(site.ends, 1);
    source_poll_poke(site.poll);
    await_ends(2);
    site_close();
}

/* ---- stop ---- */

static void
stop(void)
{
    source_poll_stop(site.poll, says_stopped, NULL);
    assert_false(site.stopped); /* never before it returned */
}

static void
assert_at_rest(void)
{
    size_t requests = site.requests;
    size_t submissions = site.submissions;
    source_poll_poke(site.poll);
    rest(30);
    assert_int_equal(site.requests, requests);
    assert_int_equal(site.submissions, submissions);
    site_close();
}

static void
it_stops_before_it_has_begun(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    stop();
    run(is_stopped);
    assert_at_rest();
}

static void
it_stops_while_its_state_is_read(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    site.holds_load = true;
    start();
    stop();
    rest(20);
    assert_false(site.stopped); /* the sink still has it */
    give_state(NULL);
    run(is_stopped);
    assert_int_equal(site.requests, 0);
    assert_at_rest();
}

static void
it_stops_between_walks(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    start();
    await_ends(1);
    stop();
    run(is_stopped);
    assert_at_rest();
}

static void
it_stops_while_it_waits_for_its_budget(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    site.host.budget = (struct quota){ .count = 1, .per_ms = 60000 };
    start();
    await_requests(1);
    rest(50);
    stop();
    run(is_stopped);
    assert_at_rest();
}

static void
it_stops_while_the_provider_thinks(void **state)
{
    (void)state;
    static const struct answer script[] = { { 0, NULL, NULL, "" },
                                            { 0, NULL, NULL, NULL } };
    site_open(pages, script);
    start();
    run(is_held);
    stop();
    run(is_stopped);
    assert_at_rest();
}

static void
it_stops_while_rows_are_looked_up(void **state)
{
    (void)state;
    site_open(details, followed);
    site.holds_known = true;
    start();
    await_requests(1);
    while (site.look_ups == 0) {
        rest(5);
    }
    stop();
    rest(20);
    assert_false(site.stopped);
    give_known(NULL);
    run(is_stopped);
    assert_int_equal(site.requests, 1);
    assert_at_rest();
}

static void
it_stops_while_a_detail_is_asked(void **state)
{
    (void)state;
    struct answer script[] = { followed[0],
                               { 0, NULL, NULL, "" },
                               { 0, NULL, NULL, NULL } };
    site_open(details, script);
    start();
    run(is_held);
    await_requests(2);
    stop();
    run(is_stopped);
    assert_at_rest();
}

static void
it_stops_once_the_page_is_stored(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    start();
    await_requests(1);
    site.holds_verdict = true;
    while (site.arrival == NULL || first_rows()->ids[0] == '\0') {
        rest(5);
    }
    stop();
    rest(20);
    assert_false(site.stopped);
    give_verdict(NULL);
    run(is_stopped);
    assert_int_equal(site.requests, 1);
    assert_at_rest();
}

/* ---- a crash ---- */

static void
after_a_crash_it_goes_on_where_the_stored_state_says(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, PAGE_1 },
        { 0, NULL, NULL, "" },
        { 200, NULL, NULL, PAGE_2 },
        { 0, NULL, NULL, NULL },
    };
    site_open(pages, script);
    start();
    await_requests(2);
    source_poll_destroy(site.poll);
    make_poll();
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_string_equal(site.targets[1], site.targets[2]);
    assert_non_null(strstr(site.targets[2], "page=p2"));
    assert_submitted(site.submissions - 1, "c");
    site_close();
}

/* The walk of the process before is not ours because we were told to wait. */
static void
a_numbered_page_is_not_gone_on_with_after_a_crash_and_a_limit(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, PAGE_1 },       { 0, NULL, NULL, "" },
        { 429, "Retry-After", "1", "{}" }, { 0, NULL, NULL, "" },
        { 0, NULL, NULL, NULL },
    };
    site_open(numbered, script);
    start();
    await_requests(2);
    source_poll_destroy(site.poll);
    make_poll();
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_LIMITED);
    await_requests(4);
    assert_non_null(strstr(site.targets[1], "page=2"));
    assert_string_equal(site.targets[2], site.targets[0]);
    assert_string_equal(site.targets[3], site.targets[0]);
    site_close();
}

static void
a_page_that_was_not_stored_is_asked_again_after_a_crash(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, PAGE_2 },
        { 0, NULL, NULL, NULL },
    };
    site_open(pages, script);
    start();
    await_requests(1);
    site.holds_verdict = true;
    while (site.arrival == NULL || site.submissions < 2) {
        rest(5);
    }
    /* The process ends here: nobody says whether it was stored. */
    source_poll_destroy(site.poll);
    arrival_destroy(site.arrival);
    site.arrival = NULL;
    site.holds_verdict = false;
    make_poll();
    start();
    await_ends(1);
    assert_string_equal(site.targets[0], site.targets[1]);
    assert_submitted(site.submissions - 1, "c");
    site_close();
}

static void
a_walk_survives_every_failed_allocation(void **state)
{
    (void)state;
    enum poll_outcome outcome = POLL_FAILED;
    for (long n = 0; outcome != POLL_OK; n++) {
        site_open(n % 2 == 0 ? pages : details,
                  n % 2 == 0 ? two_pages : followed);
        mem_fail_after(n / 2, 0);
        start();
        site.wanted = 1;
        if (!has_ended()) {
            run(has_ended);
        }
        long asked = mem_fail_after(-1, 0);
        outcome = site.ended.outcome;
        if (outcome == POLL_OK && asked > n / 2) {
            outcome = POLL_FAILED; /* it did without */
        }
        site_close();
    }
}

static void
creating_one_survives_every_failed_allocation(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    source_poll_destroy(site.poll);
    source_poll_destroy(NULL);
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK; n++) {
        mem_fail_after(n, 0);
        status = source_poll_create(site.loop, site.access, &site.settings,
                                    &site.sink, &site.poll);
        mem_fail_after(-1, 0);
    }
    site_close();
}

static void
the_names_of_the_outcomes_are_fixed(void **state)
{
    (void)state;
    assert_string_equal(poll_outcome_name(POLL_OK), "ok");
    assert_string_equal(poll_outcome_name(POLL_FAILED), "failed");
    assert_string_equal(poll_outcome_name(POLL_LIMITED), "limited");
    assert_string_equal(poll_outcome_name(POLL_GONE), "gone");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_asks_page_after_page_and_each_is_stored),
        cmocka_unit_test(the_observer_is_told_of_each_request),
        cmocka_unit_test(the_watermark_moves_behind_the_last_page_only),
        cmocka_unit_test(
            complete_until_goes_back_neither_at_a_restart_nor_with_the_overlap),
        cmocka_unit_test(walks_come_one_after_another),
        cmocka_unit_test(
            without_a_filter_what_lies_below_is_left_out_and_the_order_turned),
        cmocka_unit_test(a_failed_walk_says_why_and_is_begun_again),
        cmocka_unit_test(a_provider_that_is_not_there_is_a_failure),
        cmocka_unit_test(
            a_full_second_behind_another_is_tried_again_as_soon_as_the_first),
        cmocka_unit_test(a_page_the_store_did_not_take_is_asked_again),
        cmocka_unit_test(a_state_that_cannot_be_read_is_read_again),
        cmocka_unit_test(pokes_do_not_put_off_the_walk_after_a_failure),
        cmocka_unit_test(the_providers_clock_is_not_known_after_a_sleep),
        cmocka_unit_test(a_limit_pauses_the_walk_which_then_goes_on),
        cmocka_unit_test(a_limit_without_a_wait_is_not_asked_again_at_once),
        cmocka_unit_test(the_budget_spaces_the_pages),
        cmocka_unit_test(a_good_answer_that_says_nothing_remains_is_obeyed),
        cmocka_unit_test(a_larger_lag_is_durable_once_the_walk_is_whole),
        cmocka_unit_test(
            a_broken_bound_widens_an_overlap_that_follows_and_is_read_again),
        cmocka_unit_test(
            an_adaptive_pace_slows_down_until_a_webhook_is_overdue),
        cmocka_unit_test(the_first_walk_says_nothing_about_webhooks),
        cmocka_unit_test(a_webhook_that_catches_up_takes_the_miss_back),
        cmocka_unit_test(a_fixed_pace_heeds_no_webhook),
        cmocka_unit_test(rows_that_are_not_known_get_their_details),
        cmocka_unit_test(rows_that_are_all_known_need_no_details),
        cmocka_unit_test(a_limit_costs_no_detail_that_came_before_it),
        cmocka_unit_test(a_command_does_not_wait_for_a_detail),
        cmocka_unit_test(a_detail_that_fails_fails_the_walk),
        cmocka_unit_test(pokes_before_a_walk_are_one_walk),
        cmocka_unit_test(pokes_during_a_walk_are_one_more_behind_it),
        cmocka_unit_test(signals_are_walks_a_second_apart),
        cmocka_unit_test(pokes_wait_as_long_as_the_provider_wants),
        cmocka_unit_test(a_command_walks_once),
        cmocka_unit_test(it_stops_before_it_has_begun),
        cmocka_unit_test(it_stops_while_its_state_is_read),
        cmocka_unit_test(it_stops_between_walks),
        cmocka_unit_test(it_stops_while_it_waits_for_its_budget),
        cmocka_unit_test(it_stops_while_the_provider_thinks),
        cmocka_unit_test(it_stops_while_rows_are_looked_up),
        cmocka_unit_test(it_stops_while_a_detail_is_asked),
        cmocka_unit_test(it_stops_once_the_page_is_stored),
        cmocka_unit_test(after_a_crash_it_goes_on_where_the_stored_state_says),
        cmocka_unit_test(
            a_numbered_page_is_not_gone_on_with_after_a_crash_and_a_limit),
        cmocka_unit_test(
            a_page_that_was_not_stored_is_asked_again_after_a_crash),
        cmocka_unit_test(a_walk_survives_every_failed_allocation),
        cmocka_unit_test(creating_one_survives_every_failed_allocation),
        cmocka_unit_test(the_names_of_the_outcomes_are_fixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
