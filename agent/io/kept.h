/* SPDX-License-Identifier: MIT */
/*
 * kept: secrets that no configuration has: those we made or were given by a
 * provider, each in a file of its own beside the store.
 *
 * The directory is 0700 and a file 0600; one that others can reach is refused.
 * A file is named CONNECTOR.NAME, where NAME is a parameter ("webhook_secret")
 * or a mark of ours; its text is replaced as a whole and synced. What is kept
 * survives any crash after kept_write has returned.
 */
#ifndef IO_KEPT_H
#define IO_KEPT_H

#include "base/bytes.h"
#include "base/status.h"

/* The longest text that can be kept. */
#define KEPT_BYTES_MAX ((size_t)16 * 1024)

/*
 * Appends what is kept of `connector` under `name`, as it was written. A text
 * of several lines is a list of secrets, the newest first. STATUS_NOT_FOUND
 * when there is none; STATUS_DENIED when others can reach the file, its
 * directory, or it is not ours; else as fs_read.
 */
NODISCARD
enum status kept_read(const char *directory, struct slice connector,
                      struct slice name, struct buf *into, struct error *err);

/* Keeps `text`, in place of what was there; makes the directory. Root keeps it
 * for whom the directory above belongs to. An empty text is STATUS_INVALID, one
 * beyond KEPT_BYTES_MAX STATUS_TOO_LARGE. */
NODISCARD
enum status kept_write(const char *directory, struct slice connector,
                       struct slice name, struct slice text, struct error *err);

/* Takes it away; none there is STATUS_OK. */
NODISCARD
enum status kept_remove(const char *directory, struct slice connector,
                        struct slice name, struct error *err);

struct fs_lock;

/* Lets one process at a time change what is kept of `connector`; STATUS_FENCED
 * while another does. Ends with fs_lock_release. */
NODISCARD
enum status kept_lock(const char *directory, struct slice connector,
                      struct fs_lock **ret, struct error *err);

/* Writes the path of that file, for messages. */
NODISCARD
enum status kept_path(const char *directory, struct slice connector,
                      struct slice name, struct buf *into, struct error *err);

#endif
