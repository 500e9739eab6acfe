/* SPDX-License-Identifier: MIT */
/* Values of `poll.cursor` and of the requests around the list's own. */
#include <string.h>

#include "model/connector_draft.h"

static struct connector_draft *
draft_of(const struct config_binding *binding)
{
    return binding->user;
}

/* One of `expired`: a status, a condition on the answer, or both. */
static void
parse_expired(struct config_binding *binding, const struct config_node *node,
              struct expired_spec *into)
{
    struct config_node rest = *node;
    struct config_node **last = &rest.children;
    for (const struct config_node *at = node->children; at; at = at->next) {
        if (slice_equal_text(at->key, "status")) {
            connector_verify_status(binding, at, &into->status);
            continue;
        }
        struct config_node *copy =
            arena_array(binding->arena, 1, sizeof(*copy));
        if (copy == NULL) {
            draft_of(binding)->nomem = true;
            return;
        }
        *copy = *at;
        *last = copy;
        last = &copy->next;
    }
    *last = NULL;
    if (rest.children != NULL) {
        connector_parse_fail_when(binding, &rest, &into->when);
    } else if (into->status == 0) {
        connector_parse_refuse(binding, node,
                               "needs 'status', or 'x' and one of 'equals', "
                               "'present', 'regex'");
    }
}

void
connector_cursor_expired(struct config_binding *binding,
                         const struct config_node *node, void *place)
{
    struct cursor_spec *cursor =
        (void *)((char *)place - offsetof(struct cursor_spec, expired));
    const size_t count = connector_parse_count(node);
    cursor->expired =
        arena_array(binding->arena, count + 1, sizeof(*cursor->expired));
    if (cursor->expired == NULL) {
        draft_of(binding)->nomem = true;
        return;
    }
    const struct config_node *at =
        node->kind == CONFIG_SEQUENCE ? node->children : node;
    for (size_t i = 0; i < count; i++, at = at->next) {
        if (at->kind == CONFIG_MAPPING) {
            parse_expired(binding, at,
                          &cursor->expired[cursor->expired_count++]);
        } else {
            connector_parse_refuse(binding, at, "must be a mapping");
        }
    }
}
