/* SPDX-License-Identifier: MIT */
#include "walk_fixture.h"

#include "model/walk_backfill.h"

/* The span of most tests: 1000 s to 900 s ago. */
#define SINCE (NOW - 1000 * SECOND)
#define UNTIL (NOW - 900 * SECOND)

static const struct walk_backfill asked = { .phase = BACKFILL_RUNNING,
                                            .since_ms = SINCE,
                                            .until_ms = UNTIL };

static void
begin_span(struct fixture *f)
{
    f->plan.is_backfill = true;
    f->plan.overlap_ms = 0;
    if (f->poll->pages.kind == PAGE_NONE && f->poll->order == ORDER_ASC) {
        f->poll->pages.kind = PAGE_CURSOR;
    }
    assert_int_equal(walk_backfill_begin(&f->plan, &asked, &f->now, &f->arena,
                                         &f->state, &f->step),
                     STATUS_OK);
    assert_int_equal(f->step.next, WALK_ASK);
}

static enum status
read_wish(struct fixture *f, const char *since, const char *until,
          int64_t floor_ms, struct walk_backfill *span, struct error *err)
{
    const struct walk_backfill_wish wish = { .since = slice_of(since),
                                             .until = slice_of(until) };
    return walk_backfill_read(&f->connector, &wish, &f->now, floor_ms, span,
                              err);
}

static void
a_wish_is_read_as_times_or_ages(void **state)
{
    static const struct {
        const char *since, *until;
        int64_t since_ms, until_ms; /* 0: refused */
    } rows[] = {
        { "7d", "", NOW - 7 * DAY, NOW },
        { "2d", "1d", NOW - 2 * DAY, NOW - DAY },
        { "2023-11-14", "2023-11-14T01:00:00Z", NOW - 22 * HOUR - 800 * SECOND,
          NOW - 21 * HOUR - 800 * SECOND },
        { "1d", "2d", 0, 0 },
        { "1d", "1d", 0, 0 },
        { "yesterday", "", 0, 0 },
        { "", "", 0, 0 },
        { "7d", "soon", 0, 0 },
        { "2024-01-01", "", 0, 0 },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct walk_backfill backfill;
        struct error err = { "" };
        enum status status =
            read_wish(f, rows[i].since, rows[i].until, 0, &backfill, &err);
        if (rows[i].until_ms == 0) {
            assert_int_equal(status, STATUS_INVALID);
            assert_true(err.text[0] != '\0');
            continue;
        }
        assert_int_equal(status, STATUS_OK);
        assert_int_equal(backfill.since_ms, rows[i].since_ms);
        assert_int_equal(backfill.until_ms, rows[i].until_ms);
        assert_int_equal(backfill.phase, BACKFILL_RUNNING);
    }
}

static void
below_the_floor_only_again(void **state)
{
    struct fixture *f = *state;
    struct walk_backfill backfill;
    struct error err = { "" };
    assert_int_equal(read_wish(f, "7d", "", NOW - 7 * DAY, &backfill, &err),
                     STATUS_OK);
    assert_int_equal(read_wish(f, "7d", "", NOW - 6 * DAY, &backfill, &err),
                     STATUS_DENIED);
    assert_non_null(strstr(err.text, "2023-11-08T22:13:20"));
    assert_non_null(strstr(err.text, "--again"));
    const struct walk_backfill_wish wish = { .since = SLICE("7d"),
                                             .again = true };
    assert_int_equal(walk_backfill_read(&f->connector, &wish, &f->now,
                                        NOW - 6 * DAY, &backfill, &err),
                     STATUS_OK);
}

static void
a_rate_is_the_connectors_or_ones_own(void **state)
{
    struct fixture *f = *state;
    struct walk_backfill backfill;
    struct error err = { "" };
    struct walk_backfill_wish wish = { .since = SLICE("7d") };
    f->poll->backfill_rate = 2;
    f->poll->backfill_rate_per_ms = SECOND;
    assert_int_equal(
        walk_backfill_read(&f->connector, &wish, &f->now, 0, &backfill, &err),
        STATUS_OK);
    assert_int_equal(backfill.rate, 2);
    wish.rate = slice_of("9/1m");
    assert_int_equal(
        walk_backfill_read(&f->connector, &wish, &f->now, 0, &backfill, &err),
        STATUS_OK);
    assert_int_equal(backfill.rate, 9);
    assert_int_equal(backfill.rate_per_ms, MINUTE);
    wish.rate = slice_of("fast");
    assert_int_equal(
        walk_backfill_read(&f->connector, &wish, &f->now, 0, &backfill, &err),
        STATUS_INVALID);
    assert_non_null(strstr(err.text, "'fast'"));
}

