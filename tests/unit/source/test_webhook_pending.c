/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include <stdlib.h>

#include "io/kept.h"
#include "io/scratch.h"
#include "model/registration.h"
#include "source/webhook_pending.h"
#include "wire/digest.h"

#define NOW  INT64_C(1700000000000)
#define HERE "https://hooks.test/hooks/shop"

static struct {
    struct buf directory;
    struct bound bound;
} site;

static void
open_site(void)
{
    memset(&site, 0, sizeof(site));
    assert_int_equal(digest_init(NULL), STATUS_OK);
    assert_int_equal(scratch_make("longstop-test", &site.directory, NULL),
                     STATUS_OK);
    bound_texts(&site.bound,
                "verify: {type: hmac, signature: {from: 'header:X-S'}, signed: "
                "'{body}'}\nevent: {id: 'json:id'}\n"
                "handshake: {when: {x: 'header:X-Secret', present: true}, "
                "verify: false, store_secret: 'header:X-Secret', respond: "
                "{status: 200}}\n"
                "register: {create: {method: POST, url: 'https://api.test/'}, "
                "auth: {type: bearer, value: k}, pending: 10m}\n",
                NULL, "https://hooks.test");
    bound_must(&site.bound);
}

static void
close_site(void)
{
    bound_fini(&site.bound);
    scratch_remove(site.directory.ptr);
    buf_fini(&site.directory);
}

static void
keep(const char *name, const char *text)
{
    assert_int_equal(kept_write(site.directory.ptr, site.bound.connector.name,
                                slice_of(name), slice_of(text), NULL),
                     STATUS_OK);
}

static enum webhook_pending_verdict
knock(const char *secret)
{
    struct arena arena = { 0 };
    const struct handshake *shake = NULL;
    struct http_field field = { SLICE("X-Secret"), slice_of(secret) };
    const struct inbound request = { .method = SLICE("POST"),
                                     .path_query = SLICE("/hooks/shop"),
                                     .fields = { &field, 1 } };
    enum webhook_pending_verdict verdict =
        webhook_pending_judge(site.directory.ptr, &site.bound.connector,
                              &request, NOW, &arena, &shake);
    arena_fini(&arena);
    return verdict;
}

static void
it_is_open_for_a_while_after_what_was_asked_for_here(void **state)
{
    (void)state;
    static const struct {
        const char *note;
        bool is_open;
    } rows[] = {
        { "{\"at_ms\":1700000000000,\"url\":\"" HERE "\"}", true },
        { "{\"at_ms\":1699999400001,\"url\":\"" HERE "\"}", true },
        { "{\"at_ms\":1699999400000,\"url\":\"" HERE "\"}", false },
        /* a clock that was set back proves nothing */
        { "{\"at_ms\":1700000000001,\"url\":\"" HERE "\"}", false },
        /* asked for when we were elsewhere */
        { "{\"at_ms\":1700000000000,\"url\":\"https://old.test/\"}", false },
        { "{\"at_ms\":1700000000000}", false },
        { "{}", false },
        { "no note", false },
    };
    open_site();
    assert_false(webhook_pending_is_open(site.directory.ptr,
                                         &site.bound.connector, NOW));
    assert_false(webhook_pending_is_open(NULL, &site.bound.connector, NOW));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        keep(REGISTRATION_NOTE, rows[i].note);
        if (webhook_pending_is_open(site.directory.ptr, &site.bound.connector,
                                    NOW) != rows[i].is_open) {
            fail_msg("%s", rows[i].note);
        }
        assert_int_equal(knock("s3cret"),
                         rows[i].is_open ? PENDING_ANSWER : PENDING_REFUSED);
        if (rows[i].is_open) {
            assert_int_equal(kept_remove(site.directory.ptr,
                                         site.bound.connector.name,
                                         slice_of(REGISTRATION_SECRET), NULL),
                             STATUS_OK);
        }
    }
    close_site();
}

static void
what_is_no_secret_is_not_kept(void **state)
{
    (void)state;
    static char longest[512 + 1];
    static char longer[513 + 1];
    memset(longest, 'x', sizeof(longest) - 1);
    memset(longer, 'x', sizeof(longer) - 1);
    open_site();
    keep(REGISTRATION_NOTE, "{\"at_ms\":1700000000000,\"url\":\"" HERE "\"}");
    assert_int_equal(knock(""), PENDING_REFUSED);
    assert_int_equal(knock("two words"), PENDING_REFUSED);
    assert_int_equal(knock("a\tb"), PENDING_REFUSED);
    assert_int_equal(knock("\xc3\xa4"), PENDING_REFUSED);
    assert_int_equal(knock(longer), PENDING_REFUSED);
    assert_int_equal(knock(longest), PENDING_ANSWER);
    /* once; and the same one again, whose answer was not heard */
    assert_int_equal(knock("another"), PENDING_REFUSED);
    assert_int_equal(knock(longest), PENDING_ANSWER);
    close_site();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_open_for_a_while_after_what_was_asked_for_here),
        cmocka_unit_test(what_is_no_secret_is_not_kept),
    };
    return cmocka_run_group_tests_name("source/webhook_pending", tests, NULL,
                                       NULL);
}
