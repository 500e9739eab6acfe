/* SPDX-License-Identifier: MIT */
/* Against a plugin that notes what it is asked and answers as it is told; the
 * real one has its own tests in tests/conformance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "io/clock.h"
#include "store/store_pg_link.h"

#define ANSWERS_MAX 16

/* The plugin. */
static struct {
    struct buf log; /* what was asked, a word each */
    /* What opens and runs answer, in their order; OK behind the last. */
    enum longstop_answer answers[ANSWERS_MAX];
    struct longstop_failure failures[ANSWERS_MAX];
    size_t answer_count, answered;
    size_t opens, opened, closes, results;
    size_t list_len; /* of the first text of a list that came first */
    size_t rows;
    bool is_pooled;
    struct longstop_value seen[PG_VALUES_MAX];
    size_t seen_count;
    char text[512];
} fake;

static struct pg_link link;
static struct error err;
static int session;

static enum longstop_answer
next_answer(struct longstop_failure *failure)
{
    *failure = (struct longstop_failure){ .at = 0 };
    if (fake.answered >= fake.answer_count) {
        return LONGSTOP_OK;
    }
    *failure = fake.failures[fake.answered];
    return fake.answers[fake.answered++];
}

static void
will_answer(enum longstop_answer answer, const char *state, size_t at)
{
    assert_true(fake.answer_count < ANSWERS_MAX);
    struct longstop_failure *failure = &fake.failures[fake.answer_count];
    *failure = (struct longstop_failure){ .words = "the words", .at = at };
    memcpy(failure->sqlstate, state, strlen(state) + 1);
    fake.answers[fake.answer_count++] = answer;
}

/* Statements are known by the first words of their texts. */
static void
note(const char *verb, const struct longstop_statement *statement,
     const struct longstop_value *values, size_t count)
{
    const size_t len = strcspn(statement->text, " ");
    buf_format(&fake.log, "%s%s:%.*s", fake.log.len == 0 ? "" : " ", verb,
               (int)len, statement->text);
    memcpy(fake.seen, values, count * sizeof(*values));
    fake.seen_count = count;
    if (count > 0 && values[0].is_list && values[0].list != NULL) {
        fake.list_len = values[0].list[0].len;
    }
    (void)strncpy(fake.text, statement->text, sizeof(fake.text) - 1);
}

static enum longstop_answer
fake_open(const struct longstop_access *access,
          const struct longstop_host *host, void **ret,
          struct longstop_failure *failure)
{
    (void)host;
    assert_string_equal(access->url, "the url");
    fake.opens++;
    const enum longstop_answer answer = next_answer(failure);
    fake.opened += answer == LONGSTOP_OK;
    *ret = answer == LONGSTOP_OK ? &session : NULL;
    return answer;
}

static void
fake_close(void *arg)
{
    assert_ptr_equal(arg, &session);
    fake.closes++;
}

static bool
fake_is_pooled(void *arg)
{
    (void)arg;
    return fake.is_pooled;
}

static enum longstop_answer
fake_post(void *arg, const struct longstop_statement *statement,
          const struct longstop_value *values, size_t count,
          struct longstop_failure *failure)
{
    (void)arg;
    note("post", statement, values, count);
    *failure = (struct longstop_failure){ .at = 0 };
    return LONGSTOP_OK;
}

static enum longstop_answer
fake_run(void *arg, const struct longstop_statement *statement,
         const struct longstop_value *values, size_t count,
         struct longstop_result *result, struct longstop_failure *failure)
{
    (void)arg;
    note("run", statement, values, count);
    const enum longstop_answer answer = next_answer(failure);
    if (answer == LONGSTOP_OK) {
        *result = (struct longstop_result){
            .rows = fake.rows, .columns = 2, .affected = 5, .handle = &session
        };
        fake.results++;
    }
    return answer;
}

static enum longstop_answer
fake_flush(void *arg, struct longstop_failure *failure)
{
    (void)arg;
    buf_text(&fake.log, " flush");
    return next_answer(failure);
}

static struct longstop_cell
fake_cell(const struct longstop_result *result, size_t row, size_t column)
{
    assert_true(row < result->rows);
    return column == 0
               ? (struct longstop_cell){ .number = (int64_t)row + 1,
                                         .bytes = { "x", 1 } }
               : (struct longstop_cell){ .is_null = true, .bytes = { "", 0 } };
}

static void
fake_clear(struct longstop_result *result)
{
    fake.results -= result->handle != NULL;
    *result = (struct longstop_result){ .handle = NULL };
}

