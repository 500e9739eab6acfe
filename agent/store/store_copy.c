/* SPDX-License-Identifier: MIT */
#include "store/store_copy.h"

#include <string.h>

#include "store/store_sql_private.h"

/*
 * The happy path: the mark `copying` is set; then table after table is read in
 * the order of its key, from behind the last row that is there, a slice of rows
 * at a time, each written in one transaction; then both are read whole and
 * summed, and the mark is taken away.
 *
 * What can go wrong: either database is lost in the middle, or somebody stops
 * us. Then the mark stays, nobody else opens that store, and the same copy goes
 * on where it was.
 */

#define COLUMNS_MAX 12

/* How old an agent's last sign of life is when it is gone: longer than it may
 * be silent, unless its configuration says otherwise. */
#define GONE_MS 20000

/* A row of meta: odd while the copy is not whole. Such rows only ever grow. */
#define MARK "copying"

static const struct table {
    const char *name;
    const char *types;
    enum sql read, last, add;
    int keys;
    int64_t rows;
} tables[] = {
#define X(id, table, columns, reads, types, parameters, keys, key, back, last, \
          rows, most)                                                          \
    { table, types, SQL_COPY_READ_##id, SQL_COPY_LAST_##id, SQL_COPY_ADD_##id, \
      keys,  rows },
    SQL_COPIED(X)
#undef X
};

_Static_assert(sizeof(tables) / sizeof(tables[0]) == STORE_COPY_TABLES,
               "the answer has a place for each table");

/* Where a table is read on: the key of its last row. */
struct place {
    int64_t numbers[COLUMNS_MAX];
    struct buf bytes; /* of a key of bytes, which is one column */
    bool begun;
};

static void
place_fini(struct place *place)
{
    buf_fini(&place->bytes);
}

static void
place_note(struct place *place, const struct table *table,
           const struct sql_use *use)
{
    place->begun = true;
    for (int i = 0; i < table->keys; i++) {
        if (table->types[i] == 'n') {
            place->numbers[i] = sql_number(use, i);
        } else {
            buf_clear(&place->bytes);
            buf_append(&place->bytes, sql_bytes(use, i));
        }
    }
}

/* A read of a slice from a place on. */
static struct sql_use
read_from(struct store_sql *store, const struct table *table,
          const struct place *place, int64_t rows)
{
    struct sql_use use = sql_use(store, table->read);
    for (int i = 0; i < table->keys; i++) {
        if (table->types[i] == 'n') {
            sql_i64(&use, place->begun ? place->numbers[i] : INT64_MIN);
        } else {
            sql_blob(&use, place->bytes.ptr, place->bytes.len);
        }
    }
    sql_i64(&use, rows);
    return use;
}

/* ---- sums ---- */

static uint64_t
mix(uint64_t sum, const void *bytes, size_t len)
{
    static const uint64_t seed[2] = { 0, 0 };
    const struct slice slice = { len == 0 ? "" : bytes, len };
    return sum * 0x100000001b3U + slice_hash(slice, seed);
}

static uint64_t
sum_of(const struct table *table, const struct sql_use *use)
{
    uint64_t sum = 0;
    for (int i = 0; table->types[i] != '\0'; i++) {
        const bool is_null = sql_is_null(use, i);
        const struct slice bytes = sql_bytes(use, i);
        const int64_t number = sql_number(use, i);
        if (is_null) {
            sum = mix(sum, "", 0) + 1;
        } else if (table->types[i] == 'n' || table->types[i] == 'N') {
            sum = mix(sum, &number, sizeof(number));
        } else {
            sum = mix(sum, bytes.ptr, bytes.len);
        }
    }
    return sum;
}

static enum status
sum_table(struct store_sql *store, const struct table *table,
          struct store_copy_table *ret, struct error *err)
{
    struct place place = { .begun = false };
    enum status status = STATUS_OK;
    int64_t count;
    *ret = (struct store_copy_table){ .name = table->name };
    do {
        struct sql_use use = read_from(store, table, &place, table->rows);
        bool row;
        count = 0;
        status = sql_row(&use, &row, err);
        while (status == STATUS_OK && row) {
            ret->sum += sum_of(table, &use);
            place_note(&place, table, &use);
            count++;
            status = sql_row(&use, &row, err);
        }
        ret->rows += count;
    } while (status == STATUS_OK && count == table->rows);
    if (status == STATUS_OK) {
        status = buf_status(&place.bytes);
    }
    place_fini(&place);
    return status;
}

