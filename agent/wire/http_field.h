/* SPDX-License-Identifier: MIT */
/*
 * http_field: header fields: find them, and read the ones that carry meaning
 * for us (RFC 9110, RFC 8288).
 */
#ifndef WIRE_HTTP_FIELD_H
#define WIRE_HTTP_FIELD_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct http_field {
    struct slice name;
    struct slice value; /* trimmed */
};

struct http_fields {
    const struct http_field *at;
    size_t count;
};

/* Returns the value of the first field called `name` (any case). */
bool http_field_find(struct http_fields fields, const char *name,
                     struct slice *ret_value);
bool http_field_find_slice(struct http_fields fields, struct slice name,
                           struct slice *ret_value);

/* Returns how many fields are called `name`. */
size_t http_field_count(struct http_fields fields, const char *name);

/* Whether the content type, parameters aside, is JSON: application/json,
 * text/json or anything ending in +json. */
bool http_field_is_json(struct slice content_type);

/* Returns the media type without its parameters. */
struct slice http_field_media_type(struct slice content_type);

/* Returns how much an Accept value wants the media type, in thousandths (RFC
 * 9110 §12.5.1): 0 for not at all, or where only a wildcard stands for it. Its
 * other parameters are not looked at. */
unsigned http_field_accepts(struct slice accept, const char *type);

/*
 * Reads Retry-After: seconds (a decimal fraction is taken, rounded up: Shopify
 * sends "2.0"), or an HTTP date or one of RFC 3339 (as Zoom's daily limits are
 * told) measured from `now_ms`. The wait is cut to
 * [0, cap_ms]. STATUS_INVALID otherwise.
 */
NODISCARD
enum status http_field_retry_after(struct slice value, int64_t now_ms,
                                   int64_t cap_ms, int64_t *ret_wait_ms);

/* Returns the target of the first link with relation `rel` in a Link value
 * (RFC 8288 §3), without its angle brackets. */
bool http_field_link(struct slice value, const char *rel,
                     struct slice *ret_target);

/* Whether the name is a token (RFC 9110 §5.6.2) and the value has no control
 * byte but tab: nothing else may be sent or taken. */
bool http_field_name_valid(struct slice name);
bool http_field_value_valid(struct slice value);

#endif
