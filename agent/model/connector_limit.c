/* SPDX-License-Identifier: MIT */
/* Values of `poll` that say when to ask, when not, and when never again. */
#include <string.h>

#include "model/connector_draft.h"

static struct connector_draft *
draft_of(const struct config_binding *binding)
{
    return binding->user;
}

/* The values of a list; anything else is one. */
static const struct config_node *
first_value(const struct config_node *node)
{
    return node->kind == CONFIG_SEQUENCE ? node->children : node;
}

void
connector_poll_conditional(struct config_binding *binding,
                           const struct config_node *node, void *place)
{
    unsigned *conditional = place;
    const size_t count = connector_parse_count(node);
    const struct config_node *at = first_value(node);
    for (size_t i = 0; i < count; i++, at = at->next) {
        struct slice text;
        if (!connector_parse_scalar(binding, at, &text)) {
            continue;
        }
        if (slice_equal_text(text, "etag")) {
            *conditional |= CONDITIONAL_ETAG;
        } else if (slice_equal_text(text, "last_modified")) {
            *conditional |= CONDITIONAL_LAST_MODIFIED;
        } else if (!slice_equal_text(text, "none")) {
            connector_parse_refuse(binding, at,
                                   "must be etag, last_modified or none");
        }
    }
}

static void
parse_statuses(struct config_binding *binding, const struct config_node *node,
               int64_t **ret_statuses, size_t *ret_count)
{
    const size_t count = connector_parse_count(node);
    int64_t *statuses =
        arena_array(binding->arena, count + 1, sizeof(*statuses));
    if (statuses == NULL) {
        draft_of(binding)->nomem = true;
        return;
    }
    const struct config_node *at = first_value(node);
    *ret_statuses = statuses;
    for (size_t i = 0; i < count; i++, at = at->next) {
        unsigned status = 0;
        connector_verify_status(binding, at, &status);
        if (status != 0) {
            statuses[(*ret_count)++] = (int64_t)status;
        }
    }
}

void
connector_poll_statuses(struct config_binding *binding,
                        const struct config_node *node, void *place)
{
    struct limit_spec *limit =
        (void *)((char *)place - offsetof(struct limit_spec, statuses));
    parse_statuses(binding, node, &limit->statuses, &limit->status_count);
}

void
connector_poll_gone(struct config_binding *binding,
                    const struct config_node *node, void *place)
{
    struct limit_spec *limit =
        (void *)((char *)place - offsetof(struct limit_spec, gone));
    parse_statuses(binding, node, &limit->gone, &limit->gone_count);
}

/* A field's name, alone or as `{header: NAME}`. */
void
connector_poll_retry_header(struct config_binding *binding,
                            const struct config_node *node, void *place)
{
    struct slice *name = place;
    const struct config_node *value = node;
    if (node->kind == CONFIG_MAPPING) {
        value = config_node_child(node, "header");
        if (value == NULL || node->children->next != NULL) {
            connector_parse_refuse(binding, node, "has one key, 'header'");
            return;
        }
    }
    if (connector_parse_scalar(binding, value, name) &&
        !http_field_name_valid(*name)) {
        connector_parse_refuse(binding, value, "is no name of a field");
    }
}

/* What of a feed says how often it changes: `<ttl>` in minutes, and the
 * syndication module of RSS 1.0. */
static bool
is_of_feed(struct slice text, struct slice *ret_member)
{
    static const struct {
        struct slice written;
        struct slice member;
    } places[] = {
        { SLICE("feed:ttl"), SLICE("ttl") },
        { SLICE("feed:sy:updatePeriod"), SLICE("updatePeriod") },
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (slice_equal(text, places[i].written)) {
            *ret_member = places[i].member;
            return true;
        }
    }
    return false;
}

/* "Cache-Control.max-age": a directive of a field; "X-Interval": a field. */
void
connector_poll_interval_from(struct config_binding *binding,
                             const struct config_node *node, void *place)
{
    struct poll_spec *poll =
        (void *)((char *)place - offsetof(struct poll_spec, interval_from));
    const size_t count = connector_parse_count(node);
    struct interval_source *sources =
        arena_array(binding->arena, count + 1, sizeof(*sources));
    if (sources == NULL) {
        draft_of(binding)->nomem = true;
        return;
    }
    const struct config_node *at = first_value(node);
    poll->interval_from = sources;
    for (size_t i = 0; i < count; i++, at = at->next) {
        struct slice text;
        if (!connector_parse_scalar(binding, at, &text)) {
            continue;
        }
        const size_t dot = slice_find(text, '.');
        struct interval_source source = { .field = text };
        if (dot != SIZE_MAX) {
            source.field = slice_first(text, dot);
            source.directive = slice_from(text, dot + 1);
        }
        source.of_feed = is_of_feed(text, &source.field);
        if (source.of_feed || http_field_name_valid(source.field)) {
            sources[poll->interval_from_count++] = source;
        } else {
            connector_parse_refuse(binding, at,
                                   "must be a field, FIELD.DIRECTIVE such as "
                                   "Cache-Control.max-age, feed:ttl or "
                                   "feed:sy:updatePeriod");
        }
    }
}
