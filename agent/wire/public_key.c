/* SPDX-License-Identifier: MIT */
#include "wire/public_key.h"

#include "base/mem.h"
#include "wire/digest.h"
#include "wire/encode.h"
#include "wire/json.h"

/* Keys are small; what is longer is none, and is not decoded. */
#define KEY_BYTES_MAX 65536
#define JWK_DEPTH     16
#define EC_HALF_BYTES 32
#define EC_HALF_MOST  66

/* Tags of DER (X.690). */
enum { DER_INTEGER = 0x02, DER_BITS = 0x03, DER_SEQUENCE = 0x30 };

/* ---- DER ---- */

static void
der_open(struct buf *into, int tag, size_t len)
{
    buf_byte(into, (char)tag);
    if (len < 0x80) {
        buf_byte(into, (char)len);
    } else if (len < 0x100) {
        buf_byte(into, (char)0x81);
        buf_byte(into, (char)len);
    } else {
        buf_byte(into, (char)0x82);
        buf_byte(into, (char)(len >> 8));
        buf_byte(into, (char)(len & 0xff));
    }
}

/* A whole number of bytes, written without needless zeros but never negative.
 */
static void
der_integer(struct buf *into, struct slice bytes)
{
    while (bytes.len > 1 && bytes.ptr[0] == 0) {
        bytes = slice_from(bytes, 1);
    }
    const bool is_high = bytes.len > 0 && ((unsigned char)bytes.ptr[0] & 0x80);
    der_open(into, DER_INTEGER, bytes.len + is_high);
    if (is_high) {
        buf_byte(into, 0);
    }
    buf_append(into, bytes);
}

/* SEQUENCE { algorithm, BIT STRING { key } }, all of it. */
static void
append_spki(struct buf *into, struct slice algorithm, struct slice key)
{
    struct buf bits = { 0 };
    der_open(&bits, DER_BITS, key.len + 1);
    buf_byte(&bits, 0); /* no bit of the last byte is unused */
    buf_append(&bits, key);
    der_open(into, DER_SEQUENCE, algorithm.len + bits.len);
    buf_append(into, algorithm);
    buf_append(into, buf_slice(&bits));
    if (buf_status(&bits) != STATUS_OK) {
        into->failure = buf_status(&bits);
    }
    buf_fini(&bits);
}

/* rsaEncryption with no parameters (RFC 3279 §2.3.1). */
static void
append_rsa(struct buf *into, struct slice pkcs1)
{
    static const char algorithm[] = "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d"
                                    "\x01\x01\x01\x05\x00";
    append_spki(into, (struct slice){ algorithm, sizeof(algorithm) - 1 },
                pkcs1);
}

enum status
public_key_join_ecdsa(struct slice raw, size_t half_bytes, struct buf *into)
{
    if (half_bytes > EC_HALF_MOST || raw.len != 2 * half_bytes) {
        return STATUS_INVALID;
    }
    struct buf both = { 0 };
    der_integer(&both, slice_first(raw, half_bytes));
    der_integer(&both, slice_from(raw, half_bytes));
    der_open(into, DER_SEQUENCE, both.len);
    buf_append(into, buf_slice(&both));
    enum status status = buf_status(&both);
    buf_fini(&both);
    return status == STATUS_OK ? buf_status(into) : status;
}

/* ---- JWK (RFC 7517, RFC 7518 §6) ---- */

/* Decodes a member of base64url; absent is STATUS_INVALID. */
static enum status
jwk_bytes(struct slice jwk, const char *name, struct arena *arena,
          struct slice *ret_bytes)
{
    struct slice value;
    struct slice text;
    struct buf bytes = { 0 };
    if (!json_member(jwk, slice_of(name), &value) ||
        json_type(value) != JSON_STRING) {
        return STATUS_INVALID;
    }
    enum status status = json_text(value, arena, &text);
    if (status == STATUS_OK) {
        status = decode_base64url(text, &bytes);
    }
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&bytes), ret_bytes);
    }
    buf_fini(&bytes);
    return status == STATUS_OK && ret_bytes->len == 0 ? STATUS_INVALID : status;
}

