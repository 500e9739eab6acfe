/* SPDX-License-Identifier: MIT */
#include "wire/http_field.h"

#include <stdbool.h>
#include <string.h>

#include "wire/timefmt.h"

bool
http_field_find_slice(struct http_fields fields, struct slice name,
                      struct slice *ret_value)
{
    for (size_t i = 0; i < fields.count; i++) {
        if (slice_equal_nocase(fields.at[i].name, name)) {
            *ret_value = fields.at[i].value;
            return true;
        }
    }
    return false;
}

bool
http_field_find(struct http_fields fields, const char *name,
                struct slice *ret_value)
{
    return http_field_find_slice(fields, slice_of(name), ret_value);
}

size_t
http_field_count(struct http_fields fields, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < fields.count; i++) {
        count += slice_equal_nocase(fields.at[i].name, slice_of(name));
    }
    return count;
}

struct slice
http_field_media_type(struct slice content_type)
{
    return slice_trim(slice_first(content_type, slice_find(content_type, ';')));
}

bool
http_field_is_json(struct slice content_type)
{
    struct slice type = http_field_media_type(content_type);
    struct slice suffix = SLICE("+json");
    return slice_equal_nocase(type, slice_of("application/json")) ||
           slice_equal_nocase(type, slice_of("text/json")) ||
           (type.len > suffix.len &&
            slice_equal_nocase(slice_from(type, type.len - suffix.len),
                               suffix));
}

static bool
is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/*
 * Reads "2", "2.0" or "0.25" seconds as ms. What follows the third decimal can
 * only make the wait longer by one; so does not fit becomes INT64_MAX.
 */
static bool
read_seconds(struct slice value, int64_t *ret_ms)
{
    struct slice whole = slice_first(value, slice_find(value, '.'));
    struct slice fraction = slice_from(value, whole.len);
    if (whole.len == 0 || fraction.len == 1) {
        return false;
    }
    int64_t ms = 0;
    for (size_t i = 0; i < whole.len; i++) {
        if (!is_digit(whole.ptr[i])) {
            return false;
        }
        if (ms > INT64_MAX / 20000) {
            ms = INT64_MAX / 20000; /* some 14,000 years: any cap is less */
        }
        ms = ms * 10 + (whole.ptr[i] - '0');
    }
    ms *= 1000;
    int64_t unit = 100;
    bool more = false;
    for (size_t i = 1; i < fraction.len; i++) {
        if (!is_digit(fraction.ptr[i])) {
            return false;
        }
        ms += unit * (fraction.ptr[i] - '0');
        more = more || (unit == 0 && fraction.ptr[i] != '0');
        unit /= 10;
    }
    *ret_ms = ms + more;
    return true;
}

enum status
http_field_retry_after(struct slice value, int64_t now_ms, int64_t cap_ms,
                       int64_t *ret_wait_ms)
{
    int64_t wait_ms = 0;
    value = slice_trim(value);
    if (!read_seconds(value, &wait_ms)) {
        int64_t at_ms;
        if (timefmt_read_http(value, &at_ms) != STATUS_OK &&
            timefmt_read(TIMEFMT_ISO8601, value, &at_ms) != STATUS_OK) {
            return STATUS_INVALID;
        }
        wait_ms = at_ms > now_ms ? at_ms - now_ms : 0;
    }
    if (wait_ms > cap_ms) {
        wait_ms = cap_ms;
    }
    *ret_wait_ms = wait_ms < 0 ? 0 : wait_ms;
    return STATUS_OK;
}

static void
skip_blanks(struct slice *rest)
{
    while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t')) {
        *rest = slice_from(*rest, 1);
    }
}

