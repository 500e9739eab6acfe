/* SPDX-License-Identifier: MIT */
#include "wire/cloudevents_read.h"

#include "base/utf8.h"
#include "wire/encode.h"
#include "wire/json.h"

enum cloudevents_mode
cloudevents_mode_of(struct slice content_type)
{
    const struct slice type = http_field_media_type(content_type);
    const struct slice prefix = SLICE("application/cloudevents");
    if (slice_equal_nocase(type, slice_of("application/cloudevents+json"))) {
        return CLOUDEVENTS_STRUCTURED;
    }
    if (slice_equal_nocase(type,
                           slice_of("application/cloudevents-batch+json"))) {
        return CLOUDEVENTS_BATCH;
    }
    return slice_equal_nocase(slice_first(type, prefix.len), prefix)
               ? CLOUDEVENTS_UNKNOWN
               : CLOUDEVENTS_BINARY;
}

/* ---- the JSON format ---- */

enum attribute {
    ATTRIBUTE_SPECVERSION,
    ATTRIBUTE_ID,
    ATTRIBUTE_SOURCE,
    ATTRIBUTE_TYPE,
    ATTRIBUTE_REQUIRED, /* how many of them are */
    ATTRIBUTE_TIME = ATTRIBUTE_REQUIRED,
    ATTRIBUTE_SUBJECT,
    ATTRIBUTE_DATACONTENTTYPE,
    ATTRIBUTE_DATASCHEMA,
    ATTRIBUTE_DATA,
    ATTRIBUTE_DATA_BASE64,
    ATTRIBUTE_COUNT
};

static const char *const attribute_names[ATTRIBUTE_COUNT] = {
    [ATTRIBUTE_SPECVERSION] = "specversion",
    [ATTRIBUTE_ID] = "id",
    [ATTRIBUTE_SOURCE] = "source",
    [ATTRIBUTE_TYPE] = "type",
    [ATTRIBUTE_TIME] = "time",
    [ATTRIBUTE_SUBJECT] = "subject",
    [ATTRIBUTE_DATACONTENTTYPE] = "datacontenttype",
    [ATTRIBUTE_DATASCHEMA] = "dataschema",
    [ATTRIBUTE_DATA] = "data",
    [ATTRIBUTE_DATA_BASE64] = "data_base64",
};

/* Which attribute a member is, or ATTRIBUTE_COUNT. */
static size_t
attribute_of(struct slice name)
{
    size_t i = 0;
    while (i < ATTRIBUTE_COUNT &&
           !json_means(name, slice_of(attribute_names[i]))) {
        i++;
    }
    return i;
}

/* CloudEvents §3.1, String: no control characters, C1 neither. */
static bool
is_printable(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char byte = (unsigned char)text.ptr[i];
        const bool c1 = byte == 0xc2 && i + 1 < text.len &&
                        (unsigned char)text.ptr[i + 1] < 0xa0;
        if (byte < 0x20 || byte == 0x7f || c1) {
            return false;
        }
    }
    return true;
}

/* Checks an attribute that is a text; null stands for none. */
static enum status
check_text(size_t attribute, struct slice value, struct error *err)
{
    const char *name = attribute_names[attribute];
    struct arena arena = { 0 };
    struct slice text;
    if (json_type(value) != JSON_STRING) {
        return error_set(err, STATUS_INVALID,
                         "the attribute '%s' is not a text", name);
    }
    enum status status = json_text(value, &arena, &text);
    if (status == STATUS_OK && !is_printable(text)) {
        status = error_set(err, STATUS_INVALID,
                           "the attribute '%s' has a control character", name);
    } else if (status == STATUS_OK && text.len == 0 &&
               attribute < ATTRIBUTE_REQUIRED) {
        status =
            error_set(err, STATUS_INVALID, "the attribute '%s' is empty", name);
    }
    arena_fini(&arena);
    return status;
}

static enum status
check_base64(struct slice value, struct error *err)
{
    struct buf bytes = { 0 };
    struct arena arena = { 0 };
    struct slice text = { NULL, 0 };
    enum status status = json_type(value) == JSON_STRING
                             ? json_text(value, &arena, &text)
                             : STATUS_INVALID;
    if (status == STATUS_OK) {
        status = decode_base64(text, &bytes);
    }
    if (status == STATUS_OK) {
        status = buf_status(&bytes);
    }
    arena_fini(&arena);
    buf_fini(&bytes);
    return status == STATUS_INVALID
               ? error_set(err, status, "'data_base64' is not base64")
               : status;
}

