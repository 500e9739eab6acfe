/* SPDX-License-Identifier: MIT */
/*
 * handler_worker: `exec` with `worker: true`: children that stay, read one
 * envelope a line and answer each with a line, so that small handlers do not
 * pay a process per event.
 *
 * The lines are those of wire/worker_line, who gets which is handler_lines'
 * business. As many children run as are needed, at most concurrency / ahead.
 * Their stderr is kept, the last 4 KiB with an attempt that failed. A child
 * that is not wanted any more sees the end of its stdin; if it stays, SIGTERM
 * and then SIGKILL go to its group.
 */
#ifndef HANDLER_HANDLER_WORKER_H
#define HANDLER_HANDLER_WORKER_H

#include "handler/handler_exec.h"

struct loop;

/* Copies the settings; borrows loop and spawner. */
NODISCARD
enum status handler_worker_create(struct loop *loop,
                                  struct process_spawner *spawner,
                                  const struct handler_exec_settings *settings,
                                  size_t children, size_t ahead,
                                  struct handler **ret, struct error *err);

#endif
