/* SPDX-License-Identifier: MIT */
#include "walk_fixture.h"

/* ---- the clock and the watermark ---- */

static void
hw_is_the_providers_clock_when_the_walk_began_less_settle(void **state)
{
    struct fixture *f = *state;
    set_hw(f, NOW - HOUR);
    f->poll->settle_ms = 30 * SECOND;
    begin(f);
    assert_int_equal(f->state.a_ms, NOW - HOUR - MINUTE);
    assert_int_equal(f->state.hw_ms, NOW - HOUR);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    /* Date, less its 0.5 s on the way, less the second it is cut to. */
    assert_int_equal(f->state.hw_ms, NOW - 1500 - 30 * SECOND);
    assert_false(f->state.open);
    assert_int_equal(walk_complete_until(&f->plan, &f->state),
                     NOW - 1500 - 90 * SECOND);
}

static void
hw_never_goes_back_and_a_date_far_ahead_is_not_believed(void **state)
{
    struct fixture *f = *state;
    set_hw(f, NOW + 5 * SECOND);
    begin(f);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_int_equal(f->state.hw_ms, NOW + 5 * SECOND);
    f->now.our_ms = NOW - 3 * HOUR;
    set_hw(f, NOW - DAY);
    begin(f);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_int_equal(f->state.hw_ms, NOW - 3 * HOUR);
}

static void
a_clock_of_ours_set_while_the_answer_comes_moves_hw_no_further(void **state)
{
    struct fixture *f = *state;
    f->now.our_ms = NOW + 2 * MINUTE;
    set_hw(f, NOW - DAY);
    begin(f);
    f->now.our_ms = NOW - 4 * HOUR; /* so that the Date is not believed */
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_int_equal(f->state.hw_ms, NOW - 4 * HOUR + 500);
}

static void
without_a_date_stamps_of_earlier_walks_are_the_clock(void **state)
{
    struct fixture *f = *state;
    f->date = NULL;
    f->now.provider_ms = 0;
    set_hw(f, 0);
    begin(f);
    page(f, "{\"rows\":[{\"at\":1699999000}]}", WALK_WHOLE);
    assert_int_equal(f->state.hw_ms, 0);
    begin(f);
    page(f, "{\"rows\":[{\"at\":1699999500}]}", WALK_WHOLE);
    assert_int_equal(f->state.hw_ms, INT64_C(1699999000000));
    begin(f);
    /* A row from the future does not carry the clock past ours. */
    page(f, "{\"rows\":[{\"at\":1800000000}]}", WALK_WHOLE);
    begin(f);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_int_equal(f->state.hw_ms, NOW);
}

static void
a_request_that_is_bounded_holds_hw_at_its_bound(void **state)
{
    struct fixture *f = *state;
    static const char *const pairs[] = { "until", "{now}", NULL };
    f->poll->request.query =
        list_pairs(pairs, &f->arena, &f->poll->request.query_count);
    set_hw(f, NOW - HOUR);
    f->now.provider_ms = NOW - 10 * MINUTE - 1;
    begin(f);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_int_equal(f->state.hw_ms, NOW - 10 * MINUTE - SECOND);
}

static void
start_is_learnt_from_the_first_answer(void **state)
{
    static const struct {
        int64_t skew_ms;
        bool again;
    } rows[] = {
        { 0, false },         { 2 * MINUTE, false }, { -30 * MINUTE, false },
        { 6 * MINUTE, true }, { 5 * HOUR, true },    { -2 * HOUR, true },
        { -3650 * DAY, true }
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&f->state, 0, sizeof f->state);
        f->now = (struct walk_now){ NOW - HOUR + rows[i].skew_ms, 0 };
        begin(f);
        assert_true(f->step.state_changed);
        assert_true(f->state.start_ours);
        /* An hour of silence goes by before the first answer. */
        f->now.our_ms += HOUR;
        begin(f);
        assert_int_equal(take(f, 200, "{\"rows\":[]}"), STATUS_OK);
        assert_int_equal(f->step.next, rows[i].again ? WALK_ASK : WALK_WHOLE);
        assert_false(f->state.start_ours);
        assert_int_equal(f->state.start_ms, NOW - HOUR - 1500);
        if (rows[i].again) {
            assert_cursor(f, "1699996398");
            assert_int_equal(f->state.pages, 0);
            page(f, "{\"rows\":[]}", WALK_WHOLE);
        }
    }
}

