/* SPDX-License-Identifier: MIT */
#include "walk_fixture.h"

#include "base/prng.h"
#include "model/request.h"
#include "model/walk_span.h"

/* ---- one step at a time ---- */

static void
use_spans(struct fixture *f, int64_t window_ms, int64_t full)
{
    static const char *const pairs[] = { "from", "{cursor}", "to", "{until}",
                                         NULL };
    f->poll->request.query =
        list_pairs(pairs, &f->arena, &f->poll->request.query_count);
    f->poll->order = ORDER_DESC;
    f->poll->cursor.window_ms = window_ms;
    f->poll->cursor.full = full;
}

static void
assert_span(struct fixture *f, int64_t from_ms, int64_t until_ms)
{
    struct rendered_request request;
    struct error err;
    char want[128];
    assert_int_equal(f->state.from_ms, from_ms);
    assert_int_equal(f->state.until_ms, until_ms);
    assert_int_equal(
        request_render(&f->connector, &f->state, &f->arena, &request, &err),
        STATUS_OK);
    (void)snprintf(want, sizeof want,
                   "https://api.test/v1/events?from=%lld&to=%lld",
                   (long long)from_ms / 1000, (long long)until_ms / 1000);
    if (!slice_equal_text(request.url, want)) {
        fail_msg("%.*s, not %s", SLICE_ARG(request.url), want);
    }
}

#define ONE "{\"rows\":[{\"at\":1699999000}]}"
#define TWO "{\"rows\":[{\"at\":1699999000},{\"at\":1699998999}]}"
#define NIL "{\"rows\":[]}"

static void
a_full_answer_halves_the_span_and_thin_ones_double_it(void **state)
{
    struct fixture *f = *state;
    use_spans(f, 40 * MINUTE, 2);
    set_hw(f, NOW - HOUR);
    begin(f);
    int64_t a = NOW - HOUR - MINUTE;
    assert_span(f, a, a + 40 * MINUTE);
    page(f, TWO, WALK_ASK);
    assert_span(f, a, a + 20 * MINUTE);
    page(f, TWO, WALK_ASK);
    assert_span(f, a, a + 10 * MINUTE);
    /* Half full: twice as long would be full again. */
    page(f, ONE, WALK_ASK);
    assert_span(f, a + 10 * MINUTE, a + 20 * MINUTE);
    page(f, NIL, WALK_ASK);
    assert_span(f, a + 20 * MINUTE, a + 40 * MINUTE);
    assert_int_equal(f->state.hw_ms, NOW - HOUR);
    page(f, NIL, WALK_ASK);
    assert_span(f, a + 40 * MINUTE, NOW);
    page(f, ONE, WALK_WHOLE);
    /* Bounded by what was asked for, and by the clock when it began. */
    assert_int_equal(f->state.hw_ms, NOW - 1500);
    assert_int_equal(f->state.span_ms, 40 * MINUTE);
}

static void
the_shortest_span_that_stays_full_is_a_gap_the_third_time(void **state)
{
    struct fixture *f = *state;
    use_spans(f, 4 * SECOND, 2);
    f->plan.overlap_ms = 0;
    set_hw(f, NOW - 4 * SECOND);
    begin(f);
    page(f, TWO, WALK_ASK);
    page(f, TWO, WALK_ASK);
    assert_span(f, NOW - 4 * SECOND, NOW - 3 * SECOND);
    for (int i = 0; i < 2; i++) {
        page(f, TWO, WALK_FAILED);
        assert_false(f->step.has_gap);
        assert_int_equal(f->state.hw_ms, NOW - 4 * SECOND);
        begin(f);
        assert_span(f, NOW - 4 * SECOND, NOW - 3 * SECOND);
    }
    page(f, TWO, WALK_ASK);
    assert_gap(f, GAP_TIE, NOW - 4 * SECOND, NOW - 3 * SECOND);
    assert_span(f, NOW - 3 * SECOND, NOW - 2 * SECOND);
}

