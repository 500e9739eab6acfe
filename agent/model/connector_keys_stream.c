/* SPDX-License-Identifier: MIT */
/* The keys of what comes over a relay's stream. */
#include "model/connector_keys_private.h"
#include "model/connector_stream.h"

static const char *const auth_types[] = { "none",   "bearer", "basic",
                                          "header", "query",  NULL };

static const struct config_key auth_keys[] = {
    KEY(auth_spec, "type", CONFIG_CHOICE, type, .choices = auth_types,
        .fallback = "none", .doc = "How the request proves who we are."),
    KEY(auth_spec, "name", CONFIG_TEXT, name,
        .doc = "The field or the query parameter."),
    CUSTOM(auth_spec, "value", value, connector_stream_text, STRING,
           "Its value, such as `{secret:relay_token}`."),
    CUSTOM(auth_spec, "user", user, connector_stream_text, STRING,
           "For basic."),
    CUSTOM(auth_spec, "password", password, connector_stream_text, STRING,
           "For basic; default: empty."),
};
TABLE(auth_table, "auth", auth_keys, auth_spec,
      "How the request proves who we are.");

static const struct config_key last_id_keys[] = {
    KEY(stream_spec, "header", CONFIG_TEXT, last_id_header,
        .fallback = "Last-Event-ID", .doc = "The request field that names it."),
    KEY(stream_spec, "query", CONFIG_TEXT, last_id_query,
        .doc = "The query parameter in its place."),
};
TABLE(last_id_table, "last_id", last_id_keys, stream_spec,
      "How the relay is told where to go on.");

static const struct config_key from_keys[] = {
    CUSTOM(forward_spec, "method", method, connector_parse_hook_source, STRING,
           "The request's method; default: POST."),
    CUSTOM(forward_spec, "headers", headers, connector_parse_path, STRING,
           "The object whose members are its fields; members that are no text "
           "are left out."),
    CUSTOM(forward_spec, "query", query, connector_parse_path, STRING,
           "Its query: an object, or the text behind the question mark."),
    CUSTOM(forward_spec, "body", body, connector_parse_hook_source, STRING,
           "Its body, such as `{json:body_b64|unbase64}`."),
};
TABLE(from_table, "request_from", from_keys, forward_spec,
      "Where the request stands in an event's data.");

static const struct config_key stream_keys[] = {
    KEY(stream_spec, "use", CONFIG_TEXT, use,
        .doc = "Takes the `stream` of another file, such as `smee`; what is "
               "said here is laid over it."),
    CUSTOM(stream_spec, "url", request.url, connector_stream_text, STRING,
           "The URL of the stream, without its query; it is not moved to "
           "`base`."),
    CUSTOM(stream_spec, "query", request.query, connector_stream_query, PAIRS,
           "Query parameters."),
    CUSTOM(stream_spec, "headers", request.headers, connector_stream_headers,
           PAIRS, "Request fields."),
    KEY(stream_spec, "auth", CONFIG_TABLE, auth, .table = &auth_table,
        .doc = "How the request proves who we are."),
    GROUP("last_id", last_id_table, "How the relay is told where to go on."),
    KEY(stream_spec, "liveness", CONFIG_DURATION, liveness_ms,
        .fallback = "60s", .min = "1s", .max = "1h",
        .doc = "After so long without a byte the connection is opened anew: "
               "twice as long as the relay's heartbeat."),
    KEY(stream_spec, "max_event", CONFIG_SIZE, max_event, .fallback = "4MiB",
        .min = "1KiB", .max = "64MiB",
        .doc = "The largest event; a larger one is passed over, and counted."),
    KEY(stream_spec, "late", CONFIG_DURATION, late_ms, .fallback = "1d",
        .min = "0s", .max = "90d",
        .doc = "How much older than `tolerance` a signed time may be, for what "
               "the relay kept while nobody listened."),
    CUSTOM(stream_spec, "events", events, connector_parse_texts, STRINGS,
           "Globs of the types of its events that count; default: all."),
    KEY(stream_spec, "request_from", CONFIG_TABLE, from, .table = &from_table,
        .doc = "Where the request stands in an event's data; default: the data "
               "are its body."),
};

const struct config_table connector_stream_table = {
    .name = "stream",
    .keys = stream_keys,
    .count = sizeof(stream_keys) / sizeof(stream_keys[0]),
    .size = sizeof(struct stream_spec),
    .doc = "What comes over a relay, through a request of ours.",
};
