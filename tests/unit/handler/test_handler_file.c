/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "handler/handler_file.h"
#include "io/fs.h"
#include "unit/handler/handling.h"

static char path[128];
static struct handler *handler;

static int
set_up(void **state)
{
    (void)state;
    handling_open();
    (void)snprintf(path, sizeof(path), "%s/events.jsonl", handling.folder);
    assert_int_equal(handler_file_create(handling.loop, path, &handler, NULL),
                     STATUS_OK);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    if (handler != NULL) {
        handler->ops->destroy(handler);
    }
    (void)unlink(path);
    handling_close();
    return 0;
}

static void
assert_holds(const char *file, const char *text)
{
    struct buf bytes = { 0 };
    assert_int_equal(fs_read(file, 1 << 20, &bytes, NULL), STATUS_OK);
    assert_string_equal(bytes.ptr == NULL ? "" : bytes.ptr, text);
    buf_fini(&bytes);
}

static void
a_delivery_becomes_a_line(void **state)
{
    (void)state;
    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_DONE);
    assert_holds(path, "{\"id\":\"evt_1\"}\n");
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

/* Each batch costs a write and a sync; a line of its own for each would make
 * twice as many steps as there are lines. */
static void
many_lines_share_a_write_and_a_sync(void **state)
{
    (void)state;
    enum { LINES = 500 };
    static char lines[LINES][16];
    long before = fs_durable_steps();
    handling.wanted = LINES;
    for (int i = 0; i < LINES; i++) {
        (void)snprintf(lines[i], sizeof(lines[i]), "{\"n\":%d}", i);
        handling.delivery.envelope = slice_of(lines[i]);
        assert_int_equal(handling_start(handler, NULL), STATUS_OK);
    }
    loop_run(handling.loop);
    assert_int_equal(handling.calls, LINES);
    assert_true(fs_durable_steps() - before < LINES);
    struct buf expected = { 0 };
    for (int i = 0; i < LINES; i++) {
        buf_format(&expected, "{\"n\":%d}\n", i);
    }
    assert_holds(path, expected.ptr);
    buf_fini(&expected);
}

static void
write_plain(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void
an_unfinished_last_line_is_cut(void **state)
{
    (void)state;
    handler->ops->destroy(handler);
    handler = NULL;
    write_plain("{\"id\":\"a\"}\n{\"id\":\"b");
    assert_int_equal(handler_file_create(handling.loop, path, &handler, NULL),
                     STATUS_OK);
    handling_run(handler);
    assert_holds(path, "{\"id\":\"a\"}\n{\"id\":\"evt_1\"}\n");
}

static void
the_file_is_opened_anew_when_asked(void **state)
{
    (void)state;
    char rotated[160];
    (void)snprintf(rotated, sizeof(rotated), "%s.1", path);
    handling_run(handler);
    assert_int_equal(rename(path, rotated), 0);
    handling_run(handler); /* nobody said anything yet */
    handler->ops->reopen(handler);
    handler->ops->reopen(handler);
    handling_run(handler);
    assert_holds(rotated, "{\"id\":\"evt_1\"}\n{\"id\":\"evt_1\"}\n");
    assert_holds(path, "{\"id\":\"evt_1\"}\n");
    handler->ops->reopen(handler); /* and goes away with it pending */
    (void)unlink(rotated);
}

static void
a_full_disk_leaves_whole_lines_and_goes_on(void **state)
{
    (void)state;
    handling_run(handler);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit tight = { .rlim_cur = 20, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    handling_run(handler);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(handling.disposition, DISPOSITION_LATER);
    assert_non_null(strstr(handling.detail, "events.jsonl"));
    assert_holds(path, "{\"id\":\"evt_1\"}\n");

    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_DONE);
    assert_holds(path, "{\"id\":\"evt_1\"}\n{\"id\":\"evt_1\"}\n");
}

static void
a_folder_that_went_away_is_a_later(void **state)
{
    (void)state;
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(handling.folder), 0);
    handler->ops->reopen(handler);
    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_LATER);
    assert_non_null(strstr(handling.detail, path));
}

