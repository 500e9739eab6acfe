/* SPDX-License-Identifier: MIT */
#include "walk_fixture.h"

static void
use_seen(struct fixture *f)
{
    f->poll->cursor.kind = CURSOR_SEEN;
    f->poll->cursor.from = NULL;
    f->poll->record.time = list_template("{item:at}", &f->arena);
    f->poll->order = ORDER_DESC;
    f->poll->pages.kind = PAGE_LINK;
}

/* A page of rows stamped so many seconds before now; `known` says which of them
 * the ledger has. */
static void
seen(struct fixture *f, const char *ages, const char *known,
     enum walk_next next)
{
    char body[512];
    bool flags[64];
    struct slice rest = slice_of(ages);
    struct slice age;
    size_t count = 0;
    size_t used = (size_t)snprintf(body, sizeof body, "{\"rows\":[");
    while (rest.len > 0 && slice_split(&rest, ' ', &age)) {
        int64_t seconds;
        assert_int_equal(slice_to_i64(age, &seconds), STATUS_OK);
        flags[count] = known[count] == 'k';
        used += (size_t)snprintf(body + used, sizeof body - used,
                                 "%s{\"at\":%lld}", count == 0 ? "" : ",",
                                 (long long)(NOW / 1000 - seconds));
        count++;
    }
    (void)snprintf(body + used, sizeof body - used, "]}");
    f->known = walk_wants_known(&f->plan, &f->state) ? flags : NULL;
    page(f, body, next);
    f->known = NULL;
}

static void
a_list_that_dropped_what_the_last_walk_saw_has_a_gap(void **state)
{
    static const struct {
        const char *name;
        int64_t last_rows, start_s;
        const char *ages, *known;
        int64_t gap_to_s; /* before now; 0: none */
    } rows[] = {
        /* The last walk began an hour ago. */
        { "reaches back", 3, 9999, "10 20 3700", "nnk", 0 },
        { "dropped it", 3, 9999, "10 20 1800", "nnn", 1800 },
        { "a webhook's rows are no anchor", 3, 9999, "10 20 1800", "kkk",
          1800 },
        { "nor is one that shows late", 3, 9999, "10 1800 3700", "nnn", 1800 },
        { "the anchor alone", 3, 9999, "3700", "k", 0 },
        { "nothing was there before", 0, 9999, "10 20 1800", "nnn", 0 },
        { "nothing is there now", 3, 9999, "", "", 0 },
        { "below start there is nothing to lose", 3, 1000, "10 20 1800", "nnn",
          0 },
    };
    struct fixture *f = *state;
    use_seen(f);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&f->state, 0, sizeof f->state);
        set_hw(f, NOW - HOUR);
        f->state.start_ms = NOW - rows[i].start_s * SECOND;
        f->state.last_rows = rows[i].last_rows;
        f->state.listed_ms = NOW - HOUR;
        begin(f);
        seen(f, rows[i].ages, rows[i].known, WALK_WHOLE);
        if (f->step.has_gap != (rows[i].gap_to_s != 0)) {
            fail_msg("%s: %s gap", rows[i].name, f->step.has_gap ? "a" : "no");
        }
        if (f->step.has_gap) {
            assert_gap(f, GAP_COUNT, NOW - HOUR - MINUTE,
                       NOW - rows[i].gap_to_s * SECOND);
        }
        assert_int_equal(f->state.hw_ms, NOW - 1500);
    }
}

static void
what_the_last_walk_listed_is_an_anchor_though_its_clock_stood_before(
    void **state)
{
    struct fixture *f = *state;
    use_seen(f);
    set_hw(f, NOW - HOUR);
    begin(f);
    /* The Date is cut to its second, so this row is stamped above hw. */
    seen(f, "0", "n", WALK_WHOLE);
    assert_int_equal(f->state.hw_ms, NOW - 1500);
    begin(f);
    seen(f, "0", "k", WALK_WHOLE);
    assert_false(f->step.has_gap);
}

static void
what_retention_and_the_list_dropped_is_one_gap(void **state)
{
    struct fixture *f = *state;
    use_seen(f);
    f->poll->retention_ms = 12 * HOUR;
    f->now.provider_ms = 0; /* the first answer of a process tells it */
    set_hw(f, NOW - 30 * HOUR);
    f->state.last_rows = 3;
    f->state.listed_ms = f->state.hw_ms;
    begin(f);
    assert_false(f->step.has_gap);
    seen(f, "10 3600", "nn", WALK_WHOLE);
    assert_gap(f, GAP_COUNT, NOW - 30 * HOUR - MINUTE, NOW - HOUR);
}

