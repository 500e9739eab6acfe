/* SPDX-License-Identifier: MIT */
/*
 * store_sqlite: the store in one SQLite file.
 *
 * The instance lock is PATH.lock. This connection is the only one that writes
 * and checkpoints: two checkpointing connections corrupt a file under the
 * SQLite of Debian 12 and 13.
 */
#ifndef STORE_STORE_SQLITE_H
#define STORE_STORE_SQLITE_H

#include "store/store.h"
#include "store/store_backup.h"
#include "store/store_view.h"

/* store_open's "sqlite:PATH". */
NODISCARD
enum status store_sqlite_open(const char *path,
                              const struct store_settings *settings,
                              struct store **ret, struct error *err);

/* store_view_open's "sqlite:PATH". */
NODISCARD
enum status store_sqlite_view_open(const char *path, struct store_view **ret,
                                   struct error *err);

/* store_backup.h of "sqlite:PATH". */
NODISCARD
enum status store_sqlite_backup_take(const char *path, const char *file,
                                     struct store_backup *ret,
                                     struct error *err);
NODISCARD
enum status store_sqlite_backup_check(const char *path,
                                      struct store_backup *ret,
                                      struct error *err);
NODISCARD
enum status store_sqlite_backup_restore(const char *path, const char *file,
                                        char kept[STORE_BACKUP_KEPT_BYTES],
                                        struct store_backup *ret,
                                        struct error *err);

/* The name of a network file system by its statfs magic, or NULL: WAL needs
 * shared memory and honest locks, which these do not give. */
const char *store_sqlite_network(unsigned long magic);

#endif
