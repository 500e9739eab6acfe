/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "model/errand.h"

static const struct errand whole = {
    .kind = AGAIN_REPLAY,
    .is_over = true,
    .filter = { .event = 1879000000000000001,
                .connector = SLICE("shop"),
                .handler = SLICE("mail \"a\""),
                .type = SLICE("order.*"),
                .reason = SLICE("http 5"),
                .since_ms = 5,
                .until_ms = 6 },
    .rate = 100,
    .rate_per_ms = 1000,
    .at = 7,
    .first = 3,
    .last = UINT64_C(1879000000000000003),
    .total = 12,
    .began_ms = 8,
    .ended_ms = 9,
};

static void
what_is_stored_is_read_back_whole(void **state)
{
    (void)state;
    struct buf text = { 0 };
    struct buf again = { 0 };
    struct arena arena = { 0 };
    struct errand errand;
    errand_encode(&whole, &text);
    assert_int_equal(errand_decode(buf_slice(&text), &arena, &errand),
                     STATUS_OK);
    size_t len = text.len;
    errand_encode(&errand, &again);
    assert_int_equal(again.len, len);
    assert_memory_equal(again.ptr, text.ptr, len);
    /* nothing of it is borrowed of the text */
    memset(text.ptr, 'x', text.len);
    assert_true(slice_equal(errand.filter.connector, whole.filter.connector));
    assert_true(slice_equal(errand.filter.handler, whole.filter.handler));
    assert_true(errand.filter.event == whole.filter.event);
    buf_fini(&text);
    buf_fini(&again);
    arena_fini(&arena);
}

static void
what_is_no_errand_is_not_taken_for_one(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"kind\":0}",
        "{\"kind\":4}",
        "{\"kind\":\"retry\"}",
        "{\"kind\":1,\"at\":-1}",
        "{\"kind\":1,\"total\":\"x\"}",
        "{\"kind\":1",
    };
    struct arena arena = { 0 };
    struct errand errand;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(errand_decode(slice_of(texts[i]), &arena, &errand),
                         STATUS_CORRUPT);
    }
    assert_int_equal(
        errand_decode(slice_of("{\"kind\":1,\"new\":[1]}"), &arena, &errand),
        STATUS_OK);
    arena_fini(&arena);
}

static void
a_letter_is_found_by_a_part_of_its_words_in_any_case(void **state)
{
    (void)state;
    static const struct {
        const char *asked;
        bool found;
    } rows[] = {
        { "", true },        { "HTTP 5", true }, { "http 503", true },
        { "used up", true }, { "all", true },    { "http 5033", false },
        { "upH", false },    { "3", true },      { "refused", false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct errand_filter filter = { .reason =
                                                  slice_of(rows[i].asked) };
        assert_int_equal(errand_says(&filter,
                                     slice_of("all attempts are used up"),
                                     slice_of("http 503")),
                         rows[i].found);
    }
}

static void
no_more_are_open_than_are_allowed(void **state)
{
    (void)state;
    static const struct {
        enum again kind;
        int64_t open;
        size_t room;
    } rows[] = {
        { AGAIN_RETRY, 0, 10 },   { AGAIN_RETRY, 95, 5 },
        { AGAIN_REPLAY, 100, 0 }, { AGAIN_REPLAY, 200, 0 },
        { AGAIN_DROP, 200, 10 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct errand errand = { .kind = rows[i].kind };
        const struct errand_pace pace = { 0 };
        int64_t wait_ms = 0;
        assert_int_equal(
            errand_room(&errand, &pace, rows[i].open, 100, 10, 1000, &wait_ms),
            rows[i].room);
        assert_true(rows[i].room > 0 || wait_ms > 0);
    }
}

/* How many go in ten seconds. */
static int64_t
in_ten_seconds(int64_t rate, int64_t per_ms)
{
    const struct errand errand = { .kind = AGAIN_RETRY,
                                   .rate = rate,
                                   .rate_per_ms = per_ms };
    struct errand_pace pace = { 0 };
    int64_t now_ms = 1000000;
    int64_t went = 0;
    while (now_ms < 1010000) {
        int64_t wait_ms = 1;
        assert_true(went < 20000); /* no rate at all */
        size_t room =
            errand_room(&errand, &pace, 0, 1000, 100, now_ms, &wait_ms);
        if (room > 0) {
            errand_went(&errand, &pace, room, now_ms);
            went += (int64_t)room;
        } else {
            assert_true(wait_ms > 0);
            now_ms += wait_ms;
        }
    }
    return went;
}

static void
a_rate_is_kept(void **state)
{
    (void)state;
    static const struct {
        int64_t rate, per_ms, least, most;
    } rows[] = {
        { 1, 1000, 10, 11 },      { 3, 1000, 30, 32 },
        { 100, 1000, 995, 1010 }, { 1000, 1000, 9900, 10110 },
        { 1, 60000, 1, 1 },       { 60, 60000, 10, 11 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t went = in_ten_seconds(rows[i].rate, rows[i].per_ms);
        assert_in_range(went, rows[i].least, rows[i].most);
    }
}

static void
progress_runs_from_the_first_to_the_last(void **state)
{
    (void)state;
    static const struct {
        uint64_t at, first, last;
        bool over;
        int permille;
    } rows[] = {
        { 0, 10, 20, false, 0 },
        { 10, 10, 10, false, 0 },
        { 15, 10, 2010, false, 1 },
        { UINT64_C(1879000000000000000), UINT64_C(1878000000000000000),
          UINT64_C(1880000000000000000), false, 499 },
        { 3, 10, 20, true, 1000 },
        { 30, 10, 20, false, 0 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct errand errand = { .at = rows[i].at,
                                       .first = rows[i].first,
                                       .last = rows[i].last,
                                       .is_over = rows[i].over };
        assert_int_equal(errand_permille(&errand), rows[i].permille);
    }
}

static void
nothing_younger_is_reached(void **state)
{
    (void)state;
    struct errand errand = { .at = 3, .last = 9 };
    assert_true(errand_reach(&errand, 8));
    assert_int_equal(errand.at, 8);
    assert_true(errand_reach(&errand, 9));
    assert_false(errand_reach(&errand, 10));
    assert_int_equal(errand.at, 9);
}

static void
memory_that_runs_out_is_told(void **state)
{
    (void)state;
    struct buf text = { 0 };
    struct errand errand;
    enum status status = STATUS_NOMEM;
    errand_encode(&whole, &text);
    for (long n = 0; status == STATUS_NOMEM && n < 20; n++) {
        struct arena arena = { 0 };
        (void)mem_fail_after(n, 0);
        status = errand_decode(buf_slice(&text), &arena, &errand);
        (void)mem_fail_after(-1, 0);
        arena_fini(&arena);
    }
    assert_int_equal(status, STATUS_OK);
    buf_fini(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_stored_is_read_back_whole),
        cmocka_unit_test(what_is_no_errand_is_not_taken_for_one),
        cmocka_unit_test(a_letter_is_found_by_a_part_of_its_words_in_any_case),
        cmocka_unit_test(no_more_are_open_than_are_allowed),
        cmocka_unit_test(a_rate_is_kept),
        cmocka_unit_test(progress_runs_from_the_first_to_the_last),
        cmocka_unit_test(nothing_younger_is_reached),
        cmocka_unit_test(memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
