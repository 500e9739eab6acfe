/* SPDX-License-Identifier: MIT */
#include "poll_site.h"

static const char gated[] = PARAMS
    "poll:\n"
    "  request: {url: '{var:base}/v1/list', query: {after: '{cursor}'}}\n"
    "  auth: {type: bearer}\n"
    "  items: '$.rows[*]'\n"
    "  order: asc\n"
    "  cursor: {kind: token, from: next}\n"
    "  gate: {url: '{var:base}/gate', query: {at: '{cursor}'}, auth: none,\n"
    "         go_when: {x: 'json:changes', equals: true},\n"
    "         backoff: 'json:backoff', client_timeout: 1s}\n"
    "  record: {id: '{id}', type: t}\n"
    "match: {mode: event, same_id: true}\n";

#define LIST(next) "{\"rows\":[],\"next\":\"" next "\"}"
#define GO         "{\"changes\":true}"
#define STAY       "{\"changes\":false,\"backoff\":1}"

static void
a_walk_comes_when_the_gate_says_so(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, LIST("t1") }, { 200, NULL, NULL, GO },
        { 200, NULL, NULL, LIST("t2") }, { 200, NULL, NULL, STAY },
        { 200, NULL, NULL, GO },         { 200, NULL, NULL, LIST("t3") },
        { 0, NULL, NULL, "{}" },         { 0, NULL, NULL, NULL },
    };
    site_open(gated, script);
    start();
    await_requests(7);
    assert_string_equal(site.targets[0], "/v1/list");
    assert_string_equal(site.targets[1], "/gate?at=t1");
    assert_string_equal(site.targets[2], "/v1/list?after=t1");
    assert_string_equal(site.targets[3], "/gate?at=t2");
    assert_string_equal(site.targets[4], "/gate?at=t2");
    assert_string_equal(site.targets[5], "/v1/list?after=t2");
    assert_string_equal(site.targets[6], "/gate?at=t3");
    assert_string_equal(site.authorization, "");
    assert_int_equal(site.outcomes[POLL_OK], 3);
    site_close();
}

static void
a_gate_that_calls_for_nothing_is_asked_less_often(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, LIST("t1") }, { 200, NULL, NULL, GO },
        { 200, NULL, NULL, LIST("t1") }, { 200, NULL, NULL, GO },
        { 200, NULL, NULL, LIST("t2") }, { 0, NULL, NULL, NULL },
    };
    site_open(gated, script);
    start();
    await_requests(3);
    int64_t began_ms = loop_now_ms(site.loop);
    await_requests(4);
    assert_true(loop_now_ms(site.loop) - began_ms >= 900);
    /* A token that moves is something. */
    await_requests(5);
    await_requests(6);
    assert_string_equal(site.targets[5], "/gate?at=t2");
    site_close();
}

static void
a_gate_that_always_says_no_holds_no_walk_beyond_its_interval(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, LIST("t1") }, { 200, NULL, NULL, STAY },
        { 200, NULL, NULL, STAY },       { 200, NULL, NULL, LIST("t2") },
        { 0, NULL, NULL, "{}" },         { 0, NULL, NULL, NULL },
    };
    site_open(gated, script);
    site.settings.cadence.every_ms = 1800;
    source_poll_destroy(site.poll);
    make_poll();
    start();
    await_ends(2);
    assert_string_equal(site.targets[2], "/gate?at=t1");
    assert_string_equal(site.targets[3], "/v1/list?after=t1");
    site_close();
}

static void
a_gate_that_fails_or_hangs_leaves_walks_to_the_clock(void **state)
{
    (void)state;
    static const struct answer answers[] = { { 500, NULL, NULL, "{}" },
                                             { 200, NULL, NULL, "no" },
                                             { 0, NULL, NULL, "{}" } };
    for (size_t i = 0; i < 3; i++) {
        const struct answer script[] = {
            { 200, NULL, NULL, LIST("t1") },
            answers[i],
            { 200, NULL, NULL, LIST("t2") },
            { 0, NULL, NULL, NULL },
        };
        site_open(gated, script);
        site.settings.cadence.every_ms = 1500;
        source_poll_destroy(site.poll);
        make_poll();
        start();
        await_ends(1);
        int64_t began_ms = loop_now_ms(site.loop);
        await_ends(2);
        assert_string_equal(site.targets[1], "/gate?at=t1");
        assert_string_equal(site.targets[2], "/v1/list?after=t1");
        assert_in_range(loop_now_ms(site.loop) - began_ms, 1200, 5000);
        assert_int_equal(site.outcomes[POLL_FAILED], 0);
        site_close();
    }
}

