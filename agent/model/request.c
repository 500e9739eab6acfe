/* SPDX-License-Identifier: MIT */
#include "model/request_private.h"

#include <string.h>

#include "model/request_body.h"
#include "model/walk_cursor.h"
#include "model/walk_expired.h"
#include "model/walk_span.h"
#include "wire/encode.h"
#include "wire/json.h"
#include "wire/template.h"
#include "wire/url.h"

/* Own fields beside the connector's: Accept, Content-Type, Authorization,
 * If-None-Match, If-Modified-Since. */
#define OWN_FIELDS 5

static enum status
out_of_memory(struct error *err)
{
    return error_set(err, STATUS_NOMEM, "out of memory");
}

/* Moves what was built into the arena; the buf is freed either way. */
enum status
request_keep(struct rendering *r, struct buf *buf, struct slice *ret_text)
{
    enum status status = buf_status(buf);
    if (status == STATUS_OK) {
        status = arena_copy(r->arena, buf_slice(buf), ret_text);
    }
    buf_fini(buf);
    return status == STATUS_OK ? status : out_of_memory(r->err);
}

enum status
request_param(const struct rendering *r, struct slice name,
              struct slice *ret_value)
{
    const struct connector_param *param =
        connector_param_find(r->connector, name);
    if (param == NULL || !param->given || param->count == 0) {
        return STATUS_NOT_FOUND;
    }
    *ret_value = param->values[0];
    return STATUS_OK;
}

static enum status
page_value(const struct rendering *r, struct slice *ret_value)
{
    const struct page_spec *pages = &r->connector->poll.pages;
    if (r->state->has_page) {
        *ret_value = r->state->page;
        return STATUS_OK;
    }
    if (pages->kind != PAGE_NUMBER && pages->kind != PAGE_OFFSET) {
        return STATUS_NOT_FOUND;
    }
    struct buf buf = { 0 };
    buf_i64(&buf, pages->start);
    enum status status = buf_status(&buf);
    if (status == STATUS_OK) {
        status = arena_copy(r->arena, buf_slice(&buf), ret_value);
    }
    buf_fini(&buf);
    return status;
}

/* The places that only a walk can fill. */
static enum status
walk_value(const struct rendering *r, struct slice kind,
           struct slice *ret_value)
{
    const struct walk_state *state = r->state;
    const struct cursor_spec *cursor = &r->connector->poll.cursor;
    if (slice_equal_text(kind, "cursor")) {
        *ret_value = state->cursor;
        return state->has_cursor ? STATUS_OK : STATUS_NOT_FOUND;
    }
    if (slice_equal_text(kind, "page")) {
        return page_value(r, ret_value);
    }
    if (slice_equal_text(kind, "now") || slice_equal_text(kind, "until")) {
        bool spans =
            walk_span_used(r->connector) && slice_equal_text(kind, "until");
        return walk_cursor_time_text(cursor,
                                     spans ? state->until_ms : state->now_ms,
                                     r->arena, ret_value);
    }
    if (slice_equal_text(kind, "start") && state->has_start) {
        /* While our clock alone knows the start, `a` has a margin. */
        return walk_cursor_time_text(
            cursor, state->first ? state->a_ms : state->start_ms, r->arena,
            ret_value);
    }
    return STATUS_NOT_FOUND;
}

enum status
request_row(const struct rendering *r, const struct template_ref *ref,
            struct slice *ret_value)
{
    struct slice value = { NULL, 0 };
    if (ref->path == NULL || r->row.len == 0 ||
        !json_path_first(ref->path, r->row, &value) ||
        json_type(value) == JSON_NULL) {
        return STATUS_NOT_FOUND;
    }
    return json_text(value, r->arena, ret_value);
}

