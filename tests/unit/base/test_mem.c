/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdalign.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"

static void
zeroed_memory_is_zero_and_nothing_counts_as_one_byte(void **state)
{
    (void)state;
    unsigned char *bytes = mem_zero(64);
    assert_non_null(bytes);
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(bytes[i], 0);
    }
    mem_free(bytes);

    void *blocks[] = { mem_alloc(0), mem_zero(0), mem_array(0, 8),
                       mem_array(8, 0), mem_resize(NULL, 0, 8) };
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        assert_non_null(blocks[i]);
        mem_free(blocks[i]);
    }
    mem_free(NULL);
}

static void
a_size_that_overflows_is_refused(void **state)
{
    struct arena arena = { 0 };
    (void)state;
    assert_null(mem_array(SIZE_MAX / 2, 3));
    assert_null(mem_resize(NULL, SIZE_MAX / 2, 3));
    assert_null(arena_array(&arena, SIZE_MAX / 2, 3));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - alignof(max_align_t)));
    assert_null(arena_text(&arena, (struct slice){ "", SIZE_MAX }));
    assert_int_equal(arena.used_bytes, 0);
    arena_fini(&arena);
}

static void
a_resize_that_fails_leaves_the_old_block(void **state)
{
    (void)state;
    char *old = mem_alloc(4);
    assert_non_null(old);
    memcpy(old, "abc", 4);
    (void)mem_fail_after(0, 0);
    assert_null(mem_resize(old, 1000, 1));
    assert_string_equal(old, "abc");
    char *grown = mem_resize(old, 1000, 1);
    assert_non_null(grown);
    assert_string_equal(grown, "abc");
    mem_free(grown);
}

static void
a_wiped_secret_is_gone(void **state)
{
    char secret[] = "correct horse";
    (void)state;
    mem_wipe(secret, sizeof(secret));
    for (size_t i = 0; i < sizeof(secret); i++) {
        assert_int_equal(secret[i], 0);
    }
    mem_wipe(NULL, 0);
}

static void
the_hook_fails_once_or_from_there_on(void **state)
{
    (void)state;
    for (int always = 0; always <= 1; always++) {
        (void)mem_fail_after(2, always);
        void *first = mem_alloc(1);
        void *second = mem_zero(1);
        assert_non_null(first);
        assert_non_null(second);
        assert_null(mem_array(1, 1));
        void *fourth = mem_alloc(1);
        assert_int_equal(fourth == NULL, always);
        assert_int_equal(mem_fail_after(-1, 0), 4);
        mem_free(first);
        mem_free(second);
        mem_free(fourth);
    }
    void *block = mem_alloc(1);
    assert_non_null(block);
    mem_free(block);
    assert_int_equal(mem_fail_after(-1, 0), 1);
}

static void
an_arena_hands_out_aligned_memory_that_does_not_overlap(void **state)
{
    static const size_t sizes[] = {
        1, 7, 0, 16, 100, 5000, 3, 1024, 1, 200000
    };
    struct arena arena = { 0 };
    unsigned char *blocks[10];
    (void)state;
    for (size_t i = 0; i < 10; i++) {
        blocks[i] = arena_alloc(&arena, sizes[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % alignof(max_align_t), 0);
        memset(blocks[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < 10; i++) {
        for (size_t at = 0; at < sizes[i]; at++) {
            assert_int_equal(blocks[i][at], i + 1);
        }
    }
    assert_true(arena.used_bytes >= 206152);
    arena_fini(&arena);
    assert_int_equal(arena.used_bytes, 0);
    assert_non_null(arena_alloc(&arena, 1));
    arena_fini(&arena);
    arena_fini(&arena);
}

static void
a_large_piece_leaves_the_open_block_in_use(void **state)
{
    struct arena arena = { 0 };
    (void)state;
    char *small = arena_alloc(&arena, 16);
    assert_non_null(small);
    assert_non_null(arena_alloc(&arena, 100000));
    char *next = arena_alloc(&arena, 16);
    assert_ptr_equal(next, small + 16);
    arena_fini(&arena);
}

static void
a_copy_ends_in_nul_and_keeps_every_byte(void **state)
{
    static const char bytes[] = { 'a', '\0', 'b', 'x' };
    struct arena arena = { 0 };
    struct slice copy;
    (void)state;
    assert_int_equal(arena_copy(&arena, (struct slice){ bytes, 3 }, &copy),
                     STATUS_OK);
    assert_int_equal(copy.len, 3);
    assert_memory_equal(copy.ptr, "a\0b\0", 4);
    assert_int_equal(arena_copy(&arena, (struct slice){ NULL, 0 }, &copy),
                     STATUS_OK);
    assert_string_equal(copy.ptr, "");
    int *numbers = arena_array(&arena, 3, sizeof(*numbers));
    assert_non_null(numbers);
    assert_int_equal(numbers[0] | numbers[1] | numbers[2], 0);
    arena_fini(&arena);
}

static void
a_joined_arena_owns_what_the_other_had(void **state)
{
    struct arena one = { 0 };
    struct arena other = { 0 };
    (void)state;
    char *a = arena_text(&one, slice_of("one"));
    char *b = arena_text(&other, slice_of("other"));
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(arena_alloc(&other, 9000));
    size_t used = one.used_bytes + other.used_bytes;
    arena_join(&one, &other);
    assert_int_equal(one.used_bytes, used);
    assert_int_equal(other.used_bytes, 0);
    arena_fini(&other);
    assert_string_equal(a, "one");
    assert_string_equal(b, "other");
    arena_join(&one, &other);
    arena_join(&other, &one);
    assert_string_equal(b, "other");
    arena_fini(&one);
    arena_fini(&other);
}

static void
an_arena_that_runs_out_says_so_and_goes_on(void **state)
{
    struct arena arena = { 0 };
    struct slice copy = SLICE("before");
    (void)state;
    (void)mem_fail_after(0, 0);
    assert_int_equal(arena_copy(&arena, slice_of("x"), &copy), STATUS_NOMEM);
    assert_string_equal(copy.ptr, "before");
    (void)mem_fail_after(0, 0);
    assert_null(arena_array(&arena, 1, 1));
    (void)mem_fail_after(0, 0);
    assert_null(arena_text(&arena, slice_of("x")));
    assert_int_equal(arena.used_bytes, 0);
    assert_int_equal(arena_copy(&arena, slice_of("x"), &copy), STATUS_OK);
    arena_fini(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_memory_is_zero_and_nothing_counts_as_one_byte),
        cmocka_unit_test(a_size_that_overflows_is_refused),
        cmocka_unit_test(a_resize_that_fails_leaves_the_old_block),
        cmocka_unit_test(a_wiped_secret_is_gone),
        cmocka_unit_test(the_hook_fails_once_or_from_there_on),
        cmocka_unit_test(
            an_arena_hands_out_aligned_memory_that_does_not_overlap),
        cmocka_unit_test(a_large_piece_leaves_the_open_block_in_use),
        cmocka_unit_test(a_copy_ends_in_nul_and_keeps_every_byte),
        cmocka_unit_test(a_joined_arena_owns_what_the_other_had),
        cmocka_unit_test(an_arena_that_runs_out_says_so_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