static void
a_list_without_a_time_is_refused_in_words(void **state)
{
    static const struct {
        enum cursor_kind kind;
        const char *start; /* of the cursor */
        const char *first; /* url */
        const char *word;  /* NULL: it can be asked */
    } rows[] = {
        { CURSOR_TIME, NULL, NULL, NULL },
        { CURSOR_ID, NULL, NULL, "by id" },
        { CURSOR_ID, "{var:base}", NULL, "by id" },
        { CURSOR_ID, "{start}", NULL, NULL },
        { CURSOR_ID, "{start}", "https://api.test/newest", "by id" },
        { CURSOR_TOKEN, NULL, NULL, "opaque" },
        { CURSOR_TOKEN, "{start}", "https://api.test/newest", "opaque" },
        { CURSOR_TOKEN, NULL, "https://api.test/v1?from={now}", "opaque" },
        { CURSOR_TOKEN, NULL, "https://api.test/v1?from={start}", NULL },
        { CURSOR_NONE, NULL, NULL, "whole list" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct walk_backfill backfill;
        struct error err = { "" };
        f->poll->cursor.kind = rows[i].kind;
        f->poll->cursor.start = rows[i].start == NULL
                                    ? NULL
                                    : list_template(rows[i].start, &f->arena);
        f->poll->first.url = rows[i].first == NULL
                                 ? NULL
                                 : list_template(rows[i].first, &f->arena);
        enum status status = read_wish(f, "7d", "", 0, &backfill, &err);
        assert_int_equal(status,
                         rows[i].word == NULL ? STATUS_OK : STATUS_INVALID);
        if (rows[i].word != NULL) {
            assert_non_null(strstr(err.text, rows[i].word));
        }
    }
}

static bool
holds(struct fixture *f, const char *row)
{
    return !walk_below(&f->plan, &f->state, slice_of(row), &f->arena) &&
           walk_backfill_holds(&f->plan, &f->state, slice_of(row), 0,
                               &f->arena);
}

static void
it_begins_at_since_and_leaves_out_what_lies_outside(void **state)
{
    struct fixture *f = *state;
    begin_span(f);
    assert_cursor(f, "1699999000");
    assert_false(holds(f, "{\"at\":1699998999}"));
    assert_true(holds(f, "{\"at\":1699999000}"));
    assert_true(holds(f, "{\"at\":1699999099}"));
    assert_false(holds(f, "{\"at\":1699999100}"));
    assert_true(holds(f, "{\"at\":null}")); /* rather twice than never */
}

static void
where_the_cursor_is_no_time_the_events_stamp_counts(void **state)
{
    struct fixture *f = *state;
    f->poll->cursor.kind = CURSOR_ID;
    begin_span(f);
    struct slice row = slice_of("{}");
    const int64_t stamps[] = { SINCE - 1, SINCE, UNTIL - 1, UNTIL, 0 };
    const bool inside[] = { false, true, true, false, true };
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(
            walk_backfill_holds(&f->plan, &f->state, row, stamps[i], &f->arena),
            inside[i]);
    }
}

static void
an_ascending_list_ends_with_the_page_behind_the_span(void **state)
{
    struct fixture *f = *state;
    begin_span(f);
    page(f, "{\"rows\":[{\"at\":1699999010},{\"at\":1699999050}]}", WALK_ASK);
    assert_int_equal(f->state.backfill.at_ms, SINCE + 50 * SECOND);
    assert_int_equal(walk_backfill_permille(&f->connector, &f->state), 499);
    /* Some of it may still lie inside. */
    page(f, "{\"rows\":[{\"at\":1699999099},{\"at\":1699999200}]}", WALK_ASK);
    page(f, "{\"rows\":[{\"at\":1699999200},{\"at\":1699999300}]}", WALK_WHOLE);
    assert_int_equal(f->state.backfill.phase, BACKFILL_DONE);
    assert_int_equal(f->state.backfill.rows, 6);
    assert_int_equal(f->state.backfill.pages, 3);
    assert_int_equal(walk_backfill_permille(&f->connector, &f->state), 1000);
}

