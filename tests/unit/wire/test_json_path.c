/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "wire/json.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct slice document =
    SLICE(" {\"id\":12345678901234567890,\"s\":\"x\",\"nil\":null,"
          "\"event-data\":{\"id\":\"e1\"},\"$ref\":\"r\","
          "\"request_headers\":{\"Idempotency-Key\":\"k 1\"},"
          "\"error\":{\".tag\":\"expired\"},\"changes\":[{\"rev\":\"1-a\"}],"
          "\"links\":[{\"rel\":\"self\",\"href\":\"/1\"},7,"
          "{\"rel\":\"n\\u0065xt\",\"href\":\"/2\"}],"
          "\"deep\":[[{\"v\":1},{\"w\":0}],[],[{\"v\":2},{\"v\":3}],4],"
          "\"empty\":[],\"nils\":[null,null],\"feed\":{\"sy:p\":2},"
          "\"a.b\":{\"c]\":[10,11]},\"q'q\":5,\"a ?? b\":6,\"0\":\"zero\","
          "\"id\":2} ");

/* NULL stands for nothing found. */
static const struct {
    const char *path;
    const char *found;
} firsts[] = {
    { "id", "12345678901234567890" },
    { "$.id", "12345678901234567890" },
    { "$['id']", "12345678901234567890" },
    { " id ", "12345678901234567890" },
    { "event-data.id", "\"e1\"" },
    { "$ref", "\"r\"" },
    { "request_headers['Idempotency-Key']", "\"k 1\"" },
    { "error['.tag']", "\"expired\"" },
    { "error[\".tag\"]", "\"expired\"" },
    { "changes[0].rev", "\"1-a\"" },
    { "changes[1].rev", NULL },
    { "changes.rev", NULL },
    { "id[0]", NULL },
    { "s.x", NULL },
    { "links[rel=next].href", "\"/2\"" },
    { "links[rel='next'].href", "\"/2\"" },
    { "links[rel=prev].href", NULL },
    { "links[rel=].href", NULL },
    { "links[*].href", "\"/1\"" },
    { "links[1]", "7" },
    { "deep[*][*].v", "1" },
    { "deep[2][1].v", "3" },
    { "deep[*][v=2]", "{\"v\":2}" },
    { "feed.sy:p", "2" },
    { "['a.b']['c]'][1]", "11" },
    { "[\"q'q\"]", "5" },
    { "['a ?? b']", "6" },
    { "['0']", "\"zero\"" },
    { "[0]", NULL },
    { "nil", "null" },
    { "none", NULL },
    { "none ?? s", "\"x\"" },
    { "none??s", "\"x\"" },
    { "nil ?? s", "\"x\"" },
    { "nil ?? none", "null" },
    { "none ?? nil", "null" },
    { "nil ?? nils[1] ?? s", "\"x\"" },
    { "nils[*] ?? s", "\"x\"" },
    { "none ?? links[rel=next].href ?? s", "\"/2\"" },
    { "feed.none ?? feed", "{\"sy:p\":2}" },
    { "empty[*] ?? s", "\"x\"" },
    { "[99999999999999999999]", "!" },
};

static void
a_path_finds_the_first_value(void **state)
{
    (void)state;
    assert_int_equal(json_check(document, JSON_DEPTH_DEFAULT, NULL), STATUS_OK);
    for (size_t i = 0; i < COUNT(firsts); i++) {
        struct arena arena = { 0 };
        const struct json_path *path;
        struct error err = { "" };
        struct slice value;
        enum status status =
            json_path_compile(slice_of(firsts[i].path), &arena, &path, &err);
        if (firsts[i].found != NULL && firsts[i].found[0] == '!') {
            assert_int_equal(status, STATUS_INVALID);
        } else if (status != STATUS_OK) {
            fail_msg("%s: %s", firsts[i].path, err.text);
        } else if (!json_path_first(path, document, &value)) {
            if (firsts[i].found != NULL) {
                fail_msg("%s: nothing found", firsts[i].path);
            }
        } else if (firsts[i].found == NULL ||
                   !slice_equal_text(value, firsts[i].found)) {
            fail_msg("%s: %.*s", firsts[i].path, SLICE_ARG(value));
        }
        arena_fini(&arena);
    }
}

static void
the_whole_text_comes_without_the_blanks_around_it(void **state)
{
    struct arena arena = { 0 };
    const struct json_path *path;
    struct slice value;
    (void)state;
    assert_int_equal(json_path_compile(slice_of("$"), &arena, &path, NULL),
                     STATUS_OK);
    assert_true(json_path_first(path, document, &value));
    assert_true(slice_equal(value, slice_trim(document)));
    assert_true(slice_equal_text(json_path_source(path), "$"));
    arena_fini(&arena);
}

