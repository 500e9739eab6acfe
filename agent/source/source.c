/* SPDX-License-Identifier: MIT */
#include "source/source.h"

enum status
arrival_create(const struct connector *connector, enum arrival_kind kind,
               enum channel via, int64_t received_ms,
               struct arrival **ret_arrival)
{
    struct arrival *arrival = mem_zero(sizeof(*arrival));
    if (arrival == NULL) {
        return STATUS_NOMEM;
    }
    arrival->kind = kind;
    arrival->connector = connector;
    arrival->via = via;
    arrival->received_ms = received_ms;
    *ret_arrival = arrival;
    return STATUS_OK;
}

void
arrival_destroy(struct arrival *arrival)
{
    if (arrival != NULL) {
        arena_fini(&arrival->arena);
        mem_free(arrival);
    }
}
