/* SPDX-License-Identifier: MIT */
/*
 * duplicates: how often each channel has shown events that were known, by type,
 * since the program began.
 *
 * What repeats within one channel leaves no row in the store: a list shows its
 * overlap walk after walk, and each would be a write. So they are counted here,
 * as the metric is which is their sum, and a restart begins anew. Counting
 * never fails: without memory a type is not told, and its book is NULL.
 */
#ifndef FLOW_DUPLICATES_H
#define FLOW_DUPLICATES_H

#include "base/bytes.h"
#include "model/channel.h"

#include <stddef.h>
#include <stdint.h>

struct duplicates_type {
    struct slice type;
    int64_t by[CHANNEL_COUNT];
};

/* Of all connectors. */
struct duplicates_shelf;
/* Of one. */
struct duplicates;

/* Returns an empty one; NULL without memory. */
struct duplicates_shelf *duplicates_shelf_create(void);
/* NULL is allowed. */
void duplicates_shelf_destroy(struct duplicates_shelf *shelf);

/* Returns the book of a connector, made at its first use; it lives as long as
 * the shelf, whatever is configured since. NULL for NULL, and without memory.
 */
struct duplicates *duplicates_of(struct duplicates_shelf *shelf,
                                 struct slice connector);

/* Counts one. As many types are told apart as the view of keys does; those that
 * come later, and very long ones, are "*". NULL is allowed. */
void duplicates_note(struct duplicates *book, struct slice type,
                     enum channel via);

/* Returns the types that have any, ascending; borrowed until the next note. */
const struct duplicates_type *duplicates_types(const struct duplicates *book,
                                               size_t *ret_count);

/* Returns that of a type; NULL when it has none. */
const struct duplicates_type *duplicates_find(const struct duplicates *book,
                                              struct slice type);

#endif
