/* SPDX-License-Identifier: MIT */
/* The driver of SQLite: statements, transactions, checkpoints, what errors
 * mean. */
#include "store/store_sqlite_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct sqlite_link *
sqlite_link_of(struct sql_link *link)
{
    return (struct sqlite_link *)(void *)link;
}

enum status
sqlite_link_prepare(struct sqlite_link *link, enum sql first, enum sql end,
                    struct error *err)
{
    for (int i = (int)first; i < (int)end; i++) {
        int rc = sqlite3_prepare_v3(link->db, sql_text_of((enum sql)i), -1,
                                    SQLITE_PREPARE_PERSISTENT,
                                    &link->statements[i], NULL);
        if (rc != SQLITE_OK) {
            return sqlite_link_fail(link, rc, err);
        }
    }
    return STATUS_OK;
}

void
sqlite_link_finalize(struct sqlite_link *link)
{
    for (size_t i = 0; i < SQL_COUNT; i++) {
        (void)sqlite3_finalize(link->statements[i]);
        link->statements[i] = NULL;
    }
}

/* The cause of the last failed write: a checkpoint writes to the file, all else
 * to the log. sqlite3_system_errno does not know it: by the time a statement
 * has been rolled back, errno is another's. */
static int
cause_of_write(struct sqlite_link *link)
{
    int cause = 0;
    sqlite3_file *log = NULL;
    if (link->in_checkpoint) {
        (void)sqlite3_file_control(link->db, "main", SQLITE_FCNTL_LAST_ERRNO,
                                   &cause);
    } else if (sqlite3_file_control(link->db, "main",
                                    SQLITE_FCNTL_JOURNAL_POINTER,
                                    &log) == SQLITE_OK &&
               log != NULL && log->pMethods != NULL) {
        (void)log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &cause);
    }
    return cause;
}

/* A quota or a size limit that is reached is a full disk, not a broken one —
 * but not at a sync: what the kernel dropped there is gone. */
static bool
is_out_of_room(struct sqlite_link *link, int rc)
{
    int cause = 0;
    if ((rc & 0xff) == SQLITE_FULL) {
        return true;
    }
    if (rc == SQLITE_IOERR_WRITE) {
        cause = cause_of_write(link);
    } else if (rc == SQLITE_IOERR_SHMSIZE) {
        cause = sqlite3_system_errno(link->db);
    }
    return cause == ENOSPC || cause == EDQUOT || cause == EFBIG;
}

static enum status
meaning(struct sqlite_link *link, int rc)
{
    static const struct {
        int rc;
        enum status opening, serving;
    } rows[] = {
        { SQLITE_NOMEM, STATUS_NOMEM, STATUS_NOMEM },
        { SQLITE_BUSY, STATUS_BUSY, STATUS_BUSY },
        { SQLITE_LOCKED, STATUS_BUSY, STATUS_BUSY },
        { SQLITE_PROTOCOL, STATUS_BUSY, STATUS_BUSY },
        { SQLITE_TOOBIG, STATUS_TOO_LARGE, STATUS_TOO_LARGE },
        { SQLITE_CONSTRAINT, STATUS_INVALID, STATUS_INVALID },
        { SQLITE_CORRUPT, STATUS_CORRUPT, STATUS_CORRUPT },
        { SQLITE_NOTADB, STATUS_CORRUPT, STATUS_CORRUPT },
        /* At open the operator can help; later the file went away under us. */
        { SQLITE_READONLY, STATUS_DENIED, STATUS_IO },
        { SQLITE_CANTOPEN, STATUS_DENIED, STATUS_IO },
        { SQLITE_PERM, STATUS_DENIED, STATUS_IO },
        { SQLITE_AUTH, STATUS_DENIED, STATUS_IO },
    };
    if (rc == SQLITE_IOERR_NOMEM) {
        return STATUS_NOMEM;
    }
    if (is_out_of_room(link, rc)) {
        return STATUS_FULL;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].rc == (rc & 0xff)) {
            return link->link.serving ? rows[i].serving : rows[i].opening;
        }
    }
    return STATUS_IO;
}

