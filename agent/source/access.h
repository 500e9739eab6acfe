/* SPDX-License-Identifier: MIT */
/*
 * access: requests of connectors, with the bearer token that some of them need
 * (`auth: {type: oauth2}`): asked for when none is held or it is about to end,
 * once for all who wait for it, and once more when the provider refuses it.
 *
 * Connectors whose requests for a token are the same share it. A refresh token
 * that the provider gives in place of the configured one is kept beside the
 * store (io/kept) before the new access token is used. No token is logged.
 */
#ifndef SOURCE_ACCESS_H
#define SOURCE_ACCESS_H

#include "io/http_client.h"
#include "model/connector.h"
#include "model/request.h"

struct access;
struct access_call;

/* Whose token a request needs. */
struct access_need {
    const struct connector *connector;
    const struct auth_spec *oauth; /* as it was rendered; NULL: no token */
};

/* Borrows loop, client and `secrets`, the directory of kept secrets; NULL: a
 * refresh token that changes is known to this process only. */
NODISCARD
enum status access_create(struct loop *loop, struct http_client *client,
                          const char *secrets, struct access **ret);

/* Cancels what is running, without callbacks. NULL is allowed. */
void access_destroy(struct access *access);

/* The call of a rendered request, within the connector's limits of time and
 * size; borrows what the request does. */
struct http_call_spec access_spec(const struct connector *connector,
                                  const struct rendered_request *request);

/*
 * Starts a call as http_client_start does. Where it needs a token that cannot
 * be had, `done` comes with the words why; or the call is not started, while
 * the provider is left alone after a refusal.
 */
NODISCARD
enum status access_start(struct access *access, const struct access_need *need,
                         const struct http_call_spec *spec, http_reply_fn *done,
                         void *arg, struct access_call **ret_call,
                         struct error *err);

/* Ends the call without a callback. NULL is allowed. */
void access_cancel(struct access_call *call);

#endif