static void
no_watermark_moves(void **state)
{
    struct fixture *f = *state;
    begin_span(f);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_int_equal(f->state.hw_ms, 0);
    assert_int_equal(walk_complete_until(&f->plan, &f->state), 0);
}

static void
a_newest_first_list_ends_below_since(void **state)
{
    struct fixture *f = *state;
    f->poll->order = ORDER_DESC;
    f->poll->cursor.send = false;
    f->poll->pages.kind = PAGE_TOKEN;
    f->poll->pages.from = list_template("json:next", &f->arena);
    f->poll->pages.until_cursor = true;
    begin_span(f);
    page(f, "{\"rows\":[{\"at\":1699999990}],\"next\":\"b\"}", WALK_ASK);
    page(f, "{\"rows\":[{\"at\":1699999075}],\"next\":\"c\"}", WALK_ASK);
    assert_int_equal(walk_backfill_permille(&f->connector, &f->state), 249);
    page(f, "{\"rows\":[{\"at\":1699998000}],\"next\":\"d\"}", WALK_WHOLE);
    assert_int_equal(f->state.backfill.phase, BACKFILL_DONE);
}

static void
it_holds_the_ledgers_floor_down_only_while_it_runs(void **state)
{
    struct fixture *f = *state;
    f->plan.is_backfill = true;
    assert_int_equal(walk_lowest(&f->plan, &f->state), INT64_MAX);
    begin_span(f);
    assert_int_equal(walk_lowest(&f->plan, &f->state), SINCE);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_int_equal(walk_lowest(&f->plan, &f->state), INT64_MAX);
}

static void
retention_cuts_it_and_leaves_no_gap(void **state)
{
    struct fixture *f = *state;
    f->poll->retention_ms = 950 * SECOND;
    begin_span(f);
    assert_false(f->step.has_gap);
    assert_cursor(f, "1699999050");
    assert_int_equal(f->state.start_ms, NOW - 950 * SECOND);
    assert_int_equal(f->state.backfill.since_ms, SINCE);
}

static void
what_is_dropped_while_it_is_read_closes_no_gap(void **state)
{
    static const struct {
        const char *date; /* of the last answer; NULL: none has one */
        int64_t our_ms;   /* then */
        int64_t from_ms;  /* what was read begins here */
    } rows[] = {
        { DATE, NOW, NOW - 950 * SECOND },
        { "Tue, 14 Nov 2023 22:13:50 GMT", NOW, NOW - 919 * SECOND },
        { NULL, NOW, NOW - 950 * SECOND + 500 },
        { NULL, NOW + 30 * SECOND, NOW - 920 * SECOND + 500 },
        { NULL, NOW + HOUR, UNTIL },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t from_ms;
        int64_t to_ms;
        memset(&f->state, 0, sizeof(f->state));
        f->poll->retention_ms = 950 * SECOND;
        f->now = (struct walk_now){ NOW, rows[i].date == NULL ? 0 : NOW };
        begin_span(f);
        f->date = rows[i].date;
        f->now.our_ms = rows[i].our_ms;
        page(f, "{\"rows\":[{\"at\":1699999999}]}", WALK_WHOLE);
        assert_true(walk_backfill_whole(&f->state, &from_ms, &to_ms));
        assert_int_equal(to_ms, UNTIL);
        if (from_ms < rows[i].from_ms || from_ms > rows[i].from_ms + 1000) {
            fail_msg("row %zu: from %lld, not %lld", i,
                     (long long)(from_ms - NOW),
                     (long long)(rows[i].from_ms - NOW));
        }
    }
}

static void
a_request_with_an_upper_bound_asks_for_the_span_alone(void **state)
{
    static const char *const query[] = { "to", "{now}", NULL };
    struct fixture *f = *state;
    f->poll->request.query =
        list_pairs(query, &f->arena, &f->poll->request.query_count);
    begin_span(f);
    assert_int_equal(f->state.now_ms, UNTIL + SECOND);
}