static enum status
words_for(struct sqlite_link *link, enum status status, int rc,
          struct error *err)
{
    const char *path = link->path;
    const char *cause = sqlite3_errstr(rc);
    char system[64] = "";
    int number = link->db == NULL ? 0 : sqlite3_system_errno(link->db);
    if (number != 0 && (status == STATUS_IO || status == STATUS_DENIED)) {
        (void)snprintf(system, sizeof(system), ": errno %d", number);
    }
    switch ((int)status) {
    case STATUS_FULL:
        return error_set(err, status,
                         "store %s: no room left on its file system or quota: "
                         "free some space there; work goes on by itself then",
                         path);
    case STATUS_CORRUPT:
        return error_set(err, status,
                         "store %s is damaged (%s); it was left as it is: "
                         "restore a backup ('longstop store restore FILE' "
                         "keeps what is there) or save what is readable: "
                         "sqlite3 %s .recover | sqlite3 NEW",
                         path, cause, path);
    case STATUS_DENIED:
        return error_set(err, status,
                         "store %s: %s%s: the file and its directory must be "
                         "writable by the user longstop runs as",
                         path, cause, system);
    case STATUS_IO:
        return error_set(err, status,
                         "store %s: %s%s (code %d): check the disk and the "
                         "kernel's log, then start again",
                         path, cause, system, rc);
    case STATUS_TOO_LARGE:
        return error_set(err, status,
                         "store %s: larger than a row may be (%d bytes)", path,
                         sqlite3_limit(link->db, SQLITE_LIMIT_LENGTH, -1));
    default:
        return error_set(err, status, "store %s: %s", path,
                         link->db == NULL ? cause : sqlite3_errmsg(link->db));
    }
}

enum status
sqlite_link_fail(struct sqlite_link *link, int rc, struct error *err)
{
    enum status status = meaning(link, rc);
    (void)words_for(link, status, rc, err);
    if (status_disposition(status) == DISPOSITION_FATAL &&
        link->link.failed == STATUS_OK) {
        link->link.failed = status;
        (void)words_for(link, status, rc, &link->link.failed_words);
    }
    return status;
}

enum status
sqlite_link_exec(struct sqlite_link *link, const char *sql, struct error *err)
{
    int rc = sqlite3_exec(link->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? STATUS_OK : sqlite_link_fail(link, rc, err);
}

enum status
sqlite_link_checkpoint(struct sqlite_link *link, int mode, struct error *err)
{
    int in_log = 0;
    int copied = 0;
    link->in_checkpoint = true;
    int rc = sqlite3_wal_checkpoint_v2(link->db, NULL, mode, &in_log, &copied);
    /* Where a reader stands in the way, or there is no room, the log keeps it
     * all: not again with every commit from here, but some pages later. */
    link->wal_base = link->wal_pages;
    enum status status = STATUS_OK;
    if (rc != SQLITE_OK) {
        status = sqlite_link_fail(link, rc, err);
    } else if (in_log != copied) {
        status = STATUS_BUSY;
    }
    link->in_checkpoint = false;
    return status;
}

/* ---- statements ---- */

static sqlite3_stmt *
statement_of(const struct sql_use *use)
{
    return sqlite_link_of(use->link)->statements[use->which];
}

static void
keep(struct sql_use *use, int rc)
{
    if (rc != SQLITE_OK && use->rc == SQLITE_OK) {
        use->rc = rc;
    }
}

static void
bind_number(struct sql_use *use, int64_t number)
{
    keep(use, sqlite3_bind_int64(statement_of(use), use->bound, number));
}

static void
bind_bytes(struct sql_use *use, struct slice bytes, bool is_text)
{
    sqlite3_stmt *stmt = statement_of(use);
    keep(use, is_text
                  ? sqlite3_bind_text64(stmt, use->bound, bytes.ptr, bytes.len,
                                        SQLITE_STATIC, SQLITE_UTF8)
                  : sqlite3_bind_blob64(stmt, use->bound, bytes.ptr, bytes.len,
                                        SQLITE_STATIC));
}

static void
bind_null(struct sql_use *use)
{
    keep(use, sqlite3_bind_null(statement_of(use), use->bound));
}

static void
stop(struct sql_use *use)
{
    (void)sqlite3_reset(statement_of(use));
}

/* Steps once; after the last row, or a failure, the statement is reset. */
static enum status
step(struct sql_use *use, bool *ret_row, struct error *err)
{
    struct sqlite_link *link = sqlite_link_of(use->link);
    int rc = use->rc;
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement_of(use));
    }
    *ret_row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) {
        return STATUS_OK;
    }
    enum status status = STATUS_OK;
    if (rc != SQLITE_DONE) {
        status = sqlite_link_fail(link, rc, err);
    }
    stop(use);
    return status;
}

