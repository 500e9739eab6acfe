/* SPDX-License-Identifier: MIT */
/*
 * config_print: from the key tables: the JSON Schema (draft-07, what editors
 * read) and the list of keys for the manual.
 */
#ifndef CONFIG_CONFIG_PRINT_H
#define CONFIG_CONFIG_PRINT_H

#include "base/bytes.h"
#include "config/config_key.h"

/* Appends an indented draft-07 schema of `table` with `id` and `title`.
 * additionalProperties is false; secrets have their `_file` twin. */
void config_print_schema(const struct config_table *table, const char *id,
                         const char *title, struct buf *into);

/* Appends one paragraph of a manual page (roff.h) per key, nested tables behind
 * their parent; what is a CONFIG_NODE has a page of its own. */
void config_print_manual(const struct config_table *table, struct buf *into);

#endif
