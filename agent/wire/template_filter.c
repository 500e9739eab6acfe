/* SPDX-License-Identifier: MIT */
#include "wire/template_filter.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "base/utf8.h"
#include "wire/digest.h"
#include "wire/encode.h"
#include "wire/json.h"
#include "wire/timefmt.h"

/* What may stand behind the colon. */
enum argument {
    ARGUMENT_NONE,
    ARGUMENT_ALG,     /* "sha256" */
    ARGUMENT_ESCAPES, /* "%3A%2F" */
    ARGUMENT_NAMES    /* "update_id,kind" */
};

typedef enum status apply_fn(const struct template_step *step, struct slice key,
                             struct slice text, struct buf *into);

struct template_filter {
    const char *name;
    apply_fn *apply;
    enum argument argument;
    int option;
};

/* A form with more fields is no webhook, but an attempt to keep us busy. */
#define FORM_FIELDS_MAX 10000

static enum status
apply_crc32(const struct template_step *step, struct slice key,
            struct slice text, struct buf *into)
{
    (void)step;
    (void)key;
    buf_i64(into, (int64_t)digest_crc32(text));
    return STATUS_OK;
}

static enum status
apply_hash(const struct template_step *step, struct slice key,
           struct slice text, struct buf *into)
{
    (void)key;
    struct digest digest;
    enum status status =
        digest_hash((enum digest_alg)step->option, &text, 1, &digest);
    if (status == STATUS_OK) {
        buf_append(into, digest_slice(&digest));
    }
    return status;
}

static enum status
apply_hmac(const struct template_step *step, struct slice key,
           struct slice text, struct buf *into)
{
    struct digest digest;
    enum status status =
        digest_hmac((enum digest_alg)step->option, key, &text, 1, &digest);
    if (status == STATUS_OK) {
        buf_append(into, digest_slice(&digest));
    }
    return status;
}

static enum status
apply_hex(const struct template_step *step, struct slice key, struct slice text,
          struct buf *into)
{
    (void)step;
    (void)key;
    encode_hex(text, into);
    return STATUS_OK;
}

static enum status
apply_base64(const struct template_step *step, struct slice key,
             struct slice text, struct buf *into)
{
    (void)step;
    (void)key;
    encode_base64(text, into);
    return STATUS_OK;
}

static enum status
apply_unbase64(const struct template_step *step, struct slice key,
               struct slice text, struct buf *into)
{
    (void)step;
    (void)key;
    return decode_base64(text, into);
}

static enum status
apply_lower(const struct template_step *step, struct slice key,
            struct slice text, struct buf *into)
{
    (void)step;
    (void)key;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if (byte >= 'A' && byte <= 'Z') {
            byte |= 0x20;
        }
        buf_byte(into, (char)byte);
    }
    return STATUS_OK;
}

static enum status
apply_urlencode(const struct template_step *step, struct slice key,
                struct slice text, struct buf *into)
{
    (void)step;
    (void)key;
    encode_percent(text, NULL, into);
    return STATUS_OK;
}

static bool
in_set(const struct template_step *step, char byte)
{
    return memchr(step->set.ptr, (unsigned char)byte, step->set.len) != NULL;
}

static enum status
apply_escape(const struct template_step *step, struct slice key,
             struct slice text, struct buf *into)
{
    (void)key;
    for (size_t i = 0; i < text.len; i++) {
        if (in_set(step, text.ptr[i])) {
            buf_format(into, "%%%02X", (unsigned)(unsigned char)text.ptr[i]);
        } else {
            buf_byte(into, text.ptr[i]);
        }
    }
    return STATUS_OK;
}

