/* SPDX-License-Identifier: MIT */
/*
 * scope: what the places of a template stand for: in a webhook request, in an
 * answer to a poll, in a row of its list.
 */
#ifndef MODEL_SCOPE_H
#define MODEL_SCOPE_H

#include "model/connector.h"
#include "model/verify.h"
#include "wire/template.h"

/* All borrowed; what is not there is absent. */
struct scope {
    const struct connector *connector; /* for var:, secret: and url */
    const struct inbound *request;     /* body, headers, json:, … */
    struct slice item;                 /* checked JSON: a row, an element */
    struct slice signature;            /* for sig:, as received */
    char split;                        /* how `signature` is cut, see */
    char kv;                           /* struct verify_rule */
    bool trim;
    struct slice secret; /* for {secret} and the filter hmac */
    int64_t now_ms;
};

/* Finds one place that a template names; see template_lookup_fn. */
NODISCARD
enum status scope_find(const struct scope *scope,
                       const struct template_ref *ref, struct arena *arena,
                       struct slice *ret_value);

/* Evaluates; see template_eval. */
NODISCARD
enum status scope_eval(const struct scope *scope, const struct template *t,
                       struct arena *arena, struct slice *ret_text,
                       size_t *ret_choice);

/* Evaluates to parts; see template_parts. */
NODISCARD
enum status scope_parts(const struct scope *scope, const struct template *t,
                        struct arena *arena,
                        struct slice parts[TEMPLATE_PARTS_MAX],
                        size_t *ret_count);

/* Whether all conditions hold; an absent place meets only `present: false`. */
NODISCARD
enum status scope_conditions(const struct scope *scope,
                             const struct conditions *conditions,
                             struct arena *arena, bool *ret_hold);

/*
 * Collects what `path` finds in `text`, in order. STATUS_NOT_FOUND when its
 * place does not exist; an empty array is no rows.
 */
NODISCARD
enum status scope_rows(const struct json_path *path, struct slice text,
                       struct arena *arena, struct slice **ret_rows,
                       size_t *ret_count);

#endif
