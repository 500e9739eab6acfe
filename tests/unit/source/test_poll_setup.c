/* SPDX-License-Identifier: MIT */
#include "poll_site.h"

static const char kept[] = PARAMS
    "poll:\n"
    "  setup:\n"
    "    - {url: '{var:base}/v1/enable', query: {'on': 'yes'}}\n"
    "    - {url: '{var:base}/v1/confirm'}\n"
    "  request: {url: '{var:base}/v1/list', query: {after: '{cursor}'}}\n"
    "  auth: {type: bearer}\n"
    "  items: '$.rows[*]'\n"
    "  order: asc\n"
    "  cursor: {kind: token, from: next}\n"
    "  record: {id: '{id}', type: t}\n"
    "match: {mode: event, same_id: true}\n";

#define LIST "{\"rows\":[],\"next\":\"t1\"}"

static void
a_list_that_was_never_read_is_set_up_first_and_once(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, "{}" }, { 204, NULL, NULL, "" },
        { 200, NULL, NULL, LIST }, { 200, NULL, NULL, LIST },
        { 200, NULL, NULL, LIST }, { 0, NULL, NULL, NULL },
    };
    site_open(kept, script);
    start();
    await_ends(1);
    assert_int_equal(site.outcomes[POLL_OK], 1);
    assert_string_equal(site.targets[0], "/v1/enable?on=yes");
    assert_string_equal(site.targets[1], "/v1/confirm");
    assert_string_equal(site.targets[2], "/v1/list");
    assert_string_equal(site.authorization, "Bearer k3y");
    source_poll_poke(site.poll);
    await_ends(2);
    assert_string_equal(site.targets[3], "/v1/list?after=t1");
    /* A process that finds the stored state knows that it was done. */
    source_poll_destroy(site.poll);
    make_poll();
    start();
    await_ends(3);
    assert_string_equal(site.targets[4], "/v1/list?after=t1");
    site_close();
}

static void
a_setup_that_fails_is_tried_again_from_where_it_failed(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, "{}" }, { 403, NULL, NULL, "{}" },
        { 200, NULL, NULL, "{}" }, { 200, NULL, NULL, LIST },
        { 0, NULL, NULL, NULL },
    };
    site_open(kept, script);
    start();
    await_ends(1);
    assert_int_equal(site.outcomes[POLL_FAILED], 1);
    assert_non_null(strstr(site.why, "setup, request 2: HTTP 403"));
    assert_int_equal(site.submissions, 0);
    source_poll_poke(site.poll);
    await_ends(2);
    assert_int_equal(site.outcomes[POLL_OK], 1);
    assert_string_equal(site.targets[2], "/v1/confirm");
    assert_string_equal(site.targets[3], "/v1/list");
    site_close();
}

static void
neither_a_sweep_nor_a_rehearsal_sets_anything_up(void **state)
{
    (void)state;
    static const struct answer script[] = { { 200, NULL, NULL, LIST },
                                            { 0, NULL, NULL, NULL } };
    for (size_t i = 0; i < 2; i++) {
        site_open(kept, script);
        site.sink.is_rehearsal = i == 0;
        site.settings.tier = i == 1 ? 1 : 0;
        site.settings.tiers = i == 1 ? 2 : 0;
        source_poll_destroy(site.poll);
        make_poll();
        start();
        await_requests(1);
        assert_string_equal(site.targets[0], "/v1/list");
        site_close();
    }
}

static void
it_stops_during_the_setup(void **state)
{
    (void)state;
    static const struct answer script[] = { { 0, NULL, NULL, "{}" },
                                            { 0, NULL, NULL, NULL } };
    site_open(kept, script);
    start();
    run(is_held);
    source_poll_stop(site.poll, says_stopped, NULL);
    run(is_stopped);
    assert_int_equal(site.ends, 0);
    site_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_that_was_never_read_is_set_up_first_and_once),
        cmocka_unit_test(
            a_setup_that_fails_is_tried_again_from_where_it_failed),
        cmocka_unit_test(neither_a_sweep_nor_a_rehearsal_sets_anything_up),
        cmocka_unit_test(it_stops_during_the_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
