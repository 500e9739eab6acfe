/* SPDX-License-Identifier: MIT */
/*
 * batch: attempts that go to their handler together: one text, one key, one
 * result.
 */
#ifndef FLOW_BATCH_H
#define FLOW_BATCH_H

#include "flow/attempt.h"

struct batch {
    size_t count;        /* >= 1 */
    struct attempt **at; /* in order of acceptance; the first owns the batch */
    struct store_outcome *outcomes; /* as many, for the one unit of them all */
    struct delivery delivery;
    struct buf envelope;
    struct buf key;
};

/*
 * Makes a batch of the `count` attempts in `list`, which are rendered, and
 * takes them off it. Its envelope is the JSON array of theirs (CloudEvents JSON
 * batch format, cloudevents/spec v1.0.2, JSON event format §4); its key is made
 * of their keys, so that the same events have the same key. STATUS_NOMEM: the
 * list is as it was.
 */
NODISCARD
enum status batch_create(struct list *list, size_t count, struct batch **ret);

/* Frees the batch, not its attempts. NULL is allowed. */
void batch_destroy(struct batch *batch);

#endif
