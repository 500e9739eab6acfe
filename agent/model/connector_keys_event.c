/* SPDX-License-Identifier: MIT */
/* The keys of what a webhook request says about its events. */
#include "model/connector_keys_private.h"

static const char *const event_modes[] = { "full", "thin", "signal", NULL };

static const char *const formats[] = { "own", "cloudevents", NULL };

static const struct config_key event_keys[] = {
    KEY(event_spec, "mode", CONFIG_CHOICE, mode, .choices = event_modes,
        .fallback = "full",
        .doc = "`full`; `thin`: the request names an object that is fetched "
               "before the first attempt; `signal`: it only asks for a walk."),
    KEY(event_spec, "fetch", CONFIG_TABLE, fetch,
        .table = &connector_fetch_table,
        .doc = "The request for the object of a thin event."),
    KEY(event_spec, "format", CONFIG_CHOICE, format, .choices = formats,
        .fallback = "own",
        .doc = "`cloudevents`: the requests are CloudEvents in binary, "
               "structured or batched mode; `item:` looks into the event as "
               "JSON."),
    CUSTOM(event_spec, "split", split, connector_parse_split, STRING,
           "The array whose elements are the events; feed: the entries of RSS "
           "or Atom."),
    KEY(event_spec, "max_batch", CONFIG_INT, max_batch, .fallback = "10000",
        .min = "1", .reloadable = true,
        .doc = "The most events of one request; one with more is refused."),
    CUSTOM(event_spec, "body", body, connector_parse_hook_body, STRING,
           "What is kept of the request or the element: a place whose text "
           "is the event's body, or `form`, a form as a JSON object; default: "
           "all."),
    CUSTOM(event_spec, "id", id, connector_parse_hook_source, STRING,
           "What identifies the event, stable over retries."),
    KEY(event_spec, "max_id", CONFIG_SIZE, max_id, .fallback = "8KiB",
        .min = "64B", .max = "32KiB", .reloadable = true,
        .doc = "The longest id or type, of rows too; handlers get both in "
               "their environment or in fields."),
    CUSTOM(event_spec, "type", type, connector_parse_hook_type, STRING,
           "Its type."),
    CUSTOM(event_spec, "time", time, connector_parse_event_time, TIMES,
           "When it happened, by the provider's clock."),
    CUSTOM(event_spec, "key_time", key_time, connector_parse_event_key_time,
           TIMES,
           "A time that is the same, to the second, in the list and on every "
           "retry."),
    CUSTOM(event_spec, "stamp", stamp, connector_parse_hook_source, STRING,
           "What inside the body makes equal bodies one event."),
    CUSTOM(event_spec, "replay_key", replay_key, connector_parse_hook_source,
           STRING,
           "What the provider signs only once, where the signature covers "
           "nothing of the event: seen before, the request is a duplicate."),
    CUSTOM(event_spec, "data", data, connector_parse_path, STRING,
           "The part of the body that handlers get as data."),
};
const struct config_table connector_event_table = {
    .name = "event",
    .keys = event_keys,
    .count = sizeof(event_keys) / sizeof(event_keys[0]),
    .size = sizeof(struct event_spec),
    .doc = "What a webhook request says about its events.",
};
