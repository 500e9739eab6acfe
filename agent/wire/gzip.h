/* SPDX-License-Identifier: MIT */
/*
 * gzip: the zlib gate: inflates gzip and deflate bodies under a size and a
 * ratio cap, and deflates our own answers.
 */
#ifndef WIRE_GZIP_H
#define WIRE_GZIP_H

#include "base/bytes.h"
#include "base/status.h"

/*
 * Appends the inflated bytes. STATUS_TOO_LARGE when the result would exceed
 * `limit_bytes`, or `ratio_max` times the input (from 64 KiB of output up; 0
 * counts as 1); STATUS_INVALID for a broken or truncated stream or bytes behind
 * it. After a failure `into` is as long as before.
 */
NODISCARD
enum status gzip_inflate(struct slice packed, size_t limit_bytes,
                         unsigned ratio_max, struct buf *into);

/* Appends a gzip stream of `bytes`. */
NODISCARD
enum status gzip_deflate(struct slice bytes, struct buf *into);

#endif
