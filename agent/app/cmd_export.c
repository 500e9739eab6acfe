/* SPDX-License-Identifier: MIT */
/*
 * cmd_export: writes the events that are kept as lines of JSON, the oldest
 * first, whole: for another store, or for keeps.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/ask.h"
#include "app/commands.h"
#include "app/filters.h"
#include "app/load.h"
#include "app/options.h"
#include "app/progress.h"
#include "app/told.h"
#include "wire/json.h"
#include "wire/url.h"

#define PAGES_MOST 100000000

static const struct slice no_body = SLICE("");

struct export
{
    struct ask ask;
    struct filters filters;
    FILE *to;
    struct buf
        cursor; /* of the next page; empty: the first, or there is none */
    int64_t count;
    struct progress progress;
};

static enum exit_code
write_page(struct export *export, struct slice body)
{
    struct arena arena = { 0 };
    struct slice item;
    size_t at = 0;
    enum exit_code code = EXIT_OK;
    while (code == EXIT_OK &&
           json_next_element(told_array(body, "items"), &at, &item)) {
        item = slice_trim(item);
        if (fwrite(item.ptr, 1, item.len, export->to) != item.len ||
            fputc('\n', export->to) == EOF) {
            code = EXIT_STORE;
        }
        export->count++;
    }
    progress_tell(&export->progress, 0, 0, export->count, "events");
    buf_clear(&export->cursor);
    buf_append(&export->cursor, told_text(body, "next_cursor", &arena));
    arena_fini(&arena);
    return code;
}

static enum exit_code
export_page(struct export *export)
{
    struct buf path = { 0 }, body = { 0 };
    enum exit_code code = EXIT_FAILED;
    buf_text(&path, "/api/v1/export");
    filters_query(&export->filters, &path);
    url_add_query(&path, slice_of("limit"), slice_of("500"));
    if (export->cursor.len > 0) {
        url_add_query(&path, slice_of("cursor"), buf_slice(&export->cursor));
    }
    if (buf_status(&path) == STATUS_OK) {
        code = ask_agent(&export->ask, "GET", path.ptr, no_body, &body);
    }
    if (code == EXIT_OK) {
        code = write_page(export, buf_slice(&body));
    }
    buf_fini(&path);
    buf_fini(&body);
    return code;
}

static enum exit_code
export_all(struct export *export, const char *name)
{
    enum exit_code code = EXIT_OK;
    bool more = true;
    export->to = name == NULL ? stdout : fopen(name, "we");
    if (export->to == NULL) {
        (void)fprintf(stderr, "longstop export: %s cannot be written\n", name);
        return EXIT_STORE;
    }
    /* lines on the terminal itself say how far it is */
    if (name != NULL || isatty(STDOUT_FILENO) == 0) {
        progress_begin(&export->progress);
    }
    for (int i = 0; code == EXIT_OK && more && i < PAGES_MOST; i++) {
        code = export_page(export);
        more = export->cursor.len > 0;
    }
    progress_end(&export->progress);
    bool failed = fflush(export->to) != 0;
    failed = (name != NULL && fclose(export->to) != 0) || failed;
    if (failed || code == EXIT_STORE) {
        (void)fprintf(stderr,
                      "longstop export: it could not be written whole\n");
        code = EXIT_STORE;
    } else if (code == EXIT_OK) {
        (void)fprintf(stderr, "%lld events\n", (long long)export->count);
    }
    buf_fini(&export->cursor);
    return code;
}

enum exit_code
cmd_export(int argc, char **argv)
{
    const char *path = NULL;
    struct export export = { 0 };
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "connector", 0, "NAME", "only of this one", &export.filters.connector,
          NULL },
        { "type", 't', "GLOB", "only such types, as 'order.*'",
          &export.filters.type, NULL },
        { "since", 0, "TIME", "only from then on, or an age: 2h",
          &export.filters.since, NULL },
        { "until", 0, "TIME", "only before it, or an age",
          &export.filters.until, NULL },
    };
    const struct command_spec spec = {
        .name = "export",
        .operands = "[FILE]",
        .operand_more = 1,
        .summary = "Writes the events that are kept as lines of JSON, the "
                   "oldest first, to FILE or\nstdout: bytes, fields, times and "
                   "ids as they came.",
        .examples =
            "  longstop export > events.jsonl\n"
            "  longstop export --connector shop --since 7d shop.jsonl\n",
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
        const char *name = operands[0];
        export.ask = (struct ask){ .configuration = &configuration,
                                   .command = spec.name };
        code = export_all(&export,
                          name != NULL && strcmp(name, "-") == 0 ? NULL : name);
        configuration_fini(&configuration);
    }
    return code;
}