static void
a_row_from_the_future_hides_no_gap(void **state)
{
    struct fixture *f = *state;
    use_seen(f);
    set_hw(f, NOW - HOUR);
    begin(f);
    seen(f, "-999999999 10 20", "nnn", WALK_WHOLE);
    /* What was read is there no more, and a webhook brought one of these. */
    begin(f);
    seen(f, "-30 -20", "kn", WALK_WHOLE);
    assert_gap(f, GAP_COUNT, NOW - 1500 - MINUTE, NOW + 20 * SECOND);
}

static void
an_anchor_may_stand_on_any_page_and_is_looked_for_until_it_is_met(void **state)
{
    struct fixture *f = *state;
    use_seen(f);
    set_hw(f, NOW - HOUR);
    f->state.last_rows = 5;
    f->state.listed_ms = NOW - HOUR;
    begin(f);
    f->link = "</v1/events?page=2>; rel=\"next\"";
    seen(f, "10 20", "nn", WALK_ASK);
    assert_true(walk_wants_known(&f->plan, &f->state));
    f->link = "</v1/events?page=3>; rel=\"next\"";
    seen(f, "3700 3800", "kn", WALK_ASK);
    assert_false(walk_wants_known(&f->plan, &f->state));
    f->link = NULL;
    seen(f, "4000", "n", WALK_WHOLE);
    assert_false(f->step.has_gap);
    assert_int_equal(f->state.last_rows, 5);
    /* The next walk looks again. */
    begin(f);
    assert_true(walk_wants_known(&f->plan, &f->state));
}

static void
a_walk_ends_where_a_whole_page_is_old_and_not_at_what_is_known(void **state)
{
    struct fixture *f = *state;
    use_seen(f);
    f->poll->pages.until_cursor = true;
    set_hw(f, NOW - HOUR);
    f->state.last_rows = 5;
    f->state.listed_ms = NOW - HOUR;
    begin(f);
    f->link = "</v1/events?page=2>; rel=\"next\"";
    seen(f, "10 3650", "kk", WALK_ASK);
    f->link = "</v1/events?page=3>; rel=\"next\"";
    seen(f, "3650 3661", "kk", WALK_ASK);
    seen(f, "3661 9000", "nn", WALK_WHOLE);
    assert_false(f->step.has_gap);
    /* A late row below the overlap is told by the ledger alone. */
    assert_false(walk_below(&f->plan, &f->state,
                            slice_of("{\"at\":1699990000}"), &f->arena));
    f->state.start_ms = NOW - HOUR;
    assert_true(walk_below(&f->plan, &f->state, slice_of("{\"at\":1699990000}"),
                           &f->arena));
}

/* A first walk that comes late: whoever had to wait for the provider has not
 * seen what the list showed at `start`. */
static void
a_first_walk_that_comes_late_knows_only_what_the_list_still_shows(void **state)
{
    static const struct {
        const char *name;
        int64_t set_s; /* so long ago `start` was set */
        int64_t age_s; /* and reads from so much earlier on */
        const char *ages;
        int64_t gap_to_s; /* before now; 0: none */
        bool walked;
    } rows[] = {
        { "at once", 60, 0, "10", 0, false },
        { "the list reaches back", 7200, 0, "10 1800 7201", 0, false },
        { "it does not", 7200, 0, "10 1800", 1800, false },
        { "it does not, and begins with an age", 7200, 9000, "10 1800", 1800,
          false },
        { "it reaches back to when an age was set", 7200, 9000, "10 7300", 0,
          false },
        { "it shows nothing", 7200, 0, "", 0, false },
        { "a walk saw it empty", 7200, 0, "10 1800", 0, true },
        { "a walk saw it empty, without a date", 7200, 0, "10 1800", 0, true },
    };
    struct fixture *f = *state;
    use_seen(f);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&f->state, 0, sizeof f->state);
        f->poll->start_kind = rows[i].age_s > 0 ? START_AGO : START_NOW;
        f->poll->start_ms = rows[i].age_s * SECOND;
        f->now.our_ms = NOW - rows[i].set_s * SECOND;
        f->now.provider_ms = f->now.our_ms;
        begin(f);
        f->state.open = false; /* no answer came */
        f->now = (struct walk_now){ NOW, NOW };
        f->date = i + 1 < sizeof rows / sizeof rows[0] ? DATE : NULL;
        if (rows[i].walked) {
            begin(f);
            seen(f, "", "", WALK_WHOLE);
        }
        begin(f);
        seen(f, rows[i].ages, "nnn", WALK_WHOLE);
        if (f->step.has_gap != (rows[i].gap_to_s != 0)) {
            fail_msg("%s: %s gap", rows[i].name, f->step.has_gap ? "a" : "no");
        }
        if (f->step.has_gap) {
            assert_gap(f, GAP_COUNT, NOW - rows[i].set_s * SECOND,
                       NOW - rows[i].gap_to_s * SECOND);
        }
    }
}

