/* SPDX-License-Identifier: MIT */
/*
 * table: columns of text for a terminal, as wide as their widest cell.
 */
#ifndef APP_TABLE_H
#define APP_TABLE_H

#include "base/bytes.h"

#include <stddef.h>

#define TABLE_COLUMNS_MAX 12

/* Start with `struct table table = { 0 };`. */
struct table {
    struct buf cells; /* each behind its length */
    size_t columns;
    size_t count; /* of cells */
    size_t widths[TABLE_COLUMNS_MAX];
};

/* Sets the columns; `heads` ends with NULL. */
void table_heads(struct table *table, const char *const *heads);

/* Adds the next cell, row by row; the text is made plain (app/told.h). */
void table_cell(struct table *table, struct slice text);
void table_number(struct table *table, int64_t number);

/* Appends the lines. A failure of memory is remembered by `into`. */
void table_print(struct table *table, const char *indent, struct buf *into);

void table_fini(struct table *table);

#endif
