/* SPDX-License-Identifier: MIT */
/*
 * postgresql: inserts into a table of the user's, one statement a batch, with
 * ON CONFLICT DO NOTHING: where the table says that keys are unique, what is
 * repeated is there once.
 *
 * Columns are key, type, source and body; the body goes as the column's type
 * reads it (json, jsonb, text), or as it is into bytea. Done is the commit of
 * the statement. When one row cannot be stored (not what its column can hold),
 * the rows are inserted one by one, so that it stands in nobody's way.
 */
#define _POSIX_C_SOURCE 200809L
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/pq.h"

#define COLUMNS   4
#define BODY      3
#define BYTEA_OID 17
#define PREPARED  ""

struct session {
    struct kit_settings settings;
    const struct longstop_host *host;
    PGconn *connection;
    char *table; /* the one that was looked at last; NULL: none yet */
    bool is_bytea;
};

/* What became of a statement. */
struct outcome {
    bool is_done;
    bool is_row;   /* refused for what a row holds */
    bool is_never; /* whatever is done about the table */
    char words[LONGSTOP_WORDS_BYTES];
};

/* Connecting */

static void
disconnect(struct session *session)
{
    PQfinish(session->connection);
    session->connection = NULL;
    free(session->table);
    session->table = NULL;
}

static bool
connect_to(struct session *session, const struct kit_deadline *deadline,
           char words[LONGSTOP_WORDS_BYTES])
{
    if (session->connection != NULL &&
        PQconsumeInput(session->connection) != 0 &&
        PQstatus(session->connection) == CONNECTION_OK) {
        return true;
    }
    disconnect(session);
    const struct pq_access access = {
        .url = kit_text(&session->settings, "url"),
        .password = kit_text(&session->settings, "password"),
        .application = "longstop",
    };
    char state[PQ_STATE_BYTES];
    session->connection = pq_connect(&access, deadline, state, words);
    return session->connection != NULL;
}

/* Asking */

/* The last result of what was sent; NULL when time is up or the connection is
 * gone. The caller clears it. */
static PGresult *
take_result(struct session *session, const struct kit_deadline *deadline)
{
    PGresult *last = NULL;
    for (;;) {
        int unsent = PQflush(session->connection);
        if (unsent < 0) {
            break;
        }
        while (unsent == 0 && PQisBusy(session->connection) == 0) {
            PGresult *next = PQgetResult(session->connection);
            if (next == NULL) {
                return last;
            }
            PQclear(last);
            last = next;
        }
        if (!pq_wait(session->connection,
                     (short)(unsent > 0 ? POLLIN | POLLOUT : POLLIN),
                     deadline) ||
            PQconsumeInput(session->connection) == 0) {
            break;
        }
    }
    PQclear(last);
    return NULL;
}

/* Whether a SQLSTATE is of the class: 22 data exception, 23 integrity
 * constraint, 54 limit exceeded. */
static bool
is_class(const char *state, const char *class)
{
    return state != NULL && strncmp(state, class, strlen(class)) == 0;
}

static void
judge(struct session *session, const PGresult *result, struct outcome *outcome)
{
    const ExecStatusType status = PQresultStatus(result);
    outcome->is_done = status == PGRES_COMMAND_OK;
    if (outcome->is_done) {
        return;
    }
    if (result == NULL) {
        const char *why = PQerrorMessage(session->connection);
        kit_say(outcome->words, "postgresql: %s",
                why[0] == '\0' ? "no answer in time" : why);
        return;
    }
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    outcome->is_never = is_class(state, "22") || is_class(state, "54");
    outcome->is_row = outcome->is_never || is_class(state, "23");
    kit_say(outcome->words, "postgresql: %s",
            primary != NULL ? primary : PQresultErrorMessage(result));
}

/* Statements */

/* A text that grows; `failed` once memory ran out. */
struct text {
    char *at;
    size_t len;
    size_t cap;
    bool failed;
};

static void
append(struct text *text, const char *more)
{
    const size_t len = strlen(more);
    if (text->len + len + 1 > text->cap) {
        const size_t cap = 2 * (text->len + len + 1);
        char *at = realloc(text->at, cap);
        if (at == NULL) {
            text->failed = true;
            return;
        }
        text->at = at;
        text->cap = cap;
    }
    memcpy(text->at + text->len, more, len + 1);
    text->len += len;
}

