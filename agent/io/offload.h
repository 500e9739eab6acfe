/* SPDX-License-Identifier: MIT */
/*
 * offload: one thread that does for the loop what would hold it: calls are
 * handed over whole, done in order, and handed back whole.
 *
 * What a call is, only its owner knows: it puts a `struct list` into it. While
 * a call is with the thread, the loop does not touch it.
 */
#ifndef IO_OFFLOAD_H
#define IO_OFFLOAD_H

#include "base/list.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct loop;
struct offload;

/* On the thread: does every call of `batch`, which is not empty, and leaves it
 * in the list. */
typedef void offload_work_fn(void *arg, struct list *batch);

/* On the loop: takes one call back. */
typedef void offload_done_fn(void *arg, struct list *call);

struct offload_spec {
    const char *name;      /* of the thread, at most 15 bytes */
    size_t batch_most;     /* calls at once; 0: all that wait */
    offload_work_fn *work; /* on the thread */
    offload_done_fn *done; /* on the loop */
    void *arg;             /* of both */
};

NODISCARD
enum status offload_create(struct loop *loop, const struct offload_spec *spec,
                           struct offload **ret, struct error *err);

/* Ends the thread, after what it has taken up; calls that are still with it are
 * not given back, and are their owner's again. NULL is allowed. */
void offload_destroy(struct offload *offload);

/* Hands a call over; `done` comes once, later. */
void offload_put(struct offload *offload, struct list *call);

/* Takes a call back that the thread has not begun: true, and `done` will not
 * come; else it will. */
bool offload_revoke(struct offload *offload, struct list *call);

#endif
