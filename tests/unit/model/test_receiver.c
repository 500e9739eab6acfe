/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "model/receiver.h"
#include "wire/digest.h"
#include "wire/encode.h"

#define DAY_MS ((int64_t)86400000)
#define NOW_MS ((int64_t)1790000000000)

static const struct receiver_rules rules = { .disable_after_ms = 5 * DAY_MS };

/* ---- what is stored ---- */

static void
what_is_stored_is_read_back_whole(void **state)
{
    (void)state;
    struct slice events[] = { SLICE("order.*"), SLICE("!order.\"x\"") };
    struct slice connectors[] = { SLICE("shop") };
    const struct receiver whole = {
        .id = SLICE("rcv_1"),
        .url = SLICE("https://example.com/a?b=\"c\""),
        .events = { events, 2 },
        .connectors = { connectors, 1 },
        .secrets = { { SLICE("whsec_AAAA"), 0 },
                     { SLICE("the one before"), NOW_MS + 1 } },
        .secret_count = 2,
        .created_ms = 1,
        .failing_ms = 2,
        .disabled_ms = 3,
        .why = SLICE("it answered 410"),
    };
    struct buf text = { 0 };
    struct buf again = { 0 };
    struct arena arena = { 0 };
    struct receiver got;
    receiver_encode(&whole, NOW_MS, &text);
    assert_int_equal(receiver_decode(buf_slice(&text), &arena, &got),
                     STATUS_OK);
    receiver_encode(&got, NOW_MS, &again);
    assert_true(slice_equal(buf_slice(&again), buf_slice(&text)));
    /* nothing of it is borrowed of the text */
    memset(text.ptr, 'x', text.len);
    assert_true(slice_equal(got.url, whole.url));
    assert_true(slice_equal(got.events.at[1], events[1]));
    assert_true(slice_equal(got.secrets[1].text, whole.secrets[1].text));
    assert_int_equal(got.disabled_ms, 3);
    /* a secret whose time is over is not written down again */
    buf_clear(&again);
    receiver_encode(&got, NOW_MS + 1, &again);
    assert_int_equal(
        slice_find_slice(buf_slice(&again), slice_of("the one before")),
        SIZE_MAX);
    buf_fini(&text);
    buf_fini(&again);
    arena_fini(&arena);
}

#define SECRET "{\"until\":0,\"text\":\"a\"}"

static void
what_is_no_receiver_is_not_taken_for_one(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"id\":\"a\"}",
        "{\"url\":\"a\"}",
        "{\"id\":\"a\",\"url\":\"b\",\"created\":\"x\"}",
        "{\"id\":\"a\",\"url\":\"b\",\"events\":[1]}",
        "{\"id\":\"a\",\"url\":\"b\",\"secrets\":[{}]}",
        /* one more than there can be */
        "{\"id\":\"a\",\"url\":\"b\",\"secrets\":[" SECRET "," SECRET "," SECRET
        "]}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct arena arena = { 0 };
        struct receiver got;
        assert_int_equal(receiver_decode(slice_of(texts[i]), &arena, &got),
                         STATUS_CORRUPT);
        arena_fini(&arena);
    }
}

static void
reading_survives_every_failed_allocation(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK && n < 100; n++) {
        struct arena arena = { 0 };
        struct receiver got;
        mem_fail_after(n, 0);
        status = receiver_decode(
            slice_of("{\"id\":\"a\",\"url\":\"b\\u0041\",\"events\":[\"c\"],"
                     "\"secrets\":[{\"until\":0,\"text\":\"a\"}]}"),
            &arena, &got);
        mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        arena_fini(&arena);
    }
    assert_int_equal(status, STATUS_OK);
}

/* ---- what is asked for ---- */

static void
what_is_asked_for_is_read_and_mistakes_are_said(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *words; /* NULL: it is well */
        size_t events;
    } rows[] = {
        { "{\"url\":\"https://a/\"}", NULL, 0 },
        { "{\"url\":\"https://a/\",\"events\":\"order.*\"}", NULL, 1 },
        { "{\"url\":\"https://a/\",\"events\":[\"a\",\"!b\"]}", NULL, 2 },
        { "{\"url\":\"https://a/\",\"events\":null,\"secret\":null}", NULL, 0 },
        { "{\"url\":\"https://a/\",\"events\":[\"!\"]}", "'events'", 0 },
        { "{\"url\":\"https://a/\",\"events\":{}}", "'events'", 0 },
        { "{\"url\":\"https://a/\",\"connectors\":[null]}", "'connectors'", 0 },
        { "{\"url\":\"https://a/\",\"secret\":7}", "'secret'", 0 },
        { "{\"url\":\"https://a/\",\"secret\":\"with a blank in it\"}",
          "'secret'", 0 },
        { "{\"url\":7}", "nothing else", 0 },
        { "{\"events\":\"a\"}", "'url' is missing", 0 },
        { "7", "must be a JSON object", 0 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = { 0 };
        struct error err = { 0 };
        struct receiver got;
        enum status status =
            receiver_read(slice_of(rows[i].body), &arena, &got, &err);
        if (rows[i].words == NULL) {
            assert_int_equal(status, STATUS_OK);
            assert_int_equal(got.events.count, rows[i].events);
        } else {
            assert_int_equal(status, STATUS_INVALID);
            assert_non_null(strstr(err.text, rows[i].words));
        }
        arena_fini(&arena);
    }
}

