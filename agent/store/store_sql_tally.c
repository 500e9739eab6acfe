/* SPDX-License-Identifier: MIT */
#include "store/store_sql_private.h"

struct tally *
store_sql_tally_find(struct store_sql *store, uint32_t handler)
{
    for (size_t i = 0; i < store->tally_count; i++) {
        if (store->tallies[i].handler == handler) {
            return &store->tallies[i];
        }
    }
    return NULL;
}

enum status
store_sql_tally_of(struct store_sql *store, uint32_t handler,
                   struct tally **ret, struct error *err)
{
    *ret = store_sql_tally_find(store, handler);
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
store_sql_tally_forget(struct store_sql *store, uint32_t handler)
{
    struct tally *tally = store_sql_tally_find(store, handler);
    if (tally != NULL) {
        *tally = store->tallies[--store->tally_count];
    }
}

enum status
store_sql_tally_write(struct store_sql *store, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < store->tally_count &&
                       store_sql_is_shared(store);
         i++) {
        const struct tally *tally = &store->tallies[i];
        if (tally->pending_change != 0 || tally->dead_change != 0) {
            struct sql_use use = sql_use(store, SQL_TALLY_ADD);
            sql_i64(&use, tally->handler);
            sql_i64(&use, store->agent);
            sql_i64(&use, tally->pending_change);
            sql_i64(&use, tally->dead_change);
            status = sql_run(&use, err);
        }
    }
    return status;
}

void
store_sql_tally_settle(struct store_sql *store, bool committed)
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

/* handler, deliveries, dead letters */
static enum status
take_row(struct store_sql *store, const struct sql_use *use, struct error *err)
{
    struct tally *tally;
    enum status status =
        store_sql_tally_of(store, (uint32_t)sql_number(use, 0), &tally, err);
    if (status != STATUS_OK) {
        return status;
    }
    tally->pending += sql_number(use, 1);
    tally->dead += sql_number(use, 2);
    return STATUS_OK;
}

enum status
store_sql_tally_load(struct store_sql *store, struct error *err)
{
    if (store_sql_is_shared(store)) {
        return STATUS_OK; /* summed when it is asked for */
    }
    struct sql_use use = sql_use(store, SQL_TALLY_LOAD);
    bool row;
    enum status status = sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        status = take_row(store, &use, err);
        if (status != STATUS_OK) {
            sql_stop(&use);
            return status;
        }
        status = sql_row(&use, &row, err);
    }
    return status;
}

/* Reads one number of a handler; 0 when there is none. */
static enum status
read_number(struct store_sql *store, enum sql which, uint32_t handler,
            int64_t *ret, struct error *err)
{
    struct sql_use use = sql_use(store, which);
    sql_i64(&use, handler);
    bool row;
    enum status status = sql_row(&use, &row, err);
    *ret = 0;
    if (status == STATUS_OK && row) {
        *ret = sql_number(&use, 0);
        /* Zero says "none", and what a restart freed is due since ever. */
        *ret = *ret < 1 ? 1 : *ret;
        sql_stop(&use);
    }
    return status;
}

static enum status
read_counts(struct store_sql *store, struct store_figure *figure,
            struct error *err)
{
    if (!store_sql_is_shared(store)) {
        /* Whoever asks for what was never owed anything makes no tally. */
        const struct tally *tally =
            store_sql_tally_find(store, figure->handler);
        figure->pending = tally == NULL ? 0 : tally->pending;
        figure->dead = tally == NULL ? 0 : tally->dead;
        return STATUS_OK;
    }
    struct sql_use use = sql_use(store, SQL_TALLY_GET);
    sql_i64(&use, figure->handler);
    bool row;
    enum status status = sql_row(&use, &row, err);
    if (status == STATUS_OK && row) {
        figure->pending = sql_number(&use, 0);
        figure->dead = sql_number(&use, 1);
        sql_stop(&use);
    }
    return status;
}

static enum status
read_figure(struct store_sql *store, struct store_figure *figure,
            struct error *err)
{
    enum status status = read_counts(store, figure, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = read_number(store, SQL_FIGURE_OLDEST, figure->handler,
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
store_sql_tally_figures(struct store *base, struct store_figure *figures,
                        size_t count, struct error *err)
{
    struct store_sql *store = store_sql_of(base);
    enum status status = store_sql_usable(store, err);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        status = read_figure(store, &figures[i], err);
    }
    return status;
}
