/* SPDX-License-Identifier: MIT */
/* Server-sent events: every stream of the table in every way to cut it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/sse.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LIMIT        64

/* Reads one piece and appends what came: "[type|data|id]", "!" in place of
 * data that were too large, "-" where there was only an id. */
static enum status
feed(struct sse_reader *reader, struct slice piece, struct buf *told)
{
    struct sse_event event;
    enum status status;
    while ((status = sse_read(reader, &piece, &event)) == STATUS_OK) {
        buf_byte(told, '[');
        buf_append(told, event.type);
        buf_byte(told, '|');
        if (event.has_data && !event.too_large) {
            buf_append(told, event.data);
        } else {
            buf_text(told, event.too_large ? "!" : "-");
        }
        buf_byte(told, '|');
        if (event.has_id) {
            buf_append(told, event.id);
        } else {
            buf_text(told, "~");
        }
        buf_byte(told, ']');
    }
    return status;
}

static void
assert_told(struct slice stream, size_t first, size_t second,
            const char *expected)
{
    struct sse_reader reader = { 0 };
    struct buf told = { 0 };
    sse_begin(&reader, LIMIT);
    const struct slice pieces[] = {
        slice_first(stream, first),
        slice_first(slice_from(stream, first), second),
        slice_from(stream, first + second),
    };
    for (size_t i = 0; i < COUNT(pieces); i++) {
        assert_int_equal(feed(&reader, pieces[i], &told), STATUS_NOT_FOUND);
    }
    assert_string_equal(told.ptr == NULL ? "" : told.ptr, expected);
    buf_fini(&told);
    sse_end(&reader);
}

#define X10(x) x x x x x x x x x x

static const struct {
    struct slice stream;
    const char *told;
} rows[] = {
    { SLICE("data: a\n\n"), "[|a|~]" },
    { SLICE("data: a\r\n\r\ndata: b\r\rdata: c\n\r\ndata: d\r\n\n"),
      "[|a|~][|b|~][|c|~][|d|~]" },
    { SLICE("data: a\r\ndata: b\r\n\r\n"), "[|a\nb|~]" },
    { SLICE("\xEF\xBB\xBF"
            "data: a\n\n"),
      "[|a|~]" },
    { SLICE("\xEF\xBB"
            "data: a\n\n"),
      "" },
    { SLICE("\n\xEF\xBB\xBF"
            "data: a\n\n"),
      "" },
    /* the examples of the standard */
    { SLICE("data: YHOO\ndata: +2\ndata: 10\n\n"), "[|YHOO\n+2\n10|~]" },
    { SLICE(": test stream\n\ndata: first event\nid: 1\n\n"
            "data:second event\nid\n\ndata:  third event\n\n"),
      "[|first event|1][|second event|][| third event|]" },
    { SLICE("data\n\ndata\ndata\n\ndata:"), "[||~][|\n|~]" },
    { SLICE("data:test\n\ndata: test\n\n"), "[|test|~][|test|~]" },
    /* what is not whole is dropped */
    { SLICE("data: a\n\ndata: b\nid: 7\n"), "[|a|~]" },
    { SLICE("data: a"), "" },
    { SLICE(""), "" },
    /* type and id */
    { SLICE("event: push\ndata: a\n\ndata: b\n\n"), "[push|a|~][|b|~]" },
    { SLICE("event: push\n\ndata: b\n\n"), "[|b|~]" },
    { SLICE("event: a\nevent: b\ndata: c\n\n"), "[b|c|~]" },
    { SLICE("id: 5\ndata: a\n\ndata: b\n\n"), "[|a|5][|b|5]" },
    { SLICE("id: 5\n\nid: 6\nevent: x\n\n"), "[|-|5][x|-|6]" },
    { SLICE("id: 5\ndata: a\n\nid: 6\000x\ndata: b\n\n"), "[|a|5][|b|5]" },
    { SLICE("id: a b: c\ndata: d\n\n"), "[|d|a b: c]" },
    /* comments, fields nobody knows, blanks that count */
    { SLICE(":\n: ping\n\n:data: a\nfoo: b\ndata : c\n Data: d\nDATA: e\n\n"),
      "" },
    { SLICE("retry: 10\ndata: a\n\n"), "[|a|~]" },
    { SLICE("data: a\0b\n\n"), "[|a" },
    /* 64 bytes are an event, 65 are none; the next is whole again */
    { SLICE("data:" X10("123456") "1234\n\n"), "[|" X10("123456") "1234|~]" },
    { SLICE("data:" X10("123456") "12345\nid:1\n\ndata:a\n\n"),
      "[|!|1][|a|1]" },
    { SLICE("data:" X10("123456") "12\ndata:1\n\n"),
      "[|" X10("123456") "12\n1|~]" },
    { SLICE("data:" X10("123456") "12\ndata:12\ndata:3\n\ndata:b\n\n"),
      "[|!|~][|b|~]" },
};

static void
a_stream_tells_the_same_however_it_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct slice stream = rows[i].stream;
        for (size_t first = 0; first <= stream.len; first++) {
            for (size_t second = 0; first + second <= stream.len; second++) {
                assert_told(stream, first, second, rows[i].told);
            }
        }
    }
}