static void
more_than_one_line_is_refused(void **state)
{
    (void)state;
    struct error err = { "" };
    handling.delivery.envelope = slice_of("{\n}");
    assert_int_equal(handling_start(handler, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "format: cloudevents"));
}

static void
what_cannot_be_opened_is_seen_at_the_start(void **state)
{
    (void)state;
    struct error err = { "" };
    struct handler *other = NULL;
    assert_int_not_equal(handler_file_create(handling.loop,
                                             "/no/such/folder/file", &other,
                                             &err),
                         STATUS_OK);
    assert_non_null(strstr(err.text, "/no/such/folder/file"));
    assert_int_not_equal(
        handler_file_create(handling.loop, handling.folder, &other, NULL),
        STATUS_OK);
}

static void
cancel_leaves_writes_alone(void **state)
{
    (void)state;
    assert_int_equal(handling_start(handler, NULL), STATUS_OK);
    handler->ops->cancel(handler);
    loop_run(handling.loop);
    assert_int_equal(handling.disposition, DISPOSITION_DONE);
}

static void
memory_that_runs_out_is_told(void **state)
{
    (void)state;
    bool worked = false;
    for (long n = 0; n < 200 && !worked; n++) {
        struct handler *other = NULL;
        handling.calls = 0;
        (void)mem_fail_after(n, 0);
        enum status status =
            handler_file_create(handling.loop, path, &other, NULL);
        if (status == STATUS_OK) {
            status = handling_start(other, NULL);
        }
        if (status == STATUS_OK) {
            loop_run(handling.loop);
        }
        (void)mem_fail_after(-1, 0);
        if (other != NULL) {
            other->ops->destroy(other);
        }
        worked =
            status == STATUS_OK && handling.disposition == DISPOSITION_DONE;
    }
    assert_true(worked);
    assert_holds(path, "{\"id\":\"evt_1\"}\n");
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* However far the thread is with the first: what comes after the second is in
 * the file that is there then. */
static void
each_reopening_counts_though_another_is_under_way(void **state)
{
    (void)state;
    char moved[160];
    struct stat info;
    (void)snprintf(moved, sizeof(moved), "%s.1", path);
    handling_run(handler);
    assert_int_equal(rename(path, moved), 0);
    handler->ops->reopen(handler);
    for (int i = 0; i < 5000 && stat(path, &info) != 0; i++) {
        (void)poll(NULL, 0,
                   1); /* the thread opens it, the loop knows nothing */
    }
    assert_int_equal(rename(path, moved), 0);
    handler->ops->reopen(handler);
    handling_run(handler);
    assert_holds(path, "{\"id\":\"evt_1\"}\n");
    assert_holds(moved, "");
    (void)unlink(moved);
}

static void
a_reopening_that_is_under_way_ends_with_the_handler(void **state)
{
    (void)state;
    handler->ops->reopen(handler);
    handler->ops->destroy(handler);
    handler = NULL;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(a_delivery_becomes_a_line),
        FILE_TEST(many_lines_share_a_write_and_a_sync),
        FILE_TEST(an_unfinished_last_line_is_cut),
        FILE_TEST(the_file_is_opened_anew_when_asked),
        FILE_TEST(a_full_disk_leaves_whole_lines_and_goes_on),
        FILE_TEST(a_folder_that_went_away_is_a_later),
        FILE_TEST(more_than_one_line_is_refused),
        FILE_TEST(what_cannot_be_opened_is_seen_at_the_start),
        FILE_TEST(cancel_leaves_writes_alone),
        FILE_TEST(memory_that_runs_out_is_told),
        FILE_TEST(each_reopening_counts_though_another_is_under_way),
        FILE_TEST(a_reopening_that_is_under_way_ends_with_the_handler),
    };
    (void)signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
