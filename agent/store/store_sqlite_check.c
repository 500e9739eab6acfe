/* SPDX-License-Identifier: MIT */
/*
 * store_sqlite_check: looks the whole file over, for so long as it is told.
 */
#include <stdio.h>
#include <string.h>

#include "io/clock.h"
#include "store/store_sqlite_private.h"

/* Steps of SQLite's machine between two looks at the clock. */
#define STEPS 1000

/* Not 0: it has lasted long enough. */
static int
is_over(void *arg)
{
    const int64_t *until_ms = arg;
    return clock_monotonic_ms() >= *until_ms;
}

/* The first thing that is wrong, or "ok". */
static int
look(sqlite3 *db, char *text, size_t size)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    if (rc == SQLITE_ROW) {
        const char *row = (const char *)sqlite3_column_text(stmt, 0);
        (void)snprintf(text, size, "%s", row == NULL ? "out of memory" : row);
        rc = SQLITE_OK;
    }
    (void)sqlite3_finalize(stmt);
    return rc;
}

enum status
store_sqlite_check(struct store_view *base, struct view_check *check,
                   struct error *err)
{
    struct sqlite_view *view = sqlite_view_of(base);
    int64_t until_ms = clock_monotonic_ms() + check->most_ms;
    char text[128] = "ok";
    sqlite3_progress_handler(view->link.db, STEPS, is_over, &until_ms);
    int rc = look(view->link.db, text, sizeof(text));
    sqlite3_progress_handler(view->link.db, 0, NULL, NULL);
    check->is_whole = (rc & 0xff) != SQLITE_INTERRUPT;
    if (!check->is_whole) {
        return STATUS_OK;
    }
    if (rc != SQLITE_OK) {
        return sqlite_link_fail(&view->link, rc, err);
    }
    return strcmp(text, "ok") == 0
               ? STATUS_OK
               : error_set(err, STATUS_CORRUPT, "store %s: %s", view->link.path,
                           text);
}
