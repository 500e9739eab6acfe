/* SPDX-License-Identifier: MIT */
/* pauses: a list as long as the configuration, and changes on their way. */
#include "flow/pauses.h"

#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"

/*
 * The happy path: a change goes to the store as a unit of its own; when it is
 * durable it holds, is logged, and `changed` is told.
 *
 * Changes are numbered as they go to the store, which applies them in that
 * order. What holds here already may be behind one that is still on its way
 * back: that one is older than what the store has by then, and changes nothing.
 *
 * What can go wrong: the store has no room; who asked is told. A pause that a
 * handler asked for holds in memory all the same: after a restart its next
 * answer pauses it again.
 */

struct pauses {
    const struct telemetry *telemetry;
    struct store_worker *worker;
    void (*changed)(void *arg, const struct pause *pause);
    void *changed_arg;
    uint64_t changes; /* numbers given so far */
    size_t most;
    size_t count;
    struct pause **at;  /* none of them ever moves */
    struct arena arena; /* the pauses, and their names */
};

/* A change on its way; owns its words. */
struct change {
    struct pauses *pauses;
    struct pause *pause;
    uint64_t number;
    struct buf reason;
    struct store_pause stored;
    struct store_call call;
    pauses_done_fn *done; /* NULL: nobody waits */
    void *arg;
};

enum status
pauses_create(size_t most, const struct telemetry *telemetry,
              struct pauses **ret)
{
    struct pauses *pauses = mem_zero(sizeof(*pauses));
    if (pauses == NULL) {
        return STATUS_NOMEM;
    }
    pauses->telemetry = telemetry;
    enum status status = pauses_grow(pauses, most);
    if (status != STATUS_OK) {
        mem_free(pauses);
        return status;
    }
    *ret = pauses;
    return STATUS_OK;
}

enum status
pauses_grow(struct pauses *pauses, size_t more)
{
    size_t most = pauses->count + more;
    struct pause **at = mem_array(most + 1, sizeof(struct pause *));
    if (at == NULL) {
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < pauses->count; i++) {
        at[i] = pauses->at[i];
    }
    mem_free(pauses->at);
    pauses->at = at;
    pauses->most = most;
    return STATUS_OK;
}

static enum status
add(struct pauses *pauses, const struct store_pause *stored, struct slice name)
{
    struct pause *pause = arena_array(&pauses->arena, 1, sizeof(*pause));
    if (pause == NULL) {
        return STATUS_NOMEM;
    }
    PRE(pauses->count < pauses->most);
    *pause = (struct pause){ .kind = stored->kind,
                             .number = stored->number,
                             .is_paused = stored->is_paused,
                             .since_ms = stored->since_ms };
    buf_append(&pause->reason, stored->reason);
    enum status status = arena_copy(&pauses->arena, name, &pause->name);
    status = status == STATUS_OK ? buf_status(&pause->reason) : status;
    if (status != STATUS_OK) {
        buf_fini(&pause->reason);
        return status;
    }
    pause->gauge = telemetry_paused(pauses->telemetry,
                                    stored->kind == STORE_HANDLER, name);
    metric_set(pause->gauge, pause->is_paused);
    pauses->at[pauses->count++] = pause;
    return STATUS_OK;
}

enum status
pauses_put(struct pauses *pauses, const struct store_pause *stored,
           struct slice name)
{
    const struct pause *known =
        pauses_find(pauses, stored->kind, stored->number);
    if (known == NULL) {
        return add(pauses, stored, name);
    }
    metric_set(known->gauge, known->is_paused); /* it may have been away */
    return STATUS_OK;
}

void
pauses_begin(struct pauses *pauses, struct store_worker *worker,
             void (*changed)(void *arg, const struct pause *pause), void *arg)
{
    pauses->worker = worker;
    pauses->changed = changed;
    pauses->changed_arg = arg;
}

void
pauses_destroy(struct pauses *pauses)
{
    if (pauses == NULL) {
        return;
    }
    for (size_t i = 0; i < pauses->count; i++) {
        buf_fini(&pauses->at[i]->reason);
    }
    arena_fini(&pauses->arena);
    mem_free(pauses->at);
    mem_free(pauses);
}

const struct pause *
pauses_find(const struct pauses *pauses, enum store_name_kind kind,
            uint32_t number)
{
    for (size_t i = 0; pauses != NULL && i < pauses->count; i++) {
        const struct pause *pause = pauses->at[i];
        if (pause->kind == kind && pause->number == number) {
            return pause;
        }
    }
    return NULL;
}

