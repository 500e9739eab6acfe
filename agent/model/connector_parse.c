/* SPDX-License-Identifier: MIT */
/* Values that the parts of a connector share: templates, paths, times and
 * conditions. */
#include "model/connector_draft.h"

#include <string.h>

#include "model/pattern.h"
#include "wire/json.h"

const char *const connector_hook_kinds[] = { "body", "url",  "method", "secret",
                                             "form", "now",  "header", "query",
                                             "json", "item", "sig",    "var",
                                             NULL };
const char *const connector_request_kinds[] = { "var",   "secret", "cursor",
                                                "page",  "now",    "until",
                                                "start", NULL };
static const char *const row_kinds[] = { "item", "var", "now", NULL };
/* The fields may come only with a row's details, which are asked for by what
 * identifies it. */
static const char *const row_detail_kinds[] = { "item", "var", "now", "header",
                                                NULL };
static const char *const answer_kinds[] = { "header", "json", "item", NULL };

static struct connector_draft *
draft_of(const struct config_binding *binding)
{
    return binding->user;
}

void
connector_parse_refuse(struct config_binding *binding,
                       const struct config_node *node, const char *words)
{
    /* an element of a list has no name but what it says */
    const struct slice name = node->key.len > 0 ? node->key : node->text;
    config_report_add(binding->report, CONFIG_ERROR, node->mark, "'%.*s' %s",
                      SLICE_ARG(name), words);
}

bool
connector_parse_scalar(struct config_binding *binding,
                       const struct config_node *node, struct slice *ret_text)
{
    if (node->kind != CONFIG_SCALAR || node->is_null) {
        connector_parse_refuse(binding, node, "must be one value");
        return false;
    }
    *ret_text = node->text;
    return true;
}

void
connector_parse_note_uses(struct config_binding *binding,
                          const struct template *t,
                          const struct config_node *node, enum draft_side side)
{
    struct connector_draft *draft = draft_of(binding);
    const struct template_ref *ref;
    for (size_t i = 0; (ref = template_ref_at(t, SIZE_MAX, i)) != NULL; i++) {
        const bool secret = slice_equal_text(ref->kind, "secret");
        if (!secret && !slice_equal_text(ref->kind, "var")) {
            continue;
        }
        struct draft_use *use = arena_array(binding->arena, 1, sizeof(*use));
        if (use == NULL) {
            draft->nomem = true;
            return;
        }
        *use = (struct draft_use){ ref->name, secret, side, node->mark,
                                   draft->uses };
        if (use->name.len == 0) {
            use->name = slice_of("webhook_secret");
        }
        draft->uses = use;
        if (ref->name.len == 0 && side != SIDE_WEBHOOK) {
            connector_parse_refuse(binding, node,
                                   "needs a name: {secret:api_key}");
        }
    }
}

const struct template *
connector_parse_template(struct config_binding *binding, struct slice text,
                         const struct config_node *node,
                         enum template_bare bare, const char *const *kinds,
                         enum draft_side side)
{
    const struct template *t = NULL;
    struct error err = { "" };
    enum status status =
        template_compile(text, bare, kinds, binding->arena, &t, &err);
    if (status == STATUS_NOMEM) {
        draft_of(binding)->nomem = true;
        return NULL;
    }
    if (status != STATUS_OK) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "'%.*s': %s", SLICE_ARG(node->key),
                          error_text(&err, status));
        return NULL;
    }
    connector_parse_note_uses(binding, t, node, side);
    return t;
}

static const struct template *
scalar_template(struct config_binding *binding, const struct config_node *node,
                enum template_bare bare, const char *const *kinds,
                enum draft_side side)
{
    struct slice text;
    return connector_parse_scalar(binding, node, &text)
               ? connector_parse_template(binding, text, node, bare, kinds,
                                          side)
               : NULL;
}

static void
put_template(void *place, const struct template *t)
{
    memcpy(place, &t, sizeof(t));
}

void
connector_parse_hook_source(struct config_binding *binding,
                            const struct config_node *node, void *place)
{
    put_template(place, scalar_template(binding, node, TEMPLATE_BARE_SOURCE,
                                        connector_hook_kinds, SIDE_WEBHOOK));
}

void
connector_parse_hook_text(struct config_binding *binding,
                          const struct config_node *node, void *place)
{
    put_template(place, scalar_template(binding, node, TEMPLATE_BARE_LITERAL,
                                        connector_hook_kinds, SIDE_WEBHOOK));
}

