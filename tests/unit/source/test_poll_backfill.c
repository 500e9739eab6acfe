/* SPDX-License-Identifier: MIT */
#include "poll_site.h"

#include "model/walk_backfill.h"

/* September 2nd to 5th. */
static const struct walk_backfill_wish wish = { .since = SLICE("2026-09-02"),
                                                .until = SLICE("2026-09-05"),
                                                .rate = SLICE("1000/1s"),
                                                .again = true };

static void
open_span(const struct answer *script)
{
    site_open(pages, script);
    source_poll_destroy(site.poll);
    site.settings.is_backfill = true;
    site.settings.tier = WALK_TIER_BACKFILL;
    site.settings.overlap_ms = 0;
    site.settings.cadence.every_ms = 1; /* between attempts */
    make_poll();
    start();
}

static bool
is_loaded(void)
{
    return source_poll_lowest(site.poll) != INT64_MIN;
}

static void
begin_span(void)
{
    struct error err = { "" };
    run(is_loaded);
    if (source_poll_backfill_begin(site.poll, &wish, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
}

static const struct walk_backfill *
span(void)
{
    return &source_poll_backfill(site.poll)->backfill;
}

static bool
is_over(void)
{
    return span()->phase != BACKFILL_RUNNING;
}

static const struct answer past_the_end[] = {
    { 200, NULL, NULL, PAGE_1 },
    { 200, NULL, NULL,
      "{\"rows\":[" ROW("c", "04") "," ROW("d", "06") "],\"next\":\"p3\"}" },
    { 200, NULL, NULL, "{\"rows\":[" ROW("e", "07") "],\"next\":\"p4\"}" },
    { 0, NULL, NULL, NULL },
};

static void
nothing_is_read_until_it_is_asked(void **state)
{
    (void)state;
    open_span(two_pages);
    run(is_loaded);
    rest(20);
    assert_int_equal(site.requests, 0);
    assert_int_equal(source_poll_lowest(site.poll), INT64_MAX);
    site_close();
}

static void
a_span_is_read_and_no_more(void **state)
{
    (void)state;
    open_span(past_the_end);
    begin_span();
    run(is_over);
    assert_int_equal(span()->phase, BACKFILL_DONE);
    assert_int_equal(site.requests, 3);
    assert_string_equal(site.submitted[1].ids, "a b");
    assert_string_equal(site.submitted[2].ids, "c");
    assert_string_equal(site.submitted[3].ids, "");
    assert_int_equal(site.submitted[3].hw_ms, 0);
    assert_int_equal(span()->rows, 5);
    assert_int_equal(span()->pages, 3);
    rest(20);
    assert_int_equal(site.requests, 3);
    site_close();
}

static void
one_at_a_time(void **state)
{
    struct error err = { "" };
    (void)state;
    open_span(past_the_end);
    begin_span();
    assert_int_equal(source_poll_backfill_begin(site.poll, &wish, &err),
                     STATUS_BUSY);
    run(is_over);
    assert_int_equal(source_poll_backfill_begin(site.poll, &wish, &err),
                     STATUS_OK);
    site_close();
}

static void
below_the_floor_it_is_refused(void **state)
{
    struct error err = { "" };
    struct walk_backfill_wish once = wish;
    (void)state;
    open_span(past_the_end);
    once.again = false;
    run(is_loaded);
    site.floor_ms = INT64_C(1788307200001);
    assert_int_equal(source_poll_backfill_begin(site.poll, &once, &err),
                     STATUS_DENIED);
    site.floor_ms--;
    assert_int_equal(source_poll_backfill_begin(site.poll, &once, &err),
                     STATUS_OK);
    site_close();
}

static void
it_waits_for_the_walks_that_are_on_their_way(void **state)
{
    (void)state;
    open_span(past_the_end);
    site.host.walking = 1;
    begin_span();
    rest(250);
    assert_int_equal(site.requests, 0);
    site.host.walking = 0;
    run(is_over);
    assert_int_equal(span()->phase, BACKFILL_DONE);
    site_close();
}

static void
a_walk_counts_while_it_is_on_its_way(void **state)
{
    static const struct answer script[] = { { 0, NULL, NULL, "" },
                                            { 0, NULL, NULL, NULL } };
    (void)state;
    site_open(pages, script);
    start();
    run(is_held);
    assert_int_equal(site.host.walking, 1);
    source_poll_stop(site.poll, says_stopped, NULL);
    assert_int_equal(site.host.walking, 0);
    run(is_stopped);
    site_close();
}

static void
a_walk_that_the_provider_holds_is_not_waited_for(void **state)
{
    static const struct answer script[] = { { 0, NULL, NULL, "" },
                                            { 0, NULL, NULL, NULL } };
    (void)state;
    site_open(pages, script);
    site.bound.connector.poll.wait_ms = INSTANT_MINUTE_MS;
    start();
    run(is_held);
    assert_int_equal(site.host.walking, 0);
    site_close();
}

static void
it_keeps_its_own_pace(void **state)
{
    (void)state;
    open_span(past_the_end);
    run(is_loaded);
    struct walk_backfill_wish slow = wish;
    struct error err = { "" };
    slow.rate = slice_of("1/300ms");
    assert_int_equal(source_poll_backfill_begin(site.poll, &slow, &err),
                     STATUS_OK);
    int64_t began_ms = clock_monotonic_ms();
    run(is_over);
    assert_in_range(clock_monotonic_ms() - began_ms, 590, 20000);
    site_close();
}

static void
a_cancelled_span_is_over(void **state)
{
    static const struct answer script[] = { { 200, NULL, NULL, PAGE_1 },
                                            { 0, NULL, NULL, "" },
                                            { 0, NULL, NULL, NULL } };
    (void)state;
    open_span(script);
    begin_span();
    run(is_held);
    assert_true(source_poll_backfill_cancel(site.poll));
    run(is_over);
    assert_int_equal(span()->phase, BACKFILL_CANCELLED);
    assert_false(source_poll_backfill_cancel(site.poll));
    assert_int_equal(source_poll_lowest(site.poll), INT64_MAX);
    site_close();
}

static void
cancelled_while_a_page_is_stored_it_ends_behind_that_page(void **state)
{
    (void)state;
    open_span(past_the_end);
    begin_span();
    assert_true(
        source_poll_backfill_cancel(site.poll)); /* its begin is stored */
    run(is_over);
    assert_int_equal(span()->phase, BACKFILL_CANCELLED);
    assert_int_equal(site.requests, 0);
    site_close();
}

static void
cancelled_while_the_store_is_busy_it_tries_again_later(void **state)
{
    (void)state;
    open_span(past_the_end);
    begin_span();
    site.verdicts[1] = VERDICT_BUSY;
    assert_true(source_poll_backfill_cancel(site.poll));
    run(is_over);
    assert_int_equal(span()->phase, BACKFILL_CANCELLED);
    /* Its failure, and its end. */
    assert_int_equal(site.outcomes[POLL_FAILED], 2);
    site_close();
}

static bool
is_in_line(void)
{
    return !list_empty(&site.host.waiting);
}

static void
cancelled_while_it_waits_for_its_turn_it_holds_up_nobody(void **state)
{
    (void)state;
    open_span(past_the_end);
    site.host.not_before_ms = loop_now_ms(site.loop) + INSTANT_HOUR_MS;
    begin_span();
    run(is_in_line);
    assert_true(source_poll_backfill_cancel(site.poll));
    run(is_over);
    assert_false(is_in_line());
    site_close();
}

static void
a_failed_page_is_asked_for_again(void **state)
{
    static const struct answer script[] = {
        { 500, NULL, NULL, "{}" },
        { 200, NULL, NULL, PAGE_1 },
        { 200, NULL, NULL, "{\"rows\":[" ROW("c", "04") "]}" },
        { 200, NULL, NULL, "{\"rows\":[]}" },
        { 0, NULL, NULL, NULL }
    };
    (void)state;
    open_span(script);
    begin_span();
    run(is_over);
    assert_int_equal(span()->phase, BACKFILL_DONE);
    assert_int_equal(site.outcomes[POLL_FAILED], 1);
    site_close();
}

static void
it_gives_up_when_no_attempt_brings_a_page(void **state)
{
    static const struct answer script[] = { { 200, NULL, NULL, PAGE_1 },
                                            { 500, NULL, NULL, "{}" },
                                            { 0, NULL, NULL, NULL } };
    (void)state;
    open_span(script);
    begin_span();
    run(is_over);
    assert_int_equal(span()->phase, BACKFILL_FAILED);
    assert_true(slice_starts(span()->why, slice_of("HTTP 500")));
    assert_in_range(site.requests, 8, 12);
    site_close();
}

static void
a_restart_goes_on_with_it(void **state)
{
    static const struct answer script[] = {
        { 200, NULL, NULL, PAGE_1 },
        { 0, NULL, NULL, "" },
        { 0, NULL, NULL, NULL },
    };
    (void)state;
    open_span(script);
    begin_span();
    run(is_held);
    source_poll_destroy(site.poll);
    site.script = past_the_end;
    make_poll();
    start();
    run(is_over);
    assert_int_equal(span()->phase, BACKFILL_DONE);
    assert_non_null(strstr(site.targets[2], "p2"));
    assert_int_equal(span()->rows, 3);
    site_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_read_until_it_is_asked),
        cmocka_unit_test(a_span_is_read_and_no_more),
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(below_the_floor_it_is_refused),
        cmocka_unit_test(it_waits_for_the_walks_that_are_on_their_way),
        cmocka_unit_test(a_walk_counts_while_it_is_on_its_way),
        cmocka_unit_test(a_walk_that_the_provider_holds_is_not_waited_for),
        cmocka_unit_test(it_keeps_its_own_pace),
        cmocka_unit_test(a_cancelled_span_is_over),
        cmocka_unit_test(
            cancelled_while_a_page_is_stored_it_ends_behind_that_page),
        cmocka_unit_test(
            cancelled_while_the_store_is_busy_it_tries_again_later),
        cmocka_unit_test(
            cancelled_while_it_waits_for_its_turn_it_holds_up_nobody),
        cmocka_unit_test(a_failed_page_is_asked_for_again),
        cmocka_unit_test(it_gives_up_when_no_attempt_brings_a_page),
        cmocka_unit_test(a_restart_goes_on_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
