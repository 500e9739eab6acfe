/* SPDX-License-Identifier: MIT */
/*
 * store_pg_leases: what agents that share a store in PostgreSQL hold of it:
 * taken, given back and asked for, by rows of `lease`; model/share decides.
 *
 * A row changes only with its holder. What costs at each sign of life is a look
 * at what is free, what was asked for, and what is held.
 */
#ifndef STORE_STORE_PG_LEASES_H
#define STORE_STORE_PG_LEASES_H

#include "store/store_sql_private.h"

/* What is kept from one sign of life to the next. */
struct pg_leases {
    int64_t epoch;  /* by which the last one was given */
    uint64_t view;  /* who lived then, and which connectors there were */
    uint64_t named; /* the connectors alone */
    int asked_ago;  /* signs of life since all of ours was asked for */
};

/* Behind the sign of life itself: all that store_ops' `beat` says of leases, in
 * one transaction. */
NODISCARD
enum status store_pg_leases(struct store_sql *store, struct pg_leases *kept,
                            struct store_beat *beat, struct error *err);

#endif
