/* SPDX-License-Identifier: MIT */
/*
 * config_expand: `${VAR}`, `${VAR:-default}`, `${VAR:?message}` and `$$` in one
 * scalar.
 *
 * As in a shell, `:-` and `:?` hold for a variable that is unset or empty.
 * Values are taken as they are and never expanded again. Any other `$` stays.
 */
#ifndef CONFIG_CONFIG_EXPAND_H
#define CONFIG_CONFIG_EXPAND_H

#include "config/config_yaml.h"

/* Where values come from, and where text and mistakes go. */
struct config_expansion {
    config_env_fn *env;
    void *env_arg;
    struct arena *arena;
    struct config_report *report;
};

/*
 * Replaces the variables in `*text`, a scalar that stands at `mark`; a changed
 * text lives in the arena. *ret_replaced tells whether there was a variable.
 * Mistakes go to the report and leave the text empty. Returns STATUS_NOMEM
 * only.
 */
NODISCARD
enum status config_expand(const struct config_expansion *expansion,
                          struct config_mark mark, struct slice *text,
                          bool *ret_replaced);

#endif
