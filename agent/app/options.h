/* SPDX-License-Identifier: MIT */
/*
 * options: the command line of one command, from a table that also prints its
 * help, and is shown to those who print manual and completions.
 */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct option_spec {
    const char *name;  /* without dashes */
    char letter;       /* 0: none */
    const char *value; /* how its value is called; NULL: a flag */
    const char *help;
    const char **text; /* where the value goes */
    bool *flag;        /* or where the flag goes */
};

struct command_spec {
    const char *name;
    const char *operands; /* "CONNECTOR REQUEST", "" for none */
    size_t operand_count; /* so many */
    size_t operand_more;  /* or up to so many more; the rest is NULL */
    const char *summary;
    const char *examples; /* lines, or NULL */
    const struct option_spec *options;
    size_t option_count;
};

enum options_verdict {
    OPTIONS_OK,
    OPTIONS_HELP, /* asked for and printed on stdout */
    OPTIONS_WRONG /* said on stderr, with the usage */
};

/* Parses; *ret_operands points into argv, where a NULL stands behind the last.
 */
enum options_verdict options_parse(const struct command_spec *spec, int argc,
                                   char **argv, char ***ret_operands);

/* Is shown a command's table, which lives as long as the call. */
typedef void options_show_fn(void *arg, const struct command_spec *spec);

/*
 * From now on options_parse parses nothing: it shows the table to `fn` and
 * answers OPTIONS_HELP. NULL ends that. So the pages and the completions are
 * made from the tables that are parsed with.
 */
void options_show(options_show_fn *fn, void *arg);

#endif
