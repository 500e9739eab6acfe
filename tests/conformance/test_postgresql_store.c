/* SPDX-License-Identifier: MIT */
/*
 * What agent/plugin/database.h promises, by the plugin of PostgreSQL against
 * the real server that with_postgresql.py keeps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "plugin/database.h"

#define CALL_MS 4000
#define IN_TIME 60 /* tries of 100 ms */
#define LARGE   (1U << 20)
#define BYTES(at)                                                              \
    (struct longstop_bytes)                                                    \
    {                                                                          \
        (at), sizeof(at) - 1                                                   \
    }

static const struct longstop_database *database;
static struct longstop_failure failure;
static struct longstop_result result;

/* should_stop is true from the n-th time on that it is asked. */
static atomic_int asks_left;

static bool
should_stop(void *arg)
{
    (void)arg;
    return atomic_fetch_sub(&asks_left, 1) <= 0;
}

static const struct longstop_host host = { NULL, should_stop };

static enum longstop_answer
try_open(const char *url, int64_t timeout_ms, bool is_pooled, void **ret)
{
    const struct longstop_access access = {
        .url = url,
        .connect_timeout_ms = timeout_ms,
        .call_timeout_ms = CALL_MS,
        .is_pooled = is_pooled,
    };
    return database->open(&access, &host, ret, &failure);
}

static void
pause_ms(int ms)
{
    const struct timespec span = { ms / 1000, ms % 1000 * 1000000L };
    (void)nanosleep(&span, NULL);
}

/* A server that crashed takes a while to recover. */
static void *
open_at(const char *url)
{
    void *session = NULL;
    enum longstop_answer answer;
    for (int tries = 0;
         (answer = try_open(url, CALL_MS, false, &session)) == LONGSTOP_GONE &&
         tries < 5 * IN_TIME;
         tries++) {
        pause_ms(100);
    }
    if (answer != LONGSTOP_OK) {
        fail_msg("%s %s", failure.sqlstate, failure.words);
    }
    return session;
}

/* What with_postgresql.py says. */
static const char *
given(const char *name)
{
    const char *value = getenv(name);
    assert_non_null(value);
    return value;
}

static void *
open_one(void)
{
    return open_at(given("LONGSTOP_TEST_PG"));
}

/* The same text has the same number for as long as the program lives, as it is
 * to be. */
static uint32_t
id_of(const char *text)
{
    static const char *texts[256];
    uint32_t id = 0;
    while (texts[id] != NULL && strcmp(texts[id], text) != 0) {
        id++;
        assert_true(id < sizeof(texts) / sizeof(texts[0]));
    }
    if (texts[id] == NULL) {
        texts[id] = text;
    }
    return id;
}

static enum longstop_answer
run_with(void *session, const char *text, const struct longstop_value *values,
         size_t count)
{
    database->clear(&result);
    return database->run(session,
                         &(struct longstop_statement){ id_of(text), text },
                         values, count, &result, &failure);
}

static enum longstop_answer
run(void *session, const char *text)
{
    return run_with(session, text, NULL, 0);
}

static void
good(void *session, const char *text)
{
    if (run(session, text) != LONGSTOP_OK) {
        fail_msg("%s: %s %s", text, failure.sqlstate, failure.words);
    }
}

static int64_t
number_of(void *session, const char *text)
{
    good(session, text);
    assert_int_equal(result.rows, 1);
    return database->cell(&result, 0, 0).number;
}

static enum longstop_answer
post(void *session, const char *text)
{
    return database->post(session,
                          &(struct longstop_statement){ id_of(text), text },
                          NULL, 0, &failure);
}

static int
set_up(void **state)
{
    void *session;
    atomic_store(&asks_left, INT32_MAX);
    session = open_one();
    good(session, "DROP TABLE IF EXISTS t");
    good(session, "CREATE TABLE t(k integer PRIMARY KEY, v bytea)");
    good(session, "INSERT INTO t VALUES (1, 'one'), (2, 'two')");
    *state = session;
    return 0;
}

static int
tear_down(void **state)
{
    database->clear(&result);
    database->close(*state);
    return 0;
}

/* Waits for a query of a number to bring that number. */
static void
await(void *session, const char *text, int64_t number)
{
    int tries = 0;
    while (number_of(session, text) != number) {
        assert_true(tries++ < IN_TIME);
        pause_ms(100);
    }
}

