/* SPDX-License-Identifier: MIT */
#include "sim/worker.h"

#include "io/loop.h"
#include "sim/oracle.h"
#include "sim/process.h"
#include "sim/vtime.h"
#include "sim/world.h"
#include "store/store_worker.h"

/* While there is no room: how often it is asked whether there is again. */
#define PROBE_MS 1000

struct store_worker {
    struct store *store;
    struct store_worker_settings settings;
    struct list queued;
    struct list finished;
    struct alarm pump;    /* asks the store */
    struct alarm deliver; /* tells the callers */
    struct loop_timer *probe_timer;
    struct store_call probe;
    bool probing;
    struct store_worker_figures figures;
    bool dead;
    void (*on_failure)(void *arg, enum status status, const char *words);
    void *on_failure_arg;
    struct store_unit *group[64];
};

/* ---- asking the store ---- */

static enum status
run_units(struct store_worker *worker, struct list *taken, size_t count)
{
    size_t at = 0;
    struct error err;
    list_for_each(link, taken) {
        worker->group[at++] = &store_call_of(link)->unit;
    }
    enum status status =
        worker->store->ops->apply(worker->store, worker->group, count, &err);
    list_for_each(link, taken) {
        struct store_call *call = store_call_of(link);
        call->status = call->unit.status;
        call->err = call->unit.err;
        if (call->status == STATUS_OK) {
            oracle_unit(&call->unit);
        }
    }
    return status;
}

static enum status
run_call(struct store_worker *worker, struct store_call *call)
{
    store_call_run(worker->store, call);
    if (call->kind == STORE_CALL_ACCOUNT && call->status == STATUS_OK) {
        oracle_account(&call->account);
    }
    return call->status;
}

static int64_t
draw_commit_ms(void)
{
    return plan_between(&world.store, 0, world.plan.commit_ms);
}

static void
pump_later(struct store_worker *worker)
{
    if (worker->pump.slot != 0 || list_empty(&worker->queued)) {
        return;
    }
    int64_t wait_ms = plan_between(&world.store, 0, world.plan.gather_ms);
    vtime_alarm(&worker->pump, vtime_now_ms() + wait_ms);
}

/* One group to the store. When that is where the process dies, nobody is told
 * any more. */
static void
run_group(struct store_worker *worker)
{
    struct list taken = LIST_INIT(taken);
    size_t count =
        store_call_take(&worker->queued, worker->settings.group_units, &taken);
    struct store_call *first = store_call_of(taken.next);
    enum status status = first->kind == STORE_CALL_UNIT
                             ? run_units(worker, &taken, count)
                             : run_call(worker, first);
    list_join(&worker->finished, &taken);
    if (status_disposition(status) == DISPOSITION_FATAL) {
        process_dies();
    } else if (first->kind == STORE_CALL_UNIT) {
        world_page_stored();
    }
    if (process_is_dying()) {
        return;
    }
    if (worker->deliver.slot == 0) {
        vtime_alarm(&worker->deliver, vtime_now_ms() + draw_commit_ms());
    }
    if (!list_empty(&worker->queued)) {
        vtime_alarm(&worker->pump,
                    vtime_now_ms() + 1 +
                        plan_between(&world.store, 0, world.plan.gather_ms));
    }
}

static void
pump(void *arg)
{
    struct store_worker *worker = arg;
    if (world.down[INCIDENT_STALL] > 0) {
        vtime_alarm(&worker->pump, vtime_now_ms() + 500);
    } else {
        run_group(worker);
    }
}

/* ---- telling the callers ---- */

static void
note_health(struct store_worker *worker, const struct store_call *call)
{
    if (call->status == STATUS_FULL) {
        worker->figures.health = STATUS_FULL;
        if (!worker->dead && !worker->probing &&
            !loop_timer_armed(worker->probe_timer)) {
            loop_timer_arm(worker->probe_timer, PROBE_MS);
        }
    }
}

static void
complete(struct store_worker *worker, struct store_call *call)
{
    worker->figures.queued_events -= store_call_events(call);
    note_health(worker, call);
    call->done(call);
}

