/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/store_call.h"

enum { CALLS = 6 };

static struct store_call calls[CALLS];
static struct list queued;
static struct list gathered;

/* 'u' a unit, 'b' a sign of life, 'l' the last one, 'w' a walk's state. */
static void
gather(const char *kinds)
{
    list_init(&queued);
    list_init(&gathered);
    for (size_t i = 0; kinds[i] != '\0'; i++) {
        calls[i] =
            (struct store_call){ .kind = kinds[i] == 'u'   ? STORE_CALL_UNIT
                                         : kinds[i] == 'w' ? STORE_CALL_WALK
                                                           : STORE_CALL_BEAT };
        calls[i].link = (struct list)LIST_INIT(calls[i].link);
        if (calls[i].kind == STORE_CALL_BEAT) {
            calls[i].beat.is_last = kinds[i] == 'l';
        }
        list_append(i < 3 ? &queued : &gathered, &calls[i].link);
    }
    store_call_gather(&queued, &gathered);
    assert_true(list_empty(&gathered));
}

/* Takes all there is, a group at a time. */
static void
assert_taken(const char *order)
{
    for (size_t i = 0; order[i] != '\0'; i++) {
        struct list taken = LIST_INIT(taken);
        assert_true(store_call_take(&queued, 1, &taken) == 1);
        assert_ptr_equal(store_call_of(taken.next), &calls[order[i] - '0']);
        list_remove(taken.next);
    }
    assert_true(list_empty(&queued));
}

static void
a_sign_of_life_waits_behind_nothing_but_another_one(void **state)
{
    (void)state;
    gather("uuwubu");
    assert_taken("401235");
    gather("bwubuu");
    assert_taken("301245");
    gather("");
    assert_taken("");
}

/* It gives back leases that pages before it are stored by. */
static void
the_last_sign_of_life_comes_behind_what_was_asked_before(void **state)
{
    (void)state;
    gather("uuwulu");
    assert_taken("012345");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sign_of_life_waits_behind_nothing_but_another_one),
        cmocka_unit_test(
            the_last_sign_of_life_comes_behind_what_was_asked_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
