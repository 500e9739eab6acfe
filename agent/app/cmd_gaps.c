/* SPDX-License-Identifier: MIT */
/*
 * cmd_gaps: lists the spans that could not be read, or says of one that it was
 * looked at.
 */
#include <stdio.h>
#include <string.h>

#include "app/ask.h"
#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "app/table.h"
#include "app/told.h"
#include "io/clock.h"
#include "wire/encode.h"
#include "wire/json.h"

#define GAPS_MOST 100000

static void
add_when(struct table *table, struct slice gap, const char *name)
{
    struct buf text = { 0 };
    told_when(told_time(gap, name), clock_unix_ms(), &text);
    table_cell(table, buf_slice(&text));
    buf_fini(&text);
}

/* In the form that 'backfill' takes. */
static void
add_bound(struct table *table, struct slice gap, const char *name,
          struct arena *arena)
{
    struct slice at = told_text(gap, name, arena);
    table_cell(table, at.len == 0 ? slice_of("-") : at);
}

static void
add_row(struct table *table, struct slice gap, struct arena *arena)
{
    struct slice by = told_text(gap, "closed_by", arena);
    table_cell(table, told_text(gap, "id", arena));
    table_cell(table, told_text(gap, "connector", arena));
    table_cell(table, told_text(gap, "kind", arena));
    add_bound(table, gap, "from", arena);
    add_bound(table, gap, "to", arena);
    add_when(table, gap, "found");
    table_cell(table, by.len == 0 ? slice_of("open") : by);
}

static void
gaps_text(struct slice body, const void *arg, struct buf *into)
{
    const bool *all = arg;
    static const char *const heads[] = { "ID", "CONNECTOR", "KIND",      "FROM",
                                         "TO", "FOUND",     "CLOSED BY", NULL };
    struct table table = { 0 };
    struct arena arena = { 0 };
    struct slice items = told_array(body, "items");
    struct slice gap;
    size_t count = 0;
    size_t at = 0;
    table_heads(&table, heads);
    while (json_next_element(items, &at, &gap)) {
        add_row(&table, gap, &arena);
        count++;
    }
    if (count == 0) {
        buf_text(into, *all ? "there has been no gap\n"
                            : "no gap is open; --all shows those closed\n");
    } else {
        table_print(&table, "", into);
        buf_text(into, "times are UTC, from and to by the provider's clock\n");
        buf_text(into, *all ? ""
                            : "where the list still shows a span, 'longstop "
                              "backfill CONNECTOR --since FROM --until TO'\n"
                              "fills and closes it; 'longstop gaps close ID' "
                              "accepts that it is lost\n");
    }
    table_fini(&table);
    arena_fini(&arena);
}

static enum exit_code
list_gaps(const struct ask *ask, bool all, bool json)
{
    const struct ask_form form = { json, gaps_text, &all };
    struct buf body = { 0 };
    enum exit_code code = ask_pages(
        ask, all ? "/api/v1/gaps" : "/api/v1/gaps?open=1", GAPS_MOST, &body);
    return ask_print(ask, code, &body, &form);
}

static void
closed_text(struct slice body, const void *arg, struct buf *into)
{
    (void)body;
    buf_format(into, "gap %s is closed\n", (const char *)arg);
}

static enum exit_code
close_gap(const struct ask *ask, const char *id, bool json)
{
    const struct ask_form form = { json, closed_text, id };
    struct buf path = { 0 };
    struct buf body = { 0 };
    enum exit_code code = EXIT_FAILED;
    buf_text(&path, "/api/v1/gaps/");
    encode_percent(slice_of(id), NULL, &path);
    buf_text(&path, "/close");
    if (buf_status(&path) == STATUS_OK) {
        code = ask_agent(ask, "POST", path.ptr, (struct slice)SLICE(""), &body);
    }
    buf_fini(&path);
    return ask_print(ask, code, &body, &form);
}

static enum exit_code
run(const struct ask *ask, char *const *operands, bool all, bool json)
{
    if (operands[0] == NULL) {
        return list_gaps(ask, all, json);
    }
    if (strcmp(operands[0], "close") != 0 || operands[1] == NULL ||
        operands[1][0] == '\0') {
        (void)fprintf(stderr, "longstop gaps: 'gaps close ID' closes one; "
                              "'gaps' lists them\n");
        return EXIT_USAGE;
    }
    return close_gap(ask, operands[1], json);
}

enum exit_code
cmd_gaps(int argc, char **argv)
{
    const char *path = NULL;
    bool all = false, json = false;
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "all", 'a', NULL, "those that were closed too", NULL, &all },
        { "json", 0, NULL, "as JSON", NULL, &json },
    };
    const struct command_spec spec = {
        .name = "gaps",
        .operands = "[close ID]",
        .operand_more = 2,
        .summary = "Lists spans of a provider's list that could not be read "
                   "any more. One\nthat was looked at is closed, and no longer "
                   "makes 'status' fail; a backfill that has\nread all of "
                   "one closes it too.",
        .examples = "  longstop gaps\n"
                    "  longstop gaps close 3\n",
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
        code = run(&ask, operands, all, json);
        configuration_fini(&configuration);
    }
    return code;
}
