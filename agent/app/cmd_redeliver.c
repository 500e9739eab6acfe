/* SPDX-License-Identifier: MIT */
/*
 * cmd_redeliver: has a provider send again what it could not deliver. Works
 * alone: what is sent again comes in by the running agent's webhook route.
 */
#include <stdio.h>

#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "app/told.h"
#include "base/instant.h"
#include "flow/redelivery.h"
#include "io/clock.h"
#include "io/http_client.h"
#include "io/log_sink.h"
#include "io/loop.h"
#include "source/access.h"
#include "wire/json_tree.h"
#include "wire/timefmt.h"

enum { MOST_DEFAULT = 1000 };

struct command {
    const struct configuration *configuration;
    const struct connector *connector;
    struct slice id;
    const char *since;        /* as people wrote it; NULL: not by time */
    struct request_span span; /* what that means */
    bool is_dry;
    bool json;
    struct loop *loop;
    struct json_tree *tree; /* NULL: for people */
    struct json_node *rows;
    size_t told;
    size_t refused;
    enum exit_code code;
};

static void
row_text(const struct command *command, const struct redelivery_row *row)
{
    struct buf line = { 0 };
    char since[INSTANT_TEXT_BYTES];
    if (row->failed == NULL) {
        buf_format(&line, "all that failed since %s",
                   instant_text(command->span.from_ms, since));
    } else {
        told_plain(row->failed->id, &line);
    }
    (void)printf("%.*s", SLICE_ARG(buf_slice(&line)));
    if (row->http_status != 0) {
        (void)printf(" -> %u", row->http_status);
    }
    (void)printf("%s%s\n", row->why != NULL ? ": " : "",
                 row->why != NULL ? row->why : "");
    buf_fini(&line);
}

static void
told_row(void *arg, const struct redelivery_row *row)
{
    struct command *command = arg;
    command->told++;
    command->refused += row->why != NULL;
    if (command->tree == NULL) {
        row_text(command, row);
        return;
    }
    struct json_node *node =
        json_add_object(command->tree, command->rows, NULL);
    if (row->failed == NULL) {
        char since[INSTANT_TEXT_BYTES];
        json_add_text(command->tree, node, "since",
                      slice_of(instant_text(command->span.from_ms, since)));
    } else {
        json_add_text(command->tree, node, "id", row->failed->id);
    }
    if (row->http_status != 0) {
        json_add_i64(command->tree, node, "status", row->http_status);
    }
    if (row->why != NULL) {
        json_add_text(command->tree, node, "error", slice_of(row->why));
    }
}

static void
complain(struct command *command, enum status status, const struct error *err)
{
    command->code = status == STATUS_UNAVAILABLE || status == STATUS_TIMEOUT ||
                            status == STATUS_BUSY
                        ? EXIT_LATER
                        : load_exit_code(status);
    (void)fprintf(stderr, "longstop redeliver: %s\n", error_text(err, status));
}

static void
ended(void *arg, enum status status, const struct error *err)
{
    struct command *command = arg;
    const bool asks =
        !command->is_dry && failed_is_sent_again(command->connector);
    loop_stop(command->loop);
    if (status != STATUS_OK) {
        complain(command, status, err);
        return;
    }
    command->code =
        command->refused > 0 || (command->id.len > 0 && command->told == 0)
            ? EXIT_FAILED
            : EXIT_OK;
    if (command->tree == NULL && command->since == NULL) {
        (void)printf("%zu %s%s\n", command->told,
                     asks ? "asked for again" : "failed",
                     command->id.len > 0 && command->told == 0
                         ? ": the list does not have it"
                         : "");
    }
    if (!failed_is_sent_again(command->connector) && !command->is_dry &&
        command->told > 0) {
        (void)fprintf(stderr,
                      "longstop redeliver: the provider has no request that "
                      "sends them again; do it there, or 'longstop backfill' "
                      "reads them\n");
        command->code = EXIT_FAILED;
    }
}

