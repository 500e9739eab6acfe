/* SPDX-License-Identifier: MIT */
#include "store/store_sqlite_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* In the simulator a negative attempt stands for any. */
#ifdef LONGSTOP_SIM
#    define FENCE " AND (attempt=?3 OR ?3<0)"
#else
#    define FENCE " AND attempt=?3"
#endif

/* Each of the two by the index that has its rows and no others. */
#define CLAIM_DUE(which)                                                       \
    "SELECT d.attempt,d.lane,e.id,e.connector,e.via,e.time_ms,"                \
    "e.recorded_ms,e.ext_id,e.type,e.headers,e.content_type,e.body,"           \
    "f.needs,f.filled,f.asked_ms,d.again,d.base,d.since_ms"                    \
    " FROM delivery d JOIN event e ON e.id=d.event"                            \
    " LEFT JOIN fill f ON f.event=e.id WHERE " which                           \
    " AND d.handler=?1 AND d.due<=?2 AND (d.owner=0 OR d.due<=?4)"             \
    " ORDER BY d.due,d.event LIMIT ?3"

static const char *const texts[SQL_COUNT] = {
    /* Never deferred: a read that turns into a write fails at once with
     * SQLITE_BUSY, whatever the timeout. */
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_META_GET] = "SELECT value FROM meta WHERE name=?1",
    [SQL_META_PUT] = "INSERT INTO meta(name,value) VALUES(?1,?2)"
                     " ON CONFLICT(name) DO UPDATE SET value=excluded.value",
    [SQL_NAME_GET] = "SELECT id FROM name WHERE kind=?1 AND name=?2",
    [SQL_NAME_ADD] = "INSERT INTO name(kind,name) VALUES(?1,?2)",
    [SQL_LEDGER_GET] = "SELECT event,channels FROM ledger WHERE k=?1",
    [SQL_LEDGER_ADD] = "INSERT INTO ledger(k,event,channels) VALUES(?1,?2,?3)"
                       " ON CONFLICT DO NOTHING",
    [SQL_LEDGER_MARK] = "UPDATE ledger SET channels=channels|?2 WHERE k=?1",
    [SQL_EVENT_ADD] =
        "INSERT INTO event(id,connector,via,time_ms,recorded_ms,ext_id,type,"
        "headers,content_type,body) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
    [SQL_EVENT_VIA] = "SELECT via FROM event WHERE id=?1",
    /* Each half by the index that has its events. */
    [SQL_SEED_FIND] =
        "SELECT id,via FROM (SELECT id,via,type FROM event INDEXED BY"
        " event_hooked WHERE connector=?1 AND via IN (0,2) AND time_ms=?2"
        " UNION ALL SELECT id,via,type FROM event INDEXED BY event_listed"
        " WHERE connector=?1 AND via IN (1,3) AND time_ms=?2) AS e"
        " LEFT JOIN keyed AS k ON k.connector=?1"
        " WHERE (k.last IS NULL OR id<=k.last) AND NOT EXISTS"
        " (SELECT 1 FROM rekeyed WHERE event=id AND edit=ifnull(k.edit,0))"
        " ORDER BY type<>?3,id LIMIT 1",
    [SQL_SEED_HOOK] =
        "SELECT id,via FROM event INDEXED BY event_hooked WHERE connector=?1"
        " AND via IN (0,2) AND time_ms=?2 AND type=?3 AND body=?4 AND id<="
        "(SELECT last FROM keyed WHERE connector=?1 AND edit>0) ORDER BY id",
    [SQL_KEYED_GET] =
        "SELECT keys,edit>0 AND EXISTS(SELECT 1 FROM event WHERE id<=last)"
        " FROM keyed WHERE connector=?1",
    [SQL_KEYED_PUT] =
        "INSERT INTO keyed(connector,keys,last,edit) VALUES(?1,?2,?3,0)"
        " ON CONFLICT(connector) DO UPDATE SET keys=?2,last=?3,edit=edit+1",
    [SQL_REKEYED_PUT] =
        "INSERT INTO rekeyed(event,edit) VALUES(?2,ifnull((SELECT edit FROM"
        " keyed WHERE connector=?1),0)) ON CONFLICT(event) DO UPDATE SET"
        " edit=excluded.edit",
    /* Only while the event is there, with which its row goes. */
    [SQL_SIGHTING_ADD] = "INSERT INTO sighting(event,via,at_ms) SELECT ?1,?2,?3"
                         " WHERE EXISTS(SELECT 1 FROM event WHERE id=?1)"
                         " ON CONFLICT DO NOTHING",
    [SQL_FILL_ADD] = "INSERT INTO fill(event,needs,filled,asked_ms,filled_ms)"
                     " VALUES(?1,?2,0,0,0)",
    [SQL_FILL_GET] = "SELECT needs,asked_ms FROM fill WHERE event=?1",
    /* Once: whoever comes second finds nothing that is needed. */
    [SQL_FILL_TAKE] = "UPDATE fill SET needs=?5,filled=?3,filled_ms=?4"
                      " WHERE event=?1 AND needs=?2",
    /* Also where the webhook was faster than this: it is told to people. */
    [SQL_FILL_ASKED] = "UPDATE fill SET asked_ms=?2 WHERE event=?1",
    [SQL_FILL_BODY] = "UPDATE event SET content_type=?2,body=?3,"
                      "headers=coalesce(?4,headers) WHERE id=?1",
    [SQL_DELIVERY_TRIED] = "SELECT 1 FROM delivery WHERE handler=?1"
                           " AND event=?2 AND attempt>0",
    [SQL_DELIVERY_WAKE] = "UPDATE delivery SET due=?3 WHERE handler=?1"
                          " AND event=?2 AND owner=0 AND due>?3"
                          " AND due<>9223372036854775807",
    [SQL_DELIVERY_ADD] =
        "INSERT INTO delivery(handler,event,due,attempt,owner,lane)"
        " VALUES(?1,?2,?3,?4,?5,?6)",
    /* An outcome counts for the attempt that is running, for no other. */
    [SQL_DELIVERY_DROP] = "DELETE FROM delivery WHERE handler=?1 AND event=?2"
                          " AND owner<>0" FENCE,
    [SQL_DELIVERY_LATER] = "UPDATE delivery SET due=?4,owner=0 WHERE handler=?1"
                           " AND event=?2 AND owner<>0" FENCE,
    [SQL_DELIVERY_RELEASE] =
        "UPDATE delivery SET due=?4,owner=0,attempt=attempt-1 WHERE handler=?1"
        " AND event=?2 AND owner<>0" FENCE,
    [SQL_LANE_OF] = "SELECT lane FROM delivery WHERE handler=?1 AND event=?2",
    [SQL_LANE_BUSY] =
        "SELECT 1 WHERE EXISTS(SELECT 1 FROM delivery WHERE handler=?1"
        " AND lane=?2) OR EXISTS(SELECT 1 FROM dead WHERE handler=?1"
        " AND lane=?2 AND holds=1)",
    [SQL_LANE_NEXT] =
        "UPDATE delivery SET due=?3 WHERE handler=?1 AND event=(SELECT event"
        " FROM delivery WHERE handler=?1 AND lane=?2 ORDER BY event LIMIT 1)"
        " AND due=9223372036854775807",
    [SQL_LANE_OF_DEAD] = "SELECT lane,holds,attempt FROM dead WHERE handler=?1"
                         " AND event=?2",
    [SQL_LANE_HELD] = "SELECT lane FROM dead WHERE handler=?1 AND holds=1"
                      " LIMIT 1",
    [SQL_LANE_FREE] = "UPDATE dead SET holds=0 WHERE handler=?1 AND lane=?2"
                      " AND holds=1",
    [SQL_DEAD_DROP] = "DELETE FROM dead WHERE handler=?1 AND event=?2",
    /* A new number: it died last, whatever became of it before. */
    [SQL_DEAD_ADD] =
        "INSERT OR REPLACE INTO dead(handler,event,attempt,at_ms,reason,detail,"
        "lane,holds) VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
    [SQL_ATTEMPT_ADD] =
        "INSERT INTO attempt(event,handler,attempt,started_ms,duration_ms,kind,"
        "detail,output,due_ms) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)",
    [SQL_ATTEMPT_BOUND] =
        "DELETE FROM attempt WHERE event=?1 AND handler=?2 AND id<="
        "(SELECT id FROM attempt WHERE event=?1 AND handler=?2"
        " ORDER BY id DESC LIMIT 1 OFFSET ?3)",
    [SQL_ATTEMPT_LAST] = "SELECT attempt FROM attempt WHERE event=?1"
                         " AND handler=?2 ORDER BY id DESC LIMIT 1",
    [SQL_AGAIN_ADD] =
        "INSERT INTO delivery(handler,event,due,attempt,owner,lane,again,base,"
        "since_ms,errand) SELECT ?1,?2,?3,?4,0,?5,?6,?4,?7,?8"
        " WHERE EXISTS(SELECT 1 FROM event WHERE id=?2)"
        " ON CONFLICT DO NOTHING",
    [SQL_ERRAND_ADD] = "INSERT INTO errand(running,done,skipped,state)"
                       " VALUES(?1,0,0,?2)",
    [SQL_ERRAND_PUT] = "UPDATE errand SET running=?2,done=done+?3,"
                       "skipped=skipped+?4,state=CASE ?5 WHEN '' THEN state"
                       " ELSE ?5 END WHERE id=?1 AND running=1",
    [SQL_ERRAND_GET] = "SELECT done,skipped FROM errand WHERE id=?1",
    [SQL_ERRAND_NEXT] = "SELECT id,done,skipped,state FROM errand WHERE id>?1"
                        " AND running=1 ORDER BY id LIMIT 1",
    [SQL_ERRAND_TIDY] = "DELETE FROM errand WHERE running=0 AND id<=?1",
    [SQL_ERRAND_OPEN] = "SELECT count(*) FROM (SELECT 1 FROM delivery"
                        " WHERE errand=?1 AND errand<>0 LIMIT ?2)",
    [SQL_WALK_GET] = "SELECT state FROM walk WHERE connector=?1 AND tier=?2",
    [SQL_WALK_PUT] =
        "INSERT INTO walk(connector,tier,hw_ms,state) VALUES(?1,?2,?3,?4)"
        " ON CONFLICT(connector,tier) DO UPDATE SET"
        " hw_ms=max(hw_ms,excluded.hw_ms),state=excluded.state",
    /* A repeated call must not count the same gap twice. */
    [SQL_GAP_ADD] = "INSERT INTO gap(connector,kind,from_ms,to_ms,found_ms)"
                    " VALUES(?1,?2,?3,?4,?5)"
                    " ON CONFLICT(connector,kind,from_ms,to_ms) DO UPDATE SET"
                    " found_ms=excluded.found_ms,closed_ms=NULL,closed_by=NULL"
                    " WHERE closed_ms IS NOT NULL",
    [SQL_GAP_CLOSE] =
        "UPDATE gap SET closed_ms=?5,closed_by=?6 WHERE closed_ms IS NULL"
        " AND CASE WHEN ?2=0 THEN connector=?1 AND from_ms>=?3 AND to_ms<=?4"
        " ELSE id=?2 AND (connector=?1 OR ?1=0) END",
    [SQL_CLAIM_DUE] = CLAIM_DUE("d.again=0"),
    [SQL_CLAIM_AGAIN] = CLAIM_DUE("d.again<>0"),
    [SQL_CLAIM_NEXT] = "SELECT due FROM delivery WHERE handler=?1 AND due>?2"
                       " AND again=0 ORDER BY due LIMIT 1",
    [SQL_CLAIM_NEXT_AGAIN] =
        "SELECT due FROM delivery WHERE handler=?1 AND due>?2"
        " AND again<>0 ORDER BY due LIMIT 1",
    [SQL_CLAIM_TAKE] = "UPDATE delivery SET due=?3,owner=?4,attempt=attempt+1"
                       " WHERE handler=?1 AND event=?2",
    [SQL_FIGURE_OLDEST] =
        "SELECT recorded_ms FROM event WHERE id=(SELECT event FROM delivery"
        " WHERE handler=?1 ORDER BY event LIMIT 1)",
    [SQL_FIGURE_NEXT] =
        "SELECT due FROM (SELECT due FROM delivery WHERE handler=?1 AND owner=0"
        " AND again=0 ORDER BY due LIMIT 1) UNION ALL SELECT due FROM (SELECT"
        " due FROM delivery WHERE handler=?1 AND owner=0 AND again<>0"
        " ORDER BY due LIMIT 1) ORDER BY due LIMIT 1",
    [SQL_ACCOUNT_PUT] =
        "INSERT INTO account(connector,since,mark,recovered,late,confirmed,met)"
        " VALUES(?1,?2,?3,?4,?5,?6,?7) ON CONFLICT(connector) DO UPDATE SET"
        " since=excluded.since,mark=excluded.mark,recovered=excluded.recovered,"
        "late=excluded.late,confirmed=excluded.confirmed,met=excluded.met",
    /* The index is named so that a plan which reads bodies cannot be made. */
    [SQL_ACCOUNT_SCAN] =
        "SELECT id,EXISTS(SELECT 1 FROM sighting WHERE event=id AND via=0)"
        " OR EXISTS(SELECT 1 FROM sighting WHERE event=id AND via=2)"
        " FROM event INDEXED BY event_polled WHERE connector=?1"
        " AND via=1 AND id>?2 AND id<?3 ORDER BY id LIMIT ?4",
    [SQL_UNLISTED] =
        "SELECT time_ms,id,EXISTS(SELECT 1 FROM sighting WHERE event=id"
        " AND via IN (1,3)) FROM event INDEXED BY event_hooked"
        " WHERE connector=?1 AND via IN (0,2) AND time_ms>0"
        " AND (time_ms,id)>(?2,?3) AND time_ms<?4"
        " ORDER BY time_ms,id LIMIT ?5",
    [SQL_PRUNE_LEDGER] = "DELETE FROM ledger WHERE k IN"
                         " (SELECT k FROM ledger WHERE k<?1 ORDER BY k"
                         " LIMIT ?2)",
    /* The inner LIMIT bounds what is looked at, not only what goes. */
    [SQL_PRUNE_ATTEMPT] =
        "DELETE FROM attempt WHERE id IN (SELECT id FROM (SELECT id,started_ms"
        " FROM attempt ORDER BY id LIMIT ?2) WHERE started_ms<?1)",
    [SQL_PRUNE_DEAD_NEXT] = "SELECT handler,event FROM dead WHERE at_ms<?1"
                            " ORDER BY at_ms LIMIT 1",
    [SQL_PRUNE_EVENT_SCAN] = "SELECT id,recorded_ms FROM event WHERE id>?1"
                             " ORDER BY id LIMIT ?2",
    [SQL_PRUNE_EVENT_DROP] = "DELETE FROM event WHERE id=?1",
    [SQL_PRUNE_SIGHTING_DROP] = "DELETE FROM sighting WHERE event=?1",
    [SQL_PRUNE_FILL_DROP] = "DELETE FROM fill WHERE event=?1",
    [SQL_PRUNE_REKEYED] = "DELETE FROM rekeyed WHERE event<"
                          "(SELECT min(id) FROM event)",
    /* Each half by its index; what is parked waits for no time. */
    [SQL_RECALL] = "UPDATE delivery SET due=?2 WHERE handler=?1 AND owner=0"
                   " AND event IN (SELECT event FROM delivery WHERE handler=?1"
                   " AND again=0 AND due>?3 AND due<9223372036854775807"
                   " UNION ALL SELECT event FROM delivery WHERE handler=?1"
                   " AND again<>0 AND due>?3 AND due<9223372036854775807)",
    [SQL_PAUSE_PUT] = "INSERT INTO pause(kind,id,since_ms,reason)"
                      " VALUES(?1,?2,?3,?4) ON CONFLICT DO NOTHING",
    [SQL_PAUSE_DROP] = "DELETE FROM pause WHERE kind=?1 AND id=?2",
    [SQL_PAUSE_GET] = "SELECT since_ms,reason FROM pause WHERE kind=?1"
                      " AND id=?2",
    [SQL_RECEIVER_ADD] = "INSERT INTO receiver(handler,removed,state)"
                         " VALUES(?1,0,?2)",
    [SQL_RECEIVER_PUT] = "UPDATE receiver SET state=?2 WHERE handler=?1"
                         " AND removed=0",
    /* What it knew is of no use any more, and its secrets least of all. */
    [SQL_RECEIVER_REMOVE] = "UPDATE receiver SET removed=1,state=''"
                            " WHERE handler=?1 AND removed=0",
    [SQL_RECEIVER_DROP] = "DELETE FROM receiver WHERE handler=?1"
                          " AND removed=1",
    [SQL_RECEIVER_NEXT] = "SELECT handler,removed,state FROM receiver"
                          " WHERE handler>?1 ORDER BY handler LIMIT 1",
    [SQL_RECEIVER_OWED_DROP] =
        "DELETE FROM delivery WHERE handler=?1 AND event IN (SELECT event"
        " FROM delivery WHERE handler=?1 LIMIT ?2)",
    [SQL_RECEIVER_DEAD_DROP] =
        "DELETE FROM dead WHERE handler=?1 AND event IN (SELECT event"
        " FROM dead WHERE handler=?1 LIMIT ?2)",
    [SQL_RECEIVER_NAME_DROP] = "DELETE FROM name WHERE id=?1 AND kind=2",
    [SQL_OWED] = "SELECT 1 WHERE EXISTS(SELECT 1 FROM delivery"
                 " WHERE handler=?1 AND event=?2) OR EXISTS(SELECT 1 FROM dead"
                 " WHERE handler=?1 AND event=?2)",
    [SQL_REFUSAL_ADD] =
        "INSERT INTO refusal(connector,at_ms,cause,status,bytes,more,why,peer,"
        "head) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)",
    [SQL_REFUSAL_MORE] =
        "UPDATE refusal SET more=more+?3 WHERE id=(SELECT id FROM refusal"
        " WHERE connector=?1 AND cause=?2 ORDER BY id DESC LIMIT 1)",
    [SQL_REFUSAL_TRIM] =
        "DELETE FROM refusal WHERE connector=?1 AND id<=(SELECT id FROM refusal"
        " WHERE connector=?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
};

