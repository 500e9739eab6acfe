/* SPDX-License-Identifier: MIT */
/*
 * verify: is this request from who it says, and fresh? Pure: the clock is an
 * argument. The semantics are those of connectors/README.md, "Verification".
 */
#ifndef MODEL_VERIFY_H
#define MODEL_VERIFY_H

#include "base/bytes.h"
#include "base/mem.h"
#include "model/connector.h"
#include "wire/http_field.h"

#include <stdint.h>

/* A request as templates see it. All borrowed. */
struct inbound {
    struct slice method;
    struct slice path_query; /* the target as received */
    struct slice query;      /* raw, behind '?' */
    struct http_fields fields;
    struct slice body; /* as received, content coding removed */
    bool body_is_json; /* json_check passed: json: and item: may look */
};

enum verify_verdict {
    VERIFY_GENUINE,
    VERIFY_FORGED, /* wrong secret, altered, or something missing */
    VERIFY_STALE   /* genuine bytes, outside the tolerance */
};

/* Words for the operator (never for the sender, never a secret). */
struct verify_result {
    enum verify_verdict verdict;
    const struct verify_rule *rule; /* that decided; NULL when none applied */
    char why[160];
};

/*
 * Decides. All candidates are compared, in constant time. An absent place of a
 * template is a refusal. STATUS_NOMEM, or STATUS_OK with the verdict.
 */
NODISCARD
enum status verify_request(const struct connector *connector,
                           const struct inbound *request, int64_t now_ms,
                           struct arena *arena,
                           struct verify_result *ret_result);

/* Returns the first handshake whose conditions hold, or NULL. */
const struct handshake *verify_handshake(const struct connector *connector,
                                         const struct inbound *request,
                                         struct arena *arena);

/* Renders an answer for a request. STATUS_NOT_FOUND when a place is absent. */
NODISCARD
enum status verify_answer(const struct connector *connector,
                          const struct answer_spec *spec,
                          const struct inbound *request, struct arena *arena,
                          struct slice *ret_body);

#endif
