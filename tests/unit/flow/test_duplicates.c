/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "flow/duplicates.h"
#include "store/store_view.h"

static struct duplicates_shelf *shelf;
static struct duplicates *book;

static int
set_up(void **state)
{
    (void)state;
    shelf = duplicates_shelf_create();
    book = duplicates_of(shelf, slice_of("shop"));
    assert_non_null(book);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    (void)mem_fail_after(-1, 0);
    duplicates_shelf_destroy(shelf);
    return 0;
}

static void
note(const char *type, enum channel via, int times)
{
    for (int i = 0; i < times; i++) {
        duplicates_note(book, slice_of(type), via);
    }
}

static int64_t
of(const char *type, enum channel via)
{
    const struct duplicates_type *row = duplicates_find(book, slice_of(type));
    return row == NULL ? -1 : row->by[via];
}

static size_t
count(void)
{
    size_t count;
    (void)duplicates_types(book, &count);
    return count;
}

static void
each_type_has_its_own_count_for_each_channel(void **state)
{
    (void)state;
    note("order.paid", CHANNEL_WEBHOOK, 3);
    note("order.cancelled", CHANNEL_POLL, 2);
    note("order.paid", CHANNEL_POLL, 1);
    assert_int_equal(of("order.paid", CHANNEL_WEBHOOK), 3);
    assert_int_equal(of("order.paid", CHANNEL_POLL), 1);
    assert_int_equal(of("order.paid", CHANNEL_STREAM), 0);
    assert_int_equal(of("order.cancelled", CHANNEL_POLL), 2);
    assert_int_equal(of("order", CHANNEL_POLL), -1);
    assert_int_equal(of("order.paid.late", CHANNEL_POLL), -1);
}

static void
types_come_in_their_order_whatever_came_first(void **state)
{
    (void)state;
    static const char *const order[] = { "b", "d", "a", "c", "e" };
    for (size_t i = 0; i < 5; i++) {
        note(order[i], CHANNEL_POLL, 1);
    }
    size_t many;
    const struct duplicates_type *at = duplicates_types(book, &many);
    assert_int_equal(many, 5);
    for (size_t i = 0; i < many; i++) {
        assert_int_equal(at[i].type.len, 1);
        assert_int_equal(at[i].type.ptr[0], "abcde"[i]);
    }
}

static void
a_type_is_kept_when_what_it_was_read_from_is_gone(void **state)
{
    (void)state;
    char text[] = "order.paid";
    note(text, CHANNEL_POLL, 1);
    text[0] = 'x';
    assert_int_equal(of("order.paid", CHANNEL_POLL), 1);
}

static void
types_beyond_what_is_told_apart_are_counted_together(void **state)
{
    (void)state;
    char type[16];
    for (int i = 0; i < VIEW_KEY_TYPES + 50; i++) {
        (void)snprintf(type, sizeof(type), "t%03d", i);
        note(type, CHANNEL_POLL, 2);
    }
    note("t000", CHANNEL_POLL, 1);
    note("*", CHANNEL_POLL, 1);
    assert_int_equal(count(), VIEW_KEY_TYPES);
    assert_int_equal(of("t000", CHANNEL_POLL), 3);
    assert_int_equal(of("*", CHANNEL_POLL), 51 * 2 + 1);
    assert_int_equal(of("t199", CHANNEL_POLL), -1);
}

static void
a_very_long_type_is_one_of_all_others(void **state)
{
    (void)state;
    static const char text[1025] = { 'x' };
    duplicates_note(book, (struct slice){ text, 1025 }, CHANNEL_POLL);
    duplicates_note(book, (struct slice){ text, 1024 }, CHANNEL_POLL);
    assert_int_equal(of("*", CHANNEL_POLL), 1);
    assert_int_equal(count(), 2);
}

static void
a_connector_finds_its_book_again_and_no_other(void **state)
{
    (void)state;
    struct duplicates *other = duplicates_of(shelf, slice_of("shop2"));
    assert_ptr_not_equal(other, book);
    assert_ptr_equal(duplicates_of(shelf, slice_of("shop")), book);
    assert_ptr_equal(duplicates_of(shelf, slice_of("shop2")), other);
    note("a", CHANNEL_POLL, 1);
    assert_null(duplicates_find(other, slice_of("a")));
}

static void
without_memory_a_type_is_not_told_and_nothing_else_is_lost(void **state)
{
    (void)state;
    note("a", CHANNEL_POLL, 1);
    (void)mem_fail_after(0, 1);
    assert_null(duplicates_shelf_create());
    assert_null(duplicates_of(shelf, slice_of("new")));
    for (int i = 0; i < VIEW_KEY_TYPES; i++) {
        char type[16];
        (void)snprintf(type, sizeof(type), "t%03d", i);
        note(type, CHANNEL_POLL, 1);
    }
    note("a", CHANNEL_POLL, 1);
    size_t told = count();
    assert_in_range(told, 1, VIEW_KEY_TYPES / 2);
    (void)mem_fail_after(-1, 0);
    note("t199", CHANNEL_POLL, 1);
    assert_int_equal(of("a", CHANNEL_POLL), 2);
    assert_int_equal(of("t199", CHANNEL_POLL), 1);
    assert_int_equal(count(), told + 1);
}

static void
no_book_counts_nothing(void **state)
{
    (void)state;
    size_t many = 1;
    assert_null(duplicates_of(NULL, slice_of("shop")));
    duplicates_note(NULL, slice_of("a"), CHANNEL_POLL);
    assert_null(duplicates_types(NULL, &many));
    assert_int_equal(many, 0);
    assert_null(duplicates_find(NULL, slice_of("a")));
    duplicates_shelf_destroy(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_type_has_its_own_count_for_each_channel),
        TEST(types_come_in_their_order_whatever_came_first),
        TEST(a_type_is_kept_when_what_it_was_read_from_is_gone),
        TEST(types_beyond_what_is_told_apart_are_counted_together),
        TEST(a_very_long_type_is_one_of_all_others),
        TEST(a_connector_finds_its_book_again_and_no_other),
        TEST(without_memory_a_type_is_not_told_and_nothing_else_is_lost),
        TEST(no_book_counts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
