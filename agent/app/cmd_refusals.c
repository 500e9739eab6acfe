/* SPDX-License-Identifier: MIT */
/*
 * cmd_refusals: lists requests that were not accepted, the newest first or by
 * cause, or shows the head of one.
 */
#include "app/ask.h"
#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "app/table.h"
#include "app/told.h"
#include "io/clock.h"
#include "wire/encode.h"
#include "wire/json.h"

#define REFUSALS_DEFAULT 50
#define GROUPS_MOST      200

/* ---- one a line ---- */

static void
add_when(struct table *table, int64_t at_ms)
{
    struct buf when = { 0 };
    told_when(at_ms, clock_unix_ms(), &when);
    table_cell(table, buf_slice(&when));
    buf_fini(&when);
}

static void
add_row(struct table *table, struct slice refusal, struct arena *arena)
{
    add_when(table, told_time(refusal, "at"));
    table_cell(table, told_text(refusal, "connector", arena));
    table_cell(table, told_text(refusal, "cause", arena));
    table_number(table, told_number(refusal, "status"));
    table_cell(table, told_text(refusal, "peer", arena));
    table_number(table, told_number(refusal, "body_bytes"));
    table_number(table, told_number(refusal, "more"));
    table_cell(table, told_text(refusal, "id", arena));
    table_cell(table, told_text(refusal, "why", arena));
}

static void
list_text(struct slice body, const void *arg, struct buf *into)
{
    (void)arg;
    static const char *const heads[] = { "AT",   "CONNECTOR", "CAUSE", "HTTP",
                                         "FROM", "BODY",      "+MORE", "NUMBER",
                                         "WHY",  NULL };
    struct table table = { 0 };
    struct arena arena = { 0 };
    struct slice items = told_array(body, "items");
    struct slice refusal;
    size_t count = 0;
    size_t at = 0;
    table_heads(&table, heads);
    while (json_next_element(items, &at, &refusal)) {
        add_row(&table, refusal, &arena);
        count++;
    }
    if (count == 0) {
        buf_text(into, "no such refusal is kept\n");
    } else {
        table_print(&table, "", into);
        buf_text(into, "times are UTC; +MORE like it came next and are only "
                       "counted; 'longstop refusals NUMBER' shows the head\n");
    }
    table_fini(&table);
    arena_fini(&arena);
}

/* ---- by connector, cause and reason ---- */

struct group {
    struct slice connector, cause, why;
    int64_t count;
    int64_t last_ms;
};

static struct group *
group_of(struct group *groups, size_t *count, const struct group *like)
{
    for (size_t i = 0; i < *count; i++) {
        if (slice_equal(groups[i].connector, like->connector) &&
            slice_equal(groups[i].cause, like->cause) &&
            slice_equal(groups[i].why, like->why)) {
            return &groups[i];
        }
    }
    if (*count == GROUPS_MOST) {
        groups[*count - 1].why = slice_of("and others");
        return &groups[*count - 1];
    }
    groups[*count] = *like;
    return &groups[(*count)++];
}

static void
groups_text(struct slice body, const void *arg, struct buf *into)
{
    (void)arg;
    static const char *const heads[] = { "COUNT", "LAST", "CONNECTOR",
                                         "CAUSE", "WHY",  NULL };
    struct group groups[GROUPS_MOST];
    struct table table = { 0 };
    struct arena arena = { 0 };
    struct slice items = told_array(body, "items");
    struct slice refusal;
    size_t count = 0;
    size_t at = 0;
    while (json_next_element(items, &at, &refusal)) {
        const struct group like = {
            .connector = told_text(refusal, "connector", &arena),
            .cause = told_text(refusal, "cause", &arena),
            .why = told_text(refusal, "why", &arena),
            .last_ms = told_time(refusal, "at"),
        };
        group_of(groups, &count, &like)->count +=
            1 + told_number(refusal, "more");
    }
    table_heads(&table, heads);
    for (size_t i = 0; i < count; i++) {
        table_number(&table, groups[i].count);
        add_when(&table, groups[i].last_ms);
        table_cell(&table, groups[i].connector);
        table_cell(&table, groups[i].cause);
        table_cell(&table, groups[i].why);
    }
    if (count == 0) {
        buf_text(into, "no such refusal is kept\n");
    } else {
        table_print(&table, "", into);
    }
    table_fini(&table);
    arena_fini(&arena);
}

