/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/roff.h"

static void
text_that_looks_like_markup_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *text, *written;
    } rows[] = {
        { "", "" },
        { "plain words, \"quoted\"", "plain words, \"quoted\"" },
        { ".TH begins", "\\&.TH begins" },
        { "ends.\n.so /etc/passwd\n", "ends.\n\\&.so /etc/passwd\n" },
        { "'br", "\\(aqbr" },
        { "C:\\new", "C:\\(rsnew" },
        { "--dry-run", "\\-\\-dry\\-run" },
        { "~/^`", "\\(ti/\\(ha\\(ga" },
        { "é", "é" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf into = { 0 };
        buf_byte(&into, '\n');
        roff_text(rows[i].text, &into);
        assert_int_equal(buf_status(&into), STATUS_OK);
        assert_string_equal(into.ptr + 1, rows[i].written);
        buf_fini(&into);
    }
}

static void
a_dot_inside_of_a_line_stays(void **state)
{
    (void)state;
    struct buf into = { 0 };
    roff_text("longstop", &into);
    roff_text(".yaml", &into);
    assert_string_equal(into.ptr, "longstop.yaml");
    buf_fini(&into);
}

static void
a_head_names_the_page_and_the_font_ends(void **state)
{
    (void)state;
    struct buf into = { 0 };
    roff_head("a-b", 7, "1.2", "says c", &into);
    roff_font('B', "-x", &into);
    assert_string_equal(into.ptr,
                        ".\\\" Printed by the program from its own tables.\n"
                        ".TH A\\-B 7 \"\" \"Longstop 1.2\"\n"
                        ".SH NAME\na\\-b \\- says c\n"
                        "\\fB\\-x\\fR");
    buf_fini(&into);
}

static void
running_out_of_memory_is_remembered_by_the_buffer(void **state)
{
    (void)state;
    struct buf into = { 0 };
    (void)mem_fail_after(0, 0);
    roff_head("a", 1, "1", "b", &into);
    (void)mem_fail_after(-1, 0);
    assert_int_equal(buf_status(&into), STATUS_NOMEM);
    buf_fini(&into);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_that_looks_like_markup_is_none),
        cmocka_unit_test(a_dot_inside_of_a_line_stays),
        cmocka_unit_test(a_head_names_the_page_and_the_font_ends),
        cmocka_unit_test(running_out_of_memory_is_remembered_by_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
