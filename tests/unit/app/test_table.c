/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/table.h"
#include "base/mem.h"

static void
fill(struct table *table)
{
    static const char *const heads[] = { "ID", "NAME", "COUNT", NULL };
    table_heads(table, heads);
    table_cell(table, slice_of("1"));
    table_cell(table, slice_of("caf\xc3\xa9 au lait"));
    table_number(table, -7);
    table_cell(table, slice_of("22\x1b"));
    table_cell(table, slice_of(""));
    table_number(table, 1000000);
}

static void
columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    struct table table = { 0 };
    struct buf text = { 0 };
    fill(&table);
    table_print(&table, "> ", &text);
    assert_string_equal(text.ptr, "> ID   NAME          COUNT\n"
                                  "> 1    caf\xc3\xa9 au lait  -7\n"
                                  "> 22?  -             1000000\n");
    buf_fini(&text);
    table_fini(&table);
}

static void
running_out_of_memory_is_said_at_the_end(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    for (long after = 0; status != STATUS_OK; after++) {
        struct table table = { 0 };
        struct buf text = { 0 };
        assert_true(after < 100);
        (void)mem_fail_after(after, 1);
        fill(&table);
        table_print(&table, "", &text);
        (void)mem_fail_after(-1, 0);
        status = buf_status(&text);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        buf_fini(&text);
        table_fini(&table);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(running_out_of_memory_is_said_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
