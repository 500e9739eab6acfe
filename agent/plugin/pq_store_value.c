/* SPDX-License-Identifier: MIT */
/* Values in the binary form of PostgreSQL's wire: numbers are big-endian, and
 * a list is a header with each element's length before it (array_recv). */
#include "plugin/pq_store.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

/* pg_type.dat; these numbers never change. */
static const struct {
    Oid one, list;
} types[] = {
    [LONGSTOP_NOTHING] = { 0, 0 },   [LONGSTOP_NUMBER] = { 20, 1016 },
    [LONGSTOP_BYTES] = { 17, 1001 }, [LONGSTOP_TEXT] = { 25, 1009 },
    [LONGSTOP_BOOL] = { 16, 1000 },
};

/* Dimensions, whether there are NULLs, the type of elements; then, of a list
 * that is not empty, how many and from which index. */
#define LIST_HEAD  12
#define LIST_FIRST 8

/* What libpq takes in one statement, and the server in one value. */
#define VALUES_MAX 65535
#define BYTES_MAX  0x3fffffff

static char *
put_number(char *at, uint64_t number, size_t bytes)
{
    for (size_t i = bytes; i > 0; i--) {
        at[i - 1] = (char)(number & 0xff);
        number >>= 8;
    }
    return at + bytes;
}

static bool
is_numeric(const struct longstop_value *value)
{
    return value->type == LONGSTOP_NUMBER || value->type == LONGSTOP_BOOL;
}

static size_t
width_of(const struct longstop_value *value)
{
    return value->type == LONGSTOP_NUMBER ? 8 : 1;
}

static bool
is_null_at(const struct longstop_value *value, size_t index)
{
    return is_numeric(value) ? value->nulls != NULL && value->nulls[index]
                             : value->list[index].at == NULL;
}

/* The bytes that a value takes; SIZE_MAX when it cannot be sent. */
static size_t
size_of(const struct longstop_value *value)
{
    size_t size = LIST_HEAD + LIST_FIRST;
    if (value->is_null || value->type == LONGSTOP_NOTHING) {
        return 0;
    }
    if (!value->is_list) {
        size = is_numeric(value) ? width_of(value) : value->bytes.len;
        return size > BYTES_MAX ? SIZE_MAX : size;
    }
    for (size_t i = 0; i < value->count; i++) {
        const size_t len = is_null_at(value, i) ? 0
                           : is_numeric(value)  ? width_of(value)
                                                : value->list[i].len;
        if (len > BYTES_MAX || size + 4 + len > BYTES_MAX) {
            return SIZE_MAX;
        }
        size += 4 + len;
    }
    return value->count == 0 ? LIST_HEAD : size;
}

static char *
put_element(char *at, const struct longstop_value *value, size_t index)
{
    if (is_null_at(value, index)) {
        return put_number(at, UINT32_MAX, 4);
    }
    if (is_numeric(value)) {
        at = put_number(at, width_of(value), 4);
        return put_number(at, (uint64_t)value->numbers[index], width_of(value));
    }
    const struct longstop_bytes *bytes = &value->list[index];
    at = put_number(at, bytes->len, 4);
    memcpy(at, bytes->at, bytes->len);
    return at + bytes->len;
}

static void
put_list(char *at, const struct longstop_value *value)
{
    bool has_null = false;
    for (size_t i = 0; i < value->count; i++) {
        has_null = has_null || is_null_at(value, i);
    }
    at = put_number(at, value->count == 0 ? 0 : 1, 4);
    at = put_number(at, has_null, 4);
    at = put_number(at, types[value->type].one, 4);
    if (value->count > 0) {
        at = put_number(at, value->count, 4);
        at = put_number(at, 1, 4);
    }
    for (size_t i = 0; i < value->count; i++) {
        at = put_element(at, value, i);
    }
}

/* Room that only grows; false for want of memory. */
static bool
make_room(struct pq_values *values, size_t count, size_t bytes)
{
    if (count > values->room) {
        free(values->at);
        free(values->lengths);
        free(values->formats);
        free(values->types);
        values->at = calloc(count, sizeof(const char *));
        values->lengths = calloc(count, sizeof(*values->lengths));
        values->formats = calloc(count, sizeof(*values->formats));
        values->types = calloc(count, sizeof(*values->types));
        values->room = count;
        if (values->at == NULL || values->lengths == NULL ||
            values->formats == NULL || values->types == NULL) {
            values->room = 0;
            return false;
        }
    }
    if (bytes > values->bytes_room) {
        free(values->bytes);
        values->bytes = malloc(bytes);
        values->bytes_room = values->bytes == NULL ? 0 : bytes;
    }
    return bytes == 0 || values->bytes != NULL;
}

/* Places one value; what needs no encoding stays where it is. */
static char *
place(struct pq_values *into, int index, const struct longstop_value *value,
      char *free_at)
{
    const size_t size = size_of(value);
    into->formats[index] = 1;
    into->lengths[index] = (int)size;
    into->types[index] =
        value->is_list ? types[value->type].list : types[value->type].one;
    into->at[index] = NULL;
    if (value->is_null || value->type == LONGSTOP_NOTHING) {
        return free_at;
    }
    if (!value->is_list && !is_numeric(value)) {
        into->at[index] = size == 0 ? "" : value->bytes.at;
        return free_at;
    }
    into->at[index] = free_at;
    if (value->is_list) {
        put_list(free_at, value);
    } else {
        const uint64_t number = value->type == LONGSTOP_BOOL
                                    ? value->number != 0
                                    : (uint64_t)value->number;
        (void)put_number(free_at, number, size);
    }
    return free_at + size;
}

bool
pq_values_encode(struct pq_values *into, const struct longstop_value *values,
                 size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t size = size_of(&values[i]);
        if (size == SIZE_MAX) {
            return false;
        }
        bytes += values[i].is_list || is_numeric(&values[i]) ? size : 0;
    }
    if (count > VALUES_MAX || !make_room(into, count, bytes)) {
        return false;
    }
    char *at = into->bytes;
    for (size_t i = 0; i < count; i++) {
        at = place(into, (int)i, &values[i], at);
    }
    into->count = (int)count;
    return true;
}

void
pq_values_fini(struct pq_values *values)
{
    free(values->at);
    free(values->lengths);
    free(values->formats);
    free(values->types);
    free(values->bytes);
    *values = (struct pq_values){ 0 };
}

struct longstop_cell
pq_cell(const PGresult *result, size_t row, size_t column)
{
    if (PQgetisnull(result, (int)row, (int)column) != 0) {
        return (struct longstop_cell){ .is_null = true, .bytes = { "", 0 } };
    }
    struct longstop_cell cell = {
        .bytes = { PQgetvalue(result, (int)row, (int)column),
                   (size_t)PQgetlength(result, (int)row, (int)column) },
    };
    const size_t len = cell.bytes.len;
    if (len == 1 || len == 2 || len == 4 || len == 8) {
        /* The sign is the first bit of however many bytes. */
        uint64_t number = (signed char)cell.bytes.at[0] < 0 ? UINT64_MAX : 0;
        for (size_t i = 0; i < len; i++) {
            number = number << 8 | (unsigned char)cell.bytes.at[i];
        }
        cell.number = (int64_t)number;
    }
    return cell;
}
