/* SPDX-License-Identifier: MIT */
/*
 * scratch: a directory that is made for a while, and removed with the files in
 * it. Blocks.
 */
#ifndef IO_SCRATCH_H
#define IO_SCRATCH_H

#include "base/bytes.h"
#include "base/status.h"

/* Makes a directory of ours alone, called `name` and some letters, in $TMPDIR
 * or /tmp; *ret_path is the caller's to free. STATUS_IO with the way out. */
NODISCARD
enum status scratch_make(const char *name, struct buf *ret_path,
                         struct error *err);

/* Removes the directory and the plain files and sockets in it, as far as that
 * can be done. */
void scratch_remove(const char *path);

#endif
