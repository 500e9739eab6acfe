/* SPDX-License-Identifier: MIT */
/*
 * cmd_pause: has the running agent leave a handler or a connector's list alone,
 * or go on; over restarts.
 */
#include <stdio.h>

#include "app/ask.h"
#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "app/told.h"
#include "model/connector.h"
#include "wire/encode.h"
#include "wire/json.h"

struct wish {
    const char *command; /* "pause" or "resume" */
    const char *name;
    bool is_resume;
    const char *reason; /* NULL: none given */
    bool handler;       /* it is said to be one */
    bool connector;
};

static bool
has_handler(const struct configuration *configuration, struct slice name)
{
    const struct config_list *list = &configuration->settings.handlers;
    bool found = false;
    for (size_t i = 0; i < list->count; i++) {
        found = found || slice_equal(list->names[i], name);
    }
    return found;
}

static bool
has_connector(const struct configuration *configuration, struct slice name)
{
    bool found = false;
    for (size_t i = 0; i < configuration->connector_count; i++) {
        found = found || slice_equal(configuration->connectors[i].name, name);
    }
    return found;
}

/* Returns "handlers" or "connectors"; NULL: it cannot be told, which has been
 * said. */
static const char *
kind_of(const struct configuration *configuration, const struct wish *wish)
{
    struct slice name = slice_of(wish->name);
    bool handler = !wish->connector && has_handler(configuration, name);
    bool connector = !wish->handler && has_connector(configuration, name);
    if (handler && connector) {
        (void)fprintf(stderr,
                      "longstop %s: '%s' is a handler and a connector: say "
                      "--handler or --connector\n",
                      wish->command, wish->name);
        return NULL;
    }
    if (!handler && !connector) {
        (void)fprintf(stderr,
                      "longstop %s: '%s' is no %s of the configuration\n",
                      wish->command, wish->name,
                      wish->handler     ? "handler"
                      : wish->connector ? "connector"
                                        : "handler and no connector");
        return NULL;
    }
    return handler ? "handlers" : "connectors";
}

static void
change_text(struct slice body, const void *arg, struct buf *into)
{
    struct arena arena = { 0 };
    bool is_handler =
        slice_equal_text(told_text(body, "kind", &arena), "handler");
    bool is_paused = told_true(body, "paused");
    (void)arg;
    buf_text(into, is_handler ? "handler " : "connector ");
    told_plain(told_text(body, "name", &arena), into);
    buf_text(into, !is_paused ? " goes on\n"
                   : is_handler
                       ? " is paused: what is owed to it waits, until "
                         "'longstop resume'\n"
                       : " is paused: its list is not asked, webhooks are "
                         "taken as ever\n");
    arena_fini(&arena);
}

static enum exit_code
ask_for(const struct configuration *configuration, const struct wish *wish,
        bool json)
{
    const struct ask ask = { .configuration = configuration,
                             .command = wish->command };
    const struct ask_form form = { json, change_text, NULL };
    const char *kind = kind_of(configuration, wish);
    if (kind == NULL) {
        return EXIT_USAGE;
    }
    struct buf path = { 0 };
    struct buf body = { 0 };
    enum exit_code code = EXIT_FAILED;
    buf_format(&path, "/api/v1/%s/", kind);
    encode_percent(slice_of(wish->name), NULL, &path);
    buf_format(&path, "/%s", wish->command);
    if (wish->reason != NULL) {
        buf_text(&path, "?reason=");
        encode_percent(slice_of(wish->reason), NULL, &path);
    }
    if (buf_status(&path) == STATUS_OK) {
        code =
            ask_agent(&ask, "POST", path.ptr, (struct slice)SLICE(""), &body);
    }
    buf_fini(&path);
    return ask_print(&ask, code, &body, &form);
}

/* Both commands, by their words; a reason is for one of them. */
static enum exit_code
run(const struct command_spec *words, int argc, char **argv, struct wish *wish)
{
    const char *path = NULL;
    bool json = false;
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "handler", 0, NULL, "the name is a handler's", NULL, &wish->handler },
        { "connector", 0, NULL, "the name is a connector's", NULL,
          &wish->connector },
        { "json", 0, NULL, "as JSON", NULL, &json },
        { "reason", 'r', "TEXT", "why, for whoever looks at 'status'",
          &wish->reason, NULL },
    };
    char **operands;
    struct command_spec spec = *words;
    spec.operands = "NAME";
    spec.operand_count = 1;
    spec.options = options;
    spec.option_count =
        sizeof(options) / sizeof(options[0]) - (wish->is_resume ? 1 : 0);
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    struct configuration configuration;
    enum exit_code code = load_configuration_to_ask(path, &configuration);
    if (code == EXIT_OK) {
        wish->name = operands[0];
        code = ask_for(&configuration, wish, json);
        configuration_fini(&configuration);
    }
    return code;
}

enum exit_code
cmd_pause(int argc, char **argv)
{
    struct wish wish = { .command = "pause" };
    const struct command_spec spec = {
        .name = "pause",
        .summary = "Has the running agent give nothing to a handler, so that "
                   "what is owed to it waits,\nor not ask a connector's list, "
                   "while its webhooks are taken as ever. It stays so over\n"
                   "restarts, until 'longstop resume NAME'.",
        .examples = "  longstop pause fulfil --reason 'until it is fixed'\n"
                    "  longstop pause shop\n",
    };
    return run(&spec, argc, argv, &wish);
}

enum exit_code
cmd_resume(int argc, char **argv)
{
    struct wish wish = { .command = "resume", .is_resume = true };
    const struct command_spec spec = {
        .name = "resume",
        .summary = "Lets a handler or a connector go on that was paused: by "
                   "'longstop pause', or a\nhandler by its own answer 410.",
        .examples = "  longstop resume fulfil\n",
    };
    return run(&spec, argc, argv, &wish);
}
