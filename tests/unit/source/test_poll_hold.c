/* SPDX-License-Identifier: MIT */
#include "poll_site.h"

#include "model/walk_backfill.h"

#define ROWS(id, more)                                                         \
    "{\"rows\":[{\"id\":\"" id "\",\"t\":\"x\",\"at\":"                        \
    "\"2026-09-01T00:01:00Z\"}]" more "}"

static const struct answer two_pages_of_one[] = {
    { 200, NULL, NULL, ROWS("a", ",\"next\":\"2\"") },
    { 200, NULL, NULL, ROWS("b", "") },
    { 0, NULL, NULL, NULL },
};

static const struct answer no_answer[] = { { 0, NULL, NULL, NULL },
                                           { 200, NULL, NULL, ROWS("a", "") },
                                           { 0, NULL, NULL, NULL } };

static bool
is_submitted(void)
{
    return site.submissions >= site.wanted;
}

static void
await_submissions(size_t count)
{
    site.wanted = count;
    run(is_submitted);
}

static bool
is_loading(void)
{
    return site.loads >= site.wanted;
}

static void
await_loads(size_t count)
{
    site.wanted = count;
    run(is_loading);
}

static bool
is_known(void)
{
    return source_poll_lowest(site.poll) != INT64_MIN;
}

static bool
is_looking(void)
{
    return site.look_ups > 0;
}

static void
what_is_not_held_asks_for_nothing_and_walks_once_it_is(void **state)
{
    (void)state;
    site_open(pages, two_pages_of_one);
    source_poll_hold(site.poll, false, 0);
    source_poll_start(site.poll);
    source_poll_poke(site.poll);
    source_poll_signal(site.poll);
    source_poll_pause(site.poll, true);
    source_poll_pause(site.poll, false);
    rest(60);
    assert_int_equal(site.requests + site.loads, 0);
    assert_true(source_poll_lowest(site.poll) == INT64_MAX);
    assert_true(source_poll_first(site.poll) == INT64_MAX);
    source_poll_hold(site.poll, true, 7);
    assert_true(source_poll_lowest(site.poll) == INT64_MIN); /* not known */
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_int_equal(site.requests, 2);
    for (size_t i = 0; i < site.submissions; i++) {
        assert_int_equal(site.submitted[i].fence, 7);
    }
    assert_true(source_poll_lowest(site.poll) != INT64_MAX);
    source_poll_hold(site.poll, true, 7); /* nothing new */
    assert_int_equal(site.loads, 1);
    site_close();
}

static void
what_is_asked_for_is_dropped_when_the_lease_is_lost(void **state)
{
    (void)state;
    site_open(pages, no_answer);
    source_poll_hold(site.poll, true, 1);
    source_poll_start(site.poll);
    run(is_held);
    size_t stored = site.submissions;
    source_poll_hold(site.poll, false, 0);
    assert_int_equal(site.outcomes[POLL_YIELDED], 1);
    assert_string_equal(site.why, "another agent walks this connector");
    assert_int_equal(source_poll_failures(site.poll), 0);
    rest(60);
    assert_int_equal(site.submissions, stored);
    source_poll_hold(site.poll, true, 3);
    await_ends(2);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_int_equal(site.loads, 2);
    assert_int_equal(site.submitted[site.submissions - 1].fence, 3);
    site_close();
}

/* Another agent has walked on: its state is the one to go by. */
static void
held_again_it_goes_on_from_what_another_agent_stored(void **state)
{
    (void)state;
    site_open(pages, two_pages_of_one);
    source_poll_hold(site.poll, true, 1);
    source_poll_start(site.poll);
    await_ends(1);
    int64_t own_ms = source_poll_lowest(site.poll);
    source_poll_hold(site.poll, false, 0);
    assert_int_equal(site.outcomes[POLL_YIELDED], 0); /* none was on its way */
    char *hw = strstr(site.stored, "\"hw\":");
    assert_non_null(hw);
    hw[5] = hw[5] == '9' ? '9' : (char)(hw[5] + 1);
    source_poll_hold(site.poll, true, 5);
    site.holds_verdict = true;
    run(is_known);
    assert_true(source_poll_lowest(site.poll) > own_ms);
    site_close();
}

/* A page that is with the store when the lease is lost, whatever becomes of
 * it. */
