/* SPDX-License-Identifier: MIT */
/*
 * request: the next HTTP request of a walk, rendered from its connector's
 * templates. Pure.
 */
#ifndef MODEL_REQUEST_H
#define MODEL_REQUEST_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"
#include "model/connector.h"
#include "model/event.h"
#include "model/walk.h"
#include "wire/http_field.h"

struct template;

struct rendered_request {
    struct slice method;
    struct slice url;
    struct http_fields fields;
    struct slice body;
    bool has_body;
    struct slice user; /* HTTP Basic */
    struct slice password;
    const struct auth_spec *oauth; /* whose token it needs; NULL: none */
};

/*
 * Renders the request that follows from `state` (after walk_begin or
 * walk_page): the first request, the next page, or a next link verbatim. A
 * query parameter or JSON member whose place is absent is left out. A link to
 * another origin than the connector's own request is STATUS_DENIED. When
 * `base` is given in the configuration, every request goes there.
 */
NODISCARD
enum status request_render(const struct connector *connector,
                           const struct walk_state *state, struct arena *arena,
                           struct rendered_request *ret_request,
                           struct error *err);

/* Appends an absolute URL of the connector, with its origin replaced where
 * `base` is given. */
NODISCARD
enum status request_based(const struct connector *connector,
                          struct slice absolute, struct buf *into,
                          struct error *err);

/* Whether the list's request is bounded above by `{now}` or `{until}`: then the
 * watermark may not pass what was sent. */
bool request_is_bounded(const struct connector *connector);

/* Renders a request that stands beside the walk: the gate's, or one of the
 * setup's. `{cursor}` is the state's. */
NODISCARD
enum status request_beside(const struct connector *connector,
                           const struct request_spec *spec,
                           const struct auth_spec *auth,
                           const struct walk_state *state, struct arena *arena,
                           struct rendered_request *ret_request,
                           struct error *err);

/* Renders the detail request of a row, against the URL that was asked. */
NODISCARD
enum status request_follow(const struct connector *connector,
                           struct slice list_url, struct slice row,
                           struct arena *arena,
                           struct rendered_request *ret_request,
                           struct error *err);

/*
 * Renders the request that opens the connector's stream, where it left off at
 * `last_id` (empty: at no place). It goes to its own URL, whatever `base` is.
 * STATUS_INVALID when something in it may not be sent.
 */
NODISCARD
enum status request_stream(const struct connector *connector,
                           struct slice last_id, struct arena *arena,
                           struct rendered_request *ret_request,
                           struct error *err);

/*
 * Renders a request for one event, from its stored bytes and kept fields. What
 * comes from the event is percent-encoded in the URL, and cannot lead to
 * another origin (STATUS_DENIED) or up the path (STATUS_INVALID). A URL that
 * cannot be filled is STATUS_NOT_FOUND.
 */
NODISCARD
enum status request_for_event(const struct connector *connector,
                              const struct fetch_spec *spec,
                              const struct event *event, struct arena *arena,
                              struct rendered_request *ret_request,
                              struct error *err);

/* What `{gap.start}` and `{gap.end}` stand for. */
struct request_span {
    int64_t from_ms;
    int64_t until_ms;
};

/* Renders a request for all of a span: what else it names of an event is
 * absent. Errors are those of request_for_event. */
NODISCARD
enum status request_for_span(const struct connector *connector,
                             const struct fetch_spec *spec,
                             const struct request_span *span,
                             struct arena *arena,
                             struct rendered_request *ret_request,
                             struct error *err);

/* What the places of a request of `register` stand for; what is empty is
 * absent. */
struct register_places {
    struct slice hook_url;
    const struct slice *events;
    size_t event_count;
    size_t event; /* which of them {event} is; a body or a form that repeats
                     what names it moves this along */
    struct slice id;
    struct slice generated;
    struct slice random;
    struct slice uuid;
    int64_t now_ms;
};

/*
 * Renders a request of `register`. `{id}` is percent-encoded in the URL and
 * cannot lead up the path (STATUS_INVALID). A URL that cannot be filled is
 * STATUS_NOT_FOUND.
 */
NODISCARD
enum status request_register(const struct connector *connector,
                             const struct request_spec *spec,
                             struct register_places *places,
                             struct arena *arena,
                             struct rendered_request *ret_request,
                             struct error *err);

/* Evaluates one text of `register`; STATUS_NOT_FOUND when it is absent. */
NODISCARD
enum status request_register_text(const struct connector *connector,
                                  const struct template *t,
                                  struct register_places *places,
                                  struct arena *arena, struct slice *ret_text);

/* What requests of `register` prove us with. */
const struct auth_spec *
request_register_auth(const struct connector *connector);

/*
 * Renders the request for a URL that came with a webhook request. Where
 * `link_base` is given, its path is asked for there; else `ret_is_foreign` says
 * that whoever sent the request chose where this leads.
 */
NODISCARD
enum status request_for_link(const struct connector *connector,
                             struct slice url, struct arena *arena,
                             struct rendered_request *ret_request,
                             bool *ret_is_foreign, struct error *err);

/* Renders the request for the key that a token names; its places stand for what
 * is in the token's header. */
NODISCARD
enum status request_for_key(const struct connector *connector,
                            const struct fetch_spec *spec, struct slice header,
                            struct arena *arena,
                            struct rendered_request *ret_request,
                            struct error *err);

#endif
