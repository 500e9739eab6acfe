/* SPDX-License-Identifier: MIT */
/*
 * receivers: endpoints that registered to be sent events as webhooks; each is a
 * handler of its own, with a queue, retries and dead letters, that lives in the
 * store instead of the configuration.
 *
 * One that is disabled is owed nothing new; what it is owed waits until it is
 * enabled, and what it missed can be replayed for as long as events are kept.
 * What a removed one was owed is dropped, with its dead letters.
 */
#ifndef FLOW_RECEIVERS_H
#define FLOW_RECEIVERS_H

#include "flow/dispatch.h"
#include "model/receiver.h"
#include "store/store_worker.h"

struct loop;
struct receivers;

struct receivers_settings {
    const struct receiver_rules *rules;
    const char *user_agent;
    const struct telemetry *telemetry;
};

/* Borrows what the settings point to. */
NODISCARD
enum status receivers_create(struct loop *loop,
                             const struct receivers_settings *settings,
                             struct receivers **ret);

/* Reads those that the store has. Blocks: before the store is its worker's. */
NODISCARD
enum status receivers_load(struct receivers *receivers, struct store *store,
                           struct error *err);

/* From here on they are sent to; also goes on forgetting those that were
 * removed. */
void receivers_begin(struct receivers *receivers, struct store_worker *worker,
                     struct dispatch *dispatch);

/* Test events that are under way: nothing may be destroyed under them. */
size_t receivers_testing(const struct receivers *receivers);

/* The worker is gone, and no attempt runs. NULL is allowed. */
void receivers_destroy(struct receivers *receivers);

/* Each in its turn, the oldest first: NULL at the end. */
const struct receiver *receivers_at(const struct receivers *receivers,
                                    size_t index);

/* Fills in its number, as a handler's, unless `ret_number` is NULL. NULL: there
 * is none of this id. */
const struct receiver *receivers_find(const struct receivers *receivers,
                                      struct slice id, uint32_t *ret_number);

/* How what was asked for ended; all is borrowed for the call. */
struct receivers_answer {
    enum status status;
    const struct error *err;
    struct slice id;
    const struct receiver *receiver; /* NULL: it failed, or is removed */
    bool was_tested;
    bool test_passed;
    struct slice test_detail; /* "http 500"; empty where it passed */
};
typedef void receivers_done_fn(void *arg,
                               const struct receivers_answer *answer);

/*
 * What follows is durable when `done` comes, never before these return; on
 * STATUS_OK only. STATUS_NOT_FOUND: there is none of this id. STATUS_BUSY:
 * another change of it is under way, or, adding, there is no room.
 */

/* Adds one and sends it a test event; whether it took it is told, and changes
 * nothing. Without a secret it is given one. STATUS_INVALID says what is wrong
 * with its URL or secret. */
NODISCARD
enum status receivers_add(struct receivers *receivers,
                          const struct receiver *wanted,
                          receivers_done_fn *done, void *arg,
                          struct error *err);
NODISCARD
enum status receivers_remove(struct receivers *receivers, struct slice id,
                             receivers_done_fn *done, void *arg);

/* Gives it another secret, one of ours where `secret` is empty; the one before
 * signs too for `overlap_ms`. */
NODISCARD
enum status receivers_rotate(struct receivers *receivers, struct slice id,
                             struct slice secret, int64_t overlap_ms,
                             receivers_done_fn *done, void *arg,
                             struct error *err);
NODISCARD
enum status receivers_enable(struct receivers *receivers, struct slice id,
                             receivers_done_fn *done, void *arg);

/* Sends a test event, also to one that is disabled. */
NODISCARD
enum status receivers_test(struct receivers *receivers, struct slice id,
                           receivers_done_fn *done, void *arg);

#endif
