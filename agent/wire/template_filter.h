/* SPDX-License-Identifier: MIT */
/*
 * template_filter: the filters of templates: what each is called, takes and
 * does; private to template*.c.
 */
#ifndef WIRE_TEMPLATE_FILTER_H
#define WIRE_TEMPLATE_FILTER_H

#include "wire/template_tree.h"

#define TEMPLATE_STEPS_MAX 8

/* Compiles "name" or "name:argument". STATUS_INVALID says what is wrong. */
NODISCARD
enum status template_filter_compile(struct slice text, struct arena *arena,
                                    struct template_step *ret_step,
                                    struct error *err);

/* Whether a filter without an argument is called `name`; `ret_is_digest` tells
 * whether it makes bytes that have to be written as hex. */
bool template_filter_named(struct slice name, bool *ret_is_digest);

/* Whether the filter is keyed by the secret. */
bool template_filter_is_keyed(const struct template_filter *filter);

/* Applies one filter; the result is made in `arena`. STATUS_INVALID when the
 * text is not what the filter reads, such as a time; STATUS_NOT_FOUND when what
 * it looks for is not there: the place is absent then. */
NODISCARD
enum status template_filter_apply(const struct template_step *step,
                                  struct slice key, struct slice text,
                                  struct arena *arena, struct slice *ret_text);

#endif
