/* SPDX-License-Identifier: MIT */
/*
 * store_wake: how agents that share a store tell each other that something is
 * due; only a hint, and lost where nobody listens.
 *
 * Everything but `hurry` is for one thread, and blocks. A connection that is
 * lost is made anew by what comes next, at times of its own: whoever is told
 * STATUS_UNAVAILABLE waits a while.
 */
#ifndef STORE_STORE_WAKE_H
#define STORE_STORE_WAKE_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct store_wake;

struct store_wake_ops {
    /* Waits until another agent tells, `timeout_ms` have passed, or `hurry`
     * was called. STATUS_DENIED: this connection hears nobody, ever. */
    enum status (*wait)(struct store_wake *wake, int64_t timeout_ms,
                        bool *ret_told, struct error *err);
    /* Tells all others. */
    enum status (*tell)(struct store_wake *wake, struct error *err);
    /* From any thread: whoever waits, or is about to, returns soon. The next
     * `tell` undoes it. */
    void (*hurry)(struct store_wake *wake);
    void (*close)(struct store_wake *wake);
};

struct store_wake {
    const struct store_wake_ops *ops;
};

/* Makes one for the store at `url`, without a connection. STATUS_NOT_FOUND: it
 * is of a kind that one agent alone has. */
NODISCARD
enum status store_wake_open(const char *url, struct store_wake **ret,
                            struct error *err);

#endif
