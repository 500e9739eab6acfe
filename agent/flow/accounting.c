/* SPDX-License-Identifier: MIT */
#include "flow/accounting.h"

#include "base/instant.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/loop.h"
#include "model/silence.h"

/*
 * The happy path: each connector with both channels has a timer; its count goes
 * to the store's thread, and the answer arms the timer again.
 *
 * What can go wrong: a count fails, then nothing was counted and the next one
 * makes up for it; the store fails for good, then no more is asked.
 */

#define PERIOD_MIN_MS INSTANT_SECOND_MS
#define PERIOD_MAX_MS (30 * INSTANT_SECOND_MS)
#define SLICE_MS      20 /* between two slices of one count */
#define SLICE_EVENTS  1000
#define PASS_SHARE    10 /* a pass rests so many times what it took … */
#define PASS_PERIODS  4  /* … and so many periods: it looks at them all */

struct book {
    struct accounting *accounting;
    const struct connector *connector;
    struct telemetry_connector counts;
    struct loop_timer *timer;
    struct store_call call;
    /* The pass over what webhooks brought. */
    bool passing;
    struct store_unlisted next; /* slice */
    size_t unlisted;            /* so far */
    int64_t pass_ms;            /* monotonic: its begin, or the next one's */
    struct silence silence;     /* of its webhooks */
    bool has_totals;            /* of the processes before */
    /* What was said in the log. */
    size_t told_unlisted;  /* as it was then, or fewer since */
    double walks_to_judge; /* whole walks until ids must have met; 0: no time */
    bool told_never;
};

struct accounting {
    struct store_worker *worker;
    struct accounting_settings settings;
    struct book *books;
    size_t count;
    bool stopped;
};

int64_t
accounting_period(int64_t grace_ms)
{
    int64_t period_ms = grace_ms / 10;
    if (period_ms < PERIOD_MIN_MS) {
        return PERIOD_MIN_MS;
    }
    return period_ms > PERIOD_MAX_MS ? PERIOD_MAX_MS : period_ms;
}

enum meeting
accounting_meeting(int64_t webhook, int64_t walk, int64_t met)
{
    if (met > 0) {
        return MEETING_YES;
    }
    if (webhook == 0 || walk == 0) {
        return MEETING_ONE;
    }
    return webhook < ACCOUNTING_ENOUGH || walk < ACCOUNTING_ENOUGH
               ? MEETING_FEW
               : MEETING_NEVER;
}

static bool
has_both(const struct connector *connector)
{
    return connector_has_hooks(connector) && connector->has_poll;
}

/* Raises a metric to what the store has counted. Answers come in order, so that
 * what this process has counted of it is in both. */
static void
make_up(struct metric *metric, int64_t total)
{
    double behind = (double)total - metric_value(metric);
    if (behind > 0) {
        metric_add(metric, behind);
    }
}

/* What the processes before had counted, and this one with its first answer
 * that says so: a store may be full when it is asked first. */
static void
show_totals(struct book *book, const struct store_account *account)
{
    make_up(book->counts.recovered, account->recovered);
    if (!book->has_totals) {
        make_up(book->counts.late, account->late);
        make_up(book->counts.confirmed, account->confirmed);
        book->has_totals = true;
    }
}

/* A genuine webhook whose event no walk lists: the list lags by more than the
 * overlap, or does not list that type, or somebody has the secret. */
static void
tell_unlisted(struct book *book)
{
    if (book->unlisted > book->told_unlisted) {
        LOG(LOG_WARN,
            "webhooks brought events that no walk has listed; 'longstop keys' "
            "says of which types",
            log_slice("connector", book->connector->name),
            log_i64("webhook_only", (int64_t)book->unlisted));
    }
    book->told_unlisted = book->unlisted;
}

/* Says once that ids of the two channels never meet: not before walks have
 * ended that began behind the webhooks they should have listed. */
