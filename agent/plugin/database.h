/* SPDX-License-Identifier: MIT */
/*
 * database: what the plugin of a shared database and the program promise each
 * other; plain C, and all that crosses between them.
 *
 * Such a plugin is a shared object KIND-store.so that exports one symbol,
 * `longstop_database`, a constant `struct longstop_database`. It needs no
 * symbol of the program, and the program none of the database's library, which
 * is loaded with it. It knows nothing of ledgers and deliveries: it carries
 * statements there and rows back, and says what a failure leaves open.
 *
 * Everything blocks, and nothing for good: each session has one thread to
 * itself, each call has a deadline, and the host's should_stop is heard within
 * 100 ms. Strings and values are borrowed for the length of a call.
 */
#ifndef PLUGIN_DATABASE_H
#define PLUGIN_DATABASE_H

#include "plugin/plugin.h"

/* Grows when anything below changes; a plugin of another number is refused. */
#define LONGSTOP_DATABASE_ABI 1u

/* The name of the exported symbol. */
#define LONGSTOP_DATABASE_SYMBOL "longstop_database"

/* Five characters of a SQLSTATE, with their NUL. */
#define LONGSTOP_SQLSTATE_BYTES 6

/* What a call came to. Only UNKNOWN leaves open what the database has. */
enum longstop_answer {
    LONGSTOP_OK = 0,
    /* A statement was refused. The session lives; an open transaction is
     * spoilt, and is to be rolled back. */
    LONGSTOP_FAILED = 1,
    /* As FAILED, but for a reason that passes: a deadlock, a serialization
     * failure, a lock that was not to be had in time (40001, 40P01, 55P03,
     * 57014), or a pooler that had to be noticed first. The same transaction
     * is to be tried again. */
    LONGSTOP_RETRY = 2,
    /* As FAILED, for want of room or means (53xxx): the disk is full. */
    LONGSTOP_FULL = 3,
    /* Not allowed to (28xxx, 42501), at connecting or later. */
    LONGSTOP_DENIED = 4,
    /* The server takes no writes (25006): a standby, or one that was demoted.
     * Another one may take them: connect anew. */
    LONGSTOP_READONLY = 5,
    /* The connection is gone, or was never there, and nothing of what was
     * under way is, or will be, committed. */
    LONGSTOP_GONE = 6,
    /* The connection is gone, and the server could have committed what was
     * under way: ask it, or do it again where that does no harm. */
    LONGSTOP_UNKNOWN = 7
};

/* Why; all of it empty with LONGSTOP_OK. */
struct longstop_failure {
    char sqlstate[LONGSTOP_SQLSTATE_BYTES]; /* "": not the server's word */
    char words[LONGSTOP_WORDS_BYTES]; /* one line, never with a password */
    /* Which statement of those since the last run or flush it was, from 0; the
     * run itself comes last. */
    size_t at;
};

/* PostgreSQL's: bigint, bytea, text, boolean. NOTHING is a NULL of whatever
 * type the statement has there. */
enum longstop_type {
    LONGSTOP_NOTHING = 0,
    LONGSTOP_NUMBER = 1,
    LONGSTOP_BYTES = 2,
    LONGSTOP_TEXT = 3, /* UTF-8 without NUL; a server refuses others */
    LONGSTOP_BOOL = 4
};

/* One value of a statement, or a list of one type: bigint[], bytea[], text[],
 * boolean[]. A parameter has the type it says, so that `$1` needs no cast
 * where that type will do. */
struct longstop_value {
    enum longstop_type type;
    bool is_null;
    bool is_list;
    int64_t number;              /* NUMBER and BOOL */
    struct longstop_bytes bytes; /* BYTES and TEXT */
    /* Lists: `count` of either. Of bytes, one whose `at` is NULL is NULL. */
    size_t count;
    const int64_t *numbers;
    const bool *nulls; /* of numbers; NULL: none is NULL */
    const struct longstop_bytes *list;
};

/* A statement, with $1, $2 … for its values. It is prepared at its first use;
 * the same `id` always has the same text. Those that begin or end transactions
 * are known by their first word. */
struct longstop_statement {
    uint32_t id; /* from 0, without wide gaps */
    const char *text;
};