/* Waits for a process of the server to end. */
static void
await_end(void *session, int64_t pid)
{
    const struct longstop_value value = { .type = LONGSTOP_NUMBER,
                                          .number = pid };
    for (int tries = 0;; tries++) {
        assert_int_equal(run_with(session,
                                  "SELECT FROM pg_stat_activity WHERE pid = $1",
                                  &value, 1),
                         LONGSTOP_OK);
        if (result.rows == 0) {
            return;
        }
        assert_true(tries < IN_TIME);
        pause_ms(100);
    }
}

/* A statement that is run in a thread of its own. */
struct aside {
    pthread_t thread;
    void *session;
    struct longstop_statement statement;
    struct longstop_failure failure;
    enum longstop_answer answer;
};

static void *
run_aside(void *arg)
{
    struct aside *aside = arg;
    aside->answer = database->run(aside->session, &aside->statement, NULL, 0,
                                  NULL, &aside->failure);
    return NULL;
}

static void
begin_aside(struct aside *aside, void *session, const char *text)
{
    *aside = (struct aside){ .session = session,
                             .statement = { id_of(text), text } };
    assert_int_equal(pthread_create(&aside->thread, NULL, run_aside, aside), 0);
}

static enum longstop_answer
end_aside(struct aside *aside)
{
    assert_int_equal(pthread_join(aside->thread, NULL), 0);
    return aside->answer;
}

/* Values */

static void
numbers_come_back_as_they_went(void **state)
{
    static const int64_t numbers[] = { 0, 1, -1, INT64_MAX, INT64_MIN };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        const struct longstop_value values[] = {
            { .type = LONGSTOP_NUMBER, .number = numbers[i] },
            { .type = LONGSTOP_BOOL, .number = numbers[i] > 0 },
            { .type = LONGSTOP_NUMBER, .is_null = true },
            { .type = LONGSTOP_NOTHING },
        };
        assert_int_equal(
            run_with(*state, "SELECT $1, $2, $3, $4::text", values, 4),
            LONGSTOP_OK);
        assert_int_equal(result.rows, 1);
        assert_int_equal(result.columns, 4);
        assert_true(database->cell(&result, 0, 0).number == numbers[i]);
        assert_true(database->cell(&result, 0, 1).number == (numbers[i] > 0));
        assert_true(database->cell(&result, 0, 2).is_null);
        assert_true(database->cell(&result, 0, 3).is_null);
    }
    good(*state, "SELECT (-2)::smallint, (-3)::integer, true");
    assert_true(database->cell(&result, 0, 0).number == -2);
    assert_true(database->cell(&result, 0, 1).number == -3);
    assert_true(database->cell(&result, 0, 2).number == 1);
}

static void
assert_cell(size_t row, size_t column, struct longstop_bytes bytes)
{
    const struct longstop_cell cell = database->cell(&result, row, column);
    assert_false(cell.is_null);
    assert_int_equal(cell.bytes.len, bytes.len);
    assert_memory_equal(cell.bytes.at, bytes.at, bytes.len);
}

static void
bytes_and_text_come_back_as_they_went(void **state)
{
    char *large = test_malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++) {
        large[i] = (char)(i * 7);
    }
    const struct longstop_value values[] = {
        { .type = LONGSTOP_BYTES, .bytes = BYTES("a\0b\xff") },
        { .type = LONGSTOP_BYTES, .bytes = { large, LARGE } },
        { .type = LONGSTOP_BYTES, .bytes = BYTES("") },
        { .type = LONGSTOP_TEXT, .bytes = BYTES("gr\xc3\xbc\xc3\x9f") },
        { .type = LONGSTOP_TEXT, .bytes = BYTES("") },
    };
    assert_int_equal(run_with(*state, "SELECT $1, $2, $3, $4, $5", values, 5),
                     LONGSTOP_OK);
    for (size_t i = 0; i < 5; i++) {
        assert_cell(0, i, values[i].bytes);
    }
    test_free(large);
}

static void
text_with_a_nul_is_refused_and_the_session_lives(void **state)
{
    const struct longstop_value value = { .type = LONGSTOP_TEXT,
                                          .bytes = BYTES("a\0b") };
    assert_int_equal(run_with(*state, "SELECT $1", &value, 1), LONGSTOP_FAILED);
    assert_string_equal(failure.sqlstate, "22021");
    good(*state, "SELECT 1");
}

