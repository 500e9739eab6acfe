/* SPDX-License-Identifier: MIT */
/*
 * request_private: what request.c (walks) and request_event.c (one event)
 * share: a request being rendered, and its parts.
 */
#ifndef MODEL_REQUEST_PRIVATE_H
#define MODEL_REQUEST_PRIVATE_H

#include "model/request.h"
#include "wire/template.h"

/* What is being rendered, and what its templates may look at. */
struct rendering {
    const struct connector *connector;
    const struct auth_spec *auth;
    const struct walk_state *state; /* NULL for a detail request */
    struct slice list_url;          /* without its query */
    struct slice row;
    const struct event *event;       /* that the request is for, or NULL */
    const struct request_span *span; /* in place of the event's second, or NULL
                                      */
    struct register_places *places;  /* of a request of `register`, or NULL */
    bool in_url;                     /* what comes from the event is encoded */
    bool probes; /* and replaced: where does the URL lead? */
    struct arena *arena;
    struct error *err;
    struct template_scope scope;
    struct http_field *fields;
    size_t field_count;
};

/* template_lookup_fn of every rendering; `arg` is the rendering. */
enum status request_look_up(void *arg, const struct template_ref *ref,
                            struct arena *arena, struct slice *ret_value);

/* What stands in the event, as it may go into the request. */
NODISCARD
enum status request_event_value(struct rendering *r,
                                const struct template_ref *ref,
                                struct slice *ret_value);

/* What stands for a place in a request of `register`. */
NODISCARD
enum status request_register_value(struct rendering *r,
                                   const struct template_ref *ref,
                                   struct slice *ret_value);

/* Refuses dots in the path, which would lead elsewhere. */
NODISCARD
enum status request_check_path(struct rendering *r, struct slice text);

/* Moves what was built into the arena; the buf is freed either way. */
NODISCARD
enum status request_keep(struct rendering *r, struct buf *buf,
                         struct slice *ret_text);

/* A parameter's value. */
NODISCARD
enum status request_param(const struct rendering *r, struct slice name,
                          struct slice *ret_value);

/* What stands in the row. */
NODISCARD
enum status request_row(const struct rendering *r,
                        const struct template_ref *ref,
                        struct slice *ret_value);

/* Evaluates a template whose places must be filled; `what` names it in the
 * words. */
NODISCARD
enum status request_eval_needed(struct rendering *r, const struct template *t,
                                const char *what, struct slice *ret_text);

/* Renders a URL template onto `url`, moved to `base` where one is given. */
NODISCARD
enum status request_url(struct rendering *r, const struct template *t,
                        struct buf *url);

NODISCARD
enum status request_add_query(struct rendering *r,
                              const struct request_spec *spec, struct buf *url);

/* A link that came with an answer may have kept our credential, or not. */
NODISCARD
enum status request_add_auth_query(struct rendering *r, struct buf *url);

/* STATUS_DENIED where the link leads to another origin than `own`. */
NODISCARD
enum status request_same_origin(struct slice link, struct slice own,
                                struct error *err);

/* Fills in what stands behind the URL, which is taken. */
NODISCARD
enum status request_fill(struct rendering *r, const struct request_spec *spec,
                         struct buf *url, struct rendered_request *request);

#endif
