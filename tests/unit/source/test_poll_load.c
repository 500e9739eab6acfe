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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_tier_begins_where_nothing_is_lost_and_nothing_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
