/* SPDX-License-Identifier: MIT */
/*
 * connector_extend: one connector file laid over another: `extends: NAME`.
 */
#ifndef MODEL_CONNECTOR_EXTEND_H
#define MODEL_CONNECTOR_EXTEND_H

#include "model/connector.h"

/* So many files may stand behind one another. */
#define CONNECTOR_EXTEND_MAX 8

/*
 * Lays `file` (may be NULL) over the file that it extends, that over the next,
 * and so on, as config_node_merge does. `env->load_file` loads them. The tree
 * is made of nodes of all of them, each with its own place, and belongs to
 * `arena`; it has no `extends`. STATUS_CONFIG: a file is not there, two extend
 * one another, or the chain is too long, which was reported; or STATUS_NOMEM.
 */
NODISCARD
enum status connector_extend(const struct config_node *file,
                             const struct connector_env *env,
                             struct config_report *report, struct arena *arena,
                             const struct config_node **ret_file);

#endif