/* Collects the attributes; of what is null there is none. */
static enum status
collect(struct slice object, struct slice found[ATTRIBUTE_COUNT],
        struct error *err)
{
    struct slice name;
    struct slice value;
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
        found[i] = (struct slice){ NULL, 0 };
    }
    for (size_t at = 0; json_next_member(object, &at, &name, &value);) {
        const size_t i = attribute_of(name);
        if (i == ATTRIBUTE_COUNT ||
            (json_type(value) == JSON_NULL && i != ATTRIBUTE_DATA)) {
            continue;
        }
        if (found[i].ptr != NULL) {
            return error_set(err, STATUS_INVALID,
                             "the attribute '%s' comes twice",
                             attribute_names[i]);
        }
        found[i] = value;
    }
    return STATUS_OK;
}

enum status
cloudevents_check(struct slice object, struct error *err)
{
    struct slice found[ATTRIBUTE_COUNT];
    if (json_type(object) != JSON_OBJECT) {
        return error_set(err, STATUS_INVALID, "an event is a JSON object");
    }
    enum status status = collect(object, found, err);
    for (size_t i = 0; status == STATUS_OK && i < ATTRIBUTE_DATA; i++) {
        if (found[i].ptr != NULL) {
            status = check_text(i, found[i], err);
        } else if (i < ATTRIBUTE_REQUIRED) {
            status =
                error_set(err, STATUS_INVALID, "the attribute '%s' is missing",
                          attribute_names[i]);
        }
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (!json_means(found[ATTRIBUTE_SPECVERSION], slice_of("1.0"))) {
        return error_set(err, STATUS_INVALID, "'specversion' is not 1.0");
    }
    if (found[ATTRIBUTE_DATA_BASE64].ptr == NULL) {
        return STATUS_OK;
    }
    return found[ATTRIBUTE_DATA].ptr != NULL
               ? error_set(err, STATUS_INVALID,
                           "there is both 'data' and 'data_base64'")
               : check_base64(found[ATTRIBUTE_DATA_BASE64], err);
}

/* Undoes the base64 of `coded`, which was checked. */
static enum status
decode_data(struct slice coded, struct arena *arena, struct slice *ret_bytes)
{
    struct buf bytes = { 0 };
    struct slice text;
    enum status status = json_text(coded, arena, &text);
    if (status == STATUS_OK) {
        status = decode_base64(text, &bytes);
    }
    if (status == STATUS_OK) {
        status = buf_status(&bytes);
    }
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&bytes), ret_bytes);
    }
    buf_fini(&bytes);
    return status == STATUS_OK ? status : STATUS_NOMEM;
}

enum status
cloudevents_data_of(struct slice object, struct arena *arena,
                    struct cloudevents_data *ret_data)
{
    struct slice found[ATTRIBUTE_COUNT];
    enum status status = STATUS_OK;
    (void)collect(object, found, NULL);
    *ret_data = (struct cloudevents_data){ SLICE("null"), { "", 0 }, true };
    if (found[ATTRIBUTE_DATACONTENTTYPE].ptr != NULL) {
        status = json_text(found[ATTRIBUTE_DATACONTENTTYPE], arena,
                           &ret_data->content_type);
    }
    const bool says_json = ret_data->content_type.len == 0 ||
                           http_field_is_json(ret_data->content_type);
    const struct slice data = found[ATTRIBUTE_DATA];
    if (status != STATUS_OK) {
        return status;
    }
    if (found[ATTRIBUTE_DATA_BASE64].ptr != NULL) {
        status =
            decode_data(found[ATTRIBUTE_DATA_BASE64], arena, &ret_data->bytes);
    } else if (data.ptr == NULL) {
        return STATUS_OK;
    } else if (!says_json && json_type(data) == JSON_STRING) {
        status = json_text(data, arena, &ret_data->bytes);
    } else {
        ret_data->bytes = slice_trim(data);
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        ret_data->is_json =
            says_json &&
            json_check(ret_data->bytes, JSON_DEPTH_DEFAULT, NULL) == STATUS_OK;
    }
    return status;
}

/* ---- binary mode ---- */

/* RFC 9110 §5.6.4: a quoted text stands for what is in it. */
static enum status
unquote(struct slice value, struct buf *into)
{
    if (value.len == 0 || value.ptr[0] != '"') {
        buf_append(into, value);
        return STATUS_OK;
    }
    size_t i = 1;
    for (; i < value.len && value.ptr[i] != '"'; i++) {
        if (value.ptr[i] == '\\' && ++i == value.len) {
            return STATUS_INVALID;
        }
        buf_byte(into, value.ptr[i]);
    }
    return i + 1 == value.len ? STATUS_OK : STATUS_INVALID;
}

