/* SPDX-License-Identifier: MIT */
/* Values of `verify`, `handshake`, `ack` and `reject`. */
#include <string.h>

#include "base/instant.h"
#include "model/connector_draft.h"
#include "model/pattern.h"
#include "wire/json.h"
#include "wire/jwt.h"

static struct connector_draft *
draft_of(const struct config_binding *binding)
{
    return binding->user;
}

void
connector_verify_char(struct config_binding *binding,
                      const struct config_node *node, void *place)
{
    char *separator = place;
    if (node->kind != CONFIG_SCALAR || node->text.len != 1) {
        connector_parse_refuse(binding, node, "must be one character");
        return;
    }
    *separator = node->text.ptr[0];
}

/* A bare number is seconds here, as providers' documents have it. */
void
connector_verify_tolerance(struct config_binding *binding,
                           const struct config_node *node, void *place)
{
    int64_t *tolerance_ms = place;
    struct slice text;
    uint64_t seconds;
    if (!connector_parse_scalar(binding, node, &text)) {
        return;
    }
    if (slice_to_u64(text, &seconds) == STATUS_OK && seconds < 1U << 30) {
        *tolerance_ms = (int64_t)seconds * INSTANT_SECOND_MS;
    } else if (instant_parse_span(text, tolerance_ms) != STATUS_OK ||
               *tolerance_ms < 0) {
        connector_parse_refuse(binding, node, "must be a span such as 300s");
    }
}

void
connector_verify_compare(struct config_binding *binding,
                         const struct config_node *node, void *place)
{
    bool *bytes = place;
    struct slice text;
    if (!connector_parse_scalar(binding, node, &text)) {
        return;
    }
    *bytes = slice_equal_text(text, "bytes");
    if (!*bytes && !slice_equal_text(text, "text")) {
        connector_parse_refuse(binding, node, "must be text or bytes");
    }
}

void
connector_verify_signed(struct config_binding *binding,
                        const struct config_node *node, void *place)
{
    struct verify_rule *rule =
        (void *)((char *)place - offsetof(struct verify_rule, signed_texts));
    rule->signed_texts =
        connector_parse_templates(binding, node, TEMPLATE_BARE_SOURCE,
                                  connector_hook_kinds, &rule->signed_count);
}

/* A list of pairs and its count, in whatever struct they stand. */
struct pairs {
    const struct template *(*at)[2];
    size_t count;
};

static const struct template *
parse_text(struct config_binding *binding, const struct config_node *node,
           enum draft_side side)
{
    struct slice text;
    return connector_parse_scalar(binding, node, &text)
               ? connector_parse_template(binding, text, node,
                                          TEMPLATE_BARE_LITERAL,
                                          connector_hook_kinds, side)
               : NULL;
}

/* Pairs of templates; the right one may be a plain text. */
static struct pairs
parse_pairs(struct config_binding *binding, const struct config_node *node,
            enum draft_side side)
{
    const size_t count = connector_parse_count(node);
    struct pairs pairs = { .at = arena_array(binding->arena, count + 1,
                                             sizeof(*pairs.at)) };
    if (pairs.at == NULL) {
        draft_of(binding)->nomem = true;
        return pairs;
    }
    for (const struct config_node *at =
             node->kind == CONFIG_SEQUENCE ? node->children : node;
         at != NULL && pairs.count < count; at = at->next) {
        if (at->kind != CONFIG_SEQUENCE || connector_parse_count(at) != 2) {
            connector_parse_refuse(binding, node,
                                   "must be a list of pairs of templates");
            return pairs;
        }
        const struct template **pair = pairs.at[pairs.count];
        pair[0] = parse_text(binding, at->children, side);
        pair[1] = parse_text(binding, at->children->next, side);
        pairs.count += pair[0] != NULL && pair[1] != NULL;
    }
    return pairs;
}

void
connector_verify_asserts(struct config_binding *binding,
                         const struct config_node *node, void *place)
{
    struct verify_rule *rule =
        (void *)((char *)place - offsetof(struct verify_rule, asserts));
    const struct pairs pairs = parse_pairs(binding, node, SIDE_WEBHOOK);
    rule->asserts = pairs.at;
    rule->assert_count = pairs.count;
}

/* Whoever never asks for a registration need not say for what. */
void
connector_verify_intent(struct config_binding *binding,
                        const struct config_node *node, void *place)
{
    struct handshake *shake =
        (void *)((char *)place - offsetof(struct handshake, asserts));
    const struct pairs pairs = parse_pairs(binding, node, SIDE_REGISTER);
    shake->asserts = pairs.at;
    shake->assert_count = pairs.count;
}

