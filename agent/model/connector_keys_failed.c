/* SPDX-License-Identifier: MIT */
/* The keys of `recover.list_failed`, and their values. */
#include <string.h>

#include "model/connector_keys_private.h"

void
connector_failed_text(struct config_binding *binding,
                      const struct config_node *node, void *place)
{
    static const char *const kinds[] = { "var", "secret", "now", NULL };
    struct slice text;
    if (connector_parse_scalar(binding, node, &text)) {
        const struct template *t = connector_parse_template(
            binding, text, node, TEMPLATE_BARE_LITERAL, kinds, SIDE_FAILED);
        memcpy(place, &t, sizeof(t));
    }
}

static void
read_for_failed(struct config_binding *binding, const struct config_node *node,
                void *place, config_parse_fn *parse)
{
    struct connector_draft *draft = binding->user;
    draft->for_failed = true;
    parse(binding, node, place);
    draft->for_failed = false;
}

static void
parse_query(struct config_binding *binding, const struct config_node *node,
            void *place)
{
    read_for_failed(binding, node, place, connector_poll_query);
}

static void
parse_headers(struct config_binding *binding, const struct config_node *node,
              void *place)
{
    read_for_failed(binding, node, place, connector_poll_headers);
}

/* PATH: TEXT, or PATH_ne: TEXT for any other. */
static void
parse_where(struct config_binding *binding, const struct config_node *node,
            void *place)
{
    static const struct slice other = SLICE("_ne");
    struct connector_draft *draft = binding->user;
    struct failed_spec *failed =
        (void *)((char *)place - offsetof(struct failed_spec, where));
    size_t count = 0;
    if (node->kind != CONFIG_MAPPING) {
        connector_parse_refuse(binding, node, "must be a mapping of paths");
        return;
    }
    for (const struct config_node *at = node->children; at; at = at->next) {
        count++;
    }
    failed->where =
        arena_array(binding->arena, count + 1, sizeof(*failed->where));
    if (failed->where == NULL) {
        draft->nomem = true;
        return;
    }
    for (const struct config_node *at = node->children; at; at = at->next) {
        struct failed_where *where = &failed->where[failed->where_count];
        struct slice path = at->key;
        where->negated = slice_ends(path, other);
        if (where->negated) {
            path = slice_first(path, path.len - other.len);
        }
        where->path = connector_parse_json_path(binding, path, at);
        if (where->path != NULL &&
            connector_parse_scalar(binding, at, &where->text)) {
            failed->where_count++;
        }
    }
}

static const struct config_key failed_keys[] = {
    KEY(failed_spec, "method", CONFIG_TEXT, request.method, .fallback = "GET",
        .doc = "The HTTP method."),
    CUSTOM(failed_spec, "url", request.url, connector_failed_text, STRING,
           "The URL; default: the list's, with its query."),
    CUSTOM(failed_spec, "query", request.query, parse_query, PAIRS,
           "Query parameters."),
    CUSTOM(failed_spec, "headers", request.headers, parse_headers, PAIRS,
           "Request fields; default: the list's."),
    CUSTOM(failed_spec, "items", items, connector_parse_path, STRING,
           "The rows; default: as in the list."),
    CUSTOM(failed_spec, "id", id, connector_parse_row, STRING,
           "What a row is called; default: `record.id`."),
    CUSTOM(failed_spec, "next", next, connector_parse_path, STRING,
           "Where the answer has the URL of the next page; default: the "
           "field `Link`."),
    CUSTOM(failed_spec, "where", where, parse_where, PAIRS,
           "The values of a row that failed, by path; with `_ne` behind the "
           "path any other value."),
};

const struct config_table connector_failed_table = {
    .name = "list_failed",
    .keys = failed_keys,
    .count = sizeof(failed_keys) / sizeof(failed_keys[0]),
    .size = sizeof(struct failed_spec),
    .doc = "Where the provider lists what it could not deliver.",
};