enum status
store_sqlite_sql_prepare(struct store_sqlite *store, struct error *err)
{
    for (size_t i = 0; i < SQL_COUNT; i++) {
        int rc = sqlite3_prepare_v3(store->db, texts[i], -1,
                                    SQLITE_PREPARE_PERSISTENT,
                                    &store->statements[i], NULL);
        if (rc != SQLITE_OK) {
            return store_sqlite_sql_fail(store, rc, err);
        }
    }
    return STATUS_OK;
}

void
store_sqlite_sql_finalize(struct store_sqlite *store)
{
    for (size_t i = 0; i < SQL_COUNT; i++) {
        (void)sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
}

/* The cause of the last failed write: a checkpoint writes to the file, all else
 * to the log. sqlite3_system_errno does not know it: by the time a statement
 * has been rolled back, errno is another's. */
static int
cause_of_write(struct store_sqlite *store)
{
    int cause = 0;
    sqlite3_file *log = NULL;
    if (store->in_checkpoint) {
        (void)sqlite3_file_control(store->db, "main", SQLITE_FCNTL_LAST_ERRNO,
                                   &cause);
    } else if (sqlite3_file_control(store->db, "main",
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
is_out_of_room(struct store_sqlite *store, int rc)
{
    int cause = 0;
    if ((rc & 0xff) == SQLITE_FULL) {
        return true;
    }
    if (rc == SQLITE_IOERR_WRITE) {
        cause = cause_of_write(store);
    } else if (rc == SQLITE_IOERR_SHMSIZE) {
        cause = sqlite3_system_errno(store->db);
    }
    return cause == ENOSPC || cause == EDQUOT || cause == EFBIG;
}

static enum status
meaning(struct store_sqlite *store, int rc)
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
    if (is_out_of_room(store, rc)) {
        return STATUS_FULL;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].rc == (rc & 0xff)) {
            return store->serving ? rows[i].serving : rows[i].opening;
        }
    }
    return STATUS_IO;
}

static enum status
words_for(struct store_sqlite *store, enum status status, int rc,
          struct error *err)
{
    const char *path = store->path;
    const char *cause = sqlite3_errstr(rc);
    char system[64] = "";
    int number = store->db == NULL ? 0 : sqlite3_system_errno(store->db);
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
                         sqlite3_limit(store->db, SQLITE_LIMIT_LENGTH, -1));
    default:
        return error_set(err, status, "store %s: %s", path,
                         store->db == NULL ? cause : sqlite3_errmsg(store->db));
    }
}

