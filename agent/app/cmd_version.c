/* SPDX-License-Identifier: MIT */
/*
 * cmd_version: prints the version of the program.
 */
#include <stdio.h>

#include "app/commands.h"
#include "app/options.h"

enum exit_code
cmd_version(int argc, char **argv)
{
    bool json = false;
    const struct option_spec options[] = {
        { "json", 0, NULL, "as JSON", NULL, &json },
    };
    const struct command_spec spec = { .name = "version",
                                       .operands = "",
                                       .summary = "Prints the version.",
                                       .options = options,
                                       .option_count = 1 };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    (void)printf(json ? "{\"version\":\"%s\"}\n" : "longstop %s\n",
                 LONGSTOP_VERSION);
    return EXIT_OK;
}