static enum status
read_jwk_rsa(struct slice jwk, struct arena *arena, struct buf *into)
{
    struct slice n;
    struct slice e;
    enum status status = jwk_bytes(jwk, "n", arena, &n);
    if (status == STATUS_OK) {
        status = jwk_bytes(jwk, "e", arena, &e);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct buf both = { 0 };
    struct buf pkcs1 = { 0 };
    der_integer(&both, n);
    der_integer(&both, e);
    der_open(&pkcs1, DER_SEQUENCE, both.len);
    buf_append(&pkcs1, buf_slice(&both));
    append_rsa(into, buf_slice(&pkcs1));
    if (buf_status(&both) != STATUS_OK || buf_status(&pkcs1) != STATUS_OK) {
        status = STATUS_NOMEM;
    }
    buf_fini(&both);
    buf_fini(&pkcs1);
    return status == STATUS_OK ? buf_status(into) : status;
}

/* id-ecPublicKey on prime256v1, an uncompressed point (RFC 5480 §2). */
static enum status
read_jwk_ec(struct slice jwk, struct arena *arena, struct buf *into)
{
    static const char algorithm[] = "\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02"
                                    "\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01"
                                    "\x07";
    struct slice curve;
    struct slice x;
    struct slice y;
    if (!json_member(jwk, slice_of("crv"), &curve) ||
        !json_means(curve, slice_of("P-256"))) {
        return STATUS_INVALID;
    }
    enum status status = jwk_bytes(jwk, "x", arena, &x);
    if (status == STATUS_OK) {
        status = jwk_bytes(jwk, "y", arena, &y);
    }
    if (status == STATUS_OK &&
        (x.len != EC_HALF_BYTES || y.len != EC_HALF_BYTES)) {
        status = STATUS_INVALID;
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct buf point = { 0 };
    buf_byte(&point, 4);
    buf_append(&point, x);
    buf_append(&point, y);
    append_spki(into, (struct slice){ algorithm, sizeof(algorithm) - 1 },
                buf_slice(&point));
    status = buf_status(&point);
    buf_fini(&point);
    return status == STATUS_OK ? buf_status(into) : status;
}

static enum status
read_jwk(struct slice jwk, struct buf *into, struct error *err)
{
    struct slice kind;
    struct arena arena = { 0 };
    enum status status = STATUS_INVALID;
    if (json_type(jwk) == JSON_OBJECT &&
        json_member(jwk, slice_of("kty"), &kind)) {
        if (json_means(kind, slice_of("RSA"))) {
            status = read_jwk_rsa(jwk, &arena, into);
        } else if (json_means(kind, slice_of("EC"))) {
            status = read_jwk_ec(jwk, &arena, into);
        }
    }
    arena_fini(&arena);
    return status == STATUS_INVALID
               ? error_set(err, status, "no JWK of RSA or of P-256")
               : status;
}

/* Finds the key called `kid` in a set, or the only one. */
static enum status
find_in_set(struct slice set, struct slice kid, struct slice *ret_jwk,
            struct error *err)
{
    struct slice jwk;
    struct slice name;
    size_t at = 0;
    size_t count = 0;
    while (json_next_element(set, &at, &jwk)) {
        *ret_jwk = jwk;
        count++;
        if (kid.len > 0 && json_type(jwk) == JSON_OBJECT &&
            json_member(jwk, slice_of("kid"), &name) && json_means(name, kid)) {
            return STATUS_OK;
        }
    }
    return kid.len == 0 && count == 1
               ? STATUS_OK
               : error_set(err, STATUS_NOT_FOUND,
                           "no key of that name among the %zu that there are",
                           count);
}

static enum status
read_json(struct slice text, struct slice kid, struct buf *into,
          struct error *err)
{
    struct slice set;
    struct slice jwk = text;
    enum status status = json_check(text, JWK_DEPTH, err);
    if (status == STATUS_OK && json_type(text) == JSON_OBJECT &&
        json_member(text, slice_of("keys"), &set) &&
        json_type(set) == JSON_ARRAY) {
        status = find_in_set(set, kid, &jwk, err);
    }
    return status == STATUS_OK ? read_jwk(jwk, into, err) : status;
}

/* ---- PEM (RFC 7468) ---- */

static const struct slice dashes = SLICE("-----");
static const struct slice begin = SLICE("-----BEGIN ");
static const struct slice end = SLICE("-----END ");

/* Decodes the base64 of the first block, whose lines are as long as they like.
 * The label is what stands behind BEGIN. */
static enum status
open_pem(struct slice text, struct slice *ret_label, struct buf *der)
{
    struct buf joined = { 0 };
    const size_t start = slice_find_slice(text, begin);
    if (start == SIZE_MAX) {
        return STATUS_INVALID;
    }
    struct slice rest = slice_from(text, start + begin.len);
    const size_t label_len = slice_find_slice(rest, dashes);
    if (label_len == SIZE_MAX) {
        return STATUS_INVALID;
    }
    *ret_label = slice_first(rest, label_len);
    rest = slice_from(rest, label_len + dashes.len);
    const size_t len = slice_find_slice(rest, end);
    if (len == SIZE_MAX) {
        return STATUS_INVALID;
    }
    for (size_t i = 0; i < len; i++) {
        const char c = rest.ptr[i];
        if (c != '\n' && c != '\r' && c != ' ' && c != '\t') {
            buf_byte(&joined, c);
        }
    }
    enum status status = buf_status(&joined);
    if (status == STATUS_OK) {
        status = decode_base64(buf_slice(&joined), der);
    }
    buf_fini(&joined);
    return status;
}

static enum status
read_pem(struct slice text, struct buf *into, struct error *err)
{
    struct slice label = { NULL, 0 };
    struct buf der = { 0 };
    enum status status = open_pem(text, &label, &der);
    if (status != STATUS_OK) {
        (void)error_set(err, status, "the PEM is broken");
    } else if (slice_equal_text(label, "CERTIFICATE")) {
        status = digest_certificate_key(buf_slice(&der), into, err);
    } else if (slice_equal_text(label, "PUBLIC KEY")) {
        buf_append(into, buf_slice(&der));
        status = buf_status(into);
    } else if (slice_equal_text(label, "RSA PUBLIC KEY")) {
        append_rsa(into, buf_slice(&der));
        status = buf_status(into);
    } else {
        status = error_set(err, STATUS_INVALID,
                           "the PEM is a '%.*s', no public key or certificate",
                           SLICE_ARG(slice_first(label, 40)));
    }
    buf_fini(&der);
    return status;
}

bool
public_key_is_told(struct slice text)
{
    const struct slice trimmed = slice_trim(text);
    return (trimmed.len > 0 && trimmed.ptr[0] == '{') ||
           slice_find_slice(text, begin) != SIZE_MAX;
}

enum status
public_key_read(struct slice text, struct slice kid, struct buf *into,
                struct error *err)
{
    struct slice trimmed = slice_trim(text);
    if (trimmed.len == 0 || text.len > KEY_BYTES_MAX) {
        return error_set(err, STATUS_INVALID,
                         trimmed.len == 0 ? "empty" : "too long for a key");
    }
    if (trimmed.ptr[0] == '{') {
        return read_json(trimmed, kid, into, err);
    }
    if (text.ptr[0] == DER_SEQUENCE && !public_key_is_told(text)) {
        return digest_certificate_key(text, into, err);
    }
    if (slice_find_slice(text, begin) == SIZE_MAX) {
        return error_set(err, STATUS_INVALID,
                         "neither PEM, nor a certificate, nor a JWK");
    }
    return read_pem(text, into, err);
}
