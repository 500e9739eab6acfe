/* SPDX-License-Identifier: MIT */
/*
 * verify_key: a connector's secrets, decoded and prepared for one alternative
 * of its verification.
 */
#ifndef MODEL_VERIFY_KEY_H
#define MODEL_VERIFY_KEY_H

#include "base/mem.h"
#include "model/connector.h"

struct digest_key;

struct verify_key {
    struct slice text;       /* as configured, for {secret} */
    struct slice bytes;      /* decoded */
    struct digest_key *hmac; /* VERIFY_HMAC only */
};

/*
 * Prepares one key of `rule` for each secret that is material for it, and
 * tells which were in fits[]. A secret may be for another alternative, so one
 * that does not fit is no failure here.
 */
NODISCARD
enum status verify_key_prepare(struct verify_rule *rule,
                               const struct slice *secrets, size_t count,
                               struct arena *arena, bool *fits);

/* Says what the rule wants a secret to be, for messages. */
const char *verify_key_wanted(const struct verify_rule *rule);

/* Frees what the arena does not hold. */
void verify_key_release(struct verify_rule *rule);

#endif
