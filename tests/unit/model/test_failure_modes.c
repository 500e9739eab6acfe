/* SPDX-License-Identifier: MIT */
/*
 * The ways in which events get lost, one test each: those of reading lists.
 * agent/README.md has the table, test_failure_modes_channels.c the others.
 */
#include "failure_fixture.h"

#define PAGED  PROVIDER("asc", BY_TIME, BY_TOKEN)
#define NEWEST PROVIDER("desc", BY_TIME, BY_TOKEN)

static void
f01_a_second_across_two_pages_loses_none_of_its_events(void **state)
{
    struct site *site = *state;
    struct fact split[] = {
        { .id = "a", .at_ms = NOW - 12 * SECOND },
        { .id = "b", .at_ms = NOW - 11 * SECOND },
        { .id = "c", .at_ms = NOW - 10 * SECOND },
        { .id = "d", .at_ms = NOW - 10 * SECOND },
        { .id = "e", .at_ms = NOW - 10 * SECOND },
        { .id = "f", .at_ms = NOW - 9 * SECOND },
    };
    struct fact full[] = {
        { .id = "g", .at_ms = NOW + 10 * SECOND },
        { .id = "h", .at_ms = NOW + 10 * SECOND },
        { .id = "i", .at_ms = NOW + 10 * SECOND },
        { .id = "out of reach", .at_ms = NOW + 10 * SECOND },
        { .id = "j", .at_ms = NOW + 11 * SECOND },
    };
    site_open(site, PROVIDER("asc", BY_TIME, "{kind: cursor, more: more}"),
              WITH);
    site_watermark(site, NOW - MINUTE);
    SITE_FACTS(site, split);
    site->page_size = 4;
    assert_int_equal(site_walk(site), WALK_WHOLE);
    site_each_once(site);
    /* A second that fills a page alone has no way on. It is no loop and no
     * silence: the walk fails, and the third time a row says what is missing.
     */
    site->now_ms += 2 * MINUTE;
    SITE_FACTS(site, full);
    site->page_size = 3;
    const int64_t hw_ms = site->state.hw_ms;
    assert_int_equal(site_walk(site), WALK_FAILED);
    assert_int_equal(site_walk(site), WALK_FAILED);
    assert_int_equal(site->state.hw_ms, hw_ms);
    site_begin(site);
    assert_int_equal(site_ask(site), WALK_ASK);
    assert_true(site->step.has_gap);
    assert_int_equal(site->step.gap.kind, GAP_TIE);
    assert_int_equal(site->step.gap.from_ms, NOW + 10 * SECOND);
    assert_int_equal(site->step.gap.to_ms, NOW + 11 * SECOND);
    assert_int_equal(site_ask(site), WALK_WHOLE);
    full[3].times++;
    site_each_once(site);
}

static void
f02_an_event_that_the_list_shows_late_is_found_in_the_overlap(void **state)
{
    struct site *site = *state;
    struct fact facts[] = {
        { .id = "late", .at_ms = NOW - 30 * SECOND, .hidden = true },
        { .id = "prompt", .at_ms = NOW - 5 * SECOND },
    };
    site_open(site, PAGED, WITH);
    site_watermark(site, NOW - MINUTE);
    SITE_FACTS(site, facts);
    assert_int_equal(site_walk(site), WALK_WHOLE);
    /* Nothing was promised that did not hold. */
    assert_true(walk_complete_until(&site->plan, &site->state) <=
                facts[0].at_ms);
    site->now_ms += 20 * SECOND;
    facts[0].hidden = false;
    assert_int_equal(site_walk(site), WALK_WHOLE);
    site_each_once(site);
}

static void
f03_an_event_with_an_old_stamp_is_left_to_the_sweep(void **state)
{
    struct site *site = *state;
    struct fact facts[] = {
        { .id = "backdated", .at_ms = NOW - 20 * HOUR, .hidden = true },
        { .id = "next", .at_ms = NOW + 30 * SECOND, .hidden = true },
        { .id = "dated ahead", .at_ms = NOW + 6 * HOUR },
    };
    site_open(site, PAGED, WITH "poll: {sweeps: [{every: 1h, overlap: 1d}]}\n");
    const struct sweep_spec *sweep = site->connector->poll.sweeps.at;
    site_watermark(site, NOW - MINUTE);
    SITE_FACTS(site, facts);
    /* The stamp of an event is no clock: hw does not follow the largest. */
    assert_int_equal(site_walk(site), WALK_WHOLE);
    assert_true(site->state.hw_ms <= NOW);
    struct walk_state deep = site->state;
    facts[0].hidden = false;
    facts[1].hidden = false;
    site->now_ms += HOUR;
    assert_int_equal(site_walk(site), WALK_WHOLE);
    assert_int_equal(facts[0].shown, 0);
    assert_int_equal(facts[1].times, 1);
    site->state = deep;
    site->plan.overlap_ms = sweep->overlap_ms;
    assert_int_equal(site_walk(site), WALK_WHOLE);
    site_each_once(site);
}

