/* SPDX-License-Identifier: MIT */
#include "walk_fixture.h"

#include "base/prng.h"

static void
use_offsets(struct fixture *f, int64_t size)
{
    f->poll->order = ORDER_DESC;
    f->poll->pages.kind = PAGE_OFFSET;
    f->poll->pages.size = size;
    f->poll->record.id = list_template("{item:id}", &f->arena);
    set_hw(f, NOW - HOUR);
}

#define ROW(id) "{\"id\":" #id ",\"at\":1699999999}"

static void
a_page_overlaps_the_last_one_by_a_row(void **state)
{
    struct fixture *f = *state;
    use_offsets(f, 0);
    begin(f);
    page(f, "{\"rows\":[" ROW(9) "," ROW(8) "," ROW(7) "]}", WALK_ASK);
    assert_page(f, "2");
    /* The row may have changed, and new ones may have come above. */
    page(f, "{\"rows\":[{\"id\":8},{\"id\":7,\"x\":1},{\"id\":6}]}", WALK_ASK);
    assert_page(f, "4");
    page(f, "{\"rows\":[" ROW(6) "]}", WALK_WHOLE);
    assert_int_equal(f->state.hw_ms, NOW - 1500);
}

static void
a_row_that_moved_up_is_gone_back_for(void **state)
{
    struct fixture *f = *state;
    use_offsets(f, 3);
    begin(f);
    page(f, "{\"rows\":[" ROW(9) "," ROW(8) "," ROW(7) "]}", WALK_ASK);
    page(f, "{\"rows\":[" ROW(7) "," ROW(6) "," ROW(5) "]}", WALK_ASK);
    assert_page(f, "4");
    /* 9 and 8 were deleted. */
    page(f, "{\"rows\":[" ROW(3) "," ROW(2) "]}", WALK_ASK);
    assert_page(f, "1");
    page(f, "{\"rows\":[" ROW(6) "," ROW(5) "," ROW(4) "]}", WALK_ASK);
    assert_page(f, "3");
    page(f, "{\"rows\":[" ROW(4) "," ROW(3) "]}", WALK_WHOLE);
}

static void
a_row_that_is_gone_itself_makes_the_walk_begin_again(void **state)
{
    struct fixture *f = *state;
    use_offsets(f, 3);
    begin(f);
    for (int i = 0; i < 6; i++) {
        page(f, "{\"rows\":[" ROW(9) "," ROW(8) "," ROW(7) "]}", WALK_ASK);
        assert_page(f, "2");
        page(f, "{\"rows\":[]}", WALK_ASK);
        assert_page(f, "0");
        page(f, "{\"rows\":[" ROW(9) "," ROW(8) "," ROW(6) "]}",
             i < 5 ? WALK_ASK : WALK_FAILED);
        assert_page(f, NULL);
    }
    assert_false(f->state.open);
    assert_int_equal(f->state.hw_ms, NOW - HOUR);
    begin(f);
    assert_int_equal(f->state.restarts, 0);
    page(f, "{\"rows\":[" ROW(9) "]}", WALK_WHOLE);
}

static void
a_page_of_one_row_has_nothing_to_overlap_by(void **state)
{
    static const int64_t sizes[] = { 0, 1 };
    struct fixture *f = *state;
    for (size_t i = 0; i < 2; i++) {
        memset(&f->state, 0, sizeof f->state);
        use_offsets(f, sizes[i]);
        begin(f);
        page(f, "{\"rows\":[" ROW(9) "]}", WALK_ASK);
        assert_page(f, "1");
        page(f, "{\"rows\":[" ROW(8) "]}", WALK_ASK);
        assert_page(f, "2");
        page(f, "{\"rows\":[]}", WALK_WHOLE);
    }
}

/* ---- a list whose rows come and go while it is read ---- */

enum { ROWS = 400, PAGE = 10 };

static void
no_row_that_stays_is_missed_while_others_are_deleted(void **state)
{
    struct fixture *f = *state;
    int whole = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct prng prng = { seed };
        int list[ROWS];
        bool read[2 * ROWS] = { false };
        int count = ROWS;
        int newest = ROWS;
        for (int i = 0; i < ROWS; i++) {
            list[i] = ROWS - i;
        }
        memset(&f->state, 0, sizeof f->state);
        use_offsets(f, PAGE);
        begin(f);
        do {
            char body[1024];
            int64_t at = 0;
            size_t used = (size_t)snprintf(body, sizeof body, "{\"rows\":[");
            if (f->state.has_page) {
                assert_int_equal(slice_to_i64(f->state.page, &at), STATUS_OK);
            }
            for (int i = (int)at; i < count && i < at + PAGE; i++) {
                used += (size_t)snprintf(body + used, sizeof body - used,
                                         "%s{\"id\":%d}", i == at ? "" : ",",
                                         list[i]);
                read[list[i]] = true;
            }
            (void)snprintf(body + used, sizeof body - used, "]}");
            assert_int_equal(take(f, 200, body), STATUS_OK);
            /* One in eight pages a row goes, or a new one comes. */
            if (prng_below(&prng, 8) == 0 && count > 0) {
                int gone = (int)prng_below(&prng, (uint64_t)count);
                memmove(&list[gone], &list[gone + 1],
                        (size_t)(--count - gone) * sizeof list[0]);
            } else if (prng_below(&prng, 8) == 0 && count < ROWS) {
                memmove(&list[1], &list[0], (size_t)count++ * sizeof list[0]);
                list[0] = ++newest;
            }
        } while (f->step.next == WALK_ASK);
        whole += f->step.next == WALK_WHOLE;
        for (int i = 0; f->step.next == WALK_WHOLE && i < count; i++) {
            if (list[i] <= ROWS && !read[list[i]]) {
                fail_msg("seed %d: row %d was missed", (int)seed, list[i]);
            }
        }
    }
    assert_int_equal(whole, 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_page_overlaps_the_last_one_by_a_row),
        TEST(a_row_that_moved_up_is_gone_back_for),
        TEST(a_row_that_is_gone_itself_makes_the_walk_begin_again),
        TEST(a_page_of_one_row_has_nothing_to_overlap_by),
        TEST(no_row_that_stays_is_missed_while_others_are_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
