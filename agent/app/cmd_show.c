/* SPDX-License-Identifier: MIT */
/*
 * cmd_show: all that is known of one event: which channel brought it, when each
 * saw it, what it lacked, what is owed, and each attempt with its answer.
 */
#include <stdio.h>

#include "app/ask.h"
#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "app/table.h"
#include "app/told.h"
#include "io/clock.h"
#include "wire/encode.h"
#include "wire/json.h"

/* What its parts are written from. */
struct telling {
    struct slice event;
    struct arena *arena;
    int64_t now_ms;
    struct buf *into;
};

static void
add_member(const struct telling *of, struct slice object, const char *name)
{
    told_plain(told_text(object, name, of->arena), of->into);
}

static void
add_when(const struct telling *of, struct slice object, const char *name)
{
    told_when(told_time(object, name), of->now_ms, of->into);
}

static void
head_text(const struct telling *of)
{
    struct slice kind = told_text(of->event, "content_type", of->arena);
    buf_text(of->into, "event ");
    add_member(of, of->event, "number");
    buf_text(of->into, "\n  id        ");
    add_member(of, of->event, "connector");
    buf_byte(of->into, '/');
    add_member(of, of->event, "id");
    buf_text(of->into, "\n  type      ");
    add_member(of, of->event, "type");
    buf_text(of->into, "\n  stamped   ");
    add_when(of, of->event, "time");
    buf_format(of->into, "\n  body      %lld bytes",
               (long long)told_number(of->event, "body_bytes"));
    if (kind.len > 0) {
        buf_text(of->into, ", ");
        told_plain(kind, of->into);
    }
    buf_byte(of->into, '\n');
}

/* What came in two steps: whose bytes these are, and what is still lacking. */
static void
fill_text(const struct telling *of)
{
    struct slice fill = told_object(of->event, "fill");
    struct slice needs = told_text(fill, "needs", of->arena);
    struct slice by = told_text(fill, "by", of->arena);
    if (by.len > 0) {
        buf_text(of->into, slice_equal_text(by, "fetch")
                               ? "  fetched   "
                               : "  webhook   sent again ");
        add_when(of, fill, "filled");
        buf_byte(of->into, '\n');
    }
    if (told_time(fill, "asked") != 0) {
        buf_text(of->into, "  asked     for its webhook ");
        add_when(of, fill, "asked");
        buf_byte(of->into, '\n');
    }
    if (needs.len > 0) {
        buf_text(of->into,
                 slice_equal_text(needs, "fetch")
                     ? "  lacks     its object, asked of the provider before "
                       "the first attempt\n"
                     : "  lacks     its webhook, which the provider is asked "
                       "to send again\n");
    }
}

/* Both channels with their times: where it came from. */
static void
seen_text(const struct telling *of)
{
    struct slice seen = told_array(of->event, "seen");
    struct slice item;
    size_t at = 0;
    int64_t first_ms = 0;
    buf_text(of->into, "seen by\n");
    for (bool first = true; json_next_element(seen, &at, &item);
         first = false) {
        char span[INSTANT_TEXT_BYTES];
        int64_t at_ms = told_time(item, "at");
        struct slice via = told_text(item, "via", of->arena);
        buf_format(of->into, "  %-8.*s  ", SLICE_ARG(via));
        told_when(at_ms, of->now_ms, of->into);
        if (first) {
            buf_text(of->into, ", brought it");
            first_ms = at_ms;
        } else {
            buf_format(of->into, ", %s later",
                       instant_span_text(at_ms - first_ms, span));
        }
        buf_byte(of->into, '\n');
    }
}

static void
delivery_text(const struct telling *of, struct slice delivery)
{
    struct slice state = told_text(delivery, "state", of->arena);
    struct slice reason = told_text(delivery, "reason", of->arena);
    struct slice answer = told_text(delivery, "answer", of->arena);
    struct slice again = told_text(delivery, "again", of->arena);
    buf_text(of->into, "  ");
    add_member(of, delivery, "handler");
    buf_format(of->into, ": %.*s", SLICE_ARG(state));
    if (told_true(delivery, "behind_another")) {
        buf_text(of->into, " for an earlier one of its order_by");
    } else if (slice_equal_text(state, "dead")) {
        buf_text(of->into, " since ");
        add_when(of, delivery, "dead");
    } else {
        buf_text(of->into,
                 slice_equal_text(state, "running") ? ", until " : ", due ");
        add_when(of, delivery, "due");
    }
    buf_format(of->into, ", attempt %lld",
               (long long)told_number(delivery, "attempt"));
    if (reason.len > 0) {
        buf_text(of->into, ": ");
        told_plain(reason, of->into);
    }
    if (answer.len > 0) {
        buf_text(of->into, " (");
        told_plain(answer, of->into);
        buf_byte(of->into, ')');
    }
    if (again.len > 0) {
        buf_format(of->into, ", a %.*s", SLICE_ARG(again));
    }
    buf_byte(of->into, '\n');
}

