/* SPDX-License-Identifier: MIT */
#include "model/conceal.h"

static int
hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The byte at the beginning of `text`, and how long it is written. */
static size_t
read_byte(struct slice text, unsigned char *ret_byte)
{
    *ret_byte = (unsigned char)text.ptr[0];
    if (text.len >= 3 && text.ptr[0] == '%') {
        const int high = hex_of(text.ptr[1]);
        const int low = hex_of(text.ptr[2]);
        if (high >= 0 && low >= 0) {
            *ret_byte = (unsigned char)(high * 16 + low);
            return 3;
        }
    }
    return 1;
}

/* How much of `text` the secret is that it begins with; 0: it does not. The
 * secret stands there as it is, for it may hold what looks like an escape, or
 * percent-encoded. */
static size_t
begins_with(struct slice text, struct slice secret)
{
    size_t used = 0;
    if (slice_starts(text, secret)) {
        return secret.len;
    }
    for (size_t i = 0; i < secret.len; i++) {
        unsigned char byte;
        if (used == text.len) {
            return 0;
        }
        used += read_byte(slice_from(text, used), &byte);
        if (byte != (unsigned char)secret.ptr[i]) {
            return 0;
        }
    }
    return used;
}

/* How much of `text` the longest of the secrets is that it begins with. */
static size_t
longest_of(const struct slice *secrets, size_t count, struct slice text)
{
    size_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t len = secrets[i].len < CONCEAL_BYTES_MIN
                               ? 0
                               : begins_with(text, secrets[i]);
        longest = len > longest ? len : longest;
    }
    return longest;
}

static size_t
secret_at(const struct connector *connector, struct slice text)
{
    size_t longest = 0;
    for (size_t i = 0; i < connector->param_count; i++) {
        const struct connector_param *param = &connector->params[i];
        const size_t len =
            param->secret ? longest_of(param->values, param->count, text) : 0;
        longest = len > longest ? len : longest;
    }
    return longest;
}

/* Writes what `text` begins with, a secret of so many bytes or a byte. */
static struct slice
write_first(struct slice text, size_t secret, struct buf *into)
{
    if (secret > 0) {
        buf_text(into, "***");
    } else {
        buf_byte(into, text.ptr[0]);
    }
    return slice_from(text, secret > 0 ? secret : 1);
}

void
conceal(const struct connector *connector, struct slice text, struct buf *into)
{
    while (text.len > 0) {
        text = write_first(text, secret_at(connector, text), into);
    }
}

void
conceal_each(const struct slice *secrets, size_t count, struct slice text,
             struct buf *into)
{
    while (text.len > 0) {
        text = write_first(text, longest_of(secrets, count, text), into);
    }
}
