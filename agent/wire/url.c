/* SPDX-License-Identifier: MIT */
#include "wire/url.h"

#include <stddef.h>
#include <string.h>

#include "wire/encode.h"

/* Cuts what stands before the first byte of `ends` off `*rest`. */
static struct slice
take_until(struct slice *rest, const char *ends)
{
    size_t len = 0;
    while (len < rest->len && strchr(ends, rest->ptr[len]) == NULL) {
        len++;
    }
    struct slice taken = slice_first(*rest, len);
    *rest = slice_from(*rest, len);
    return taken;
}

/* NUL cannot reach strchr above: this is asked first. */
static bool
has_control_or_blank(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if (byte <= 0x20 || byte == 0x7f) {
            return true;
        }
    }
    return false;
}

static bool
is_alnum(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z');
}

/*
 * A name or an address, no more: a backslash, '@' or an escape in a host is
 * read differently by different programs, and that is how a URL comes to lead
 * elsewhere than its check saw.
 */
static bool
host_valid(struct slice host)
{
    const char *also = "-._";
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = (struct slice){ host.ptr + 1, host.len - 2 };
        also = ":.";
    }
    for (size_t i = 0; i < host.len; i++) {
        if (!is_alnum(host.ptr[i]) && strchr(also, host.ptr[i]) == NULL) {
            return false;
        }
    }
    return host.len > 0;
}

/* Reads "host", "host:port" or "[address]:port". */
static enum status
parse_authority(struct slice authority, struct url *url, struct error *err)
{
    if (slice_find(authority, '@') != SIZE_MAX) {
        return error_set(err, STATUS_INVALID, "a user in the URL");
    }
    size_t host_len = slice_find(authority, ':');
    if (authority.len > 0 && authority.ptr[0] == '[') {
        size_t close = slice_find(authority, ']');
        host_len = close == SIZE_MAX ? SIZE_MAX : close + 1;
    }
    url->host = slice_first(authority, host_len);
    if (!host_valid(url->host)) {
        return error_set(err, STATUS_INVALID, "no valid host in the URL");
    }
    struct slice rest = slice_from(authority, url->host.len);
    if (rest.len == 0) {
        return STATUS_OK;
    }
    uint64_t port = 0;
    if (rest.ptr[0] != ':' || rest.len > 6 ||
        slice_to_u64(slice_from(rest, 1), &port) != STATUS_OK || port == 0 ||
        port > UINT16_MAX) {
        return error_set(err, STATUS_INVALID, "no valid port in the URL");
    }
    url->port = (uint16_t)port;
    url->has_port = true;
    return STATUS_OK;
}

enum status
url_parse(struct slice text, struct url *ret_url, struct error *err)
{
    struct url url = { 0 };
    if (has_control_or_blank(text)) {
        return error_set(err, STATUS_INVALID,
                         "a blank or control byte in the URL");
    }
    size_t colon = slice_find_slice(text, slice_of("://"));
    url.scheme = slice_first(text, colon == SIZE_MAX ? 0 : colon);
    if (slice_equal_nocase(url.scheme, slice_of("https"))) {
        url.port = 443;
    } else if (slice_equal_nocase(url.scheme, slice_of("http"))) {
        url.port = 80;
    } else {
        return error_set(err, STATUS_INVALID,
                         "the URL does not begin with http:// or https://");
    }
    struct slice rest = slice_from(text, colon + 3);
    enum status status = parse_authority(take_until(&rest, "/?#"), &url, err);
    if (status != STATUS_OK) {
        return status;
    }
    url.path = take_until(&rest, "?#");
    if (rest.len > 0 && rest.ptr[0] == '?') {
        rest = slice_from(rest, 1);
        url.query = take_until(&rest, "#");
        url.has_query = true;
    }
    *ret_url = url;
    return STATUS_OK;
}

bool
url_same_origin(const struct url *a, const struct url *b)
{
    return slice_equal_nocase(a->scheme, b->scheme) &&
           slice_equal_nocase(a->host, b->host) && a->port == b->port;
}

