/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/account.h"
#include "io/loop.h"
#include "io/process.h"

struct outcome {
    int calls;
    int wanted;
    enum status status;
    int exit_code;
    int signal;
    char output[8192];
    size_t output_len;
    char reason[512];
    int64_t duration_ms;
};

static struct loop *loop;
static struct process_spawner *spawner;
static struct loop_timer *guard;
static struct outcome outcome;
static char folder[64];

static void
too_long(void *arg)
{
    (void)arg;
    fail_msg("nothing ended within 20 s");
}

static void
keep(void *arg, const struct process_end *end)
{
    struct outcome *kept = arg;
    kept->calls++;
    kept->status = end->status;
    kept->exit_code = end->exit_code;
    kept->signal = end->signal;
    kept->duration_ms = end->duration_ms;
    kept->output_len = end->output.len;
    assert_true(end->output.len < sizeof(kept->output));
    memcpy(kept->output, end->output.len == 0 ? "" : end->output.ptr,
           end->output.len);
    kept->output[end->output.len] = '\0';
    (void)snprintf(kept->reason, sizeof(kept->reason), "%s", end->reason);
    if (kept->calls >= kept->wanted) {
        loop_stop(loop);
    }
}

static int
set_up(void **state)
{
    (void)state;
    memset(&outcome, 0, sizeof(outcome));
    outcome.wanted = 1;
    assert_int_equal(loop_create(&loop), STATUS_OK);
    assert_int_equal(process_spawner_create(loop, &spawner, NULL), STATUS_OK);
    assert_int_equal(loop_timer_create(loop, too_long, NULL, &guard),
                     STATUS_OK);
    loop_timer_arm(guard, 20000);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    process_spawner_destroy(spawner);
    loop_timer_destroy(guard);
    loop_destroy(loop);
    /* no zombie is left */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    return 0;
}

static const char *const plain_env[] = { "PATH=/usr/bin:/bin", NULL };

static struct process_spec
spec_of(const char *const *argv)
{
    return (struct process_spec){
        .argv = argv,
        .env = plain_env,
        .timeout_ms = 15000,
        .kill_after_ms = 5000,
        .output_limit = 4096,
    };
}

static struct process *
start(const struct process_spec *spec)
{
    struct process *process = NULL;
    assert_int_equal(process_start(spawner, spec, keep, &outcome, &process),
                     STATUS_OK);
    assert_int_equal(outcome.calls, 0);
    return process;
}

static void
run(const struct process_spec *spec)
{
    outcome.calls = 0;
    (void)start(spec);
    loop_run(loop);
    assert_int_equal(outcome.calls, 1);
}

static void
run_shell(const char *script, const char *input)
{
    const char *const argv[] = { "sh", "-c", script, NULL };
    struct process_spec spec = spec_of(argv);
    spec.input = slice_of(input);
    run(&spec);
}

static void
a_child_reads_its_input_and_its_output_is_kept(void **state)
{
    (void)state;
    run_shell("cat; echo err >&2", "hello\n");
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.exit_code, 0);
    assert_int_equal(outcome.signal, 0);
    assert_string_equal(outcome.output, "hello\nerr\n");
}

static void
every_exit_code_is_told(void **state)
{
    (void)state;
    static const int codes[] = { 0, 1, 65, 75, 127, 255 };
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        char script[32];
        (void)snprintf(script, sizeof(script), "exit %d", codes[i]);
        run_shell(script, "");
        assert_int_equal(outcome.status, STATUS_OK);
        assert_int_equal(outcome.exit_code, codes[i]);
    }
}

static void
a_signal_that_ends_it_is_told(void **state)
{
    (void)state;
    static const int signals[] = { SIGKILL, SIGSEGV, SIGPIPE, SIGHUP, SIGTERM };
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        char script[32];
        (void)snprintf(script, sizeof(script), "kill -%d $$", signals[i]);
        run_shell(script, "");
        assert_int_equal(outcome.status, STATUS_OK);
        assert_int_equal(outcome.exit_code, -1);
        assert_int_equal(outcome.signal, signals[i]);
    }
}

