/* SPDX-License-Identifier: MIT */
#include "store/store_pg_meaning.h"

#include <string.h>

/* Of a statement that was refused, by the class of its SQLSTATE. What is none
 * of the statement's own fault passes once somebody has seen to it. */
static struct pg_meaning
meaning_of_refusal(const char *state)
{
    static const struct {
        const char *state;
        struct pg_meaning meaning;
    } rows[] = {
        { "22", { STATUS_INVALID, "" } },
        { "23", { STATUS_INVALID, "" } },
        { "54", { STATUS_TOO_LARGE, "" } },
        { "XX001", { STATUS_CORRUPT, ": restore a backup of the database" } },
        { "XX002", { STATUS_CORRUPT, ": REINDEX its indexes, or restore" } },
        { "3D", { STATUS_UNAVAILABLE, ": create the database" } },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strncmp(state, rows[i].state, strlen(rows[i].state)) == 0) {
            return rows[i].meaning;
        }
    }
    return (struct pg_meaning){
        STATUS_UNAVAILABLE, ": the database is not as this program left it"
    };
}

struct pg_meaning
pg_meaning_of(enum longstop_answer answer, const char *state, bool is_serving)
{
    static const struct pg_meaning rows[] = {
        [LONGSTOP_OK] = { STATUS_OK, "" },
        [LONGSTOP_FAILED] = { STATUS_INVALID, "" },
        [LONGSTOP_RETRY] = { STATUS_BUSY, "" },
        [LONGSTOP_FULL] = { STATUS_FULL,
                            ": free some space there; work goes on by itself "
                            "then" },
        [LONGSTOP_DENIED] = { STATUS_UNAVAILABLE,
                              ": check the user, its password and its rights" },
        [LONGSTOP_READONLY] = { STATUS_UNAVAILABLE,
                                ": it is a standby; name all servers in the "
                                "URL, and the one that takes writes is used" },
        [LONGSTOP_GONE] = { STATUS_UNAVAILABLE, "" },
        [LONGSTOP_UNKNOWN] = { STATUS_UNKNOWN, "" },
    };
    if (answer == LONGSTOP_FAILED) {
        return meaning_of_refusal(state);
    }
    struct pg_meaning meaning = rows[answer];
    if (answer == LONGSTOP_DENIED && !is_serving) {
        meaning.status = STATUS_DENIED; /* whoever starts it can help */
    }
    return meaning;
}
