/* SPDX-License-Identifier: MIT */
/* The keys of the request that a list is guarded by. */
#include "model/connector_keys_private.h"

static const char *const gate_auths[] = { "same", "none", NULL };

static const struct config_key gate_keys[] = {
    KEY(gate_spec, "method", CONFIG_TEXT, request.method, .fallback = "GET",
        .doc = "The HTTP method."),
    CUSTOM(gate_spec, "url", request.url, connector_parse_request_text, STRING,
           "The URL, without its query."),
    CUSTOM(gate_spec, "query", request.query, connector_poll_query, PAIRS,
           "Query parameters."),
    CUSTOM(gate_spec, "headers", request.headers, connector_poll_headers, PAIRS,
           "Request fields."),
    CUSTOM(gate_spec, "json", request.body, connector_poll_json_body, TREE,
           "A JSON body."),
    CUSTOM(gate_spec, "form", request.form, connector_poll_form, PAIRS,
           "A form body."),
    KEY(gate_spec, "auth", CONFIG_CHOICE, auth, .choices = gate_auths,
        .fallback = "same",
        .doc = "`none`: asked without the credential of the list."),
    CUSTOM(gate_spec, "go_when", go_when, connector_parse_fail_when, WHEN,
           "What its answer says when there is something to read."),
    CUSTOM(gate_spec, "backoff", backoff, connector_parse_answer_source, STRING,
           "Where its answer says how many seconds to wait before asking "
           "again."),
    KEY(gate_spec, "client_timeout", CONFIG_DURATION, timeout_ms,
        .fallback = "90s", .min = "1s", .max = "10m",
        .doc = "How long it may hold the request."),
};

const struct config_table connector_gate_table = {
    .name = "gate",
    .keys = gate_keys,
    .count = sizeof(gate_keys) / sizeof(gate_keys[0]),
    .size = sizeof(struct gate_spec),
    .doc = "A request that is held until there is something to read.",
};