static void
urls_are_of_the_internet_unless_it_is_allowed(void **state)
{
    (void)state;
    struct cidr ours;
    assert_int_equal(address_parse_cidr(slice_of("10.2.0.0/16"), &ours),
                     STATUS_OK);
    const struct receiver_rules strict = { .allowed = NULL };
    const struct receiver_rules open = { .http = true,
                                         .allowed = &ours,
                                         .allowed_count = 1 };
    static const struct {
        const char *url;
        bool strict;
        bool open;
    } rows[] = {
        { "https://example.com/a", true, true },
        { "http://example.com/a", false, true },
        { "ftp://example.com/a", false, false },
        { "https://u:p@example.com/", false, false },
        { "https://93.184.216.34/", true, true },
        { "https://10.2.3.4/", false, true },
        { "https://10.3.3.4/", false, false },
        { "https://127.0.0.1:8443/", false, false },
        { "https://169.254.169.254/latest", false, false },
        { "https://[::1]/", false, false },
        { "https://[::ffff:10.2.3.4]/", false, true },
        { "https://[::ffff:10.3.3.4]/", false, false },
        { "https://[2606:2800:220:1::1]/", true, true },
        { "", false, false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error err = { 0 };
        struct slice url = slice_of(rows[i].url);
        bool by_strict = receiver_check_url(url, &strict, &err) == STATUS_OK;
        bool by_open = receiver_check_url(url, &open, &err) == STATUS_OK;
        if (by_strict != rows[i].strict || by_open != rows[i].open) {
            fail_msg("%s", rows[i].url);
        }
    }
}

static void
a_secret_that_is_made_is_32_bytes_and_never_the_same(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct buf key = { 0 };
    struct slice one, two;
    assert_int_equal(receiver_make_secret(&arena, &one), STATUS_OK);
    assert_int_equal(receiver_make_secret(&arena, &two), STATUS_OK);
    assert_false(slice_equal(one, two));
    assert_true(receiver_is_secret(one));
    assert_true(slice_starts(one, slice_of("whsec_")));
    assert_int_equal(decode_base64(slice_from(one, 6), &key), STATUS_OK);
    assert_int_equal(key.len, 32);
    buf_fini(&key);
    arena_fini(&arena);
}

/* ---- how it does ---- */

static void
it_is_disabled_when_it_only_fails_for_so_long_and_not_before(void **state)
{
    (void)state;
    struct receiver one = { .id = SLICE("a") };
    assert_false(receiver_note(&one, &rules, RECEIVER_FAILED, NOW_MS));
    assert_int_equal(one.failing_ms, NOW_MS);
    assert_false(
        receiver_note(&one, &rules, RECEIVER_FAILED, NOW_MS + 5 * DAY_MS - 1));
    assert_false(receiver_note(&one, &rules, RECEIVER_TOOK_IT, NOW_MS + 1));
    assert_int_equal(one.failing_ms, 0);
    assert_false(
        receiver_note(&one, &rules, RECEIVER_FAILED, NOW_MS + 5 * DAY_MS));
    assert_true(
        receiver_note(&one, &rules, RECEIVER_FAILED, NOW_MS + 10 * DAY_MS));
    assert_int_equal(one.disabled_ms, NOW_MS + 10 * DAY_MS);
    assert_true(one.why.len > 0);
    /* told once */
    assert_false(
        receiver_note(&one, &rules, RECEIVER_GONE, NOW_MS + 11 * DAY_MS));
    receiver_enable(&one);
    assert_int_equal(one.disabled_ms, 0);
    assert_int_equal(one.failing_ms, 0);
}

static void
gone_disables_at_once(void **state)
{
    (void)state;
    struct receiver one = { .id = SLICE("a") };
    assert_true(receiver_note(&one, &rules, RECEIVER_GONE, NOW_MS));
    assert_non_null(strstr(one.why.ptr, "410"));
}

static void
a_clock_that_was_set_back_is_no_time_of_failure(void **state)
{
    (void)state;
    struct receiver one = { .id = SLICE("a") };
    assert_false(
        receiver_note(&one, &rules, RECEIVER_FAILED, NOW_MS + 100 * DAY_MS));
    assert_false(receiver_note(&one, &rules, RECEIVER_FAILED, NOW_MS));
    assert_int_equal(one.failing_ms, NOW_MS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_stored_is_read_back_whole),
        cmocka_unit_test(what_is_no_receiver_is_not_taken_for_one),
        cmocka_unit_test(reading_survives_every_failed_allocation),
        cmocka_unit_test(what_is_asked_for_is_read_and_mistakes_are_said),
        cmocka_unit_test(urls_are_of_the_internet_unless_it_is_allowed),
        cmocka_unit_test(a_secret_that_is_made_is_32_bytes_and_never_the_same),
        cmocka_unit_test(
            it_is_disabled_when_it_only_fails_for_so_long_and_not_before),
        cmocka_unit_test(gone_disables_at_once),
        cmocka_unit_test(a_clock_that_was_set_back_is_no_time_of_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
