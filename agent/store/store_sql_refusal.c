/* SPDX-License-Identifier: MIT */
/* Requests that were not accepted: the last ones of each connector. */
#include "store/store_sql_private.h"

static enum status
add(struct store_sql *store, const struct store_refusal *refusal,
    struct error *err)
{
    struct sql_use use = sql_use(store, SQL_REFUSAL_ADD);
    sql_i64(&use, refusal->connector);
    sql_i64(&use, refusal->at_ms);
    sql_i64(&use, refusal->cause);
    sql_i64(&use, refusal->status);
    sql_i64(&use, refusal->bytes);
    sql_i64(&use, refusal->more);
    sql_text(&use, refusal->why);
    sql_text(&use, refusal->peer);
    sql_text(&use, refusal->head);
    return sql_run(&use, err);
}

static enum status
add_more(struct store_sql *store, const struct store_refusal *refusal,
         struct error *err)
{
    struct sql_use use = sql_use(store, SQL_REFUSAL_MORE);
    sql_i64(&use, refusal->connector);
    sql_i64(&use, refusal->cause);
    sql_i64(&use, refusal->more);
    return sql_run(&use, err);
}

static bool
was_named_before(const struct store_refusals *refusals, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (refusals->at[i].connector == refusals->at[index].connector) {
            return true;
        }
    }
    return false;
}

static enum status
trim(struct store_sql *store, const struct store_refusals *refusals,
     size_t index, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_REFUSAL_TRIM);
    sql_i64(&use, refusals->at[index].connector);
    sql_i64(&use, (int64_t)refusals->keep);
    return sql_run(&use, err);
}

enum status
store_sql_refusal_put(struct store_sql *store,
                      const struct store_refusals *refusals, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < refusals->count; i++) {
        const struct store_refusal *refusal = &refusals->at[i];
        status = refusal->only_more ? add_more(store, refusal, err)
                                    : add(store, refusal, err);
    }
    for (size_t i = 0; status == STATUS_OK && i < refusals->count; i++) {
        if (!was_named_before(refusals, i)) {
            status = trim(store, refusals, i, err);
        }
    }
    return status;
}

/* ---- looking at them ---- */

static enum status
take(const struct sql_use *use, struct arena *arena, struct view_refusal *into)
{
    *into = (struct view_refusal){
        .id = (uint64_t)sql_number(use, 0),
        .at_ms = sql_number(use, 2),
        .cause = (enum refusal_cause)sql_number(use, 3),
        .status = (unsigned)sql_number(use, 4),
        .bytes = sql_number(use, 5),
        .more = sql_number(use, 6),
    };
    struct slice *const texts[] = { &into->why, &into->peer, &into->head };
    enum status status = store_sql_view_text(use, 1, arena, &into->connector);
    for (int i = 0; status == STATUS_OK && i < 3; i++) {
        status = store_sql_view_text(use, 7 + i, arena, texts[i]);
    }
    return status;
}

static bool
is_wanted(const struct sql_use *use, const struct view_refusals *refusals)
{
    int64_t at_ms = sql_number(use, 2);
    return (refusals->cause == 0 ||
            (int)sql_number(use, 3) == (int)refusals->cause) &&
           (refusals->since_ms == 0 || at_ms >= refusals->since_ms) &&
           (refusals->until_ms == 0 || at_ms < refusals->until_ms) &&
           (refusals->id == 0 || (uint64_t)sql_number(use, 0) == refusals->id);
}

static enum status
scan(struct sql_use *use, struct view_refusals *refusals, size_t limit,
     struct arena *arena, struct error *err)
{
    size_t looked_at = 0;
    bool row;
    enum status status = sql_row(use, &row, err);
    while (status == STATUS_OK && row) {
        looked_at++;
        refusals->next = (uint64_t)sql_number(use, 0);
        if (is_wanted(use, refusals)) {
            status = take(use, arena, &refusals->at[refusals->count++]);
        }
        if (refusals->count == limit || looked_at == refusals->look) {
            refusals->more = true;
            break;
        }
        if (status == STATUS_OK) {
            status = sql_row(use, &row, err);
        }
    }
    sql_stop(use);
    return status;
}

enum status
store_sql_refusal_view(struct store_view *base, struct view_refusals *refusals,
                       struct arena *arena, struct error *err)
{
    size_t limit =
        refusals->limit < VIEW_ROWS_MOST ? refusals->limit : VIEW_ROWS_MOST;
    uint64_t before = refusals->id != 0       ? refusals->id + 1
                      : refusals->before != 0 ? refusals->before
                                              : INT64_MAX;
    refusals->count = 0;
    refusals->more = false;
    refusals->at = arena_array(arena, limit, sizeof(*refusals->at));
    if (refusals->at == NULL) {
        return error_set(err, STATUS_NOMEM, "store: out of memory");
    }
    /* Of one connector by its index: others may have many. */
    struct sql_use use = view_use(
        sql_view_of(base),
        refusals->connector == 0 ? SQL_VIEW_REFUSALS : SQL_VIEW_REFUSALS_OF);
    sql_event(&use, before);
    sql_i64(&use, refusals->connector);
    sql_i64(&use, (int64_t)(refusals->id != 0 ? 1 : refusals->look));
    return scan(&use, refusals, limit, arena, err);
}
