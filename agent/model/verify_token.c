/* SPDX-License-Identifier: MIT */
/* Signed tokens (RFC 7515, RFC 7519). */
#include <stdio.h>

#include "base/instant.h"
#include "model/verify_private.h"
#include "wire/encode.h"
#include "wire/json.h"
#include "wire/jwt.h"
#include "wire/public_key.h"

/* `exp` and `nbf` are held against two clocks (RFC 7519 §4.1.4). */
#define LEEWAY_MS     INSTANT_MINUTE_MS
#define EC_HALF_BYTES 32

static const struct slice nothing = { NULL, 0 };

/* Says why not, with a word of the token in it. */
static enum status
refuse_word(struct trial *trial, const char *before, struct slice word,
            const char *behind)
{
    trial->result->verdict = VERIFY_FORGED;
    (void)snprintf(trial->result->why, sizeof(trial->result->why), "%s%.*s%s",
                   before, SLICE_ARG(slice_first(word, 60)), behind);
    return STATUS_DENIED;
}

/* Takes the token out of an Authorization field, or as it stands. */
static struct slice
without_scheme(struct slice text)
{
    static const struct slice schemes[] = { SLICE("Bearer "), SLICE("JWT ") };
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (slice_equal_nocase(slice_first(text, schemes[i].len), schemes[i])) {
            return slice_trim(slice_from(text, schemes[i].len));
        }
    }
    return text;
}

/* Only what the connector lists is believed, `none` least of all. */
static const struct jwt_alg *
listed_alg(const struct verify_rule *rule, struct slice name)
{
    for (size_t i = 0; i < rule->jwt_alg_count; i++) {
        if (slice_equal_text(name, rule->jwt_algs[i]->name)) {
            return rule->jwt_algs[i];
        }
    }
    return NULL;
}

static enum status
match_secret(const struct jwt *token, const struct jwt_alg *alg,
             struct slice key, bool *matched)
{
    struct digest digest;
    enum status status =
        digest_hmac(alg->digest, key, &token->signed_text, 1, &digest);
    if (status == STATUS_OK) {
        *matched |= encode_same_secret(digest_slice(&digest), token->signature);
    }
    return status;
}

/* A key of another kind than the algorithm's matches nothing. */
static enum status
match_public(const struct jwt *token, const struct jwt_alg *alg,
             struct slice spki, bool *matched)
{
    struct buf der = { 0 };
    enum digest_key_kind kind;
    enum status status = digest_key_kind_of(spki, &kind);
    if (status != STATUS_OK) {
        return status == STATUS_NOMEM ? status : STATUS_OK;
    }
    if (kind != (alg->family == JWT_RSA ? DIGEST_KEY_RSA : DIGEST_KEY_P256)) {
        return STATUS_OK;
    }
    if (alg->family == JWT_RSA) {
        buf_append(&der, token->signature);
        status = buf_status(&der);
    } else {
        status = public_key_join_ecdsa(token->signature, EC_HALF_BYTES, &der);
    }
    if (status == STATUS_OK) {
        status = digest_verify_spki(alg->digest, spki, buf_slice(&der),
                                    &token->signed_text, 1);
        *matched |= status == STATUS_OK;
    }
    buf_fini(&der);
    return status == STATUS_NOMEM ? status : STATUS_OK;
}

static enum status
check_signature(struct trial *trial, const struct jwt *token,
                const struct jwt_alg *alg)
{
    const struct verify_rule *rule = trial->rule;
    bool matched = false;
    enum status status = STATUS_OK;
    if (rule->jwk != NULL) {
        status = verify_key_named(trial, token->header, token->kid);
        if (status == STATUS_OK) {
            status = match_public(token, alg, trial->spki, &matched);
        }
    }
    for (size_t k = 0;
         rule->jwk == NULL && status == STATUS_OK && k < rule->key_count; k++) {
        const struct slice key = rule->keys[k].bytes;
        status = alg->family == JWT_HMAC
                     ? match_secret(token, alg, key, &matched)
                     : match_public(token, alg, key, &matched);
    }
    if (status != STATUS_OK || matched) {
        return status;
    }
    return verify_refuse(trial, template_source(rule->from),
                         " matches no key: wrong key or altered token");
}

