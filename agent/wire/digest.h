/* SPDX-License-Identifier: MIT */
/*
 * digest: the libcrypto gate: digests, HMAC, signatures, random bytes.
 *
 * Messages are given as parts, so that "timestamp.body" is signed without
 * copying the body. Call digest_init once before any thread or listener
 * starts: OpenSSL 3.0 crashes when its lazy set-up runs out of memory.
 */
#ifndef WIRE_DIGEST_H
#define WIRE_DIGEST_H

#include "base/bytes.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum digest_alg { DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };

#define DIGEST_BYTES_MAX 64

struct digest {
    unsigned char bytes[DIGEST_BYTES_MAX];
    size_t len;
};

NODISCARD
enum status digest_init(struct error *err);

/* Returns the algorithm called "sha1", "sha256", "sha384" or "sha512". */
NODISCARD
enum status digest_by_name(struct slice name, enum digest_alg *ret_alg);

struct slice digest_slice(const struct digest *digest);

NODISCARD
enum status digest_hash(enum digest_alg alg, const struct slice *parts,
                        size_t count, struct digest *ret_digest);

/* An empty key is STATUS_INVALID: it would verify for anybody. */
NODISCARD
enum status digest_hmac(enum digest_alg alg, struct slice key,
                        const struct slice *parts, size_t count,
                        struct digest *ret_digest);

/*
 * A keyed HMAC prepared once: the fast way for a listener (about 1 µs for
 * 1 KiB). One thread at a time.
 */
struct digest_key;
NODISCARD
enum status digest_key_create(enum digest_alg alg, struct slice key,
                              struct digest_key **ret_key);
NODISCARD
enum status digest_key_sign(struct digest_key *key, const struct slice *parts,
                            size_t count, struct digest *ret_digest);
void digest_key_destroy(struct digest_key *key);

/* SHA-256, one part, for keys of the ledger. */
NODISCARD
enum status digest_sha256(struct slice bytes, unsigned char ret_digest[32]);

/* Ed25519 (RFC 8032) with a raw 32-byte public key. STATUS_DENIED when the
 * signature is wrong, STATUS_INVALID when the key is no key. */
NODISCARD
enum status digest_verify_ed25519(struct slice key, struct slice signature,
                                  const struct slice *parts, size_t count);

/* ECDSA with a DER SubjectPublicKeyInfo key and a DER signature; RSA PKCS#1
 * v1.5 likewise. */
NODISCARD
enum status digest_verify_spki(enum digest_alg alg, struct slice spki,
                               struct slice signature,
                               const struct slice *parts, size_t count);

/* What a SubjectPublicKeyInfo holds. */
enum digest_key_kind { DIGEST_KEY_RSA, DIGEST_KEY_P256, DIGEST_KEY_EC };

/* Reads a SubjectPublicKeyInfo (DER) to the end. STATUS_INVALID when it is
 * none, or one of another kind. */
NODISCARD
enum status digest_key_kind_of(struct slice spki,
                               enum digest_key_kind *ret_kind);

/* Appends the SubjectPublicKeyInfo of an X.509 certificate in DER. Neither its
 * dates nor its issuer are looked at, see public_key.h. STATUS_INVALID when it
 * is no certificate of such a key. */
NODISCARD
enum status digest_certificate_key(struct slice der, struct buf *into,
                                   struct error *err);

/* Fills `bytes` from the system's random source. */
NODISCARD
enum status digest_random(void *bytes, size_t count);

/* zlib's CRC-32. */
uint32_t digest_crc32(struct slice bytes);

#endif
