/* SPDX-License-Identifier: MIT */
/*
 * admin_client: one question to the running agent, waited for.
 */
#ifndef APP_ADMIN_CLIENT_H
#define APP_ADMIN_CLIENT_H

#include "base/bytes.h"
#include "base/status.h"

/* Where the agent is, as its configuration says, and how long to wait. */
struct admin_client {
    struct slice address;
    struct slice token; /* empty: none */
    int64_t timeout_ms;
    struct slice body; /* JSON of a POST; may be empty */
};

/*
 * Asks `method path` of the agent and waits for the answer. STATUS_UNAVAILABLE
 * when no agent listens there. The body goes to `into`.
 */
NODISCARD
enum status admin_client_ask(const struct admin_client *to, const char *method,
                             const char *path, unsigned *ret_http_status,
                             struct buf *into, struct error *err);

#endif
