/* SPDX-License-Identifier: MIT */
/*
 * cmd_demo: loses webhooks on purpose and shows that nothing is missing.
 *
 * A simulated provider, the real agent and a real exec handler, each a process
 * of its own, in a temporary directory, offline. The verdict compares the
 * provider's journal with the handler's file, never the agent's counters; those
 * are then held against what the journal says they must be.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/commands.h"
#include "app/demo_figures.h"
#include "app/demo_report.h"
#include "app/demo_stage.h"
#include "app/demo_verdict.h"
#include "app/options.h"
#include "base/instant.h"
#include "flow/accounting.h"
#include "io/clock.h"
#include "io/fs.h"

#define EVENTS_DEFAULT  "1000"
#define LOSS_DEFAULT    "20"
#define SEED_DEFAULT    "1"
#define EVENTS_MAX      1000000
#define EVENTS_MAX_TEXT "1000000"
#define RATE            250 /* facts a second */
#define LOOK_EVERY_MS   50
#define ASK_EVERY_MS    200
/* Hooks come within half of it, or not before it was certainly over. */
#define GRACE_MS (3 * INSTANT_SECOND_MS)
#define CLEAR_MS 500 /* behind that certainty */
/* For the agent to count the last of what it should have counted. */
#define RECKON_MS (10 * INSTANT_SECOND_MS)
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
    /* a second one ends it at once */
    struct sigaction action = { .sa_handler = on_signal,
                                .sa_flags = (int)SA_RESETHAND };
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
}

/* An event is counted at the first look after its grace, or at the one after
 * that where the store is busy. */