/* Decodes the listed escapes only, the others stay as they are. */
static enum status
apply_unescape(const struct template_step *step, struct slice key,
               struct slice text, struct buf *into)
{
    (void)key;
    for (size_t i = 0; i < text.len; i++) {
        struct slice escape = slice_first(slice_from(text, i), 3);
        size_t before = into->len;
        decode_percent(escape, false, into);
        bool decoded = escape.ptr[0] == '%' && into->len == before + 1 &&
                       in_set(step, into->ptr[before]);
        if (decoded && escape.len == 3) {
            i += 2;
        } else {
            buf_truncate(into, before);
            buf_byte(into, text.ptr[i]);
        }
    }
    return STATUS_OK;
}

/* Finds the authority of a URL: from its first byte to behind its last, and
 * where its port's colon is (the end if there is none). */
static bool
find_port(struct slice url, size_t *ret_colon, size_t *ret_end)
{
    size_t start = slice_find_slice(url, slice_of("://"));
    if (start == SIZE_MAX) {
        return false;
    }
    start += 3;
    size_t end = start;
    while (end < url.len && url.ptr[end] != '/' && url.ptr[end] != '?' &&
           url.ptr[end] != '#') {
        end++;
    }
    size_t colon = end;
    for (size_t i = end; i > start; i--) {
        char byte = url.ptr[i - 1];
        if (byte == ']' || byte == '@') {
            break;
        }
        if (byte == ':') {
            colon = i - 1;
            break;
        }
    }
    *ret_colon = colon;
    *ret_end = end;
    return true;
}

static enum status
apply_noport(const struct template_step *step, struct slice key,
             struct slice text, struct buf *into)
{
    (void)step;
    (void)key;
    size_t colon = text.len;
    size_t end = text.len;
    (void)find_port(text, &colon, &end);
    buf_append(into, slice_first(text, colon));
    buf_append(into, slice_from(text, end));
    return STATUS_OK;
}

static enum status
apply_withport(const struct template_step *step, struct slice key,
               struct slice text, struct buf *into)
{
    (void)step;
    (void)key;
    size_t colon = 0;
    size_t end = 0;
    if (!find_port(text, &colon, &end) || colon != end) {
        buf_append(into, text);
        return STATUS_OK;
    }
    bool tls = slice_equal_nocase(slice_first(text, 6), slice_of("https:"));
    buf_append(into, slice_first(text, end));
    buf_text(into, tls ? ":443" : ":80");
    buf_append(into, slice_from(text, end));
    return STATUS_OK;
}

struct form_field {
    struct slice name;
    struct slice value;
};

static int
compare_fields(const void *left, const void *right)
{
    const struct form_field *a = left;
    const struct form_field *b = right;
    int order = slice_compare(a->name, b->name);
    return order != 0 ? order : slice_compare(a->value, b->value);
}

/* Appends decoded text to `plain`, whose room was reserved. */
static struct slice
decode_into(struct slice text, struct buf *plain)
{
    size_t start = plain->len;
    decode_percent(text, true, plain);
    return slice_from(buf_slice(plain), start);
}

/* Decodes the fields of a form; returns how many. */
static size_t
split_form(struct slice form, struct form_field *fields, struct buf *plain)
{
    size_t count = 0;
    struct slice rest = form;
    struct slice field;
    while (slice_split(&rest, '&', &field)) {
        if (field.len == 0) {
            continue;
        }
        size_t equal = slice_find(field, '=');
        size_t behind = equal == SIZE_MAX ? field.len : equal + 1;
        fields[count].name = decode_into(slice_first(field, equal), plain);
        fields[count].value = decode_into(slice_from(field, behind), plain);
        count++;
    }
    return count;
}

/* The fields of a form, decoded. */
struct form {
    struct form_field *at;
    size_t count;
    struct buf plain; /* what they borrow from */
};

static void
form_fini(struct form *form)
{
    mem_free(form->at);
    buf_fini(&form->plain);
}

static enum status
form_read(struct slice text, struct form *form)
{
    size_t most = 1;
    for (size_t i = 0; i < text.len; i++) {
        most += text.ptr[i] == '&';
    }
    *form = (struct form){ .count = 0 };
    if (most > FORM_FIELDS_MAX) {
        return STATUS_TOO_LARGE;
    }
    /* Decoding never lengthens, so `plain` will not move under its slices. */
    form->at = mem_array(most, sizeof(*form->at));
    if (form->at == NULL || buf_reserve(&form->plain, text.len) == NULL) {
        form_fini(form);
        return STATUS_NOMEM;
    }
    form->count = split_form(text, form->at, &form->plain);
    return STATUS_OK;
}