static void
a_walk_that_is_resumed_does_not_read_a_span_twice(void **state)
{
    static const enum page_kind kinds[] = { PAGE_NONE, PAGE_NUMBER };
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        memset(&f->state, 0, sizeof f->state);
        use_spans(f, 10 * MINUTE, 5);
        f->poll->pages.kind = kinds[i];
        f->poll->pages.size = i == 0 ? 0 : 2;
        set_hw(f, NOW - HOUR);
        begin(f);
        page(f, ONE, WALK_ASK);
        int64_t from = NOW - 51 * MINUTE;
        if (kinds[i] == PAGE_NUMBER) {
            page(f, TWO, WALK_ASK);
            assert_page(f, "1");
        }
        f->plan.resumable = false;
        f->now.our_ms += HOUR;
        f->now.provider_ms += HOUR;
        begin(f);
        /* Numbered pages begin again, and with their span. */
        assert_page(f, NULL);
        assert_span(f, from, from + 10 * MINUTE);
        assert_int_equal(f->state.now_ms, NOW);
        page(f, TWO, WALK_ASK);
        f->now = (struct walk_now){ NOW, NOW };
        f->plan.resumable = true;
    }
}

static void
a_span_counts_the_rows_of_all_its_pages(void **state)
{
    struct fixture *f = *state;
    use_spans(f, 10 * MINUTE, 4);
    f->poll->pages.kind = PAGE_LINK;
    set_hw(f, NOW - 9 * MINUTE);
    begin(f);
    f->link = "</v1/events?from=1&page=2>; rel=\"next\"";
    page(f, TWO, WALK_ASK);
    assert_true(f->state.has_page);
    page(f, TWO, WALK_ASK);
    f->link = NULL;
    assert_span(f, NOW - 10 * MINUTE, NOW - 5 * MINUTE);
}

static void
a_clock_of_ours_that_is_years_ahead_makes_no_years_of_spans(void **state)
{
    struct fixture *f = *state;
    use_spans(f, HOUR, 100);
    set_hw(f, NOW - HOUR);
    f->now = (struct walk_now){ NOW + 3650 * DAY, 0 };
    begin(f);
    page(f, NIL, WALK_ASK);
    page(f, NIL, WALK_WHOLE);
    assert_int_equal(f->state.hw_ms, NOW - 1500);
    /* Behind: the first answer says up to when there is something to ask. */
    f->now = (struct walk_now){ NOW - 3650 * DAY, 0 };
    begin(f);
    assert_int_equal(f->state.until_ms, f->state.from_ms + SECOND);
    page(f, NIL, WALK_ASK);
    assert_span(f, NOW - MINUTE - SECOND, NOW);
    page(f, NIL, WALK_WHOLE);
    assert_int_equal(f->state.hw_ms, NOW - 1500);
}

static void
one_date_that_is_years_off_makes_no_years_of_spans(void **state)
{
    struct fixture *f = *state;
    use_spans(f, HOUR, 100);
    set_hw(f, NOW - HOUR);
    f->now.provider_ms = NOW + 3650 * DAY;
    begin(f);
    page(f, NIL, WALK_ASK);
    page(f, NIL, WALK_WHOLE);
    assert_int_equal(f->state.hw_ms, NOW - 1500);
    /* Years behind in the midst of a walk: what is left out was not read. */
    set_hw(f, NOW - DAY);
    f->now.provider_ms = NOW;
    begin(f);
    page(f, NIL, WALK_ASK);
    f->date = "Thu, 14 Nov 2013 22:13:20 GMT";
    page(f, NIL, WALK_WHOLE);
    assert_int_equal(f->state.hw_ms, NOW - DAY);
}

static void
a_past_span_is_not_read_beyond_its_end(void **state)
{
    struct fixture *f = *state;
    use_spans(f, HOUR, 100);
    set_hw(f, NOW - HOUR);
    f->state.backfill.until_ms = NOW - 30 * MINUTE + 1;
    begin(f);
    assert_span(f, NOW - 61 * MINUTE, NOW - 30 * MINUTE + SECOND);
    page(f, NIL, WALK_WHOLE);
}

/* ---- a list of 30,000 rows ---- */

enum { ROWS = 30000, FULL = 100, ASKED_MAX = 20000 };

struct list {
    int64_t at_s[ROWS];
    bool read[ROWS];
    bool excludes_until; /* [from, until) instead of [from, until] */
    size_t asked, full;
};

/* Ten days: thin, with hours and seconds that are crowded; one second holds
 * more than any answer shows. */
static void
make_list(struct list *list, uint64_t seed)
{
    struct prng prng = { seed };
    int64_t ends_s = NOW / 1000 - 60;
    int64_t at_s = ends_s - 10 * 86400;
    for (size_t i = 0; i < ROWS; i++) {
        if (i == 15000) {
            at_s++;
        } else if (i < 15000 || i > 15000 + 2 * FULL) {
            at_s += prng_below(&prng, 100) < 97
                        ? (int64_t)prng_below(&prng, 3)
                        : (int64_t)prng_below(&prng, 900);
        }
        list->at_s[i] = at_s < ends_s ? at_s : ends_s;
        if (i == 15000 + 2 * FULL) {
            at_s++;
        }
    }
}

