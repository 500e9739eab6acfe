/* SPDX-License-Identifier: MIT */
/* Header fields that mean something to us, from tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/http_field.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
names_are_found_in_any_case(void **state)
{
    (void)state;
    static const struct http_field at[] = {
        { SLICE("Host"), SLICE("a") },
        { SLICE("X-Id"), SLICE("first") },
        { SLICE("x-iD"), SLICE("second") },
    };
    const struct http_fields fields = { at, COUNT(at) };
    struct slice value;
    assert_true(http_field_find(fields, "x-id", &value));
    assert_true(slice_equal_text(value, "first"));
    assert_true(http_field_find_slice(fields, slice_of("HOST"), &value));
    assert_false(http_field_find(fields, "X-Idx", &value));
    assert_int_equal(http_field_count(fields, "X-ID"), 2);
    assert_int_equal(http_field_count(fields, "X"), 0);
}

static void
json_types_are_known_by_name_or_suffix(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        bool json;
    } rows[] = {
        { "application/json", true },
        { "Application/JSON; charset=utf-8", true },
        { "text/json", true },
        { "application/cloudevents+json ; a=b", true },
        { "+json", false },
        { "application/jsonp", false },
        { "application/json-seq", false },
        { "text/plain; x=application/json", false },
        { "", false },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(http_field_is_json(slice_of(rows[i].type)),
                         rows[i].json);
    }
    assert_true(slice_equal_text(
        http_field_media_type(slice_of(" text/html ;charset=x")), "text/html"));
}

static void
retry_after_is_seconds_or_a_date(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int64_t wait_ms; /* -1: refused */
    } rows[] = {
        { "0", 0 },
        { "120", 120000 },
        { " 2.0 ", 2000 },
        { "0.25", 250 },
        { "1.0001", 1001 },
        { "1.0000", 1000 },
        { "3601", 3600000 },
        { "99999999999999999999999999", 3600000 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", 37000 },
        { "Sun, 06 Nov 1994 08:48:37 GMT", 0 },
        { "1994-11-06T08:49:37Z", 37000 },
        { "1994-11-06T09:49:37+01:00", 37000 },
        { "1994-11-06T08:49:37", -1 },
        { "Mon, 06 Nov 2034 08:48:37 GMT", 3600000 },
        { "", -1 },
        { "-1", -1 },
        { "+1", -1 },
        { "1.", -1 },
        { ".5", -1 },
        { "1,5", -1 },
        { "1e3", -1 },
        { "soon", -1 },
    };
    const int64_t now_ms = INT64_C(784111740000); /* 1994-11-06T08:49:00Z */
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t wait_ms = -1;
        enum status status = http_field_retry_after(slice_of(rows[i].value),
                                                    now_ms, 3600000, &wait_ms);
        assert_int_equal(status,
                         rows[i].wait_ms < 0 ? STATUS_INVALID : STATUS_OK);
        assert_int_equal(wait_ms, rows[i].wait_ms);
    }
}

static void
links_are_found_by_relation(void **state)
{
    (void)state;
    static const struct {
        const char *value, *target;
    } rows[] = {
        { "<https://h/x?page=2>; rel=\"next\"", "https://h/x?page=2" },
        { "<a>; rel=prev, <b>; rel=next", "b" },
        { "<a>; rel=\"prev\",<b>;rel=\"next\"", "b" },
        { "<a,b;c>; rel=next", "a,b;c" },
        { "<a>; title=\"x, <y>; rel=next\"; rel=prev, <b>; rel=\"next\"", "b" },
        { "<a>; title=\"q\\\"; rel=next\"; rel=last", NULL },
        { "<a>; REL=\"Next last\"", "a" },
        { "<a>; rel=\"last next\"", "a" },
        { "<a>; rel=prev; rel=next", NULL },
        { "<a> ; rel = \"next\"", "a" },
        { "<a>; title=x; rel=next; x", "a" },
        { "<a>; rel=nextish", NULL },
        { "<>; rel=next", "" },
        { "<a>", NULL },
        { "<a; rel=next", NULL },
        { "a; rel=next", NULL },
        { "<a>; rel=\"next", "a" },
        { "", NULL },
        { ", ,<a>; rel=next", "a" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice target = { NULL, 0 };
        bool found = http_field_link(slice_of(rows[i].value), "next", &target);
        if (found != (rows[i].target != NULL) ||
            (found && !slice_equal_text(target, rows[i].target))) {
            fail_msg("%s: \"%.*s\"", rows[i].value, SLICE_ARG(target));
        }
    }
}

static void
names_are_tokens_and_values_have_no_control_bytes(void **state)
{
    (void)state;
    assert_true(http_field_name_valid(slice_of("X-a1!#$%&'*+-.^_`|~")));
    assert_false(http_field_name_valid(slice_of("")));
    assert_false(http_field_name_valid(slice_of("a b")));
    assert_false(http_field_name_valid(slice_of("a:")));
    assert_false(http_field_name_valid(slice_of("a\x80")));
    assert_false(http_field_name_valid((struct slice){ "a\0", 2 }));
    assert_true(http_field_value_valid(slice_of("a\tb \xff")));
    assert_true(http_field_value_valid(slice_of("")));
    assert_false(http_field_value_valid(slice_of("a\r\nb")));
    assert_false(http_field_value_valid(slice_of("\x7f")));
    assert_false(http_field_value_valid((struct slice){ "\0", 1 }));
}

/* The long one is what Prometheus 2.42 sends. */
static void
accept_says_how_much_a_type_is_wanted(void **state)
{
    static const char prometheus[] =
        "application/openmetrics-text;version=1.0.0,"
        "application/openmetrics-text;version=0.0.1;q=0.75,"
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    static const struct {
        const char *accept, *type;
        unsigned weight;
    } rows[] = {
        { prometheus, "application/openmetrics-text", 1000 },
        { prometheus, "text/plain", 500 },
        { prometheus, "application/json", 0 },
        { "", "text/plain", 0 },
        { "*/*", "text/plain", 0 },
        { "text/plain", "text/plain", 1000 },
        { "Text/Plain ; Q=0.25 , x/y", "text/plain", 250 },
        { "text/plain;q=0", "text/plain", 0 },
        { "text/plain;q=0.0019", "text/plain", 1 },
        { "text/plain;q=junk", "text/plain", 1000 },
        { "text/plainer", "text/plain", 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(
            http_field_accepts(slice_of(rows[i].accept), rows[i].type),
            rows[i].weight);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_says_how_much_a_type_is_wanted),
        cmocka_unit_test(names_are_found_in_any_case),
        cmocka_unit_test(json_types_are_known_by_name_or_suffix),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
        cmocka_unit_test(links_are_found_by_relation),
        cmocka_unit_test(names_are_tokens_and_values_have_no_control_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
