/* SPDX-License-Identifier: MIT */
/*
 * cmd_check: checks a configuration, offline, and says what each connector
 * promises.
 */
#include <stdio.h>

#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "base/instant.h"
#include "wire/json_tree.h"

static void
channels_text(const struct connector *connector)
{
    (void)printf("connector %.*s%s%.*s%s: %s%s%s\n", SLICE_ARG(connector->name),
                 connector->use.len > 0 ? " (" : "", SLICE_ARG(connector->use),
                 connector->use.len > 0 ? ")" : "",
                 connector->has_webhook ? "webhook" : "",
                 connector->has_webhook && connector->has_poll ? " and " : "",
                 connector->has_poll ? "poll" : "");
}

static void
print_bound(const struct connector *connector)
{
    char span[INSTANT_TEXT_BYTES];
    (void)printf("  loss bound: nothing is lost that the list shows within %s "
                 "of its time\n",
                 instant_span_text(connector_overlap_ms(connector) +
                                       connector->poll.settle_ms,
                                   span));
}

/* What the walks cost, at one request each. */
static void
print_walks(const struct poll_spec *poll)
{
    char every[INSTANT_TEXT_BYTES], overlap[INSTANT_TEXT_BYTES];
    const struct sweep_spec *sweeps = poll->sweeps.at;
    int64_t calls = 0;
    if (poll->cron.len > 0) {
        (void)printf("  walks: %.*s (cron, UTC), overlap %s\n",
                     SLICE_ARG(poll->cron),
                     instant_span_text(poll->overlap_ms, overlap));
    } else {
        calls = INSTANT_DAY_MS / poll->every_ms;
        (void)printf("  walks: every %s, overlap %s\n",
                     instant_span_text(poll->every_ms, every),
                     instant_span_text(poll->overlap_ms, overlap));
    }
    for (size_t i = 0; i < poll->sweeps.count; i++) {
        calls += INSTANT_DAY_MS / sweeps[i].every_ms;
        (void)printf("  sweep: every %s, overlap %s\n",
                     instant_span_text(sweeps[i].every_ms, every),
                     instant_span_text(sweeps[i].overlap_ms, overlap));
    }
    if (calls > 0) {
        (void)printf("  calls: at least %lld a day%s\n", (long long)calls,
                     poll->cron.len > 0 ? ", and those of the cron line" : "");
    }
}

/* A person reads what may be lost, and for how long a duplicate is known. */
static void
connector_text(const struct connector *connector)
{
    char first[INSTANT_TEXT_BYTES], second[INSTANT_TEXT_BYTES];
    const struct poll_spec *poll = &connector->poll;
    channels_text(connector);
    if (connector->has_webhook) {
        const bool is_public = connector->public_url.len > 0;
        (void)printf(
            "  webhooks: POST to %s%.*s\n", is_public ? "" : "/hooks/",
            SLICE_ARG(is_public ? connector->public_url : connector->name));
    }
    if (connector->has_poll) {
        print_bound(connector);
        print_walks(poll);
        if (poll->retention_ms > 0) {
            (void)printf("  retention: the list reaches back %s; what a longer "
                         "pause lets fall out of it is logged as a gap\n",
                         instant_span_text(poll->retention_ms, first));
        }
        if (poll->order != ORDER_ASC) {
            (void)printf("  order: accepted page by page; across the pages of "
                         "one walk it is not promised\n");
        }
    } else {
        (void)printf("  loss bound: none: what a webhook does not bring is "
                     "lost; no polling, because %s\n",
                     poll->declared
                         ? "the parameters of its list are not given in "
                           "'with'"
                         : "the provider has no list");
    }
    (void)printf("  dedup horizon: an id that comes again within %s is a "
                 "duplicate\n  grace: an event that only the list has shown "
                 "for %s counts as recovered\n",
                 instant_span_text(connector->keep_ids_ms, first),
                 instant_span_text(connector->grace_ms, second));
}

static void
print_text(const struct configuration *configuration)
{
    const struct settings *settings = &configuration->settings;
    const struct handler_settings *handlers = settings->handlers.at;
    for (size_t i = 0; i < configuration->connector_count; i++) {
        connector_text(&configuration->connectors[i]);
    }
    for (size_t i = 0; i < settings->handlers.count; i++) {
        (void)printf("handler %.*s: %s\n",
                     SLICE_ARG(settings->handlers.names[i]),
                     handler_kind_names[handlers[i].kind]);
    }
    (void)printf("store %.*s\nadmin %.*s\n",
                 SLICE_ARG(configuration->places.store_url),
                 SLICE_ARG(configuration->places.admin_address));
    (void)printf("%.*s: ok, %zu file%s, %zu warning%s\n",
                 SLICE_ARG(configuration->path), configuration->file_count,
                 configuration->file_count == 1 ? "" : "s",
                 configuration->report.warnings,
                 configuration->report.warnings == 1 ? "" : "s");
}

