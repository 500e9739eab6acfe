/* SPDX-License-Identifier: MIT */
/*
 * demo_stage: the demo's temporary directory, its provider and its agent, each
 * a process of its own.
 */
#ifndef APP_DEMO_STAGE_H
#define APP_DEMO_STAGE_H

#include "app/demo_child.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"

#include <stdint.h>

struct demo_plan {
    int64_t events;
    int64_t loss_percent;
    int64_t rate; /* facts a second */
    int64_t seed; /* of the provider's chance */
    int64_t grace_ms;
    int64_t late_ms; /* late hooks leave so long after the list */
};

struct demo_stage {
    struct demo_plan plan;
    struct arena arena;
    struct slice directory; /* empty: not made yet */
    struct slice journal;   /* the provider's */
    struct slice handled;   /* the handler's */
    struct slice log;       /* what both processes say */
    struct demo_child provider;
    struct demo_child agent;
    int announcements; /* the provider's stdout */
    struct buf heard;  /* of it */
    int log_fd;
};

/* Starts both. On failure the stage is still to be stopped and struck. */
NODISCARD
enum status demo_stage_set(const struct demo_plan *plan,
                           struct demo_stage *stage, struct error *err);

/* Whether the provider has announced `line` ("done\n") by now. */
bool demo_stage_heard(struct demo_stage *stage, const char *line);

/* Asks the agent for its metrics. */
NODISCARD
enum status demo_stage_metrics(const struct demo_stage *stage, struct buf *into,
                               struct error *err);

/* Ends both in order. Returns whether the agent ended as it should. */
bool demo_stage_stop(struct demo_stage *stage);

/* Frees all; removes the directory unless it is to be looked at. */
void demo_stage_strike(struct demo_stage *stage, bool keep);

#endif
