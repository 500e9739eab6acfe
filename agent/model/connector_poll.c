/* SPDX-License-Identifier: MIT */
/* Values of `poll` and `webhook`. */
#include <string.h>

#include "base/instant.h"
#include "model/address.h"
#include "model/cadence.h"
#include "model/connector_draft.h"
#include "model/pattern.h"
#include "wire/json.h"

static struct connector_draft *
draft_of(const struct config_binding *binding)
{
    return binding->user;
}

/* ---- requests ---- */

struct pair_spec *
connector_parse_pairs(struct config_binding *binding,
                      const struct config_node *node, size_t *ret_count)
{
    *ret_count = 0;
    if (node->kind != CONFIG_MAPPING) {
        connector_parse_refuse(binding, node, "must be a mapping");
        return NULL;
    }
    size_t count = 0;
    for (const struct config_node *at = node->children; at; at = at->next) {
        count++;
    }
    struct pair_spec *pairs =
        arena_array(binding->arena, count + 1, sizeof(*pairs));
    if (pairs == NULL) {
        draft_of(binding)->nomem = true;
        return NULL;
    }
    for (const struct config_node *at = node->children; at; at = at->next) {
        struct pair_spec *pair = &pairs[*ret_count];
        pair->name = at->key;
        connector_parse_request_text(binding, at, &pair->value);
        if (pair->value != NULL) {
            (*ret_count)++;
        }
    }
    return pairs;
}

void
connector_poll_query(struct config_binding *binding,
                     const struct config_node *node, void *place)
{
    struct request_spec *request =
        (void *)((char *)place - offsetof(struct request_spec, query));
    request->query =
        connector_parse_pairs(binding, node, &request->query_count);
}

void
connector_poll_first_query(struct config_binding *binding,
                           const struct config_node *node, void *place)
{
    struct request_spec *request =
        (void *)((char *)place - offsetof(struct request_spec, first_query));
    request->first_query =
        connector_parse_pairs(binding, node, &request->first_query_count);
}

void
connector_poll_headers(struct config_binding *binding,
                       const struct config_node *node, void *place)
{
    struct request_spec *request =
        (void *)((char *)place - offsetof(struct request_spec, headers));
    request->headers =
        connector_parse_pairs(binding, node, &request->header_count);
    for (size_t i = 0; i < request->header_count; i++) {
        if (!http_field_name_valid(request->headers[i].name)) {
            connector_parse_refuse(binding, node, "has no name of a field");
        }
    }
}

/* A request has one body. */
static bool
take_body(struct config_binding *binding, const struct config_node *node,
          struct request_spec *request, int kind)
{
    if (request->body_kind != BODY_NONE) {
        connector_parse_refuse(binding, node, "is a second body");
        return false;
    }
    switch (kind) {
    case BODY_JSON: request->body_kind = BODY_JSON; break;
    case BODY_FORM: request->body_kind = BODY_FORM; break;
    default: request->body_kind = BODY_GRAPHQL; break;
    }
    return true;
}

void
connector_poll_form(struct config_binding *binding,
                    const struct config_node *node, void *place)
{
    struct request_spec *request =
        (void *)((char *)place - offsetof(struct request_spec, form));
    if (take_body(binding, node, request, BODY_FORM)) {
        request->form =
            connector_parse_pairs(binding, node, &request->form_count);
    }
}

/* A node still to be read, and where it goes. */
struct pending {
    const struct config_node *from;
    struct body_node *to;
    struct pending *next;
};

/* Whether the text is one place and nothing else, as "{cursor|number}". */
static bool
ends_as_number(struct slice text)
{
    return slice_starts(text, slice_of("{")) &&
           slice_find(slice_from(text, 1), '{') == SIZE_MAX &&
           slice_ends(text, slice_of("|number}"));
}

