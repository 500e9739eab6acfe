/* SPDX-License-Identifier: MIT */
/*
 * redelivery: reads what a provider could not deliver, and has it send that
 * again, one after the other.
 */
#ifndef FLOW_REDELIVERY_H
#define FLOW_REDELIVERY_H

#include "base/bytes.h"
#include "base/status.h"
#include "model/failed.h"

#include <stdbool.h>
#include <stddef.h>

struct access;
struct loop;
struct redelivery;

/* What came of one delivery, or of all of a span. */
struct redelivery_row {
    const struct failed_row *failed; /* NULL: of the span */
    unsigned http_status; /* of the request that sends it again; 0: not asked */
    const char *why; /* of a failure; NULL: it was accepted, or not asked */
};

struct redelivery_settings {
    struct loop *loop;
    struct access *access;
    const struct connector *connector;
    struct slice id;          /* only this one; empty: all that failed */
    struct request_span span; /* all of this by one request; zeros: what is
                                 listed as failed */
    bool asks;                /* else they are only told of */
    size_t most;              /* so many at most */
    void (*row)(void *arg, const struct redelivery_row *row);
    /* At the end, once, never before redelivery_start has returned; it may be
     * destroyed there. */
    void (*ended)(void *arg, enum status status, const struct error *err);
    void *arg;
};

/* Begins. Borrows what the settings point to. */
NODISCARD
enum status redelivery_start(const struct redelivery_settings *settings,
                             struct redelivery **ret, struct error *err);

void redelivery_destroy(struct redelivery *redelivery); /* NULL is allowed */

#endif
