/* SPDX-License-Identifier: MIT */
/*
 * paths: joins and cuts file names as text.
 */
#ifndef APP_PATHS_H
#define APP_PATHS_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"

/* Returns directory/name, or `name` itself when it is absolute; in `arena`. */
NODISCARD
enum status paths_join(struct slice directory, struct slice name,
                       struct arena *arena, struct slice *ret_path);

/* Returns what stands before the last slash: "." without one. */
NODISCARD
enum status paths_directory(struct slice path, struct arena *arena,
                            struct slice *ret_directory);

#endif
