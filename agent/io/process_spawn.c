/* SPDX-License-Identifier: MIT */
/*
 * process_spawn: what the spawner's thread does: pipes, stdin, posix_spawn, and
 * words for what went wrong.
 */
/* GNU: pipe2, and the posix_spawn actions that change the directory and close
 * what is left open. */
#define _GNU_SOURCE
#include "io/process_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* On the thread */

void
process_close(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

bool
process_write_input(struct process *process)
{
    while (process->input.len > 0) {
        ssize_t wrote =
            write(process->in_fd, process->input.ptr, process->input.len);
        if (wrote >= 0) {
            process->input = slice_from(process->input, (size_t)wrote);
        } else if (errno == EAGAIN) {
            return false;
        } else if (errno != EINTR) {
            break;
        }
    }
    process_close(&process->in_fd);
    return true;
}

static const char *
env_path(char *const *env)
{
    for (; *env != NULL; env++) {
        if (strncmp(*env, "PATH=", 5) == 0) {
            return *env + 5;
        }
    }
    return "/usr/bin:/bin";
}

static bool
is_program(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) &&
           access(path, X_OK) == 0;
}

/*
 * Finds the program on the PATH the child will have; posix_spawnp would look
 * on ours. The name itself when nothing is found, so that the spawn says so.
 */
static const char *
find_program(const struct process *process, char into[PATH_MAX])
{
    const char *name = process->argv[0];
    if (strchr(name, '/') != NULL) {
        return name;
    }
    struct slice rest = slice_of(env_path(process->env));
    struct slice part;
    while (slice_split(&rest, ':', &part)) {
        int len = snprintf(into, PATH_MAX, "%.*s/%s", SLICE_ARG(part), name);
        if (part.len > 0 && len > 0 && len < PATH_MAX && is_program(into)) {
            return into;
        }
    }
    return NULL;
}

/* The child's side of the pipes. */
struct ends {
    int in;
    int out;
    int err; /* -1: as `out` */
};

static int
set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t all;
    sigset_t none;
    (void)sigfillset(&all);
    (void)sigemptyset(&none);
    int failed = posix_spawnattr_setsigdefault(attributes, &all);
    if (failed == 0) {
        failed = posix_spawnattr_setsigmask(attributes, &none);
    }
    if (failed == 0) {
        failed = posix_spawnattr_setpgroup(attributes, 0);
    }
    if (failed == 0) {
        failed = posix_spawnattr_setflags(
            attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                            POSIX_SPAWN_SETSIGMASK);
    }
    return failed;
}

static int
set_actions(posix_spawn_file_actions_t *actions, const struct ends *child,
            const char *directory)
{
    int failed = posix_spawn_file_actions_adddup2(actions, child->in, 0);
    if (failed == 0) {
        failed = posix_spawn_file_actions_adddup2(actions, child->out, 1);
    }
    if (failed == 0) {
        failed = posix_spawn_file_actions_adddup2(
            actions, child->err >= 0 ? child->err : child->out, 2);
    }
    if (failed == 0) {
        failed = posix_spawn_file_actions_addclosefrom_np(actions, 3);
    }
    if (failed == 0 && directory != NULL) {
        failed = posix_spawn_file_actions_addchdir_np(actions, directory);
    }
    return failed;
}

