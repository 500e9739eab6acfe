/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "wire/json.h"
#include "wire/worker_line.h"

static void
a_delivery_is_its_envelope_with_attempt_and_key(void **state)
{
    (void)state;
    struct buf into = { 0 };
    worker_line_write(slice_of("{\"id\":\"evt_1\"}"), 3,
                      slice_of("shop/evt%201"), &into);
    assert_string_equal(into.ptr, "{\"id\":\"evt_1\",\"attempt\":3,"
                                  "\"idempotencykey\":\"shop/evt%201\"}\n");
    buf_fini(&into);
}

static void
what_is_added_is_never_longer_than_said(void **state)
{
    (void)state;
    struct buf into = { 0 };
    worker_line_write(slice_of("{}"), UINT32_MAX, slice_of("k"), &into);
    assert_in_range(into.len, 0, 2 + 1 + WORKER_LINE_MORE_BYTES);
    buf_fini(&into);
}

static void
an_answer_says_what_became_of_a_delivery(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *id;
        bool is_ok;
        bool is_final;
        const char *error;
    } rows[] = {
        { "{\"id\":\"a\",\"ok\":true}", "a", true, false, "" },
        { " {\"ok\":true, \"id\":\"a\"}\r", "a", true, false, "" },
        { "{\"id\":\"\\u00e9\\n\",\"ok\":true}", "\xc3\xa9\n", true, false,
          "" },
        { "{\"id\":\"a\",\"ok\":false}", "a", false, false, "" },
        { "{\"id\":\"a\",\"ok\":false,\"retry\":true}", "a", false, false, "" },
        { "{\"id\":\"a\",\"ok\":false,\"retry\":false,\"error\":\"no stock\"}",
          "a", false, true, "no stock" },
        { "{\"id\":\"a\",\"ok\":true,\"retry\":false}", "a", true, false, "" },
        { "{\"id\":\"a\",\"ok\":false,\"error\":{\"code\":7}}", "a", false,
          false, "{\"code\":7}" },
        { "{\"id\":\"a\",\"ok\":true,\"took_ms\":3,\"more\":[[1]]}", "a", true,
          false, "" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = { 0 };
        struct worker_answer answer;
        assert_int_equal(
            worker_line_read(slice_of(rows[i].line), &arena, &answer, NULL),
            STATUS_OK);
        assert_true(slice_equal_text(answer.id, rows[i].id));
        assert_int_equal(answer.is_ok, rows[i].is_ok);
        assert_int_equal(answer.is_final, rows[i].is_final);
        assert_true(slice_equal_text(answer.error, rows[i].error));
        arena_fini(&arena);
    }
}

static void
what_is_no_answer_is_refused_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *words;
    } rows[] = {
        { "", "no JSON object" },
        { "done", "the answer is no JSON object: done" },
        { "[1]", "no JSON object" },
        { "{\"id\":\"a\",\"ok\":true} {}", "no JSON object" },
        { "{\"ok\":true}", "no \"id\"" },
        { "{\"id\":7,\"ok\":true}", "no \"id\" that is a string" },
        { "{\"id\":null,\"ok\":true}", "no \"id\" that is a string" },
        { "{\"id\":\"a\"}", "no \"ok\"" },
        { "{\"id\":\"a\",\"ok\":1}", "no \"ok\" that is true or false" },
        { "{\"id\":\"a\",\"ok\":false,\"retry\":\"no\"}", "\"retry\"" },
        { "\x01\xff", "no JSON object: ??" },
        { "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
          "[[[[[[[[[[[[[[[[[",
          "[..." },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = { 0 };
        struct worker_answer answer;
        struct error err = { "" };
        assert_int_equal(
            worker_line_read(slice_of(rows[i].line), &arena, &answer, &err),
            STATUS_INVALID);
        if (strstr(err.text, rows[i].words) == NULL) {
            fail_msg("row %zu: %s", i, err.text);
        }
        arena_fini(&arena);
    }
}

static void
memory_that_runs_out_is_told(void **state)
{
    (void)state;
    struct slice line =
        SLICE("{\"id\":\"\\u0041\",\"ok\":false,\"error\":\"\\u0042\"}");
    enum status status = STATUS_NOMEM;
    for (long after = 0; status != STATUS_OK && after < 10; after++) {
        struct arena arena = { 0 };
        struct worker_answer answer;
        (void)mem_fail_after(after, 1);
        status = worker_line_read(line, &arena, &answer, NULL);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        arena_fini(&arena);
    }
    assert_int_equal(status, STATUS_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delivery_is_its_envelope_with_attempt_and_key),
        cmocka_unit_test(what_is_added_is_never_longer_than_said),
        cmocka_unit_test(an_answer_says_what_became_of_a_delivery),
        cmocka_unit_test(what_is_no_answer_is_refused_in_words),
        cmocka_unit_test(memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
