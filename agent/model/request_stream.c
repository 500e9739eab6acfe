/* SPDX-License-Identifier: MIT */
/* The request that opens a stream. */
#include "model/connector_stream.h"
#include "model/request_private.h"
#include "wire/url.h"

/* Accept, Cache-Control and the last id. */
#define STREAM_FIELDS 3

static enum status
stream_url(struct rendering *r, struct slice last_id, struct buf *url)
{
    const struct stream_spec *spec = r->connector->stream;
    struct slice text = { NULL, 0 };
    struct url parsed;
    enum status status =
        request_eval_needed(r, spec->request.url, "the URL", &text);
    if (status == STATUS_OK) {
        status = url_parse(text, &parsed, r->err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    buf_append(url, text);
    status = request_add_query(r, &spec->request, url);
    if (status == STATUS_OK && spec->last_id_query.len > 0 && last_id.len > 0) {
        url_add_query(url, spec->last_id_query, last_id);
    }
    return status == STATUS_OK ? request_add_auth_query(r, url) : status;
}

/* The fields of the connector, and those that every stream wants. */
static enum status
stream_fields(struct rendering *r, struct slice last_id,
              struct http_fields *ret_fields)
{
    const struct stream_spec *spec = r->connector->stream;
    struct slice written;
    struct http_field *fields =
        arena_array(r->arena, r->field_count + STREAM_FIELDS, sizeof(*fields));
    size_t count = 0;
    if (fields == NULL) {
        return error_set(r->err, STATUS_NOMEM, "out of memory");
    }
    fields[count++] =
        (struct http_field){ SLICE("Accept"), SLICE("text/event-stream") };
    fields[count++] =
        (struct http_field){ SLICE("Cache-Control"), SLICE("no-store") };
    if (spec->last_id_query.len == 0 && last_id.len > 0) {
        fields[count++] = (struct http_field){ spec->last_id_header, last_id };
    }
    const struct http_fields ours = { fields, count };
    for (size_t i = 0; i < r->field_count; i++) {
        if (!http_field_find_slice(ours, r->fields[i].name, &written)) {
            fields[count++] = r->fields[i];
        }
    }
    *ret_fields = (struct http_fields){ fields, count };
    return STATUS_OK;
}

enum status
request_stream(const struct connector *connector, struct slice last_id,
               struct arena *arena, struct rendered_request *ret_request,
               struct error *err)
{
    const struct stream_spec *spec = connector->stream;
    struct rendering r = {
        .connector = connector, .auth = &spec->auth, .arena = arena, .err = err
    };
    struct rendered_request request = { .method = SLICE("GET") };
    struct buf url = { 0 };
    r.scope = (struct template_scope){ .lookup = request_look_up, .arg = &r };
    enum status status = stream_url(&r, last_id, &url);
    if (status != STATUS_OK) {
        buf_fini(&url);
        return status;
    }
    status = request_fill(&r, &spec->request, &url, &request);
    if (status == STATUS_OK) {
        status = stream_fields(&r, last_id, &request.fields);
    }
    if (status == STATUS_OK) {
        *ret_request = request;
    }
    return status;
}
