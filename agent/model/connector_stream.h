/* SPDX-License-Identifier: MIT */
/*
 * connector_stream: the section `stream` of a connector, as values.
 */
#ifndef MODEL_CONNECTOR_STREAM_H
#define MODEL_CONNECTOR_STREAM_H

#include "model/connector.h"

/* How a request that was sent to a relay stands in one of its events. Without
 * `body` the event is the request: its data are the body, its id and its type
 * the fields Last-Event-ID and Event. */
struct forward_spec {
    const struct template *method; /* NULL, absent: POST */
    const struct json_path *headers;
    const struct json_path *query; /* an object, or the text behind '?' */
    const struct template *body;
};

/* A request that is held open, and over which a relay hands on what was sent
 * to it (server-sent events). */
struct stream_spec {
    struct slice use;            /* gone once the tree is prepared */
    struct request_spec request; /* url NULL: there is none */
    struct auth_spec auth;
    struct slice last_id_header; /* how the last id is sent: as a field, */
    struct slice last_id_query;  /* or in the query where this is given */
    int64_t liveness_ms;         /* silence that means that nobody is there */
    int64_t max_event;           /* bytes of one event's data */
    int64_t late_ms; /* so much older than the tolerance a request may be: the
                        relay kept it */
    struct slice *events; /* globs of the types that count; */
    size_t event_count;   /* 0: all */
    struct forward_spec from;
};

/* Whether webhooks come in by themselves, or are meant to: what comes over a
 * stream needs no listener. */
bool connector_has_route(const struct connector *c, bool is_listening);

#endif
