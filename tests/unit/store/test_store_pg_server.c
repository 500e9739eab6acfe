/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "store/store_pg_server.h"

static const struct pg_server fit = {
    .version = 150004,
    .now_ms = 1000000,
    .around_ms = 1000000,
    .is_durable = true,
    .has_tables = true,
};

static void
a_server_is_judged_by_what_it_says(void **state)
{
    (void)state;
    static const struct {
        struct pg_server server;
        enum status status;
        const char *words;
    } rows[] = {
        { { .version = 150004 }, STATUS_CONFIG, "set fsync" },
        { { .version = 149999, .is_durable = true },
          STATUS_CONFIG,
          "is PostgreSQL 14: 15 or later is needed" },
        { { .version = 150004, .is_standby = true },
          STATUS_UNAVAILABLE,
          "name all servers" },
        { { .version = 150004, .is_durable = true, .broken_indexes = 2 },
          STATUS_CONFIG,
          "2 indexes of the schema longstop are not valid: REINDEX" },
    };
    struct error err = { 0 };
    assert_int_equal(pg_server_judge(&fit, &err), STATUS_OK);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(pg_server_judge(&rows[i].server, &err),
                         rows[i].status);
        assert_non_null(strstr(err.text, rows[i].words));
    }
}

static void
clocks_may_be_five_seconds_apart(void **state)
{
    (void)state;
    static const struct {
        int64_t ahead_ms, within_ms;
        enum status status;
    } rows[] = {
        { 5000, 0, STATUS_OK },
        { -5000, 0, STATUS_OK },
        { 5001, 0, STATUS_CONFIG },
        { -5001, 0, STATUS_CONFIG },
        /* What the call itself took is nobody's clock. */
        { 7000, 2000, STATUS_OK },
        { 7001, 2000, STATUS_CONFIG },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pg_server server = fit;
        struct error err = { 0 };
        server.around_ms += rows[i].ahead_ms;
        server.within_ms = rows[i].within_ms;
        assert_int_equal(pg_server_judge(&server, &err), rows[i].status);
        assert_int_equal(strstr(err.text, "time server") != NULL,
                         rows[i].status != STATUS_OK);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_is_judged_by_what_it_says),
        cmocka_unit_test(clocks_may_be_five_seconds_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