static void
a_list_that_is_begun_again_has_to_reach_back_again(void **state)
{
    struct fixture *f = *state;
    use_seen(f);
    set_hw(f, NOW - HOUR);
    f->state.last_rows = 5;
    f->state.listed_ms = NOW - HOUR;
    begin(f);
    f->link = "</v1/events?page=2>; rel=\"next\"";
    seen(f, "10 3700", "nk", WALK_ASK);
    /* The token of the next page is good no more, and much has come since. */
    failed(f, 404, WALK_ASK);
    assert_page(f, NULL);
    f->link = NULL;
    seen(f, "-300 -20", "nn", WALK_WHOLE);
    assert_gap(f, GAP_COUNT, NOW - HOUR - MINUTE, NOW + 20 * SECOND);
}

static void
what_came_while_a_later_page_was_waited_for_is_no_anchor(void **state)
{
    struct fixture *f = *state;
    use_seen(f);
    set_hw(f, NOW - HOUR);
    f->state.last_rows = 2;
    f->state.listed_ms = NOW - HOUR;
    begin(f);
    f->link = "</v1/events?page=2>; rel=\"next\"";
    seen(f, "10 3700", "nk", WALK_ASK);
    /* An hour goes by; all that the first page showed has gone since. */
    f->now = (struct walk_now){ NOW + HOUR, NOW + HOUR };
    f->date = "Tue, 14 Nov 2023 23:13:20 GMT";
    f->link = NULL;
    seen(f, "-3000", "n", WALK_WHOLE);
    assert_false(f->step.has_gap);
    begin(f);
    seen(f, "-3010 -3000", "nk", WALK_WHOLE);
    assert_gap(f, GAP_COUNT, NOW - 1500 - MINUTE, NOW + 3000 * SECOND);
    /* Read in one go the same rows are. */
    begin(f);
    seen(f, "-3010 -3000", "kk", WALK_WHOLE);
    assert_false(f->step.has_gap);
}

static void
rows_without_a_time_are_known_by_the_ledger_alone(void **state)
{
    struct fixture *f = *state;
    use_seen(f);
    f->poll->record.time = NULL;
    for (int i = 0; i < 2; i++) {
        set_hw(f, NOW - HOUR);
        f->state.last_rows = 2;
        begin(f);
        seen(f, "1 2", i == 0 ? "nk" : "nn", WALK_WHOLE);
        assert_int_equal(f->step.has_gap, i == 1);
    }
    assert_gap(f, GAP_COUNT, NOW - HOUR - MINUTE, NOW - 1500);
}

static void
the_ledger_keeps_what_the_list_can_show(void **state)
{
    struct fixture *f = *state;
    use_seen(f);
    set_hw(f, NOW);
    assert_int_equal(walk_lowest(&f->plan, &f->state), NOW - 365 * DAY);
    f->poll->retention_ms = 7 * DAY;
    assert_int_equal(walk_lowest(&f->plan, &f->state), NOW - 7 * DAY);
    f->state.open = true;
    f->state.a_ms = NOW - 8 * DAY;
    assert_int_equal(walk_lowest(&f->plan, &f->state), NOW - 8 * DAY);
}

static void
without_a_date_rows_tell_the_time_where_they_have_one(void **state)
{
    struct fixture *f = *state;
    use_seen(f);
    f->date = NULL;
    f->now.provider_ms = 0;
    set_hw(f, NOW - HOUR);
    f->state.largest_ms = NOW - MINUTE;
    begin(f);
    seen(f, "10", "n", WALK_WHOLE);
    assert_int_equal(f->state.hw_ms, NOW - MINUTE);
    f->poll->record.time = NULL;
    begin(f);
    seen(f, "10", "n", WALK_WHOLE);
    assert_int_equal(f->state.hw_ms, NOW);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_list_that_dropped_what_the_last_walk_saw_has_a_gap),
        TEST(
            what_the_last_walk_listed_is_an_anchor_though_its_clock_stood_before),
        TEST(what_retention_and_the_list_dropped_is_one_gap),
        TEST(a_row_from_the_future_hides_no_gap),
        TEST(an_anchor_may_stand_on_any_page_and_is_looked_for_until_it_is_met),
        TEST(a_walk_ends_where_a_whole_page_is_old_and_not_at_what_is_known),
        TEST(a_first_walk_that_comes_late_knows_only_what_the_list_still_shows),
        TEST(a_list_that_is_begun_again_has_to_reach_back_again),
        TEST(what_came_while_a_later_page_was_waited_for_is_no_anchor),
        TEST(rows_without_a_time_are_known_by_the_ledger_alone),
        TEST(the_ledger_keeps_what_the_list_can_show),
        TEST(without_a_date_rows_tell_the_time_where_they_have_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
