/* SPDX-License-Identifier: MIT */
/*
 * oracle: what must hold in a world, looked at after every transaction and at
 * its end. It believes the provider and the disk, and nothing that the agent
 * says of itself.
 */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include <stdbool.h>
#include <stddef.h>

struct fact;
struct store_account;
struct store_unit;

void oracle_begin(void);

/* The unit's transaction is durable. */
void oracle_unit(const struct store_unit *unit);
void oracle_account(const struct store_account *account);

/* Reads the store in `folder`: what a process that died left there. */
void oracle_reload(const char *folder);

/* A sender was told that its webhook is stored. */
void oracle_acked(const struct fact *fact);

/* An attempt began, could not begin, ended. */
void oracle_started(struct fact *fact, size_t handler, unsigned attempt);
void oracle_refused(struct fact *fact, size_t handler, unsigned attempt);
void oracle_reported(struct fact *fact, size_t handler, unsigned attempt,
                     bool done);

/* Leases may have ended early: the clock was set, or the machine slept. */
void oracle_leases_moved(void);

/* Whether the walk that was stored last has a page to come. */
bool oracle_is_midway(void);

/* Whole walks of a tier so far. */
size_t oracle_walks(unsigned tier);

/* Whether anything is still owed. */
bool oracle_owes(const char *folder);

/* The world has come to rest. */
void oracle_end(const char *folder);

/* How often the clock may have taken leases. */
unsigned oracle_lease_moves(void);

#endif