static void
connector_json(struct json_tree *tree, struct json_node *list,
               const struct connector *connector)
{
    struct json_node *node = json_add_object(tree, list, NULL);
    json_add_text(tree, node, "name", connector->name);
    json_add_text(tree, node, "use", connector->use);
    json_add_bool(tree, node, "webhook", connector->has_webhook);
    json_add_bool(tree, node, "poll", connector->has_poll);
    if (connector->has_poll) {
        json_add_double(tree, node, "loss_bound_seconds",
                        (double)(connector_overlap_ms(connector) +
                                 connector->poll.settle_ms) /
                            1000);
        json_add_double(tree, node, "every_seconds",
                        (double)connector->poll.every_ms / 1000);
    } else {
        json_add_null(tree, node, "loss_bound_seconds");
        json_add_null(tree, node, "every_seconds");
    }
    json_add_double(tree, node, "dedup_horizon_seconds",
                    (double)connector->keep_ids_ms / 1000);
    json_add_double(tree, node, "grace_seconds",
                    (double)connector->grace_ms / 1000);
}

static enum exit_code
print_json(const struct configuration *configuration, bool ok)
{
    struct json_tree *tree;
    struct buf findings = { 0 }, text = { 0 };
    if (json_tree_create(&tree) != STATUS_OK) {
        return EXIT_FAILED;
    }
    struct json_node *root = json_tree_root(tree);
    config_report_json(&configuration->report, &findings);
    json_add_bool(tree, root, "ok", ok);
    json_add_i64(tree, root, "files", (int64_t)configuration->file_count);
    json_add_raw(tree, root, "findings", buf_slice(&findings));
    json_add_text(tree, root, "store", configuration->places.store_url);
    json_add_text(tree, root, "admin", configuration->places.admin_address);
    struct json_node *list = json_add_array(tree, root, "connectors");
    for (size_t i = 0; ok && i < configuration->connector_count; i++) {
        connector_json(tree, list, &configuration->connectors[i]);
    }
    list = json_add_array(tree, root, "handlers");
    for (size_t i = 0; ok && i < configuration->settings.handlers.count; i++) {
        json_add_text(tree, list, NULL,
                      configuration->settings.handlers.names[i]);
    }
    enum status status = json_tree_print(tree, true, &text);
    if (status == STATUS_OK) {
        (void)printf("%s\n", text.ptr);
    }
    json_tree_destroy(tree);
    buf_fini(&findings);
    buf_fini(&text);
    return status == STATUS_OK ? EXIT_OK : EXIT_FAILED;
}

static enum exit_code
check_json(const char *path)
{
    struct configuration configuration;
    struct error err = { 0 };
    enum status status = configuration_load(path, &configuration, &err);
    if (status == STATUS_NOT_FOUND) {
        config_report_add(&configuration.report, CONFIG_ERROR,
                          (struct config_mark){ 0 }, "%s", err.text);
    }
    enum exit_code code = print_json(&configuration, status == STATUS_OK);
    configuration_fini(&configuration);
    return code != EXIT_OK          ? code
           : status == STATUS_OK    ? EXIT_OK
           : status == STATUS_NOMEM ? EXIT_FAILED
                                    : EXIT_CONFIG;
}

enum exit_code
cmd_check(int argc, char **argv)
{
    const char *path = NULL;
    bool json = false;
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "json", 0, NULL, "as JSON", NULL, &json },
    };
    const struct command_spec spec = {
        .name = "check",
        .operands = "",
        .summary = "Checks a configuration without touching the network, and "
                   "prints\nthe loss bound and the dedup horizon of each "
                   "connector.",
        .examples = "  longstop check -c longstop.yaml\n",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
    };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    if (json) {
        return check_json(path);
    }
    struct configuration configuration;
    enum exit_code code = load_configuration(path, &configuration);
    if (code == EXIT_OK) {
        print_text(&configuration);
        configuration_fini(&configuration);
    }
    return code;
}
