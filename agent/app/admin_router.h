/* SPDX-License-Identifier: MIT */
/*
 * admin_router: which function answers a request to the admin listener, looked
 * up in tables of routes. Pure.
 */
#ifndef APP_ADMIN_ROUTER_H
#define APP_ADMIN_ROUTER_H

#include "base/bytes.h"

#include <stddef.h>

struct admin_ask;

struct admin_route {
    const char *method; /* "GET" stands for HEAD too */
    /* "/api/v1/gaps/{}/close": {} is one segment that is not empty; at most
     * one in a pattern. "/assets/{+}": {+} is all that is left, slashes too. */
    const char *pattern;
    void (*answer)(struct admin_ask *ask);
};

/* The routes of one file. */
struct admin_table {
    const struct admin_route *at;
    size_t count;
};

struct admin_match {
    const struct admin_route *route; /* NULL: none, see `allow` */
    struct slice segment;            /* what {} stood for, still encoded */
    char allow[32]; /* methods this path has, for Allow; "": no such path */
};

/* Looks `method` and `path` up; the segment borrows from `path`. */
void admin_router_find(const struct admin_table *const *tables,
                       size_t table_count, struct slice method,
                       struct slice path, struct admin_match *ret_match);

#endif
