/* SPDX-License-Identifier: MIT */
#include "flow/settle.h"

#include "base/instant.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/loop.h"

/*
 * The happy path: a handler reports, `decide` turns the result into an outcome,
 * the worker stores it, `outcome_stored` says that it is over.
 *
 * What can go wrong: the store has no room or does not know whether the commit
 * took; the attempt then waits in `unsettled` for the timer. Applying an
 * outcome twice is harmless, the attempt number fences it.
 */

#define RETRY_MS  INSTANT_SECOND_MS
#define OPEN_MOST 1024

struct settle {
    struct loop *loop;
    struct store_worker *worker;
    struct prng prng;
    settle_over_fn *over;
    void *arg;
    struct loop_timer *timer;
    struct list unsettled;
    size_t open;
};

static void outcome_stored(struct store_call *call);

static void
submit(struct settle *settle, struct attempt *attempt)
{
    attempt->call = (struct store_call){
        .kind = STORE_CALL_UNIT,
        .done = outcome_stored,
        .arg = settle,
        .unit = { .outcomes = &attempt->outcome, .outcome_count = 1 },
    };
    enum status status = store_worker_submit(settle->worker, &attempt->call);
    if (status != STATUS_OK) {
        /* The store has failed for good; the lease ends with the process. */
        list_append(&settle->unsettled, &attempt->link);
        loop_timer_arm(settle->timer, RETRY_MS);
    }
}

static void
finish(struct settle *settle, struct attempt *attempt)
{
    bool comes_back = attempt->outcome.kind == OUTCOME_LATER ||
                      attempt->outcome.kind == OUTCOME_RELEASE;
    int64_t due_ms = comes_back ? attempt->outcome.due_ms : 0;
    settle->open--;
    settle->over(settle->arg, attempt, due_ms);
}

static void
outcome_stored(struct store_call *call)
{
    struct settle *settle = call->arg;
    struct attempt *attempt = list_entry(call, struct attempt, call);
    if (call->status == STATUS_OK ||
        status_disposition(call->status) == DISPOSITION_FATAL ||
        status_disposition(call->status) == DISPOSITION_NEVER) {
        finish(settle, attempt);
        return;
    }
    LOG(LOG_WARN, "an outcome could not be stored yet",
        log_text("why", error_text(&call->err, call->status)));
    list_append(&settle->unsettled, &attempt->link);
    loop_timer_arm(settle->timer, RETRY_MS);
}

static void
try_again(void *arg)
{
    struct settle *settle = arg;
    struct list ready = LIST_INIT(ready);
    list_join(&ready, &settle->unsettled);
    for (struct list *link; (link = list_take(&ready)) != NULL;) {
        struct attempt *attempt = list_entry(link, struct attempt, link);
        submit(settle, attempt);
    }
    struct store_worker_figures figures;
    store_worker_figures(settle->worker, &figures);
    if (status_disposition(figures.health) != DISPOSITION_FATAL) {
        return;
    }
    loop_timer_disarm(settle->timer);
    list_join(&ready, &settle->unsettled);
    for (struct list *link; (link = list_take(&ready)) != NULL;) {
        finish(settle, list_entry(link, struct attempt, link));
    }
}

/* Copies the words of a result; without memory the outcome goes without. */
static void
keep_words(struct attempt *attempt, const struct handler_result *result)
{
    buf_append(&attempt->words, result->detail);
    buf_append(&attempt->words, result->output);
    if (buf_status(&attempt->words) != STATUS_OK) {
        return;
    }
    struct slice words = buf_slice(&attempt->words);
    attempt->outcome.detail = slice_first(words, result->detail.len);
    attempt->outcome.output = slice_from(words, result->detail.len);
}

static enum delivery_outcome
decide(struct settle *settle, struct attempt *attempt,
       const struct settle_rules *rules, const struct handler_result *result)
{
    struct store_outcome *outcome = &attempt->outcome;
    int64_t now_ms = clock_unix_ms();
    if (result->disposition == DISPOSITION_DONE) {
        outcome->kind = OUTCOME_DONE;
        return DELIVERY_DONE;
    }
    struct retry_plan plan =
        retry_next(rules->retry, attempt->delivery.attempt - attempt->base,
                   result->disposition, attempt->since_ms, now_ms,
                   result->not_before_ms, &settle->prng);
    outcome->kind = plan.dead ? OUTCOME_DEAD : OUTCOME_LATER;
    outcome->due_ms = plan.due_ms;
    outcome->reason =
        plan.dead && result->reason != NULL ? result->reason : plan.reason;
    return plan.dead ? DELIVERY_DEAD : DELIVERY_RETRY;
}

