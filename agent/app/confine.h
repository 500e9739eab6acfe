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

/* What the sandbox that was entered at the start leaves open. */
struct confined {
    struct arena arena;
    struct slice *at; /* directories that are written to, with all below */
    size_t count;
    bool is_on;
    bool runs_programs;
};

/* Notes that of the configuration that an agent starts with; to be freed with
 * its arena. */
NODISCARD
enum status confine_note(const struct configuration *configuration,
                         struct confined *ret);

/* Reports, as mistakes, what a configuration wants of an agent that runs that
 * its sandbox does not let it do. */
void confine_check(const struct confined *confined,
                   const struct configuration *configuration,
                   struct config_report *report);

/* Enters the sandbox with the calling thread and logs what it is; `ret_text` is
 * that in words, or "off", for `status`. STATUS_CONFIG where all of it is
 * required and something cannot be had. */
NODISCARD
enum status confine_enter(const struct configuration *configuration,
                          char ret_text[CONFINE_TEXT_BYTES], struct error *err);

#endif
