/* SPDX-License-Identifier: MIT */
/* GNU: syscall, unshare. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/sandbox.h"

/* The sandbox is for good, so each test enters it in a child; its exit code is
 * the line of what did not hold. */
#define HOLDS(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            return __LINE__ % 250 + 1;                                         \
        }                                                                      \
    } while (0)

static char folder[] = "/tmp/longstop-sandbox-XXXXXX";
static char inside[PATH_MAX];
static char outside[PATH_MAX];

static int
make_folders(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(inside, sizeof(inside), "%s/in", folder);
    (void)snprintf(outside, sizeof(outside), "%s/out", folder);
    return mkdir(inside, 0700) != 0 || mkdir(outside, 0700) != 0;
}

static int
drop_folders(void **state)
{
    (void)state;
    return rmdir(inside) != 0 || rmdir(outside) != 0 || rmdir(folder) != 0;
}

static void
in_a_child(int (*run)(void))
{
    int how = 0;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(run());
    }
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 0);
}

static unsigned
kernel_abi(void)
{
#ifdef LONGSTOP_COVERAGE
    return 0; /* the program does without */
#endif
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0UL, 1U);
    return abi < 0 ? 0 : (unsigned)abi;
}

static int
make(const char *directory, const char *name)
{
    char path[PATH_MAX + 16];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    int fd = open(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
    int failed = fd < 0 ? errno : 0;
    if (fd >= 0) {
        failed = write(fd, "x", 1) == 1 ? 0 : errno;
        (void)close(fd);
        failed = unlink(path) == 0 ? failed : errno;
    }
    return failed;
}

static int
enter(const char *writable)
{
    struct sandbox sandbox;
    const struct slice at[] = { slice_of(writable) };
    sandbox_enter(at, 1, &sandbox);
    HOLDS(sandbox.no_new_privs && sandbox.has_filter);
    HOLDS(sandbox.landlock_abi == kernel_abi());
    HOLDS(sandbox_is_whole(&sandbox) == (kernel_abi() > 0));
    HOLDS(!sandbox.fails); /* what the kernel lacks is no failure */
    return 0;
}

static int
write_inside_and_outside(void)
{
    HOLDS(make(outside, "file") == 0);
    HOLDS(enter(inside) == 0);
    HOLDS(make(inside, "file") == 0);
    HOLDS(kernel_abi() == 0 || make(outside, "file") == EACCES);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC | O_TRUNC);
    HOLDS(null >= 0 && write(null, "x", 1) == 1);
    int read_only = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    HOLDS(read_only >= 0);
    return 0;
}

static void
files_are_made_below_the_named_directory_only(void **state)
{
    (void)state;
    in_a_child(write_inside_and_outside);
}

static int
write_to_what_is_not_there_yet(void)
{
    char later[PATH_MAX + 16];
    (void)snprintf(later, sizeof(later), "%s/later/on", inside);
    HOLDS(enter(later) == 0);
    (void)snprintf(later, sizeof(later), "%s/later", inside);
    HOLDS(mkdir(later, 0700) == 0);
    HOLDS(make(later, "file") == 0);
    HOLDS(rmdir(later) == 0);
    HOLDS(kernel_abi() == 0 || make(outside, "file") == EACCES);
    return 0;
}

static void
of_a_directory_that_is_not_there_the_one_above_counts(void **state)
{
    (void)state;
    in_a_child(write_to_what_is_not_there_yet);
}

static int
make_forbidden_calls(void)
{
    static const unsigned numbers[] = { SYS_execve,
                                        SYS_execveat,
                                        SYS_process_vm_readv,
                                        SYS_init_module,
                                        SYS_bpf,
                                        SYS_perf_event_open,
                                        SYS_userfaultfd,
                                        SYS_mount,
                                        SYS_unshare,
                                        SYS_setns,
                                        SYS_keyctl,
                                        SYS_add_key,
                                        SYS_kexec_load,
                                        SYS_io_uring_setup,
                                        SYS_reboot,
                                        SYS_syslog,
                                        SYS_clock_settime,
                                        SYS_open_by_handle_at };
    HOLDS(enter(inside) == 0);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        /* EPERM comes before any argument is looked at, which these would not
         * survive */
        long got = syscall((long)numbers[i], -1L, -1L, -1L, -1L, -1L, -1L);
        if (got != -1 || errno != EPERM) {
            return (int)i + 1;
        }
    }
#if defined(__x86_64__)
    HOLDS(syscall(0x40000000 + SYS_getpid) == -1 && errno == EPERM);
#endif
    HOLDS(syscall(SYS_getpid) == getpid());
    return 0;
}

static void
calls_of_intruders_are_denied(void **state)
{
    (void)state;
    in_a_child(make_forbidden_calls);
}

static void
what_took_effect_is_said_in_words(void **state)
{
    (void)state;
    static const struct {
        struct sandbox sandbox;
        const char *words;
        bool is_whole;
    } rows[] = {
        { { false, false, 0, { "" }, false }, "none", false },
        { { true, true, 0, { "" }, false }, "no-new-privs, seccomp", false },
        { { true, false, 3, { "" }, false }, "no-new-privs, landlock", false },
        { { true, true, 3, { "" }, false },
          "no-new-privs, seccomp, landlock",
          true },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf text = { 0 };
        sandbox_text(&rows[i].sandbox, &text);
        assert_true(slice_equal_text(buf_slice(&text), rows[i].words));
        assert_int_equal(sandbox_is_whole(&rows[i].sandbox), rows[i].is_whole);
        buf_fini(&text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_made_below_the_named_directory_only),
        cmocka_unit_test(of_a_directory_that_is_not_there_the_one_above_counts),
        cmocka_unit_test(calls_of_intruders_are_denied),
        cmocka_unit_test(what_took_effect_is_said_in_words),
    };
    return cmocka_run_group_tests(tests, make_folders, drop_folders);
}
