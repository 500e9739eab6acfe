/* SPDX-License-Identifier: MIT */
/*
 * shared_store: a table of leases in memory, and stores of several agents that
 * share it: what a shared store promises of signs of life, and of units that
 * walk by a lease. Its clock is the test's.
 */
#ifndef UNIT_FLOW_SHARED_STORE_H
#define UNIT_FLOW_SHARED_STORE_H

#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "model/share.h"
#include "store/store.h"

enum { SHARED_CONNECTORS = 64, SHARED_AGENTS = 8 };

struct shared_lease {
    bool is_there;
    struct share_row row;
    uint64_t fence;
    bool is_poked;
};

struct shared_agent {
    bool lives;
    bool leaves; /* it ends, and takes nothing any more */
    int64_t started_ms, beat_ms;
    int64_t lowest_ms;
};

static struct {
    pthread_mutex_t lock;
    int64_t now_ms;
    uint64_t last_epoch;
    struct shared_lease leases[SHARED_CONNECTORS];
    struct shared_agent agents[SHARED_AGENTS]; /* by epoch */
    char walk[256];                            /* the state of connector 1 */
    size_t applied;
    size_t fenced;
} shared = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct shared_store {
    struct store store;
    uint64_t epoch;
    size_t beats;
    bool is_away; /* it answers nothing: the network is cut */
};

static inline void
shared_reset(void)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    memset(&shared, 0, sizeof(shared));
    shared.lock = lock;
    shared.now_ms = 1000000;
}

static inline void
shared_pass(int64_t ms)
{
    (void)pthread_mutex_lock(&shared.lock);
    shared.now_ms += ms;
    (void)pthread_mutex_unlock(&shared.lock);
}

static inline void
shared_join(struct shared_store *store)
{
    store->epoch = ++shared.last_epoch;
    shared.agents[store->epoch] =
        (struct shared_agent){ .lives = true,
                               .started_ms = shared.now_ms,
                               .beat_ms = shared.now_ms,
                               .lowest_ms = INT64_MIN };
}

static inline void
shared_set(struct shared_lease *lease, uint64_t holder)
{
    lease->row.holder = holder;
    lease->row.freed_ms = shared.now_ms;
    lease->row.asked = 0;
    lease->fence++;
}

static inline void
shared_free_all(uint64_t epoch)
{
    for (size_t i = 0; i < SHARED_CONNECTORS; i++) {
        if (shared.leases[i].is_there && shared.leases[i].row.holder == epoch) {
            shared_set(&shared.leases[i], 0);
        }
    }
}

static inline void
shared_bury(const struct shared_store *store, struct store_beat *beat)
{
    for (uint64_t i = 1; i <= shared.last_epoch; i++) {
        struct shared_agent *agent = &shared.agents[i];
        if (i != store->epoch && agent->lives &&
            agent->beat_ms < shared.now_ms - beat->ttl_ms) {
            agent->lives = false;
            shared_free_all(i);
            beat->buried++;
            beat->freed += 3;
        }
    }
}

/* What is not named any more is given back. */
static inline void
shared_drop_unnamed(const struct shared_store *store,
                    const struct store_beat *beat)
{
    bool named[SHARED_CONNECTORS] = { false };
    for (size_t i = 0; i < beat->count; i++) {
        named[beat->leases[i].connector] = true;
    }
    for (size_t i = 0; i < SHARED_CONNECTORS; i++) {
        struct shared_lease *lease = &shared.leases[i];
        if (lease->is_there && lease->row.holder == store->epoch && !named[i]) {
            shared_set(lease, 0);
        }
    }
}

static inline void
shared_act(const struct share_view *view, struct store_beat *beat,
           struct store_lease *lease)
{
    struct shared_lease *at = &shared.leases[lease->connector];
    if (!at->is_there) {
        at->is_there = true;
        at->row.connector = lease->connector;
        at->row.freed_ms = shared.now_ms;
    }
    if (beat->is_last) {
        if (at->row.holder == view->self) {
            shared_set(at, 0);
        }
    } else {
        switch (share_decide(view, &at->row)) {
        case SHARE_LEAVE: break;
        case SHARE_TAKE:
            shared_set(at, view->self);
            beat->taken++;
            break;
        case SHARE_GIVE:
            shared_set(at, 0);
            beat->given++;
            break;
        case SHARE_ASK: at->row.asked = view->self; break;
        }
    }
    bool is_held = at->row.holder == view->self;
    at->is_poked = (at->is_poked || lease->is_poked) && at->row.holder != 0;
    lease->is_held = is_held;
    lease->fence = is_held ? at->fence : 0;
    lease->is_poked = is_held && at->is_poked;
    at->is_poked = at->is_poked && !is_held;
}