enum status
request_look_up(void *arg, const struct template_ref *ref, struct arena *arena,
                struct slice *ret_value)
{
    struct rendering *r = arg;
    (void)arena; /* r->arena lives at least as long */
    if (slice_equal_text(ref->kind, "var") ||
        slice_equal_text(ref->kind, "secret")) {
        /* `{secret}` without a name is the webhook's and not for requests. */
        return request_param(r, ref->name, ret_value);
    }
    /* A bare "request.url" may have been compiled as a path in the row. */
    if (slice_equal_text(ref->kind, "request.url") ||
        (slice_equal_text(ref->kind, "item") &&
         slice_equal_text(ref->name, "request.url"))) {
        *ret_value = r->list_url;
        return r->list_url.len > 0 ? STATUS_OK : STATUS_NOT_FOUND;
    }
    if (r->event != NULL) {
        return request_event_value(r, ref, ret_value);
    }
    if (r->places != NULL) {
        return request_register_value(r, ref, ret_value);
    }
    if (slice_equal_text(ref->kind, "item") ||
        slice_equal_text(ref->kind, "json")) {
        return request_row(r, ref, ret_value);
    }
    return r->state == NULL ? STATUS_NOT_FOUND
                            : walk_value(r, ref->kind, ret_value);
}

/* Evaluates; STATUS_NOT_FOUND has no words, every other failure has. */
static enum status
eval(struct rendering *r, const struct template *t, struct slice *ret_text)
{
    enum status status = template_eval(t, &r->scope, r->arena, ret_text, NULL);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        return status;
    }
    return status == STATUS_NOMEM
               ? out_of_memory(r->err)
               : error_set(r->err, status, "'%.*s': %s",
                           SLICE_ARG(template_source(t)), status_text(status));
}

/* As eval, but the place must be filled. */
enum status
request_eval_needed(struct rendering *r, const struct template *t,
                    const char *what, struct slice *ret_text)
{
    enum status status = t == NULL ? STATUS_NOT_FOUND : eval(r, t, ret_text);
    if (status == STATUS_NOT_FOUND) {
        struct slice source = slice_of("");
        if (t != NULL) {
            source = template_source(t);
        }
        return error_set(r->err, status, "%s cannot be filled: '%.*s'", what,
                         SLICE_ARG(source));
    }
    return status;
}

static bool
has_field(const struct rendering *r, const char *name)
{
    struct http_fields fields = { r->fields, r->field_count };
    struct slice value = { NULL, 0 };
    return http_field_find(fields, name, &value);
}

static enum status
add_field(struct rendering *r, struct slice name, struct slice value)
{
    value = slice_trim(value);
    if (!http_field_name_valid(name) || !http_field_value_valid(value)) {
        /* The value may be a secret and is not shown. */
        return error_set(r->err, STATUS_INVALID,
                         "header '%.*s' would hold a byte that may not be "
                         "sent",
                         SLICE_ARG(name));
    }
    r->fields[r->field_count++] = (struct http_field){ name, value };
    return STATUS_OK;
}

static enum status
add_default(struct rendering *r, const char *name, const char *value)
{
    return has_field(r, name) ? STATUS_OK
                              : add_field(r, slice_of(name), slice_of(value));
}

static enum status
add_headers(struct rendering *r, const struct request_spec *spec)
{
    r->fields = arena_array(r->arena, spec->header_count + OWN_FIELDS,
                            sizeof *r->fields);
    if (r->fields == NULL) {
        return out_of_memory(r->err);
    }
    for (size_t i = 0; i < spec->header_count; i++) {
        struct slice value = { NULL, 0 };
        enum status status = eval(r, spec->headers[i].value, &value);
        if (status == STATUS_OK) {
            status = add_field(r, spec->headers[i].name, value);
        }
        if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
            return status;
        }
    }
    const bool wants_feed =
        spec == &r->connector->poll.request && r->connector->poll.items_in_feed;
    return add_default(r, "Accept",
                       wants_feed
                           ? "application/atom+xml, application/rss+xml, "
                             "application/xml;q=0.9, */*;q=0.5"
                           : "application/json");
}

static enum status
add_bearer(struct rendering *r, struct slice token)
{
    struct buf buf = { 0 };
    struct slice value = { NULL, 0 };
    buf_text(&buf, "Bearer ");
    buf_append(&buf, slice_trim(token));
    enum status status = request_keep(r, &buf, &value);
    return status == STATUS_OK ? add_field(r, slice_of("Authorization"), value)
                               : status;
}

