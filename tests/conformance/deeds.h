/* SPDX-License-Identifier: MIT */
/*
 * deeds: what several suites have the store under test do.
 */
#ifndef CONFORMANCE_DEEDS_H
#define CONFORMANCE_DEEDS_H

#include "store/store.h"

/* A time that is later than any that matters. */
#define FAR_MS INT64_C(4000000000000)

#define assert_ok(status) assert_int_equal((status), STATUS_OK)

/* The store under test: one at a time, as suites run one after the other. */
extern struct store *store;

/* cmocka's: closes it. */
int deeds_close(void **state);

/* Applies one unit, which must be committed; returns what became of it. */
enum status apply_unit(struct store_unit *unit);

/* Claims so many at most; `drop` lets go of them. */
struct store_claims claim(uint32_t handler, int64_t now_ms,
                          int64_t lease_until_ms, size_t limit);
void drop(struct store_claims *claims);

/* Claims everything due until far ahead and says how many there were. */
size_t count_due(uint32_t handler, int64_t now_ms);

/* Claims exactly one delivery and returns the number of its event. */
uint64_t claim_one(uint32_t handler, int64_t now_ms, unsigned attempt);

#endif
