/* SPDX-License-Identifier: MIT */
#include "list_fixture.h"

#include <stdio.h>
#include <string.h>

#include "model/indirect.h"
#include "model/pattern.h"

#define LIST "https://api.test/v1/journal?after=o1"

/* A list whose answers name files by `url`, with a credential and a field. */
static void
journal(struct connector *connector, struct arena *arena, const char *allow)
{
    static const char *const pairs[] = { "X-App", "7", NULL };
    list_connector(connector, arena);
    struct poll_spec *poll = &connector->poll;
    poll->indirect.url = list_template("{json:url}", arena);
    poll->request.headers =
        list_pairs(pairs, arena, &poll->request.header_count);
    poll->auth = (struct auth_spec){ .type = AUTH_BEARER,
                                     .value = list_template("k3y", arena) };
    if (allow != NULL) {
        assert_int_equal(pattern_compile_whole(slice_of(allow), arena,
                                               &poll->indirect.allow, NULL),
                         STATUS_OK);
    }
}

static enum status
ask(const struct connector *connector, const char *list_url, const char *body,
    struct arena *arena, struct indirect_file *file, struct error *err)
{
    const struct answer_view answer = { .body = slice_of(body) };
    err->text[0] = '\0';
    return indirect_request(connector, slice_of(list_url), &answer, arena, file,
                            err);
}

static void
a_file_is_the_lists_own_or_at_a_host_that_is_allowed(void **state)
{
    (void)state;
    static const char *const allow = "^[a-z0-9]+\\.files\\.test(:8443)?$";
    static const struct {
        const char *allow;
        const char *url;
        const char *asked; /* NULL: denied */
    } rows[] = {
        { NULL, "/f/1?sig=a", "https://api.test/f/1?sig=a" },
        { NULL, "2", "https://api.test/v1/2" },
        { NULL, "https://API.test:443/f", "https://API.test:443/f" },
        { NULL, "https://eu.files.test/f", NULL },
        { NULL, "//eu.files.test/f", NULL },
        { NULL, "http://api.test/f", NULL },
        { NULL, "https://api.test:444/f", NULL },
        { NULL, "https://api.test@evil.test/f", NULL },
        { NULL, "https://api.test.evil.test/f", NULL },
        { NULL, "file:///etc/passwd", NULL },
        { allow, "https://eu.files.test/f", "https://eu.files.test/f" },
        { allow, "https://EU.Files.test/f", "https://EU.Files.test/f" },
        { allow, "https://eu.files.test:8443/", "https://eu.files.test:8443/" },
        { allow, "https://eu.files.test:8444/f", NULL },
        { allow, "http://eu.files.test/f", NULL },
        { allow, "https://eu.files.test.evil.test/f", NULL },
        { allow, "https://evil.test/eu.files.test", NULL },
        { allow, "https://169.254.169.254/latest", NULL },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = { 0 };
        struct connector connector;
        struct indirect_file file;
        struct error err;
        char body[200];
        journal(&connector, &arena, rows[i].allow);
        (void)snprintf(body, sizeof(body), "{\"url\":\"%s\"}", rows[i].url);
        enum status status = ask(&connector, LIST, body, &arena, &file, &err);
        if (rows[i].asked == NULL) {
            if (status == STATUS_OK || err.text[0] == '\0') {
                fail_msg("'%s' is asked for", rows[i].url);
            }
        } else {
            if (status != STATUS_OK) {
                fail_msg("'%s': %s", rows[i].url, err.text);
            }
            assert_true(slice_equal_text(file.request.url, rows[i].asked));
            assert_true(slice_equal_text(file.request.method, "GET"));
        }
        pattern_free(connector.poll.indirect.allow);
        arena_fini(&arena);
    }
}

static void
without_https_a_file_is_read_only_where_the_list_is_too(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct connector connector;
    struct indirect_file file;
    struct error err;
    journal(&connector, &arena, "^files\\.test$");
    assert_int_equal(ask(&connector, LIST, "{\"url\":\"http://files.test/f\"}",
                         &arena, &file, &err),
                     STATUS_DENIED);
    assert_non_null(strstr(err.text, "without https"));
    assert_int_equal(ask(&connector, "http://127.0.0.1:9/list",
                         "{\"url\":\"http://files.test/f\"}", &arena, &file,
                         &err),
                     STATUS_OK);
    pattern_free(connector.poll.indirect.allow);
    arena_fini(&arena);
}

