/* SPDX-License-Identifier: MIT */
/*
 * fs_private: what the files of fs share: words for a failed call, and names
 * that survive a power cut.
 */
#ifndef IO_FS_PRIVATE_H
#define IO_FS_PRIVATE_H

#include "base/status.h"

/* Says that `verb` of `path` failed by `cause` (errno), and the way out;
 * returns what that means for us. */
enum status fs_fail(struct error *err, const char *verb, const char *path,
                    int cause);

/* Syncs the directory of `path`: a new name survives a power cut only then. */
NODISCARD
enum status fs_sync_parent(const char *path, struct error *err);

#endif
