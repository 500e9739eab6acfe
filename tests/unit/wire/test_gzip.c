/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "wire/gzip.h"

#define MIB ((size_t)1024 * 1024)

static const struct slice words = SLICE("six words, and six words again");

/* `bytes` deflated; the caller frees it. */
static struct buf
packed(struct slice bytes)
{
    struct buf buf = { 0 };
    assert_int_equal(gzip_deflate(bytes, &buf), STATUS_OK);
    return buf;
}

static void
what_was_deflated_inflates_to_the_same_bytes(void **state)
{
    (void)state;
    for (size_t len = 0; len < 100000; len = len * 3 + 1) {
        struct buf plain = { 0 };
        struct buf again = { 0 };
        for (size_t i = 0; i < len; i++) {
            buf_byte(&plain, (char)(i * i % 251));
        }
        struct buf small = packed(buf_slice(&plain));
        buf_text(&again, "before:");
        assert_int_equal(gzip_inflate(buf_slice(&small), MIB, 1000, &again),
                         STATUS_OK);
        assert_true(
            slice_equal(slice_from(buf_slice(&again), 7), buf_slice(&plain)));
        buf_fini(&plain);
        buf_fini(&small);
        buf_fini(&again);
    }
}

/* RFC 1950: "hello" as other programs send it under "deflate". */
static void
the_zlib_format_is_read_too(void **state)
{
    static const struct slice hello =
        SLICE("\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15");
    struct buf out = { 0 };
    (void)state;
    assert_int_equal(gzip_inflate(hello, MIB, 100, &out), STATUS_OK);
    assert_true(slice_equal_text(buf_slice(&out), "hello"));
    buf_fini(&out);
}

static void
a_stream_cut_short_anywhere_is_refused(void **state)
{
    struct buf small = packed(words);
    (void)state;
    for (size_t len = 0; len < small.len; len++) {
        struct buf out = { 0 };
        assert_int_equal(
            gzip_inflate(slice_first(buf_slice(&small), len), MIB, 100, &out),
            STATUS_INVALID);
        assert_int_equal(out.len, 0);
        buf_fini(&out);
    }
    buf_fini(&small);
}

static void
altered_or_additional_bytes_are_refused(void **state)
{
    struct buf small = packed(words);
    struct buf out = { 0 };
    (void)state;
    small.ptr[small.len - 5] ^= 1; /* in the checksum */
    assert_int_equal(gzip_inflate(buf_slice(&small), MIB, 100, &out),
                     STATUS_INVALID);
    small.ptr[small.len - 5] ^= 1;
    buf_byte(&small, 'x');
    assert_int_equal(gzip_inflate(buf_slice(&small), MIB, 100, &out),
                     STATUS_INVALID);
    assert_int_equal(gzip_inflate(words, MIB, 100, &out), STATUS_INVALID);
    assert_int_equal(gzip_inflate((struct slice){ NULL, 0 }, MIB, 100, &out),
                     STATUS_INVALID);
    assert_int_equal(out.len, 0);
    buf_fini(&small);
    buf_fini(&out);
}

/* `count` blanks deflated: about a thousandth of their size. */
static struct buf
packed_blanks(size_t count)
{
    struct buf plain = { 0 };
    char *room = buf_reserve(&plain, count);
    assert_non_null(room);
    memset(room, ' ', count);
    plain.len = count;
    struct buf small = packed(buf_slice(&plain));
    buf_fini(&plain);
    return small;
}

static void
the_limit_is_met_to_the_byte(void **state)
{
    struct buf small = packed_blanks(20000);
    struct buf out = { 0 };
    (void)state;
    assert_int_equal(gzip_inflate(buf_slice(&small), 19999, 1000, &out),
                     STATUS_TOO_LARGE);
    assert_int_equal(out.len, 0);
    assert_int_equal(gzip_inflate(buf_slice(&small), 20000, 1000, &out),
                     STATUS_OK);
    assert_int_equal(out.len, 20000);
    buf_fini(&small);
    buf_fini(&out);
}

static void
a_bomb_is_stopped_by_its_ratio(void **state)
{
    struct buf bomb = packed_blanks(16 * MIB);
    struct buf mild = packed_blanks((size_t)60 * 1024);
    struct buf out = { 0 };
    (void)state;
    assert_int_equal(gzip_inflate(buf_slice(&bomb), 64 * MIB, 100, &out),
                     STATUS_TOO_LARGE);
    /* Stopped early, not after everything was inflated. */
    assert_true(out.cap < 4 * MIB);
    assert_int_equal(gzip_inflate(buf_slice(&mild), 64 * MIB, 2, &out),
                     STATUS_OK);
    buf_fini(&bomb);
    buf_fini(&mild);
    buf_fini(&out);
}

static void
the_limit_of_the_buf_counts_too(void **state)
{
    struct buf small = packed_blanks(20000);
    struct buf out = { .limit = 10000 };
    (void)state;
    assert_int_equal(gzip_inflate(buf_slice(&small), MIB, 1000, &out),
                     STATUS_TOO_LARGE);
    assert_int_equal(out.len, 0);
    buf_fini(&small);
    buf_fini(&out);
}

static void
both_ways_survive_every_failing_allocation(void **state)
{
    enum status status = STATUS_NOMEM;
    struct buf small = packed(words);
    (void)state;
    for (long n = 0; status != STATUS_OK; n++) {
        struct buf out = { 0 };
        assert_true(n < 20);
        (void)mem_fail_after(n, 0);
        status = gzip_deflate(words, &out);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        buf_fini(&out);
    }
    status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK; n++) {
        struct buf out = { 0 };
        assert_true(n < 20);
        (void)mem_fail_after(n, 0);
        status = gzip_inflate(buf_slice(&small), MIB, 100, &out);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        buf_fini(&out);
    }
    buf_fini(&small);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_deflated_inflates_to_the_same_bytes),
        cmocka_unit_test(the_zlib_format_is_read_too),
        cmocka_unit_test(a_stream_cut_short_anywhere_is_refused),
        cmocka_unit_test(altered_or_additional_bytes_are_refused),
        cmocka_unit_test(the_limit_is_met_to_the_byte),
        cmocka_unit_test(a_bomb_is_stopped_by_its_ratio),
        cmocka_unit_test(the_limit_of_the_buf_counts_too),
        cmocka_unit_test(both_ways_survive_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