static enum longstop_answer
fake_execute(void *arg, const char *text, int64_t timeout_ms,
             struct longstop_failure *failure)
{
    (void)arg;
    buf_format(&fake.log, " execute:%s:%d", text, (int)timeout_ms);
    return next_answer(failure);
}

static const struct longstop_database database = {
    .open = fake_open,
    .close = fake_close,
    .is_pooled = fake_is_pooled,
    .post = fake_post,
    .run = fake_run,
    .flush = fake_flush,
    .cell = fake_cell,
    .clear = fake_clear,
    .execute = fake_execute,
};

static int
set_up(void **state)
{
    static const struct longstop_access access = { .url = "the url" };
    (void)state;
    memset(&fake, 0, sizeof(fake));
    err = (struct error){ "" };
    pg_link_init(&link, &database, &access, 7);
    link.link.serving = true;
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    pg_link_fini(&link);
    assert_int_equal(fake.opened, fake.closes);
    assert_int_equal(fake.results, 0);
    buf_fini(&fake.log);
    return 0;
}

static void
assert_log(const char *expected)
{
    assert_string_equal(fake.log.ptr == NULL ? "" : fake.log.ptr, expected);
    buf_clear(&fake.log);
}

/* Connects, and forgets that it had to. */
static void
connected(void)
{
    assert_int_equal(pg_link_connect(&link, &err), STATUS_OK);
    buf_clear(&fake.log);
}

/* Connects as one whose connection has lasted for long. */
static void
connected_long(void)
{
    connected();
    link.connected_ms -= 60000;
}

static enum status
put_meta(void)
{
    struct sql_use use = sql_use_of(&link.link, SQL_META_PUT);
    sql_text(&use, slice_of("name"));
    sql_i64(&use, 7);
    return sql_run(&use, &err);
}

static enum status
note_asked(void)
{
    struct sql_use use = sql_use_of(&link.link, SQL_FILL_ASKED);
    sql_event(&use, 1);
    sql_i64(&use, 2);
    return sql_run(&use, &err);
}

static enum status
begin(void)
{
    return link.link.driver->begin(&link.link, true, &err);
}

static enum status
commit(void)
{
    return link.link.driver->commit(&link.link, &err);
}

/* Statements */

static void
values_go_with_their_types_and_a_text_with_dollars(void **state)
{
    (void)state;
    struct sql_use use = sql_use_of(&link.link, SQL_META_PUT);
    connected();
    sql_text(&use, (struct slice){ "", 0 });
    sql_i64(&use, -7);
    assert_int_equal(sql_run(&use, &err), STATUS_OK);
    assert_log("run:INSERT");
    assert_non_null(strstr(fake.text, "$1,$2"));
    assert_null(strchr(fake.text, '?'));
    assert_int_equal(use.changed, 5);
    assert_int_equal(fake.seen_count, 2);
    assert_int_equal(fake.seen[0].type, LONGSTOP_BYTES);
    assert_int_equal(fake.seen[0].bytes.len, 0);
    assert_int_equal(fake.seen[1].type, LONGSTOP_NUMBER);
    assert_true(fake.seen[1].number == -7);
}

static void
lists_and_nothing_are_values_too(void **state)
{
    (void)state;
    static const int64_t numbers[] = { 1, 2 };
    const struct slice texts[] = { slice_of("a"), { NULL, 0 } };
    struct sql_use use = sql_use_of(&link.link, SQL_LOCK_LANES);
    sql_numbers(&use, numbers, 2);
    sql_list(&use, texts, 2);
    sql_null(&use);
    assert_int_equal(sql_run(&use, &err), STATUS_OK);
    assert_int_equal(fake.seen_count, 3);
    assert_true(fake.seen[0].is_list && fake.seen[0].numbers == numbers);
    assert_int_equal(fake.seen[0].count, 2);
    assert_int_equal(fake.seen[1].type, LONGSTOP_BYTES);
    assert_int_equal(fake.seen[1].count, 2);
    assert_int_equal(fake.seen[2].type, LONGSTOP_NOTHING);
}