static void
a_first_request_that_had_to_wait_loses_nothing(void **state)
{
    struct fixture *f = *state;
    f->now = (struct walk_now){ NOW - HOUR, 0 };
    begin(f);
    /* The provider, or its other walks, kept it waiting for an hour. */
    f->now.our_ms += HOUR;
    assert_int_equal(take(f, 200, "{\"rows\":[]}"), STATUS_OK);
    assert_int_equal(f->state.start_ms, NOW - HOUR - 1500);
}

static void
a_start_learnt_from_a_wrong_date_is_learnt_again(void **state)
{
    struct fixture *f = *state;
    f->now = (struct walk_now){ NOW - HOUR, 0 };
    f->date = "Wed, 14 Nov 2035 22:13:20 GMT";
    begin(f);
    page(f, "{\"rows\":[]}", WALK_ASK);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_true(f->state.start_ms > NOW + 4000 * DAY);
    f->date = DATE;
    f->now.our_ms = NOW;
    begin(f);
    page(f, "{\"rows\":[{\"at\":1699999990}]}", WALK_ASK);
    /* All since the start is asked for, wherever hw has come to. */
    assert_int_equal(f->state.start_ms, NOW - HOUR - 1500);
    assert_int_equal(f->state.a_ms, NOW - HOUR - 1500);
    page(f, "{\"rows\":[{\"at\":1699999990}]}", WALK_WHOLE);
    assert_true(f->state.complete_ms <= NOW);
    assert_int_equal(f->state.again_ms, 0);
}

static void
a_token_that_began_at_a_wrong_start_is_dropped(void **state)
{
    struct fixture *f = *state;
    f->poll->cursor.kind = CURSOR_TOKEN;
    f->poll->cursor.from = list_path("next", &f->arena);
    f->poll->cursor.start = list_template("{start}", &f->arena);
    f->poll->pages.kind = PAGE_CURSOR;
    f->poll->pages.more = list_path("more", &f->arena);
    f->now.provider_ms = 0;
    f->date = "Wed, 14 Nov 2035 22:13:20 GMT";
    begin(f);
    page(f, "{\"rows\":[],\"next\":\"c1\",\"more\":false}", WALK_ASK);
    assert_cursor(f, "2035-11-14T22:13:18.500Z");
    page(f, "{\"rows\":[],\"next\":\"c2\",\"more\":false}", WALK_WHOLE);
    f->date = DATE;
    begin(f);
    assert_cursor(f, "c2");
    page(f, "{\"rows\":[],\"next\":\"c3\",\"more\":false}", WALK_ASK);
    assert_cursor(f, "2023-11-14T22:13:18.500Z");
    page(f, "{\"rows\":[],\"next\":\"c4\",\"more\":false}", WALK_WHOLE);
    begin(f);
    assert_cursor(f, "c4");
}

static void
start_may_be_a_point_or_an_age(void **state)
{
    struct fixture *f = *state;
    f->poll->start_kind = START_AT;
    f->poll->start_ms = INT64_C(1600000000000);
    f->now.provider_ms = 0;
    begin(f);
    assert_false(f->state.start_ours);
    assert_cursor(f, "1600000000");
    memset(&f->state, 0, sizeof f->state);
    f->poll->start_kind = START_AGO;
    f->poll->start_ms = 7 * DAY;
    f->now.provider_ms = NOW;
    begin(f);
    assert_int_equal(f->state.a_ms, NOW - 7 * DAY);
    memset(&f->state, 0, sizeof f->state);
    f->now = (struct walk_now){ NOW + HOUR, 0 };
    begin(f);
    page(f, "{\"rows\":[]}", WALK_ASK);
    assert_int_equal(f->state.start_ms, NOW - 7 * DAY - 1500);
}

