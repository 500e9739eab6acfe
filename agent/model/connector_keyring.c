/* SPDX-License-Identifier: MIT */
/* The secrets of a connector, prepared for each way of verifying. */
#include "model/connector_draft.h"
#include "wire/digest.h"
#include "wire/encode.h"
#include "wire/jwt.h"
#include "wire/public_key.h"

#define ED25519_BYTES 32

/* Whether the secret is a public key (RFC 5280), as SubjectPublicKeyInfo. */
static bool
is_public(const struct verify_rule *rule)
{
    return rule->type == VERIFY_ECDSA || rule->type == VERIFY_RSA ||
           (rule->type == VERIFY_JWT && rule->jwt_alg_count > 0 &&
            rule->jwt_algs[0]->family != JWT_HMAC);
}

bool
connector_key_is_fetched(const struct verify_rule *rule)
{
    return rule->cert_url != NULL || rule->jwk != NULL;
}

static enum status
decode(const struct verify_rule *rule, struct slice text, struct buf *into)
{
    if (is_public(rule) && public_key_is_told(text)) {
        return public_key_read(text, (struct slice){ NULL, 0 }, into, NULL);
    }
    if (rule->key_strip.len > 0 && slice_starts(text, rule->key_strip)) {
        text = slice_from(text, rule->key_strip.len);
    }
    switch (rule->key_encoding) {
    case ENCODING_HEX: return decode_hex(text, into);
    case ENCODING_BASE64: return decode_base64(text, into);
    case ENCODING_UTF8: break;
    }
    buf_append(into, text);
    return buf_status(into);
}

/* Whether the rule can use a public key of this kind. */
static bool
kind_fits(const struct verify_rule *rule, enum digest_key_kind kind)
{
    bool fits = false;
    if (rule->type != VERIFY_JWT) {
        return (rule->type == VERIFY_RSA) == (kind == DIGEST_KEY_RSA);
    }
    for (size_t i = 0; i < rule->jwt_alg_count; i++) {
        fits |=
            kind == (rule->jwt_algs[i]->family == JWT_RSA ? DIGEST_KEY_RSA
                                                          : DIGEST_KEY_P256);
    }
    return fits;
}

/* Whether bytes can be a key at all; an empty one would verify for anybody. */
static bool
is_material(const struct verify_rule *rule, struct slice bytes)
{
    if (bytes.len == 0) {
        return false;
    }
    if (rule->type == VERIFY_BASIC) {
        /* A token may stand alone on either side; nothing on both is none. */
        return slice_find(bytes, ':') != SIZE_MAX && bytes.len > 1;
    }
    if (is_public(rule)) {
        enum digest_key_kind kind;
        return digest_key_kind_of(bytes, &kind) == STATUS_OK &&
               kind_fits(rule, kind);
    }
    return rule->type != VERIFY_ED25519 || bytes.len == ED25519_BYTES;
}

static enum status
prepare_one(struct verify_rule *rule, struct slice secret, struct arena *arena,
            bool *fits)
{
    struct buf decoded = { 0 };
    enum status status = decode(rule, secret, &decoded);
    *fits = false;
    if (status == STATUS_NOMEM) {
        goto done;
    }
    if (status != STATUS_OK || !is_material(rule, buf_slice(&decoded))) {
        status = STATUS_OK;
        goto done;
    }
    struct verify_key *key = &rule->keys[rule->key_count];
    key->text = secret;
    status = arena_copy(arena, buf_slice(&decoded), &key->bytes);
    if (status == STATUS_OK && rule->type == VERIFY_HMAC) {
        status = digest_key_create(rule->alg, key->bytes, &key->hmac);
    }
    if (status == STATUS_OK) {
        rule->key_count++;
        *fits = true;
    }

done:
    if (decoded.ptr != NULL) {
        mem_wipe(decoded.ptr, decoded.len);
    }
    buf_fini(&decoded);
    return status;
}

/* Where the key is fetched, a secret is only what {secret} stands for. */
static void
prepare_fetched(struct verify_rule *rule, const struct slice *secrets,
                size_t count, bool *fits)
{
    for (size_t i = 0; i < count; i++) {
        rule->keys[i] = (struct verify_key){ .text = secrets[i] };
        fits[i] = true;
    }
    rule->key_count = count > 0 ? count : 1;
}

enum status
connector_keyring_prepare(struct verify_rule *rule, const struct slice *secrets,
                          size_t count, struct arena *arena, bool *fits)
{
    rule->keys = arena_array(arena, count + 1, sizeof(*rule->keys));
    rule->key_count = 0;
    if (rule->keys == NULL) {
        return STATUS_NOMEM;
    }
    if (connector_key_is_fetched(rule)) {
        prepare_fetched(rule, secrets, count, fits);
        return STATUS_OK;
    }
    for (size_t i = 0; i < count; i++) {
        enum status status = prepare_one(rule, secrets[i], arena, &fits[i]);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

const char *
connector_keyring_wanted(const struct verify_rule *rule)
{
    if (rule->type == VERIFY_BASIC) {
        return "user:password";
    }
    if (rule->type == VERIFY_ED25519) {
        return rule->key_encoding == ENCODING_HEX
                   ? "a public key of 64 hex digits"
                   : "a public key of 32 bytes "
                     "in base64";
    }
    if (is_public(rule)) {
        return "a public key: PEM, a JWK, or its bytes as 'key.encoding' says";
    }
    switch (rule->key_encoding) {
    case ENCODING_HEX: return "hex digits";
    case ENCODING_BASE64: return "base64";
    case ENCODING_UTF8: break;
    }
    return "text";
}

void
connector_keyring_release(struct verify_rule *rule)
{
    for (size_t i = 0; i < rule->key_count; i++) {
        digest_key_destroy(rule->keys[i].hmac);
        rule->keys[i].hmac = NULL;
    }
    rule->key_count = 0;
}
