/* SPDX-License-Identifier: MIT */
/* GNU: SOCK_CLOEXEC, SOCK_NONBLOCK and F_DUPFD_CLOEXEC. */
#define _GNU_SOURCE
#include "handler/handler_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "handler/handler_lines.h"

struct server {
    struct sockaddr_un address;
};

/* What to do about it, for the mistakes people make. */
static const char *
way_out(int failed)
{
    switch (failed) {
    case ENOENT: return "; is the server running, and the path right?";
    case ECONNREFUSED: return "; nobody listens on it any more";
    case EACCES: return "; the agent's user may not write to it";
    case EAGAIN: return "; the server accepts too slowly";
    case ENOTSOCK:
    case EPROTOTYPE: return "; it is no stream socket";
    default: return "";
    }
}

/* A unix socket connects at once or not at all. */
static enum status
open_connection(void *arg, struct lines_peer *peer, void **data,
                struct error *err)
{
    const struct server *server = arg;
    int failed = 0;
    int second = -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&server->address,
                          sizeof(server->address)) != 0) {
        failed = errno;
    } else {
        second = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        failed = second < 0 ? errno : 0;
    }
    if (failed != 0) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return error_set(err, STATUS_UNAVAILABLE, "%s: %s%s",
                         server->address.sun_path, strerror(failed),
                         way_out(failed));
    }
    *data = NULL;
    lines_opened(peer, second, fd);
    return STATUS_OK;
}

static void
end_connection(void *arg, struct lines_peer *peer, void *data)
{
    (void)arg;
    (void)data;
    lines_closed(peer, "the server closed the connection before it answered",
                 slice_of(""));
}

static void
destroy(void *arg)
{
    mem_free(arg);
}

static const struct lines_way way = {
    .noun = "the connection",
    .open = open_connection,
    .end = end_connection,
    .destroy = destroy,
};

enum status
handler_unix_create(struct loop *loop, struct slice path, int64_t timeout_ms,
                    size_t connections, size_t ahead, struct handler **ret,
                    struct error *err)
{
    struct server *server = mem_zero(sizeof(*server));
    if (server == NULL) {
        return error_set(err, STATUS_NOMEM, "out of memory");
    }
    size_t most = sizeof(server->address.sun_path) - 1;
    if (path.len > most) {
        mem_free(server);
        return error_set(err, STATUS_CONFIG,
                         "the path of a unix socket has at most %zu bytes: "
                         "%.*s",
                         most, SLICE_ARG(path));
    }
    server->address.sun_family = AF_UNIX;
    memcpy(server->address.sun_path, path.ptr, path.len);
    const struct handler_lines_settings lines = {
        .way = &way,
        .arg = server,
        .timeout_ms = timeout_ms,
        .peers = connections,
        .ahead = ahead,
    };
    enum status status = handler_lines_create(loop, &lines, ret);
    if (status != STATUS_OK) {
        destroy(server);
        return error_set(err, status, "%s", status_text(status));
    }
    return STATUS_OK;
}
