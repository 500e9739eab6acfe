/* SPDX-License-Identifier: MIT */
/*
 * admin_reload: reading the configuration again; answered once another one
 * runs, or why it does not.
 */
#include "app/admin_private.h"

#include "app/difference.h"

struct waiter {
    struct admin_wait wait;
    struct reload_wait reload;
};

static void
dropped(struct admin_wait *wait)
{
    struct waiter *waiter = list_entry(wait, struct waiter, wait);
    list_remove(&waiter->reload.link);
    mem_free(waiter);
}

static void
add_mark(struct json_tree *tree, struct json_node *item,
         const struct config_mark *mark)
{
    if (mark->source == NULL) {
        json_add_null(tree, item, "file");
        json_add_null(tree, item, "line");
        json_add_null(tree, item, "column");
        return;
    }
    json_add_text(tree, item, "file", mark->source->name);
    json_add_i64(tree, item, "line", mark->line);
    json_add_i64(tree, item, "column", mark->column);
}

/* As 'longstop check --json' tells them. */
static void
add_findings(struct json_tree *tree, struct json_node *root,
             const struct config_report *report)
{
    static const char *const severities[] = { "error", "warning", "note" };
    struct json_node *array = json_add_array(tree, root, "findings");
    for (const struct config_finding *at = report == NULL ? NULL
                                                          : report->first;
         at != NULL; at = at->next) {
        struct json_node *item = json_add_object(tree, array, NULL);
        add_mark(tree, item, &at->mark);
        json_add_text(tree, item, "severity",
                      slice_of(severities[at->severity]));
        json_add_text(tree, item, "message", at->message);
    }
}

/* The same for people, with the lines themselves. */
static void
add_text(struct json_tree *tree, struct json_node *root,
         const struct config_report *report)
{
    struct buf text = { 0 };
    if (report != NULL && report->first != NULL) {
        config_report_text(report, false, &text);
    }
    json_add_text(tree, root, "text", buf_slice(&text));
    buf_fini(&text);
}

static struct json_tree *
tell(const struct reload_outcome *outcome)
{
    struct json_tree *tree = NULL;
    if (json_tree_create(&tree) != STATUS_OK) {
        return NULL;
    }
    struct json_node *root = json_tree_root(tree);
    if (outcome->status == STATUS_OK) {
        json_add_time(tree, root, "loaded", outcome->loaded_ms);
        difference_json(outcome->difference, tree, root);
    } else {
        json_add_i64(tree, root, "status", 422);
        json_add_text(tree, root, "title",
                      slice_of("the configuration has mistakes; the one before "
                               "goes on"));
    }
    add_findings(tree, root, outcome->report);
    add_text(tree, root, outcome->report);
    return tree;
}

/* A problem that says more than its title. */
static void
answer_mistakes(struct http_exchange *exchange, struct json_tree *tree)
{
    struct buf body = { 0 };
    struct http_answer answer = {
        .status = 422,
        .content_type = SLICE("application/problem+json"),
    };
    enum status status =
        tree == NULL ? STATUS_NOMEM : json_tree_print(tree, false, &body);
    if (status != STATUS_OK) {
        admin_answer_status(exchange, status, NULL);
    } else {
        answer.body = buf_slice(&body);
        http_exchange_answer(exchange, &answer);
    }
    buf_fini(&body);
    json_tree_destroy(tree);
}

/* reload_wait's `done`. */
static void
reloaded(struct reload_wait *reload, const struct reload_outcome *outcome)
{
    struct waiter *waiter = list_entry(reload, struct waiter, reload);
    struct http_exchange *exchange = waiter->wait.exchange;
    admin_wait_end(&waiter->wait);
    if (outcome->status == STATUS_OK) {
        admin_answer_tree(exchange, tell(outcome));
    } else if (outcome->report != NULL && outcome->report->errors > 0) {
        answer_mistakes(exchange, tell(outcome));
    } else {
        admin_answer_status(exchange, outcome->status, outcome->err);
    }
    mem_free(waiter);
}

static void
answer_reload(struct admin_ask *ask)
{
    struct waiter *waiter = mem_zero(sizeof(*waiter));
    if (waiter == NULL) {
        admin_answer_status(ask->exchange, STATUS_NOMEM, NULL);
        return;
    }
    waiter->wait.dropped = dropped;
    waiter->reload.done = reloaded;
    list_init(&waiter->reload.link);
    admin_wait_begin(&waiter->wait, ask);
    ask->admin->settings.reload(ask->admin->settings.reload_arg,
                                &waiter->reload);
}

static const struct admin_route routes[] = {
    { "POST", "/api/v1/reload", answer_reload },
};

const struct admin_table admin_reload_table = { routes, sizeof(routes) /
                                                            sizeof(routes[0]) };