static void
lists_come_back_as_rows(void **state)
{
    static const int64_t numbers[] = { 7, -8, 9 };
    static const bool nulls[] = { false, true, false };
    const struct longstop_bytes bytes[] = { BYTES("a\0"),
                                            { NULL, 0 },
                                            BYTES("") };
    const struct longstop_value values[] = {
        { .type = LONGSTOP_NUMBER,
          .is_list = true,
          .count = 3,
          .numbers = numbers },
        { .type = LONGSTOP_NUMBER,
          .is_list = true,
          .count = 3,
          .numbers = numbers,
          .nulls = nulls },
        { .type = LONGSTOP_BYTES, .is_list = true, .count = 3, .list = bytes },
        { .type = LONGSTOP_TEXT,
          .is_list = true,
          .count = 3,
          .list =
              (struct longstop_bytes[]){ BYTES("x"), BYTES("y"), BYTES("z") } },
        { .type = LONGSTOP_BOOL,
          .is_list = true,
          .count = 3,
          .numbers = (int64_t[]){ 1, 0, 1 } },
    };
    assert_int_equal(
        run_with(*state, "SELECT * FROM unnest($1, $2, $3, $4, $5)", values, 5),
        LONGSTOP_OK);
    assert_int_equal(result.rows, 3);
    assert_true(database->cell(&result, 1, 0).number == -8);
    assert_true(database->cell(&result, 1, 1).is_null);
    assert_true(database->cell(&result, 2, 1).number == 9);
    assert_cell(0, 2, BYTES("a\0"));
    assert_true(database->cell(&result, 1, 2).is_null);
    assert_cell(2, 2, BYTES(""));
    assert_cell(2, 3, BYTES("z"));
    assert_true(database->cell(&result, 1, 4).number == 0);
    assert_true(database->cell(&result, 2, 4).number == 1);
}

static void
an_empty_list_has_no_rows(void **state)
{
    const struct longstop_value value = { .type = LONGSTOP_BYTES,
                                          .is_list = true };
    assert_int_equal(run_with(*state, "SELECT unnest($1)", &value, 1),
                     LONGSTOP_OK);
    assert_int_equal(result.rows, 0);
    assert_int_equal(result.affected, 0);
}

static void
a_value_that_was_null_of_no_type_may_be_a_number_later(void **state)
{
    static const char text[] = "INSERT INTO t VALUES (coalesce($1, 9))";
    struct longstop_value value = { .type = LONGSTOP_NOTHING };
    assert_int_equal(run_with(*state, text, &value, 1), LONGSTOP_OK);
    value = (struct longstop_value){ .type = LONGSTOP_NUMBER, .number = 10 };
    assert_int_equal(run_with(*state, text, &value, 1), LONGSTOP_OK);
    value =
        (struct longstop_value){ .type = LONGSTOP_BYTES, .bytes = BYTES("x") };
    assert_int_equal(run_with(*state, text, &value, 1), LONGSTOP_FAILED);
    assert_true(number_of(*state, "SELECT sum(k)::bigint FROM t") == 22);
}

/* Posting and running */

static void
what_was_posted_is_there_with_the_run_and_tells_its_rows(void **state)
{
    size_t count = 9;
    assert_int_equal(post(*state, "INSERT INTO t VALUES (3), (4)"),
                     LONGSTOP_OK);
    assert_int_equal(post(*state, "DELETE FROM t WHERE k > 100"), LONGSTOP_OK);
    assert_int_equal(post(*state, "UPDATE t SET v = '' WHERE k < 4"),
                     LONGSTOP_OK);
    assert_true(number_of(*state, "SELECT count(*) FROM t") == 4);
    const int64_t *affected = database->affected(*state, &count);
    assert_int_equal(count, 3);
    assert_true(affected[0] == 2 && affected[1] == 0 && affected[2] == 3);
    assert_int_equal(post(*state, "DELETE FROM t"), LONGSTOP_OK);
    assert_int_equal(database->flush(*state, &failure), LONGSTOP_OK);
    affected = database->affected(*state, &count);
    assert_int_equal(count, 1);
    assert_true(affected[0] == 4);
    assert_int_equal(database->flush(*state, &failure), LONGSTOP_OK);
}

static void
thousands_can_be_posted(void **state)
{
    static const char text[] = "INSERT INTO t VALUES ($1, $2)";
    char bytes[1000];
    memset(bytes, 'x', sizeof(bytes));
    for (int64_t i = 0; i < 3000; i++) {
        const struct longstop_value values[] = {
            { .type = LONGSTOP_NUMBER, .number = 1000 + i },
            { .type = LONGSTOP_BYTES, .bytes = { bytes, sizeof(bytes) } },
        };
        assert_int_equal(
            database->post(*state,
                           &(struct longstop_statement){ id_of(text), text },
                           values, 2, &failure),
            LONGSTOP_OK);
    }
    assert_int_equal(database->flush(*state, &failure), LONGSTOP_OK);
    assert_true(number_of(*state, "SELECT count(*) FROM t") == 3002);
}

