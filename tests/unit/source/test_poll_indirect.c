/* SPDX-License-Identifier: MIT */
#include "poll_site.h"

#define JOURNAL(more)                                                          \
    PARAMS "poll:\n"                                                           \
           "  request: {url: '{var:base}/v1/journal',\n"                       \
           "            query: {after: '{cursor}'}, headers: {X-App: '7'}}\n"  \
           "  auth: {type: bearer}\n"                                          \
           "  items: '$.rows[*]'\n"                                            \
           "  order: asc\n"                                                    \
           "  cursor: {kind: token, from: at}\n"                               \
           "  pages: {kind: cursor, done: fin}\n"                              \
           "  limit: {remaining: 'header:X-Left',\n"                           \
           "          reset: {from: 'header:X-Reset', unit: delta_s}}\n"       \
           "  indirect: {url: url" more "}\n"                                  \
           "  record: {id: '{id}', type: t, time: at}\n"                       \
           "match: {mode: event, same_id: true}\n"

static const char journal[] = JOURNAL("");

#define FILE_1  "{\"rows\":[" ROW("a", "02") "," ROW("b", "03") "]}"
#define FILE_2  "{\"rows\":[" ROW("c", "04") "]}"
#define UP_TO_1 "{\"url\":\"/files/1?sig=x%2Fy\",\"at\":\"o1\"}"
#define UP_TO_2 "{\"url\":\"/files/2\",\"at\":\"o2\"}"

static void
the_rows_of_a_file_are_stored_with_the_cursor_that_named_it(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, UP_TO_1 },           { 200, NULL, NULL, FILE_1 },
        { 200, NULL, NULL, UP_TO_2 },           { 200, NULL, NULL, FILE_2 },
        { 200, NULL, NULL, "{\"at\":\"o2\"}" }, { 0, NULL, NULL, NULL },
    };
    site_open(journal, script);
    start();
    await_ends(1);
    assert_string_equal(site.why, "");
    assert_int_equal(site.outcomes[POLL_OK], 1);
    assert_string_equal(site.targets[0], "/v1/journal");
    assert_string_equal(site.targets[1], "/files/1?sig=x%2Fy");
    assert_string_equal(site.targets[2], "/v1/journal?after=o1");
    assert_string_equal(site.targets[3], "/files/2");
    assert_string_equal(site.targets[4], "/v1/journal?after=o2");
    assert_int_equal(site.requests, 5);
    const struct submitted *first = first_rows();
    assert_string_equal(first[0].ids, "a b");
    assert_non_null(strstr(first[0].state, "o1"));
    assert_string_equal(first[1].ids, "c");
    assert_non_null(strstr(first[1].state, "o2"));
    site_close();
}

static void
no_file_and_no_content_end_the_list(void **state)
{
    (void)state;
    static const struct answer last[] = { { 204, NULL, NULL, "" },
                                          { 200, NULL, NULL, "{}" },
                                          { 200, NULL, NULL,
                                            "{\"url\":null,\"rows\":[1]}" } };
    for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++) {
        const struct answer script[] = {
            { 200, NULL, NULL, UP_TO_1 },
            { 200, NULL, NULL, FILE_1 },
            last[i],
            { 0, NULL, NULL, NULL },
        };
        site_open(journal, script);
        start();
        await_ends(1);
        assert_string_equal(site.why, "");
        assert_int_equal(site.outcomes[POLL_OK], 1);
        assert_int_equal(site.requests, 3);
        assert_string_equal(site.targets[2], "/v1/journal?after=o1");
        site_close();
    }
}