enum status
store_sqlite_sql_fail(struct store_sqlite *store, int rc, struct error *err)
{
    enum status status = meaning(store, rc);
    (void)words_for(store, status, rc, err);
    if (status_disposition(status) == DISPOSITION_FATAL &&
        store->failed == STATUS_OK) {
        store->failed = status;
        (void)words_for(store, status, rc, &store->failed_words);
    }
    return status;
}

enum status
store_sqlite_sql_usable(const struct store_sqlite *store, struct error *err)
{
    if (store->failed == STATUS_OK) {
        return STATUS_OK;
    }
    return error_set(err, store->failed, "%s", store->failed_words.text);
}

enum status
store_sqlite_sql_exec(struct store_sqlite *store, const char *sql,
                      struct error *err)
{
    int rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? STATUS_OK : store_sqlite_sql_fail(store, rc, err);
}

enum status
store_sqlite_sql_run(struct sql_use *use, struct error *err)
{
    int rc = use->rc;
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(use->stmt);
    }
    enum status status = STATUS_OK;
    if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
        status = store_sqlite_sql_fail(use->store, rc, err);
    }
    (void)sqlite3_reset(use->stmt);
    return status;
}

enum status
store_sqlite_sql_row(struct sql_use *use, bool *ret_row, struct error *err)
{
    int rc = use->rc;
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(use->stmt);
    }
    *ret_row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) {
        return STATUS_OK;
    }
    enum status status = STATUS_OK;
    if (rc != SQLITE_DONE) {
        status = store_sqlite_sql_fail(use->store, rc, err);
    }
    (void)sqlite3_reset(use->stmt);
    return status;
}

