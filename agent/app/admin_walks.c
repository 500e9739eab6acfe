/* SPDX-License-Identifier: MIT */
/*
 * admin_walks: the last walks of a connector, with their times and what they
 * brought.
 */
#include "app/admin_private.h"

#include "model/walk.h"

/* A tier by its number; what reads past spans is none. */
static void
add_tier(struct json_tree *tree, struct json_node *item, unsigned tier)
{
    bool is_backfill = tier == WALK_TIER_BACKFILL;
    if (is_backfill) {
        json_add_null(tree, item, "tier");
    } else {
        json_add_i64(tree, item, "tier", tier);
    }
    json_add_text(
        tree, item, "via",
        slice_of(channel_name(is_backfill ? CHANNEL_BACKFILL : CHANNEL_POLL)));
}

static void
add_walk(struct json_tree *tree, struct json_node *items, unsigned tier,
         const struct walk_log_entry *entry)
{
    struct json_node *item = json_add_object(tree, items, NULL);
    add_tier(tree, item, tier);
    json_add_time(tree, item, "started", entry->started_ms);
    json_add_time(tree, item, "ended", entry->ended_ms);
    json_add_i64(tree, item, "walks", entry->walks);
    json_add_text(tree, item, "outcome",
                  slice_of(poll_outcome_name(entry->outcome)));
    json_add_i64(tree, item, "pages", entry->pages);
    json_add_i64(tree, item, "rows", (int64_t)entry->rows);
    json_add_i64(tree, item, "new", (int64_t)entry->fresh);
    json_add_i64(tree, item, "known", (int64_t)entry->known);
    json_add_time(tree, item, "complete_until", entry->complete_until_ms);
}

static void
add_walks(const struct walks *walks, const struct connector *connector,
          struct json_tree *tree)
{
    struct json_node *items =
        json_add_array(tree, json_tree_root(tree), "items");
    const struct walk_log *log;
    unsigned tier;
    for (size_t i = 0; (log = walks_log(walks, connector, i, &tier)) != NULL;
         i++) {
        const struct walk_log_entry *entry;
        for (size_t j = 0; (entry = walk_log_entry(log, j)) != NULL; j++) {
            add_walk(tree, items, tier, entry);
        }
    }
}

static void
answer_walks(struct admin_ask *ask)
{
    const struct connector *connector =
        admin_connector(ask->admin, ask->segment);
    struct json_tree *tree = NULL;
    if (connector == NULL) {
        admin_answer_problem(ask->exchange, 404,
                             "no connector of this name is configured");
        return;
    }
    if (json_tree_create(&tree) == STATUS_OK) {
        add_walks(ask->admin->settings.walks, connector, tree);
    }
    admin_answer_tree(ask->exchange, tree);
}

static const struct admin_route routes[] = {
    { "GET", "/api/v1/connectors/{}/walks", answer_walks },
};

const struct admin_table admin_walks_table = { routes, sizeof(routes) /
                                                           sizeof(routes[0]) };