static void
a_list_cut_to_its_newest_rows_fails_and_leaves_no_gap(void **state)
{
    struct fixture *f = *state;
    f->poll->order = ORDER_DESC;
    f->poll->cursor.send = false;
    f->poll->pages.size = 1;
    begin_span(f);
    page(f, "{\"rows\":[{\"at\":1699999090}]}", WALK_FAILED);
    assert_false(f->step.has_gap);
    assert_non_null(strstr(f->step.why.text, "newest rows"));
}

static void
a_refused_cursor_is_no_gap_and_is_not_begun_with_again(void **state)
{
    struct fixture *f = *state;
    f->poll->cursor.kind = CURSOR_TOKEN;
    f->poll->cursor.from = list_path("token", &f->arena);
    f->poll->cursor.start = list_template("{start}", &f->arena);
    begin_span(f);
    page(f, "{\"rows\":[{}],\"token\":\"t\"}", WALK_ASK);
    failed(f, 410, WALK_FAILED);
    assert_false(f->step.has_gap);
    f->state.open = false;
    begin(f);
    assert_false(f->state.has_token);
    assert_int_equal(f->state.backfill.phase, BACKFILL_RUNNING);
}

static void
it_goes_on_from_its_stored_state(void **state)
{
    struct fixture *f = *state;
    struct buf text = { 0 };
    struct error err = { "" };
    struct walk_state back;
    begin_span(f);
    f->state.backfill.rate = 2;
    f->state.backfill.rate_per_ms = SECOND;
    page(f, "{\"rows\":[{\"at\":1699999010}]}", WALK_ASK);
    walk_encode(&f->state, &text);
    assert_int_equal(walk_decode(buf_slice(&text), &f->arena, &back, &err),
                     STATUS_OK);
    buf_fini(&text);
    f->state = back;
    f->plan.resumable = false;
    begin(f);
    assert_cursor(f, "1699999010");
    assert_int_equal(f->state.backfill.until_ms, UNTIL);
    assert_int_equal(f->state.backfill.rows, 1);
    assert_int_equal(f->state.backfill.rate, 2);
}

static void
its_end_keeps_why(void **state)
{
    struct fixture *f = *state;
    begin_span(f);
    char why[] = "HTTP 500";
    assert_int_equal(walk_backfill_end(&f->state, BACKFILL_FAILED, NOW,
                                       slice_of(why), &f->arena),
                     STATUS_OK);
    why[0] = 'x';
    assert_true(slice_equal_text(f->state.backfill.why, "HTTP 500"));
    assert_false(f->state.open);
    assert_string_equal(walk_backfill_phase_name(f->state.backfill.phase),
                        "failed");
}

static void
it_waits_for_live_walks_though_not_for_ever(void **state)
{
    (void)state;
    int64_t waited_ms = 0;
    int64_t yield_ms;
    assert_int_equal(walk_backfill_yield_ms(false, 0), 0);
    while ((yield_ms = walk_backfill_yield_ms(true, waited_ms)) > 0) {
        waited_ms += yield_ms;
        assert_true(waited_ms <= MINUTE);
    }
    assert_int_equal(waited_ms, MINUTE);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_wish_is_read_as_times_or_ages),
        TEST(below_the_floor_only_again),
        TEST(a_rate_is_the_connectors_or_ones_own),
        TEST(a_list_without_a_time_is_refused_in_words),
        TEST(it_begins_at_since_and_leaves_out_what_lies_outside),
        TEST(where_the_cursor_is_no_time_the_events_stamp_counts),
        TEST(an_ascending_list_ends_with_the_page_behind_the_span),
        TEST(no_watermark_moves),
        TEST(a_newest_first_list_ends_below_since),
        TEST(it_holds_the_ledgers_floor_down_only_while_it_runs),
        TEST(retention_cuts_it_and_leaves_no_gap),
        TEST(what_is_dropped_while_it_is_read_closes_no_gap),
        TEST(a_request_with_an_upper_bound_asks_for_the_span_alone),
        TEST(a_list_cut_to_its_newest_rows_fails_and_leaves_no_gap),
        TEST(a_refused_cursor_is_no_gap_and_is_not_begun_with_again),
        TEST(it_goes_on_from_its_stored_state),
        TEST(its_end_keeps_why),
        TEST(it_waits_for_live_walks_though_not_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
