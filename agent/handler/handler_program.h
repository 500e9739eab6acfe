/* SPDX-License-Identifier: MIT */
/*
 * handler_program: the program of a handler that runs one, as configured: its
 * arguments, the environment that all its children have, and how an end reads.
 */
#ifndef HANDLER_HANDLER_PROGRAM_H
#define HANDLER_HANDLER_PROGRAM_H

#include "base/mem.h"
#include "handler/handler_exec.h"

struct process_end;

struct handler_program {
    const char **argv; /* ends in NULL */
    const char **env;  /* likewise */
    size_t env_count;
    const struct account *account; /* whom it runs as; NULL: as we do */
};

/* STATUS_CONFIG where no program is named, or where we may not become its
 * account. */
NODISCARD
enum status handler_program_check(const struct handler_exec_settings *settings,
                                  struct error *err);

/* False: no memory. */
bool handler_program_copy(struct arena *arena,
                          const struct handler_exec_settings *settings,
                          struct handler_program *ret);

/* Returns "NAME=value", or NULL. A line break in a value could pass for a
 * variable of its own in what `env` prints, and NUL cannot be in one at all:
 * control bytes are escaped. */
char *handler_program_variable(struct arena *arena, const char *name,
                               struct slice value);

/* How a child that was neither late nor cancelled ended: "exit 1". */
struct slice handler_program_end(const struct process_end *end, char *into,
                                 size_t size);

#endif