static void
run(struct command *command)
{
    const struct http_client_settings client_settings = {
        .connections = 1, .connections_per_host = 1, .user_agent = "longstop"
    };
    struct redelivery_settings settings = {
        .connector = command->connector,
        .id = command->id,
        .span = command->span,
        .asks = !command->is_dry && failed_is_sent_again(command->connector),
        .most = MOST_DEFAULT,
        .row = told_row,
        .ended = ended,
        .arg = command,
    };
    struct http_client *client = NULL;
    struct access *access = NULL;
    struct redelivery *redelivery = NULL;
    struct error err = { 0 };
    enum status status = loop_create(&command->loop);
    if (status == STATUS_OK) {
        status =
            http_client_create(command->loop, &client_settings, &client, &err);
    }
    if (status == STATUS_OK) {
        status =
            access_create(command->loop, client,
                          command->configuration->places.secrets.ptr, &access);
    }
    settings.loop = command->loop;
    settings.access = access;
    if (status == STATUS_OK) {
        status = redelivery_start(&settings, &redelivery, &err);
    }
    if (status == STATUS_OK) {
        loop_run(command->loop);
    } else {
        complain(command, status, &err);
    }
    redelivery_destroy(redelivery);
    access_destroy(access);
    http_client_destroy(client);
    loop_destroy(command->loop);
}

/* Whether the provider can be asked at all, and how; says so if not. */
static bool
can_ask(const struct command *command, const char *name)
{
    const bool by_time = failed_is_asked_by_time(command->connector);
    if (command->since != NULL && !by_time) {
        (void)fprintf(stderr,
                      "longstop redeliver: the provider of '%s' cannot be "
                      "asked for all of a time; %s'longstop backfill %s "
                      "--since %s' reads its list again\n",
                      name,
                      failed_is_listed(command->connector)
                          ? "without --since what it lists as failed is "
                            "asked for, and "
                          : "",
                      name, command->since);
        return false;
    }
    if (command->since == NULL && !failed_is_listed(command->connector)) {
        (void)fprintf(stderr,
                      "longstop redeliver: the provider of '%s' does not list "
                      "what it could not deliver; %s\n",
                      name,
                      by_time ? "say from when on: --since TIME"
                              : "'longstop backfill' reads its list again");
        return false;
    }
    return true;
}

/* From when on until now; false, and why, where that is no span. */
static bool
read_span(struct command *command)
{
    const int64_t now_ms = clock_unix_ms();
    int64_t from_ms;
    if (command->since == NULL) {
        return true;
    }
    if (command->id.len > 0) {
        (void)fprintf(stderr, "longstop redeliver: an ID and --since are two "
                              "ways to say what; give one\n");
        return false;
    }
    if (timefmt_read_since(slice_of(command->since), now_ms, &from_ms) !=
            STATUS_OK ||
        from_ms < 0 || from_ms >= now_ms) {
        (void)fprintf(stderr,
                      "longstop redeliver: --since is '%s': must be a past "
                      "time such as 2026-01-31T00:00:00Z, or an age such as "
                      "2h\n",
                      command->since);
        return false;
    }
    command->span = (struct request_span){ from_ms, now_ms };
    return true;
}

static enum exit_code
redeliver(struct command *command, const struct configuration *configuration,
          const char *name)
{
    struct buf text = { 0 };
    command->configuration = configuration;
    command->connector = load_connector(configuration, "redeliver", name);
    if (command->connector == NULL) {
        return EXIT_USAGE;
    }
    if (!can_ask(command, name)) {
        return EXIT_FAILED;
    }
    if (command->json && json_tree_create(&command->tree) != STATUS_OK) {
        return EXIT_FAILED;
    }
    if (command->tree != NULL) {
        command->rows = json_add_array(
            command->tree, json_tree_root(command->tree), "deliveries");
    }
    run(command);
    if (command->tree != NULL &&
        json_tree_print(command->tree, true, &text) == STATUS_OK) {
        (void)printf("%s\n", text.ptr);
    }
    json_tree_destroy(command->tree);
    buf_fini(&text);
    return command->code;
}

enum exit_code
cmd_redeliver(int argc, char **argv)
{
    const char *path = NULL;
    struct command command = { .code = EXIT_FAILED };
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "since", 0, "T",
          "all that failed from here on: a time, or an age such as 2h",
          &command.since, NULL },
        { "dry-run", 'n', NULL, "only list what failed", NULL,
          &command.is_dry },
        { "json", 0, NULL, "as JSON", NULL, &command.json },
    };
    const struct command_spec spec = {
        .name = "redeliver",
        .operands = "CONNECTOR [ID]",
        .operand_count = 1,
        .operand_more = 1,
        .summary = "Has the provider send again what it could not deliver, or "
                   "one of that by\nits id. It comes in by the webhook route "
                   "of the running agent.",
        .examples = "  longstop redeliver --dry-run code\n"
                    "  longstop redeliver hooks --since 2h\n",
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
    command.id = slice_of(operands[1]);
    code = read_span(&command)
               ? redeliver(&command, &configuration, operands[0])
               : EXIT_USAGE;
    configuration_fini(&configuration);
    return code;
}
