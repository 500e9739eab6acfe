/* SPDX-License-Identifier: MIT */
/*
 * agent_private: what the files of agent share: its parts, and its end.
 */
#ifndef APP_AGENT_PRIVATE_H
#define APP_AGENT_PRIVATE_H

#include "app/agent.h"

#include "app/admin.h"
#include "app/confine.h"
#include "app/difference.h"
#include "app/doors.h"
#include "app/generation.h"
#include "app/heartbeat.h"
#include "app/naming.h"
#include "app/reload.h"
#include "flow/telemetry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A configuration that is read again, step by step. */
struct agent_reload {
    struct list asked;    /* struct reload_wait: for the next run */
    struct list answered; /* by the run that is under way */
    bool wanted;          /* a run is asked for */
    bool runs;
    struct generation *next; /* that is being made */
    struct naming naming;
    struct doors doors;
    struct difference difference; /* in the arena of `next` */
    struct store_call call;
    struct loop_timer *begin;    /* the next run */
    struct loop_timer *reap;     /* what is needed no more */
    struct loop_timer *look;     /* whether the one before is still */
    struct loop_timer *patience; /* then what still asks is cut */
    struct generation *before;   /* that is being handed over; NULL: none is */
    size_t handing;              /* its walks and streams that have not ended */
    int64_t read_ms;             /* when its files were; Unix ms */
    unsigned rounds;             /* through the store, once it was still */
    struct list going;           /* struct generation_made */
    size_t closing;              /* handlers that let go of what they keep */
    void (*stopped)(void *arg);  /* the agent ends */
};

/* Room for handlers that come by reloads, or go while their attempts run. */
#define SPARE_HANDLERS 256

struct agent {
    struct agent_settings settings;
    const struct configuration *configuration; /* the generation's */
    struct loop *loop;
    struct telemetry telemetry;
    struct store_worker *worker;
    struct store_reader *reader;
    struct http_client *client;
    struct process_spawner *spawner;
    struct pauses *pauses;
    struct receivers *receivers;
    struct dispatch *dispatch;
    struct wake *wake; /* NULL: nobody shares the store */
    struct generation_frame frame;
    struct generation *generation; /* that what comes in goes to */
    struct list generations;       /* all that anything is left of */
    struct agent_reload reload;
    struct errands *errands;
    struct leases *leases; /* NULL: nobody shares the store */
    struct live *live;
    struct heartbeat *heartbeat; /* NULL: nobody listens */
    struct http_server *server;
    struct doors doors;
    struct confined confined; /* the sandbox */
    struct admin *admin;
    struct loop_signal *signals[3];
    struct loop_timer *end_timer;
    struct log_attendant *log;
    struct receiver_rules rules; /* of all generations; in `arena` */
    struct arena arena;
    int64_t started_ms; /* Unix ms */
    int64_t loaded_ms;  /* when the configuration was read */
    int64_t floor_ms;   /* the ledger's, as the store was opened */
    size_t ending;      /* parts that have not said that they stopped */
    bool is_shared;     /* the store, by other agents */
    bool is_unnamed;    /* leases do not know of all connectors */
    bool stopping;
    enum exit_code exit_code;
    char user_agent[64]; /* product/version, RFC 9110 §10.1.5 */
};

struct pause;

/* Takes over what was read of pauses, where there is room. */
NODISCARD
enum status agent_put_pauses(struct agent *agent, const struct naming *naming);

/* What handlers are made of, and what the admin listener shows. */
struct outlets_parts agent_parts(const struct agent *agent);
struct admin_settings_of_agent agent_admin_settings(struct agent *agent);
struct heartbeat_settings agent_heartbeat(struct agent *agent);

/* ---- agent_reload ---- */

void agent_reload_init(struct agent *agent);

/* Makes what it needs of the loop. */
NODISCARD
enum status agent_reload_open(struct agent *agent);

/* The loop has stopped: forgets what was under way. */
void agent_reload_fini(struct agent *agent);

/* The agent ends: hurries what is handed over, and begins nothing more. Returns
 * how often `part_stopped` will be called. */
size_t agent_reload_stop(struct agent *agent, void (*stopped)(void *arg));

/* Handlers that have not let go of what they keep. */
size_t agent_reload_closing(const struct agent *agent);

/* generation_frame's `unused`. */
void agent_generation_unused(void *arg);

/* reload's: reads the configuration again. A NULL wait: nobody waits. */
void agent_reload(void *arg, struct reload_wait *wait);

/* Listens to signals, makes the timer of the end, and sees to the log. */
NODISCARD
enum status agent_build_signals(struct agent *agent);

/* Makes the spawner, and enters the sandbox, before any other thread is. */
NODISCARD
enum status agent_build_hands(struct agent *agent, struct error *err);

/* Reads the receivers that the store has, while it is the caller's. */
NODISCARD
enum status agent_build_receivers(struct agent *agent, struct store *store,
                                  struct error *err);

/* pauses' `changed`. */
void agent_pause_changed(void *arg, const struct pause *pause);

/* Holds the walks that an earlier run left paused; not where a person asked for
 * one walk, by the command `poll`. */
void agent_pause_walks(const struct agent *agent);

/* Makes what wakes this agent, and others, where they share a store. */
NODISCARD
enum status agent_build_wake(struct agent *agent, uint64_t seed,
                             struct error *err);

/* ---- agent_leases ---- */

/* Where the store is shared; before any generation. */
NODISCARD
enum status agent_build_leases(struct agent *agent);

/* Gives the first sign of life: before any source begins. */
void agent_start_leases(struct agent *agent);

/* Names the connectors of the configuration, which may have changed. */
void agent_name_leases(struct agent *agent);

/* Brings all that only one agent does to what is held now. */
void agent_hold(const struct agent *agent);

/* Begins an orderly end, unless one has begun. */
void agent_begin_end(struct agent *agent);

/* loop_signal's: SIGTERM and SIGINT. */
void agent_asked_to_end(void *arg);

/* end_timer's. */
void agent_end_forced(void *arg);

/* The loop has stopped, perhaps in the midst of things: what the store's thread
 * still answers must start nothing. */
void agent_halt(struct agent *agent);

/* Whether a handler that was asked to end has not: it cannot be destroyed under
 * its attempt, nor the loop under its thread. */
bool agent_still_runs(struct agent *agent);

#endif
