/* SPDX-License-Identifier: MIT */
#include "store/store_sqlite_private.h"

#include <string.h>

#include "store/store_sqlite.h"

/*
 * The connection is read-only three times over: by how it is opened, by
 * query_only, and because it never copies the log back, not even when it is the
 * last to close. Two connections that do corrupt files under the SQLite of
 * Debian 12.
 */

#define VIEW_BUSY_MS 1000

/* Names are those of `name`; a number whose name is gone stays a number. */
#define CONNECTOR_NAME(of)                                                     \
    "coalesce((SELECT name FROM name WHERE id=" of "),CAST(" of " AS TEXT))"

#define REFUSALS                                                               \
    "SELECT id," CONNECTOR_NAME("connector") ",at_ms,cause,status,bytes,more," \
                                             "why,peer,head FROM refusal "     \
                                             "WHERE "
#define NEWEST " ORDER BY id DESC LIMIT ?3"

#define LETTERS                                                                \
    "SELECT d.id,d.event,d.handler,d.attempt,d.at_ms," CONNECTOR_NAME(         \
        "d.handler") "," CONNECTOR_NAME("e.connector") ",e.type,e.ext_id,"     \
                                                       "d.reason,d.detail "    \
                                                       "FROM dead d JOIN "     \
                                                       "event e ON "           \
                                                       "e.id=d.event"

static const char *const texts[VIEW_SQL_COUNT] = {
    [VIEW_SQL_BEGIN] = "BEGIN",
    [VIEW_SQL_COMMIT] = "COMMIT",
    [VIEW_SQL_GAPS] = "SELECT id," CONNECTOR_NAME(
        "connector") ",kind,from_ms,to_ms,found_ms,"
                     "closed_ms,closed_by FROM gap WHERE id<?1 AND "
                     "(connector=?2 OR ?2=0)"
                     " AND (closed_ms IS NULL OR ?3=0) ORDER BY id DESC LIMIT "
                     "?4",
    [VIEW_SQL_ACCOUNTS] = "SELECT connector,recovered,late,confirmed,met"
                          " FROM account ORDER BY connector LIMIT ?1",
    [VIEW_SQL_OPEN_GAPS] = "SELECT connector,count(*) FROM gap"
                           " WHERE closed_ms IS NULL GROUP BY connector"
                           " ORDER BY connector LIMIT ?1",
    /* length() reads no body. */
    [VIEW_SQL_EVENTS] = "SELECT id,connector," CONNECTOR_NAME(
        "connector") ",via,time_ms,"
                     "recorded_ms,ext_id,type,length(body) FROM event"
                     " WHERE id<?1 AND id>=?2 ORDER BY id DESC LIMIT ?3",
    [VIEW_SQL_EVENTS_UP] = "SELECT id,connector," CONNECTOR_NAME(
        "connector") ",via,time_ms,"
                     "recorded_ms,ext_id,type,length(body),content_type,"
                     "headers,body FROM event"
                     " WHERE id>?1 AND id<?2 ORDER BY id LIMIT ?3",
    [VIEW_SQL_LETTERS] = LETTERS " WHERE d.id<?1 ORDER BY d.id DESC LIMIT ?2",
    [VIEW_SQL_LETTERS_UP] = LETTERS " WHERE d.id>?1 ORDER BY d.id LIMIT ?2",
    [VIEW_SQL_LETTERS_OF] =
        LETTERS " JOIN name n ON n.kind=2 AND d.handler=n.id AND d.event=?3"
                " WHERE d.id>?1 ORDER BY d.id LIMIT ?2",
    [VIEW_SQL_ERRANDS] =
        "SELECT id,running,done,skipped,state,(SELECT count(*) FROM (SELECT 1"
        " FROM delivery WHERE errand=errand.id AND errand<>0 LIMIT ?3))"
        " FROM errand WHERE id<?1 ORDER BY id DESC LIMIT ?2",
    [VIEW_SQL_EVENT] = "SELECT id,connector," CONNECTOR_NAME(
        "connector") ",via,time_ms,"
                     "recorded_ms,ext_id,type,length(body),content_type,"
                     "headers,"
                     "CASE WHEN ?2 THEN body ELSE '' END FROM event WHERE "
                     "id=?1",
    [VIEW_SQL_FATE] =
        "SELECT (SELECT min(at_ms) FROM sighting WHERE event=?1 AND"
        " (via IN (1,3))<>?2),"
        "(SELECT count(*) FROM name n JOIN delivery d ON d.handler=n.id"
        " AND d.event=?1 WHERE n.kind=2),"
        "(SELECT count(*) FROM name n JOIN dead d ON d.handler=n.id"
        " AND d.event=?1 WHERE n.kind=2)",
    [VIEW_SQL_FILL] = "SELECT needs,filled,asked_ms,filled_ms FROM fill"
                      " WHERE event=?1 LIMIT ?2",
    [VIEW_SQL_SIGHTINGS] = "SELECT via,at_ms FROM sighting WHERE event=?1"
                           " ORDER BY at_ms,via LIMIT ?2",
    [VIEW_SQL_DELIVERIES] = "SELECT n.name,d.attempt,d.due,d.owner,d.again"
                            " FROM name n"
                            " JOIN delivery d ON d.handler=n.id AND d.event=?1"
                            " WHERE n.kind=2 ORDER BY n.name LIMIT ?2",
    [VIEW_SQL_DEAD] = "SELECT n.name,d.attempt,d.at_ms,d.reason,d.detail"
                      " FROM name n"
                      " JOIN dead d ON d.handler=n.id AND d.event=?1"
                      " WHERE n.kind=2 ORDER BY n.name LIMIT ?2",
    [VIEW_SQL_ATTEMPTS] = "SELECT " CONNECTOR_NAME(
        "handler") ",attempt,started_ms,duration_ms,"
                   "kind,detail,output,due_ms FROM (SELECT * FROM attempt"
                   " WHERE event=?1 ORDER BY id DESC LIMIT ?2) ORDER BY id",
    [VIEW_SQL_KEYS] =
        "SELECT id,connector,via,time_ms,type,"
        "(SELECT min(at_ms) FROM sighting WHERE event=id AND via IN (0,2)),"
        "(SELECT min(at_ms) FROM sighting WHERE event=id AND via IN (1,3)),"
        "EXISTS(SELECT 1 FROM fill WHERE event=id AND filled<>0"
        " AND (filled=2 OR asked_ms<>0))"
        " FROM event WHERE id<?1 ORDER BY id DESC LIMIT ?2",
    [VIEW_SQL_REFUSALS] = REFUSALS "id<?1 AND (connector=?2 OR ?2=0)" NEWEST,
    [VIEW_SQL_REFUSALS_OF] = REFUSALS "connector=?2 AND id<?1" NEWEST,
};

