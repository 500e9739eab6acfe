/* SPDX-License-Identifier: MIT */
/*
 * cmd_errand: retry, drop and replay: one event or all that meet a filter, told
 * how many that is before it begins, followed until it is done.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/ask.h"
#include "app/commands.h"
#include "app/errand_report.h"
#include "app/filters.h"
#include "app/interrupt.h"
#include "app/load.h"
#include "app/options.h"
#include "app/told.h"
#include "base/instant.h"
#include "io/clock.h"
#include "wire/encode.h"
#include "wire/json.h"

#define LOOK_MS 100
#define LINE_MS (10 * INSTANT_SECOND_MS) /* off a terminal */

static const struct slice no_body = SLICE("");

struct errand_command {
    struct ask ask;
    const char *kind;
    const char *event; /* as it was named; NULL: by filter */
    struct buf number; /* its number */
    struct filters filters;
    const char *rate;
    bool all, yes, dry, detach, json;
};

static bool
is_replay(const struct errand_command *command)
{
    return strcmp(command->kind, "replay") == 0;
}

static void
print(struct buf *text, FILE *to)
{
    if (buf_status(text) == STATUS_OK) {
        (void)fwrite(text->ptr, 1, text->len, to);
        (void)fflush(to);
    }
    buf_fini(text);
}

/* ---- the agent ---- */

/* CONNECTOR/ID is looked up; a number is taken as it is. */
static enum exit_code
find_event(struct errand_command *command)
{
    uint64_t number;
    struct buf path = { 0 }, body = { 0 };
    struct arena arena = { 0 };
    if (slice_to_u64(slice_of(command->event), &number) == STATUS_OK) {
        buf_text(&command->number, command->event);
        return EXIT_OK;
    }
    enum exit_code code = EXIT_FAILED;
    buf_text(&path, "/api/v1/events/");
    encode_percent(slice_of(command->event), NULL, &path);
    if (buf_status(&path) == STATUS_OK) {
        code = ask_agent(&command->ask, "GET", path.ptr, no_body, &body);
    }
    if (code == EXIT_OK) {
        buf_append(&command->number,
                   told_text(buf_slice(&body), "number", &arena));
    }
    buf_fini(&path);
    buf_fini(&body);
    arena_fini(&arena);
    return code;
}

static enum exit_code
post(const struct errand_command *command, bool preview, struct buf *into)
{
    struct buf wish = { 0 };
    enum exit_code code = EXIT_FAILED;
    buf_format(&wish, "{\"kind\":\"%s\"", command->kind);
    if (command->event != NULL) {
        buf_text(&wish, ",\"event\":");
        buf_json(&wish, buf_slice(&command->number));
    }
    filters_members(&command->filters, &wish);
    if (command->rate != NULL) {
        buf_text(&wish, ",\"rate\":");
        buf_json(&wish, slice_of(command->rate));
    }
    buf_text(&wish, command->all ? ",\"all\":true" : "");
    buf_text(&wish, preview ? ",\"preview\":true}" : "}");
    if (buf_status(&wish) == STATUS_OK) {
        code = ask_agent(&command->ask, "POST", "/api/v1/errands",
                         buf_slice(&wish), into);
    }
    buf_fini(&wish);
    return code;
}

/* ---- asking back ---- */

static bool
says_yes(const struct errand_command *command)
{
    char line[16] = "";
    (void)fprintf(stderr, "%s them? [y/N] ", command->kind);
    (void)fflush(stderr);
    return fgets(line, sizeof(line), stdin) != NULL &&
           (line[0] == 'y' || line[0] == 'Y');
}

