/* SPDX-License-Identifier: MIT */
/*
 * store_pg_server: whether a server is fit to hold a store, and the making of
 * its tables.
 */
#ifndef STORE_STORE_PG_SERVER_H
#define STORE_STORE_PG_SERVER_H

#include "store/store_pg_link.h"

/* What a server says of itself: SQL_SERVER. */
struct pg_server {
    int64_t version;   /* 150004 */
    int64_t now_ms;    /* by its clock */
    int64_t around_ms; /* by ours, when it said so: the middle of the call, */
    int64_t within_ms; /* give or take */
    bool is_durable;   /* synchronous_commit is not off, fsync is on */
    bool is_standby;
    bool has_tables;
    int64_t broken_indexes;
};

/* Clocks of server and agents may be apart by so much. */
#define PG_SKEW_MS 5000

/* Asks the server. */
NODISCARD
enum status pg_server_ask(struct pg_link *link, struct pg_server *ret,
                          struct error *err);

/* Says what is wrong with it, and the way out: STATUS_CONFIG, or
 * STATUS_UNAVAILABLE where that may pass. Pure. */
NODISCARD
enum status pg_server_judge(const struct pg_server *server, struct error *err);

/* Makes the days that lack, some ahead of today. */
NODISCARD
enum status pg_server_make_days(struct pg_link *link, struct error *err);

/* Brings the tables to what this program knows, one agent at a time, and makes
 * the days that lack. */
NODISCARD
enum status pg_server_migrate(struct pg_link *link, struct error *err);

#endif