static void
no_walk_reads_below_start(void **state)
{
    struct fixture *f = *state;
    set_hw(f, NOW);
    f->state.start_ms = NOW - 10 * SECOND;
    begin(f);
    assert_int_equal(f->state.a_ms, NOW - 10 * SECOND);
    assert_int_equal(walk_complete_until(&f->plan, &f->state),
                     NOW - 10 * SECOND);
    assert_true(walk_below(&f->plan, &f->state, slice_of("{\"at\":1699999989}"),
                           &f->arena));
    assert_false(walk_below(&f->plan, &f->state,
                            slice_of("{\"at\":1699999990}"), &f->arena));
    assert_false(
        walk_below(&f->plan, &f->state, slice_of("{\"at\":null}"), &f->arena));
}

static void
what_the_provider_has_forgotten_is_one_gap_row(void **state)
{
    struct fixture *f = *state;
    f->poll->retention_ms = 3 * DAY;
    set_hw(f, NOW - 5 * DAY);
    begin(f);
    assert_gap(f, GAP_RETENTION, NOW - 5 * DAY - MINUTE, NOW - 3 * DAY);
    assert_int_equal(f->state.a_ms, NOW - 3 * DAY);
    assert_cursor(f, "1699740800");
    begin(f);
    assert_false(f->step.has_gap);
    /* An overlap that reaches past the floor is only cut. */
    set_hw(f, NOW - 3 * DAY + SECOND);
    begin(f);
    assert_false(f->step.has_gap);
    assert_int_equal(f->state.a_ms, NOW - 3 * DAY);
}

/* What the list shows late stands below the watermark, where walks looked while
 * they came, and where nobody can look any more. */
static void
a_gap_begins_where_the_walk_would_have(void **state)
{
    struct fixture *f = *state;
    f->poll->retention_ms = DAY;
    f->plan.overlap_ms = 6 * HOUR;
    set_hw(f, NOW - 3 * DAY);
    begin(f);
    assert_gap(f, GAP_RETENTION, NOW - 3 * DAY - 6 * HOUR, NOW - DAY);
    /* Not where an earlier row has told of it … */
    f->now = (struct walk_now){ NOW + HOUR, NOW + HOUR };
    f->state.open = false;
    begin(f);
    assert_gap(f, GAP_RETENTION, NOW - DAY, NOW - DAY + HOUR);
    /* … nor where nothing was to be read … */
    memset(&f->state, 0, sizeof f->state);
    set_hw(f, NOW - 3 * DAY);
    f->state.start_ms = NOW - 3 * DAY - HOUR;
    begin(f);
    assert_gap(f, GAP_RETENTION, NOW - 3 * DAY - HOUR, NOW - DAY + HOUR);
    /* … but where the next walk was to read deeper. */
    memset(&f->state, 0, sizeof f->state);
    set_hw(f, NOW - 3 * DAY);
    f->state.again_ms = NOW - 4 * DAY;
    begin(f);
    assert_gap(f, GAP_RETENTION, NOW - 4 * DAY, NOW - DAY + HOUR);
}

static void
retention_waits_for_the_providers_clock(void **state)
{
    struct fixture *f = *state;
    f->poll->retention_ms = 3 * DAY;
    set_hw(f, NOW - 5 * DAY);
    f->now = (struct walk_now){ NOW + 900 * DAY, 0 };
    begin(f);
    assert_false(f->step.has_gap);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_gap(f, GAP_RETENTION, NOW - 5 * DAY - MINUTE, NOW - 3 * DAY);
    assert_int_equal(f->state.hw_ms, NOW - 1500);
}

