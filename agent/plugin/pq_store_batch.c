/* SPDX-License-Identifier: MIT */
/*
 * Statements go out in libpq's pipeline mode: what is posted, what is run, and
 * one Sync, up to which the server takes them as one transaction. What can have
 * been committed is reckoned from what was sent, since nothing else is known
 * once a connection is lost.
 */
#define _POSIX_C_SOURCE 200809L
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/pq_store.h"

#define NAME_BYTES 32

/* What is known while the answers come in. */
struct collecting {
    size_t at;        /* which of the pending is being answered */
    size_t statement; /* the same, without what was only prepared */
    bool is_answered;
    bool has_committed; /* up to there; or may have */
    bool is_over;       /* nothing more comes */
    bool is_lost;       /* … because the connection is no good */
    enum longstop_answer answer;
    PGresult *last;
};

/* Grows an array to hold one more; false for want of memory. */
static bool
grow(void **array, size_t *room, size_t wanted, size_t each)
{
    if (wanted <= *room) {
        return true;
    }
    const size_t more = wanted < 16 ? 16 : 2 * wanted;
    char *at = realloc(*array, more * each);
    if (at == NULL) {
        return false;
    }
    memset(at + *room * each, 0, (more - *room) * each);
    *array = at;
    *room = more;
    return true;
}

bool
pq_session_lives(struct pq_session *session)
{
    return !session->is_broken &&
           PQstatus(session->connection) == CONNECTION_OK;
}

/* Sending */

/* The same text with the same types has the same name wherever it runs: behind
 * a pooler a statement of that name may be another agent's. */
static void
name_of(const struct longstop_statement *statement,
        const struct pq_prepared *prepared, char name[NAME_BYTES])
{
    uint64_t hash = 14695981039346656037U; /* FNV-1a */
    for (const char *at = statement->text; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * 1099511628211U;
    }
    for (int i = 0; i < prepared->count; i++) {
        hash = (hash ^ prepared->types[i]) * 1099511628211U;
    }
    (void)snprintf(name, NAME_BYTES, "longstop_%016llx",
                   (unsigned long long)hash);
}

/* What is known of a statement, with the types of these values; NULL for want
 * of memory, or when a value has changed its type. */
static struct pq_prepared *
recall(struct pq_session *session, uint32_t id)
{
    void *array = session->prepared;
    const struct pq_values *values = &session->values;
    if (!grow(&array, &session->prepared_room, (size_t)id + 1,
              sizeof(*session->prepared))) {
        return NULL;
    }
    session->prepared = array;
    struct pq_prepared *prepared = &session->prepared[id];
    if (!prepared->is_known) {
        prepared->types = calloc((size_t)values->count + 1, sizeof(Oid));
        if (prepared->types == NULL) {
            return NULL;
        }
        prepared->count = values->count;
        prepared->is_known = true;
    }
    if (prepared->count != values->count) {
        return NULL;
    }
    for (int i = 0; i < values->count; i++) {
        if (prepared->types[i] == InvalidOid &&
            values->types[i] != InvalidOid) {
            prepared->types[i] = values->types[i];
            prepared->is_prepared = false;
        } else if (values->types[i] != InvalidOid &&
                   values->types[i] != prepared->types[i]) {
            return NULL;
        }
    }
    return prepared;
}

/* Room for a statement, and for its preparing; then it can be noted. */
static bool
make_room(struct pq_session *session)
{
    void *pending = session->pending;
    const bool is_made =
        grow(&pending, &session->pending_room, session->pending_count + 2,
             sizeof(*session->pending));
    session->pending = pending;
    return is_made;
}

static void
note(struct pq_session *session, uint32_t id, bool is_prepare,
     enum pq_effect effect)
{
    session->pending[session->pending_count++] =
        (struct pq_pending){ is_prepare, id, effect };
    if (is_prepare) {
        return;
    }
    session->has_commit = session->has_commit || effect == PQ_COMMITS;
    session->has_implicit =
        session->has_implicit || (!session->in_block && effect == PQ_PLAIN);
    if (effect != PQ_PLAIN) {
        session->in_block = effect == PQ_BEGINS;
    }
}

