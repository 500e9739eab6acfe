/* SPDX-License-Identifier: MIT */
#include "flow/attempt.h"

#include "base/mem.h"
#include "io/clock.h"

enum status
attempt_create(struct outlet *outlet, struct event *event, unsigned number,
               struct attempt **ret)
{
    struct attempt *attempt = mem_zero(sizeof(*attempt));
    if (attempt == NULL) {
        event_unref(event);
        return STATUS_NOMEM;
    }
    list_init(&attempt->link);
    attempt->outlet = outlet;
    attempt->event = event;
    attempt->started_ms = clock_unix_ms();
    attempt->delivery.event = event;
    attempt->delivery.attempt = number;
    *ret = attempt;
    return STATUS_OK;
}

void
attempt_destroy(struct attempt *attempt)
{
    if (attempt == NULL) {
        return;
    }
    event_unref(attempt->event);
    buf_fini(&attempt->envelope);
    buf_fini(&attempt->key);
    buf_fini(&attempt->words);
    mem_free(attempt);
}
