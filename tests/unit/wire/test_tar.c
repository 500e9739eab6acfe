/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "wire/tar.h"

/* What GNU tar 1.34 writes for such a file, its sum included. */
static void
a_header_is_what_other_programs_write(void **state)
{
    struct buf tar = { 0 };
    (void)state;
    tar_file(slice_of("a.txt"), slice_of("hello"), 1790000000000, &tar);
    assert_int_equal(buf_status(&tar), STATUS_OK);
    assert_int_equal(tar.len, 1024);
    assert_string_equal(tar.ptr, "a.txt");
    assert_string_equal(tar.ptr + 100, "0000600");
    assert_string_equal(tar.ptr + 124, "00000000005");
    assert_string_equal(tar.ptr + 136, "15254235600");
    assert_memory_equal(tar.ptr + 257, "ustar\00000", 8);
    unsigned sum = 8 * ' ';
    for (size_t i = 0; i < 512; i++) {
        sum += i >= 148 && i < 156 ? 0 : (unsigned char)tar.ptr[i];
    }
    char text[8] = "";
    for (int at = 5; at >= 0; at--, sum /= 8) {
        text[at] = (char)('0' + sum % 8);
    }
    assert_memory_equal(tar.ptr + 148, text, 7);
    assert_int_equal(tar.ptr[155], ' ');
    assert_string_equal(tar.ptr + 512, "hello");
    buf_fini(&tar);
}

static void
files_fill_whole_blocks_and_two_empty_ones_end_them(void **state)
{
    static const struct {
        size_t bytes, blocks;
    } rows[] = { { 0, 3 }, { 1, 4 }, { 511, 4 }, { 512, 4 }, { 513, 5 } };
    static char bytes[513];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf tar = { 0 };
        memset(bytes, 'x', sizeof(bytes));
        tar_file(slice_of("x"), (struct slice){ bytes, rows[i].bytes }, 0,
                 &tar);
        tar_end(&tar);
        assert_int_equal(buf_status(&tar), STATUS_OK);
        assert_int_equal(tar.len, rows[i].blocks * 512);
        for (size_t at = tar.len - 1024; at < tar.len; at++) {
            assert_int_equal(tar.ptr[at], 0);
        }
        buf_fini(&tar);
    }
}

static void
a_name_that_does_not_fit_makes_it_fail(void **state)
{
    char name[TAR_NAME_BYTES + 1];
    struct buf tar = { 0 };
    (void)state;
    memset(name, 'n', sizeof(name));
    tar_file((struct slice){ name, TAR_NAME_BYTES }, slice_of(""), 0, &tar);
    assert_int_equal(buf_status(&tar), STATUS_OK);
    tar_file((struct slice){ name, sizeof(name) }, slice_of(""), 0, &tar);
    assert_int_equal(buf_status(&tar), STATUS_TOO_LARGE);
    buf_fini(&tar);
}

static void
no_memory_is_remembered(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK; n++) {
        struct buf tar = { 0 };
        assert_true(n < 100);
        (void)mem_fail_after(n, 1);
        tar_file(slice_of("x"), slice_of("y"), 0, &tar);
        tar_end(&tar);
        (void)mem_fail_after(-1, 0);
        status = buf_status(&tar);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        buf_fini(&tar);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_what_other_programs_write),
        cmocka_unit_test(files_fill_whole_blocks_and_two_empty_ones_end_them),
        cmocka_unit_test(a_name_that_does_not_fit_makes_it_fail),
        cmocka_unit_test(no_memory_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