static void
f04_a_crash_amid_a_newest_first_walk_moves_no_watermark(void **state)
{
    struct site *site = *state;
    struct fact facts[] = {
        { .id = "e5", .at_ms = NOW - 10 * SECOND },
        { .id = "e4", .at_ms = NOW - 20 * SECOND },
        { .id = "e3", .at_ms = NOW - 30 * SECOND },
        { .id = "e2", .at_ms = NOW - 40 * SECOND },
        { .id = "e1", .at_ms = NOW - 50 * SECOND },
    };
    site_open(site, NEWEST, WITH);
    site_watermark(site, NOW - MINUTE);
    SITE_FACTS(site, facts);
    site->page_size = 2;
    site_begin(site);
    assert_int_equal(site_ask(site), WALK_ASK);
    assert_int_equal(site->state.hw_ms, NOW - MINUTE);
    site_crash(site);
    site->now_ms += HOUR;
    assert_int_equal(site->state.hw_ms, NOW - MINUTE);
    assert_int_equal(site_walk(site), WALK_WHOLE);
    site_each_once(site);
    /* Whole for the time when it began, not for when it ended. */
    assert_true(site->state.hw_ms <= NOW);
}

/* Newest first nothing is asked from a stamp on: the row that the last page
 * ended with shows whether the others have moved. */
static void
miss_no_row_when_others_go(struct site *site)
{
    struct fact facts[] = {
        { .id = "n5", .at_ms = NOW - 10 * SECOND },
        { .id = "n4", .at_ms = NOW - 20 * SECOND },
        { .id = "n3", .at_ms = NOW - 30 * SECOND },
        { .id = "n2", .at_ms = NOW - 40 * SECOND },
        { .id = "n1", .at_ms = NOW - 50 * SECOND },
    };
    site_open(site, PROVIDER("desc", BY_TIME, "{kind: offset, more: more}"),
              WITH);
    site->state = (struct walk_state){ .open = false };
    site_watermark(site, NOW - MINUTE);
    SITE_FACTS(site, facts);
    site_begin(site);
    assert_int_equal(site_ask(site), WALK_ASK);
    facts[0].hidden = true;
    facts[1].hidden = true;
    for (size_t i = 0; i < ASKED_MAX && site->step.next == WALK_ASK; i++) {
        (void)site_ask(site);
    }
    assert_int_equal(site->step.next, WALK_WHOLE);
    site_each_once(site);
}

static void
f05_rows_that_move_while_they_are_listed_are_not_skipped(void **state)
{
    struct site *site = *state;
    struct fact facts[] = {
        { .id = "e1", .at_ms = NOW - 50 * SECOND },
        { .id = "e2", .at_ms = NOW - 40 * SECOND },
        { .id = "e3", .at_ms = NOW - 30 * SECOND },
        { .id = "e4", .at_ms = NOW - 20 * SECOND },
        { .id = "e1 anew", .at_ms = NOW, .hidden = true },
    };
    site_open(
        site,
        PROVIDER("asc", BY_TIME, "{kind: token, from: next, restart: true}"),
        WITH);
    site_watermark(site, NOW - MINUTE);
    SITE_FACTS(site, facts);
    site->page_size = 2;
    site_begin(site);
    assert_int_equal(site_ask(site), WALK_ASK);
    /* The object of the first row changes: all others move up by one. */
    facts[0].hidden = true;
    facts[4].hidden = false;
    for (size_t i = 0; i < ASKED_MAX && site->step.next == WALK_ASK; i++) {
        (void)site_ask(site);
    }
    assert_int_equal(site->step.next, WALK_WHOLE);
    site_each_once(site);
    miss_no_row_when_others_go(site);
}

