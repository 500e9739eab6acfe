/* SPDX-License-Identifier: MIT */
/*
 * config_value: one value of the configuration, read as its key's type says;
 * what the binder has for everything that is not a table.
 *
 * Mistakes go to the report, running out of memory to report->failed_memory.
 * A place is written on success only.
 */
#ifndef CONFIG_CONFIG_VALUE_H
#define CONFIG_CONFIG_VALUE_H

#include "config/config_bind.h"

/* Whether `type` is read by config_value_read. */
bool config_value_known(enum config_type type);

/*
 * Reads `node` into `place` by the type, limits and choices of `key`.
 * `from_file` says that the `<name>_file` of a secret was given. False when a
 * mistake was reported or memory ran out.
 */
bool config_value_read(struct config_binding *binding,
                       const struct config_key *key, bool from_file,
                       const struct config_node *node, void *place);

/* One scalar alone, without a key's limits. */
bool config_value_duration(struct config_binding *binding,
                           const struct config_node *node, int64_t *ret_ms);
bool config_value_text(struct config_binding *binding,
                       const struct config_node *node, struct slice *ret_text);

/* Where a person looks for this node: at its key, or where it begins. */
struct config_mark config_value_place(const struct config_node *node);

/* Returns "a mapping", "a list", "text" or "nothing". */
const char *config_value_kind(const struct config_node *node);

#endif
