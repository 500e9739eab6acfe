/* SPDX-License-Identifier: MIT */
#include "model/next_page.h"

#include "model/request_private.h"
#include "wire/url.h"

static enum status
find_target(const struct json_path *path, const struct next_page_answer *answer,
            struct arena *arena, struct slice *ret_target)
{
    struct slice value;
    if (path != NULL) {
        return json_path_first(path, answer->body, &value) &&
                       json_type(value) == JSON_STRING
                   ? json_text(value, arena, ret_target)
                   : STATUS_NOT_FOUND;
    }
    for (size_t i = 0; i < answer->fields.count; i++) {
        const struct http_field *field = &answer->fields.at[i];
        if (slice_equal_nocase(field->name, slice_of("Link")) &&
            http_field_link(field->value, "next", ret_target)) {
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}

enum status
next_page_find(const struct json_path *path,
               const struct next_page_answer *answer, struct arena *arena,
               struct slice *ret_next, struct error *err)
{
    struct slice target;
    struct buf next = { 0 };
    *ret_next = (struct slice){ NULL, 0 };
    enum status status = find_target(path, answer, arena, &target);
    if (status != STATUS_OK) {
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    status = url_resolve(answer->url, target, &next, err);
    if (status == STATUS_OK) {
        status = request_same_origin(buf_slice(&next), answer->url, err);
    }
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&next), ret_next);
    }
    buf_fini(&next);
    return status;
}
