/* SPDX-License-Identifier: MIT */
#include "store/store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "io/fs.h"
#include "store/store_migrate.h"
#include "store/store_sqlite_private.h"
#ifdef LONGSTOP_CRASH_TESTS
#    include "store/store_vfs.h"
#endif

/*
 * The happy path of a start: lock, open, settings, migrate, free the leases of
 * the process before, count. After an end that was not clean the log is copied
 * into the file with TRUNCATE and the file is checked before anything is asked
 * of it.
 *
 * What can go wrong: another process holds the lock (FENCED), the file is
 * damaged (CORRUPT, left alone), it is newer than the program (CONFIG), it or
 * its directory is not ours to write (DENIED).
 */

#define QUICK_CHECK_BYTES ((sqlite3_int64)1 << 30)
#define APPLICATION_ID    0x4c6f6e67
#define BUSY_MS           5000

const char *
store_sqlite_network(unsigned long magic)
{
    static const struct {
        unsigned long magic;
        const char *name;
    } rows[] = {
        { NFS_SUPER_MAGIC, "NFS" },   { SMB_SUPER_MAGIC, "SMB" },
        { CIFS_SUPER_MAGIC, "CIFS" }, { SMB2_SUPER_MAGIC, "SMB" },
        { NCP_SUPER_MAGIC, "NCP" },   { AFS_SUPER_MAGIC, "AFS" },
        { CODA_SUPER_MAGIC, "Coda" }, { CEPH_SUPER_MAGIC, "Ceph" },
        { V9FS_MAGIC, "9P" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        /* f_type is signed on some machines: CIFS' magic has the high bit. */
        if ((rows[i].magic & UINT32_MAX) == (magic & UINT32_MAX)) {
            return rows[i].name;
        }
    }
    return NULL;
}

static enum status
check_file_system(const char *path, struct error *err)
{
    struct buf folder = { 0 };
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        buf_text(&folder, ".");
    } else {
        buf_append(&folder, (struct slice){ path, (size_t)(slash - path) + 1 });
    }
    enum status status = buf_status(&folder);
    struct statfs what;
    if (status == STATUS_OK && statfs(folder.ptr, &what) == 0) {
        const char *name = store_sqlite_network((unsigned long)what.f_type);
        if (name != NULL) {
            status = error_set(err, STATUS_CONFIG,
                               "store %s lies on %s, a network file system, "
                               "where SQLite is not safe: put it on a local "
                               "disk",
                               path, name);
        }
    }
    /* A folder that is not there fails where the file is made. */
    buf_fini(&folder);
    return status;
}

static enum status
take_lock(struct store_sqlite *store, bool *ret_was_clean, struct error *err)
{
    struct buf path = { 0 };
    buf_text(&path, store->link.path);
    buf_text(&path, ".lock");
    enum status status = buf_status(&path);
    if (status == STATUS_OK) {
        status = fs_lock_take(path.ptr, ret_was_clean, &store->lock, err);
    }
    buf_fini(&path);
    return status;
}

/* SQLite would make the file as the umask says; its -wal and -shm take over
 * what the file has. */
static enum status
make_file(struct sqlite_link *link, struct error *err)
{
    int fd = open(link->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return error_set(err, STATUS_DENIED,
                         "store %s: %s: the file and its directory must be "
                         "there and writable by the user longstop runs as",
                         link->path, strerror(errno));
    }
    (void)close(fd);
    return STATUS_OK;
}

static enum status
find_log(const struct sqlite_link *link, bool *ret_has, struct error *err)
{
    struct buf path = { 0 };
    buf_text(&path, link->path);
    buf_text(&path, "-wal");
    enum status status = buf_status(&path);
    if (status != STATUS_OK) {
        (void)error_set(err, status, "store: out of memory");
    } else {
        struct stat what;
        *ret_has = stat(path.ptr, &what) == 0 && what.st_size > 0;
    }
    buf_fini(&path);
    return status;
}

