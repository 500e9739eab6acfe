/* SPDX-License-Identifier: MIT */
/*
 * dispatch: claims what is due, within each handler's slots, and starts
 * handlers; gives their results to settle.
 *
 * An event that finds a free slot is born leased and starts straight from
 * memory when its transaction is durable; everything else waits in the store
 * and is claimed. Handlers do not know of each other: one that is slow, paused
 * or failing costs the others nothing.
 */
#ifndef FLOW_DISPATCH_H
#define FLOW_DISPATCH_H

#include "flow/brake.h"
#include "flow/pauses.h"
#include "flow/telemetry.h"
#include "flow/watch.h"
#include "handler/handler.h"
#include "model/gather.h"
#include "model/retry.h"
#include "model/route.h"
#include "source/source.h"
#include "store/store_worker.h"

struct dispatch;
struct fills;
struct loop;

enum delivery_format { FORMAT_CLOUDEVENTS, FORMAT_RAW, FORMAT_BINARY };

/* One handler as configured; all borrowed. */
struct outlet_settings {
    struct slice name;
    uint32_t number; /* the store's */
    struct route_spec route;
    struct retry_policy retry;
    struct brake_rules brake;
    int64_t concurrency;
    int64_t lease_ms;   /* longer than any attempt can last, without what is
                           fetched before it */
    int64_t attempt_ms; /* of that, what an attempt may need: none begins on a
                           lease that has less left */
    const struct gather_policy *batch; /* NULL: each delivery goes alone */
    int64_t run_ms;                    /* of attempt_ms, with its handler */
    enum delivery_format format;
    struct handler *handler; /* NULL where nothing is started (owe_only) */
    /* Of those that come at runtime. */
    struct slice series; /* whose metrics it counts in, without gauges; empty:
                            its own */
    const struct pause *pause; /* of its own: while it holds, nothing new is
                                  owed to it either; NULL: that in `pauses` */
    /* Told of each result of its handler, before anything comes of it. NULL:
     * nobody is. */
    void (*told)(void *arg, const struct handler_result *result);
    void *told_arg;
};

/*
 * What attempts see of a configuration: those that begin in it go on with it.
 * Embedded in whoever has the configuration; `link`, `alive`, `left` and `arg`
 * are dispatch's.
 */
struct dispatch_epoch {
    struct list link;
    size_t alive;            /* attempts that began in it */
    void (*left)(void *arg); /* NULL: it is the one that is entered */
    void *arg;
    const struct connector *connectors;
    size_t connector_count;
    struct fills *fills; /* NULL: every event goes as it came */
    int64_t fetch_ms;    /* the longest that what is fetched first may take */
};

struct dispatch_settings {
    const struct outlet_settings *outlets;
    size_t outlet_count;
    size_t spare; /* room for so many that come at runtime */
    const struct connector *connectors;
    size_t connector_count;
    const struct telemetry *telemetry;
    struct fills *fills; /* NULL: every event goes as it came */
    struct watch watch;
    struct pauses *pauses; /* NULL: nothing is ever paused */
    bool owe_only; /* starts nothing: what is owed waits for the next run */
    uint64_t seed;
};

/* Borrows all but the settings struct itself. */
NODISCARD
enum status dispatch_create(struct loop *loop, struct store_worker *worker,
                            const struct dispatch_settings *settings,
                            struct dispatch **ret);

/*
 * What begins from here on sees `epoch`, which is zeroed but for what it says
 * of the configuration, and borrowed. `left`, perhaps before this returns, says
 * that nothing is alive that began in the one before; it must not destroy the
 * dispatch. The first epoch is that of the settings.
 */
void dispatch_enter(struct dispatch *dispatch, struct dispatch_epoch *epoch,
                    void (*left)(void *arg), void *arg);

/* Begins to claim what the store still owes. */
void dispatch_start(struct dispatch *dispatch);

/* Claims whatever may have become due, as far as slots are free: others who
 * share the store make due, or leave, what nothing here has told of. */
void dispatch_look(struct dispatch *dispatch);

/* `fn` is told when something new is stored that nobody can begin here now: for
 * others who share the store. NULL: nobody is. */
void dispatch_on_waiting(struct dispatch *dispatch, void (*fn)(void *arg),
                         void *arg);

