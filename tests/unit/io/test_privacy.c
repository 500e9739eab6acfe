/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/prctl.h>

#include "io/privacy.h"

static void
no_image_of_the_memory_is_left_from_then_on(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_GET_DUMPABLE, 0L, 0L, 0L, 0L), 1);
    privacy_begin();
    assert_int_equal(prctl(PR_GET_DUMPABLE, 0L, 0L, 0L, 0L), 0);
    (void)prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L); /* for leak checkers */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_image_of_the_memory_is_left_from_then_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