static void
tell_meeting(struct book *book, const struct store_account *account)
{
    const struct telemetry_connector *counts = &book->counts;
    double walks = metric_value(counts->poll_runs[POLL_OK]);
    int64_t webhook = (int64_t)metric_value(counts->events[CHANNEL_WEBHOOK]);
    int64_t walk = (int64_t)metric_value(counts->events[CHANNEL_POLL]);
    if (book->told_never ||
        accounting_meeting(webhook, walk, account->met) != MEETING_NEVER) {
        return;
    }
    if (book->walks_to_judge <= 0) {
        /* One walk of each tier may be under way, and one comes behind it. */
        book->walks_to_judge =
            walks + 2 + (double)book->connector->poll.sweeps.count;
    } else if (walks >= book->walks_to_judge) {
        book->told_never = true;
        LOG(LOG_WARN,
            "misconfigured: no id of a webhook was ever one of the list, so "
            "each fact is two events; see 'longstop keys'",
            log_slice("connector", book->connector->name),
            log_i64("webhook", webhook), log_i64("walk", walk));
    }
}

/* So many events have been recovered, each of which is a webhook missed. A
 * signal shows no event, so that all of them are. */
static void
watch_silence(struct book *book, int64_t recovered)
{
    const struct connector *connector = book->connector;
    const struct silence_plan plan = {
        .after = connector->event.mode == EVENT_SIGNAL
                     ? 0
                     : connector->webhook.silent_after,
        .grace_ms = connector->grace_ms,
    };
    const int64_t now_ms = clock_monotonic_ms();
    if (recovered <= 0 ||
        !silence_missed(&book->silence, &plan, (size_t)recovered, now_ms)) {
        return;
    }
    metric_set(book->counts.webhook_silent, 1);
    LOG(LOG_WARN,
        book->silence.hooked
            ? "webhooks have stopped and only walks bring events: see whether "
              "the provider has switched the subscription off"
            : "no webhook has come since the start and only walks bring "
              "events: see whether the provider knows the address",
        log_slice("connector", connector->name),
        log_i64("missed", (int64_t)book->silence.row),
        log_figure("silent_ms", now_ms - book->silence.hook_ms));
}

void
accounting_hooked(struct accounting *accounting,
                  const struct connector *connector, size_t events)
{
    struct book *book =
        &accounting->books[connector - accounting->settings.connectors];
    if (silence_hooked(&book->silence, events, clock_monotonic_ms())) {
        metric_set(book->counts.webhook_silent, 0);
        LOG(LOG_INFO, "webhooks come again",
            log_slice("connector", connector->name));
    }
}

static int64_t
period_of(const struct book *book)
{
    int64_t period_ms = book->accounting->settings.period_ms;
    return period_ms > 0 ? period_ms
                         : accounting_period(book->connector->grace_ms);
}

static void
rest(struct book *book, bool more)
{
    struct accounting *accounting = book->accounting;
    if (!accounting->stopped && has_both(book->connector)) {
        loop_timer_arm(book->timer, more ? SLICE_MS : period_of(book));
    }
}

static void
looked(struct store_call *call)
{
    struct book *book = call->arg;
    int64_t now_ms = clock_monotonic_ms();
    book->next = call->unlisted;
    book->unlisted += call->unlisted.count;
    book->passing = call->status == STATUS_OK && call->unlisted.more;
    if (call->status == STATUS_OK && !book->passing) {
        metric_set(book->counts.webhook_only, (double)book->unlisted);
        tell_unlisted(book);
    }
    if (!book->passing) {
        int64_t least_ms = PASS_PERIODS * period_of(book);
        int64_t rest_ms = PASS_SHARE * (now_ms - book->pass_ms);
        book->pass_ms = now_ms + (rest_ms > least_ms ? rest_ms : least_ms);
    }
    rest(book, book->passing);
}

