/* SPDX-License-Identifier: MIT */
#include "model/receiver.h"

#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"
#include "wire/digest.h"
#include "wire/encode.h"
#include "wire/json.h"
#include "wire/url.h"

#define DEPTH        4
#define SECRET_LEAST 16
#define SECRET_MOST  256
#define RANDOM_BYTES 32

/* ---- what is stored ---- */

/* Members are never renamed; one that is not known is skipped. */
static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
    { "created", offsetof(struct receiver, created_ms) },
    { "failing", offsetof(struct receiver, failing_ms) },
    { "disabled", offsetof(struct receiver, disabled_ms) },
}, texts[] = {
    { "id", offsetof(struct receiver, id) },
    { "url", offsetof(struct receiver, url) },
    { "why", offsetof(struct receiver, why) },
}, lists[] = {
    { "events", offsetof(struct receiver, events) },
    { "connectors", offsetof(struct receiver, connectors) },
};

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

static void *
place_in(struct receiver *receiver, size_t offset)
{
    return (char *)receiver + offset;
}

static const void *
look_in(const struct receiver *receiver, size_t offset)
{
    return (const char *)receiver + offset;
}

static void
encode_words(const struct receiver_words *words, struct buf *into)
{
    buf_byte(into, '[');
    for (size_t i = 0; i < words->count; i++) {
        buf_text(into, i == 0 ? "" : ",");
        buf_json(into, words->at[i]);
    }
    buf_byte(into, ']');
}

static void
encode_secrets(const struct receiver *receiver, int64_t now_ms,
               struct buf *into)
{
    const char *comma = "";
    buf_text(into, ",\"secrets\":[");
    for (size_t i = 0; i < receiver->secret_count; i++) {
        const struct receiver_secret *secret = &receiver->secrets[i];
        if (secret->until_ms != 0 && secret->until_ms <= now_ms) {
            continue;
        }
        buf_format(into, "%s{\"until\":%" PRId64 ",\"text\":", comma,
                   secret->until_ms);
        buf_json(into, secret->text);
        buf_byte(into, '}');
        comma = ",";
    }
    buf_byte(into, ']');
}

void
receiver_encode(const struct receiver *receiver, int64_t now_ms,
                struct buf *into)
{
    buf_text(into, "{\"v\":1");
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        const int64_t *number = look_in(receiver, numbers[i].offset);
        buf_format(into, ",\"%s\":%" PRId64, numbers[i].name, *number);
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const struct slice *text = look_in(receiver, texts[i].offset);
        buf_format(into, ",\"%s\":", texts[i].name);
        buf_json(into, *text);
    }
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        buf_format(into, ",\"%s\":", lists[i].name);
        encode_words(look_in(receiver, lists[i].offset), into);
    }
    encode_secrets(receiver, now_ms, into);
    buf_byte(into, '}');
}

/* One text or a list of them; STATUS_INVALID when it is neither. */
static enum status
read_words(struct slice value, struct arena *arena, struct receiver_words *ret)
{
    bool is_list = json_type(value) == JSON_ARRAY;
    struct slice one = value;
    size_t at = 0;
    *ret = (struct receiver_words){ .at = arena_array(arena, RECEIVER_WORDS,
                                                      sizeof(struct slice)) };
    if (ret->at == NULL) {
        return STATUS_NOMEM;
    }
    while (!is_list || json_next_element(value, &at, &one)) {
        struct slice *word = &ret->at[ret->count];
        if (ret->count == RECEIVER_WORDS || json_type(one) != JSON_STRING) {
            return STATUS_INVALID;
        }
        enum status status = json_text(one, arena, word);
        if (status != STATUS_OK) {
            return status;
        }
        if (word->len == 0 || word->len > RECEIVER_WORD_BYTES ||
            slice_equal_text(*word, "!")) {
            return STATUS_INVALID;
        }
        ret->count++;
        if (!is_list) {
            break;
        }
    }
    return STATUS_OK;
}

static enum status
decode_secrets(struct slice list, struct arena *arena, struct receiver *ret)
{
    struct slice one, value;
    size_t at = 0;
    while (json_next_element(list, &at, &one)) {
        struct receiver_secret *secret = &ret->secrets[ret->secret_count];
        if (ret->secret_count == RECEIVER_SECRETS ||
            !json_member(one, slice_of("until"), &value) ||
            slice_to_i64(slice_trim(value), &secret->until_ms) != STATUS_OK ||
            !json_member(one, slice_of("text"), &value) ||
            json_type(value) != JSON_STRING) {
            return STATUS_CORRUPT;
        }
        enum status status = json_text(value, arena, &secret->text);
        if (status != STATUS_OK) {
            return status;
        }
        ret->secret_count++;
    }
    return STATUS_OK;
}

