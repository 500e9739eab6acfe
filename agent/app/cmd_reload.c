/* SPDX-License-Identifier: MIT */
/*
 * cmd_reload: has the running agent read its configuration again, and says what
 * is another now, or what is wrong with it.
 */
#include <stdio.h>

#include "app/ask.h"
#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "app/told.h"
#include "wire/json.h"

static void
add_lines(struct slice text, struct buf *into)
{
    struct slice line;
    while (text.len > 0 && slice_split(&text, '\n', &line)) {
        told_plain(line, into);
        buf_byte(into, '\n');
    }
}

/* Says what became of each name of a list. */
static void
say_names(struct slice names, const char *what, const char *how,
          struct buf *into)
{
    struct slice item;
    size_t at = 0;
    while (json_next_element(names, &at, &item)) {
        struct arena arena = { 0 };
        struct slice name;
        if (json_text(item, &arena, &name) == STATUS_OK) {
            buf_format(into, "%s ", what);
            told_plain(name, into);
            buf_format(into, " %s\n", how);
        }
        arena_fini(&arena);
    }
}

static void
say_part(struct slice body, const char *key, const char *what, struct buf *into)
{
    static const char *const hows[] = { "added", "changed", "removed" };
    struct slice part = told_object(body, key);
    for (size_t i = 0; i < sizeof(hows) / sizeof(hows[0]); i++) {
        say_names(told_array(part, hows[i]), what, hows[i], into);
    }
}

static void
reload_text(struct slice body, const void *arg, struct buf *into)
{
    struct arena arena = { 0 };
    size_t before = into->len;
    (void)arg;
    say_part(body, "connectors", "connector", into);
    say_part(body, "handlers", "handler", into);
    say_names(told_array(body, "sections"), "section", "changed", into);
    if (into->len == before) {
        buf_text(into, "nothing has changed; files and secrets were read "
                       "again\n");
    }
    add_lines(told_text(body, "text", &arena), into);
    arena_fini(&arena);
}

/* What the agent says is wrong; its title was printed. */
static void
print_mistakes(const struct buf *body, bool json)
{
    struct arena arena = { 0 };
    struct slice bytes = buf_slice(body);
    if (json) {
        (void)fwrite(slice_bytes(bytes), 1, bytes.len, stdout);
    } else if (json_check(bytes, JSON_DEPTH_DEFAULT, NULL) == STATUS_OK) {
        struct buf text = { 0 };
        add_lines(told_text(bytes, "text", &arena), &text);
        (void)fwrite(buf_slice(&text).ptr, 1, text.len, stderr);
        buf_fini(&text);
    }
    arena_fini(&arena);
}

static enum exit_code
ask_for(const struct configuration *configuration, bool json)
{
    const struct ask ask = { .configuration = configuration,
                             .command = "reload",
                             .reloads = true };
    const struct ask_form form = { json, reload_text, NULL };
    struct buf body = { 0 };
    enum exit_code code = ask_agent(&ask, "POST", "/api/v1/reload",
                                    (struct slice)SLICE(""), &body);
    if (code == EXIT_CONFIG) {
        print_mistakes(&body, json);
    }
    return ask_print(&ask, code, &body, &form);
}

enum exit_code
cmd_reload(int argc, char **argv)
{
    const char *path = NULL;
    bool json = false;
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "json", 0, NULL, "as JSON", NULL, &json },
    };
    const struct command_spec spec = {
        .name = "reload",
        .operands = "",
        .summary = "Has the running agent read its configuration, secrets and "
                   "certificates again, and\nsays what is another now. All of "
                   "it is taken up, or, where anything is wrong,\nnothing: the "
                   "mistakes are printed, and the one before goes on.",
        .examples = "  longstop reload\n",
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
    if (code != EXIT_OK) {
        (void)fprintf(stderr, "longstop reload: no agent was asked; one that "
                              "runs goes on as it is\n");
        return code;
    }
    code = ask_for(&configuration, json);
    configuration_fini(&configuration);
    return code;
}