/* ---- one of them ---- */

static void
one_text(struct slice body, const void *arg, struct buf *into)
{
    (void)arg;
    struct arena arena = { 0 };
    struct slice line;
    size_t at = 0;
    buf_text(into, "refused ");
    told_when(told_time(body, "at"), clock_unix_ms(), into);
    buf_text(into, " UTC, from ");
    told_plain(told_text(body, "peer", &arena), into);
    buf_format(into, ", answered %lld\n",
               (long long)told_number(body, "status"));
    told_plain(told_text(body, "connector", &arena), into);
    buf_text(into, ": ");
    told_plain(told_text(body, "cause", &arena), into);
    buf_text(into, ": ");
    told_plain(told_text(body, "why", &arena), into);
    buf_format(into, "\nits body of %lld bytes is not kept",
               (long long)told_number(body, "body_bytes"));
    if (told_number(body, "more") > 0) {
        buf_format(into, "; %lld more like it came next",
                   (long long)told_number(body, "more"));
    }
    buf_text(into, "\n\n");
    struct slice head = told_array(body, "head");
    while (json_next_element(head, &at, &line)) {
        struct slice text;
        if (json_text(line, &arena, &text) == STATUS_OK) {
            buf_text(into, "  ");
            told_plain(text, into);
            buf_byte(into, '\n');
        }
    }
    if (at == 0) {
        buf_text(into, "  no head of it could be read\n");
    }
    arena_fini(&arena);
}

/* ---- asking ---- */

static enum exit_code
show_refusal(const struct ask *ask, const char *number, bool json)
{
    const struct ask_form form = { json, one_text, NULL };
    struct buf path = { 0 };
    buf_text(&path, "/api/v1/refusals/");
    encode_percent(slice_of(number), NULL, &path);
    return ask_show(ask, &path, &form);
}

enum exit_code
cmd_refusals(int argc, char **argv)
{
    const char *path = NULL;
    const char *limit = NULL;
    struct filters filters = { 0 };
    bool json = false, groups = false;
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "connector", 0, "NAME", "only of this one", &filters.connector,
          NULL },
        { "cause", 0, "CAUSE",
          "bad_signature, stale, refused, too_large, rate_limited or malformed",
          &filters.cause, NULL },
        { "since", 0, "TIME", "only from then on, or an age: 2h",
          &filters.since, NULL },
        { "until", 0, "TIME", "only before it, or an age", &filters.until,
          NULL },
        { "groups", 'g', NULL, "count them by cause and reason", NULL,
          &groups },
        { "limit", 'n', "N", "at most so many (50)", &limit, NULL },
        { "json", 0, NULL, "as JSON", NULL, &json },
    };
    const struct command_spec spec = {
        .name = "refusals",
        .operands = "[NUMBER]",
        .operand_more = 1,
        .summary = "Lists requests that were not accepted, and why, the newest "
                   "first; or shows the\nhead of one. Bodies and credentials "
                   "are not kept. keep.refusals says how many are.",
        .examples = "  longstop refusals --groups --since 2h\n"
                    "  longstop refusals --connector shop --cause "
                    "bad_signature\n"
                    "  longstop refusals 17\n",
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
        const struct ask_most most = { limit, groups ? (size_t)ASK_LIST_MOST
                                                     : REFUSALS_DEFAULT };
        const struct ask_form form = { json, groups ? groups_text : list_text,
                                       NULL };
        code = operands[0] != NULL
                   ? show_refusal(&ask, operands[0], json)
                   : ask_list(&ask, "/api/v1/refusals", &filters, &most, &form);
        configuration_fini(&configuration);
    }
    return code;
}
