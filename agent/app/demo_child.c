/* SPDX-License-Identifier: MIT */
#include "app/demo_child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_INHERITED 3 /* sd_listen_fds(3) */
#define LOOK_EVERY_MS   20
#define EXIT_NOT_RUN    127

static bool
place(int from, int to)
{
    return from == to || dup2(from, to) == to;
}

/* sd_listen_fds(3): the descriptors from 3 on, and whom they are for. */
static bool
pass_listener(int listener)
{
    char pid[24];
    (void)snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    return place(listener, FIRST_INHERITED) &&
           setenv("LISTEN_PID", pid, 1) == 0 &&
           setenv("LISTEN_FDS", "1", 1) == 0 &&
           setenv("LISTEN_FDNAMES", "hooks", 1) == 0;
}

/* What stands between fork and exec. */
_Noreturn static void
become(const struct demo_child_spec *spec, pid_t parent)
{
    /* A demo that is killed leaves nothing behind. The check closes the gap
     * of a parent that was gone before prctl took effect. */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) {
        _exit(EXIT_NOT_RUN);
    }
    int out = spec->out >= 0 ? spec->out : spec->log;
    bool ready = place(out, STDOUT_FILENO) && place(spec->log, STDERR_FILENO) &&
                 unsetenv("NOTIFY_SOCKET") == 0 &&
                 (spec->listener < 0 || pass_listener(spec->listener));
    if (ready) {
        /* execv takes its words as they are and changes none of them */
        union {
            const char *const *given;
            char *const *taken;
        } argv = { .given = spec->argv };
        (void)execv(spec->argv[0], argv.taken);
    }
    (void)fprintf(stderr, "%s: %s\n", spec->argv[0], strerror(errno));
    _exit(EXIT_NOT_RUN);
}

enum status
demo_child_start(const struct demo_child_spec *spec, struct demo_child *ret,
                 struct error *err)
{
    pid_t parent = getpid();
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        return error_set(err, STATUS_UNAVAILABLE, "%s: %s", spec->argv[0],
                         strerror(errno));
    }
    if (pid == 0) {
        become(spec, parent);
    }
    *ret = (struct demo_child){ .pid = pid };
    return STATUS_OK;
}

bool
demo_child_running(struct demo_child *child)
{
    if (child->pid > 0 &&
        waitpid(child->pid, &child->wait_status, WNOHANG) == child->pid) {
        child->pid = 0;
    }
    return child->pid > 0;
}

bool
demo_child_stop(struct demo_child *child, int patience_ms)
{
    if (demo_child_running(child)) {
        (void)kill(child->pid, SIGTERM);
    }
    while (demo_child_running(child)) {
        if (patience_ms <= 0) {
            (void)kill(child->pid, SIGKILL);
            (void)waitpid(child->pid, &child->wait_status, 0);
            child->pid = 0;
            break;
        }
        (void)poll(NULL, 0, LOOK_EVERY_MS);
        patience_ms -= LOOK_EVERY_MS;
    }
    return WIFEXITED(child->wait_status) &&
           WEXITSTATUS(child->wait_status) == 0;
}
