/* SPDX-License-Identifier: MIT */
#include "walk_fixture.h"

#include "model/walk_backfill.h"

/* Ascending, two rows to a page, paged by place; all rows are of minute 100,
 * which the watermark has long passed. */
static void
use_places(struct fixture *f)
{
    f->poll->order = ORDER_ASC;
    f->poll->pages.kind = PAGE_TOKEN;
    f->poll->pages.from = list_template("json:next", &f->arena);
    f->poll->pages.restart = true;
    f->poll->record.id = list_template("{item:id}", &f->arena);
    f->poll->cursor.granularity_ms = MINUTE;
    set_hw(f, 101 * MINUTE);
}

#define ROW(id)  "{\"id\":" #id ",\"at\":6001}"
#define NEXT(at) ",\"next\":\"" at "\"}"

#define ONE "{\"rows\":[" ROW(1) "," ROW(2) "]" NEXT("p2")
#define TWO "{\"rows\":[" ROW(3) "," ROW(4) "]}"

static void
a_full_place_is_read_until_it_shows_the_same_twice(void **state)
{
    struct fixture *f = *state;
    use_places(f);
    begin(f);
    assert_cursor(f, "6000");
    page(f, ONE, WALK_ASK);
    assert_page(f, "p2");
    page(f, TWO, WALK_ASK);
    assert_page(f, NULL);
    assert_cursor(f, "6000");
    page(f, ONE, WALK_ASK);
    page(f, TWO, WALK_WHOLE);
    assert_true(f->state.hw_ms > NOW - HOUR);
}

static void
a_row_that_slipped_between_two_pages_is_met_the_next_time(void **state)
{
    struct fixture *f = *state;
    use_places(f);
    begin(f);
    page(f, ONE, WALK_ASK);
    /* 1 has changed and is of another minute; 3 took its page's last place. */
    page(f, "{\"rows\":[" ROW(4) ",{\"id\":1,\"at\":9000}]}", WALK_ASK);
    assert_cursor(f, "6000");
    assert_page(f, NULL);
    page(f, "{\"rows\":[" ROW(2) "," ROW(3) "]" NEXT("p2"), WALK_ASK);
    page(f, "{\"rows\":[" ROW(4) ",{\"id\":1,\"at\":9000}]}", WALK_ASK);
    page(f, "{\"rows\":[" ROW(2) "," ROW(3) "]" NEXT("p2"), WALK_ASK);
    page(f, "{\"rows\":[" ROW(4) ",{\"id\":1,\"at\":9000}]}", WALK_WHOLE);
}

static void
a_place_is_left_for_the_next_only_when_it_held_still(void **state)
{
    struct fixture *f = *state;
    use_places(f);
    begin(f);
    page(f, ONE, WALK_ASK);
    page(f, "{\"rows\":[" ROW(3) ",{\"id\":9,\"at\":9000}]" NEXT("p4"),
         WALK_ASK);
    assert_cursor(f, "6000");
    page(f, ONE, WALK_ASK);
    page(f, "{\"rows\":[" ROW(3) ",{\"id\":9,\"at\":9000}]" NEXT("p4"),
         WALK_ASK);
    assert_cursor(f, "9000");
    assert_page(f, NULL);
    page(f, "{\"rows\":[{\"id\":9,\"at\":9000}]}", WALK_WHOLE);
}

static void
rows_in_another_order_are_the_same_rows(void **state)
{
    struct fixture *f = *state;
    use_places(f);
    begin(f);
    page(f, ONE, WALK_ASK);
    page(f, TWO, WALK_ASK);
    page(f, "{\"rows\":[" ROW(4) "," ROW(2) "]" NEXT("p2"), WALK_ASK);
    page(f, "{\"rows\":[" ROW(3) "," ROW(1) "]}", WALK_WHOLE);
}

static void
a_row_that_changed_inside_its_place_has_moved(void **state)
{
    struct fixture *f = *state;
    use_places(f);
    begin(f);
    page(f, ONE, WALK_ASK);
    page(f, TWO, WALK_ASK);
    page(f, "{\"rows\":[" ROW(2) "," ROW(3) "]" NEXT("p2"), WALK_ASK);
    page(f, "{\"rows\":[" ROW(4) ",{\"id\":1,\"at\":6002}]}", WALK_ASK);
    assert_page(f, NULL);
}