static void
a_file_that_fails_leaves_the_cursor_and_is_named_anew(void **state)
{
    (void)state;
    static const struct {
        struct answer file;
        const char *words;
    } rows[] = {
        { { 403, NULL, NULL, "{}" }, "the rows' file: HTTP 403" },
        { { 200, NULL, NULL, "<xml/>" }, "the file is not JSON" },
        { { 200, NULL, NULL, "{\"error\":1}" }, "there is no list at" },
        { { 302, "Location", "/v1/elsewhere", "" }, "HTTP 302" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct answer script[] = {
            { 200, NULL, NULL, UP_TO_1 }, rows[i].file,
            { 200, NULL, NULL, UP_TO_2 }, { 200, NULL, NULL, FILE_1 },
            { 200, NULL, NULL, "{}" },    { 0, NULL, NULL, NULL },
        };
        site_open(journal, script);
        start();
        await_ends(1);
        assert_int_equal(site.outcomes[POLL_FAILED], 1);
        if (strstr(site.why, rows[i].words) == NULL) {
            fail_msg("'%s' lacks '%s'", site.why, rows[i].words);
        }
        for (size_t at = 0; at < site.submissions; at++) {
            assert_string_equal(site.submitted[at].ids, "");
            assert_null(strstr(site.submitted[at].state, "o1"));
        }
        source_poll_poke(site.poll);
        await_ends(2);
        assert_string_equal(site.targets[2], "/v1/journal");
        assert_string_equal(site.targets[3], "/files/2");
        assert_string_equal(first_rows()->ids, "a b");
        site_close();
    }
}

static void
a_file_without_an_end_fails_as_a_page_does(void **state)
{
    (void)state;
    static char file[3000];
    static const struct answer script[] = {
        { 200, NULL, NULL, UP_TO_1 },
        { 200, NULL, NULL, file },
        { 0, NULL, NULL, NULL },
    };
    memset(file, ' ', sizeof(file) - 1);
    site_open(journal, script);
    site.bound.connector.poll.max_body = 2048;
    start();
    await_ends(1);
    assert_int_equal(site.outcomes[POLL_FAILED], 1);
    assert_non_null(strstr(site.why, "the rows' file"));
    site_close();
}

static void
a_file_at_another_host_is_not_asked_for(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL,
          "{\"url\":\"http://localhost:1/steal\",\"at\":\"o1\"}" },
        { 0, NULL, NULL, NULL },
    };
    site_open(journal, script);
    start();
    await_ends(1);
    assert_int_equal(site.outcomes[POLL_FAILED], 1);
    assert_non_null(strstr(site.why, "a file at 'localhost'"));
    assert_non_null(strstr(site.why, "indirect.allow"));
    assert_int_equal(site.requests, 1);
    site_close();
}

/* Its host is data: names of the Internet may lead to this machine. */
static void
a_file_at_a_host_that_leads_to_a_private_network_is_not_asked_for(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL,
          "{\"url\":\"https://localhost:1/steal\",\"at\":\"o1\"}" },
        { 0, NULL, NULL, NULL },
    };
    site_open(JOURNAL(", allow: '^[a-z]+:1$'"), script);
    start();
    await_ends(1);
    assert_int_equal(site.outcomes[POLL_FAILED], 1);
    assert_non_null(strstr(site.why, "private network"));
    assert_int_equal(site.requests, 1);
    site_close();
}

static void
a_file_gets_the_credential_only_where_that_is_said(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, UP_TO_1 },
        { 0, NULL, NULL, NULL },
    };
    static const struct {
        const char *connector;
        const char *authorization;
    } rows[] = {
        { journal, "" },
        { JOURNAL(", auth: none"), "" },
        { JOURNAL(", auth: same"), "Bearer k3y" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        site_open(rows[i].connector, script);
        start();
        await_requests(2);
        assert_string_equal(site.targets[1], "/files/1?sig=x%2Fy");
        assert_string_equal(site.authorization, rows[i].authorization);
        site_close();
    }
}

static void
a_limit_before_the_file_is_waited_for(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, "X-Left", "0", UP_TO_1 }, { 429, "Retry-After", "1", "{}" },
        { 200, NULL, NULL, UP_TO_1 },    { 200, NULL, NULL, FILE_1 },
        { 200, NULL, NULL, "{}" },       { 0, NULL, NULL, NULL },
    };
    site_open(journal, script);
    start();
    int64_t began_ms = loop_now_ms(site.loop);
    await_requests(2);
    assert_in_range(loop_now_ms(site.loop) - began_ms, 900, 5000);
    await_ends(2);
    assert_int_equal(site.outcomes[POLL_LIMITED], 1);
    assert_int_equal(site.outcomes[POLL_OK], 1);
    assert_string_equal(first_rows()->ids, "a b");
    site_close();
}

static void
it_stops_while_the_file_is_on_its_way(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, UP_TO_1 },
        { 0, NULL, NULL, "{}" },
        { 0, NULL, NULL, NULL },
    };
    site_open(journal, script);
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
        cmocka_unit_test(
            the_rows_of_a_file_are_stored_with_the_cursor_that_named_it),
        cmocka_unit_test(no_file_and_no_content_end_the_list),
        cmocka_unit_test(a_file_that_fails_leaves_the_cursor_and_is_named_anew),
        cmocka_unit_test(a_file_without_an_end_fails_as_a_page_does),
        cmocka_unit_test(a_file_at_another_host_is_not_asked_for),
        cmocka_unit_test(
            a_file_at_a_host_that_leads_to_a_private_network_is_not_asked_for),
        cmocka_unit_test(a_file_gets_the_credential_only_where_that_is_said),
        cmocka_unit_test(a_limit_before_the_file_is_waited_for),
        cmocka_unit_test(it_stops_while_the_file_is_on_its_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
