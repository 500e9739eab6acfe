/* SPDX-License-Identifier: MIT */
#include "model/extract_cover.h"

static bool
is_kind(const struct template_ref *ref, const char *kind)
{
    return slice_equal_text(ref->kind, kind);
}

/* A checksum can be made to fit other bytes: it covers nothing. */
static bool
is_weak(const struct template *t)
{
    return slice_find_slice(template_source(t), slice_of("|crc32")) != SIZE_MAX;
}

static bool
names_body(const struct template_ref *ref)
{
    return is_kind(ref, "body") || (is_kind(ref, "form") && ref->name.len == 0);
}

static bool
same_place(const struct template_ref *a, const struct template_ref *b)
{
    if (!slice_equal(a->kind, b->kind)) {
        return false;
    }
    return is_kind(a, "header") ? slice_equal_nocase(a->name, b->name)
                                : slice_equal(a->name, b->name);
}

/* Whether what stands at `wanted` follows from what stands at `in_text`. */
static bool
implies(const struct template_ref *in_text, const struct template_ref *wanted)
{
    if (same_place(in_text, wanted)) {
        return true;
    }
    if (names_body(in_text)) {
        return is_kind(wanted, "json") || is_kind(wanted, "item") ||
               is_kind(wanted, "form") || is_kind(wanted, "body");
    }
    return is_kind(in_text, "url") && is_kind(wanted, "query");
}

static bool
text_covers(const struct template *text, const struct template_ref *wanted)
{
    const struct template_ref *ref;
    if (is_weak(text)) {
        return false;
    }
    for (size_t i = 0; (ref = template_ref_at(text, SIZE_MAX, i)) != NULL;
         i++) {
        if (implies(ref, wanted)) {
            return true;
        }
    }
    return false;
}

/* All claims must hold, so one that covers it will do. */
static bool
claims_cover(const struct verify_rule *rule, const struct template_ref *wanted)
{
    bool covers = false;
    for (size_t i = 0; i < rule->claim_count; i++) {
        covers |= text_covers(rule->claims[i].wanted, wanted);
    }
    return covers;
}

static bool
place_covered(const struct verify_rule *rule, const struct template_ref *wanted)
{
    if (is_kind(wanted, "var") || is_kind(wanted, "secret")) {
        return true; /* ours */
    }
    for (size_t i = 0; i < rule->signed_count; i++) {
        if (!text_covers(rule->signed_texts[i], wanted)) {
            return false;
        }
    }
    return rule->signed_count > 0 || claims_cover(rule, wanted);
}

/* A signed place that was held against a digest of the body covers it too
 * (Twilio's bodySHA256). */
static bool
asserted_body(const struct verify_rule *rule)
{
    for (size_t i = 0; i < rule->assert_count; i++) {
        for (size_t side = 0; side < 2; side++) {
            const struct template *digest = rule->asserts[i][side];
            const struct template *vouched = rule->asserts[i][1 - side];
            const struct template_ref *body = template_ref_at(digest, 0, 0);
            if (body != NULL && names_body(body) && !is_weak(digest) &&
                template_ref_at(vouched, 0, 0) != NULL &&
                place_covered(rule, template_ref_at(vouched, 0, 0))) {
                return true;
            }
        }
    }
    return false;
}

static bool
vouches_for_all(const struct verify_rule *rule)
{
    return rule->type == VERIFY_TOKEN || rule->type == VERIFY_BASIC ||
           rule->type == VERIFY_NONE;
}

bool
extract_cover_body(const struct verify_rule *rule)
{
    const struct template_ref body = { .kind = SLICE("body") };
    return rule != NULL && (vouches_for_all(rule) ||
                            place_covered(rule, &body) || asserted_body(rule));
}

static bool
covers_ref(const struct verify_rule *rule, const struct template_ref *ref)
{
    const struct template_ref body = { .kind = SLICE("body") };
    return vouches_for_all(rule) || place_covered(rule, ref) ||
           (implies(&body, ref) && asserted_body(rule));
}

static bool
covers_refs(const struct verify_rule *rule, const struct template *t,
            size_t choice)
{
    const struct template_ref *ref;
    for (size_t i = 0; (ref = template_ref_at(t, choice, i)) != NULL; i++) {
        if (!covers_ref(rule, ref)) {
            return false;
        }
    }
    return true;
}

bool
extract_cover_template(const struct verify_rule *rule,
                       const struct template *body, const struct template *t,
                       size_t choice)
{
    const struct template_ref *ref;
    if (rule == NULL) {
        return false;
    }
    for (size_t i = 0; (ref = template_ref_at(t, choice, i)) != NULL; i++) {
        const bool covered = body != NULL && is_kind(ref, "item")
                                 ? covers_refs(rule, body, SIZE_MAX)
                                 : covers_ref(rule, ref);
        if (!covered) {
            return false;
        }
    }
    return true;
}
