/* SPDX-License-Identifier: MIT */
/*
 * admin_client: one question to the running agent, waited for.
 */
#ifndef APP_ADMIN_CLIENT_H
#define APP_ADMIN_CLIENT_H

#include "base/bytes.h"
#include "base/status.h"

/*
 * Asks `method path` of the agent at `address` (as configuration gives it) and
 * waits for the answer, at most `timeout_ms`. STATUS_UNAVAILABLE when no agent
 * listens there. The body goes to `into`.
 */
NODISCARD
enum status admin_client_ask(struct slice address, struct slice token,
                             const char *method, const char *path,
                             int64_t timeout_ms, unsigned *ret_http_status,
                             struct buf *into, struct error *err);

#endif