/* Twilio's rule: names in order of their bytes, each with each of its values
 * once, also in order, nothing between them. */
static enum status
apply_sorted(const struct template_step *step, struct slice key,
             struct slice text, struct buf *into)
{
    (void)step;
    (void)key;
    struct form form;
    enum status status = form_read(text, &form);
    if (status != STATUS_OK) {
        return status;
    }
    if (form.count > 0) {
        qsort(form.at, form.count, sizeof(*form.at), compare_fields);
    }
    for (size_t i = 0; i < form.count; i++) {
        if (i == 0 || compare_fields(&form.at[i - 1], &form.at[i]) != 0) {
            buf_append(into, form.at[i].name);
            buf_append(into, form.at[i].value);
        }
    }
    form_fini(&form);
    return STATUS_OK;
}

/* By name, and under one name as they came: fields are decoded one behind the
 * other. */
static int
compare_names(const void *left, const void *right)
{
    const struct form_field *a = left;
    const struct form_field *b = right;
    int order = slice_compare(a->name, b->name);
    return order != 0
               ? order
               : (a->value.ptr > b->value.ptr) - (a->value.ptr < b->value.ptr);
}

/* Writes the fields from `from` on that have its name; returns how many. */
static size_t
write_member(const struct form *form, size_t from, struct buf *into)
{
    size_t end = from + 1;
    while (end < form->count &&
           slice_equal(form->at[end].name, form->at[from].name)) {
        end++;
    }
    buf_json(into, form->at[from].name);
    buf_text(into, end - from > 1 ? ":[" : ":");
    for (size_t i = from; i < end; i++) {
        buf_text(into, i > from ? "," : "");
        buf_json(into, form->at[i].value);
    }
    buf_text(into, end - from > 1 ? "]" : "");
    return end - from;
}

/* Each by itself: two broken ends may look whole side by side. */
static bool
is_text(const struct form *form)
{
    for (size_t i = 0; i < form->count; i++) {
        if (!utf8_valid(form->at[i].name) || !utf8_valid(form->at[i].value)) {
            return false;
        }
    }
    return true;
}

/* A form as a JSON object of texts; a name that comes more than once has an
 * array. What is no UTF-8 cannot be said in JSON. A JSON body is no form. */
static enum status
apply_object(const struct template_step *step, struct slice key,
             struct slice text, struct buf *into)
{
    (void)step;
    (void)key;
    struct form form;
    if (text.len > 0 && (text.ptr[0] == '{' || text.ptr[0] == '[')) {
        return STATUS_NOT_FOUND;
    }
    enum status status = form_read(text, &form);
    if (status != STATUS_OK) {
        return status;
    }
    if (!is_text(&form)) {
        form_fini(&form);
        return STATUS_INVALID;
    }
    if (form.count > 0) {
        qsort(form.at, form.count, sizeof(*form.at), compare_names);
    }
    buf_byte(into, '{');
    for (size_t i = 0; i < form.count;) {
        buf_text(into, i > 0 ? "," : "");
        i += write_member(&form, i, into);
    }
    buf_byte(into, '}');
    form_fini(&form);
    return STATUS_OK;
}

/* Whether `name`, as it stands in JSON, is one of the listed. */
static bool
is_listed(struct slice names, struct slice name)
{
    struct slice rest = names;
    struct slice one;
    while (slice_split(&rest, ',', &one)) {
        if (json_means(name, one)) {
            return true;
        }
    }
    return false;
}

