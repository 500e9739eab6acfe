/* SPDX-License-Identifier: MIT */
/*
 * next_page: where an answer says that the next page of a list is, for lists
 * that are read when people say so. Pure. (Walks: walk_paging.)
 */
#ifndef MODEL_NEXT_PAGE_H
#define MODEL_NEXT_PAGE_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"
#include "wire/http_field.h"
#include "wire/json.h"

struct next_page_answer {
    struct http_fields fields;
    struct slice body; /* checked JSON */
    struct slice url;  /* that was asked */
};

/* Finds the URL at `path` in the body, or without a path in the field `Link`
 * (RFC 8288), into `arena`; empty: there is none. STATUS_DENIED where it leads
 * to another origin, which our credential is not for. */
NODISCARD
enum status next_page_find(const struct json_path *path,
                           const struct next_page_answer *answer,
                           struct arena *arena, struct slice *ret_next,
                           struct error *err);

#endif
