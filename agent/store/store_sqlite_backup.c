/* SPDX-License-Identifier: MIT */
/*
 * store_sqlite_backup: store_backup.h for SQLite files.
 *
 * The happy path of a copy: a read-only connection opens a read transaction,
 * which is the state that is copied; sqlite3_backup copies it page by page into
 * FILE.part; that gets its time, leaves WAL (so that it is one file), is
 * checked as a whole, synced and given its name.
 */
#include "store/store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/fs.h"
#include "store/store_migrate.h"
#include "store/store_sqlite_private.h"
#ifdef LONGSTOP_CRASH_TESTS
#    include "store/store_vfs.h"
#endif

#define APPLICATION_ID 0x4c6f6e67
#define BUSY_MS        5000
#define STEP_PAGES     1024

/* Paths made of one, each ending in something. */
#define PATH_BYTES 4096

static bool
path_with(const char *path, const char *ending, char into[PATH_BYTES])
{
    int len = snprintf(into, PATH_BYTES, "%s%s", path, ending);
    return len >= 0 && len < PATH_BYTES;
}

/* ---- one connection ---- */

/* Opens a database for a while. `link` lends path and connection to the words
 * of sqlite_link. */
static enum status
link_open(struct sqlite_link *link, const char *path, int flags,
          struct error *err)
{
    *link = (struct sqlite_link){ 0 };
    struct buf copy = { 0 };
    buf_text(&copy, path);
    if (buf_status(&copy) != STATUS_OK) {
        buf_fini(&copy);
        return error_set(err, STATUS_NOMEM, "store: out of memory");
    }
    link->path = buf_detach(&copy);
    if (!fs_exists(path)) {
        return error_set(err, STATUS_NOT_FOUND, "%s: no such file", path);
    }
    if (access(path, R_OK) != 0) {
        return error_set(err, STATUS_DENIED,
                         "%s cannot be read: %s: run this as the user whose "
                         "file it is",
                         path, strerror(errno));
    }
#ifdef LONGSTOP_CRASH_TESTS
    enum status installed = store_vfs_install();
    if (installed != STATUS_OK) {
        return installed;
    }
#endif
    int rc = sqlite3_open_v2(
        path, &link->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
        NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_busy_timeout(link->db, BUSY_MS);
    }
    /* Nobody but the writer copies the log back. */
    if (rc == SQLITE_OK) {
        rc = sqlite3_db_config(link->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                               NULL);
    }
    return rc == SQLITE_OK ? STATUS_OK : sqlite_link_fail(link, rc, err);
}

static void
link_close(struct sqlite_link *link)
{
    (void)sqlite3_close(link->db);
    mem_free(link->path);
    *link = (struct sqlite_link){ 0 };
}

