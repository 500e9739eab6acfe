/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "app/backfill_report.h"

#define JSON(state, from, percent, why)                                        \
    "{\"connector\":\"shop\",\"state\":\"" state "\",\"since\":\"2026-01-01\"" \
    ",\"from\":\"" from "\",\"until\":\"2026-02-01\","                         \
    "\"at\":\"2026-01-15T00:00:00.000Z\",\"percent\":" percent                 \
    ",\"pages\":3,\"rows\":12,\"new\":2,\"known\":10,\"rate\":\"2/1000ms\","   \
    "\"started\":\"s\",\"ended\":null,\"why\":" why "}"

static void
a_line_says_where_it_stands_or_how_it_ended(void **state)
{
    static const struct {
        const char *json;
        const char *line;
        bool is_over, is_done;
    } rows[] = {
        { JSON("running", "2026-01-01", "42.5", "null"),
          "shop: backfill running, 42.5 % of 2026-01-01 to 2026-02-01: 12 "
          "rows, 2 new, 10 known",
          false, false },
        { JSON("done", "2026-01-01", "100.0", "null"),
          "shop: backfill done 2026-01-01 to 2026-02-01: 12 rows, 2 new, 10 "
          "known",
          true, true },
        { JSON("failed", "2026-01-01", "42.5", "\"HTTP 500\""),
          "shop: backfill failed (HTTP 500), 42.5 % of 2026-01-01 to "
          "2026-02-01: 12 rows, 2 new, 10 known",
          true, false },
        { JSON("cancelled", "2026-01-01", "0.0", "\"cancelled\""),
          "shop: backfill cancelled, 0.0 % of 2026-01-01 to 2026-02-01: 12 "
          "rows, 2 new, 10 known",
          true, false },
        { JSON("done", "2026-01-09", "100.0", "null"),
          "shop: backfill done 2026-01-09 to 2026-02-01: 12 rows, 2 new, 10 "
          "known; the provider keeps nothing from before 2026-01-09",
          true, true },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = { 0 };
        struct buf text = { 0 };
        struct backfill_report report;
        assert_int_equal(
            backfill_report_read(slice_of(rows[i].json), &arena, &report),
            STATUS_OK);
        backfill_report_line(&report, &text);
        assert_string_equal(text.ptr, rows[i].line);
        assert_int_equal(report.is_over, rows[i].is_over);
        assert_int_equal(report.is_done, rows[i].is_done);
        buf_fini(&text);
        arena_fini(&arena);
    }
}

static void
a_bar_is_always_as_long(void **state)
{
    static const struct {
        const char *json;
        const char *head;
    } rows[] = {
        { JSON("running", "f", "0.0", "null"), "[--------------------] 0.0 %" },
        { JSON("running", "f", "42.5", "null"),
          "[#########-----------] 42.5 %  2026-01-15T00:00:00  2 new" },
        { JSON("running", "f", "99.9", "null"), "[####################]" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = { 0 };
        struct buf text = { 0 };
        struct backfill_report report;
        assert_int_equal(
            backfill_report_read(slice_of(rows[i].json), &arena, &report),
            STATUS_OK);
        backfill_report_bar(&report, &text);
        assert_int_equal(text.len, 78);
        if (!slice_starts(buf_slice(&text), slice_of(rows[i].head))) {
            fail_msg("%s", text.ptr);
        }
        buf_fini(&text);
        arena_fini(&arena);
    }
}

static void
what_is_no_progress_is_refused(void **state)
{
    static const char *const texts[] = { "", "{}", "[1]", "{\"state\":1" };
    struct arena arena = { 0 };
    struct backfill_report report;
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(
            backfill_report_read(slice_of(texts[i]), &arena, &report),
            STATUS_PROTOCOL);
    }
    arena_fini(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_where_it_stands_or_how_it_ended),
        cmocka_unit_test(a_bar_is_always_as_long),
        cmocka_unit_test(what_is_no_progress_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
