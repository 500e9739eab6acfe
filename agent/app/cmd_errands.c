/* SPDX-License-Identifier: MIT */
/*
 * cmd_errands: how retries, drops and replays stand; ends one.
 */
#include <stdio.h>

#include "app/ask.h"
#include "app/commands.h"
#include "app/errand_report.h"
#include "app/load.h"
#include "app/options.h"
#include "app/told.h"
#include "wire/json.h"

#define ERRANDS_MOST 100

static void
list_text(struct slice body, const void *arg, struct buf *into)
{
    (void)arg;
    struct slice items = told_array(body, "items");
    struct slice item;
    size_t count = 0;
    size_t at = 0;
    while (json_next_element(items, &at, &item)) {
        errand_report_line(item, into);
        buf_byte(into, '\n');
        count++;
    }
    buf_text(into,
             count == 0 ? "nothing was retried, dropped or replayed\n" : "");
}

static void
one_text(struct slice body, const void *arg, struct buf *into)
{
    (void)arg;
    errand_report_line(body, into);
    buf_byte(into, '\n');
}

static void
cancelled_text(struct slice body, const void *arg, struct buf *into)
{
    struct arena arena = { 0 };
    (void)arg;
    buf_text(into, "errand ");
    told_plain(told_text(body, "cancelled", &arena), into);
    buf_text(into, " is cancelled; what it made owed stays so\n");
    arena_fini(&arena);
}

static enum exit_code
one(const struct ask *ask, const char *number, bool cancel, bool json)
{
    static const struct slice no_body = SLICE("");
    const struct ask_form form = { json, cancel ? cancelled_text : one_text,
                                   NULL };
    struct buf path = { 0 }, body = { 0 };
    uint64_t id;
    if (slice_to_u64(slice_of(number), &id) != STATUS_OK) {
        (void)fprintf(stderr, "longstop errands: an errand is named by its "
                              "number; 'longstop errands' lists them\n");
        return EXIT_USAGE;
    }
    enum exit_code code = EXIT_FAILED;
    buf_format(&path, "/api/v1/errands/%s", number);
    if (buf_status(&path) == STATUS_OK) {
        code =
            ask_agent(ask, cancel ? "DELETE" : "GET", path.ptr, no_body, &body);
    }
    buf_fini(&path);
    return ask_print(ask, code, &body, &form);
}

static enum exit_code
list(const struct ask *ask, bool json)
{
    const struct ask_form form = { json, list_text, NULL };
    struct buf body = { 0 };
    enum exit_code code =
        ask_pages(ask, "/api/v1/errands", ERRANDS_MOST, &body);
    return ask_print(ask, code, &body, &form);
}

enum exit_code
cmd_errands(int argc, char **argv)
{
    const char *path = NULL;
    bool cancel = false, json = false;
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "cancel", 0, NULL, "end it where it is", NULL, &cancel },
        { "json", 0, NULL, "as JSON", NULL, &json },
    };
    const struct command_spec spec = {
        .name = "errands",
        .operands = "[ERRAND]",
        .operand_more = 1,
        .summary = "How retries, drops and replays stand, the newest first, or "
                   "one of them.",
        .examples = "  longstop errands\n"
                    "  longstop errands 7 --cancel\n",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
    };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    if (cancel && operands[0] == NULL) {
        (void)fprintf(stderr, "longstop errands: --cancel: say which ERRAND\n");
        return EXIT_USAGE;
    }
    struct configuration configuration;
    enum exit_code code = load_configuration_to_ask(path, &configuration);
    if (code == EXIT_OK) {
        const struct ask ask = { .configuration = &configuration,
                                 .command = spec.name };
        code = operands[0] == NULL ? list(&ask, json)
                                   : one(&ask, operands[0], cancel, json);
        configuration_fini(&configuration);
    }
    return code;
}
