/* SPDX-License-Identifier: MIT */
/*
 * heartbeat: tells the service manager how the agent stands, and that it lives:
 * the loop has turned and the store's thread has answered.
 *
 * STATUS= every few seconds, and WATCHDOG=1 with it where the unit has
 * WatchdogSec= (sd_notify(3)). Nothing without $NOTIFY_SOCKET.
 */
#ifndef APP_HEARTBEAT_H
#define APP_HEARTBEAT_H

#include "base/bytes.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct configuration;
struct dispatch;
struct heartbeat;
struct loop;
struct outlets;
struct store_worker;
struct walks;

struct heartbeat_settings {
    struct loop *loop;
    struct store_worker *worker;
    const struct configuration *configuration;
    const struct outlets *outlets;
    const struct dispatch *dispatch;
    const struct walks *walks;
};

/* Borrows what the settings point to. *ret is NULL where nobody listens. */
NODISCARD
enum status heartbeat_create(const struct heartbeat_settings *settings,
                             struct heartbeat **ret);

/* Tells of other connectors and handlers from here on. NULL is allowed. */
void heartbeat_change(struct heartbeat *heartbeat,
                      const struct heartbeat_settings *settings);

/* Begins to tell. NULL is allowed. */
void heartbeat_start(struct heartbeat *heartbeat);

/* The store's worker is gone, with what it had to answer. NULL is allowed. */
void heartbeat_destroy(struct heartbeat *heartbeat);

/* How the agent stands, in numbers. */
struct heartbeat_figures {
    size_t connectors, failing; /* whose last walk failed */
    struct slice failing_name;  /* the first of them */
    size_t handlers, resting;   /* whose breaker is open */
    struct slice resting_name;
    int64_t waiting; /* deliveries */
    int64_t dead;
    enum status store;
};

/* Appends the same in a line for people. */
void heartbeat_words(const struct heartbeat_figures *figures, struct buf *into);

#endif
