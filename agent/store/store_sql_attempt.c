/* SPDX-License-Identifier: MIT */
/* store_sql_attempt: the log of attempts. */
#include "store/store_sql_private.h"

static enum status
bound(struct store_sql *store, const struct store_outcome *outcome,
      struct error *err)
{
    struct sql_use use = sql_use(store, SQL_ATTEMPT_BOUND);
    sql_event(&use, outcome->event);
    sql_i64(&use, outcome->handler);
    sql_i64(&use, store->attempts_each);
    return sql_run(&use, err);
}

enum status
store_sql_attempt_log(struct store_sql *store,
                      const struct store_outcome *outcome, struct error *err)
{
    static const int kinds[] = {
        [OUTCOME_DONE] = 0, [OUTCOME_LATER] = 1, [OUTCOME_DEAD] = 2
    };
    bool later = outcome->kind == OUTCOME_LATER;
    struct sql_use use = sql_use(store, SQL_ATTEMPT_ADD);
    sql_event(&use, outcome->event);
    sql_i64(&use, outcome->handler);
    sql_i64(&use, outcome->attempt);
    sql_i64(&use, outcome->started_ms);
    sql_i64(&use, outcome->duration_ms);
    sql_i64(&use, kinds[outcome->kind]);
    sql_text(&use, outcome->detail);
    sql_blob(&use, outcome->output.ptr, outcome->output.len);
    sql_i64(&use, later ? outcome->due_ms : 0);
    enum status status = sql_run(&use, err);
    /* Attempts are numbered from 1: below the bound none can be too many. */
    return status == STATUS_OK &&
                   (int64_t)outcome->attempt > store->attempts_each
               ? bound(store, outcome, err)
               : status;
}

enum status
store_sql_attempt_last(struct store_sql *store, uint64_t event,
                       uint32_t handler, int64_t *ret_attempt,
                       struct error *err)
{
    struct sql_use use = sql_use(store, SQL_ATTEMPT_LAST);
    sql_event(&use, event);
    sql_i64(&use, handler);
    bool row;
    enum status status = sql_row(&use, &row, err);
    *ret_attempt = 0;
    if (status == STATUS_OK && row) {
        *ret_attempt = sql_number(&use, 0);
        sql_stop(&use);
    }
    return status;
}