/* What a statement brought. Ends with longstop_database.clear. */
struct longstop_result {
    size_t rows, columns;
    int64_t affected; /* rows that were inserted, changed, deleted, or found */
    void *handle;     /* the plugin's */
};

/* One value of a row, in its binary form; lives as long as the result. */
struct longstop_cell {
    bool is_null;
    struct longstop_bytes bytes;
    /* Of smallint, integer, bigint and boolean. Others (sum() is numeric) are
     * to be cast in the statement. */
    int64_t number;
};

/* How a session is to be made. */
struct longstop_access {
    /* postgresql://… or pairs of key and value, as the database's own tools
     * take them, with its own ways for TLS, passwords and services. Of several
     * hosts, the first that takes writes is used. */
    const char *url;
    const char *password;       /* NULL: as the library finds it */
    const char *application;    /* as the server lists it; NULL: "longstop" */
    int64_t connect_timeout_ms; /* for all hosts together */
    /* How long a server may be silent while it owes an answer. It is told, too,
     * so that it gives up by itself (57014), and an idle transaction after
     * twice that. */
    int64_t call_timeout_ms;
    /* A pooler lends another connection to each transaction: nothing that
     * belongs to a connection is used. It is noticed without being told. */
    bool is_pooled;
};

struct longstop_database {
    uint32_t abi;     /* LONGSTOP_DATABASE_ABI */
    const char *kind; /* "postgresql" */

    /* The library behind it with its version, for people. */
    const char *(*describe)(void);

    /* Looks at a URL and touches no network; false with words. */
    bool (*check)(const char *url, char words[LONGSTOP_WORDS_BYTES]);

    /*
     * Connects. `host` outlives the session. Never UNKNOWN. The session does
     * not connect anew by itself, since all that was prepared and open is lost
     * with a connection: after GONE or UNKNOWN it is to be closed, and another
     * opened after a while.
     */
    enum longstop_answer (*open)(const struct longstop_access *access,
                                 const struct longstop_host *host, void **ret,
                                 struct longstop_failure *failure);

    /* Ends the session, and whatever transaction it has open; waits for
     * nothing. NULL is allowed. */
    void (*close)(void *session);

    /* Whether there is a pooler in between: LISTEN and advisory locks of a
     * session do not hold, temporary tables neither. May become true later. */
    bool (*is_pooled)(void *session);

    /*
     * Hands a statement over without waiting. How it went shows at the next
     * run or flush; what it returns is dropped. All that is posted up to there
     * is one transaction, if none was begun.
     */
    enum longstop_answer (*post)(void *session,
                                 const struct longstop_statement *statement,
                                 const struct longstop_value *values,
                                 size_t count,
                                 struct longstop_failure *failure);

    /*
     * Hands a statement over and waits for it and for all that was posted. Not
     * OK, when one of them failed; those behind it were not carried out, and
     * without a transaction of the caller's none of those before it was,
     * either. `result` may be NULL; it is to be cleared after OK.
     */
    enum longstop_answer (*run)(void *session,
                                const struct longstop_statement *statement,
                                const struct longstop_value *values,
                                size_t count, struct longstop_result *result,
                                struct longstop_failure *failure);

    /* Waits for all that was posted. */
    enum longstop_answer (*flush)(void *session,
                                  struct longstop_failure *failure);

    /* The rows that each posted statement of the last run or flush affected,
     * in order; until the next post, run or flush. */
    const int64_t *(*affected)(void *session, size_t *ret_count);

    /* One value of a row; row and column within the result. */
    struct longstop_cell (*cell)(const struct longstop_result *result,
                                 size_t row, size_t column);

    /* Frees a result and makes it empty; one that is empty is allowed. */
    void (*clear)(struct longstop_result *result);

    /* Carries out a text of several statements without values, which is one
     * transaction where it begins none. Nothing may be posted. */
    enum longstop_answer (*execute)(void *session, const char *text,
                                    int64_t timeout_ms,
                                    struct longstop_failure *failure);

    /*
     * Waits until another session notifies something that this one listens to
     * (LISTEN), or `timeout_ms` have passed, or the host wants to stop; 0 only
     * looks. Nothing may be posted. GONE when the connection is gone.
     */
    enum longstop_answer (*wait)(void *session, int64_t timeout_ms,
                                 bool *ret_notified,
                                 struct longstop_failure *failure);
};

#endif
