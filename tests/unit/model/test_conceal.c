/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/conceal.h"

static void
no_secret_is_shown_however_it_is_written(void **state)
{
    (void)state;
    static struct slice values[] = { SLICE("12:AbC"), SLICE("pa%41 ss"),
                                     SLICE("abc"), SLICE("12:AbCdef"),
                                     SLICE("open") };
    static struct connector_param params[] = {
        { .secret = true, .values = &values[0], .count = 4 },
        { .secret = false, .values = &values[4], .count = 1 },
    };
    static const struct connector connector = { .params = params,
                                                .param_count = 2 };
    static const char *const rows[][2] = {
        { "", "" },
        { "https://x/bot12:AbC/get?a=1", "https://x/bot***/get?a=1" },
        { "12:AbC12:AbC", "******" },
        { "12%3AAbC", "***" },
        { "12%3aAb%43!", "***!" },
        { "12:AbCdef", "***" },
        { "12:Abc", "12:Abc" },
        { "12:A", "12:A" },
        { "12%3", "12%3" },
        { "pa%41 ss", "***" },
        { "pa%2541%20ss", "***" },
        { "abc open", "abc open" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf text = { 0 };
        conceal(&connector, slice_of(rows[i][0]), &text);
        if (!slice_equal_text(buf_slice(&text), rows[i][1])) {
            fail_msg("%s: %s", rows[i][0], text.ptr);
        }
        buf_clear(&text);
        conceal_each(values, 4, slice_of(rows[i][0]), &text);
        if (!slice_equal_text(buf_slice(&text), rows[i][1])) {
            fail_msg("%s: %s", rows[i][0], text.ptr);
        }
        buf_fini(&text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_secret_is_shown_however_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