static void
a_post_that_fails_takes_all_of_its_transaction_with_it(void **state)
{
    assert_int_equal(post(*state, "INSERT INTO t VALUES (5)"), LONGSTOP_OK);
    assert_int_equal(post(*state, "INSERT INTO t VALUES (1)"), LONGSTOP_OK);
    assert_int_equal(post(*state, "INSERT INTO t VALUES (6)"), LONGSTOP_OK);
    assert_int_equal(run(*state, "SELECT 1"), LONGSTOP_FAILED);
    assert_string_equal(failure.sqlstate, "23505");
    assert_non_null(strstr(failure.words, "t_pkey"));
    assert_int_equal(failure.at, 1);
    assert_true(number_of(*state, "SELECT count(*) FROM t") == 2);
}

static void
a_statement_that_failed_to_prepare_is_prepared_anew(void **state)
{
    static const char text[] = "SELECT count(*) FROM later";
    assert_int_equal(run(*state, text), LONGSTOP_FAILED);
    assert_string_equal(failure.sqlstate, "42P01");
    good(*state, "CREATE TABLE later(k integer)");
    assert_true(number_of(*state, text) == 0);
    good(*state, "DROP TABLE later");
    /* Nor was one prepared that came behind a failure. */
    assert_int_equal(post(*state, "INSERT INTO t VALUES (1)"), LONGSTOP_OK);
    assert_int_equal(run(*state, "SELECT 17"), LONGSTOP_FAILED);
    assert_true(number_of(*state, "SELECT 17") == 17);
    assert_false(database->is_pooled(*state)); /* that would do it, too */
}

static void
a_commit_of_what_has_failed_is_no_success(void **state)
{
    good(*state, "BEGIN");
    assert_int_equal(run(*state, "INSERT INTO t VALUES (1)"), LONGSTOP_FAILED);
    assert_int_equal(run(*state, "COMMIT"), LONGSTOP_FAILED);
    assert_true(number_of(*state, "SELECT count(*) FROM t") == 2);
}

static void
a_transaction_is_open_over_several_runs(void **state)
{
    void *other = open_one();
    assert_int_equal(post(*state, "BEGIN"), LONGSTOP_OK);
    good(*state, "INSERT INTO t VALUES (3)");
    assert_true(number_of(other, "SELECT count(*) FROM t") == 2);
    good(*state, "COMMIT");
    assert_true(number_of(other, "SELECT count(*) FROM t") == 3);
    database->close(other);
}

/* What passes, and what does not */

static void
a_deadlock_is_to_be_tried_again(void **state)
{
    struct aside aside;
    void *other = open_one();
    good(*state, "BEGIN");
    good(*state, "UPDATE t SET v = 'a' WHERE k = 1");
    good(other, "BEGIN");
    good(other, "UPDATE t SET v = 'b' WHERE k = 2");
    begin_aside(&aside, other, "UPDATE t SET v = 'b' WHERE k = 1");
    const enum longstop_answer answer =
        run(*state, "UPDATE t SET v = 'a' WHERE k = 2");
    /* One of them is chosen; the other goes on once that one is rolled back. */
    if (answer != LONGSTOP_OK) {
        assert_int_equal(answer, LONGSTOP_RETRY);
        assert_string_equal(failure.sqlstate, "40P01");
        good(*state, "ROLLBACK");
        assert_int_equal(end_aside(&aside), LONGSTOP_OK);
    } else {
        assert_int_equal(end_aside(&aside), LONGSTOP_RETRY);
        assert_string_equal(aside.failure.sqlstate, "40P01");
    }
    database->close(other);
}

static void
a_lock_that_is_held_and_a_statement_that_lasts_are_given_up(void **state)
{
    void *other = open_one();
    good(other, "BEGIN");
    good(other, "UPDATE t SET v = 'b' WHERE k = 1");
    assert_int_equal(run(*state, "DELETE FROM t WHERE k = 1"), LONGSTOP_RETRY);
    assert_string_equal(failure.sqlstate, "55P03");
    database->close(other);
    assert_int_equal(run(*state, "SELECT pg_sleep(60)"), LONGSTOP_RETRY);
    assert_string_equal(failure.sqlstate, "57014");
    good(*state, "DELETE FROM t WHERE k = 1");
}

