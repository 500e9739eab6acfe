/* SPDX-License-Identifier: MIT */
/*
 * public_key: public keys as providers hand them out (PEM, certificate, JWK),
 * as one form: DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
 *
 * A certificate is a container for its key here and nothing more: neither its
 * dates nor its issuer are looked at. That it is the provider's follows from
 * where it was fetched, over TLS, from a host that the connector names.
 */
#ifndef WIRE_PUBLIC_KEY_H
#define WIRE_PUBLIC_KEY_H

#include "base/bytes.h"
#include "base/status.h"

/*
 * Reads a key and appends it: PEM "PUBLIC KEY", "RSA PUBLIC KEY" or
 * "CERTIFICATE" (the first of a chain), a certificate in DER, or a JWK of RSA
 * or P-256 (RFC 7517). Of a set of JWKs the one called `kid` is read, or the
 * only one where `kid` is empty. STATUS_INVALID says why not, STATUS_NOT_FOUND
 * that the set has no such key.
 */
NODISCARD
enum status public_key_read(struct slice text, struct slice kid,
                            struct buf *into, struct error *err);

/* Whether the text says itself what it is: PEM or a JWK. */
bool public_key_is_told(struct slice text);

/*
 * Appends an ECDSA signature as DER that JWS writes as r and s side by side
 * (RFC 7518 §3.4); both are `half_bytes` long, at most 66. STATUS_INVALID when
 * it is not so long.
 */
NODISCARD
enum status public_key_join_ecdsa(struct slice raw, size_t half_bytes,
                                  struct buf *into);

#endif
