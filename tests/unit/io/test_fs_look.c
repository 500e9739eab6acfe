/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/clock.h"
#include "io/fs_look.h"

static void
a_file_is_looked_at_without_being_opened(void **state)
{
    char path[64];
    struct fs_facts facts;
    (void)state;
    (void)snprintf(path, sizeof(path), "fs_look-%ld", (long)getpid());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs("seven77", file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0204), 0);
    enum status status = fs_look(path, &facts, NULL);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(facts.mode, 0204);
    assert_int_equal(facts.bytes, 7);
    assert_in_range(clock_unix_ms() - facts.changed_ms + 5000, 0, 65000);
}

static void
what_is_not_there_is_said_with_its_path(void **state)
{
    struct fs_facts facts;
    struct error err = { 0 };
    int64_t bytes;
    (void)state;
    assert_int_equal(fs_look("/no/such", &facts, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.text, "/no/such"));
    assert_int_equal(fs_room("/no/such", &bytes, &err), STATUS_NOT_FOUND);
    assert_int_equal(fs_look("/dev/null/in", &facts, &err), STATUS_NOT_FOUND);
}

static void
of_a_file_that_is_too_long_the_end_is_read(void **state)
{
    static const struct {
        size_t most;
        const char *end;
    } rows[] = { { 0, "" }, { 3, "n77" }, { 7, "seven77" }, { 99, "seven77" } };
    char path[64];
    struct buf text = { 0 };
    (void)state;
    (void)snprintf(path, sizeof(path), "fs_look-%ld", (long)getpid());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs("seven77", file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        buf_clear(&text);
        assert_int_equal(fs_look_end(path, rows[i].most, &text, NULL),
                         STATUS_OK);
        assert_string_equal(buf_slice(&text).ptr, rows[i].end);
    }
    buf_fini(&text);
    (void)mem_fail_after(0, 0);
    assert_int_equal(fs_look_end(path, 7, &text, NULL), STATUS_NOMEM);
    (void)mem_fail_after(-1, 0);
    buf_fini(&text);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(fs_look_end(path, 7, &text, NULL), STATUS_NOT_FOUND);
    assert_int_equal(fs_look_end("/dev/null", 7, &text, NULL), STATUS_INVALID);
}

static void
room_is_that_of_the_file_system(void **state)
{
    int64_t bytes = -1;
    (void)state;
    assert_int_equal(fs_room(".", &bytes, NULL), STATUS_OK);
    assert_true(bytes >= 0);
    assert_int_equal(fs_room("/proc", &bytes, NULL), STATUS_OK);
    assert_int_equal(bytes, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_looked_at_without_being_opened),
        cmocka_unit_test(what_is_not_there_is_said_with_its_path),
        cmocka_unit_test(of_a_file_that_is_too_long_the_end_is_read),
        cmocka_unit_test(room_is_that_of_the_file_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