/* Tells how many there are and lets the operator decide; `*ret_go`: do it. */
static enum exit_code
ask_back(const struct errand_command *command, bool *ret_go)
{
    struct buf body = { 0 }, text = { 0 };
    enum exit_code code = post(command, true, &body);
    *ret_go = false;
    if (code != EXIT_OK) {
        buf_fini(&body);
        return code;
    }
    int64_t matches = told_number(buf_slice(&body), "matches");
    if (command->dry && command->json) {
        buf_append(&text, buf_slice(&body));
    } else {
        errand_report_matches(is_replay(command), matches, &text);
        buf_byte(&text, '\n');
    }
    buf_fini(&body);
    print(&text, command->dry ? stdout : stderr);
    if (command->dry || matches == 0) {
        return EXIT_OK;
    }
    if (isatty(STDIN_FILENO)) {
        *ret_go = says_yes(command);
        return *ret_go ? EXIT_OK : EXIT_FAILED;
    }
    (void)fprintf(stderr,
                  "longstop %s: nothing was done: say --yes where nobody can "
                  "be asked, or --dry-run to know only how many\n",
                  command->kind);
    return EXIT_USAGE;
}

/* ---- following ---- */

static void
show(const struct errand_command *command, struct slice errand, bool bar)
{
    struct buf text = { 0 };
    bool animated = bar && errand_report_is_running(errand);
    if (command->json) {
        buf_append(&text, errand);
    } else if (animated) {
        buf_byte(&text, '\r');
        errand_report_bar(errand, &text);
    } else {
        if (bar) {
            buf_format(&text, "\r%78s\r", "");
        }
        errand_report_line(errand, &text);
        buf_byte(&text, '\n');
    }
    print(&text, stdout);
}

static void
rest(void)
{
    const struct timespec span = { .tv_nsec = LOOK_MS * 1000000L };
    (void)nanosleep(&span, NULL); /* an interrupt ends it */
}

static enum exit_code
say_how_to_go_on(struct slice number)
{
    (void)fprintf(stderr,
                  "\nit goes on in the agent: 'longstop errands %.*s' looks at "
                  "it,\n'longstop errands %.*s --cancel' ends it\n",
                  SLICE_ARG(number), SLICE_ARG(number));
    return EXIT_LATER;
}

static enum exit_code
follow(const struct errand_command *command, struct slice number)
{
    const bool bar = !command->json && isatty(STDOUT_FILENO);
    struct buf path = { 0 };
    int64_t next_ms = clock_monotonic_ms() + LINE_MS;
    enum exit_code code = EXIT_FAILED;
    bool running = true;
    buf_format(&path, "/api/v1/errands/%.*s", SLICE_ARG(number));
    if (buf_status(&path) == STATUS_OK) {
        code = EXIT_OK;
    }
    while (code == EXIT_OK && running && !interrupt_seen()) {
        struct buf body = { 0 };
        code = ask_agent(&command->ask, "GET", path.ptr, no_body, &body);
        struct slice errand = buf_slice(&body);
        if (code == EXIT_OK) {
            running = errand_report_is_running(errand);
            if (!running || bar || clock_monotonic_ms() >= next_ms) {
                show(command, errand, bar);
                next_ms = clock_monotonic_ms() + LINE_MS;
            }
            code = running || errand_report_is_done(errand) ? EXIT_OK
                                                            : EXIT_FAILED;
        }
        buf_fini(&body);
        if (code == EXIT_OK && running) {
            rest();
        }
    }
    buf_fini(&path);
    return code == EXIT_OK && running ? say_how_to_go_on(number) : code;
}

/* ---- the commands ---- */

static enum exit_code
do_it(const struct errand_command *command)
{
    struct buf body = { 0 };
    struct arena arena = { 0 };
    enum exit_code code = post(command, false, &body);
    struct slice number = { NULL, 0 };
    if (code == EXIT_OK) {
        number = told_text(buf_slice(&body), "errand", &arena);
        if (command->detach) {
            show(command, buf_slice(&body), false);
        } else {
            code = follow(command, number);
        }
    }
    buf_fini(&body);
    arena_fini(&arena);
    return code;
}