static void
parse_body_scalar(struct config_binding *binding,
                  const struct config_node *node, struct body_node *into)
{
    into->number = ends_as_number(node->text);
    into->bare =
        !node->quoted &&
        (node->is_null ||
         (node->text.len > 0 && json_check(node->text, 1, NULL) == STATUS_OK));
    if (!node->is_null) {
        connector_parse_request_text(binding, node, &into->text);
        connector_register_mark(into);
        return;
    }
    into->text = connector_parse_template(
        binding, slice_of("null"), node, TEMPLATE_BARE_LITERAL,
        connector_request_kinds, SIDE_REQUEST);
}

/* Reads one node; what is in it goes to the front of the list. */
static struct pending *
parse_body_node(struct config_binding *binding, struct pending *at)
{
    struct pending *rest = at->next;
    struct body_node **last = &at->to->children;
    at->to->kind = at->from->kind;
    at->to->key = at->from->key;
    at->to->repeats = draft_of(binding)->for_register &&
                      slice_equal_text(at->to->key, "{event}");
    if (at->from->kind == CONFIG_SCALAR) {
        parse_body_scalar(binding, at->from, at->to);
        return rest;
    }
    for (const struct config_node *child = at->from->children; child != NULL;
         child = child->next) {
        struct pending *more = arena_array(binding->arena, 1, sizeof(*more));
        struct body_node *node = arena_array(binding->arena, 1, sizeof(*node));
        if (more == NULL || node == NULL) {
            draft_of(binding)->nomem = true;
            return rest;
        }
        *more = (struct pending){ child, node, rest };
        rest = more;
        node->parent = at->to;
        *last = node;
        last = &node->next;
    }
    return rest;
}

static void
parse_body(struct config_binding *binding, const struct config_node *node,
           struct request_spec *request)
{
    request->body = arena_array(binding->arena, 1, sizeof(*request->body));
    if (request->body == NULL) {
        draft_of(binding)->nomem = true;
        return;
    }
    struct pending root = { node, request->body, NULL };
    for (struct pending *at = &root; at != NULL;) {
        at = parse_body_node(binding, at);
    }
}

void
connector_poll_json_body(struct config_binding *binding,
                         const struct config_node *node, void *place)
{
    struct request_spec *request =
        (void *)((char *)place - offsetof(struct request_spec, body));
    if (take_body(binding, node, request, BODY_JSON)) {
        parse_body(binding, node, request);
    }
}

/* Doubles braces, so that a GraphQL query is text and not places. */
static enum status
escape_braces(struct slice text, struct arena *arena, struct slice *ret_text)
{
    struct buf escaped = { 0 };
    for (size_t i = 0; i < text.len; i++) {
        buf_byte(&escaped, text.ptr[i]);
        if (text.ptr[i] == '{' || text.ptr[i] == '}') {
            buf_byte(&escaped, text.ptr[i]);
        }
    }
    enum status status = buf_status(&escaped);
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&escaped), ret_text);
    }
    buf_fini(&escaped);
    return status;
}

void
connector_poll_graphql(struct config_binding *binding,
                       const struct config_node *node, void *place)
{
    struct request_spec *request =
        (void *)((char *)place - offsetof(struct request_spec, body));
    struct config_node *copy = NULL;
    if (node->kind != CONFIG_MAPPING ||
        config_node_child(node, "query") == NULL) {
        connector_parse_refuse(binding, node, "needs a 'query'");
        return;
    }
    if (!take_body(binding, node, request, BODY_GRAPHQL)) {
        return;
    }
    copy = arena_array(binding->arena, 1, sizeof(*copy));
    if (copy == NULL) {
        draft_of(binding)->nomem = true;
        return;
    }
    *copy = *node;
    struct config_node **last = &copy->children;
    for (const struct config_node *at = node->children; at; at = at->next) {
        struct config_node *child =
            arena_array(binding->arena, 1, sizeof(*child));
        if (child == NULL) {
            draft_of(binding)->nomem = true;
            return;
        }
        *child = *at;
        if (slice_equal_text(at->key, "query") &&
            escape_braces(at->text, binding->arena, &child->text) !=
                STATUS_OK) {
            draft_of(binding)->nomem = true;
        } else if (!slice_equal_text(at->key, "query") &&
                   !slice_equal_text(at->key, "variables")) {
            connector_parse_refuse(binding, at, "is not known in graphql");
        }
        *last = child;
        last = &child->next;
    }
    *last = NULL;
    parse_body(binding, copy, request);
}

