/* SPDX-License-Identifier: MIT */
/* The keys that say how requests are proven genuine, and what we answer. */
#include "model/connector_keys_private.h"

static const char *const verify_types[] = { "hmac",  "hash",    "token",
                                            "basic", "ed25519", "ecdsa",
                                            "rsa",   "jwt",     "none",
                                            NULL };
static const char *const encodings[] = { "utf8", "hex", "base64", NULL };

static const struct config_key key_keys[] = {
    KEY(verify_rule, "encoding", CONFIG_CHOICE, key_encoding,
        .choices = encodings, .fallback = "utf8",
        .doc = "How the secret is written."),
    KEY(verify_rule, "strip_prefix", CONFIG_TEXT, key_strip,
        .doc = "A prefix that is not part of the key."),
    CUSTOM(verify_rule, "cert_url", cert_url, connector_parse_hook_source,
           STRING,
           "For rsa and ecdsa: where the request says that the certificate "
           "is."),
    CUSTOM(verify_rule, "allow", cert_allow, connector_verify_allow, STRING,
           "The URLs that `cert_url` may be: a regular expression, from "
           "^https:// and the host, written out, to a '/' at least."),
    KEY(verify_rule, "jwk", CONFIG_TABLE_PTR, jwk,
        .table = &connector_fetch_table,
        .doc = "For jwt: the request for the key that the token names; `{kid}` "
               "is a place. `auth` is none unless given."),
};
TABLE(key_table, "key", key_keys, verify_rule, "How the secret is read.");

static const struct config_key signature_keys[] = {
    CUSTOM(verify_rule, "from", from, connector_parse_hook_source, STRING,
           "Where the signature stands."),
    CUSTOM(verify_rule, "split", split, connector_verify_char, STRING,
           "What stands between several signatures."),
    CUSTOM(verify_rule, "kv", kv, connector_verify_char, STRING,
           "What stands between a name and its value."),
    KEY(verify_rule, "name", CONFIG_TEXT, name,
        .doc = "The name of the elements that count."),
    KEY(verify_rule, "trim", CONFIG_BOOL, trim, .fallback = "false",
        .doc = "Whether blanks around elements do not count."),
    KEY(verify_rule, "encoding", CONFIG_CHOICE, signature_encoding,
        .choices = encodings, .fallback = "hex",
        .doc = "How the signature is written."),
    CUSTOM(verify_rule, "compare", compare_bytes, connector_verify_compare,
           STRING,
           "`text` (the default) or `bytes`, which takes any spelling."),
};
TABLE(signature_table, "signature", signature_keys, verify_rule,
      "Where the signature is and how it is written.");

static const struct config_key timestamp_keys[] = {
    CUSTOM(verify_rule, "from", timestamp, connector_parse_hook_source, STRING,
           "Where the time of sending stands; it should be signed."),
    CUSTOM(verify_rule, "unit", timestamp_unit, connector_parse_timefmt, STRING,
           "`s`, `ms` or `iso8601`."),
    CUSTOM(verify_rule, "tolerance", tolerance_ms, connector_verify_tolerance,
           "{\"type\":[\"string\",\"integer\"]}",
           "The greatest age, in either direction."),
};
TABLE(timestamp_table, "timestamp", timestamp_keys, verify_rule,
      "The time of sending, which limits replay.");

static const struct config_key verify_keys[] = {
    CUSTOM(verify_rule, "when", when, connector_parse_when, WHEN,
           "Conditions; the first alternative that meets its own decides."),
    KEY(verify_rule, "type", CONFIG_CHOICE, type, .choices = verify_types,
        .required = true, .doc = "How requests are proven genuine."),
    { .name = "alg",
      .type = CONFIG_CUSTOM,
      .offset = offsetof(struct verify_rule, alg),
      .fallback = "sha256",
      .parse = connector_verify_alg,
      .schema = ALGS,
      .doc = "The digest. For jwt: the algorithms that are believed, such as "
             "[ES256]." },
    GROUP("key", key_table, "How the secret is read."),
    GROUP("signature", signature_table, "Where the signature is."),
    CUSTOM(verify_rule, "from", from, connector_parse_hook_source, STRING,
           "Where the token or the credentials stand."),
    CUSTOM(verify_rule, "token", from, connector_parse_hook_source, STRING,
           "The same as `from`, for jwt."),
    CUSTOM(verify_rule, "claims", claims, connector_verify_claims,
           "{\"type\":\"array\"}",
           "For jwt: pairs of a claim and a template that it must be equal "
           "to."),
    CUSTOM(verify_rule, "max_age", max_age_ms, connector_verify_tolerance,
           "{\"type\":[\"string\",\"integer\"]}",
           "For jwt: how far the claim `iat` may be from now."),
    GROUP("timestamp", timestamp_table, "The time of sending."),
    CUSTOM(verify_rule, "signed", signed_texts, connector_verify_signed,
           STRINGS, "The signed text; of several any may match."),
    CUSTOM(verify_rule, "each", each, connector_parse_path, STRING,
           "Verify every element of this array."),
    CUSTOM(verify_rule, "assert", asserts, connector_verify_asserts,
           "{\"type\":\"array\"}", "Pairs of templates that must be equal."),
    CUSTOM(verify_rule, "require_headers", require_headers,
           connector_parse_texts, STRINGS, "Fields a request must have."),
};