/* Every '%' has to begin an escape: decoding leaves broken ones as they are. */
static bool
escapes_whole(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        struct buf byte = { 0 };
        bool whole = true;
        if (text.ptr[i] == '%') {
            const struct slice hex = slice_first(slice_from(text, i + 1), 2);
            whole = hex.len == 2 && decode_hex(hex, &byte) != STATUS_INVALID;
        }
        buf_fini(&byte);
        if (!whole) {
            return false;
        }
    }
    return true;
}

/* Appends what a field's value means, as a JSON text. */
static enum status
write_value(struct slice name, struct slice value, struct buf *into,
            struct error *err)
{
    struct buf plain = { 0 };
    struct buf decoded = { 0 };
    enum status status = unquote(value, &plain);
    if (status == STATUS_OK && !escapes_whole(buf_slice(&plain))) {
        status = STATUS_INVALID;
    }
    if (status == STATUS_OK) {
        decode_percent(buf_slice(&plain), false, &decoded);
        status = buf_status(&plain) == STATUS_OK ? buf_status(&decoded)
                                                 : STATUS_NOMEM;
    }
    if (status == STATUS_OK && !utf8_valid(buf_slice(&decoded))) {
        status = STATUS_INVALID;
    }
    if (status == STATUS_OK) {
        buf_json(into, buf_slice(&decoded));
    }
    buf_fini(&plain);
    buf_fini(&decoded);
    return status == STATUS_INVALID
               ? error_set(err, status,
                           "the field '%.*s' is not percent-encoded UTF-8",
                           SLICE_ARG(name))
               : status;
}

/* CloudEvents §3, naming: lower-case letters and digits; fields have no case.
 * What the body and its content type say may not be said again. */
static enum status
check_name(struct slice field, struct slice name, struct error *err)
{
    bool good = name.len > 0 &&
                !slice_equal_nocase(name, slice_of("datacontenttype")) &&
                !slice_equal_nocase(name, slice_of("data"));
    for (size_t i = 0; good && i < name.len; i++) {
        const char c = name.ptr[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               (c >= '0' && c <= '9');
    }
    return good ? STATUS_OK
                : error_set(err, STATUS_INVALID,
                            "the field '%.*s' is no attribute in binary mode",
                            SLICE_ARG(field));
}

static void
write_name(struct slice name, struct buf *into)
{
    buf_byte(into, '"');
    for (size_t i = 0; i < name.len; i++) {
        unsigned char byte = (unsigned char)name.ptr[i];
        if (byte >= 'A' && byte <= 'Z') {
            byte |= 0x20;
        }
        buf_byte(into, (char)byte);
    }
    buf_text(into, "\":");
}

static void
write_data(struct slice content_type, struct slice body, struct buf *into)
{
    const bool may_be_json =
        content_type.len == 0 || http_field_is_json(content_type);
    if (content_type.len > 0) {
        buf_text(into, ",\"datacontenttype\":");
        buf_json(into, content_type);
    }
    if (body.len == 0) {
        return;
    }
    if (may_be_json &&
        json_check(body, JSON_DEPTH_DEFAULT, NULL) == STATUS_OK) {
        buf_text(into, ",\"data\":");
        buf_append(into, slice_trim(body));
        return;
    }
    buf_text(into, ",\"data_base64\":\"");
    encode_base64(body, into);
    buf_byte(into, '"');
}

enum status
cloudevents_from_fields(struct http_fields fields, struct slice body,
                        struct buf *into, struct error *err)
{
    const struct slice prefix = SLICE("ce-");
    struct slice content_type = { NULL, 0 };
    const char *before = "{";
    for (size_t i = 0; i < fields.count; i++) {
        const struct http_field *field = &fields.at[i];
        if (!slice_equal_nocase(slice_first(field->name, prefix.len), prefix)) {
            continue;
        }
        const struct slice name = slice_from(field->name, prefix.len);
        enum status status = check_name(field->name, name, err);
        if (status == STATUS_OK) {
            buf_text(into, before);
            write_name(name, into);
            status = write_value(field->name, field->value, into, err);
        }
        if (status != STATUS_OK) {
            return status;
        }
        before = ",";
    }
    if (before[0] == '{') {
        return error_set(err, STATUS_INVALID,
                         "the attribute 'specversion' is missing: there is no "
                         "field 'ce-specversion'");
    }
    (void)http_field_find(fields, "content-type", &content_type);
    write_data(content_type, body, into);
    buf_byte(into, '}');
    return buf_status(into);
}
