/* SPDX-License-Identifier: MIT */
/*
 * generation: all that an agent makes of one configuration: the sources and
 * what stands behind them. What stays when the configuration changes, the
 * frame, is the agent's.
 */
#ifndef APP_GENERATION_H
#define APP_GENERATION_H

#include "app/configuration.h"
#include "app/outlets.h"
#include "flow/dispatch.h"
#include "source/source_poll.h"

#include <stdbool.h>
#include <stdint.h>

struct live;
struct loop;
struct store_worker;

/* What stays; borrowed as long as any generation lives. */
struct generation_frame {
    struct loop *loop;
    struct store_worker *worker;
    struct http_client *client;
    const struct telemetry *telemetry;
    struct dispatch *dispatch;
    struct live *live;      /* NULL: nobody reads along */
    bool runs;              /* an agent that stays: all of it is made */
    bool dry;               /* walks store nothing */
    struct connector *only; /* NULL: all connectors are walked */
    struct poll_observer walks;
    struct poll_observer trials;
};

struct generation {
    const struct generation_frame *frame;
    const struct configuration *configuration;
    struct outlets outlets;
    struct dispatch_epoch epoch; /* entered by the agent */
    struct access *access;
    struct fills *fills;
    struct links *links;
    struct ingest *ingest;
    struct ingest *rehearsal; /* the sink of walks that store nothing */
    struct walks *walks;
    struct streams *streams;
    struct retention *retention;
    struct accounting *accounting;
    struct registrar *registrar;
    struct refusals *refusals;
    struct source_webhook *webhook; /* NULL: nothing listens */
};

/* Makes the parts, in a generation whose outlets are there; nothing has begun
 * yet. What was made before a failure is destroyed by generation_destroy. */
NODISCARD
enum status generation_build(struct generation *generation,
                             const struct generation_frame *frame,
                             const struct configuration *configuration,
                             int64_t floor_ms);

/* Begins what only an agent has that stays, before any source. */
void generation_start_service(struct generation *generation);

/* Begins to read what connectors list and send. */
void generation_start_sources(struct generation *generation);

/* Begins to end: `stopped` is called as often as this returns, never before,
 * once for each walk and stream that has ended. */
size_t generation_stop(struct generation *generation,
                       void (*stopped)(void *arg), void *arg);

/* Ends at once what the store's thread could still start. */
void generation_halt(struct generation *generation);

/* After the store's worker is gone: destroys the sources and what only they
 * use. */
void generation_destroy_sources(struct generation *generation);

/* When no attempt is alive any more: the rest. */
void generation_destroy(struct generation *generation);

#endif
