/* SPDX-License-Identifier: MIT */
/*
 * cmd_check: checks a configuration, offline, and says what each connector
 * promises.
 */
#include <stdio.h>

#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "app/told.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/connector_stream.h"
#include "model/host.h"
#include "model/pace.h"
#include "model/promise.h"
#include "wire/json_tree.h"

static const struct slice webhook_secret = SLICE("webhook_secret");

static void
channels_text(const struct connector *connector,
              const struct listen_settings *listen)
{
    const char *const names[] = {
        connector_has_route(connector, listen != NULL) ? "webhook" : NULL,
        connector->has_stream ? "stream" : NULL,
        connector->has_poll ? "poll" : NULL,
    };
    const char *before = ": ";
    (void)printf("connector %.*s%s%.*s%s", SLICE_ARG(connector->name),
                 connector->use.len > 0 ? " (" : "", SLICE_ARG(connector->use),
                 connector->use.len > 0 ? ")" : "");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i] != NULL) {
            (void)printf("%s%s", before, names[i]);
            before = " and ";
        }
    }
    (void)printf("\n");
}

static void
print_stream(const struct connector *connector)
{
    char span[INSTANT_TEXT_BYTES];
    const struct stream_spec *stream = connector->stream;
    (void)printf(
        "  stream: %.*s%s, asked for from here; opened again after %s "
        "without a byte\n",
        SLICE_ARG(stream->use.len > 0 ? stream->use : slice_of("a relay")),
        connector->has_webhook ? "" : ", which alone is believed",
        instant_span_text(stream->liveness_ms, span));
}

/* What no walk makes up for. */
static void
print_unlisted(const struct record_spec *record)
{
    for (size_t i = 0; i < record->unlisted_count; i++) {
        (void)printf("%s%.*s", i == 0 ? "  only by webhook: " : ", ",
                     SLICE_ARG(record->unlisted[i]));
    }
    if (record->unlisted_count > 0) {
        (void)printf("; the list never shows them, and one whose webhook does "
                     "not come is not recovered\n");
    }
}

static void
print_loss(const struct promise *promise)
{
    char shown[INSTANT_TEXT_BYTES], most[INSTANT_TEXT_BYTES];
    (void)printf("  loss bound: nothing is lost that the list shows within %s "
                 "of its time",
                 instant_span_text(promise->shown_ms, shown));
    if (promise->shown_most_ms > promise->shown_ms) {
        (void)printf("; it follows what the list was late, up to %s",
                     instant_span_text(promise->shown_most_ms, most));
    }
    if (promise->walk_ms < promise->shown_ms) {
        (void)printf("; each walk covers %s, what is shown later waits for a "
                     "sweep",
                     instant_span_text(promise->walk_ms, shown));
    }
    (void)printf("\n");
}

static void
print_staleness(const struct poll_spec *poll, const struct promise *promise)
{
    char stale[INSTANT_TEXT_BYTES];
    char interval[INSTANT_TEXT_BYTES], request[INSTANT_TEXT_BYTES];
    (void)printf("  staleness: what only %s is here within %s: %s %s + a walk "
                 "(a request may take %s) + a commit\n",
                 promise->walk_ms < promise->shown_ms ? "such a walk covers"
                                                      : "the list shows",
                 instant_span_text(promise->stale_ms, stale),
                 poll->pace == PACE_ADAPTIVE ? "slowest"
                 : poll->cron.len > 0        ? "cron's longest pause"
                                             : "every",
                 instant_span_text(promise->interval_ms, interval),
                 instant_span_text(poll->timeout_ms, request));
}

static void
print_overlap(int64_t overlap_ms, int64_t most_ms)
{
    char first[INSTANT_TEXT_BYTES], second[INSTANT_TEXT_BYTES];
    (void)printf(", overlap %s", instant_span_text(overlap_ms, first));
    if (most_ms > overlap_ms) {
        (void)printf(" to %s", instant_span_text(most_ms, second));
    }
    (void)printf("\n");
}

static void
print_pace(const struct connector *connector)
{
    const struct poll_spec *poll = &connector->poll;
    char first[INSTANT_TEXT_BYTES], second[INSTANT_TEXT_BYTES];
    if (poll->cron.len > 0) {
        (void)printf("  walks: %.*s (cron, UTC)", SLICE_ARG(poll->cron));
    } else if (poll->pace == PACE_ADAPTIVE) {
        struct pace_plan plan = pace_plan_of(connector);
        (void)printf("  walks: every %s to %s, as webhooks miss",
                     instant_span_text(plan.fastest_ms, first),
                     instant_span_text(plan.slowest_ms, second));
    } else {
        (void)printf("  walks: every %s",
                     instant_span_text(poll->every_ms, first));
    }
}

