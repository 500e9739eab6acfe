/* SPDX-License-Identifier: MIT */
/*
 * store_pg_post: statements of a transaction that nobody waits for, and rows
 * that go to a table together: sixty-four rows in one INSERT cost the server a
 * fraction of what they cost in sixty-four, and no way there and back each.
 */
#ifndef STORE_STORE_PG_POST_H
#define STORE_STORE_PG_POST_H

#include "base/mem.h"
#include "plugin/database.h"
#include "store/sql_link.h"

/* The most columns of a row that is gathered, and tables there are. */
#define PG_COLUMNS_MAX 12
#define PG_TABLES      4

/* Whether nobody looks at what the statement changed: it is posted, and waited
 * for with the next one that somebody looks at, or the commit. */
bool pg_post_is_posted(enum sql which);

/* Rows of one table, whose bytes are copied: they go when something else asks,
 * long after who gave them. */
struct pg_rows_of {
    int64_t *numbers; /* room for `room` rows of `columns` each */
    bool *nulls;
    struct longstop_bytes *bytes;
    size_t columns, rows, room;
    enum longstop_type types[PG_COLUMNS_MAX];
    char *text; /* the statement for lists, made once */
};

struct pg_post {
    struct pg_rows_of tables[PG_TABLES];
    struct arena copies;
    size_t waiting; /* rows */
};

/* One statement that stands for many rows: values are lists, one a column. */
struct pg_post_batch {
    struct longstop_statement statement;
    struct longstop_value values[PG_COLUMNS_MAX];
    size_t count;
};

void pg_post_fini(struct pg_post *post);

/* Gathers the row of a statement, whose text is `text`; false: it is none that
 * can be gathered, or memory ran out, and has to go by itself. */
bool pg_post_gather(struct pg_post *post, enum sql which, const char *text,
                    const struct longstop_value *values, size_t count);

/* Whether the rows that wait are to go before a statement: it may look at their
 * tables, or there are many. */
bool pg_post_must_go(const struct pg_post *post, enum sql next);

/* The next statement of those that wait; false: none is left. Its values are
 * borrowed until pg_post_forget, which is to follow the last of them. */
bool pg_post_take(struct pg_post *post, struct pg_post_batch *ret);

/* Forgets what waits, and what was taken. */
void pg_post_forget(struct pg_post *post);

#endif
