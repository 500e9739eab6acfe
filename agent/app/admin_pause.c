/* SPDX-License-Identifier: MIT */
/*
 * admin_pause: pausing handlers and connectors, and resuming them; answered
 * once it is durable.
 */
#include "app/admin_private.h"

#include "base/utf8.h"
#include "flow/pauses.h"

#define REASON_BYTES 200

/* Whoever waits for a change. */
struct waiter {
    struct admin_wait wait;
    const struct pause *pause;
};

void
admin_add_pause(struct json_tree *tree, struct json_node *into,
                const struct pause *pause)
{
    bool is_paused = pause != NULL && pause->is_paused;
    json_add_bool(tree, into, "paused", is_paused);
    json_add_time(tree, into, "paused_since", is_paused ? pause->since_ms : 0);
    admin_add_words(tree, into, "paused_why",
                    is_paused ? buf_slice(&pause->reason)
                              : (struct slice)SLICE(""));
}

static void
answer(struct http_exchange *exchange, const struct pause *pause)
{
    struct json_tree *tree = NULL;
    if (json_tree_create(&tree) == STATUS_OK) {
        struct json_node *root = json_tree_root(tree);
        json_add_text(
            tree, root, "kind",
            slice_of(pause->kind == STORE_HANDLER ? "handler" : "connector"));
        json_add_text(tree, root, "name", pause->name);
        admin_add_pause(tree, root, pause);
    }
    admin_answer_tree(exchange, tree);
}

/* pauses' `done`. */
static void
changed(void *arg, enum status status, const struct error *err)
{
    struct waiter *waiter = arg;
    if (waiter->wait.admin != NULL) {
        admin_wait_end(&waiter->wait);
        if (status == STATUS_OK) {
            answer(waiter->wait.exchange, waiter->pause);
        } else {
            admin_answer_status(waiter->wait.exchange, status, err);
        }
    }
    mem_free(waiter);
}

/* What is named in the path; NULL: none is, which has been answered. */
static const struct pause *
find(struct admin_ask *ask, enum store_name_kind kind)
{
    const struct admin_settings_of_agent *settings = &ask->admin->settings;
    const struct pause *pause = NULL;
    if (kind == STORE_CONNECTOR) {
        const struct connector *connector =
            admin_connector(ask->admin, ask->segment);
        pause = connector == NULL
                    ? NULL
                    : pauses_find(settings->pauses, kind, connector->id);
    }
    for (size_t i = 0; kind == STORE_HANDLER && i < settings->outlet_count;
         i++) {
        if (slice_equal(settings->outlets[i].name, ask->segment)) {
            pause = pauses_find(settings->pauses, kind,
                                settings->outlets[i].number);
        }
    }
    if (pause == NULL) {
        admin_answer_problem(ask->exchange, 404,
                             kind == STORE_HANDLER
                                 ? "no handler of this name is configured"
                                 : "no connector of this name is configured");
    }
    return pause;
}

static void
change(struct admin_ask *ask, enum store_name_kind kind, bool is_paused)
{
    struct slice reason = SLICE("by an operator");
    const struct pause *pause = find(ask, kind);
    if (pause == NULL) {
        return;
    }
    (void)admin_query(ask, "reason", &reason);
    if (reason.len > REASON_BYTES || !utf8_valid(reason)) {
        admin_answer_problem(ask->exchange, 400,
                             "'reason' is UTF-8 of at most 200 bytes");
        return;
    }
    struct waiter *waiter = mem_zero(sizeof(*waiter));
    enum status status = STATUS_NOMEM;
    if (waiter != NULL) {
        waiter->pause = pause;
        status = pauses_change(ask->admin->settings.pauses, pause, is_paused,
                               reason, changed, waiter);
    }
    if (status != STATUS_OK) {
        mem_free(waiter);
        admin_answer_status(ask->exchange, status, NULL);
        return;
    }
    admin_wait_begin(&waiter->wait, ask);
}

static void
pause_handler(struct admin_ask *ask)
{
    change(ask, STORE_HANDLER, true);
}

static void
resume_handler(struct admin_ask *ask)
{
    change(ask, STORE_HANDLER, false);
}

static void
pause_connector(struct admin_ask *ask)
{
    change(ask, STORE_CONNECTOR, true);
}

static void
resume_connector(struct admin_ask *ask)
{
    change(ask, STORE_CONNECTOR, false);
}

static const struct admin_route routes[] = {
    { "POST", "/api/v1/handlers/{}/pause", pause_handler },
    { "POST", "/api/v1/handlers/{}/resume", resume_handler },
    { "POST", "/api/v1/connectors/{}/pause", pause_connector },
    { "POST", "/api/v1/connectors/{}/resume", resume_connector },
};

const struct admin_table admin_pause_table = { routes, sizeof(routes) /
                                                           sizeof(routes[0]) };
