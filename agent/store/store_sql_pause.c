/* SPDX-License-Identifier: MIT */
/* What is paused: a row for each connector and handler that is. */
#include "store/store_sql_private.h"

enum status
store_sql_pause_put(struct store_sql *store, const struct store_pause *pause,
                    struct error *err)
{
    struct sql_use use =
        sql_use(store, pause->is_paused ? SQL_PAUSE_PUT : SQL_PAUSE_DROP);
    sql_i64(&use, pause->kind);
    sql_i64(&use, pause->number);
    if (pause->is_paused) {
        sql_i64(&use, pause->since_ms);
        sql_text(&use, pause->reason);
    }
    return sql_run(&use, err);
}

enum status
store_sql_paused(struct store *base, enum store_name_kind kind, uint32_t number,
                 int64_t *ret_since_ms, struct buf *into_reason,
                 struct error *err)
{
    struct store_sql *store = store_sql_of(base);
    enum status status = store_sql_usable(store, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct sql_use use = sql_use(store, SQL_PAUSE_GET);
    sql_i64(&use, kind);
    sql_i64(&use, number);
    bool row;
    status = sql_row(&use, &row, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (!row) {
        return error_set(err, STATUS_NOT_FOUND, "it is not paused");
    }
    *ret_since_ms = sql_number(&use, 0);
    buf_append(into_reason, sql_bytes(&use, 1));
    sql_stop(&use);
    return buf_status(into_reason);
}
