/* SPDX-License-Identifier: MIT */
/* Agents that wake each other by way of a real server, which
 * with_postgresql.py keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "io/clock.h"
#include "io/plugin_load.h"
#include "store/store_pg_link.h"
#include "store/store_pg_wake.h"

#define IN_TIME_MS 30000

static struct error err;
static const struct longstop_database *database;

static struct store_wake *
open_by(const char *name)
{
    const struct longstop_access access = { .url = getenv(name),
                                            .application = "wake",
                                            .connect_timeout_ms = 5000,
                                            .call_timeout_ms = 5000 };
    struct store_wake *wake;
    assert_non_null(access.url);
    assert_int_equal(store_pg_wake_create(database, &access, &wake, &err),
                     STATUS_OK);
    return wake;
}

static struct store_wake *
open_one(void)
{
    return open_by("LONGSTOP_TEST_PG");
}

/* Waits for `ms`; returns whether it was told. */
static bool
is_told(struct store_wake *wake, int64_t ms)
{
    bool told = false;
    enum status status = wake->ops->wait(wake, ms, &told, &err);
    if (status != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    return told;
}

static void
tell(struct store_wake *wake)
{
    assert_int_equal(wake->ops->tell(wake, &err), STATUS_OK);
}

static void
one_tells_and_the_others_hear(void **state)
{
    struct store_wake *wakes[3];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        wakes[i] = open_one();
        assert_false(is_told(wakes[i], 1));
    }
    tell(wakes[0]);
    assert_true(is_told(wakes[1], IN_TIME_MS));
    assert_true(is_told(wakes[2], IN_TIME_MS));
    assert_false(is_told(wakes[0], 50)); /* it knows */
    tell(wakes[1]);
    assert_true(is_told(wakes[0], IN_TIME_MS));
    for (size_t i = 0; i < 3; i++) {
        wakes[i]->ops->close(wakes[i]);
    }
}

static void
who_is_hurried_does_not_wait(void **state)
{
    struct store_wake *wake = open_one();
    struct store_wake *other = open_one();
    (void)state;
    assert_false(is_told(wake, 1));
    assert_false(is_told(other, 1));
    const int64_t from_ms = clock_monotonic_ms();
    wake->ops->hurry(wake);
    assert_false(is_told(wake, IN_TIME_MS));
    assert_true(clock_monotonic_ms() - from_ms < IN_TIME_MS);
    tell(wake);
    assert_true(is_told(other, IN_TIME_MS));
    tell(other);
    assert_true(is_told(wake, IN_TIME_MS)); /* no more in a hurry */
    wake->ops->close(wake);
    other->ops->close(other);
}

static void
who_has_lost_its_connection_hears_again_on_another(void **state)
{
    struct store_wake *wake = open_one();
    struct store_wake *other = open_one();
    bool told;
    (void)state;
    assert_false(is_told(wake, 1));
    assert_int_equal(system("psql -q -d \"$LONGSTOP_TEST_PG\" -c \"SELECT "
                            "pg_terminate_backend(pid) FROM pg_stat_activity "
                            "WHERE application_name = 'wake'\" >/dev/null"),
                     0);
    assert_int_equal(wake->ops->wait(wake, IN_TIME_MS, &told, &err),
                     STATUS_UNAVAILABLE);
    const int64_t until_ms = clock_monotonic_ms() + IN_TIME_MS;
    while (wake->ops->wait(wake, 1, &told, &err) != STATUS_OK) {
        const struct timespec span = { .tv_nsec = 10000000 };
        assert_true(clock_monotonic_ms() < until_ms);
        (void)nanosleep(&span, NULL);
    }
    tell(other);
    assert_true(is_told(wake, IN_TIME_MS));
    wake->ops->close(wake);
    other->ops->close(other);
}

static void
behind_a_pooler_one_tells_but_does_not_hear(void **state)
{
    (void)state;
    if (getenv("LONGSTOP_TEST_PG_POOLED") == NULL) {
        skip();
    }
    struct store_wake *wake = open_by("LONGSTOP_TEST_PG_POOLED");
    struct store_wake *other = open_one();
    bool told;
    assert_false(is_told(other, 1));
    assert_int_equal(wake->ops->wait(wake, IN_TIME_MS, &told, &err),
                     STATUS_DENIED);
    tell(wake);
    assert_true(is_told(other, IN_TIME_MS));
    wake->ops->close(wake);
    other->ops->close(other);
}

static void
a_store_of_one_agent_has_none(void **state)
{
    struct store_wake *wake;
    (void)state;
    assert_int_equal(store_wake_open("sqlite:/tmp/x", &wake, &err),
                     STATUS_NOT_FOUND);
    assert_int_equal(store_wake_open("nonsense", &wake, &err),
                     STATUS_NOT_FOUND);
    assert_int_equal(store_wake_open("postgresql://a@localhost/b", &wake, &err),
                     STATUS_OK);
    wake->ops->close(wake);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_tells_and_the_others_hear),
        cmocka_unit_test(who_is_hurried_does_not_wait),
        cmocka_unit_test(who_has_lost_its_connection_hears_again_on_another),
        cmocka_unit_test(behind_a_pooler_one_tells_but_does_not_hear),
        cmocka_unit_test(a_store_of_one_agent_has_none),
    };
    if (plugin_load_database("postgresql", &database, &err) != STATUS_OK) {
        print_error("%s\n", err.text);
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
