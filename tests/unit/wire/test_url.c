/* SPDX-License-Identifier: MIT */
/* URLs: what is taken apart, what is refused, RFC 3986's own examples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/url.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
assert_slice(struct slice slice, const char *expected)
{
    struct slice wanted = slice_of(expected);
    if (!slice_equal(slice, wanted)) {
        fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARG(slice), expected);
    }
}

static void
a_url_comes_apart(void **state)
{
    (void)state;
    struct url url;
    assert_int_equal(
        url_parse(slice_of("HTTPS://Api.example.com:8443/v1/a?b=c&d#e?f"), &url,
                  NULL),
        STATUS_OK);
    assert_slice(url.scheme, "HTTPS");
    assert_slice(url.host, "Api.example.com");
    assert_int_equal(url.port, 8443);
    assert_true(url.has_port);
    assert_slice(url.path, "/v1/a");
    assert_slice(url.query, "b=c&d");
    assert_true(url.has_query);

    assert_int_equal(url_parse(slice_of("http://[::1]?"), &url, NULL),
                     STATUS_OK);
    assert_slice(url.host, "[::1]");
    assert_int_equal(url.port, 80);
    assert_false(url.has_port);
    assert_slice(url.path, "");
    assert_true(url.has_query);

    assert_int_equal(url_parse(slice_of("https://h#/x?y"), &url, NULL),
                     STATUS_OK);
    assert_int_equal(url.port, 443);
    assert_slice(url.path, "");
    assert_false(url.has_query);
}

static void
what_could_lead_elsewhere_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "/path",
        "example.com",
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "gopher://x/",
        "http:/example.com/",
        "http:example.com",
        "://example.com",
        "http://",
        "http:///path",
        "http://?query",
        "http://user@example.com/",
        "http://user:word@example.com/",
        "http://good.example@evil.example/",
        "http://good.example\\@evil.example/",
        "http://evil.example\\.good.example/",
        "http://ex ample.com/",
        "http://example.com/a b",
        " http://example.com/",
        "http://example.com/\t",
        "http://example.com/\r\nHost: x",
        "http://example.com/\x7f",
        "http://example%2ecom/",
        "http://ex\xc3\xa4mple.com/",
        "http://example.com:/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:+80/",
        "http://example.com:80x/",
        "http://example.com:000080/",
        "http://a:b:80/",
        "http://[::1/",
        "http://[]/",
        "http://[::1]x/",
        "http://[::1%25eth0]/",
        "http://::1/",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct url url;
        struct error err = { "" };
        if (url_parse(slice_of(rows[i]), &url, &err) != STATUS_INVALID) {
            fail_msg("taken: %s", rows[i]);
        }
        assert_true(err.text[0] != '\0');
    }
    struct url url;
    assert_int_equal(
        url_parse((struct slice){ "http://a\0b/", 11 }, &url, NULL),
        STATUS_INVALID);
}

static void
origins_compare_without_case_and_with_default_ports(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        { "https://a.example/x", "HTTPS://A.EXAMPLE:443/y?z", true },
        { "http://a.example", "http://a.example:80/", true },
        { "http://a.example:443", "https://a.example", false },
        { "https://a.example", "http://a.example", false },
        { "https://a.example", "https://b.example", false },
        { "https://a.example", "https://a.example.", false },
        { "https://a.example", "https://a.example.evil.example", false },
        { "https://a.example:8443", "https://a.example", false },
        { "http://[::1]:8080/", "http://[::1]:8080/x", true },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct url a;
        struct url b;
        assert_int_equal(url_parse(slice_of(rows[i].a), &a, NULL), STATUS_OK);
        assert_int_equal(url_parse(slice_of(rows[i].b), &b, NULL), STATUS_OK);
        assert_int_equal(url_same_origin(&a, &b), rows[i].same);
        assert_int_equal(url_same_origin(&b, &a), rows[i].same);
    }
}

/* RFC 3986 §5.4, less what is refused here, and what differs on purpose: a
 * path that begins with '/' stays as it was given. */
static const struct {
    const char *reference, *expected;
} resolve_rows[] = {
    { "g", "http://a/b/c/g" },
    { "./g", "http://a/b/c/g" },
    { "g/", "http://a/b/c/g/" },
    { "/g", "http://a/g" },
    { "//g", "http://g" },
    { "?y", "http://a/b/c/d;p?y" },
    { "g?y", "http://a/b/c/g?y" },
    { "#s", "http://a/b/c/d;p?q" },
    { "g#s", "http://a/b/c/g" },
    { "g?y#s", "http://a/b/c/g?y" },
    { ";x", "http://a/b/c/;x" },
    { "g;x?y#s", "http://a/b/c/g;x?y" },
    { "", "http://a/b/c/d;p?q" },
    { ".", "http://a/b/c/" },
    { "./", "http://a/b/c/" },
    { "..", "http://a/b/" },
    { "../", "http://a/b/" },
    { "../g", "http://a/b/g" },
    { "../..", "http://a/" },
    { "../../", "http://a/" },
    { "../../g", "http://a/g" },
    { "../../../g", "http://a/g" },
    { "../../../../g", "http://a/g" },
    { "/../g", "http://a/../g" },
    { "g.", "http://a/b/c/g." },
    { ".g", "http://a/b/c/.g" },
    { "..g", "http://a/b/c/..g" },
    { "./../g", "http://a/b/g" },
    { "./g/.", "http://a/b/c/g/" },
    { "g/./h", "http://a/b/c/g/h" },
    { "g/../h", "http://a/b/c/h" },
    { "g;x=1/../y", "http://a/b/c/y" },
    { "g?y/./x", "http://a/b/c/g?y/./x" },
    { "https://other.example/x?y#z", "https://other.example/x?y" },
    { "a?next=http://x/", "http://a/b/c/a?next=http://x/" },
    { "http:g", NULL },
    { "g:h", NULL },
    { "mailto:x@y", NULL },
    { "//user@g", NULL },
    { "///g", NULL },
    { "g h", NULL },
    { "\ng", NULL },
};

