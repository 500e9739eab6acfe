/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "config/config_bind.h"
#include "handler/handler_http.h"
#include "harness/loopback.h"
#include "unit/handler/handling.h"
#include "wire/digest.h"
#include "wire/encode.h"

static struct loopback server;
static struct handler_http_limits limits = { .timeout_ms = 5000,
                                             .connections = 8,
                                             .user_agent = "longstop/1.2.3" };
static char url[64];

/* Writes `arg` to every request. */
static void
serve_text(struct loopback *from, int fd)
{
    while (loopback_read(from, fd) && loopback_say(fd, from->arg)) {
    }
}

/* Reads and says nothing. */
static void
serve_silence(struct loopback *from, int fd)
{
    char byte;
    if (loopback_read(from, fd)) {
        (void)!read(fd, &byte, 1);
    }
}

static void
open_server(loopback_serve_fn *serve, void *arg)
{
    handling_open();
    assert_true(loopback_start(&server, NULL, serve, arg));
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/events", server.port);
    limits.timeout_ms = 5000;
}

static void
close_server(void)
{
    loopback_stop(&server);
    handling_close();
}

static struct handler *
create(const struct handler_http_settings *settings, const char *secret)
{
    struct handler *handler = NULL;
    assert_int_equal(handler_http_create(handling.loop, settings,
                                         slice_of(secret), &limits, &handler,
                                         NULL),
                     STATUS_OK);
    return handler;
}

static struct handler_http_settings
plain_settings(void)
{
    return (struct handler_http_settings){ .url = slice_of(url) };
}

static void
answers_become_outcomes(void **state)
{
    (void)state;
    static const struct {
        unsigned http;
        enum disposition disposition;
        bool pause;
    } rows[] = {
        { 200, DISPOSITION_DONE, false },  { 202, DISPOSITION_DONE, false },
        { 299, DISPOSITION_DONE, false },  { 301, DISPOSITION_LATER, false },
        { 302, DISPOSITION_LATER, false }, { 400, DISPOSITION_LATER, false },
        { 401, DISPOSITION_LATER, false }, { 404, DISPOSITION_LATER, false },
        { 409, DISPOSITION_NEVER, false }, { 410, DISPOSITION_LATER, true },
        { 422, DISPOSITION_NEVER, false }, { 429, DISPOSITION_LATER, false },
        { 500, DISPOSITION_LATER, false }, { 503, DISPOSITION_LATER, false },
    };
    int64_t dead_on[] = { 409, 422 };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[256];
        char detail[16];
        (void)snprintf(detail, sizeof(detail), "http %u", rows[i].http);
        (void)snprintf(text, sizeof(text),
                       "HTTP/1.1 %u X\r\nContent-Length: 5\r\n"
                       "Location: http://127.0.0.1:1/\r\n\r\nwords",
                       rows[i].http);
        open_server(serve_text, text);
        struct handler_http_settings settings = plain_settings();
        settings.dead_on = dead_on;
        settings.dead_on_count = 2;
        struct handler *handler = create(&settings, "");
        handling_run(handler);
        assert_int_equal(handling.disposition, rows[i].disposition);
        assert_int_equal(handling.pause, rows[i].pause);
        assert_int_equal(handling.not_before_ms, 0);
        assert_memory_equal(handling.detail, detail, strlen(detail));
        assert_int_equal(strstr(handling.detail,
                                "not followed, and this one "
                                "leads to http://127.0.0.1:1/") != NULL,
                         rows[i].http / 100 == 3);
        assert_string_equal(handling.output, "words");
        handler->ops->destroy(handler);
        close_server();
    }
}

static void
a_410_that_is_dead_by_choice_pauses_nothing(void **state)
{
    (void)state;
    char text[] = "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n";
    int64_t dead_on[] = { 410 };
    open_server(serve_text, text);
    struct handler_http_settings settings = plain_settings();
    settings.dead_on = dead_on;
    settings.dead_on_count = 1;
    struct handler *handler = create(&settings, "");
    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_NEVER);
    assert_false(handling.pause);
    handler->ops->destroy(handler);
    close_server();
}

