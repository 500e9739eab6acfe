/* SPDX-License-Identifier: MIT */
/*
 * handler_http: posts a delivery to a URL, signed as Standard Webhooks when a
 * secret is set; the answer's status to an outcome.
 *
 * 2xx is done; 410 pauses the handler; 429 and 503 honour Retry-After; a status
 * of `dead_on` is dead at once; all else is later. No redirects. Connections
 * are kept, as many as `concurrency`, and shared by none but this handler.
 */
#ifndef HANDLER_HANDLER_HTTP_H
#define HANDLER_HANDLER_HTTP_H

#include "config/config_key.h"
#include "handler/handler.h"

struct cidr;
struct loop;

/* The keys of `http:` in a handler. */
struct handler_http_settings {
    struct slice url;
    struct config_secret secret;       /* whsec_ and base64, or any text */
    const struct config_node *headers; /* name: value, checked */
    int64_t *dead_on;
    size_t dead_on_count;
    struct slice unix_socket;
    struct slice proxy;
    int version; /* enum http_version */
    struct slice ca_file;
    struct slice certificate_file;
    struct slice key_file;
};

struct handler_http_limits {
    int64_t timeout_ms;
    int64_t connections;
    const char *user_agent;
    /* The URL came from somebody who registered it: no connection is made to
     * this machine or a private network, but to what is allowed, and requests
     * have the X-Webhook fields too. */
    bool is_receiver;
    const struct cidr *allowed; /* borrowed */
    size_t allowed_count;
};

/* What a handler signs with. */
struct handler_http_secret {
    struct slice text;
    int64_t until_ms; /* Unix ms; 0: for good */
};

#define HANDLER_HTTP_SECRETS 2

extern const struct config_table handler_http_table;

/* Copies the settings; `secret` is the text that settings->secret points to,
 * empty for none. Borrows the loop. STATUS_CONFIG for a file that
 * cannot be read. */
NODISCARD
enum status handler_http_create(struct loop *loop,
                                const struct handler_http_settings *settings,
                                struct slice secret,
                                const struct handler_http_limits *limits,
                                struct handler **ret, struct error *err);

/* Signs with these from here on, with all of them while their time is not over:
 * the signatures stand side by side (Standard Webhooks 1.0). At most
 * HANDLER_HTTP_SECRETS. STATUS_CONFIG for one that cannot be a secret; nothing
 * has changed then. */
NODISCARD
enum status handler_http_sign_with(struct handler *handler,
                                   const struct handler_http_secret *secrets,
                                   size_t count, struct error *err);

/* STATUS_CONFIG: it cannot be a secret. */
NODISCARD
enum status handler_http_check_secret(struct slice secret, struct error *err);

#endif