static void
a_clock_years_ahead_cuts_nothing_off(void **state)
{
    struct fixture *f = *state;
    f->poll->retention_ms = 3 * DAY;
    set_hw(f, NOW - HOUR);
    f->now.provider_ms = 0;
    f->date = "Wed, 14 Nov 2035 22:13:20 GMT";
    begin(f);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_false(f->step.has_gap);
    assert_int_equal(f->state.hw_ms, NOW);
    f->now.provider_ms = NOW + 4383 * DAY;
    begin(f);
    assert_false(f->step.has_gap);
    assert_int_equal(f->state.a_ms, NOW - MINUTE);
}

static void
a_clock_of_ours_that_is_years_slow_makes_no_gaps(void **state)
{
    struct fixture *f = *state;
    f->poll->retention_ms = 3 * DAY;
    set_hw(f, NOW - 900 * DAY);
    f->now.our_ms = NOW - 900 * DAY;
    begin(f);
    assert_false(f->step.has_gap);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_false(f->step.has_gap);
    /* Set right, it tells what had been cut off before. */
    f->now.our_ms = NOW;
    set_hw(f, NOW - 5 * DAY);
    begin(f);
    assert_gap(f, GAP_RETENTION, NOW - 5 * DAY - MINUTE, NOW - 3 * DAY);
}

static void
a_gap_is_told_whole_by_a_clock_of_ours_that_is_slow(void **state)
{
    struct fixture *f = *state;
    f->poll->retention_ms = 3 * DAY;
    f->now.our_ms = NOW - 7 * HOUR;
    set_hw(f, NOW - 5 * DAY);
    begin(f);
    assert_false(f->step.has_gap); /* the rows may say more */
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_gap(f, GAP_RETENTION, NOW - 5 * DAY - MINUTE, NOW - 3 * DAY);
    /* What is read again costs requests and hides nothing. */
    assert_int_equal(f->state.hw_ms, NOW - 7 * HOUR);
}

static void
rows_bear_out_a_date_that_a_slow_clock_does_not_believe(void **state)
{
    struct fixture *f = *state;
    f->poll->retention_ms = DAY;
    f->now.our_ms = NOW - 7 * HOUR; /* set back since the watermark moved */
    set_hw(f, NOW - DAY - 2 * HOUR);
    begin(f);
    assert_false(f->step.has_gap);
    page(f, "{\"rows\":[{\"at\":1700000000}]}", WALK_WHOLE);
    assert_gap(f, GAP_RETENTION, NOW - DAY - 2 * HOUR - MINUTE, NOW - DAY);
}

static void
a_walk_by_a_slow_clock_is_known_to_have_seen_what_its_rows_bear_out(
    void **state)
{
    struct fixture *f = *state;
    f->poll->retention_ms = DAY;
    f->now.our_ms = NOW - 30 * HOUR;
    set_hw(f, NOW - 31 * HOUR);
    f->state.seen_ms = NOW - HOUR;
    f->state.largest_ms = NOW - HOUR;
    begin(f);
    assert_false(f->step.has_gap);
    page(f, "{\"rows\":[{\"at\":1700000000}]}", WALK_WHOLE);
    assert_false(f->step.has_gap);
    assert_int_equal(f->state.seen_ms, NOW - 1500);
}

static void
a_slow_clock_alone_tells_an_outage_from_what_was_seen_last(void **state)
{
    struct fixture *f = *state;
    f->poll->retention_ms = DAY;
    f->now.our_ms = NOW - 4 * HOUR;
    set_hw(f, NOW - 4 * HOUR - 25 * HOUR); /* 25 hours ago, by our clock */
    f->state.seen_ms = NOW - 25 * HOUR - MINUTE;
    begin(f);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_gap(f, GAP_RETENTION, NOW - 25 * HOUR - 2 * MINUTE, NOW - DAY);
}

