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
    buf_text(&path, store->path);
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
make_file(struct store_sqlite *store, struct error *err)
{
    int fd = open(store->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return error_set(err, STATUS_DENIED,
                         "store %s: %s: the file and its directory must be "
                         "there and writable by the user longstop runs as",
                         store->path, strerror(errno));
    }
    (void)close(fd);
    return STATUS_OK;
}

static enum status
find_log(const struct store_sqlite *store, bool *ret_has, struct error *err)
{
    struct buf path = { 0 };
    buf_text(&path, store->path);
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
    struct store_sqlite *store = arg;
    store->wal_pages = pages;
    if (pages < store->wal_base) {
        store->wal_base = 0; /* the log began anew */
    }
    return SQLITE_OK;
}

static enum status
connect(struct store_sqlite *store, struct error *err)
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
    int rc = sqlite3_open_v2(store->path, &store->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                 SQLITE_OPEN_EXRESCODE,
                             NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_busy_timeout(store->db, BUSY_MS);
    }
    return rc == SQLITE_OK ? STATUS_OK : store_sqlite_sql_fail(store, rc, err);
}

/* Runs a statement and returns the first column of its first row, as text. */
static enum status
ask(struct store_sqlite *store, const char *sql, char *into, size_t size,
    struct error *err)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK) {
        return store_sqlite_sql_fail(store, rc, err);
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
        status = store_sqlite_sql_fail(store, rc, err);
    }
    (void)sqlite3_finalize(stmt);
    return status;
}

static enum status
ask_number(struct store_sqlite *store, const char *sql, int64_t *ret,
           struct error *err)
{
    char text[32] = "";
    enum status status = ask(store, sql, text, sizeof(text), err);
    *ret = 0;
    if (status == STATUS_OK && text[0] != '\0' &&
        slice_to_i64(slice_of(text), ret) != STATUS_OK) {
        status = store_sqlite_sql_fail(store, SQLITE_CORRUPT, err);
    }
    return status;
}

/* Settings of the connection; those that could silently not take are asked
 * back. What the file is like stands first: page_size before the first page. */
static enum status
configure(struct store_sqlite *store, const struct store_settings *settings,
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
    enum status status = store_sqlite_sql_exec(store, text, err);
    for (size_t i = 0;
         status == STATUS_OK && i < sizeof(rows) / sizeof(rows[0]); i++) {
        status = ask(store, rows[i].sql, text, sizeof(text), err);
        if (status == STATUS_OK && rows[i].expect != NULL &&
            strcmp(text, rows[i].expect) != 0) {
            status =
                error_set(err, STATUS_IO, "store %s: %s did not take (\"%s\")",
                          store->path, rows[i].sql, text);
        }
    }
    (void)sqlite3_wal_hook(store->db, on_commit, store);
    return status;
}

/* After an end that was not clean: copy the log, then look the file over. A
 * very large one is looked over while it serves. */
static enum status
recover(struct store_sqlite *store, struct error *err)
{
    enum status status =
        store_sqlite_sql_checkpoint(store, SQLITE_CHECKPOINT_TRUNCATE, err);
    if (status != STATUS_OK && status != STATUS_BUSY) {
        return status;
    }
    struct stat what;
    if (stat(store->path, &what) != 0 || what.st_size > QUICK_CHECK_BYTES) {
        return STATUS_OK;
    }
    char text[128];
    status = ask(store, "PRAGMA quick_check(1)", text, sizeof(text), err);
    if (status == STATUS_OK && strcmp(text, "ok") != 0) {
        (void)store_sqlite_sql_fail(store, SQLITE_CORRUPT, err);
        status = error_wrap(err, STATUS_CORRUPT, "%s", text);
    }
    return status;
}

static enum status
migrate_exec(void *arg, const char *sql, struct error *err)
{
    return store_sqlite_sql_exec(arg, sql, err);
}

static enum status
migrate_version(void *arg, int version, struct error *err)
{
    char text[48];
    (void)snprintf(text, sizeof(text), "PRAGMA user_version=%d", version);
    return store_sqlite_sql_exec(arg, text, err);
}

/* Reads the version before anything is changed: journal_mode would turn another
 * program's database round. */
