/* SPDX-License-Identifier: MIT */
#include "app/masked.h"

#include "base/mem.h"
#include "wire/encode.h"

static const char mask[] = "***";

/* Whether a secret stands at the beginning; then how long it is. */
static size_t
begins_with(struct slice text, struct slice secret, struct buf *encoded)
{
    if (secret.len == 0) {
        return 0;
    }
    if (slice_starts(text, secret)) {
        return secret.len;
    }
    buf_clear(encoded);
    encode_percent(secret, "", encoded);
    return slice_starts(text, buf_slice(encoded)) ? encoded->len : 0;
}

static size_t
secret_at(const struct connector *connector, struct slice text,
          struct buf *encoded)
{
    size_t longest = 0;
    for (size_t i = 0; i < connector->param_count; i++) {
        const struct connector_param *param = &connector->params[i];
        for (size_t v = 0; param->secret && v < param->count; v++) {
            size_t len = begins_with(text, param->values[v], encoded);
            longest = len > longest ? len : longest;
        }
    }
    return longest;
}

void
masked_text(const struct connector *connector, struct slice text,
            struct buf *into)
{
    struct buf encoded = { 0 };
    while (text.len > 0) {
        size_t len = secret_at(connector, text, &encoded);
        if (len > 0) {
            buf_text(into, mask);
        } else {
            buf_byte(into, text.ptr[0]);
            len = 1;
        }
        text = slice_from(text, len);
    }
    mem_wipe(encoded.ptr, encoded.len);
    buf_fini(&encoded);
}