/* Hands the encoded statement to libpq. */
static enum longstop_answer
hand_over(struct pq_session *session,
          const struct longstop_statement *statement,
          struct longstop_failure *failure)
{
    const struct pq_values *values = &session->values;
    const enum pq_effect effect = pq_effect_of(statement->text);
    PGconn *connection = session->connection;
    bool is_sent;
    if (session->is_pooled) {
        is_sent = PQsendQueryParams(connection, statement->text, values->count,
                                    values->types, values->at, values->lengths,
                                    values->formats, 1) != 0;
    } else {
        char name[NAME_BYTES];
        struct pq_prepared *prepared = recall(session, statement->id);
        if (prepared == NULL) {
            return pq_fail(failure, LONGSTOP_FAILED,
                           "out of memory, or a statement's values are of "
                           "other types than before");
        }
        name_of(statement, prepared, name);
        if (!prepared->is_prepared) {
            if (PQsendPrepare(connection, name, statement->text,
                              prepared->count, prepared->types) == 0) {
                return pq_fail(failure, LONGSTOP_GONE,
                               PQerrorMessage(connection));
            }
            prepared->is_prepared = true; /* unless the answer says otherwise */
            note(session, statement->id, true, PQ_PLAIN);
        }
        is_sent =
            PQsendQueryPrepared(connection, name, values->count, values->at,
                                values->lengths, values->formats, 1) != 0;
    }
    if (!is_sent) {
        return pq_fail(failure, LONGSTOP_GONE, PQerrorMessage(connection));
    }
    note(session, statement->id, false, effect);
    return LONGSTOP_OK;
}

/* Whether what is lost with the connection may have been committed. */
static enum longstop_answer
left_open(const struct pq_session *session)
{
    return session->has_commit || (session->has_implicit && session->is_synced)
               ? LONGSTOP_UNKNOWN
               : LONGSTOP_GONE;
}

enum longstop_answer
pq_batch_send(struct pq_session *session,
              const struct longstop_statement *statement,
              const struct longstop_value *values, size_t count,
              struct longstop_failure *failure)
{
    /* A connection that went while nothing was under way leaves nothing open:
     * looked at first, or else it were found out too late to tell. */
    if (session->pending_count == 0 && pq_session_lives(session)) {
        session->is_broken = PQconsumeInput(session->connection) == 0;
    }
    if (!pq_session_lives(session)) {
        return pq_fail(failure, left_open(session),
                       session->notice[0] != '\0' ? session->notice
                                                  : "the connection was lost");
    }
    enum longstop_answer answer =
        pq_values_encode(&session->values, values, count) && make_room(session)
            ? hand_over(session, statement, failure)
            : pq_fail(failure, LONGSTOP_FAILED,
                      "out of memory, or a value of more than 1 GiB");
    /* What was under way must not be carried out without this one. */
    if (answer == LONGSTOP_GONE ||
        (answer != LONGSTOP_OK &&
         (session->pending_count > 0 || session->in_block))) {
        session->is_broken = true;
        answer = left_open(session);
    }
    return answer;
}

/* Collecting */

/* The next result, NULL between those of two statements; false when time is
 * up. A connection that breaks has results, too: what the server said last. */
static bool
next_result(struct pq_session *session, const struct kit_deadline *deadline,
            PGresult **ret)
{
    PGconn *connection = session->connection;
    for (;;) {
        const int unsent = PQflush(connection);
        if (unsent < 0 || PQisBusy(connection) == 0) {
            *ret = PQgetResult(connection);
            return true;
        }
        if (!pq_wait(connection,
                     (short)(unsent > 0 ? POLLIN | POLLOUT : POLLIN),
                     deadline)) {
            return false;
        }
        if (PQconsumeInput(connection) == 0) {
            *ret = PQgetResult(connection);
            return true;
        }
    }
}