/* Finds a claim; STATUS_DENIED once the result says that it is missing. */
static enum status
find_claim(struct trial *trial, const struct jwt *token, struct slice name,
           struct slice *ret_text)
{
    struct slice value;
    if (!json_member(token->payload, name, &value) ||
        json_type(value) == JSON_NULL) {
        return refuse_word(trial, "the token's claim '", name, "' is missing");
    }
    return json_text(value, trial->arena, ret_text);
}

static enum status
check_claims(struct trial *trial, const struct jwt *token)
{
    const struct verify_rule *rule = trial->rule;
    for (size_t i = 0; i < rule->claim_count; i++) {
        const struct claim_spec *claim = &rule->claims[i];
        struct slice said;
        struct slice wanted;
        enum status status = find_claim(trial, token, claim->name, &said);
        if (status == STATUS_OK) {
            status = verify_eval(trial, claim->wanted, &wanted);
        }
        if (status != STATUS_OK) {
            return status;
        }
        if (!encode_same_secret(said, wanted)) {
            return refuse_word(trial, "the token's claim '", claim->name,
                               "' is not what was received");
        }
    }
    return STATUS_OK;
}

/* Reads a claim that is a time (seconds; a fraction is cut). */
static enum status
time_claim(struct trial *trial, const struct jwt *token, const char *name,
           int64_t *ret_ms)
{
    struct slice text;
    uint64_t seconds;
    enum status status = find_claim(trial, token, slice_of(name), &text);
    if (status != STATUS_OK) {
        return status;
    }
    text = slice_first(text, slice_find(text, '.'));
    if (slice_to_u64(text, &seconds) != STATUS_OK ||
        seconds > INT64_MAX / 1000) {
        return refuse_word(trial, "the token's claim '", slice_of(name),
                           "' is not a time");
    }
    *ret_ms = (int64_t)seconds * INSTANT_SECOND_MS;
    return STATUS_OK;
}

static bool
has_claim(const struct jwt *token, const char *name)
{
    struct slice value;
    return json_member(token->payload, slice_of(name), &value);
}

/* `iat` must be there where its age counts; `exp` and `nbf` count where they
 * are there. */
static enum status
check_times(struct trial *trial, const struct jwt *token)
{
    const int64_t max_ms = trial->rule->max_age_ms;
    const int64_t now_ms = trial->scope.now_ms - trial->scope.now_ms % 1000;
    enum status status = STATUS_OK;
    int64_t at_ms = now_ms;
    if (max_ms > 0) {
        status = time_claim(trial, token, "iat", &at_ms);
        if (status == STATUS_OK &&
            (at_ms > instant_add(now_ms, max_ms) || at_ms < now_ms - max_ms)) {
            return verify_refuse_age(trial, now_ms - at_ms, max_ms);
        }
    }
    if (status == STATUS_OK && has_claim(token, "exp")) {
        status = time_claim(trial, token, "exp", &at_ms);
        if (status == STATUS_OK && now_ms > instant_add(at_ms, LEEWAY_MS)) {
            return verify_refuse_age(trial, now_ms - at_ms, LEEWAY_MS);
        }
    }
    if (status == STATUS_OK && has_claim(token, "nbf")) {
        status = time_claim(trial, token, "nbf", &at_ms);
        if (status == STATUS_OK && at_ms > instant_add(now_ms, LEEWAY_MS)) {
            return verify_refuse_age(trial, now_ms - at_ms, LEEWAY_MS);
        }
    }
    return status;
}

enum status
verify_token(struct trial *trial)
{
    struct jwt token;
    struct error err = { "" };
    enum status status = jwt_read(without_scheme(trial->scope.signature),
                                  trial->arena, &token, &err);
    if (status == STATUS_INVALID) {
        return verify_refuse(trial, nothing, err.text);
    }
    if (status != STATUS_OK) {
        return status;
    }
    const struct jwt_alg *alg = listed_alg(trial->rule, token.alg);
    if (alg == NULL) {
        return refuse_word(trial, "the token's algorithm '", token.alg,
                           "' is not allowed");
    }
    status = check_signature(trial, &token, alg);
    if (status == STATUS_OK) {
        status = verify_asserts(trial);
    }
    if (status == STATUS_OK) {
        status = check_claims(trial, &token);
    }
    return status == STATUS_OK ? check_times(trial, &token) : status;
}
