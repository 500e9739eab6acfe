/* SPDX-License-Identifier: MIT */
/*
 * weakenings: every way in which a rule of `verify` can do without one of its
 * parts.
 */
#ifndef HARNESS_WEAKENINGS_H
#define HARNESS_WEAKENINGS_H

#include "harness/bound.h"

#include <string.h>

#include "model/connector_draft.h"
#include "model/pattern.h"
#include "wire/json.h"
#include "wire/template.h"

/* Takes the part number `index` of a rule away; false when there is none of
 * that number. What the rule points to is shared: it is copied before. */
typedef bool weaken_fn(struct verify_rule *rule, size_t index,
                       struct arena *arena);

/* Copies an array without its element number `index`. */
static inline void *
without(const void *array, size_t count, size_t bytes, size_t index,
        struct arena *arena)
{
    char *less = arena_array(arena, count, bytes);
    assert_non_null(less);
    memcpy(less, array, index * bytes);
    memcpy(less + index * bytes, (const char *)array + (index + 1) * bytes,
           (count - index - 1) * bytes);
    return less;
}

static inline bool
no_timestamp(struct verify_rule *rule, size_t index, struct arena *arena)
{
    (void)arena;
    const bool applies = index == 0 && rule->timestamp != NULL;
    rule->timestamp = NULL;
    return applies;
}

static inline bool
longer_tolerance(struct verify_rule *rule, size_t index, struct arena *arena)
{
    (void)arena;
    rule->tolerance_ms += 1000;
    return index == 0 && rule->timestamp != NULL;
}

static inline bool
other_unit(struct verify_rule *rule, size_t index, struct arena *arena)
{
    (void)arena;
    rule->timestamp_unit = rule->timestamp_unit == TIMEFMT_UNIX_MS
                               ? TIMEFMT_UNIX_S
                               : TIMEFMT_UNIX_MS;
    return index == 0 && rule->timestamp != NULL;
}

/* The stretch that goes when the place at `at` does: a group without a place
 * is none. */
static inline void
find_stretch(struct slice text, size_t at, size_t *ret_from, size_t *ret_to)
{
    *ret_from = at;
    *ret_to = at + 1 + slice_find(slice_from(text, at), '}');
    if (slice_find_slice(slice_first(text, at), slice_of("[[")) == SIZE_MAX) {
        return;
    }
    while (text.ptr[*ret_from] != '[' || text.ptr[*ret_from + 1] != '[') {
        --*ret_from;
    }
    *ret_to += 2 + slice_find_slice(slice_from(text, *ret_to), slice_of("]]"));
}

/* The place number *index of the text, counting down; SIZE_MAX when there are
 * fewer. */
static inline size_t
find_place(struct slice text, size_t *index)
{
    for (size_t at = 0; at < text.len; at++) {
        if (text.ptr[at] == '{' && (*index)-- == 0) {
            return at;
        }
    }
    return SIZE_MAX;
}

static inline const struct template *
shorter_text(const struct template *t, size_t at, struct arena *arena)
{
    const struct slice text = template_source(t);
    const struct template *shorter = NULL;
    struct buf less = { 0 };
    struct slice copy;
    size_t from;
    size_t to;
    find_stretch(text, at, &from, &to);
    buf_append(&less, slice_first(text, from));
    buf_append(&less, slice_from(text, to));
    assert_int_equal(arena_copy(arena, buf_slice(&less), &copy), STATUS_OK);
    buf_fini(&less);
    assert_int_equal(template_compile(copy, TEMPLATE_BARE_LITERAL,
                                      connector_hook_kinds, arena, &shorter,
                                      NULL),
                     STATUS_OK);
    return shorter;
}

static inline bool
fewer_places(struct verify_rule *rule, size_t index, struct arena *arena)
{
    for (size_t t = 0; t < rule->signed_count; t++) {
        const size_t at =
            find_place(template_source(rule->signed_texts[t]), &index);
        if (at == SIZE_MAX) {
            continue;
        }
        const struct template **texts =
            arena_array(arena, rule->signed_count, sizeof(*texts));
        assert_non_null(texts);
        memcpy(texts, rule->signed_texts, rule->signed_count * sizeof(*texts));
        texts[t] = shorter_text(texts[t], at, arena);
        rule->signed_texts = texts;
        return true;
    }
    return false;
}

static inline bool
fewer_texts(struct verify_rule *rule, size_t index, struct arena *arena)
{
    if (rule->signed_count < 2 || index >= rule->signed_count) {
        return false;
    }
    rule->signed_texts = without(rule->signed_texts, rule->signed_count--,
                                 sizeof(*rule->signed_texts), index, arena);
    return true;
}

static inline bool
other_encoding(struct verify_rule *rule, size_t index, struct arena *arena)
{
    (void)arena;
    rule->signature_encoding = rule->signature_encoding == ENCODING_HEX
                                   ? ENCODING_BASE64
                                   : ENCODING_HEX;
    return index == 0 && rule->signed_count > 0;
}

/* Prepares the keys anew; the caller keeps the old ones. */
static inline void
prepare_keys(struct verify_rule *rule, struct arena *arena)
{
    const struct slice secret =
        rule->key_count > 0 ? rule->keys[0].text : slice_of("");
    bool fits[2];
    assert_int_equal(
        connector_keyring_prepare(rule, &secret, secret.len > 0, arena, fits),
        STATUS_OK);
}

