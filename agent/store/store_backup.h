/* SPDX-License-Identifier: MIT */
/*
 * store_backup: a copy of a store, taken beside its writer; looking one over;
 * and putting a copy in a store's place.
 *
 * Each blocks for as long as the bytes take. None writes to a store that an
 * agent has open: what is copied is one state of it, seen by a connection that
 * only reads, and the writer goes on committing meanwhile (its log grows until
 * the copy is whole).
 */
#ifndef STORE_STORE_BACKUP_H
#define STORE_STORE_BACKUP_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* What is in a store, or in a copy of one. */
struct store_backup {
    int64_t bytes;
    int64_t version; /* of its tables */
    int64_t events;
    int64_t owed;      /* deliveries */
    int64_t dead;      /* dead letters */
    int64_t gaps;      /* open ones */
    int64_t newest_ms; /* when its newest event was accepted; 0: it has none */
    int64_t taken_ms;  /* when it was copied; 0: it is no copy */
};

/*
 * Copies the store at `url` into the new file `file`, 0600. The file appears
 * whole and synced, after every page of it was checked, or not at all.
 * STATUS_EXISTS when its name is taken; STATUS_NOT_FOUND when there is no
 * store; STATUS_CORRUPT when the store is damaged, STATUS_FULL, STATUS_DENIED,
 * STATUS_IO.
 */
NODISCARD
enum status store_backup_take(const char *url, const char *file,
                              struct store_backup *ret, struct error *err);

/* Checks every page and index of the store at `url`, or of the copy `file`
 * (one of them is NULL). STATUS_CORRUPT says in words what is wrong. */
NODISCARD
enum status store_backup_check(const char *url, const char *file,
                               struct store_backup *ret, struct error *err);

enum { STORE_BACKUP_KEPT_BYTES = 512 };

/*
 * Makes the store at `url` what the copy `file` is. Refused while an agent has
 * it (STATUS_FENCED) and when the copy is damaged or of a newer program; then
 * nothing has changed. What was there stays beside it, whole, under the name
 * that is written to `kept` ("" when nothing was).
 */
NODISCARD
enum status store_backup_restore(const char *url, const char *file,
                                 char kept[STORE_BACKUP_KEPT_BYTES],
                                 struct store_backup *ret, struct error *err);

#endif