static void
rows_come_one_after_the_other(void **state)
{
    (void)state;
    bool row;
    struct sql_use use = sql_use_of(&link.link, SQL_META_GET);
    fake.rows = 2;
    sql_text(&use, slice_of("name"));
    for (int64_t i = 1; i <= 2; i++) {
        assert_int_equal(sql_row(&use, &row, &err), STATUS_OK);
        assert_true(row);
        assert_true(sql_number(&use, 0) == i);
        assert_int_equal(sql_bytes(&use, 0).len, 1);
        assert_true(sql_is_null(&use, 1));
    }
    /* Another one in between does no harm. */
    assert_int_equal(put_meta(), STATUS_OK);
    assert_true(sql_number(&use, 0) == 2);
    assert_int_equal(sql_row(&use, &row, &err), STATUS_OK);
    assert_false(row);
    assert_int_equal(fake.results, 0);
}

static void
who_has_seen_enough_stops(void **state)
{
    (void)state;
    bool row;
    struct sql_use use = sql_use_of(&link.link, SQL_META_GET);
    fake.rows = 2;
    sql_text(&use, slice_of("name"));
    assert_int_equal(sql_row(&use, &row, &err), STATUS_OK);
    sql_stop(&use);
    assert_int_equal(fake.results, 0);
    sql_stop(&use);
}

static void
what_was_bound_and_never_run_is_forgotten(void **state)
{
    (void)state;
    struct sql_use use = sql_use_of(&link.link, SQL_META_PUT);
    sql_text(&use, slice_of("name"));
    assert_int_equal(put_meta(), STATUS_OK);
    assert_int_equal(fake.seen_count, 2);
    /* To go on with it would mix two of them. */
    sql_i64(&use, 1);
    assert_int_equal(sql_run(&use, &err), STATUS_INVALID);
    struct sql_use many = sql_use_of(&link.link, SQL_META_PUT);
    for (int i = 0; i < 3 * PG_VALUES_MAX; i++) {
        sql_i64(&many, i);
    }
    assert_int_equal(sql_run(&many, &err), STATUS_INVALID);
}

static void
memory_that_runs_out_is_told(void **state)
{
    (void)state;
    const struct slice texts[] = { slice_of("a") };
    bool row = true;
    connected();
    for (long after = 0; after < 4; after++) {
        pg_link_fini(&link);
        link.not_before_ms = 0;
        connected();
        struct sql_use use = sql_use_of(&link.link, SQL_LEDGER_GET_ALL);
        (void)mem_fail_after(after, 1);
        sql_list(&use, texts, 1);
        enum status status = sql_row(&use, &row, &err);
        (void)mem_fail_after(-1, 0);
        sql_stop(&use);
        assert_true(status == STATUS_OK ||
                    status_disposition(status) == DISPOSITION_LATER);
        assert_true(after < 3 || status == STATUS_OK);
    }
}

/* Transactions */

static void
what_nobody_looks_at_is_posted_and_the_commit_waits(void **state)
{
    (void)state;
    connected();
    assert_int_equal(begin(), STATUS_OK);
    assert_true(link.link.driver->is_open(&link.link));
    assert_int_equal(note_asked(), STATUS_OK);
    assert_int_equal(put_meta(), STATUS_OK);
    assert_int_equal(note_asked(), STATUS_OK);
    assert_int_equal(commit(), STATUS_OK);
    assert_false(link.link.driver->is_open(&link.link));
    assert_log("post:BEGIN post:UPDATE run:INSERT post:UPDATE run:COMMIT");
    /* Outside of a transaction nobody would wait for it. */
    assert_int_equal(note_asked(), STATUS_OK);
    assert_log("run:UPDATE");
}

static void
a_post_that_fails_is_done_again_with_care(void **state)
{
    (void)state;
    connected();
    assert_int_equal(begin(), STATUS_OK);
    assert_int_equal(note_asked(), STATUS_OK);
    will_answer(LONGSTOP_FAILED, "22000", 1);
    assert_int_equal(put_meta(), STATUS_BUSY); /* not its own fault */
    link.link.driver->rollback(&link.link);
    buf_clear(&fake.log);
    assert_int_equal(begin(), STATUS_OK);
    will_answer(LONGSTOP_FAILED, "22000", 1);
    assert_int_equal(note_asked(), STATUS_INVALID); /* now it is known */
    link.link.driver->rollback(&link.link);
    assert_log("post:BEGIN run:UPDATE run:ROLLBACK");
    assert_int_equal(begin(), STATUS_OK);
    assert_int_equal(commit(), STATUS_OK);
    assert_int_equal(begin(), STATUS_OK);
    buf_clear(&fake.log);
    assert_int_equal(note_asked(), STATUS_OK);
    assert_log("post:UPDATE");
    link.link.driver->rollback(&link.link);
}

