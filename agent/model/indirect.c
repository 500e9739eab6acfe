/* SPDX-License-Identifier: MIT */
#include "model/indirect.h"

#include "model/pattern.h"
#include "model/request_private.h"
#include "wire/url.h"

/* Whether `allow` knows the host. The port belongs to its name where it is not
 * the scheme's own: another port is another server. */
static enum status
find_host(const struct pattern *allow, const struct url *url,
          struct arena *arena, bool *ret_found)
{
    struct buf name = { 0 };
    *ret_found = false;
    if (allow == NULL) {
        return STATUS_OK;
    }
    buf_append(&name, url->host);
    for (size_t i = 0; i < name.len; i++) {
        bool is_upper = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z';
        name.ptr[i] = (char)(is_upper ? name.ptr[i] - 'A' + 'a' : name.ptr[i]);
    }
    const uint16_t own =
        slice_equal_nocase(url->scheme, slice_of("http")) ? 80 : 443;
    if (url->port != own) {
        buf_format(&name, ":%u", (unsigned)url->port);
    }
    enum status status = buf_status(&name);
    if (status == STATUS_OK) {
        status = pattern_find(allow, buf_slice(&name), arena, ret_found);
    }
    buf_fini(&name);
    return status;
}

/* Whether the file may be fetched: the answer that names it is data. */
static enum status
check_file(const struct connector *connector, struct slice list_url,
           struct slice file_url, struct arena *arena,
           struct indirect_file *file, struct error *err)
{
    struct url list;
    struct url at;
    bool known = false;
    enum status status = url_parse(list_url, &list, err);
    if (status == STATUS_OK) {
        status = url_parse(file_url, &at, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    file->host = at.host;
    file->is_own = url_same_origin(&list, &at);
    if (file->is_own) {
        return STATUS_OK;
    }
    status = find_host(connector->poll.indirect.allow, &at, arena, &known);
    if (status != STATUS_OK) {
        return error_set(err, status, "out of memory");
    }
    if (!known) {
        return error_set(err, STATUS_DENIED,
                         "the answer names a file at '%.*s', which is neither "
                         "the list's host nor one that 'indirect.allow' knows",
                         SLICE_ARG(at.host));
    }
    if (!slice_equal_nocase(at.scheme, slice_of("https")) &&
        !slice_equal_nocase(at.scheme, list.scheme)) {
        return error_set(err, STATUS_DENIED,
                         "the answer names a file at '%.*s' without https",
                         SLICE_ARG(at.host));
    }
    file->is_foreign = slice_equal_nocase(at.scheme, slice_of("https"));
    return STATUS_OK;
}

/* Keeps the file's absolute URL. */
static enum status
read_url(const struct connector *connector, struct slice list_url,
         const struct answer_view *answer, struct arena *arena,
         struct slice *ret_url, struct error *err)
{
    struct slice named;
    struct buf url = { 0 };
    enum status status =
        answer_text(connector->poll.indirect.url, answer, arena, &named);
    if (status != STATUS_OK) {
        return status;
    }
    status = url_resolve(list_url, named, &url, err);
    if (status == STATUS_OK) {
        status = buf_status(&url);
    }
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&url), ret_url);
    }
    buf_fini(&url);
    return status;
}

enum status
indirect_request(const struct connector *connector, struct slice list_url,
                 const struct answer_view *answer, struct arena *arena,
                 struct indirect_file *ret_file, struct error *err)
{
    static const struct auth_spec no_auth = { .type = AUTH_NONE };
    const struct poll_spec *poll = &connector->poll;
    struct indirect_file file = { .request = { .method = SLICE("GET") } };
    struct request_spec spec = { 0 };
    struct rendering r = {
        .connector = connector, .auth = &no_auth, .arena = arena, .err = err
    };
    struct slice text = { NULL, 0 };
    struct buf url = { 0 };
    r.scope = (struct template_scope){ .lookup = request_look_up, .arg = &r };
    enum status status =
        read_url(connector, list_url, answer, arena, &text, err);
    if (status == STATUS_OK) {
        status = check_file(connector, list_url, text, arena, &file, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (file.is_own && poll->indirect.auth == INDIRECT_AUTH_SAME) {
        r.auth = &poll->auth;
        spec.headers = poll->request.headers;
        spec.header_count = poll->request.header_count;
    }
    buf_append(&url, text);
    status = request_add_auth_query(&r, &url);
    if (status != STATUS_OK) {
        buf_fini(&url);
        return status;
    }
    status = request_fill(&r, &spec, &url, &file.request);
    file.request.fields = (struct http_fields){ r.fields, r.field_count };
    *ret_file = file;
    return status;
}
