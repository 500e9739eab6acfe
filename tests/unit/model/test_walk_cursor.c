/* SPDX-License-Identifier: MIT */
#include "walk_fixture.h"

#include "model/walk_cursor.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_compare_as_numbers_of_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
