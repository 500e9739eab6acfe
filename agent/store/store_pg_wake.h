/* SPDX-License-Identifier: MIT */
/*
 * store_pg_wake: LISTEN and NOTIFY, on a connection of their own: a NOTIFY in
 * the transaction of an event would make all commits of the database wait for
 * each other.
 */
#ifndef STORE_STORE_PG_WAKE_H
#define STORE_STORE_PG_WAKE_H

#include "plugin/database.h"
#include "store/store_wake.h"

/* Makes one; `database` and the strings of `access` outlive it. STATUS_NOMEM.
 */
NODISCARD
enum status store_pg_wake_create(const struct longstop_database *database,
                                 const struct longstop_access *access,
                                 struct store_wake **ret, struct error *err);

/* The same by the plugin of PostgreSQL, for a URL, which is copied. */
NODISCARD
enum status store_pg_wake_open(const char *url, struct store_wake **ret,
                               struct error *err);

#endif
