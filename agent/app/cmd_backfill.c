/* SPDX-License-Identifier: MIT */
/*
 * cmd_backfill: a past span of a connector's list, read by the running agent:
 * asks for it, follows it, cancels it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "app/ask.h"
#include "app/backfill_report.h"
#include "app/commands.h"
#include "app/interrupt.h"
#include "app/load.h"
#include "app/options.h"
#include "base/instant.h"
#include "io/clock.h"
#include "io/log_sink.h"
#include "wire/json.h"

#define ASK_TIMEOUT_MS (10 * INSTANT_SECOND_MS)
#define LOOK_MS        250
#define LINE_MS        (10 * INSTANT_SECOND_MS) /* off a terminal */

struct backfill_command {
    const struct configuration *configuration;
    const struct connector *connector;
    const char *since;
    const char *until;
    const char *rate;
    bool again;
    bool detach;
    bool cancel;
    bool json;
    bool bar;
};

/* ---- the agent ---- */

/* Asks, and takes the answer apart. */
static enum exit_code
ask(const struct backfill_command *command, const char *method,
    struct slice body, struct buf *into, struct arena *arena,
    struct backfill_report *ret_report)
{
    const struct ask ask = { .configuration = command->configuration,
                             .command = "backfill",
                             .timeout_ms = ASK_TIMEOUT_MS };
    struct buf path = { 0 };
    enum exit_code code = EXIT_FAILED;
    buf_format(&path, "/api/v1/connectors/%.*s/backfill",
               SLICE_ARG(command->connector->name));
    if (buf_status(&path) == STATUS_OK) {
        code = ask_agent(&ask, method, path.ptr, body, into);
    }
    buf_fini(&path);
    if (code == EXIT_OK &&
        backfill_report_read(buf_slice(into), arena, ret_report) != STATUS_OK) {
        (void)fprintf(stderr, "longstop backfill: the agent's answer says "
                              "nothing of a backfill\n");
        code = EXIT_FAILED;
    }
    return code;
}

static void
put_wish(const struct backfill_command *command, struct buf *into)
{
    buf_text(into, "{\"since\":");
    buf_json(into, slice_of(command->since));
    if (command->until != NULL) {
        buf_text(into, ",\"until\":");
        buf_json(into, slice_of(command->until));
    }
    if (command->rate != NULL) {
        buf_text(into, ",\"rate\":");
        buf_json(into, slice_of(command->rate));
    }
    buf_text(into, command->again ? ",\"again\":true}" : "}");
}

/* ---- what is shown ---- */

static void
show(const struct backfill_command *command,
     const struct backfill_report *report, struct slice json)
{
    struct buf text = { 0 };
    bool bar = command->bar && !report->is_over;
    if (command->json) {
        buf_append(&text, json);
    } else if (bar) {
        buf_byte(&text, '\r');
        backfill_report_bar(report, &text);
    } else {
        if (command->bar) {
            buf_format(&text, "\r%78s\r", "");
        }
        backfill_report_line(report, &text);
        buf_byte(&text, '\n');
    }
    if (buf_status(&text) == STATUS_OK) {
        (void)fwrite(text.ptr, 1, text.len, stdout);
        (void)fflush(stdout);
    }
    buf_fini(&text);
}

static void
say_how_to_go_on(const struct backfill_command *command)
{
    struct slice name = command->connector->name;
    (void)fprintf(stderr,
                  "%sthe backfill goes on in the agent: 'longstop backfill "
                  "%.*s' looks at it,\n'longstop backfill %.*s --cancel' ends "
                  "it\n",
                  command->bar ? "\n" : "", SLICE_ARG(name), SLICE_ARG(name));
}

static void
rest(void)
{
    const struct timespec span = { .tv_nsec = LOOK_MS * 1000000L };
    (void)nanosleep(&span, NULL); /* an interrupt ends it */
}

/* Looks until it is over. `started` names the run that was asked for: another
 * one's end is not its. */
