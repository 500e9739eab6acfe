/* SPDX-License-Identifier: MIT */
/*
 * store_copy: all that is in one store, put into another: between databases, or
 * from one to its like.
 *
 * Nobody else uses either of them meanwhile. The store that is copied into is
 * empty, or holds part of the same copy, which goes on behind what is there;
 * until it is whole, it is opened for nothing else.
 */
#ifndef STORE_STORE_COPY_H
#define STORE_STORE_COPY_H

#include "store/store.h"

/* Tables of a store. */
#define STORE_COPY_TABLES 17

struct store_copy_table {
    const char *name;
    int64_t rows;
    uint64_t sum; /* of the rows, whatever their order */
};

struct store_copy {
    /* Told after each slice; NULL: nobody is. */
    void (*progress)(void *arg, const char *table, int64_t rows);
    void *arg;
    /* Asked before each slice; NULL: nobody is. True ends with
     * STATUS_CANCELED, and the same call goes on later. */
    bool (*should_stop)(void *arg);
    /* The answer: what both have. */
    struct store_copy_table tables[STORE_COPY_TABLES];
};

/*
 * Copies `from` into `into`, both opened with `is_copy`, and holds their rows
 * against each other. STATUS_FENCED while an agent has one of them;
 * STATUS_EXISTS when `into` holds something else;
 * STATUS_CORRUPT when both are not the same in the end, with the table's name.
 */
NODISCARD
enum status store_copy(struct store *from, struct store *into,
                       struct store_copy *copy, struct error *err);

/* STATUS_CONFIG, with the way out, when the store is a copy that is not whole.
 */
NODISCARD
enum status store_copy_is_whole(struct store *store, struct error *err);

#endif