static void
a_rollback_behind_a_post_that_failed_is_made_twice(void **state)
{
    (void)state;
    connected();
    assert_int_equal(begin(), STATUS_OK);
    assert_int_equal(note_asked(), STATUS_OK);
    will_answer(LONGSTOP_FAILED, "22000", 1);
    link.link.driver->rollback(&link.link);
    assert_log("post:BEGIN post:UPDATE run:ROLLBACK run:ROLLBACK");
    assert_int_equal(fake.closes, 0);
    /* When that does not help, nothing is left of the connection. */
    assert_int_equal(begin(), STATUS_OK);
    will_answer(LONGSTOP_FAILED, "22000", 0);
    will_answer(LONGSTOP_FAILED, "22000", 0);
    link.link.driver->rollback(&link.link);
    assert_int_equal(fake.closes, 1);
    link.link.driver->rollback(&link.link);
}

static enum status
add_delivery(int64_t event)
{
    struct sql_use use = sql_use_of(&link.link, SQL_DELIVERY_ADD);
    for (int64_t i = 0; i < 5; i++) {
        sql_i64(&use, event + i);
    }
    sql_null(&use);
    return sql_run(&use, &err);
}

static void
rows_of_one_table_go_together_before_somebody_looks(void **state)
{
    (void)state;
    struct sql_use known = sql_use_of(&link.link, SQL_LEDGER_GET);
    struct sql_use busy = sql_use_of(&link.link, SQL_LANE_BUSY);
    bool row;
    connected();
    assert_int_equal(begin(), STATUS_OK);
    assert_int_equal(add_delivery(1), STATUS_OK);
    sql_blob(&known, "k", 1);
    assert_int_equal(sql_row(&known, &row, &err), STATUS_OK);
    assert_int_equal(add_delivery(2), STATUS_OK);
    assert_log("post:BEGIN run:SELECT");
    sql_i64(&busy, 1);
    sql_i64(&busy, 1);
    assert_int_equal(sql_row(&busy, &row, &err), STATUS_OK);
    assert_log("post:INSERT run:SELECT");
    assert_int_equal(add_delivery(3), STATUS_OK);
    assert_int_equal(commit(), STATUS_OK);
    assert_log("post:INSERT run:COMMIT");
    /* What is rolled back need not go. */
    assert_int_equal(begin(), STATUS_OK);
    assert_int_equal(add_delivery(4), STATUS_OK);
    link.link.driver->rollback(&link.link);
    assert_log("post:BEGIN run:ROLLBACK");
    assert_int_equal(begin(), STATUS_OK);
    assert_int_equal(commit(), STATUS_OK);
    assert_log("post:BEGIN run:COMMIT");
}

static void
rows_that_fail_together_go_one_by_one_then(void **state)
{
    (void)state;
    connected();
    assert_int_equal(begin(), STATUS_OK);
    assert_int_equal(add_delivery(1), STATUS_OK);
    will_answer(LONGSTOP_FAILED, "23505", 1);
    assert_int_equal(commit(), STATUS_BUSY);
    link.link.driver->rollback(&link.link);
    buf_clear(&fake.log);
    assert_int_equal(begin(), STATUS_OK);
    assert_int_equal(add_delivery(1), STATUS_OK);
    assert_log("post:BEGIN run:INSERT");
    link.link.driver->rollback(&link.link);
}

/* What failures mean */

static void
each_failure_has_its_words_and_some_end_the_connection(void **state)
{
    static const struct {
        enum longstop_answer answer;
        const char *sqlstate;
        enum status status;
        const char *words;
        bool is_closed;
    } cases[] = {
        { LONGSTOP_FAILED, "22021", STATUS_INVALID, "(22021)", false },
        { LONGSTOP_FAILED, "23505", STATUS_INVALID, "the words", false },
        { LONGSTOP_FAILED, "42P01", STATUS_UNAVAILABLE, "not as", false },
        { LONGSTOP_FULL, "53100", STATUS_FULL, "free some space", false },
        { LONGSTOP_READONLY, "25006", STATUS_UNAVAILABLE, "standby", true },
        { LONGSTOP_GONE, "57P01", STATUS_UNAVAILABLE, "the words", true },
        { LONGSTOP_UNKNOWN, "", STATUS_UNKNOWN, "the words", true },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        link.not_before_ms = 0;
        connected();
        assert_int_equal(begin(), STATUS_OK);
        will_answer(cases[i].answer, cases[i].sqlstate, 1);
        assert_int_equal(put_meta(), cases[i].status);
        assert_non_null(strstr(err.text, cases[i].words));
        assert_int_equal(fake.closes, fake.opened - !cases[i].is_closed);
        link.link.driver->rollback(&link.link);
    }
    assert_int_equal(link.link.failed, STATUS_OK);
}