static void
f06_a_clock_of_ours_that_is_wrong_decides_nothing(void **state)
{
    static const int64_t skews[] = { 3 * HOUR, -3 * HOUR, -5 * 365 * DAY };
    struct site *site = *state;
    site_open(site, PAGED, WITH "poll: {retention: 2d}\nkeep_ids: 3d\n");
    for (size_t i = 0; i < sizeof skews / sizeof skews[0]; i++) {
        struct fact facts[] = {
            { .id = "before we were there", .at_ms = NOW - 3 * HOUR },
            { .id = "a", .at_ms = NOW + 20 * SECOND, .hidden = true },
            { .id = "b", .at_ms = NOW + 80 * SECOND, .hidden = true },
        };
        SITE_FACTS(site, facts);
        site->state = (struct walk_state){ 0 };
        site->ledger = (struct ledger){ .count = 0 };
        site->now_ms = NOW;
        site->knows_date = false;
        site->skew_ms = skews[i];
        for (size_t walk = 0; walk < 3; walk++) {
            assert_int_equal(site_walk(site), WALK_WHOLE);
            assert_false(site->step.has_gap);
            site->now_ms += MINUTE;
            facts[walk == 0 ? 1 : 2].hidden = false;
        }
        assert_int_equal(facts[0].times, 0);
        facts[0].times = 1;
        site_each_once(site);
    }
}

static void
f07_what_the_provider_no_longer_keeps_becomes_one_gap_row(void **state)
{
    struct site *site = *state;
    struct fact facts[] = {
        { .id = "forgotten", .at_ms = NOW - 35 * DAY, .hidden = true },
        { .id = "kept", .at_ms = NOW - 20 * DAY },
    };
    site_open(site, PAGED, WITH "poll: {retention: 30d}\nkeep_ids: 35d\n");
    site_watermark(site, NOW - 40 * DAY);
    SITE_FACTS(site, facts);
    site_begin(site);
    assert_true(site->step.has_gap);
    assert_int_equal(site->step.gap.kind, GAP_RETENTION);
    assert_int_equal(site->step.gap.from_ms,
                     NOW - 40 * DAY - site->plan.overlap_ms);
    assert_int_equal(site->step.gap.to_ms, NOW - 30 * DAY);
    /* Once, however often the walk has to begin. */
    site->answer = "";
    assert_int_equal(site_ask(site), WALK_FAILED);
    site->answer = NULL;
    site_begin(site);
    assert_false(site->step.has_gap);
    assert_int_equal(site_ask(site), WALK_WHOLE);
    assert_int_equal(site_asked(site, "since", 0), (NOW - 30 * DAY) / SECOND);
    assert_int_equal(facts[1].times, 1);
}

static void
f08_a_refused_cursor_is_a_gap_and_the_list_is_read_anew(void **state)
{
    struct site *site = *state;
    site_open(site,
              PROVIDER("none",
                       "{kind: token, from: mark, expired:"
                       " [{status: 400, x: 'json:code', equals: expired}]}",
                       "{kind: none}"),
              WITH);
    site->answer = "{\"rows\":[{\"id\":\"a\",\"at\":1700000000}],"
                   "\"mark\":\"7\"}";
    assert_int_equal(site_walk(site), WALK_WHOLE);
    const int64_t hw_ms = site->state.hw_ms;
    /* An error that says nothing of the cursor leaves it as it is. */
    site->now_ms += HOUR;
    site_begin(site);
    site_refuse(site, 400, "{\"code\":\"slow down\"}");
    assert_false(site->step.has_gap);
    site_begin(site);
    site_refuse(site, 400, "{\"code\":\"expired\"}");
    assert_int_equal(site_asked(site, "since", -1), 7);
    assert_int_equal(site->step.next, WALK_FAILED);
    assert_true(site->step.has_gap);
    assert_int_equal(site->step.gap.kind, GAP_CURSOR);
    assert_int_equal(site->step.gap.from_ms,
                     walk_complete_until(&site->plan, &site->state));
    assert_int_equal(site->step.gap.to_ms, site->now_ms);
    assert_int_equal(site->state.hw_ms, hw_ms);
    /* Not from now on: what the list still shows is read. */
    site_crash(site);
    site->answer = "{\"rows\":[{\"id\":\"a\",\"at\":1700000000},"
                   "{\"id\":\"missed\",\"at\":1700000100}],"
                   "\"mark\":\"9\"}";
    assert_int_equal(site_walk(site), WALK_WHOLE);
    assert_int_equal(site_asked(site, "since", -1), -1);
    assert_int_equal(site->ledger.events, 2);
}

