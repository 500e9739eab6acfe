/* SPDX-License-Identifier: MIT */
/*
 * cmd_demo: loses webhooks on purpose and shows that nothing is missing.
 *
 * A simulated provider, the real agent and a real exec handler, each a process
 * of its own, in a temporary directory, offline. The verdict compares the
 * provider's journal with the handler's file, never the agent's counters.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/commands.h"
#include "app/demo_stage.h"
#include "app/demo_verdict.h"
#include "app/options.h"
#include "base/instant.h"
#include "io/clock.h"
#include "io/fs.h"
#include "wire/json_tree.h"

#define EVENTS_DEFAULT "1000"
#define LOSS_DEFAULT   "20"
#define EVENTS_MAX     1000000
#define RATE           250 /* facts a second */
#define LOOK_EVERY_MS  50
/* What is owed when the last fact has happened: a walk or two, a 429 or two,
 * and children at the pace of a slow machine. */
#define PATIENCE_MS   (60 * INSTANT_SECOND_MS)
#define PATIENCE_EACH 20 /* ms a fact */
/* Behind the last delivery: one more walk, in which something could still be
 * handed over a second time. */
#define AFTERTHOUGHT_MS 1500
#define FILE_LIMIT      ((size_t)1 << 31)
#define LOG_TAIL        2000

static volatile sig_atomic_t interrupted;

static void
on_signal(int signal)
{
    (void)signal;
    interrupted = 1;
}

static void
catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
}

/* Reads both texts and compares them. */
static enum status
judge(const struct demo_stage *stage, struct demo_verdict *ret,
      struct error *err)
{
    struct buf journal = { 0 };
    struct buf handled = { 0 };
    enum status status = fs_read(stage->journal.ptr, FILE_LIMIT, &journal, err);
    if (status == STATUS_OK) {
        status = fs_read(stage->handled.ptr, FILE_LIMIT, &handled, err);
        if (status == STATUS_NOT_FOUND) {
            /* nothing was handed over: the verdict will say so */
            status = STATUS_OK;
        }
    }
    if (status == STATUS_OK) {
        status = demo_verdict_reach(buf_slice(&journal), buf_slice(&handled),
                                    ret, err);
    }
    buf_fini(&journal);
    buf_fini(&handled);
    return status;
}

static int64_t
file_size(struct slice path)
{
    struct stat about;
    return stat(path.ptr, &about) == 0 ? (int64_t)about.st_size : 0;
}

/* Whether everything that happened has been handed over. Looks again only when
 * the handler has written since. */
static bool
all_delivered(const struct demo_stage *stage, int64_t *seen_bytes)
{
    struct demo_verdict verdict = { 0 };
    int64_t bytes = file_size(stage->handled);
    if (bytes == *seen_bytes) {
        return false;
    }
    *seen_bytes = bytes;
    return judge(stage, &verdict, NULL) == STATUS_OK &&
           verdict.produced == stage->plan.events && verdict.lost == 0;
}

/* Waits for the end of the play, or for a reason not to. */
static enum status
watch(struct demo_stage *stage, struct error *err)
{
    const struct demo_plan *plan = &stage->plan;
    int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS +
                          plan->events * 1000 / plan->rate +
                          plan->events * PATIENCE_EACH;
    int64_t seen_bytes = -1;
    int64_t whole_ms = INT64_MAX; /* since when nothing is missing */
    for (;;) {
        (void)poll(NULL, 0, LOOK_EVERY_MS);
        int64_t now_ms = clock_monotonic_ms();
        if (interrupted) {
            return error_set(err, STATUS_CANCELED, "interrupted");
        }
        if (!demo_child_running(&stage->agent)) {
            return error_set(err, STATUS_UNAVAILABLE, "the agent has ended");
        }
        if (!demo_child_running(&stage->provider)) {
            return error_set(err, STATUS_UNAVAILABLE, "the provider has ended");
        }
        if (whole_ms == INT64_MAX && demo_stage_heard(stage, "done\n") &&
            all_delivered(stage, &seen_bytes)) {
            whole_ms = now_ms;
        }
        bool thought_over =
            whole_ms != INT64_MAX && now_ms - whole_ms >= AFTERTHOUGHT_MS;
        if (thought_over || now_ms > deadline_ms) {
            return STATUS_OK; /* the verdict will say what is missing */
        }
    }
}

/* ---- what is said ---- */

static enum status
print_json(const struct demo_verdict *verdict, int64_t took_ms)
{
    const struct {
        const char *name;
        int64_t value;
    } figures[] = {
        { "produced", verdict->produced },
        { "hooked", verdict->hooked },
        { "recovered", verdict->recovered },
        { "duplicates", verdict->duplicates },
        { "delivered", verdict->delivered },
        { "lost", verdict->lost },
        { "twice", verdict->twice },
    };
    struct json_tree *tree;
    struct buf text = { 0 };
    enum status status = json_tree_create(&tree);
    if (status != STATUS_OK) {
        return status;
    }
    struct json_node *root = json_tree_root(tree);
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        json_add_i64(tree, root, figures[i].name, figures[i].value);
    }
    int64_t tenths = (took_ms + 50) / 100;
    json_add_double(tree, root, "seconds", (double)tenths / 10);
    status = json_tree_print(tree, false, &text);
    if (status == STATUS_OK) {
        (void)printf("%s\n", text.ptr);
    }
    buf_fini(&text);
    json_tree_destroy(tree);
    return status;
}