/* Takes a token or a quoted string (without its quotes) off `*rest`. */
static struct slice
take_word(struct slice *rest)
{
    size_t len = 0;
    struct slice word;
    skip_blanks(rest);
    if (rest->len > 0 && rest->ptr[0] == '"') {
        *rest = slice_from(*rest, 1);
        while (len < rest->len && rest->ptr[len] != '"') {
            len += rest->ptr[len] == '\\' && rest->len - len > 1 ? 2 : 1;
        }
        word = slice_first(*rest, len);
        *rest = slice_from(*rest, len + 1);
        return word;
    }
    while (len < rest->len && strchr("=;, \t", rest->ptr[len]) == NULL) {
        len++;
    }
    word = slice_first(*rest, len);
    *rest = slice_from(*rest, len);
    return word;
}

/* Whether the blank-separated relation types name `rel` (RFC 8288 §3.3). */
static bool
names_relation(struct slice types, struct slice rel)
{
    struct slice type;
    while (slice_split(&types, ' ', &type)) {
        if (slice_equal_nocase(type, rel)) {
            return true;
        }
    }
    return false;
}

/* Reads the parameters of one link up to its comma; the first `rel` counts. */
static bool
take_parameters(struct slice *rest, struct slice rel)
{
    bool seen = false;
    bool matches = false;
    for (;;) {
        skip_blanks(rest);
        if (rest->len == 0 || rest->ptr[0] != ';') {
            return matches;
        }
        *rest = slice_from(*rest, 1);
        struct slice name = take_word(rest);
        struct slice value = { "", 0 };
        skip_blanks(rest);
        if (rest->len > 0 && rest->ptr[0] == '=') {
            *rest = slice_from(*rest, 1);
            value = take_word(rest);
        }
        if (!seen && slice_equal_nocase(name, slice_of("rel"))) {
            seen = true;
            matches = names_relation(value, rel);
        }
    }
}

bool
http_field_link(struct slice value, const char *rel, struct slice *ret_target)
{
    struct slice rest = value;
    for (;;) {
        while (rest.len > 0 && strchr(", \t", rest.ptr[0]) != NULL) {
            rest = slice_from(rest, 1);
        }
        size_t close = slice_find(rest, '>');
        if (rest.len == 0 || rest.ptr[0] != '<' || close == SIZE_MAX) {
            return false;
        }
        struct slice target = { rest.ptr + 1, close - 1 };
        rest = slice_from(rest, close + 1);
        if (take_parameters(&rest, slice_of(rel))) {
            *ret_target = target;
            return true;
        }
    }
}

bool
http_field_name_valid(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char byte = name.ptr[i];
        bool letter = (byte >= 'a' && byte <= 'z') ||
                      (byte >= 'A' && byte <= 'Z') || is_digit(byte);
        if (!letter &&
            (byte == '\0' || strchr("!#$%&'*+-.^_`|~", byte) == NULL)) {
            return false;
        }
    }
    return name.len > 0;
}

bool
http_field_value_valid(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.ptr[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
            return false;
        }
    }
    return true;
}

/* ---- Accept ---- */

/* "0.75" is 750; what is no weight counts as 1. */
static unsigned
read_weight(struct slice text)
{
    unsigned weight = 0;
    if (text.len == 0 || text.ptr[0] != '0') {
        return 1000;
    }
    for (size_t i = 2, worth = 100; i < 5; i++, worth /= 10) {
        bool is_digit =
            i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9';
        weight +=
            is_digit ? (unsigned)(text.ptr[i] - '0') * (unsigned)worth : 0;
    }
    return weight;
}

unsigned
http_field_accepts(struct slice accept, const char *type)
{
    unsigned most = 0;
    struct slice range;
    while (slice_split(&accept, ',', &range)) {
        struct slice param;
        unsigned weight = 1000;
        if (!slice_equal_nocase(http_field_media_type(range), slice_of(type))) {
            continue;
        }
        while (slice_split(&range, ';', &param)) {
            param = slice_trim(param);
            if (slice_equal_nocase(slice_first(param, 2), slice_of("q="))) {
                weight = read_weight(slice_from(param, 2));
            }
        }
        most = weight > most ? weight : most;
    }
    return most;
}
