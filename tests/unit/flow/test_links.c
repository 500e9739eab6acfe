/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"
#include "harness/loopback.h"

#include "base/mem.h"
#include "flow/links.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "wire/digest.h"

enum { GUARD_MS = 60000, WAITS = 8, PATIENCE_MS = 50 };

struct told {
    struct link_wait wait;
    unsigned times;
    enum status status;
    size_t key_len;
    char words[512];
};

static struct {
    struct loop *loop;
    struct loop_timer *guard;
    struct loop_timer *later;
    struct http_client *client;
    struct loopback server;
    struct bound bound;
    struct links *links;
    struct told told[WAITS];
    size_t wanted; /* the loop stops when so many were told */
    size_t heard;
    char answer[4096];
} site;

static void
guard_fired(void *arg)
{
    (void)arg;
    fail_msg("what was waited for has not come");
}

static void
stop_loop(void *arg)
{
    (void)arg;
    loop_stop(site.loop);
}

static void
hear(void *arg, enum status status, struct slice key, const struct error *err)
{
    struct told *told = arg;
    told->times++;
    told->status = status;
    told->key_len = key.len;
    (void)snprintf(told->words, sizeof(told->words), "%s", err->text);
    site.heard++;
    if (site.heard == site.wanted) {
        loop_stop(site.loop);
    }
}

static void
serve(struct loopback *server, int fd)
{
    while (loopback_read(server, fd)) {
        if (!loopback_say(fd, site.answer)) {
            return;
        }
    }
}

static void
answer_with(unsigned status, const char *body)
{
    (void)snprintf(site.answer, sizeof(site.answer),
                   "HTTP/1.1 %u X\r\nContent-Length: %zu\r\n\r\n%s", status,
                   strlen(body), body);
}

static void
answer_certificate(void)
{
    struct arena arena = { 0 };
    size_t len = 0;
    answer_with(200, bound_read(TEST_DATA_DIR "/keys/cert.pem", &arena, &len));
    arena_fini(&arena);
}

static void
open_site(struct links_settings settings, bool is_based)
{
    static const struct http_client_settings client = {
        .connections = 8, .connections_per_host = 8, .user_agent = "test"
    };
    char entry[128] = "with: {account: a}";
    memset(&site, 0, sizeof(site));
    assert_int_equal(digest_init(NULL), STATUS_OK);
    assert_true(loopback_start(&site.server, NULL, serve, NULL));
    assert_int_equal(loop_create(&site.loop), STATUS_OK);
    assert_int_equal(
        loop_timer_create(site.loop, guard_fired, NULL, &site.guard),
        STATUS_OK);
    assert_int_equal(loop_timer_create(site.loop, stop_loop, NULL, &site.later),
                     STATUS_OK);
    loop_timer_arm(site.guard, GUARD_MS);
    assert_int_equal(http_client_create(site.loop, &client, &site.client, NULL),
                     STATUS_OK);
    if (is_based) {
        (void)snprintf(entry, sizeof(entry),
                       "with: {account: a, link_base: 'http://127.0.0.1:%u'}",
                       site.server.port);
    }
    bound_texts(&site.bound,
                "verify: {type: rsa, signature: {from: 'header:S'}, signed: "
                "'{body}{var:account}', key: {cert_url: 'header:C', allow: "
                "'^https://localhost/'}}\nevent: {id: 'json:id'}\n",
                entry, "");
    bound_must(&site.bound);
    settings.connectors = &site.bound.connector;
    settings.connector_count = 1;
    assert_int_equal(
        links_create(site.loop, site.client, &settings, &site.links),
        STATUS_OK);
    answer_certificate();
}

static void
close_site(void)
{
    links_destroy(site.links);
    http_client_destroy(site.client);
    loop_timer_destroy(site.guard);
    loop_timer_destroy(site.later);
    loop_destroy(site.loop);
    loopback_stop(&site.server);
    bound_fini(&site.bound);
}

static struct links_settings
usual(void)
{
    return (struct links_settings){ .keys = 8,
                                    .key_age_ms = 60000,
                                    .failure_ms = 60000,
                                    .waiting = WAITS,
                                    .per_minute = 60,
                                    .timeout_ms = 20000,
                                    .max_bytes = 4096 };
}

