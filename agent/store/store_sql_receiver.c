/* SPDX-License-Identifier: MIT */
/* store_sql_receiver: receivers that registered themselves. */
#include "store/store_sql_private.h"

static enum status
add(struct store_sql *store, struct store_receiver *receiver, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_NAME_ADD);
    sql_i64(&use, STORE_HANDLER);
    sql_text(&use, receiver->name);
    int64_t number;
    enum status status = sql_run_numbered(&use, &number, err);
    if (status != STATUS_OK) {
        return status;
    }
    receiver->number = (uint32_t)number;
    use = sql_use(store, SQL_RECEIVER_ADD);
    sql_i64(&use, receiver->number);
    sql_text(&use, receiver->state);
    return sql_run(&use, err);
}

/* Runs one that changes the row of a receiver that is there. */
static enum status
change(struct store_sql *store, const struct store_receiver *receiver,
       struct error *err)
{
    bool puts = receiver->act == STORE_RECEIVER_PUT;
    struct sql_use use =
        sql_use(store, puts ? SQL_RECEIVER_PUT : SQL_RECEIVER_REMOVE);
    sql_i64(&use, receiver->number);
    if (puts) {
        sql_text(&use, receiver->state);
    }
    enum status status = sql_run(&use, err);
    return status == STATUS_OK && use.changed == 0
               ? error_set(err, STATUS_NOT_FOUND, "there is no such receiver")
               : status;
}

/* Returns how many rows went. */
static enum status
drop(struct store_sql *store, enum sql which, uint32_t number, size_t limit,
     int64_t *ret_dropped, struct error *err)
{
    struct sql_use use = sql_use(store, which);
    sql_i64(&use, number);
    sql_i64(&use, (int64_t)limit);
    enum status status = sql_run(&use, err);
    *ret_dropped = status == STATUS_OK ? use.changed : 0;
    return status;
}

static enum status
forget(struct store_sql *store, struct store_receiver *receiver,
       struct error *err)
{
    struct tally *tally;
    int64_t owed = 0;
    int64_t dead = 0;
    enum status status =
        store_sql_tally_of(store, receiver->number, &tally, err);
    if (status == STATUS_OK) {
        status = drop(store, SQL_RECEIVER_OWED_DROP, receiver->number,
                      receiver->limit, &owed, err);
    }
    if (status == STATUS_OK) {
        status = drop(store, SQL_RECEIVER_DEAD_DROP, receiver->number,
                      receiver->limit, &dead, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    tally->pending_change -= owed;
    tally->dead_change -= dead;
    receiver->more = owed + dead > 0;
    if (receiver->more) {
        return STATUS_OK;
    }
    static const enum sql last[] = { SQL_RECEIVER_DROP,
                                     SQL_RECEIVER_NAME_DROP };
    for (size_t i = 0; i < 2 && status == STATUS_OK; i++) {
        struct sql_use use = sql_use(store, last[i]);
        sql_i64(&use, receiver->number);
        status = sql_run(&use, err);
    }
    return status;
}

enum status
store_sql_receiver(struct store *base, struct store_receiver *receiver,
                   struct error *err)
{
    struct store_sql *store = store_sql_of(base);
    enum status status = store_sql_usable(store, err);
    if (status == STATUS_OK) {
        status = store_sql_begin(store, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    switch (receiver->act) {
    case STORE_RECEIVER_ADD: status = add(store, receiver, err); break;
    case STORE_RECEIVER_PUT:
    case STORE_RECEIVER_REMOVE: status = change(store, receiver, err); break;
    case STORE_RECEIVER_FORGET: status = forget(store, receiver, err); break;
    }
    status = store_sql_end(store, status, err);
    if (status == STATUS_OK && receiver->act == STORE_RECEIVER_FORGET &&
        !receiver->more) {
        store_sql_tally_forget(store, receiver->number);
    }
    return status;
}

enum status
store_sql_receiver_next(struct store *base, struct store_receiver_row *row,
                        struct error *err)
{
    struct store_sql *store = store_sql_of(base);
    enum status status = store_sql_usable(store, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct sql_use use = sql_use(store, SQL_RECEIVER_NEXT);
    sql_i64(&use, row->after);
    bool found;
    status = sql_row(&use, &found, err);
    row->number = 0;
    if (status != STATUS_OK || !found) {
        return status;
    }
    row->number = (uint32_t)sql_number(&use, 0);
    row->is_removed = sql_number(&use, 1) != 0;
    buf_clear(&row->state);
    buf_append(&row->state, sql_bytes(&use, 2));
    sql_stop(&use);
    return buf_status(&row->state);
}