static void
an_outage_amid_a_walk_is_one_gap_by_a_slow_clock_too(void **state)
{
    static const char *const row = "{\"rows\":[{\"at\":1700000000}]}";
    struct fixture *f = *state;
    f->poll->retention_ms = DAY;
    f->poll->pages.kind = PAGE_LINK;
    set_hw(f, NOW - 31 * HOUR);
    f->state.largest_ms = NOW - 31 * HOUR;
    f->now = (struct walk_now){ NOW - 34 * HOUR, NOW - 30 * HOUR };
    f->date = "Mon, 13 Nov 2023 16:13:20 GMT"; /* 30 hours ago */
    f->link = "</v1/events?page=2>; rel=\"next\"";
    begin(f);
    page(f, "{\"rows\":[{\"at\":1699892000}]}", WALK_ASK);
    f->now = (struct walk_now){ NOW - 4 * HOUR, NOW };
    f->date = DATE;
    f->link = NULL;
    unsigned gaps = 0;
    for (int i = 0; i < 2; i++) {
        begin(f);
        gaps += f->step.has_gap;
        page(f, row, WALK_WHOLE);
        gaps += f->step.has_gap;
    }
    assert_int_equal(gaps, 1);
}

/* A start that was learnt is by the provider's clock, and so above a watermark
 * that a slow clock of ours has set. */
static void
a_start_that_was_learnt_hides_no_outage_from_a_slow_clock(void **state)
{
    struct fixture *f = *state;
    f->poll->retention_ms = DAY;
    f->now.our_ms = NOW - 3 * HOUR;
    set_hw(f, NOW - 3 * HOUR - DAY - 10 * MINUTE);
    f->state.start_ms = NOW - DAY - HOUR;
    f->state.seen_ms = NOW - DAY - 8 * MINUTE;
    begin(f);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_gap(f, GAP_RETENTION, NOW - DAY - 9 * MINUTE, NOW - DAY);
}

/* No walk was whole yet, and an outage is one all the same. */
static void
what_is_dropped_since_the_first_walk_began_is_a_gap(void **state)
{
    struct fixture *f = *state;
    f->poll->retention_ms = DAY;
    f->poll->start_kind = START_AGO;
    f->poll->start_ms = HOUR;
    f->state.has_start = true;
    f->state.start_ms = NOW - 2 * DAY;
    begin(f);
    assert_gap(f, GAP_RETENTION, NOW - 2 * DAY, NOW - DAY);
}

static void
a_start_before_what_is_kept_is_no_gap(void **state)
{
    struct fixture *f = *state;
    f->poll->retention_ms = DAY;
    for (int kind = START_AT; kind <= START_AGO; kind++) {
        memset(&f->state, 0, sizeof f->state);
        f->poll->start_kind = (enum poll_start)kind;
        f->poll->start_ms = kind == START_AT ? NOW - 90 * DAY : 90 * DAY;
        f->now.provider_ms = 0; /* nothing was asked yet */
        begin(f);
        assert_false(f->step.has_gap);
        while (f->state.open) {
            assert_int_equal(take(f, 200, "{\"rows\":[]}"), STATUS_OK);
            assert_false(f->step.has_gap);
        }
        assert_int_equal(f->state.hw_ms, NOW - 1500);
    }
}

static void
a_clock_of_ours_that_was_fast_at_the_start_hides_no_outage(void **state)
{
    struct fixture *f = *state;
    f->poll->retention_ms = DAY;
    f->poll->start_kind = START_AT;
    f->poll->start_ms = NOW - HOUR;
    f->now = (struct walk_now){ NOW + 365 * DAY, 0 };
    begin(f);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_int_equal(f->state.hw_ms, NOW - 1500);
    f->now = (struct walk_now){ NOW + 367 * DAY, NOW + 2 * DAY };
    begin(f);
    assert_gap(f, GAP_RETENTION, NOW - 1500 - MINUTE, NOW + DAY);
}

static void
what_is_dropped_while_it_is_read_newest_first_is_a_gap(void **state)
{
    struct fixture *f = *state;
    f->poll->retention_ms = DAY;
    f->poll->order = ORDER_DESC;
    set_hw(f, NOW - DAY + MINUTE);
    begin(f);
    assert_false(f->step.has_gap);
    f->date = "Tue, 14 Nov 2023 22:17:20 GMT"; /* four minutes later */
    page(f, "{\"rows\":[{\"at\":1700000000}]}", WALK_WHOLE);
    assert_gap(f, GAP_RETENTION, NOW - DAY, NOW - DAY + 4 * MINUTE);
}