static const struct {
    const char *path;
    const char *column;
} wrong[] = {
    { "", "column 1:" },
    { "  ", "column 3:" },
    { ".a", "column 1:" },
    { "a.", "column 3:" },
    { "a..b", "column 3:" },
    { "$.", "column 3:" },
    { "$..a", "column 3:" },
    { "a[", "column 3:" },
    { "a[]", "column 3:" },
    { "a[0", "column 4:" },
    { "a[*", "column 4:" },
    { "a[-1]", "column 5:" },
    { "a[x]", "column 4:" },
    { "a['x]", "column 4:" },
    { "a['x'", "column 6:" },
    { "a[k=v", "column 5:" },
    { "a[k='v]", "column 6:" },
    { "a[k='v'x]", "column 8:" },
    { "a b", "column 3:" },
    { "a ??", "column 5:" },
    { "?? a", "column 1:" },
    { "a ? b", "column 3:" },
    { "a?", "column 2:" },
    { "a ?? ?? b", "column 6:" },
    { "sha256(body)", "column 7:" },
    { "a.*", "column 3:" },
    { "a]", "column 2:" },
    { "a'b'", "column 2:" },
    { "a[0]b", "column 5:" },
    { "{a}", "column 1:" },
    { "[*][*][*][*][*][*][*][*][*]", "column 28:" },
};

static void
a_wrong_path_is_refused_with_its_column(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct arena arena = { 0 };
        const struct json_path *path;
        struct error err = { "" };
        if (json_path_compile(slice_of(wrong[i].path), &arena, &path, &err) !=
                STATUS_INVALID ||
            strncmp(err.text, wrong[i].column, strlen(wrong[i].column)) != 0) {
            fail_msg("%s: %s", wrong[i].path, err.text);
        }
        arena_fini(&arena);
    }
}

/* Collects what is visited, comma between, and stops after `stop` values. */
struct collector {
    struct buf found;
    size_t count;
    size_t stop;
};

static bool
collect(void *arg, struct slice value)
{
    struct collector *collector = arg;
    buf_text(&collector->found, collector->count == 0 ? "" : ",");
    json_compact(value, &collector->found);
    return ++collector->count != collector->stop;
}

static const struct {
    const char *text;
    const char *path;
    bool exists;
    const char *found;
} walks[] = {
    { "{\"orders\":[1,2]}", "$.orders[*] ?? $[*]", true, "1,2" },
    { "[3,4]", "$.orders[*] ?? $[*]", true, "3,4" },
    { "{\"orders\":[]}", "$.orders[*] ?? $[*]", true, "" },
    { "[]", "$.orders[*] ?? $[*]", true, "" },
    { " [] ", "$[*]", true, "" },
    { "{\"error\":1}", "$.orders[*] ?? $[*]", false, "" },
    { "{\"orders\":null}", "orders[*]", false, "" },
    { "{\"orders\":{\"a\":1}}", "orders[*]", false, "" },
    { "{\"a\":[],\"b\":[1]}", "a[*] ?? b[*]", true, "1" },
    { "{\"a\":[null],\"b\":[1]}", "a[*] ?? b[*]", true, "null" },
    { "{\"a\":null,\"b\":[1]}", "a ?? b[*]", true, "1" },
    { "{\"a\":null,\"b\":null}", "a ?? b", true, "null" },
    { "{\"a\":null,\"b\":null,\"c\":1}", "a ?? b ?? c", true, "1" },
    { "{\"a\":null}", "a", true, "null" },
    { "{\"a\":1}", "a", true, "1" },
    { "{\"a\":1}", "b", false, "" },
    { "{\"n\":[{\"i\":{\"x\":1}},{},{\"i\":2}]}", "$.n[*].i", true,
      "{\"x\":1},2" },
    { "[[1,2],3,[],[4]]", "[*][*]", true, "1,2,4" },
    { "[{\"k\":1,\"v\":[1]},{\"k\":2},{\"k\":1,\"v\":[2,3]}]", "[k=1].v[*]",
      true, "1,2,3" },
    { "[{\"k\":true},{\"k\":\"true\"},{\"k\":[]}]", "[k=true].k", true,
      "true,\"true\"" },
    { "{\"data\":{\"issues\":{\"nodes\":[{\"a\":1}]}}}", "data.issues.nodes[*]",
      true, "{\"a\":1}" },
};

