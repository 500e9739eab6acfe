/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"

struct element {
    int number;
    struct list link;
};

static struct element *
element_of(struct list *link)
{
    return list_entry(link, struct element, link);
}

/* The numbers in order, as digits of one number. */
static int
digits(const struct list *head)
{
    int sum = 0;
    for (struct list *at = head->next; at != head; at = at->next) {
        assert_ptr_equal(at->next->prev, at);
        sum = sum * 10 + element_of(at)->number;
    }
    return sum;
}

static void
elements_stand_in_the_order_they_came(void **state)
{
    struct list head = LIST_INIT(head);
    struct element elements[3] = { { .number = 1 },
                                   { .number = 2 },
                                   { .number = 3 } };
    (void)state;
    assert_true(list_empty(&head));
    assert_null(list_take(&head));
    for (int i = 0; i < 3; i++) {
        list_append(&head, &elements[i].link);
    }
    assert_false(list_empty(&head));
    assert_int_equal(digits(&head), 123);
    list_remove(&elements[1].link);
    assert_int_equal(digits(&head), 13);
    list_append(&head, &elements[1].link);
    assert_int_equal(digits(&head), 132);
    assert_ptr_equal(list_take(&head), &elements[0].link);
    assert_ptr_equal(list_take(&head), &elements[2].link);
    assert_ptr_equal(list_take(&head), &elements[1].link);
    assert_null(list_take(&head));
}

static void
a_link_may_be_removed_twice(void **state)
{
    struct list head = LIST_INIT(head);
    struct element one = { .number = 1 };
    struct element fresh = { .number = 2 };
    (void)state;
    list_append(&head, &one.link);
    list_remove(&one.link);
    list_remove(&one.link);
    list_init(&fresh.link);
    list_remove(&fresh.link);
    assert_true(list_empty(&head));
}

static void
the_current_element_may_go_while_all_are_visited(void **state)
{
    struct list head = LIST_INIT(head);
    struct element elements[4] = {
        { .number = 1 }, { .number = 2 }, { .number = 3 }, { .number = 4 }
    };
    int seen = 0;
    (void)state;
    for (int i = 0; i < 4; i++) {
        list_append(&head, &elements[i].link);
    }
    list_for_each_safe(at, &head) {
        seen = seen * 10 + element_of(at)->number;
        if (element_of(at)->number % 2 == 0) {
            list_remove(at);
        }
    }
    assert_int_equal(seen, 1234);
    seen = 0;
    list_for_each(at, &head) {
        seen = seen * 10 + element_of(at)->number;
    }
    assert_int_equal(seen, 13);
}

static void
joining_moves_everything_behind_the_last(void **state)
{
    struct list head = LIST_INIT(head);
    struct list from = LIST_INIT(from);
    struct element elements[4] = {
        { .number = 1 }, { .number = 2 }, { .number = 3 }, { .number = 4 }
    };
    (void)state;
    list_join(&head, &from);
    assert_true(list_empty(&head));
    list_append(&from, &elements[0].link);
    list_append(&from, &elements[1].link);
    list_join(&head, &from);
    assert_int_equal(digits(&head), 12);
    assert_true(list_empty(&from));
    list_append(&from, &elements[2].link);
    list_append(&from, &elements[3].link);
    list_join(&head, &from);
    assert_int_equal(digits(&head), 1234);
    list_join(&head, &from);
    assert_int_equal(digits(&head), 1234);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_stand_in_the_order_they_came),
        cmocka_unit_test(a_link_may_be_removed_twice),
        cmocka_unit_test(the_current_element_may_go_while_all_are_visited),
        cmocka_unit_test(joining_moves_everything_behind_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
