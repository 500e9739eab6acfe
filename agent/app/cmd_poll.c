/* SPDX-License-Identifier: MIT */
/*
 * cmd_poll: one walk of a connector's list, now: by the running agent, or with
 * the store opened here, when no agent runs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "app/agent.h"
#include "app/ask.h"
#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "app/poll_report.h"
#include "base/instant.h"
#include "io/fs.h"
#include "io/log_sink.h"
#include "io/scratch.h"
#include "wire/json.h"

#define WALK_TIMEOUT_MS INSTANT_HOUR_MS

struct poll_command {
    struct configuration *configuration;
    struct connector *connector;
    bool dry_run;
    bool json;
    struct poll_report report;
    struct buf body; /* the finished report */
};

static void
asked(void *arg, const struct poll_asked *what)
{
    struct poll_command *command = arg;
    poll_report_asked(&command->report, what);
}

static void
ended(void *arg, const struct poll_ended *what)
{
    struct poll_command *command = arg;
    poll_report_json(&command->report, what, &command->body);
}

/* Prints the report and says how the walk went. */
static enum exit_code
print_report(struct poll_command *command)
{
    struct buf text = { 0 };
    struct slice outcome;
    struct slice body = buf_slice(&command->body);
    if (buf_status(&command->body) != STATUS_OK ||
        json_check(body, JSON_DEPTH_DEFAULT, NULL) != STATUS_OK) {
        (void)fprintf(stderr, "longstop poll: the walk left no report\n");
        return EXIT_FAILED;
    }
    enum status status = STATUS_OK;
    if (command->json) {
        buf_append(&text, body);
    } else {
        status = poll_report_text(body, &text);
        buf_text(&text, command->dry_run ? "dry run: nothing was stored, and "
                                           "no watermark moved\n"
                                         : "");
    }
    if (status == STATUS_OK) {
        (void)fwrite(buf_slice(&text).ptr, 1, text.len, stdout);
    }
    buf_fini(&text);
    if (!json_member(body, slice_of("outcome"), &outcome)) {
        return EXIT_FAILED;
    }
    return json_means(outcome, slice_of("ok")) ? EXIT_OK
           : json_means(outcome, slice_of("limited")) ||
                   json_means(outcome, slice_of("yielded"))
               ? EXIT_LATER
               : EXIT_FAILED;
}

/* The walk in this process, with a store. */
static enum exit_code
walk_with(struct poll_command *command, struct configuration *configuration)
{
    const struct agent_settings settings = {
        .mode = command->dry_run ? AGENT_POLL_DRY : AGENT_POLL,
        .configuration = configuration,
        .only = command->connector,
        .observer = { command, asked, ended },
        .version = LONGSTOP_VERSION,
    };
    struct agent *agent;
    struct error err = { 0 };
    enum status status = agent_create(&settings, &agent, &err);
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "longstop poll: %s\n", error_text(&err, status));
        return load_exit_code(status);
    }
    enum exit_code code = agent_run(agent);
    agent_destroy(agent);
    if (code == EXIT_STORE) {
        return code;
    }
    return print_report(command);
}

/* A dry run leaves nothing behind: where there is no store yet, it has one
 * that is thrown away. */
static enum exit_code
walk_without_store(struct poll_command *command)
{
    struct configuration configuration = *command->configuration;
    struct buf directory = { 0 };
    struct buf url = { 0 };
    struct error err = { 0 };
    enum exit_code code = EXIT_STORE;
    enum status status = scratch_make("longstop-poll", &directory, &err);
    if (status == STATUS_OK) {
        buf_format(&url, "sqlite:%s/longstop.db", directory.ptr);
        status = buf_status(&url);
    }
    if (status == STATUS_OK) {
        configuration.places.store_url = buf_slice(&url);
        code = walk_with(command, &configuration);
    } else {
        (void)fprintf(stderr, "longstop poll: %s\n", error_text(&err, status));
    }
    if (directory.len > 0) {
        scratch_remove(directory.ptr);
    }
    buf_fini(&url);
    buf_fini(&directory);
    return code;
}

/* The walk in this process. */
static enum exit_code
walk_here(struct poll_command *command)
{
    const struct slice path = command->configuration->places.store_path;
    return command->dry_run && path.len > 0 && !fs_exists(path.ptr)
               ? walk_without_store(command)
               : walk_with(command, command->configuration);
}

/* The walk in the running agent; EXIT_UNAVAILABLE when there is none. */
static enum exit_code
walk_there(struct poll_command *command)
{
    const struct ask ask = { .configuration = command->configuration,
                             .command = "poll",
                             .timeout_ms = WALK_TIMEOUT_MS,
                             .does_alone = true };
    struct buf path = { 0 };
    enum exit_code code = EXIT_FAILED;
    buf_format(&path, "/api/v1/connectors/%.*s/poll%s",
               SLICE_ARG(command->connector->name),
               command->dry_run ? "?dry_run=1" : "");
    if (buf_status(&path) == STATUS_OK) {
        code = ask_agent(&ask, "POST", path.ptr, (struct slice)SLICE(""),
                         &command->body);
    }
    buf_fini(&path);
    return code == EXIT_OK ? print_report(command) : code;
}

static enum exit_code
poll_connector(struct configuration *configuration, const char *name,
               bool dry_run, bool json)
{
    struct poll_command command = { .configuration = configuration,
                                    .dry_run = dry_run,
                                    .json = json };
    enum exit_code code = EXIT_CONFIG;
    command.connector = load_connector(configuration, "poll", name);
    if (command.connector == NULL) {
        code = EXIT_USAGE;
    } else if (!command.connector->has_poll) {
        (void)fprintf(stderr,
                      "longstop poll: connector '%s' does not poll; 'longstop "
                      "check' says why\n",
                      name);
    } else {
        code = walk_there(&command);
        code = code == EXIT_UNAVAILABLE ? walk_here(&command) : code;
    }
    poll_report_fini(&command.report);
    buf_fini(&command.body);
    return code;
}

enum exit_code
cmd_poll(int argc, char **argv)
{
    const char *path = NULL;
    bool dry_run = false, json = false;
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "dry-run", 'n', NULL, "store nothing, move no watermark", NULL,
          &dry_run },
        { "json", 0, NULL, "as JSON", NULL, &json },
    };
    const struct command_spec spec = {
        .name = "poll",
        .operands = "CONNECTOR",
        .operand_count = 1,
        .summary = "Walks a connector's list once, now, and prints requests, "
                   "status, limits\nand what was new. A running agent is "
                   "asked to do it; else what is new is\nowed, and delivered "
                   "by the next run.",
        .examples = "  longstop poll -c longstop.yaml --dry-run shop\n",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
    };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    struct configuration configuration;
    enum exit_code code = load_configuration(path, &configuration);
    if (code != EXIT_OK) {
        return code;
    }
    log_sink_open(NULL, LOG_ERROR);
    code = poll_connector(&configuration, operands[0], dry_run, json);
    configuration_fini(&configuration);
    return code;
}
