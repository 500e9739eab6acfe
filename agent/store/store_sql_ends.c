/* SPDX-License-Identifier: MIT */
/*
 * store_sql_ends: the deliveries that the outcomes of a group end, dropped at
 * once: each by itself is a way to the server and back.
 *
 * Whoever applies an outcome takes from here whether the delivery was its to
 * end, and which lane it had.
 */
#include "store/store_sql_private.h"

#include <stdlib.h>

static bool
ends(const struct store_outcome *outcome)
{
    return outcome->kind == OUTCOME_DONE || outcome->kind == OUTCOME_DEAD;
}

static size_t
ends_of(struct store_unit *const *units, size_t count,
        struct store_sql_end *into)
{
    size_t number = 0;
    for (size_t i = 0; i < count; i++) {
        const struct store_unit *unit = units[i];
        for (size_t j = 0; unit->status == STATUS_OK && j < unit->outcome_count;
             j++) {
            const struct store_outcome *outcome = &unit->outcomes[j];
            if (ends(outcome) && into != NULL) {
                into[number] = (struct store_sql_end){
                    .handler = outcome->handler,
                    .event = outcome->event,
                    .attempt = outcome->attempt,
                };
            }
            number += ends(outcome);
        }
    }
    return number;
}

static int
compare_ends(const void *left, const void *right)
{
    const struct store_sql_end *a = left;
    const struct store_sql_end *b = right;
    if (a->handler != b->handler) {
        return a->handler < b->handler ? -1 : 1;
    }
    if (a->event != b->event) {
        return a->event < b->event ? -1 : 1;
    }
    return a->attempt < b->attempt ? -1 : a->attempt > b->attempt;
}

static struct store_sql_end *
find_end(struct store_sql *store, uint32_t handler, uint64_t event,
         unsigned attempt)
{
    const struct store_sql_end wanted = { .handler = handler,
                                          .event = event,
                                          .attempt = attempt };
    return store->end_count == 0
               ? NULL
               : bsearch(&wanted, store->ends, store->end_count, sizeof(wanted),
                         compare_ends);
}

struct store_sql_end *
store_sql_ends_get(struct store_sql *store, const struct store_outcome *outcome)
{
    return find_end(store, outcome->handler, outcome->event, outcome->attempt);
}

static enum status
ask_ends(struct store_sql *store, int64_t *lists, struct error *err)
{
    const size_t count = store->end_count;
    for (size_t i = 0; i < count; i++) {
        lists[i] = store->ends[i].handler;
        lists[count + i] = (int64_t)store->ends[i].event;
        lists[2 * count + i] = store->ends[i].attempt;
    }
    struct sql_use use = sql_use(store, SQL_DELIVERY_DROP_ALL);
    sql_numbers(&use, lists, count);
    sql_numbers(&use, lists + count, count);
    sql_numbers(&use, lists + 2 * count, count);
    bool row;
    enum status status = sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        struct store_sql_end *end = find_end(
            store, (uint32_t)sql_number(&use, 0), (uint64_t)sql_number(&use, 1),
            (unsigned)sql_number(&use, 2));
        if (end != NULL) {
            end->is_ours = true;
            end->lane = store_sql_lane_read(&use, 3);
        }
        status = sql_row(&use, &row, err);
    }
    return status;
}

enum status
store_sql_ends_ask(struct store_sql *store, struct store_unit *const *units,
                   size_t count, struct error *err)
{
    store_sql_ends_forget(store);
    const size_t number = ends_of(units, count, NULL);
    if (number == 0) {
        return STATUS_OK;
    }
    store->ends = mem_array(number, sizeof(*store->ends));
    int64_t *lists = mem_array(3 * number, sizeof(*lists));
    if (store->ends == NULL || lists == NULL) {
        mem_free(lists);
        return error_set(err, STATUS_NOMEM, "store: out of memory");
    }
    (void)ends_of(units, count, store->ends);
    qsort(store->ends, number, sizeof(*store->ends), compare_ends);
    store->end_count = number;
    enum status status = ask_ends(store, lists, err);
    mem_free(lists);
    return status;
}

void
store_sql_ends_forget(struct store_sql *store)
{
    mem_free(store->ends);
    store->ends = NULL;
    store->end_count = 0;
}