/* Runs a question with one answer: a number, or a text. */
static enum status
ask(struct sqlite_link *link, const char *sql, int64_t *ret, char *text,
    size_t size, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(link->db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    if (rc == SQLITE_ROW && ret != NULL) {
        *ret = sqlite3_column_int64(stmt, 0);
    }
    if (rc == SQLITE_ROW && text != NULL) {
        const char *row = (const char *)sqlite3_column_text(stmt, 0);
        (void)snprintf(text, size, "%s", row == NULL ? "out of memory" : row);
    }
    enum status status = rc == SQLITE_ROW || rc == SQLITE_DONE
                             ? STATUS_OK
                             : sqlite_link_fail(link, rc, err);
    (void)sqlite3_finalize(stmt);
    return status;
}

/* ---- what is in it ---- */

static enum status
identify(struct sqlite_link *link, struct store_backup *ret, struct error *err)
{
    int64_t application = 0;
    enum status status =
        ask(link, "PRAGMA application_id", &application, NULL, 0, err);
    if (status == STATUS_OK) {
        status = ask(link, "PRAGMA user_version", &ret->version, NULL, 0, err);
    }
    if (status == STATUS_OK && application != APPLICATION_ID) {
        status = error_set(err, STATUS_CONFIG,
                           "%s is no store of longstop, nor a copy of one",
                           link->path);
    }
    const int newest =
        store_migrate_sqlite[store_migrate_sqlite_count - 1].version;
    if (status == STATUS_OK && ret->version > newest) {
        status = error_set(err, STATUS_CONFIG,
                           "%s was written by a newer longstop (schema "
                           "%" PRId64 ", this one knows up to %d)",
                           link->path, ret->version, newest);
    }
    return status;
}

static enum status
look_over(struct sqlite_link *link, struct error *err)
{
    char text[256] = "";
    enum status status =
        ask(link, "PRAGMA integrity_check(1)", NULL, text, sizeof(text), err);
    if (status == STATUS_OK && strcmp(text, "ok") != 0) {
        (void)sqlite_link_fail(link, SQLITE_CORRUPT, err);
        status = error_wrap(err, STATUS_CORRUPT, "%s", text);
    }
    return status;
}

/* Identifies, checks every page, and counts. */
static enum status
examine(struct sqlite_link *link, struct store_backup *ret, struct error *err)
{
    const struct {
        const char *sql;
        int64_t *at;
    } rows[] = {
        { "SELECT count(*) FROM event", &ret->events },
        { "SELECT count(*) FROM delivery", &ret->owed },
        { "SELECT count(*) FROM dead", &ret->dead },
        { "SELECT count(*) FROM gap WHERE closed_ms IS NULL", &ret->gaps },
        { "SELECT max(id) FROM event", &ret->newest_ms },
        { "SELECT value FROM meta WHERE name='backup_ms'", &ret->taken_ms },
        { "SELECT page_count*page_size FROM pragma_page_count, "
          "pragma_page_size",
          &ret->bytes },
    };
    *ret = (struct store_backup){ 0 };
    enum status status = identify(link, ret, err);
    if (status == STATUS_OK) {
        status = look_over(link, err);
    }
    for (size_t i = 0;
         status == STATUS_OK && i < sizeof(rows) / sizeof(rows[0]); i++) {
        status = ask(link, rows[i].sql, rows[i].at, NULL, 0, err);
    }
    ret->newest_ms >>= EVENT_MS_SHIFT;
    return status;
}

/* ---- a copy ---- */

/* What an earlier crash left may have been made by another hand. */
static enum status
make_part(const char *part, struct error *err)
{
    enum status status = fs_remove(part, err);
    if (status != STATUS_OK) {
        return status;
    }
    int fd =
        open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return error_set(err, errno == EACCES ? STATUS_DENIED : STATUS_IO,
                         "%s cannot be written: %s: name a file in a folder "
                         "that is yours",
                         part, strerror(errno));
    }
    (void)close(fd);
    return STATUS_OK;
}

static enum status
copy_pages(struct sqlite_link *from, struct sqlite_link *into,
           struct error *err)
{
    sqlite3_backup *copy =
        sqlite3_backup_init(into->db, "main", from->db, "main");
    if (copy == NULL) {
        return sqlite_link_fail(into, sqlite3_errcode(into->db), err);
    }
    int rc;
    do {
        rc = sqlite3_backup_step(copy, STEP_PAGES);
    } while (rc == SQLITE_OK);
    int ended = sqlite3_backup_finish(copy);
    rc = rc == SQLITE_DONE ? ended : rc;
    return rc == SQLITE_OK ? STATUS_OK : sqlite_link_fail(into, rc, err);
}

/* Copies what `from` sees into the new file `part`, checks and counts it. */
static enum status
copy_into(struct sqlite_link *from, const char *part, bool is_taken,
          struct store_backup *ret, struct error *err)
{
    struct sqlite_link into;
    char mark[128];
    enum status status = link_open(&into, part, SQLITE_OPEN_READWRITE, err);
    if (status == STATUS_OK) {
        /* It is synced as a whole, before it gets its name. */
        status = sqlite_link_exec(&into, "PRAGMA synchronous=OFF", err);
    }
    if (status == STATUS_OK) {
        status = copy_pages(from, &into, err);
    }
    if (status == STATUS_OK) {
        status = sqlite_link_exec(&into, "PRAGMA journal_mode=DELETE", err);
    }
    if (status == STATUS_OK && is_taken) {
        (void)snprintf(mark, sizeof(mark),
                       "INSERT OR REPLACE INTO meta "
                       "VALUES('backup_ms',%" PRId64 ")",
                       clock_unix_ms());
        status = sqlite_link_exec(&into, mark, err);
    }
    if (status == STATUS_OK) {
        status = examine(&into, ret, err);
    }
    link_close(&into);
    return status;
}

/* Copies the database `path`, as it is now, into the new file `part`. */
static enum status
copy_file(const char *path, const char *part, bool is_taken,
          struct store_backup *ret, struct error *err)
{
    struct sqlite_link from;
    enum status status = link_open(&from, path, SQLITE_OPEN_READONLY, err);
    if (status == STATUS_OK) {
        status = identify(&from, ret, err);
    }
    if (status == STATUS_OK) {
        /* One state from here to the end, whatever is committed beside it. */
        status = sqlite_link_exec(
            &from, "BEGIN; SELECT count(*) FROM sqlite_schema", err);
    }
    if (status == STATUS_OK) {
        status = make_part(part, err);
    }
    if (status == STATUS_OK) {
        status = copy_into(&from, part, is_taken, ret, err);
        if (status != STATUS_OK) {
            (void)unlink(part);
        }
    }
    link_close(&from);
    return status;
}

