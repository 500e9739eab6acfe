/* SPDX-License-Identifier: MIT */
/*
 * fs_look: what a file is to others, how old it is, how it ends, and what room
 * there is.
 */
#ifndef IO_FS_LOOK_H
#define IO_FS_LOOK_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdint.h>

struct fs_facts {
    unsigned mode; /* permissions: 0640 */
    int64_t bytes;
    int64_t changed_ms; /* Unix ms, of its content */
};

/* STATUS_NOT_FOUND, STATUS_DENIED, STATUS_IO. */
NODISCARD
enum status fs_look(const char *path, struct fs_facts *ret, struct error *err);

/* Appends the last `most` bytes of a regular file, or all of it; what is
 * written to it meanwhile does not count. The same, or STATUS_INVALID. */
NODISCARD
enum status fs_look_end(const char *path, size_t most, struct buf *into,
                        struct error *err);

/* Returns the bytes that we could still write to the file system that `path`
 * is on. The same. */
NODISCARD
enum status fs_room(const char *path, int64_t *ret_bytes, struct error *err);

#endif
