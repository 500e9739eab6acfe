/* SPDX-License-Identifier: MIT */
/*
 * errands: does what operators want done with many deliveries, slice after
 * slice, and goes on with it after a restart.
 *
 * A slice reads what is next beside the writer, then makes it durable in one
 * transaction with how far the errand is. Several errands take turns.
 */
#ifndef FLOW_ERRANDS_H
#define FLOW_ERRANDS_H

#include "flow/dispatch.h"
#include "store/store_reader.h"
#include "store/store_worker.h"

struct errands;

struct errands_settings {
    struct dispatch *dispatch;
    struct store_reader *reader;
    const struct connector *connectors;
    size_t connector_count;
    int64_t open_most; /* deliveries of one errand that are not over: 1,000 */
};

/* Borrows all but the settings struct itself. */
NODISCARD
enum status errands_create(struct loop *loop, struct store_worker *worker,
                           const struct errands_settings *settings,
                           struct errands **ret);

/* Goes on with other connectors, and another `open_most`; the rest is as it
 * was.
 */
void errands_change(struct errands *errands,
                    const struct errands_settings *settings);

/* Looks for errands that go on and are not known here: at the start, and when
 * one was stored. */
void errands_look(struct errands *errands);

/*
 * Whether this agent is the one that does them, where several share a store,
 * and by which lease. It is, by none (0), until this is called. Not held: no
 * further slice; held again, or by another fence: how far they are is read
 * anew. NULL is allowed.
 */
void errands_hold(struct errands *errands, bool is_held, uint64_t fence);

/* Begins no further slice. NULL is allowed. */
void errands_stop(struct errands *errands);

/* Only after the worker and the reader were destroyed. NULL is allowed. */
void errands_destroy(struct errands *errands);

#endif
