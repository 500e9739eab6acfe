/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "app/manual.h"
#include "base/mem.h"

static void (*const pages[])(const char *version, struct buf *into) = {
    manual_commands, manual_configuration, manual_connectors
};

static void
each_page_has_what_its_table_has(void **state)
{
    (void)state;
    static const struct {
        size_t page;
        const char *line;
    } rows[] = {
        { 0, ".TH LONGSTOP 1 \"\" \"Longstop 9.8\"\n" },
        { 0, ".SS longstop verify [OPTIONS] CONNECTOR REQUEST\n" },
        { 0, ".TP\n\\fB\\-c\\fR, \\fB\\-\\-config\\fR \\fIFILE\\fR\n" },
        { 0, ".TP\n\\fB78\\fR\n" },
        { 1, ".TH LONGSTOP.YAML 5 " },
        { 1, ".TP\n\\fBlisten.max_body\\fR (size, 1KiB to 64MiB, default " },
        { 1, ".TP\n\\fBhandlers.NAME.timeout\\fR (duration" },
        { 2, ".TP\n\\fBpoll.every\\fR " },
        { 2, ".TP\n\\fBverify.type\\fR (one of hmac, " },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf into = { 0 };
        pages[rows[i].page]("9.8", &into);
        assert_int_equal(buf_status(&into), STATUS_OK);
        buf_byte(&into, '\0');
        assert_non_null(strstr(into.ptr, rows[i].line));
        buf_fini(&into);
    }
}

static void
the_keys_of_connectors_have_a_page_of_their_own(void **state)
{
    (void)state;
    struct buf into = { 0 };
    manual_configuration("1", &into);
    buf_byte(&into, '\0');
    assert_non_null(strstr(into.ptr, "\\fBconnectors\\fR"));
    assert_null(strstr(into.ptr, "\\fBconnectors."));
    buf_fini(&into);
}

static void
running_out_of_memory_is_remembered_by_the_buffer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        enum status status = STATUS_NOMEM;
        for (long n = 0; n < 100000 && status != STATUS_OK; n += 1 + n / 8) {
            struct buf into = { 0 };
            (void)mem_fail_after(n, 0);
            pages[i]("1", &into);
            (void)mem_fail_after(-1, 0);
            status = buf_status(&into);
            assert_true(n > 2 || status == STATUS_NOMEM);
            buf_fini(&into);
        }
        assert_int_equal(status, STATUS_OK);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_page_has_what_its_table_has),
        cmocka_unit_test(the_keys_of_connectors_have_a_page_of_their_own),
        cmocka_unit_test(running_out_of_memory_is_remembered_by_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