static void
references_resolve_as_rfc_3986_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(resolve_rows); i++) {
        struct buf buf = { 0 };
        buf_text(&buf, "kept ");
        enum status status =
            url_resolve(slice_of("http://a/b/c/d;p?q"),
                        slice_of(resolve_rows[i].reference), &buf, NULL);
        if (resolve_rows[i].expected == NULL) {
            assert_int_equal(status, STATUS_INVALID);
            assert_slice(buf_slice(&buf), "kept ");
        } else {
            assert_int_equal(status, STATUS_OK);
            assert_slice(slice_from(buf_slice(&buf), 5),
                         resolve_rows[i].expected);
        }
        buf_fini(&buf);
    }
}

static void
the_base_keeps_its_port_and_its_empty_path(void **state)
{
    (void)state;
    struct buf buf = { 0 };
    assert_int_equal(
        url_resolve(slice_of("http://[::1]:8080"), slice_of("x?y"), &buf, NULL),
        STATUS_OK);
    assert_slice(buf_slice(&buf), "http://[::1]:8080/x?y");
    buf_clear(&buf);
    assert_int_equal(
        url_resolve(slice_of("https://h:444/a/b"), slice_of("/c"), &buf, NULL),
        STATUS_OK);
    assert_slice(buf_slice(&buf), "https://h:444/c");
    assert_int_equal(url_resolve(slice_of("/a"), slice_of("/c"), &buf, NULL),
                     STATUS_INVALID);
    buf_fini(&buf);
}

static void
a_query_grows_by_encoded_pairs(void **state)
{
    (void)state;
    struct buf buf = { 0 };
    buf_text(&buf, "https://h/x");
    url_add_query(&buf, slice_of("created[gte]"), slice_of("1 & 2"));
    url_add_query(&buf, slice_of("b"), slice_of(""));
    assert_slice(buf_slice(&buf),
                 "https://h/x?created%5Bgte%5D=1%20%26%202&b=");
    buf_clear(&buf);
    buf_text(&buf, "https://h/x?");
    url_add_query(&buf, slice_of("a"), slice_of("b"));
    assert_slice(buf_slice(&buf), "https://h/x?a=b");
    buf_fini(&buf);
}

static void
query_values_are_found_and_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *query, *name, *expected;
    } rows[] = {
        { "a=1&b=2", "b", "2" }, { "a=1&a=2", "a", "1" },
        { "a", "a", "" },        { "a=", "a", "" },
        { "a=b=c", "a", "b=c" }, { "x=1%202+3", "x", "1 2 3" },
        { "%61b=1", "ab", "1" }, { "a+b=%2B", "a b", "+" },
        { "", "a", NULL },       { "ab=1", "a", NULL },
        { "&&a=1&", "a", "1" },  { "", "", NULL },
        { "a=%zz", "a", "%zz" }, { "=1", "", "1" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena arena = { 0 };
        struct slice value;
        enum status status = url_query_value(
            slice_of(rows[i].query), slice_of(rows[i].name), &arena, &value);
        if (rows[i].expected == NULL) {
            assert_int_equal(status, STATUS_NOT_FOUND);
        } else {
            assert_int_equal(status, STATUS_OK);
            assert_slice(value, rows[i].expected);
        }
        arena_fini(&arena);
    }
}

static void
running_out_of_memory_leaves_things_as_they_were(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    for (long n = 0; status == STATUS_NOMEM && n < 100; n++) {
        struct arena arena = { 0 };
        struct buf buf = { 0 };
        struct slice value;
        (void)mem_fail_after(n, 0);
        status =
            url_resolve(slice_of("http://a/b/c"), slice_of("../d"), &buf, NULL);
        if (status == STATUS_OK) {
            status = url_query_value(slice_of("a%20=b%20"), slice_of("a "),
                                     &arena, &value);
        }
        (void)mem_fail_after(-1, 0);
        arena_fini(&arena);
        buf_fini(&buf);
    }
    assert_int_equal(status, STATUS_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_comes_apart),
        cmocka_unit_test(what_could_lead_elsewhere_is_refused),
        cmocka_unit_test(origins_compare_without_case_and_with_default_ports),
        cmocka_unit_test(references_resolve_as_rfc_3986_says),
        cmocka_unit_test(the_base_keeps_its_port_and_its_empty_path),
        cmocka_unit_test(a_query_grows_by_encoded_pairs),
        cmocka_unit_test(query_values_are_found_and_decoded),
        cmocka_unit_test(running_out_of_memory_leaves_things_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
