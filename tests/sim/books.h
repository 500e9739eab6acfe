/* SPDX-License-Identifier: MIT */
/*
 * books: the world's own count of what is confirmed, recovered and late, and
 * of what each channel has shown again.
 *
 * It counts from the times at which facts became durable and the store was
 * asked to count, by our clock. The store's totals have to be the same whenever
 * it says them, and so has the disk after a crash, and the metrics at the end.
 */
#ifndef SIM_BOOKS_H
#define SIM_BOOKS_H

#include "sim/world.h"

#include <stdbool.h>
#include <stdint.h>

struct sighting;
struct store_account;

/* The totals of a store, and up to which event it has counted. */
struct books_page {
    bool counts;
    uint64_t mark;
    int64_t recovered;
    int64_t late;
    int64_t confirmed;
};

void books_begin(void);

/* A process begins: what its metrics say of channels begins at nothing. */
void books_life(void);

/* The fact is an event, recorded at `at_ms` (our clock). */
void books_fresh(struct fact *fact, enum channel via, int64_t at_ms);

/* The fact, an event already, is shown by a channel. */
void books_again(struct fact *fact, enum channel via, int64_t at_ms);

/* The process will be told of this sighting. */
void books_told(const struct sighting *sighting);

/* The store has counted. */
void books_account(const struct store_account *account);

/* What the store of a process that died says; behind the events it holds. */
void books_reload(const struct books_page *page);

/* The fact that is event `number`; NULL when none is. */
struct fact *books_fact(uint64_t number);

/* How many events the disk must hold. */
size_t books_events(void);

/* Whether the grace of anything is still waited for. */
bool books_open(void);

/* At rest: the metrics of the process that is up say the same. */
void books_end(void);

#endif
