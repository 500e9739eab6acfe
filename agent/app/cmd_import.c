/* SPDX-License-Identifier: MIT */
/*
 * cmd_import: takes events that were exported into the running agent's store.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app/ask.h"
#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "app/progress.h"
#include "app/told.h"
#include "wire/json.h"

#define CHUNK_BYTES ((size_t)1 << 20)
#define CHUNK_LINES 500
#define READ_BYTES  65536

struct import {
    struct ask ask;
    FILE *from;
    struct buf chunk;
    size_t lines;     /* in the chunk */
    long long before; /* lines read before it */
    long long fresh, known;
    uint64_t read, size; /* of the file, in bytes; 0: nobody knows */
    struct progress progress;
};

static enum exit_code
send_chunk(struct import *import)
{
    struct buf answer = { 0 };
    if (import->lines == 0) {
        return EXIT_OK;
    }
    buf_text(&import->chunk, "]}");
    enum exit_code code = EXIT_FAILED;
    if (buf_status(&import->chunk) == STATUS_OK) {
        code = ask_agent(&import->ask, "POST", "/api/v1/import",
                         buf_slice(&import->chunk), &answer);
    }
    if (code == EXIT_OK) {
        import->fresh += told_number(buf_slice(&answer), "new");
        import->known += told_number(buf_slice(&answer), "known");
        import->before += (long long)import->lines;
    } else {
        (void)fprintf(stderr,
                      "longstop import: nothing of the %zu lines behind line "
                      "%lld was taken\n",
                      import->lines, import->before);
    }
    buf_fini(&answer);
    buf_clear(&import->chunk);
    import->lines = 0;
    return code;
}

static enum exit_code
take_line(struct import *import, struct slice line)
{
    line = slice_trim(line);
    if (line.len == 0) {
        return EXIT_OK;
    }
    if (json_check(line, JSON_DEPTH_DEFAULT, NULL) != STATUS_OK) {
        (void)fprintf(stderr, "longstop import: line %lld is no JSON\n",
                      import->before + (long long)import->lines + 1);
        return EXIT_USAGE;
    }
    buf_text(&import->chunk, import->lines == 0 ? "{\"events\":[" : ",");
    buf_append(&import->chunk, line);
    import->lines++;
    return import->lines == CHUNK_LINES || import->chunk.len >= CHUNK_BYTES
               ? send_chunk(import)
               : EXIT_OK;
}

/* Takes the whole lines of what has been read; at the end also the last. */
static enum exit_code
take_lines(struct import *import, struct buf *text, bool at_end)
{
    struct slice rest = buf_slice(text);
    enum exit_code code = EXIT_OK;
    size_t end;
    while (code == EXIT_OK && (end = slice_find(rest, '\n')) != SIZE_MAX) {
        code = take_line(import, slice_first(rest, end));
        rest = slice_from(rest, end + 1);
    }
    if (code == EXIT_OK && at_end) {
        code = take_line(import, rest);
        rest.len = 0;
    }
    buf_consume(text, text->len - rest.len);
    return code;
}

static enum exit_code
read_lines(struct import *import)
{
    char piece[READ_BYTES];
    struct buf text = { 0 };
    enum exit_code code = EXIT_OK;
    size_t len;
    do {
        len = fread(piece, 1, sizeof(piece), import->from);
        import->read += len;
        progress_tell(&import->progress, import->read, import->size,
                      import->fresh + import->known, "events");
        buf_append(&text, (struct slice){ piece, len });
        code = buf_status(&text) == STATUS_OK
                   ? take_lines(import, &text, len == 0)
                   : EXIT_FAILED;
    } while (code == EXIT_OK && len > 0);
    buf_fini(&text);
    return code == EXIT_OK ? send_chunk(import) : code;
}

static enum exit_code
import_all(struct import *import, const char *name, bool json)
{
    import->from = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
    if (import->from == NULL) {
        (void)fprintf(stderr, "longstop import: %s cannot be read\n", name);
        return EXIT_STORE;
    }
    struct stat info;
    if (fstat(fileno(import->from), &info) == 0 && S_ISREG(info.st_mode)) {
        import->size = (uint64_t)info.st_size;
    }
    progress_begin(&import->progress);
    enum exit_code code = read_lines(import);
    progress_end(&import->progress);
    if (import->from != stdin) {
        (void)fclose(import->from);
    }
    buf_fini(&import->chunk);
    (void)printf(json ? "{\"new\":%lld,\"known\":%lld}\n"
                      : "%lld events taken, %lld were known\n",
                 import->fresh, import->known);
    return code;
}

enum exit_code
cmd_import(int argc, char **argv)
{
    const char *path = NULL;
    bool json = false;
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "json", 0, NULL, "as JSON", NULL, &json },
    };
    const struct command_spec spec = {
        .name = "import",
        .operands = "FILE|-",
        .operand_count = 1,
        .summary = "Takes events that were exported into this store, each "
                   "once: what the ledger knows\nis left out. Nobody is owed "
                   "them: 'longstop replay' hands them over.",
        .examples = "  longstop import events.jsonl\n"
                    "  longstop export -c old.yaml | longstop import -\n",
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
        struct import import = { .ask = { .configuration = &configuration,
                                          .command = spec.name } };
        code = import_all(&import, operands[0], json);
        configuration_fini(&configuration);
    }
    return code;
}