static void
a_damaged_database_is_final(void **state)
{
    (void)state;
    will_answer(LONGSTOP_OK, "", 0);
    will_answer(LONGSTOP_OK, "", 0);
    will_answer(LONGSTOP_FAILED, "XX001", 0);
    assert_int_equal(put_meta(), STATUS_CORRUPT);
    assert_int_equal(sql_link_usable(&link.link, &err), STATUS_CORRUPT);
    assert_non_null(strstr(err.text, "restore a backup"));
}

static void
a_password_that_is_refused_at_the_start_is_final_later_it_is_not(void **state)
{
    (void)state;
    link.link.serving = false;
    will_answer(LONGSTOP_DENIED, "28P01", 0);
    assert_int_equal(pg_link_connect(&link, &err), STATUS_DENIED);
    link.link.serving = true;
    link.not_before_ms = 0;
    will_answer(LONGSTOP_DENIED, "28P01", 0);
    assert_int_equal(pg_link_connect(&link, &err), STATUS_UNAVAILABLE);
}

/* Connections that are lost */

static void
one_that_went_while_nobody_looked_is_made_anew_at_once(void **state)
{
    (void)state;
    connected_long();
    will_answer(LONGSTOP_GONE, "57P01", 0);
    assert_int_equal(put_meta(), STATUS_OK);
    assert_int_equal(fake.opens, 2);
    assert_int_equal(fake.seen_count, 2); /* with its values */
    assert_true(fake.seen[1].number == 7);
    /* One that does not last is not. */
    will_answer(LONGSTOP_GONE, "57P01", 0);
    assert_int_equal(put_meta(), STATUS_UNAVAILABLE);
    assert_int_equal(fake.opens, 2);
}

static void
one_lost_within_a_transaction_ends_that(void **state)
{
    (void)state;
    connected_long();
    assert_int_equal(begin(), STATUS_OK);
    will_answer(LONGSTOP_GONE, "57P01", 1);
    assert_int_equal(put_meta(), STATUS_UNAVAILABLE);
    /* Nothing more of it is carried out, on whatever connection. */
    assert_int_equal(put_meta(), STATUS_UNAVAILABLE);
    assert_int_equal(note_asked(), STATUS_UNAVAILABLE);
    assert_int_equal(commit(), STATUS_UNAVAILABLE);
    assert_non_null(strstr(err.text, "the words"));
    assert_int_equal(fake.opens, 1);
    link.link.driver->rollback(&link.link);
    assert_int_equal(begin(), STATUS_OK);
    assert_int_equal(fake.opens, 2);
    link.link.driver->rollback(&link.link);
}

static void
a_commit_that_was_not_answered_is_unknown(void **state)
{
    (void)state;
    connected_long();
    assert_int_equal(begin(), STATUS_OK);
    will_answer(LONGSTOP_UNKNOWN, "", 1);
    assert_int_equal(commit(), STATUS_UNKNOWN);
    link.link.driver->rollback(&link.link);
    assert_int_equal(put_meta(), STATUS_OK);
}

static void
a_database_that_is_away_is_asked_ever_more_rarely(void **state)
{
    (void)state;
    int64_t longest = 0;
    for (unsigned i = 0; i < 12; i++) {
        const size_t opens = fake.opens;
        fake.answered = fake.answer_count = 0;
        will_answer(LONGSTOP_GONE, "", 0);
        assert_int_equal(put_meta(), STATUS_UNAVAILABLE);
        assert_int_equal(fake.opens, opens + 1);
        const int64_t wait = link.not_before_ms - clock_monotonic_ms();
        longest = wait > longest ? wait : longest;
        assert_true(wait <= 10000);
        /* Until then nobody asks, and the words are those of the loss. */
        link.not_before_ms += 60000;
        assert_int_equal(begin(), STATUS_UNAVAILABLE);
        assert_int_equal(fake.opens, opens + 1);
        assert_non_null(strstr(err.text, "the words"));
        link.not_before_ms = 0;
    }
    assert_true(longest > 1000);
    assert_int_equal(put_meta(), STATUS_OK);
}

