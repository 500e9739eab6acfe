/* SPDX-License-Identifier: MIT */
#include "walk_fixture.h"

#include "model/walk_overlap.h"

static void
it_is_twice_the_largest_lag_within_its_bounds(void **state)
{
    static const struct {
        int64_t least_ms;
        int64_t most_ms;
        int64_t lag_ms;
        int64_t wanted_ms;
    } rows[] = {
        { 120000, 3600000, 0, 120000 },
        { 120000, 3600000, 60000, 120000 },
        { 120000, 3600000, 60001, 120002 },
        { 120000, 3600000, 1799999, 3599998 },
        { 120000, 3600000, 1800001, 3600000 },
        { 120000, 3600000, INT64_MAX, 3600000 },
        { 120000, 0, 900000, 120000 },
        { 120000, 120000, 900000, 120000 },
        { 120000, 60000, 900000, 120000 },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lag lag = { 0 };
        lag_note(&lag.now, rows[i].lag_ms);
        f->plan.most_ms = rows[i].most_ms;
        assert_int_equal(walk_overlap_ms(&f->plan, rows[i].least_ms, &lag),
                         rows[i].wanted_ms);
    }
}

static void
a_row_below_the_bound_is_read_around_again_once(void **state)
{
    struct fixture *f = *state;
    f->plan.most_ms = HOUR;
    set_hw(f, NOW - MINUTE);
    walk_overlap_broken(&f->plan, &f->state, NOW - 10 * MINUTE);
    /* The oldest counts. */
    walk_overlap_broken(&f->plan, &f->state, NOW - 20 * MINUTE);
    walk_overlap_broken(&f->plan, &f->state, NOW - 15 * MINUTE);
    begin(f);
    assert_int_equal(f->state.a_ms, NOW - 21 * MINUTE);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_int_equal(f->state.again_ms, 0);
    begin(f);
    assert_int_equal(f->state.a_ms, f->state.hw_ms - MINUTE);
}

static void
what_lies_below_the_start_is_asked_for_once_too(void **state)
{
    struct fixture *f = *state;
    set_hw(f, NOW - MINUTE);
    f->state.start_ms = NOW - 10 * MINUTE;
    walk_overlap_broken(&f->plan, &f->state, NOW - 10 * MINUTE);
    begin(f);
    assert_int_equal(f->state.a_ms, f->state.start_ms);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_int_equal(f->state.again_ms, 0);
}

static void
what_is_asked_for_during_a_walk_waits_for_the_next(void **state)
{
    struct fixture *f = *state;
    set_hw(f, NOW - MINUTE);
    begin(f);
    walk_overlap_broken(&f->plan, &f->state, NOW - 20 * MINUTE);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    begin(f);
    assert_int_equal(f->state.a_ms, NOW - 21 * MINUTE);
    /* A walk that fails has not read it. */
    failed(f, 500, WALK_FAILED);
    f->state.open = false;
    begin(f);
    assert_int_equal(f->state.a_ms, NOW - 21 * MINUTE);
}

static void
reading_again_goes_neither_below_the_start_nor_beyond_retention(void **state)
{
    struct fixture *f = *state;
    set_hw(f, NOW - MINUTE);
    f->state.start_ms = NOW - 5 * MINUTE;
    walk_overlap_broken(&f->plan, &f->state, NOW - 20 * MINUTE);
    begin(f);
    assert_int_equal(f->state.a_ms, NOW - 5 * MINUTE);
    f->state.open = false;
    f->state.start_ms = NOW - DAY;
    f->poll->retention_ms = 10 * MINUTE;
    begin(f);
    assert_int_equal(f->state.a_ms, NOW - 10 * MINUTE);
    assert_false(f->step.has_gap);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_int_equal(f->state.again_ms, 0);
}

static void
the_ledger_reaches_back_to_the_deepest_it_may_become(void **state)
{
    struct fixture *f = *state;
    f->connector.has_poll = true;
    f->poll->cursor.kind = CURSOR_TIME;
    f->poll->cursor.inclusive = true;
    set_hw(f, NOW);
    f->plan.most_ms = HOUR;
    assert_int_equal(walk_overlap_reach_ms(&f->plan), HOUR);
    assert_int_equal(walk_lowest(&f->plan, &f->state), NOW - HOUR);
    walk_overlap_broken(&f->plan, &f->state, NOW - 2 * HOUR);
    assert_int_equal(walk_lowest(&f->plan, &f->state), NOW - 2 * HOUR - MINUTE);
    /* An overlap that has become less keeps what the open walk reads. */
    f->state.again_ms = 0;
    f->plan.overlap_ms = HOUR;
    begin(f);
    f->plan.overlap_ms = MINUTE;
    f->plan.most_ms = 0;
    assert_int_equal(walk_lowest(&f->plan, &f->state), NOW - HOUR);
}

/* Walks an id list whose newest id is `id`, an hour's quarter later. */
static void
walk_ids(struct fixture *f, int id)
{
    char body[64];
    (void)snprintf(body, sizeof(body), "{\"rows\":[{\"id\":%d}]}", id);
    begin(f);
    page(f, body, WALK_WHOLE);
    f->now.our_ms += 15 * MINUTE;
    f->now.provider_ms += 15 * MINUTE;
}

static void
an_id_cursor_keeps_the_marks_it_may_need(void **state)
{
    struct fixture *f = *state;
    f->poll->cursor.kind = CURSOR_ID;
    f->poll->cursor.numeric = true;
    f->poll->cursor.from = list_path("id", &f->arena);
    f->date = NULL;
    f->plan.most_ms = HOUR;
    for (int id = 100; id < 106; id++) {
        walk_ids(f, id);
    }
    begin(f);
    assert_cursor(f, "104");
    f->state.open = false;
    f->plan.overlap_ms = HOUR;
    begin(f);
    assert_cursor(f, "100");
    f->state.open = false;
    f->plan.overlap_ms = MINUTE;
    walk_overlap_broken(&f->plan, &f->state, f->state.hw_ms - 40 * MINUTE);
    begin(f);
    assert_cursor(f, "102");
}

static void
what_is_to_be_read_again_outlives_the_process(void **state)
{
    struct fixture *f = *state;
    struct buf text = { 0 };
    struct walk_state back;
    f->state.again_ms = 77;
    walk_encode(&f->state, &text);
    assert_int_equal(walk_decode(buf_slice(&text), &f->arena, &back, NULL),
                     STATUS_OK);
    assert_int_equal(back.again_ms, 77);
    buf_fini(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_twice_the_largest_lag_within_its_bounds),
        TEST(a_row_below_the_bound_is_read_around_again_once),
        TEST(what_lies_below_the_start_is_asked_for_once_too),
        TEST(what_is_asked_for_during_a_walk_waits_for_the_next),
        TEST(reading_again_goes_neither_below_the_start_nor_beyond_retention),
        TEST(the_ledger_reaches_back_to_the_deepest_it_may_become),
        TEST(an_id_cursor_keeps_the_marks_it_may_need),
        TEST(what_is_to_be_read_again_outlives_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
