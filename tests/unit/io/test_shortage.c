/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/mem.h"
#include "io/shortage.h"

/* Whether the allocation fails. */
static bool
is_refused(void)
{
    void *block = mem_alloc(8);
    mem_free(block);
    return block == NULL;
}

static void
what_is_no_number_changes_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "x", "-1", ":always" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(setenv("LONGSTOP_MEMORY_FAIL", texts[i], 1), 0);
        shortage_begin();
        assert_false(shortage_is_on());
        assert_false(is_refused());
    }
}

static void
a_test_build_lets_the_allocation_fail_that_is_named(void **state)
{
    (void)state;
#ifdef LONGSTOP_CRASH_TESTS
    const bool works = true;
#else
    const bool works = false;
#endif
    assert_int_equal(setenv("LONGSTOP_MEMORY_FAIL", "1", 1), 0);
    shortage_begin();
    assert_int_equal(shortage_is_on(), works);
    assert_false(is_refused());
    assert_int_equal(is_refused(), works);
    assert_false(is_refused());
    assert_int_equal(setenv("LONGSTOP_MEMORY_FAIL", "0:always", 1), 0);
    shortage_begin();
    assert_int_equal(is_refused(), works);
    assert_int_equal(is_refused(), works);
    (void)mem_fail_after(-1, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_number_changes_nothing),
        cmocka_unit_test(a_test_build_lets_the_allocation_fail_that_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
