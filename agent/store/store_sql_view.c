/* SPDX-License-Identifier: MIT */
#include "store/store_sql_private.h"

enum status
store_sql_view_text(const struct sql_use *use, int column, struct arena *arena,
                    struct slice *ret)
{
    return arena_copy(arena, sql_bytes(use, column), ret);
}

enum status
store_sql_view_begin(struct sql_view *view, struct error *err)
{
    return view->link->driver->begin(view->link, false, err);
}

enum status
store_sql_view_end(struct sql_view *view, enum status status, struct error *err)
{
    if (!view->link->driver->is_open(view->link)) {
        return status;
    }
    enum status ended = view->link->driver->commit(
        view->link, status == STATUS_OK ? err : NULL);
    return status == STATUS_OK ? ended : status;
}

/* ---- gaps ---- */

static enum status
take_gap(const struct sql_use *use, struct arena *arena, struct view_gap *gap)
{
    gap->id = (uint64_t)sql_number(use, 0);
    gap->gap.kind = (enum gap_kind)sql_number(use, 2);
    gap->gap.from_ms = sql_number(use, 3);
    gap->gap.to_ms = sql_number(use, 4);
    gap->found_ms = sql_number(use, 5);
    gap->closed_ms = sql_number(use, 6);
    gap->closed_by = (int)sql_number(use, 7);
    return store_sql_view_text(use, 1, arena, &gap->connector);
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
    struct sql_use use = view_use(sql_view_of(base), SQL_VIEW_GAPS);
    sql_i64(&use, gaps->before == 0 ? INT64_MAX : (int64_t)gaps->before);
    sql_i64(&use, gaps->connector);
    sql_i64(&use, gaps->open_only);
    sql_i64(&use, (int64_t)limit + 1);
    bool row;
    enum status status = sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        if (gaps->count == limit) {
            gaps->more = true;
            break;
        }
        status = take_gap(&use, arena, &gaps->at[gaps->count++]);
        if (status == STATUS_OK) {
            status = sql_row(&use, &row, err);
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
    total->recovered = sql_number(use, 1);
    total->late = sql_number(use, 2);
    total->confirmed = sql_number(use, 3);
    total->met = sql_number(use, 4);
}

static void
take_open_gaps(const struct sql_use *use, struct view_total *total)
{
    total->open_gaps = sql_number(use, 1);
}

static void
take_holder(const struct sql_use *use, struct view_total *total)
{
    total->holder = (uint64_t)sql_number(use, 1);
}

/* Adds to the totals what each row of a statement says of its connector. */
static enum status
add_totals(struct sql_view *view, enum sql which,
           void (*take)(const struct sql_use *use, struct view_total *total),
           struct view_totals *totals, struct error *err)
{
    struct sql_use use = view_use(view, which);
    sql_i64(&use, VIEW_ROWS_MOST);
    bool row;
    enum status status = sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        struct view_total *total =
            total_of(totals, (uint32_t)sql_number(&use, 0));
        if (total != NULL) {
            take(&use, total);
        }
        status = sql_row(&use, &row, err);
    }
    return status;
}

static enum status
view_totals(struct store_view *base, struct view_totals *totals,
            struct arena *arena, struct error *err)
{
    struct sql_view *view = sql_view_of(base);
    totals->count = 0;
    totals->at = arena_array(arena, VIEW_ROWS_MOST, sizeof(*totals->at));
    if (totals->at == NULL) {
        return error_set(err, STATUS_NOMEM, "store: out of memory");
    }
    enum status status = store_sql_view_begin(view, err);
    if (status == STATUS_OK) {
        status = add_totals(view, SQL_VIEW_ACCOUNTS, take_account, totals, err);
    }
    if (status == STATUS_OK) {
        status =
            add_totals(view, SQL_VIEW_OPEN_GAPS, take_open_gaps, totals, err);
    }
    if (status == STATUS_OK && view->link->driver->is_shared) {
        status = add_totals(view, SQL_VIEW_LEASES, take_holder, totals, err);
    }
    return store_sql_view_end(view, status, err);
}

const struct store_view_ops store_sql_view_ops = {
    .gaps = view_gaps,
    .events = store_sql_view_events,
    .detail = store_sql_view_detail,
    .keys = store_sql_view_keys,
    .totals = view_totals,
    .dead = store_sql_view_dead,
    .reasons = store_sql_view_reasons,
    .errands = store_sql_view_errands,
    .refusals = store_sql_refusal_view,
};