/* schema.table, each part quoted. */
static void
append_table(struct session *session, struct longstop_bytes table,
             struct text *text)
{
    size_t start = 0;
    while (start <= table.len) {
        const char *from = table.at + start;
        const char *dot = memchr(from, '.', table.len - start);
        const size_t len =
            dot == NULL ? table.len - start : (size_t)(dot - from);
        char *quoted = PQescapeIdentifier(session->connection, from, len);
        text->failed = text->failed || quoted == NULL;
        append(text, start == 0 ? "" : ".");
        append(text, quoted == NULL ? "" : quoted);
        PQfreemem(quoted);
        start += len + 1;
    }
}

static void
write_insert(struct session *session, struct longstop_bytes table, size_t rows,
             struct text *text)
{
    char row[96];
    append(text, "INSERT INTO ");
    append_table(session, table, text);
    append(text, " (key, type, source, body) VALUES ");
    for (size_t i = 0; i < rows; i++) {
        (void)snprintf(row, sizeof(row), "%s($%zu,$%zu,$%zu,$%zu)",
                       i == 0 ? "" : ",", i * COLUMNS + 1, i * COLUMNS + 2,
                       i * COLUMNS + 3, i * COLUMNS + 4);
        append(text, row);
    }
    append(text, " ON CONFLICT DO NOTHING");
}

/* Looks at a table once: whether it is there, and what its body is. */
static bool
look_at(struct session *session, struct longstop_bytes table,
        const struct kit_deadline *deadline, struct outcome *outcome)
{
    struct text sql = { .at = NULL };
    PGresult *result = NULL;
    if (session->table != NULL && strlen(session->table) == table.len &&
        memcmp(session->table, table.at, table.len) == 0) {
        return true;
    }
    free(session->table);
    session->table = NULL;
    write_insert(session, table, 1, &sql);
    if (!sql.failed &&
        PQsendPrepare(session->connection, PREPARED, sql.at, 0, NULL) != 0) {
        result = take_result(session, deadline);
    }
    free(sql.at);
    judge(session, result, outcome);
    PQclear(result);
    if (!outcome->is_done) {
        return false;
    }
    outcome->is_done = false;
    result = PQsendDescribePrepared(session->connection, PREPARED) == 0
                 ? NULL
                 : take_result(session, deadline);
    const bool is_known = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (is_known) {
        session->is_bytea = PQparamtype(result, BODY) == BYTEA_OID;
        session->table = kit_copy(table);
    } else {
        judge(session, result, outcome);
    }
    PQclear(result);
    return is_known && session->table != NULL;
}

/* The values of a statement. */
struct values {
    char **at; /* ours, each with a NUL behind */
    int *lengths;
    int *formats;
    int count;
};

static void
free_values(struct values *values)
{
    for (int i = 0; i < values->count; i++) {
        free(values->at[i]);
    }
    free(values->at);
    free(values->lengths);
    free(values->formats);
}

static bool
make_values(const struct session *session, struct longstop_entry *const *rows,
            size_t count, struct values *values)
{
    *values = (struct values){
        calloc(count * COLUMNS, sizeof(*values->at)),
        calloc(count * COLUMNS, sizeof(*values->lengths)),
        calloc(count * COLUMNS, sizeof(*values->formats)),
        0,
    };
    bool is_good = values->at != NULL && values->lengths != NULL &&
                   values->formats != NULL;
    for (size_t i = 0; i < count && is_good; i++) {
        const struct longstop_bytes columns[COLUMNS] = {
            rows[i]->key, rows[i]->type, rows[i]->source, rows[i]->body
        };
        for (int c = 0; c < COLUMNS && is_good; c++) {
            const int at = values->count++;
            values->at[at] = kit_copy(columns[c]);
            values->lengths[at] = (int)columns[c].len;
            values->formats[at] = c == BODY && session->is_bytea;
            is_good = values->at[at] != NULL;
        }
    }
    return is_good;
}

/* One INSERT of these rows, which are of one table that was looked at. */
static void
insert(struct session *session, struct longstop_entry *const *rows,
       size_t count, const struct kit_deadline *deadline,
       struct outcome *outcome)
{
    struct text sql = { .at = NULL };
    struct values values;
    PGresult *result = NULL;
    *outcome = (struct outcome){ .is_done = false };
    write_insert(session, rows[0]->to, count, &sql);
    const bool is_made = make_values(session, rows, count, &values);
    if (!is_made || sql.failed) {
        kit_say(outcome->words, "postgresql: out of memory");
    } else {
        if (PQsendQueryParams(session->connection, sql.at, values.count, NULL,
                              (const char *const *)values.at, values.lengths,
                              values.formats, 0) != 0) {
            result = take_result(session, deadline);
        }
        judge(session, result, outcome);
        PQclear(result);
    }
    free_values(&values);
    free(sql.at);
}

/* Publishing */

