/* SPDX-License-Identifier: MIT */
/*
 * pattern: extended regular expressions (POSIX), as the configuration writes
 * them.
 */
#ifndef MODEL_PATTERN_H
#define MODEL_PATTERN_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"

#include <stdbool.h>

struct pattern; /* in an arena, which does not hold all of it: see free */

/* Compiles; STATUS_INVALID says what is wrong. */
NODISCARD
enum status pattern_compile(struct slice text, struct arena *arena,
                            struct pattern **ret_pattern, struct error *err);

/* Compiles a pattern for the whole of a text: it is written from `^` to `$`,
 * else STATUS_INVALID, and means no less: `^a|b$` finds "a" and "b" alone. */
NODISCARD
enum status pattern_compile_whole(struct slice text, struct arena *arena,
                                  struct pattern **ret_pattern,
                                  struct error *err);

/*
 * Compiles a pattern for URLs that come from outside: it begins with ^https://
 * and the host, which is written out to the '/' behind it: `\.` for a dot, sets
 * of letters, digits and '-' only; and no `|` stands outside brackets. Else
 * hosts would be let in that nobody wrote. What stands behind the host is free.
 * STATUS_INVALID says why not.
 */
NODISCARD
enum status pattern_compile_url(struct slice text, struct arena *arena,
                                struct pattern **ret_pattern,
                                struct error *err);

/* Whether the pattern is found in `text`; behind a NUL nothing is seen.
 * STATUS_OK or STATUS_NOMEM. */
NODISCARD
enum status pattern_find(const struct pattern *pattern, struct slice text,
                         struct arena *arena, bool *ret_found);

/* Frees what the arena does not hold; NULL is allowed. */
void pattern_free(struct pattern *pattern);

#endif