static void
what_is_not_allowed_is_denied(void **state)
{
    good(*state, "DROP ROLE IF EXISTS weak");
    good(*state, "CREATE ROLE weak");
    good(*state, "SET ROLE weak");
    assert_int_equal(run(*state, "SELECT * FROM t"), LONGSTOP_DENIED);
    assert_string_equal(failure.sqlstate, "42501");
    good(*state, "RESET ROLE");
    good(*state, "SET default_transaction_read_only = on");
    assert_int_equal(run(*state, "DELETE FROM t"), LONGSTOP_READONLY);
}

/* Connections that are lost */

static void
tell_process(int64_t pid, int number)
{
    assert_int_equal(kill((pid_t)pid, number), 0);
}

static void
a_connection_lost_within_a_transaction_leaves_nothing_open(void **state)
{
    struct aside aside;
    void *other = open_one();
    const int64_t pid = number_of(other, "SELECT pg_backend_pid()");
    good(*state, "BEGIN");
    good(*state, "UPDATE t SET v = 'a' WHERE k = 1");
    good(other, "BEGIN");
    good(other, "INSERT INTO t VALUES (3)");
    begin_aside(&aside, other, "UPDATE t SET v = 'b' WHERE k = 1");
    await(*state, "SELECT count(*) FROM pg_locks WHERE NOT granted", 1);
    tell_process(pid, SIGTERM);
    assert_int_equal(end_aside(&aside), LONGSTOP_GONE);
    assert_string_equal(aside.failure.sqlstate, "57P01");
    good(*state, "ROLLBACK");
    assert_true(number_of(*state, "SELECT count(*) FROM t") == 2);
    /* and so it stays */
    assert_int_equal(run(other, "SELECT 1"), LONGSTOP_GONE);
    database->close(other);
}

static void
one_lost_while_nothing_was_under_way_leaves_nothing_open(void **state)
{
    void *other = open_one();
    int64_t pid = number_of(other, "SELECT pg_backend_pid()");
    tell_process(pid, SIGTERM);
    await_end(*state, pid);
    assert_int_equal(run(other, "INSERT INTO t VALUES (3)"), LONGSTOP_GONE);
    assert_non_null(strstr(failure.words, "terminating connection"));
    database->close(other);
    /* Nor does one that says nothing any more. */
    pid = number_of(*state, "SELECT pg_backend_pid()");
    tell_process(pid, SIGKILL);
    other = open_one();
    assert_int_equal(run(*state, "INSERT INTO t VALUES (3)"), LONGSTOP_GONE);
    assert_true(number_of(other, "SELECT count(*) FROM t") == 2);
    database->close(other);
}

static void
set_standby(void *session, const char *text)
{
    good(session, text);
    good(session, "SELECT pg_reload_conf()");
}

/* A server that commits, and does not say so: it waits for a standby that
 * there is not. */
static void
a_commit_that_was_not_answered_is_unknown(void **state)
{
    static const struct {
        const char *begin, *last;
        int signal;
    } cases[] = {
        { "BEGIN", "COMMIT", SIGTERM },
        { "BEGIN", "COMMIT", SIGINT },  /* a cancel: committed, not there */
        { "BEGIN", "COMMIT", SIGKILL }, /* all are disconnected */
        { NULL, "INSERT INTO t VALUES (4)", SIGTERM },
    };
    set_standby(*state,
                "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct aside aside;
        void *other = open_one();
        void *third = open_one();
        const int64_t pid = number_of(other, "SELECT pg_backend_pid()");
        if (cases[i].begin != NULL) {
            good(other, cases[i].begin);
            good(other, "INSERT INTO t VALUES (3) "
                        "ON CONFLICT (k) DO UPDATE SET v = 'again'");
        }
        begin_aside(&aside, other, cases[i].last);
        await(third,
              "SELECT count(*) FROM pg_stat_activity WHERE "
              "wait_event = 'SyncRep'",
              1);
        tell_process(pid, cases[i].signal);
        assert_int_equal(end_aside(&aside), LONGSTOP_UNKNOWN);
        database->close(other);
        database->close(third);
    }
    database->close(*state);
    *state = open_one();
    set_standby(*state, "ALTER SYSTEM RESET synchronous_standby_names");
    await(*state,
          "SELECT count(*) FROM pg_settings WHERE "
          "name = 'synchronous_standby_names' AND setting = ''",
          1);
    assert_true(number_of(*state, "SELECT count(*) FROM t") == 4);
}