/* The word `form` means the form itself elsewhere, which is signed as it
 * stands; handlers want its fields. */
void
connector_parse_hook_body(struct config_binding *binding,
                          const struct config_node *node, void *place)
{
    if (node->kind == CONFIG_SCALAR && slice_equal_text(node->text, "form")) {
        put_template(place, connector_parse_template(
                                binding, slice_of("{form|object}"), node,
                                TEMPLATE_BARE_SOURCE, connector_hook_kinds,
                                SIDE_WEBHOOK));
        return;
    }
    connector_parse_hook_source(binding, node, place);
}

/* Whether text can be nothing but a word: no source, no place, no call. */
static bool
is_word(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && strchr("._-/", c) == NULL) {
            return false;
        }
    }
    return text.len > 0;
}

/* A type may be a plain word for providers that send only one; anything else is
 * meant to be a source, so a misspelt one must not pass as text. */
void
connector_parse_hook_type(struct config_binding *binding,
                          const struct config_node *node, void *place)
{
    put_template(place,
                 scalar_template(binding, node,
                                 is_word(node->text) ? TEMPLATE_BARE_LITERAL
                                                     : TEMPLATE_BARE_SOURCE,
                                 connector_hook_kinds, SIDE_WEBHOOK));
}

void
connector_parse_row(struct config_binding *binding,
                    const struct config_node *node, void *place)
{
    put_template(place, scalar_template(binding, node, TEMPLATE_BARE_PATH,
                                        row_kinds, SIDE_ROW));
}

/* What is no path ("orders/updated", "jira:issue_updated") is a text; what is
 * one but not in the row is taken as text when the row is read. */
void
connector_parse_row_type(struct config_binding *binding,
                         const struct config_node *node, void *place)
{
    const struct template *t = NULL;
    const bool plain = slice_find(node->text, '{') == SIZE_MAX &&
                       slice_find(node->text, '?') == SIZE_MAX;
    if (plain &&
        template_compile(node->text, TEMPLATE_BARE_PATH, row_detail_kinds,
                         binding->arena, &t, NULL) != STATUS_OK) {
        put_template(place,
                     scalar_template(binding, node, TEMPLATE_BARE_LITERAL,
                                     row_detail_kinds, SIDE_ROW));
        return;
    }
    put_template(place, scalar_template(binding, node, TEMPLATE_BARE_PATH,
                                        row_detail_kinds, SIDE_ROW));
}

void
connector_parse_request_text(struct config_binding *binding,
                             const struct config_node *node, void *place)
{
    if (draft_of(binding)->for_event) {
        connector_fetch_text(binding, node, place);
        return;
    }
    if (draft_of(binding)->for_failed) {
        connector_failed_text(binding, node, place);
        return;
    }
    if (draft_of(binding)->for_register) {
        connector_register_text(binding, node, place);
        return;
    }
    put_template(place,
                 scalar_template(binding, node, TEMPLATE_BARE_LITERAL,
                                 connector_request_kinds,
                                 draft_of(binding)->for_stream ? SIDE_STREAM
                                                               : SIDE_REQUEST));
}

void
connector_parse_answer_source(struct config_binding *binding,
                              const struct config_node *node, void *place)
{
    put_template(place, scalar_template(binding, node, TEMPLATE_BARE_PATH,
                                        answer_kinds, SIDE_ROW));
}

/* Counts the values of a list; one scalar counts as a list of one. */
size_t
connector_parse_count(const struct config_node *node)
{
    if (node->kind != CONFIG_SEQUENCE) {
        return 1;
    }
    size_t count = 0;
    for (const struct config_node *at = node->children; at != NULL;
         at = at->next) {
        count++;
    }
    return count;
}

void
connector_parse_answer_sources(struct config_binding *binding,
                               const struct config_node *node, void *place)
{
    struct limit_spec *limit =
        (void *)((char *)place - offsetof(struct limit_spec, retry_after));
    limit->retry_after =
        connector_parse_templates(binding, node, TEMPLATE_BARE_PATH,
                                  answer_kinds, &limit->retry_after_count);
}