/* ---- rows ---- */

static void
bind_column(struct sql_use *add, char type, const struct sql_use *from,
            int column)
{
    if (sql_is_null(from, column)) {
        sql_null(add);
    } else if (type == 'n' || type == 'N') {
        sql_i64(add, sql_number(from, column));
    } else if (type == 't') {
        sql_text(add, sql_bytes(from, column));
    } else {
        const struct slice bytes = sql_bytes(from, column);
        sql_blob(add, bytes.ptr, bytes.len);
    }
}

static enum status
add_row(struct store_sql *into, const struct table *table,
        const struct sql_use *from, struct error *err)
{
    struct sql_use add = sql_use(into, table->add);
    for (int i = 0; table->types[i] != '\0'; i++) {
        bind_column(&add, table->types[i], from, i);
    }
    return sql_run(&add, err);
}

/* Writes the rows of a slice; `*ret_count`: how many there were. */
static enum status
add_slice(struct store_sql *from, struct store_sql *into,
          const struct table *table, struct place *place, int64_t *ret_count,
          struct error *err)
{
    struct sql_use use = read_from(from, table, place, table->rows);
    bool row;
    *ret_count = 0;
    enum status status = sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        status = add_row(into, table, &use, err);
        if (status != STATUS_OK) {
            sql_stop(&use);
            return status;
        }
        place_note(place, table, &use);
        ++*ret_count;
        status = sql_row(&use, &row, err);
    }
    return status == STATUS_OK ? buf_status(&place->bytes) : status;
}

/* The last row that is there already; rows come in the order of the key. */
static enum status
find_place(struct store_sql *into, const struct table *table,
           struct place *place, struct error *err)
{
    struct sql_use use = sql_use(into, table->last);
    bool row;
    enum status status = sql_row(&use, &row, err);
    if (status == STATUS_OK && row) {
        place_note(place, table, &use);
        sql_stop(&use);
    }
    return status == STATUS_OK ? buf_status(&place->bytes) : status;
}

static enum status
copy_rows(struct store_sql *from, struct store_sql *into,
          const struct table *table, struct store_copy *copy,
          struct place *place, struct error *err)
{
    int64_t rows = 0;
    int64_t count = table->rows;
    enum status status = find_place(into, table, place, err);
    while (status == STATUS_OK && count == table->rows) {
        if (copy->should_stop != NULL && copy->should_stop(copy->arg)) {
            return error_set(err, STATUS_CANCELED,
                             "stopped: the same copy goes on behind what is "
                             "there");
        }
        status = store_sql_begin(into, err);
        if (status != STATUS_OK) {
            return status;
        }
        status = add_slice(from, into, table, place, &count, err);
        status = store_sql_end(into, status, err);
        rows += count;
        if (status == STATUS_OK && copy->progress != NULL) {
            copy->progress(copy->arg, table->name, rows);
        }
    }
    return status;
}

static enum status
copy_table(struct store_sql *from, struct store_sql *into,
           const struct table *table, struct store_copy *copy,
           struct error *err)
{
    struct place place = { .begun = false };
    enum status status = copy_rows(from, into, table, copy, &place, err);
    place_fini(&place);
    return status;
}

/* ---- the copy as a whole ---- */

static enum status
put_meta(struct store_sql *store, const char *name, int64_t value,
         struct error *err)
{
    enum status status = store_sql_begin(store, err);
    if (status == STATUS_OK) {
        status = store_sql_meta_put(store, name, value, err);
        status = store_sql_end(store, status, err);
    }
    return status;
}

/* Nobody else has a store that is shared. One that was killed is gone once its
 * last sign of life is old; what it had leased is due in the copy. */
static enum status
check_alone(struct store_sql *store, struct error *err)
{
    if (!store_sql_is_shared(store)) {
        return STATUS_OK;
    }
    struct sql_use use = sql_use(store, SQL_AGENTS);
    bool row;
    enum status status = sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        const int64_t silent_ms = sql_number(&use, 7) - sql_number(&use, 4);
        if (sql_number(&use, 0) != store->epoch && silent_ms < GONE_MS) {
            status = error_set(err, STATUS_FENCED,
                               "an agent on %.*s has the store: stop it; one "
                               "that was killed is gone after %d s",
                               SLICE_ARG(sql_bytes(&use, 1)), GONE_MS / 1000);
            sql_stop(&use);
            return status;
        }
        status = sql_row(&use, &row, err);
    }
    return status;
}