static void
retry_after_is_honoured_where_it_means_that(void **state)
{
    (void)state;
    static const struct {
        unsigned http;
        const char *value;
        int64_t wait_ms;
    } rows[] = {
        { 429, "120", 120000 },
        { 503, "7", 7000 },
        { 503, "999999999", INT64_C(86400000) }, /* a day at most */
        { 503, "soon", -1 },
        { 500, "120", -1 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text),
                       "HTTP/1.1 %u X\r\nContent-Length: 0\r\n"
                       "Retry-After: %s\r\n\r\n",
                       rows[i].http, rows[i].value);
        open_server(serve_text, text);
        const struct handler_http_settings settings = plain_settings();
        struct handler *handler = create(&settings, "");
        int64_t before_ms = (int64_t)time(NULL) * 1000;
        handling_run(handler);
        int64_t after_ms = (int64_t)(time(NULL) + 1) * 1000;
        if (rows[i].wait_ms < 0) {
            assert_int_equal(handling.not_before_ms, 0);
        } else {
            assert_in_range(handling.not_before_ms, before_ms + rows[i].wait_ms,
                            after_ms + rows[i].wait_ms);
        }
        handler->ops->destroy(handler);
        close_server();
    }
}

/* The value of a field of the last request, cut out of it. */
static const char *
field_of_request(const char *name)
{
    static char value[256];
    char start[64];
    (void)snprintf(start, sizeof(start), "\r\n%s: ", name);
    const char *at = strstr(server.last, start);
    if (at == NULL) {
        return NULL;
    }
    at += strlen(start);
    size_t len = strcspn(at, "\r");
    assert_true(len < sizeof(value));
    memcpy(value, at, len);
    value[len] = '\0';
    return value;
}

static char no_content[] = "HTTP/1.1 204 No Content\r\n\r\n";

static void
a_delivery_is_posted_with_its_key(void **state)
{
    (void)state;
    open_server(serve_text, no_content);
    const struct handler_http_settings settings = plain_settings();
    struct handler *handler = create(&settings, "");
    handling_run(handler);
    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_DONE);
    assert_non_null(strstr(server.last, "POST /events HTTP/1.1\r\n"));
    assert_string_equal(field_of_request("Content-Type"),
                        "application/cloudevents+json");
    assert_string_equal(field_of_request("Idempotency-Key"), "shop/evt_1");
    assert_string_equal(field_of_request("webhook-id"), "shop/evt_1");
    assert_string_equal(field_of_request("User-Agent"), "longstop/1.2.3");
    assert_null(field_of_request("webhook-signature"));
    assert_non_null(strstr(server.last, "\r\n\r\n{\"id\":\"evt_1\"}"));
    /* kept alive */
    assert_int_equal(atomic_load(&server.connected), 1);
    handler->ops->destroy(handler);
    close_server();
}

static void
a_secret_signs_as_standard_webhooks_say(void **state)
{
    (void)state;
    static const struct {
        const char *secret;
        struct slice key;
    } rows[] = {
        { "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
          SLICE("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e"
                "\x0f\x10\x11\x12\x13\x14\x15\x16\x17") },
        { "any text", SLICE("any text") },
    };
    for (size_t i = 0; i < 2; i++) {
        open_server(serve_text, no_content);
        const struct handler_http_settings settings = plain_settings();
        struct handler *handler = create(&settings, rows[i].secret);
        handling_run(handler);
        struct buf content = { 0 };
        const char *stamp = field_of_request("webhook-timestamp");
        int64_t at = strtoll(stamp, NULL, 10);
        assert_in_range(at, time(NULL) - 20, time(NULL) + 1);
        buf_format(&content, "shop/evt_1.%s.{\"id\":\"evt_1\"}", stamp);
        const struct slice part = buf_slice(&content);
        struct digest digest;
        assert_int_equal(
            digest_hmac(DIGEST_SHA256, rows[i].key, &part, 1, &digest),
            STATUS_OK);
        struct buf expected = { 0 };
        buf_text(&expected, "v1,");
        encode_base64(digest_slice(&digest), &expected);
        assert_string_equal(field_of_request("webhook-signature"),
                            expected.ptr);
        buf_fini(&expected);
        buf_fini(&content);
        handler->ops->destroy(handler);
        close_server();
    }
}

static void
a_broken_secret_is_refused(void **state)
{
    (void)state;
    open_server(serve_text, no_content);
    const struct handler_http_settings settings = plain_settings();
    static const char *const secrets[] = { "whsec_", "whsec_*", "whsec_abc" };
    for (size_t i = 0; i < 3; i++) {
        struct handler *handler = NULL;
        struct error err = { "" };
        assert_int_not_equal(handler_http_create(handling.loop, &settings,
                                                 slice_of(secrets[i]), &limits,
                                                 &handler, &err),
                             STATUS_OK);
        assert_string_not_equal(err.text, "");
        /* no word of a secret in the words */
        assert_null(strstr(err.text, "abc"));
    }
    close_server();
}

