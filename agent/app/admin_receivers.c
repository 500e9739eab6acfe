/* SPDX-License-Identifier: MIT */
/*
 * admin_receivers: receivers that register to be sent events as webhooks.
 * Secrets are told once, to who registers or rotates, and never again.
 */
#include "app/admin_private.h"

#include "base/instant.h"
#include "flow/receivers.h"
#include "wire/json.h"

#define DEPTH 4

static const char not_there[] = "no receiver of this id is registered";

/* Whoever waits for a change. */
struct waiter {
    struct admin_wait wait;
    unsigned status; /* of the answer, when all went well */
    bool tells_secret;
};

static void
add_words(struct json_tree *tree, struct json_node *into, const char *name,
          const struct receiver_words *words)
{
    struct json_node *list = json_add_array(tree, into, name);
    for (size_t i = 0; i < words->count; i++) {
        json_add_text(tree, list, NULL, words->at[i]);
    }
}

static void
add_receiver(struct json_tree *tree, struct json_node *into,
             const struct receiver *receiver)
{
    bool is_disabled = receiver->disabled_ms != 0;
    json_add_text(tree, into, "id", receiver->id);
    json_add_text(tree, into, "url", receiver->url);
    add_words(tree, into, "events", &receiver->events);
    add_words(tree, into, "connectors", &receiver->connectors);
    json_add_text(tree, into, "state",
                  slice_of(is_disabled ? "disabled" : "active"));
    json_add_time(tree, into, "created", receiver->created_ms);
    json_add_time(tree, into, "failing_since", receiver->failing_ms);
    json_add_time(tree, into, "disabled_since", receiver->disabled_ms);
    admin_add_words(tree, into, "disabled_why",
                    is_disabled ? receiver->why : (struct slice)SLICE(""));
}

static void
add_test(struct json_tree *tree, struct json_node *into,
         const struct receivers_answer *answer)
{
    if (!answer->was_tested) {
        json_add_null(tree, into, "test");
        return;
    }
    struct json_node *test = json_add_object(tree, into, "test");
    json_add_bool(tree, test, "delivered", answer->test_passed);
    admin_add_words(tree, test, "detail", answer->test_detail);
}

static void
send_tree(struct http_exchange *exchange, unsigned status,
          struct json_tree *tree)
{
    struct buf body = { 0 };
    if (tree == NULL || json_tree_print(tree, false, &body) != STATUS_OK) {
        admin_answer_status(exchange, STATUS_NOMEM, NULL);
    } else {
        buf_byte(&body, '\n');
        const struct http_answer answer = { .status = status,
                                            .content_type =
                                                SLICE("application/json"),
                                            .body = buf_slice(&body) };
        http_exchange_answer(exchange, &answer);
    }
    json_tree_destroy(tree);
    buf_fini(&body);
}

static void
answer_change(const struct waiter *waiter,
              const struct receivers_answer *answer)
{
    struct http_exchange *exchange = waiter->wait.exchange;
    struct json_tree *tree = NULL;
    if (answer->status != STATUS_OK) {
        admin_answer_status(exchange, answer->status, answer->err);
        return;
    }
    if (answer->receiver == NULL) {
        if (json_tree_create(&tree) == STATUS_OK) {
            json_add_text(tree, json_tree_root(tree), "removed", answer->id);
        }
        send_tree(exchange, waiter->status, tree);
        return;
    }
    if (json_tree_create(&tree) == STATUS_OK) {
        struct json_node *root = json_tree_root(tree);
        add_receiver(tree, root, answer->receiver);
        if (waiter->tells_secret) {
            json_add_text(tree, root, "secret",
                          answer->receiver->secrets[0].text);
        }
        add_test(tree, root, answer);
    }
    send_tree(exchange, waiter->status, tree);
}

/* receivers' `done`. */
static void
changed(void *arg, const struct receivers_answer *answer)
{
    struct waiter *waiter = arg;
    if (waiter->wait.admin != NULL) {
        admin_wait_end(&waiter->wait);
        answer_change(waiter, answer);
    }
    mem_free(waiter);
}

