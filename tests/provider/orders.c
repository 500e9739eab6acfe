/* SPDX-License-Identifier: MIT */
#include "orders.h"

#include "base/mem.h"
#include "base/prng.h"
#include "wire/timefmt.h"

/* One in so many facts changes an order instead of making one. */
#define CHANGE_ONE_IN 3
/* Only the youngest orders change. */
#define CHANGE_AMONG 64

struct orders {
    struct orders_settings settings;
    struct prng prng;
    struct fact *facts;
    size_t count;
    size_t room;
    size_t tail; /* facts of it so far */
    uint64_t last_order;
    int64_t last_ms;
    struct fact recent[CHANGE_AMONG]; /* latest version, by id % CHANGE_AMONG */
};

enum status
orders_create(const struct orders_settings *settings, struct orders **ret)
{
    struct orders *orders = mem_zero(sizeof(*orders));
    if (orders == NULL) {
        return STATUS_NOMEM;
    }
    orders->settings = *settings;
    orders->prng.state = settings->seed;
    *ret = orders;
    return STATUS_OK;
}

void
orders_destroy(struct orders *orders)
{
    if (orders == NULL) {
        return;
    }
    mem_free(orders->facts);
    mem_free(orders);
}

static enum status
make_room(struct orders *orders)
{
    if (orders->count < orders->room) {
        return STATUS_OK;
    }
    size_t room = orders->room == 0 ? 256 : orders->room * 2;
    struct fact *facts = mem_resize(orders->facts, room, sizeof(*facts));
    if (facts == NULL) {
        return STATUS_NOMEM;
    }
    orders->facts = facts;
    orders->room = room;
    return STATUS_OK;
}

/* Stamps never go back, whatever the clock does: a list ordered by them would
 * not be one otherwise. */
static int64_t
stamp_at(struct orders *orders, int64_t now_ms)
{
    if (orders->settings.whole_seconds) {
        now_ms -= now_ms % 1000;
    }
    if (now_ms > orders->last_ms) {
        orders->last_ms = now_ms;
    }
    return orders->last_ms;
}

/* The share of the tail rounded up: where there is to be one, it has a fact. */
static size_t
tail_size(const struct orders_settings *s)
{
    return (s->tail_among * (size_t)s->tail_percent + 99) / 100;
}

/* Chance says which facts are the tail, and never how many: of those that may
 * still happen each is as likely as the others to be one of those that are
 * missing. Draws only where there is a tail, so that without one a seed still
 * means the orders it always meant. */
static bool
is_tail(struct orders *orders)
{
    const struct orders_settings *s = &orders->settings;
    size_t missing = tail_size(s) - orders->tail;
    if (missing == 0) {
        return false;
    }
    bool tail =
        prng_below(&orders->prng, s->tail_among - orders->count) < missing;
    orders->tail += tail;
    return tail;
}

enum status
orders_happen(struct orders *orders, int64_t now_ms, struct fact *ret_fact)
{
    if (make_room(orders) != STATUS_OK) {
        return STATUS_NOMEM;
    }
    int64_t stamp_ms = stamp_at(orders, now_ms);
    const struct orders_settings *s = &orders->settings;
    struct fact *old = &orders->recent[prng_below(&orders->prng, CHANGE_AMONG)];
    struct fact fact = *old;
    /* two versions of one order may not share a stamp: it is their version */
    if (old->order != 0 && old->updated_ms < stamp_ms &&
        prng_below(&orders->prng, CHANGE_ONE_IN) == 0) {
        fact.version++;
    } else {
        fact.order = ++orders->last_order;
        fact.version = 1;
        fact.customer = prng_below(&orders->prng, 20);
        fact.created_ms = stamp_ms;
    }
    fact.cents = prng_below(&orders->prng, 50000);
    fact.updated_ms = stamp_ms;
    fact.shown = false;
    fact.tail = is_tail(orders);
    fact.listed_ms = now_ms + (fact.tail ? s->tail_ms : s->lag_ms);
    size_t place = orders_find(orders, fact.updated_ms, fact.order);
    for (size_t i = orders->count; i > place; i--) {
        orders->facts[i] = orders->facts[i - 1];
    }
    orders->facts[place] = fact;
    orders->count++;
    orders->recent[fact.order % CHANGE_AMONG] = fact;
    *ret_fact = fact;
    return STATUS_OK;
}

size_t
orders_count(const struct orders *orders)
{
    return orders->count;
}

const struct fact *
orders_at(const struct orders *orders, size_t index)
{
    return &orders->facts[index];
}

bool
orders_show(struct orders *orders, size_t index)
{
    bool first = !orders->facts[index].shown;
    orders->facts[index].shown = true;
    return first;
}

size_t
orders_find(const struct orders *orders, int64_t updated_ms, uint64_t order)
{
    size_t low = 0;
    size_t high = orders->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct fact *fact = &orders->facts[middle];
        if (fact->updated_ms < updated_ms ||
            (fact->updated_ms == updated_ms && fact->order < order)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const char *
orders_type(const struct fact *fact)
{
    return fact->version == 1 ? "order.created" : "order.updated";
}

void
orders_stamp(const struct orders *orders, int64_t at_ms, struct buf *into)
{
    timefmt_write(orders->settings.whole_seconds ? TIMEFMT_ISO8601_S
                                                 : TIMEFMT_ISO8601,
                  at_ms, into);
}

void
orders_name(const struct orders *orders, const struct fact *fact,
            struct buf *into)
{
    buf_format(into, "order:%llu:", (unsigned long long)fact->order);
    orders_stamp(orders, fact->updated_ms, into);
}

void
orders_row(const struct orders *orders, const struct fact *fact,
           struct buf *into)
{
    static const char *const states[] = { "open", "paid", "packed", "shipped" };
    buf_format(into,
               "{\"id\":%llu,\"status\":\"%s\",\"customer\":\"c%llu\","
               "\"total\":%llu.%02llu,\"created_at\":\"",
               (unsigned long long)fact->order, states[(fact->version - 1) % 4],
               (unsigned long long)fact->customer,
               (unsigned long long)(fact->cents / 100),
               (unsigned long long)(fact->cents % 100));
    orders_stamp(orders, fact->created_ms, into);
    buf_text(into, "\",\"updated_at\":\"");
    orders_stamp(orders, fact->updated_ms, into);
    buf_text(into, "\"}");
}
