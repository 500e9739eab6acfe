/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "model/next_page.h"

#define ASKED "https://api.test/v1/hooks?size=2"

static enum status
find(const char *path, const char *link, const char *body, char *ret,
     size_t room)
{
    struct arena arena = { 0 };
    const struct json_path *at = NULL;
    struct http_field field = { SLICE("link"), slice_of(link) };
    const struct next_page_answer answer = { { &field, link != NULL },
                                             slice_of(body),
                                             SLICE(ASKED) };
    struct slice next;
    if (path != NULL) {
        assert_int_equal(json_path_compile(slice_of(path), &arena, &at, NULL),
                         STATUS_OK);
    }
    enum status status = next_page_find(at, &answer, &arena, &next, NULL);
    (void)snprintf(ret, room, "%.*s", SLICE_ARG(next));
    arena_fini(&arena);
    return status;
}

static void
it_is_at_a_place_of_the_body_or_in_the_field_link(void **state)
{
    (void)state;
    static const struct {
        const char *path, *link, *body;
        enum status status;
        const char *next;
    } rows[] = {
        { NULL, "<?page=2>; rel=\"next\"", "[]", STATUS_OK,
          "https://api.test/v1/hooks?page=2" },
        { NULL, "<?page=2>; rel=\"last\"", "[]", STATUS_OK, "" },
        { NULL, NULL, "[]", STATUS_OK, "" },
        { "links.next", NULL, "{\"links\":{\"next\":\"/v1/h?p=2\"}}", STATUS_OK,
          "https://api.test/v1/h?p=2" },
        { "links.next", NULL, "{\"links\":{\"next\":null}}", STATUS_OK, "" },
        { "links.next", NULL, "{}", STATUS_OK, "" },
        { "next", "<?page=2>; rel=\"next\"", "{}", STATUS_OK, "" },
        { NULL, "<https://evil.test/>; rel=\"next\"", "[]", STATUS_DENIED, "" },
        { "next", NULL, "{\"next\":\"https://api.test:444/v1\"}", STATUS_DENIED,
          "" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char next[256];
        assert_int_equal(
            find(rows[i].path, rows[i].link, rows[i].body, next, sizeof(next)),
            rows[i].status);
        assert_string_equal(next, rows[i].next);
    }
}

static void
memory_may_run_out_anywhere(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK && n < 100; n++) {
        struct arena arena = { 0 };
        struct http_field field = { SLICE("Link"),
                                    SLICE("<?page=2>; rel=\"next\"") };
        const struct next_page_answer answer = { { &field, 1 },
                                                 SLICE("[]"),
                                                 SLICE(ASKED) };
        struct slice next;
        (void)mem_fail_after(n, 0);
        status = next_page_find(NULL, &answer, &arena, &next, NULL);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        arena_fini(&arena);
    }
    assert_int_equal(status, STATUS_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_at_a_place_of_the_body_or_in_the_field_link),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests_name("model/next_page", tests, NULL, NULL);
}
