/* SPDX-License-Identifier: MIT */
/*
 * verify_private: what verify.c (requests), verify_key.c (where public keys
 * come from), verify_members.c (places signed one by one) and verify_token.c
 * (signed tokens) share: one request being judged.
 */
#ifndef MODEL_VERIFY_PRIVATE_H
#define MODEL_VERIFY_PRIVATE_H

#include "model/scope.h"
#include "model/verify.h"

/* Providers in the middle of a rotation send two; the rest is noise. */
#define CANDIDATES_MAX 32

/* One request, or one element of a batch, being judged. */
struct trial {
    const struct verify_rule *rule;
    struct scope scope;
    struct arena *arena;
    struct verify_result *result;
    const struct verify_found *found; /* NULL: nothing was fetched */
    struct slice spki;                /* of the key that was */
    struct slice candidates[CANDIDATES_MAX];
    size_t candidate_count;
};

/* Says why not: "X-Signature" and " is missing". Returns STATUS_DENIED. */
enum status verify_refuse(struct trial *trial, struct slice what,
                          const char *words);

/* Says that the stamp is `age_ms` from now, outside of what is allowed. */
enum status verify_refuse_age(struct trial *trial, int64_t age_ms,
                              int64_t allowed_ms);

/* Evaluates a place that must be there: absent is a refusal, never an empty
 * text. */
NODISCARD
enum status verify_eval(struct trial *trial, const struct template *t,
                        struct slice *ret_text);

/* Refuses a body that names a place twice which is signed by itself: the first
 * was signed, and who reads the last would act on what nobody has. */
NODISCARD
enum status verify_members(struct trial *trial);

/* Holds `assert` of the rule against the request. */
NODISCARD
enum status verify_asserts(struct trial *trial);

/*
 * Takes the key that a certificate of the request brings from what was found.
 * Else STATUS_DENIED: with the verdict VERIFY_WANTS_KEY where the URL may be
 * fetched, or refused.
 */
NODISCARD
enum status verify_key_certificate(struct trial *trial);

/* The same for the key that a token names. */
NODISCARD
enum status verify_key_named(struct trial *trial, struct slice header,
                             struct slice kid);

/* Judges the token that stands where the signature does. */
NODISCARD
enum status verify_token(struct trial *trial);

#endif