static void
f20_ids_that_come_in_no_order_lose_nothing(void **state)
{
    struct site *site = *state;
    struct fact facts[] = {
        { .id = "100", .at_ms = NOW },
        { .id = "101", .at_ms = NOW, .hidden = true },
        { .id = "103", .at_ms = NOW, .hidden = true },
        { .id = "105", .at_ms = NOW, .hidden = true },
    };
    site_open(site,
              PROVIDER("asc",
                       "{kind: id, from: max(id), compare: numeric,"
                       " overlap: 5m}",
                       "{kind: none}"),
              WITH "poll: {overlap: 5m}\n");
    SITE_FACTS(site, facts);
    site->by_id = true;
    assert_int_equal(site_walk(site), WALK_WHOLE);
    facts[1].hidden = false;
    facts[3].hidden = false;
    site->now_ms += 6 * MINUTE;
    assert_int_equal(site_walk(site), WALK_WHOLE);
    /* 103 was drawn before 105 and is committed after it. */
    facts[2].hidden = false;
    site->now_ms += MINUTE;
    assert_int_equal(site_walk(site), WALK_WHOLE);
    assert_int_equal(site_asked(site, "since", 0), 100);
    site_each_once(site);
}

/* Nor is the first id that is known the end: a late event may hide behind it.
 */
static void
read_behind_what_is_known(struct site *site)
{
    struct fact facts[] = {
        { .id = "known", .at_ms = NOW - 10 * SECOND },
        { .id = "known too", .at_ms = NOW - 20 * SECOND },
        { .id = "missed", .at_ms = NOW - 30 * SECOND },
        { .id = "below", .at_ms = NOW - HOUR },
        { .id = "below too", .at_ms = NOW - 2 * HOUR },
        { .id = "never asked for", .at_ms = NOW - 3 * HOUR },
    };
    site_open(site,
              PROVIDER("desc",
                       "{kind: time, from: at, format: unix_s, send: false}",
                       "{kind: token, from: next, until_cursor: true}"),
              WITH);
    site->now_ms = NOW;
    site->state = (struct walk_state){ .open = false };
    site_watermark(site, NOW - MINUTE);
    SITE_FACTS(site, facts);
    site->page_size = 2;
    const uint64_t before = site->ledger.events;
    (void)site_hook(site, "", "{\"id\":\"known\",\"at\":1699999990}");
    (void)site_hook(site, "", "{\"id\":\"known too\",\"at\":1699999980}");
    assert_int_equal(site_walk(site), WALK_WHOLE);
    assert_int_equal(facts[2].times, 1);
    assert_int_equal(site->ledger.events - before, 3);
    assert_int_equal(facts[5].shown, 1);
}

static void
f21_a_limit_of_pages_never_holds_the_cursor(void **state)
{
    struct site *site = *state;
    struct fact facts[] = {
        { .id = "e1", .at_ms = NOW - 90 * SECOND },
        { .id = "e2", .at_ms = NOW - 80 * SECOND },
        { .id = "e3", .at_ms = NOW - 70 * SECOND },
        { .id = "e4", .at_ms = NOW - 60 * SECOND },
        { .id = "e5", .at_ms = NOW - 50 * SECOND },
        { .id = "e6", .at_ms = NOW - 40 * SECOND },
        { .id = "e7", .at_ms = NOW - 30 * SECOND },
        { .id = "e8", .at_ms = NOW - 20 * SECOND },
        { .id = "e9", .at_ms = NOW - 10 * SECOND },
    };
    size_t walks = 0;
    site_open(site, PAGED, WITH "poll: {max_pages: 2}\n");
    site_watermark(site, NOW - MINUTE);
    SITE_FACTS(site, facts);
    site->page_size = 2;
    while (site_walk(site) != WALK_WHOLE && walks++ < 5) {
        assert_int_equal(site->state.hw_ms, NOW - MINUTE);
        site_crash(site);
        site->now_ms += MINUTE;
    }
    assert_int_equal(walks, 2);
    site_each_once(site);
    read_behind_what_is_known(site);
}