static enum status
run(struct sql_use *use, struct error *err)
{
    bool row;
    enum status status = step(use, &row, err);
    if (row) {
        stop(use);
    }
    use->changed = sqlite3_changes(sqlite_link_of(use->link)->db);
    return status;
}

static int64_t
number(const struct sql_use *use, int column)
{
    return sqlite3_column_int64(statement_of(use), column);
}

static struct slice
bytes(const struct sql_use *use, int column)
{
    sqlite3_stmt *stmt = statement_of(use);
    const void *at = sqlite3_column_blob(stmt, column);
    int len = sqlite3_column_bytes(stmt, column);
    return (struct slice){ at, len > 0 ? (size_t)len : 0 };
}

static bool
is_null(const struct sql_use *use, int column)
{
    return sqlite3_column_type(statement_of(use), column) == SQLITE_NULL;
}

/* ---- transactions ---- */

static enum status
run_one(struct sqlite_link *link, enum sql which, struct error *err)
{
    struct sql_use use = sql_use_of(&link->link, which);
    return run(&use, err);
}

static enum status
begin(struct sql_link *base, bool writes, struct error *err)
{
    struct sqlite_link *link = sqlite_link_of(base);
    /* Here and not behind the commit, so that nobody's answer waits for it. */
    if (writes && link->wal_pages - link->wal_base >= CHECKPOINT_PAGES) {
        enum status status =
            sqlite_link_checkpoint(link, SQLITE_CHECKPOINT_PASSIVE, err);
        if (status_disposition(status) == DISPOSITION_FATAL) {
            return status;
        }
    }
    return run_one(link, writes ? SQL_BEGIN : SQL_VIEW_BEGIN, err);
}

static bool
is_open(const struct sql_link *link)
{
    return sqlite3_get_autocommit(
               ((const struct sqlite_link *)(const void *)link)->db) == 0;
}

static void
rollback(struct sql_link *base)
{
    /* SQLite may have rolled back by itself. */
    if (is_open(base)) {
        struct error err = { 0 };
        enum status status = run_one(sqlite_link_of(base), SQL_ROLLBACK, &err);
        if (status != STATUS_OK && base->failed == STATUS_OK) {
            base->failed = STATUS_IO;
            base->failed_words = err;
        }
    }
}

/*
 * A commit that fails for want of room or of a lock is rolled back and had no
 * effect. One that fails in the middle of a write or a sync may be found whole
 * by the next start; the link is final then, so nobody is told otherwise.
 */
static enum status
commit(struct sql_link *base, struct error *err)
{
    struct sqlite_link *link = sqlite_link_of(base);
    return run_one(link,
                   link->statements[SQL_COMMIT] == NULL ? SQL_VIEW_COMMIT
                                                        : SQL_COMMIT,
                   err);
}

static const struct sql_driver driver = {
    .bind_number = bind_number,
    .bind_bytes = bind_bytes,
    .bind_null = bind_null,
    .run = run,
    .row = step,
    .stop = stop,
    .number = number,
    .bytes = bytes,
    .is_null = is_null,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .is_open = is_open,
};

void
sqlite_link_init(struct sqlite_link *link, char *path)
{
    link->link.driver = &driver;
    link->path = path;
}