/* A digest, or for tokens a list of what they may be signed with. */
void
connector_verify_alg(struct config_binding *binding,
                     const struct config_node *node, void *place)
{
    struct verify_rule *rule =
        (void *)((char *)place - offsetof(struct verify_rule, alg));
    const size_t count = connector_parse_count(node);
    const struct config_node *at =
        node->kind == CONFIG_SEQUENCE ? node->children : node;
    if (at == node && node->kind == CONFIG_SCALAR &&
        digest_by_name(node->text, &rule->alg) == STATUS_OK) {
        return;
    }
    rule->jwt_algs =
        arena_array(binding->arena, count + 1, sizeof(*rule->jwt_algs));
    if (rule->jwt_algs == NULL) {
        draft_of(binding)->nomem = true;
        return;
    }
    for (; at != NULL && rule->jwt_alg_count < count; at = at->next) {
        const struct jwt_alg *alg =
            at->kind == CONFIG_SCALAR ? jwt_alg_by_name(at->text) : NULL;
        if (alg == NULL) {
            connector_parse_refuse(
                binding, node,
                "must be sha1, sha256, sha384 or sha512, or for jwt a list of "
                "HS256, HS384, HS512, RS256, RS384, RS512, ES256");
            return;
        }
        rule->jwt_algs[rule->jwt_alg_count++] = alg;
    }
}

/* Pairs of the name of a claim and a template. */
void
connector_verify_claims(struct config_binding *binding,
                        const struct config_node *node, void *place)
{
    struct verify_rule *rule =
        (void *)((char *)place - offsetof(struct verify_rule, claims));
    const size_t count = connector_parse_count(node);
    rule->claims =
        arena_array(binding->arena, count + 1, sizeof(*rule->claims));
    if (rule->claims == NULL) {
        draft_of(binding)->nomem = true;
        return;
    }
    for (const struct config_node *at =
             node->kind == CONFIG_SEQUENCE ? node->children : node;
         at != NULL && rule->claim_count < count; at = at->next) {
        struct claim_spec *claim = &rule->claims[rule->claim_count];
        if (at->kind != CONFIG_SEQUENCE || connector_parse_count(at) != 2 ||
            !connector_parse_scalar(binding, at->children, &claim->name)) {
            connector_parse_refuse(binding, node,
                                   "must be a list of pairs: a claim and a "
                                   "template");
            return;
        }
        connector_parse_hook_text(binding, at->children->next, &claim->wanted);
        rule->claim_count += claim->wanted != NULL;
    }
}

void
connector_verify_allow(struct config_binding *binding,
                       const struct config_node *node, void *place)
{
    struct pattern *allow = NULL;
    struct error err = { "" };
    struct slice text;
    if (!connector_parse_scalar(binding, node, &text)) {
        return;
    }
    enum status status =
        pattern_compile_url(text, binding->arena, &allow, &err);
    if (status == STATUS_NOMEM) {
        draft_of(binding)->nomem = true;
    } else if (status != STATUS_OK) {
        connector_parse_refuse(binding, node, error_text(&err, status));
    }
    memcpy(place, &allow, sizeof(allow));
}

/* The one method there is; the word changes nothing. */
void
connector_verify_get(struct config_binding *binding,
                     const struct config_node *node, void *place)
{
    struct slice text;
    (void)place;
    if (connector_parse_scalar(binding, node, &text) &&
        !slice_equal_text(text, "GET")) {
        connector_parse_refuse(binding, node, "must be GET");
    }
}

void
connector_verify_status(struct config_binding *binding,
                        const struct config_node *node, void *place)
{
    unsigned *status = place;
    uint64_t number;
    if (node->kind != CONFIG_SCALAR ||
        slice_to_u64(node->text, &number) != STATUS_OK || number < 200 ||
        number > 599) {
        connector_parse_refuse(binding, node, "must be an HTTP status");
        return;
    }
    *status = (unsigned)number;
}

void
connector_verify_answer_headers(struct config_binding *binding,
                                const struct config_node *node, void *place)
{
    struct answer_spec *answer =
        (void *)((char *)place - offsetof(struct answer_spec, fields));
    if (node->kind != CONFIG_MAPPING) {
        connector_parse_refuse(binding, node, "must be a mapping");
        return;
    }
    size_t count = 0;
    for (const struct config_node *at = node->children; at; at = at->next) {
        count++;
    }
    answer->fields =
        arena_array(binding->arena, count, sizeof(*answer->fields));
    answer->field_values =
        arena_array(binding->arena, count, sizeof(struct template *));
    if (answer->fields == NULL || answer->field_values == NULL) {
        draft_of(binding)->nomem = true;
        return;
    }
    for (const struct config_node *at = node->children; at; at = at->next) {
        const size_t i = answer->field_count;
        if (!http_field_name_valid(at->key)) {
            connector_parse_refuse(binding, at, "is no name of a field");
            continue;
        }
        answer->fields[i].name = at->key;
        connector_parse_hook_text(binding, at, &answer->field_values[i]);
        if (answer->field_values[i] != NULL) {
            (void)template_is_literal(answer->field_values[i],
                                      &answer->fields[i].value);
            answer->field_count++;
        }
    }
}

