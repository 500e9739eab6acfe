/* SPDX-License-Identifier: MIT */
#include "poll_site.h"

/* Asks for a walk every hour unless the connector or an answer says more. */
#define LISTED(more)                                                           \
    PARAMS "poll:\n"                                                           \
           "  request: {url: '{var:base}/v1/list'}\n"                          \
           "  auth: {type: bearer}\n"                                          \
           "  items: '$.rows[*]'\n"                                            \
           "  order: asc\n"                                                    \
           "  start: 2026-09-01T00:00:00Z\n"                                   \
           "  cursor: {kind: time, from: at, format: iso8601, send: false}\n"  \
           "  record: {id: '{id}', type: t, time: at}\n" more                  \
           "match: {mode: event, same_id: true}\n"

#define NO_ROWS "{\"rows\":[]}"

static int64_t
next_in_ms(void)
{
    return site.ended.next_ms - clock_unix_ms();
}

static void
a_list_that_is_gone_is_asked_again_only_when_somebody_asks(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 410, NULL, NULL, "{}" },
        { 200, NULL, NULL, NO_ROWS },
        { 0, NULL, NULL, NULL },
    };
    site_open(LISTED("  limit: {gone: [410]}\n"), script);
    site.settings.cadence.every_ms = 1;
    source_poll_destroy(site.poll);
    make_poll();
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_GONE);
    assert_int_equal(site.ended.next_ms, 0);
    assert_int_equal(site.asked.status, 410);
    rest(50);
    assert_int_equal(site.requests, 1);
    source_poll_poke(site.poll);
    await_ends(2);
    assert_int_equal(site.ended.outcome, POLL_OK);
    site_close();
}

static void
a_pause_holds_every_request_until_it_is_over(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, NO_ROWS },
        { 200, NULL, NULL, NO_ROWS },
        { 0, NULL, NULL, NULL },
    };
    site_open(LISTED(""), script);
    site.settings.cadence.every_ms = 20;
    source_poll_destroy(site.poll);
    make_poll();
    source_poll_pause(site.poll, true);
    start();
    rest(60);
    assert_int_equal(site.requests, 0);
    source_poll_poke(site.poll);
    rest(40);
    assert_int_equal(site.requests, 0);
    source_poll_pause(site.poll, false);
    await_ends(1);
    source_poll_pause(site.poll, true);
    size_t requests = site.requests;
    rest(80);
    assert_true(site.requests <= requests + 1); /* one may be on its way */
    source_poll_pause(site.poll, false);
    source_poll_pause(site.poll, false);
    await_ends(2);
    site_close();
}

static void
a_pause_holds_the_next_page_of_a_walk_too(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    start();
    await_requests(1);
    source_poll_pause(site.poll, true);
    rest(60);
    assert_int_equal(site.requests, 1);
    assert_int_equal(site.ends, 0);
    source_poll_pause(site.poll, false);
    await_ends(1);
    assert_int_equal(site.requests, 2);
    assert_int_equal(site.ended.outcome, POLL_OK);
    site_close();
}

static void
a_failure_that_passes_is_asked_again_soon_and_others_later(void **state)
{
    (void)state;
    static const struct {
        const char *again;
        int64_t least_ms, most_ms;
    } rows[] = {
        { "true", 0, 1000 },
        { "false", INSTANT_HOUR_MS - 60000, INSTANT_HOUR_MS },
        { "perhaps", 0, 1000 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct answer script[] = {
            { 500, "X-Should-Retry", rows[i].again, "{}" },
            { 0, NULL, NULL, NULL },
        };
        site_open(LISTED("  limit: {retry_header: X-Should-Retry}\n"), script);
        start();
        await_ends(1);
        assert_int_equal(site.ended.outcome, POLL_FAILED);
        assert_in_range(next_in_ms() + 1000, rows[i].least_ms,
                        rows[i].most_ms + 1000);
        site_close();
    }
}

static void
an_answer_that_stays_right_puts_the_next_walk_off(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, "Cache-Control", "max-age=300", NO_ROWS },
        { 0, NULL, NULL, NULL },
    };
    site_open(LISTED("  interval: {from: [Cache-Control.max-age]}\n"), script);
    site.settings.cadence.every_ms = 1000;
    source_poll_destroy(site.poll);
    make_poll();
    start();
    await_ends(1);
    assert_in_range(next_in_ms(), 200000, 300000);
    site_close();
}

static void
a_failure_does_not_take_back_how_often_may_be_asked(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, "Cache-Control", "max-age=2", NO_ROWS },
        { 500, NULL, NULL, "{}" },
        { 0, NULL, NULL, NULL },
    };
    site_open(LISTED("  interval: {from: [Cache-Control.max-age]}\n"), script);
    site.settings.cadence.every_ms = 1;
    source_poll_destroy(site.poll);
    make_poll();
    start();
    await_ends(2);
    assert_int_equal(site.ended.outcome, POLL_FAILED);
    assert_in_range(next_in_ms(), 1500, 2000);
    site_close();
}

