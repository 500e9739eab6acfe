/* SPDX-License-Identifier: MIT */
/*
 * jwt: a signed token in its compact form (RFC 7515 §3.1), taken apart. Nothing
 * in it is believed here.
 */
#ifndef WIRE_JWT_H
#define WIRE_JWT_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"
#include "wire/digest.h"

/* What signs: a shared secret, or a key of that kind. */
enum jwt_family { JWT_HMAC, JWT_RSA, JWT_P256 };

/* A way to sign (RFC 7518 §3.1). `none` is not among them. */
struct jwt_alg {
    const char *name;
    enum jwt_family family;
    enum digest_alg digest;
};

/* Returns the algorithm of that name, or NULL. */
const struct jwt_alg *jwt_alg_by_name(struct slice name);

/* All texts borrow from the token or from the arena. */
struct jwt {
    struct slice signed_text; /* header and payload, as they stand */
    struct slice header;      /* a JSON object */
    struct slice payload;     /* a JSON object */
    struct slice signature;   /* decoded */
    struct slice alg;
    struct slice kid; /* empty: not told */
};

/* Takes a token apart. STATUS_INVALID says what is wrong: not three parts of
 * base64url, no JSON objects, no `alg`, or `crit`, which we know none of. */
NODISCARD
enum status jwt_read(struct slice text, struct arena *arena,
                     struct jwt *ret_token, struct error *err);

#endif
