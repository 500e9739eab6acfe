/* SPDX-License-Identifier: MIT */
/*
 * agent: the composition root: builds every part, passes each only what it
 * needs, and stops them in reverse. Nothing but the commands includes it.
 */
#ifndef APP_AGENT_H
#define APP_AGENT_H

#include "app/configuration.h"
#include "app/exit_code.h"
#include "source/source_poll.h"

struct agent;

/* What kind of life it is. */
enum agent_mode {
    AGENT_RUN,     /* everything */
    AGENT_POLL,    /* one walk of one connector; what is new is owed, and
                      delivered by the next run */
    AGENT_POLL_DRY /* the same, storing nothing */
};

struct agent_settings {
    enum agent_mode mode;
    struct configuration *configuration; /* AGENT_RUN: what it holds goes when
                                            another was read, or at the end */
    struct connector *only;        /* AGENT_POLL…: the connector to walk */
    struct poll_observer observer; /* AGENT_POLL…: who wants the report */
    const char *version;
    /* AGENT_RUN: a configuration was read again, also for the log. */
    void (*reloaded)(void *arg, const struct configuration *configuration);
    void *arg;
};

/*
 * Builds all of it. STATUS_FENCED when another agent holds the store. Words
 * name what failed and what to do.
 */
NODISCARD
enum status agent_create(const struct agent_settings *settings,
                         struct agent **ret, struct error *err);

/*
 * Runs until SIGTERM, SIGINT, the end of the one walk, or a failure of the
 * store; returns how the process should end. The end is orderly and takes at
 * most 10 s.
 */
enum exit_code agent_run(struct agent *agent);

void agent_destroy(struct agent *agent); /* NULL is allowed */

#endif
