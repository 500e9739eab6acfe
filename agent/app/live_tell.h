/* SPDX-License-Identifier: MIT */
/*
 * live_tell: what the agent's parts tell of, as entries of live.
 *
 * Each costs one comparison while nobody reads along.
 */
#ifndef APP_LIVE_TELL_H
#define APP_LIVE_TELL_H

#include "app/live.h"
#include "flow/dispatch.h"
#include "flow/watch.h"
#include "model/refusal.h"
#include "source/source_poll.h"
#include "store/store_worker.h"

/* What ingest and dispatch are given; tells of events, gaps and deliveries.
 * Borrows `live`. */
struct watch live_watch(struct live *live);

/* A walk has ended. `live` may be NULL here and below. */
void live_tell_walk(struct live *live, const struct poll_ended *ended);

/* A request that was not accepted, and is kept. */
void live_tell_refusal(struct live *live, const struct refusal *refusal);

/* Handlers whose figures are told at most: the first ones. */
#define LIVE_STATS_HANDLERS 256

/* How much is under way, and how each handler is doing. */
struct live_figures {
    struct store_worker_figures store;
    size_t running;                  /* attempts with their handlers */
    const struct dispatch *dispatch; /* asked for each of these */
    const struct outlet_settings *outlets;
    size_t outlet_count;
};
void live_tell_stats(struct live *live, const struct live_figures *figures);

#endif
