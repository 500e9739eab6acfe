/* SPDX-License-Identifier: MIT */
/*
 * disk: the store's files, in memory: a SQLite VFS below store_vfs, with the
 * locks and the shared pages that connections have of each other.
 *
 * What a process wrote stays there when it ends, as on a disk, until all is
 * wiped. The files' names are real, as empty files: the store looks whether
 * there is a log by asking the system, and a log that holds something is one
 * byte there.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

/* From now on every connection has its files here. Once, before all others;
 * SQLite is told as well that there is one thread. */
void disk_install(void);

/* No file is left; none may be open. */
void disk_wipe(void);

#endif