/*
 * One more from here on: what comes in is owed to it as its route says, and
 * what the store owes it already is claimed. The settings are copied, what they
 * point to is borrowed until it is gone. STATUS_BUSY: there is no room.
 */
NODISCARD
enum status dispatch_add(struct dispatch *dispatch,
                         const struct outlet_settings *settings);

/*
 * Takes one away: nothing new is owed to it and nothing is
 * started; what runs ends. `gone`, perhaps before this returns, says that
 * nothing of it is left but what the store owes it; no `gone` comes once
 * dispatch_stop was called.
 */
void dispatch_retire(struct dispatch *dispatch, uint32_t handler,
                     void (*gone)(void *arg), void *arg);

/*
 * Several that come at once, in two steps so that none of them comes when one
 * cannot: dispatch_prepare makes one ready, as dispatch_add would, and nothing
 * is owed to it; then all of them come, or go as if they had never been there.
 *
 * One that was retired may come back by its number while attempts of it are
 * still under way: these take slots of its `concurrency` until they end.
 */
NODISCARD
enum status dispatch_prepare(struct dispatch *dispatch,
                             const struct outlet_settings *settings);
void dispatch_let_come(struct dispatch *dispatch);
void dispatch_let_go(struct dispatch *dispatch);

/* Something may come again, or a dead letter that held its lane has gone:
 * claims what is due then, where slots are left. */
void dispatch_again(struct dispatch *dispatch);

/*
 * Fills in which handlers each sighting is owed to, and holds a slot for each
 * that can be started at once. Every call is followed by dispatch_stored or
 * dispatch_dropped with the same sightings.
 */
NODISCARD
enum status dispatch_route(struct dispatch *dispatch,
                           const struct connector *connector,
                           struct sighting *sightings, size_t count,
                           struct arena *arena, int64_t *ret_lease_until_ms);

/* Fills in which handlers a sighting would be owed to, and holds nothing. */
NODISCARD
enum status dispatch_owed(struct dispatch *dispatch,
                          const struct connector *connector,
                          struct sighting *sighting, struct arena *arena);

/* The transaction is durable: starts what is fresh and holds a slot, gives the
 * slots of the others back. `lease_until_ms` is what dispatch_route said. */
void dispatch_stored(struct dispatch *dispatch,
                     const struct connector *connector,
                     const struct sighting *sightings, size_t count,
                     int64_t lease_until_ms);

/* Nothing became durable: gives the slots back. */
void dispatch_dropped(struct dispatch *dispatch,
                      const struct sighting *sightings, size_t count);

/*
 * Ends: starts nothing new; attempts may run for `grace_ms`, then they are
 * asked to end and their deliveries given back. `stopped` comes when every
 * outcome is durable or given up.
 */
void dispatch_stop(struct dispatch *dispatch, int64_t grace_ms,
                   void (*stopped)(void *arg), void *arg);

/* Attempts that are with their handlers, and handlers that have not let go of
 * all they keep. */
size_t dispatch_running(const struct dispatch *dispatch);

/* Asks all attempts to end now. */
void dispatch_cancel(struct dispatch *dispatch);

/* No attempt may be with its handler; the worker is gone. NULL is allowed. */
void dispatch_destroy(struct dispatch *dispatch);

/* Sets the gauges of pending deliveries from what the store counted. */
void dispatch_gauge(struct dispatch *dispatch,
                    const struct store_figure *figures, size_t count,
                    int64_t now_ms);

/* Each handler there is, with those that came; NULL past the last. One that
 * went has the number 0 and no name. */
const struct outlet_settings *dispatch_outlet(const struct dispatch *dispatch,
                                              size_t index);

/* So many there can be at a time. */
size_t dispatch_outlets_most(const struct dispatch *dispatch);

/* How the handler of this number is doing; false: there is none. */
bool dispatch_figures(const struct dispatch *dispatch, uint32_t handler,
                      struct brake_figures *ret_figures);

/* The handler of this number is paused now: gives back what waits for a batch;
 * or it is not any more: claims what is owed. */
void dispatch_pause_changed(struct dispatch *dispatch, uint32_t handler);

/* Reopens the handlers' files. */
void dispatch_reopen(struct dispatch *dispatch);

#endif