enum status
store_sqlite_view_text(const struct sql_use *use, int column,
                       struct arena *arena, struct slice *ret)
{
    return arena_copy(arena, sql_bytes(use, column), ret);
}

enum status
store_sqlite_view_begin(struct sqlite_view *view, struct error *err)
{
    struct sql_use use = view_use(view, VIEW_SQL_BEGIN);
    return store_sqlite_sql_run(&use, err);
}

enum status
store_sqlite_view_end(struct sqlite_view *view, enum status status,
                      struct error *err)
{
    if (sqlite3_get_autocommit(view->link.db) != 0) {
        return status;
    }
    struct sql_use use = view_use(view, VIEW_SQL_COMMIT);
    enum status ended =
        store_sqlite_sql_run(&use, status == STATUS_OK ? err : NULL);
    return status == STATUS_OK ? ended : status;
}

/* ---- gaps ---- */

static enum status
take_gap(const struct sql_use *use, struct arena *arena, struct view_gap *gap)
{
    gap->id = (uint64_t)sqlite3_column_int64(use->stmt, 0);
    gap->gap.kind = (enum gap_kind)sqlite3_column_int(use->stmt, 2);
    gap->gap.from_ms = sqlite3_column_int64(use->stmt, 3);
    gap->gap.to_ms = sqlite3_column_int64(use->stmt, 4);
    gap->found_ms = sqlite3_column_int64(use->stmt, 5);
    gap->closed_ms = sqlite3_column_int64(use->stmt, 6);
    gap->closed_by = sqlite3_column_int(use->stmt, 7);
    return store_sqlite_view_text(use, 1, arena, &gap->connector);
}

static enum status
view_gaps(struct store_view *base, struct view_gaps *gaps, struct arena *arena,
          struct error *err)
{
    size_t limit = gaps->limit < VIEW_ROWS_MOST ? gaps->limit : VIEW_ROWS_MOST;
    gaps->count = 0;
    gaps->more = false;
    gaps->at = arena_array(arena, limit, sizeof(*gaps->at));
    if (gaps->at == NULL) {
        return error_set(err, STATUS_NOMEM, "store: out of memory");
    }
    struct sql_use use = view_use(sqlite_view_of(base), VIEW_SQL_GAPS);
    sql_i64(&use, gaps->before == 0 ? INT64_MAX : (int64_t)gaps->before);
    sql_i64(&use, gaps->connector);
    sql_i64(&use, gaps->open_only);
    sql_i64(&use, (int64_t)limit + 1);
    bool row;
    enum status status = store_sqlite_sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        if (gaps->count == limit) {
            gaps->more = true;
            break;
        }
        status = take_gap(&use, arena, &gaps->at[gaps->count++]);
        if (status == STATUS_OK) {
            status = store_sqlite_sql_row(&use, &row, err);
        }
    }
    sql_stop(&use);
    return status;
}

/* ---- totals ---- */

static struct view_total *
total_of(struct view_totals *totals, uint32_t connector)
{
    for (size_t i = 0; i < totals->count; i++) {
        if (totals->at[i].connector == connector) {
            return &totals->at[i];
        }
    }
    if (totals->count == VIEW_ROWS_MOST) {
        return NULL;
    }
    struct view_total *total = &totals->at[totals->count++];
    total->connector = connector;
    return total;
}

