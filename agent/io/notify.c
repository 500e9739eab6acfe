/* SPDX-License-Identifier: MIT */
#include "io/notify.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "io/clock.h"

/* sd_listen_fds(3): inherited descriptors begin here. */
enum { LISTEN_FD_FIRST = 3, LISTEN_FDS_MAX = 1024 };

static bool
env_number(const char *name, uint64_t *ret)
{
    const char *text = getenv(name);
    return text != NULL && slice_to_u64(slice_of(text), ret) == STATUS_OK;
}

/* Whether the variable is for us and not for a parent that passed it on. */
static bool
env_is_ours(const char *pid_name, bool when_unset)
{
    uint64_t pid;
    if (getenv(pid_name) == NULL) {
        return when_unset;
    }
    return env_number(pid_name, &pid) && pid == (uint64_t)getpid();
}

void
notify_send(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    if (path == NULL || (path[0] != '/' && path[0] != '@')) {
        return;
    }
    size_t len = strlen(path);
    if (len >= sizeof(to.sun_path)) {
        return;
    }
    memcpy(to.sun_path, path, len);
    if (path[0] == '@') {
        /* the abstract name space: a leading NUL and no trailing one */
        to.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return;
    }
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    /* best effort: a supervisor that is gone is no reason to fail */
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL,
                 (const struct sockaddr *)&to, size);
    (void)close(fd);
}

void
notify_reloading(void)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
                   (long long)clock_monotonic_us());
    notify_send(text);
}

int64_t
notify_watchdog_ms(void)
{
    uint64_t usec;
    if (!env_number("WATCHDOG_USEC", &usec) ||
        !env_is_ours("WATCHDOG_PID", true) || usec > INT64_MAX) {
        return 0;
    }
    return (int64_t)(usec / 2 / 1000);
}

int
notify_listen_fd(const char *name)
{
    uint64_t count;
    if (!env_is_ours("LISTEN_PID", false) ||
        !env_number("LISTEN_FDS", &count) || count > LISTEN_FDS_MAX) {
        return -1;
    }
    const char *names = getenv("LISTEN_FDNAMES");
    struct slice rest = slice_of(names == NULL ? "" : names);
    for (int i = 0; i < (int)count; i++) {
        struct slice part = { 0 };
        /* systemd's own word for a descriptor without a name */
        if (!slice_split(&rest, ':', &part) || part.len == 0) {
            part = slice_of("unknown");
        }
        int fd = LISTEN_FD_FIRST + i;
        if (slice_equal_text(part, name) && fcntl(fd, F_GETFD) >= 0) {
            (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
            return fd;
        }
    }
    return -1;
}
