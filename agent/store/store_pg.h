/* SPDX-License-Identifier: MIT */
/*
 * store_pg: a store in PostgreSQL, which several agents share.
 *
 * Its tables are those of schema/postgresql. The server is reached by a plugin
 * (plugin/database.h), so that a program without it needs no library of it.
 *
 * Who runs an agent gives signs of life with `beat`. Who only has the store
 * open gives them on the way, with other calls. An agent that was taken for
 * dead, because it was stopped for so long, begins a new life: what it had
 * leased is others' by now, and its outcomes change nothing.
 */
#ifndef STORE_STORE_PG_H
#define STORE_STORE_PG_H

#include "store/store.h"
#include "store/store_view.h"

/* Opens the store that the URL names ("postgresql://...", as libpq takes it),
 * making its tables where there are none. STATUS_CONFIG says what is wrong with
 * the server; STATUS_UNAVAILABLE that there is none. */
NODISCARD
enum status store_pg_open(const char *url,
                          const struct store_settings *settings,
                          struct store **ret, struct error *err);

/* The same for a view: STATUS_NOT_FOUND where there are no tables. */
NODISCARD
enum status store_pg_view_open(const char *url, struct store_view **ret,
                               struct error *err);

#endif