static void
input_larger_than_a_pipe_arrives_whole(void **state)
{
    (void)state;
    size_t len = 1 << 20;
    char *large = mem_alloc(len);
    assert_non_null(large);
    memset(large, 'x', len);
    const char *const argv[] = { "sh", "-c", "wc -c | tr -d ' '", NULL };
    struct process_spec spec = spec_of(argv);
    spec.input = (struct slice){ large, len };
    run(&spec);
    assert_string_equal(outcome.output, "1048576\n");
    mem_free(large);
}

static void
input_nobody_reads_holds_nothing(void **state)
{
    (void)state;
    size_t len = 1 << 20;
    char *large = mem_zero(len);
    assert_non_null(large);
    static const char *const scripts[] = {
        "exit 3",            /* never reads */
        "exec <&-; exit 3",  /* closes it */
        "head -c 1; exit 3", /* reads some */
    };
    for (size_t i = 0; i < 3; i++) {
        const char *const argv[] = { "sh", "-c", scripts[i], NULL };
        struct process_spec spec = spec_of(argv);
        spec.input = (struct slice){ large, len };
        run(&spec);
        assert_int_equal(outcome.exit_code, 3);
    }
    mem_free(large);
}

static void
only_the_last_output_is_kept(void **state)
{
    (void)state;
    run_shell("head -c 20000000 /dev/zero; echo the end", "");
    assert_int_equal(outcome.exit_code, 0);
    assert_int_equal(outcome.output_len, 4096);
    assert_memory_equal(outcome.output + 4096 - 8, "the end\n", 8);

    const char *const argv[] = { "sh", "-c", "echo some", NULL };
    struct process_spec spec = spec_of(argv);
    spec.output_limit = 0;
    run(&spec);
    assert_int_equal(outcome.output_len, 0);
}

static void
a_late_child_is_asked_to_end(void **state)
{
    (void)state;
    const char *const argv[] = { "sh", "-c",
                                 "trap 'echo asked; exit 4' TERM;"
                                 "while :; do sleep 0.01; done",
                                 NULL };
    struct process_spec spec = spec_of(argv);
    spec.timeout_ms = 150;
    run(&spec);
    assert_int_equal(outcome.status, STATUS_TIMEOUT);
    assert_int_equal(outcome.exit_code, 4);
    assert_non_null(strstr(outcome.output, "asked\n"));
    assert_in_range(outcome.duration_ms, 150, 4000);
}

static void
a_child_that_does_not_listen_is_killed(void **state)
{
    (void)state;
    const char *const argv[] = { "sh", "-c",
                                 "trap '' TERM; while :; do sleep 60; done",
                                 NULL };
    struct process_spec spec = spec_of(argv);
    spec.timeout_ms = 100;
    spec.kill_after_ms = 100;
    run(&spec);
    assert_int_equal(outcome.status, STATUS_TIMEOUT);
    assert_int_equal(outcome.signal, SIGKILL);
    assert_in_range(outcome.duration_ms, 200, 5000);
}

/* Waits until nobody holds the write end of the fifo open any more. */
static void
await_hang_up(int fd)
{
    char byte;
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    for (int i = 0; i < 100; i++) {
        (void)poll(&wait, 1, 100);
        ssize_t got = read(fd, &byte, 1);
        if (got == 0) {
            return;
        }
    }
    fail_msg("somebody of the group is still alive");
}

static void
nobody_waits_for_grandchildren_and_none_is_left(void **state)
{
    (void)state;
    char fifo[96];
    (void)snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    int fd = open(fifo, O_RDONLY | O_NONBLOCK);
    assert_true(fd >= 0);
    char script[512];
    /* both the fifo and our output stay open in the background */
    (void)snprintf(script, sizeof(script),
                   "(trap '' HUP; echo up; exec sleep 60) 3>%s & "
                   "echo up >%s; echo parent; exit 0",
                   fifo, fifo);
    run_shell(script, "");
    assert_int_equal(outcome.exit_code, 0);
    assert_non_null(strstr(outcome.output, "parent\n"));
    assert_true(outcome.duration_ms < 10000);
    await_hang_up(fd);
    (void)close(fd);
}

