/* SPDX-License-Identifier: MIT */
/*
 * cmd_receivers: the receivers that are registered to be sent events as
 * webhooks: lists them, registers one, changes or removes one.
 */
#include <stdio.h>
#include <string.h>

#include "app/ask.h"
#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "app/told.h"
#include "io/clock.h"
#include "wire/encode.h"
#include "wire/json.h"

#define PATH "/api/v1/subscriptions"

struct wish {
    const char *events;
    const char *connectors;
    const char *overlap;
};

/* ---- answers ---- */

static void
add_line(struct slice item, struct arena *arena, struct buf *into)
{
    struct slice events = told_array(item, "events");
    struct slice event, text;
    size_t at = 0;
    const char *comma = "  ";
    told_plain(told_text(item, "id", arena), into);
    buf_format(into, "  %-8.*s  ", SLICE_ARG(told_text(item, "state", arena)));
    told_plain(told_text(item, "url", arena), into);
    while (json_next_element(events, &at, &event)) {
        if (json_text(event, arena, &text) == STATUS_OK) {
            buf_text(into, comma);
            told_plain(text, into);
            comma = ",";
        }
    }
    struct slice why = told_text(item, "disabled_why", arena);
    if (why.len > 0) {
        buf_text(into, "  (");
        told_plain(why, into);
        buf_byte(into, ')');
    }
    buf_byte(into, '\n');
}

static void
list_text(struct slice body, const void *arg, struct buf *into)
{
    struct slice items = told_array(body, "items");
    struct slice item;
    size_t count = 0;
    size_t at = 0;
    (void)arg;
    while (json_next_element(items, &at, &item)) {
        struct arena arena = { 0 };
        add_line(item, &arena, into);
        arena_fini(&arena);
        count++;
    }
    buf_text(into, count == 0 ? "no receiver is registered\n" : "");
}

/* What it is owed, where that is told. */
static void
add_owed(struct slice body, struct buf *into)
{
    struct slice value;
    if (json_member(body, slice_of("pending"), &value)) {
        buf_format(into, "pending %lld, oldest ",
                   (long long)told_number(body, "pending"));
        told_when(told_time(body, "oldest_pending"), clock_unix_ms(), into);
        buf_text(into, ", next try ");
        told_when(told_time(body, "next_try"), clock_unix_ms(), into);
        buf_format(into, ", dead letters %lld\n",
                   (long long)told_number(body, "dead"));
    }
}

/* One receiver, its secret where that is told, and how a test went. */
static void
one_text(struct slice body, const void *arg, struct buf *into)
{
    struct arena arena = { 0 };
    struct slice test = told_object(body, "test");
    struct slice secret = told_text(body, "secret", &arena);
    struct slice detail = told_text(test, "detail", &arena);
    struct slice removed = told_text(body, "removed", &arena);
    (void)arg;
    if (removed.len > 0) {
        told_plain(removed, into);
        buf_text(into, " is removed, with all that it was owed\n");
        arena_fini(&arena);
        return;
    }
    add_line(body, &arena, into);
    add_owed(body, into);
    if (secret.len > 0) {
        buf_text(into, "its secret, which is not shown again: ");
        told_plain(secret, into);
        buf_byte(into, '\n');
    }
    if (told_true(test, "delivered")) {
        buf_text(into, "it took the test event\n");
    } else if (detail.len > 0) {
        buf_text(into, "it did not take the test event: ");
        told_plain(detail, into);
        buf_byte(into, '\n');
    }
    arena_fini(&arena);
}

/* ---- questions ---- */

/* Adds a comma and a list of the words between commas. */
static void
add_words(const char *name, const char *words, struct buf *into)
{
    struct slice rest = slice_of(words == NULL ? "" : words);
    struct slice word;
    const char *comma = "";
    if (words == NULL) {
        return;
    }
    buf_format(into, ",\"%s\":[", name);
    while (slice_split(&rest, ',', &word)) {
        buf_text(into, comma);
        buf_json(into, slice_trim(word));
        comma = ",";
    }
    buf_byte(into, ']');
}

static void
write_add(const char *url, const struct wish *wish, struct buf *into)
{
    buf_text(into, "{\"url\":");
    buf_json(into, slice_of(url));
    add_words("events", wish->events, into);
    add_words("connectors", wish->connectors, into);
    buf_byte(into, '}');
}

