/* SPDX-License-Identifier: MIT */
/*
 * config_bind: fills a struct from a node and a key table, and reports every
 * mistake, not only the first.
 *
 * Values live in the binding's arena and borrow from the tree. A struct must
 * hold one `struct config_mark` only where its user asks config_bind for it
 * through a CUSTOM key; marks of whole mappings come from config_list.
 */
#ifndef CONFIG_CONFIG_BIND_H
#define CONFIG_CONFIG_BIND_H

#include "config/config_key.h"

struct config_binding {
    struct arena *arena;
    struct config_report *report;
    void *user; /* for parse and check functions */
};

/*
 * Binds `node` (a mapping, or NULL for all defaults) into `into`, a zeroed
 * struct of table->size bytes. Mistakes go to the report; the struct then holds
 * defaults where a value was wrong. Unknown keys are errors with a suggestion.
 * `name:` without a value is an empty mapping where one is expected, a mistake
 * elsewhere. Required keys are missed only in mappings that are given.
 * Returns STATUS_NOMEM only.
 */
NODISCARD
enum status config_bind(struct config_binding *binding,
                        const struct config_table *table,
                        const struct config_node *node, void *into);

/* For CUSTOM parsers: reads one scalar by type, reporting a mistake. */
bool config_bind_duration(struct config_binding *binding,
                          const struct config_node *node, int64_t *ret_ms);
bool config_bind_text(struct config_binding *binding,
                      const struct config_node *node, struct slice *ret_text);

/* Whether the key of `node` can name a thing of the configuration; reports it
 * when not. Entries of CONFIG_NAMED are looked at by the binder. */
bool config_bind_name(struct config_binding *binding,
                      const struct config_node *node);

#endif