static void
a_list_without_a_cursor_is_walked_by_the_clock(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, "{\"rows\":[]}" },
        { 200, NULL, NULL, LIST("t1") },
        { 200, NULL, NULL, GO },
        { 0, NULL, NULL, NULL },
    };
    site_open(gated, script);
    site.settings.cadence.every_ms = 1200;
    source_poll_destroy(site.poll);
    make_poll();
    start();
    await_ends(1);
    int64_t began_ms = loop_now_ms(site.loop);
    await_ends(2);
    assert_in_range(loop_now_ms(site.loop) - began_ms, 900, 5000);
    await_requests(3);
    assert_string_equal(site.targets[2], "/gate?at=t1");
    site_close();
}

static void
who_asks_for_a_walk_does_not_wait_for_the_gate(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, LIST("t1") },
        { 0, NULL, NULL, "{}" },
        { 200, NULL, NULL, LIST("t2") },
        { 0, NULL, NULL, NULL },
    };
    site_open(gated, script);
    start();
    run(is_held);
    source_poll_poke(site.poll);
    await_ends(2);
    assert_string_equal(site.targets[2], "/v1/list?after=t1");
    site_close();
}

static void
it_stops_at_once_while_the_gate_holds(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, LIST("t1") },
        { 0, NULL, NULL, "{}" },
        { 0, NULL, NULL, NULL },
    };
    site_open(gated, script);
    start();
    run(is_held);
    int64_t began_ms = loop_now_ms(site.loop);
    source_poll_stop(site.poll, says_stopped, NULL);
    run(is_stopped);
    assert_in_range(loop_now_ms(site.loop) - began_ms, 0, 900);
    site_close();
}

/* A list that holds what it is asked. */
static const char holding[] = PARAMS
    "poll:\n"
    "  request: {url: '{var:base}/v1/list', query: {after: '{cursor}'}}\n"
    "  items: '$.rows[*]'\n"
    "  order: asc\n"
    "  wait: 10s\n"
    "  cursor: {kind: token, from: next}\n"
    "  record: {id: '{id}', type: t}\n"
    "match: {mode: event, same_id: true}\n";

static void
note_reply(void *arg, enum status status, const struct http_reply *reply,
           const struct error *err)
{
    bool *came = arg;
    (void)err;
    *came = status == STATUS_OK && reply->status == 200;
    loop_stop(site.loop);
}

static void
what_is_held_leaves_the_hosts_connections_to_others(void **state)
{
    (void)state;
    static const char *const lists[] = { holding, gated };
    static const struct answer script[] = {
        { 200, NULL, NULL, LIST("t1") },
        { 0, NULL, NULL, "{}" },
        { 200, NULL, NULL, "{}" },
        { 0, NULL, NULL, NULL },
    };
    for (size_t i = 0; i < 2; i++) {
        const struct http_client_settings one = { .connections = 1,
                                                  .connections_per_host = 1 };
        struct http_call *call = NULL;
        bool came = false;
        site_open(lists[i], i == 0 ? script + 1 : script);
        source_poll_destroy(site.poll);
        access_destroy(site.access);
        http_client_destroy(site.client);
        assert_int_equal(
            http_client_create(site.loop, &one, &site.client, NULL), STATUS_OK);
        assert_int_equal(
            access_create(site.loop, site.client, NULL, &site.access),
            STATUS_OK);
        make_poll();
        start();
        run(is_held);
        const struct http_call_spec other = { .method = SLICE("GET"),
                                              .url = slice_of(site.base),
                                              .timeout_ms = 5000,
                                              .stall_timeout_ms = 5000,
                                              .body_limit = 1000 };
        assert_int_equal(http_client_start(site.client, &other, note_reply,
                                           &came, &call, NULL),
                         STATUS_OK);
        run(NULL);
        assert_true(came);
        site_close();
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_comes_when_the_gate_says_so),
        cmocka_unit_test(a_gate_that_calls_for_nothing_is_asked_less_often),
        cmocka_unit_test(
            a_gate_that_always_says_no_holds_no_walk_beyond_its_interval),
        cmocka_unit_test(a_gate_that_fails_or_hangs_leaves_walks_to_the_clock),
        cmocka_unit_test(a_list_without_a_cursor_is_walked_by_the_clock),
        cmocka_unit_test(who_asks_for_a_walk_does_not_wait_for_the_gate),
        cmocka_unit_test(it_stops_at_once_while_the_gate_holds),
        cmocka_unit_test(what_is_held_leaves_the_hosts_connections_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
