/* SPDX-License-Identifier: MIT */
/*
 * cmd_subscribe: has a provider send its webhooks here, and takes that back.
 * Works alone: a registration may well precede the first start of the agent.
 */
#include <stdio.h>

#include "app/admin_client.h"
#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "app/told.h"
#include "base/instant.h"
#include "flow/subscription.h"
#include "io/http_client.h"
#include "io/log_sink.h"
#include "io/loop.h"
#include "model/conceal.h"
#include "source/access.h"
#include "wire/json_tree.h"

enum { EVENTS_MAX = 256 };

struct command {
    const struct configuration *configuration;
    const struct connector *connector;
    enum registration_act act;
    struct slice events[EVENTS_MAX];
    size_t event_count;
    bool events_are_said;
    bool is_dry;
    bool json;
    struct loop *loop;
    struct json_tree *tree;
    struct json_node *requests;
    enum exit_code code;
};

/* ---- what is printed ---- */

/* A line for people, in one piece and without what a terminal would obey. */
static void
print_plain(const struct connector *connector, const char *before,
            struct slice text, FILE *to)
{
    struct buf masked = { 0 };
    struct buf plain = { 0 };
    conceal(connector, text, &masked);
    told_plain(buf_slice(&masked), &plain);
    (void)fprintf(to, "%s%.*s\n", before, SLICE_ARG(buf_slice(&plain)));
    buf_fini(&masked);
    buf_fini(&plain);
}

static void
request_text(const struct command *command,
             const struct subscription_asked *what)
{
    struct buf line = { 0 };
    const struct rendered_request *request = what->request;
    buf_format(&line, "%.*s %.*s", SLICE_ARG(request->method),
               SLICE_ARG(request->url));
    if (what->http_status != 0) {
        buf_format(&line, " -> %u", what->http_status);
    }
    (void)printf("%-8s", what->purpose);
    print_plain(command->connector, "", buf_slice(&line), stdout);
    if (command->is_dry && request->has_body) {
        print_plain(command->connector, "        ", request->body, stdout);
    }
    buf_fini(&line);
}

static void
add_masked(const struct command *command, struct json_node *node,
           const char *name, struct slice text)
{
    struct buf masked = { 0 };
    conceal(command->connector, text, &masked);
    json_add_text(command->tree, node, name, buf_slice(&masked));
    buf_fini(&masked);
}

static void
request_json(const struct command *command,
             const struct subscription_asked *what)
{
    const struct rendered_request *request = what->request;
    struct json_node *node =
        json_add_object(command->tree, command->requests, NULL);
    json_add_text(command->tree, node, "purpose", slice_of(what->purpose));
    json_add_text(command->tree, node, "method", request->method);
    add_masked(command, node, "url", request->url);
    if (command->is_dry && request->has_body) {
        add_masked(command, node, "body", request->body);
    }
    if (what->http_status != 0) {
        json_add_i64(command->tree, node, "status", what->http_status);
    }
}

static void
asked(void *arg, const struct subscription_asked *what)
{
    const struct command *command = arg;
    if (command->json) {
        request_json(command, what);
    } else {
        request_text(command, what);
    }
}

/* One word for what came of it. */
static const char *
outcome_word(const struct command *command,
             const struct registration_outcome *outcome)
{
    const bool is_right =
        outcome->hook_count == 1 && outcome->hooks[0].is_right;
    switch (command->act) {
    case REGISTRATION_REMOVE: return outcome->deleted > 0 ? "removed" : "none";
    case REGISTRATION_RENEW: return "renewed";
    case REGISTRATION_LOOK:
        return !outcome->is_known         ? "unknown"
               : outcome->hook_count == 0 ? "none"
               : is_right                 ? "right"
                                          : "differs";
    case REGISTRATION_MAKE: break;
    }
    return outcome->deleted > 0   ? "replaced"
           : outcome->created > 0 ? "created"
           : outcome->updated > 0 ? "updated"
                                  : "unchanged";
}

