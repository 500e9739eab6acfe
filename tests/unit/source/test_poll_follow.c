/* SPDX-License-Identifier: MIT */
#include "poll_site.h"

static const struct answer held_page[] = {
    { 0, NULL, NULL, NULL },
    { 0, NULL, NULL, NULL },
};

/* The poll that has stopped, with what it and its heir share with others. */
static struct source_poll *before;
static struct poll_host next_host;
static struct poll_account next_account;

static void
answer_held(unsigned status, const char *name, const char *value,
            const char *body)
{
    provider_answer(site.held, &(struct answer){ status, name, value, body });
    site.held = NULL;
}

static void
finish(void)
{
    source_poll_finish(site.poll, says_stopped, NULL);
    assert_false(site.stopped);
}

/* Makes another poll in the place of the one that has stopped. */
static void
succeed(void)
{
    before = site.poll;
    poll_host_init(&next_host, (struct quota){ 0 });
    next_account = (struct poll_account){ .host = &next_host };
    site.settings.account = &next_account;
    make_poll();
    source_poll_follow(site.poll, before);
    source_poll_destroy(before);
    source_poll_start(site.poll);
}

static void
what_was_asked_is_stored_before_it_stops(void **state)
{
    (void)state;
    site_open(pages, held_page);
    start();
    run(is_held);
    finish();
    answer_held(200, NULL, NULL,
                "{\"rows\":[{\"id\":\"a\",\"at\":\"2026-09-02T00:00:00Z\"}],"
                "\"next\":\"p2\"}");
    run(is_stopped);
    assert_submitted(site.submissions - 1, "a");
    assert_int_equal(site.requests, 1); /* the next page is its heir's */
    assert_int_equal(site.ends, 0);
    succeed();
    run(is_held);
    assert_non_null(strstr(site.targets[1], "page=p2"));
    site_close();
}

static void
a_walk_that_becomes_whole_is_told_and_the_next_is_not_due(void **state)
{
    (void)state;
    site_open(pages, held_page);
    start();
    run(is_held);
    finish();
    answer_held(200, NULL, NULL, "{\"rows\":[]}");
    run(is_stopped);
    assert_int_equal(site.outcomes[POLL_OK], 1);
    succeed();
    rest(50);
    assert_int_equal(site.requests, 1);
    source_poll_poke(site.poll);
    await_requests(2);
    site_close();
}

static void
a_failure_is_counted_on(void **state)
{
    (void)state;
    site_open(pages, held_page);
    start();
    run(is_held);
    finish();
    answer_held(500, NULL, NULL, "{}");
    run(is_stopped);
    assert_int_equal(site.outcomes[POLL_FAILED], 1);
    succeed();
    rest(50);
    assert_int_equal(source_poll_failures(site.poll), 1);
    site_close();
}

static void
a_request_to_be_left_alone_holds_for_the_heir(void **state)
{
    (void)state;
    site_open(pages, held_page);
    start();
    run(is_held);
    finish();
    answer_held(429, "Retry-After", "60", "{}");
    run(is_stopped);
    succeed();
    rest(100);
    assert_int_equal(site.requests, 1);
    source_poll_poke(site.poll);
    rest(100);
    assert_int_equal(site.requests, 1);
    site_close();
}

static void
who_is_in_a_hurry_does_not_wait_for_the_answer(void **state)
{
    (void)state;
    site_open(pages, held_page);
    start();
    run(is_held);
    finish();
    rest(30);
    assert_false(site.stopped);
    size_t submissions = site.submissions;
    source_poll_hurry(site.poll);
    run(is_stopped);
    assert_int_equal(site.submissions, submissions);
    site_close();
}

static void
between_two_walks_it_stops_at_once(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    start();
    await_ends(1);
    finish();
    run(is_stopped);
    succeed();
    rest(50);
    assert_int_equal(site.requests, 2);
    site_close();
}

static void
one_that_was_never_started_stops_and_follows_none(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    finish();
    run(is_stopped);
    succeed();
    await_ends(1);
    assert_int_equal(site.requests, 2);
    site_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_asked_is_stored_before_it_stops),
        cmocka_unit_test(
            a_walk_that_becomes_whole_is_told_and_the_next_is_not_due),
        cmocka_unit_test(a_failure_is_counted_on),
        cmocka_unit_test(a_request_to_be_left_alone_holds_for_the_heir),
        cmocka_unit_test(who_is_in_a_hurry_does_not_wait_for_the_answer),
        cmocka_unit_test(between_two_walks_it_stops_at_once),
        cmocka_unit_test(one_that_was_never_started_stops_and_follows_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