static void
log_change(const struct pause *pause, bool by_itself)
{
    const char *key = pause->kind == STORE_HANDLER ? "handler" : "connector";
    if (!pause->is_paused) {
        LOG(LOG_INFO, "resumed", log_slice(key, pause->name));
    } else if (by_itself) {
        LOG(LOG_ERROR,
            "the handler is paused, until 'longstop resume' says otherwise",
            log_slice(key, pause->name),
            log_slice("why", buf_slice(&pause->reason)));
    } else {
        LOG(LOG_WARN, "paused", log_slice(key, pause->name),
            log_slice("why", buf_slice(&pause->reason)));
    }
}

/* Moves the change's words into its place. */
static void
hold(struct change *change)
{
    struct pause *pause = change->pause;
    buf_fini(&pause->reason);
    pause->reason = change->reason;
    change->reason = (struct buf){ 0 };
    pause->is_paused = change->stored.is_paused;
    pause->change = change->number;
    pause->since_ms = pause->is_paused ? change->stored.since_ms : 0;
    metric_set(pause->gauge, pause->is_paused);
    log_change(pause, change->done == NULL);
}

static void
stored(struct store_call *call)
{
    struct change *change = call->arg;
    struct pauses *pauses = change->pauses;
    struct pause *pause = change->pause;
    if (change->done == NULL) {
        if (call->status != STATUS_OK) {
            LOG(LOG_WARN, "that a handler is paused could not be stored",
                log_slice("handler", pause->name),
                log_text("why", error_text(&call->err, call->status)));
        }
    } else {
        if (call->status == STATUS_OK && change->number > pause->change &&
            pause->is_paused != change->stored.is_paused) {
            hold(change);
            pauses->changed(pauses->changed_arg, pause);
        }
        change->done(change->arg, call->status, &call->err);
    }
    buf_fini(&change->reason);
    mem_free(change);
}

static struct pause *
own(struct pauses *pauses, const struct pause *pause)
{
    for (size_t i = 0; i < pauses->count; i++) {
        if (pauses->at[i] == pause) {
            return pauses->at[i];
        }
    }
    return NULL;
}

/* The places are pauses' own: what is found is what is kept. */
static struct change *
make_change(struct pauses *pauses, const struct pause *pause, bool is_paused,
            struct slice reason)
{
    struct change *change = mem_zero(sizeof(*change));
    if (change == NULL) {
        return NULL;
    }
    change->pauses = pauses;
    change->number = ++pauses->changes;
    change->pause = own(pauses, pause);
    PRE(change->pause != NULL);
    buf_append(&change->reason, is_paused ? reason : (struct slice)SLICE(""));
    if (buf_status(&change->reason) != STATUS_OK) {
        buf_fini(&change->reason);
        mem_free(change);
        return NULL;
    }
    change->stored = (struct store_pause){
        .kind = pause->kind,
        .number = pause->number,
        .is_paused = is_paused,
        .since_ms = clock_unix_ms(),
        .reason = buf_slice(&change->reason),
    };
    change->call = (struct store_call){
        .kind = STORE_CALL_UNIT,
        .done = stored,
        .arg = change,
        .unit = { .pauses = &change->stored, .pause_count = 1 },
    };
    return change;
}

static enum status
submit(struct change *change)
{
    enum status status =
        store_worker_submit(change->pauses->worker, &change->call);
    if (status != STATUS_OK) {
        buf_fini(&change->reason);
        mem_free(change);
    }
    return status;
}

enum status
pauses_change(struct pauses *pauses, const struct pause *pause, bool is_paused,
              struct slice reason, pauses_done_fn *done, void *arg)
{
    struct change *change = make_change(pauses, pause, is_paused, reason);
    if (change == NULL) {
        return STATUS_NOMEM;
    }
    change->done = done;
    change->arg = arg;
    return submit(change);
}

void
pauses_take(struct pauses *pauses, const struct pause *pause,
            struct slice reason)
{
    struct change *change =
        pause->is_paused ? NULL : make_change(pauses, pause, true, reason);
    if (change == NULL) {
        return; /* out of memory: its next answer says so again */
    }
    struct buf words = { 0 };
    buf_append(&words, reason);
    struct change now = { .pause = change->pause,
                          .number = change->number,
                          .reason = words,
                          .stored = change->stored };
    hold(&now);
    pauses->changed(pauses->changed_arg, pause);
    (void)submit(change);
}