static void
deliver(void *arg)
{
    struct store_worker *worker = arg;
    struct list finished = LIST_INIT(finished);
    list_join(&finished, &worker->finished);
    for (struct list *link; (link = list_take(&finished)) != NULL;) {
        complete(worker, store_call_of(link));
    }
}

static void
probed(struct store_call *call)
{
    struct store_worker *worker = call->arg;
    worker->probing = false;
    if (call->status == STATUS_OK) {
        worker->figures.health = STATUS_OK;
    } else if (!worker->dead) {
        loop_timer_arm(worker->probe_timer, PROBE_MS);
    }
}

static void
probe(void *arg)
{
    struct store_worker *worker = arg;
    worker->probe = (struct store_call){ .kind = STORE_CALL_UNIT,
                                         .done = probed,
                                         .arg = worker };
    PRE(store_worker_submit(worker, &worker->probe) == STATUS_OK);
    worker->probing = true;
}

/* ---- store_worker.h ---- */

enum status
store_worker_create(struct loop *loop, struct store *store,
                    const struct store_worker_settings *settings,
                    struct store_worker **ret, struct error *err)
{
    (void)err;
    struct store_worker *worker = mem_zero(sizeof(*worker));
    PRE(worker != NULL);
    worker->store = store;
    worker->settings = *settings;
    PRE(settings->group_units <= 64);
    list_init(&worker->queued);
    list_init(&worker->finished);
    worker->pump = (struct alarm){ .fn = pump, .arg = worker, .ours = true };
    worker->deliver =
        (struct alarm){ .fn = deliver, .arg = worker, .ours = true };
    enum status status =
        loop_timer_create(loop, probe, worker, &worker->probe_timer);
    *ret = worker;
    return status;
}

bool
store_worker_has_room(const struct store_worker *worker)
{
    return worker->figures.queued_events < worker->settings.queue_events;
}

enum status
store_worker_submit(struct store_worker *worker, struct store_call *call)
{
    if (worker->dead) {
        return STATUS_CANCELED;
    }
    if (store_call_events(call) > 0 && !store_worker_has_room(worker)) {
        return STATUS_BUSY;
    }
    worker->figures.queued_events += store_call_events(call);
    call->status = STATUS_OK;
    call->err.text[0] = '\0';
    call->commit_us = 0;
    call->commit_units = 0;
    list_append(&worker->queued, &call->link);
    pump_later(worker);
    return STATUS_OK;
}

void
store_worker_figures(const struct store_worker *worker,
                     struct store_worker_figures *ret)
{
    *ret = worker->figures;
}

void
store_worker_on_commit(struct store_worker *worker,
                       void (*fn)(void *arg, double seconds, size_t units),
                       void *arg)
{
    (void)worker;
    (void)fn;
    (void)arg;
}

void
store_worker_on_failure(struct store_worker *worker,
                        void (*fn)(void *arg, enum status status,
                                   const char *words),
                        void *arg)
{
    worker->on_failure = fn;
    worker->on_failure_arg = arg;
}

int64_t
worker_floor_ms(const struct store_worker *worker)
{
    return worker->store->ops->ledger_floor_ms(worker->store);
}

bool
worker_is_busy(const struct store_worker *worker)
{
    return !list_empty(&worker->queued) || !list_empty(&worker->finished);
}

void
worker_abandon(struct store_worker *worker)
{
    worker->dead = true;
    vtime_alarm_off(&worker->pump);
    vtime_alarm_off(&worker->deliver);
    deliver(worker);
    for (struct list *link; (link = list_take(&worker->queued)) != NULL;) {
        struct store_call *call = store_call_of(link);
        call->status = STATUS_IO;
        complete(worker, call);
    }
}

void
store_worker_destroy(struct store_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    if (!worker->dead) {
        /* However long the store takes for it. */
        while (!list_empty(&worker->queued)) {
            run_group(worker);
        }
        worker_abandon(worker);
    }
    worker->store->ops->close(worker->store);
    loop_timer_destroy(worker->probe_timer);
    mem_free(worker);
}
