/* SPDX-License-Identifier: MIT */
/*
 * handler_file: appends one line per delivery to a file; many lines a write,
 * synced before their deliveries are done.
 *
 * A thread of its own writes and syncs, so the loop is never held: what comes
 * while one sync runs is the next write. An unfinished last line, left by a
 * crash, is cut before the first append; its event is still owed.
 */
#ifndef HANDLER_HANDLER_FILE_H
#define HANDLER_HANDLER_FILE_H

#include "handler/handler.h"

struct loop;

/* Opens `path` at once, so that a mistake is seen at the start. */
NODISCARD
enum status handler_file_create(struct loop *loop, const char *path,
                                struct handler **ret, struct error *err);

#endif
