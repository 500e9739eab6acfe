/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/tail_line.h"

#define NOW_MS ((int64_t)1790000000000) /* 2026-09-21T14:13:20Z */

static void
each_line_says_when_and_what(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        { "events",
          "{\"connector\":\"shop\",\"type\":\"order.paid\",\"id\":\"evt_1\","
          "\"via\":\"webhook\",\"received\":\"2026-09-21T14:13:19.000Z\"}",
          "14:13:19  event     shop order.paid evt_1 by webhook\n" },
        { "deliveries",
          "{\"connector\":\"shop\",\"type\":\"order.paid\",\"id\":\"evt_1\","
          "\"handler\":\"log\",\"attempt\":1,\"outcome\":\"done\","
          "\"started\":\"2026-09-21T14:13:18.900Z\",\"duration_ms\":100,"
          "\"due\":null,\"detail\":null}",
          "14:13:19  done      shop order.paid evt_1 to log, attempt 1, "
          "100 ms\n" },
        { "deliveries",
          "{\"connector\":\"shop\",\"type\":\"order.paid\",\"id\":\"evt_1\","
          "\"handler\":\"log\",\"attempt\":2,\"replay\":true,\"outcome\":"
          "\"retry\","
          "\"started\":\"2026-09-21T14:13:18.900Z\",\"duration_ms\":100,"
          "\"due\":\"2026-09-21T14:14:00.000Z\",\"detail\":\"exit 1\"}",
          "14:13:19  retry     shop order.paid evt_1 to log, a replay, attempt "
          "2, "
          "100 ms: exit 1; again at 14:14:00\n" },
        { "walks", "{\"connector\":\"shop\"}", "" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf line = { 0 };
        tail_line(slice_of(rows[i][0]), slice_of(rows[i][1]), NOW_MS, &line);
        assert_string_equal(line.ptr == NULL ? "" : line.ptr, rows[i][2]);
        buf_fini(&line);
    }
}

static void
nothing_from_outside_moves_a_terminal(void **state)
{
    (void)state;
    static const char *const topics[] = { "events", "deliveries" };
    static const char data[] =
        "{\"connector\":\"s\\u001b[1m\",\"type\":\"a\\n\\u009b2Jb\","
        "\"id\":\"\\u0007\",\"via\":\"\\r\",\"handler\":\"\\u001b\","
        "\"outcome\":\"\\u001bc\",\"detail\":\"\\u0000x\"}";
    for (size_t i = 0; i < 2; i++) {
        struct buf line = { 0 };
        tail_line(slice_of(topics[i]), slice_of(data), NOW_MS, &line);
        assert_true(line.len > 0);
        for (size_t at = 0; at + 1 < line.len; at++) {
            assert_in_range((unsigned char)line.ptr[at], 0x20, 0x7e);
        }
        buf_fini(&line);
    }
}

static void
a_line_of_json_has_its_topic_first(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "{\"a\":1}", "{\"topic\":\"events\",\"a\":1}\n" },
        { " {}", "{\"topic\":\"events\"}\n" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf line = { 0 };
        tail_json(slice_of("events"), slice_of(rows[i][0]), &line);
        assert_string_equal(line.ptr, rows[i][1]);
        buf_fini(&line);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_says_when_and_what),
        cmocka_unit_test(nothing_from_outside_moves_a_terminal),
        cmocka_unit_test(a_line_of_json_has_its_topic_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
