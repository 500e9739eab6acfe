/* SPDX-License-Identifier: MIT */
/*
 * store_pg_meaning: what an answer of the database's plugin means for the
 * store, and what whoever runs it can do. Pure.
 */
#ifndef STORE_STORE_PG_MEANING_H
#define STORE_STORE_PG_MEANING_H

#include "base/status.h"
#include "plugin/database.h"

struct pg_meaning {
    enum status status;
    const char *way_out; /* to stand behind the words; may be empty */
};

/* The meaning of an answer, with the SQLSTATE of the failure. What the database
 * refuses for what it is, and not for a value, passes once somebody has seen to
 * it: STATUS_UNAVAILABLE. `is_serving`: the store was open already. */
struct pg_meaning pg_meaning_of(enum longstop_answer answer, const char *state,
                                bool is_serving);

#endif