static void
print_calls(const struct promise *promise)
{
    if (promise->calls_most == promise->calls_least) {
        (void)printf("  calls: at least %lld a day\n",
                     (long long)promise->calls_least);
    } else {
        (void)printf("  calls: from %lld to %lld a day, at one a walk\n",
                     (long long)promise->calls_least,
                     (long long)promise->calls_most);
    }
}

/* What the walks cost, at one request each. */
static void
print_walks(const struct connector *connector, const struct promise *promise)
{
    char every[INSTANT_TEXT_BYTES];
    const struct poll_spec *poll = &connector->poll;
    const struct sweep_spec *sweeps = poll->sweeps.at;
    print_pace(connector);
    print_overlap(poll->overlap_ms, poll->overlap_most_ms);
    for (size_t i = 0; i < poll->sweeps.count; i++) {
        (void)printf("  sweep: every %s",
                     instant_span_text(sweeps[i].every_ms, every));
        print_overlap(sweeps[i].overlap_ms, sweeps[i].overlap_most_ms);
    }
    if (promise->calls_most > 0) {
        print_calls(promise);
    }
}

/* Connectors that to their provider are one account. */
struct hosts {
    const struct configuration *configuration;
    size_t *groups; /* as host_group tells them */
};

static enum status
hosts_init(struct hosts *hosts, const struct configuration *configuration)
{
    hosts->configuration = configuration;
    hosts->groups =
        mem_array(configuration->connector_count + 1, sizeof(*hosts->groups));
    return hosts->groups == NULL
               ? STATUS_NOMEM
               : host_group(configuration->connectors,
                            configuration->connector_count, hosts->groups);
}

static struct quota
budget_at(const struct hosts *hosts, size_t at)
{
    return host_budget(hosts->configuration->connectors,
                       hosts->configuration->connector_count, hosts->groups,
                       hosts->groups[at]);
}

static void
print_budget(const struct hosts *hosts, size_t at)
{
    char per[INSTANT_TEXT_BYTES];
    const struct quota budget = budget_at(hosts, at);
    if (budget.count == 0) {
        return;
    }
    (void)printf("  budget: %lld request%s in %s", (long long)budget.count,
                 budget.count == 1 ? "" : "s",
                 instant_span_text(budget.per_ms, per));
    const char *before = ", shared with ";
    for (size_t i = 0; i < hosts->configuration->connector_count; i++) {
        if (i != at && hosts->groups[i] == hosts->groups[at]) {
            (void)printf("%s%.*s", before,
                         SLICE_ARG(hosts->configuration->connectors[i].name));
            before = ", ";
        }
    }
    (void)printf("\n");
}

/* Where a sender has to send to, as far as it is known here. */
static void
print_route(const struct listen_settings *listen,
            const struct connector *connector)
{
    const struct slice public_url = connector->public_url;
    if (listen == NULL) {
        (void)printf("  webhooks: none can arrive: there is no 'listen' "
                     "section\n");
    } else if (public_url.len > 0) {
        (void)printf("  webhooks: POST to %.*s\n", SLICE_ARG(public_url));
    } else if (slice_starts(listen->address, slice_of("unix:")) ||
               slice_starts(listen->address, slice_of("fd:"))) {
        (void)printf("  webhooks: POST to /hooks/%.*s on %.*s\n",
                     SLICE_ARG(connector->name), SLICE_ARG(listen->address));
    } else {
        (void)printf("  webhooks: POST to %s://%.*s/hooks/%.*s; say "
                     "'listen.public_url' if senders use another address\n",
                     listen->tls == NULL ? "http" : "https",
                     SLICE_ARG(listen->address), SLICE_ARG(connector->name));
    }
}

/* Where a secret comes from that the configuration does not have. */
static void
print_kept(const struct configuration *configuration,
           const struct connector *connector)
{
    const struct connector_param *secret =
        connector_param_find(connector, webhook_secret);
    if (secret != NULL && secret->kept) {
        (void)printf("  secret: kept in %.*s/%.*s.webhook_secret by 'longstop "
                     "subscribe'\n",
                     SLICE_ARG(configuration->places.secrets),
                     SLICE_ARG(connector->name));
    }
}

/* What a pause costs: rows that fell out of the list are a gap; of those that
 * were shown late, behind the watermark, nobody can tell. */
static void
print_retention(const struct poll_spec *poll, const struct promise *promise)
{
    char reach[INSTANT_TEXT_BYTES], pause[INSTANT_TEXT_BYTES];
    (void)printf("  retention: the list reaches back %s; what a longer pause "
                 "lets fall out of it is logged as a gap",
                 instant_span_text(poll->retention_ms, reach));
    if (promise->shown_ms > 0 && promise->shown_ms < poll->retention_ms) {
        (void)printf(
            "; a pause of more than %s is longer than the loss bound "
            "leaves",
            instant_span_text(poll->retention_ms - promise->shown_ms, pause));
    }
    (void)printf("\n");
}