static enum status
bring(size_t n, const char *name)
{
    const struct verify_want want = { .name = slice_of(name) };
    struct error err = { "" };
    site.told[n] =
        (struct told){ .wait = { .done = hear, .arg = &site.told[n] } };
    const enum status status = links_bring(site.links, &site.bound.connector,
                                           &want, &site.told[n].wait, &err);
    assert_int_equal(site.told[n].times, 0);
    assert_true(status == STATUS_OK || err.text[0] != '\0');
    return status;
}

static void
hear_all(size_t count)
{
    site.heard = 0;
    site.wanted = count;
    loop_run(site.loop);
}

/* Brings one key to its end. */
static enum status
fetch(const char *name)
{
    assert_int_equal(bring(0, name), STATUS_OK);
    hear_all(1);
    return site.told[0].status;
}

static enum status
find(const char *name)
{
    struct slice key = { NULL, 0 };
    struct error err = { "" };
    return links_find(site.links, slice_of(name), &key, &err);
}

static void
all_who_want_one_key_share_its_fetch(void **state)
{
    (void)state;
    open_site(usual(), true);
    assert_int_equal(find("https://localhost/a?b=c"), STATUS_NOT_FOUND);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(bring(i, "https://localhost/a?b=c"), STATUS_OK);
    }
    hear_all(5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(site.told[i].times, 1);
        assert_int_equal(site.told[i].status, STATUS_OK);
        assert_true(site.told[i].key_len > 200);
    }
    assert_int_equal(atomic_load(&site.server.requests), 1);
    assert_non_null(strstr(site.server.last, "GET /a?b=c HTTP/1.1\r\n"));
    assert_int_equal(find("https://localhost/a?b=c"), STATUS_OK);
    close_site();
}

static void
what_is_no_key_fails_and_is_remembered_for_a_while(void **state)
{
    (void)state;
    struct links_settings settings = usual();
    settings.failure_ms = PATIENCE_MS;
    settings.max_bytes = 2048; /* the certificate has less */
    static char long_body[2049 + 1];
    memset(long_body, 'x', sizeof(long_body) - 1);
    static const struct {
        unsigned status;
        const char *body, *words;
    } rows[] = {
        { 200, long_body, "longer than 2048 bytes" },
        { 404, "no", "key: HTTP 404" },
        { 302, "", "key: HTTP 302" },
        { 204, "", "key: HTTP 204" },
        { 200, "<html>", "neither PEM" },
        { 200, "", "empty" },
    };
    open_site(settings, true);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "https://localhost/%zu", i);
        answer_with(rows[i].status, rows[i].body);
        assert_int_equal(fetch(name), STATUS_UNAVAILABLE);
        if (strstr(site.told[0].words, rows[i].words) == NULL) {
            fail_msg("%s", site.told[0].words);
        }
        assert_int_equal(find(name), STATUS_UNAVAILABLE);
    }
    loop_timer_arm(site.later, (int64_t)PATIENCE_MS * 2);
    loop_run(site.loop);
    assert_int_equal(find("https://localhost/0"), STATUS_NOT_FOUND);
    answer_certificate();
    assert_int_equal(fetch("https://localhost/0"), STATUS_OK);
    close_site();
}

static void
a_key_grows_old(void **state)
{
    (void)state;
    struct links_settings settings = usual();
    settings.key_age_ms = PATIENCE_MS;
    open_site(settings, true);
    assert_int_equal(fetch("https://localhost/a"), STATUS_OK);
    loop_timer_arm(site.later, (int64_t)PATIENCE_MS * 2);
    loop_run(site.loop);
    assert_int_equal(find("https://localhost/a"), STATUS_NOT_FOUND);
    close_site();
}

