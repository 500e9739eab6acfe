/* SPDX-License-Identifier: MIT */
/*
 * load: a configuration for a command: reads it and prints what is wrong with
 * it.
 */
#ifndef APP_LOAD_H
#define APP_LOAD_H

#include "app/configuration.h"
#include "app/exit_code.h"

/*
 * Loads `path` (NULL: the usual places). Findings go to stderr, as text.
 * Returns EXIT_OK and fills *ret, which the caller ends with
 * configuration_fini; else how the process ends.
 */
enum exit_code load_configuration(const char *path, struct configuration *ret);

/* Prints what was found on stderr, as text. */
void load_print_findings(const struct config_report *report);

/* The same by configuration_load_to_register. */
enum exit_code load_configuration_to_register(const char *path,
                                              struct configuration *ret);

/* The same by configuration_load_to_ask. */
enum exit_code load_configuration_to_ask(const char *path,
                                         struct configuration *ret);

/* The exit code that goes with a status. */
enum exit_code load_exit_code(enum status status);

/* Returns the connector that the command line of `command` names; NULL when
 * there is none, which is said on stderr with the nearest there is. */
struct connector *load_connector(const struct configuration *configuration,
                                 const char *command, const char *name);

#endif