static int
spawn(struct process *process, const struct ends *child)
{
    char found[PATH_MAX];
    const char *path = find_program(process, found);
    if (path == NULL) {
        return ENOENT;
    }
    if (process->account != NULL) {
        const int ends[3] = { child->in, child->out,
                              child->err >= 0 ? child->err : child->out };
        return process_fork(process, path, ends);
    }
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    int failed = posix_spawnattr_init(&attributes);
    if (failed != 0) {
        return failed;
    }
    failed = posix_spawn_file_actions_init(&actions);
    if (failed != 0) {
        goto destroy_attributes;
    }
    failed = set_attributes(&attributes);
    if (failed == 0) {
        failed = set_actions(&actions, child, process->directory);
    }
    if (failed == 0) {
        failed = posix_spawn(&process->pid, path, &actions, &attributes,
                             process->argv, process->env);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
destroy_attributes:
    (void)posix_spawnattr_destroy(&attributes);
    return failed;
}

/* What to do about it, for the mistakes people make. */
static const char *
way_out(const struct process *process, int failed)
{
    bool has_slash = strchr(process->argv[0], '/') != NULL;
    switch (failed) {
    case ENOENT:
        return has_slash ? "check the path, and the interpreter named in its "
                           "first line if it is a script"
                         : "it is nowhere on the handler's PATH: write its "
                           "whole path, or set PATH under env";
    case EACCES:
        return "make it executable (chmod +x), and let the agent's user enter "
               "the directories above it";
    case EPERM:
        return "start the agent as root or with CAP_SETUID and CAP_SETGID, or "
               "leave out `user`";
    case ENOEXEC:
        return "it is no program: a script needs a first line such as "
               "#!/bin/sh";
    case E2BIG: return "its arguments and environment are too long";
    case EMFILE:
    case ENFILE:
        return "raise the limit of open files, or lower the handler's "
               "concurrency";
    case EAGAIN:
    case ENOMEM: return "the system has no room for another process now";
    default: return "it could not be started";
    }
}

static void
explain(struct process *process, int failed)
{
    const char *directory = process->directory;
    process->failed = failed;
    if (directory != NULL && access(directory, X_OK) != 0) {
        (void)error_set(&process->reason, STATUS_UNAVAILABLE,
                        "cannot run %s in %s: %s; the directory must exist "
                        "and the agent's user must be able to enter it",
                        process->argv[0], directory, strerror(errno));
        return;
    }
    (void)error_set(&process->reason, STATUS_UNAVAILABLE,
                    "cannot run %s: %s; %s", process->argv[0], strerror(failed),
                    way_out(process, failed));
}

/* glibc has no wrapper before 2.36. The descriptor is closed on exec. */
static int
open_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0U);
}

void
process_abandon(struct process *process)
{
    (void)kill(-process->pid, SIGKILL);
    siginfo_t info;
    while (waitid(P_PID, (id_t)process->pid, &info, WEXITED) != 0 &&
           errno == EINTR) {
    }
    process->pid = 0;
}

/* One pipe of which our end does not block; false leaves errno. `ours` is 1
 * where we write and 0 where we read. */
static bool
open_pipe(int ours, int *ret_ours, int *ret_theirs)
{
    int both[2];
    if (pipe2(both, O_CLOEXEC) != 0) {
        return false;
    }
    *ret_ours = both[ours];
    *ret_theirs = both[1 - ours];
    return fcntl(both[ours], F_SETFL, O_NONBLOCK) == 0;
}

static bool
open_pipes(struct process *process, struct ends *child)
{
    if (!open_pipe(1, &process->in_fd, &child->in)) {
        return false;
    }
    if (process->opened == NULL) {
        return open_pipe(0, &process->out_fd, &child->out);
    }
    return open_pipe(0, &process->talk_fd, &child->out) &&
           open_pipe(0, &process->out_fd, &child->err);
}

void
process_spawn(struct process *process)
{
    struct ends child = { -1, -1, -1 };
    if (!open_pipes(process, &child)) {
        explain(process, errno);
        process_close(&process->in_fd);
        process_close(&process->out_fd);
        process_close(&process->talk_fd);
        goto close_ends;
    }
    if (process->opened == NULL) {
        /* Most events fit into the pipe: they are there before the child is,
         * and the loop has nothing left to write. */
        (void)process_write_input(process);
    }
    int failed = spawn(process, &child);
    if (failed != 0) {
        explain(process, failed);
        goto close_ends;
    }
    process->pidfd = open_pidfd(process->pid);
    if (process->pidfd < 0) {
        failed = errno;
        process_abandon(process);
        explain(process, failed);
    }

close_ends:
    process_close(&child.in);
    process_close(&child.out);
    process_close(&child.err);
}