/* A list that is asked for without a cursor may keep its latest rows only. What
 * it has dropped since the last walk is told by the rows of before, which are
 * gone too; a row that it had not shown by then tells nothing. */
static void
print_latest(const struct poll_spec *poll, const struct promise *promise)
{
    char shown[INSTANT_TEXT_BYTES];
    if (poll->cursor.kind == CURSOR_SEEN && poll->retention_ms == 0) {
        (void)printf("  latest rows: where the list keeps only so many, what "
                     "it shows late and drops before the next walk leaves no "
                     "trace; walk so often that what stood %s before a walk "
                     "is still there at the next\n",
                     instant_span_text(promise->shown_ms, shown));
    }
}

/* What its list makes up for, and what it costs to read it. */
static void
print_list(const struct hosts *hosts, size_t at)
{
    const struct connector *connector = &hosts->configuration->connectors[at];
    const struct poll_spec *poll = &connector->poll;
    const struct promise promise = promise_of(connector);
    print_loss(&promise);
    print_staleness(poll, &promise);
    print_unlisted(&poll->record);
    print_walks(connector, &promise);
    print_budget(hosts, at);
    if (poll->retention_ms > 0) {
        print_retention(poll, &promise);
    }
    print_latest(poll, &promise);
    if (poll->order != ORDER_ASC) {
        (void)printf("  order: a walk may bring newer events before older; "
                     "'order_by' of a handler hands over those of one object "
                     "one at a time, as they came: let it compare times\n");
    }
}

/* What the connector's file only takes for granted. */
static void
print_unconfirmed(const struct connector *connector)
{
    for (size_t i = 0; i < connector->unconfirmed.count; i++) {
        (void)printf("  unconfirmed: %.*s\n",
                     SLICE_ARG(connector->unconfirmed.at[i]));
    }
}

/* A person reads what may be lost, and for how long a duplicate is known. */
static void
connector_text(const struct hosts *hosts, size_t at)
{
    const struct connector *connector = &hosts->configuration->connectors[at];
    const struct listen_settings *listen =
        hosts->configuration->settings.listen;
    char span[INSTANT_TEXT_BYTES];
    channels_text(connector, listen);
    if (connector_has_route(connector, listen != NULL)) {
        print_route(listen, connector);
        print_kept(hosts->configuration, connector);
    }
    if (connector->has_stream) {
        print_stream(connector);
    }
    if (connector->has_poll) {
        print_list(hosts, at);
    } else {
        (void)printf("  loss bound: none: %s; no polling, because %s\n",
                     told_loss(connector_has_route(connector, listen != NULL),
                               connector->has_stream),
                     connector->poll.declared
                         ? "the parameters of its list are not given in "
                           "'with'"
                         : "the provider has no list");
    }
    (void)printf("  dedup horizon: an id that comes again within %s is a "
                 "duplicate\n",
                 instant_span_text(connector->keep_ids_ms, span));
    if (connector->has_poll &&
        (connector->has_stream || (connector->has_webhook && listen != NULL))) {
        (void)printf("  grace: an event that only the list has shown for %s "
                     "counts as recovered\n",
                     instant_span_text(connector->grace_ms, span));
    }
    print_unconfirmed(connector);
}

static enum exit_code
print_text(const struct configuration *configuration)
{
    struct hosts hosts;
    if (hosts_init(&hosts, configuration) != STATUS_OK) {
        mem_free(hosts.groups);
        return EXIT_FAILED;
    }
    const struct settings *settings = &configuration->settings;
    const struct handler_settings *handlers = settings->handlers.at;
    for (size_t i = 0; i < configuration->connector_count; i++) {
        connector_text(&hosts, i);
    }
    mem_free(hosts.groups);
    for (size_t i = 0; i < settings->handlers.count; i++) {
        (void)printf("handler %.*s: %s\n",
                     SLICE_ARG(settings->handlers.names[i]),
                     handler_kind_name(handlers[i].kind));
    }
    (void)printf("store %.*s\nadmin %.*s\n",
                 SLICE_ARG(configuration->places.store_shown),
                 SLICE_ARG(configuration->places.admin_address));
    (void)printf("%.*s: ok, %zu file%s, %zu warning%s\n",
                 SLICE_ARG(configuration->path), configuration->file_count,
                 configuration->file_count == 1 ? "" : "s",
                 configuration->report.warnings,
                 configuration->report.warnings == 1 ? "" : "s");
    return EXIT_OK;
}

static void
seconds_json(struct json_tree *tree, struct json_node *node, const char *name,
             int64_t ms)
{
    json_add_double(tree, node, name, (double)ms / 1000);
}

