/* SPDX-License-Identifier: MIT */
#include "store/store_pg_post.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

/* Rows that go at the latest, so that what is copied stays small. */
#define ROWS_MOST  512
#define BYTES_MOST (4U << 20)

/* The statements whose rows are gathered, in the order in which they go: each
 * ends in VALUES of its parameters. */
static const enum sql gathered[PG_TABLES] = { SQL_LEDGER_NEW, SQL_EVENT_ADD,
                                              SQL_DELIVERY_ADD,
                                              SQL_ATTEMPT_ADD };

/* Whose rows those who look at the ledger have to find there. */
#define LEDGER 0

bool
pg_post_is_posted(enum sql which)
{
    static const bool posted[SQL_COUNT] = {
        [SQL_LEDGER_NEW] = true,    [SQL_EVENT_ADD] = true,
        [SQL_SIGHTING_ADD] = true,  [SQL_FILL_ADD] = true,
        [SQL_FILL_ASKED] = true,    [SQL_FILL_BODY] = true,
        [SQL_DELIVERY_ADD] = true,  [SQL_ATTEMPT_ADD] = true,
        [SQL_ATTEMPT_BOUND] = true, [SQL_REFUSAL_ADD] = true,
        [SQL_REFUSAL_TRIM] = true,
    };
    return posted[which];
}

/* Those that look at no table of what is gathered; or, DELIVERY_DROP, at a row
 * that can be none of these: who ends a delivery has had it of an earlier
 * transaction. */
static bool
passes(enum sql which)
{
    static const bool passing[SQL_COUNT] = {
        [SQL_LEDGER_GET] = true,  [SQL_LEDGER_GET_ALL] = true,
        [SQL_LEDGER_ADD] = true,  [SQL_LEDGER_MARK] = true,
        [SQL_LEASE_FENCE] = true, [SQL_DELIVERY_DROP] = true,
        [SQL_TALLY_ADD] = true,   [SQL_ACCOUNT_SEE] = true,
    };
    return passing[which];
}

static struct pg_rows_of *
table_of(struct pg_post *post, enum sql which)
{
    for (size_t i = 0; i < PG_TABLES; i++) {
        if (gathered[i] == which) {
            return &post->tables[i];
        }
    }
    return NULL;
}

void
pg_post_forget(struct pg_post *post)
{
    for (size_t i = 0; i < PG_TABLES; i++) {
        post->tables[i].rows = 0;
    }
    post->waiting = 0;
    arena_fini(&post->copies);
}

void
pg_post_fini(struct pg_post *post)
{
    pg_post_forget(post);
    for (size_t i = 0; i < PG_TABLES; i++) {
        struct pg_rows_of *table = &post->tables[i];
        mem_free(table->numbers);
        mem_free(table->nulls);
        mem_free(table->bytes);
        mem_free(table->text);
        *table = (struct pg_rows_of){ 0 };
    }
}

/* "… VALUES($1,$2)" becomes "… SELECT * FROM unnest($1,$2) ORDER BY 1". */
static char *
make_text(const char *text)
{
    static const char from[] = " VALUES(";
    struct buf made = { 0 };
    const char *values = strstr(text, from);
    const size_t len = strlen(text);
    if (values == NULL || text[len - 1] != ')' ||
        strchr(values, ')') != text + len - 1) {
        return NULL;
    }
    /* In one order: agents that enter the same keys wait for each other, and
     * never in a circle. */
    buf_format(&made, "%.*s SELECT * FROM unnest(%s ORDER BY 1",
               (int)(values - text), text, values + strlen(from));
    if (buf_status(&made) != STATUS_OK) {
        buf_fini(&made);
        return NULL;
    }
    return made.ptr;
}

/* Columns lie one behind the other, so that each is a list as it is: with more
 * room they move, the last one first. */
