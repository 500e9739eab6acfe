/* SPDX-License-Identifier: MIT */
#include "flow/gather.h"

#include "base/mem.h"

#define RETRY_MS ((int64_t)1000)

/* What comes again goes by itself: it has half of the slots at most, and is
 * marked as what it is. */
#define HEAPS ((size_t)2 * GATHER_SIZES)

/* What goes together: deliveries of one size of batch. */
struct heap {
    struct list attempts; /* in order of coming */
    struct gather_heap of;
};

struct gather {
    struct loop *loop;
    const struct gather_policy *policy;
    const struct retry_policy *retry;
    loop_fn *ready;
    void *arg;
    struct loop_timer *timer;
    struct heap heaps[HEAPS];
    size_t bytes;
};

static struct attempt *
first_of(const struct heap *heap)
{
    return list_entry(heap->attempts.next, struct attempt, link);
}

/* The heap that is to go first; NULL: nothing waits. */
static struct heap *
next_heap(struct gather *gather, int64_t *ret_due_ms)
{
    struct heap *next = NULL;
    for (size_t i = 0; i < HEAPS; i++) {
        struct heap *heap = &gather->heaps[i];
        if (list_empty(&heap->attempts)) {
            continue;
        }
        int64_t due_ms = gather_due_ms(gather->policy, &heap->of);
        if (next == NULL || due_ms < *ret_due_ms) {
            next = heap;
            *ret_due_ms = due_ms;
        }
    }
    return next;
}

/* For the next that is not full: what is waits for a slot, not for time. */
static void
arm(struct gather *gather)
{
    int64_t due_ms = 0;
    int64_t now_ms = loop_now_ms(gather->loop);
    if (next_heap(gather, &due_ms) == NULL) {
        loop_timer_disarm(gather->timer);
    } else {
        loop_timer_arm(gather->timer, due_ms > now_ms ? due_ms - now_ms : 0);
    }
}

static void
leave(struct gather *gather, struct heap *heap, struct attempt *attempt)
{
    const size_t bytes = attempt->delivery.envelope.len;
    list_remove(&attempt->link);
    gather->bytes -= bytes;
    heap->of.bytes -= bytes;
    heap->of.count--;
    if (!list_empty(&heap->attempts)) {
        heap->of.first_ms = first_of(heap)->ready_ms;
    }
}

static void
enter(struct gather *gather, struct heap *heap, struct attempt *attempt)
{
    const size_t bytes = attempt->delivery.envelope.len;
    list_append(&heap->attempts, &attempt->link);
    gather->bytes += bytes;
    heap->of.bytes += bytes;
    heap->of.count++;
    heap->of.first_ms = first_of(heap)->ready_ms;
}

void
gather_add(struct gather *gather, struct attempt *attempt)
{
    unsigned halvings = gather_halvings(
        gather->policy, attempt->delivery.attempt - attempt->base,
        gather->retry->attempts);
    attempt->ready_ms = loop_now_ms(gather->loop);
    enter(gather,
          &gather->heaps[halvings + (attempt->again ? GATHER_SIZES : 0)],
          attempt);
    arm(gather);
}

bool
gather_is_due(struct gather *gather)
{
    int64_t due_ms = 0;
    return next_heap(gather, &due_ms) != NULL &&
           due_ms <= loop_now_ms(gather->loop);
}

/* Moves one batch of the heap's first to `taken`. */
static size_t
cut(struct gather *gather, struct heap *heap, int64_t until_ms,
    struct list *late, struct list *taken)
{
    struct gather_heap of = { .halvings = heap->of.halvings };
    while (!list_empty(&heap->attempts)) {
        struct attempt *attempt = first_of(heap);
        const size_t bytes = attempt->delivery.envelope.len;
        if (!gather_fits(gather->policy, &of, bytes)) {
            break;
        }
        leave(gather, heap, attempt);
        if (attempt->lease_until_ms < until_ms) {
            list_append(late, &attempt->link);
            continue;
        }
        list_append(taken, &attempt->link);
        of.count++;
        of.bytes += bytes;
    }
    return of.count;
}

enum status
gather_take(struct gather *gather, int64_t until_ms, struct list *late,
            struct batch **ret)
{
    struct list taken = LIST_INIT(taken);
    int64_t due_ms = 0;
    struct heap *heap = next_heap(gather, &due_ms);
    *ret = NULL;
    if (heap == NULL || due_ms > loop_now_ms(gather->loop)) {
        return STATUS_OK;
    }
    size_t count = cut(gather, heap, until_ms, late, &taken);
    enum status status =
        count == 0 ? STATUS_OK : batch_create(&taken, count, ret);
    if (status != STATUS_OK) {
        for (struct list *link; (link = list_take(&taken)) != NULL;) {
            enter(gather, heap, list_entry(link, struct attempt, link));
        }
        loop_timer_arm(gather->timer, RETRY_MS);
        return status;
    }
    arm(gather);
    return STATUS_OK;
}

struct attempt *
gather_drop(struct gather *gather)
{
    for (size_t i = 0; i < HEAPS; i++) {
        struct heap *heap = &gather->heaps[i];
        if (!list_empty(&heap->attempts)) {
            struct attempt *attempt = first_of(heap);
            leave(gather, heap, attempt);
            return attempt;
        }
    }
    loop_timer_disarm(gather->timer);
    return NULL;
}

size_t
gather_bytes(const struct gather *gather)
{
    return gather->bytes;
}

enum status
gather_create(struct loop *loop, const struct gather_policy *policy,
              const struct retry_policy *retry, loop_fn *ready, void *arg,
              struct gather **ret)
{
    struct gather *gather = mem_zero(sizeof(*gather));
    if (gather == NULL) {
        return STATUS_NOMEM;
    }
    gather->loop = loop;
    gather->policy = policy;
    gather->retry = retry;
    for (unsigned i = 0; i < HEAPS; i++) {
        list_init(&gather->heaps[i].attempts);
        gather->heaps[i].of.halvings = i % GATHER_SIZES;
    }
    enum status status = loop_timer_create(loop, ready, arg, &gather->timer);
    if (status != STATUS_OK) {
        mem_free(gather);
        return status;
    }
    *ret = gather;
    return STATUS_OK;
}

void
gather_destroy(struct gather *gather)
{
    if (gather == NULL) {
        return;
    }
    loop_timer_destroy(gather->timer);
    mem_free(gather);
}
