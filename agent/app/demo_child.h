/* SPDX-License-Identifier: MIT */
/*
 * demo_child: a process of the demo's cast, which never outlives the demo.
 */
#ifndef APP_DEMO_CHILD_H
#define APP_DEMO_CHILD_H

#include "base/status.h"

#include <stdbool.h>
#include <sys/types.h>

struct demo_child {
    pid_t pid;       /* 0: not running */
    int wait_status; /* as waitpid left it */
};

struct demo_child_spec {
    const char *const *argv; /* argv[0] is a path; NULL-terminated */
    int out;                 /* becomes its stdout; -1: its log */
    int log;                 /* becomes its stderr */
    int listener;            /* inherited as systemd would pass it, called
                                "hooks"; -1: none */
};

NODISCARD
enum status demo_child_start(const struct demo_child_spec *spec,
                             struct demo_child *ret, struct error *err);

/* Whether it still runs; its end is noted when it has come. */
bool demo_child_running(struct demo_child *child);

/* SIGTERM, and SIGKILL when `patience_ms` have passed. Returns whether it
 * ended by itself, with exit code 0. */
bool demo_child_stop(struct demo_child *child, int patience_ms);

#endif
