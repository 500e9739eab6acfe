/* SPDX-License-Identifier: MIT */
/*
 * walks_private: what the files of walks share: the walks of one configuration,
 * and how those of the next one follow them.
 */
#ifndef APP_WALKS_PRIVATE_H
#define APP_WALKS_PRIVATE_H

#include "app/walk_log.h"
#include "app/walks.h"

/* One tier of a connector; the first one holds what all of them share. */
struct walker {
    struct walks *walks;
    const struct connector *connector;
    unsigned tier;
    struct walker *first;        /* tier's of the connector */
    struct poll_account account; /* of tier 0, for all tiers */
    struct source_poll *poll;
    struct telemetry_connector counts;
    bool has_walked;
    struct poll_ended last; /* its `why` lies in last_why */
    int64_t last_ms;
    struct error last_why;
    struct walk_log log;
    bool is_short; /* of tier 0: the overlap does not cover the lag */
    struct source_poll *trial; /* that runs, or the last one */
    bool trial_runs;
    bool has_stopped;          /* or was asked to: it is not started any more */
    bool waits;                /* until what it follows has ended */
    struct walker *heir;       /* of other walks: to be started once it has */
    bool is_held;              /* by this agent, which so may walk */
    struct metric *lease_held; /* of tier 0, where agents share the store */
};

struct walks {
    struct walks_settings settings;
    struct walker *walkers;
    struct poll_host *hosts; /* at the first connector of each */
    struct source_poll **polls;
    size_t count;
    void (*stopped)(void *arg); /* NULL until asked to stop */
    void *stopped_arg;
};

/* Unless it was stopped before. */
void walks_start_one(struct walker *walker);

/* source_poll_stop's, for a trial. */
void walks_trial_stopped(void *arg);

#endif
