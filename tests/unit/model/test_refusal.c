/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/utf8.h"
#include "model/refusal.h"
#include "wire/template.h"

static struct arena arena;
static struct slice secrets[] = { SLICE("s3cret-one") };
static struct connector_param params[] = {
    { .secret = true, .values = secrets, .count = 1 },
};
static struct verify_rule rule;
static struct connector connector = { .name = SLICE("shop"),
                                      .params = params,
                                      .param_count = 1 };

static const struct template *
compiled(const char *text)
{
    static const char *const kinds[] = { "header", NULL };
    const struct template *template;
    assert_int_equal(template_compile(slice_of(text), TEMPLATE_BARE_SOURCE,
                                      kinds, &arena, &template, NULL),
                     STATUS_OK);
    return template;
}

static struct buf
head_of(const char *target, const struct http_field *fields, size_t count)
{
    const struct refusal refusal = { .connector = &connector,
                                     .method = SLICE("POST"),
                                     .target = slice_of(target),
                                     .fields = { fields, count } };
    struct buf text = { 0 };
    refusal_head(&refusal, &text);
    assert_int_equal(buf_status(&text), STATUS_OK);
    return text;
}

static void
the_head_is_kept_line_by_line(void **state)
{
    (void)state;
    const struct http_field fields[] = {
        { SLICE("Host"), SLICE("hooks.example") },
        { SLICE("X-Sig"), SLICE("v1=ab") },
    };
    struct buf text = head_of("/hooks/shop", fields, 2);
    assert_string_equal(text.ptr, "POST /hooks/shop\n"
                                  "Host: hooks.example\n"
                                  "X-Sig: v1=ab\n");
    buf_fini(&text);
}

static void
what_proves_the_sender_is_not_kept(void **state)
{
    (void)state;
    rule = (struct verify_rule){ .type = VERIFY_TOKEN,
                                 .from = compiled("header:X-Proof") };
    connector.verify = &rule;
    connector.verify_count = 1;
    static const char *const rows[][3] = {
        /* name, value, what is kept */
        { "Authorization", "Bearer abc", "***" },
        { "proxy-authorization", "Basic abc", "***" },
        { "Cookie", "a=b", "***" },
        { "X-Gitlab-Token", "abc", "***" },
        { "X-API-Key", "abc", "***" },
        { "x_api_key", "abc", "***" },
        { "X-Hook-Secret", "abc", "***" },
        { "X-Proof", "abc", "***" },
        { "x-proof", "abc", "***" },
        { "X-Else", "before s3cret-one behind", "before *** behind" },
        { "X-Signature", "t=1,v1=ab", "t=1,v1=ab" },
        { "Idempotency-Key", "k1", "k1" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct http_field field = { slice_of(rows[i][0]),
                                          slice_of(rows[i][1]) };
        struct buf text = head_of("/h", &field, 1);
        struct buf wanted = { 0 };
        buf_format(&wanted, "POST /h\n%s: %s\n", rows[i][0], rows[i][2]);
        assert_string_equal(text.ptr, wanted.ptr);
        buf_fini(&text);
        buf_fini(&wanted);
    }
    connector.verify_count = 0;
}

static void
of_a_query_only_the_names_are_kept(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "/h?token=abc&b=2", "/h?token=***&b=***" },
        { "/h?", "/h?" },
        { "/h?abc", "/h?***" },
        { "/h?a=1&&=2", "/h?a=***&&=***" },
        { "/h?s3cret-one=1", "/h?***=***" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf text = head_of(rows[i][0], NULL, 0);
        struct buf wanted = { 0 };
        buf_format(&wanted, "POST %s\n", rows[i][1]);
        assert_string_equal(text.ptr, wanted.ptr);
        buf_fini(&text);
        buf_fini(&wanted);
    }
}

static void
a_long_head_is_cut_between_characters_and_says_so(void **state)
{
    (void)state;
    char value[REFUSAL_VALUE_BYTES * 2];
    for (size_t i = 0; i + 1 < sizeof(value); i += 2) {
        value[i] = '\xc3'; /* U+00E4 */
        value[i + 1] = '\xa4';
    }
    value[0] = 'x'; /* now every second byte ends a character */
    value[1] = 'x';
    memmove(value + 1, value + 2, sizeof(value) - 2);
    struct http_field fields[30];
    for (size_t i = 0; i < 30; i++) {
        fields[i] = (struct http_field){ SLICE("X-Long"),
                                         { value, sizeof(value) - 1 } };
    }
    struct buf text = head_of("/h", fields, 30);
    assert_in_range(text.len, REFUSAL_HEAD_BYTES / 2, REFUSAL_HEAD_BYTES);
    assert_true(utf8_valid(buf_slice(&text)));
    assert_true(slice_ends(
        buf_slice(&text), (struct slice)SLICE("\xe2\x80\xa6\n\xe2\x80\xa6\n")));
    buf_fini(&text);
}

/* A cut through a secret would leave its beginning. */
static void
a_secret_at_the_cut_is_hidden_whole(void **state)
{
    (void)state;
    for (size_t before = REFUSAL_VALUE_BYTES - 12;
         before <= REFUSAL_VALUE_BYTES; before++) {
        struct buf value = { 0 };
        for (size_t i = 0; i < before; i++) {
            buf_byte(&value, '.');
        }
        buf_append(&value, secrets[0]);
        const struct http_field field = { SLICE("X-A"), buf_slice(&value) };
        struct buf text = head_of("/h", &field, 1);
        assert_int_equal(slice_find_slice(buf_slice(&text), slice_of("s3")),
                         SIZE_MAX);
        buf_fini(&value);
        buf_fini(&text);
    }
}

static void
a_reason_is_one_line_without_secrets(void **state)
{
    (void)state;
    const struct refusal refusal = { .connector = &connector,
                                     .why = SLICE("no\n's3cret-one'\x1b[31m") };
    struct buf text = { 0 };
    refusal_why(&refusal, &text);
    assert_string_equal(text.ptr, "no '***' [31m");
    buf_fini(&text);
}

static void
a_request_without_a_head_leaves_none(void **state)
{
    (void)state;
    const struct refusal refusal = { .connector = &connector };
    struct buf text = { 0 };
    refusal_head(&refusal, &text);
    assert_int_equal(text.len, 0);
}

static void
a_cause_is_found_by_its_name(void **state)
{
    (void)state;
    for (int i = 1; i < REFUSAL_CAUSE_END; i++) {
        enum refusal_cause cause = (enum refusal_cause)i;
        enum refusal_cause found;
        assert_true(
            refusal_cause_find(slice_of(refusal_cause_name(cause)), &found));
        assert_int_equal(found, cause);
    }
    enum refusal_cause none = REFUSAL_STALE;
    assert_false(refusal_cause_find(slice_of("unknown"), &none));
    assert_int_equal(none, REFUSAL_STALE);
    assert_string_equal(refusal_cause_name(REFUSAL_CAUSE_END), "unknown");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_head_is_kept_line_by_line),
        cmocka_unit_test(what_proves_the_sender_is_not_kept),
        cmocka_unit_test(of_a_query_only_the_names_are_kept),
        cmocka_unit_test(a_long_head_is_cut_between_characters_and_says_so),
        cmocka_unit_test(a_secret_at_the_cut_is_hidden_whole),
        cmocka_unit_test(a_reason_is_one_line_without_secrets),
        cmocka_unit_test(a_request_without_a_head_leaves_none),
        cmocka_unit_test(a_cause_is_found_by_its_name),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&arena);
    return failed;
}
