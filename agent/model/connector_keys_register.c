/* SPDX-License-Identifier: MIT */
/* The keys of `register`: how a provider is told to send webhooks. */
#include "model/connector_keys_private.h"

static const char *const alphabets[] = { "text", "hex", "whsec", NULL };
static const char *const auth_types[] = { "none",   "bearer", "basic",
                                          "header", "query",  NULL };

/* What every request of a registration has; the struct's member is `request`.
 */
#define REQUEST(struct_)                                                       \
    KEY(struct_, "method", CONFIG_TEXT, request.method, .fallback = "GET",     \
        .doc = "The HTTP method."),                                            \
        CUSTOM(struct_, "url", request.url, connector_register_text, STRING,   \
               "The URL, without its query."),                                 \
        CUSTOM(struct_, "query", request.query, connector_register_query,      \
               PAIRS, "Query parameters."),                                    \
        CUSTOM(struct_, "headers", request.headers,                            \
               connector_register_headers, PAIRS, "Request fields."),          \
        CUSTOM(struct_, "json", request.body, connector_register_json, TREE,   \
               "A JSON body; \"{events}\" is a list in it, and an element or " \
               "a member that names `{event}` is there once for each."),       \
        CUSTOM(struct_, "form", request.form, connector_register_form, PAIRS,  \
               "A form body; a field that names `{event}` is sent once for "   \
               "each."),                                                       \
        CUSTOM(struct_, "graphql", request.body, connector_register_graphql,   \
               TREE, "A GraphQL `query` and its `variables`.")

static const struct config_key auth_keys[] = {
    KEY(auth_spec, "type", CONFIG_CHOICE, type, .choices = auth_types,
        .fallback = "none", .doc = "How the request proves who we are."),
    KEY(auth_spec, "name", CONFIG_TEXT, name,
        .doc = "The field or the query parameter."),
    CUSTOM(auth_spec, "value", value, connector_register_text, STRING,
           "Its value; default: `{secret:api_key}`."),
    CUSTOM(auth_spec, "user", user, connector_register_text, STRING,
           "For basic; default: `{secret:api_key}`."),
    CUSTOM(auth_spec, "password", password, connector_register_text, STRING,
           "For basic; default: empty."),
};
TABLE(auth_table, "auth", auth_keys, auth_spec,
      "How the request proves who we are.");

static const struct config_key list_keys[] = {
    REQUEST(register_list),
    CUSTOM(register_list, "items", items, connector_parse_path, STRING,
           "The hooks of the answer; default: the answer."),
    CUSTOM(register_list, "next", next, connector_parse_path, STRING,
           "Where the answer has the URL of the next page; default: the "
           "field `Link`."),
    CUSTOM(register_list, "id", id, connector_parse_path, STRING,
           "What identifies a hook."),
    CUSTOM(register_list, "events", events, connector_parse_path, STRING,
           "What a hook is registered for."),
    CUSTOM(register_list, "find", find, connector_register_find, PAIRS,
           "The values that tell our hook, by path: `{url: \"{hook_url}\"}`."),
    CUSTOM(register_list, "want", want, connector_register_want, PAIRS,
           "The values of a hook that is as it should be, by path: `{active: "
           "true}`."),
};
TABLE(list_table, "list", list_keys, register_list,
      "Which hooks there are already.");

static const struct config_key create_keys[] = {
    REQUEST(register_request),
    CUSTOM(register_request, "id", id, connector_parse_path, STRING,
           "What identifies the new hook, in the answer."),
    CUSTOM(register_request, "expect", expect, connector_verify_status,
           "{\"type\":\"integer\"}",
           "The status that means yes; default: any 2xx."),
};
TABLE(create_table, "create", create_keys, register_request,
      "The request that makes a hook.");

static const struct config_key request_keys[] = {
    REQUEST(register_request),
    CUSTOM(register_request, "expect", expect, connector_verify_status,
           "{\"type\":\"integer\"}",
           "The status that means yes; default: any 2xx."),
};
TABLE(change_table, "request", request_keys, register_request,
      "A request about the hook {id}.");

