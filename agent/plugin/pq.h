/* SPDX-License-Identifier: MIT */
/*
 * pq: how the plugins of PostgreSQL connect and wait, so that nothing of libpq
 * holds a thread beyond its deadline.
 */
#ifndef PLUGIN_PQ_H
#define PLUGIN_PQ_H

#include "plugin/kit.h"

/* libpq's PGconn and PGresult, so that headers need none of it. */
struct pg_conn;
struct pg_result;

/* A SQLSTATE with its NUL. */
#define PQ_STATE_BYTES 6

/* How to connect. */
struct pq_access {
    const char *url;         /* a URL, or pairs of key and value */
    const char *password;    /* NULL: what the URL, .pgpass and so on say */
    const char *application; /* as the server lists it */
    /* Only to a server that takes writes, and given up soon when it is silent,
     * where neither URL nor environment says otherwise. */
    bool is_writer;
};

/* Looks at a URL and touches no network; false with words that have nothing of
 * the URL in them, for a password may be. */
bool pq_check(const char *url, char words[LONGSTOP_WORDS_BYTES]);

/*
 * Connects, to the first of several hosts that will do, and makes the
 * connection non-blocking. Each host has its share of the time that is left.
 * NULL with words, and `state` where a server gave one ("" otherwise). The
 * caller ends it with PQfinish. Names of hosts are looked up by libpq, which
 * takes the time that the system's resolver takes.
 */
struct pg_conn *pq_connect(const struct pq_access *access,
                           const struct kit_deadline *deadline,
                           char state[PQ_STATE_BYTES],
                           char words[LONGSTOP_WORDS_BYTES]);

/* Waits for events of the socket (poll), in slices; false when time is up, or
 * the host wants to stop. */
bool pq_wait(struct pg_conn *connection, short events,
             const struct kit_deadline *deadline);

/* The library with its version, for people. */
const char *pq_describe(void);

#endif