/* Whether `reference` begins with a scheme (RFC 3986 §3.1). */
static bool
has_scheme(struct slice reference)
{
    struct slice rest = reference;
    struct slice head = take_until(&rest, ":/?#");
    if (rest.len == 0 || rest.ptr[0] != ':' || head.len == 0) {
        return false;
    }
    for (size_t i = 0; i < head.len; i++) {
        if (!is_alnum(head.ptr[i]) && strchr("+-.", head.ptr[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* Appends an absolute path without its dot segments (RFC 3986 §5.2.4);
 * `floor` is the length of `into` before the path began. */
static void
append_without_dots(struct slice path, size_t floor, struct buf *into)
{
    struct slice segment;
    struct slice rest = slice_from(path, 1); /* behind the leading '/' */
    while (slice_split(&rest, '/', &segment)) {
        bool last = rest.ptr == NULL;
        bool up = slice_equal_text(segment, "..");
        if (up) {
            while (into->len > floor && into->ptr[into->len - 1] != '/') {
                buf_truncate(into, into->len - 1);
            }
            if (into->len > floor) {
                buf_truncate(into, into->len - 1);
            }
        }
        if (up || slice_equal_text(segment, ".")) {
            if (last) {
                buf_byte(into, '/');
            }
            continue;
        }
        buf_byte(into, '/');
        buf_append(into, segment);
    }
}

/* Appends the path and query of a reference without scheme and authority. */
static void
resolve_path(const struct url *base, struct slice reference, struct buf *into)
{
    struct slice rest = reference;
    struct slice path = take_until(&rest, "?#");
    bool has_query = rest.len > 0 && rest.ptr[0] == '?';
    struct slice query = { "", 0 };
    if (has_query) {
        rest = slice_from(rest, 1);
        query = take_until(&rest, "#");
    }
    if (path.len == 0) {
        buf_append(into, base->path);
        if (!has_query) {
            has_query = base->has_query;
            query = base->query;
        }
    } else if (path.ptr[0] == '/') {
        buf_append(into, path);
    } else {
        size_t keep = base->path.len;
        while (keep > 0 && base->path.ptr[keep - 1] != '/') {
            keep--;
        }
        struct buf merged = { 0 };
        buf_append(&merged, slice_first(base->path, keep));
        if (keep == 0) {
            buf_byte(&merged, '/');
        }
        buf_append(&merged, path);
        if (buf_status(&merged) != STATUS_OK) {
            into->failure = buf_status(&merged);
        } else {
            append_without_dots(buf_slice(&merged), into->len, into);
        }
        buf_fini(&merged);
    }
    if (has_query) {
        buf_byte(into, '?');
        buf_append(into, query);
    }
}

enum status
url_resolve(struct slice base, struct slice reference, struct buf *into,
            struct error *err)
{
    struct url at = { 0 };
    struct url made;
    enum status status = url_parse(base, &at, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (has_control_or_blank(reference)) {
        return error_set(err, STATUS_INVALID,
                         "a blank or control byte in the URL");
    }
    size_t start = into->len;
    struct slice fragment = reference;
    struct slice bare = take_until(&fragment, "#");
    if (has_scheme(bare)) {
        buf_append(into, bare);
    } else if (slice_starts(bare, slice_of("//"))) {
        buf_append(into, at.scheme);
        buf_byte(into, ':');
        buf_append(into, bare);
    } else {
        size_t origin = (size_t)(at.host.ptr - base.ptr) + at.host.len;
        buf_append(into, slice_first(base, origin));
        if (at.has_port) {
            buf_format(into, ":%u", (unsigned)at.port);
        }
        resolve_path(&at, bare, into);
    }
    status = buf_status(into);
    if (status == STATUS_OK) {
        status = url_parse(slice_from(buf_slice(into), start), &made, err);
    }
    if (status != STATUS_OK) {
        buf_truncate(into, start);
    }
    return status;
}

void
url_add_query(struct buf *url, struct slice name, struct slice value)
{
    struct slice text = buf_slice(url);
    if (slice_find(text, '?') == SIZE_MAX) {
        buf_byte(url, '?');
    } else if (!slice_ends(text, slice_of("?")) &&
               !slice_ends(text, slice_of("&"))) {
        buf_byte(url, '&');
    }
    encode_percent(name, NULL, url);
    buf_byte(url, '=');
    encode_percent(value, NULL, url);
}

/* Decodes one name or value of a query; borrows where nothing changes. */
static enum status
decoded(struct slice text, struct arena *arena, struct slice *ret_text)
{
    if (slice_find(text, '%') == SIZE_MAX &&
        slice_find(text, '+') == SIZE_MAX) {
        *ret_text = text;
        return STATUS_OK;
    }
    struct buf plain = { 0 };
    decode_percent(text, true, &plain);
    enum status status = buf_status(&plain);
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&plain), ret_text);
    }
    buf_fini(&plain);
    return status;
}

enum status
url_query_value(struct slice query, struct slice name, struct arena *arena,
                struct slice *ret_value)
{
    struct slice rest = query;
    struct slice field;
    while (slice_split(&rest, '&', &field)) {
        size_t equal = slice_find(field, '=');
        struct slice found;
        enum status status = decoded(slice_first(field, equal), arena, &found);
        if (status != STATUS_OK) {
            return status;
        }
        if (field.len > 0 && slice_equal(found, name)) {
            size_t behind = equal == SIZE_MAX ? field.len : equal + 1;
            return decoded(slice_from(field, behind), arena, ret_value);
        }
    }
    return STATUS_NOT_FOUND;
}