static bool
is_good(ExecStatusType status)
{
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
           status == PGRES_EMPTY_QUERY;
}

/* Takes the first failure; those that follow from it say nothing new. */
static void
take_failure(struct pq_session *session, struct collecting *collecting,
             const PGresult *result, struct longstop_failure *failure)
{
    struct longstop_failure unused = { .at = 0 };
    const bool is_first = collecting->answer == LONGSTOP_OK;
    struct longstop_failure *into = is_first ? failure : &unused;
    const enum longstop_answer answer = pq_fail_by(into, result);
    if (into->sqlstate[0] == '\0') {
        /* No word of the server's: libpq cannot go on. */
        collecting->is_over = collecting->is_lost = true;
        return;
    }
    if (is_first) {
        failure->at = collecting->statement;
        collecting->answer = answer;
    }
    if (strcmp(into->sqlstate, "26000") == 0 ||
        strcmp(into->sqlstate, "42P05") == 0) {
        session->is_pooled = true;
    }
}

/* A COMMIT of what has failed before is a ROLLBACK, and no error. */
static void
take_commit(struct collecting *collecting, PGresult *result,
            struct longstop_failure *failure)
{
    const bool is_rollback = strcmp(PQcmdStatus(result), "ROLLBACK") == 0;
    collecting->has_committed = collecting->has_committed || !is_rollback;
    if (is_rollback && collecting->answer == LONGSTOP_OK) {
        collecting->answer = pq_fail(failure, LONGSTOP_FAILED,
                                     "the transaction had failed before");
        failure->at = collecting->statement;
    }
}

/* Takes one result, which is not NULL and not the pipeline's end. */
static void
take_result(struct pq_session *session, struct collecting *collecting,
            PGresult *result, struct longstop_failure *failure)
{
    const struct pq_pending *pending = &session->pending[collecting->at];
    const ExecStatusType status = PQresultStatus(result);
    const bool is_refused = !is_good(status);
    if (pending->is_prepare && is_refused) {
        session->prepared[pending->id].is_prepared = false;
    }
    if (is_refused && status != PGRES_PIPELINE_ABORTED) {
        take_failure(session, collecting, result, failure);
    }
    if (pending->effect == PQ_COMMITS && status != PGRES_PIPELINE_ABORTED) {
        take_commit(collecting, result, failure);
    }
    if (!pending->is_prepare) {
        session->affected[collecting->statement] =
            strtoll(PQcmdTuples(result), NULL, 10);
    }
    if (collecting->at + 1 == session->pending_count && !is_refused) {
        collecting->last = result;
    } else {
        PQclear(result);
    }
}

/* Takes whatever comes next, in its turn. */
static void
take_next(struct pq_session *session, struct collecting *collecting,
          PGresult *result, struct longstop_failure *failure)
{
    const bool is_more = collecting->at < session->pending_count;
    if (result == NULL) {
        if (!collecting->is_answered) {
            collecting->is_over = collecting->is_lost = true;
            return;
        }
        collecting->is_answered = false;
        collecting->statement += !session->pending[collecting->at].is_prepare;
        collecting->at++;
    } else if (PQresultStatus(result) == PGRES_PIPELINE_SYNC || !is_more) {
        /* With nothing in front of it, what is left is a broken connection. */
        collecting->is_over = true;
        collecting->is_lost = PQresultStatus(result) != PGRES_PIPELINE_SYNC;
        if (collecting->is_lost && collecting->answer == LONGSTOP_OK) {
            (void)pq_fail_by(failure, result);
        }
        PQclear(result);
    } else {
        take_result(session, collecting, result, failure);
        collecting->is_answered = true;
    }
}

/* What to answer after the connection was lost: the server's last word tells
 * where it stopped. */
static enum longstop_answer
answer_lost(struct pq_session *session, const struct collecting *collecting)
{
    session->is_broken = true;
    if (collecting->answer == LONGSTOP_OK) {
        return left_open(session);
    }
    return collecting->has_committed ? LONGSTOP_UNKNOWN : LONGSTOP_GONE;
}

