/* SPDX-License-Identifier: MIT */
/* The small operations of a store in SQL, and its transactions. */
#include "store/store_sql_private.h"

enum status
sql_link_usable(const struct sql_link *link, struct error *err)
{
    if (link->failed == STATUS_OK) {
        return STATUS_OK;
    }
    return error_set(err, link->failed, "%s", link->failed_words.text);
}

enum status
sql_run_numbered(struct sql_use *use, int64_t *ret_number, struct error *err)
{
    bool row;
    enum status status = sql_row(use, &row, err);
    *ret_number = 0;
    if (status == STATUS_OK && row) {
        *ret_number = sql_number(use, 0);
        sql_stop(use);
    }
    return status;
}

enum status
store_sql_usable(const struct store_sql *store, struct error *err)
{
    return sql_link_usable(store->link, err);
}

enum status
store_sql_begin(struct store_sql *store, struct error *err)
{
    enum status status = store_sql_usable(store, err);
    return status == STATUS_OK
               ? store->link->driver->begin(store->link, true, err)
               : status;
}

void
store_sql_rollback(struct store_sql *store)
{
    store_sql_tally_settle(store, false);
    store_sql_account_settle(store, false);
    store->link->driver->rollback(store->link);
}

enum status
store_sql_commit(struct store_sql *store, struct error *err)
{
    enum status status = store_sql_account_write(store, err);
    if (status == STATUS_OK) {
        status = store_sql_tally_write(store, err);
    }
    if (status == STATUS_OK) {
        status = store->link->driver->commit(store->link, err);
    }
    if (status != STATUS_OK) {
        store_sql_rollback(store);
        return status;
    }
    store_sql_tally_settle(store, true);
    store_sql_account_settle(store, true);
    return STATUS_OK;
}

enum status
store_sql_end(struct store_sql *store, enum status status, struct error *err)
{
    if (status == STATUS_OK) {
        return store_sql_commit(store, err);
    }
    store_sql_rollback(store);
    return status;
}

enum status
store_sql_meta_get(struct store_sql *store, const char *name,
                   int64_t *ret_value, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_META_GET);
    sql_text(&use, slice_of(name));
    bool row;
    enum status status = sql_row(&use, &row, err);
    *ret_value = 0;
    if (status == STATUS_OK && row) {
        *ret_value = sql_number(&use, 0);
        sql_stop(&use);
    }
    return status;
}

enum status
store_sql_meta_put(struct store_sql *store, const char *name, int64_t value,
                   struct error *err)
{
    struct sql_use use = sql_use(store, SQL_META_PUT);
    sql_text(&use, slice_of(name));
    sql_i64(&use, value);
    return sql_run(&use, err);
}

static enum status
find_name(struct store_sql *store, enum store_name_kind kind, struct slice name,
          uint32_t *ret_number, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_NAME_GET);
    sql_i64(&use, kind);
    sql_text(&use, name);
    bool row;
    enum status status = sql_row(&use, &row, err);
    if (status == STATUS_OK && !row) {
        return STATUS_NOT_FOUND;
    }
    if (status == STATUS_OK) {
        *ret_number = (uint32_t)sql_number(&use, 0);
        sql_stop(&use);
    }
    return status;
}

static enum status
number_of(struct store *base, enum store_name_kind kind, struct slice name,
          uint32_t *ret_number, struct error *err)
{
    struct store_sql *store = store_sql_of(base);
    enum status status = store_sql_usable(store, err);
    if (status == STATUS_OK) {
        status = find_name(store, kind, name, ret_number, err);
    }
    if (status != STATUS_NOT_FOUND) {
        return status;
    }
    status = store_sql_begin(store, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct sql_use use = sql_use(store, SQL_NAME_ADD);
    sql_i64(&use, kind);
    sql_text(&use, name);
    int64_t number;
    status = sql_run_numbered(&use, &number, err);
    status = store_sql_end(store, status, err);
    if (status == STATUS_OK) {
        *ret_number = (uint32_t)number;
    }
    return status;
}

static enum status
read_walk(struct store *base, uint32_t connector, unsigned tier,
          struct buf *into, struct error *err)
{
    struct store_sql *store = store_sql_of(base);
    enum status status = store_sql_usable(store, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct sql_use use = sql_use(store, SQL_WALK_GET);
    sql_i64(&use, connector);
    sql_i64(&use, tier);
    bool row;
    status = sql_row(&use, &row, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (!row) {
        return error_set(err, STATUS_NOT_FOUND, "store: no walk yet");
    }
    buf_append(into, sql_bytes(&use, 0));
    sql_stop(&use);
    return buf_status(into);
}

static int64_t
ledger_floor(const struct store *base)
{
    return ((const struct store_sql *)(const void *)base)->floor_ms;
}

const struct store_ops store_sql_ops = {
    .name = number_of,
    .lanes = store_sql_lanes,
    .keyed = store_sql_keyed,
    .apply = store_sql_apply,
    .claim = store_sql_claim,
    .again = store_sql_again,
    .errand = store_sql_again_errand,
    .known = store_sql_apply_known,
    .walk = read_walk,
    .paused = store_sql_paused,
    .receiver = store_sql_receiver,
    .receiver_next = store_sql_receiver_next,
    .figures = store_sql_tally_figures,
    .account = store_sql_account,
    .unlisted = store_sql_account_unlisted,
    .prune = store_sql_prune,
    .ledger_floor_ms = ledger_floor,
};

enum status
store_sql_load(struct store_sql *store, struct error *err)
{
    enum status status = store_sql_tally_load(store, err);
    return status == STATUS_OK ? store_sql_account_load(store, err) : status;
}

void
store_sql_fini(struct store_sql *store)
{
    mem_free(store->ahead);
    mem_free(store->tallies);
    mem_free(store->accounts);
}
