/* SPDX-License-Identifier: MIT */
/*
 * pq_store: what the files of the store's plugin share.
 *
 * postgresql_store  connects, and offers a session's calls
 * pq_store_batch    sends statements in a pipeline and collects what comes back
 * pq_store_value    values as they go over the wire
 * pq_store_answer   what a failure means
 */
#ifndef PLUGIN_PQ_STORE_H
#define PLUGIN_PQ_STORE_H

#include "plugin/database.h"
#include "plugin/pq.h"

/* Values of one statement, ready for libpq. */
struct pq_values {
    int count;
    const char **at;
    int *lengths, *formats;
    uint32_t *types;
    size_t room; /* of the four */
    char *bytes; /* what had to be encoded */
    size_t bytes_room;
};

/* What a statement does to transactions. */
enum pq_effect { PQ_PLAIN, PQ_BEGINS, PQ_COMMITS, PQ_ROLLS_BACK };

/* What a session knows of a statement of the program's. */
struct pq_prepared {
    bool is_known;    /* its values' types are */
    bool is_prepared; /* in this connection */
    int count;
    uint32_t *types; /* InvalidOid: has only been NULL yet */
};

/* One that was sent and not answered yet. */
struct pq_pending {
    bool is_prepare;
    uint32_t id;
    enum pq_effect effect;
};

struct pq_session {
    struct pg_conn *connection;
    const struct longstop_host *host;
    int64_t call_timeout_ms;
    bool is_pooled;
    bool is_broken;    /* given up, whatever libpq thinks of it */
    bool is_unsure;    /* a standby was not waited for */
    bool in_block;     /* a transaction of the program's will be open */
    bool has_implicit; /* something pending belongs to none */
    bool has_commit;   /* a COMMIT is pending */
    bool is_synced;    /* the pipeline's end was sent */
    struct pq_prepared *prepared; /* by id */
    size_t prepared_room;
    struct pq_pending *pending;
    size_t pending_count, pending_room;
    int64_t *affected; /* as many as there are pending */
    size_t affected_count, affected_room;
    struct pq_values values;
    char notice[LONGSTOP_WORDS_BYTES]; /* what the server last warned of */
};

/* pq_store_value */

/* Encodes values into `into`, which they are borrowed by; false when memory ran
 * out, or one is too large for the protocol. */
bool pq_values_encode(struct pq_values *into,
                      const struct longstop_value *values, size_t count);

void pq_values_fini(struct pq_values *values);

/* One value of a result, in its binary form. */
struct longstop_cell pq_cell(const struct pg_result *result, size_t row,
                             size_t column);

/* pq_store_answer */

/* What a SQLSTATE means while the connection lives. */
enum longstop_answer pq_answer_of(const char *state);

/* The effect of a statement, by its first words. */
enum pq_effect pq_effect_of(const char *text);

/* Writes a failure that is not the server's word; returns `answer`. */
enum longstop_answer pq_fail(struct longstop_failure *failure,
                             enum longstop_answer answer, const char *words);

/* Writes what a result that failed says; returns its answer. */
enum longstop_answer pq_fail_by(struct longstop_failure *failure,
                                const struct pg_result *result);

/* pq_store_batch */

/* Sends a statement on its way. FAILED and GONE only. */
enum longstop_answer pq_batch_send(struct pq_session *session,
                                   const struct longstop_statement *statement,
                                   const struct longstop_value *values,
                                   size_t count,
                                   struct longstop_failure *failure);

/* Ends what was sent and waits for all of it. With OK `ret` (or NULL) has the
 * result of the last statement, to be cleared. */
enum longstop_answer pq_batch_end(struct pq_session *session,
                                  struct pg_result **ret,
                                  struct longstop_failure *failure);

/* Carries out a text outside of a pipeline. With OK `ret` (or NULL) has the
 * result of its last statement. */
enum longstop_answer pq_batch_text(struct pq_session *session, const char *text,
                                   int64_t timeout_ms, struct pg_result **ret,
                                   struct longstop_failure *failure);

/* Whether the connection can be used. */
bool pq_session_lives(struct pq_session *session);

#endif
