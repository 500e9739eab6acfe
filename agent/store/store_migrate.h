/* SPDX-License-Identifier: MIT */
/*
 * store_migrate: brings a store's tables to what this program knows.
 *
 * Migrations are the numbered files in schema/, embedded at build. All that are
 * missing are applied in one transaction. A store that is newer than the
 * program is refused: its rows may mean what we do not know.
 */
#ifndef STORE_STORE_MIGRATE_H
#define STORE_STORE_MIGRATE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct store_migration {
    int version; /* 1, 2, 3 … without a hole */
    const char *sql;
};

/* How the store at hand is spoken to. */
struct store_migrate_target {
    void *arg;
    /* Runs any number of statements. */
    enum status (*exec)(void *arg, const char *sql, struct error *err);
    /* Writes down the version, inside the open transaction. */
    enum status (*set_version)(void *arg, int version, struct error *err);
    bool is_open; /* a transaction is, by whoever calls, and stays so */
};

/*
 * Applies what lies above version `have`. STATUS_CONFIG when `have` is above
 * all that is known. After any failure the store is as it was.
 */
NODISCARD
enum status store_migrate_run(const struct store_migrate_target *target,
                              int have,
                              const struct store_migration *migrations,
                              size_t count, struct error *err);

/* schema/sqlite and schema/postgresql, generated at build. */
extern const struct store_migration store_migrate_sqlite[];
extern const size_t store_migrate_sqlite_count;
extern const struct store_migration store_migrate_postgresql[];
extern const size_t store_migrate_postgresql_count;

#endif
