/* SPDX-License-Identifier: MIT */
#include "app/admin_router.h"

#include <stdio.h>
#include <string.h>

/* Whether the path meets the pattern; tells what {} stood for. */
static bool
meets(const char *pattern, struct slice path, struct slice *ret_segment)
{
    static const struct slice rest = SLICE("{+}");
    struct slice words = slice_of(pattern);
    size_t at = slice_find(words, '{');
    *ret_segment = (struct slice){ NULL, 0 };
    if (at == SIZE_MAX) {
        return slice_equal(words, path);
    }
    bool takes_rest = slice_ends(words, rest);
    struct slice before = slice_first(words, at);
    struct slice behind = slice_from(words, at + (takes_rest ? rest.len : 2));
    if (path.len <= before.len + behind.len || !slice_starts(path, before) ||
        !slice_ends(path, behind)) {
        return false;
    }
    struct slice segment = slice_from(path, before.len);
    segment.len -= behind.len;
    *ret_segment = segment;
    return takes_rest || slice_find(segment, '/') == SIZE_MAX;
}

static bool
answers(const struct admin_route *route, struct slice method)
{
    return slice_equal_text(method, route->method) ||
           (slice_equal_text(method, "HEAD") &&
            strcmp(route->method, "GET") == 0);
}

static void
allow(struct admin_match *match, const char *method)
{
    size_t len = strlen(match->allow);
    (void)snprintf(match->allow + len, sizeof(match->allow) - len, "%s%s",
                   len == 0 ? "" : ", ",
                   strcmp(method, "GET") == 0 ? "GET, HEAD" : method);
}

void
admin_router_find(const struct admin_table *const *tables, size_t table_count,
                  struct slice method, struct slice path,
                  struct admin_match *ret_match)
{
    *ret_match = (struct admin_match){ 0 };
    for (size_t i = 0; i < table_count; i++) {
        for (size_t j = 0; j < tables[i]->count; j++) {
            const struct admin_route *route = &tables[i]->at[j];
            struct slice segment;
            if (!meets(route->pattern, path, &segment)) {
                continue;
            }
            allow(ret_match, route->method);
            if (ret_match->route == NULL && answers(route, method)) {
                ret_match->route = route;
                ret_match->segment = segment;
            }
        }
    }
}
