/* SPDX-License-Identifier: MIT */
/*
 * command_table: every command, its name and what it is for in a few words.
 */
#ifndef APP_COMMAND_TABLE_H
#define APP_COMMAND_TABLE_H

#include "app/exit_code.h"
#include "app/options.h"

#include <stddef.h>

#define COMMANDS_MAX 64

struct command {
    const char *name;
    enum exit_code (*run)(int argc, char **argv);
    const char *summary; /* no sentence, and no dot */
};

extern const struct command command_table[];
extern const size_t command_count; /* at most COMMANDS_MAX */

/* Shows `fn` the table of each command, in order, and runs none: a command
 * parses before it does anything. */
void command_table_show(options_show_fn *fn, void *arg);

#endif
