/* SPDX-License-Identifier: MIT */
/*
 * handler_exec: runs a program per delivery: the envelope on stdin, the exit
 * code to an outcome; no shell.
 *
 * Exit 0 is done, 65 (EX_DATAERR) dead at once, anything else later. The
 * environment is emptied but for LONGSTOP_EVENT_ID, _TYPE, _CONNECTOR, _VIA,
 * _ATTEMPT, _HANDLER, _IDEMPOTENCY_KEY, a standard PATH, and what `env` adds;
 * nothing of a payload is ever in argv. A batch has LONGSTOP_BATCH, the number
 * of its events, in place of what speaks of one: all but _HANDLER and
 * _IDEMPOTENCY_KEY.
 */
#ifndef HANDLER_HANDLER_EXEC_H
#define HANDLER_HANDLER_EXEC_H

#include "handler/handler.h"

struct account;
struct process_spawner;

struct handler_exec_settings {
    struct slice name;        /* of the handler */
    const struct slice *argv; /* argv[0] resolved: absolute, or without '/' */
    size_t argc;
    const struct slice *env; /* "NAME=value" */
    size_t env_count;
    const struct account *account; /* NULL: ours; borrowed, with its groups */
    int64_t timeout_ms;
    int64_t kill_after_ms; /* 5 s */
    size_t output_limit;   /* 4 KiB */
};

/* Copies the settings; borrows the spawner. */
NODISCARD
enum status handler_exec_create(struct process_spawner *spawner,
                                const struct handler_exec_settings *settings,
                                struct handler **ret, struct error *err);

#endif