static enum exit_code
run(struct errand_command *command)
{
    bool go = true;
    enum exit_code code = EXIT_OK;
    if (command->event == NULL && !command->all &&
        !filters_any(&command->filters)) {
        (void)fprintf(stderr,
                      "longstop %s: name an EVENT, a filter such as --handler, "
                      "or --all\n",
                      command->kind);
        return EXIT_USAGE;
    }
    if (command->event != NULL) {
        code = find_event(command);
    }
    if (code == EXIT_OK &&
        (command->dry || (command->event == NULL && !command->yes))) {
        code = ask_back(command, &go);
    }
    if (code == EXIT_OK && go) {
        interrupt_begin();
        code = do_it(command);
    }
    buf_fini(&command->number);
    return code;
}

static enum exit_code
errand(int argc, char **argv, const struct command_spec *words)
{
    struct command_spec spec = *words;
    const char *path = NULL;
    struct errand_command command = { .kind = spec.name };
    struct filters *filters = &command.filters;
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "connector", 0, "NAME", "only of this one", &filters->connector,
          NULL },
        { "handler", 0, "NAME", "only of, or to, this one", &filters->handler,
          NULL },
        { "type", 't', "GLOB", "only such types, as 'order.*'", &filters->type,
          NULL },
        { "since", 0, "TIME", "only from then on, or an age: 2h",
          &filters->since, NULL },
        { "until", 0, "TIME", "only before it, or an age", &filters->until,
          NULL },
        { "all", 0, NULL, "without a filter", NULL, &command.all },
        { "yes", 'y', NULL, "do not ask back", NULL, &command.yes },
        { "dry-run", 0, NULL, "only say how many", NULL, &command.dry },
        { "detach", 0, NULL, "do not wait for its end", NULL, &command.detach },
        { "json", 0, NULL, "as JSON", NULL, &command.json },
        { "rate", 0, "N/s", "so many at most", &command.rate, NULL },
        { "reason", 'r', "TEXT", "only with this in reason or answer",
          &filters->reason, NULL },
    };
    const size_t count = sizeof(options) / sizeof(options[0]);
    spec.operands = "[EVENT]";
    spec.operand_more = 1;
    spec.options = options;
    spec.option_count = is_replay(&command) ? count - 1 : count;
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    struct configuration configuration;
    enum exit_code code = load_configuration_to_ask(path, &configuration);
    if (code == EXIT_OK) {
        command.ask = (struct ask){ .configuration = &configuration,
                                    .command = spec.name };
        command.event = operands[0];
        code = run(&command);
        configuration_fini(&configuration);
    }
    return code;
}

enum exit_code
cmd_retry(int argc, char **argv)
{
    const struct command_spec spec = {
        .name = "retry",
        .summary = "Tries dead letters again: of one EVENT, by its number or "
                   "as CONNECTOR/ID, or all\nthat meet a filter, the oldest "
                   "first and behind what is new. Attempts and give_up\ncount "
                   "from anew.",
        .examples = "  longstop retry shop/evt_1\n"
                    "  longstop retry --handler mail --since 1d --rate 50/s\n",
    };
    return errand(argc, argv, &spec);
}

enum exit_code
cmd_drop(int argc, char **argv)
{
    const struct command_spec spec = {
        .name = "drop",
        .summary = "Lets dead letters go: of one EVENT, or all that meet a "
                   "filter. The events stay\nas long as keep.events says.",
        .examples = "  longstop drop shop/evt_1 --handler mail\n"
                    "  longstop drop --reason 'http 422' --until 7d\n",
    };
    return errand(argc, argv, &spec);
}

enum exit_code
cmd_replay(int argc, char **argv)
{
    const struct command_spec spec = {
        .name = "replay",
        .summary = "Hands old events over once more: one EVENT, or all that "
                   "meet a filter, to the\nhandlers that would get them if "
                   "they were new, or of these to --handler alone;\none EVENT "
                   "to --handler whatever it is for. They are marked: "
                   "LONGSTOP_REPLAY=1,\nLongstop-Replay: 1, \"replay\":true.",
        .examples = "  longstop replay shop/evt_1 --handler mail\n"
                    "  longstop replay --since 2d --until 1d --rate 100/s\n",
    };
    return errand(argc, argv, &spec);
}
