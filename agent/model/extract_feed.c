/* SPDX-License-Identifier: MIT */
#include "model/extract_feed.h"

#include "wire/feed.h"

enum status
extract_feed(struct slice xml, struct arena *arena, struct slice *ret_json,
             struct error *err)
{
    struct buf json = { 0 };
    enum status status = feed_to_json(xml, &json, err);
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&json), ret_json);
    }
    buf_fini(&json);
    return status;
}
