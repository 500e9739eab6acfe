/* SPDX-License-Identifier: MIT */
/*
 * admin_keys: whether ids of a connector's two channels ever meet, by type, and
 * how often what was known was shown again.
 */
#include "app/admin_private.h"

#include "flow/accounting.h"
#include "io/clock.h"

static void
add_counts(struct json_tree *tree, struct json_node *into,
           const struct view_key *key, struct slice verdict)
{
    json_add_text(tree, into, "verdict", verdict);
    json_add_i64(tree, into, "webhook", key->webhook);
    json_add_i64(tree, into, "walk", key->walk);
    json_add_i64(tree, into, "stream", key->stream);
    json_add_i64(tree, into, "met", key->met);
    json_add_i64(tree, into, "confirmed", key->confirmed);
    json_add_i64(tree, into, "recovered", key->recovered);
    json_add_i64(tree, into, "late", key->late);
    json_add_i64(tree, into, "webhook_only", key->webhook_only);
}

static struct slice
verdict_on(const struct view_key *key)
{
    static const char *const names[] = { [MEETING_YES] = "meet",
                                         [MEETING_NEVER] = "never",
                                         [MEETING_FEW] = "not_yet",
                                         [MEETING_ONE] = "one_channel" };
    return slice_of(
        names[accounting_meeting(key->webhook, key->walk, key->met)]);
}

static struct view_key
sum_of(const struct view_keys *keys)
{
    struct view_key sum = { 0 };
    for (size_t i = 0; i < keys->count; i++) {
        const struct view_key *key = &keys->at[i];
        sum.webhook += key->webhook;
        sum.walk += key->walk;
        sum.stream += key->stream;
        sum.met += key->met;
        sum.confirmed += key->confirmed;
        sum.recovered += key->recovered;
        sum.late += key->late;
        sum.webhook_only += key->webhook_only;
    }
    return sum;
}

/* Of the channels that the connector has; `from` NULL: none of any. */
static void
add_duplicates(struct json_tree *tree, struct json_node *into,
               const struct telemetry_connector *counts,
               const struct duplicates_type *from)
{
    struct json_node *node = json_add_object(tree, into, "duplicates");
    for (enum channel via = 0; via < CHANNEL_COUNT; via++) {
        if (counts->duplicates[via] != NULL) {
            json_add_i64(tree, node, channel_name(via),
                         from == NULL ? 0 : from->by[via]);
        }
    }
}

static void
add_type(struct json_tree *tree, struct json_node *items,
         const struct view_key *key, const struct telemetry_connector *counts)
{
    struct json_node *item = json_add_object(tree, items, NULL);
    json_add_text(tree, item, "type", key->type);
    add_counts(tree, item, key, verdict_on(key));
    add_duplicates(tree, item, counts,
                   duplicates_find(counts->by_type, key->type));
}

/* Types of which no event is kept, and one was shown again. */
static void
add_gone(struct json_tree *tree, struct json_node *items,
         const struct view_keys *keys, const struct telemetry_connector *counts)
{
    size_t count;
    const struct duplicates_type *types =
        duplicates_types(counts->by_type, &count);
    for (size_t i = 0; i < count; i++) {
        const struct view_key gone = { .type = types[i].type };
        bool is_kept = false;
        for (size_t k = 0; k < keys->count && !is_kept; k++) {
            is_kept = slice_equal(keys->at[k].type, gone.type);
        }
        if (!is_kept) {
            add_type(tree, items, &gone, counts);
        }
    }
}

static bool
keys_came(struct admin_look *look)
{
    static const char *const modes[] = {
        [MATCH_NONE] = "none", [MATCH_EVENT] = "event", [MATCH_STATE] = "state"
    };
    struct view_keys *keys = &look->call.keys;
    if (keys->more) {
        keys->before = keys->next;
        admin_look_again(look);
        return false;
    }
    const struct admin_settings_of_agent *settings =
        &look->wait.admin->settings;
    const struct telemetry_connector counts =
        telemetry_of_connector(settings->telemetry, look->connector);
    struct duplicates_type again = { 0 };
    for (enum channel via = 0; via < CHANNEL_COUNT; via++) {
        again.by[via] = (int64_t)metric_value(counts.duplicates[via]);
    }
    struct json_node *root = json_tree_root(look->tree);
    struct view_key sum = sum_of(keys);
    json_add_text(look->tree, root, "connector", look->connector->name);
    json_add_text(look->tree, root, "match",
                  slice_of(modes[look->connector->match.mode]));
    add_counts(look->tree, root, &sum, verdict_on(&sum));
    add_duplicates(look->tree, root, &counts, &again);
    json_add_time(look->tree, root, "started", settings->started_ms);
    struct json_node *items = json_add_array(look->tree, root, "items");
    for (size_t i = 0; i < keys->count; i++) {
        add_type(look->tree, items, &keys->at[i], &counts);
    }
    add_gone(look->tree, items, keys, &counts);
    return true;
}

static void
answer_keys(struct admin_ask *ask)
{
    const struct connector *connector =
        admin_connector(ask->admin, ask->segment);
    if (connector == NULL) {
        admin_answer_problem(ask->exchange, 404,
                             "no connector of this name is configured");
        return;
    }
    struct admin_look *look = admin_look_create(ask, VIEW_KEYS, keys_came);
    if (look == NULL) {
        return;
    }
    bool both = connector_has_hooks(connector) && connector->has_poll;
    look->connector = connector;
    look->call.keys = (struct view_keys){
        .connector = connector->id,
        /* With one channel nothing is missed, and nothing recovered. */
        .grace_ms = both ? connector->grace_ms : INT64_MAX,
        .now_ms = clock_unix_ms(),
        .look = ADMIN_SLICE,
    };
    struct view_keys *keys = &look->call.keys;
    if (!both || connector->match.mode != MATCH_EVENT ||
        !walks_behind(ask->admin->settings.walks, connector,
                      &keys->behind_from_ms, &keys->behind_until_ms)) {
        keys->behind_until_ms = 0;
    }
    admin_look_begin(look, ask);
}

static const struct admin_route routes[] = {
    { "GET", "/api/v1/connectors/{}/keys", answer_keys },
};

const struct admin_table admin_keys_table = { routes, sizeof(routes) /
                                                          sizeof(routes[0]) };
