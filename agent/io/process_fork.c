/* SPDX-License-Identifier: MIT */
/*
 * process_fork: a child that becomes another account before it is a program of
 * its own. On the spawner's thread.
 */
/* GNU: pipe2, and close_range's flag. */
#define _GNU_SOURCE
#include "io/process_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/account.h"

/*
 * Between fork and exec only calls that are safe there (signal-safety(7)):
 * other threads may have held any lock. What fails is written to a pipe that
 * the exec closes: the parent reads an errno, or the end.
 */

static int
take_ends(const int ends[3])
{
    for (int fd = 0; fd < 3; fd++) {
        if (dup2(ends[fd], fd) < 0) {
            return errno;
        }
    }
    return syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) != 0 ? errno
                                                                       : 0;
}

/* Those that a handler is set for, or that somebody left ignored. */
static void
default_signals(void)
{
    struct sigaction action = { 0 };
    sigset_t none;
    action.sa_handler = SIG_DFL;
    (void)sigemptyset(&none);
    for (int number = 1; number < NSIG; number++) {
        (void)sigaction(number, &action, NULL);
    }
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
}

/* Its directory is entered as who it is then. */
static int
become_program(const struct process *process, const char *path,
               const int ends[3])
{
    int failed = setpgid(0, 0) != 0 ? errno : take_ends(ends);
    if (failed == 0) {
        failed = account_become(process->account);
    }
    if (failed == 0 && process->directory != NULL &&
        chdir(process->directory) != 0) {
        failed = errno;
    }
    if (failed == 0) {
        default_signals();
        (void)execve(path, process->argv, process->env);
        failed = errno;
    }
    return failed;
}

static int
read_failure(int fd)
{
    int failed = 0;
    ssize_t got;
    do {
        got = read(fd, &failed, sizeof(failed));
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof(failed) ? failed : 0;
}

int
process_fork(struct process *process, const char *path, const int ends[3])
{
    int told[2];
    sigset_t all;
    sigset_t before;
    if (pipe2(told, O_CLOEXEC) != 0) {
        return errno;
    }
    /* None of our handlers runs in the child. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    int failed = pid < 0 ? errno : 0;
    if (pid == 0) {
        failed = become_program(process, path, ends);
        (void)!write(told[1], &failed, sizeof(failed));
        _exit(127);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)close(told[1]);
    if (pid > 0) {
        failed = read_failure(told[0]);
    }
    if (pid > 0 && failed != 0) {
        (void)waitpid(pid, NULL, 0);
    } else if (pid > 0) {
        process->pid = pid;
    }
    (void)close(told[0]);
    return failed;
}