/* Whether an agent runs that does not know of the new secret. */
static bool
agent_runs(const struct command *command)
{
    const struct admin_client to = {
        .address = command->configuration->places.admin_address,
        .token = command->configuration->admin_token,
        .tls = command->configuration->settings.admin.tls,
        .timeout_ms = 2 * INSTANT_SECOND_MS,
        .body = SLICE(""),
    };
    struct buf body = { 0 };
    unsigned http_status = 0;
    enum status status =
        admin_client_ask(&to, "GET", "/livez", &http_status, &body, NULL);
    buf_fini(&body);
    return status == STATUS_OK;
}

static void
hooks_text(const struct command *command,
           const struct registration_outcome *outcome)
{
    for (size_t i = 0; i < outcome->hook_count; i++) {
        const struct registration_hook *hook = &outcome->hooks[i];
        struct buf line = { 0 };
        buf_format(&line, "hook %.*s%s%.*s: %s%.*s", SLICE_ARG(hook->id),
                   hook->event.len > 0 ? " for " : "", SLICE_ARG(hook->event),
                   hook->is_right ? "as it should be" : "differs: ",
                   SLICE_ARG(hook->differs));
        print_plain(command->connector, "", buf_slice(&line), stdout);
        buf_fini(&line);
    }
    if (command->act == REGISTRATION_LOOK && outcome->is_known &&
        outcome->hook_count == 0) {
        (void)printf("no hook leads to %.*s\n",
                     SLICE_ARG(command->connector->public_url));
    } else if (!outcome->is_known && command->act == REGISTRATION_LOOK) {
        (void)printf("the provider does not show its hooks\n");
    }
}

static void
secret_text(const struct command *command,
            const struct registration_outcome *outcome)
{
    if (outcome->has_new_secret) {
        (void)printf("the secret is kept in %.*s/%.*s.%s\n",
                     SLICE_ARG(command->configuration->places.secrets),
                     SLICE_ARG(command->connector->name), REGISTRATION_SECRET);
    }
    if (outcome->secret_is_moot) {
        (void)printf("but 'webhook_secret' in the configuration goes before "
                     "it, and is another: take that out\n");
    }
    if (command->act == REGISTRATION_MAKE && outcome->words.len > 0 &&
        !command->connector->has_webhook) {
        (void)printf("give 'webhook_secret' in the configuration: %.*s\n",
                     SLICE_ARG(outcome->words));
    }
}

static void
outcome_text(const struct command *command,
             const struct registration_outcome *outcome, bool runs)
{
    if (command->is_dry) {
        (void)printf("dry run: nothing was sent\n");
        return;
    }
    hooks_text(command, outcome);
    secret_text(command, outcome);
    if (command->act != REGISTRATION_LOOK) {
        (void)printf("%.*s: %s, %.*s\n", SLICE_ARG(command->connector->name),
                     outcome_word(command, outcome),
                     SLICE_ARG(command->connector->public_url));
    }
    if (runs) {
        (void)printf("restart the running agent: it does not know the new "
                     "secret yet\n");
    }
}

static void
outcome_json(const struct command *command,
             const struct registration_outcome *outcome, bool runs)
{
    struct json_tree *tree = command->tree;
    struct json_node *root = json_tree_root(tree);
    json_add_text(
        tree, root, "outcome",
        slice_of(command->is_dry ? "dry_run" : outcome_word(command, outcome)));
    json_add_bool(tree, root, "secret_new", outcome->has_new_secret);
    json_add_bool(tree, root, "restart_needed", runs);
    struct json_node *list = json_add_array(tree, root, "hooks");
    for (size_t i = 0; i < outcome->hook_count; i++) {
        const struct registration_hook *hook = &outcome->hooks[i];
        struct json_node *node = json_add_object(tree, list, NULL);
        json_add_text(tree, node, "id", hook->id);
        if (hook->event.len > 0) {
            json_add_text(tree, node, "event", hook->event);
        }
        json_add_bool(tree, node, "right", hook->is_right);
        json_add_text(tree, node, "differs", hook->differs);
    }
}

