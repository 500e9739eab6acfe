/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/json_outline.h"

static void
a_value_is_told_by_its_names_and_never_by_its_values(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "{}", "an empty object" },
        { " { \"id\" : 1, \"at\":{\"x\":2} }", "an object with id, at" },
        { "{\"a\\u0000\":1}", "an object with a\\u0000" },
        { "[]", "an empty array" },
        { "[1,[2],{}]", "an array of 3" },
        { "\"secret\"", "a text" },
        { "12", "a number" },
        { "false", "a truth value" },
        { "null", "null" },
        { "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,"
          "\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1}",
          "an object with a, b, c, d, e, f, g, h, i, j, k, l and 2 more" },
        { "{\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa4\":1}",
          "an object with aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..." },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf text = { 0 };
        json_outline(slice_of(rows[i][0]), &text);
        assert_string_equal(text.ptr, rows[i][1]);
        buf_fini(&text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_told_by_its_names_and_never_by_its_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