/* Why the waiting was given up. */
static void
tell_silence(const struct pq_session *session, struct longstop_failure *failure)
{
    (void)pq_fail(failure, LONGSTOP_GONE,
                  session->host->should_stop(session->host->arg)
                      ? "given up, for the program ends"
                      : "no answer in time");
}

/* Waits for all that is pending; `last` of it is the caller's. */
static enum longstop_answer
collect(struct pq_session *session, struct collecting *collecting,
        struct longstop_failure *failure)
{
    while (!collecting->is_over) {
        const struct kit_deadline deadline =
            kit_deadline_in(session->host, session->call_timeout_ms);
        PGresult *result;
        if (!next_result(session, &deadline, &result)) {
            if (collecting->answer == LONGSTOP_OK) {
                tell_silence(session, failure);
            }
            collecting->is_lost = true;
            break;
        }
        take_next(session, collecting, result, failure);
    }
    if (collecting->is_lost) {
        return answer_lost(session, collecting);
    }
    if (session->is_unsure && collecting->answer == LONGSTOP_OK) {
        return pq_fail(failure, LONGSTOP_UNKNOWN, session->notice);
    }
    return collecting->answer;
}

/* Nothing is under way any more. */
static void
settle(struct pq_session *session, size_t affected)
{
    const PGTransactionStatusType status =
        PQtransactionStatus(session->connection);
    session->affected_count = affected;
    session->pending_count = 0;
    session->has_commit = session->has_implicit = false;
    session->is_synced = session->is_unsure = false;
    session->in_block = status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

enum longstop_answer
pq_batch_end(struct pq_session *session, PGresult **ret,
             struct longstop_failure *failure)
{
    struct collecting collecting = { .answer = LONGSTOP_OK };
    void *affected = session->affected;
    if (!grow(&affected, &session->affected_room, session->pending_room,
              sizeof(*session->affected))) {
        session->is_broken = true;
        return pq_fail(failure, left_open(session), "out of memory");
    }
    session->affected = affected;
    session->is_synced = true;
    if (PQpipelineSync(session->connection) == 0) {
        collecting.is_over = collecting.is_lost = true;
        (void)pq_fail(failure, LONGSTOP_GONE,
                      PQerrorMessage(session->connection));
    }
    enum longstop_answer answer = collect(session, &collecting, failure);
    if (answer == LONGSTOP_OK && ret != NULL) {
        *ret = collecting.last;
    } else {
        PQclear(collecting.last);
    }
    settle(session, collecting.statement);
    return answer;
}

/* Texts */

enum longstop_answer
pq_batch_text(struct pq_session *session, const char *text, int64_t timeout_ms,
              PGresult **ret, struct longstop_failure *failure)
{
    PGconn *connection = session->connection;
    const struct kit_deadline deadline =
        kit_deadline_in(session->host, timeout_ms);
    enum longstop_answer answer = LONGSTOP_OK;
    PGresult *last = NULL;
    if (PQexitPipelineMode(connection) == 0 ||
        PQsendQuery(connection, text) == 0) {
        session->is_broken = true;
        return pq_fail(failure, LONGSTOP_GONE, PQerrorMessage(connection));
    }
    for (;;) {
        PGresult *result;
        if (!next_result(session, &deadline, &result)) {
            tell_silence(session, failure);
            session->is_broken = true;
            break;
        }
        if (result == NULL) {
            break;
        }
        if (!is_good(PQresultStatus(result)) && answer == LONGSTOP_OK) {
            answer = pq_fail_by(failure, result);
            session->is_broken = failure->sqlstate[0] == '\0';
        }
        PQclear(last);
        last = result;
    }
    if (session->is_broken || PQenterPipelineMode(connection) == 0 ||
        !pq_session_lives(session)) {
        session->is_broken = true;
        answer = LONGSTOP_UNKNOWN;
    }
    if (answer == LONGSTOP_OK && ret != NULL) {
        *ret = last;
    } else {
        PQclear(last);
    }
    settle(session, 0);
    return answer;
}
