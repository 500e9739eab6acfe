/* SPDX-License-Identifier: MIT */
/*
 * accounting: counts what only a walk brought, once its grace has ended.
 *
 * The store decides and keeps the totals; here they are asked for, connector by
 * connector, and shown as metrics, which go on over restarts where they were.
 * Late and confirmed events are counted by ingest as they come; this module
 * only adds those of the processes before. What a webhook brought and no walk
 * has listed, where rows are the events themselves, is counted in passes over
 * all that is stored, a slice at a time, and logged when there are more of
 * them. Ids of the two channels that never meet are logged once, and webhooks
 * that have stopped altogether once for each silence.
 */
#ifndef FLOW_ACCOUNTING_H
#define FLOW_ACCOUNTING_H

#include "flow/telemetry.h"
#include "store/store_worker.h"

struct accounting;
struct loop;

struct accounting_settings {
    const struct connector *connectors;
    size_t connector_count;
    const struct telemetry *telemetry;
    /* The stamps that walks have read and will not read again; false while that
     * is not known. NULL: it never is. */
    bool (*behind)(void *arg, const struct connector *connector,
                   int64_t *ret_from_ms, int64_t *ret_until_ms);
    void *behind_arg;
    int64_t period_ms; /* between two counts; 0: as the grace asks for */
};

/* Borrows all but the settings struct itself. */
NODISCARD
enum status accounting_create(struct loop *loop, struct store_worker *worker,
                              const struct accounting_settings *settings,
                              struct accounting **ret);

/* Begins to count, before any source is started: only what comes in after a
 * connector's first count is counted at all. A connector with one channel is
 * asked for once, so that one which lost the other counts no more. */
void accounting_start(struct accounting *accounting);

/* A webhook request of a connector was stored and showed `events` that no
 * webhook had shown. */
void accounting_hooked(struct accounting *accounting,
                       const struct connector *connector, size_t events);

/* Counts no more. A call may be under way until the worker is destroyed. NULL
 * is allowed. */
void accounting_stop(struct accounting *accounting);

/* Only after the worker was destroyed. NULL is allowed. */
void accounting_destroy(struct accounting *accounting);

/* Whether ids of the two channels meet, from how many events each of them
 * brought first and how many both have shown. */
enum meeting {
    MEETING_YES,
    MEETING_NEVER, /* and each has brought enough of them: misconfigured */
    MEETING_FEW,   /* not yet, and too few to say */
    MEETING_ONE    /* only one channel has brought any */
};

#define ACCOUNTING_ENOUGH 20

/* Pure. */
enum meeting accounting_meeting(int64_t webhook, int64_t walk, int64_t met);

/* How long to wait between two counts: a tenth of the grace, from 1 to 30 s.
 * Pure. */
int64_t accounting_period(int64_t grace_ms);

#endif