static void
a_server_that_is_silent_holds_nobody_for_good(void **state)
{
    static const struct {
        const char *begin, *last;
        enum longstop_answer answer;
    } cases[] = {
        { "BEGIN", "INSERT INTO t VALUES (3)", LONGSTOP_GONE },
        { NULL, "INSERT INTO t VALUES (3)", LONGSTOP_UNKNOWN },
    };
    for (size_t i = 0; i < 2; i++) {
        void *other = open_one();
        const int64_t pid = number_of(other, "SELECT pg_backend_pid()");
        if (cases[i].begin != NULL) {
            good(other, cases[i].begin);
        }
        tell_process(pid, SIGSTOP);
        const enum longstop_answer answer = run(other, cases[i].last);
        tell_process(pid, SIGCONT);
        assert_int_equal(answer, cases[i].answer);
        assert_non_null(strstr(failure.words, "no answer in time"));
        database->close(other);
        await_end(*state, pid);
    }
}

static void
the_programs_end_is_heard_while_waiting(void **state)
{
    bool is_notified = true;
    struct timespec from, to;
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    atomic_store(&asks_left, 3);
    assert_int_equal(database->wait(*state, 60000, &is_notified, &failure),
                     LONGSTOP_OK);
    assert_false(is_notified);
    atomic_store(&asks_left, 3);
    assert_int_equal(run(*state, "SELECT pg_sleep(60)"), LONGSTOP_UNKNOWN);
    assert_non_null(strstr(failure.words, "the program ends"));
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    assert_true(to.tv_sec - from.tv_sec < CALL_MS / 1000);
}

static void
a_server_that_crashed_is_gone_until_it_is_back(void **state)
{
    const char *url = given("LONGSTOP_TEST_PG");
    const pid_t keeper =
        (pid_t)strtol(given("LONGSTOP_TEST_PG_KEEPER"), NULL, 10);
    bool is_notified;
    void *waiting = open_one();
    void *session = NULL;
    int tries = 0;
    assert_int_equal(kill(keeper, SIGUSR1), 0);
    assert_int_equal(database->wait(waiting, 30000, &is_notified, &failure),
                     LONGSTOP_GONE);
    assert_int_equal(database->wait(*state, 30000, &is_notified, &failure),
                     LONGSTOP_GONE);
    assert_int_equal(run(*state, "DELETE FROM t"), LONGSTOP_GONE);
    database->close(waiting);
    while (try_open(url, CALL_MS, false, &session) == LONGSTOP_OK) {
        database->close(session);
        assert_true(tries++ < IN_TIME);
        pause_ms(100);
    }
    assert_non_null(strstr(failure.words, "cannot connect"));
    assert_int_equal(kill(keeper, SIGUSR2), 0);
    session = open_at(url);
    assert_true(number_of(session, "SELECT count(*) FROM t") == 2);
    database->close(session);
}

/* Connecting */

static void
urls_are_looked_at_without_a_network(void **state)
{
    char words[LONGSTOP_WORDS_BYTES] = "";
    (void)state;
    assert_true(database->check("postgresql://a@nowhere.invalid/b", words));
    assert_true(database->check("service=shop", words));
    assert_false(database->check("postgresql://a:se cret@h:x/b?z", words));
    assert_null(strstr(words, "cret"));
    assert_non_null(strstr(words, "postgresql: url:"));
}

static void
why_there_is_no_connection_is_told(void **state)
{
    char url[256];
    const char *base = given("LONGSTOP_TEST_PG");
    const struct {
        const char *more, *sqlstate, *words;
        enum longstop_answer answer;
    } cases[] = {
        { "user=nobody", "28000", "role \"nobody\" does not exist",
          LONGSTOP_DENIED },
        { "dbname=none", "3D000", "database \"none\" does not exist",
          LONGSTOP_FAILED },
        { "options='-c default_transaction_read_only=on'", "25006", "read-only",
          LONGSTOP_READONLY },
        { "host=127.0.0.1 port=1", "", "Connection refused", LONGSTOP_GONE },
        { "password='a secret", "", "it is neither", LONGSTOP_GONE },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        void *session = NULL;
        (void)snprintf(url, sizeof(url), "%s %s", base, cases[i].more);
        assert_int_equal(try_open(url, CALL_MS, false, &session),
                         cases[i].answer);
        assert_null(session);
        assert_string_equal(failure.sqlstate, cases[i].sqlstate);
        assert_non_null(strstr(failure.words, cases[i].words));
        assert_null(strstr(failure.words, "LOCATION"));
    }
}

