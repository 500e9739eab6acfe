/* SPDX-License-Identifier: MIT */
/*
 * json_tree: the cJSON gate: builds the JSON texts that the program itself
 * writes (`--json`, admin answers). Bodies of providers never pass here.
 *
 * A failed addition is remembered by the tree and told by json_tree_print, so
 * that building needs one check.
 */
#ifndef WIRE_JSON_TREE_H
#define WIRE_JSON_TREE_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdint.h>

struct json_tree; /* owns all of its nodes */
struct json_node; /* lives as long as its tree; NULL is allowed and ignored */

/* Makes a tree whose root is an object. */
NODISCARD
enum status json_tree_create(struct json_tree **ret_tree);
void json_tree_destroy(struct json_tree *tree);

struct json_node *json_tree_root(struct json_tree *tree);

/* Add to an object under `name`, or to an array when `name` is NULL. */
struct json_node *json_add_object(struct json_tree *tree,
                                  struct json_node *into, const char *name);
struct json_node *json_add_array(struct json_tree *tree, struct json_node *into,
                                 const char *name);
void json_add_text(struct json_tree *tree, struct json_node *into,
                   const char *name, struct slice text);
void json_add_i64(struct json_tree *tree, struct json_node *into,
                  const char *name, int64_t number);
void json_add_double(struct json_tree *tree, struct json_node *into,
                     const char *name, double number);
void json_add_bool(struct json_tree *tree, struct json_node *into,
                   const char *name, bool value);
void json_add_null(struct json_tree *tree, struct json_node *into,
                   const char *name);
/* A time as RFC 3339, or null where there is none (0). Unix ms. */
void json_add_time(struct json_tree *tree, struct json_node *into,
                   const char *name, int64_t at_ms);
/* `raw` must be checked JSON; its tokens go in as they stand, without the white
 * space between. */
void json_add_raw(struct json_tree *tree, struct json_node *into,
                  const char *name, struct slice raw);

/* Appends the text, on one line or indented. STATUS_NOMEM if anything failed.
 */
NODISCARD
enum status json_tree_print(const struct json_tree *tree, bool indented,
                            struct buf *into);

#endif
