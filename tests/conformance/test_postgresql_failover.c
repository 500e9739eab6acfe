/* SPDX-License-Identifier: MIT */
/*
 * What of PostgreSQL's plugin needs two servers: a primary that commits once
 * its standby has it, crashes, and is followed by that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io/plugin_load.h"

#define CALL_MS 5000
#define TRIES   600 /* of 100 ms */
#define BEFORE  200 /* rows before the crash */
#define ROWS    400

static const struct longstop_database *database;
static struct longstop_failure failure;
static struct longstop_result result;

static bool
go_on(void *arg)
{
    (void)arg;
    return false;
}

static const struct longstop_host host = { NULL, go_on };

static const char *
given(const char *name)
{
    const char *value = getenv(name);
    assert_non_null(value);
    return value;
}

/* Tries until there is a server to be had. */
static void *
open_at(const char *url)
{
    const struct longstop_access access = { .url = url,
                                            .connect_timeout_ms = CALL_MS,
                                            .call_timeout_ms = CALL_MS };
    const struct timespec pause = { .tv_nsec = 100000000 };
    for (int tries = 0; tries < TRIES; tries++) {
        void *session = NULL;
        if (database->open(&access, &host, &session, &failure) == LONGSTOP_OK) {
            return session;
        }
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("%s %s", failure.sqlstate, failure.words);
    return NULL;
}

static enum longstop_answer
run(void *session, uint32_t id, const char *text, int64_t number)
{
    const struct longstop_value value = { .type = LONGSTOP_NUMBER,
                                          .number = number };
    database->clear(&result);
    return database->run(session, &(struct longstop_statement){ id, text },
                         &value, strchr(text, '$') != NULL, &result, &failure);
}

static void
good(void *session, uint32_t id, const char *text)
{
    if (run(session, id, text, 0) != LONGSTOP_OK) {
        fail_msg("%s: %s %s", text, failure.sqlstate, failure.words);
    }
}

static void
await_row(void *session, uint32_t id, const char *text)
{
    const struct timespec pause = { .tv_nsec = 100000000 };
    for (int tries = 0; tries < TRIES; tries++) {
        good(session, id, text);
        if (result.rows > 0) {
            return;
        }
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("in vain: %s", text);
}

/* The standby takes no writes, but to be the primary. */
static void
promote(void)
{
    char url[256];
    (void)snprintf(url, sizeof(url), "%s target_session_attrs=any",
                   given("LONGSTOP_TEST_PG_STANDBY"));
    void *session = open_at(url);
    assert_int_equal(run(session, 0, "CREATE TABLE refused()", 0),
                     LONGSTOP_READONLY);
    good(session, 1, "SELECT pg_promote(false)"); /* nobody waits */
    database->close(session);
}

static void
crash(void)
{
    assert_int_equal(
        kill((pid_t)strtol(given("LONGSTOP_TEST_PG_KEEPER"), NULL, 10),
             SIGUSR1),
        0);
}

static void
nothing_that_was_acknowledged_is_lost_with_the_primary(void **state)
{
    const char *both = given("LONGSTOP_TEST_PG_BOTH");
    int crashes = 0;
    (void)state;
    void *session = open_at(both);
    good(session, 0, "SELECT 1 WHERE NOT pg_is_in_recovery()");
    assert_int_equal(result.rows, 1); /* though the standby comes first */
    good(session, 1, "CREATE TABLE t(k bigint PRIMARY KEY)");
    good(session, 2, "ALTER SYSTEM SET synchronous_standby_names = 'standby'");
    good(session, 3, "SELECT pg_reload_conf()");
    await_row(session, 4,
              "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'");
    for (int64_t k = 1; k <= ROWS;) {
        const enum longstop_answer answer = run(
            session, 5, "INSERT INTO t VALUES ($1) ON CONFLICT DO NOTHING", k);
        if (answer == LONGSTOP_OK) {
            k++;
        } else {
            assert_int_equal(crashes++, 1);
            assert_true(answer == LONGSTOP_GONE || answer == LONGSTOP_UNKNOWN);
            database->close(session);
            promote();
            session = open_at(both);
        }
        if (k == BEFORE && crashes == 0) {
            crashes = 1;
            crash();
        }
    }
    assert_int_equal(crashes, 2);
    good(session, 6, "SELECT count(*), min(k), max(k) FROM t");
    for (size_t i = 0; i < 3; i++) {
        assert_true(database->cell(&result, 0, i).number ==
                    (i == 1 ? 1 : ROWS));
    }
    database->clear(&result);
    database->close(session);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            nothing_that_was_acknowledged_is_lost_with_the_primary),
    };
    struct error err = { "" };
    if (plugin_load_database("postgresql", &database, &err) != STATUS_OK) {
        print_error("%s\n", err.text);
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
