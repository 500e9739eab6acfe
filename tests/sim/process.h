/* SPDX-License-Identifier: MIT */
/*
 * process: the agent: its real parts, put together as app/agent.c does, and
 * its ends.
 */
#ifndef SIM_PROCESS_H
#define SIM_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arrival;
struct buf;
struct connector;
struct source_sink;
struct telemetry_connector;

/* Binds the connector of the world's plan. */
void process_bind(void);
void process_unbind(void);

/* Opens the store in `folder` and begins; false when the store fails in the
 * midst of it (a planned crash). */
bool process_start(const char *folder);

bool process_is_up(void);

/* Whether the store has something to do for it, or to tell it. */
bool process_asks(void);

/* Told in the midst of a call of the store that it was the last one. */
void process_dies(void);
bool process_is_dying(void);

/* Ends without a word: what is on disk is what there is. */
void process_abandon(void);

/* Ends in order. */
void process_stop(void);

/* Ends the turn of its loop. */
void process_end_turn(void);

/* Which process it is, from 1; what an older one was asked is lost. */
unsigned process_life(void);

const struct connector *process_connector(void);
const struct source_sink *process_sink(void);

/* The metrics of the process that is up. */
struct telemetry_connector process_counts(void);

/* As /metrics writes them. */
void process_metrics(struct buf *into);

/* Asks for a walk of each tier. */
void process_poke(void);

/* Asks for a past span, as the command does: from so long ago, until so long
 * ago (0: now). What is not to be had is answered so. */
void process_backfill(int64_t since_ago_ms, int64_t until_ago_ms);
void process_backfill_cancel(void);

/* Whether a past span is being read, or waits for a process that reads it. */
bool process_backfills(void);

/* The watermark is known. */
bool process_has_walked(void);

#endif