/* Returns how many rows stand before `at_s`. */
static size_t
rows_before(const struct list *list, int64_t at_s)
{
    size_t low = 0;
    size_t high = ROWS;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (list->at_s[middle] < at_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Answers as the list would: the newest FULL of what was asked for. */
static void
answer_span(struct fixture *f, struct list *list)
{
    static char body[FULL * 24 + 64];
    int64_t from_s = f->state.cursor_ms / 1000;
    int64_t until_s = f->state.until_ms / 1000;
    size_t used = (size_t)snprintf(body, sizeof body, "{\"rows\":[");
    size_t shown = 0;
    size_t first = rows_before(list, from_s);
    size_t end = rows_before(list, until_s + !list->excludes_until);
    for (size_t i = end; i-- > first && shown < FULL;) {
        used +=
            (size_t)snprintf(body + used, sizeof body - used, "%s{\"at\":%lld}",
                             shown++ == 0 ? "" : ",", (long long)list->at_s[i]);
        list->read[i] = true;
    }
    (void)snprintf(body + used, sizeof body - used, "]}");
    list->asked++;
    list->full += shown == FULL;
    assert_int_equal(take(f, 200, body), STATUS_OK);
}

/* The process dies and comes back with what was stored. */
static void
crash(struct fixture *f)
{
    struct buf text = { 0 };
    struct walk_state back;
    int64_t from_ms = f->state.from_ms;
    walk_encode(&f->state, &text);
    assert_int_equal(walk_decode(buf_slice(&text), &f->arena, &back, NULL),
                     STATUS_OK);
    f->state = back;
    f->plan.resumable = false;
    begin(f);
    assert_int_equal(f->state.from_ms, from_ms);
    buf_fini(&text);
}

static void
thirty_thousand_rows_are_read_through_answers_of_a_hundred(void **state)
{
    static struct list list;
    struct fixture *f = *state;
    for (uint64_t seed = 0; seed < 2; seed++) {
        int64_t gap_s = 0;
        size_t gaps = 0;
        memset(&list, 0, sizeof list);
        memset(&f->state, 0, sizeof f->state);
        list.excludes_until = seed == 1;
        make_list(&list, seed);
        use_spans(f, HOUR, FULL);
        f->poll->cursor.inclusive = seed == 0;
        set_hw(f, NOW - 11 * DAY);
        begin(f);
        do {
            answer_span(f, &list);
            if (f->step.has_gap) {
                gaps++;
                gap_s = f->step.gap.from_ms / 1000;
            }
            if (f->step.next == WALK_FAILED || list.asked % 100 == 7) {
                crash(f);
                f->step.next = WALK_ASK;
            }
            assert_int_equal(f->step.next != WALK_WHOLE,
                             f->state.hw_ms == NOW - 11 * DAY);
            assert_true(list.asked < ASKED_MAX);
        } while (f->step.next == WALK_ASK);
        for (size_t i = 0; i < ROWS; i++) {
            bool in_gap = gaps > 0 && list.at_s[i] >= gap_s - 1 &&
                          list.at_s[i] <= gap_s + 1;
            if (!list.read[i] && !in_gap) {
                fail_msg("seed %d: row %zu at %lld was lost", (int)seed, i,
                         (long long)list.at_s[i]);
            }
        }
        assert_in_range(gaps, 1, 3);
        assert_int_equal(f->state.hw_ms, NOW - 1500);
        /* Halving costs; asking second by second would cost more. */
        assert_true(list.asked < 5 * ROWS / FULL);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_full_answer_halves_the_span_and_thin_ones_double_it),
        TEST(the_shortest_span_that_stays_full_is_a_gap_the_third_time),
        TEST(a_walk_that_is_resumed_does_not_read_a_span_twice),
        TEST(a_span_counts_the_rows_of_all_its_pages),
        TEST(a_clock_of_ours_that_is_years_ahead_makes_no_years_of_spans),
        TEST(one_date_that_is_years_off_makes_no_years_of_spans),
        TEST(a_past_span_is_not_read_beyond_its_end),
        TEST(thirty_thousand_rows_are_read_through_answers_of_a_hundred),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
