/* SPDX-License-Identifier: MIT */
/*
 * admin_refusals: requests that were not accepted, the newest first, and one
 * with its head.
 */
#include "app/admin_private.h"

static void
add_refusal(struct json_tree *tree, struct json_node *into,
            const struct view_refusal *refusal)
{
    admin_add_id(tree, into, "id", refusal->id);
    json_add_text(tree, into, "connector", refusal->connector);
    json_add_time(tree, into, "at", refusal->at_ms);
    json_add_text(tree, into, "cause",
                  slice_of(refusal_cause_name(refusal->cause)));
    json_add_text(tree, into, "why", refusal->why);
    json_add_i64(tree, into, "status", (int64_t)refusal->status);
    admin_add_words(tree, into, "peer", refusal->peer);
    json_add_i64(tree, into, "body_bytes", refusal->bytes);
    json_add_i64(tree, into, "more", refusal->more);
}

/* ---- the list ---- */

static bool
refusals_came(struct admin_look *look)
{
    struct view_refusals *refusals = &look->call.refusals;
    for (size_t i = 0; i < refusals->count; i++) {
        add_refusal(look->tree, json_add_object(look->tree, look->items, NULL),
                    &refusals->at[i]);
    }
    look->count += refusals->count;
    if (refusals->more && look->count < look->limit &&
        look->slices < ADMIN_SLICES) {
        refusals->before = refusals->next;
        refusals->limit = look->limit - look->count;
        admin_look_again(look);
        return false;
    }
    admin_look_cursor(look, refusals->more, refusals->next);
    return true;
}

static bool
read_cause(const struct admin_ask *ask, enum refusal_cause *ret)
{
    struct slice name;
    if (!admin_query(ask, "cause", &name) || refusal_cause_find(name, ret)) {
        return true;
    }
    admin_answer_problem(ask->exchange, 400,
                         "cause: bad_signature, stale, refused, too_large, "
                         "rate_limited or malformed is wanted here");
    return false;
}

static void
answer_refusals(struct admin_ask *ask)
{
    struct view_refusals refusals = { .look = ADMIN_SLICE };
    if (!read_cause(ask, &refusals.cause) ||
        !admin_query_connector(ask, &refusals.connector) ||
        !admin_query_time(ask, "since", &refusals.since_ms) ||
        !admin_query_time(ask, "until", &refusals.until_ms) ||
        !admin_query_id(ask, "cursor", &refusals.before) ||
        !admin_query_limit(ask, &refusals.limit)) {
        return;
    }
    struct admin_look *look =
        admin_look_create(ask, VIEW_REFUSALS, refusals_came);
    if (look != NULL) {
        look->limit = refusals.limit;
        look->items =
            json_add_array(look->tree, json_tree_root(look->tree), "items");
        look->call.refusals = refusals;
        admin_look_begin(look, ask);
    }
}

/* ---- one ---- */

static bool
refusal_came(struct admin_look *look)
{
    const struct view_refusals *refusals = &look->call.refusals;
    struct json_node *root = json_tree_root(look->tree);
    if (refusals->count == 0) {
        look->call.status =
            error_set(&look->call.err, STATUS_NOT_FOUND,
                      "there is no refusal of this number, or it is kept no "
                      "longer; 'longstop refusals' lists them");
        return true;
    }
    struct slice rest = refusals->at[0].head;
    struct slice line;
    add_refusal(look->tree, root, &refusals->at[0]);
    struct json_node *head = json_add_array(look->tree, root, "head");
    while (slice_split(&rest, '\n', &line)) {
        if (line.len > 0) {
            json_add_text(look->tree, head, NULL, line);
        }
    }
    return true;
}

static void
answer_refusal(struct admin_ask *ask)
{
    uint64_t id;
    if (slice_to_u64(ask->segment, &id) != STATUS_OK || id == 0 ||
        id >= INT64_MAX) {
        admin_answer_problem(ask->exchange, 404,
                             "a refusal is named by its number; 'longstop "
                             "refusals' lists them");
        return;
    }
    struct admin_look *look =
        admin_look_create(ask, VIEW_REFUSALS, refusal_came);
    if (look != NULL) {
        look->call.refusals =
            (struct view_refusals){ .id = id, .limit = 1, .look = 1 };
        admin_look_begin(look, ask);
    }
}

static const struct admin_route routes[] = {
    { "GET", "/api/v1/refusals", answer_refusals },
    { "GET", "/api/v1/refusals/{}", answer_refusal },
};

const struct admin_table admin_refusals_table = {
    routes, sizeof(routes) / sizeof(routes[0])
};
