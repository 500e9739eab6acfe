/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "app/admin_router.h"

static void
one(struct admin_ask *ask)
{
    (void)ask;
}

static void
two(struct admin_ask *ask)
{
    (void)ask;
}

static const struct admin_route some[] = {
    { "GET", "/livez", one },
    { "GET", "/api/gaps", one },
    { "POST", "/api/gaps/{}/close", two },
};
static const struct admin_route others[] = {
    { "POST", "/api/gaps", two },
    { "GET", "/api/events/{}", one },
    { "GET", "/assets/{+}", two },
};
static const struct admin_table first = { some, 3 };
static const struct admin_table second = { others, 3 };
static const struct admin_table *const tables[] = { &first, &second };

static void
a_request_finds_its_route_in_any_table(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        const struct admin_route *route;
        const char *segment;
    } rows[] = {
        { "GET", "/livez", &some[0], "" },
        { "HEAD", "/livez", &some[0], "" },
        { "GET", "/api/gaps", &some[1], "" },
        { "POST", "/api/gaps", &others[0], "" },
        { "POST", "/api/gaps/7/close", &some[2], "7" },
        { "GET", "/api/events/shop%2Fevt_1", &others[1], "shop%2Fevt_1" },
        { "GET", "/api/events/close", &others[1], "close" },
        { "GET", "/assets/b/app.js", &others[2], "b/app.js" },
        { "GET", "/assets/", NULL, "" },
        { "GET", "/livez/", NULL, "" },
        { "GET", "/api/events/", NULL, "" },
        { "GET", "/api/events/a/b", NULL, "" },
        { "POST", "/api/gaps//close", NULL, "" },
        { "POST", "/api/gaps/close", NULL, "" },
        { "POST", "/api/gaps/a/b/close", NULL, "" },
        { "GET", "", NULL, "" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct admin_match match;
        admin_router_find(tables, 2, slice_of(rows[i].method),
                          slice_of(rows[i].path), &match);
        assert_ptr_equal(match.route, rows[i].route);
        assert_true(slice_equal_text(match.segment, rows[i].segment));
    }
}

static void
a_path_says_which_methods_it_has(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *allow;
    } rows[] = {
        { "DELETE", "/api/gaps", "GET, HEAD, POST" },
        { "POST", "/livez", "GET, HEAD" },
        { "GET", "/api/gaps/7/close", "POST" },
        { "GET", "/nowhere", "" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct admin_match match;
        admin_router_find(tables, 2, slice_of(rows[i].method),
                          slice_of(rows[i].path), &match);
        assert_null(match.route);
        assert_string_equal(match.allow, rows[i].allow);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_finds_its_route_in_any_table),
        cmocka_unit_test(a_path_says_which_methods_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
