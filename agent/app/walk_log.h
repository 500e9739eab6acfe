/* SPDX-License-Identifier: MIT */
/*
 * walk_log: the last walks of one tier, for people: when each began and ended,
 * and what it brought.
 *
 * Walks that brought nothing, one after the other, are one entry, so that a
 * list that is asked each second does not push out what matters. Pure.
 */
#ifndef APP_WALK_LOG_H
#define APP_WALK_LOG_H

#include "base/status.h"
#include "source/source_poll.h"

#include <stddef.h>
#include <stdint.h>

#define WALK_LOG_MOST 256 /* entries that are kept */

struct walk_log_entry {
    int64_t started_ms; /* of the first one */
    int64_t ended_ms;   /* of the last one */
    int64_t walks;      /* that this stands for */
    enum poll_outcome outcome;
    int64_t pages;
    size_t rows, fresh, known;
    int64_t complete_until_ms; /* provider's clock; 0: not yet */
};

struct walk_log {
    struct walk_log_entry *at; /* a ring; grows up to WALK_LOG_MOST */
    size_t room;
    size_t count;
    size_t first; /* where the oldest one stands */
};

/* Adds a walk that has ended. Without memory it is left out: nothing but what
 * is shown depends on it. A walk that had to wait and went on is one walk. */
void walk_log_add(struct walk_log *log, const struct poll_ended *ended,
                  int64_t now_ms);

/* Returns an entry, 0 being the newest; NULL behind the oldest. */
const struct walk_log_entry *walk_log_entry(const struct walk_log *log,
                                            size_t index);

void walk_log_fini(struct walk_log *log);

#endif