static void
what_is_dropped_between_two_pages_of_an_ascending_list_is_a_gap(void **state)
{
    static const struct {
        const char *name;
        const char *row; /* the last one of the first page */
        const char *date;
        int64_t from_s, to_s; /* seconds behind a day ago; 0: no gap */
    } cases[] = {
        { "the wait was short", "1699913660", "Tue, 14 Nov 2023 22:14:28 GMT",
          0, 0 },
        { "what is read lies ahead", "1699920000",
          "Tue, 14 Nov 2023 23:13:20 GMT", 0, 0 },
        { "an hour, and it does not", "1699913660",
          "Tue, 14 Nov 2023 23:13:20 GMT", 60, 3600 },
    };
    struct fixture *f = *state;
    char body[64];
    f->poll->retention_ms = DAY;
    f->poll->pages.kind = PAGE_LINK;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memset(&f->state, 0, sizeof f->state);
        set_hw(f, NOW - DAY + 30 * SECOND);
        f->now = (struct walk_now){ NOW, NOW };
        begin(f);
        f->date = DATE;
        f->link = "</v1/events?page=2>; rel=\"next\"";
        (void)snprintf(body, sizeof body, "{\"rows\":[{\"at\":%s}]}",
                       cases[i].row);
        page(f, body, WALK_ASK);
        assert_false(f->step.has_gap);
        /* The request for the next page had to wait. */
        f->now.our_ms = NOW + HOUR;
        f->date = cases[i].date;
        f->link = NULL;
        page(f, "{\"rows\":[{\"at\":1700000000}]}", WALK_WHOLE);
        if (f->step.has_gap != (cases[i].to_s != 0)) {
            fail_msg("%s: %s gap", cases[i].name, f->step.has_gap ? "a" : "no");
        }
        if (f->step.has_gap) {
            assert_gap(f, GAP_RETENTION, NOW - DAY + cases[i].from_s * SECOND,
                       NOW - DAY + cases[i].to_s * SECOND);
        }
    }
}

static void
what_is_dropped_before_the_first_row_was_seen_is_a_gap_without_a_date(
    void **state)
{
    struct fixture *f = *state;
    f->date = NULL;
    f->poll->retention_ms = DAY;
    f->now = (struct walk_now){ NOW - 3 * DAY, 0 };
    begin(f);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_false(f->step.has_gap);
    assert_int_equal(f->state.hw_ms, 0);
    f->now.our_ms = NOW;
    begin(f);
    page(f, "{\"rows\":[{\"at\":1700000000}]}", WALK_WHOLE);
    assert_gap(f, GAP_RETENTION, NOW - 3 * DAY, NOW - DAY);
    begin(f);
    page(f, "{\"rows\":[{\"at\":1700000000}]}", WALK_WHOLE);
    assert_false(f->step.has_gap);
    /* A clock that was years fast when it began hides no later outage. */
    memset(&f->state, 0, sizeof f->state);
    f->state = (struct walk_state){ .has_start = true,
                                    .start_ours = true,
                                    .start_ms = NOW + 999 * DAY,
                                    .hw_ms = NOW - 5 * DAY };
    begin(f);
    page(f, "{\"rows\":[{\"at\":1700000000}]}", WALK_WHOLE);
    assert_gap(f, GAP_RETENTION, NOW - 5 * DAY, NOW - DAY);
}