static void
only_so_many_may_wait_and_be_asked_for(void **state)
{
    (void)state;
    struct links_settings settings = usual();
    settings.waiting = 2;
    settings.per_minute = 1;
    open_site(settings, true);
    assert_int_equal(bring(0, "https://localhost/a"), STATUS_OK);
    /* Another key is another fetch; the same one is not. */
    assert_int_equal(bring(1, "https://localhost/b"), STATUS_BUSY);
    assert_int_equal(bring(1, "https://localhost/a"), STATUS_OK);
    assert_int_equal(bring(2, "https://localhost/a"), STATUS_BUSY);
    hear_all(2);
    assert_int_equal(site.told[2].times, 0);
    close_site();
}

/* A stranger can name keys that there are none of as fast as he likes. */
static void
a_key_that_was_in_use_comes_back_whatever_else_is_asked_for(void **state)
{
    (void)state;
    struct links_settings settings = usual();
    settings.per_minute = 3;
    settings.key_age_ms = PATIENCE_MS;
    settings.failure_ms = 1;
    open_site(settings, true);
    assert_int_equal(fetch("https://localhost/good"), STATUS_OK);
    answer_with(500, "");
    assert_int_equal(fetch("https://localhost/1"), STATUS_UNAVAILABLE);
    assert_int_equal(fetch("https://localhost/2"), STATUS_UNAVAILABLE);
    assert_int_equal(bring(0, "https://localhost/3"), STATUS_BUSY);
    loop_timer_arm(site.later, (int64_t)PATIENCE_MS * 2);
    loop_run(site.loop);
    assert_int_equal(find("https://localhost/good"), STATUS_NOT_FOUND);
    /* Nor does it lose that by a bad moment of its own. */
    assert_int_equal(fetch("https://localhost/good"), STATUS_UNAVAILABLE);
    loop_timer_arm(site.later, 20);
    loop_run(site.loop);
    answer_certificate();
    assert_int_equal(fetch("https://localhost/good"), STATUS_OK);
    assert_int_equal(find("https://localhost/good"), STATUS_OK);
    close_site();
}

static void
a_new_key_is_fetched_though_strangers_ask_for_ever_new_ones(void **state)
{
    (void)state;
    struct links_settings settings = usual();
    settings.per_minute = 8;
    open_site(settings, true);
    answer_with(500, "");
    for (int i = 0; i < 6; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "https://localhost/none-%d", i);
        assert_int_equal(fetch(name), STATUS_UNAVAILABLE);
    }
    answer_certificate();
    assert_int_equal(bring(0, "https://localhost/new"), STATUS_BUSY);
    for (int i = 0; i < 1000; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "https://localhost/flood-%d", i);
        assert_int_equal(bring(0, name), STATUS_BUSY);
    }
    assert_int_equal(fetch("https://localhost/new"), STATUS_OK);
    assert_int_equal(find("https://localhost/new"), STATUS_OK);
    /* Who comes again is bounded, too. */
    assert_int_equal(bring(0, "https://localhost/flood-999"), STATUS_OK);
    assert_int_equal(bring(1, "https://localhost/flood-998"), STATUS_BUSY);
    hear_all(1);
    close_site();
}

/* What confirms is no key, whatever its URL. */
static void
a_key_does_not_share_the_request_of_a_confirmation(void **state)
{
    (void)state;
    open_site(usual(), true);
    site.told[0] =
        (struct told){ .wait = { .done = hear, .arg = &site.told[0] } };
    assert_int_equal(links_confirm(site.links, &site.bound.connector,
                                   slice_of("https://localhost/a"),
                                   &site.told[0].wait, NULL),
                     STATUS_OK);
    assert_int_equal(bring(1, "https://localhost/a"), STATUS_OK);
    hear_all(2);
    assert_int_equal(atomic_load(&site.server.requests), 2);
    assert_int_equal(site.told[0].key_len, 0);
    assert_true(site.told[1].key_len > 200);
    close_site();
}