enum status
store_sqlite_sql_checkpoint(struct store_sqlite *store, int mode,
                            struct error *err)
{
    int in_log = 0;
    int copied = 0;
    store->in_checkpoint = true;
    int rc = sqlite3_wal_checkpoint_v2(store->db, NULL, mode, &in_log, &copied);
    /* Where a reader stands in the way, or there is no room, the log keeps it
     * all: not again with every commit from here, but some pages later. */
    store->wal_base = store->wal_pages;
    enum status status = STATUS_OK;
    if (rc != SQLITE_OK) {
        status = store_sqlite_sql_fail(store, rc, err);
    } else if (in_log != copied) {
        status = STATUS_BUSY;
    }
    store->in_checkpoint = false;
    return status;
}

enum status
store_sqlite_sql_begin(struct store_sqlite *store, struct error *err)
{
    enum status status = store_sqlite_sql_usable(store, err);
    if (status != STATUS_OK) {
        return status;
    }
    /* Here and not behind the commit, so that nobody's answer waits for it. */
    if (store->wal_pages - store->wal_base >= CHECKPOINT_PAGES) {
        status =
            store_sqlite_sql_checkpoint(store, SQLITE_CHECKPOINT_PASSIVE, err);
        if (status_disposition(status) == DISPOSITION_FATAL) {
            return status;
        }
    }
    struct sql_use use = sql_use(store, SQL_BEGIN);
    return store_sqlite_sql_run(&use, err);
}

