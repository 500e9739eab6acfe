/* SPDX-License-Identifier: MIT */
/*
 * orders: the shop: orders that are created and updated, every version of
 * which is a fact.
 *
 * The list is kept in the order it is served in, (updated_at, id), and shows
 * each version as a row of its own, so that a fact whose hook was lost can
 * still be read after the order has changed again.
 */
#ifndef PROVIDER_ORDERS_H
#define PROVIDER_ORDERS_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct orders_settings {
    uint64_t seed;
    int64_t lag_ms;       /* a fact is listed this long after it came to be */
    int64_t tail_percent; /* of the first tail_among facts so many, no fewer and
                             no more, are listed tail_ms after */
    int64_t tail_ms;
    size_t tail_among;
    bool whole_seconds; /* stamps without a fraction: many facts share one */
};

/* One version of one order. */
struct fact {
    uint64_t order;
    uint64_t version; /* 1 is the creation */
    uint64_t customer;
    uint64_t cents;
    int64_t created_ms; /* of the order */
    int64_t updated_ms;
    int64_t listed_ms; /* not in the list before */
    bool tail;         /* which is late */
    bool shown;        /* somebody has read it there */
};

struct orders;

NODISCARD
enum status orders_create(const struct orders_settings *settings,
                          struct orders **ret);
void orders_destroy(struct orders *orders);

/* Lets a new fact happen at `now_ms`: a new order or a change of an old one. */
NODISCARD
enum status orders_happen(struct orders *orders, int64_t now_ms,
                          struct fact *ret_fact);

size_t orders_count(const struct orders *orders);
const struct fact *orders_at(const struct orders *orders, size_t index);

/* Notes that the list shows this fact; returns whether it is the first time. */
bool orders_show(struct orders *orders, size_t index);

/* Returns the index of the first fact at or behind (updated_ms, order). */
size_t orders_find(const struct orders *orders, int64_t updated_ms,
                   uint64_t order);

/* "order.created" or "order.updated". */
const char *orders_type(const struct fact *fact);

/* Append the stamp as it is written everywhere, the fact's name
 * ("order:17:2026-…"), and the order's JSON. */
void orders_stamp(const struct orders *orders, int64_t at_ms, struct buf *into);
void orders_name(const struct orders *orders, const struct fact *fact,
                 struct buf *into);
void orders_row(const struct orders *orders, const struct fact *fact,
                struct buf *into);

#endif