static bool
make_room(struct pg_rows_of *table, size_t columns)
{
    const size_t room = table->room == 0 ? 16 : 2 * table->room;
    int64_t *numbers = mem_array(columns * room, sizeof(*numbers));
    bool *nulls = mem_array(columns * room, sizeof(*nulls));
    struct longstop_bytes *bytes = mem_array(columns * room, sizeof(*bytes));
    if (numbers == NULL || nulls == NULL || bytes == NULL) {
        mem_free(numbers);
        mem_free(nulls);
        mem_free(bytes);
        return false;
    }
    for (size_t i = 0; i < columns && table->rows > 0; i++) {
        const size_t to = i * room;
        const size_t from = i * table->room;
        memcpy(numbers + to, table->numbers + from,
               table->rows * sizeof(*numbers));
        memcpy(nulls + to, table->nulls + from, table->rows * sizeof(*nulls));
        memcpy(bytes + to, table->bytes + from, table->rows * sizeof(*bytes));
    }
    mem_free(table->numbers);
    mem_free(table->nulls);
    mem_free(table->bytes);
    table->numbers = numbers;
    table->nulls = nulls;
    table->bytes = bytes;
    table->columns = columns;
    table->room = room;
    return true;
}

/* A column has one type; where it has only been NULL yet, any. */
static bool
fits(const struct pg_rows_of *table, size_t column,
     const struct longstop_value *value)
{
    const enum longstop_type type = table->types[column];
    return !value->is_list &&
           (value->type == LONGSTOP_NOTHING || value->type == LONGSTOP_NUMBER ||
            value->type == LONGSTOP_BYTES) &&
           (table->rows == 0 || type == LONGSTOP_NOTHING ||
            value->type == LONGSTOP_NOTHING || type == value->type);
}

static bool
put_value(struct pg_post *post, struct pg_rows_of *table, size_t column,
          const struct longstop_value *value)
{
    const size_t at = column * table->room + table->rows;
    struct slice copy = { "", 0 };
    if (table->rows == 0 || table->types[column] == LONGSTOP_NOTHING) {
        table->types[column] = value->type;
    }
    if (value->type == LONGSTOP_BYTES &&
        arena_copy(&post->copies,
                   (struct slice){ value->bytes.at, value->bytes.len },
                   &copy) != STATUS_OK) {
        return false;
    }
    const bool is_null = value->type == LONGSTOP_NOTHING || value->is_null;
    table->numbers[at] = value->number;
    table->nulls[at] = is_null;
    table->bytes[at] =
        (struct longstop_bytes){ is_null ? NULL : copy.ptr, copy.len };
    return true;
}

bool
pg_post_gather(struct pg_post *post, enum sql which, const char *text,
               const struct longstop_value *values, size_t count)
{
    struct pg_rows_of *table = table_of(post, which);
    if (table == NULL || count == 0 || count > PG_COLUMNS_MAX) {
        return false;
    }
    if (table->text == NULL) {
        table->text = make_text(text);
    }
    if (table->text == NULL ||
        (table->rows == table->room && !make_room(table, count)) ||
        table->columns != count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!fits(table, i, &values[i]) ||
            !put_value(post, table, i, &values[i])) {
            return false;
        }
    }
    table->rows++;
    post->waiting++;
    return true;
}

static bool
looks_at_ledger(enum sql which)
{
    return which == SQL_LEDGER_GET || which == SQL_LEDGER_GET_ALL ||
           which == SQL_LEDGER_ADD || which == SQL_LEDGER_MARK;
}

bool
pg_post_must_go(const struct pg_post *post, enum sql next)
{
    if (post->tables[LEDGER].rows > 0 && looks_at_ledger(next)) {
        return true;
    }
    return post->waiting > 0 && (!passes(next) || post->waiting >= ROWS_MOST ||
                                 post->copies.used_bytes >= BYTES_MOST);
}

bool
pg_post_take(struct pg_post *post, struct pg_post_batch *ret)
{
    for (size_t i = 0; i < PG_TABLES; i++) {
        struct pg_rows_of *table = &post->tables[i];
        if (table->rows == 0) {
            continue;
        }
        *ret = (struct pg_post_batch){
            .statement = { (uint32_t)SQL_COUNT + (uint32_t)i, table->text },
            .count = table->columns,
        };
        for (size_t j = 0; j < table->columns; j++) {
            const size_t at = j * table->room;
            const bool is_bytes = table->types[j] == LONGSTOP_BYTES;
            ret->values[j] = (struct longstop_value){
                .type = is_bytes ? LONGSTOP_BYTES : LONGSTOP_NUMBER,
                .is_list = true,
                .count = table->rows,
                .numbers = table->numbers + at,
                .nulls = table->nulls + at,
                .list = table->bytes + at,
            };
        }
        table->rows = 0;
        return true;
    }
    return false;
}