const struct template **
connector_parse_templates(struct config_binding *binding,
                          const struct config_node *node,
                          enum template_bare bare, const char *const *kinds,
                          size_t *ret_count)
{
    const size_t count = connector_parse_count(node);
    const struct template **list =
        arena_array(binding->arena, count + 1, sizeof(struct template *));
    *ret_count = 0;
    if (list == NULL) {
        draft_of(binding)->nomem = true;
        return NULL;
    }
    const struct config_node *at =
        node->kind == CONFIG_SEQUENCE ? node->children : node;
    for (size_t i = 0; i < count; i++, at = at->next) {
        const struct template *t = scalar_template(
            binding, at, bare, kinds,
            kinds == connector_hook_kinds ? SIDE_WEBHOOK : SIDE_ROW);
        if (t != NULL) {
            list[(*ret_count)++] = t;
        }
    }
    return list;
}

void
connector_parse_texts(struct config_binding *binding,
                      const struct config_node *node, void *place)
{
    /* A list and its count stand side by side in every struct that uses this:
     * see struct verify_rule and struct record_spec. */
    struct texts {
        struct slice *at;
        size_t count;
    } list = { NULL, 0 };
    const size_t count = connector_parse_count(node);
    list.at = arena_array(binding->arena, count + 1, sizeof(*list.at));
    if (list.at == NULL) {
        draft_of(binding)->nomem = true;
        return;
    }
    const struct config_node *at =
        node->kind == CONFIG_SEQUENCE ? node->children : node;
    for (size_t i = 0; i < count; i++, at = at->next) {
        if (connector_parse_scalar(binding, at, &list.at[list.count])) {
            list.count++;
        }
    }
    memcpy(place, &list, sizeof(list));
}

const struct json_path *
connector_parse_json_path(struct config_binding *binding, struct slice text,
                          const struct config_node *node)
{
    const struct json_path *path = NULL;
    struct error err = { "" };
    enum status status = json_path_compile(text, binding->arena, &path, &err);
    if (status == STATUS_NOMEM) {
        draft_of(binding)->nomem = true;
    } else if (status != STATUS_OK) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "'%.*s': %s", SLICE_ARG(node->key),
                          error_text(&err, status));
    }
    return status == STATUS_OK ? path : NULL;
}

void
connector_parse_path(struct config_binding *binding,
                     const struct config_node *node, void *place)
{
    struct slice text;
    if (connector_parse_scalar(binding, node, &text)) {
        const struct json_path *path =
            connector_parse_json_path(binding, text, node);
        memcpy(place, &path, sizeof(path));
    }
}

void
connector_parse_timefmt(struct config_binding *binding,
                        const struct config_node *node, void *place)
{
    struct slice text;
    enum timefmt format;
    if (!connector_parse_scalar(binding, node, &text)) {
        return;
    }
    if (timefmt_by_name(text, &format) != STATUS_OK) {
        connector_parse_refuse(binding, node,
                               "is no way to write a time: use s, ms, iso8601, "
                               "iso8601_s, iso8601_naive, date, minute or "
                               "rfc2822");
        return;
    }
    memcpy(place, &format, sizeof(format));
}

/* A time is a place, or {from: PLACE, unit: UNIT}. */
static void
parse_time(struct config_binding *binding, const struct config_node *node,
           bool in_row, const struct template **ret_t, enum timefmt *ret_unit)
{
    const struct config_node *from = node;
    if (node->kind == CONFIG_MAPPING) {
        from = NULL;
        for (const struct config_node *at = node->children; at != NULL;
             at = at->next) {
            if (slice_equal_text(at->key, "from")) {
                from = at;
            } else if (slice_equal_text(at->key, "unit")) {
                connector_parse_timefmt(binding, at, ret_unit);
            } else {
                config_report_add(binding->report, CONFIG_ERROR, at->key_mark,
                                  "unknown key '%.*s' in a time, which has "
                                  "'from' and 'unit'",
                                  SLICE_ARG(at->key));
            }
        }
        if (from == NULL) {
            connector_parse_refuse(binding, node, "needs 'from'");
            return;
        }
    }
    *ret_t = scalar_template(binding, from,
                             in_row ? TEMPLATE_BARE_PATH : TEMPLATE_BARE_SOURCE,
                             in_row ? row_detail_kinds : connector_hook_kinds,
                             in_row ? SIDE_ROW : SIDE_WEBHOOK);
}

void
connector_parse_event_time(struct config_binding *binding,
                           const struct config_node *node, void *place)
{
    struct event_spec *event =
        (void *)((char *)place - offsetof(struct event_spec, time));
    parse_time(binding, node, false, &event->time, &event->time_unit);
}

void
connector_parse_event_key_time(struct config_binding *binding,
                               const struct config_node *node, void *place)
{
    struct event_spec *event =
        (void *)((char *)place - offsetof(struct event_spec, key_time));
    parse_time(binding, node, false, &event->key_time, &event->key_time_unit);
}