static enum status
add_auth(struct rendering *r, struct rendered_request *request)
{
    const struct auth_spec *auth = r->auth;
    struct slice value = { NULL, 0 };
    enum status status;
    switch (auth->type) {
    case AUTH_NONE:
    case AUTH_QUERY: /* with the URL */ return STATUS_OK;
    case AUTH_OAUTH2: request->oauth = auth; return STATUS_OK;
    case AUTH_BASIC:
        status = request_eval_needed(r, auth->user, "the user", &request->user);
        if (status != STATUS_OK || auth->password == NULL) {
            return status;
        }
        status = eval(r, auth->password, &request->password);
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    case AUTH_BEARER:
    case AUTH_HEADER:
        status = request_eval_needed(r, auth->value, "the credential", &value);
        if (status != STATUS_OK) {
            return status;
        }
        return auth->type == AUTH_BEARER ? add_bearer(r, value)
                                         : add_field(r, auth->name, value);
    }
    return STATUS_OK;
}

/* A link that came with an answer may have kept our credential, or not. */
enum status
request_add_auth_query(struct rendering *r, struct buf *url)
{
    const struct auth_spec *auth = r->auth;
    struct slice value = { NULL, 0 };
    struct url parsed;
    if (auth->type != AUTH_QUERY) {
        return STATUS_OK;
    }
    enum status status = url_parse(buf_slice(url), &parsed, r->err);
    if (status != STATUS_OK) {
        return status;
    }
    if (parsed.has_query && url_query_value(parsed.query, auth->name, r->arena,
                                            &value) == STATUS_OK) {
        return STATUS_OK;
    }
    status = request_eval_needed(r, auth->value, "the credential", &value);
    if (status == STATUS_OK) {
        url_add_query(url, auth->name, value);
    }
    return status;
}

/* Appends an absolute URL, with its origin replaced where the parameter `name`
 * is given. */
static enum status
append_moved(const struct connector *connector, const char *name,
             struct slice absolute, struct buf *into, bool *ret_moved,
             struct error *err)
{
    const struct connector_param *base =
        connector_param_find(connector, slice_of(name));
    struct url from;
    struct url to;
    *ret_moved = base != NULL && base->given && base->count > 0 &&
                 base->values[0].len > 0;
    if (!*ret_moved) {
        buf_append(into, absolute);
        return buf_status(into);
    }
    enum status status = url_parse(absolute, &from, err);
    if (status == STATUS_OK) {
        status = url_parse(base->values[0], &to, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    buf_append(into, to.scheme);
    buf_text(into, "://");
    buf_append(into, to.host);
    if (to.has_port) {
        buf_format(into, ":%u", (unsigned)to.port);
    }
    buf_append(into, from.path);
    if (from.has_query) {
        buf_byte(into, '?');
        buf_append(into, from.query);
    }
    return buf_status(into);
}

enum status
request_based(const struct connector *connector, struct slice absolute,
              struct buf *into, struct error *err)
{
    bool moved;
    return append_moved(connector, "base", absolute, into, &moved, err);
}

enum status
request_for_link(const struct connector *connector, struct slice url,
                 struct arena *arena, struct rendered_request *ret_request,
                 bool *ret_is_foreign, struct error *err)
{
    struct buf moved = { 0 };
    bool is_moved;
    enum status status =
        append_moved(connector, "link_base", url, &moved, &is_moved, err);
    *ret_request = (struct rendered_request){ .method = SLICE("GET") };
    *ret_is_foreign = !is_moved;
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&moved), &ret_request->url);
    }
    buf_fini(&moved);
    return status;
}

/* Renders a URL template onto `url`, moved to `base` where one is given. */
enum status
request_url(struct rendering *r, const struct template *t, struct buf *url)
{
    struct slice text = { NULL, 0 };
    struct url parsed;
    enum status status = request_eval_needed(r, t, "the URL", &text);
    if (status == STATUS_OK) {
        status = url_parse(text, &parsed, r->err);
    }
    if (status != STATUS_OK) {
        return error_wrap(r->err, status, "url");
    }
    status = request_based(r->connector, text, url, r->err);
    return status == STATUS_NOMEM ? out_of_memory(r->err) : status;
}

enum status
request_add_query(struct rendering *r, const struct request_spec *spec,
                  struct buf *url)
{
    for (size_t i = 0; i < spec->query_count; i++) {
        struct slice value = { NULL, 0 };
        enum status status = eval(r, spec->query[i].value, &value);
        if (status == STATUS_OK) {
            url_add_query(url, spec->query[i].name, value);
        } else if (status != STATUS_NOT_FOUND) {
            return status;
        }
    }
    return STATUS_OK;
}

