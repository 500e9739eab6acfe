/* SPDX-License-Identifier: MIT */
/*
 * admin_gaps: spans that could not be read, and that somebody has looked at
 * one.
 */
#include "app/admin_private.h"

static void
add_gap(struct json_tree *tree, struct json_node *items,
        const struct view_gap *gap)
{
    static const char *const closers[] = {
        [GAP_BY_OPERATOR] = "operator",
        [GAP_BY_BACKFILL] = "backfill",
    };
    struct json_node *item = json_add_object(tree, items, NULL);
    admin_add_id(tree, item, "id", gap->id);
    json_add_text(tree, item, "connector", gap->connector);
    json_add_text(tree, item, "kind", slice_of(gap_kind_name(gap->gap.kind)));
    json_add_time(tree, item, "from", gap->gap.from_ms);
    json_add_time(tree, item, "to", gap->gap.to_ms);
    json_add_time(tree, item, "found", gap->found_ms);
    json_add_time(tree, item, "closed", gap->closed_ms);
    bool known =
        gap->closed_by == GAP_BY_OPERATOR || gap->closed_by == GAP_BY_BACKFILL;
    admin_add_words(tree, item, "closed_by",
                    slice_of(known ? closers[gap->closed_by] : ""));
}

static bool
gaps_came(struct admin_look *look)
{
    const struct view_gaps *gaps = &look->call.gaps;
    for (size_t i = 0; i < gaps->count; i++) {
        add_gap(look->tree, look->items, &gaps->at[i]);
    }
    admin_look_cursor(look, gaps->more,
                      gaps->count == 0 ? 0 : gaps->at[gaps->count - 1].id);
    return true;
}

static void
answer_gaps(struct admin_ask *ask)
{
    struct view_gaps gaps = { .open_only = admin_query_flag(ask, "open") };
    if (!admin_query_connector(ask, &gaps.connector) ||
        !admin_query_id(ask, "cursor", &gaps.before) ||
        !admin_query_limit(ask, &gaps.limit)) {
        return;
    }
    struct admin_look *look = admin_look_create(ask, VIEW_GAPS, gaps_came);
    if (look != NULL) {
        look->items =
            json_add_array(look->tree, json_tree_root(look->tree), "items");
        look->call.gaps = gaps;
        admin_look_begin(look, ask);
    }
}

/* ---- closing one ---- */

struct closing {
    struct admin_wait wait;
    struct store_call call;
    struct store_gap_close close;
};

static void
answer_closed(struct closing *closing)
{
    struct http_exchange *exchange = closing->wait.exchange;
    struct json_tree *tree = NULL;
    if (closing->call.status != STATUS_OK) {
        admin_answer_status(exchange, closing->call.status, &closing->call.err);
    } else if (closing->close.closed == 0) {
        admin_answer_problem(exchange, 404,
                             "there is no open gap of this number");
    } else {
        if (json_tree_create(&tree) == STATUS_OK) {
            admin_add_id(tree, json_tree_root(tree), "closed",
                         closing->close.id);
        }
        admin_answer_tree(exchange, tree);
    }
}

static void
closed(struct store_call *call)
{
    struct closing *closing = call->arg;
    if (closing->wait.admin != NULL) {
        admin_wait_end(&closing->wait);
        answer_closed(closing);
    }
    mem_free(closing);
}

static void
answer_close(struct admin_ask *ask)
{
    uint64_t id;
    if (slice_to_u64(ask->segment, &id) != STATUS_OK || id == 0 ||
        id > INT64_MAX) {
        admin_answer_problem(ask->exchange, 404,
                             "there is no open gap of this number");
        return;
    }
    struct closing *closing = mem_zero(sizeof(*closing));
    if (closing == NULL) {
        admin_answer_status(ask->exchange, STATUS_NOMEM, NULL);
        return;
    }
    closing->close =
        (struct store_gap_close){ .id = id, .by = GAP_BY_OPERATOR };
    closing->call = (struct store_call){
        .kind = STORE_CALL_UNIT,
        .done = closed,
        .arg = closing,
        .unit = { .closes = &closing->close, .close_count = 1 },
    };
    enum status status =
        store_worker_submit(ask->admin->settings.worker, &closing->call);
    if (status != STATUS_OK) {
        mem_free(closing);
        admin_answer_status(ask->exchange, status, NULL);
        return;
    }
    admin_wait_begin(&closing->wait, ask);
}

static const struct admin_route routes[] = {
    { "GET", "/api/v1/gaps", answer_gaps },
    { "POST", "/api/v1/gaps/{}/close", answer_close },
};

const struct admin_table admin_gaps_table = { routes, sizeof(routes) /
                                                          sizeof(routes[0]) };
