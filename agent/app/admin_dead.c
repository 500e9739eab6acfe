/* SPDX-License-Identifier: MIT */
/*
 * admin_dead: dead letters, the newest first, and how many there are of each
 * reason.
 */
#include "app/admin_private.h"

/* Reads what the query asks for; texts are copied into the look. False when it
 * was answered, and the look is gone. */
static bool
read_filter(struct admin_ask *ask, struct admin_look *look,
            struct errand_filter *ret)
{
    const struct {
        const char *name;
        struct slice *place;
    } texts[] = { { "connector", &ret->connector },
                  { "handler", &ret->handler },
                  { "type", &ret->type },
                  { "reason", &ret->reason } };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct slice text;
        if (admin_query(ask, texts[i].name, &text) &&
            admin_look_keep(look, text, texts[i].place) != STATUS_OK) {
            admin_look_destroy(look);
            admin_answer_status(ask->exchange, STATUS_NOMEM, NULL);
            return false;
        }
    }
    if (!admin_query_time(ask, "since", &ret->since_ms) ||
        !admin_query_time(ask, "until", &ret->until_ms) ||
        !admin_query_id(ask, "event", &ret->event)) {
        admin_look_destroy(look);
        return false;
    }
    return true;
}

/* ---- the list ---- */

static void
add_letter(struct json_tree *tree, struct json_node *item,
           const struct view_dead_row *row)
{
    admin_add_id(tree, item, "letter", row->id);
    admin_add_id(tree, item, "number", row->event);
    json_add_text(tree, item, "connector", row->connector);
    json_add_text(tree, item, "id", row->event_id);
    json_add_text(tree, item, "type", row->type);
    json_add_text(tree, item, "handler", row->handler);
    json_add_time(tree, item, "dead", row->at_ms);
    json_add_i64(tree, item, "attempt", row->attempt);
    json_add_text(tree, item, "reason", row->reason);
    admin_add_words(tree, item, "answer", row->answer);
}

static bool
letters_came(struct admin_look *look)
{
    struct view_dead *dead = &look->call.dead;
    for (size_t i = 0; i < dead->count; i++) {
        add_letter(look->tree, json_add_object(look->tree, look->items, NULL),
                   &dead->at[i]);
    }
    look->count += dead->count;
    if (dead->more && look->count < look->limit &&
        look->slices < ADMIN_SLICES) {
        dead->from = dead->next;
        dead->limit = look->limit - look->count;
        admin_look_again(look);
        return false;
    }
    admin_look_cursor(look, dead->more, dead->next);
    return true;
}

static void
answer_letters(struct admin_ask *ask)
{
    struct view_dead dead = { .look = ADMIN_SLICE };
    if (!admin_query_id(ask, "cursor", &dead.from) ||
        !admin_query_limit(ask, &dead.limit)) {
        return;
    }
    struct admin_look *look =
        admin_look_create(ask, VIEW_LETTERS, letters_came);
    if (look == NULL || !read_filter(ask, look, &dead.filter)) {
        return;
    }
    look->limit = dead.limit;
    look->items =
        json_add_array(look->tree, json_tree_root(look->tree), "items");
    look->call.dead = dead;
    admin_look_begin(look, ask);
}

/* ---- reasons ---- */

static bool
reasons_came(struct admin_look *look)
{
    struct view_reasons *reasons = &look->call.reasons;
    struct json_node *root = json_tree_root(look->tree);
    int64_t total = 0;
    if (reasons->more) {
        reasons->from = reasons->next;
        admin_look_again(look);
        return false;
    }
    for (size_t i = 0; i < reasons->count; i++) {
        const struct view_reason *reason = &reasons->at[i];
        struct json_node *item = json_add_object(look->tree, look->items, NULL);
        json_add_text(look->tree, item, "handler", reason->handler);
        json_add_text(look->tree, item, "reason", reason->reason);
        admin_add_words(look->tree, item, "answer", reason->answer);
        json_add_i64(look->tree, item, "count", reason->count);
        json_add_time(look->tree, item, "first", reason->first_ms);
        json_add_time(look->tree, item, "last", reason->last_ms);
        total += reason->count;
    }
    json_add_i64(look->tree, root, "total", total);
    return true;
}

static void
answer_reasons(struct admin_ask *ask)
{
    struct view_reasons reasons = { .look = ADMIN_SLICE };
    struct admin_look *look =
        admin_look_create(ask, VIEW_LETTER_REASONS, reasons_came);
    if (look == NULL || !read_filter(ask, look, &reasons.filter)) {
        return;
    }
    look->items =
        json_add_array(look->tree, json_tree_root(look->tree), "items");
    look->call.reasons = reasons;
    admin_look_begin(look, ask);
}

static const struct admin_route routes[] = {
    { "GET", "/api/v1/dead", answer_letters },
    { "GET", "/api/v1/dead/reasons", answer_reasons },
};

const struct admin_table admin_dead_table = { routes, sizeof(routes) /
                                                          sizeof(routes[0]) };