static void
write_rotate(const char *id, const struct wish *wish, struct buf *into)
{
    (void)id;
    if (wish->overlap != NULL) {
        buf_text(into, "{\"overlap\":");
        buf_json(into, slice_of(wish->overlap));
        buf_byte(into, '}');
    }
}

/* What can be done, and how it is asked for. */
static const struct action {
    const char *name;
    const char *method;
    const char *behind; /* the id, in the path */
    bool has_id;
    void (*write)(const char *operand, const struct wish *wish,
                  struct buf *into);
} actions[] = {
    { "show", "GET", "", true, NULL },
    { "add", "POST", "", false, write_add },
    { "remove", "DELETE", "", true, NULL },
    { "rotate", "POST", "/rotate", true, write_rotate },
    { "enable", "POST", "/enable", true, NULL },
    { "test", "POST", "/test", true, NULL },
};

static enum exit_code
act(const struct ask *ask, const struct action *action, const char *operand,
    const struct wish *wish, bool json)
{
    const struct ask_form form = { json, one_text, NULL };
    struct buf path = { 0 };
    struct buf question = { 0 };
    struct buf body = { 0 };
    enum exit_code code = EXIT_FAILED;
    buf_text(&path, PATH);
    if (action->has_id) {
        buf_byte(&path, '/');
        encode_percent(slice_of(operand), NULL, &path);
        buf_text(&path, action->behind);
    }
    if (action->write != NULL) {
        action->write(operand, wish, &question);
    }
    if (buf_status(&path) == STATUS_OK && buf_status(&question) == STATUS_OK) {
        code = ask_agent(ask, action->method, path.ptr, buf_slice(&question),
                         &body);
    }
    buf_fini(&path);
    buf_fini(&question);
    return ask_print(ask, code, &body, &form);
}

static enum exit_code
list(const struct ask *ask, bool json)
{
    static const struct slice no_body = SLICE("");
    const struct ask_form form = { json, list_text, NULL };
    struct buf body = { 0 };
    enum exit_code code = ask_agent(ask, "GET", PATH, no_body, &body);
    return ask_print(ask, code, &body, &form);
}

/* Returns what is to be done; NULL: to list, or, with *ret_wrong, nothing that
 * is known, which has been said. */
static const struct action *
find(char **operands, bool *ret_wrong)
{
    const char *name = operands[0];
    *ret_wrong = false;
    if (name == NULL || (strcmp(name, "list") == 0 && operands[1] == NULL)) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(actions[i].name, name) == 0 && operands[1] != NULL) {
            return &actions[i];
        }
    }
    (void)fprintf(stderr,
                  "longstop receivers: say list, add URL, or show, remove, "
                  "rotate, enable or test with an ID\n");
    *ret_wrong = true;
    return NULL;
}

enum exit_code
cmd_receivers(int argc, char **argv)
{
    const char *path = NULL;
    bool json = false;
    struct wish wish = { 0 };
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "events", 'e', "GLOBS", "add: types of events, with commas between",
          &wish.events, NULL },
        { "connectors", 0, "NAMES", "add: only of these connectors",
          &wish.connectors, NULL },
        { "overlap", 0, "TIME",
          "rotate: how long the secret before signs too: 1d", &wish.overlap,
          NULL },
        { "json", 0, NULL, "as JSON", NULL, &json },
    };
    const struct command_spec spec = {
        .name = "receivers",
        .operands = "[ACTION [URL|ID]]",
        .operand_more = 2,
        .summary = "Receivers that events are sent to as signed webhooks: "
                   "lists them, registers one\n(add URL), or has one be shown, "
                   "removed, sent a test event, enabled, or given\nanother "
                   "secret (show, remove, test, enable, rotate ID).",
        .examples =
            "  longstop receivers\n"
            "  longstop receivers add https://example.com/hooks -e 'order.*'\n"
            "  longstop receivers rotate rcv_0123456789abcdef01234567 "
            "--overlap 2d\n",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
    };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    bool is_wrong;
    const struct action *action = find(operands, &is_wrong);
    if (is_wrong) {
        return EXIT_USAGE;
    }
    struct configuration configuration;
    enum exit_code code = load_configuration_to_ask(path, &configuration);
    if (code == EXIT_OK) {
        const struct ask ask = { .configuration = &configuration,
                                 .command = spec.name };
        code = action == NULL ? list(&ask, json)
                              : act(&ask, action, operands[1], &wish, json);
        configuration_fini(&configuration);
    }
    return code;
}
