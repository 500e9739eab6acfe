/* SPDX-License-Identifier: MIT */
#include "store/store_sqlite_private.h"

struct tally *
store_sqlite_tally_find(struct store_sqlite *store, uint32_t handler)
{
    for (size_t i = 0; i < store->tally_count; i++) {
        if (store->tallies[i].handler == handler) {
            return &store->tallies[i];
        }
    }
    return NULL;
}

enum status
store_sqlite_tally_of(struct store_sqlite *store, uint32_t handler,
                      struct tally **ret, struct error *err)
{
    *ret = store_sqlite_tally_find(store, handler);
    if (*ret != NULL) {
        return STATUS_OK;
    }
    struct tally *more =
        mem_resize(store->tallies, store->tally_count + 1, sizeof(*more));
    if (more == NULL) {
        (void)error_set(err, STATUS_NOMEM, "store: out of memory");
        return STATUS_NOMEM;
    }
    store->tallies = more;
    *ret = &more[store->tally_count++];
    **ret = (struct tally){ .handler = handler };
    return STATUS_OK;
}

void
store_sqlite_tally_forget(struct store_sqlite *store, uint32_t handler)
{
    struct tally *tally = store_sqlite_tally_find(store, handler);
    if (tally != NULL) {
        *tally = store->tallies[--store->tally_count];
    }
}

void
store_sqlite_tally_settle(struct store_sqlite *store, bool committed)
{
    for (size_t i = 0; i < store->tally_count; i++) {
        struct tally *tally = &store->tallies[i];
        if (committed) {
            tally->pending += tally->pending_change;
            tally->dead += tally->dead_change;
        }
        tally->pending_change = 0;
        tally->dead_change = 0;
    }
}

/* handler, deliveries, deliveries with a lane, dead letters */
static enum status
take_row(struct store_sqlite *store, sqlite3_stmt *stmt, struct error *err)
{
    struct tally *tally;
    enum status status = store_sqlite_tally_of(
        store, (uint32_t)sqlite3_column_int64(stmt, 0), &tally, err);
    if (status != STATUS_OK) {
        return status;
    }
    tally->pending += sqlite3_column_int64(stmt, 1);
    tally->has_lanes = tally->has_lanes || sqlite3_column_int64(stmt, 2) > 0;
    tally->dead += sqlite3_column_int64(stmt, 3);
    return STATUS_OK;
}

enum status
store_sqlite_tally_load(struct store_sqlite *store, struct error *err)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(
        store->db,
        "SELECT handler,count(*),count(lane),0 FROM delivery GROUP BY handler"
        " UNION ALL"
        " SELECT handler,0,0,count(*) FROM dead GROUP BY handler",
        -1, &stmt, NULL);
    if (rc != SQLITE_OK) {
        return store_sqlite_sql_fail(store, rc, err);
    }
    enum status status = STATUS_OK;
    while (status == STATUS_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        status = take_row(store, stmt, err);
    }
    if (status == STATUS_OK && rc != SQLITE_DONE) {
        status = store_sqlite_sql_fail(store, rc, err);
    }
    (void)sqlite3_finalize(stmt);
    return status;
}

/* Reads one number of a handler; 0 when there is none. */
static enum status
read_number(struct store_sqlite *store, enum sql which, uint32_t handler,
            int64_t *ret, struct error *err)
{
    struct sql_use use = sql_use(store, which);
    sql_i64(&use, handler);
    bool row;
    enum status status = store_sqlite_sql_row(&use, &row, err);
    *ret = 0;
    if (status == STATUS_OK && row) {
        *ret = sqlite3_column_int64(use.stmt, 0);
        /* Zero says "none", and what a restart freed is due since ever. */
        *ret = *ret < 1 ? 1 : *ret;
        sql_stop(&use);
    }
    return status;
}

static enum status
read_figure(struct store_sqlite *store, struct store_figure *figure,
            struct error *err)
{
    /* Whoever asks for what was never owed anything makes no tally of it. */
    const struct tally *tally = store_sqlite_tally_find(store, figure->handler);
    figure->pending = tally == NULL ? 0 : tally->pending;
    figure->dead = tally == NULL ? 0 : tally->dead;
    enum status status = read_number(store, SQL_FIGURE_OLDEST, figure->handler,
                                     &figure->oldest_ms, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = read_number(store, SQL_FIGURE_NEXT, figure->handler,
                         &figure->next_due_ms, err);
    if (figure->next_due_ms == DUE_PARKED) {
        figure->next_due_ms = 0;
    }
    return status;
}

enum status
store_sqlite_tally_figures(struct store *base, struct store_figure *figures,
                           size_t count, struct error *err)
{
    struct store_sqlite *store = store_sqlite_of(base);
    enum status status = store_sqlite_sql_usable(store, err);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        status = read_figure(store, &figures[i], err);
    }
    return status;
}
