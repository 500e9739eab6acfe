/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "io/fs.h"
#include "io/scratch.h"

static void
it_is_ours_alone_and_goes_with_its_files(void **state)
{
    (void)state;
    struct buf path = { 0 };
    struct buf file = { 0 };
    struct stat what;
    assert_int_equal(scratch_make("longstop-test", &path, NULL), STATUS_OK);
    assert_int_equal(stat(path.ptr, &what), 0);
    assert_int_equal(what.st_mode & 0777, 0700);
    for (int i = 0; i < 3; i++) {
        buf_clear(&file);
        buf_format(&file, "%s/file-%d", path.ptr, i);
        FILE *made = fopen(file.ptr, "w");
        assert_non_null(made);
        (void)fclose(made);
    }
    scratch_remove(path.ptr);
    assert_false(fs_exists(path.ptr));
    scratch_remove(path.ptr); /* once more does no harm */
    buf_fini(&file);
    buf_fini(&path);
}

static void
where_none_can_be_made_the_way_out_is_said(void **state)
{
    (void)state;
    struct buf path = { 0 };
    struct error err = { 0 };
    assert_int_equal(setenv("TMPDIR", "/nowhere/at/all", 1), 0);
    assert_int_equal(scratch_make("longstop-test", &path, &err), STATUS_IO);
    assert_non_null(strstr(err.text, "set TMPDIR"));
    assert_int_equal(path.len, 0);
    /* What is no absolute path is not believed. */
    assert_int_equal(setenv("TMPDIR", "here", 1), 0);
    assert_int_equal(scratch_make("longstop-test", &path, &err), STATUS_OK);
    assert_int_equal(strncmp(path.ptr, "/tmp/longstop-test-", 19), 0);
    scratch_remove(path.ptr);
    buf_fini(&path);
    assert_int_equal(unsetenv("TMPDIR"), 0);
}

static void
without_memory_it_is_a_status(void **state)
{
    (void)state;
    struct buf path = { 0 };
    (void)mem_fail_after(0, 1);
    enum status status = scratch_make("longstop-test", &path, NULL);
    (void)mem_fail_after(-1, 0);
    assert_int_equal(status, STATUS_NOMEM);
    buf_fini(&path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_ours_alone_and_goes_with_its_files),
        cmocka_unit_test(where_none_can_be_made_the_way_out_is_said),
        cmocka_unit_test(without_memory_it_is_a_status),
    };
    return cmocka_run_group_tests_name("io/scratch", tests, NULL, NULL);
}
