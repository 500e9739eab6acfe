/* SPDX-License-Identifier: MIT */
/*
 * agent_private: what the files of agent share: its parts, and its end.
 */
#ifndef APP_AGENT_PRIVATE_H
#define APP_AGENT_PRIVATE_H

#include "app/agent.h"

#include "app/confine.h"
#include "app/doors.h"
#include "app/generation.h"
#include "flow/telemetry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent {
    struct agent_settings settings;
    const struct configuration *configuration;
    struct loop *loop;
    struct telemetry telemetry;
    struct store_worker *worker;
    struct store_reader *reader;
    struct http_client *client;
    struct process_spawner *spawner;
    struct pauses *pauses;
    struct receivers *receivers;
    struct dispatch *dispatch;
    struct generation_frame frame;
    struct generation generation;
    struct errands *errands;
    struct live *live;
    struct heartbeat *heartbeat; /* NULL: nobody listens */
    struct http_server *server;
    struct doors doors;
    char sandbox[CONFINE_TEXT_BYTES]; /* what it is, in words */
    struct admin *admin;
    struct loop_signal *signals[3];
    struct loop_timer *end_timer;
    struct log_attendant *log;
    int64_t floor_ms; /* the ledger's, as the store was opened */
    size_t ending;    /* parts that have not said that they stopped */
    bool stopping;
    enum exit_code exit_code;
    char user_agent[64]; /* product/version, RFC 9110 §10.1.5 */
};

struct pause;

/* Reads what an earlier run left paused, while the store is the caller's. */
NODISCARD
enum status agent_build_pauses(struct agent *agent, struct store *store,
                               struct error *err);

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