static void
a_cursor_that_is_refused_is_a_gap_and_the_list_is_read_anew(void **state)
{
    (void)state;
    static const char connector[] = PARAMS
        "poll:\n"
        "  request: {url: '{var:base}/v1/list', query: {after: '{cursor}'}}\n"
        "  auth: {type: bearer}\n"
        "  items: '$.rows[*]'\n"
        "  order: asc\n"
        "  fail_when: [{x: 'json:error', present: true}]\n"
        "  cursor: {kind: token, from: next, start: '0', expired: [{x: "
        "'json:error', equals: reset}]}\n"
        "  resync: {url: '{var:base}/v1/all', cursor: next}\n"
        "  record: {id: '{id}', type: t, time: at}\n"
        "match: {mode: event, same_id: true}\n";
    static const struct answer script[] = {
        { 200, NULL, NULL, "{\"rows\":[],\"next\":\"t1\"}" },
        { 200, NULL, NULL, "{\"rows\":[],\"error\":\"reset\"}" },
        { 200, NULL, NULL, "{\"rows\":[" ROW("a", "02") "],\"next\":\"t2\"}" },
        { 200, NULL, NULL, "{\"rows\":[" ROW("b", "03") "],\"next\":\"t3\"}" },
        { 0, NULL, NULL, NULL },
    };
    site_open(connector, script);
    site.settings.cadence.every_ms = 1;
    source_poll_destroy(site.poll);
    make_poll();
    site.account.complete_until_ms = 1; /* it was read before */
    start();
    await_ends(3);
    assert_string_equal(site.targets[0], "/v1/list?after=0");
    assert_string_equal(site.targets[1], "/v1/list?after=t1");
    assert_string_equal(site.targets[2], "/v1/all");
    assert_int_equal(site.outcomes[POLL_FAILED], 1);
    size_t gaps = 0;
    for (size_t i = 0; i < site.submissions; i++) {
        gaps += site.submitted[i].has_gap;
    }
    assert_int_equal(gaps, 1);
    assert_string_equal(first_rows()->ids, "a");
    /* That they are old says nothing of the overlap, nor of the list. */
    assert_int_equal(first_rows()->complete_until_ms, 0);
    assert_int_equal(first_rows()->last_walk_ms, 0);
    assert_true(site.submitted[0].complete_until_ms > 0);
    await_requests(5);
    assert_string_equal(site.targets[3], "/v1/list?after=t2");
    const struct submitted *last = &site.submitted[site.submissions - 1];
    assert_string_equal(last->ids, "b");
    assert_true(last->last_walk_ms > 0);
    assert_true(last->complete_until_ms > 0);
    site_close();
}

static void
a_full_answer_is_stored_and_asked_for_again_in_parts(void **state)
{
    (void)state;
    static const char connector[] = PARAMS
        "poll:\n"
        "  request: {url: '{var:base}/v1/list', query: {from: '{cursor}', "
        "until: '{until}'}}\n"
        "  auth: {type: bearer}\n"
        "  items: '$.rows[*]'\n"
        "  start: 50m\n"
        "  cursor: {kind: time, from: at, format: unix_s, inclusive: true, "
        "window: 2h, full: 2}\n"
        "  record: {id: '{id}', type: t, time: at}\n"
        "match: {mode: event, same_id: true}\n";
    static const struct answer script[] = {
        { 200, NULL, NULL, "{\"rows\":[{\"id\":1},{\"id\":2}]}" },
        { 200, NULL, NULL, "{\"rows\":[{\"id\":2}]}" },
        { 200, NULL, NULL, "{\"rows\":[{\"id\":3}]}" },
        { 0, NULL, NULL, NULL },
    };
    long long from[3];
    long long until[3];
    site_open(connector, script);
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_int_equal(site.requests, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sscanf(site.targets[i],
                                "/v1/list?from=%lld&until=%lld", &from[i],
                                &until[i]),
                         2);
    }
    assert_int_equal(from[1], from[0]);
    assert_in_range(until[1] - from[1], (until[0] - from[0]) / 2 - 1,
                    (until[0] - from[0]) / 2);
    assert_int_equal(from[2], until[1]);
    assert_int_equal(until[2], until[0]);
    assert_string_equal(first_rows()->ids, "1 2");
    assert_string_equal(site.submitted[site.submissions - 1].ids, "3");
    for (size_t i = 0; i + 1 < site.submissions; i++) {
        assert_int_equal(site.submitted[i].hw_ms, 0);
    }
    site_close();
}