/* ---- the work ---- */

static enum exit_code
code_of(enum status status)
{
    return status == STATUS_UNAVAILABLE || status == STATUS_TIMEOUT ||
                   status == STATUS_BUSY
               ? EXIT_LATER
               : load_exit_code(status);
}

static void
complain(struct command *command, enum status status, const struct error *err)
{
    command->code = code_of(status);
    if (command->json) {
        json_add_text(command->tree, json_tree_root(command->tree), "error",
                      slice_of(error_text(err, status)));
    }
    print_plain(command->connector,
                "longstop subscribe: ", slice_of(error_text(err, status)),
                stderr);
}

static void
ended(void *arg, enum status status, const struct registration_outcome *outcome,
      const struct error *err)
{
    struct command *command = arg;
    loop_stop(command->loop);
    if (status != STATUS_OK) {
        complain(command, status, err);
        return;
    }
    const bool runs =
        !command->is_dry && outcome->has_new_secret && agent_runs(command);
    if (command->json) {
        outcome_json(command, outcome, runs);
    } else {
        outcome_text(command, outcome, runs);
    }
    const bool is_wrong =
        command->act == REGISTRATION_LOOK && outcome->is_known &&
        (outcome->hook_count == 0 || !outcome->hooks[0].is_right);
    command->code = is_wrong ? EXIT_FAILED : EXIT_OK;
}

static enum status
carry_out(struct command *command, struct access *access, struct error *err)
{
    const struct subscription_settings settings = {
        .loop = command->loop,
        .access = access,
        .connector = command->connector,
        .secrets = command->configuration->places.secrets.ptr,
        .act = command->act,
        .events = command->events,
        .event_count = command->event_count,
        .events_are_said = command->events_are_said,
        .is_dry = command->is_dry,
        .asked = asked,
        .ended = ended,
        .arg = command,
    };
    struct subscription *subscription = NULL;
    enum status status = subscription_start(&settings, &subscription, err);
    if (status == STATUS_OK) {
        loop_run(command->loop);
    }
    subscription_destroy(subscription);
    return status;
}

static void
run(struct command *command)
{
    const struct http_client_settings settings = { .connections = 1,
                                                   .connections_per_host = 1,
                                                   .user_agent = "longstop" };
    struct http_client *client = NULL;
    struct access *access = NULL;
    struct error err = { 0 };
    enum status status = loop_create(&command->loop);
    if (status == STATUS_OK) {
        status = http_client_create(command->loop, &settings, &client, &err);
    }
    if (status == STATUS_OK) {
        status =
            access_create(command->loop, client,
                          command->configuration->places.secrets.ptr, &access);
    }
    if (status == STATUS_OK) {
        status = carry_out(command, access, &err);
    }
    if (status != STATUS_OK) {
        complain(command, status, &err);
    }
    access_destroy(access);
    http_client_destroy(client);
    loop_destroy(command->loop);
}

/* Where there is nothing to send, people are told what to do. */
static enum exit_code
print_steps(const struct connector *connector)
{
    const struct config_texts *steps = &connector->registration.by_hand;
    for (size_t i = 0; i < steps->count; i++) {
        (void)printf("%zu. %.*s\n", i + 1, SLICE_ARG(steps->at[i]));
    }
    if (connector->public_url.len > 0) {
        (void)printf("The URL to give there: %.*s\n",
                     SLICE_ARG(connector->public_url));
    }
    (void)fprintf(stderr,
                  "longstop subscribe: the provider of '%.*s' takes no "
                  "request for this; it is done by hand\n",
                  SLICE_ARG(connector->name));
    return EXIT_FAILED;
}