static void
a_place_that_never_holds_still_fails_the_walk(void **state)
{
    struct fixture *f = *state;
    char body[128];
    use_places(f);
    begin(f);
    for (int i = 0; i < 6; i++) {
        page(f, ONE, WALK_ASK);
        (void)snprintf(body, sizeof body,
                       "{\"rows\":[{\"id\":%d,\"at\":6001}]}", 10 + i);
        page(f, body, i < 5 ? WALK_ASK : WALK_FAILED);
        assert_page(f, NULL);
    }
    assert_non_null(strstr(f->step.why.text, "rows move away"));
    assert_false(f->state.open);
    assert_int_equal(f->state.hw_ms, 101 * MINUTE);
}

static void
each_place_may_take_its_turns(void **state)
{
    struct fixture *f = *state;
    use_places(f);
    begin(f);
    for (int minute = 100; minute < 110; minute++) {
        for (int turn = 0; turn < 2; turn++) {
            char first[128];
            char second[128];
            (void)snprintf(first, sizeof first,
                           "{\"rows\":[{\"id\":%d,\"at\":%d}]" NEXT("p2"),
                           minute, minute * 60);
            (void)snprintf(second, sizeof second,
                           "{\"rows\":[{\"id\":%d,\"at\":%d}]" NEXT("p3"),
                           minute + 1, (minute + 1) * 60);
            page(f, first, WALK_ASK);
            assert_page(f, "p2");
            page(f, second, WALK_ASK);
            assert_page(f, NULL);
        }
    }
    assert_cursor(f, "6600");
}

static void
a_place_that_the_next_walk_reads_again_is_read_once(void **state)
{
    static const struct {
        int64_t overlap_ms, most_ms;
        bool once;
    } cases[] = {
        { 10 * MINUTE, 0, true },
        { MINUTE, 0, false },
        { 10 * MINUTE, HOUR, false }, /* which may be less by then */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture *f = *state;
        char body[128];
        memset(&f->state, 0, sizeof f->state);
        use_places(f);
        f->plan.overlap_ms = cases[i].overlap_ms;
        f->plan.most_ms = cases[i].most_ms;
        set_hw(f, NOW - MINUTE);
        begin(f);
        int64_t at = f->state.cursor_ms / SECOND + (i == 0 ? 300 : 1);
        (void)snprintf(body, sizeof body,
                       "{\"rows\":[{\"at\":%d}],\"next\":\"p1\"}", (int)at);
        page(f, body, WALK_ASK);
        if (i == 0) {
            assert_page(f, NULL); /* five minutes on */
            page(f, body, WALK_ASK);
        }
        assert_page(f, "p1");
        (void)snprintf(body, sizeof body, "{\"rows\":[{\"at\":%d}]}", (int)at);
        page(f, body, cases[i].once ? WALK_WHOLE : WALK_ASK);
    }
}

/* The process ends here, and another goes on. */
static void
reopen(struct fixture *f)
{
    struct buf text = { 0 };
    struct error err;
    walk_encode(&f->state, &text);
    assert_int_equal(walk_decode(buf_slice(&text), &f->arena, &f->state, &err),
                     STATUS_OK);
    buf_fini(&text);
    begin(f);
}

static void
what_a_walk_read_last_counts_over_a_restart(void **state)
{
    struct fixture *f = *state;
    use_places(f);
    begin(f);
    page(f, ONE, WALK_ASK);
    page(f, TWO, WALK_ASK);
    page(f, ONE, WALK_ASK);
    reopen(f);
    assert_page(f, "p2");
    page(f, TWO, WALK_WHOLE);
}

static void
pages_without_places_are_read_once(void **state)
{
    struct fixture *f = *state;
    use_places(f);
    f->poll->pages.restart = false; /* its tokens name rows */
    begin(f);
    page(f, ONE, WALK_ASK);
    page(f, TWO, WALK_WHOLE);
}