static enum status
identify(struct store_sqlite *store, int64_t *ret_version, struct error *err)
{
    int64_t application;
    int64_t tables;
    enum status status =
        ask_number(store, "PRAGMA user_version", ret_version, err);
    if (status == STATUS_OK) {
        status = ask_number(store, "PRAGMA application_id", &application, err);
    }
    if (status == STATUS_OK) {
        status = ask_number(store, "SELECT count(*) FROM sqlite_schema",
                            &tables, err);
    }
    if (status == STATUS_OK && tables > 0 && application != APPLICATION_ID) {
        status = error_set(err, STATUS_CONFIG,
                           "store %s is the database of another program: name "
                           "another file",
                           store->path);
    }
    return status;
}

static enum status
migrate(struct store_sqlite *store, int64_t version, struct error *err)
{
    const struct store_migrate_target target = { store, migrate_exec,
                                                 migrate_version };
    enum status status =
        store_migrate_run(&target, (int)version, store_migrate_sqlite,
                          store_migrate_sqlite_count, err);
    return status == STATUS_OK
               ? STATUS_OK
               : error_wrap(err, status, "store %s", store->path);
}

enum status
store_sqlite_meta_get(struct store_sqlite *store, const char *name,
                      int64_t *ret_value, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_META_GET);
    sql_text(&use, slice_of(name));
    bool row;
    enum status status = store_sqlite_sql_row(&use, &row, err);
    *ret_value = 0;
    if (status == STATUS_OK && row) {
        *ret_value = sqlite3_column_int64(use.stmt, 0);
        sql_stop(&use);
    }
    return status;
}

enum status
store_sqlite_meta_put(struct store_sqlite *store, const char *name,
                      int64_t value, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_META_PUT);
    sql_text(&use, slice_of(name));
    sql_i64(&use, value);
    return store_sqlite_sql_run(&use, err);
}

/* A new epoch: what another process had leased is due at once, its attempt
 * counted. */