static inline enum status
shared_tell(const struct shared_store *store, struct store_beat *beat,
            const struct share_view *view)
{
    beat->now_ms = shared.now_ms;
    beat->agent_count = view->count;
    beat->everybodys_lowest_ms = INT64_MAX;
    beat->agents = mem_array(view->count, sizeof(*beat->agents));
    for (size_t i = 0; beat->agents != NULL && i < view->count; i++) {
        const struct shared_agent *agent = &shared.agents[view->living[i]];
        beat->agents[i] =
            (struct store_agent){ .epoch = view->living[i],
                                  .is_self = view->living[i] == store->epoch,
                                  .host = "here",
                                  .version = "1",
                                  .shares = true,
                                  .started_ms = agent->started_ms,
                                  .beat_ms = agent->beat_ms };
        if (agent->lowest_ms < beat->everybodys_lowest_ms) {
            beat->everybodys_lowest_ms = agent->lowest_ms;
        }
    }
    return beat->agents == NULL ? STATUS_NOMEM : STATUS_OK;
}

static inline enum status
shared_beat_locked(struct shared_store *store, struct store_beat *beat)
{
    uint64_t living[SHARED_AGENTS];
    size_t count = 0;
    if (!shared.agents[store->epoch].lives) {
        shared_join(store);
        beat->is_anew = true;
    }
    struct shared_agent *self = &shared.agents[store->epoch];
    self->beat_ms = shared.now_ms;
    self->lowest_ms = beat->lowest_ms;
    self->leaves = beat->is_last;
    shared_bury(store, beat);
    shared_drop_unnamed(store, beat);
    for (uint64_t i = 1; i <= shared.last_epoch; i++) {
        if (shared.agents[i].lives && !shared.agents[i].leaves) {
            living[count++] = i;
        }
    }
    const struct share_view view = {
        .self = store->epoch,
        .living = living,
        .count = count,
        .is_settled = shared.now_ms - self->started_ms >= 2 * beat->every_ms,
        .now_ms = shared.now_ms,
        .orphan_ms = beat->ttl_ms,
    };
    for (size_t i = 0; i < beat->count; i++) {
        shared_act(&view, beat, &beat->leases[i]);
    }
    return shared_tell(store, beat, &view);
}

static inline enum status
shared_beat(struct store *base, struct store_beat *beat, struct error *err)
{
    struct shared_store *store = (struct shared_store *)(void *)base;
    (void)pthread_mutex_lock(&shared.lock);
    enum status status = store->is_away ? error_set(err, STATUS_UNAVAILABLE,
                                                    "the database is away")
                                        : shared_beat_locked(store, beat);
    store->beats++;
    (void)pthread_mutex_unlock(&shared.lock);
    return status;
}

static inline void
shared_put_walk(const struct store_walk *walk, struct store_unit *unit)
{
    if (walk->fence != 0 &&
        walk->fence != shared.leases[walk->connector].fence) {
        shared.fenced++;
        unit->status = error_set(&unit->err, STATUS_FENCED,
                                 "another agent walks this connector");
        return;
    }
    assert_in_range(walk->state.len, 1, sizeof(shared.walk) - 1);
    memcpy(shared.walk, walk->state.ptr, walk->state.len);
    shared.walk[walk->state.len] = '\0';
    shared.applied++;
}

static inline enum status
shared_apply(struct store *base, struct store_unit *const *units, size_t count,
             struct error *err)
{
    (void)base;
    (void)err;
    (void)pthread_mutex_lock(&shared.lock);
    for (size_t i = 0; i < count; i++) {
        units[i]->status = STATUS_OK;
        for (size_t j = 0; j < units[i]->walk_count; j++) {
            shared_put_walk(&units[i]->walks[j], units[i]);
        }
    }
    (void)pthread_mutex_unlock(&shared.lock);
    return STATUS_OK;
}

static inline enum status
shared_walk(struct store *base, uint32_t connector, unsigned tier,
            struct buf *into, struct error *err)
{
    (void)base;
    (void)connector;
    (void)tier;
    (void)pthread_mutex_lock(&shared.lock);
    buf_append(into, slice_of(shared.walk));
    enum status status = shared.walk[0] == '\0'
                             ? error_set(err, STATUS_NOT_FOUND, "no walk yet")
                             : buf_status(into);
    (void)pthread_mutex_unlock(&shared.lock);
    return status;
}

static inline void
shared_close(struct store *base)
{
    (void)base;
}

static const struct store_ops shared_ops = { .apply = shared_apply,
                                             .walk = shared_walk,
                                             .beat = shared_beat,
                                             .close = shared_close };

/* The network between this agent and the store is cut, or whole again. */
static inline void
shared_cut(struct shared_store *store, bool is_away)
{
    (void)pthread_mutex_lock(&shared.lock);
    store->is_away = is_away;
    (void)pthread_mutex_unlock(&shared.lock);
}

static inline void
shared_open(struct shared_store *store)
{
    *store = (struct shared_store){ .store = { .ops = &shared_ops } };
    (void)pthread_mutex_lock(&shared.lock);
    shared_join(store);
    (void)pthread_mutex_unlock(&shared.lock);
}

#endif
