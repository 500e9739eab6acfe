/* SPDX-License-Identifier: MIT */
#include "walk_fixture.h"

#include "model/walk_cursor.h"
#include "wire/zone.h"

static void
ids_compare_as_numbers_of_any_length(void **state)
{
    (void)state;
    static const struct {
        const char *less;
        const char *more;
        int text; /* how their bytes compare */
    } rows[] = {
        { "9", "10", 1 },
        { "99999999999999999999", "100000000000000000000", 1 },
        { "1699956000.000100", "1699956000.0002", -1 },
        { "1699956000", "1699956000.000100", -1 },
        { "9.9", "10", 1 },
        { "9.99999999", "10.1", 1 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cursor_spec cursor = { .numeric = true };
        struct slice less = slice_of(rows[i].less);
        struct slice more = slice_of(rows[i].more);
        assert_true(walk_cursor_compare(&cursor, less, more) < 0);
        assert_true(walk_cursor_compare(&cursor, more, less) > 0);
        assert_int_equal(walk_cursor_compare(&cursor, less, less), 0);
        cursor.numeric = false;
        assert_true((walk_cursor_compare(&cursor, less, more) < 0) ==
                    (rows[i].text < 0));
    }
}

/* 2026-10-25, 02:00 to 03:00 in Berlin comes twice: what is sent then is the
 * minute before, and stays so, that no page is taken for an advance. */
static void
a_cursor_waits_before_an_hour_that_comes_twice(void **state)
{
    static const struct {
        int64_t at_ms;
        const char *sent;
    } rows[] = {
        { INT64_C(1792886339000), "2026-10-25 01:58" },
        { INT64_C(1792886400000), "2026-10-25 01:59" },
        { INT64_C(1792888200000), "2026-10-25 01:59" },
        { INT64_C(1792893540000), "2026-10-25 01:59" },
        { INT64_C(1792893600000), "2026-10-25 03:00" },
    };
    struct fixture *f = *state;
    struct cursor_spec *cursor = &f->poll->cursor;
    cursor->kind = CURSOR_TIME;
    cursor->format = TIMEFMT_MINUTE;
    cursor->inclusive = true;
    cursor->send = true;
    assert_int_equal(zone_rule(slice_of("CET-1CEST,M3.5.0,M10.5.0/3"),
                               &f->arena, &cursor->zone),
                     STATUS_OK);
    int64_t sent_ms = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(walk_cursor_set_time(&f->connector, &f->state,
                                              rows[i].at_ms, &f->arena),
                         STATUS_OK);
        assert_cursor(f, rows[i].sent);
        assert_true(f->state.cursor_ms >= sent_ms);
        assert_true(i != 2 || f->state.cursor_ms == sent_ms);
        sent_ms = f->state.cursor_ms;
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_compare_as_numbers_of_any_length),
        TEST(a_cursor_waits_before_an_hour_that_comes_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
