/* SPDX-License-Identifier: MIT */
/*
 * answer: what templates see of a provider's answer: its fields, its JSON, and
 * one row of it. Pure.
 */
#ifndef MODEL_ANSWER_H
#define MODEL_ANSWER_H

#include "base/bytes.h"
#include "base/mem.h"
#include "wire/http_field.h"

#include <stdbool.h>

struct json_path;
struct template;

struct answer_view {
    struct http_fields fields;
    struct slice body; /* JSON that was checked, or empty */
    struct slice row;  /* the one `item:` looks into first, or empty */
};

/* Evaluates `t` over the answer, trimmed. STATUS_NOT_FOUND when it is NULL,
 * absent or says nothing; otherwise only STATUS_NOMEM. */
NODISCARD
enum status answer_text(const struct template *t,
                        const struct answer_view *view, struct arena *arena,
                        struct slice *ret_text);

/* Returns what stands at `path` in `value` as text; null, an object, an array
 * and the empty text count as absent. Same statuses. */
NODISCARD
enum status answer_at(const struct json_path *path, struct slice value,
                      struct arena *arena, struct slice *ret_text);

/* Whether something stands at `path` that means yes: not false, 0, null or "".
 */
bool answer_truth(const struct json_path *path, struct slice value);

#endif