static void
a_page_with_the_store_does_not_go_on_when_the_lease_is_lost(void **state)
{
    (void)state;
    static const enum verdict_kind kinds[] = { VERDICT_STORED, VERDICT_FENCED };
    for (size_t i = 0; i < 2; i++) {
        for (int again = 0; again < 2; again++) {
            site_open(pages, two_pages_of_one);
            site.holds_verdict = true;
            source_poll_hold(site.poll, true, 1);
            source_poll_start(site.poll);
            await_submissions(1);
            site.verdicts[0] = kinds[i];
            source_poll_hold(site.poll, false, 0);
            if (again > 0) {
                source_poll_hold(site.poll, true, 3);
            }
            assert_int_equal(site.loads, 1);
            site.holds_verdict = false;
            size_t requests = site.requests;
            give_verdict(NULL);
            if (again > 0) {
                await_ends(2);
                assert_int_equal(site.ended.outcome, POLL_OK);
                assert_int_equal(site.loads, 2);
                assert_int_equal(site.submitted[1].fence, 3);
            } else {
                rest(40);
                assert_int_equal(site.requests, requests);
                assert_int_equal(site.loads, 1);
            }
            assert_int_equal(site.outcomes[POLL_FAILED], 0);
            site_close();
        }
    }
}

/* The store knows before the loop does. */
static void
a_page_that_is_fenced_ends_the_walk_without_a_failure(void **state)
{
    (void)state;
    site_open(pages, two_pages_of_one);
    site.verdicts[0] = VERDICT_FENCED;
    source_poll_hold(site.poll, true, 1);
    source_poll_start(site.poll);
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_YIELDED);
    assert_int_equal(source_poll_failures(site.poll), 0);
    size_t requests = site.requests;
    rest(60);
    assert_int_equal(site.requests, requests);
    assert_int_equal(site.ends, 1);
    source_poll_hold(site.poll, true, 3);
    await_ends(2);
    assert_int_equal(site.ended.outcome, POLL_OK);
    site_close();
}

static void
a_state_that_is_being_read_is_read_anew_by_the_next_lease(void **state)
{
    (void)state;
    site_open(pages, two_pages_of_one);
    site.holds_load = true;
    source_poll_hold(site.poll, true, 1);
    source_poll_start(site.poll);
    await_loads(1);
    source_poll_hold(site.poll, false, 0);
    source_poll_hold(site.poll, true, 3);
    assert_int_equal(site.loads, 1); /* one at a time */
    site.holds_load = false;
    give_state(NULL);
    await_ends(1);
    assert_int_equal(site.loads, 2);
    assert_int_equal(site.submitted[0].fence, 3);
    site_close();
}

static void
rows_that_are_being_looked_up_are_dropped(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, ROWS("a", "") },
        { 0, NULL, NULL, NULL },
    };
    site_open(details, script);
    site.holds_known = true;
    source_poll_hold(site.poll, true, 1);
    source_poll_start(site.poll);
    run(is_looking);
    size_t requests = site.requests;
    source_poll_hold(site.poll, false, 0);
    give_known(NULL);
    rest(40);
    assert_int_equal(site.requests, requests);
    assert_int_equal(site.outcomes[POLL_YIELDED], 1);
    site_close();
}

static void
it_stops_whether_it_is_held_or_not(void **state)
{
    (void)state;
    for (int held = 0; held < 2; held++) {
        for (int lost = 0; lost < 2; lost++) {
            site_open(pages, no_answer);
            source_poll_hold(site.poll, held > 0, (uint64_t)held);
            source_poll_start(site.poll);
            if (held > 0) {
                run(is_held);
            }
            if (lost > 0) {
                source_poll_hold(site.poll, false, 0);
            }
            source_poll_stop(site.poll, says_stopped, NULL);
            source_poll_hold(site.poll, true, 9); /* too late */
            run(is_stopped);
            site_close();
        }
    }
}

static void
a_span_is_begun_where_the_connector_is_walked(void **state)
{
    (void)state;
    struct error err = { "" };
    struct walk_backfill_wish wish = { 0 };
    site_open(pages, two_pages_of_one);
    source_poll_destroy(site.poll);
    site.settings.is_backfill = true;
    make_poll();
    source_poll_hold(site.poll, false, 0);
    source_poll_start(site.poll);
    assert_int_equal(source_poll_backfill_begin(site.poll, &wish, &err),
                     STATUS_UNAVAILABLE);
    assert_non_null(strstr(err.text, "another agent walks this connector"));
    assert_null(source_poll_backfill(site.poll));
    assert_false(source_poll_backfill_cancel(site.poll));
    site_close();
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            what_is_not_held_asks_for_nothing_and_walks_once_it_is),
        cmocka_unit_test(what_is_asked_for_is_dropped_when_the_lease_is_lost),
        cmocka_unit_test(held_again_it_goes_on_from_what_another_agent_stored),
        cmocka_unit_test(
            a_page_with_the_store_does_not_go_on_when_the_lease_is_lost),
        cmocka_unit_test(a_page_that_is_fenced_ends_the_walk_without_a_failure),
        cmocka_unit_test(
            a_state_that_is_being_read_is_read_anew_by_the_next_lease),
        cmocka_unit_test(rows_that_are_being_looked_up_are_dropped),
        cmocka_unit_test(it_stops_whether_it_is_held_or_not),
        cmocka_unit_test(a_span_is_begun_where_the_connector_is_walked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