/* Returns a waiter; NULL: there is none, which has been answered. */
static struct waiter *
waiter_create(const struct admin_ask *ask, unsigned status, bool tells_secret)
{
    struct waiter *waiter = mem_zero(sizeof(*waiter));
    if (waiter == NULL) {
        admin_answer_status(ask->exchange, STATUS_NOMEM, NULL);
        return NULL;
    }
    waiter->status = status;
    waiter->tells_secret = tells_secret;
    return waiter;
}

/* What was asked for has begun, or why not. */
static void
begin(struct admin_ask *ask, struct waiter *waiter, enum status status,
      const struct error *err)
{
    if (status == STATUS_OK) {
        admin_wait_begin(&waiter->wait, ask);
        return;
    }
    mem_free(waiter);
    if (status == STATUS_NOT_FOUND) {
        admin_answer_problem(ask->exchange, 404, not_there);
    } else if (status == STATUS_BUSY && (err == NULL || err->text[0] == 0)) {
        admin_answer_problem(ask->exchange, 409,
                             "another change of it is under way: try again");
    } else {
        admin_answer_status(ask->exchange, status, err);
    }
}

/* ---- questions ---- */

static void
answer_list(struct admin_ask *ask)
{
    const struct receivers *receivers = ask->admin->settings.receivers;
    struct json_tree *tree = NULL;
    if (json_tree_create(&tree) == STATUS_OK) {
        struct json_node *items =
            json_add_array(tree, json_tree_root(tree), "items");
        const struct receiver *receiver;
        for (size_t i = 0; (receiver = receivers_at(receivers, i)) != NULL;
             i++) {
            add_receiver(tree, json_add_object(tree, items, NULL), receiver);
        }
    }
    admin_answer_tree(ask->exchange, tree);
}

/* What one is owed is asked of the store. */
struct looking {
    struct admin_wait wait;
    struct store_call call;
    struct store_figure figure;
    struct buf id;
};

static void
answer_figures(const struct looking *looking)
{
    const struct receiver *receiver = receivers_find(
        looking->wait.admin->settings.receivers, buf_slice(&looking->id), NULL);
    struct http_exchange *exchange = looking->wait.exchange;
    const struct store_figure *figure = &looking->figure;
    struct json_tree *tree = NULL;
    if (looking->call.status != STATUS_OK) {
        admin_answer_status(exchange, looking->call.status, &looking->call.err);
        return;
    }
    if (receiver == NULL) {
        admin_answer_problem(exchange, 404, not_there);
        return;
    }
    if (json_tree_create(&tree) == STATUS_OK) {
        struct json_node *root = json_tree_root(tree);
        add_receiver(tree, root, receiver);
        json_add_i64(tree, root, "pending", figure->pending);
        json_add_time(tree, root, "oldest_pending", figure->oldest_ms);
        json_add_time(tree, root, "next_try", figure->next_due_ms);
        json_add_i64(tree, root, "dead", figure->dead);
    }
    admin_answer_tree(exchange, tree);
}

static void
figures_came(struct store_call *call)
{
    struct looking *looking = call->arg;
    if (looking->wait.admin != NULL) {
        admin_wait_end(&looking->wait);
        answer_figures(looking);
    }
    buf_fini(&looking->id);
    mem_free(looking);
}

static void
answer_one(struct admin_ask *ask)
{
    const struct admin_settings_of_agent *settings = &ask->admin->settings;
    uint32_t number;
    if (receivers_find(settings->receivers, ask->segment, &number) == NULL) {
        admin_answer_problem(ask->exchange, 404, not_there);
        return;
    }
    struct looking *looking = mem_zero(sizeof(*looking));
    enum status status = STATUS_NOMEM;
    if (looking != NULL) {
        looking->figure.handler = number;
        buf_append(&looking->id, ask->segment);
        status = buf_status(&looking->id);
    }
    if (status == STATUS_OK) {
        looking->call = (struct store_call){
            .kind = STORE_CALL_FIGURES,
            .done = figures_came,
            .arg = looking,
            .figures = { &looking->figure, 1 },
        };
        status = store_worker_submit(settings->worker, &looking->call);
    }
    if (status == STATUS_OK) {
        admin_wait_begin(&looking->wait, ask);
        return;
    }
    if (looking != NULL) {
        buf_fini(&looking->id);
    }
    mem_free(looking);
    admin_answer_status(ask->exchange, status, NULL);
}

/* ---- changes ---- */