static enum status
take_events(struct command *command, const char *text)
{
    const struct config_texts *own = &command->connector->registration.events;
    struct slice rest = slice_of(text);
    struct slice event;
    if (text == NULL) {
        for (size_t i = 0; i < own->count && i < EVENTS_MAX; i++) {
            command->events[command->event_count++] = own->at[i];
        }
        return own->count <= EVENTS_MAX ? STATUS_OK : STATUS_TOO_LARGE;
    }
    command->events_are_said = true;
    while (slice_split(&rest, ',', &event)) {
        event = slice_trim(event);
        if (event.len > 0 && command->event_count == EVENTS_MAX) {
            return STATUS_TOO_LARGE;
        }
        if (event.len > 0) {
            command->events[command->event_count++] = event;
        }
    }
    return STATUS_OK;
}

static enum exit_code
print_json(struct command *command)
{
    struct buf text = { 0 };
    if (json_tree_print(command->tree, true, &text) == STATUS_OK) {
        (void)printf("%s\n", text.ptr);
    } else {
        command->code = EXIT_FAILED;
    }
    buf_fini(&text);
    return command->code;
}

static enum exit_code
subscribe(struct command *command, const char *name, const char *events)
{
    command->connector =
        load_connector(command->configuration, "subscribe", name);
    if (command->connector == NULL) {
        return EXIT_USAGE;
    }
    if (!command->connector->registration.declared &&
        command->connector->registration.by_hand.count > 0) {
        return print_steps(command->connector);
    }
    if (take_events(command, events) != STATUS_OK) {
        (void)fprintf(stderr, "longstop subscribe: more than %d events\n",
                      (int)EVENTS_MAX);
        return EXIT_USAGE;
    }
    if (!command->json) {
        run(command);
        return command->code;
    }
    if (json_tree_create(&command->tree) != STATUS_OK) {
        return EXIT_FAILED;
    }
    json_add_text(command->tree, json_tree_root(command->tree), "connector",
                  command->connector->name);
    command->requests = json_add_array(
        command->tree, json_tree_root(command->tree), "requests");
    run(command);
    enum exit_code code = print_json(command);
    json_tree_destroy(command->tree);
    return code;
}

enum exit_code
cmd_subscribe(int argc, char **argv)
{
    const char *path = NULL;
    const char *events = NULL;
    bool removes = false, looks = false, renews = false;
    struct command command = { .code = EXIT_FAILED };
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "events", 'e', "A,B", "which events; default: register.events",
          &events, NULL },
        { "list", 0, NULL, "only say how it stands", NULL, &looks },
        { "renew", 0, NULL, "have a hook that ends go on", NULL, &renews },
        { "remove", 0, NULL, "take the hook and its secret away", NULL,
          &removes },
        { "dry-run", 'n', NULL, "print the requests, send none", NULL,
          &command.is_dry },
        { "json", 0, NULL, "as JSON", NULL, &command.json },
    };
    const struct command_spec spec = {
        .name = "subscribe",
        .operands = "CONNECTOR",
        .operand_count = 1,
        .summary =
            "Has the provider send its webhooks to this agent: looks for our "
            "hook by its\nURL, makes it, or sets it right; its secret is kept "
            "beside the store. Doing it\nagain does no harm.",
        .examples = "  longstop subscribe --dry-run shop\n"
                    "  longstop subscribe --events order.created shop\n",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
    };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    if (removes + looks + renews > 1) {
        (void)fprintf(stderr, "longstop subscribe: one of --list, --renew and "
                              "--remove at a time\n");
        return EXIT_USAGE;
    }
    command.act = removes  ? REGISTRATION_REMOVE
                  : looks  ? REGISTRATION_LOOK
                  : renews ? REGISTRATION_RENEW
                           : REGISTRATION_MAKE;
    struct configuration configuration;
    enum exit_code code = load_configuration_to_register(path, &configuration);
    if (code != EXIT_OK) {
        return code;
    }
    log_sink_open(NULL, LOG_ERROR);
    command.configuration = &configuration;
    code = subscribe(&command, operands[0], events);
    configuration_fini(&configuration);
    return code;
}
