/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "store/store_pg_meaning.h"

static void
each_answer_has_its_status_and_a_way_out(void **state)
{
    static const struct {
        enum longstop_answer answer;
        const char *sqlstate;
        enum status serving, opening;
        const char *way_out;
    } cases[] = {
        { LONGSTOP_OK, "", STATUS_OK, STATUS_OK, "" },
        { LONGSTOP_FAILED, "22021", STATUS_INVALID, STATUS_INVALID, "" },
        { LONGSTOP_FAILED, "23505", STATUS_INVALID, STATUS_INVALID, "" },
        { LONGSTOP_FAILED, "54000", STATUS_TOO_LARGE, STATUS_TOO_LARGE, "" },
        { LONGSTOP_FAILED, "XX001", STATUS_CORRUPT, STATUS_CORRUPT, "backup" },
        { LONGSTOP_FAILED, "XX002", STATUS_CORRUPT, STATUS_CORRUPT, "REINDEX" },
        { LONGSTOP_FAILED, "3D000", STATUS_UNAVAILABLE, STATUS_UNAVAILABLE,
          "create the database" },
        /* Somebody dropped a table: that is nobody's row at fault. */
        { LONGSTOP_FAILED, "42P01", STATUS_UNAVAILABLE, STATUS_UNAVAILABLE,
          "not as this program left it" },
        { LONGSTOP_RETRY, "40P01", STATUS_BUSY, STATUS_BUSY, "" },
        { LONGSTOP_FULL, "53100", STATUS_FULL, STATUS_FULL, "free some space" },
        { LONGSTOP_DENIED, "28P01", STATUS_UNAVAILABLE, STATUS_DENIED,
          "password" },
        { LONGSTOP_READONLY, "25006", STATUS_UNAVAILABLE, STATUS_UNAVAILABLE,
          "standby" },
        { LONGSTOP_GONE, "57P01", STATUS_UNAVAILABLE, STATUS_UNAVAILABLE, "" },
        { LONGSTOP_UNKNOWN, "", STATUS_UNKNOWN, STATUS_UNKNOWN, "" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pg_meaning meaning =
            pg_meaning_of(cases[i].answer, cases[i].sqlstate, true);
        assert_int_equal(meaning.status, cases[i].serving);
        assert_non_null(strstr(meaning.way_out, cases[i].way_out));
        meaning = pg_meaning_of(cases[i].answer, cases[i].sqlstate, false);
        assert_int_equal(meaning.status, cases[i].opening);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_has_its_status_and_a_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
