/* SPDX-License-Identifier: MIT */
/*
 * ingest: the sink: an arrival to one transaction, verdicts back, dispatch
 * woken.
 */
#ifndef FLOW_INGEST_H
#define FLOW_INGEST_H

#include "flow/dispatch.h"
#include "flow/links.h"
#include "flow/telemetry.h"
#include "source/source.h"
#include "store/store_worker.h"

struct ingest;

struct ingest_settings {
    const struct connector *connectors;
    size_t connector_count;
    const struct telemetry *telemetry;
    struct dispatch *dispatch;
    struct links *links; /* NULL: what needs a fetch is VERDICT_BUSY */
    /* Told of each webhook request that was stored: how many events it brought,
     * and how many it showed that a walk had brought before. May be NULL. */
    void (*hooked)(void *arg, const struct connector *connector, size_t fresh,
                   size_t caught_up);
    void *hooked_arg;
    struct watch watch;
    /* Instead of a transaction: looks up what is new and stores nothing (the
     * dry run of `poll`). */
    bool dry_run;
};

/* Borrows all but the settings struct itself. */
NODISCARD
enum status ingest_create(struct loop *loop, struct store_worker *worker,
                          const struct ingest_settings *settings,
                          struct ingest **ret);

/* Nothing may be under way. NULL is allowed. */
void ingest_destroy(struct ingest *ingest);

/* The sink to plug sources into; it lives as long as the ingest. */
const struct source_sink *ingest_sink(const struct ingest *ingest);

/* The ledger's floor from now on; it never goes back. NULL is allowed. */
void ingest_set_floor(struct ingest *ingest, int64_t floor_ms);

/* Arrivals whose verdict has not been given. */
size_t ingest_open(const struct ingest *ingest);

#endif