static enum status
begin_epoch(struct store_sqlite *store, struct error *err)
{
    int64_t stored;
    enum status status =
        store_sqlite_meta_get(store, "last_event", &stored, err);
    if (status == STATUS_OK) {
        int64_t highest;
        status = ask_number(store, "SELECT max(id) FROM event", &highest, err);
        store->last_event = (uint64_t)(highest > stored ? highest : stored);
    }
    if (status == STATUS_OK) {
        status =
            store_sqlite_meta_get(store, "dedup_floor", &store->floor_ms, err);
    }
    if (status == STATUS_OK) {
        status = store_sqlite_meta_get(store, "epoch", &store->epoch, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    store->epoch++;
    status = store_sqlite_sql_begin(store, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = store_sqlite_meta_put(store, "epoch", store->epoch, err);
    if (status == STATUS_OK) {
        status = store_sqlite_sql_exec(
            store, "UPDATE delivery SET due=0,owner=0 WHERE owner<>0", err);
    }
    return store_sqlite_sql_end(store, status, err);
}

static enum status
open_all(struct store_sqlite *store, const struct store_settings *settings,
         struct error *err)
{
    bool was_clean = true;
    bool has_log = false;
    int64_t version = 0;
    enum status status = check_file_system(store->path, err);
    if (status == STATUS_OK) {
        status = take_lock(store, &was_clean, err);
    }
    if (status == STATUS_OK) {
        status = make_file(store, err);
    }
    if (status == STATUS_OK) {
        /* Somebody may have tidied the lock file away; a log that holds
         * something tells of the same end. */
        status = find_log(store, &has_log, err);
    }
    if (status == STATUS_OK) {
        status = connect(store, err);
    }
    if (status == STATUS_OK) {
        status = identify(store, &version, err);
    }
    if (status == STATUS_OK) {
        status = configure(store, settings, err);
    }
    if (status == STATUS_OK && (!was_clean || has_log)) {
        status = recover(store, err);
    }
    if (status == STATUS_OK) {
        status = migrate(store, version, err);
    }
    if (status == STATUS_OK) {
        status = store_sqlite_sql_prepare(store, err);
    }
    if (status == STATUS_OK) {
        status = begin_epoch(store, err);
    }
    if (status == STATUS_OK) {
        status = store_sqlite_tally_load(store, err);
    }
    if (status == STATUS_OK) {
        status = store_sqlite_account_load(store, err);
    }
    return status;
}

/* Lets everything go. After a failure nothing is written any more: closing the
 * last connection would checkpoint. */
static void
let_go(struct store_sqlite *store, bool clean)
{
    store_sqlite_sql_finalize(store);
    if (!clean && store->db != NULL) {
        (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                                NULL);
    }
    if (sqlite3_close(store->db) != SQLITE_OK) {
        clean = false;
    }
    if (store->lock != NULL) {
        fs_lock_release(store->lock, clean);
    }
    mem_free(store->tallies);
    mem_free(store->accounts);
    mem_free(store->path);
    mem_free(store);
}

static void
close_store(struct store *base)
{
    if (base == NULL) {
        return;
    }
    struct store_sqlite *store = store_sqlite_of(base);
    bool clean = store->failed == STATUS_OK;
    if (clean) {
        enum status status = store_sqlite_sql_checkpoint(
            store, SQLITE_CHECKPOINT_TRUNCATE, NULL);
        /* A reader that still looks leaves the log, whole, to the next. */
        clean = status == STATUS_OK || status == STATUS_BUSY;
    }
    let_go(store, clean);
}

static enum status
find_name(struct store_sqlite *store, enum store_name_kind kind,
          struct slice name, uint32_t *ret_number, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_NAME_GET);
    sql_i64(&use, kind);
    sql_text(&use, name);
    bool row;
    enum status status = store_sqlite_sql_row(&use, &row, err);
    if (status == STATUS_OK && !row) {
        return STATUS_NOT_FOUND;
    }
    if (status == STATUS_OK) {
        *ret_number = (uint32_t)sqlite3_column_int64(use.stmt, 0);
        sql_stop(&use);
    }
    return status;
}

static enum status
number_of(struct store *base, enum store_name_kind kind, struct slice name,
          uint32_t *ret_number, struct error *err)
{
    struct store_sqlite *store = store_sqlite_of(base);
    enum status status = store_sqlite_sql_usable(store, err);
    if (status == STATUS_OK) {
        status = find_name(store, kind, name, ret_number, err);
    }
    if (status != STATUS_NOT_FOUND) {
        return status;
    }
    status = store_sqlite_sql_begin(store, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct sql_use use = sql_use(store, SQL_NAME_ADD);
    sql_i64(&use, kind);
    sql_text(&use, name);
    status = store_sqlite_sql_run(&use, err);
    uint32_t number = (uint32_t)sqlite3_last_insert_rowid(store->db);
    status = store_sqlite_sql_end(store, status, err);
    if (status == STATUS_OK) {
        *ret_number = number;
    }
    return status;
}

static enum status
read_walk(struct store *base, uint32_t connector, unsigned tier,
          struct buf *into, struct error *err)
{
    struct store_sqlite *store = store_sqlite_of(base);
    enum status status = store_sqlite_sql_usable(store, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct sql_use use = sql_use(store, SQL_WALK_GET);
    sql_i64(&use, connector);
    sql_i64(&use, tier);
    bool row;
    status = store_sqlite_sql_row(&use, &row, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (!row) {
        return error_set(err, STATUS_NOT_FOUND, "store: no walk yet");
    }
    buf_append(into, sql_bytes(&use, 0));
    sql_stop(&use);
    return buf_status(into);
}

static int64_t
ledger_floor(const struct store *base)
{
    return ((const struct store_sqlite *)(const void *)base)->floor_ms;
}

static const struct store_ops ops = {
    .name = number_of,
    .lanes = store_sqlite_lanes,
    .keyed = store_sqlite_keyed,
    .apply = store_sqlite_apply,
    .claim = store_sqlite_claim,
    .again = store_sqlite_again,
    .errand = store_sqlite_again_errand,
    .known = store_sqlite_apply_known,
    .walk = read_walk,
    .paused = store_sqlite_paused,
    .receiver = store_sqlite_receiver,
    .receiver_next = store_sqlite_receiver_next,
    .figures = store_sqlite_tally_figures,
    .account = store_sqlite_account,
    .unlisted = store_sqlite_account_unlisted,
    .prune = store_sqlite_prune,
    .ledger_floor_ms = ledger_floor,
    .close = close_store,
};

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
    store->store.ops = &ops;
    store->path = buf_detach(&copy);
    store->attempts_each = settings != NULL && settings->attempts_each > 0
                               ? settings->attempts_each
                               : ATTEMPTS_EACH;
    enum status status = open_all(store, settings, err);
    if (status != STATUS_OK) {
        /* Not clean: what was found there is looked at again next time. */
        let_go(store, false);
        return status;
    }
    store->serving = true;
    *ret = &store->store;
    return STATUS_OK;
}