static enum status
look_and_bind(void *arg, struct error *words)
{
    const struct slice texts[] = { slice_of("other") };
    struct sql_use use = sql_use_of(&link.link, SQL_LEDGER_GET_ALL);
    enum status *status = arg;
    bool row;
    sql_list(&use, texts, 1);
    assert_int_equal(sql_row(&use, &row, words), STATUS_OK);
    return *status == STATUS_OK ? STATUS_OK
                                : error_set(words, *status, "not this one");
}

static void
what_a_connection_begins_with_is_done_first(void **state)
{
    (void)state;
    enum status status = STATUS_OK;
    const struct slice texts[] = { slice_of("mine") };
    struct sql_use use = sql_use_of(&link.link, SQL_LEDGER_GET_ALL);
    bool row;
    link.connected = look_and_bind;
    link.connected_arg = &status;
    sql_list(&use, texts, 1);
    assert_int_equal(sql_row(&use, &row, &err), STATUS_OK);
    assert_log("post:SELECT flush run:SELECT run:SELECT");
    assert_int_equal(fake.list_len, 4);
    /* When that fails, it is as if there were none. */
    pg_link_fini(&link);
    link.not_before_ms = 0;
    status = STATUS_CONFIG;
    assert_int_equal(put_meta(), STATUS_CONFIG);
    assert_non_null(strstr(err.text, "not this one"));
    assert_int_equal(fake.closes, 2);
}

static void
behind_a_pooler_each_transaction_has_its_settings(void **state)
{
    (void)state;
    fake.is_pooled = true;
    assert_int_equal(put_meta(), STATUS_OK);
    assert_log("post:SELECT run:INSERT");
    assert_int_equal(begin(), STATUS_OK);
    assert_true(fake.seen[0].number == 1);
    assert_int_equal(put_meta(), STATUS_OK);
    assert_int_equal(commit(), STATUS_OK);
    assert_log("post:BEGIN post:SELECT run:INSERT run:COMMIT");
}

static void
a_text_is_carried_out_with_a_time_of_its_own(void **state)
{
    (void)state;
    connected();
    assert_int_equal(pg_link_execute(&link, "CREATE", 5000, &err), STATUS_OK);
    assert_log(" execute:CREATE:5000");
    will_answer(LONGSTOP_UNKNOWN, "", 0);
    assert_int_equal(pg_link_execute(&link, "CREATE", 5000, &err),
                     STATUS_UNKNOWN);
    assert_int_equal(fake.closes, 1);
}

static void
the_end_is_heard_from_another_thread(void **state)
{
    (void)state;
    assert_false(link.host.should_stop(link.host.arg));
    pg_link_stop(&link);
    assert_true(link.host.should_stop(link.host.arg));
    pg_link_go_on(&link);
    assert_false(link.host.should_stop(link.host.arg));
}

#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        LINK_TEST(values_go_with_their_types_and_a_text_with_dollars),
        LINK_TEST(lists_and_nothing_are_values_too),
        LINK_TEST(rows_come_one_after_the_other),
        LINK_TEST(who_has_seen_enough_stops),
        LINK_TEST(what_was_bound_and_never_run_is_forgotten),
        LINK_TEST(memory_that_runs_out_is_told),
        LINK_TEST(what_nobody_looks_at_is_posted_and_the_commit_waits),
        LINK_TEST(a_post_that_fails_is_done_again_with_care),
        LINK_TEST(a_rollback_behind_a_post_that_failed_is_made_twice),
        LINK_TEST(rows_of_one_table_go_together_before_somebody_looks),
        LINK_TEST(rows_that_fail_together_go_one_by_one_then),
        LINK_TEST(each_failure_has_its_words_and_some_end_the_connection),
        LINK_TEST(a_damaged_database_is_final),
        LINK_TEST(
            a_password_that_is_refused_at_the_start_is_final_later_it_is_not),
        LINK_TEST(one_that_went_while_nobody_looked_is_made_anew_at_once),
        LINK_TEST(one_lost_within_a_transaction_ends_that),
        LINK_TEST(a_commit_that_was_not_answered_is_unknown),
        LINK_TEST(a_database_that_is_away_is_asked_ever_more_rarely),
        LINK_TEST(what_a_connection_begins_with_is_done_first),
        LINK_TEST(behind_a_pooler_each_transaction_has_its_settings),
        LINK_TEST(a_text_is_carried_out_with_a_time_of_its_own),
        LINK_TEST(the_end_is_heard_from_another_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
