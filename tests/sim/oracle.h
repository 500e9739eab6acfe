/* SPDX-License-Identifier: MIT */
/*
 * oracle: what must hold in a world, looked at after every transaction and at
 * its end. It believes the provider and the disk, and nothing that the agent
 * says of itself.
 */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "base/bytes.h"
#include "model/channel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fact;
struct walk_gap;
struct store_account;
struct store_unit;

void oracle_begin(void);

/* The unit's transaction is durable. */
void oracle_unit(const struct store_unit *unit);
void oracle_account(const struct store_account *account);

/* What a process that died left in the file: the fact is event `number`,
 * recorded at `at_ms`; a gap row; a tier's walk. */
void oracle_event(struct fact *fact, uint64_t number, enum channel via,
                  int64_t at_ms);
void oracle_gap(const struct walk_gap *gap, bool closed);
void oracle_walk(unsigned number, int64_t hw_ms, struct slice state);

/* A sender was told that its webhook is stored. */
void oracle_acked(const struct fact *fact);

/* Whether the walk that was stored last has a page to come. */
bool oracle_is_midway(void);

/* Whole walks of a tier so far. */
size_t oracle_walks(unsigned tier);

/* The world has come to rest. */
void oracle_end(const char *folder);

#endif
