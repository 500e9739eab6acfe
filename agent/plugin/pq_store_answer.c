/* SPDX-License-Identifier: MIT */
/* What a failure leaves open, by SQLSTATE (PostgreSQL, appendix A). */
#include "plugin/pq_store.h"

#include <libpq-fe.h>
#include <string.h>
#include <strings.h>

/* The first that a state begins with. */
static const struct {
    const char *state;
    enum longstop_answer answer;
} answers[] = {
    { "40", LONGSTOP_RETRY },    /* rolled back: deadlock, serialization */
    { "55P03", LONGSTOP_RETRY }, /* lock_timeout, NOWAIT */
    { "57014", LONGSTOP_RETRY }, /* statement_timeout, a cancel */
    { "26000", LONGSTOP_RETRY }, /* a pooler's other connection: no such … */
    { "42P05", LONGSTOP_RETRY }, /* … or already such prepared statement */
    { "53300", LONGSTOP_GONE },  /* too many connections */
    { "53", LONGSTOP_FULL },     /* insufficient resources */
    { "28", LONGSTOP_DENIED },   /* who is it? */
    { "42501", LONGSTOP_DENIED }, { "25006", LONGSTOP_READONLY },
    { "08", LONGSTOP_GONE },  /* no connection, or none as it should be */
    { "57P", LONGSTOP_GONE }, /* shut down, crashed, starting up */
};

enum longstop_answer
pq_answer_of(const char *state)
{
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (strncmp(state, answers[i].state, strlen(answers[i].state)) == 0) {
            return answers[i].answer;
        }
    }
    return LONGSTOP_FAILED;
}

static const struct {
    const char *word;
    enum pq_effect effect;
} effects[] = {
    { "BEGIN", PQ_BEGINS },        { "START", PQ_BEGINS },
    { "COMMIT", PQ_COMMITS },      { "END", PQ_COMMITS },
    { "ROLLBACK", PQ_ROLLS_BACK }, { "ABORT", PQ_ROLLS_BACK },
};

enum pq_effect
pq_effect_of(const char *text)
{
    static const char blanks[] = " \t\r\n";
    const char *word = text + strspn(text, blanks);
    const size_t len = strcspn(word, " \t\r\n;");
    const char *next = word + len + strspn(word + len, blanks);
    for (size_t i = 0; i < sizeof(effects) / sizeof(effects[0]); i++) {
        if (strlen(effects[i].word) == len &&
            strncasecmp(word, effects[i].word, len) == 0) {
            /* ROLLBACK TO a savepoint leaves the transaction open. */
            return effects[i].effect == PQ_ROLLS_BACK &&
                           strncasecmp(next, "TO", 2) == 0
                       ? PQ_PLAIN
                       : effects[i].effect;
        }
    }
    return PQ_PLAIN;
}

enum longstop_answer
pq_fail(struct longstop_failure *failure, enum longstop_answer answer,
        const char *words)
{
    failure->sqlstate[0] = '\0';
    kit_say(failure->words, "postgresql: %s", words);
    return answer;
}

enum longstop_answer
pq_fail_by(struct longstop_failure *failure, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    kit_say(failure->words, "postgresql: %s",
            words != NULL ? words : PQresultErrorMessage(result));
    if (state == NULL || strlen(state) >= sizeof(failure->sqlstate)) {
        failure->sqlstate[0] = '\0';
        return LONGSTOP_GONE;
    }
    memcpy(failure->sqlstate, state, strlen(state) + 1);
    return pq_answer_of(state);
}
