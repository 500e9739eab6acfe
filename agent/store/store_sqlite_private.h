/* SPDX-License-Identifier: MIT */
/*
 * store_sqlite_private: what the files of the SQLite store share.
 *
 * store_sqlite         open, recovery, close
 * store_sqlite_link    the driver: statements, transactions, checkpoints, what
 *                      errors mean
 * store_sqlite_view    a connection beside the writer's
 * store_sqlite_check   whether the file is whole
 * store_sqlite_backup  copies taken beside the writer, and put in its place
 */
#ifndef STORE_STORE_SQLITE_PRIVATE_H
#define STORE_STORE_SQLITE_PRIVATE_H

#include "store/store_sql_private.h"

#include <sqlite3.h>

/* Frames in the log that ask for a checkpoint: 4 MiB. More saves little and
 * lets the longest pause grow. */
#define CHECKPOINT_PAGES 1000

struct sqlite_link {
    struct sql_link link;
    sqlite3 *db;
    char *path;
    sqlite3_stmt *statements[SQL_COUNT];
    int wal_pages; /* in the log after the last commit */
    int wal_base;  /* of those, there at the last checkpoint */
    bool in_checkpoint;
};

struct store_sqlite {
    struct store_sql sql;
    struct store_ops ops;
    struct sqlite_link link;
    struct fs_lock *lock;
};

struct sqlite_view {
    struct sql_view sql;
    struct store_view_ops ops;
    struct sqlite_link link;
};

static inline struct store_sqlite *
store_sqlite_of(struct store *store)
{
    return (struct store_sqlite *)(void *)store;
}

static inline struct sqlite_view *
sqlite_view_of(struct store_view *view)
{
    return (struct sqlite_view *)(void *)view;
}

/* ---- store_sqlite_link ---- */

/* Makes a link to a path that it takes; there is no connection yet. */
void sqlite_link_init(struct sqlite_link *link, char *path);

/* Prepares the statements from `first`, before `end`. */
NODISCARD
enum status sqlite_link_prepare(struct sqlite_link *link, enum sql first,
                                enum sql end, struct error *err);

/* Finalizes the statements. */
void sqlite_link_finalize(struct sqlite_link *link);

/* Says what a result code means, and makes the link final where it must. */
enum status sqlite_link_fail(struct sqlite_link *link, int rc,
                             struct error *err);

/* Runs statements that are used once. */
NODISCARD
enum status sqlite_link_exec(struct sqlite_link *link, const char *sql,
                             struct error *err);

/* SQLITE_CHECKPOINT_PASSIVE or _TRUNCATE, its result looked at. */
NODISCARD
enum status sqlite_link_checkpoint(struct sqlite_link *link, int mode,
                                   struct error *err);

/* ---- store_sqlite_check ---- */
NODISCARD
enum status store_sqlite_check(struct store_view *view,
                               struct view_check *check, struct error *err);

#endif
