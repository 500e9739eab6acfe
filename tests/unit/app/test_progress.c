/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/progress.h"

static void
a_line_is_as_long_each_time_and_says_how_far_it_is(void **state)
{
    static const struct {
        uint64_t done, total;
        int64_t count;
        const char *line;
    } rows[] = {
        { 0, 0, 0, "0 events" },
        { 5, 0, 12345, "12345 events" },
        { 0, 10, 0, "[--------------------]   0 %  0 events" },
        { 1, 3, 7, "[#######-------------]  33 %  7 events" },
        { 10, 10, 9, "[####################] 100 %  9 events" },
        { 11, 10, 9, "[####################] 100 %  9 events" },
        { UINT64_MAX - 1, UINT64_MAX, 1,
          "[####################] 100 %  1 events" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf line = { 0 };
        progress_line(rows[i].done, rows[i].total, rows[i].count, "events",
                      &line);
        assert_int_equal(line.len, 78);
        assert_string_equal(slice_trim(buf_slice(&line)).ptr, line.ptr);
        assert_true(
            slice_equal_text(slice_trim(buf_slice(&line)), rows[i].line));
        buf_fini(&line);
    }
}

static void
off_a_terminal_nothing_is_shown(void **state)
{
    struct progress progress = { 0 };
    (void)state;
    progress_tell(&progress, 1, 2, 3, "events");
    assert_false(progress.has_line);
    progress_end(&progress);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_as_long_each_time_and_says_how_far_it_is),
        cmocka_unit_test(off_a_terminal_nothing_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
