/* SPDX-License-Identifier: MIT */
/*
 * main: the first word to a command; its end to an exit code.
 */
#include <stdio.h>
#include <string.h>

#include "app/command_table.h"
#include "base/bytes.h"
#include "base/suggest.h"
#include "config/config_report.h"
#include "io/shortage.h"
#include "wire/digest.h"

static void
print_help(FILE *to)
{
    (void)fprintf(to, "Longstop catches what webhooks miss.\n\n"
                      "usage: longstop COMMAND [OPTIONS]\n\n"
                      "examples:\n"
                      "  longstop demo\n"
                      "  longstop init stripe > longstop.yaml\n"
                      "  longstop check && longstop run\n\n"
                      "commands:\n");
    for (size_t i = 0; i < command_count; i++) {
        (void)fprintf(to, "  %-10s %s\n", command_table[i].name,
                      command_table[i].summary);
    }
    (void)fprintf(to, "\n'longstop COMMAND --help' says more.\n");
}

static const struct command *
find(const char *name)
{
    if (strcmp(name, "--version") == 0) {
        name = "version";
    }
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(command_table[i].name, name) == 0) {
            return &command_table[i];
        }
    }
    return NULL;
}

static int
complain(const char *name)
{
    const char *names[COMMANDS_MAX];
    for (size_t i = 0; i < command_count; i++) {
        names[i] = command_table[i].name;
    }
    (void)fprintf(stderr, "longstop: there is no command '%s'\n", name);
    const char *near = suggest_near(slice_of(name), names, command_count);
    if (near != NULL) {
        (void)fprintf(stderr, "did you mean 'longstop %s'?\n", near);
    }
    return EXIT_USAGE;
}

int
main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return EXIT_OK;
    }
    const struct command *command = find(argv[1]);
    struct error err = { 0 };
    if (command == NULL) {
        return complain(argv[1]);
    }
    /* Before anything that may run out of memory, see digest.h, and before
     * connectors prepare their keys while they are bound. */
    if (digest_init(&err) != STATUS_OK) {
        (void)fprintf(stderr, "longstop: %s\n", err.text);
        return EXIT_FAILED;
    }
    shortage_begin();
    return (int)command->run(argc - 1, argv + 1);
}
