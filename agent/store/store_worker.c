/* SPDX-License-Identifier: MIT */
#include "store/store_worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "base/mem.h"
#include "io/clock.h"
#include "io/loop.h"

/*
 * The happy path: submit puts a call on `gathered`; at the end of the loop's
 * turn all of them move to `queued` under the lock, and the thread is woken.
 * It takes the longest run of units (or one call of another kind), runs it
 * without the lock, puts it on `finished` and rings the bell; the loop's
 * thread takes that list whole and calls back.
 *
 * What can go wrong: the store fails for good. The thread goes on asking it
 * and gets the same answer for every call that is queued; submit takes nothing
 * more once the first such answer has reached the loop.
 *
 * `gathered`, the counts and the health belong to the loop's thread, the two
 * other lists and `stopping` to the lock, the rest of the thread's part to the
 * thread.
 */

/* While the store cannot be written: how often it is asked whether it can. */
#define PROBE_MS 1000

struct store_worker {
    struct loop *loop;
    struct store *store;
    struct store_worker_settings settings;
    /* The loop's. */
    struct list gathered;
    struct loop_turn *turn;
    struct loop_bell *bell;
    bool closing;
    struct store_worker_figures figures;
    void (*on_commit)(void *arg, double seconds, size_t units);
    void *on_commit_arg;
    void (*on_failure)(void *arg, enum status status, const char *words);
    void *on_failure_arg;
    void (*on_wait)(void *arg, bool waits, const char *words);
    void *on_wait_arg;
    struct loop_timer *probe_timer;
    struct store_call probe; /* a unit with nothing in it */
    bool probing;
    /* The lock's. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct list queued;
    struct list finished;
    bool stopping;
    /* The thread's. */
    pthread_t thread;
    struct store_unit **group;
};

/* Applies a run of units; the last call carries what the loop is told of the
 * commit. */
static void
run_units(struct store_worker *worker, struct list *taken, size_t count)
{
    struct store_call *last = NULL;
    size_t at = 0;
    list_for_each(link, taken) {
        last = store_call_of(link);
        worker->group[at++] = &last->unit;
    }
    int64_t begin_us = clock_monotonic_us();
    struct error err = { 0 };
    enum status status =
        worker->store->ops->apply(worker->store, worker->group, count, &err);
    if (status == STATUS_OK) {
        last->commit_us = clock_monotonic_us() - begin_us;
        last->commit_units = count;
    }
    list_for_each(link, taken) {
        struct store_call *call = store_call_of(link);
        call->status = call->unit.status;
        call->err = call->unit.err;
    }
}

static void
run_group(struct store_worker *worker, struct list *taken, size_t count)
{
    PRE(count > 0);
    struct store_call *first = store_call_of(taken->next);
    if (first->kind == STORE_CALL_UNIT) {
        run_units(worker, taken, count);
    } else {
        store_call_run(worker->store, first);
    }
}

static void *
thread_main(void *arg)
{
    struct store_worker *worker = arg;
    (void)pthread_mutex_lock(&worker->lock);
    for (;;) {
        while (list_empty(&worker->queued) && !worker->stopping) {
            (void)pthread_cond_wait(&worker->wake, &worker->lock);
        }
        if (list_empty(&worker->queued)) {
            break;
        }
        struct list taken = LIST_INIT(taken);
        size_t count = store_call_take(&worker->queued,
                                       worker->settings.group_units, &taken);
        (void)pthread_mutex_unlock(&worker->lock);
        run_group(worker, &taken, count);
        (void)pthread_mutex_lock(&worker->lock);
        list_join(&worker->finished, &taken);
        (void)pthread_mutex_unlock(&worker->lock);
        loop_bell_ring(worker->bell);
        (void)pthread_mutex_lock(&worker->lock);
    }
    (void)pthread_mutex_unlock(&worker->lock);
    worker->store->ops->close(worker->store);
    return NULL;
}

