/* SPDX-License-Identifier: MIT */
/*
 * fail_when: whether an answer with a good status says in words that it failed
 * (`poll.fail_when`). Pure.
 */
#ifndef MODEL_FAIL_WHEN_H
#define MODEL_FAIL_WHEN_H

#include "model/connector.h"
#include "wire/http_field.h"

/* Whether a good answer says that it failed (`fail_when`): STATUS_PROTOCOL, and
 * the words name the place that says it. `body` is JSON that was checked. */
NODISCARD
enum status fail_when_says(const struct connector *connector, struct slice body,
                           struct http_fields fields, struct arena *arena,
                           struct error *err);

#endif
