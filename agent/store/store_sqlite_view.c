/* SPDX-License-Identifier: MIT */
/* A connection to the file beside the writer's, which looks and never writes.
 */
#include "store/store_sqlite.h"
#include "store/store_sqlite_private.h"

/*
 * The connection is read-only three times over: by how it is opened, by
 * query_only, and because it never copies the log back, not even when it is the
 * last to close. Two connections that do corrupt files under the SQLite of
 * Debian 12.
 */

#define VIEW_BUSY_MS 1000

static void
close_view(struct store_view *base)
{
    if (base == NULL) {
        return;
    }
    struct sqlite_view *view = sqlite_view_of(base);
    sqlite_link_finalize(&view->link);
    (void)sqlite3_close(view->link.db);
    mem_free(view->link.path);
    mem_free(view);
}

static enum status
connect(struct sqlite_link *link, struct error *err)
{
    static const char settings[] = "PRAGMA query_only=ON;"
                                   "PRAGMA cache_size=-2048;"
                                   "PRAGMA mmap_size=0;"
                                   "PRAGMA temp_store=MEMORY;"
                                   "PRAGMA trusted_schema=OFF";
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
        return sqlite_link_fail(link, rc, err);
    }
    return sqlite_link_exec(link, settings, err);
}

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
    view->ops = store_sql_view_ops;
    view->ops.check = store_sqlite_check;
    view->ops.close = close_view;
    view->sql.view.ops = &view->ops;
    view->sql.link = &view->link.link;
    sqlite_link_init(&view->link, buf_detach(&copy));
    enum status status = connect(&view->link, err);
    if (status == STATUS_OK) {
        status = sqlite_link_prepare(&view->link, SQL_VIEW_FIRST,
                                     SQL_SHARED_FIRST, err);
    }
    if (status != STATUS_OK) {
        close_view(&view->sql.view);
        return status;
    }
    view->link.link.serving = true;
    *ret = &view->sql.view;
    return STATUS_OK;
}