/* loop_turn's callback: one lock for all that a turn brought. */
static void
hand_over(void *arg)
{
    struct store_worker *worker = arg;
    if (list_empty(&worker->gathered)) {
        return;
    }
    (void)pthread_mutex_lock(&worker->lock);
    store_call_gather(&worker->queued, &worker->gathered);
    (void)pthread_cond_signal(&worker->wake);
    (void)pthread_mutex_unlock(&worker->lock);
}

/* Whether it is not the call that failed but the store, for a while. */
static bool
is_away(enum status status)
{
    return status == STATUS_FULL || status == STATUS_UNAVAILABLE ||
           status == STATUS_UNKNOWN;
}

/* Tells of the edges only: a full disk, or a database that is away, refuses
 * hundreds of calls a second. */
static void
tell_wait(struct store_worker *worker, enum status status, const char *words)
{
    bool waited = worker->figures.health != STATUS_OK;
    bool waits = status != STATUS_OK;
    worker->figures.health = status;
    if (waits != waited && worker->on_wait != NULL) {
        worker->on_wait(worker->on_wait_arg, waits, words);
    }
}

static void
note_health(struct store_worker *worker, const struct store_call *call)
{
    enum status *health = &worker->figures.health;
    if (status_disposition(*health) == DISPOSITION_FATAL) {
        return;
    }
    if (status_disposition(call->status) == DISPOSITION_FATAL) {
        *health = call->status;
        if (worker->on_failure != NULL) {
            worker->on_failure(worker->on_failure_arg, call->status,
                               error_text(&call->err, call->status));
        }
    } else if (is_away(call->status)) {
        tell_wait(worker, call->status, error_text(&call->err, call->status));
        if (!worker->probing && !worker->closing) {
            loop_timer_arm(worker->probe_timer, PROBE_MS);
        }
    }
}

static void
probed(struct store_call *call)
{
    struct store_worker *worker = call->arg;
    worker->probing = false;
    if (call->status == STATUS_OK) {
        tell_wait(worker, STATUS_OK, "");
    } else if (!worker->closing &&
               status_disposition(call->status) != DISPOSITION_FATAL) {
        loop_timer_arm(worker->probe_timer, PROBE_MS);
    }
}

/* A unit that is all known writes nothing, so only a probe can tell that the
 * store can be written again; and without traffic nobody else would ask. */
static void
probe(void *arg)
{
    struct store_worker *worker = arg;
    worker->probe = (struct store_call){ .kind = STORE_CALL_UNIT,
                                         .done = probed,
                                         .arg = worker };
    worker->probing = store_worker_submit(worker, &worker->probe) == STATUS_OK;
}

static void
complete(struct store_worker *worker, struct store_call *call)
{
    worker->figures.queued_events -= store_call_events(call);
    worker->figures.queued_bytes -= store_call_bytes(call);
    note_health(worker, call);
    if (call->commit_units > 0) {
        worker->figures.commits++;
        worker->figures.units += call->commit_units;
        if (worker->on_commit != NULL) {
            worker->on_commit(worker->on_commit_arg,
                              (double)call->commit_us / 1e6,
                              call->commit_units);
        }
    }
    call->done(call);
}

/* loop_bell's callback. */
static void
take_finished(void *arg)
{
    struct store_worker *worker = arg;
    struct list finished = LIST_INIT(finished);
    (void)pthread_mutex_lock(&worker->lock);
    list_join(&finished, &worker->finished);
    (void)pthread_mutex_unlock(&worker->lock);
    struct list *link;
    while ((link = list_take(&finished)) != NULL) {
        complete(worker, store_call_of(link));
    }
}

/* Signals are the loop's: none may land on this thread. */
static int
start_thread(struct store_worker *worker)
{
    sigset_t all;
    sigset_t old;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&worker->thread, NULL, thread_main, worker);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failed;
}