enum status
request_same_origin(struct slice link, struct slice own, struct error *err)
{
    struct url a;
    struct url b;
    enum status status = url_parse(link, &a, err);
    if (status == STATUS_OK) {
        status = url_parse(own, &b, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (!url_same_origin(&a, &b)) {
        return error_set(err, STATUS_DENIED,
                         "the link leads to another origin: '%.*s' from "
                         "'%.*s'",
                         SLICE_ARG(a.host), SLICE_ARG(b.host));
    }
    return STATUS_OK;
}

static bool
page_is_link(const struct connector *connector)
{
    return connector->poll.pages.kind == PAGE_LINK ||
           connector->poll.pages.kind == PAGE_URL;
}

/* Writes the URL that is asked: the own one, or the link in its place. */
static enum status
list_url(struct rendering *r, const struct request_spec *spec, struct buf *url)
{
    enum status status = request_url(r, spec->url, url);
    if (status != STATUS_OK) {
        return status;
    }
    if (!r->state->has_page || r->state->first || !page_is_link(r->connector)) {
        status = request_add_query(r, spec, url);
        return status == STATUS_OK ? request_add_auth_query(r, url) : status;
    }
    status = request_same_origin(r->state->page, buf_slice(url), r->err);
    if (status != STATUS_OK) {
        return status;
    }
    buf_clear(url);
    buf_append(url, r->state->page);
    return request_add_auth_query(r, url);
}

static enum status
add_form_field(struct rendering *r, const struct pair_spec *pair,
               struct buf *body)
{
    struct slice value = { NULL, 0 };
    enum status status = eval(r, pair->value, &value);
    if (status != STATUS_OK) {
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    if (body->len > 0) {
        buf_byte(body, '&');
    }
    encode_percent(pair->name, "", body);
    buf_byte(body, '=');
    encode_percent(value, "", body);
    return STATUS_OK;
}

static enum status
add_form(struct rendering *r, const struct request_spec *spec, struct buf *body)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < spec->form_count && status == STATUS_OK; i++) {
        const struct pair_spec *pair = &spec->form[i];
        if (r->places == NULL || !template_names(pair->value, "event")) {
            status = add_form_field(r, pair, body);
            continue;
        }
        r->places->event = 0;
        for (; r->places->event < r->places->event_count && status == STATUS_OK;
             r->places->event++) {
            status = add_form_field(r, pair, body);
        }
        r->places->event = 0;
    }
    return status;
}

static enum status
add_body(struct rendering *r, const struct request_spec *spec,
         struct rendered_request *request)
{
    struct buf body = { 0 };
    enum status status;
    const char *type = "application/json";
    if (spec->body_kind == BODY_NONE) {
        return STATUS_OK;
    }
    if (spec->body_kind == BODY_FORM) {
        type = "application/x-www-form-urlencoded";
        status = add_form(r, spec, &body);
    } else {
        status = request_body_json(spec->body, &r->scope, r->places, r->arena,
                                   &body, r->err);
    }
    if (status != STATUS_OK) {
        buf_fini(&body);
        return status;
    }
    request->has_body = true;
    status = request_keep(r, &body, &request->body);
    return status == STATUS_OK ? add_default(r, "Content-Type", type) : status;
}

/* Fills in what stands behind the URL, which is taken. */
enum status
request_fill(struct rendering *r, const struct request_spec *spec,
             struct buf *url, struct rendered_request *request)
{
    enum status status = request_keep(r, url, &request->url);
    if (status == STATUS_OK) {
        status = add_headers(r, spec);
    }
    if (status == STATUS_OK) {
        status = add_auth(r, request);
    }
    return status == STATUS_OK ? add_body(r, spec, request) : status;
}

/* Validators belong to the URL they came from (RFC 9110 §8.8). */
static enum status
add_validators(struct rendering *r, struct slice url)
{
    const struct walk_state *state = r->state;
    const unsigned wanted = r->connector->poll.conditional;
    enum status status = STATUS_OK;
    if (state->has_page || state->pages > 0 ||
        state->etag_url != walk_cursor_hash(url)) {
        return STATUS_OK;
    }
    if ((wanted & CONDITIONAL_ETAG) != 0 && state->etag.len > 0) {
        status = add_field(r, slice_of("If-None-Match"), state->etag);
    }
    if (status == STATUS_OK && (wanted & CONDITIONAL_LAST_MODIFIED) != 0 &&
        state->modified.len > 0) {
        status = add_field(r, slice_of("If-Modified-Since"), state->modified);
    }
    return status;
}

enum status
request_render(const struct connector *connector,
               const struct walk_state *state, struct arena *arena,
               struct rendered_request *ret_request, struct error *err)
{
    struct rendering r = { .connector = connector,
                           .auth = &connector->poll.auth,
                           .state = state,
                           .arena = arena,
                           .err = err };
    const struct request_spec *spec = &connector->poll.request;
    if (state->first) {
        const struct request_spec *first = walk_expired_first(connector, state);
        spec = first == NULL ? spec : first;
    }
    struct rendered_request request = { .method = spec->method };
    struct buf url = { 0 };
    r.scope = (struct template_scope){ .lookup = request_look_up, .arg = &r };
    if (request.method.len == 0) {
        request.method = slice_of("GET");
    }
    enum status status = list_url(&r, spec, &url);
    if (status != STATUS_OK) {
        buf_fini(&url);
        return status;
    }
    status = request_fill(&r, spec, &url, &request);
    if (status == STATUS_OK) {
        status = add_validators(&r, request.url);
    }
    if (status == STATUS_OK) {
        request.fields = (struct http_fields){ r.fields, r.field_count };
        *ret_request = request;
    }
    return status;
}

enum status
request_beside(const struct connector *connector,
               const struct request_spec *spec, const struct auth_spec *auth,
               const struct walk_state *state, struct arena *arena,
               struct rendered_request *ret_request, struct error *err)
{
    struct rendering r = { .connector = connector,
                           .auth = auth,
                           .state = state,
                           .arena = arena,
                           .err = err };
    struct rendered_request request = { .method = spec->method };
    struct buf url = { 0 };
    r.scope = (struct template_scope){ .lookup = request_look_up, .arg = &r };
    enum status status = request_url(&r, spec->url, &url);
    if (status == STATUS_OK) {
        status = request_add_query(&r, spec, &url);
    }
    if (status == STATUS_OK) {
        status = request_add_auth_query(&r, &url);
    }
    if (status != STATUS_OK) {
        buf_fini(&url);
        return status;
    }
    status = request_fill(&r, spec, &url, &request);
    request.fields = (struct http_fields){ r.fields, r.field_count };
    *ret_request = request;
    return status;
}

static struct slice
without_query(struct slice url)
{
    size_t at = slice_find(url, '?');
    return at == SIZE_MAX ? url : slice_first(url, at);
}

enum status
request_follow(const struct connector *connector, struct slice list_url,
               struct slice row, struct arena *arena,
               struct rendered_request *ret_request, struct error *err)
{
    struct rendering r = { .connector = connector,
                           .auth = &connector->poll.auth,
                           .list_url = without_query(list_url),
                           .row = row,
                           .arena = arena,
                           .err = err };
    struct rendered_request request = { .method = SLICE("GET") };
    struct buf url = { 0 };
    struct slice text = { NULL, 0 };
    r.scope = (struct template_scope){ .lookup = request_look_up, .arg = &r };
    enum status status =
        request_eval_needed(&r, connector->poll.follow.url, "follow", &text);
    if (status == STATUS_OK) {
        status = slice_starts(text, r.list_url)
                     ? (buf_append(&url, text), buf_status(&url))
                     : request_based(connector, text, &url, err);
    }
    if (status == STATUS_OK) {
        status = request_same_origin(buf_slice(&url), list_url, err);
    }
    if (status == STATUS_OK) {
        status = request_add_auth_query(&r, &url);
    }
    if (status != STATUS_OK) {
        buf_fini(&url);
        return status;
    }
    status = request_keep(&r, &url, &request.url);
    if (status == STATUS_OK) {
        status = add_headers(&r, &connector->poll.request);
    }
    if (status == STATUS_OK) {
        status = add_auth(&r, &request);
    }
    if (status == STATUS_OK) {
        request.fields = (struct http_fields){ r.fields, r.field_count };
        *ret_request = request;
    }
    return status;
}

bool
request_is_bounded(const struct connector *connector)
{
    const struct request_spec *spec = &connector->poll.request;
    return connector_request_names(spec, "now") ||
           connector_request_names(spec, "until");
}