/* Telegram says what an update is by the member that it has besides its id. */
static enum status
apply_other_key(const struct template_step *step, struct slice key,
                struct slice text, struct buf *into)
{
    (void)key;
    size_t at = 0;
    struct slice name;
    struct slice value;
    if (json_check(text, JSON_DEPTH_DEFAULT, NULL) != STATUS_OK ||
        json_type(text) != JSON_OBJECT) {
        return STATUS_INVALID;
    }
    while (json_next_member(text, &at, &name, &value)) {
        if (is_listed(step->set, name)) {
            continue;
        }
        struct arena arena = { 0 };
        struct slice plain;
        enum status status = json_text(name, &arena, &plain);
        if (status == STATUS_OK) {
            buf_append(into, plain);
        }
        arena_fini(&arena);
        return status;
    }
    return STATUS_NOT_FOUND;
}

static enum status
apply_time(const struct template_step *step, struct slice key,
           struct slice text, struct buf *into)
{
    (void)key;
    int64_t at_ms;
    enum status status = timefmt_read(TIMEFMT_AUTO, text, &at_ms);
    if (status == STATUS_OK) {
        timefmt_write((enum timefmt)step->option, at_ms, into);
    }
    return status;
}

/* Only what is a number of JSON passes; who writes it knows it as one. */
static enum status
apply_number(const struct template_step *step, struct slice key,
             struct slice text, struct buf *into)
{
    (void)step;
    (void)key;
    if (json_check(text, 1, NULL) != STATUS_OK ||
        json_type(text) != JSON_NUMBER) {
        return STATUS_INVALID;
    }
    buf_append(into, text);
    return STATUS_OK;
}

/* `time` writes one form for one instant, however precisely and in whatever
 * zone a channel wrote it, so that both channels make the same key. */
static const struct template_filter filters[] = {
    { "crc32", apply_crc32, ARGUMENT_NONE, 0 },
    { "sha1", apply_hash, ARGUMENT_NONE, DIGEST_SHA1 },
    { "sha256", apply_hash, ARGUMENT_NONE, DIGEST_SHA256 },
    { "sha384", apply_hash, ARGUMENT_NONE, DIGEST_SHA384 },
    { "sha512", apply_hash, ARGUMENT_NONE, DIGEST_SHA512 },
    { "hex", apply_hex, ARGUMENT_NONE, 0 },
    { "base64", apply_base64, ARGUMENT_NONE, 0 },
    { "unbase64", apply_unbase64, ARGUMENT_NONE, 0 },
    { "lower", apply_lower, ARGUMENT_NONE, 0 },
    { "hmac", apply_hmac, ARGUMENT_ALG, 0 },
    { "escape", apply_escape, ARGUMENT_ESCAPES, 0 },
    { "unescape", apply_unescape, ARGUMENT_ESCAPES, 0 },
    { "noport", apply_noport, ARGUMENT_NONE, 0 },
    { "withport", apply_withport, ARGUMENT_NONE, 0 },
    { "sorted", apply_sorted, ARGUMENT_NONE, 0 },
    { "object", apply_object, ARGUMENT_NONE, 0 },
    { "other_key", apply_other_key, ARGUMENT_NAMES, 0 },
    { "time", apply_time, ARGUMENT_NONE, TIMEFMT_ISO8601 },
    { "unix_s", apply_time, ARGUMENT_NONE, TIMEFMT_UNIX_S },
    { "unix_ms", apply_time, ARGUMENT_NONE, TIMEFMT_UNIX_MS },
    { "iso8601", apply_time, ARGUMENT_NONE, TIMEFMT_ISO8601 },
    { "iso8601_s", apply_time, ARGUMENT_NONE, TIMEFMT_ISO8601_S },
    { "iso8601_naive", apply_time, ARGUMENT_NONE, TIMEFMT_ISO8601_NAIVE },
    { "date", apply_time, ARGUMENT_NONE, TIMEFMT_DATE },
    { "minute", apply_time, ARGUMENT_NONE, TIMEFMT_MINUTE },
    { "rfc2822", apply_time, ARGUMENT_NONE, TIMEFMT_RFC2822 },
    { "number", apply_number, ARGUMENT_NONE, 0 },
    { "urlencode", apply_urlencode, ARGUMENT_NONE, 0 },
};