static const struct config_key renew_keys[] = {
    KEY(register_spec, "every", CONFIG_DURATION, renew_every_ms, .min = "1m",
        .max = "365d", .required = true,
        .doc = "How long a hook may go without; less than half of its life."),
    KEY(register_spec, "request", CONFIG_TABLE, renew, .table = &change_table,
        .doc = "The request that renews it; default: `create` once more."),
};
TABLE(renew_table, "renew", renew_keys, register_spec,
      "How a hook that ends by itself is kept alive.");

static const struct config_key secret_keys[] = {
    REQUEST(register_secret),
    KEY(register_secret, "generate", CONFIG_CHOICE, generate,
        .choices = alphabets,
        .doc = "Made up here and sent as `{generated}`: 32 random bytes as "
               "`text` (A-Z a-z 0-9 - _), as `hex`, or as `whsec` (whsec_ and "
               "base64)."),
    CUSTOM(register_secret, "from", from, connector_parse_path, STRING,
           "Where the answer has it: that of `create`, or of the request "
           "written here."),
    KEY(register_secret, "words", CONFIG_TEXT, words,
        .doc = "Where people find it, when no answer has it."),
};
TABLE(secret_table, "secret", secret_keys, register_secret,
      "Where the secret of the hook comes from.");

static const struct config_key register_keys[] = {
    KEY(register_spec, "events", CONFIG_TEXTS, events,
        .doc = "What we want to hear of, in the provider's words; `[]`: of "
               "all that it has."),
    KEY(register_spec, "per_event", CONFIG_BOOL, per_event, .fallback = "false",
        .doc = "A hook is for one event: there is one for each."),
    KEY(register_spec, "auth", CONFIG_TABLE_PTR, auth, .table = &auth_table,
        .doc = "How the requests prove who we are; default: as the list's."),
    CUSTOM(register_spec, "fail_when", fail_when, connector_parse_fail_when,
           WHEN, "What makes a good answer an error."),
    KEY(register_spec, "list", CONFIG_TABLE, list, .table = &list_table,
        .doc = "Which hooks there are already."),
    KEY(register_spec, "id_as", CONFIG_TEXT, id_as,
        .doc = "The parameter that the id of the hook is: kept for when the "
               "configuration does not give it."),
    KEY(register_spec, "create", CONFIG_TABLE, create, .table = &create_table,
        .doc = "The request that makes a hook."),
    KEY(register_spec, "update", CONFIG_TABLE, update, .table = &change_table,
        .doc = "The request that sets the hook {id} right; default: it is "
               "deleted and made anew."),
    KEY(register_spec, "delete", CONFIG_TABLE, remove, .table = &change_table,
        .doc = "The request that takes the hook {id} away."),
    GROUP("renew", renew_table,
          "How a hook that ends by itself is kept alive."),
    KEY(register_spec, "secret", CONFIG_TABLE, secret, .table = &secret_table,
        .schema = STRING,
        .doc =
            "Where the secret comes from: a path in the answer (`$.secret`), "
            "a request, `{generate: text}`, or words that say where people "
            "find it."),
    KEY(register_spec, "by_hand", CONFIG_TEXTS, by_hand,
        .doc = "What people have to do where there is no request for it."),
    KEY(register_spec, "ports", CONFIG_TEXTS, ports,
        .doc = "The only ports that the provider delivers to."),
    KEY(register_spec, "https", CONFIG_BOOL, https, .fallback = "false",
        .doc = "The provider delivers to https alone."),
    KEY(register_spec, "check_every", CONFIG_DURATION, check_every_ms,
        .fallback = "1h", .min = "0s", .max = "30d",
        .doc = "How often a running agent looks whether the hook that "
               "`subscribe` made is as it should be; it changes nothing. 0s: "
               "never."),
    KEY(register_spec, "pending", CONFIG_DURATION, pending_ms,
        .fallback = "10m", .min = "1s", .max = "1d",
        .doc = "How long after the request the provider may come with the "
               "handshakes that belong to it."),
};

const struct config_table connector_register_table = {
    .name = "register",
    .keys = register_keys,
    .count = sizeof(register_keys) / sizeof(register_keys[0]),
    .size = sizeof(struct register_spec),
    .doc = "How the provider is told to send webhooks.",
};
