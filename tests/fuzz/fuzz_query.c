/* SPDX-License-Identifier: MIT */
/* What the admin API reads of a request: a route is found where a plain
 * reading of its pattern finds one; a parameter is what a plain reading of the
 * query says; times and numbers are within their bounds. The input is a path,
 * '?', and a query. */
#include "app/admin_router.h"
#include "base/instant.h"
#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "wire/encode.h"
#include "wire/timefmt.h"
#include "wire/url.h"

#include <string.h>

/* As the tables of app/admin_*.c have them. */
static const struct admin_route routes[] = {
    { "GET", "/api/v1/events", NULL },
    { "GET", "/api/v1/events/{}", NULL },
    { "POST", "/api/v1/gaps/{}/close", NULL },
    { "POST", "/api/v1/handlers/{}/pause", NULL },
    { "DELETE", "/api/v1/handlers/{}/pause", NULL },
    { "PUT", "/api/v1/handlers/{}/pause", NULL },
    { "GET", "/metrics", NULL },
};
static const struct admin_table table = { routes,
                                          sizeof(routes) / sizeof(routes[0]) };
static const struct admin_table *const tables[] = { &table };

/* The pattern with the segment in its place is the path. */
static void
check_match(const struct admin_match *match, struct slice path)
{
    const struct slice pattern = slice_of(match->route->pattern);
    const size_t hole = slice_find_slice(pattern, slice_of("{}"));
    struct buf whole = { 0 };
    buf_append(&whole, slice_first(pattern, hole));
    buf_append(&whole, match->segment);
    if (hole < pattern.len) {
        buf_append(&whole, slice_from(pattern, hole + 2));
        FUZZ_HOLDS(match->segment.len > 0);
        FUZZ_HOLDS(slice_find(match->segment, '/') == SIZE_MAX);
    }
    FUZZ_HOLDS(slice_equal(buf_slice(&whole), path));
    FUZZ_HOLDS(match->allow[0] != '\0');
    buf_fini(&whole);
}

static void
find_route(struct slice path)
{
    static const char *const methods[] = { "GET",    "HEAD", "POST",
                                           "DELETE", "PUT",  "BREW" };
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        struct admin_match match;
        admin_router_find(tables, 1, slice_of(methods[i]), path, &match);
        FUZZ_HOLDS(memchr(match.allow, '\0', sizeof(match.allow)) != NULL);
        if (match.route != NULL) {
            check_match(&match, path);
        }
    }
}

/* The first of the name, read plainly; false where there is none. */
static bool
find_plainly(struct slice query, struct slice name, struct buf *value)
{
    while (query.len > 0) {
        struct slice pair = fuzz_take(&query, '&');
        struct slice left = fuzz_take(&pair, '=');
        struct buf decoded = { 0 };
        decode_percent(left, true, &decoded);
        const bool same = slice_equal(buf_slice(&decoded), name);
        buf_fini(&decoded);
        if (same) {
            decode_percent(pair, true, value);
            return true;
        }
    }
    return false;
}

static void
read_value(struct slice value)
{
    int64_t ms = 0;
    int64_t rate = 0;
    int64_t rate_per_ms = 0;
    uint64_t id = 0;
    if (timefmt_read(TIMEFMT_AUTO, value, &ms) == STATUS_OK) {
        FUZZ_HOLDS(value.len > 0);
    }
    if (slice_to_u64(value, &id) == STATUS_OK) {
        FUZZ_HOLDS(value.len > 0 && slice_find(value, '-') == SIZE_MAX);
    }
    if (instant_parse_rate(value, &rate, &rate_per_ms) == STATUS_OK) {
        FUZZ_HOLDS(rate > 0 && rate_per_ms > 0);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static const char *const names[] = { "cursor", "limit",     "since",
                                         "type",   "connector", "body" };
    struct slice query = fuzz_input(bytes, count);
    if (count > 8192) {
        return 0;
    }
    find_route(fuzz_take(&query, '?'));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct arena arena = { 0 };
        struct buf plain = { 0 };
        struct slice value = { NULL, 0 };
        const bool found = url_query_value(query, slice_of(names[i]), &arena,
                                           &value) == STATUS_OK;
        FUZZ_HOLDS(found == find_plainly(query, slice_of(names[i]), &plain));
        FUZZ_HOLDS(slice_equal(value, buf_slice(&plain)));
        read_value(value);
        buf_fini(&plain);
        arena_fini(&arena);
    }
    return 0;
}