/* The URL of a row's details: `{id}` is the row's, `{request.url}` the list's,
 * parameters as everywhere. */
void
connector_poll_follow_url(struct config_binding *binding,
                          const struct config_node *node, void *place)
{
    static const char *const kinds[] = { "item", "var", "secret", "request.url",
                                         NULL };
    struct slice text;
    if (connector_parse_scalar(binding, node, &text)) {
        const struct template *t = connector_parse_template(
            binding, text, node, TEMPLATE_BARE_PATH, kinds, SIDE_REQUEST);
        memcpy(place, &t, sizeof(t));
    }
}

void
connector_poll_allow(struct config_binding *binding,
                     const struct config_node *node, void *place)
{
    struct pattern *allow = NULL;
    struct error err = { "" };
    struct slice text;
    if (!connector_parse_scalar(binding, node, &text)) {
        return;
    }
    enum status status =
        pattern_compile_whole(text, binding->arena, &allow, &err);
    if (status == STATUS_NOMEM) {
        draft_of(binding)->nomem = true;
    } else if (status != STATUS_OK) {
        connector_parse_refuse(binding, node, error_text(&err, status));
    }
    memcpy(place, &allow, sizeof(allow));
}

/* ---- when ---- */

void
connector_poll_cron(struct config_binding *binding,
                    const struct config_node *node, void *place)
{
    struct poll_spec *poll =
        (void *)((char *)place - offsetof(struct poll_spec, cron));
    const struct cron_plan *plan = NULL;
    struct error err = { "" };
    if (!connector_parse_scalar(binding, node, &poll->cron)) {
        return;
    }
    enum status status = cron_compile(poll->cron, binding->arena, &plan, &err);
    if (status == STATUS_NOMEM) {
        draft_of(binding)->nomem = true;
    } else if (status != STATUS_OK) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "'cron': %s", error_text(&err, status));
    } else {
        poll->cron_plan = plan;
    }
}

/* A duration, or `auto`. */
void
connector_poll_overlap(struct config_binding *binding,
                       const struct config_node *node, void *place)
{
    int64_t *overlap_ms = place;
    if (node->kind == CONFIG_SCALAR && slice_equal_text(node->text, "auto")) {
        *overlap_ms = OVERLAP_AUTO;
    } else {
        (void)config_bind_duration(binding, node, overlap_ms);
    }
}

void
connector_poll_sweep_overlap(struct config_binding *binding,
                             const struct config_node *node, void *place)
{
    const int64_t *overlap_ms = place;
    connector_poll_overlap(binding, node, place);
    if (*overlap_ms != OVERLAP_AUTO && *overlap_ms != 0 &&
        (*overlap_ms < INSTANT_SECOND_MS ||
         *overlap_ms > 365 * INSTANT_DAY_MS)) {
        connector_parse_refuse(binding, node,
                               "of a sweep is from 1s to 365d, or auto");
    }
}

void
connector_poll_start(struct config_binding *binding,
                     const struct config_node *node, void *place)
{
    struct poll_spec *poll =
        (void *)((char *)place - offsetof(struct poll_spec, start_kind));
    struct slice text;
    if (!connector_parse_scalar(binding, node, &text)) {
        return;
    }
    if (slice_equal_text(text, "now")) {
        poll->start_kind = START_NOW;
    } else if (instant_parse_span(text, &poll->start_ms) == STATUS_OK) {
        poll->start_kind = START_AGO;
    } else if (timefmt_read(TIMEFMT_ISO8601, text, &poll->start_ms) ==
                   STATUS_OK ||
               timefmt_read(TIMEFMT_DATE, text, &poll->start_ms) == STATUS_OK) {
        poll->start_kind = START_AT;
    } else {
        connector_parse_refuse(binding, node,
                               "must be now, a time such as "
                               "2026-01-31T00:00:00Z, or an age such as 7d");
    }
}

