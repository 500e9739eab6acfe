/* SPDX-License-Identifier: MIT */
#include "app/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/told.h"

void
table_heads(struct table *table, const char *const *heads)
{
    while (heads[table->columns] != NULL) {
        PRE(table->columns < TABLE_COLUMNS_MAX);
        table->columns++;
    }
    for (size_t i = 0; i < table->columns; i++) {
        table_cell(table, slice_of(heads[i]));
    }
}

/* Characters; all of a cell is UTF-8. */
static size_t
width_of(struct slice text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++) {
        width += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    }
    return width;
}

void
table_cell(struct table *table, struct slice text)
{
    struct buf plain = { 0 };
    told_plain(text.len == 0 ? slice_of("-") : text, &plain);
    size_t width = width_of(buf_slice(&plain));
    size_t column = table->count++ % table->columns;
    if (width > table->widths[column]) {
        table->widths[column] = width;
    }
    size_t len = plain.len;
    buf_append(&table->cells,
               (struct slice){ (const char *)&len, sizeof(len) });
    buf_append(&table->cells, buf_slice(&plain));
    if (buf_status(&plain) != STATUS_OK) {
        table->cells.failure = buf_status(&plain);
    }
    buf_fini(&plain);
}

void
table_number(struct table *table, int64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRId64, number);
    table_cell(table, slice_of(text));
}

static struct slice
take_cell(struct slice *rest)
{
    size_t len;
    memcpy(&len, rest->ptr, sizeof(len));
    *rest = slice_from(*rest, sizeof(len));
    struct slice cell = slice_first(*rest, len);
    *rest = slice_from(*rest, len);
    return cell;
}

void
table_print(struct table *table, const char *indent, struct buf *into)
{
    if (buf_status(&table->cells) != STATUS_OK) {
        into->failure = buf_status(&table->cells);
        return;
    }
    struct slice rest = buf_slice(&table->cells);
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns;
        struct slice cell = take_cell(&rest);
        buf_text(into, column == 0 ? indent : "  ");
        buf_append(into, cell);
        if (column + 1 == table->columns) {
            buf_byte(into, '\n'); /* and no blanks before it */
            continue;
        }
        for (size_t w = width_of(cell); w < table->widths[column]; w++) {
            buf_byte(into, ' ');
        }
    }
}

void
table_fini(struct table *table)
{
    buf_fini(&table->cells);
}
