/* SPDX-License-Identifier: MIT */
/*
 * fill: brings what an event still lacks before its handlers may see it: its
 * object, fetched, or its webhook, which the provider is asked to send again.
 *
 * One request for one event, whatever number of its deliveries wait for it:
 * what was brought stays here until the last of them is over, so that one which
 * was claimed before the outcome of another became durable asks no second time.
 * A connector's walks and its requests here are one to its provider: they share
 * a budget, and wait together.
 */
#ifndef FLOW_FILL_H
#define FLOW_FILL_H

#include "base/list.h"
#include "base/status.h"
#include "model/connector.h"
#include "model/event.h"
#include "source/source_poll.h"

struct fill;
struct fills;
struct access;
struct loop;

/* What a connector's walks share with all that ask the same host; NULL when no
 * walk of it runs. */
typedef struct poll_host *fills_host_fn(void *arg,
                                        const struct connector *connector);

/* What came of it. Borrowed for the callback. */
struct fill_result {
    /* DONE: `event` is whole. LATER, NEVER: it is not. */
    enum disposition disposition;
    struct event *event;
    bool untried; /* LATER: nothing has failed, so that nothing is counted */
    bool waits;   /* LATER: for the webhook, which the provider will send */
    int64_t asked_ms;      /* it was asked for just now; 0: it was not */
    int64_t not_before_ms; /* Unix ms; 0: none */
    const char *reason;    /* static, for a dead letter; NULL: the usual one */
    struct slice detail;   /* "fetch: HTTP 500" */
    int64_t duration_ms;
};

typedef void fill_done_fn(void *arg, const struct fill_result *result);

/* A delivery that waits; zeroed by its owner at first. */
struct fill_wait {
    struct list link;
    struct fill *fill; /* NULL: for nothing */
    fill_done_fn *done;
    void *arg;
};

/* Borrows loop, access and the connectors. */
NODISCARD
enum status fills_create(struct loop *loop, struct access *access,
                         const struct connector *connectors, size_t count,
                         struct fills **ret);

/* From now on requests share a host with the walks. */
void fills_share(struct fills *fills, fills_host_fn *host, void *arg);

/* Whoever still waits is never told. NULL is allowed. */
void fills_destroy(struct fills *fills);

/*
 * Brings what `event` needs; `done` comes once, perhaps before this returns.
 * Until fill_leave, what was brought is kept for others.
 */
void fills_bring(struct fills *fills, const struct connector *connector,
                 struct event *event, struct fill_wait *wait);

/* The delivery is over, or waits no more. */
void fill_leave(struct fill_wait *wait);

/* Ends the requests that run: each of their waits is told LATER, untried, never
 * before this returns. */
void fills_cancel(struct fills *fills);

#endif
