/* SPDX-License-Identifier: MIT */
#include "store/store_call.h"

/* Bodies in one transaction: a longer one only makes others wait. */
#define GROUP_BYTES ((int64_t)4 << 20)

struct store_call *
store_call_of(struct list *link)
{
    return list_entry(link, struct store_call, link);
}

int64_t
store_call_events(const struct store_call *call)
{
    return call->kind == STORE_CALL_UNIT ? (int64_t)call->unit.sighting_count
                                         : 0;
}

int64_t
store_call_bytes(const struct store_call *call)
{
    int64_t bytes = 0;
    if (call->kind == STORE_CALL_UNIT) {
        const struct store_unit *unit = &call->unit;
        for (size_t i = 0; i < unit->sighting_count; i++) {
            bytes += (int64_t)unit->sightings[i].body.len;
        }
    }
    return bytes;
}

void
store_call_gather(struct list *queued, struct list *gathered)
{
    struct list *link;
    while ((link = list_take(gathered)) != NULL) {
        const struct store_call *call = store_call_of(link);
        bool is_urgent = call->kind == STORE_CALL_BEAT && !call->beat.is_last;
        list_append(is_urgent ? queued->next : queued, link);
    }
}

/* Nobody outside waits for it. */
static bool
gives_way(const struct store_call *call)
{
    return call->kind == STORE_CALL_PRUNE ||
           (call->kind == STORE_CALL_CLAIM && call->claim.claims.again) ||
           (call->kind == STORE_CALL_AGAIN && !call->again.first);
}

/* The first call that may go now: the units behind those that give way for the
 * first time, if a sender waits for one of them. */
static const struct list *
first_of(const struct list *queued)
{
    const struct list *unit = NULL;
    list_for_each(link, queued) {
        const struct store_call *call = store_call_of(link);
        if (call->kind == STORE_CALL_UNIT) {
            unit = unit == NULL ? link : unit;
            if (unit == queued->next || store_call_events(call) > 0) {
                return unit;
            }
        } else if (unit != NULL || !gives_way(call) || call->gave_way) {
            break;
        }
    }
    return queued->next;
}

size_t
store_call_take(struct list *queued, int64_t units_max, struct list *taken)
{
    size_t count = 0;
    int64_t bytes = 0;
    const struct list *first = first_of(queued);
    list_for_each_safe(link, queued) {
        struct store_call *call = store_call_of(link);
        bool is_unit = call->kind == STORE_CALL_UNIT;
        if (count == 0 && link != first) {
            call->gave_way = true;
            continue;
        }
        if (count > 0 &&
            (!is_unit || bytes >= GROUP_BYTES || (int64_t)count >= units_max)) {
            break;
        }
        list_remove(link);
        list_append(taken, link);
        count++;
        bytes += store_call_bytes(call);
        if (!is_unit) {
            break;
        }
    }
    return count;
}

void
store_call_run(struct store *store, struct store_call *call)
{
    const struct store_ops *ops = store->ops;
    struct error *err = &call->err;
    switch (call->kind) {
    case STORE_CALL_UNIT: break;
    case STORE_CALL_CLAIM:
        call->status =
            ops->claim(store, call->claim.handler, call->claim.now_ms,
                       call->claim.lease_until_ms, call->claim.limit,
                       &call->claim.claims, err);
        break;
    case STORE_CALL_AGAIN:
        call->status = ops->again(store, &call->again, err);
        break;
    case STORE_CALL_ERRAND:
        call->status = ops->errand(store, &call->errand, err);
        break;
    case STORE_CALL_KNOWN:
        call->status = ops->known(store, call->known.sightings,
                                  call->known.count, call->known.known, err);
        break;
    case STORE_CALL_WALK:
        call->status = ops->walk(store, call->walk.connector, call->walk.tier,
                                 &call->walk.text, err);
        break;
    case STORE_CALL_FIGURES:
        call->status =
            ops->figures(store, call->figures.at, call->figures.count, err);
        break;
    case STORE_CALL_ACCOUNT:
        call->status = ops->account(store, &call->account, err);
        break;
    case STORE_CALL_UNLISTED:
        call->status = ops->unlisted(store, &call->unlisted, err);
        break;
    case STORE_CALL_PRUNE:
        call->status = ops->prune(store, &call->prune, err);
        break;
    case STORE_CALL_RECEIVER:
        call->status = ops->receiver(store, &call->receiver, err);
        break;
    case STORE_CALL_BEAT:
        call->status = ops->beat(store, &call->beat, err);
        break;
    case STORE_CALL_RUN:
        if (call->run.fn != NULL) {
            call->status = call->run.fn(store, call->run.arg, err);
        }
        break;
    }
}
