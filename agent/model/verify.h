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
    bool is_streamed;  /* came over a stream that we have opened */
    int64_t late_ms;   /* so much older than the tolerance its time may be */
};

enum verify_verdict {
    VERIFY_GENUINE,
    VERIFY_FORGED,   /* wrong secret, altered, or something missing */
    VERIFY_STALE,    /* genuine bytes, outside the tolerance */
    VERIFY_WANTS_KEY /* nobody can tell without the key, see `want` */
};

/* A public key that has to be fetched first. Borrows from the request and the
 * arena. */
struct verify_want {
    struct slice name; /* what it is kept by; of a certificate: its URL */
    const struct fetch_spec *jwk; /* NULL: a certificate at `name` */
    struct slice header; /* of the token: what the request's places stand for */
    struct slice kid;
};

/* A key that was fetched because it was wanted. */
struct verify_found {
    struct slice name;
    struct slice spki; /* DER SubjectPublicKeyInfo */
};

/* Words for the operator (never for the sender, never a secret). */
struct verify_result {
    enum verify_verdict verdict;
    const struct verify_rule *rule; /* that decided; NULL when none applied */
    struct verify_want want;        /* VERIFY_WANTS_KEY */
    char why[160];
};

/*
 * Decides. All candidates are compared, in constant time. An absent place of a
 * template is a refusal. `found` is the key that an earlier call wanted, or
 * NULL. STATUS_NOMEM, or STATUS_OK with the verdict.
 */
NODISCARD
enum status verify_request(const struct connector *connector,
                           const struct inbound *request,
                           const struct verify_found *found, int64_t now_ms,
                           struct arena *arena,
                           struct verify_result *ret_result);

/* Returns the first handshake whose conditions hold, or NULL. */
const struct handshake *verify_handshake(const struct connector *connector,
                                         const struct inbound *request,
                                         struct arena *arena);

/* Whether a URL that came with a request may be fetched: an http(s) URL of no
 * more than 2048 bytes that `allow` knows. STATUS_NOMEM, or STATUS_OK. */
NODISCARD
enum status verify_url_allowed(const struct pattern *allow, struct slice text,
                               struct arena *arena, bool *ret_allowed);

/*
 * Returns what a genuine handshake asks us to fetch before it is answered;
 * empty when nothing. STATUS_DENIED, with words, when that is not allowed, and
 * STATUS_NOT_FOUND when the request does not say what.
 */
NODISCARD
enum status verify_confirm(const struct connector *connector,
                           const struct handshake *handshake,
                           const struct inbound *request, struct arena *arena,
                           struct slice *ret_url, struct error *err);

/* Renders an answer for a request. STATUS_NOT_FOUND when a place is absent. */
NODISCARD
enum status verify_answer(const struct connector *connector,
                          const struct answer_spec *spec,
                          const struct inbound *request, struct arena *arena,
                          struct slice *ret_body);

/* Renders the fields of an answer. One with an absent place is left out, and
 * so is one whose value could not stand in a field. */
NODISCARD
enum status verify_answer_fields(const struct connector *connector,
                                 const struct answer_spec *spec,
                                 const struct inbound *request,
                                 struct arena *arena,
                                 struct http_fields *ret_fields);

/* Whether a handshake is for requests of this method, by a condition on
 * `method` with `equals`. */
bool verify_greets(const struct connector *connector, struct slice method);

#endif
