/* SPDX-License-Identifier: MIT */
/*
 * generation: all that an agent makes of one configuration: the sources and
 * what stands behind them. What stays when the configuration changes, the
 * frame, is the agent's.
 */
#ifndef APP_GENERATION_H
#define APP_GENERATION_H

#include "app/configuration.h"
#include "app/naming.h"
#include "app/outlets.h"
#include "base/list.h"
#include "flow/dispatch.h"
#include "source/source_poll.h"

#include <stdbool.h>
#include <stdint.h>

struct leases;
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
    struct leases *leases;  /* NULL: nobody shares the store */
    struct live *live;      /* NULL: nobody reads along */
    bool runs;              /* an agent that stays: all of it is made */
    bool dry;               /* walks store nothing */
    struct connector *only; /* NULL: all connectors are walked */
    struct poll_observer walks;
    struct poll_observer trials;
    /* A generation is needed no more. */
    void (*unused)(void *arg);
    void *arg;
};

/* A handler that a generation has made: it may outlive it in others, which have
 * the same one. */
struct generation_made {
    struct list link; /* the agent's, while it is destroyed */
    struct generation *generation;
    struct outlet_settings *settings;
    bool is_closed; /* its handler has let go of what it kept */
};

struct generation {
    struct list link; /* the agent's */
    const struct generation_frame *frame;
    struct configuration *configuration;
    struct configuration own;        /* that one, where it was read again */
    struct outlets outlets;          /* that were made of it */
    struct generation_made *made;    /* one for each of them */
    struct outlets listed;           /* all that it has, in their order */
    struct generation_made **makers; /* one for each of these */
    struct arena arena;              /* of the last three */
    size_t uses;                     /* why it cannot be destroyed yet */
    size_t makes;                    /* of them, handlers that it has made */
    bool is_bare;                    /* which are all that is left of it */
    struct dispatch_epoch epoch;     /* entered by the agent */
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

/* Returns one that has nothing yet; its configuration is borrowed, or NULL and
 * then that in `own`. NULL without memory. */
struct generation *generation_create(const struct generation_frame *frame,
                                     struct configuration *configuration);

/*
 * Makes the outlets; those that are the same in the configuration of `before`
 * (NULL: none) are taken from it, handlers and all.
 */
NODISCARD
enum status generation_make_outlets(struct generation *generation,
                                    const struct generation *before,
                                    const struct outlets_parts *parts,
                                    const struct naming *naming,
                                    struct error *err);

/* Whether it has made outlet `index` of those that it has. */
bool generation_has_made(const struct generation *generation, size_t index);

/* Whether it has this very outlet. */
bool generation_has(const struct generation *generation,
                    const struct generation_made *made);

/* Makes the parts, behind its outlets; nothing has begun yet. What was made
 * before a failure goes with generation_destroy. */
NODISCARD
enum status generation_build(struct generation *generation, int64_t floor_ms);

/* Counts why it is still needed; the frame is told when nothing needs it any
 * more, or nothing but handlers that it has made. */
void generation_hold(struct generation *generation);
void generation_release(struct generation *generation);
/* The same for a handler that it has made and that is no more. */
void generation_release_made(struct generation *generation);

/* Destroys and forgets all but the handlers that it has made, where nothing
 * else of it is needed: the secrets of its connectors with them. */
void generation_strip(struct generation *generation);

/* Begins what only an agent has that stays, before any source. */
void generation_start_service(struct generation *generation);

/* Begins to read what connectors list and send. */
void generation_start_sources(struct generation *generation);

/*
 * Has `heir` go on in its place: what is looked at for people ends, the walks
 * and streams of both are handed over. `ended` is called as often as this
 * returns, never before, once for each walk and stream that has ended.
 */
size_t generation_hand_over(struct generation *generation,
                            struct generation *heir, void (*ended)(void *arg),
                            void *arg);

/* Whether nothing is on its way any more but attempts: no request of a sender,
 * no look at a hook. After it was handed over. */
bool generation_is_still(const struct generation *generation);

/* Nobody can send to it any more: hands over what was noted of refusals. */
void generation_end_refusals(struct generation *generation);

/* Cuts what walks still ask after they were handed over. */
void generation_hurry(struct generation *generation);

/* Begins to end: `stopped` is called as often as this returns, never before,
 * once for each walk and stream that has ended. */
size_t generation_stop(struct generation *generation,
                       void (*stopped)(void *arg), void *arg);

/* Ends at once what the store's thread could still start. */
void generation_halt(struct generation *generation);

/* Destroys the sources and what only they use: after the store's worker is
 * gone, or when it is still and nothing that it has asked of the store is
 * without an answer. */
void generation_destroy_sources(struct generation *generation);

/* The rest, behind the sources, when no attempt that began in it is alive;
 * frees it and, in an agent that stays, what its configuration holds. */
void generation_destroy(struct generation *generation);

#endif