static void
f22_an_empty_page_is_a_whole_walk_and_moves_the_watermark(void **state)
{
    struct site *site = *state;
    struct fact facts[] = {
        { .id = "first", .at_ms = NOW + DAY + 10 * SECOND, .hidden = true },
    };
    site_open(site, PAGED, WITH);
    site_watermark(site, NOW - DAY);
    SITE_FACTS(site, facts);
    for (size_t i = 0; i < 24; i++) {
        assert_int_equal(site_walk(site), WALK_WHOLE);
        assert_int_equal(site->state.hw_ms, site->now_ms - SECOND);
        site->now_ms += HOUR;
    }
    facts[0].hidden = false;
    site->now_ms += MINUTE;
    assert_int_equal(site_walk(site), WALK_WHOLE);
    site_each_once(site);
}

static void
f23_a_list_that_leads_in_a_circle_fails_and_is_left(void **state)
{
    static const char *const circles[] = {
        "{\"rows\":[{\"id\":\"a\",\"at\":1699999990}],\"next\":\"7\"}",
        "{\"rows\":[],\"next\":\"7\"}",
    };
    struct site *site = *state;
    struct fact facts[] = { { .id = "b", .at_ms = NOW - 5 * SECOND } };
    site_open(site, PAGED, WITH);
    site_watermark(site, NOW - MINUTE);
    SITE_FACTS(site, facts);
    for (size_t i = 0; i < sizeof circles / sizeof circles[0]; i++) {
        site->answer = circles[i];
        assert_int_equal(site_walk(site), WALK_FAILED);
        assert_true(site->step.why.text[0] != '\0');
        assert_int_equal(site->state.hw_ms, NOW - MINUTE);
    }
    site->answer = NULL;
    assert_int_equal(site_walk(site), WALK_WHOLE);
    site_each_once(site);
}

static void
f25_numbers_beyond_a_double_stay_what_they_are(void **state)
{
    struct site *site = *state;
    site_open(site,
              PROVIDER("asc", "{kind: id, from: max(id), compare: numeric}",
                       "{kind: none}"),
              WITH "poll: {overlap: 0}\n");
    site->answer = "{\"rows\":[{\"id\":9007199254740992,\"at\":1700000000},"
                   "{\"id\":9007199254740993,\"at\":1700000000}]}";
    assert_int_equal(site_walk(site), WALK_WHOLE);
    assert_int_equal(site->ledger.events, 2);
    site->now_ms += HOUR;
    assert_int_equal(site_walk(site), WALK_WHOLE);
    assert_int_equal(site_asked(site, "since", 0), INT64_C(9007199254740993));
    assert_int_equal(site->ledger.events, 2);
    (void)site_hook(site, "", "{\"id\":9007199254740993}");
    assert_int_equal(site->ledger.events, 2);
    (void)site_hook(site, "", "{\"id\":9007199254740994}");
    assert_int_equal(site->ledger.events, 3);
}

static void
f26_an_error_is_never_an_empty_page(void **state)
{
    static const char *const answers[] = {
        "{\"error\":\"try again\"}",
        "<html>504 Gateway Time-out</html>",
        "",
        "{\"rows\":null}",
        "{\"rows\":\"none\"}",
        "{\"rows\":[],\"ok\":false}",
        "{\"rows\":[",
    };
    struct site *site = *state;
    struct fact facts[] = { { .id = "a", .at_ms = NOW - 30 * SECOND } };
    site_open(site, PAGED,
              WITH "poll: {fail_when: [{x: 'json:ok', equals: 'false'}]}\n");
    site_watermark(site, NOW - MINUTE);
    SITE_FACTS(site, facts);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        site->answer = answers[i];
        if (site_walk(site) != WALK_FAILED) {
            fail_msg("taken for an empty page: %s", answers[i]);
        }
        assert_int_equal(site->state.hw_ms, NOW - MINUTE);
        site->now_ms += HOUR;
    }
    site->answer = NULL;
    assert_int_equal(site_walk(site), WALK_WHOLE);
    site_each_once(site);
}

