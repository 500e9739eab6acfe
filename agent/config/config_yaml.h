/* SPDX-License-Identifier: MIT */
/*
 * config_yaml: the libyaml gate: text to a tree of nodes that remember file,
 * line and column.
 *
 * Refused with a place: anchors, aliases, tags, merge keys, several documents,
 * duplicate keys, keys that are not scalars, depth over 32, files over 256 KiB
 * (libyaml 0.2.5 is quadratic in nesting, so depth is watched per event).
 * Plain `~`, `null` and the empty scalar are null. `${VAR}`, `${VAR:-default}`,
 * `${VAR:?message}` and `$$` are expanded in scalar values, never in keys, and
 * a value with a newline from the environment is refused.
 */
#ifndef CONFIG_CONFIG_YAML_H
#define CONFIG_CONFIG_YAML_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"
#include "config/config_report.h"

struct config_source {
    struct slice name;      /* as messages show it */
    struct slice directory; /* relative paths in the file start here */
    struct slice text;
};

enum config_node_kind { CONFIG_SCALAR, CONFIG_SEQUENCE, CONFIG_MAPPING };

struct config_node {
    enum config_node_kind kind;
    struct config_mark mark; /* of the value */
    struct slice text;       /* a scalar's, expanded */
    bool quoted;             /* a quoted scalar is text, never a number; false
                                where a variable was expanded in it */
    bool is_null;
    bool unset; /* a variable in it could not be expanded, and that was said */
    struct slice key; /* of this entry, in a mapping */
    struct config_mark key_mark;
    struct config_node *children; /* first child, in file order */
    struct config_node *next;     /* sibling */
};

/* Returns the value of an environment variable, or NULL. */
typedef const char *config_env_fn(void *arg, const char *name);

/*
 * Parses one file's text. The tree and `source` live in `arena`. Mistakes go to
 * `report`; *ret_root is then NULL or what could be read. An empty file is an
 * empty mapping. With `env` NULL nothing is expanded.
 */
NODISCARD
enum status config_yaml_parse(const struct config_source *source,
                              config_env_fn *env, void *env_arg,
                              struct arena *arena, struct config_report *report,
                              struct config_node **ret_root);

/* Returns the child called `key`, or NULL. */
struct config_node *config_node_child(const struct config_node *mapping,
                                      const char *key);

/*
 * Lays `over` over `under` and returns the result, made of both trees' nodes:
 * mappings are merged key by key, everything else of `over` replaces, and an
 * explicit `null` takes the key of `under` away. Either may be NULL. The result
 * belongs to `arena`; the inputs are not changed.
 */
NODISCARD
enum status config_node_merge(const struct config_node *under,
                              const struct config_node *over,
                              struct arena *arena,
                              struct config_node **ret_node);

#endif
