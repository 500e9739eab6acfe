/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "model/pattern.h"

static void
a_pattern_is_found_anywhere_unless_anchored(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        struct slice text;
        bool found;
    } rows[] = {
        { "b", SLICE("abc"), true },     { "^b", SLICE("abc"), false },
        { "^a.c$", SLICE("abc"), true }, { "(x|y)+", SLICE("ayy"), true },
        { "^$", SLICE(""), true },       { "c", SLICE("ab\0c"), false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = { 0 };
        struct pattern *pattern = NULL;
        bool found = !rows[i].found;
        assert_int_equal(
            pattern_compile(slice_of(rows[i].pattern), &arena, &pattern, NULL),
            STATUS_OK);
        assert_int_equal(pattern_find(pattern, rows[i].text, &arena, &found),
                         STATUS_OK);
        assert_int_equal(found, rows[i].found);
        pattern_free(pattern);
        arena_fini(&arena);
    }
    pattern_free(NULL);
}

static void
a_broken_pattern_is_refused_with_words(void **state)
{
    (void)state;
    static const char *const broken[] = { "(", "[a", "a{2,1}" };
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct arena arena = { 0 };
        struct pattern *pattern = NULL;
        struct error err = { "" };
        assert_int_equal(
            pattern_compile(slice_of(broken[i]), &arena, &pattern, &err),
            STATUS_INVALID);
        assert_true(err.text[0] != '\0');
        assert_null(pattern);
        arena_fini(&arena);
    }
}

static void
a_pattern_for_a_whole_text_is_written_from_end_to_end(void **state)
{
    (void)state;
    static const char *const open[] = { "a", "^a", "a$", "", "(^a$)" };
    static const char *const broken[] = { "^a)|(b$", "^($" };
    static const struct {
        const char *pattern;
        const char *text;
        bool found;
    } rows[] = {
        { "^a\\.b$", "a.b", true },   { "^a\\.b$", "aXb", false },
        { "^a|b$", "a", true },       { "^a|b$", "b", true },
        { "^a|b$", "ab", false },     { "^a|b$", "a.evil", false },
        { "^a|b$", "evil.b", false }, { "^[[:alpha:](]|x$", "evil.x", false },
    };
    struct arena arena = { 0 };
    struct pattern *pattern = NULL;
    struct error err;
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
        assert_int_equal(
            pattern_compile_whole(slice_of(open[i]), &arena, &pattern, &err),
            STATUS_INVALID);
        assert_non_null(strstr(err.text, "must begin with '^'"));
    }
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        assert_int_equal(
            pattern_compile_whole(slice_of(broken[i]), &arena, &pattern, &err),
            STATUS_INVALID);
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool found = false;
        assert_int_equal(pattern_compile_whole(slice_of(rows[i].pattern),
                                               &arena, &pattern, &err),
                         STATUS_OK);
        assert_int_equal(
            pattern_find(pattern, slice_of(rows[i].text), &arena, &found),
            STATUS_OK);
        assert_int_equal(found, rows[i].found);
        pattern_free(pattern);
    }
    arena_fini(&arena);
}

static void
running_out_of_memory_is_told(void **state)
{
    (void)state;
    bool whole = false;
    for (long n = 0; !whole && n < 10; n++) {
        struct arena arena = { 0 };
        struct pattern *pattern = NULL;
        bool found;
        (void)mem_fail_after(n, 0);
        enum status status =
            pattern_compile(slice_of("a"), &arena, &pattern, NULL);
        if (status == STATUS_OK) {
            status = pattern_find(pattern, slice_of("a"), &arena, &found);
        }
        (void)mem_fail_after(-1, 0);
        whole = status == STATUS_OK;
        assert_true(whole || status == STATUS_NOMEM);
        pattern_free(pattern);
        arena_fini(&arena);
    }
    assert_true(whole);
}

static void
a_pattern_for_urls_writes_its_host_out(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        bool accepted;
    } rows[] = {
        { "^https://api(-m)?(\\.sandbox)?\\.example\\.com/", true },
        { "^https://sns\\.[a-zA-Z0-9-]{3,}\\.example\\.com(\\.cn)?/.*\\.pem$",
          true },
        { "^https://keys\\.[a-z]+\\.example\\.com/(a|b)/.*$", true },
        { "^https://example\\.com/[^|]*$", true },
        { "^https://example\\.com/a\\|b", true },
        { "https://example\\.com/", false },   /* no beginning */
        { "^http://example\\.com/", false },   /* no TLS */
        { "^https?://example\\.com/", false }, /* likewise */
        { "^https://example\\.com", false },   /* …com.evil.net */
        { "^https://example\\.com$", false },  /* no '/' */
        { "^https://example\\.com/?", false }, /* a '/' or none */
        { "^https://example\\.com/*", false },
        { "^https://example\\.com/{0,1}", false },
        { "^https://example\\.com(/)", false },
        { "^https://example.com/", false },        /* exampleXcom */
        { "^https://.*\\.example\\.com/", false }, /* evil.net/x.… */
        { "^https://[^/]+\\.example\\.com/", false },
        { "^https://[a-z.]+example\\.com/", false },   /* evil.xexample.com */
        { "^https://[0-z]+\\.example\\.com/", false }, /* has ':' and '?' */
        { "^https://[[:alnum:]]+\\.example\\.com/", false },
        { "^https://[]a]\\.example\\.com/", false },
        { "^https://\\S+\\.example\\.com/", false }, /* a class of its own */
        { "^https://[a-z", false },
        { "^https://example\\.com/|https://evil\\.net/", false },
        { "^https://example\\.com|evil/", false },
        { "^https://example\\.com/(", false }, /* no expression at all */
        { "^https://example\\.com/[]|]|evil", false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = { 0 };
        struct pattern *pattern = NULL;
        struct error err = { "" };
        const enum status status = pattern_compile_url(
            slice_of(rows[i].pattern), &arena, &pattern, &err);
        if ((status == STATUS_OK) != rows[i].accepted) {
            fail_msg("%s: %s", rows[i].pattern, err.text);
        }
        assert_true(rows[i].accepted || err.text[0] != '\0');
        pattern_free(pattern);
        arena_fini(&arena);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_is_found_anywhere_unless_anchored),
        cmocka_unit_test(a_broken_pattern_is_refused_with_words),
        cmocka_unit_test(a_pattern_for_a_whole_text_is_written_from_end_to_end),
        cmocka_unit_test(running_out_of_memory_is_told),
        cmocka_unit_test(a_pattern_for_urls_writes_its_host_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