static void
budget_json(struct json_tree *tree, struct json_node *into,
            const struct hosts *hosts, size_t at)
{
    const struct configuration *configuration = hosts->configuration;
    const struct quota budget = budget_at(hosts, at);
    struct json_node *node = json_add_object(tree, into, "budget");
    json_add_i64(tree, node, "requests", budget.count);
    seconds_json(tree, node, "per_seconds", budget.per_ms);
    struct json_node *shared = json_add_array(tree, node, "shared_with");
    for (size_t i = 0; i < configuration->connector_count; i++) {
        if (i != at && hosts->groups[i] == hosts->groups[at]) {
            json_add_text(tree, shared, NULL,
                          configuration->connectors[i].name);
        }
    }
}

/* What polling promises; members that a connector without it has as null. */
static void
promise_json(struct json_tree *tree, struct json_node *node,
             const struct hosts *hosts, size_t at)
{
    static const char *const names[] = { "loss_bound_seconds",
                                         "loss_bound_most_seconds",
                                         "every_seconds", "staleness_seconds" };
    const struct connector *connector = &hosts->configuration->connectors[at];
    if (!connector->has_poll) {
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            json_add_null(tree, node, names[i]);
        }
        return;
    }
    const struct promise promise = promise_of(connector);
    const int64_t values[] = { promise.shown_ms, promise.shown_most_ms,
                               promise.interval_ms, promise.stale_ms };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        seconds_json(tree, node, names[i], values[i]);
    }
    json_add_text(tree, node, "pace",
                  slice_of(connector->poll.cron.len > 0            ? "cron"
                           : connector->poll.pace == PACE_ADAPTIVE ? "adaptive"
                                                                   : "fixed"));
    json_add_i64(tree, node, "calls_a_day_least", promise.calls_least);
    json_add_i64(tree, node, "calls_a_day_most", promise.calls_most);
    budget_json(tree, node, hosts, at);
}

static void
unlisted_json(struct json_tree *tree, struct json_node *node,
              const struct record_spec *record)
{
    struct json_node *list = json_add_array(tree, node, "only_by_webhook");
    for (size_t i = 0; i < record->unlisted_count; i++) {
        json_add_text(tree, list, NULL, record->unlisted[i]);
    }
}

static void
unconfirmed_json(struct json_tree *tree, struct json_node *node,
                 const struct config_texts *texts)
{
    struct json_node *list = json_add_array(tree, node, "unconfirmed");
    for (size_t i = 0; i < texts->count; i++) {
        json_add_text(tree, list, NULL, texts->at[i]);
    }
}

static void
connector_json(struct json_tree *tree, struct json_node *list,
               const struct hosts *hosts, size_t at)
{
    const struct connector *connector = &hosts->configuration->connectors[at];
    struct json_node *node = json_add_object(tree, list, NULL);
    json_add_text(tree, node, "name", connector->name);
    json_add_text(tree, node, "use", connector->use);
    json_add_bool(tree, node, "webhook", connector->has_webhook);
    json_add_bool(tree, node, "poll", connector->has_poll);
    json_add_bool(tree, node, "stream", connector->has_stream);
    json_add_bool(tree, node, "secret_kept",
                  connector_param_find(connector, webhook_secret) != NULL &&
                      connector_param_find(connector, webhook_secret)->kept);
    promise_json(tree, node, hosts, at);
    unlisted_json(tree, node, &connector->poll.record);
    seconds_json(tree, node, "dedup_horizon_seconds", connector->keep_ids_ms);
    seconds_json(tree, node, "grace_seconds", connector->grace_ms);
    unconfirmed_json(tree, node, &connector->unconfirmed);
}

static enum exit_code
print_json(const struct configuration *configuration, bool ok)
{
    struct json_tree *tree;
    struct hosts hosts = { 0 };
    struct buf findings = { 0 }, text = { 0 };
    if ((ok && hosts_init(&hosts, configuration) != STATUS_OK) ||
        json_tree_create(&tree) != STATUS_OK) {
        mem_free(hosts.groups);
        return EXIT_FAILED;
    }
    struct json_node *root = json_tree_root(tree);
    config_report_json(&configuration->report, &findings);
    json_add_bool(tree, root, "ok", ok);
    json_add_i64(tree, root, "files", (int64_t)configuration->file_count);
    json_add_raw(tree, root, "findings", buf_slice(&findings));
    json_add_text(tree, root, "store", configuration->places.store_shown);
    json_add_text(tree, root, "admin", configuration->places.admin_address);
    struct json_node *list = json_add_array(tree, root, "connectors");
    for (size_t i = 0; ok && i < configuration->connector_count; i++) {
        connector_json(tree, list, &hosts, i);
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
    mem_free(hosts.groups);
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
        code = print_text(&configuration);
        configuration_fini(&configuration);
    }
    return code;
}
