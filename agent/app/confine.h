/* SPDX-License-Identifier: MIT */
/*
 * confine: the sandbox of an agent that stays: where it still has to write, and
 * what is done when it cannot be had (`sandbox: auto`, `off`, `require`).
 *
 * Handlers that are programs are the user's own and are not held: who starts
 * them is a thread that was there before, see agent.c. An agent without such
 * handlers is held with all its threads, and can start no program at all.
 */
#ifndef APP_CONFINE_H
#define APP_CONFINE_H

#include "app/configuration.h"
#include "base/status.h"

#include <stdbool.h>

/* Whether a handler is a program. */
bool confine_runs_programs(const struct configuration *configuration);

enum { CONFINE_TEXT_BYTES = 128 };

/* The sandbox that was entered, and what it leaves open. Starts zeroed. */
struct confined {
    char text[CONFINE_TEXT_BYTES]; /* in words, or "off" */
    struct arena arena;
    struct slice *at; /* directories that are written to, with all below */
    size_t count;
    bool holds; /* nothing else is written to */
    bool runs_programs;
};

/* Reports, as mistakes, what a configuration wants of an agent that runs that
 * its sandbox does not let it do. */
void confine_check(const struct confined *confined,
                   const struct configuration *configuration,
                   struct config_report *report);

/* Enters the sandbox with the calling thread and logs what it is. STATUS_CONFIG
 * where all of it is required and something cannot be had. `ret` is freed with
 * its arena, after a failure too. */
NODISCARD
enum status confine_enter(const struct configuration *configuration,
                          struct confined *ret, struct error *err);

#endif