static void
print_sentence(const struct demo_verdict *v, int64_t took_ms)
{
    (void)printf(
        "%lld events produced, %lld arrived by webhook, %lld recovered by "
        "polling, %lld duplicates suppressed, %lld delivered, %lld lost, "
        "%lld twice, in %.1f s.\n",
        (long long)v->produced, (long long)v->hooked, (long long)v->recovered,
        (long long)v->duplicates, (long long)v->delivered, (long long)v->lost,
        (long long)v->twice, (double)took_ms / 1000);
}

/* The end of what both processes had to say. */
static void
print_log(const struct demo_stage *stage)
{
    struct buf text = { 0 };
    if (stage->log.len > 0 &&
        fs_read(stage->log.ptr, FILE_LIMIT, &text, NULL) == STATUS_OK) {
        struct slice tail = buf_slice(&text);
        tail = slice_from(tail, tail.len > LOG_TAIL ? tail.len - LOG_TAIL : 0);
        (void)fprintf(stderr, "%.*s", SLICE_ARG(tail));
    }
    buf_fini(&text);
}

/* Says what broke a promise; returns whether none was. */
static bool
is_good(const struct demo_plan *plan, const struct demo_verdict *verdict,
        bool orderly)
{
    const struct {
        bool wrong;
        const char *words;
    } rules[] = {
        { verdict->produced < plan->events, "not every event was produced" },
        { verdict->lost > 0, "events were lost" },
        { verdict->twice > 0, "events were handed over twice" },
        { verdict->unknown > 0, "events were handed over that never were" },
        { plan->loss_percent > 0 && verdict->recovered == 0,
          "nothing was recovered" },
        { !orderly, "the agent did not end in order" },
    };
    bool good = true;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].wrong) {
            (void)fprintf(stderr, "longstop demo: %s\n", rules[i].words);
            good = false;
        }
    }
    return good;
}

/* ---- the play ---- */

static enum exit_code
play(const struct demo_plan *plan, bool json)
{
    struct demo_stage stage;
    struct demo_verdict verdict = { 0 };
    struct error err = { 0 };
    int64_t began_ms = clock_monotonic_ms();
    enum status status = demo_stage_set(plan, &stage, &err);
    if (status == STATUS_OK) {
        status = watch(&stage, &err);
    }
    int64_t took_ms = clock_monotonic_ms() - began_ms;
    bool orderly = demo_stage_stop(&stage);
    if (status == STATUS_OK) {
        status = judge(&stage, &verdict, &err);
    }
    bool good = false;
    if (status == STATUS_OK) {
        if (!json) {
            print_sentence(&verdict, took_ms);
        } else {
            status = print_json(&verdict, took_ms);
        }
        good = is_good(plan, &verdict, orderly) && status == STATUS_OK;
    } else {
        (void)fprintf(stderr, "longstop demo: %s\n", error_text(&err, status));
    }
    bool keep = !good && !interrupted;
    if (keep && stage.directory.len > 0) {
        print_log(&stage);
        (void)fprintf(stderr, "longstop demo: everything is kept in %s\n",
                      stage.directory.ptr);
    }
    demo_stage_strike(&stage, keep);
    return good ? EXIT_OK : EXIT_FAILED;
}

/* Reads "20" or "20%". */
static bool
read_percent(const char *text, int64_t *ret)
{
    struct slice number = slice_of(text);
    struct slice sign = SLICE("%");
    if (slice_ends(number, sign)) {
        number = slice_first(number, number.len - sign.len);
    }
    return slice_to_i64(number, ret) == STATUS_OK && *ret >= 0 && *ret <= 100;
}

enum exit_code
cmd_demo(int argc, char **argv)
{
    const char *events = EVENTS_DEFAULT, *loss = LOSS_DEFAULT;
    bool json = false;
    const struct option_spec options[] = {
        { "events", 0, "N", "so many events (" EVENTS_DEFAULT ")", &events,
          NULL },
        { "loss", 0, "P%", "of whose webhooks are lost (" LOSS_DEFAULT "%)",
          &loss, NULL },
        { "json", 0, NULL, "print the verdict as JSON", NULL, &json },
    };
    const struct command_spec spec = {
        .name = "demo",
        .operands = "",
        .summary = "Starts a provider that loses, doubles and reorders its "
                   "webhooks, the agent,\nand a handler, and says what the "
                   "handler got. Offline, in a temporary directory.",
        .examples = "  longstop demo --events 400 --loss 50%\n",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
    };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    struct demo_plan plan = { .rate = RATE };
    if (slice_to_i64(slice_of(events), &plan.events) != STATUS_OK ||
        plan.events < 1 || plan.events > EVENTS_MAX) {
        (void)fprintf(stderr, "longstop demo: --events takes 1 to %d\n",
                      EVENTS_MAX);
        return EXIT_USAGE;
    }
    if (!read_percent(loss, &plan.loss_percent)) {
        (void)fprintf(stderr, "longstop demo: --loss takes 0%% to 100%%\n");
        return EXIT_USAGE;
    }
    catch_signals();
    return play(&plan, json);
}