static void
of_several_hosts_the_one_that_takes_writes_is_used(void **state)
{
    char url[256];
    const char *folder = given("LONGSTOP_TEST_PG") + strlen("host=");
    const char *port = strstr(folder, " port=");
    (void)state;
    assert_non_null(port);
    /* 192.0.2.1 answers nobody (RFC 5737). */
    (void)snprintf(url, sizeof(url),
                   "host=127.0.0.1,192.0.2.1,%.*s port=1,5432,%ld "
                   "user=longstop dbname=postgres",
                   (int)(port - folder), folder,
                   strtol(port + strlen(" port="), NULL, 10));
    void *session = open_at(url);
    good(session, "SELECT 1");
    database->close(session);
}

/* Poolers */

static void
work_through(void *session)
{
    assert_true(database->is_pooled(session));
    for (int i = 0; i < 12; i++) {
        const struct longstop_value value = { .type = LONGSTOP_NUMBER,
                                              .number = 100 + i };
        size_t count;
        assert_int_equal(post(session, "BEGIN"), LONGSTOP_OK);
        assert_int_equal(
            run_with(session, "INSERT INTO t VALUES ($1)", &value, 1),
            LONGSTOP_OK);
        assert_int_equal(post(session, "UPDATE t SET v = 'x'"), LONGSTOP_OK);
        good(session, "COMMIT");
        assert_true(database->affected(session, &count)[0] == 3 + i);
    }
    assert_true(number_of(session, "SELECT count(*) FROM t") == 14);
    assert_int_equal(run(session, "INSERT INTO t VALUES (1)"), LONGSTOP_FAILED);
}

static void
a_pooler_is_noticed_and_worked_through(void **state)
{
    const char *url = getenv("LONGSTOP_TEST_PG_POOLED");
    if (url == NULL) {
        print_message("no pgbouncer here\n");
        skip();
    }
    assert_false(database->is_pooled(*state));
    void *session = open_at(url);
    work_through(session);
    assert_int_equal(database->execute(session,
                                       "DELETE FROM t WHERE k > 50; "
                                       "SELECT 1",
                                       CALL_MS, &failure),
                     LONGSTOP_OK);
    assert_true(number_of(session, "SELECT count(*) FROM t") == 2);
    database->close(session);
}

static void
one_can_be_asked_for(void **state)
{
    void *session = NULL;
    (void)state;
    assert_int_equal(
        try_open(given("LONGSTOP_TEST_PG"), CALL_MS, true, &session),
        LONGSTOP_OK);
    work_through(session);
    database->close(session);
}

static void
one_that_shows_itself_later_is_noticed_by_what_it_forgot(void **state)
{
    assert_int_equal(run(*state, "SELECT 42"), LONGSTOP_OK);
    good(*state, "BEGIN");
    good(*state, "DEALLOCATE ALL");
    /* Within a transaction it is the caller who does all of it again. */
    assert_int_equal(run(*state, "SELECT 42"), LONGSTOP_RETRY);
    assert_string_equal(failure.sqlstate, "26000");
    assert_true(database->is_pooled(*state));
    good(*state, "ROLLBACK");
    assert_true(number_of(*state, "SELECT 42") == 42);
    /* Alone, nobody notices. */
    void *other = open_one();
    good(other, "SELECT 42");
    good(other, "DEALLOCATE ALL");
    assert_true(number_of(other, "SELECT 42") == 42);
    assert_true(database->is_pooled(other));
    database->close(other);
}

/* Texts, and being told */

static void
a_text_of_several_statements_is_one_transaction(void **state)
{
    assert_int_equal(database->execute(*state,
                                       "INSERT INTO t VALUES (3); SELECT 1; "
                                       "INSERT INTO t VALUES (4)",
                                       CALL_MS, &failure),
                     LONGSTOP_OK);
    assert_int_equal(database->execute(*state,
                                       "INSERT INTO t VALUES (5); "
                                       "INSERT INTO t VALUES (1)",
                                       CALL_MS, &failure),
                     LONGSTOP_FAILED);
    assert_string_equal(failure.sqlstate, "23505");
    assert_true(number_of(*state, "SELECT count(*) FROM t") == 4);
}

