/* SPDX-License-Identifier: MIT */
/*
 * secret: reads what a secret's reference points to: the value itself, a file,
 * or a systemd credential ($CREDENTIALS_DIRECTORY/NAME; in a shell, where that
 * is not set, what longstop.service was given, or /etc/credstore/NAME).
 */
#ifndef IO_SECRET_H
#define IO_SECRET_H

#include "base/bytes.h"
#include "base/status.h"
#include "config/config_key.h"

/*
 * Appends the secret's text; one trailing newline of a file is cut. An empty
 * secret is STATUS_INVALID. A file that others can read (mode & 0077) is
 * STATUS_OK with *ret_loose true, so that the caller can warn.
 */
NODISCARD
enum status secret_read(const struct config_secret *secret, struct buf *into,
                        bool *ret_loose, struct error *err);

#endif
