/* SPDX-License-Identifier: MIT */
/*
 * admin_look: questions to the store's reader, slice after slice, while an
 * exchange waits.
 */
#include "app/admin_private.h"

#include <inttypes.h>

struct admin_look *
admin_look_create(struct admin_ask *ask, enum view_kind kind,
                  bool (*came)(struct admin_look *look))
{
    struct admin_look *look = mem_zero(sizeof(*look));
    if (look == NULL || json_tree_create(&look->tree) != STATUS_OK) {
        mem_free(look);
        admin_answer_status(ask->exchange, STATUS_NOMEM, NULL);
        return NULL;
    }
    look->call.kind = kind;
    look->came = came;
    return look;
}

void
admin_look_destroy(struct admin_look *look)
{
    arena_fini(&look->call.arena);
    json_tree_destroy(look->tree);
    mem_free(look);
}

static void
came(struct view_call *call)
{
    struct admin_look *look = call->arg;
    if (look->wait.admin == NULL) {
        admin_look_destroy(look);
        return;
    }
    look->slices++;
    if (call->status == STATUS_OK && !look->came(look)) {
        return;
    }
    admin_wait_end(&look->wait);
    if (call->status == STATUS_OK) {
        admin_answer_tree(look->wait.exchange, look->tree);
        look->tree = NULL;
    } else {
        admin_answer_status(look->wait.exchange, call->status, &call->err);
    }
    admin_look_destroy(look);
}

void
admin_look_prepare(struct admin_look *look, const struct admin_ask *ask)
{
    look->call.done = came;
    look->call.arg = look;
    admin_wait_begin(&look->wait, ask);
}

void
admin_look_begin(struct admin_look *look, const struct admin_ask *ask)
{
    admin_look_prepare(look, ask);
    admin_look_again(look);
}

void
admin_look_again(struct admin_look *look)
{
    store_reader_submit(look->wait.admin->settings.reader, &look->call);
}

enum status
admin_look_keep(struct admin_look *look, struct slice text,
                struct slice *ret_copy)
{
    return arena_copy(&look->call.arena, text, ret_copy);
}

void
admin_look_cursor(struct admin_look *look, bool more, uint64_t next)
{
    struct json_node *root = json_tree_root(look->tree);
    if (more) {
        admin_add_id(look->tree, root, "next_cursor", next);
    } else {
        json_add_null(look->tree, root, "next_cursor");
    }
}