/* ---- cursor and pages ---- */

/* Takes "max(p)+1" apart; a plain path is the largest. False when it is not a
 * call at all. */
static bool
split_pick(struct slice text, enum pick *ret_pick, struct slice *ret_path)
{
    static const struct {
        struct slice head;
        struct slice tail;
        enum pick pick;
    } forms[] = {
        { SLICE("max("), SLICE(")+1"), PICK_MAX_PLUS_1 },
        { SLICE("max("), SLICE(")"), PICK_MAX },
        { SLICE("first("), SLICE(")"), PICK_FIRST },
        { SLICE("last("), SLICE(")"), PICK_LAST },
    };
    *ret_pick = PICK_MAX;
    *ret_path = text;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        const size_t ends = forms[i].head.len + forms[i].tail.len;
        if (text.len > ends && slice_starts(text, forms[i].head) &&
            slice_ends(text, forms[i].tail)) {
            *ret_pick = forms[i].pick;
            *ret_path = slice_first(slice_from(text, forms[i].head.len),
                                    text.len - ends);
            return true;
        }
    }
    return false;
}

void
connector_poll_cursor_from(struct config_binding *binding,
                           const struct config_node *node, void *place)
{
    struct cursor_spec *cursor =
        (void *)((char *)place - offsetof(struct cursor_spec, from));
    struct slice text;
    if (connector_parse_scalar(binding, node, &text)) {
        (void)split_pick(text, &cursor->pick, &text);
        cursor->from = connector_parse_json_path(binding, text, node);
    }
}

static void
parse_first_cursor(struct config_binding *binding,
                   const struct config_node *node, enum pick *ret_pick,
                   void *place)
{
    struct slice text;
    if (connector_parse_scalar(binding, node, &text)) {
        struct config_node inner = *node;
        (void)split_pick(text, ret_pick, &inner.text);
        connector_parse_answer_source(binding, &inner, place);
    }
}

void
connector_poll_first_cursor(struct config_binding *binding,
                            const struct config_node *node, void *place)
{
    struct poll_spec *poll =
        (void *)((char *)place - offsetof(struct poll_spec, first_cursor));
    parse_first_cursor(binding, node, &poll->first_pick, place);
}

void
connector_poll_resync_cursor(struct config_binding *binding,
                             const struct config_node *node, void *place)
{
    struct poll_spec *poll =
        (void *)((char *)place - offsetof(struct poll_spec, resync_cursor));
    parse_first_cursor(binding, node, &poll->resync_pick, place);
}

void
connector_poll_numeric(struct config_binding *binding,
                       const struct config_node *node, void *place)
{
    bool *numeric = place;
    struct slice text;
    if (!connector_parse_scalar(binding, node, &text)) {
        return;
    }
    *numeric = slice_equal_text(text, "numeric");
    if (!*numeric && !slice_equal_text(text, "text")) {
        connector_parse_refuse(binding, node, "must be numeric or text");
    }
}

void
connector_poll_page_from(struct config_binding *binding,
                         const struct config_node *node, void *place)
{
    struct page_spec *pages =
        (void *)((char *)place - offsetof(struct page_spec, from));
    struct slice text;
    enum pick pick;
    if (!connector_parse_scalar(binding, node, &text)) {
        return;
    }
    if (!split_pick(text, &pick, &text)) {
        connector_parse_answer_source(binding, node, place);
    } else if (pick == PICK_LAST) {
        pages->last = connector_parse_json_path(binding, text, node);
    } else {
        connector_parse_refuse(binding, node,
                               "must be a place in the answer or last(path)");
    }
}

void
connector_poll_stop(struct config_binding *binding,
                    const struct config_node *node, void *place)
{
    bool *stop_empty = place;
    struct slice text;
    if (!connector_parse_scalar(binding, node, &text)) {
        return;
    }
    *stop_empty = slice_equal_text(text, "empty");
    if (!*stop_empty) {
        connector_parse_refuse(binding, node, "must be empty");
    }
}

