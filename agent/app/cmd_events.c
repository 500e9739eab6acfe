/* SPDX-License-Identifier: MIT */
/*
 * cmd_events: lists the events that are kept, the newest first.
 */
#include "app/ask.h"
#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "app/table.h"
#include "app/told.h"
#include "io/clock.h"
#include "wire/json.h"

#define EVENTS_DEFAULT 50

static void
add_row(struct table *table, struct slice event, struct arena *arena)
{
    struct buf when = { 0 };
    told_when(told_time(event, "recorded"), clock_unix_ms(), &when);
    table_cell(table, buf_slice(&when));
    table_cell(table, told_text(event, "via", arena));
    table_cell(table, told_text(event, "connector", arena));
    table_cell(table, told_text(event, "type", arena));
    table_cell(table, told_text(event, "id", arena));
    table_cell(table, told_text(event, "number", arena));
    buf_fini(&when);
}

static void
events_text(struct slice body, const void *arg, struct buf *into)
{
    (void)arg;
    static const char *const heads[] = { "RECORDED", "VIA", "CONNECTOR",
                                         "TYPE",     "ID",  "NUMBER",
                                         NULL };
    struct table table = { 0 };
    struct arena arena = { 0 };
    struct slice items = told_array(body, "items");
    struct slice event;
    size_t count = 0;
    size_t at = 0;
    table_heads(&table, heads);
    while (json_next_element(items, &at, &event)) {
        add_row(&table, event, &arena);
        count++;
    }
    if (count == 0) {
        buf_text(into, "no such event is kept\n");
    } else {
        table_print(&table, "", into);
        buf_text(into, "times are UTC; 'longstop show NUMBER' says more\n");
    }
    table_fini(&table);
    arena_fini(&arena);
}

static enum exit_code
list_events(const struct ask *ask, const struct filters *filters,
            const char *most, bool json)
{
    const struct ask_form form = { json, events_text, NULL };
    return ask_list(ask, "/api/v1/events", filters,
                    &(struct ask_most){ most, EVENTS_DEFAULT }, &form);
}

enum exit_code
cmd_events(int argc, char **argv)
{
    const char *path = NULL;
    const char *limit = NULL;
    struct filters filters = { 0 };
    bool json = false;
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "connector", 0, "NAME", "only of this one", &filters.connector,
          NULL },
        { "type", 't', "GLOB", "only such types, as 'order.*'", &filters.type,
          NULL },
        { "via", 0, "CHANNEL", "only first brought by it", &filters.via, NULL },
        { "since", 0, "TIME", "only from then on, or an age: 2h",
          &filters.since, NULL },
        { "until", 0, "TIME", "only before it, or an age", &filters.until,
          NULL },
        { "limit", 'n', "N", "at most so many (50)", &limit, NULL },
        { "json", 0, NULL, "as JSON", NULL, &json },
    };
    const struct command_spec spec = {
        .name = "events",
        .operands = "",
        .summary = "Lists the events that are kept, the newest first.",
        .examples = "  longstop events --connector shop --type 'order.*'\n"
                    "  longstop events --via poll --since 2h --json\n",
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
        code = list_events(&ask, &filters, limit, json);
        configuration_fini(&configuration);
    }
    return code;
}
