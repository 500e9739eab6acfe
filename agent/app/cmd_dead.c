/* SPDX-License-Identifier: MIT */
/*
 * cmd_dead: lists the dead letters, the newest first, or why there are so many.
 */
#include "app/ask.h"
#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "app/table.h"
#include "app/told.h"
#include "io/clock.h"
#include "wire/json.h"

#define LETTERS_DEFAULT 50

static void
add_when(struct table *table, struct slice item, const char *name)
{
    struct buf when = { 0 };
    told_when(told_time(item, name), clock_unix_ms(), &when);
    table_cell(table, buf_slice(&when));
    buf_fini(&when);
}

/* Why it was given up: the last answer, or else in our words. */
static void
add_why(struct table *table, struct slice item, struct arena *arena)
{
    struct buf why = { 0 };
    struct slice answer = told_text(item, "answer", arena);
    buf_append(&why, told_text(item, "reason", arena));
    if (answer.len > 0) {
        buf_text(&why, ": ");
        buf_append(&why, answer);
    }
    table_cell(table, buf_slice(&why));
    buf_fini(&why);
}

static void
letters_text(struct slice body, const void *arg, struct buf *into)
{
    (void)arg;
    static const char *const heads[] = { "DEAD",   "HANDLER", "TYPE", "EVENT",
                                         "NUMBER", "WHY",     NULL };
    struct table table = { 0 };
    struct arena arena = { 0 };
    struct slice items = told_array(body, "items");
    struct slice item;
    size_t count = 0;
    size_t at = 0;
    table_heads(&table, heads);
    while (json_next_element(items, &at, &item)) {
        struct buf event = { 0 };
        buf_append(&event, told_text(item, "connector", &arena));
        buf_byte(&event, '/');
        buf_append(&event, told_text(item, "id", &arena));
        add_when(&table, item, "dead");
        table_cell(&table, told_text(item, "handler", &arena));
        table_cell(&table, told_text(item, "type", &arena));
        table_cell(&table, buf_slice(&event));
        table_cell(&table, told_text(item, "number", &arena));
        add_why(&table, item, &arena);
        buf_fini(&event);
        count++;
    }
    if (count == 0) {
        buf_text(into, "no dead letter meets this\n");
    } else {
        table_print(&table, "", into);
        buf_text(into, "times are UTC; 'longstop show EVENT' says more, "
                       "'longstop retry' tries again, 'longstop drop' lets "
                       "go\n");
    }
    table_fini(&table);
    arena_fini(&arena);
}

static void
reasons_text(struct slice body, const void *arg, struct buf *into)
{
    (void)arg;
    static const char *const heads[] = { "COUNT", "HANDLER", "FIRST",
                                         "LAST",  "WHY",     NULL };
    struct table table = { 0 };
    struct arena arena = { 0 };
    struct slice items = told_array(body, "items");
    struct slice item;
    size_t at = 0;
    table_heads(&table, heads);
    while (json_next_element(items, &at, &item)) {
        table_number(&table, told_number(item, "count"));
        table_cell(&table, told_text(item, "handler", &arena));
        add_when(&table, item, "first");
        add_when(&table, item, "last");
        add_why(&table, item, &arena);
    }
    if (at > 1) {
        table_print(&table, "", into);
    }
    buf_format(into, "%lld dead letters\n",
               (long long)told_number(body, "total"));
    table_fini(&table);
    arena_fini(&arena);
}

static enum exit_code
list_reasons(const struct ask *ask, const struct filters *filters, bool json)
{
    const struct ask_form form = { json, reasons_text, NULL };
    struct buf path = { 0 };
    buf_text(&path, "/api/v1/dead/reasons");
    filters_query(filters, &path);
    return ask_show(ask, &path, &form);
}

static enum exit_code
list_letters(const struct ask *ask, const struct filters *filters,
             const char *most, bool json)
{
    const struct ask_form form = { json, letters_text, NULL };
    return ask_list(ask, "/api/v1/dead", filters,
                    &(struct ask_most){ most, LETTERS_DEFAULT }, &form);
}

enum exit_code
cmd_dead(int argc, char **argv)
{
    const char *path = NULL;
    const char *limit = NULL;
    struct filters filters = { 0 };
    bool json = false, reasons = false;
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "connector", 0, "NAME", "only of this one", &filters.connector,
          NULL },
        { "handler", 0, "NAME", "only of this one", &filters.handler, NULL },
        { "type", 't', "GLOB", "only such types, as 'order.*'", &filters.type,
          NULL },
        { "reason", 'r', "TEXT", "only with this in reason or answer",
          &filters.reason, NULL },
        { "since", 0, "TIME", "only given up from then on, or an age: 2h",
          &filters.since, NULL },
        { "until", 0, "TIME", "only before it, or an age", &filters.until,
          NULL },
        { "limit", 'n', "N", "at most so many (50)", &limit, NULL },
        { "reasons", 0, NULL, "how many there are of each reason", NULL,
          &reasons },
        { "json", 0, NULL, "as JSON", NULL, &json },
    };
    const struct command_spec spec = {
        .name = "dead",
        .operands = "",
        .summary = "Lists the dead letters: deliveries that were given up, the "
                   "newest first.",
        .examples = "  longstop dead --handler mail --since 1d\n"
                    "  longstop dead --reasons\n",
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
        code = reasons ? list_reasons(&ask, &filters, json)
                       : list_letters(&ask, &filters, limit, json);
        configuration_fini(&configuration);
    }
    return code;
}