static void
a_feed_that_was_seen_before_is_looked_up_before_the_walk_decides(void **state)
{
    (void)state;
    static const char connector[] =
        PARAMS "poll:\n"
               "  request: {url: '{var:base}/v1/list'}\n"
               "  auth: {type: bearer}\n"
               "  items: '$.rows[*]'\n"
               "  order: desc\n"
               "  start: 2026-09-01T00:00:00Z\n"
               "  cursor: {kind: seen}\n"
               "  record: {id: '{id}', type: t}\n"
               "match: {mode: event, same_id: true}\n";
    static const struct answer script[] = {
        { 200, NULL, NULL, "{\"rows\":[" ROW("a", "02") "]}" },
        { 200, NULL, NULL,
          "{\"rows\":[" ROW("b", "03") "," ROW("a", "02") "]}" },
        { 200, NULL, NULL,
          "{\"rows\":[" ROW("d", "05") "," ROW("c", "04") "]}" },
        { 0, NULL, NULL, NULL },
    };
    site_open(connector, script);
    site.settings.cadence.every_ms = 1;
    site.known = "a b";
    source_poll_destroy(site.poll);
    make_poll();
    start();
    await_ends(1);
    assert_int_equal(site.look_ups, 0);
    await_ends(2);
    assert_int_equal(site.look_ups, 1);
    size_t before = site.submissions;
    assert_false(site.submitted[before - 1].has_gap);
    assert_submitted(before - 1, "a b");
    await_ends(3);
    assert_int_equal(site.look_ups, 2);
    assert_true(site.submitted[site.submissions - 1].has_gap);
    assert_submitted(site.submissions - 1, "c d");
    site_close();
}

static void
a_list_that_holds_requests_is_asked_again_at_once(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, "{\"rows\":[" ROW("a", "02") "]}" },
        { 0, NULL, NULL, NO_ROWS },
        { 200, NULL, NULL, NO_ROWS },
        { 0, NULL, NULL, NULL },
    };
    site_open(LISTED("  wait: 200ms\n  timeout: 1s\n"), script);
    start();
    await_ends(1);
    assert_in_range(next_in_ms() + 1000, 0, 1000);
    /* It had nothing and held the request, longer than `timeout`. */
    run(is_held);
    rest(1100);
    provider_answer(site.held, &(struct answer){ 200, NULL, NULL, NO_ROWS });
    site.held = NULL;
    await_ends(2);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_in_range(next_in_ms() + 1000, 0, 1000);
    /* It had nothing and said so at once. */
    await_ends(3);
    assert_in_range(next_in_ms(), INSTANT_HOUR_MS - 60000, INSTANT_HOUR_MS);
    assert_int_equal(site.requests, 3);
    site_close();
}

static void
it_stops_at_once_while_a_list_holds_its_request(void **state)
{
    (void)state;
    static const struct answer script[] = { { 0, NULL, NULL, NULL } };
    site_open(LISTED("  wait: 60s\n"), script);
    start();
    run(is_held);
    int64_t began_ms = loop_now_ms(site.loop);
    source_poll_stop(site.poll, says_stopped, NULL);
    run(is_stopped);
    assert_in_range(loop_now_ms(site.loop) - began_ms, 0, 999);
    site_close();
}

static void
what_is_not_stored_is_not_acknowledged(void **state)
{
    (void)state;
    static const char connector[] = PARAMS
        "poll:\n"
        "  request: {url: '{var:base}/v1/list', query: {offset: '{cursor}'}}\n"
        "  auth: {type: bearer}\n"
        "  items: '$.rows[*]'\n"
        "  order: asc\n"
        "  cursor: {kind: id, from: max(id)+1, compare: numeric, acks: true}\n"
        "  pages: {kind: cursor, size: 1}\n"
        "  record: {id: '{id}', type: t}\n"
        "match: {mode: event, same_id: true}\n";
    static const struct answer script[] = {
        { 200, NULL, NULL, "{\"rows\":[{\"id\":7}]}" },
        { 200, NULL, NULL, NO_ROWS },
        { 0, NULL, NULL, NULL },
    };
    for (int i = 0; i < 2; i++) {
        site_open(connector, script);
        site.sink.is_rehearsal = i == 0;
        start();
        await_ends(1);
        assert_int_equal(site.ended.outcome, POLL_OK);
        assert_int_equal(site.requests, 1 + i);
        assert_string_equal(first_rows()->ids, "7");
        if (i == 1) {
            assert_string_equal(site.targets[1], "/v1/list?offset=8");
        }
        site_close();
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_list_that_is_gone_is_asked_again_only_when_somebody_asks),
        cmocka_unit_test(a_pause_holds_every_request_until_it_is_over),
        cmocka_unit_test(a_pause_holds_the_next_page_of_a_walk_too),
        cmocka_unit_test(
            a_failure_that_passes_is_asked_again_soon_and_others_later),
        cmocka_unit_test(
            a_cursor_that_is_refused_is_a_gap_and_the_list_is_read_anew),
        cmocka_unit_test(a_full_answer_is_stored_and_asked_for_again_in_parts),
        cmocka_unit_test(
            a_feed_that_was_seen_before_is_looked_up_before_the_walk_decides),
        cmocka_unit_test(a_list_that_holds_requests_is_asked_again_at_once),
        cmocka_unit_test(it_stops_at_once_while_a_list_holds_its_request),
        cmocka_unit_test(what_is_not_stored_is_not_acknowledged),
        cmocka_unit_test(an_answer_that_stays_right_puts_the_next_walk_off),
        cmocka_unit_test(a_failure_does_not_take_back_how_often_may_be_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
