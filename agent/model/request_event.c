/* SPDX-License-Identifier: MIT */
/* Requests for one event, and for the key of a token. */
#include "base/instant.h"
#include "model/fetch.h"
#include "model/request_private.h"
#include "wire/encode.h"
#include "wire/json.h"
#include "wire/url.h"

/* A provider that sends again all of a span is asked for the second of the
 * event, or all of a span, and a second on either side: whether it counts its
 * ends nobody says. */
static enum status
gap_value(struct rendering *r, bool is_start, struct slice *ret_value)
{
    const struct event *event = r->event;
    struct buf text = { 0 };
    int64_t at_ms = event->time_ms > 0 ? event->time_ms : event->recorded_ms;
    if (r->span != NULL) {
        at_ms = is_start ? r->span->from_ms : r->span->until_ms;
    }
    at_ms -= at_ms % INSTANT_SECOND_MS;
    at_ms = instant_add(at_ms,
                        is_start ? -INSTANT_SECOND_MS : 2 * INSTANT_SECOND_MS);
    timefmt_write(TIMEFMT_ISO8601_S, at_ms, &text);
    return request_keep(r, &text, ret_value);
}

/* Whether the place is `{name}`, which in braces may have been compiled as a
 * path. */
static bool
is_named(const struct template_ref *ref, const char *name)
{
    return slice_equal_text(ref->kind, name) ||
           (slice_equal_text(ref->kind, "item") &&
            slice_equal_text(ref->name, name));
}

/* What stands in the event, as it may go into the request. Nothing, where one
 * segment of a path belongs, would ask for something else. */
enum status
request_event_value(struct rendering *r, const struct template_ref *ref,
                    struct slice *ret_value)
{
    struct buf encoded = { 0 };
    enum status status = STATUS_NOT_FOUND;
    if (is_named(ref, "gap.start") || is_named(ref, "gap.end")) {
        status = gap_value(r, is_named(ref, "gap.start"), ret_value);
    } else if (slice_equal_text(ref->kind, "header")) {
        const char *name = arena_text(r->arena, ref->name);
        if (name == NULL) {
            return STATUS_NOMEM;
        }
        *ret_value = event_header(r->event, name);
        status = ret_value->len > 0 ? STATUS_OK : STATUS_NOT_FOUND;
    } else if (slice_equal_text(ref->kind, "form")) {
        status =
            url_query_value(r->event->body, ref->name, r->arena, ret_value);
    } else if (slice_equal_text(ref->kind, "item") ||
               slice_equal_text(ref->kind, "json")) {
        status = request_row(r, ref, ret_value);
    }
    if (status != STATUS_OK || !r->in_url) {
        return status;
    }
    if (ret_value->len == 0) {
        return STATUS_NOT_FOUND;
    }
    if (r->probes) {
        *ret_value = slice_of("x");
        return STATUS_OK;
    }
    encode_percent(*ret_value, "", &encoded);
    return request_keep(r, &encoded, ret_value);
}

/* Resolves the URL that came with the event; it may not leave `base`. */
static enum status
linked_url(struct rendering *r, const struct template *t, struct buf *url)
{
    struct slice base;
    struct slice link;
    enum status status = request_param(r, slice_of("base"), &base);
    if (status != STATUS_OK) {
        return error_set(r->err, STATUS_INVALID,
                         "a URL that comes with the event needs 'base'");
    }
    status = request_eval_needed(r, t, "the URL", &link);
    if (status == STATUS_OK) {
        status = url_resolve(base, link, url, r->err);
    }
    return status == STATUS_OK
               ? request_same_origin(buf_slice(url), base, r->err)
               : status;
}

/* Where `base` is not given, the URL must lead to the same place whatever came
 * with the event. */
static enum status
check_origin(struct rendering *r, const struct template *t, struct slice url)
{
    struct buf probe = { 0 };
    struct slice base;
    if (request_param(r, slice_of("base"), &base) == STATUS_OK) {
        return STATUS_OK;
    }
    r->probes = true;
    enum status status = request_url(r, t, &probe);
    r->probes = false;
    if (status == STATUS_OK) {
        status = request_same_origin(url, buf_slice(&probe), r->err);
    }
    buf_fini(&probe);
    return status;
}

