/* SPDX-License-Identifier: MIT */
/*
 * main: the first word to a command; its end to an exit code.
 */
#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "base/bytes.h"
#include "base/suggest.h"
#include "config/config_report.h"
#include "wire/digest.h"

struct command {
    const char *name;
    enum exit_code (*run)(int argc, char **argv);
    const char *summary;
};

static const struct command commands[] = {
    { "run", cmd_run, "run the agent in the foreground" },
    { "check", cmd_check, "check a configuration, offline" },
    { "init", cmd_init, "print a commented configuration to start from" },
    { "verify", cmd_verify, "say whether a captured webhook is genuine" },
    { "poll", cmd_poll, "one walk of a connector's list, now" },
    { "backfill", cmd_backfill, "read a past span of a connector's list" },
    { "subscribe", cmd_subscribe, "have a provider send its webhooks here" },
    { "redeliver", cmd_redeliver, "have what failed sent again" },
    { "status", cmd_status, "how the running agent stands" },
    { "pause", cmd_pause, "leave a handler or a connector's list alone" },
    { "resume", cmd_resume, "let go on what is paused" },
    { "events", cmd_events, "list the events that are kept" },
    { "show", cmd_show, "all that is known of one event" },
    { "export", cmd_export, "write events as lines of JSON" },
    { "import", cmd_import, "take such lines into this store" },
    { "dead", cmd_dead, "list the dead letters" },
    { "retry", cmd_retry, "try dead letters again" },
    { "drop", cmd_drop, "let dead letters go" },
    { "replay", cmd_replay, "hand old events over once more" },
    { "errands", cmd_errands, "how retries, drops and replays stand" },
    { "gaps", cmd_gaps, "list what could not be read, or close one" },
    { "tail", cmd_tail, "show events and deliveries as they happen" },
    { "refusals", cmd_refusals, "list requests that were not accepted" },
    { "keys", cmd_keys, "whether ids of both channels meet" },
    { "demo", cmd_demo, "lose hooks on purpose and see them recovered" },
    { "schema", cmd_schema, "print a JSON Schema" },
    { "version", cmd_version, "print the version" },
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

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
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        (void)fprintf(to, "  %-10s %s\n", commands[i].name,
                      commands[i].summary);
    }
    (void)fprintf(to, "\n'longstop COMMAND --help' says more.\n");
}

static const struct command *
find(const char *name)
{
    if (strcmp(name, "--version") == 0) {
        name = "version";
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static int
complain(const char *name)
{
    const char *names[COMMAND_COUNT];
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        names[i] = commands[i].name;
    }
    (void)fprintf(stderr, "longstop: there is no command '%s'\n", name);
    const char *near = suggest_near(slice_of(name), names, COMMAND_COUNT);
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
    return (int)command->run(argc - 1, argv + 1);
}
