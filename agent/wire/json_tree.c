/* SPDX-License-Identifier: MIT */
#include "wire/json_tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <threads.h>

#include <cjson/cJSON.h>

#include "base/instant.h"
#include "base/mem.h"
#include "wire/json.h"

/*
 * cJSON keeps the structure and prints it. Texts and whole numbers go in as raw
 * JSON: its own strings end at a NUL and let bad UTF-8 pass, and its numbers
 * are doubles.
 */
struct json_tree {
    cJSON *root;
    bool failed;
};

static once_flag hooks_once = ONCE_FLAG_INIT;

/* The hooks are global to the library, so they are set once and for all. */
static void
set_hooks(void)
{
    cJSON_Hooks hooks = { .malloc_fn = mem_alloc, .free_fn = mem_free };
    cJSON_InitHooks(&hooks);
}

enum status
json_tree_create(struct json_tree **ret_tree)
{
    call_once(&hooks_once, set_hooks);
    struct json_tree *tree = mem_zero(sizeof(*tree));
    if (tree == NULL) {
        return STATUS_NOMEM;
    }
    tree->root = cJSON_CreateObject();
    if (tree->root == NULL) {
        mem_free(tree);
        return STATUS_NOMEM;
    }
    *ret_tree = tree;
    return STATUS_OK;
}

void
json_tree_destroy(struct json_tree *tree)
{
    if (tree != NULL) {
        cJSON_Delete(tree->root);
        mem_free(tree);
    }
}

struct json_node *
json_tree_root(struct json_tree *tree)
{
    return (struct json_node *)tree->root;
}

/* Takes `node`, which is NULL where memory ran out. */
static struct json_node *
attach(struct json_tree *tree, struct json_node *into, const char *name,
       cJSON *node)
{
    cJSON *parent = (cJSON *)into;
    bool added = node != NULL && parent != NULL &&
                 (name == NULL ? cJSON_AddItemToArray(parent, node)
                               : cJSON_AddItemToObject(parent, name, node));
    if (!added) {
        cJSON_Delete(node);
        tree->failed = true;
        return NULL;
    }
    return (struct json_node *)node;
}

struct json_node *
json_add_object(struct json_tree *tree, struct json_node *into,
                const char *name)
{
    return attach(tree, into, name, cJSON_CreateObject());
}

struct json_node *
json_add_array(struct json_tree *tree, struct json_node *into, const char *name)
{
    return attach(tree, into, name, cJSON_CreateArray());
}

/* Attaches what stands in `text`, and frees it. */
static void
attach_raw(struct json_tree *tree, struct json_node *into, const char *name,
           struct buf *text)
{
    cJSON *node = buf_status(text) == STATUS_OK && text->ptr != NULL
                      ? cJSON_CreateRaw(text->ptr)
                      : NULL;
    (void)attach(tree, into, name, node);
    buf_fini(text);
}

void
json_add_text(struct json_tree *tree, struct json_node *into, const char *name,
              struct slice text)
{
    struct buf raw = { 0 };
    buf_json(&raw, text);
    attach_raw(tree, into, name, &raw);
}

void
json_add_i64(struct json_tree *tree, struct json_node *into, const char *name,
             int64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRId64, number);
    (void)attach(tree, into, name, cJSON_CreateRaw(text));
}

void
json_add_double(struct json_tree *tree, struct json_node *into,
                const char *name, double number)
{
    (void)attach(tree, into, name, cJSON_CreateNumber(number));
}

void
json_add_bool(struct json_tree *tree, struct json_node *into, const char *name,
              bool value)
{
    (void)attach(tree, into, name, cJSON_CreateBool(value));
}

void
json_add_null(struct json_tree *tree, struct json_node *into, const char *name)
{
    (void)attach(tree, into, name, cJSON_CreateNull());
}

void
json_add_time(struct json_tree *tree, struct json_node *into, const char *name,
              int64_t at_ms)
{
    char text[INSTANT_TEXT_BYTES];
    if (at_ms == 0) {
        json_add_null(tree, into, name);
    } else {
        json_add_text(tree, into, name, slice_of(instant_text(at_ms, text)));
    }
}

void
json_add_raw(struct json_tree *tree, struct json_node *into, const char *name,
             struct slice raw)
{
    struct buf text = { 0 };
    json_compact(raw, &text);
    attach_raw(tree, into, name, &text);
}

enum status
json_tree_print(const struct json_tree *tree, bool indented, struct buf *into)
{
    if (tree->failed) {
        return STATUS_NOMEM;
    }
    char *text =
        indented ? cJSON_Print(tree->root) : cJSON_PrintUnformatted(tree->root);
    if (text == NULL) {
        return STATUS_NOMEM;
    }
    buf_text(into, text);
    cJSON_free(text);
    return buf_status(into);
}
