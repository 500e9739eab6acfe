/* SPDX-License-Identifier: MIT */
/*
 * cmd_keys: says whether ids of a connector's two channels ever meet.
 */
#include <stdio.h>

#include "app/ask.h"
#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "app/table.h"
#include "app/told.h"
#include "wire/encode.h"
#include "wire/json.h"

static void
add_row(struct table *table, struct slice key, struct arena *arena)
{
    static const char *const numbers[] = { "webhook",     "walk",      "met",
                                           "confirmed",   "recovered", "late",
                                           "webhook_only" };
    table_cell(table, told_text(key, "type", arena));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        table_number(table, told_number(key, numbers[i]));
    }
    struct slice again = told_object(key, "duplicates");
    table_number(table,
                 told_number(again, "webhook") + told_number(again, "stream"));
    table_number(table,
                 told_number(again, "poll") + told_number(again, "backfill"));
    struct slice verdict = told_text(key, "verdict", arena);
    table_cell(table, slice_equal_text(verdict, "never") ? slice_of("NEVER")
                      : slice_equal_text(verdict, "not_yet")
                          ? slice_of("not yet")
                      : slice_equal_text(verdict, "meet") ? slice_of("yes")
                                                          : slice_of(""));
}

/* The sentence above the table. */
static void
verdict_text(struct slice body, struct arena *arena, struct buf *into)
{
    struct slice verdict = told_text(body, "verdict", arena);
    long long webhook = told_number(body, "webhook");
    long long walk = told_number(body, "walk");
    long long met = told_number(body, "met");
    told_plain(told_text(body, "connector", arena), into);
    if (slice_equal_text(verdict, "meet")) {
        buf_format(into,
                   ": ids of the two channels meet: %lld events were shown by "
                   "both\n",
                   met);
    } else if (slice_equal_text(verdict, "never")) {
        buf_format(into,
                   ": misconfigured: webhooks brought %lld events and walks "
                   "%lld, and no id of one\nwas ever an id of the other: each "
                   "fact is two events. What the webhook's `event: {id}`\n"
                   "and the list's `record: {id}` name must be the same, or "
                   "`match: {mode: state}` say\nwhat they have in common "
                   "(connectors/README.md)\n",
                   webhook, walk);
    } else if (slice_equal_text(verdict, "not_yet")) {
        buf_format(into,
                   ": ids have not met yet: webhooks brought %lld events and "
                   "walks %lld, too few to say\n",
                   webhook, walk);
    } else {
        buf_format(into,
                   ": only one channel has brought events (webhooks %lld, "
                   "walks %lld)\n",
                   webhook, walk);
    }
}

static void
keys_text(struct slice body, const void *arg, struct buf *into)
{
    (void)arg;
    static const char *const heads[] = {
        "TYPE",         "WEBHOOK",      "WALK",     "MET",
        "CONFIRMED",    "RECOVERED",    "LATE",     "WEBHOOK ONLY",
        "HOOKED AGAIN", "LISTED AGAIN", "IDS MEET", NULL
    };
    struct table table = { 0 };
    struct arena arena = { 0 };
    struct slice items = told_array(body, "items");
    struct slice key;
    size_t count = 0;
    size_t at = 0;
    verdict_text(body, &arena, into);
    table_heads(&table, heads);
    while (json_next_element(items, &at, &key)) {
        add_row(&table, key, &arena);
        count++;
    }
    if (count > 0) {
        table_print(&table, "  ", into);
        buf_text(into, "  of the events that are kept; webhook and walk: "
                       "which brought it first\n  again: sightings of what "
                       "was known, since the start; a list shows its overlap "
                       "walk after walk\n");
    }
    table_fini(&table);
    arena_fini(&arena);
}

static enum exit_code
show_keys(const struct ask *ask, const char *name, bool json)
{
    const struct ask_form form = { json, keys_text, NULL };
    struct buf path = { 0 };
    if (load_connector(ask->configuration, ask->command, name) == NULL) {
        return EXIT_USAGE;
    }
    buf_text(&path, "/api/v1/connectors/");
    encode_percent(slice_of(name), NULL, &path);
    buf_text(&path, "/keys");
    return ask_show(ask, &path, &form);
}

enum exit_code
cmd_keys(int argc, char **argv)
{
    const char *path = NULL;
    bool json = false;
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "json", 0, NULL, "as JSON", NULL, &json },
    };
    const struct command_spec spec = {
        .name = "keys",
        .operands = "CONNECTOR",
        .operand_count = 1,
        .summary = "Says whether ids of a connector's webhooks and of its list "
                   "ever meet, by type.\nIds that never do make two events of "
                   "each fact.",
        .examples = "  longstop keys shop\n",
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
    if (code == EXIT_OK) {
        const struct ask ask = { .configuration = &configuration,
                                 .command = spec.name };
        code = show_keys(&ask, operands[0], json);
        configuration_fini(&configuration);
    }
    return code;
}
