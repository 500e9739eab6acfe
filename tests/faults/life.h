/* SPDX-License-Identifier: MIT */
/*
 * life: one life of a store, written down step for step: all that an agent has
 * it do, in small, each step one transaction; what is to be found of it
 * whenever it ends; and how it goes on.
 */
#ifndef FAULTS_LIFE_H
#define FAULTS_LIFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { LIFE_FACTS = 28, LIFE_HANDLERS = 2, LIFE_HELD = 64 };

struct store_sqlite;

/* An attempt under way. */
struct life_held {
    int fact;
    int handler; /* from 0 */
    unsigned attempt;
};

/* What a life knows of itself; a copy is a snapshot. */
struct life {
    struct store_sqlite *store;
    uint64_t numbers[LIFE_FACTS];         /* of events; 0: not yet */
    bool owed[LIFE_FACTS][LIFE_HANDLERS]; /* not done, and not dead */
    bool dead[LIFE_FACTS][LIFE_HANDLERS];
    struct life_held held[LIFE_HELD];
    size_t held_count;
    uint32_t connector;
    uint32_t handlers[LIFE_HANDLERS];
    uint32_t receiver;
    int pages; /* of the walk that were stored */
};

/* Steps there are. */
int life_steps(void);
const char *life_step_name(int step);
/* Whether it is a transaction, and neither a checkpoint nor an end. */
bool life_step_is_deed(int step);

/* Opens the store at `path`; the life of a snapshot goes on. */
enum status life_open(struct life *life, const char *path, struct error *err);
void life_close(struct life *life);

/* Does one step. */
enum status life_step(struct life *life, const char *path, int step,
                      struct error *err);

/* A digest of all rows, as the next start will see them: what is leased is due,
 * and the number of starts is left out. */
uint64_t life_state(struct life *life);

/*
 * The sender sends all again, the provider lists all again, and all that is
 * owed is handed over. NULL when every promise is kept, else what is not. Not
 * `certain`: a step was under way, and what it brought may be owed or not.
 */
const char *life_goes_on(struct life *life, bool certain);

#endif