static void
every_value_of_the_alternative_is_visited(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(walks); i++) {
        struct arena arena = { 0 };
        struct collector collector = { .stop = 0 };
        const struct json_path *path;
        assert_int_equal(
            json_path_compile(slice_of(walks[i].path), &arena, &path, NULL),
            STATUS_OK);
        bool exists =
            json_path_each(path, slice_of(walks[i].text), collect, &collector);
        if (exists != walks[i].exists ||
            !slice_equal_text(buf_slice(&collector.found), walks[i].found)) {
            fail_msg("%s in %s: %d %.*s", walks[i].path, walks[i].text, exists,
                     SLICE_ARG(buf_slice(&collector.found)));
        }
        buf_fini(&collector.found);
        arena_fini(&arena);
    }
}

static void
a_visitor_may_end_the_walk(void **state)
{
    struct arena arena = { 0 };
    struct collector collector = { .stop = 2 };
    const struct json_path *path;
    (void)state;
    assert_int_equal(
        json_path_compile(slice_of("[*] ?? [0]"), &arena, &path, NULL),
        STATUS_OK);
    assert_true(json_path_each(path, slice_of("[1,2,3]"), collect, &collector));
    assert_true(slice_equal_text(buf_slice(&collector.found), "1,2"));
    buf_fini(&collector.found);
    arena_fini(&arena);
}

/* RFC 6901 §5, and what its grammar leaves out. */
static void
pointers_find_what_the_rfc_says(void **state)
{
    static const struct slice text =
        SLICE("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,"
              "\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,"
              "\"m~n\":8,\"~1\":9,\"0\":{\"1\":10},\"nil\":null}");
    static const struct {
        const char *pointer;
        const char *found;
    } rows[] = {
        { "/foo", "[\"bar\",\"baz\"]" },
        { "/foo/0", "\"bar\"" },
        { "/foo/1", "\"baz\"" },
        { "/foo/2", NULL },
        { "/foo/-", NULL },
        { "/foo/00", NULL },
        { "/foo/+1", NULL },
        { "/foo/", NULL },
        { "/foo/x", NULL },
        { "/foo/0/0", NULL },
        { "/", "0" },
        { "/a~1b", "1" },
        { "/c%d", "2" },
        { "/e^f", "3" },
        { "/g|h", "4" },
        { "/i\\j", "5" },
        { "/k\"l", "6" },
        { "/ ", "7" },
        { "/m~0n", "8" },
        { "/~01", "9" },
        { "/0/1", "10" },
        { "/nil", "null" },
        { "/nil/x", NULL },
        { "//", NULL },
        { "/a.b", NULL },
        { "/foo[0]", NULL },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena arena = { 0 };
        const struct json_path *path;
        struct slice value;
        assert_int_equal(json_pointer_compile(slice_of(rows[i].pointer), &arena,
                                              &path, NULL),
                         STATUS_OK);
        bool found = json_path_first(path, text, &value);
        if (found != (rows[i].found != NULL) ||
            (found && !slice_equal_text(value, rows[i].found))) {
            fail_msg("%s: %d", rows[i].pointer, found);
        }
        assert_true(slice_equal_text(json_path_source(path), rows[i].pointer));
        arena_fini(&arena);
    }
}

static void
the_empty_pointer_is_the_whole_text(void **state)
{
    struct arena arena = { 0 };
    const struct json_path *path;
    struct slice value;
    (void)state;
    assert_int_equal(json_pointer_compile(slice_of(""), &arena, &path, NULL),
                     STATUS_OK);
    assert_true(json_path_first(path, slice_of("[1]"), &value));
    assert_true(slice_equal_text(value, "[1]"));
    arena_fini(&arena);
}

static void
a_wrong_pointer_is_refused(void **state)
{
    static const char *const rows[] = { "a",    "a/b",     " /a", "/~",
                                        "/a~2", "/a/~x/b", "$" };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena arena = { 0 };
        const struct json_path *path;
        struct error err = { "" };
        assert_int_equal(
            json_pointer_compile(slice_of(rows[i]), &arena, &path, &err),
            STATUS_INVALID);
        assert_int_equal(strncmp(err.text, "column ", 7), 0);
        arena_fini(&arena);
    }
}

typedef enum status compile_fn(struct slice text, struct arena *arena,
                               const struct json_path **ret_path,
                               struct error *err);