/* ---- json: a tree to stretches of text with places between ---- */

#define JSON_DEPTH_MAX 32

struct writer {
    struct config_binding *binding;
    struct answer_spec *answer;
    size_t cap;
    struct buf text; /* since the last place */
    struct {
        const struct config_node *next;
        bool is_mapping;
        bool first;
    } open[JSON_DEPTH_MAX];
    size_t depth;
};

/* Ends a stretch, before a place or at the end. */
static void
cut(struct writer *writer, const struct template *place)
{
    struct answer_spec *answer = writer->answer;
    PRE(answer->piece_count < writer->cap);
    struct answer_piece *piece = &answer->pieces[answer->piece_count++];
    piece->place = place;
    if (buf_status(&writer->text) != STATUS_OK ||
        arena_copy(writer->binding->arena, buf_slice(&writer->text),
                   &piece->literal) != STATUS_OK) {
        draft_of(writer->binding)->nomem = true;
    }
    buf_clear(&writer->text);
}

/* Whether a scalar is JSON by itself: an unquoted number, true, false, null. */
static bool
is_bare(const struct config_node *node)
{
    return !node->quoted && node->text.len > 0 &&
           strchr("-0123456789tfn", node->text.ptr[0]) != NULL &&
           json_check(node->text, 1, NULL) == STATUS_OK;
}

static void
write_scalar(struct writer *writer, const struct config_node *node)
{
    if (node->is_null) {
        buf_text(&writer->text, "null");
        return;
    }
    if (is_bare(node)) {
        buf_append(&writer->text, node->text);
        return;
    }
    const struct template *t = NULL;
    struct slice literal;
    connector_parse_hook_text(writer->binding, node, &t);
    if (t == NULL) {
        return;
    }
    if (template_is_literal(t, &literal)) {
        buf_json(&writer->text, literal);
    } else {
        cut(writer, t);
    }
}

static void
open_node(struct writer *writer, const struct config_node *node)
{
    if (node->kind == CONFIG_SCALAR) {
        write_scalar(writer, node);
        return;
    }
    if (writer->depth == JSON_DEPTH_MAX) {
        connector_parse_refuse(writer->binding, node, "is nested too deeply");
        return;
    }
    const bool is_mapping = node->kind == CONFIG_MAPPING;
    buf_byte(&writer->text, is_mapping ? '{' : '[');
    writer->open[writer->depth].next = node->children;
    writer->open[writer->depth].is_mapping = is_mapping;
    writer->open[writer->depth].first = true;
    writer->depth++;
}

static void
write_step(struct writer *writer)
{
    const size_t top = writer->depth - 1;
    const struct config_node *node = writer->open[top].next;
    const bool is_mapping = writer->open[top].is_mapping;
    if (node == NULL) {
        buf_byte(&writer->text, is_mapping ? '}' : ']');
        writer->depth--;
        return;
    }
    writer->open[top].next = node->next;
    if (!writer->open[top].first) {
        buf_byte(&writer->text, ',');
    }
    writer->open[top].first = false;
    if (is_mapping) {
        buf_json(&writer->text, node->key);
        buf_byte(&writer->text, ':');
    }
    open_node(writer, node);
}

/* How many scalars a tree has: no more pieces than that, and one. */
static size_t
count_scalars(const struct config_node *root)
{
    const struct config_node *stack[JSON_DEPTH_MAX] = { root->children };
    size_t depth = 1;
    size_t count = 1;
    while (depth > 0) {
        const struct config_node *node = stack[depth - 1];
        if (node == NULL) {
            depth--;
            continue;
        }
        stack[depth - 1] = node->next;
        count++;
        if (depth < JSON_DEPTH_MAX) {
            stack[depth++] = node->children;
        }
    }
    return count;
}

void
connector_verify_answer_json(struct config_binding *binding,
                             const struct config_node *node, void *place)
{
    struct answer_spec *answer =
        (void *)((char *)place - offsetof(struct answer_spec, pieces));
    struct writer writer = { .binding = binding,
                             .answer = answer,
                             .cap = count_scalars(node) + 1 };
    answer->json_body = true;
    answer->pieces =
        arena_array(binding->arena, writer.cap, sizeof(*answer->pieces));
    if (answer->pieces == NULL) {
        draft_of(binding)->nomem = true;
        return;
    }
    open_node(&writer, node);
    while (writer.depth > 0) {
        write_step(&writer);
    }
    cut(&writer, NULL);
    buf_fini(&writer.text);
}