static void
stamps_tell_an_outage_where_no_answer_has_a_date(void **state)
{
    static const struct {
        const char *what;
        int64_t hw_ms;
        int64_t our_ms;
        int64_t to_ms; /* 0: no gap */
        const char *rows;
    } cases[] = {
        { "slept past retention", NOW - 5 * DAY, NOW, NOW - DAY,
          "{\"rows\":[{\"at\":1699999000},{\"at\":1700000000}]}" },
        { "all is still kept", NOW - DAY, NOW, 0,
          "{\"rows\":[{\"at\":1700000000}]}" },
        { "nobody knows the time", NOW - 5 * DAY, NOW, 0, "{\"rows\":[]}" },
        { "a stamp is years ahead", NOW - HOUR, NOW, 0,
          "{\"rows\":[{\"at\":1900000000}]}" },
        { "a stamp is years ahead, and we slept", NOW - 5 * DAY, NOW,
          NOW + 500 + 5 * MINUTE - DAY, "{\"rows\":[{\"at\":1900000000}]}" },
        { "our clock is slow", NOW - 3 * DAY, NOW - 3 * DAY, 0,
          "{\"rows\":[{\"at\":1700000000}]}" },
        { "no walk was whole yet", 0, NOW, 0,
          "{\"rows\":[{\"at\":1700000000}]}" },
    };
    struct fixture *f = *state;
    f->date = NULL;
    f->poll->retention_ms = DAY;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&f->state, 0, sizeof(f->state));
        set_hw(f, cases[i].hw_ms);
        f->now = (struct walk_now){ cases[i].our_ms, 0 };
        begin(f);
        assert_false(f->step.has_gap);
        page(f, cases[i].rows, WALK_WHOLE);
        if (f->step.has_gap != (cases[i].to_ms != 0)) {
            fail_msg("%s: %s gap", cases[i].what, f->step.has_gap ? "a" : "no");
        }
        if (cases[i].to_ms != 0) {
            assert_gap(f, GAP_RETENTION, cases[i].hw_ms - MINUTE,
                       cases[i].to_ms);
            assert_int_equal(f->state.hw_ms, cases[i].to_ms);
        }
        /* The row is not written again. */
        begin(f);
        page(f, cases[i].rows, WALK_WHOLE);
        assert_false(f->step.has_gap);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hw_is_the_providers_clock_when_the_walk_began_less_settle),
        TEST(hw_never_goes_back_and_a_date_far_ahead_is_not_believed),
        TEST(a_clock_of_ours_set_while_the_answer_comes_moves_hw_no_further),
        TEST(without_a_date_stamps_of_earlier_walks_are_the_clock),
        TEST(a_request_that_is_bounded_holds_hw_at_its_bound),
        TEST(start_is_learnt_from_the_first_answer),
        TEST(a_first_request_that_had_to_wait_loses_nothing),
        TEST(a_start_learnt_from_a_wrong_date_is_learnt_again),
        TEST(a_token_that_began_at_a_wrong_start_is_dropped),
        TEST(start_may_be_a_point_or_an_age),
        TEST(no_walk_reads_below_start),
        TEST(what_the_provider_has_forgotten_is_one_gap_row),
        TEST(a_gap_begins_where_the_walk_would_have),
        TEST(retention_waits_for_the_providers_clock),
        TEST(a_clock_years_ahead_cuts_nothing_off),
        TEST(a_clock_of_ours_that_is_years_slow_makes_no_gaps),
        TEST(a_gap_is_told_whole_by_a_clock_of_ours_that_is_slow),
        TEST(rows_bear_out_a_date_that_a_slow_clock_does_not_believe),
        TEST(a_slow_clock_alone_tells_an_outage_from_what_was_seen_last),
        TEST(a_start_that_was_learnt_hides_no_outage_from_a_slow_clock),
        TEST(what_is_dropped_since_the_first_walk_began_is_a_gap),
        TEST(a_start_before_what_is_kept_is_no_gap),
        TEST(a_clock_of_ours_that_was_fast_at_the_start_hides_no_outage),
        TEST(what_is_dropped_while_it_is_read_newest_first_is_a_gap),
        TEST(what_is_dropped_between_two_pages_of_an_ascending_list_is_a_gap),
        TEST(
            what_is_dropped_before_the_first_row_was_seen_is_a_gap_without_a_date),
        TEST(an_outage_amid_a_walk_is_one_gap_by_a_slow_clock_too),
        TEST(stamps_tell_an_outage_where_no_answer_has_a_date),
        TEST(
            a_walk_by_a_slow_clock_is_known_to_have_seen_what_its_rows_bear_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
