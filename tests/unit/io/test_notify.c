/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/notify.h"

/* Listens where $NOTIFY_SOCKET points; '@' is an abstract name. */
static int
listen_at(const char *path)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    size_t len = strlen(path);
    assert_true(len < sizeof(at.sun_path));
    memcpy(at.sun_path, path, len);
    if (path[0] == '@') {
        at.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(
        bind(fd, (const struct sockaddr *)&at,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
        0);
    assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
    return fd;
}

static void
the_state_reaches_the_socket(void **state)
{
    (void)state;
    char names[2][64];
    (void)snprintf(names[0], 64, "@longstop-notify-%ld", (long)getpid());
    (void)snprintf(names[1], 64, "/tmp/longstop-notify-%ld", (long)getpid());
    for (size_t i = 0; i < 2; i++) {
        int fd = listen_at(names[i]);
        notify_send("READY=1\nSTATUS=listening");
        char text[64] = { 0 };
        assert_int_equal(recv(fd, text, sizeof(text) - 1, 0), 24);
        assert_string_equal(text, "READY=1\nSTATUS=listening");
        (void)close(fd);
    }
    (void)unlink(names[1]);
}

static void
nobody_to_tell_is_no_failure(void **state)
{
    (void)state;
    char wide[300];
    memset(wide, 'x', sizeof(wide) - 1);
    wide[0] = '/';
    wide[sizeof(wide) - 1] = '\0';
    const char *const names[] = { "/tmp/longstop-no-such-socket", "", "tcp:1",
                                  wide };
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(setenv("NOTIFY_SOCKET", names[i], 1), 0);
        notify_send("READY=1");
    }
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    notify_send("READY=1");
}

static void
the_watchdog_is_fed_at_half_its_time(void **state)
{
    (void)state;
    char pid[32];
    (void)snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    const struct {
        const char *usec;
        const char *pid;
        int64_t ms;
    } cases[] = {
        { "30000000", pid, 15000 },
        { "30000000", NULL, 15000 },
        { "30000000", "1", 0 },
        { NULL, pid, 0 },
        { "soon", pid, 0 },
        { "-5", pid, 0 },
        { "18446744073709551615", pid, 0 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)unsetenv("WATCHDOG_USEC");
        (void)unsetenv("WATCHDOG_PID");
        if (cases[i].usec != NULL) {
            (void)setenv("WATCHDOG_USEC", cases[i].usec, 1);
        }
        if (cases[i].pid != NULL) {
            (void)setenv("WATCHDOG_PID", cases[i].pid, 1);
        }
        assert_int_equal(notify_watchdog_ms(), cases[i].ms);
    }
}

/* In a child of its own, because descriptors 3 and 4 have to be ours. */
static int
listen_fds_in_child(void)
{
    char pid[32];
    if (dup2(0, 3) < 0 || dup2(0, 4) < 0) {
        return 1;
    }
    (void)snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    (void)setenv("LISTEN_PID", pid, 1);
    (void)setenv("LISTEN_FDS", "2", 1);
    (void)setenv("LISTEN_FDNAMES", "webhook:admin", 1);
    if (notify_listen_fd("webhook") != 3 || notify_listen_fd("admin") != 4 ||
        notify_listen_fd("other") != -1 || notify_listen_fd("") != -1) {
        return 2;
    }
    /* no child of ours inherits them */
    if ((fcntl(3, F_GETFD) & FD_CLOEXEC) == 0) {
        return 3;
    }
    (void)unsetenv("LISTEN_FDNAMES");
    if (notify_listen_fd("unknown") != 3) {
        return 4;
    }
    (void)setenv("LISTEN_FDS", "99999999999", 1);
    if (notify_listen_fd("unknown") != -1) {
        return 5;
    }
    (void)setenv("LISTEN_FDS", "2", 1);
    (void)setenv("LISTEN_PID", "1", 1);
    return notify_listen_fd("unknown") == -1 ? 0 : 6;
}

static void
inherited_sockets_are_found_by_name(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(listen_fds_in_child());
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 0);
    assert_int_equal(notify_listen_fd("webhook"), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_state_reaches_the_socket),
        cmocka_unit_test(nobody_to_tell_is_no_failure),
        cmocka_unit_test(the_watchdog_is_fed_at_half_its_time),
        cmocka_unit_test(inherited_sockets_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