static void
a_silent_receiver_is_tried_later(void **state)
{
    (void)state;
    open_server(serve_silence, NULL);
    const struct handler_http_settings settings = plain_settings();
    struct handler *handler = NULL;
    limits.timeout_ms = 100;
    assert_int_equal(handler_http_create(handling.loop, &settings, slice_of(""),
                                         &limits, &handler, NULL),
                     STATUS_OK);
    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_LATER);
    assert_string_equal(handling.detail, "timed out after 100ms");
    handler->ops->destroy(handler);
    close_server();
}

static void
a_receiver_that_is_down_is_tried_later(void **state)
{
    (void)state;
    open_server(serve_text, no_content);
    const struct handler_http_settings settings = {
        .url = SLICE("http://127.0.0.1:1/")
    };
    struct handler *handler = create(&settings, "");
    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_LATER);
    assert_non_null(strstr(handling.detail, "127.0.0.1:1: "));
    handler->ops->destroy(handler);
    close_server();
}

static void
serve_much(struct loopback *from, int fd)
{
    static char bytes[8192];
    memset(bytes, 'x', sizeof(bytes));
    bool more =
        loopback_read(from, fd) &&
        loopback_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n");
    while (more) {
        more = loopback_write(fd, bytes, sizeof(bytes));
    }
}

static void
a_long_answer_is_an_answer(void **state)
{
    (void)state;
    open_server(serve_much, NULL);
    const struct handler_http_settings settings = plain_settings();
    struct handler *handler = create(&settings, "");
    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_DONE);
    assert_int_equal(handling.output_len, 4096);
    handler->ops->destroy(handler);
    close_server();
}

static void
canceled_attempts_all_report(void **state)
{
    (void)state;
    open_server(serve_silence, NULL);
    const struct handler_http_settings settings = plain_settings();
    struct handler *handler = create(&settings, "");
    handler->ops->cancel(handler); /* nothing to do */
    handling.wanted = 5;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(handling_start(handler, NULL), STATUS_OK);
    }
    handler->ops->cancel(handler);
    assert_int_equal(handling.calls, 0);
    loop_run(handling.loop);
    assert_int_equal(handling.calls, 5);
    assert_int_equal(handling.disposition, DISPOSITION_LATER);
    assert_string_equal(handling.detail, "stopped with the agent");
    handler->ops->destroy(handler);
    close_server();
}

/* Binds `text` as what stands below `http:`; returns how many mistakes. */
static size_t
bind_keys(struct arena *arena, const char *text,
          struct handler_http_settings *settings, char *words, size_t size)
{
    struct config_report report = { 0 };
    struct config_source *source = arena_alloc(arena, sizeof(*source));
    assert_non_null(source);
    *source = (struct config_source){ .name = SLICE("longstop.yaml"),
                                      .directory = SLICE("."),
                                      .text = slice_of(text) };
    struct config_node *root = NULL;
    assert_int_equal(
        config_yaml_parse(source, NULL, NULL, arena, &report, &root),
        STATUS_OK);
    struct config_binding binding = { .arena = arena, .report = &report };
    memset(settings, 0, sizeof(*settings));
    assert_int_equal(config_bind(&binding, &handler_http_table, root, settings),
                     STATUS_OK);
    struct buf shown = { 0 };
    config_report_text(&report, false, &shown);
    (void)snprintf(words, size, "%s", shown.ptr == NULL ? "" : shown.ptr);
    buf_fini(&shown);
    size_t errors = report.errors;
    config_report_fini(&report);
    return errors;
}

static void
the_keys_are_read(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct handler_http_settings settings;
    char words[2048];
    assert_int_equal(bind_keys(&arena,
                               "url: http://127.0.0.1:7000/events\n"
                               "secret_file: mirror.secret\n"
                               "headers: {X-Team: billing, X-Number: 7}\n"
                               "dead_on: [400, 422]\n",
                               &settings, words, sizeof(words)),
                     0);
    assert_true(slice_equal_text(settings.url, "http://127.0.0.1:7000/events"));
    assert_int_equal(settings.secret.from, SECRET_FILE);
    assert_int_equal(settings.dead_on_count, 2);
    assert_int_equal(settings.dead_on[0], 400);
    assert_int_equal(settings.dead_on[1], 422);

    open_server(serve_text, no_content);
    settings.url = slice_of(url);
    struct handler *handler = create(&settings, "");
    handling_run(handler);
    assert_string_equal(field_of_request("X-Team"), "billing");
    assert_string_equal(field_of_request("X-Number"), "7");
    handler->ops->destroy(handler);
    close_server();

    assert_int_equal(bind_keys(&arena, "dead_on: 404\nurl: https://h/\n",
                               &settings, words, sizeof(words)),
                     0);
    assert_int_equal(settings.dead_on_count, 1);
    assert_int_equal(settings.dead_on[0], 404);
    arena_fini(&arena);
}