static int
on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    struct sqlite_link *link = arg;
    link->wal_pages = pages;
    if (pages < link->wal_base) {
        link->wal_base = 0; /* the log began anew */
    }
    return SQLITE_OK;
}

static enum status
connect(struct sqlite_link *link, struct error *err)
{
    /* Debian's build counts every allocation under a lock of all threads, which
     * nobody here asks for. Refused, and no harm, once SQLite has started. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
#ifdef LONGSTOP_CRASH_TESTS
    enum status installed = store_vfs_install();
    if (installed != STATUS_OK) {
        return installed;
    }
#endif
    int rc = sqlite3_open_v2(link->path, &link->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                 SQLITE_OPEN_EXRESCODE,
                             NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_busy_timeout(link->db, BUSY_MS);
    }
    return rc == SQLITE_OK ? STATUS_OK : sqlite_link_fail(link, rc, err);
}

/* Runs a statement and returns the first column of its first row, as text. */
static enum status
ask(struct sqlite_link *link, const char *sql, char *into, size_t size,
    struct error *err)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(link->db, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK) {
        return sqlite_link_fail(link, rc, err);
    }
    into[0] = '\0';
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(stmt, 0);
        (void)snprintf(into, size, "%s",
                       text == NULL ? "" : (const char *)text);
    }
    enum status status = STATUS_OK;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        status = sqlite_link_fail(link, rc, err);
    }
    (void)sqlite3_finalize(stmt);
    return status;
}

static enum status
ask_number(struct sqlite_link *link, const char *sql, int64_t *ret,
           struct error *err)
{
    char text[32] = "";
    enum status status = ask(link, sql, text, sizeof(text), err);
    *ret = 0;
    if (status == STATUS_OK && text[0] != '\0' &&
        slice_to_i64(slice_of(text), ret) != STATUS_OK) {
        status = sqlite_link_fail(link, SQLITE_CORRUPT, err);
    }
    return status;
}

/* Settings of the connection; those that could silently not take are asked
 * back. What the file is like stands first: page_size before the first page. */
static enum status
configure(struct sqlite_link *link, const struct store_settings *settings,
          struct error *err)
{
    static const struct {
        const char *sql;
        const char *expect; /* NULL: nothing to ask back */
    } rows[] = {
        { "PRAGMA auto_vacuum=NONE", NULL },
        { "PRAGMA journal_mode=WAL", "wal" },
        { "PRAGMA synchronous=FULL", NULL },
        { "PRAGMA synchronous", "2" },
        /* Debian builds SQLite with it on, which writes every freed page. */
        { "PRAGMA secure_delete=OFF", "0" },
        { "PRAGMA cache_size=-8192", NULL },
        { "PRAGMA mmap_size=0", NULL },
        { "PRAGMA temp_store=MEMORY", NULL },
        { "PRAGMA trusted_schema=OFF", NULL },
        { "PRAGMA foreign_keys=OFF", NULL },
        { "PRAGMA journal_size_limit=67108864", "67108864" },
        /* Its own checkpoints swallow their errors. */
        { "PRAGMA wal_autocheckpoint=0", "0" },
    };
    char text[64];
    int64_t page = settings != NULL && settings->page_size > 0
                       ? settings->page_size
                       : 4096;
    (void)snprintf(text, sizeof(text), "PRAGMA page_size=%" PRId64, page);
    enum status status = sqlite_link_exec(link, text, err);
    for (size_t i = 0;
         status == STATUS_OK && i < sizeof(rows) / sizeof(rows[0]); i++) {
        status = ask(link, rows[i].sql, text, sizeof(text), err);
        if (status == STATUS_OK && rows[i].expect != NULL &&
            strcmp(text, rows[i].expect) != 0) {
            status =
                error_set(err, STATUS_IO, "store %s: %s did not take (\"%s\")",
                          link->path, rows[i].sql, text);
        }
    }
    (void)sqlite3_wal_hook(link->db, on_commit, link);
    return status;
}

