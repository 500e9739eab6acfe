/* SPDX-License-Identifier: MIT */
/*
 * attempt: one try at one delivery, from its start until its outcome is
 * durable; what dispatch, gather and settle share.
 */
#ifndef FLOW_ATTEMPT_H
#define FLOW_ATTEMPT_H

#include "base/list.h"
#include "flow/dispatch.h"
#include "flow/fill.h"
#include "handler/handler.h"
#include "store/store_worker.h"

struct batch;
struct outlet;

struct attempt {
    struct list link;
    struct batch *batch; /* of the first of those that went together; settle
                            frees it */
    struct outlet *outlet;
    struct dispatch_epoch *epoch;
    struct event *event;   /* our reference */
    struct fill_wait wait; /* for what the event lacks */
    struct delivery delivery;
    bool again;       /* comes again: takes no slot from what does not */
    unsigned base;    /* attempts that the retry policy does not count */
    int64_t since_ms; /* from when it counts the age */
    struct buf envelope;
    struct arena parts; /* of it, in binary mode */
    struct buf key;
    int64_t started_ms;     /* Unix ms */
    int64_t lease_until_ms; /* by clock_steady_ms */
    int64_t ready_ms;       /* loop's, in gather */
    bool braked;            /* brake_begin has let it through */
    bool asked;             /* its handler was given it */
    bool is_probe;          /* brake_end wants to know */
    /* The outcome on its way to disk. */
    struct store_call call;
    struct store_outcome outcome;
    struct buf words; /* detail and output, copied from the result */
};

/* Makes an attempt; takes the reference of the claim's event, also on failure.
 */
NODISCARD
enum status attempt_create(struct outlet *outlet,
                           const struct store_claim *claim,
                           struct attempt **ret);

/* Puts the whole event into the place of what came of it; its body goes to the
 * store with the outcome. */
void attempt_take_whole(struct attempt *attempt, struct event *whole);

/* Fills in what the handler gets to see. STATUS_NOMEM. */
NODISCARD
enum status attempt_render(struct attempt *attempt,
                           const struct connector *connector,
                           enum delivery_format format);

void attempt_destroy(struct attempt *attempt); /* NULL is allowed */

#endif