/* The last line of what a handler printed: mostly the one that says why. */
static struct slice
last_words(struct slice output)
{
    static const size_t limit = 200;
    while (output.len > 0 && (unsigned char)output.ptr[output.len - 1] <= ' ') {
        output = slice_first(output, output.len - 1);
    }
    size_t begin = output.len;
    while (begin > 0 && output.ptr[begin - 1] != '\n') {
        begin--;
    }
    output = slice_from(output, begin);
    return slice_first(output, output.len < limit ? output.len : limit);
}

static void
log_failure(const struct settle_rules *rules, const struct attempt *attempt)
{
    const struct store_outcome *outcome = &attempt->outcome;
    const struct slice output = last_words(outcome->output);
    if (outcome->kind == OUTCOME_DEAD) {
        LOG(LOG_ERROR, "delivery is dead", log_slice("handler", rules->handler),
            log_slice("connector", attempt->delivery.connector),
            log_slice("event", attempt->event->id),
            log_i64("attempt", attempt->delivery.attempt),
            log_text("reason", outcome->reason),
            log_slice("detail", outcome->detail), log_slice("output", output));
    } else {
        LOG(LOG_WARN, "delivery failed, it will be tried again",
            log_slice("handler", rules->handler),
            log_slice("connector", attempt->delivery.connector),
            log_slice("event", attempt->event->id),
            log_i64("attempt", attempt->delivery.attempt),
            log_i64("wait_ms", outcome->due_ms - clock_unix_ms()),
            log_slice("detail", outcome->detail), log_slice("output", output));
    }
}

void
settle_result(struct settle *settle, struct attempt *attempt,
              const struct settle_rules *rules,
              const struct handler_result *result, bool release)
{
    struct store_outcome *outcome = &attempt->outcome;
    outcome->event = attempt->event->number;
    outcome->attempt = attempt->delivery.attempt;
    outcome->started_ms = attempt->started_ms;
    outcome->duration_ms = result->duration_ms;
    settle->open++;
    if (release && result->disposition != DISPOSITION_DONE) {
        outcome->kind = OUTCOME_RELEASE;
        outcome->due_ms = result->not_before_ms;
        submit(settle, attempt);
        return;
    }
    keep_words(attempt, result);
    enum delivery_outcome counted = decide(settle, attempt, rules, result);
    metric_add(rules->counts->deliveries[counted], 1);
    if (counted != DELIVERY_DONE) {
        log_failure(rules, attempt);
    }
    submit(settle, attempt);
}

enum status
settle_create(struct loop *loop, struct store_worker *worker, uint64_t seed,
              settle_over_fn *over, void *arg, struct settle **ret)
{
    struct settle *settle = mem_zero(sizeof(*settle));
    if (settle == NULL) {
        return STATUS_NOMEM;
    }
    settle->loop = loop;
    settle->worker = worker;
    settle->prng.state = seed;
    settle->over = over;
    settle->arg = arg;
    list_init(&settle->unsettled);
    enum status status =
        loop_timer_create(loop, try_again, settle, &settle->timer);
    if (status != STATUS_OK) {
        mem_free(settle);
        return status;
    }
    *ret = settle;
    return STATUS_OK;
}

void
settle_destroy(struct settle *settle)
{
    if (settle == NULL) {
        return;
    }
    /* The worker was closed before they could be stored. */
    for (struct list *link; (link = list_take(&settle->unsettled)) != NULL;) {
        attempt_destroy(list_entry(link, struct attempt, link));
    }
    loop_timer_destroy(settle->timer);
    mem_free(settle);
}

size_t
settle_open(const struct settle *settle)
{
    return settle->open;
}

bool
settle_takes(const struct settle *settle)
{
    return settle->open < OPEN_MOST && list_empty(&settle->unsettled);
}