static void
a_span_is_read_twice_where_its_place_fills_pages(void **state)
{
    struct fixture *f = *state;
    use_places(f);
    f->plan.is_backfill = true;
    f->plan.overlap_ms = 0;
    memset(&f->state, 0, sizeof f->state);
    f->state.has_start = true;
    f->state.start_ms = 100 * MINUTE;
    f->state.backfill.phase = BACKFILL_RUNNING;
    f->state.backfill.since_ms = 100 * MINUTE;
    f->state.backfill.until_ms = 101 * MINUTE;
    begin(f);
    page(f, ONE, WALK_ASK);
    page(f, "{\"rows\":[{\"id\":9,\"at\":9000}]}", WALK_ASK);
    page(f, ONE, WALK_ASK);
    page(f, "{\"rows\":[{\"id\":9,\"at\":9000}]}", WALK_WHOLE);
}

#define LATE  "Tue, 14 Nov 2023 22:29:59 GMT" /* NOW and 999 s */
#define LATER "Tue, 14 Nov 2023 22:30:00 GMT"

/* The provider drops 6001 when LATER is over; the next walk, if it came in
 * time, would read all of the place again. */
static void
use_retention(struct fixture *f, int64_t retention_ms)
{
    memset(&f->state, 0, sizeof f->state);
    use_places(f);
    f->poll->retention_ms = retention_ms;
    f->plan.overlap_ms = NOW;
    f->state.start_ms = 100 * MINUTE;
    begin(f);
    assert_cursor(f, "6000");
}

#define KEPT (NOW - 5000 * SECOND)

static void
a_place_is_begun_anew_once_the_list_may_have_dropped_its_top(void **state)
{
    static const char by_rows[] = "{\"rows\":[{\"id\":5,\"at\":1700001001}]}";
    static const struct {
        const char *first, *then, *body;
        int64_t retention_ms;
        bool anew;
    } cases[] = {
        { DATE, LATE, TWO, KEPT, false },
        { DATE, LATER, TWO, KEPT, true },
        { DATE, LATER, TWO, 0, false },
        { LATER, LATER, TWO, KEPT, false }, /* it keeps more than it says */
        { NULL, NULL, TWO, KEPT, false },
        { NULL, NULL, by_rows, KEPT, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture *f = *state;
        use_retention(f, cases[i].retention_ms);
        f->date = cases[i].first;
        page(f, ONE, WALK_ASK);
        reopen(f);
        assert_page(f, "p2");
        f->date = cases[i].then;
        page(f, cases[i].body, cases[i].anew ? WALK_ASK : WALK_WHOLE);
        assert_page(f, NULL);
        assert_cursor(f, "6000");
    }
}

static void
a_list_that_drops_rows_as_fast_as_they_are_read_is_read_all_the_same(
    void **state)
{
    struct fixture *f = *state;
    use_retention(f, KEPT);
    for (int i = 0; i <= 5; i++) {
        f->date = DATE;
        page(f, ONE, WALK_ASK);
        assert_page(f, "p2");
        f->date = LATER;
        page(f, TWO, i < 5 ? WALK_ASK : WALK_WHOLE);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_full_place_is_read_until_it_shows_the_same_twice),
        TEST(a_row_that_slipped_between_two_pages_is_met_the_next_time),
        TEST(a_place_is_left_for_the_next_only_when_it_held_still),
        TEST(rows_in_another_order_are_the_same_rows),
        TEST(a_row_that_changed_inside_its_place_has_moved),
        TEST(a_place_that_never_holds_still_fails_the_walk),
        TEST(each_place_may_take_its_turns),
        TEST(a_place_that_the_next_walk_reads_again_is_read_once),
        TEST(what_a_walk_read_last_counts_over_a_restart),
        TEST(pages_without_places_are_read_once),
        TEST(a_span_is_read_twice_where_its_place_fills_pages),
        TEST(a_place_is_begun_anew_once_the_list_may_have_dropped_its_top),
        TEST(
            a_list_that_drops_rows_as_fast_as_they_are_read_is_read_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