/* Only what is empty, or part of a copy, is copied into. */
static enum status
begin(struct store_sql *into, struct error *err)
{
    int64_t mark;
    enum status status = store_sql_meta_get(into, MARK, &mark, err);
    if (status != STATUS_OK || mark % 2 != 0) {
        return status;
    }
    for (size_t i = 0; status == STATUS_OK && i < STORE_COPY_TABLES; i++) {
        const struct place place = { .begun = false };
        struct sql_use use = read_from(into, &tables[i], &place, 1);
        bool row;
        status = sql_row(&use, &row, err);
        if (status == STATUS_OK && row) {
            sql_stop(&use);
            status = error_set(err, STATUS_EXISTS,
                               "the store that is to be copied into is not "
                               "empty (%s): name another one, or remove what "
                               "is there",
                               tables[i].name);
        }
    }
    return status == STATUS_OK ? put_meta(into, MARK, mark + 1, err) : status;
}

static enum status
end(struct store_sql *into, struct error *err)
{
    int64_t mark;
    enum status status = store_sql_meta_get(into, MARK, &mark, err);
    return status == STATUS_OK ? put_meta(into, MARK, mark + 1, err) : status;
}

/* The floor of the ledger goes with its keys. */
static enum status
copy_floor(struct store_sql *from, struct store_sql *into, struct error *err)
{
    int64_t floor_ms;
    enum status status =
        store_sql_meta_get(from, "dedup_floor", &floor_ms, err);
    return status == STATUS_OK && floor_ms != 0
               ? put_meta(into, "dedup_floor", floor_ms, err)
               : status;
}

static enum status
settle(struct store_sql *into, struct error *err)
{
    if (!store_sql_is_shared(into)) {
        return STATUS_OK;
    }
    enum status status = store_sql_begin(into, err);
    if (status == STATUS_OK) {
        struct sql_use use = sql_use(into, SQL_COPY_SETTLE);
        status = store_sql_end(into, sql_run(&use, err), err);
    }
    return status;
}

static enum status
verify(struct store_sql *from, struct store_sql *into, struct store_copy *copy,
       struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < STORE_COPY_TABLES; i++) {
        struct store_copy_table *there = &copy->tables[i];
        struct store_copy_table here;
        status = sum_table(from, &tables[i], &here, err);
        if (status == STATUS_OK) {
            status = sum_table(into, &tables[i], there, err);
        }
        if (status == STATUS_OK &&
            (here.rows != there->rows || here.sum != there->sum)) {
            status = error_set(
                err, STATUS_CORRUPT,
                "%s: %lld rows (sum %016llx) were copied and %lld (sum "
                "%016llx) are there: has an agent run on one of them? Remove "
                "the copy and make it anew",
                here.name, (long long)here.rows, (unsigned long long)here.sum,
                (long long)there->rows, (unsigned long long)there->sum);
        }
    }
    return status;
}

enum status
store_copy(struct store *from_base, struct store *into_base,
           struct store_copy *copy, struct error *err)
{
    struct store_sql *from = store_sql_of(from_base);
    struct store_sql *into = store_sql_of(into_base);
    memset(copy->tables, 0, sizeof(copy->tables));
    enum status status = store_copy_is_whole(from_base, err);
    if (status == STATUS_OK) {
        status = check_alone(from, err);
    }
    if (status == STATUS_OK) {
        status = check_alone(into, err);
    }
    if (status == STATUS_OK) {
        status = begin(into, err);
    }
    for (size_t i = 0; status == STATUS_OK && i < STORE_COPY_TABLES; i++) {
        status = copy_table(from, into, &tables[i], copy, err);
    }
    if (status == STATUS_OK) {
        status = copy_floor(from, into, err);
    }
    if (status == STATUS_OK) {
        status = settle(into, err);
    }
    if (status == STATUS_OK) {
        status = verify(from, into, copy, err);
    }
    return status == STATUS_OK ? end(into, err) : status;
}

enum status
store_copy_is_whole(struct store *store, struct error *err)
{
    int64_t mark;
    enum status status =
        store_sql_meta_get(store_sql_of(store), MARK, &mark, err);
    return status == STATUS_OK && mark % 2 != 0
               ? error_set(err, STATUS_CONFIG,
                           "the store is a copy that is not whole: run the "
                           "same 'longstop store copy' again, it goes on where "
                           "it was")
               : status;
}
