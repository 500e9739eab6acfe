/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "model/transfer.h"

static const struct transfer whole = {
    .connector = SLICE("shop"),
    .via = CHANNEL_BACKFILL,
    .time_ms = 1790000000123,
    .recorded_ms = 1790000001456,
    .id = SLICE("evt \"1\"\n\xc3\xa9"),
    .type = SLICE("order.paid"),
    .content_type = SLICE("application/json"),
    .headers = SLICE("x-a: 1\nx-b: \xff\n"),
    .body = { "{\"a\":\0001}", 8 },
};

static void
assert_same(const struct transfer *a, const struct transfer *b)
{
    assert_true(slice_equal(a->connector, b->connector));
    assert_int_equal(a->via, b->via);
    assert_true(a->time_ms == b->time_ms);
    assert_true(a->recorded_ms == b->recorded_ms);
    assert_true(slice_equal(a->id, b->id));
    assert_true(slice_equal(a->type, b->type));
    assert_true(slice_equal(a->content_type, b->content_type));
    assert_true(slice_equal(a->headers, b->headers));
    assert_true(slice_equal(a->body, b->body));
}

static void
what_is_written_is_read_back_to_the_byte(void **state)
{
    (void)state;
    const struct transfer bare = { .connector = SLICE("shop"),
                                   .id = SLICE("1"),
                                   .type = SLICE("t") };
    const struct transfer *const rows[] = { &whole, &bare };
    for (size_t i = 0; i < 2; i++) {
        struct buf text = { 0 };
        struct arena arena = { 0 };
        struct transfer line;
        struct error err = { "" };
        transfer_write(rows[i], &text);
        assert_int_equal(slice_find(buf_slice(&text), '\n'), SIZE_MAX);
        assert_int_equal(transfer_read(buf_slice(&text), &arena, &line, &err),
                         STATUS_OK);
        assert_same(&line, rows[i]);
        buf_fini(&text);
        arena_fini(&arena);
    }
}

static void
what_is_wrong_is_named(void **state)
{
    (void)state;
#define REST "\"connector\":\"s\",\"type\":\"t\",\"body\":\"\""
    static const struct {
        const char *text, *words;
    } rows[] = {
        { "", "no JSON object" },
        { "[]", "no JSON object" },
        { "{\"id\":\"1\"," REST "}", "'via'" },
        { "{\"via\":\"mail\",\"id\":\"1\"," REST "}", "'via'" },
        { "{\"via\":\"poll\"," REST "}", "'id'" },
        { "{\"via\":\"poll\",\"id\":\"\"," REST "}", "'id'" },
        { "{\"via\":\"poll\",\"id\":1," REST "}", "'id'" },
        { "{\"via\":\"poll\",\"id_base64\":\"%\"," REST "}", "'id_base64'" },
        { "{\"via\":\"poll\",\"id_base64\":7," REST "}", "'id_base64'" },
        { "{\"via\":\"poll\",\"id\":\"1\",\"time\":7," REST "}", "'time'" },
        { "{\"via\":\"poll\",\"id\":\"1\",\"recorded\":\"x\"," REST "}",
          "'recorded'" },
        { "{\"via\":\"poll\",\"id\":\"1\",\"headers\":{}," REST "}",
          "'headers'" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = { 0 };
        struct transfer line;
        struct error err = { "" };
        assert_int_equal(
            transfer_read(slice_of(rows[i].text), &arena, &line, &err),
            STATUS_INVALID);
        if (strstr(err.text, rows[i].words) == NULL) {
            fail_msg("\"%s\": %s", rows[i].text, err.text);
        }
        arena_fini(&arena);
    }
}

static void
memory_that_runs_out_is_told(void **state)
{
    (void)state;
    struct buf text = { 0 };
    struct transfer line;
    enum status status = STATUS_NOMEM;
    transfer_write(&whole, &text);
    long n = 0;
    for (; status == STATUS_NOMEM && n < 40; n++) {
        struct arena arena = { 0 };
        struct error err = { "" };
        (void)mem_fail_after(n, 0);
        status = transfer_read(buf_slice(&text), &arena, &line, &err);
        (void)mem_fail_after(-1, 0);
        arena_fini(&arena);
    }
    assert_int_equal(status, STATUS_OK);
    assert_true(n > 1);
    buf_fini(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back_to_the_byte),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
