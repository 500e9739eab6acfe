/* SPDX-License-Identifier: MIT */
/*
 * handler: where deliveries go: the contract every handler keeps.
 */
#ifndef HANDLER_HANDLER_H
#define HANDLER_HANDLER_H

#include "base/bytes.h"
#include "base/status.h"
#include "model/event.h"
#include "wire/http_field.h"

#include <stdbool.h>
#include <stdint.h>

/* One attempt at one delivery, or at several together. Borrowed by the handler
 * until it reports. */
struct delivery {
    const struct event *event; /* of a batch: the first; it stands for none */
    unsigned attempt;          /* from 1; goes on when it is tried or replayed
                                  again after its end */
    bool is_replay;            /* an old event, handed over once more; of a
                                  batch: all are */
    struct slice connector;    /* its name */
    struct slice envelope;     /* CloudEvents line without newline, or the raw
                                  bytes, as `format` says; of a batch: the
                                  JSON array of the lines */
    struct slice content_type; /* of `envelope` */
    struct http_fields fields; /* of cloudevents-binary, where the envelope is
                                  the data alone; else none */
    struct slice key;          /* idempotency key, percent-encoded */
    size_t count;              /* of events; >= 1 */
    bool is_batch;             /* an array, be it of one */
};

/* How an attempt ended. Borrowed for the callback. */
struct handler_result {
    enum disposition disposition; /* DONE, LATER or NEVER (dead at once) */
    int64_t not_before_ms; /* Unix ms the other side asked for; 0: none */
    const char *reason;    /* static: of a dead letter; NULL: the usual words */
    bool pause;            /* the handler asks to be paused (HTTP 410) */
    struct slice detail;   /* "exit 1", "http 503", "timed out after 30s" */
    struct slice output;   /* last 4 KiB */
    int64_t duration_ms;
};

/* Called once per start, on the loop, never before start returned. */
typedef void handler_result_fn(void *arg, const struct handler_result *result);

struct handler;

struct handler_ops {
    /*
     * Starts an attempt. STATUS_OK: `done` will come. Else nothing was started
     * and err says why (the attempt then counts as failed).
     */
    enum status (*start)(struct handler *handler,
                         const struct delivery *delivery,
                         handler_result_fn *done, void *arg, struct error *err);

    /* Asks all running attempts to end soon; each still reports. */
    void (*cancel)(struct handler *handler);

    /* Reopens files, and has workers and connections replaced (SIGHUP). May be
     * NULL. */
    void (*reopen)(struct handler *handler);

    /* Nothing will be started any more: lets go of what is kept between
     * attempts, such as children. True: `closed` comes once, later, when
     * nothing is left and no attempt runs. False: that is so now. May be NULL.
     */
    bool (*close)(struct handler *handler, void (*closed)(void *arg),
                  void *arg);

    /* No attempt may be running, and what `close` lets go of must be gone. */
    void (*destroy)(struct handler *handler);
};

/* The first member of every implementation. */
struct handler {
    const struct handler_ops *ops;
};

/* Writes the idempotency key: connector/id, every byte outside
 * A-Z a-z 0-9 _ - : / percent-encoded. */
void handler_key(struct slice connector, struct slice id, struct buf *into);

#endif
