/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/fs.h"

/* A folder of its own for each test; `in` names a file in it. */
static char folder[] = "/tmp/longstop-fs-XXXXXX";

static const char *
in(const char *name)
{
    static char paths[8][PATH_MAX];
    static size_t next;
    char *path = paths[next++ % 8];
    (void)snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return path;
}

static int
make_folder(void **state)
{
    (void)state;
    memcpy(strrchr(folder, '-') + 1, "XXXXXX", 6);
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int
drop_folder(void **state)
{
    (void)state;
    struct buf names = { 0 };
    int rc = fs_list(folder, "", &names, NULL) == STATUS_OK ? 0 : -1;
    struct slice rest = buf_slice(&names);
    struct slice name;
    while (slice_split(&rest, '\0', &name)) {
        if (name.len > 0) {
            (void)unlink(in(name.ptr));
        }
    }
    (void)unlink(in(".hidden.yaml"));
    (void)rmdir(in("sub"));
    buf_fini(&names);
    return rc != 0 ? rc : rmdir(folder);
}

static void
put(const char *name, const char *text)
{
    FILE *file = fopen(in(name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void
assert_file(const char *name, const char *text)
{
    struct buf buf = { 0 };
    assert_int_equal(fs_read(in(name), 1 << 20, &buf, NULL), STATUS_OK);
    assert_string_equal(buf_slice(&buf).ptr, text);
    buf_fini(&buf);
}

static void
a_file_is_read_up_to_its_limit(void **state)
{
    (void)state;
    struct buf buf = { 0 };
    struct error err;
    put("a", "0123456789");
    buf_text(&buf, ">");
    assert_int_equal(fs_read(in("a"), 10, &buf, &err), STATUS_OK);
    assert_string_equal(buf.ptr, ">0123456789");
    assert_int_equal(fs_read(in("a"), 9, &buf, &err), STATUS_TOO_LARGE);
    assert_non_null(strstr(err.text, "larger than 9 bytes"));
    put("empty", "");
    buf_clear(&buf);
    assert_int_equal(fs_read(in("empty"), 0, &buf, &err), STATUS_OK);
    assert_int_equal(buf.len, 0);
    buf_fini(&buf);
}

static void
a_large_file_is_read_whole(void **state)
{
    (void)state;
    static char text[100001];
    memset(text, 'x', sizeof(text) - 1);
    put("large", text);
    assert_file("large", text);
    struct buf buf = { 0 };
    assert_int_equal(fs_read(in("large"), sizeof(text) - 1, &buf, NULL),
                     STATUS_OK);
    assert_int_equal(fs_read(in("large"), sizeof(text) - 2, &buf, NULL),
                     STATUS_TOO_LARGE);
    buf_fini(&buf);
}

static void
what_cannot_be_read_is_named_with_cause_and_way_out(void **state)
{
    (void)state;
    struct buf buf = { 0 };
    struct error err;
    assert_int_equal(fs_read(in("none"), 9, &buf, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.text, in("none")));
    assert_non_null(strstr(err.text, "No such file"));
    assert_non_null(strstr(err.text, "check the path"));
    put("a", "x");
    assert_int_equal(fs_read(in("a/b"), 9, &buf, &err), STATUS_NOT_FOUND);
    assert_int_equal(fs_read(folder, 9, &buf, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "a directory"));
    /* nobody writes to it, and nobody waits for that */
    assert_int_equal(mkfifo(in("fifo"), 0600), 0);
    assert_int_equal(fs_read(in("fifo"), 9, &buf, &err), STATUS_INVALID);
    assert_int_equal(chmod(in("a"), 0), 0);
    if (geteuid() != 0) {
        assert_int_equal(fs_read(in("a"), 9, &buf, &err), STATUS_DENIED);
    }
    buf_fini(&buf);
}

static void
a_pipe_is_read_to_its_end(void **state)
{
    (void)state;
    int ends[2];
    struct buf buf = { 0 };
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "abc", 3), 3);
    (void)close(ends[1]);
    assert_int_equal(fs_read_fd(ends[0], 3, &buf, NULL), STATUS_OK);
    assert_string_equal(buf.ptr, "abc");
    (void)close(ends[0]);
    assert_int_equal(fs_read_fd(ends[0], 3, &buf, NULL), STATUS_IO);
    buf_fini(&buf);
}

static void
names_are_listed_sorted_and_filtered(void **state)
{
    (void)state;
    static const char expected[] = "B.yaml\0a.yaml\0b.yaml";
    struct buf names = { 0 };
    put("b.yaml", "");
    put("a.yaml", "");
    put("B.yaml", "");
    put("c.yml", "");
    put(".hidden.yaml", "");
    assert_int_equal(fs_list(folder, ".yaml", &names, NULL), STATUS_OK);
    assert_int_equal(names.len, sizeof(expected));
    assert_memory_equal(names.ptr, expected, sizeof(expected));
    buf_clear(&names);
    assert_int_equal(fs_list(in("none"), ".yaml", &names, NULL), STATUS_OK);
    assert_int_equal(names.len, 0);
    struct error err;
    assert_int_equal(fs_list(in("c.yml"), "", &names, &err), STATUS_NOT_FOUND);
    buf_fini(&names);
    assert_true(fs_exists(in("c.yml")));
    assert_false(fs_exists(in("none")));
    assert_true(fs_is_directory(folder));
    assert_false(fs_is_directory(in("c.yml")));
}

static struct fs_append *
open_append(const char *name)
{
    struct fs_append *file = NULL;
    assert_int_equal(fs_append_open(in(name), &file, NULL), STATUS_OK);
    return file;
}

static void
whole_lines_are_appended_and_synced(void **state)
{
    (void)state;
    long before = fs_durable_steps();
    struct fs_append *file = open_append("lines");
    struct slice two = SLICE("one\ntwo\n");
    assert_int_equal(fs_append_write(file, two, NULL), STATUS_OK);
    assert_int_equal(fs_append_sync(file, NULL), STATUS_OK);
    fs_append_close(file);
    /* the directory's sync, the write, its sync */
    assert_int_equal(fs_durable_steps() - before, 3);
    file = open_append("lines");
    struct slice three = SLICE("three\n");
    assert_int_equal(fs_append_write(file, three, NULL), STATUS_OK);
    fs_append_close(file);
    assert_file("lines", "one\ntwo\nthree\n");
    struct stat info;
    assert_int_equal(stat(in("lines"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    fs_append_close(NULL);
}

static void
an_unfinished_last_line_is_cut_at_opening(void **state)
{
    (void)state;
    static char wide[10001];
    memset(wide, 'x', sizeof(wide) - 1);
    struct {
        const char *before;
        const char *after;
    } cases[] = {
        { "a\nb", "a\n" }, { "a\nb\n", "a\nb\n" }, { "ab", "" }, { "\n", "\n" },
        { "", "" },        { wide, "" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put("cut", cases[i].before);
        fs_append_close(open_append("cut"));
        assert_file("cut", cases[i].after);
    }
    /* an end further back than one block */
    FILE *out = fopen(in("cut"), "w");
    assert_non_null(out);
    assert_true(fprintf(out, "kept\n%s", wide) > 0);
    assert_int_equal(fclose(out), 0);
    fs_append_close(open_append("cut"));
    assert_file("cut", "kept\n");
}

static void
a_failed_write_leaves_no_half_line(void **state)
{
    (void)state;
    struct error err;
    struct fs_append *file = open_append("full");
    struct slice line = SLICE("0123456789abcde\n");
    assert_int_equal(fs_append_write(file, line, &err), STATUS_OK);
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    struct rlimit small = { .rlim_cur = 24, .rlim_max = old.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum status status = fs_append_write(file, line, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(status, STATUS_FULL);
    assert_non_null(strstr(err.text, in("full")));
    assert_file("full", "0123456789abcde\n");
    /* and it goes on when there is room */
    assert_int_equal(fs_append_write(file, line, &err), STATUS_OK);
    assert_file("full", "0123456789abcde\n0123456789abcde\n");
    fs_append_close(file);
}

static void
a_file_emptied_by_others_is_not_filled_with_nul(void **state)
{
    (void)state;
    struct fs_append *file = open_append("rotated");
    struct slice line = SLICE("line\n");
    assert_int_equal(fs_append_write(file, line, NULL), STATUS_OK);
    assert_int_equal(truncate(in("rotated"), 0), 0);
    assert_int_equal(fs_append_write(file, line, NULL), STATUS_OK);
    fs_append_close(file);
    assert_file("rotated", "line\n");
}

static void
only_regular_files_are_appended_to(void **state)
{
    (void)state;
    struct fs_append *file = NULL;
    struct error err;
    assert_int_equal(fs_append_open("/dev/null", &file, &err), STATUS_INVALID);
    assert_int_equal(fs_append_open(folder, &file, &err), STATUS_INVALID);
    assert_int_equal(fs_append_open(in("no/file"), &file, &err),
                     STATUS_NOT_FOUND);
}

static void
a_lock_knows_how_the_last_holder_ended(void **state)
{
    (void)state;
    struct fs_lock *lock;
    bool was_clean = false;
    char text[64];
    assert_int_equal(fs_lock_take(in("lock"), &was_clean, &lock, NULL),
                     STATUS_OK);
    assert_true(was_clean);
    (void)snprintf(text, sizeof(text), "pid %ld\nrunning\n", (long)getpid());
    assert_file("lock", text);
    fs_lock_release(lock, false);
    assert_int_equal(fs_lock_take(in("lock"), &was_clean, &lock, NULL),
                     STATUS_OK);
    assert_false(was_clean);
    fs_lock_release(lock, true);
    (void)snprintf(text, sizeof(text), "pid %ld\nclean\n", (long)getpid());
    assert_file("lock", text);
    assert_int_equal(fs_lock_take(in("lock"), &was_clean, &lock, NULL),
                     STATUS_OK);
    assert_true(was_clean);
    fs_lock_release(lock, true);
    /* anything else in it is an end nobody vouches for */
    put("lock", "");
    assert_int_equal(fs_lock_take(in("lock"), &was_clean, &lock, NULL),
                     STATUS_OK);
    assert_false(was_clean);
    fs_lock_release(lock, true);
    fs_lock_release(NULL, true);
}

static void
a_held_lock_is_refused_with_its_holder(void **state)
{
    (void)state;
    struct fs_lock *lock;
    struct fs_lock *second;
    struct error err;
    bool was_clean;
    char pid[32];
    assert_int_equal(fs_lock_take(in("lock"), &was_clean, &lock, &err),
                     STATUS_OK);
    assert_int_equal(fs_lock_take(in("lock"), &was_clean, &second, &err),
                     STATUS_FENCED);
    (void)snprintf(pid, sizeof(pid), "(pid %ld)", (long)getpid());
    assert_non_null(strstr(err.text, pid));
    assert_int_equal(fs_lock_take(in("no/lock"), &was_clean, &second, &err),
                     STATUS_NOT_FOUND);
    fs_lock_release(lock, true);
}

/* What a child that is being spawned does to the lock of an agent that dies: it
 * keeps a copy of the descriptor for a moment. */
static void
a_lock_left_by_the_dead_is_waited_for(void **state)
{
    (void)state;
    struct fs_lock *lock;
    bool was_clean;
    char text[64];
    pid_t dead = fork();
    if (dead == 0) {
        _exit(0);
    }
    assert_int_equal(waitpid(dead, NULL, 0), dead);
    (void)snprintf(text, sizeof(text), "pid %ld\nrunning\n", (long)dead);
    put("lock", text);
    int fd = open(in("lock"), O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    pid_t keeper = fork();
    if (keeper == 0) {
        const struct timespec moment = { .tv_nsec = 30 * 1000 * 1000 };
        (void)nanosleep(&moment, NULL);
        _exit(0);
    }
    (void)close(fd);
    assert_int_equal(fs_lock_take(in("lock"), &was_clean, &lock, NULL),
                     STATUS_OK);
    assert_false(was_clean);
    fs_lock_release(lock, true);
    assert_int_equal(waitpid(keeper, NULL, 0), keeper);
}

/* Everything that allocates, once. */
static enum status
use_all(void)
{
    struct buf buf = { 0 };
    struct fs_append *file = NULL;
    struct fs_lock *lock = NULL;
    bool was_clean;
    enum status status = fs_read(in("a"), 100, &buf, NULL);
    if (status == STATUS_OK) {
        status = fs_list(folder, "a", &buf, NULL);
    }
    if (status == STATUS_OK) {
        status = fs_append_open(in("new"), &file, NULL);
    }
    if (status == STATUS_OK) {
        status = fs_lock_take(in("lock"), &was_clean, &lock, NULL);
    }
    fs_append_close(file);
    fs_lock_release(lock, true);
    buf_fini(&buf);
    return status;
}

static void
memory_may_run_out_anywhere(void **state)
{
    (void)state;
    put("a", "some text");
    enum status status = STATUS_NOMEM;
    long n = 0;
    for (; status != STATUS_OK && n < 100; n++) {
        (void)unlink(in("new"));
        (void)unlink(in("lock"));
        (void)mem_fail_after(n, 0);
        status = use_all();
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
    }
    assert_int_equal(status, STATUS_OK);
    assert_true(n > 5);
}

/* What a child that ends itself at step `at` leaves behind. */
static int
crash_at(long at)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char text[32];
        (void)snprintf(text, sizeof(text), "%ld", fs_durable_steps() + at);
        (void)setenv("LONGSTOP_CRASH_AT", text, 1);
        struct fs_append *file = NULL;
        struct slice line = SLICE("line\n");
        bool ok = fs_append_open(in("crash"), &file, NULL) == STATUS_OK &&
                  fs_append_write(file, line, NULL) == STATUS_OK &&
                  fs_append_sync(file, NULL) == STATUS_OK;
        _exit(ok ? 0 : 1);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    return WEXITSTATUS(how);
}

static void
the_nth_step_is_the_last_thing_that_happens(void **state)
{
    (void)state;
#ifdef LONGSTOP_CRASH_TESTS
    assert_int_equal(crash_at(1), 86);
    assert_file("crash", "");
    assert_int_equal(crash_at(2), 86);
    assert_file("crash", "line\n");
    assert_int_equal(crash_at(3), 0); /* the directory was synced before */
#else
    assert_int_equal(crash_at(1), 0);
    assert_file("crash", "line\n");
#endif
}

static void
a_replaced_file_is_the_old_text_or_the_new(void **state)
{
    (void)state;
    const char *path = in("kept");
    struct buf buf = { 0 };
    struct stat info;
    assert_int_equal(fs_replace(path, slice_of("old"), NULL), STATUS_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(fs_replace(path, slice_of("newer"), NULL), STATUS_OK);
    assert_false(fs_exists(in("kept.new")));

    /* what it would be written to first cannot be written */
    assert_int_equal(mkdir(in("kept.new"), 0700), 0);
    assert_int_not_equal(fs_replace(path, slice_of("lost"), NULL), STATUS_OK);
    assert_int_equal(rmdir(in("kept.new")), 0);
    assert_int_equal(fs_read(path, 64, &buf, NULL), STATUS_OK);
    assert_string_equal(buf.ptr, "newer");
    buf_fini(&buf);

    assert_int_equal(fs_remove(path, NULL), STATUS_OK);
    assert_int_equal(fs_remove(path, NULL), STATUS_OK);
    assert_false(fs_exists(path));
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, make_folder, drop_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        /* first: the variable is read at a process's first step only */
        TEST(the_nth_step_is_the_last_thing_that_happens),
        TEST(a_file_is_read_up_to_its_limit),
        TEST(a_large_file_is_read_whole),
        TEST(what_cannot_be_read_is_named_with_cause_and_way_out),
        TEST(a_pipe_is_read_to_its_end),
        TEST(names_are_listed_sorted_and_filtered),
        TEST(a_replaced_file_is_the_old_text_or_the_new),
        TEST(whole_lines_are_appended_and_synced),
        TEST(an_unfinished_last_line_is_cut_at_opening),
        TEST(a_failed_write_leaves_no_half_line),
        TEST(a_file_emptied_by_others_is_not_filled_with_nul),
        TEST(only_regular_files_are_appended_to),
        TEST(a_lock_knows_how_the_last_holder_ended),
        TEST(a_held_lock_is_refused_with_its_holder),
        TEST(a_lock_left_by_the_dead_is_waited_for),
        TEST(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