static void
a_stream_that_comes_byte_by_byte_tells_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sse_reader reader = { 0 };
        struct buf told = { 0 };
        sse_begin(&reader, LIMIT);
        for (size_t at = 0; at < rows[i].stream.len; at++) {
            const struct slice piece =
                slice_first(slice_from(rows[i].stream, at), 1);
            assert_int_equal(feed(&reader, piece, &told), STATUS_NOT_FOUND);
        }
        assert_string_equal(told.ptr == NULL ? "" : told.ptr, rows[i].told);
        buf_fini(&told);
        sse_end(&reader);
    }
}

static void
retry_is_digits_only_and_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int64_t ms;
    } retries[] = {
        { "retry: 2500\n", 2500 },
        { "retry:0\n", 0 },
        { "retry\n", -1 },
        { "retry: \n", -1 },
        { "retry: -1\n", -1 },
        { "retry: +1\n", -1 },
        { "retry: 1s\n", -1 },
        { "retry:  1\n", -1 },
        { "retry: 99999999999999999999999999\n", 86400000 },
        { "retry: 5\nretry: x\n", 5 },
    };
    for (size_t i = 0; i < COUNT(retries); i++) {
        struct sse_reader reader = { 0 };
        struct sse_event event;
        struct slice bytes = slice_of(retries[i].line);
        sse_begin(&reader, LIMIT);
        assert_int_equal(sse_read(&reader, &bytes, &event), STATUS_NOT_FOUND);
        assert_int_equal(reader.retry_ms, retries[i].ms);
        sse_end(&reader);
    }
}

/* `count` times `byte`, in pieces of 100. */
static void
feed_much(struct sse_reader *reader, char byte, size_t count, struct buf *told)
{
    char piece[100];
    for (size_t i = 0; i < sizeof(piece); i++) {
        piece[i] = byte;
    }
    for (size_t i = 0; i < count; i += sizeof(piece)) {
        const struct slice bytes = { piece, sizeof(piece) };
        assert_int_equal(feed(reader, bytes, told), STATUS_NOT_FOUND);
    }
}

static void
lines_without_an_end_take_no_memory_and_spoil_only_their_event(void **state)
{
    (void)state;
    static const struct {
        const char *start;
        const char *told;
    } lines[] = {
        { "data: ", "[|!|5]" },
        { "data", "[|ok|5]" }, /* "dataaaa…" is a field of another name */
        { ":", "[|ok|5]" },
        { "id: ", "[|ok|5]" },
        { "event: ", "[|ok|5]" },
        { "retry: ", "[|ok|5]" },
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct sse_reader reader = { 0 };
        struct buf told = { 0 };
        sse_begin(&reader, LIMIT);
        (void)feed(&reader, slice_of("id:5\ndata:ok\n"), &told);
        (void)feed(&reader, slice_of(lines[i].start), &told);
        feed_much(&reader, 'a', 1000000, &told);
        assert_true(reader.line.cap < 8192 && reader.data.cap < 8192);
        (void)feed(&reader, slice_of("\n\n"), &told);
        assert_string_equal(told.ptr, lines[i].told);
        buf_clear(&told);
        (void)feed(&reader, slice_of("data:b\n\n"), &told);
        assert_string_equal(told.ptr, "[|b|5]");
        buf_fini(&told);
        sse_end(&reader);
    }
}

static void
lines_without_number_take_no_memory_either(void **state)
{
    (void)state;
    struct sse_reader reader = { 0 };
    struct buf told = { 0 };
    sse_begin(&reader, LIMIT);
    for (size_t i = 0; i < 100000; i++) {
        (void)feed(&reader, slice_of("data\ndata: a\nid: x\n"), &told);
    }
    assert_true(reader.line.cap < 8192 && reader.data.cap < 8192);
    (void)feed(&reader, slice_of("\n"), &told);
    assert_string_equal(told.ptr, "[|!|x]");
    buf_fini(&told);
    sse_end(&reader);
}

static void
memory_that_runs_out_is_told(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    for (long n = 0; status == STATUS_NOMEM; n++) {
        struct sse_reader reader = { 0 };
        struct sse_event event;
        struct slice piece = SLICE("event: a\nid: 1\nda");
        assert_true(n < 20);
        sse_begin(&reader, LIMIT);
        (void)mem_fail_after(n, 0);
        status = sse_read(&reader, &piece, &event);
        if (status == STATUS_NOT_FOUND) {
            piece = slice_of("ta: b\n\n");
            status = sse_read(&reader, &piece, &event);
        }
        (void)mem_fail_after(-1, 0);
        assert_true(n > 0 || status == STATUS_NOMEM);
        sse_end(&reader);
    }
    assert_int_equal(status, STATUS_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_tells_the_same_however_it_is_cut),
        cmocka_unit_test(a_stream_that_comes_byte_by_byte_tells_the_same),
        cmocka_unit_test(retry_is_digits_only_and_bounded),
        cmocka_unit_test(
            lines_without_an_end_take_no_memory_and_spoil_only_their_event),
        cmocka_unit_test(lines_without_number_take_no_memory_either),
        cmocka_unit_test(memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