static enum status
decode_members(struct slice text, struct arena *arena, struct receiver *ret)
{
    struct slice value;
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < COUNT_OF(numbers); i++) {
        status = json_member(text, slice_of(numbers[i].name), &value)
                     ? slice_to_i64(slice_trim(value),
                                    place_in(ret, numbers[i].offset))
                     : STATUS_OK;
    }
    for (size_t i = 0; status == STATUS_OK && i < COUNT_OF(texts); i++) {
        status = json_member(text, slice_of(texts[i].name), &value)
                     ? json_text(value, arena, place_in(ret, texts[i].offset))
                     : STATUS_OK;
    }
    for (size_t i = 0; status == STATUS_OK && i < COUNT_OF(lists); i++) {
        status = json_member(text, slice_of(lists[i].name), &value)
                     ? read_words(value, arena, place_in(ret, lists[i].offset))
                     : STATUS_OK;
    }
    return status;
}

enum status
receiver_decode(struct slice text, struct arena *arena, struct receiver *ret)
{
    struct slice value;
    *ret = (struct receiver){ 0 };
    if (json_check(text, DEPTH, NULL) != STATUS_OK ||
        json_type(text) != JSON_OBJECT) {
        return STATUS_CORRUPT;
    }
    /* What is in it without escapes is borrowed of it. */
    enum status status = arena_copy(arena, text, &text);
    if (status == STATUS_OK) {
        status = decode_members(text, arena, ret);
    }
    if (status == STATUS_OK && json_member(text, slice_of("secrets"), &value)) {
        status = decode_secrets(value, arena, ret);
    }
    if (status == STATUS_OK && (ret->id.len == 0 || ret->url.len == 0)) {
        status = STATUS_CORRUPT;
    }
    return status == STATUS_OK || status == STATUS_NOMEM ? status
                                                         : STATUS_CORRUPT;
}

/* ---- what is asked for ---- */

bool
receiver_is_secret(struct slice text)
{
    bool is_printable = true;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        is_printable = is_printable && byte > ' ' && byte < 0x7f;
    }
    return is_printable && text.len >= SECRET_LEAST && text.len <= SECRET_MOST;
}

static enum status
read_secret(struct slice value, struct arena *arena, struct receiver *ret,
            struct error *err)
{
    struct slice *text = &ret->secrets[0].text;
    if (json_type(value) == JSON_NULL) {
        return STATUS_OK;
    }
    enum status status = json_type(value) == JSON_STRING
                             ? json_text(value, arena, text)
                             : STATUS_INVALID;
    if (status == STATUS_NOMEM) {
        return status;
    }
    if (status != STATUS_OK || !receiver_is_secret(*text)) {
        return error_set(err, STATUS_INVALID,
                         "'secret' is 16 to 256 printable characters, such as "
                         "whsec_ and base64; leave it out to be given one");
    }
    ret->secret_count = 1;
    return STATUS_OK;
}

static enum status
read_list(struct slice value, struct arena *arena, const char *name,
          struct receiver_words *ret, struct error *err)
{
    enum status status = json_type(value) == JSON_NULL
                             ? STATUS_OK
                             : read_words(value, arena, ret);
    return status == STATUS_INVALID
               ? error_set(err, status,
                           "'%s' is a text or a list of up to %d texts", name,
                           RECEIVER_WORDS)
               : status;
}

static enum status
read_member(struct slice name, struct slice value, struct arena *arena,
            struct receiver *ret, struct error *err)
{
    if (json_means(name, slice_of("url")) && json_type(value) == JSON_STRING) {
        return json_text(value, arena, &ret->url);
    }
    if (json_means(name, slice_of("secret"))) {
        return read_secret(value, arena, ret, err);
    }
    if (json_means(name, slice_of("events"))) {
        return read_list(value, arena, "events", &ret->events, err);
    }
    if (json_means(name, slice_of("connectors"))) {
        return read_list(value, arena, "connectors", &ret->connectors, err);
    }
    return error_set(err, STATUS_INVALID,
                     "the body has 'url', a text, and may have 'events', "
                     "'connectors' and 'secret'; nothing else");
}