static enum exit_code
follow(const struct backfill_command *command, struct slice started)
{
    int64_t next_ms = 0;
    enum exit_code code = EXIT_OK;
    bool is_over = false;
    while (code == EXIT_OK && !is_over && !interrupt_seen()) {
        struct arena arena = { 0 };
        struct buf json = { 0 };
        struct backfill_report report;
        code = ask(command, "GET", (struct slice){ NULL, 0 }, &json, &arena,
                   &report);
        if (code == EXIT_OK && !slice_equal(report.started, started)) {
            (void)fprintf(stderr, "longstop backfill: the store did not take "
                                  "it; the agent's log says why\n");
            code = EXIT_FAILED;
        } else if (code == EXIT_OK) {
            int64_t now_ms = clock_monotonic_ms();
            is_over = report.is_over;
            if (is_over || command->bar || now_ms >= next_ms) {
                show(command, &report, buf_slice(&json));
                next_ms = now_ms + LINE_MS;
            }
            code = is_over && !report.is_done ? EXIT_FAILED : EXIT_OK;
        }
        arena_fini(&arena);
        buf_fini(&json);
        if (code == EXIT_OK && !is_over) {
            rest();
        }
    }
    if (code == EXIT_OK && !is_over) {
        say_how_to_go_on(command);
        return EXIT_LATER;
    }
    return code;
}

/* ---- the command ---- */

static enum exit_code
run(const struct backfill_command *command)
{
    struct arena arena = { 0 };
    struct buf wish = { 0 }, json = { 0 };
    struct backfill_report report;
    const char *method = command->cancel          ? "DELETE"
                         : command->since != NULL ? "POST"
                                                  : "GET";
    enum exit_code code = EXIT_FAILED;
    if (command->since != NULL && !command->cancel) {
        put_wish(command, &wish);
    }
    if (buf_status(&wish) == STATUS_OK) {
        code = ask(command, method, buf_slice(&wish), &json, &arena, &report);
    }
    if (code == EXIT_OK && (command->detach || command->cancel)) {
        show(command, &report, buf_slice(&json));
    } else if (code == EXIT_OK) {
        code = follow(command, report.started);
    }
    buf_fini(&wish);
    buf_fini(&json);
    arena_fini(&arena);
    return code;
}

static enum exit_code
backfill(struct backfill_command *command, const char *name)
{
    command->connector =
        load_connector(command->configuration, "backfill", name);
    if (command->connector == NULL) {
        return EXIT_USAGE;
    }
    command->bar = !command->json && !command->detach && !command->cancel &&
                   isatty(STDOUT_FILENO);
    interrupt_begin();
    return run(command);
}

enum exit_code
cmd_backfill(int argc, char **argv)
{
    const char *path = NULL;
    struct backfill_command command = { 0 };
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "since", 0, "T", "from here on: a time, or an age such as 90d",
          &command.since, NULL },
        { "until", 0, "T", "up to here; default: now", &command.until, NULL },
        { "again", 0, NULL, "also where the ledger has forgotten its ids", NULL,
          &command.again },
        { "rate", 0, "N/T", "requests at most, such as 2/1s", &command.rate,
          NULL },
        { "detach", 0, NULL, "do not wait for its end", NULL, &command.detach },
        { "cancel", 0, NULL, "end the one that is running", NULL,
          &command.cancel },
        { "json", 0, NULL, "as JSON, a line at a time", NULL, &command.json },
    };
    const struct command_spec spec = {
        .name = "backfill",
        .operands = "CONNECTOR",
        .operand_count = 1,
        .summary = "Has the running agent read a past span of a connector's "
                   "list; what is new\nthere is handed over, what is known is "
                   "not. It goes on over restarts. Without\n--since: follows "
                   "the one that is running, or says how the last one ended.",
        .examples = "  longstop backfill shop --since 90d\n"
                    "  longstop backfill shop --since 2026-01-31 "
                    "--until 2026-02-07\n",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
    };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    struct configuration configuration;
    enum exit_code code = load_configuration_to_ask(path, &configuration);
    if (code != EXIT_OK) {
        return code;
    }
    log_sink_open(NULL, LOG_ERROR);
    command.configuration = &configuration;
    code = backfill(&command, operands[0]);
    configuration_fini(&configuration);
    return code;
}