static void
mistakes_in_the_keys_have_places(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *place;
        const char *words;
    } rows[] = {
        { "secret: x\n", "longstop.yaml:1:1", "url" },
        { "url: ftp://h/\n", "longstop.yaml:1:6", "url: " },
        { "url: http://h/\ndead_on: [200]\n", "longstop.yaml:2:11", "400" },
        { "url: http://h/\ndead_on: [400, x]\n", "longstop.yaml:2:16", "400" },
        { "url: http://h/\ndead_on: {a: b}\n", "longstop.yaml:2:10", "400" },
        { "url: http://h/\nheaders: [a]\n", "longstop.yaml:2:10", "names" },
        { "url: http://h/\nheaders: {'a b': c}\n", "longstop.yaml:2:11",
          "not the name" },
        { "url: http://h/\nheaders: {Webhook-Id: c}\n", "longstop.yaml:2:11",
          "longstop itself" },
        { "url: http://h/\nheaders: {a: \"b\\nc\"}\n", "longstop.yaml:2:14",
          "one line" },
        { "url: http://h/\nheaders: {a: [b]}\n", "longstop.yaml:2:14",
          "one line" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = { 0 };
        struct handler_http_settings settings;
        char words[2048];
        size_t errors =
            bind_keys(&arena, rows[i].text, &settings, words, sizeof(words));
        if (errors != 1 || strstr(words, rows[i].place) == NULL ||
            strstr(words, rows[i].words) == NULL) {
            fail_msg("row %zu: %zu mistakes:\n%s", i, errors, words);
        }
        arena_fini(&arena);
    }
}

static void
memory_that_runs_out_is_told(void **state)
{
    (void)state;
    open_server(serve_text, no_content);
    int64_t dead_on[] = { 400 };
    const struct config_node header = { .kind = CONFIG_SCALAR,
                                        .key = SLICE("X-A"),
                                        .text = SLICE("b") };
    struct config_node headers = { .kind = CONFIG_MAPPING };
    struct config_node child = header;
    headers.children = &child;
    struct handler_http_settings settings = plain_settings();
    settings.dead_on = dead_on;
    settings.dead_on_count = 1;
    settings.headers = &headers;
    bool worked = false;
    for (long n = 0; n < 300 && !worked; n++) {
        struct handler *handler = NULL;
        handling.calls = 0;
        (void)mem_fail_after(n, 0);
        enum status status = handler_http_create(handling.loop, &settings,
                                                 slice_of("whsec_AAECAwQF"),
                                                 &limits, &handler, NULL);
        if (status == STATUS_OK) {
            status = handling_start(handler, NULL);
        }
        if (status == STATUS_OK) {
            loop_run(handling.loop);
        }
        (void)mem_fail_after(-1, 0);
        if (handler != NULL) {
            handler->ops->destroy(handler);
        }
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        worked =
            status == STATUS_OK && handling.disposition == DISPOSITION_DONE;
    }
    assert_true(worked);
    close_server();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_become_outcomes),
        cmocka_unit_test(a_410_that_is_dead_by_choice_pauses_nothing),
        cmocka_unit_test(retry_after_is_honoured_where_it_means_that),
        cmocka_unit_test(a_delivery_is_posted_with_its_key),
        cmocka_unit_test(a_secret_signs_as_standard_webhooks_say),
        cmocka_unit_test(a_broken_secret_is_refused),
        cmocka_unit_test(a_silent_receiver_is_tried_later),
        cmocka_unit_test(a_receiver_that_is_down_is_tried_later),
        cmocka_unit_test(a_long_answer_is_an_answer),
        cmocka_unit_test(canceled_attempts_all_report),
        cmocka_unit_test(the_keys_are_read),
        cmocka_unit_test(mistakes_in_the_keys_have_places),
        cmocka_unit_test(memory_that_runs_out_is_told),
    };
    if (digest_init(NULL) != STATUS_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