static void
no_other_host_sees_the_lists_credential_or_fields(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int auth;
        bool is_own;
        bool shown;
    } rows[] = {
        { "{\"url\":\"/f\"}", INDIRECT_AUTH_SAME, true, true },
        { "{\"url\":\"/f\"}", INDIRECT_AUTH_NONE, true, false },
        { "{\"url\":\"https://files.test/f\"}", INDIRECT_AUTH_SAME, false,
          false },
        { "{\"url\":\"https://files.test/f\"}", INDIRECT_AUTH_NONE, false,
          false },
    };
    static const enum auth_type types[] = { AUTH_BEARER, AUTH_HEADER,
                                            AUTH_QUERY, AUTH_BASIC };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
            struct arena arena = { 0 };
            struct connector connector;
            struct indirect_file file;
            struct slice field;
            struct error err;
            journal(&connector, &arena, "^files\\.test$");
            struct poll_spec *poll = &connector.poll;
            poll->auth.type = types[t];
            poll->auth.name = slice_of("x-key");
            poll->auth.user = poll->auth.value;
            poll->indirect.auth = rows[i].auth == INDIRECT_AUTH_SAME
                                      ? INDIRECT_AUTH_SAME
                                      : INDIRECT_AUTH_NONE;
            assert_int_equal(
                ask(&connector, LIST, rows[i].body, &arena, &file, &err),
                STATUS_OK);
            assert_int_equal(file.is_own, rows[i].is_own);
            const bool shown =
                http_field_find(file.request.fields, "Authorization", &field) ||
                http_field_find(file.request.fields, "x-key", &field) ||
                slice_find_slice(file.request.url, slice_of("k3y")) !=
                    SIZE_MAX ||
                file.request.user.len > 0;
            assert_int_equal(shown, rows[i].shown);
            assert_int_equal(
                http_field_find(file.request.fields, "X-App", &field),
                rows[i].shown);
            pattern_free(poll->indirect.allow);
            arena_fini(&arena);
        }
    }
}

static void
an_answer_that_names_no_file_is_told_from_one_that_names_a_bad_one(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool none;
    } rows[] = {
        { "", true },
        { "{}", true },
        { "{\"url\":null}", true },
        { "{\"url\":\"\"}", true },
        { "{\"url\":\"ftp://api.test/\"}", false },
        { "{\"url\":\"https://\"}", false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = { 0 };
        struct connector connector;
        struct indirect_file file;
        struct error err;
        journal(&connector, &arena, NULL);
        enum status status =
            ask(&connector, LIST, rows[i].body, &arena, &file, &err);
        assert_true(status != STATUS_OK);
        if ((status == STATUS_NOT_FOUND && err.text[0] == '\0') !=
            rows[i].none) {
            fail_msg("%s: %s", rows[i].body, err.text);
        }
        arena_fini(&arena);
    }
}

static void
running_out_of_memory_is_told(void **state)
{
    (void)state;
    bool whole = false;
    for (long n = 0; !whole && n < 100; n++) {
        struct arena arena = { 0 };
        struct connector connector;
        struct indirect_file file;
        struct error err;
        journal(&connector, &arena, "^files\\.test$");
        (void)mem_fail_after(n, 0);
        enum status status =
            ask(&connector, LIST, "{\"url\":\"https://files.test/f\"}", &arena,
                &file, &err);
        (void)mem_fail_after(-1, 0);
        whole = status == STATUS_OK;
        assert_true(whole || status == STATUS_NOMEM);
        pattern_free(connector.poll.indirect.allow);
        arena_fini(&arena);
    }
    assert_true(whole);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_the_lists_own_or_at_a_host_that_is_allowed),
        cmocka_unit_test(
            without_https_a_file_is_read_only_where_the_list_is_too),
        cmocka_unit_test(no_other_host_sees_the_lists_credential_or_fields),
        cmocka_unit_test(
            an_answer_that_names_no_file_is_told_from_one_that_names_a_bad_one),
        cmocka_unit_test(running_out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
