/* SPDX-License-Identifier: MIT */
/* Where rows and events are: a path, or the entries of a feed. */
#include "model/connector_draft.h"

/* Reads a path; `feed` means the entries of the JSON that feeds become. */
static const struct json_path *
read_place(struct config_binding *binding, const struct config_node *node,
           struct slice text, bool *ret_feed)
{
    *ret_feed = slice_equal_text(text, "feed");
    return connector_parse_json_path(
        binding, *ret_feed ? slice_of("items[*]") : text, node);
}

/* `events[*]?`: an answer that leaves the list out has no rows. */
void
connector_poll_items(struct config_binding *binding,
                     const struct config_node *node, void *place)
{
    struct poll_spec *poll =
        (void *)((char *)place - offsetof(struct poll_spec, items));
    struct slice text;
    if (!connector_parse_scalar(binding, node, &text)) {
        return;
    }
    poll->items_optional = slice_ends(text, slice_of("?"));
    if (poll->items_optional) {
        text = slice_first(text, text.len - 1);
    }
    poll->items = read_place(binding, node, text, &poll->items_in_feed);
}

void
connector_parse_split(struct config_binding *binding,
                      const struct config_node *node, void *place)
{
    struct event_spec *event =
        (void *)((char *)place - offsetof(struct event_spec, split));
    struct slice text;
    if (connector_parse_scalar(binding, node, &text)) {
        event->split = read_place(binding, node, text, &event->split_feed);
    }
}
