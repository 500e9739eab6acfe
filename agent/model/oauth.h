/* SPDX-License-Identifier: MIT */
/*
 * oauth: a bearer token that has to be asked for: the request, what the answer
 * is worth, how long a token is good, and when to ask again (RFC 6749). Pure:
 * the clock is an argument, source/access sends.
 */
#ifndef MODEL_OAUTH_H
#define MODEL_OAUTH_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"
#include "model/connector.h"
#include "model/request.h"

/*
 * Renders the request for a token. `refresh` is the refresh token that the
 * provider gave last, or empty: the configured one. Where `base` is given the
 * request goes there, as every other. STATUS_NOT_FOUND names what cannot be
 * filled.
 */
NODISCARD
enum status oauth_request(const struct connector *connector,
                          const struct auth_spec *auth, struct slice refresh,
                          struct arena *arena,
                          struct rendered_request *ret_request,
                          struct error *err);

/* Appends what tells one token from another: all that is sent to have it, as
 * configured. A digest in hex, so it shows nothing. */
NODISCARD
enum status oauth_identity(const struct rendered_request *request,
                           struct buf *into);

/* What the provider's answer says. */
struct oauth_answer {
    struct slice token;
    int64_t good_ms;      /* how long it is to be used, from now */
    struct slice refresh; /* another refresh token, or empty */
};

/*
 * Reads the answer to that request. STATUS_DENIED where the credentials are
 * refused, STATUS_UNAVAILABLE for a failure that passes, STATUS_PROTOCOL for
 * what is no token, each with words that name no secret. Texts are in the
 * arena.
 */
NODISCARD
enum status oauth_read(unsigned status, struct slice body, struct arena *arena,
                       struct oauth_answer *ret_answer, struct error *err);

/* How long to leave the provider alone after `failures` in a row, the last one
 * with `status` (of oauth_read, or of the call) and, where that said so, a wait
 * of `asked_ms`. Doubles: from seconds where it passes by itself, from a minute
 * where it was refused. */
int64_t oauth_wait_ms(enum status status, unsigned failures, int64_t asked_ms);

#endif
