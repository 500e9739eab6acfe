/* SPDX-License-Identifier: MIT */
#include "flow/retention.h"

#include "base/instant.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rule.h"
#include "io/clock.h"
#include "io/loop.h"
#include "model/identity.h"

#define ROUND_MS       INSTANT_MINUTE_MS
#define FIRST_ROUND_MS INSTANT_SECOND_MS
#define SLICE_MS       20 /* between two slices of one round */
#define SLICE_ROWS     1000
#define COUNT_MS       (5 * INSTANT_MINUTE_MS) /* until all is counted */

struct retention {
    struct loop *loop;
    struct store_worker *worker;
    struct retention_settings settings;
    struct loop_timer *timer;
    struct store_call call;
    bool stopped;
};

int64_t
retention_floor(int64_t now_ms, int64_t keep_ids_ms, int64_t lowest_ms)
{
    const int64_t bucket_ms = IDENTITY_BUCKET_S * INSTANT_SECOND_MS;
    /* A key by receipt lies at the beginning of its bucket. What a walk reads
     * is stamped by the provider's clock, and was received by ours, which may
     * have been slow: one more. */
    int64_t kept_ms = instant_add(now_ms - keep_ids_ms, -bucket_ms);
    int64_t read_ms = instant_add(lowest_ms, -2 * bucket_ms);
    return RULE(RULE_PRUNE_FLOOR) && read_ms < kept_ms ? read_ms : kept_ms;
}

int64_t
retention_keep_ids(const struct connector *connectors, size_t count)
{
    int64_t longest_ms = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t ms = connectors[i].keep_ids_ms;
        longest_ms = ms > longest_ms ? ms : longest_ms;
    }
    return longest_ms;
}

int64_t
retention_keep_events(int64_t keep_ms, const struct connector *connectors,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t ms = instant_add(connectors[i].grace_ms, COUNT_MS);
        bool counts =
            connector_has_hooks(&connectors[i]) && connectors[i].has_poll;
        keep_ms = counts && ms > keep_ms ? ms : keep_ms;
    }
    return keep_ms;
}

int64_t
retention_lowest(struct source_poll *const *polls, size_t count)
{
    int64_t lowest_ms = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        int64_t ms = source_poll_lowest(polls[i]);
        lowest_ms = ms < lowest_ms ? ms : lowest_ms;
    }
    return lowest_ms;
}

static int64_t
lowest_read(const struct retention *retention)
{
    const struct retention_settings *settings = &retention->settings;
    int64_t own_ms = retention_lowest(settings->polls, settings->poll_count);
    int64_t others_ms = settings->others == NULL
                            ? INT64_MAX
                            : settings->others(settings->others_arg);
    return own_ms < others_ms ? own_ms : others_ms;
}

static void
slice_over(struct store_call *call)
{
    struct retention *retention = call->arg;
    if (call->status != STATUS_OK) {
        LOG(LOG_WARN, "what is over its time could not be removed",
            log_text("why", error_text(&call->err, call->status)));
    }
    struct dispatch *dispatch = retention->settings.dispatch;
    if (dispatch != NULL && call->status == STATUS_OK &&
        call->prune.dead_before_ms > 0 && call->prune.removed > 0) {
        dispatch_again(dispatch); /* they may have held their lanes */
    }
    if (!retention->stopped) {
        bool more =
            call->status == STATUS_OK && call->prune.removed >= SLICE_ROWS;
        loop_timer_arm(retention->timer,
                       more ? SLICE_MS : retention->settings.round_ms);
    }
}

static void
remove_slice(void *arg)
{
    struct retention *retention = arg;
    const struct retention_settings *settings = &retention->settings;
    int64_t now_ms = clock_unix_ms();
    int64_t floor_ms =
        retention_floor(now_ms, settings->keep_ids_ms, lowest_read(retention));
    ingest_set_floor(settings->ingest, floor_ms);
    retention->call = (struct store_call){
        .kind = STORE_CALL_PRUNE,
        .done = slice_over,
        .arg = retention,
        .prune = { .ledger_floor_ms = floor_ms,
                   .events_before_ms = now_ms - settings->keep_events_ms,
                   .attempts_before_ms = now_ms - settings->keep_attempts_ms,
                   .dead_before_ms = settings->keep_dead_ms == 0
                                         ? 0
                                         : now_ms - settings->keep_dead_ms,
                   .limit = SLICE_ROWS },
    };
    if (store_worker_submit(retention->worker, &retention->call) != STATUS_OK) {
        retention->stopped = true; /* the store has failed for good */
    }
}

enum status
retention_create(struct loop *loop, struct store_worker *worker,
                 const struct retention_settings *settings,
                 struct retention **ret)
{
    struct retention *retention = mem_zero(sizeof(*retention));
    if (retention == NULL) {
        return STATUS_NOMEM;
    }
    retention->loop = loop;
    retention->worker = worker;
    retention->settings = *settings;
    if (retention->settings.round_ms <= 0) {
        retention->settings.round_ms = ROUND_MS;
    }
    enum status status =
        loop_timer_create(loop, remove_slice, retention, &retention->timer);
    if (status != STATUS_OK) {
        mem_free(retention);
        return status;
    }
    *ret = retention;
    return STATUS_OK;
}

/* The floor counts from the first event on: one stamped below it, taken before
 * the first round, would be removed by that round and come in once more. The
 * walks do not know their bounds yet; the first round, soon, asks again. */
void
retention_start(struct retention *retention)
{
    const struct retention_settings *settings = &retention->settings;
    ingest_set_floor(settings->ingest,
                     retention_floor(clock_unix_ms(), settings->keep_ids_ms,
                                     lowest_read(retention)));
    loop_timer_arm(retention->timer, settings->round_ms < FIRST_ROUND_MS
                                         ? settings->round_ms
                                         : FIRST_ROUND_MS);
}

void
retention_stop(struct retention *retention)
{
    if (retention != NULL) {
        retention->stopped = true;
        loop_timer_disarm(retention->timer);
    }
}

void
retention_destroy(struct retention *retention)
{
    if (retention != NULL) {
        loop_timer_destroy(retention->timer);
        mem_free(retention);
    }
}
