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

/*
 * Makes the shim the default of all connections opened from now on. The first
 * time it reads LONGSTOP_STORE_FAULT, "KIND:AFTER" or "KIND:AFTER:always": what
 * store_vfs_fail_after is told below, by the names of store_vfs.c.
 */
NODISCARD
enum status store_vfs_install(void);

/* What SQLite asks of a file system; the first four change what is on disk. */
enum store_vfs_step {
    STORE_VFS_WRITE = 1,
    STORE_VFS_SYNC = 2,
    STORE_VFS_TRUNCATE = 4,
    STORE_VFS_DELETE = 8,
    STORE_VFS_TORN = 16, /* a write whose first half is there when it fails */
    STORE_VFS_READ = 32,
    STORE_VFS_OPEN = 64,
    STORE_VFS_LOCK = 128,   /* of the file, and of the log's index */
    STORE_VFS_SHARED = 256, /* memory of the log's index */
    STORE_VFS_SIZE = 512
};

/* Whether steps are left alone and not counted, until told otherwise. */
void store_vfs_hold(bool holds);

/*
 * The step of one of `kinds` after the next `after` ones fails with the SQLite
 * result code `rc`, and with `always` every later one too. A negative `after`
 * turns it off. Returns how many such steps there were since the last call.
 */
long store_vfs_fail_after(unsigned kinds, long after, int rc, bool always);

#endif