/* After an end that was not clean: copy the log, then look the file over. A
 * very large one is looked over while it serves. */
static enum status
recover(struct sqlite_link *link, struct error *err)
{
    enum status status =
        sqlite_link_checkpoint(link, SQLITE_CHECKPOINT_TRUNCATE, err);
    if (status != STATUS_OK && status != STATUS_BUSY) {
        return status;
    }
    struct stat what;
    if (stat(link->path, &what) != 0 || what.st_size > QUICK_CHECK_BYTES) {
        return STATUS_OK;
    }
    char text[128];
    status = ask(link, "PRAGMA quick_check(1)", text, sizeof(text), err);
    if (status == STATUS_OK && strcmp(text, "ok") != 0) {
        (void)sqlite_link_fail(link, SQLITE_CORRUPT, err);
        status = error_wrap(err, STATUS_CORRUPT, "%s", text);
    }
    return status;
}

static enum status
migrate_exec(void *arg, const char *sql, struct error *err)
{
    return sqlite_link_exec(arg, sql, err);
}

static enum status
migrate_version(void *arg, int version, struct error *err)
{
    char text[48];
    (void)snprintf(text, sizeof(text), "PRAGMA user_version=%d", version);
    return sqlite_link_exec(arg, text, err);
}

/* Reads the version before anything is changed: journal_mode would turn another
 * program's database round. */
static enum status
identify(struct sqlite_link *link, int64_t *ret_version, struct error *err)
{
    int64_t application;
    int64_t tables;
    enum status status =
        ask_number(link, "PRAGMA user_version", ret_version, err);
    if (status == STATUS_OK) {
        status = ask_number(link, "PRAGMA application_id", &application, err);
    }
    if (status == STATUS_OK) {
        status = ask_number(link, "SELECT count(*) FROM sqlite_schema", &tables,
                            err);
    }
    if (status == STATUS_OK && tables > 0 && application != APPLICATION_ID) {
        status = error_set(err, STATUS_CONFIG,
                           "store %s is the database of another program: name "
                           "another file",
                           link->path);
    }
    return status;
}

static enum status
migrate(struct sqlite_link *link, int64_t version, struct error *err)
{
    const struct store_migrate_target target = {
        .arg = link, .exec = migrate_exec, .set_version = migrate_version
    };
    enum status status =
        store_migrate_run(&target, (int)version, store_migrate_sqlite,
                          store_migrate_sqlite_count, err);
    return status == STATUS_OK
               ? STATUS_OK
               : error_wrap(err, status, "store %s", link->path);
}

/* A new epoch: what another process had leased is due at once, its attempt
 * counted. */
