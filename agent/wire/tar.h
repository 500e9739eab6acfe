/* SPDX-License-Identifier: MIT */
/*
 * tar: writes an archive of small files, in the ustar form that every tar reads
 * (POSIX.1-2017, pax, "ustar Interchange Format").
 */
#ifndef WIRE_TAR_H
#define WIRE_TAR_H

#include "base/bytes.h"

#include <stdint.h>

/* The longest name, and the largest file (8 GiB less a byte). */
#define TAR_NAME_BYTES 100
#define TAR_FILE_BYTES ((uint64_t)077777777777)

/* Appends a file of mode 0600, changed at `at_ms`, Unix ms. A name or bytes too
 * long make the archive fail: STATUS_TOO_LARGE. */
void tar_file(struct slice name, struct slice bytes, int64_t at_ms,
              struct buf *into);

/* Appends what ends an archive. */
void tar_end(struct buf *into);

#endif
