/* SPDX-License-Identifier: MIT */
/* Requests of `register`. */
#include "model/request_private.h"
#include "wire/encode.h"
#include "wire/timefmt.h"

struct place_row {
    const char *kind;
    size_t offset;
};

static const struct place_row place_rows[] = {
    { "hook_url", offsetof(struct register_places, hook_url) },
    { "id", offsetof(struct register_places, id) },
    { "generated", offsetof(struct register_places, generated) },
    { "random", offsetof(struct register_places, random) },
    { "uuid", offsetof(struct register_places, uuid) },
};

static enum status
all_events(struct rendering *r, struct slice *ret_value)
{
    const struct register_places *places = r->places;
    struct buf joined = { 0 };
    for (size_t i = 0; i < places->event_count; i++) {
        buf_text(&joined, i == 0 ? "" : ",");
        buf_append(&joined, places->events[i]);
    }
    return request_keep(r, &joined, ret_value);
}

static enum status
now_text(struct rendering *r, struct slice *ret_value)
{
    struct buf text = { 0 };
    timefmt_write(TIMEFMT_ISO8601, r->places->now_ms, &text);
    return request_keep(r, &text, ret_value);
}

static struct slice
place_value(const struct register_places *places, struct slice kind)
{
    if (slice_equal_text(kind, "event")) {
        return places->event < places->event_count
                   ? places->events[places->event]
                   : (struct slice){ NULL, 0 };
    }
    for (size_t i = 0; i < sizeof(place_rows) / sizeof(place_rows[0]); i++) {
        if (slice_equal_text(kind, place_rows[i].kind)) {
            const void *at = (const char *)places + place_rows[i].offset;
            return *(const struct slice *)at;
        }
    }
    return (struct slice){ NULL, 0 };
}

enum status
request_register_value(struct rendering *r, const struct template_ref *ref,
                       struct slice *ret_value)
{
    struct buf encoded = { 0 };
    if (slice_equal_text(ref->kind, "events")) {
        return r->places->event_count > 0 ? all_events(r, ret_value)
                                          : STATUS_NOT_FOUND;
    }
    if (slice_equal_text(ref->kind, "now")) {
        return now_text(r, ret_value);
    }
    struct slice value = place_value(r->places, ref->kind);
    if (value.len == 0) {
        return STATUS_NOT_FOUND;
    }
    *ret_value = value;
    if (!r->in_url) {
        return STATUS_OK;
    }
    /* an id comes from the provider and stays one segment of the path */
    encode_percent(value, "", &encoded);
    return request_keep(r, &encoded, ret_value);
}

const struct auth_spec *
request_register_auth(const struct connector *connector)
{
    const struct auth_spec *own = connector->registration.auth;
    return own != NULL ? own : &connector->poll.auth;
}

static enum status
register_url(struct rendering *r, const struct request_spec *spec,
             struct buf *url)
{
    r->in_url = true;
    enum status status = request_url(r, spec->url, url);
    r->in_url = false;
    if (status == STATUS_OK) {
        status = request_check_path(r, buf_slice(url));
    }
    if (status == STATUS_OK) {
        status = request_add_query(r, spec, url);
    }
    return status == STATUS_OK ? request_add_auth_query(r, url) : status;
}

enum status
request_register(const struct connector *connector,
                 const struct request_spec *spec,
                 struct register_places *places, struct arena *arena,
                 struct rendered_request *ret_request, struct error *err)
{
    struct rendering r = { .connector = connector,
                           .auth = request_register_auth(connector),
                           .places = places,
                           .arena = arena,
                           .err = err };
    struct rendered_request request = { .method = spec->method };
    struct buf url = { 0 };
    r.scope = (struct template_scope){ .lookup = request_look_up, .arg = &r };
    enum status status = register_url(&r, spec, &url);
    if (status != STATUS_OK) {
        buf_fini(&url);
        return status;
    }
    status = request_fill(&r, spec, &url, &request);
    if (status == STATUS_OK) {
        request.fields = (struct http_fields){ r.fields, r.field_count };
        *ret_request = request;
    }
    return status;
}

enum status
request_register_text(const struct connector *connector,
                      const struct template *t, struct register_places *places,
                      struct arena *arena, struct slice *ret_text)
{
    struct rendering r = { .connector = connector,
                           .auth = request_register_auth(connector),
                           .places = places,
                           .arena = arena };
    r.scope = (struct template_scope){ .lookup = request_look_up, .arg = &r };
    return template_eval(t, &r.scope, arena, ret_text, NULL);
}
