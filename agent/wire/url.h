/* SPDX-License-Identifier: MIT */
/*
 * url: http and https URLs: parse, resolve, compare origins, read and build
 * queries (RFC 3986).
 */
#ifndef WIRE_URL_H
#define WIRE_URL_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* All parts borrow from the text that was parsed. */
struct url {
    struct slice scheme; /* as written; compare without case */
    struct slice host;   /* with the brackets of an IPv6 address */
    uint16_t port;       /* the scheme's own where none is written */
    bool has_port;
    struct slice path;  /* "" or begins with '/' */
    struct slice query; /* behind '?', without it */
    bool has_query;
};

/* Accepts http and https only; no user part, no control byte or blank, a
 * fragment is cut. STATUS_INVALID says why. */
NODISCARD
enum status url_parse(struct slice text, struct url *ret_url,
                      struct error *err);

/* Whether scheme, host (any case) and port are the same. */
bool url_same_origin(const struct url *a, const struct url *b);

/*
 * Appends `reference` resolved against the absolute URL `base` (RFC 3986 §5.2;
 * dot segments are removed in merged paths only).
 */
NODISCARD
enum status url_resolve(struct slice base, struct slice reference,
                        struct buf *into, struct error *err);

/* Appends "?name=value" or "&name=value", percent-encoded, to a URL. */
void url_add_query(struct buf *url, struct slice name, struct slice value);

/* Returns the decoded value of the first query or form field `name`; a copy in
 * `arena` where decoding was needed. STATUS_NOT_FOUND if there is none. */
NODISCARD
enum status url_query_value(struct slice query, struct slice name,
                            struct arena *arena, struct slice *ret_value);

#endif
