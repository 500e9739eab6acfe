/* SPDX-License-Identifier: MIT */
/*
 * refusal: a request that was not accepted: why, and what of its head is kept.
 *
 * Its body is not, and nothing that its sender proves itself with: an operator
 * sees that it was there, never what it said.
 */
#ifndef MODEL_REFUSAL_H
#define MODEL_REFUSAL_H

#include "model/connector.h"
#include "wire/http_field.h"

#include <stdbool.h>
#include <stdint.h>

/* A head that is longer is cut, and says so. */
#define REFUSAL_HEAD_BYTES  4096
#define REFUSAL_VALUE_BYTES 512 /* one value of it */
#define REFUSAL_WHY_BYTES   512

enum refusal_cause { /* stored: values never change */
                     REFUSAL_BAD_SIGNATURE = 1,
                     REFUSAL_STALE = 2,
                     REFUSAL_REFUSED = 3, /* not allowed from there */
                     REFUSAL_TOO_LARGE = 4,
                     REFUSAL_RATE_LIMITED = 5,
                     REFUSAL_MALFORMED = 6,
                     REFUSAL_CAUSE_END = 7
};

/* As the answer began, all borrowed. */
struct refusal {
    const struct connector *connector;
    enum refusal_cause cause;
    unsigned status;     /* of the answer */
    struct slice why;    /* words for the operator; never a secret */
    struct slice peer;   /* the address that connected */
    struct slice method; /* empty: no head could be read */
    struct slice target; /* path and query, as received */
    struct http_fields fields;
    int64_t bytes; /* of the body, as read or as the head said */
};

/* Returns the name of a cause, "unknown" for a number that is none. */
const char *refusal_cause_name(enum refusal_cause cause);

/* Finds a cause by its name. */
bool refusal_cause_find(struct slice name, enum refusal_cause *ret);

/*
 * Appends the head: "POST /hooks/shop?token=***", then "Name: value" lines. The
 * values of the query are hidden, and so are those of fields that carry
 * credentials: by their name, because the connector takes a token from them, or
 * because they hold one of its secrets. A long one is cut.
 */
void refusal_head(const struct refusal *refusal, struct buf *into);

/* Appends the reason, on one line, without the connector's secrets. */
void refusal_why(const struct refusal *refusal, struct buf *into);

#endif
