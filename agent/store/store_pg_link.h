/* SPDX-License-Identifier: MIT */
/*
 * store_pg_link: the driver of PostgreSQL: a link over a session of the
 * database's plugin, which is made anew when it is lost.
 *
 * A connection is made when it is first needed, and again after it was lost: at
 * once where it had been there for a while, else after a wait that grows and is
 * drawn, so that agents which lost a database together do not come back to it
 * together. Until then every statement is STATUS_UNAVAILABLE, with the words of
 * the loss. STATUS_UNKNOWN: what was under way may have been committed.
 */
#ifndef STORE_STORE_PG_LINK_H
#define STORE_STORE_PG_LINK_H

#include "base/mem.h"
#include "base/prng.h"
#include "plugin/database.h"
#include "store/sql_link.h"
#include "store/store_pg_post.h"

#include <stdatomic.h>

/* The most values that a statement has. */
#define PG_VALUES_MAX 24

struct pg_link {
    struct sql_link link;
    const struct longstop_database *database;
    struct longstop_access access; /* its strings are borrowed */
    struct longstop_host host;
    atomic_bool stopping;
    /*
     * Called after each connecting, before anything else is run; NULL: nothing
     * is to be done. A failure ends the connection again.
     */
    enum status (*connected)(void *arg, struct error *err);
    void *connected_arg;

    /* The driver's own. */
    void *session;       /* NULL: there is none */
    bool is_open;        /* a transaction is, until it is ended here */
    bool is_careful;     /* nothing is posted: one is to blame */
    size_t posted;       /* and not waited for yet */
    struct pg_post post; /* rows that have not gone yet */
    struct prng prng;
    unsigned failures;     /* to connect, or to stay so, in a row */
    int64_t connected_ms;  /* monotonic: since when; */
    int64_t not_before_ms; /* before which it is not tried again */
    struct error away;     /* why there is no connection */
    char *texts[SQL_COUNT];
    struct longstop_value values[PG_VALUES_MAX];
    size_t value_count;
    struct arena lists; /* of the values, until they have gone */
};

/* Makes a link, without a connection. `database` and the strings of `access`
 * outlive it, and it stays where it is; `seed` is for waits. */
void pg_link_init(struct pg_link *link,
                  const struct longstop_database *database,
                  const struct longstop_access *access, uint64_t seed);

/* Ends the connection, with whatever is open in it; waits for nothing. */
void pg_link_fini(struct pg_link *link);

/* From any thread: ends waits for the database within 100 ms, from now on. */
void pg_link_stop(struct pg_link *link);

/* From any thread: waits last again as long as they are to. */
void pg_link_go_on(struct pg_link *link);

/* Connects if there is no connection. */
NODISCARD
enum status pg_link_connect(struct pg_link *link, struct error *err);

/* Whether a pooler lends connections: nothing may belong to one. */
bool pg_link_is_pooled(const struct pg_link *link);

/* Carries out a text of several statements, as one transaction of its own. */
NODISCARD
enum status pg_link_execute(struct pg_link *link, const char *text,
                            int64_t timeout_ms, struct error *err);

/* Waits until something is notified that the connection listens to; outside of
 * transactions. */
NODISCARD
enum status pg_link_wait(struct pg_link *link, int64_t timeout_ms,
                         bool *ret_notified, struct error *err);

#endif