static void
add(struct admin_ask *ask)
{
    struct receiver wanted;
    struct error err = { 0 };
    struct waiter *waiter = waiter_create(ask, 201, true);
    if (waiter == NULL) {
        return;
    }
    enum status status =
        receiver_read(ask->request->body, ask->arena, &wanted, &err);
    if (status == STATUS_OK) {
        status = receivers_add(ask->admin->settings.receivers, &wanted, changed,
                               waiter, &err);
    }
    begin(ask, waiter, status, &err);
}

static void
remove_one(struct admin_ask *ask)
{
    struct waiter *waiter = waiter_create(ask, 200, false);
    if (waiter != NULL) {
        begin(ask, waiter,
              receivers_remove(ask->admin->settings.receivers, ask->segment,
                               changed, waiter),
              NULL);
    }
}

static void
enable(struct admin_ask *ask)
{
    struct waiter *waiter = waiter_create(ask, 200, false);
    if (waiter != NULL) {
        begin(ask, waiter,
              receivers_enable(ask->admin->settings.receivers, ask->segment,
                               changed, waiter),
              NULL);
    }
}

static void
test(struct admin_ask *ask)
{
    struct waiter *waiter = waiter_create(ask, 200, false);
    if (waiter != NULL) {
        begin(ask, waiter,
              receivers_test(ask->admin->settings.receivers, ask->segment,
                             changed, waiter),
              NULL);
    }
}

/* {"overlap":"1d","secret":"…"}, both of which may be left out; so may all. */
static enum status
read_rotation(const struct admin_ask *ask, struct slice *ret_secret,
              int64_t *ret_overlap_ms, struct error *err)
{
    struct slice body = slice_trim(ask->request->body);
    struct slice name, value, text;
    size_t at = 0;
    if (body.len == 0) {
        return STATUS_OK;
    }
    if (json_check(body, DEPTH, NULL) != STATUS_OK ||
        json_type(body) != JSON_OBJECT) {
        return error_set(err, STATUS_INVALID,
                         "the body is empty or an object such as "
                         "{\"overlap\":\"1d\"}");
    }
    while (json_next_member(body, &at, &name, &value)) {
        bool is_secret = json_means(name, slice_of("secret"));
        bool is_overlap = json_means(name, slice_of("overlap"));
        enum status status = json_type(value) == JSON_STRING
                                 ? json_text(value, ask->arena, &text)
                                 : STATUS_INVALID;
        if (status == STATUS_NOMEM) {
            return status;
        }
        if (status == STATUS_OK && is_overlap) {
            status = instant_parse_span(text, ret_overlap_ms);
        }
        if (status != STATUS_OK || (!is_secret && !is_overlap) ||
            (is_secret && !receiver_is_secret(text)) ||
            *ret_overlap_ms > RECEIVER_OVERLAP_MOST_MS) {
            return error_set(err, STATUS_INVALID,
                             "the body may have 'overlap', a time of at most "
                             "30d, and 'secret', 16 to 256 printable "
                             "characters");
        }
        if (is_secret) {
            *ret_secret = text;
        }
    }
    return STATUS_OK;
}

static void
rotate(struct admin_ask *ask)
{
    struct error err = { 0 };
    struct slice secret = SLICE("");
    int64_t overlap_ms = INSTANT_DAY_MS;
    struct waiter *waiter = waiter_create(ask, 200, true);
    if (waiter == NULL) {
        return;
    }
    enum status status = read_rotation(ask, &secret, &overlap_ms, &err);
    if (status == STATUS_OK) {
        status = receivers_rotate(ask->admin->settings.receivers, ask->segment,
                                  secret, overlap_ms, changed, waiter, &err);
    }
    begin(ask, waiter, status, &err);
}

static const struct admin_route routes[] = {
    { "GET", "/api/v1/subscriptions", answer_list },
    { "POST", "/api/v1/subscriptions", add },
    { "GET", "/api/v1/subscriptions/{}", answer_one },
    { "DELETE", "/api/v1/subscriptions/{}", remove_one },
    { "POST", "/api/v1/subscriptions/{}/rotate", rotate },
    { "POST", "/api/v1/subscriptions/{}/enable", enable },
    { "POST", "/api/v1/subscriptions/{}/test", test },
};

const struct admin_table admin_receivers_table = {
    routes, sizeof(routes) / sizeof(routes[0])
};