static const struct template_filter *
find_filter(struct slice name)
{
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        if (slice_equal_text(name, filters[i].name)) {
            return &filters[i];
        }
    }
    return NULL;
}

bool
template_filter_named(struct slice name, bool *ret_is_digest)
{
    const struct template_filter *filter = find_filter(name);
    if (filter == NULL || filter->argument != ARGUMENT_NONE) {
        return false;
    }
    *ret_is_digest = filter->apply == apply_hash;
    return true;
}

/* Reads "%3A%2F" to the bytes it lists. */
static enum status
read_escapes(struct slice text, struct arena *arena, struct slice *ret_set)
{
    struct buf set = { 0 };
    decode_percent(text, false, &set);
    enum status status = buf_status(&set);
    if (status == STATUS_OK && (text.len == 0 || text.len != set.len * 3)) {
        status = STATUS_INVALID;
    }
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&set), ret_set);
    }
    buf_fini(&set);
    return status;
}

static enum status
refuse_unknown(struct slice name, struct error *err)
{
    const char *names[sizeof(filters) / sizeof(filters[0])];
    const size_t count = sizeof(filters) / sizeof(filters[0]);
    for (size_t i = 0; i < count; i++) {
        names[i] = filters[i].name;
    }
    const char *near = suggest_near(name, names, count);
    return error_set(err, STATUS_INVALID, "unknown filter \"%.*s\"%s%s%s",
                     SLICE_ARG(name), near == NULL ? "" : "; did you mean \"",
                     near == NULL ? "" : near, near == NULL ? "" : "\"?");
}

enum status
template_filter_compile(struct slice text, struct arena *arena,
                        struct template_step *ret_step, struct error *err)
{
    struct slice name = slice_first(text, slice_find(text, ':'));
    struct slice argument = slice_from(text, name.len + 1);
    bool has_argument = text.len > name.len;
    const struct template_filter *filter = find_filter(name);
    if (filter == NULL) {
        return refuse_unknown(name, err);
    }
    struct template_step step = { .filter = filter, .option = filter->option };
    if (filter->argument == ARGUMENT_NONE && has_argument) {
        return error_set(err, STATUS_INVALID,
                         "the filter \"%s\" takes no argument", filter->name);
    }
    if (filter->argument == ARGUMENT_ALG) {
        enum digest_alg alg;
        if (digest_by_name(argument, &alg) != STATUS_OK) {
            return error_set(err, STATUS_INVALID,
                             "the filter \"%s\" wants sha1, sha256, sha384 or "
                             "sha512 behind a colon",
                             filter->name);
        }
        step.option = (int)alg;
    }
    if (filter->argument == ARGUMENT_NAMES) {
        if (argument.len == 0) {
            return error_set(err, STATUS_INVALID,
                             "the filter \"%s\" wants the names to pass over "
                             "behind a colon",
                             filter->name);
        }
        enum status status = arena_copy(arena, argument, &step.set);
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (filter->argument == ARGUMENT_ESCAPES) {
        enum status status = read_escapes(argument, arena, &step.set);
        if (status == STATUS_INVALID) {
            return error_set(err, status,
                             "the filter \"%s\" wants escapes such as %%27 "
                             "behind a colon",
                             filter->name);
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    *ret_step = step;
    return STATUS_OK;
}

bool
template_filter_is_keyed(const struct template_filter *filter)
{
    return filter->apply == apply_hmac;
}

enum status
template_filter_apply(const struct template_step *step, struct slice key,
                      struct slice text, struct arena *arena,
                      struct slice *ret_text)
{
    struct buf made = { 0 };
    enum status status = step->filter->apply(step, key, text, &made);
    if (status == STATUS_OK) {
        status = buf_status(&made);
    }
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&made), ret_text);
    }
    buf_fini(&made);
    return status;
}