const struct config_table connector_verify_table = {
    .name = "verify",
    .keys = verify_keys,
    .count = sizeof(verify_keys) / sizeof(verify_keys[0]),
    .size = sizeof(struct verify_rule),
    .doc = "How requests are proven genuine; `use: NAME` takes another "
           "connector's.",
};

static const struct config_key answer_keys[] = {
    CUSTOM(answer_spec, "status", status, connector_verify_status,
           "{\"type\":\"integer\"}", "The HTTP status."),
    KEY(answer_spec, "type", CONFIG_TEXT, type, .doc = "The content type."),
    CUSTOM(answer_spec, "headers", fields, connector_verify_answer_headers,
           PAIRS, "Further fields."),
    CUSTOM(answer_spec, "body", body, connector_parse_hook_text, STRING,
           "The body."),
    CUSTOM(answer_spec, "json", pieces, connector_verify_answer_json, TREE,
           "The body as JSON."),
};

const struct config_table connector_answer_table = {
    .name = "answer",
    .keys = answer_keys,
    .count = sizeof(answer_keys) / sizeof(answer_keys[0]),
    .size = sizeof(struct answer_spec),
    .doc = "An answer of ours.",
};

static const struct config_key confirm_keys[] = {
    CUSTOM(confirm_spec, "url", url, connector_parse_hook_source, STRING,
           "Where the request says what to fetch."),
    CUSTOM(confirm_spec, "allow", allow, connector_verify_allow, STRING,
           "The URLs that it may be, as for `cert_url`."),
    CUSTOM(confirm_spec, "method", url, connector_verify_get,
           "{\"enum\":[\"GET\"]}", "`GET`: nothing else is sent."),
};
TABLE(confirm_table, "request", confirm_keys, confirm_spec,
      "What is fetched before we answer, and answered with 2xx.");

static const struct config_key handshake_keys[] = {
    CUSTOM(handshake, "when", when, connector_parse_when, WHEN,
           "Which requests are handshakes."),
    KEY(handshake, "verify", CONFIG_BOOL, verify, .fallback = "true",
        .doc = "Whether the request must be genuine."),
    KEY(handshake, "pending", CONFIG_BOOL, pending, .fallback = "false",
        .doc = "It is answered only while `subscribe` is at it."),
    KEY(handshake, "leaving", CONFIG_BOOL, leaving, .fallback = "false",
        .doc = "It is answered only while `subscribe --remove` is at it."),
    CUSTOM(
        handshake, "assert", asserts, connector_verify_intent,
        "{\"type\":\"array\"}",
        "With `pending` or `leaving`: pairs of templates that must be equal."),
    CUSTOM(handshake, "store_secret", store_secret, connector_parse_hook_source,
           STRING,
           "The secret that it brings: kept while `subscribe` is at it, where "
           "there is none yet."),
    KEY(handshake, "request", CONFIG_TABLE, confirm, .table = &confirm_table,
        .doc = "What is fetched first; where that fails: 503."),
    KEY(handshake, "respond", CONFIG_TABLE, respond,
        .table = &connector_answer_table, .doc = "What is answered."),
};

const struct config_table connector_handshake_table = {
    .name = "handshake",
    .keys = handshake_keys,
    .count = sizeof(handshake_keys) / sizeof(handshake_keys[0]),
    .size = sizeof(struct handshake),
    .doc = "Requests that prove who we are instead of bringing an event.",
};