static void
compiling_survives_every_failing_allocation(void **state)
{
    static const struct {
        compile_fn *compile;
        const char *text;
    } rows[] = { { json_path_compile, "a['b'][*] ?? c[k=v].d" },
                 { json_pointer_compile, "/a/b~0/0" } };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum status status = STATUS_NOMEM;
        for (long n = 0; status != STATUS_OK; n++) {
            struct arena arena = { 0 };
            const struct json_path *path;
            assert_true(n < 50);
            (void)mem_fail_after(n, 0);
            status =
                rows[i].compile(slice_of(rows[i].text), &arena, &path, NULL);
            (void)mem_fail_after(-1, 0);
            assert_true(status == STATUS_OK || status == STATUS_NOMEM);
            arena_fini(&arena);
        }
    }
}

static void
an_element_that_leads_nowhere_is_noticed(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *text;
        bool misses;
    } rows[] = {
        { "a[*].b", "{\"a\":[{\"b\":1},{\"b\":null}]}", false },
        { "a[*].b", "{\"a\":[{\"b\":1},{}]}", true },
        { "a[*].b", "{\"a\":[7]}", true },
        { "a[*].b", "{\"a\":[]}", false },
        { "a[*]", "{\"a\":[{},1]}", false },
        { "a[*].b[*]", "{\"a\":[{\"b\":[]},{\"b\":[1]}]}", false },
        { "a[*].b[*]", "{\"a\":[{\"b\":[1]},{\"b\":2}]}", true },
        { "x[*].b ?? a[*].b", "{\"a\":[{\"b\":1},{}]}", true },
        { "a[k=v].b", "{\"a\":[{\"k\":\"w\"},{\"k\":\"v\",\"b\":1}]}", false },
        { "$[*]", "[1,2]", false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = { 0 };
        const struct json_path *path = NULL;
        assert_int_equal(
            json_path_compile(slice_of(rows[i].path), &arena, &path, NULL),
            STATUS_OK);
        if (json_path_misses(path, slice_of(rows[i].text)) != rows[i].misses) {
            fail_msg("%s in %s", rows[i].path, rows[i].text);
        }
        arena_fini(&arena);
    }
}

static void
a_name_that_is_there_twice_is_noticed_on_the_way(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *text;
        bool doubled;
    } rows[] = {
        { "a", "{\"a\":1}", false },
        { "a", "{\"a\":1,\"b\":1,\"a\":1}", true },
        { "a", "{\"\\u0061\":1,\"a\":2}", true },
        { "a", "{\"b\":1,\"b\":2}", false },
        { "a.b", "{\"a\":{\"b\":1,\"b\":2}}", true },
        { "a.b", "{\"a\":{\"b\":1},\"a\":{}}", true },
        { "a.b", "{\"a\":{\"b\":{\"c\":1,\"c\":1}}}", false },
        { "a.b", "{\"a\":7}", false },
        { "a[1].b", "{\"a\":[{\"b\":1,\"b\":1},{\"b\":1}]}", false },
        { "a[1].b", "{\"a\":[1,{\"b\":1,\"b\":1}]}", true },
        { "a[2].b", "{\"a\":[1,{\"b\":1,\"b\":1}]}", false },
        { "x ?? a", "{\"a\":1,\"a\":1}", true },
        { "a[*].b", "{\"a\":[{\"b\":1,\"b\":1}]}", false },
        { "$", "[1,1]", false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = { 0 };
        const struct json_path *path = NULL;
        assert_int_equal(
            json_path_compile(slice_of(rows[i].path), &arena, &path, NULL),
            STATUS_OK);
        if (json_path_is_doubled(path, slice_of(rows[i].text)) !=
            rows[i].doubled) {
            fail_msg("%s in %s", rows[i].path, rows[i].text);
        }
        arena_fini(&arena);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_finds_the_first_value),
        cmocka_unit_test(the_whole_text_comes_without_the_blanks_around_it),
        cmocka_unit_test(a_wrong_path_is_refused_with_its_column),
        cmocka_unit_test(every_value_of_the_alternative_is_visited),
        cmocka_unit_test(a_visitor_may_end_the_walk),
        cmocka_unit_test(pointers_find_what_the_rfc_says),
        cmocka_unit_test(the_empty_pointer_is_the_whole_text),
        cmocka_unit_test(a_wrong_pointer_is_refused),
        cmocka_unit_test(compiling_survives_every_failing_allocation),
        cmocka_unit_test(an_element_that_leads_nowhere_is_noticed),
        cmocka_unit_test(a_name_that_is_there_twice_is_noticed_on_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
