/* SPDX-License-Identifier: MIT */
/*
 * store_vfs: test builds only: a SQLite VFS over the default one that counts
 * durable steps and lets them fail.
 *
 * After each write, sync, truncate and delete of a database's files it calls
 * fs_durable_step, which may end the process there; so crash tests stop at
 * every place where what is on disk changes, not at places chosen by hand.
 */
#ifndef STORE_STORE_VFS_H
#define STORE_STORE_VFS_H

#include "base/status.h"

#include <stdbool.h>

/* Makes the shim the default of all connections opened from now on. */
NODISCARD
enum status store_vfs_install(void);

enum store_vfs_step {
    STORE_VFS_WRITE = 1,
    STORE_VFS_SYNC = 2,
    STORE_VFS_TRUNCATE = 4,
    STORE_VFS_DELETE = 8
};

/*
 * The step of one of `kinds` after the next `after` ones fails with the SQLite
 * result code `rc`, and with `always` every later one too. A negative `after`
 * turns it off. Returns how many such steps there were since the last call.
 */
long store_vfs_fail_after(unsigned kinds, long after, int rc, bool always);

#endif
