/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/json.h"
#include "wire/json_tree.h"

static const char filled[] =
    "{\"text\":\"a\\\"\\u0000\\n\xef\xbf\xbd\xc3\xa9\","
    "\"id\":9223372036854775807,\"low\":-9223372036854775808,"
    "\"ratio\":0.25,\"yes\":true,\"none\":null,"
    "\"at\":\"2026-09-01T00:00:00.001Z\",\"never\":null,"
    "\"raw\":{\"n\":12345678901234567890,\"e\":1E400},"
    "\"list\":[1,\"\",{\"no\":false}]}";

static void
fill(struct json_tree *tree)
{
    struct json_node *root = json_tree_root(tree);
    json_add_text(tree, root, "text",
                  (struct slice)SLICE("a\"\0\n\xff\xc3\xa9"));
    json_add_i64(tree, root, "id", INT64_MAX);
    json_add_i64(tree, root, "low", INT64_MIN);
    json_add_double(tree, root, "ratio", 0.25);
    json_add_bool(tree, root, "yes", true);
    json_add_null(tree, root, "none");
    json_add_time(tree, root, "at", INT64_C(1788220800001));
    json_add_time(tree, root, "never", 0);
    json_add_raw(tree, root, "raw",
                 slice_of("{ \"n\" : 12345678901234567890,\n\"e\":1E400}"));
    struct json_node *list = json_add_array(tree, root, "list");
    json_add_i64(tree, list, NULL, 1);
    json_add_text(tree, list, NULL, slice_of(""));
    struct json_node *row = json_add_object(tree, list, NULL);
    json_add_bool(tree, row, "no", false);
}

static void
values_are_printed_on_one_line_and_exactly(void **state)
{
    struct json_tree *tree;
    struct buf out = { 0 };
    (void)state;
    assert_int_equal(json_tree_create(&tree), STATUS_OK);
    fill(tree);
    assert_int_equal(json_tree_print(tree, false, &out), STATUS_OK);
    assert_string_equal(out.ptr, filled);
    buf_fini(&out);
    json_tree_destroy(tree);
}

static void
indented_text_means_the_same(void **state)
{
    struct json_tree *tree;
    struct buf line = { 0 };
    struct buf indented = { 0 };
    struct buf again = { 0 };
    (void)state;
    assert_int_equal(json_tree_create(&tree), STATUS_OK);
    fill(tree);
    assert_int_equal(json_tree_print(tree, false, &line), STATUS_OK);
    assert_int_equal(json_tree_print(tree, true, &indented), STATUS_OK);
    assert_true(slice_find(buf_slice(&indented), '\n') != SIZE_MAX);
    assert_int_equal(json_check(buf_slice(&indented), 8, NULL), STATUS_OK);
    json_compact(buf_slice(&indented), &again);
    assert_true(slice_equal(buf_slice(&line), buf_slice(&again)));
    buf_fini(&line);
    buf_fini(&indented);
    buf_fini(&again);
    json_tree_destroy(tree);
}

static void
an_empty_tree_is_an_empty_object(void **state)
{
    struct json_tree *tree;
    struct buf out = { 0 };
    (void)state;
    assert_int_equal(json_tree_create(&tree), STATUS_OK);
    assert_int_equal(json_tree_print(tree, false, &out), STATUS_OK);
    assert_string_equal(out.ptr, "{}");
    buf_fini(&out);
    json_tree_destroy(tree);
    json_tree_destroy(NULL);
}

/* A tree from which anything is missing may never be printed. */
static void
any_failing_allocation_is_told_when_printing(void **state)
{
    enum status status = STATUS_NOMEM;
    (void)state;
    for (long n = 0; status != STATUS_OK; n++) {
        struct json_tree *tree = NULL;
        struct buf out = { 0 };
        assert_true(n < 200);
        (void)mem_fail_after(n, 0);
        status = json_tree_create(&tree);
        if (status == STATUS_OK) {
            fill(tree);
            status = json_tree_print(tree, false, &out);
        }
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        if (status == STATUS_OK) {
            assert_string_equal(out.ptr, filled);
        } else {
            assert_int_equal(out.len, 0);
        }
        buf_fini(&out);
        json_tree_destroy(tree);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_printed_on_one_line_and_exactly),
        cmocka_unit_test(indented_text_means_the_same),
        cmocka_unit_test(an_empty_tree_is_an_empty_object),
        cmocka_unit_test(any_failing_allocation_is_told_when_printing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