/* ---- limits ---- */

void
connector_poll_budget(struct config_binding *binding,
                      const struct config_node *node, void *place)
{
    struct limit_spec *limit =
        (void *)((char *)place - offsetof(struct limit_spec, budget));
    if (node->kind != CONFIG_SCALAR ||
        instant_parse_rate(node->text, &limit->budget, &limit->budget_per_ms) !=
            STATUS_OK) {
        connector_parse_refuse(binding, node, "must be like \"25/1s\"");
    }
}

void
connector_poll_backfill_rate(struct config_binding *binding,
                             const struct config_node *node, void *place)
{
    struct poll_spec *poll =
        (void *)((char *)place - offsetof(struct poll_spec, backfill_rate));
    if (node->kind != CONFIG_SCALAR ||
        instant_parse_rate(node->text, &poll->backfill_rate,
                           &poll->backfill_rate_per_ms) != STATUS_OK) {
        connector_parse_refuse(binding, node, "must be like \"2/1s\"");
    }
}

void
connector_poll_rate(struct config_binding *binding,
                    const struct config_node *node, void *place)
{
    struct webhook_spec *webhook =
        (void *)((char *)place - offsetof(struct webhook_spec, rate));
    if (node->kind != CONFIG_SCALAR ||
        instant_parse_rate(node->text, &webhook->rate, &webhook->rate_per_ms) !=
            STATUS_OK) {
        connector_parse_refuse(binding, node, "must be like \"100/s\"");
    }
}

void
connector_poll_reset(struct config_binding *binding,
                     const struct config_node *node, void *place)
{
    struct limit_spec *limit =
        (void *)((char *)place - offsetof(struct limit_spec, reset));
    if (node->kind != CONFIG_MAPPING) {
        connector_parse_answer_source(binding, node, place);
        return;
    }
    for (const struct config_node *at = node->children; at; at = at->next) {
        if (slice_equal_text(at->key, "from")) {
            connector_parse_answer_source(binding, at, place);
        } else if (!slice_equal_text(at->key, "unit")) {
            connector_parse_refuse(binding, at, "is not known in reset");
        } else if (slice_equal_text(at->text, "epoch_s")) {
            limit->reset_unit = RESET_EPOCH_S;
        } else if (slice_equal_text(at->text, "epoch_ms")) {
            limit->reset_unit = RESET_EPOCH_MS;
        } else if (slice_equal_text(at->text, "delta_s")) {
            limit->reset_unit = RESET_DELTA_S;
        } else {
            connector_parse_refuse(binding, at,
                                   "must be epoch_s, epoch_ms or delta_s");
        }
    }
}

void
connector_poll_cidrs(struct config_binding *binding,
                     const struct config_node *node, void *place)
{
    struct webhook_spec *webhook =
        (void *)((char *)place - offsetof(struct webhook_spec, allow_from));
    const size_t count = connector_parse_count(node);
    webhook->allow_from =
        arena_array(binding->arena, count + 1, sizeof(*webhook->allow_from));
    if (webhook->allow_from == NULL) {
        draft_of(binding)->nomem = true;
        return;
    }
    const struct config_node *at =
        node->kind == CONFIG_SEQUENCE ? node->children : node;
    for (size_t i = 0; i < count; i++, at = at->next) {
        struct cidr *cidr = &webhook->allow_from[webhook->allow_count];
        if (at->kind == CONFIG_SCALAR &&
            address_parse_cidr(at->text, cidr) == STATUS_OK) {
            webhook->allow_count++;
        } else {
            config_report_add(binding->report, CONFIG_ERROR, at->mark,
                              "'%.*s' is no network: use 192.0.2.0/24 or "
                              "2001:db8::/32, with no bit set behind the "
                              "prefix",
                              SLICE_ARG(at->text));
        }
    }
    if (count == 0) {
        connector_parse_refuse(binding, node, "allows nobody; leave it out");
    }
}
