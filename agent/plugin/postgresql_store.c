/* SPDX-License-Identifier: MIT */
/*
 * postgresql_store: carries the statements of a store to PostgreSQL and brings
 * rows back, prepared and pipelined; behind a pooler, unnamed.
 */
#define _POSIX_C_SOURCE 200809L
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/pq_store.h"

/* A session's own limits, as texts to be filled in; the server is to give up
 * before we do. */
#define TEXT_BYTES 256

/* The SQLSTATE of a failure is what connecting has of one. */
_Static_assert(LONGSTOP_SQLSTATE_BYTES == PQ_STATE_BYTES, "SQLSTATEs differ");

/* Opening and closing */

/* Keeps what the server warns of, and notices when a commit was not waited for
 * at the standbys that it should have been at (SyncRepWaitForLSN): the server
 * calls that a success. */
static void
hear(void *arg, const PGresult *result)
{
    struct pq_session *session = arg;
    const char *where = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const bool is_unsure =
        where != NULL && strcmp(where, "SyncRepWaitForLSN") == 0;
    session->is_unsure = session->is_unsure || is_unsure;
    if (is_unsure || (state != NULL && strncmp(state, "57P", 3) == 0)) {
        kit_say(session->notice, "%s", words == NULL ? "" : words);
    }
}

static void
close_session(void *arg)
{
    struct pq_session *session = arg;
    if (session == NULL) {
        return;
    }
    PQfinish(session->connection);
    for (size_t i = 0; i < session->prepared_room; i++) {
        free(session->prepared[i].types);
    }
    free(session->prepared);
    free(session->pending);
    free(session->affected);
    pq_values_fini(&session->values);
    free(session);
}

/* A pooler makes up the number of the process that a client may cancel, for
 * it is not one process that serves it. */
static enum longstop_answer
look_for_pooler(struct pq_session *session, struct longstop_failure *failure)
{
    PGresult *result = NULL;
    const enum longstop_answer answer =
        pq_batch_text(session, "SELECT pg_backend_pid()",
                      session->call_timeout_ms, &result, failure);
    if (answer == LONGSTOP_OK && PQntuples(result) == 1) {
        session->is_pooled = strtol(PQgetvalue(result, 0, 0), NULL, 10) !=
                             PQbackendPID(session->connection);
    }
    PQclear(result);
    return answer;
}

/* Tells the server how long anything may last, and to look now and then whether
 * we are still there. A pooler's connection is somebody else's next. */
static enum longstop_answer
set_limits(struct pq_session *session, int64_t statement_ms,
           struct longstop_failure *failure)
{
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof(text),
                   "SET statement_timeout = %lld; SET lock_timeout = %lld; "
                   "SET idle_in_transaction_session_timeout = %lld",
                   (long long)(statement_ms - statement_ms / 4),
                   (long long)(statement_ms / 2),
                   (long long)(session->call_timeout_ms * 2));
    return session->is_pooled
               ? LONGSTOP_OK
               : pq_batch_text(session, text, session->call_timeout_ms, NULL,
                               failure);
}

static enum longstop_answer
settle_in(struct pq_session *session, bool is_pooled,
          struct longstop_failure *failure)
{
    if (PQenterPipelineMode(session->connection) == 0) {
        return pq_fail(failure, LONGSTOP_GONE,
                       PQerrorMessage(session->connection));
    }
    (void)PQsetNoticeReceiver(session->connection, hear, session);
    enum longstop_answer answer = look_for_pooler(session, failure);
    session->is_pooled = session->is_pooled || is_pooled;
    if (answer == LONGSTOP_OK) {
        answer = set_limits(session, session->call_timeout_ms, failure);
    }
    if (answer == LONGSTOP_OK && !session->is_pooled) {
        struct longstop_failure unused;
        /* Servers on some systems, and old ones, know no such thing. */
        answer = pq_batch_text(session,
                               "SET client_connection_check_interval = '5s'",
                               session->call_timeout_ms, NULL, &unused);
        if (answer != LONGSTOP_OK && pq_session_lives(session)) {
            answer = LONGSTOP_OK;
        }
    }
    return answer == LONGSTOP_UNKNOWN ? LONGSTOP_GONE : answer;
}

static enum longstop_answer
answer_of_connecting(const char *state)
{
    return state[0] == '\0' ? LONGSTOP_GONE : pq_answer_of(state);
}

static enum longstop_answer
open_session(const struct longstop_access *access,
             const struct longstop_host *host, void **ret,
             struct longstop_failure *failure)
{
    const struct kit_deadline deadline =
        kit_deadline_in(host, access->connect_timeout_ms);
    const struct pq_access where = {
        .url = access->url,
        .password = access->password,
        .application =
            access->application == NULL ? "longstop" : access->application,
        .is_writer = true,
    };
    *failure = (struct longstop_failure){ .at = 0 };
    struct pq_session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return pq_fail(failure, LONGSTOP_GONE, "out of memory");
    }
    session->host = host;
    session->call_timeout_ms = access->call_timeout_ms;
    session->connection =
        pq_connect(&where, &deadline, failure->sqlstate, failure->words);
    const enum longstop_answer answer =
        session->connection == NULL
            ? answer_of_connecting(failure->sqlstate)
            : settle_in(session, access->is_pooled, failure);
    if (answer != LONGSTOP_OK) {
        close_session(session);
        return answer;
    }
    *ret = session;
    return LONGSTOP_OK;
}

static bool
is_pooled(void *arg)
{
    const struct pq_session *session = arg;
    return session->is_pooled;
}

/* Statements */