static void
what_cannot_be_started_says_why(void **state)
{
    (void)state;
    char file[96];
    char script[96];
    char broken[96];
    (void)snprintf(file, sizeof(file), "%s/plain", folder);
    (void)snprintf(script, sizeof(script), "%s/script", folder);
    (void)snprintf(broken, sizeof(broken), "%s/broken", folder);
    int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    (void)close(fd);
    fd = open(script, O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
    (void)!write(fd, "#!/no/such/interpreter\n", 23);
    (void)close(fd);
    fd = open(broken, O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
    (void)!write(fd, "neither nor\n", 12);
    (void)close(fd);
    const struct {
        const char *program;
        const char *directory;
        const char *words;
    } rows[] = {
        { "/no/such/program", NULL, "/no/such/program: No such file" },
        { "no-such-program", NULL, "nowhere on the handler's PATH" },
        { file, NULL, "chmod +x" },
        { folder, NULL, "Permission denied" },
        { script, NULL, "interpreter" },
        { broken, NULL, "#!/bin/sh" },
        { "true", "/no/such/directory", "/no/such/directory: No such file" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *const argv[] = { rows[i].program, NULL };
        struct process_spec spec = spec_of(argv);
        spec.directory = rows[i].directory;
        run(&spec);
        assert_int_equal(outcome.status, STATUS_UNAVAILABLE);
        if (strstr(outcome.reason, rows[i].words) == NULL) {
            fail_msg("row %zu: %s", i, outcome.reason);
        }
    }
}

static void
the_child_gets_what_the_spec_says_and_no_more(void **state)
{
    (void)state;
    assert_int_equal(setenv("LONGSTOP_TEST_LEAK", "x", 1), 0);
    int leak = open("/dev/null", O_RDONLY); /* not closed on exec */
    sigset_t blocked;
    sigset_t before;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &blocked, &before);

    const char *const env[] = { "PATH=/usr/bin:/bin", "A=b c", NULL };
    const char *const show[] = { "env", NULL };
    struct process_spec spec = spec_of(show);
    spec.env = env;
    run(&spec);
    assert_string_equal(outcome.output, "PATH=/usr/bin:/bin\nA=b c\n");

    /* no pipe and no glob: for those the shell opens descriptors itself */
    run_shell("for n in 0 1 2 3 4 5 6 7 8 9; do"
              " test ! -e /proc/$$/fd/$n || printf '%s ' $n; done",
              "");
    assert_string_equal(outcome.output, "0 1 2 ");

    /* the two signals of the C library's own, 32 and 33, are left out */
    run_shell("grep -E '^Sig(Blk|Ign)' /proc/self/status | cut -f2", "");
    char *next = NULL;
    unsigned long long mine = 0x7fffffff;
    assert_int_equal(strtoull(outcome.output, &next, 16) & mine, 0);
    assert_int_equal(strtoull(next, NULL, 16) & mine, 0);

    const char *const where[] = { "sh", "-c",
                                  "pwd; cut -d' ' -f5 /proc/$$/stat; echo $$",
                                  NULL };
    spec = spec_of(where);
    spec.directory = folder;
    run(&spec);
    size_t len = strlen(folder);
    assert_memory_equal(outcome.output, folder, len);
    char *end = NULL;
    long group = strtol(outcome.output + len, &end, 10);
    assert_int_equal(group, strtol(end, NULL, 10));

    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    (void)close(leak);
}

static void
a_canceled_child_is_told_to_be_so(void **state)
{
    (void)state;
    const char *const argv[] = { "sleep", "60", NULL };
    struct process_spec spec = spec_of(argv);
    process_cancel(start(&spec)); /* queued, or being spawned right now */
    loop_run(loop);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(outcome.status, STATUS_CANCELED);

    /* some of these wait, one is in the thread's hands */
    outcome.calls = 0;
    outcome.wanted = 20;
    struct process *processes[20];
    for (size_t i = 0; i < 20; i++) {
        processes[i] = start(&spec);
    }
    for (size_t i = 0; i < 20; i++) {
        process_cancel(processes[i]);
        process_cancel(processes[i]);
    }
    loop_run(loop);
    assert_int_equal(outcome.calls, 20);
    assert_int_equal(outcome.status, STATUS_CANCELED);
}

static void
cancel_it(void *arg)
{
    process_cancel(arg);
}

static void
a_running_child_can_be_canceled(void **state)
{
    (void)state;
    const char *const argv[] = { "sleep", "60", NULL };
    struct process_spec spec = spec_of(argv);
    struct process *process = start(&spec);
    struct loop_timer *timer = NULL;
    assert_int_equal(loop_timer_create(loop, cancel_it, process, &timer),
                     STATUS_OK);
    loop_timer_arm(timer, 200);
    loop_run(loop);
    assert_int_equal(outcome.status, STATUS_CANCELED);
    assert_int_equal(outcome.signal, SIGTERM);
    loop_timer_destroy(timer);
}

static int
open_descriptors(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    (void)closedir(dir);
    return count;
}

static void
many_children_leave_nothing_open(void **state)
{
    (void)state;
    const char *const argv[] = { "true", NULL };
    struct process_spec spec = spec_of(argv);
    spec.input = slice_of("{}");
    run(&spec);
    int before = open_descriptors();
    for (int round = 0; round < 25; round++) {
        outcome.calls = 0;
        outcome.wanted = 4;
        for (int i = 0; i < 4; i++) {
            (void)start(&spec);
        }
        loop_run(loop);
        assert_int_equal(outcome.calls, 4);
        assert_int_equal(outcome.exit_code, 0);
    }
    assert_int_equal(open_descriptors(), before);
}

static void
no_descriptor_left_is_a_failure_with_words(void **state)
{
    (void)state;
    int held[64];
    size_t count = 0;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit few = { .rlim_cur = 48, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (count < 64) {
        int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            break;
        }
        held[count++] = fd;
    }
    const char *const argv[] = { "true", NULL };
    struct process_spec spec = spec_of(argv);
    run(&spec);
    while (count > 0) {
        (void)close(held[--count]);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(outcome.status, STATUS_UNAVAILABLE);
    assert_non_null(strstr(outcome.reason, "raise the limit of open files"));
}

static void
memory_that_runs_out_is_told(void **state)
{
    (void)state;
    const char *const argv[] = { "sh", "-c", "cat; echo out", NULL };
    struct process_spec spec = spec_of(argv);
    spec.directory = folder;
    spec.input = slice_of("in ");
    bool worked = false;
    for (long n = 0; n < 100 && !worked; n++) {
        outcome.calls = 0;
        struct process *process = NULL;
        (void)mem_fail_after(n, 0);
        enum status status =
            process_start(spawner, &spec, keep, &outcome, &process);
        if (status == STATUS_OK) {
            loop_run(loop);
            status = outcome.status;
        }
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        worked = status == STATUS_OK && outcome.output_len == 7;
    }
    assert_true(worked);

    struct process_spawner *other = NULL;
    enum status status = STATUS_NOMEM;
    for (long n = 0; n < 10 && status == STATUS_NOMEM; n++) {
        (void)mem_fail_after(n, 0);
        status = process_spawner_create(loop, &other, NULL);
        (void)mem_fail_after(-1, 0);
    }
    assert_int_equal(status, STATUS_OK);
    process_spawner_destroy(other);
    process_spawner_destroy(NULL);
}

static int talk_in;
static int talk_out;

static void
talk(void *arg, int in_fd, int out_fd)
{
    (void)arg;
    talk_in = in_fd;
    talk_out = out_fd;
    loop_stop(loop);
}

static void
a_child_that_is_talked_to_has_pipes_and_its_stderr_is_kept(void **state)
{
    (void)state;
    char answer[16] = "";
    const char *const argv[] = {
        "sh", "-c", "read -r a; echo noise >&2; echo \"<$a>\"; cat", NULL
    };
    struct process_spec spec = spec_of(argv);
    spec.opened = talk;
    spec.timeout_ms = 0;
    struct process *process = start(&spec);
    loop_run(loop);
    assert_int_equal(outcome.calls, 0);
    assert_int_equal(write(talk_in, "hello\n", 6), 6);
    struct pollfd wait = { .fd = talk_out, .events = POLLIN };
    assert_int_equal(poll(&wait, 1, 10000), 1);
    assert_int_equal(read(talk_out, answer, sizeof(answer) - 1), 8);
    assert_string_equal(answer, "<hello>\n");
    assert_true(slice_equal_text(process_output(process), "noise\n"));
    process_forget_output(process);
    assert_int_equal(process_output(process).len, 0);
    (void)close(talk_in); /* its end */
    loop_run(loop);
    (void)close(talk_out);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(outcome.exit_code, 0);
}

static void
a_child_that_is_canceled_first_is_never_talked_to(void **state)
{
    (void)state;
    const char *const argv[] = { "cat", NULL };
    struct process_spec spec = spec_of(argv);
    spec.opened = talk;
    talk_in = -1;
    process_cancel(start(&spec));
    loop_run(loop);
    assert_int_equal(outcome.status, STATUS_CANCELED);
    assert_int_equal(talk_in, -1);
}

static void
a_child_runs_as_its_account(void **state)
{
    (void)state;
    static const gid_t groups[] = { 65534, 12 };
    static const struct account account = { 65533, 65534, groups, 2 };
    if (geteuid() != 0) {
        skip();
    }
    const char *const argv[] = { "sh", "-c",
                                 "id -u; id -g; id -G; cat; "
                                 "test ! -r /etc/shadow && exit 9",
                                 NULL };
    struct process_spec spec = spec_of(argv);
    spec.account = &account;
    spec.input = slice_of("input\n");
    run(&spec);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_string_equal(outcome.output, "65533\n65534\n65534 12\ninput\n");
    assert_int_equal(outcome.exit_code, 9);

    int leak = open("/dev/null", O_RDONLY); /* not closed on exec */
    const char *const look[] = {
        "sh", "-c",
        "for n in 0 1 2 3 4 5 6 7 8 9; do"
        " test ! -e /proc/$$/fd/$n || printf '%s ' $n; done",
        NULL
    };
    spec = spec_of(look);
    spec.account = &account;
    run(&spec);
    assert_string_equal(outcome.output, "0 1 2 ");
    (void)close(leak);

    /* ours, 0700: it is entered as who the child is */
    spec = spec_of(argv);
    spec.account = &account;
    spec.directory = folder;
    run(&spec);
    assert_int_equal(outcome.status, STATUS_UNAVAILABLE);
    assert_non_null(strstr(outcome.reason, "Permission denied"));

    const char *const none[] = { "/no/such/program", NULL };
    spec = spec_of(none);
    spec.account = &account;
    run(&spec);
    assert_int_equal(outcome.status, STATUS_UNAVAILABLE);
    assert_non_null(strstr(outcome.reason, "No such file"));
}

#define CHILD_TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CHILD_TEST(a_child_reads_its_input_and_its_output_is_kept),
        CHILD_TEST(every_exit_code_is_told),
        CHILD_TEST(a_signal_that_ends_it_is_told),
        CHILD_TEST(input_larger_than_a_pipe_arrives_whole),
        CHILD_TEST(input_nobody_reads_holds_nothing),
        CHILD_TEST(only_the_last_output_is_kept),
        CHILD_TEST(a_late_child_is_asked_to_end),
        CHILD_TEST(a_child_that_does_not_listen_is_killed),
        CHILD_TEST(nobody_waits_for_grandchildren_and_none_is_left),
        CHILD_TEST(what_cannot_be_started_says_why),
        CHILD_TEST(the_child_gets_what_the_spec_says_and_no_more),
        CHILD_TEST(a_canceled_child_is_told_to_be_so),
        CHILD_TEST(a_running_child_can_be_canceled),
        CHILD_TEST(many_children_leave_nothing_open),
        CHILD_TEST(no_descriptor_left_is_a_failure_with_words),
        CHILD_TEST(memory_that_runs_out_is_told),
        CHILD_TEST(a_child_that_is_talked_to_has_pipes_and_its_stderr_is_kept),
        CHILD_TEST(a_child_that_is_canceled_first_is_never_talked_to),
        CHILD_TEST(a_child_runs_as_its_account),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    (void)snprintf(folder, sizeof(folder), "/tmp/longstop-process-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    static const char *const names[] = { "fifo", "plain", "script", "broken" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
    return failed;
}