static bool
begin_pass(struct book *book)
{
    const struct accounting_settings *settings = &book->accounting->settings;
    int64_t now_ms = clock_monotonic_ms();
    struct store_unlisted slice = { .connector = book->connector->id,
                                    .limit = SLICE_EVENTS };
    if (settings->behind == NULL || now_ms < book->pass_ms ||
        book->connector->match.mode != MATCH_EVENT ||
        !settings->behind(settings->behind_arg, book->connector, &slice.from_ms,
                          &slice.until_ms)) {
        return false;
    }
    book->next = slice;
    book->unlisted = 0;
    book->pass_ms = now_ms;
    return true;
}

/* Looks at a slice of what webhooks brought; false when none is due. */
static bool
look(struct book *book)
{
    if (book->accounting->stopped || !has_both(book->connector) ||
        (!book->passing && !begin_pass(book))) {
        return false;
    }
    book->call = (struct store_call){ .kind = STORE_CALL_UNLISTED,
                                      .done = looked,
                                      .arg = book,
                                      .unlisted = book->next };
    return store_worker_submit(book->accounting->worker, &book->call) ==
           STATUS_OK;
}

static void
counted(struct store_call *call)
{
    struct book *book = call->arg;
    const struct store_account *account = &call->account;
    bool more = false;
    if (call->status != STATUS_OK) {
        LOG(LOG_WARN, "what was recovered could not be counted",
            log_slice("connector", book->connector->name),
            log_text("why", error_text(&call->err, call->status)));
    } else if (account->counts) {
        show_totals(book, account);
        tell_meeting(book, account);
        watch_silence(book, account->counted);
        more = account->more;
    }
    if (more || !look(book)) {
        rest(book, more);
    }
}

static void
count(void *arg)
{
    struct book *book = arg;
    book->call = (struct store_call){
        .kind = STORE_CALL_ACCOUNT,
        .done = counted,
        .arg = book,
        .account = { .connector = book->connector->id,
                     .counts = has_both(book->connector),
                     .grace_ms = book->connector->grace_ms,
                     .now_ms = clock_unix_ms(),
                     .limit = SLICE_EVENTS },
    };
    if (store_worker_submit(book->accounting->worker, &book->call) !=
        STATUS_OK) {
        book->accounting->stopped = true; /* the store has failed for good */
    }
}

enum status
accounting_create(struct loop *loop, struct store_worker *worker,
                  const struct accounting_settings *settings,
                  struct accounting **ret)
{
    struct accounting *accounting = mem_zero(sizeof(*accounting));
    if (accounting == NULL) {
        return STATUS_NOMEM;
    }
    accounting->worker = worker;
    accounting->settings = *settings;
    accounting->books =
        mem_array(settings->connector_count, sizeof(*accounting->books));
    enum status status = accounting->books == NULL ? STATUS_NOMEM : STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < settings->connector_count;
         i++) {
        struct book *book = &accounting->books[i];
        book->accounting = accounting;
        book->connector = &settings->connectors[i];
        book->counts =
            telemetry_of_connector(settings->telemetry, book->connector);
        status = loop_timer_create(loop, count, book, &book->timer);
        accounting->count++;
    }
    if (status != STATUS_OK) {
        accounting_destroy(accounting);
        return status;
    }
    *ret = accounting;
    return STATUS_OK;
}

void
accounting_start(struct accounting *accounting)
{
    for (size_t i = 0; i < accounting->count; i++) {
        silence_begin(&accounting->books[i].silence, clock_monotonic_ms());
        count(&accounting->books[i]);
    }
}

void
accounting_stop(struct accounting *accounting)
{
    if (accounting == NULL) {
        return;
    }
    accounting->stopped = true;
    for (size_t i = 0; i < accounting->count; i++) {
        loop_timer_disarm(accounting->books[i].timer);
    }
}

void
accounting_destroy(struct accounting *accounting)
{
    if (accounting == NULL) {
        return;
    }
    for (size_t i = 0; accounting->books != NULL && i < accounting->count;
         i++) {
        loop_timer_destroy(accounting->books[i].timer);
    }
    mem_free(accounting->books);
    mem_free(accounting);
}