static inline bool
other_digest(struct verify_rule *rule, size_t index, struct arena *arena)
{
    if (index > 0 || rule->signed_count == 0 || rule->type == VERIFY_ED25519) {
        return false;
    }
    rule->alg = rule->alg == DIGEST_SHA256 ? DIGEST_SHA1 : DIGEST_SHA256;
    prepare_keys(rule, arena);
    return true;
}

static inline bool
other_key(struct verify_rule *rule, size_t index, struct arena *arena)
{
    if (index > 0 || connector_key_is_fetched(rule) ||
        (rule->key_encoding == ENCODING_UTF8 && rule->key_strip.len == 0)) {
        return false;
    }
    rule->key_encoding = ENCODING_UTF8;
    rule->key_strip = (struct slice){ NULL, 0 };
    prepare_keys(rule, arena);
    return true;
}

static inline bool
other_name(struct verify_rule *rule, size_t index, struct arena *arena)
{
    (void)arena;
    const bool applies = index == 0 && rule->name.len > 0;
    rule->name = slice_of("longstop");
    return applies;
}

static inline bool
unsplit(struct verify_rule *rule, size_t index, struct arena *arena)
{
    (void)arena;
    const bool applies = index == 0 && rule->split != 0;
    rule->split = 0;
    return applies;
}

static inline bool
nameless(struct verify_rule *rule, size_t index, struct arena *arena)
{
    (void)arena;
    const bool applies = index == 0 && rule->kv != 0;
    rule->kv = 0;
    return applies;
}

static inline bool
other_compare(struct verify_rule *rule, size_t index, struct arena *arena)
{
    (void)arena;
    rule->compare_bytes = !rule->compare_bytes;
    /* One text only is base64 of some bytes; hex may be spelled in two ways. */
    return index == 0 && rule->signature_encoding == ENCODING_HEX &&
           (rule->type == VERIFY_HMAC || rule->type == VERIFY_HASH);
}

static inline bool
fewer_asserts(struct verify_rule *rule, size_t index, struct arena *arena)
{
    if (index >= rule->assert_count) {
        return false;
    }
    rule->asserts = without(rule->asserts, rule->assert_count--,
                            sizeof(*rule->asserts), index, arena);
    return true;
}

static inline bool
fewer_headers(struct verify_rule *rule, size_t index, struct arena *arena)
{
    if (index >= rule->require_count) {
        return false;
    }
    rule->require_headers =
        without(rule->require_headers, rule->require_count--,
                sizeof(*rule->require_headers), index, arena);
    return true;
}

static inline bool
fewer_conditions(struct verify_rule *rule, size_t index, struct arena *arena)
{
    if (index >= rule->when.count) {
        return false;
    }
    rule->when.at = without(rule->when.at, rule->when.count--,
                            sizeof(*rule->when.at), index, arena);
    return true;
}

/* The first element of the batch for all of them. */
static inline bool
first_of_batch(struct verify_rule *rule, size_t index, struct arena *arena)
{
    if (index > 0 || rule->each == NULL) {
        return false;
    }
    const struct slice path = json_path_source(rule->each);
    const size_t at = slice_find(path, '*');
    struct buf first = { 0 };
    struct slice copy;
    buf_append(&first, slice_first(path, at));
    buf_byte(&first, '0');
    buf_append(&first, slice_from(path, at + 1));
    assert_int_equal(arena_copy(arena, buf_slice(&first), &copy), STATUS_OK);
    buf_fini(&first);
    assert_int_equal(json_path_compile(copy, arena, &rule->each, NULL),
                     STATUS_OK);
    return true;
}

static inline bool
fewer_claims(struct verify_rule *rule, size_t index, struct arena *arena)
{
    if (index >= rule->claim_count) {
        return false;
    }
    rule->claims = without(rule->claims, rule->claim_count--,
                           sizeof(*rule->claims), index, arena);
    return true;
}

static inline bool
no_age(struct verify_rule *rule, size_t index, struct arena *arena)
{
    (void)arena;
    const bool applies = index == 0 && rule->max_age_ms > 0;
    rule->max_age_ms = 0;
    return applies;
}

static inline bool
any_certificate(struct verify_rule *rule, size_t index, struct arena *arena)
{
    if (index > 0 || rule->cert_allow == NULL) {
        return false;
    }
    return pattern_compile(slice_of("."), arena, &rule->cert_allow, NULL) ==
           STATUS_OK;
}

static const struct {
    const char *name;
    weaken_fn *weaken;
} weakenings[] = {
    { "a condition less", fewer_conditions },
    { "no timestamp", no_timestamp },
    { "a longer tolerance", longer_tolerance },
    { "another unit", other_unit },
    { "a place less in the signed text", fewer_places },
    { "a signed text less", fewer_texts },
    { "another encoding of the signature", other_encoding },
    { "another digest", other_digest },
    { "another encoding of the key", other_key },
    { "another name of the signature", other_name },
    { "signatures not split", unsplit },
    { "signatures without names", nameless },
    { "another way to compare", other_compare },
    { "an assert less", fewer_asserts },
    { "a required field less", fewer_headers },
    { "the first of a batch only", first_of_batch },
    { "a claim less", fewer_claims },
    { "no age", no_age },
    { "any certificate", any_certificate },
};

#define WEAKENINGS (sizeof(weakenings) / sizeof(weakenings[0]))

#endif
