/* SPDX-License-Identifier: MIT */
/*
 * extract_cover: what of a request its signature covers, told from the
 * templates of the signed text.
 */
#ifndef MODEL_EXTRACT_COVER_H
#define MODEL_EXTRACT_COVER_H

#include "model/connector.h"
#include "wire/template.h"

/*
 * Whether all places of one alternative of `t` are covered by the rule that
 * proved the request genuine. A token or Basic vouches for the whole request.
 * With several signed texts a place must be in each: any of them may have been
 * the one that matched. `item:` looks into what `body` (`event.body`, or NULL)
 * names, and is covered when all of that is.
 */
bool extract_cover_template(const struct verify_rule *rule,
                            const struct template *body,
                            const struct template *t, size_t choice);

/* Whether the body is covered. */
bool extract_cover_body(const struct verify_rule *rule);

#endif