void
connector_parse_record_time(struct config_binding *binding,
                            const struct config_node *node, void *place)
{
    struct record_spec *record =
        (void *)((char *)place - offsetof(struct record_spec, time));
    parse_time(binding, node, true, &record->time, &record->time_unit);
}

void
connector_parse_record_key_time(struct config_binding *binding,
                                const struct config_node *node, void *place)
{
    struct record_spec *record =
        (void *)((char *)place - offsetof(struct record_spec, key_time));
    parse_time(binding, node, true, &record->key_time, &record->key_time_unit);
}

/* `same_id: true` says what `mode: event` means. */
void
connector_parse_same_id(struct config_binding *binding,
                        const struct config_node *node, void *place)
{
    (void)place;
    struct slice text;
    if (connector_parse_scalar(binding, node, &text) &&
        !slice_equal_text(text, "true")) {
        connector_parse_refuse(binding, node,
                               "must be true; where ids differ use 'mode: "
                               "state' or 'mode: none'");
    }
}

static void
compile_regex(struct config_binding *binding, const struct config_node *node,
              struct condition *condition)
{
    struct error err = { "" };
    enum status status =
        pattern_compile(node->text, binding->arena, &condition->regex, &err);
    if (status == STATUS_NOMEM) {
        draft_of(binding)->nomem = true;
    } else if (status != STATUS_OK) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "'regex': %s", error_text(&err, status));
    } else {
        condition->test = CONDITION_REGEX;
    }
}

/* Reads one key of a condition; counts the tests. */
static void
parse_condition_key(struct config_binding *binding,
                    const struct config_node *node, const char *const *kinds,
                    struct condition *condition, unsigned *tests)
{
    struct slice text;
    if (!connector_parse_scalar(binding, node, &text)) {
        return;
    }
    if (slice_equal_text(node->key, "x")) {
        condition->x = scalar_template(
            binding, node, TEMPLATE_BARE_SOURCE, kinds,
            kinds == connector_hook_kinds ? SIDE_WEBHOOK : SIDE_ROW);
        return;
    }
    (*tests)++;
    if (slice_equal_text(node->key, "equals")) {
        condition->test = CONDITION_EQUALS;
        condition->equals = text;
    } else if (slice_equal_text(node->key, "present")) {
        condition->test = CONDITION_PRESENT;
        condition->present = slice_equal_text(text, "true");
    } else if (slice_equal_text(node->key, "regex")) {
        compile_regex(binding, node, condition);
    } else {
        config_report_add(binding->report, CONFIG_ERROR, node->key_mark,
                          "unknown key '%.*s' in a condition, which has 'x' "
                          "and one of 'equals', 'present', 'regex'",
                          SLICE_ARG(node->key));
    }
}

static void
parse_conditions(struct config_binding *binding, const struct config_node *node,
                 const char *const *kinds, struct conditions *into)
{
    const size_t count = connector_parse_count(node);
    into->at = arena_array(binding->arena, count + 1, sizeof(*into->at));
    if (into->at == NULL) {
        draft_of(binding)->nomem = true;
        return;
    }
    const struct config_node *at =
        node->kind == CONFIG_SEQUENCE ? node->children : node;
    for (size_t i = 0; i < count; i++, at = at->next) {
        struct condition *condition = &into->at[into->count];
        unsigned tests = 0;
        if (at->kind != CONFIG_MAPPING) {
            connector_parse_refuse(binding, at, "must be a mapping");
            continue;
        }
        for (const struct config_node *key = at->children; key != NULL;
             key = key->next) {
            parse_condition_key(binding, key, kinds, condition, &tests);
        }
        if (tests != 1 || condition->x == NULL) {
            config_report_add(binding->report, CONFIG_ERROR, at->mark,
                              "a condition needs 'x' and one of 'equals', "
                              "'present', 'regex'");
        }
        if (condition->x != NULL) {
            into->count++;
        } else {
            connector_parse_forget(condition);
        }
    }
}

void
connector_parse_forget(struct condition *condition)
{
    pattern_free(condition->regex);
    condition->regex = NULL;
}

void
connector_parse_when(struct config_binding *binding,
                     const struct config_node *node, void *place)
{
    parse_conditions(binding, node, connector_hook_kinds, place);
}

void
connector_parse_fail_when(struct config_binding *binding,
                          const struct config_node *node, void *place)
{
    parse_conditions(binding, node, answer_kinds, place);
}