void
store_sqlite_sql_rollback(struct store_sqlite *store)
{
    store_sqlite_tally_settle(store, false);
    store_sqlite_account_settle(store, false);
    /* SQLite may have rolled back by itself. */
    if (sqlite3_get_autocommit(store->db) == 0) {
        struct sql_use use = sql_use(store, SQL_ROLLBACK);
        struct error err = { 0 };
        enum status status = store_sqlite_sql_run(&use, &err);
        if (status != STATUS_OK && store->failed == STATUS_OK) {
            store->failed = STATUS_IO;
            store->failed_words = err;
        }
    }
}

/*
 * A commit that fails for want of room or of a lock is rolled back and had no
 * effect. One that fails in the middle of a write or a sync may be found whole
 * by the next start; the store is final then, so nobody is told otherwise.
 */
enum status
store_sqlite_sql_commit(struct store_sqlite *store, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_COMMIT);
    enum status status = store_sqlite_sql_run(&use, err);
    if (status != STATUS_OK) {
        store_sqlite_sql_rollback(store);
        return status;
    }
    store_sqlite_tally_settle(store, true);
    store_sqlite_account_settle(store, true);
    return STATUS_OK;
}

enum status
store_sqlite_sql_end(struct store_sqlite *store, enum status status,
                     struct error *err)
{
    if (status == STATUS_OK) {
        return store_sqlite_sql_commit(store, err);
    }
    store_sqlite_sql_rollback(store);
    return status;
}
