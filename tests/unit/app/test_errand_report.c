/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "app/errand_report.h"

#define ERRAND(state, percent, open)                                           \
    "{\"errand\":\"7\",\"kind\":\"retry\",\"state\":\"" state                  \
    "\",\"matches\":12,\"done\":8,\"skipped\":1,\"open\":" open                \
    ",\"percent\":" percent "}"

static void
an_errand_is_told_in_one_line(void **state)
{
    (void)state;
    static const struct {
        const char *json, *line;
        bool running, done;
    } rows[] = {
        { ERRAND("running", "70", "3"),
          "errand 7 retry running, 70 %: 8 owed again, 1 skipped, 3 not over "
          "yet",
          true, false },
        { ERRAND("done", "100", "0"),
          "errand 7 retry done: 8 owed again, 1 skipped", false, true },
        { ERRAND("cancelled", "900", "0"),
          "errand 7 retry cancelled, 100 %: 8 owed again, 1 skipped", false,
          false },
        { "{\"errand\":\"9\",\"kind\":\"drop\",\"state\":\"done\",\"done\":2}",
          "errand 9 drop done: 2 dropped, 0 skipped", false, true },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf text = { 0 };
        struct slice json = slice_of(rows[i].json);
        errand_report_line(json, &text);
        assert_string_equal(text.ptr, rows[i].line);
        assert_int_equal(errand_report_is_running(json), rows[i].running);
        assert_int_equal(errand_report_is_done(json), rows[i].done);
        buf_fini(&text);
    }
}

static void
a_bar_is_always_as_long(void **state)
{
    (void)state;
    static const char *const rows[] = { ERRAND("running", "0", "3"),
                                        ERRAND("running", "50", "3"),
                                        ERRAND("done", "100", "0"), "{}" };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf text = { 0 };
        errand_report_bar(slice_of(rows[i]), &text);
        assert_int_equal(text.len, 78);
        buf_fini(&text);
    }
    struct buf half = { 0 };
    errand_report_bar(slice_of(rows[1]), &half);
    assert_non_null(strstr(half.ptr, "[##########----------]  50 %  8 owed"));
    buf_fini(&half);
}

static void
a_count_is_a_sentence(void **state)
{
    (void)state;
    static const struct {
        bool events;
        int64_t matches;
        const char *words;
    } rows[] = {
        { false, 0, "no dead letter meets this" },
        { false, 1, "1 dead letter meets this" },
        { true, 3210, "3210 events meet this" },
        { true, 0, "no event meets this" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf text = { 0 };
        errand_report_matches(rows[i].events, rows[i].matches, &text);
        assert_string_equal(text.ptr, rows[i].words);
        buf_fini(&text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_errand_is_told_in_one_line),
        cmocka_unit_test(a_bar_is_always_as_long),
        cmocka_unit_test(a_count_is_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