static void
take_account(const struct sql_use *use, struct view_total *total)
{
    total->recovered = sqlite3_column_int64(use->stmt, 1);
    total->late = sqlite3_column_int64(use->stmt, 2);
    total->confirmed = sqlite3_column_int64(use->stmt, 3);
    total->met = sqlite3_column_int64(use->stmt, 4);
}

static void
take_open_gaps(const struct sql_use *use, struct view_total *total)
{
    total->open_gaps = sqlite3_column_int64(use->stmt, 1);
}

/* Adds to the totals what each row of a statement says of its connector. */
static enum status
add_totals(struct sqlite_view *view, enum view_sql which,
           void (*take)(const struct sql_use *use, struct view_total *total),
           struct view_totals *totals, struct error *err)
{
    struct sql_use use = view_use(view, which);
    sql_i64(&use, VIEW_ROWS_MOST);
    bool row;
    enum status status = store_sqlite_sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        struct view_total *total =
            total_of(totals, (uint32_t)sqlite3_column_int64(use.stmt, 0));
        if (total != NULL) {
            take(&use, total);
        }
        status = store_sqlite_sql_row(&use, &row, err);
    }
    return status;
}

static enum status
view_totals(struct store_view *base, struct view_totals *totals,
            struct arena *arena, struct error *err)
{
    struct sqlite_view *view = sqlite_view_of(base);
    totals->count = 0;
    totals->at = arena_array(arena, VIEW_ROWS_MOST, sizeof(*totals->at));
    if (totals->at == NULL) {
        return error_set(err, STATUS_NOMEM, "store: out of memory");
    }
    enum status status = store_sqlite_view_begin(view, err);
    if (status == STATUS_OK) {
        status = add_totals(view, VIEW_SQL_ACCOUNTS, take_account, totals, err);
    }
    if (status == STATUS_OK) {
        status =
            add_totals(view, VIEW_SQL_OPEN_GAPS, take_open_gaps, totals, err);
    }
    return store_sqlite_view_end(view, status, err);
}

/* ---- open and close ---- */

static void
close_view(struct store_view *base)
{
    if (base == NULL) {
        return;
    }
    struct sqlite_view *view = sqlite_view_of(base);
    for (size_t i = 0; i < VIEW_SQL_COUNT; i++) {
        (void)sqlite3_finalize(view->statements[i]);
    }
    (void)sqlite3_close(view->link.db);
    mem_free(view->link.path);
    mem_free(view);
}

static enum status
connect(struct sqlite_view *view, struct error *err)
{
    static const char settings[] = "PRAGMA query_only=ON;"
                                   "PRAGMA cache_size=-2048;"
                                   "PRAGMA mmap_size=0;"
                                   "PRAGMA temp_store=MEMORY;"
                                   "PRAGMA trusted_schema=OFF";
    struct store_sqlite *link = &view->link;
    int rc = sqlite3_open_v2(link->path, &link->db,
                             SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX |
                                 SQLITE_OPEN_EXRESCODE,
                             NULL);
    if ((rc & 0xff) == SQLITE_CANTOPEN) {
        return error_set(err, STATUS_NOT_FOUND,
                         "store %s: there is no such file, or it cannot be "
                         "read by the user longstop runs as",
                         link->path);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_db_config(link->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                               NULL);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_busy_timeout(link->db, VIEW_BUSY_MS);
    }
    if (rc != SQLITE_OK) {
        return store_sqlite_sql_fail(link, rc, err);
    }
    return store_sqlite_sql_exec(link, settings, err);
}

static enum status
prepare(struct sqlite_view *view, struct error *err)
{
    for (size_t i = 0; i < VIEW_SQL_COUNT; i++) {
        int rc = sqlite3_prepare_v3(view->link.db, texts[i], -1,
                                    SQLITE_PREPARE_PERSISTENT,
                                    &view->statements[i], NULL);
        if (rc != SQLITE_OK) {
            return store_sqlite_sql_fail(&view->link, rc, err);
        }
    }
    return STATUS_OK;
}

static const struct store_view_ops ops = {
    .gaps = view_gaps,
    .events = store_sqlite_view_events,
    .detail = store_sqlite_view_detail,
    .keys = store_sqlite_view_keys,
    .totals = view_totals,
    .dead = store_sqlite_view_dead,
    .reasons = store_sqlite_view_reasons,
    .errands = store_sqlite_view_errands,
    .refusals = store_sqlite_refusal_view,
    .check = store_sqlite_view_check,
    .close = close_view,
};

enum status
store_sqlite_view_open(const char *path, struct store_view **ret,
                       struct error *err)
{
    struct sqlite_view *view = mem_zero(sizeof(*view));
    struct buf copy = { 0 };
    buf_text(&copy, path);
    if (view == NULL || buf_status(&copy) != STATUS_OK) {
        buf_fini(&copy);
        mem_free(view);
        return error_set(err, STATUS_NOMEM, "store: out of memory");
    }
    view->view.ops = &ops;
    view->link.path = buf_detach(&copy);
    enum status status = connect(view, err);
    if (status == STATUS_OK) {
        status = prepare(view, err);
    }
    if (status != STATUS_OK) {
        close_view(&view->view);
        return status;
    }
    view->link.serving = true;
    *ret = &view->view;
    return STATUS_OK;
}