static enum longstop_answer
post(void *arg, const struct longstop_statement *statement,
     const struct longstop_value *values, size_t count,
     struct longstop_failure *failure)
{
    *failure = (struct longstop_failure){ .at = 0 };
    return pq_batch_send(arg, statement, values, count, failure);
}

static enum longstop_answer
run_once(struct pq_session *session, const struct longstop_statement *statement,
         const struct longstop_value *values, size_t count, PGresult **ret,
         struct longstop_failure *failure)
{
    *failure = (struct longstop_failure){ .at = 0 };
    const enum longstop_answer answer =
        pq_batch_send(session, statement, values, count, failure);
    return answer == LONGSTOP_OK ? pq_batch_end(session, ret, failure) : answer;
}

static enum longstop_answer
run(void *arg, const struct longstop_statement *statement,
    const struct longstop_value *values, size_t count,
    struct longstop_result *result, struct longstop_failure *failure)
{
    struct pq_session *session = arg;
    const bool is_alone = session->pending_count == 0 && !session->in_block;
    const bool was_pooled = session->is_pooled;
    PGresult *got = NULL;
    enum longstop_answer answer =
        run_once(session, statement, values, count, &got, failure);
    /* A pooler that shows itself has done nothing yet. */
    if (answer == LONGSTOP_RETRY && is_alone &&
        session->is_pooled != was_pooled) {
        answer = run_once(session, statement, values, count, &got, failure);
    }
    if (answer != LONGSTOP_OK || result == NULL) {
        PQclear(got);
        return answer;
    }
    *result = (struct longstop_result){
        .rows = (size_t)PQntuples(got),
        .columns = (size_t)PQnfields(got),
        .affected = strtoll(PQcmdTuples(got), NULL, 10),
        .handle = got,
    };
    if (session->affected_count > 0) {
        session->affected_count--; /* the run's own */
    }
    return answer;
}

static enum longstop_answer
flush(void *arg, struct longstop_failure *failure)
{
    struct pq_session *session = arg;
    *failure = (struct longstop_failure){ .at = 0 };
    session->affected_count = 0;
    return session->pending_count == 0 ? LONGSTOP_OK
                                       : pq_batch_end(session, NULL, failure);
}

static const int64_t *
affected(void *arg, size_t *ret_count)
{
    const struct pq_session *session = arg;
    *ret_count = session->affected_count;
    return session->affected;
}

static struct longstop_cell
cell(const struct longstop_result *result, size_t row, size_t column)
{
    return pq_cell(result->handle, row, column);
}

static void
clear(struct longstop_result *result)
{
    PQclear(result->handle);
    *result = (struct longstop_result){ .handle = NULL };
}

/* Nothing may be posted where a call is not a statement. */
static enum longstop_answer
begin_alone(struct pq_session *session, struct longstop_failure *failure)
{
    *failure = (struct longstop_failure){ .at = 0 };
    if (!pq_session_lives(session)) {
        return pq_fail(failure, LONGSTOP_GONE, "the connection was lost");
    }
    return session->pending_count == 0
               ? LONGSTOP_OK
               : pq_fail(failure, LONGSTOP_FAILED,
                         "statements are posted, and not waited for");
}

static enum longstop_answer
execute(void *arg, const char *text, int64_t timeout_ms,
        struct longstop_failure *failure)
{
    struct pq_session *session = arg;
    struct longstop_failure unused;
    enum longstop_answer answer = begin_alone(session, failure);
    if (answer == LONGSTOP_OK) {
        answer = set_limits(session, timeout_ms, failure);
        answer = answer == LONGSTOP_UNKNOWN ? LONGSTOP_GONE : answer;
    }
    if (answer == LONGSTOP_OK) {
        answer = pq_batch_text(session, text, timeout_ms, NULL, failure);
    }
    if (pq_session_lives(session) && !session->in_block) {
        const enum longstop_answer after =
            set_limits(session, session->call_timeout_ms, &unused);
        session->is_broken = after != LONGSTOP_OK;
    }
    return answer;
}

static enum longstop_answer
wait_notified(void *arg, int64_t timeout_ms, bool *ret_notified,
              struct longstop_failure *failure)
{
    struct pq_session *session = arg;
    const struct kit_deadline deadline =
        kit_deadline_in(session->host, timeout_ms);
    enum longstop_answer answer = begin_alone(session, failure);
    *ret_notified = false;
    while (answer == LONGSTOP_OK) {
        PGnotify *notified;
        const bool is_read = PQconsumeInput(session->connection) != 0;
        while ((notified = PQnotifies(session->connection)) != NULL) {
            *ret_notified =
                *ret_notified ||
                notified->be_pid != PQbackendPID(session->connection);
            PQfreemem(notified);
        }
        if (!is_read) {
            session->is_broken = true;
            answer =
                pq_fail(failure, LONGSTOP_GONE,
                        session->notice[0] != '\0' ? session->notice
                                                   : "the connection was lost");
        } else if (*ret_notified ||
                   !pq_wait(session->connection, POLLIN, &deadline)) {
            break;
        }
    }
    return answer;
}

LONGSTOP_PLUGIN_EXPORT extern const struct longstop_database longstop_database;

const struct longstop_database longstop_database = {
    .abi = LONGSTOP_DATABASE_ABI,
    .kind = "postgresql",
    .describe = pq_describe,
    .check = pq_check,
    .open = open_session,
    .close = close_session,
    .is_pooled = is_pooled,
    .post = post,
    .run = run,
    .flush = flush,
    .affected = affected,
    .cell = cell,
    .clear = clear,
    .execute = execute,
    .wait = wait_notified,
};
