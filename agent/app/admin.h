/* SPDX-License-Identifier: MIT */
/*
 * admin: the local endpoint of a running agent: health, readiness, metrics, the
 * API under /api/v1 (schema/openapi.yaml), and the dashboard at `/`.
 *
 * On a unix socket (0660) or on loopback, beyond that by TLS and with a token
 * only; never reachable through the public listener. On loopback without TLS a
 * request whose Host is no loopback name is refused, so that no web page can
 * reach it through a name of its own: TLS keeps that out by itself. What
 * changes anything is a POST, and one that a page of another origin sends is
 * refused.
 */
#ifndef APP_ADMIN_H
#define APP_ADMIN_H

#include "app/reload.h"
#include "app/streams.h"
#include "app/walks.h"
#include "base/bytes.h"
#include "base/status.h"
#include "flow/dispatch.h"
#include "flow/errands.h"
#include "flow/telemetry.h"
#include "source/source_poll.h"
#include "store/store_reader.h"
#include "store/store_worker.h"

#include <stdbool.h>

struct admin;
struct generation;
struct live;
struct loop;
struct tls_server;

struct admin_settings_of_agent {
    /* Held by questions that are under way. NULL: by nothing. */
    struct generation *generation;
    reload_fn *reload;
    void *reload_arg;
    struct slice address;
    struct slice token;     /* empty: none asked for */
    struct tls_server *tls; /* NULL: plain */
    struct store_worker *worker;
    struct store_reader *reader;
    const struct telemetry *telemetry;
    struct dispatch *dispatch;
    struct errands *errands;
    struct leases *leases; /* NULL: nobody shares the store */
    struct pauses *pauses;
    struct receivers *receivers;
    const struct outlet_settings *outlets;
    size_t outlet_count;
    const struct connector *connectors;
    size_t connector_count;
    struct walks *walks;
    const struct streams *streams; /* NULL: none */
    struct live *live;             /* what /api/v1/stream shows */
    size_t live_streams;           /* that may be open at a time */
    bool is_listening;             /* for webhooks */
    const char *sandbox;           /* in words, see confine.h */
    const char *version;
    int64_t started_ms; /* Unix ms */
    int64_t loaded_ms;  /* when the configuration was read */
};

/* Borrows what the settings point to. Listens at once. */
NODISCARD
enum status admin_create(struct loop *loop,
                         const struct admin_settings_of_agent *settings,
                         struct admin **ret, struct error *err);
void admin_destroy(struct admin *admin); /* NULL is allowed */

/* Goes on with another configuration; the address and whether it is TLS are the
 * same. Who waits for a walk waits for that of the connector of this name. */
void admin_change(struct admin *admin,
                  const struct admin_settings_of_agent *settings);

/* To be told of all walks, so that who asked for one gets its report; `dry`
 * tells those that store nothing from the others. NULL is allowed: a walk may
 * end when nobody can be told any more. */
void admin_poll_asked(struct admin *admin, const struct poll_asked *asked,
                      bool dry);
void admin_poll_ended(struct admin *admin, const struct poll_ended *ended,
                      bool dry);

#endif