static void
f27_an_edited_connector_reads_on_from_where_it_was(void **state)
{
    struct site *site = *state;
    struct fact facts[] = {
        { .id = "a", .at_ms = NOW - 30 * SECOND },
        { .id = "b", .at_ms = NOW + 20 * SECOND },
        { .id = "c", .at_ms = NOW + 30 * SECOND },
    };
    site_open(site, PAGED, WITH);
    site_watermark(site, NOW - MINUTE);
    SITE_FACTS(site, facts);
    site->fact_count = 1;
    assert_int_equal(site_walk(site), WALK_WHOLE);
    const int64_t hw_ms = site->state.hw_ms;
    site->fact_count = 3;
    site->page_size = 1;
    site->now_ms += MINUTE;
    site_begin(site);
    assert_int_equal(site_ask(site), WALK_ASK);
    /* Amid a walk somebody changes how the list is paged, what an id is made
     * of, and how far back walks read. */
    site_crash(site);
    site_open(site, PROVIDER("asc", BY_TIME, "{kind: offset, more: more}"),
              WITH "poll: {overlap: 2m, record: {id: 'row:{id}'}}\n");
    const struct walk_now now = site_clocks(site);
    walk_change_fit(&site->plan, &site->state, &now, &site->step);
    assert_false(site->step.has_gap);
    assert_int_equal(site->state.hw_ms, hw_ms);
    site_begin(site);
    (void)site_ask(site);
    /* A page of the old list says nothing about the new one. */
    assert_int_equal(site_asked(site, "page", 0), 0);
    assert_int_equal(site_asked(site, "since", 0),
                     (hw_ms - 2 * MINUTE) / SECOND);
    assert_int_equal(site_walk(site), WALK_WHOLE);
    /* `a` has another id now, and is not handed over once more for that. */
    assert_true(site->seeded > 0);
    assert_int_equal(site->ledger.events, 3);
}

static void
f29_an_answer_that_is_full_is_asked_again_in_halves(void **state)
{
    static struct fact facts[60];
    static char ids[60][8];
    struct site *site = *state;
    site_open(site,
              PROVIDER("asc",
                       "{kind: time, from: at, format: unix_s, inclusive: true,"
                       " window: 1d, full: 5}",
                       "{kind: none}"),
              WITH "poll: {request: {query: {until: '{until}'}}}\n");
    for (size_t i = 0; i < 60; i++) {
        /* Most of them in a few minutes, and some in each hour before. */
        const int64_t age_ms =
            i < 12 ? (12 - (int64_t)i) * HOUR : (60 - (int64_t)i) * 7 * SECOND;
        (void)snprintf(ids[i], sizeof ids[i], "e%zu", i);
        facts[i] = (struct fact){ .id = ids[i], .at_ms = NOW - age_ms };
    }
    site_watermark(site, NOW - 13 * HOUR);
    SITE_FACTS(site, facts);
    /* The list shows five and does not say that there are more. */
    site->page_size = 5;
    site_begin(site);
    for (size_t i = 0; i < 40 && site->step.next == WALK_ASK; i++) {
        assert_int_equal(site->state.hw_ms, NOW - 13 * HOUR);
        (void)site_ask(site);
    }
    assert_int_equal(site_walk(site), WALK_WHOLE);
    site_each_once(site);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FAILURE_TEST(f01_a_second_across_two_pages_loses_none_of_its_events),
        FAILURE_TEST(
            f02_an_event_that_the_list_shows_late_is_found_in_the_overlap),
        FAILURE_TEST(f03_an_event_with_an_old_stamp_is_left_to_the_sweep),
        FAILURE_TEST(f04_a_crash_amid_a_newest_first_walk_moves_no_watermark),
        FAILURE_TEST(f05_rows_that_move_while_they_are_listed_are_not_skipped),
        FAILURE_TEST(f06_a_clock_of_ours_that_is_wrong_decides_nothing),
        FAILURE_TEST(f07_what_the_provider_no_longer_keeps_becomes_one_gap_row),
        FAILURE_TEST(f08_a_refused_cursor_is_a_gap_and_the_list_is_read_anew),
        FAILURE_TEST(f20_ids_that_come_in_no_order_lose_nothing),
        FAILURE_TEST(f21_a_limit_of_pages_never_holds_the_cursor),
        FAILURE_TEST(f22_an_empty_page_is_a_whole_walk_and_moves_the_watermark),
        FAILURE_TEST(f23_a_list_that_leads_in_a_circle_fails_and_is_left),
        FAILURE_TEST(f25_numbers_beyond_a_double_stay_what_they_are),
        FAILURE_TEST(f26_an_error_is_never_an_empty_page),
        FAILURE_TEST(f27_an_edited_connector_reads_on_from_where_it_was),
        FAILURE_TEST(f29_an_answer_that_is_full_is_asked_again_in_halves),
    };
    return cmocka_run_group_tests(tests, site_once, NULL);
}
