/* SPDX-License-Identifier: MIT */
/*
 * fetch: what an event lacks when it comes, which request brings it, and what
 * the answer is worth. Pure.
 */
#ifndef MODEL_FETCH_H
#define MODEL_FETCH_H

#include "model/connector.h"
#include "model/event.h"
#include "model/sighting.h"

/* Says in the sighting what its event will lack, and whether its own bytes may
 * be those that another one waits for. */
void fetch_mark(const struct connector *connector, struct sighting *sighting);

/*
 * Returns the request that brings what the event still needs. NULL where it
 * needs nothing, or where the configuration knows of no such request any more:
 * then it goes as it is.
 */
const struct fetch_spec *fetch_spec_of(const struct connector *connector,
                                       const struct event *event);

/* How the request proves who we are. */
const struct auth_spec *fetch_auth(const struct connector *connector,
                                   const struct fetch_spec *spec);

/* What came back for such a request. */
struct fetch_answer {
    unsigned status;
    struct http_fields fields;
    struct slice body;
};

/*
 * Reads the answer to a fetch: the part of it that is the event's body, raw, in
 * `body`. STATUS_NOT_FOUND: the object is gone (404, 410). STATUS_PROTOCOL:
 * another status than a good one, no JSON, a failure by `poll.fail_when`, or
 * nothing at the place that is the body. The words say which.
 */
NODISCARD
enum status fetch_read(const struct connector *connector,
                       const struct fetch_spec *spec,
                       const struct fetch_answer *answer,
                       struct slice *ret_body, struct error *err);

/* Whether the provider has taken a request to send a webhook again. Same
 * statuses as fetch_read; the answer need not be JSON. */
NODISCARD
enum status fetch_accepted(const struct connector *connector,
                           const struct fetch_spec *spec,
                           const struct fetch_answer *answer,
                           struct error *err);

/* How long before a handler is begun a connector's requests for one event may
 * take; 0: it sends none. */
int64_t fetch_timeout_ms(const struct connector *connector);

#endif