enum status
receiver_read(struct slice body, struct arena *arena, struct receiver *ret,
              struct error *err)
{
    struct slice name, value;
    size_t at = 0;
    *ret = (struct receiver){ 0 };
    if (json_check(body, DEPTH, NULL) != STATUS_OK ||
        json_type(body) != JSON_OBJECT) {
        return error_set(err, STATUS_INVALID,
                         "the body must be a JSON object such as "
                         "{\"url\":\"https://example.com/hooks\","
                         "\"events\":[\"order.*\"]}");
    }
    enum status status = STATUS_OK;
    while (status == STATUS_OK && json_next_member(body, &at, &name, &value)) {
        status = read_member(name, value, arena, ret, err);
    }
    return status == STATUS_OK && ret->url.len == 0
               ? error_set(err, STATUS_INVALID, "'url' is missing")
               : status;
}

/* ---- where it may be ---- */

static bool
may_be_sent_to(const struct cidr *address, const struct receiver_rules *rules)
{
    return address_is_public(address->address) ||
           address_lies_in(rules->allowed, rules->allowed_count,
                           address->address);
}

enum status
receiver_check_url(struct slice text, const struct receiver_rules *rules,
                   struct error *err)
{
    struct url url;
    struct cidr literal;
    if (text.len > RECEIVER_URL_BYTES) {
        return error_set(err, STATUS_INVALID, "url: at most %d bytes",
                         RECEIVER_URL_BYTES);
    }
    if (url_parse(text, &url, err) != STATUS_OK) {
        return error_wrap(err, STATUS_INVALID, "url");
    }
    if (!rules->http && !slice_equal_nocase(url.scheme, slice_of("https"))) {
        return error_set(err, STATUS_INVALID,
                         "url: https only, unless outbound.http allows http");
    }
    struct slice host = url.host;
    if (host.len > 2 && host.ptr[0] == '[') {
        host = slice_first(slice_from(host, 1), host.len - 2);
    }
    if (address_parse_cidr(host, &literal) == STATUS_OK &&
        !may_be_sent_to(&literal, rules)) {
        return error_set(err, STATUS_INVALID,
                         "url: %.*s is an address of this machine or a "
                         "private network; outbound.allow can allow it",
                         SLICE_ARG(host));
    }
    return STATUS_OK;
}

enum status
receiver_make_secret(struct arena *arena, struct slice *ret_secret)
{
    unsigned char bytes[RANDOM_BYTES];
    struct buf text = { 0 };
    enum status status = digest_random(bytes, sizeof(bytes));
    if (status == STATUS_OK) {
        buf_text(&text, "whsec_");
        encode_base64((struct slice){ (const char *)bytes, sizeof(bytes) },
                      &text);
        status = buf_status(&text);
    }
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&text), ret_secret);
    }
    mem_wipe(bytes, sizeof(bytes));
    if (text.ptr != NULL) {
        mem_wipe(text.ptr, text.len);
    }
    buf_fini(&text);
    return status;
}

/* ---- how it does ---- */

static void
disable(struct receiver *receiver, int64_t now_ms, const char *why)
{
    receiver->disabled_ms = now_ms;
    receiver->why = slice_of(why);
}

bool
receiver_note(struct receiver *receiver, const struct receiver_rules *rules,
              enum receiver_word word, int64_t now_ms)
{
    if (receiver->disabled_ms != 0) {
        return false;
    }
    if (word == RECEIVER_TOOK_IT) {
        receiver->failing_ms = 0;
        return false;
    }
    /* A clock that was set back must not count as time that went by. */
    if (receiver->failing_ms == 0 || receiver->failing_ms > now_ms) {
        receiver->failing_ms = now_ms;
    }
    if (word == RECEIVER_GONE) {
        disable(receiver, now_ms, "it answered that it is gone (410)");
    } else if (rules->disable_after_ms > 0 &&
               now_ms - receiver->failing_ms >= rules->disable_after_ms) {
        disable(receiver, now_ms, "every attempt has failed for too long");
    }
    return receiver->disabled_ms != 0;
}

void
receiver_enable(struct receiver *receiver)
{
    receiver->failing_ms = 0;
    receiver->disabled_ms = 0;
    receiver->why = (struct slice)SLICE("");
}
