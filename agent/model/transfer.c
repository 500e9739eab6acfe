/* SPDX-License-Identifier: MIT */
#include "model/transfer.h"

#include <stdio.h>
#include <string.h>

#include "base/instant.h"
#include "base/utf8.h"
#include "model/extract.h"
#include "model/identity.h"
#include "wire/encode.h"
#include "wire/json.h"
#include "wire/timefmt.h"

#define DEPTH       4
#define NAME_BYTES  32
#define FIELDS_MOST 200

static const struct {
    const char *name;
    size_t offset;
    bool needed;
} texts[] = {
    { "connector", offsetof(struct transfer, connector), true },
    { "id", offsetof(struct transfer, id), true },
    { "type", offsetof(struct transfer, type), true },
    { "content_type", offsetof(struct transfer, content_type), false },
    { "headers", offsetof(struct transfer, headers), false },
    { "body", offsetof(struct transfer, body), true },
};

static const struct {
    const char *name;
    size_t offset;
} times[] = {
    { "time", offsetof(struct transfer, time_ms) },
    { "recorded", offsetof(struct transfer, recorded_ms) },
};

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* ---- writing ---- */

static void
put_bytes(const char *name, struct slice bytes, struct buf *into)
{
    if (utf8_valid(bytes) && slice_find(bytes, '\0') == SIZE_MAX) {
        buf_format(into, ",\"%s\":", name);
        buf_json(into, bytes);
        return;
    }
    buf_format(into, ",\"%s_base64\":\"", name);
    encode_base64(bytes, into);
    buf_byte(into, '"');
}

void
transfer_write(const struct transfer *line, struct buf *into)
{
    buf_format(into, "{\"v\":1,\"via\":\"%s\"", channel_name(line->via));
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        char text[INSTANT_TEXT_BYTES];
        const int64_t *at_ms =
            (const void *)((const char *)line + times[i].offset);
        if (*at_ms != 0) {
            buf_format(into, ",\"%s\":\"%s\"", times[i].name,
                       instant_text(*at_ms, text));
        }
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const struct slice *bytes =
            (const void *)((const char *)line + texts[i].offset);
        if (bytes->len > 0 || texts[i].needed) {
            put_bytes(texts[i].name, *bytes, into);
        }
    }
    buf_byte(into, '}');
}

/* ---- reading ---- */

static enum status
wrong(struct error *err, const char *name)
{
    return error_set(err, STATUS_INVALID, "'%s' is absent, or no such value",
                     name);
}

static enum status
read_bytes(struct slice text, const char *name, bool needed,
           struct arena *arena, struct slice *ret, struct error *err)
{
    char encoded[NAME_BYTES];
    struct slice value;
    struct buf plain = { 0 };
    (void)snprintf(encoded, sizeof(encoded), "%s_base64", name);
    if (json_member(text, slice_of(name), &value)) {
        return json_type(value) == JSON_STRING ? json_text(value, arena, ret)
                                               : wrong(err, name);
    }
    if (!json_member(text, slice_of(encoded), &value)) {
        return needed ? wrong(err, name) : STATUS_OK;
    }
    struct slice base64;
    enum status status = json_type(value) == JSON_STRING
                             ? json_text(value, arena, &base64)
                             : STATUS_INVALID;
    if (status == STATUS_OK) {
        status = decode_base64(base64, &plain);
    }
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&plain), ret);
    }
    buf_fini(&plain);
    return status == STATUS_INVALID ? wrong(err, encoded) : status;
}

static enum status
read_time(struct slice text, const char *name, int64_t *ret, struct error *err)
{
    struct slice value;
    if (!json_member(text, slice_of(name), &value)) {
        return STATUS_OK;
    }
    value = slice_trim(value);
    if (json_type(value) != JSON_STRING || value.len < 2) {
        return wrong(err, name);
    }
    value = slice_first(slice_from(value, 1), value.len - 2);
    return timefmt_read(TIMEFMT_AUTO, value, ret) == STATUS_OK
               ? STATUS_OK
               : wrong(err, name);
}

static enum status
read_via(struct slice text, enum channel *ret, struct error *err)
{
    struct slice value;
    for (int via = 0; via < CHANNEL_COUNT; via++) {
        if (json_member(text, slice_of("via"), &value) &&
            json_means(value, slice_of(channel_name((enum channel)via)))) {
            *ret = (enum channel)via;
            return STATUS_OK;
        }
    }
    return wrong(err, "via");
}

