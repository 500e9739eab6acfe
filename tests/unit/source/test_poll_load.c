/* SPDX-License-Identifier: MIT */
#include "poll_site.h"

/* September 1st, and days of that month as a watermark. */
#define START "\"has_start\":true,\"start\":1788220800000"
#define DAY_5 "\"hw\":1788566400000"
#define DAY10 "\"hw\":1788998400000"
#define DAY20 "\"hw\":1789862400000"
#define HOUR  "\"overlap\":3600000"
#define DAY2  "\"overlap\":172800000"

static void
a_tier_begins_where_nothing_is_lost_and_nothing_forgotten(void **state)
{
    static const struct answer silent[] = { { 0, NULL, NULL, "" },
                                            { 0, NULL, NULL, NULL } };
    static const struct {
        const char *what;
        int64_t overlap_ms;
        const char *states[3]; /* of the tiers; the second is asked */
        const char *since;
    } rows[] = {
        { "unchanged, its own watermark counts",
          INSTANT_HOUR_MS,
          { "{\"v\":1," START "," DAY_5 ",\"tiers\":3}",
            "{\"v\":1," START "," DAY10 "," HOUR "}",
            "{\"v\":1," START "," DAY_5 "," DAY2 "}" },
          "2026-09-09T23" },
        { "a new one begins at the lowest",
          INSTANT_HOUR_MS,
          { "{\"v\":1," START "," DAY20 ",\"tiers\":1}", NULL, NULL },
          "2026-09-19T23" },
        { "one that reads deeper takes over from those before it",
          2 * INSTANT_DAY_MS,
          { "{\"v\":1," START "," DAY20 ",\"tiers\":3}",
            "{\"v\":1," START "," DAY10 "," HOUR "}",
            "{\"v\":1," START "," DAY_5 "," DAY2 "}" },
          "2026-09-03T00" },
        { "one that reads less deep keeps its own",
          INSTANT_HOUR_MS,
          { "{\"v\":1," START "," DAY_5 ",\"tiers\":3}",
            "{\"v\":1," START "," DAY10 "," DAY2 "}",
            "{\"v\":1," START "," DAY_5 "," HOUR "}" },
          "2026-09-09T23" },
        { "one that was away is a new one",
          INSTANT_HOUR_MS,
          { "{\"v\":1," START "," DAY20 ",\"tiers\":1}",
            "{\"v\":1," START "," DAY_5 "," HOUR "}", NULL },
          "2026-09-19T23" },
        { "what was no tier any more says nothing",
          2 * INSTANT_DAY_MS,
          { "{\"v\":1," START "," DAY20 ",\"tiers\":2}",
            "{\"v\":1," START "," DAY10 "," HOUR "}",
            "{\"v\":1," START "," DAY_5 "," DAY2 "}" },
          "2026-09-08T00" },
        { "of a program that kept no overlap, all is taken as it is",
          2 * INSTANT_DAY_MS,
          { "{\"v\":1," START "," DAY20 "}", "{\"v\":1," START "," DAY10 "}",
            NULL },
          "2026-09-08T00" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        site_open(pages, silent);
        source_poll_destroy(site.poll);
        memcpy(site.tier_states, rows[i].states, sizeof(rows[i].states));
        site.settings.tier = 1;
        site.settings.tiers = 3;
        site.settings.overlap_ms = rows[i].overlap_ms;
        make_poll();
        start();
        run(is_held);
        if (strstr(site.targets[0], rows[i].since) == NULL) {
            fail_msg("%s: %s, not %s", rows[i].what, site.targets[0],
                     rows[i].since);
        }
        site_close();
    }
}

/* A list that is read behind an id. Its first request shows the newest row,
 * which is left out. */
static const char ids[] = PARAMS
    "poll:\n"
    "  request: {url: '{var:base}/v1/list', query: {after: '{cursor}'}}\n"
    "  first: {url: '{var:base}/v1/newest'}\n"
    "  auth: {type: bearer}\n"
    "  items: '$.rows[*]'\n"
    "  order: asc\n"
    "  start: 2026-09-01T00:00:00Z\n"
    "  cursor: {kind: id, from: id}\n"
    "  pages: {kind: none}\n"
    "  record: {id: '{id}', type: t, time: at}\n"
    "match: {mode: event, same_id: true}\n";

static void
what_an_edit_leaves_unread_is_a_gap_once(void **state)
{
    static const struct answer nine[] = { { 200, NULL, NULL,
                                            "{\"rows\":[" ROW("9", "21") "]}" },
                                          { 0, NULL, NULL, NULL } };
    size_t gaps = 0;
    (void)state;
    site_open(ids, nine);
    (void)snprintf(site.stored, sizeof(site.stored), "%s",
                   "{\"v\":1," START "," DAY20 ",\"has_token\":true,"
                   "\"token\":\"7\",\"cursor_hash\":1}");
    start();
    await_ends(1);
    source_poll_poke(site.poll);
    await_ends(2);
    for (size_t i = 0; i < site.submissions; i++) {
        gaps += site.submitted[i].has_gap;
    }
    assert_int_equal(gaps, 1);
    /* The gap, and a page of each walk. */
    assert_int_equal(site.submissions, 3);
    site_close();
}

static void
a_new_tier_of_an_id_list_begins_at_the_oldest_id(void **state)
{
    static const struct answer silent[] = { { 0, NULL, NULL, "" },
                                            { 0, NULL, NULL, NULL } };
    (void)state;
    site_open(ids, silent);
    source_poll_destroy(site.poll);
    site.tier_states[0] = "{\"v\":1," START "," DAY20 ",\"tiers\":1,"
                          "\"has_token\":true,\"token\":\"9\","
                          "\"ids\":[[1789861000000,\"7\"],"
                          "[1789862400000,\"9\"]]}";
    site.settings.tier = 1;
    site.settings.tiers = 2;
    site.settings.overlap_ms = INSTANT_DAY_MS;
    make_poll();
    start();
    run(is_held);
    assert_string_equal(site.targets[0], "/v1/list?after=7");
    site_close();
}

static void
a_list_that_is_read_from_its_beginning_shows_nothing_below_the_start(
    void **state)
{
    static const struct answer all[] = {
        { 200, NULL, NULL,
          "{\"rows\":[{\"id\":\"1\",\"at\":\"2026-08-31T23:59:59Z\"}," ROW(
              "2", "01") ",{\"id\":\"3\"}]}" },
        { 0, NULL, NULL, NULL }
    };
    (void)state;
    site_open(ids, all);
    (void)snprintf(site.stored, sizeof(site.stored), "%s",
                   "{\"v\":1," START "," DAY20 ",\"anew\":true}");
    start();
    await_ends(1);
    assert_submitted(site.submissions - 1, "2 3");
    site_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_tier_begins_where_nothing_is_lost_and_nothing_forgotten),
        cmocka_unit_test(
            a_list_that_is_read_from_its_beginning_shows_nothing_below_the_start),
        cmocka_unit_test(what_an_edit_leaves_unread_is_a_gap_once),
        cmocka_unit_test(a_new_tier_of_an_id_list_begins_at_the_oldest_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
