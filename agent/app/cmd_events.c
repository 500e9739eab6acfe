/* SPDX-License-Identifier: MIT */
/*
 * cmd_events: lists the events that are kept, the newest first.
 */
#include <stdio.h>

#include "app/ask.h"
#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "app/table.h"
#include "app/told.h"
#include "io/clock.h"
#include "wire/json.h"
#include "wire/url.h"

#define EVENTS_MOST    1000000
#define EVENTS_DEFAULT 50

/* What they must have, as on the command line; NULL asks for nothing. */
struct filters {
    const char *connector;
    const char *type;
    const char *via;
    const char *since;
    const char *until;
    const char *limit;
};

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

/* A time as it stands, or an age such as 2h made one. */
static void
add_time(struct buf *path, const char *name, const char *value)
{
    char text[INSTANT_TEXT_BYTES];
    int64_t age_ms;
    if (value == NULL) {
        return;
    }
    if (instant_parse_span(slice_of(value), &age_ms) == STATUS_OK) {
        value = instant_text(instant_add(clock_unix_ms(), -age_ms), text);
    }
    url_add_query(path, slice_of(name), slice_of(value));
}

static void
add_filters(struct buf *path, const struct filters *filters)
{
    const struct {
        const char *name, *value;
    } rows[] = {
        { "connector", filters->connector },
        { "type", filters->type },
        { "via", filters->via },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].value != NULL) {
            url_add_query(path, slice_of(rows[i].name),
                          slice_of(rows[i].value));
        }
    }
    add_time(path, "since", filters->since);
    add_time(path, "until", filters->until);
}

static enum exit_code
list_events(const struct ask *ask, const struct filters *filters, bool json)
{
    const struct ask_form form = { json, events_text, NULL };
    struct buf path = { 0 };
    struct buf body = { 0 };
    uint64_t limit = EVENTS_DEFAULT;
    if (filters->limit != NULL &&
        (slice_to_u64(slice_of(filters->limit), &limit) != STATUS_OK ||
         limit == 0 || limit > EVENTS_MOST)) {
        (void)fprintf(stderr,
                      "longstop events: --limit: a number from 1 to %d is "
                      "wanted\n",
                      EVENTS_MOST);
        return EXIT_USAGE;
    }
    enum exit_code code = EXIT_FAILED;
    buf_text(&path, "/api/v1/events");
    add_filters(&path, filters);
    if (buf_status(&path) == STATUS_OK) {
        code = ask_pages(ask, path.ptr, (size_t)limit, &body);
    }
    buf_fini(&path);
    return ask_print(ask, code, &body, &form);
}

enum exit_code
cmd_events(int argc, char **argv)
{
    const char *path = NULL;
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
        { "limit", 'n', "N", "at most so many (50)", &filters.limit, NULL },
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
    enum exit_code code = load_configuration(path, &configuration);
    if (code == EXIT_OK) {
        const struct ask ask = { .configuration = &configuration,
                                 .command = spec.name };
        code = list_events(&ask, &filters, json);
        configuration_fini(&configuration);
    }
    return code;
}