enum status
transfer_read(struct slice text, struct arena *arena, struct transfer *ret,
              struct error *err)
{
    *ret = (struct transfer){ 0 };
    if (json_check(text, DEPTH, NULL) != STATUS_OK ||
        json_type(text) != JSON_OBJECT) {
        return error_set(err, STATUS_INVALID, "it is no JSON object");
    }
    enum status status = read_via(text, &ret->via, err);
    for (size_t i = 0; status == STATUS_OK && i < COUNT_OF(times); i++) {
        int64_t *at_ms = (void *)((char *)ret + times[i].offset);
        status = read_time(text, times[i].name, at_ms, err);
    }
    for (size_t i = 0; status == STATUS_OK && i < COUNT_OF(texts); i++) {
        struct slice *bytes = (void *)((char *)ret + texts[i].offset);
        status =
            read_bytes(text, texts[i].name, texts[i].needed, arena, bytes, err);
    }
    if (status == STATUS_OK && ret->id.len == 0) {
        status = wrong(err, "id");
    }
    return status;
}

/* ---- keys ---- */

static enum status
list_fields(struct slice headers, struct arena *arena, struct http_fields *ret)
{
    struct http_field *fields =
        arena_array(arena, FIELDS_MOST, sizeof(*fields));
    struct slice row;
    if (fields == NULL) {
        return STATUS_NOMEM;
    }
    *ret = (struct http_fields){ fields, 0 };
    while (ret->count < FIELDS_MOST && headers.len > 0 &&
           slice_split(&headers, '\n', &row)) {
        size_t colon = slice_find(row, ':');
        if (colon != SIZE_MAX) {
            fields[ret->count++] =
                (struct http_field){ slice_first(row, colon),
                                     slice_trim(slice_from(row, colon + 1)) };
        }
    }
    return STATUS_OK;
}

/* Reads the bytes as they came: a row, or a request with one event. */
static enum status
sight_anew(const struct connector *connector, const struct transfer *line,
           struct arena *arena, struct sighting *ret)
{
    struct error ignored = { "" };
    if (channel_is_walk(line->via)) {
        const struct row_view view = { .row = line->body,
                                       .body = line->body,
                                       .via = line->via,
                                       .received_ms = line->recorded_ms };
        return connector->has_poll
                   ? extract_row(connector, &view, arena, ret, &ignored)
                   : STATUS_INVALID;
    }
    struct inbound request = { .method = SLICE("POST"), .body = line->body };
    struct extracted events;
    enum status status = list_fields(line->headers, arena, &request.fields);
    if (status != STATUS_OK) {
        return status;
    }
    request.body_is_json =
        json_check(line->body, JSON_DEPTH_DEFAULT, NULL) == STATUS_OK;
    status = connector->verify_count == 0
                 ? STATUS_INVALID
                 : extract_request(connector, &request, &connector->verify[0],
                                   line->recorded_ms, arena, &events, &ignored);
    if (status == STATUS_OK && events.count != 1) {
        return STATUS_INVALID;
    }
    if (status == STATUS_OK) {
        *ret = events.at[0];
    }
    return status;
}

enum status
transfer_sight(const struct connector *connector, const struct transfer *line,
               struct arena *arena, struct sighting *ret, struct error *err)
{
    struct sighting anew = { 0 };
    enum status status = sight_anew(connector, line, arena, &anew);
    if (status == STATUS_NOMEM) {
        return error_set(err, status, "out of memory");
    }
    bool same = status == STATUS_OK && slice_equal(anew.id, line->id) &&
                slice_equal(anew.type, line->type);
    *ret = (struct sighting){ .via = line->via,
                              .id = line->id,
                              .type = line->type,
                              .time_ms = line->time_ms,
                              .received_ms = line->recorded_ms,
                              .imported_ms = line->recorded_ms,
                              .headers = line->headers,
                              .content_type = line->content_type,
                              .body = line->body };
    if (same) {
        ret->key_count = anew.key_count;
        memcpy(ret->keys, anew.keys, sizeof(ret->keys));
        ret->covered_by_row = anew.covered_by_row;
        return STATUS_OK;
    }
    return identity_add(connector, ret, KEY_ID, line->id, -1);
}
