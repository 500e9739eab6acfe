/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/mem.h"
#include "model/turned_away.h"

static struct slice
numbered(char room[32], const char *what, unsigned n)
{
    (void)snprintf(room, 32, "%s-%u", what, n);
    return slice_of(room);
}

static void
who_was_turned_away_is_known_through_a_flood_of_others(void **state)
{
    (void)state;
    struct turned_away names = { .seed = { 7, 11 } };
    char room[32];
    unsigned known = 0;
    assert_false(turned_away_knows(&names, slice_of("a")));
    for (unsigned i = 0; i < 100; i++) {
        turned_away_note(&names, numbered(room, "real", i));
    }
    for (unsigned i = 0; i < 20000; i++) {
        turned_away_note(&names, numbered(room, "made up", i));
    }
    for (unsigned i = 0; i < 100; i++) {
        known += turned_away_knows(&names, numbered(room, "real", i));
    }
    assert_in_range(known, 60, 90); /* e^(-20000/65536) is 0.74 */
    for (unsigned i = 0; i < 20000; i++) {
        assert_false(turned_away_knows(&names, numbered(room, "new", i)));
    }
    turned_away_fini(&names);
    assert_false(turned_away_knows(&names, slice_of("real-1")));
}

static void
where_memory_is_short_nobody_is_known(void **state)
{
    (void)state;
    struct turned_away names = { .seed = { 7, 11 } };
    (void)mem_fail_after(0, 0);
    turned_away_note(&names, slice_of("a"));
    (void)mem_fail_after(-1, 0);
    assert_false(turned_away_knows(&names, slice_of("a")));
    turned_away_note(&names, slice_of("a"));
    assert_true(turned_away_knows(&names, slice_of("a")));
    turned_away_fini(&names);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            who_was_turned_away_is_known_through_a_flood_of_others),
        cmocka_unit_test(where_memory_is_short_nobody_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
