/* SPDX-License-Identifier: MIT */
/*
 * pauses: which connectors and handlers are paused, since when and why; durable
 * until somebody resumes them.
 *
 * A paused handler is given nothing, and all that is owed to it waits. A paused
 * connector's list is not asked for anything; its webhooks are taken as ever.
 */
#ifndef FLOW_PAUSES_H
#define FLOW_PAUSES_H

#include "base/bytes.h"
#include "flow/telemetry.h"
#include "store/store_worker.h"

struct pauses;

/* One connector or handler. */
struct pause {
    enum store_name_kind kind;
    uint32_t number;
    struct slice name;
    bool is_paused;
    int64_t since_ms; /* while it is; Unix ms */
    uint64_t change;  /* the number of the one that made it so */
    struct buf reason;
    struct metric *gauge;
};

/* Holds up to `most` of them, until pauses_grow. */
NODISCARD
enum status pauses_create(size_t most, const struct telemetry *telemetry,
                          struct pauses **ret);

/* Makes room for so many more. */
NODISCARD
enum status pauses_grow(struct pauses *pauses, size_t more);

/* Adds one that was read from the store, where there is room; copies what it is
 * given. One that is known stays as it is here. */
NODISCARD
enum status pauses_put(struct pauses *pauses, const struct store_pause *stored,
                       struct slice name);

/* From here on changes go to the store; `changed` is told of each, once it
 * holds. */
void pauses_begin(struct pauses *pauses, struct store_worker *worker,
                  void (*changed)(void *arg, const struct pause *pause),
                  void *arg);

/* Only when the worker is gone. NULL is allowed. */
void pauses_destroy(struct pauses *pauses);

/* NULL: no such one was added, or `pauses` is NULL. Good as long as pauses. */
const struct pause *pauses_find(const struct pauses *pauses,
                                enum store_name_kind kind, uint32_t number);

/* Told once the change is durable, or why it is not. Who asks for what is
 * there already is told OK, and nothing changes. */
typedef void pauses_done_fn(void *arg, enum status status,
                            const struct error *err);

/* Pauses, with a reason, or resumes; holds once it is durable. STATUS_OK:
 * `done` will come, never before this returns. */
NODISCARD
enum status pauses_change(struct pauses *pauses, const struct pause *pause,
                          bool is_paused, struct slice reason,
                          pauses_done_fn *done, void *arg);

/* A handler has asked for it: holds at once, and becomes durable as soon as the
 * store can. Nothing when it is paused already. */
void pauses_take(struct pauses *pauses, const struct pause *pause,
                 struct slice reason);

#endif
