/* SPDX-License-Identifier: MIT */
/*
 * config_key: what a key of the configuration is: its name, type, place,
 * default, limits and words. The tables stand beside the code that uses them;
 * binding, JSON Schema and manual are all made from them.
 */
#ifndef CONFIG_CONFIG_KEY_H
#define CONFIG_CONFIG_KEY_H

#include "base/bytes.h"
#include "config/config_report.h"
#include "config/config_yaml.h"

#include <stddef.h>
#include <stdint.h>

enum config_type {
    CONFIG_BOOL,      /* bool: true or false */
    CONFIG_INT,       /* int64_t */
    CONFIG_DURATION,  /* int64_t ms, "30s" */
    CONFIG_SIZE,      /* int64_t bytes, "1MiB" */
    CONFIG_TEXT,      /* struct slice */
    CONFIG_PATH,      /* struct slice, made absolute or relative to the file */
    CONFIG_CHOICE,    /* int: index into `choices` */
    CONFIG_TEXTS,     /* struct config_texts; one scalar counts as a list */
    CONFIG_SECRET,    /* struct config_secret; also `<name>_file`, and
                         `credential:NAME` as the value */
    CONFIG_SECRETS,   /* struct config_secrets: one or a list, likewise */
    CONFIG_TABLE,     /* a struct in place, bound with `table` */
    CONFIG_TABLE_PTR, /* pointer to a struct, NULL when the key is absent */
    CONFIG_TABLES,    /* struct config_list: one mapping or a list of them */
    CONFIG_NAMED, /* struct config_list of name → mapping, in file order */
    CONFIG_NODE,  /* const struct config_node *: bound later, by hand */
    CONFIG_CUSTOM /* `parse` reads the node into the place */
};

/* Where a secret comes from. Reading it is not this floor's business. */
struct config_secret {
    enum { SECRET_NONE, SECRET_INLINE, SECRET_FILE, SECRET_CREDENTIAL } from;
    struct slice text; /* the value, the path, or the credential's name */
    struct config_mark mark;
};

struct config_secrets {
    struct config_secret *at;
    size_t count;
};

struct config_texts {
    struct slice *at;
    struct config_mark *marks;
    size_t count;
};

/* Elements of `table->size` bytes each. For CONFIG_NAMED the names stand
 * beside them. */
struct config_list {
    void *at;
    struct slice *names;
    struct config_mark *marks;
    size_t count;
};

struct config_binding; /* see config_bind.h */

/* Reads `node` into `place`; reports mistakes itself. */
typedef void config_parse_fn(struct config_binding *binding,
                             const struct config_node *node, void *place);

/* Looks at a bound struct for rules that span keys; reports mistakes. `node` is
 * never NULL: where the mapping is absent, an empty one stands in, with the
 * place of the mapping around it. Not called when one of the struct's own keys
 * is wrong. */
typedef void config_check_fn(struct config_binding *binding,
                             const struct config_node *node, void *bound);

struct config_key {
    const char *name;
    enum config_type type;
    size_t offset;
    const char *fallback; /* the default, as a person would write it */
    const char *min;      /* likewise; for INT, DURATION and SIZE */
    const char *max;
    const char *const *choices; /* NULL-terminated */
    const struct config_table *table;
    config_parse_fn *parse;
    const char *schema; /* CUSTOM and NODE: JSON Schema of the value, or NULL
                           for anything; TABLE and TABLES: of a form it may
                           have besides, which is resolved before binding */
    bool required;
    bool reloadable;
    const char *doc; /* one sentence for the manual and the schema */
};

struct config_table {
    const char *name; /* "connector", for messages: unknown key 'x' in … */
    const struct config_key *keys;
    size_t count;
    size_t size; /* of the struct */
    const char *doc;
    config_check_fn *check; /* or NULL */
    /* Is laid over another of its kind, with all below it: the schema asks for
     * no key, and lets each be null. What is bound is the whole. */
    bool layered;
};

#endif