enum status
store_sqlite_backup_take(const char *path, const char *file,
                         struct store_backup *ret, struct error *err)
{
    char part[PATH_BYTES];
    if (!path_with(file, ".part", part)) {
        return error_set(err, STATUS_INVALID, "the name is too long");
    }
    if (fs_exists(file)) {
        return error_set(err, STATUS_EXISTS,
                         "%s is there already: name another file", file);
    }
    enum status status = copy_file(path, part, true, ret, err);
    if (status == STATUS_OK) {
        status = fs_place(part, file, false, err);
        if (status != STATUS_OK) {
            (void)unlink(part);
        }
    }
    return status;
}

enum status
store_sqlite_backup_check(const char *path, struct store_backup *ret,
                          struct error *err)
{
    struct sqlite_link link;
    enum status status = link_open(&link, path, SQLITE_OPEN_READONLY, err);
    if (status == STATUS_OK) {
        status = examine(&link, ret, err);
    }
    link_close(&link);
    return status;
}

/* ---- a copy in a store's place ---- */

/* Copies the log of a store that nobody has open into its file, so that it is
 * one file; where that cannot be done the log is kept beside it. */
static void
settle_log(const char *path)
{
    struct sqlite_link link;
    if (link_open(&link, path, SQLITE_OPEN_READWRITE, NULL) == STATUS_OK) {
        (void)sqlite3_wal_checkpoint_v2(link.db, NULL,
                                        SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    }
    link_close(&link);
}

/* Gives the store, and a log that holds something, second names beside it. */
static enum status
keep_old(const char *path, char kept[STORE_BACKUP_KEPT_BYTES],
         struct error *err)
{
    char wal[PATH_BYTES];
    char kept_wal[PATH_BYTES];
    struct stat info;
    kept[0] = '\0';
    if (stat(path, &info) != 0) {
        return STATUS_OK;
    }
    int len = snprintf(kept, STORE_BACKUP_KEPT_BYTES,
                       "%s.before-restore-%" PRId64, path, clock_unix_ms());
    if (len < 0 || len >= STORE_BACKUP_KEPT_BYTES ||
        !path_with(path, "-wal", wal) || !path_with(kept, "-wal", kept_wal)) {
        return error_set(err, STATUS_INVALID, "the store's path is too long");
    }
    enum status status = fs_link(path, kept, err);
    if (status == STATUS_OK && stat(wal, &info) == 0 && info.st_size > 0) {
        status = fs_link(wal, kept_wal, err);
    }
    return status;
}

/* The old log goes before the new file comes: it would be read into it. */
static enum status
exchange(const char *path, const char *part, struct error *err)
{
    static const char *const endings[] = { "-wal", "-shm", "-journal" };
    char beside[PATH_BYTES];
    enum status status = fs_own_like(part, path, err);
    for (size_t i = 0;
         status == STATUS_OK && i < sizeof(endings) / sizeof(endings[0]); i++) {
        status = path_with(path, endings[i], beside)
                     ? fs_remove(beside, err)
                     : error_set(err, STATUS_INVALID, "the path is too long");
    }
    return status == STATUS_OK ? fs_place(part, path, true, err) : status;
}

static bool
is_same_file(const char *one, const char *other)
{
    struct stat a;
    struct stat b;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

enum status
store_sqlite_backup_restore(const char *path, const char *file,
                            char kept[STORE_BACKUP_KEPT_BYTES],
                            struct store_backup *ret, struct error *err)
{
    char part[PATH_BYTES];
    char lock_path[PATH_BYTES];
    struct fs_lock *lock = NULL;
    bool was_clean;
    kept[0] = '\0';
    if (!path_with(path, ".restore", part) ||
        !path_with(path, ".lock", lock_path)) {
        return error_set(err, STATUS_INVALID, "the store's path is too long");
    }
    if (is_same_file(path, file)) {
        return error_set(err, STATUS_INVALID,
                         "%s is the store itself: name a copy of it", file);
    }
    enum status status = fs_lock_take(lock_path, &was_clean, &lock, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = copy_file(file, part, false, ret, err);
    if (status == STATUS_OK) {
        status = fs_own_like(lock_path, path, err);
    }
    if (status == STATUS_OK) {
        settle_log(path);
        status = keep_old(path, kept, err);
    }
    if (status == STATUS_OK) {
        status = exchange(path, part, err);
    }
    if (status != STATUS_OK) {
        (void)unlink(part);
    }
    /* Not clean where it failed: the next start looks the file over. */
    fs_lock_release(lock, status == STATUS_OK);
    return status;
}