static struct demo_rule
rule_of(const struct demo_plan *plan)
{
    return (struct demo_rule){
        .grace_ms = plan->grace_ms,
        .patience_ms = 2 * accounting_period(plan->grace_ms),
    };
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
        struct demo_rule rule = rule_of(&stage->plan);
        status = demo_verdict_reach(buf_slice(&journal), buf_slice(&handled),
                                    &rule, ret, err);
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

/* Asks the agent for its figures. Sets *ret_settled when every grace is over,
 * the agent has looked since, and all of them are what they must be. */
static enum status
reckon(const struct demo_stage *stage, struct demo_figures *figures,
       bool *ret_settled, struct error *err)
{
    int64_t asked_ms = clock_unix_ms();
    int64_t grace_ms = stage->plan.grace_ms;
    struct demo_verdict verdict = { 0 };
    struct buf metrics = { 0 };
    enum status status = demo_stage_metrics(stage, &metrics, err);
    if (status == STATUS_OK) {
        status = demo_figures_read(buf_slice(&metrics), figures, err);
    }
    buf_fini(&metrics);
    if (status == STATUS_OK) {
        status = judge(stage, &verdict, err);
    }
    int64_t over_ms =
        verdict.accepted_ms + grace_ms + accounting_period(grace_ms);
    *ret_settled = asked_ms > over_ms && verdict.unlisted == 0 &&
                   demo_figures_agree(figures, &verdict.expected, NULL);
    return status;
}

/* What goes on while the play does. */
struct watch {
    int64_t deadline_ms;
    int64_t seen_bytes; /* of the handler's file */
    int64_t whole_ms;   /* since when nothing is missing; 0: something is */
    int64_t ask_ms;     /* when the agent is asked next */
};

/* Why not to wait any longer. */
static enum status
check_cast(struct demo_stage *stage, struct error *err)
{
    if (interrupted) {
        return error_set(err, STATUS_CANCELED, "interrupted");
    }
    if (!demo_child_running(&stage->agent)) {
        return error_set(err, STATUS_UNAVAILABLE, "the agent has ended");
    }
    if (!demo_child_running(&stage->provider)) {
        return error_set(err, STATUS_UNAVAILABLE, "the provider has ended");
    }
    return STATUS_OK;
}

/* Looks once; sets *ret_over when there is nothing more to wait for. */
static enum status
look(struct demo_stage *stage, struct watch *watch,
     struct demo_figures *figures, bool *ret_over, struct error *err)
{
    int64_t now_ms = clock_monotonic_ms();
    bool settled = false;
    if (watch->whole_ms == 0 && demo_stage_heard(stage, "done\n") &&
        all_delivered(stage, &watch->seen_bytes)) {
        watch->whole_ms = now_ms;
        watch->ask_ms = now_ms + AFTERTHOUGHT_MS;
        watch->deadline_ms = watch->ask_ms + stage->plan.grace_ms + RECKON_MS;
    }
    bool late = now_ms > watch->deadline_ms;
    enum status status = STATUS_OK;
    if (late || (watch->whole_ms != 0 && now_ms >= watch->ask_ms)) {
        status = reckon(stage, figures, &settled, err);
        watch->ask_ms = now_ms + ASK_EVERY_MS;
    }
    *ret_over = settled || late; /* the verdict will say what is missing */
    return status;
}

/* Waits for the end of the play, or for a reason not to. */
static enum status
watch_play(struct demo_stage *stage, struct demo_figures *figures,
           struct error *err)
{
    const struct demo_plan *plan = &stage->plan;
    struct watch watch = {
        .deadline_ms = clock_monotonic_ms() + PATIENCE_MS +
                       plan->events * 1000 / plan->rate +
                       plan->events * PATIENCE_EACH,
        .seen_bytes = -1,
    };
    bool over = false;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !over) {
        (void)poll(NULL, 0, LOOK_EVERY_MS);
        status = check_cast(stage, err);
        if (status == STATUS_OK) {
            status = look(stage, &watch, figures, &over, err);
        }
    }
    return status;
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

/* ---- the play ---- */

static enum exit_code
play(const struct demo_plan *plan, bool json)
{
    struct demo_stage stage;
    struct demo_outcome outcome = { .events = plan->events,
                                    .loss_percent = plan->loss_percent };
    struct error err = { 0 };
    int64_t began_ms = clock_monotonic_ms();
    enum status status = demo_stage_set(plan, &stage, &err);
    if (status == STATUS_OK) {
        status = watch_play(&stage, &outcome.figures, &err);
    }
    outcome.took_ms = clock_monotonic_ms() - began_ms;
    outcome.orderly = demo_stage_stop(&stage);
    if (status == STATUS_OK) {
        status = judge(&stage, &outcome.verdict, &err);
    }
    bool good = false;
    if (status == STATUS_OK) {
        if (!json) {
            demo_report_sentence(&outcome);
        } else {
            status = demo_report_json(&outcome);
        }
        good = demo_report_is_good(&outcome) && status == STATUS_OK;
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

static bool
refuse(const char *words)
{
    (void)fprintf(stderr, "longstop demo: %s\n", words);
    return false;
}

/* Says what is wrong where it cannot. */
static bool
make_plan(const char *events, const char *loss, const char *seed,
          struct demo_plan *ret)
{
    *ret = (struct demo_plan){ .rate = RATE, .grace_ms = GRACE_MS };
    struct demo_rule rule = rule_of(ret);
    ret->late_ms = rule.grace_ms + rule.patience_ms + CLEAR_MS;
    if (slice_to_i64(slice_of(events), &ret->events) != STATUS_OK ||
        ret->events < 1 || ret->events > EVENTS_MAX) {
        return refuse("--events takes 1 to " EVENTS_MAX_TEXT);
    }
    if (!read_percent(loss, &ret->loss_percent)) {
        return refuse("--loss takes 0% to 100%");
    }
    if (slice_to_i64(slice_of(seed), &ret->seed) != STATUS_OK ||
        ret->seed < 0) {
        return refuse("--seed takes a whole number, 0 or above");
    }
    return true;
}

enum exit_code
cmd_demo(int argc, char **argv)
{
    const char *events = EVENTS_DEFAULT, *loss = LOSS_DEFAULT;
    const char *seed = SEED_DEFAULT;
    bool json = false;
    const struct option_spec options[] = {
        { "events", 0, "N", "so many events (" EVENTS_DEFAULT ")", &events,
          NULL },
        { "loss", 0, "P%", "of whose webhooks are lost (" LOSS_DEFAULT "%)",
          &loss, NULL },
        { "seed", 0, "N", "of chance: another one, other losses", &seed, NULL },
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
    struct demo_plan plan;
    if (!make_plan(events, loss, seed, &plan)) {
        return EXIT_USAGE;
    }
    catch_signals();
    return play(&plan, json);
}