static void
deliveries_text(const struct telling *of)
{
    struct slice deliveries = told_array(of->event, "deliveries");
    struct slice delivery;
    size_t count = 0;
    size_t at = 0;
    buf_text(of->into, "deliveries\n");
    while (json_next_element(deliveries, &at, &delivery)) {
        delivery_text(of, delivery);
        count++;
    }
    if (count == 0) {
        buf_text(of->into,
                 "  nothing is owed: all is done, or no handler wants it\n");
    }
}

/* What a handler wrote, indented, line by line. */
static void
output_text(const struct telling *of, struct slice output)
{
    struct slice line;
    output = slice_trim(output);
    while (output.len > 0 && slice_split(&output, '\n', &line)) {
        buf_text(of->into, "      | ");
        told_plain(line, of->into);
        buf_byte(of->into, '\n');
    }
}

static void
attempts_text(const struct telling *of)
{
    struct slice attempts = told_array(of->event, "attempts");
    struct slice attempt;
    size_t count = 0;
    size_t at = 0;
    while (json_next_element(attempts, &at, &attempt)) {
        char span[INSTANT_TEXT_BYTES];
        buf_text(of->into, count++ == 0 ? "attempts\n  " : "  ");
        add_member(of, attempt, "handler");
        buf_format(of->into, " attempt %lld at ",
                   (long long)told_number(attempt, "attempt"));
        add_when(of, attempt, "started");
        buf_format(
            of->into, ", %s: ",
            instant_span_text(told_number(attempt, "duration_ms"), span));
        add_member(of, attempt, "detail");
        buf_text(of->into, " (");
        add_member(of, attempt, "outcome");
        if (told_time(attempt, "next") != 0) {
            buf_text(of->into, ", again ");
            add_when(of, attempt, "next");
        }
        buf_text(of->into, ")\n");
        output_text(of, told_text(attempt, "output", of->arena));
    }
}

static void
body_text(const struct telling *of)
{
    struct slice data;
    struct slice headers = told_text(of->event, "headers", of->arena);
    struct slice line;
    buf_byte(of->into, '\n');
    while (headers.len > 0 && slice_split(&headers, '\n', &line)) {
        told_plain(line, of->into);
        buf_byte(of->into, '\n');
    }
    if (json_member(of->event, slice_of("data"), &data)) {
        told_plain(data, of->into);
    } else {
        buf_text(of->into, "base64: ");
        add_member(of, of->event, "data_base64");
    }
    buf_byte(of->into, '\n');
}

static void
event_text(struct slice body, const void *arg, struct buf *into)
{
    const bool *with_body = arg;
    struct arena arena = { 0 };
    const struct telling of = { body, &arena, clock_unix_ms(), into };
    head_text(&of);
    fill_text(&of);
    seen_text(&of);
    deliveries_text(&of);
    attempts_text(&of);
    if (*with_body) {
        body_text(&of);
    }
    arena_fini(&arena);
}

static enum exit_code
show_event(const struct ask *ask, const char *id, bool with_body, bool json)
{
    const struct ask_form form = { json, event_text, &with_body };
    struct buf path = { 0 };
    buf_text(&path, "/api/v1/events/");
    encode_percent(slice_of(id), NULL, &path);
    buf_text(&path, with_body ? "?body=1" : "");
    return ask_show(ask, &path, &form);
}

enum exit_code
cmd_show(int argc, char **argv)
{
    const char *path = NULL;
    bool with_body = false, json = false;
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "body", 'b', NULL, "with the provider's headers and bytes", NULL,
          &with_body },
        { "json", 0, NULL, "as JSON", NULL, &json },
    };
    const struct command_spec spec = {
        .name = "show",
        .operands = "EVENT",
        .operand_count = 1,
        .summary = "Shows all that is known of one event, by its number or as "
                   "CONNECTOR/ID: which\nchannel brought it, when each saw it, "
                   "what is owed, each attempt and its answer.",
        .examples = "  longstop show shop/evt_1\n"
                    "  longstop show 1870235467890982912 --body\n",
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
        code = show_event(&ask, operands[0], with_body, json);
        configuration_fini(&configuration);
    }
    return code;
}
