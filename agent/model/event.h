/* SPDX-License-Identifier: MIT */
/*
 * event: a fact accepted once, with its bytes, in memory while it is being
 * delivered.
 *
 * One allocation holds the event and all it says. Counted by the loop's thread
 * only; the store thread makes events and gives them away whole.
 */
#ifndef MODEL_EVENT_H
#define MODEL_EVENT_H

#include "base/bytes.h"
#include "base/status.h"
#include "model/channel.h"

#include <stdint.h>

/* What an event still lacks before a handler may see it. Stored. */
enum event_needs {
    NEEDS_NOTHING = 0,
    NEEDS_FETCH = 1, /* its object, asked of the provider */
    NEEDS_HOOK = 2   /* its webhook, which the provider is asked to repeat */
};

/* Whose bytes the body is since. Stored. */
enum event_filled {
    FILLED_NOT = 0, /* as it came */
    FILLED_BY_FETCH = 1,
    FILLED_BY_HOOK = 2
};

struct event {
    unsigned refs;
    uint64_t number;    /* the store's, grows with acceptance */
    uint32_t connector; /* the store's number of the connector */
    enum channel via;   /* the channel that brought it first */
    int64_t time_ms;    /* the provider's, 0 when none */
    int64_t recorded_ms;
    enum event_needs needs;
    enum event_filled filled;
    int64_t asked_ms; /* when its webhook was asked for, our clock; 0: never */
    struct slice id;
    struct slice type;
    struct slice headers; /* "name: value\n" each */
    struct slice content_type;
    struct slice body;
};

/* Copies what `from` says into a new event with one reference. */
NODISCARD
enum status event_create(const struct event *from, struct event **ret_event);

struct event *event_ref(struct event *event);
void event_unref(struct event *event); /* NULL is allowed */

/* Returns the kept request field `name` (any case), or an empty slice. */
struct slice event_header(const struct event *event, const char *name);

/* Returns the trace that its webhook belonged to (W3C Trace Context,
 * traceparent), or an empty slice: there was none, or it is none. */
struct slice event_traceparent(const struct event *event);

#endif