/* Dots that came from the provider would lead up the path. */
enum status
request_check_path(struct rendering *r, struct slice text)
{
    struct url url;
    struct slice part;
    enum status status = url_parse(text, &url, r->err);
    struct slice rest = url.path;
    while (status == STATUS_OK && slice_split(&rest, '/', &part)) {
        if (slice_equal_text(part, ".") || slice_equal_text(part, "..")) {
            status = error_set(r->err, STATUS_INVALID,
                               "dots in the path would lead elsewhere");
        }
    }
    return status;
}

static enum status
event_url(struct rendering *r, const struct fetch_spec *spec, struct buf *url)
{
    const struct template *t = spec->request.url;
    enum status status;
    if (spec->is_link) {
        status = linked_url(r, t, url);
    } else {
        r->in_url = true;
        status = request_url(r, t, url);
        if (status == STATUS_OK) {
            status = check_origin(r, t, buf_slice(url));
        }
        r->in_url = false;
    }
    if (status == STATUS_OK) {
        status = request_check_path(r, buf_slice(url));
    }
    if (status == STATUS_OK) {
        status = request_add_query(r, &spec->request, url);
    }
    return status == STATUS_OK ? request_add_auth_query(r, url) : status;
}

/* What `{request.url}` stands for, where the list's URL can be told. */
static void
find_list_url(struct rendering *r)
{
    struct rendering list = *r;
    struct buf url = { 0 };
    struct slice text;
    struct error err = { 0 };
    list.scope.arg = &list;
    list.event = NULL;
    list.row = (struct slice){ NULL, 0 };
    list.err = &err;
    const struct template *t = r->connector->poll.request.url;
    if (t == NULL || request_url(&list, t, &url) != STATUS_OK) {
        buf_fini(&url);
    } else if (request_keep(&list, &url, &text) == STATUS_OK) {
        r->list_url = text;
    }
}

static enum status
render(struct rendering *r, const struct fetch_spec *spec,
       struct rendered_request *ret_request)
{
    struct rendered_request request = { .method = spec->request.method };
    struct buf url = { 0 };
    r->auth = fetch_auth(r->connector, spec);
    r->scope = (struct template_scope){ .lookup = request_look_up, .arg = r };
    find_list_url(r);
    enum status status = event_url(r, spec, &url);
    if (status != STATUS_OK) {
        buf_fini(&url);
        return status;
    }
    status = request_fill(r, &spec->request, &url, &request);
    if (status == STATUS_OK) {
        request.fields = (struct http_fields){ r->fields, r->field_count };
        *ret_request = request;
    }
    return status;
}

enum status
request_for_event(const struct connector *connector,
                  const struct fetch_spec *spec, const struct event *event,
                  struct arena *arena, struct rendered_request *ret_request,
                  struct error *err)
{
    struct rendering r = {
        .connector = connector, .event = event, .arena = arena, .err = err
    };
    if (json_check(event->body, JSON_DEPTH_DEFAULT, NULL) == STATUS_OK) {
        r.row = event->body;
    }
    return render(&r, spec, ret_request);
}

enum status
request_for_span(const struct connector *connector,
                 const struct fetch_spec *spec, const struct request_span *span,
                 struct arena *arena, struct rendered_request *ret_request,
                 struct error *err)
{
    const struct event nothing = { 0 };
    struct rendering r = { .connector = connector,
                           .event = &nothing,
                           .span = span,
                           .arena = arena,
                           .err = err };
    return render(&r, spec, ret_request);
}

enum status
request_for_key(const struct connector *connector,
                const struct fetch_spec *spec, struct slice header,
                struct arena *arena, struct rendered_request *ret_request,
                struct error *err)
{
    const struct event token = { .body = header };
    return request_for_event(connector, spec, &token, arena, ret_request, err);
}
