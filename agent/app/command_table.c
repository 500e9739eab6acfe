/* SPDX-License-Identifier: MIT */
/* command_table: the commands, in the order in which they are listed. */
#include "app/command_table.h"

#include "app/commands.h"

const struct command command_table[] = {
    { "run", cmd_run, "run the agent in the foreground" },
    { "check", cmd_check, "check a configuration, offline" },
    { "init", cmd_init, "print a commented configuration to start from" },
    { "verify", cmd_verify, "say whether a captured webhook is genuine" },
    { "poll", cmd_poll, "one walk of a connector's list, now" },
    { "backfill", cmd_backfill, "read a past span of a connector's list" },
    { "subscribe", cmd_subscribe, "have a provider send its webhooks here" },
    { "redeliver", cmd_redeliver, "have what failed sent again" },
    { "status", cmd_status, "how the running agent stands" },
    { "reload", cmd_reload, "have the running agent read its configuration" },
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
    { "receivers", cmd_receivers, "who is sent events as webhooks" },
    { "gaps", cmd_gaps, "list what could not be read, or close one" },
    { "tail", cmd_tail, "show events and deliveries as they happen" },
    { "refusals", cmd_refusals, "list requests that were not accepted" },
    { "keys", cmd_keys, "whether ids of both channels meet" },
    { "store", cmd_store, "back the store up, check it, restore it" },
    { "doctor", cmd_doctor, "look over it all, and say what to do" },
    { "demo", cmd_demo, "lose hooks on purpose and see them recovered" },
    { "schema", cmd_schema, "print a JSON Schema" },
    { "manual", cmd_manual, "print a page of the manual" },
    { "completion", cmd_completion, "print what completes words in a shell" },
    { "version", cmd_version, "print the version" },
};

const size_t command_count = sizeof(command_table) / sizeof(command_table[0]);

_Static_assert(sizeof(command_table) / sizeof(command_table[0]) <= COMMANDS_MAX,
               "COMMANDS_MAX is too small");

void
command_table_show(options_show_fn *fn, void *arg)
{
    options_show(fn, arg);
    for (size_t i = 0; i < command_count; i++) {
        char room[1] = "";
        char *argv[] = { room, NULL };
        (void)command_table[i].run(1, argv);
    }
    options_show(NULL, NULL);
}
