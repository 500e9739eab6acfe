/* SPDX-License-Identifier: MIT */
#include "flow/settle.h"

#include "base/instant.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/batch.h"
#include "io/clock.h"
#include "io/loop.h"

/*
 * The happy path: a handler reports, `decide` turns the result into an outcome,
 * the worker stores it, `outcome_stored` says that it is over.
 *
 * Attempts that went together have one result and are one unit: the first of
 * them stands for all.
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

static size_t
count_of(const struct attempt *attempt)
{
    return attempt->batch == NULL ? 1 : attempt->batch->count;
}

static struct attempt *
member(struct attempt *attempt, size_t at)
{
    return attempt->batch == NULL ? attempt : attempt->batch->at[at];
}

static void
submit(struct settle *settle, struct attempt *attempt)
{
    struct store_outcome *outcomes = &attempt->outcome;
    if (attempt->batch != NULL) {
        outcomes = attempt->batch->outcomes;
        for (size_t i = 0; i < attempt->batch->count; i++) {
            outcomes[i] = attempt->batch->at[i]->outcome;
        }
    }
    attempt->call = (struct store_call){
        .kind = STORE_CALL_UNIT,
        .done = outcome_stored,
        .arg = settle,
        .unit = { .outcomes = outcomes, .outcome_count = count_of(attempt) },
    };
    enum status status = store_worker_submit(settle->worker, &attempt->call);
    if (status != STATUS_OK) {
        /* The store has failed for good; the lease ends with the process. */
        list_append(&settle->unsettled, &attempt->link);
        loop_timer_arm(settle->timer, RETRY_MS);
    }
}

/* The first goes last: the others' words are its. */
static void
finish(struct settle *settle, struct attempt *attempt)
{
    struct batch *batch = attempt->batch;
    for (size_t i = count_of(attempt); i-- > 0;) {
        struct attempt *one = member(attempt, i);
        bool comes_back = one->outcome.kind == OUTCOME_LATER ||
                          one->outcome.kind == OUTCOME_RELEASE;
        int64_t due_ms = comes_back ? one->outcome.due_ms : 0;
        settle->open--;
        settle->over(settle->arg, one, due_ms);
    }
    batch_destroy(batch);
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

/* Copies the words of a result; without memory the outcome goes without. The
 * output is kept once: with the first of a batch. */
static void
keep_words(struct attempt *attempt, const struct handler_result *result)
{
    const size_t count = count_of(attempt);
    struct buf *words = &attempt->words;
    buf_append(words, result->detail);
    if (count > 1) {
        buf_format(words, " (batch of %zu from ", count);
        buf_append(words, attempt->event->id);
        buf_byte(words, ')');
    }
    const size_t detail = words->len;
    buf_append(words, result->output);
    if (buf_status(words) != STATUS_OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct store_outcome *outcome = &member(attempt, i)->outcome;
        outcome->detail = slice_first(buf_slice(words), detail);
    }
    attempt->outcome.output = slice_from(buf_slice(words), detail);
}

/* Nothing that went in company is dead: it goes again at once, in less. */
static enum delivery_outcome
decide(struct settle *settle, struct attempt *attempt, bool in_company,
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
                   result->disposition,
                   now_ms - jumps_age(rules->jumps, attempt->since_ms, now_ms),
                   now_ms, result->not_before_ms, &settle->prng);
    const bool dead = plan.dead && !in_company;
    outcome->kind = dead ? OUTCOME_DEAD : OUTCOME_LATER;
    outcome->due_ms = plan.dead ? now_ms : plan.due_ms;
    outcome->reason =
        plan.dead && result->reason != NULL ? result->reason : plan.reason;
    return dead ? DELIVERY_DEAD : DELIVERY_RETRY;
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
            log_figure("wait_ms", outcome->due_ms - clock_unix_ms()),
            log_slice("detail", outcome->detail), log_slice("output", output));
    }
}

/* One line, however many went together. */
static void
log_batch(const struct settle_rules *rules, const struct attempt *attempt)
{
    LOG(LOG_WARN,
        "batch failed, its deliveries will be tried again in smaller "
        "ones",
        log_slice("handler", rules->handler),
        log_i64("events", (int64_t)count_of(attempt)),
        log_slice("detail", attempt->outcome.detail),
        log_slice("output", last_words(attempt->outcome.output)));
}

static void
decide_all(struct settle *settle, struct attempt *attempt,
           const struct settle_rules *rules,
           const struct handler_result *result)
{
    const size_t count = count_of(attempt);
    enum delivery_outcome counted = DELIVERY_DONE;
    for (size_t i = 0; i < count; i++) {
        counted = decide(settle, member(attempt, i), count > 1, rules, result);
        metric_add(rules->counts->deliveries[counted], 1);
    }
    if (counted != DELIVERY_DONE && count > 1) {
        log_batch(rules, attempt);
    } else if (counted != DELIVERY_DONE) {
        log_failure(rules, attempt);
    }
}

void
settle_result(struct settle *settle, struct attempt *attempt,
              const struct settle_rules *rules,
              const struct handler_result *result, bool release)
{
    const bool given_back = release && result->disposition != DISPOSITION_DONE;
    const size_t count = count_of(attempt);
    for (size_t i = 0; i < count; i++) {
        struct attempt *one = member(attempt, i);
        struct store_outcome *outcome = &one->outcome;
        outcome->event = one->event->number;
        outcome->attempt = one->delivery.attempt;
        outcome->started_ms = one->started_ms;
        outcome->duration_ms = result->duration_ms;
        if (given_back) {
            outcome->kind = OUTCOME_RELEASE;
            outcome->due_ms = result->not_before_ms;
        }
    }
    settle->open += count;
    if (!given_back) {
        keep_words(attempt, result);
        decide_all(settle, attempt, rules, result);
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
        struct attempt *attempt = list_entry(link, struct attempt, link);
        struct batch *batch = attempt->batch;
        for (size_t i = count_of(attempt); i-- > 0;) {
            attempt_destroy(member(attempt, i));
        }
        batch_destroy(batch);
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