static enum status
begin_epoch(struct store_sqlite *store, struct error *err)
{
    struct store_sql *sql = &store->sql;
    int64_t stored;
    enum status status = store_sql_meta_get(sql, "last_event", &stored, err);
    if (status == STATUS_OK) {
        int64_t highest;
        status = ask_number(&store->link, "SELECT max(id) FROM event", &highest,
                            err);
        sql->last_event = (uint64_t)(highest > stored ? highest : stored);
    }
    if (status == STATUS_OK) {
        status = store_sql_meta_get(sql, "dedup_floor", &sql->floor_ms, err);
    }
    if (status == STATUS_OK) {
        status = store_sql_meta_get(sql, "epoch", &sql->epoch, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    sql->epoch++;
    status = store_sql_begin(sql, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = store_sql_meta_put(sql, "epoch", sql->epoch, err);
    if (status == STATUS_OK) {
        status = sqlite_link_exec(
            &store->link, "UPDATE delivery SET due=0,owner=0 WHERE owner<>0",
            err);
    }
    return store_sql_end(sql, status, err);
}

/* From the lock to a file of this program's version. */
static enum status
open_file(struct store_sqlite *store, const struct store_settings *settings,
          struct error *err)
{
    struct sqlite_link *link = &store->link;
    bool was_clean = true;
    bool has_log = false;
    int64_t version = 0;
    enum status status = check_file_system(link->path, err);
    if (status == STATUS_OK) {
        status = take_lock(store, &was_clean, err);
    }
    if (status == STATUS_OK) {
        status = make_file(link, err);
    }
    if (status == STATUS_OK) {
        /* Somebody may have tidied the lock file away; a log that holds
         * something tells of the same end. */
        status = find_log(link, &has_log, err);
    }
    if (status == STATUS_OK) {
        status = connect(link, err);
    }
    if (status == STATUS_OK) {
        status = identify(link, &version, err);
    }
    if (status == STATUS_OK) {
        status = configure(link, settings, err);
    }
    if (status == STATUS_OK && (!was_clean || has_log)) {
        status = recover(link, err);
    }
    return status == STATUS_OK ? migrate(link, version, err) : status;
}

static enum status
open_all(struct store_sqlite *store, const struct store_settings *settings,
         struct error *err)
{
    enum status status = open_file(store, settings, err);
    if (status == STATUS_OK) {
        status =
            sqlite_link_prepare(&store->link, SQL_BEGIN, SQL_VIEW_FIRST, err);
    }
    if (status == STATUS_OK && settings != NULL && settings->is_copy) {
        status =
            sqlite_link_prepare(&store->link, SQL_COPY_FIRST, SQL_COUNT, err);
    }
    if (status == STATUS_OK) {
        status = begin_epoch(store, err);
    }
    return status == STATUS_OK ? store_sql_load(&store->sql, err) : status;
}

/* Lets everything go. After a failure nothing is written any more: closing the
 * last connection would checkpoint. */
static void
let_go(struct store_sqlite *store, bool clean)
{
    struct sqlite_link *link = &store->link;
    sqlite_link_finalize(link);
    if (!clean && link->db != NULL) {
        (void)sqlite3_db_config(link->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                                NULL);
    }
    if (sqlite3_close(link->db) != SQLITE_OK) {
        clean = false;
    }
    if (store->lock != NULL) {
        fs_lock_release(store->lock, clean);
    }
    store_sql_fini(&store->sql);
    mem_free(link->path);
    mem_free(store);
}

static void
close_store(struct store *base)
{
    if (base == NULL) {
        return;
    }
    struct store_sqlite *store = store_sqlite_of(base);
    bool clean = store->link.link.failed == STATUS_OK;
    if (clean) {
        enum status status = sqlite_link_checkpoint(
            &store->link, SQLITE_CHECKPOINT_TRUNCATE, NULL);
        /* A reader that still looks leaves the log, whole, to the next. */
        clean = status == STATUS_OK || status == STATUS_BUSY;
    }
    let_go(store, clean);
}

enum status
store_sqlite_open(const char *path, const struct store_settings *settings,
                  struct store **ret, struct error *err)
{
    if (path[0] == '\0') {
        return error_set(err, STATUS_CONFIG, "store: sqlite: needs a path");
    }
    struct store_sqlite *store = mem_zero(sizeof(*store));
    struct buf copy = { 0 };
    buf_text(&copy, path);
    if (store == NULL || buf_status(&copy) != STATUS_OK) {
        buf_fini(&copy);
        mem_free(store);
        return error_set(err, STATUS_NOMEM, "store: out of memory");
    }
    store->ops = store_sql_ops;
    store->ops.close = close_store;
    store->sql.store.ops = &store->ops;
    store->sql.link = &store->link.link;
    sqlite_link_init(&store->link, buf_detach(&copy));
    store->sql.attempts_each = settings != NULL && settings->attempts_each > 0
                                   ? settings->attempts_each
                                   : ATTEMPTS_EACH;
    enum status status = open_all(store, settings, err);
    if (status != STATUS_OK) {
        /* Not clean: what was found there is looked at again next time. */
        let_go(store, false);
        return status;
    }
    store->link.link.serving = true;
    *ret = &store->sql.store;
    return STATUS_OK;
}