static void
settle(struct longstop_entry *entry, const struct outcome *outcome,
       bool is_alone)
{
    if (outcome->is_done) {
        entry->outcome = LONGSTOP_DONE;
        kit_say(entry->words, "committed");
        return;
    }
    entry->outcome =
        is_alone && outcome->is_never ? LONGSTOP_DEAD : LONGSTOP_LATER;
    kit_say(entry->words, "%s", outcome->words);
}

static bool
is_lost(const struct session *session)
{
    return PQstatus(session->connection) != CONNECTION_OK ||
           PQtransactionStatus(session->connection) != PQTRANS_IDLE;
}

/* Inserts the rows of one table; one by one where one of them is at fault. */
static void
publish_rows(struct session *session, struct longstop_entry *const *rows,
             size_t count, const struct kit_deadline *deadline)
{
    struct outcome outcome = { .is_done = false };
    if (look_at(session, rows[0]->to, deadline, &outcome)) {
        insert(session, rows, count, deadline, &outcome);
    }
    const bool is_apart = outcome.is_row && count > 1;
    for (size_t i = 0; i < count; i++) {
        if (is_apart && !is_lost(session)) {
            insert(session, &rows[i], 1, deadline, &outcome);
        }
        settle(rows[i], &outcome, is_apart || count == 1);
    }
}

/* Text columns end at a NUL; a row that has one is not cut, but refused. */
static bool
is_storable(const struct session *session, struct longstop_entry *entry)
{
    const struct longstop_bytes texts[] = { entry->type, entry->body };
    const size_t count = session->is_bytea ? 1 : 2;
    for (size_t i = 0; i < count; i++) {
        if (memchr(texts[i].at, '\0', texts[i].len) != NULL) {
            entry->outcome = LONGSTOP_DEAD;
            kit_say(entry->words, "postgresql: text cannot hold its NUL byte; "
                                  "a column body of type bytea can");
            return false;
        }
    }
    return true;
}

static bool
is_same(struct longstop_bytes a, struct longstop_bytes b)
{
    return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

static enum longstop_broker
publish(void *arg, struct longstop_entry *entries, size_t count,
        int64_t timeout_ms)
{
    struct session *session = arg;
    const struct kit_deadline deadline =
        kit_deadline_in(session->host, timeout_ms);
    struct longstop_entry **rows =
        calloc(count, sizeof(struct longstop_entry *));
    char words[LONGSTOP_WORDS_BYTES] = "postgresql: out of memory";
    if (rows == NULL || !connect_to(session, &deadline, words)) {
        kit_say_all(entries, count, "%s", words);
        free(rows);
        return LONGSTOP_ABSENT;
    }
    for (size_t i = 0; i < count && !is_lost(session); i++) {
        size_t found = 0;
        struct outcome outcome = { .is_done = false };
        if (entries[i].words[0] != '\0') {
            continue;
        }
        (void)look_at(session, entries[i].to, &deadline, &outcome);
        for (size_t k = i; k < count; k++) {
            if (entries[k].words[0] == '\0' &&
                is_same(entries[k].to, entries[i].to) &&
                is_storable(session, &entries[k])) {
                rows[found++] = &entries[k];
            }
        }
        if (found > 0) {
            publish_rows(session, rows, found, &deadline);
        }
    }
    free(rows);
    if (!is_lost(session)) {
        return LONGSTOP_THERE;
    }
    const bool is_gone = PQstatus(session->connection) != CONNECTION_OK;
    kit_say_all(entries, count, "postgresql: the connection was lost");
    disconnect(session);
    return is_gone ? LONGSTOP_LOST : LONGSTOP_THERE;
}

/* Lifecycle */

static void
close_session(void *arg)
{
    struct session *session = arg;
    disconnect(session);
    kit_settings_free(&session->settings);
    free(session);
}

static void *
open_session(const struct longstop_setting *settings, size_t count,
             const struct longstop_host *host, char words[LONGSTOP_WORDS_BYTES])
{
    struct session *session = calloc(1, sizeof(*session));
    if (session == NULL ||
        !kit_settings_copy(&session->settings, settings, count)) {
        free(session);
        kit_say(words, "postgresql: out of memory");
        return NULL;
    }
    session->host = host;
    if (!pq_check(kit_text(&session->settings, "url"), words)) {
        close_session(session);
        return NULL;
    }
    return session;
}

LONGSTOP_PLUGIN_EXPORT extern const struct longstop_plugin longstop_plugin;

const struct longstop_plugin longstop_plugin = {
    .abi = LONGSTOP_PLUGIN_ABI,
    .kind = "postgresql",
    .describe = pq_describe,
    .open = open_session,
    .publish = publish,
    .close = close_session,
};