static void
failures_drive_out_no_keys(void **state)
{
    (void)state;
    struct links_settings settings = usual();
    settings.keys = 2;
    open_site(settings, true);
    assert_int_equal(fetch("https://localhost/good"), STATUS_OK);
    answer_with(500, "");
    for (int i = 0; i < 4; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "https://localhost/%d", i);
        assert_int_equal(fetch(name), STATUS_UNAVAILABLE);
    }
    assert_int_equal(find("https://localhost/good"), STATUS_OK);
    assert_int_equal(find("https://localhost/2"), STATUS_NOT_FOUND);
    assert_int_equal(find("https://localhost/3"), STATUS_UNAVAILABLE);
    /* Of keys the one goes that was not used the longest. */
    answer_certificate();
    assert_int_equal(fetch("https://localhost/x"), STATUS_OK);
    assert_int_equal(find("https://localhost/good"), STATUS_OK);
    assert_int_equal(fetch("https://localhost/y"), STATUS_OK);
    assert_int_equal(find("https://localhost/x"), STATUS_NOT_FOUND);
    close_site();
}

static void
without_link_base_no_private_address_is_asked(void **state)
{
    (void)state;
    char url[64];
    open_site(usual(), false);
    (void)snprintf(url, sizeof(url), "https://localhost:%u/a",
                   site.server.port);
    assert_int_equal(fetch(url), STATUS_UNAVAILABLE);
    assert_non_null(strstr(site.told[0].words, "private network"));
    assert_int_equal(atomic_load(&site.server.connected), 0);
    close_site();
}

static void
a_confirmation_is_any_2xx(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        enum status means;
    } rows[] = { { 200, STATUS_OK },
                 { 204, STATUS_OK },
                 { 302, STATUS_PROTOCOL },
                 { 500, STATUS_PROTOCOL } };
    open_site(usual(), true);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        answer_with(rows[i].status, "");
        site.told[0] =
            (struct told){ .wait = { .done = hear, .arg = &site.told[0] } };
        assert_int_equal(links_confirm(site.links, &site.bound.connector,
                                       slice_of("https://localhost/?t=1"),
                                       &site.told[0].wait, NULL),
                         STATUS_OK);
        hear_all(1);
        assert_int_equal(site.told[0].status, rows[i].means);
    }
    close_site();
}

static void
the_end_tells_all_who_wait(void **state)
{
    (void)state;
    open_site(usual(), true);
    assert_int_equal(bring(0, "https://localhost/a"), STATUS_OK);
    assert_int_equal(bring(1, "https://localhost/b"), STATUS_OK);
    links_stop(site.links);
    assert_int_equal(site.told[0].status, STATUS_CANCELED);
    assert_int_equal(site.told[1].times, 1);
    assert_int_equal(bring(2, "https://localhost/c"), STATUS_CANCELED);
    links_stop(NULL);
    links_destroy(NULL);
    close_site();
}

static void
running_out_of_memory_keeps_nobody_waiting(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    open_site(usual(), true);
    for (long n = 0; n < 200 && status != STATUS_OK; n++) {
        const struct verify_want want = { .name =
                                              SLICE("https://localhost/a") };
        site.told[0] =
            (struct told){ .wait = { .done = hear, .arg = &site.told[0] } };
        (void)mem_fail_after(n, 0);
        status = links_bring(site.links, &site.bound.connector, &want,
                             &site.told[0].wait, NULL);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
    }
    assert_int_equal(status, STATUS_OK);
    hear_all(1);
    assert_int_equal(site.told[0].status, STATUS_OK);
    close_site();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_who_want_one_key_share_its_fetch),
        cmocka_unit_test(what_is_no_key_fails_and_is_remembered_for_a_while),
        cmocka_unit_test(a_key_grows_old),
        cmocka_unit_test(only_so_many_may_wait_and_be_asked_for),
        cmocka_unit_test(
            a_new_key_is_fetched_though_strangers_ask_for_ever_new_ones),
        cmocka_unit_test(
            a_key_that_was_in_use_comes_back_whatever_else_is_asked_for),
        cmocka_unit_test(a_key_does_not_share_the_request_of_a_confirmation),
        cmocka_unit_test(failures_drive_out_no_keys),
        cmocka_unit_test(without_link_base_no_private_address_is_asked),
        cmocka_unit_test(a_confirmation_is_any_2xx),
        cmocka_unit_test(the_end_tells_all_who_wait),
        cmocka_unit_test(running_out_of_memory_keeps_nobody_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