static void
a_text_may_take_longer_than_a_call(void **state)
{
    assert_int_equal(
        database->execute(*state, "SELECT pg_sleep(4)", 20000, &failure),
        LONGSTOP_OK);
    good(*state, "SELECT current_setting('statement_timeout')");
    assert_cell(0, 0, BYTES("3s"));
    assert_int_equal(post(*state, "SELECT 1"), LONGSTOP_OK);
    assert_int_equal(database->execute(*state, "SELECT 1", 20000, &failure),
                     LONGSTOP_FAILED);
    assert_non_null(strstr(failure.words, "posted"));
}

static void
a_notification_ends_the_waiting(void **state)
{
    bool is_notified = true;
    void *other = open_one();
    good(*state, "LISTEN work");
    assert_int_equal(database->wait(*state, 0, &is_notified, &failure),
                     LONGSTOP_OK);
    assert_false(is_notified);
    good(*state, "NOTIFY work"); /* its own is no news */
    assert_int_equal(database->wait(*state, 50, &is_notified, &failure),
                     LONGSTOP_OK);
    assert_false(is_notified);
    good(other, "NOTIFY work");
    assert_int_equal(database->wait(*state, 30000, &is_notified, &failure),
                     LONGSTOP_OK);
    assert_true(is_notified);
    /* One that came while something else was asked is not lost. */
    good(other, "NOTIFY work");
    good(*state, "SELECT 1");
    assert_int_equal(database->wait(*state, 30000, &is_notified, &failure),
                     LONGSTOP_OK);
    assert_true(is_notified);
    assert_int_equal(database->wait(*state, 50, &is_notified, &failure),
                     LONGSTOP_OK);
    assert_false(is_notified);
    database->close(other);
}

#define DATABASE_TEST(name)                                                    \
    cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DATABASE_TEST(numbers_come_back_as_they_went),
        DATABASE_TEST(bytes_and_text_come_back_as_they_went),
        DATABASE_TEST(text_with_a_nul_is_refused_and_the_session_lives),
        DATABASE_TEST(lists_come_back_as_rows),
        DATABASE_TEST(an_empty_list_has_no_rows),
        DATABASE_TEST(a_value_that_was_null_of_no_type_may_be_a_number_later),
        DATABASE_TEST(what_was_posted_is_there_with_the_run_and_tells_its_rows),
        DATABASE_TEST(thousands_can_be_posted),
        DATABASE_TEST(a_post_that_fails_takes_all_of_its_transaction_with_it),
        DATABASE_TEST(a_statement_that_failed_to_prepare_is_prepared_anew),
        DATABASE_TEST(a_commit_of_what_has_failed_is_no_success),
        DATABASE_TEST(a_transaction_is_open_over_several_runs),
        DATABASE_TEST(a_deadlock_is_to_be_tried_again),
        DATABASE_TEST(
            a_lock_that_is_held_and_a_statement_that_lasts_are_given_up),
        DATABASE_TEST(what_is_not_allowed_is_denied),
        DATABASE_TEST(
            a_connection_lost_within_a_transaction_leaves_nothing_open),
        DATABASE_TEST(one_lost_while_nothing_was_under_way_leaves_nothing_open),
        DATABASE_TEST(a_commit_that_was_not_answered_is_unknown),
        DATABASE_TEST(a_server_that_is_silent_holds_nobody_for_good),
        DATABASE_TEST(the_programs_end_is_heard_while_waiting),
        DATABASE_TEST(urls_are_looked_at_without_a_network),
        DATABASE_TEST(why_there_is_no_connection_is_told),
        DATABASE_TEST(of_several_hosts_the_one_that_takes_writes_is_used),
        DATABASE_TEST(a_pooler_is_noticed_and_worked_through),
        DATABASE_TEST(one_can_be_asked_for),
        DATABASE_TEST(one_that_shows_itself_later_is_noticed_by_what_it_forgot),
        DATABASE_TEST(a_text_of_several_statements_is_one_transaction),
        DATABASE_TEST(a_text_may_take_longer_than_a_call),
        DATABASE_TEST(a_notification_ends_the_waiting),
        DATABASE_TEST(a_server_that_crashed_is_gone_until_it_is_back),
    };
    void *object = dlopen(PLUGIN, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL) {
        print_error("%s\n", dlerror());
        return 1;
    }
    database = dlsym(object, LONGSTOP_DATABASE_SYMBOL);
    if (database == NULL || getenv("LONGSTOP_TEST_PG") == NULL) {
        print_error("it is run by with_postgresql.py\n");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