enum status
store_worker_create(struct loop *loop, struct store *store,
                    const struct store_worker_settings *settings,
                    struct store_worker **ret, struct error *err)
{
    enum status status = STATUS_NOMEM;
    struct store_worker *worker = mem_zero(sizeof(*worker));
    if (worker == NULL) {
        return error_set(err, status, "store: out of memory");
    }
    worker->loop = loop;
    worker->store = store;
    worker->settings = *settings;
    list_init(&worker->gathered);
    list_init(&worker->queued);
    list_init(&worker->finished);
    if (worker->settings.group_units < 1) {
        worker->settings.group_units = 1;
    }
    worker->group = mem_array((size_t)worker->settings.group_units,
                              sizeof(struct store_unit *));
    if (worker->group == NULL) {
        goto free_worker;
    }
    status = loop_timer_create(loop, probe, worker, &worker->probe_timer);
    if (status != STATUS_OK) {
        goto free_group;
    }
    status = loop_turn_create(loop, hand_over, worker, &worker->turn);
    if (status != STATUS_OK) {
        goto destroy_timer;
    }
    status = loop_bell_create(loop, take_finished, worker, &worker->bell);
    if (status != STATUS_OK) {
        goto destroy_turn;
    }
    (void)pthread_mutex_init(&worker->lock, NULL);
    (void)pthread_cond_init(&worker->wake, NULL);
    if (start_thread(worker) != 0) {
        status = STATUS_NOMEM;
        goto destroy_lock;
    }
    *ret = worker;
    return STATUS_OK;

destroy_lock:
    (void)pthread_cond_destroy(&worker->wake);
    (void)pthread_mutex_destroy(&worker->lock);
    loop_bell_destroy(worker->bell);
destroy_turn:
    loop_turn_destroy(worker->turn);
destroy_timer:
    loop_timer_destroy(worker->probe_timer);
free_group:
    mem_free(worker->group);
free_worker:
    mem_free(worker);
    return error_set(err, status, "store: its thread cannot be started: %s",
                     status_text(status));
}

bool
store_worker_has_room(const struct store_worker *worker)
{
    const struct store_worker_figures *figures = &worker->figures;
    /* On a full disk what is known already still gets its answer; of a database
     * that is away nobody has one. */
    bool is_there =
        figures->health == STATUS_OK || figures->health == STATUS_FULL;
    return is_there && figures->queued_events < worker->settings.queue_events &&
           figures->queued_bytes < worker->settings.queue_bytes;
}

enum status
store_worker_submit(struct store_worker *worker, struct store_call *call)
{
    if (worker->closing) {
        return STATUS_CANCELED;
    }
    if (status_disposition(worker->figures.health) == DISPOSITION_FATAL) {
        return worker->figures.health;
    }
    if (store_call_events(call) > 0 && !store_worker_has_room(worker)) {
        return STATUS_BUSY;
    }
    worker->figures.queued_events += store_call_events(call);
    worker->figures.queued_bytes += store_call_bytes(call);
    call->status = STATUS_OK;
    call->err.text[0] = '\0';
    call->gave_way = false;
    call->commit_us = 0;
    call->commit_units = 0;
    list_append(&worker->gathered, &call->link);
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
    worker->on_commit = fn;
    worker->on_commit_arg = arg;
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

void
store_worker_on_wait(struct store_worker *worker,
                     void (*fn)(void *arg, bool waits, const char *words),
                     void *arg)
{
    worker->on_wait = fn;
    worker->on_wait_arg = arg;
}

void
store_worker_destroy(struct store_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    hand_over(worker);
    worker->closing = true;
    loop_timer_disarm(worker->probe_timer);
    (void)pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    (void)pthread_cond_signal(&worker->wake);
    (void)pthread_mutex_unlock(&worker->lock);
    (void)pthread_join(worker->thread, NULL);
    take_finished(worker);
    loop_bell_destroy(worker->bell);
    loop_turn_destroy(worker->turn);
    loop_timer_destroy(worker->probe_timer);
    (void)pthread_cond_destroy(&worker->wake);
    (void)pthread_mutex_destroy(&worker->lock);
    mem_free(worker->group);
    mem_free(worker);
}
