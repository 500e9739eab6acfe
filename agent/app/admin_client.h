/* SPDX-License-Identifier: MIT */
/*
 * admin_client: one question to the running agent, waited for, or the call of
 * one whose answer goes on.
 */
#ifndef APP_ADMIN_CLIENT_H
#define APP_ADMIN_CLIENT_H

#include "base/bytes.h"
#include "base/status.h"
#include "io/http_client.h"
#include "io/tls.h"

/* Where the agent is, as its configuration says, and how long to wait. */
struct admin_client {
    struct slice address;
    struct slice token;             /* empty: none */
    const struct tls_settings *tls; /* the agent's own; NULL: plain */
    int64_t timeout_ms;
    struct slice body; /* JSON of a POST; may be empty */
};

/* The texts that a call to the agent is made of; `{ 0 }` at first. */
struct admin_call {
    struct buf url;
    struct buf bearer;
    struct buf key; /* that the agent has to prove its own, see pinned_key */
    struct http_field fields[2]; /* room for one more than our own */
};

/* Writes the call `method path`, with times for one that is answered at once.
 * It borrows from `call` and `to`. STATUS_NOMEM, or why the certificate cannot
 * be read. */
NODISCARD
enum status admin_client_spec(const struct admin_client *to, const char *method,
                              const char *path, struct admin_call *call,
                              struct http_call_spec *ret);
void admin_call_fini(struct admin_call *call);

/*
 * Asks `method path` of the agent and waits for the answer. STATUS_UNAVAILABLE
 * when no agent listens there. The body goes to `into`.
 */
NODISCARD
enum status admin_client_ask(const struct admin_client *to, const char *method,
                             const char *path, unsigned *ret_http_status,
                             struct buf *into, struct error *err);

#endif
