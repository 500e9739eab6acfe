/* SPDX-License-Identifier: MIT */
#include "io/http_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "io/notify.h"

/* Our own first descriptor behind those systemd hands over. */
enum { FD_BEHIND_INHERITED = 3 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
    struct sockaddr_storage room;
};

static const struct {
    int cause;
    enum status status;
    const char *words; /* behind "cannot listen on <address>: " */
} causes[] = {
    { EADDRINUSE, STATUS_EXISTS,
      "address in use: another process listens there; stop it or change the "
      "address" },
    { EADDRNOTAVAIL, STATUS_INVALID,
      "this machine has no such address; change the address" },
    { EACCES, STATUS_DENIED,
      "not allowed; give this user the right to the folder or to ports below "
      "1024 (CAP_NET_BIND_SERVICE), or change the address" },
    { EPERM, STATUS_DENIED, "not allowed; change the address" },
    { EROFS, STATUS_DENIED, "read-only file system; change the address" },
    { ENOENT, STATUS_NOT_FOUND, "its folder is missing; make it" },
    { ENOTDIR, STATUS_NOT_FOUND, "its folder is not a folder; check the path" },
    { EAFNOSUPPORT, STATUS_INVALID,
      "this machine does not speak that protocol; change the address" },
    { EMFILE, STATUS_BUSY, "too many open files; raise the limit" },
    { ENFILE, STATUS_BUSY, "too many open files; raise the limit" },
};

static enum status
fail(struct error *err, const char *address, int cause)
{
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        if (causes[i].cause == cause) {
            return error_set(err, causes[i].status, "cannot listen on %s: %s",
                             address, causes[i].words);
        }
    }
    char words[128];
    if (strerror_r(cause, words, sizeof(words)) != 0) {
        (void)snprintf(words, sizeof(words), "error %d", cause);
    }
    return error_set(err, STATUS_UNAVAILABLE, "cannot listen on %s: %s",
                     address, words);
}

static enum status
refuse(struct error *err, const char *address, const char *words)
{
    return error_set(err, STATUS_INVALID, "cannot listen on %s: %s", address,
                     words);
}

/* Cuts "host:port" at its last colon and the brackets off an IPv6 host. */
static bool
split_host(struct slice text, struct slice *ret_host, uint16_t *ret_port)
{
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':') {
        colon--;
    }
    uint64_t port;
    if (colon == 0 ||
        slice_to_u64(slice_from(text, colon), &port) != STATUS_OK ||
        port > UINT16_MAX) {
        return false;
    }
    struct slice host = slice_first(text, colon - 1);
    bool has_colon = slice_find(host, ':') < host.len;
    bool has_brackets =
        host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (has_colon != has_brackets) {
        return false;
    }
    if (has_brackets) {
        host = slice_from(slice_first(host, host.len - 1), 1);
    }
    *ret_host = host;
    *ret_port = (uint16_t)port;
    return true;
}

static bool
parse_host(struct slice host, uint16_t port, union address *at,
           socklen_t *ret_size)
{
    char text[INET6_ADDRSTRLEN];
    if (host.len == 0 || host.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    /* no look-up: what a name means could change under us */
    const char *literal = strcmp(text, "localhost") == 0 ? "127.0.0.1" : text;
    memset(at, 0, sizeof(*at));
    if (inet_pton(AF_INET, literal, &at->v4.sin_addr) == 1) {
        at->v4.sin_family = AF_INET;
        at->v4.sin_port = htons(port);
        *ret_size = sizeof(at->v4);
        return true;
    }
    if (inet_pton(AF_INET6, literal, &at->v6.sin6_addr) == 1) {
        at->v6.sin6_family = AF_INET6;
        at->v6.sin6_port = htons(port);
        *ret_size = sizeof(at->v6);
        return true;
    }
    return false;
}

static int
set_flag(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value));
}

/* Returns 0, or the errno. */
static int
bind_tcp(const union address *at, socklen_t size, bool v6_only, int *ret_fd)
{
    int fd = socket(at->any.sa_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    /* accepted sockets inherit TCP_NODELAY: one system call less for each */
    if (set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0 ||
        set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1) != 0 ||
        (at->any.sa_family == AF_INET6 &&
         set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6_only) != 0) ||
        bind(fd, &at->any, size) != 0 || listen(fd, SOMAXCONN) != 0) {
        int cause = errno;
        (void)close(fd);
        return cause;
    }
    *ret_fd = fd;
    return 0;
}

static uint16_t
bound_port(int fd)
{
    union address at = { 0 };
    socklen_t size = sizeof(at);
    if (getsockname(fd, &at.any, &size) != 0) {
        return 0;
    }
    if (at.any.sa_family == AF_INET) {
        return ntohs(at.v4.sin_port);
    }
    return at.any.sa_family == AF_INET6 ? ntohs(at.v6.sin6_port) : 0;
}

/* Reads "host:port"; "*" is every address, of IPv4 and IPv6. */
static enum status
parse_tcp(const char *address, union address *at, socklen_t *ret_size,
          bool *ret_any, struct error *err)
{
    struct slice host;
    uint16_t port;
    if (!split_host(slice_of(address), &host, &port)) {
        return refuse(err, address,
                      "want host:port, [IPv6]:port, *:port, unix:/path or "
                      "fd:NAME");
    }
    *ret_any = slice_equal_text(host, "*");
    if (!parse_host(*ret_any ? slice_of("::") : host, port, at, ret_size)) {
        return refuse(err, address,
                      "the host must be an IPv4 or IPv6 address, localhost or "
                      "*");
    }
    return STATUS_OK;
}

static enum status
listen_tcp(const char *address, struct http_listener *listener,
           struct error *err)
{
    union address at = { 0 };
    socklen_t size = 0;
    bool is_any = false;
    enum status status = parse_tcp(address, &at, &size, &is_any, err);
    if (status != STATUS_OK) {
        return status;
    }
    int cause = bind_tcp(&at, size, !is_any, &listener->fd);
    if (cause == EAFNOSUPPORT && is_any &&
        parse_host(slice_of("0.0.0.0"), ntohs(at.v6.sin6_port), &at, &size)) {
        cause = bind_tcp(&at, size, false, &listener->fd);
    }
    if (cause != 0) {
        return fail(err, address, cause);
    }
    listener->port = bound_port(listener->fd);
    return STATUS_OK;
}

/* Whether somebody answers on the socket; a dead one is left by a crash. */
static bool
is_answered(const union address *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return true;
    }
    bool dead = connect(fd, &at->any, sizeof(at->local)) != 0 &&
                (errno == ECONNREFUSED || errno == ENOENT);
    (void)close(fd);
    return !dead;
}

/* Returns 0, or the errno. */
static int
bind_unix(int fd, const union address *at, const char *path)
{
    if (bind(fd, &at->any, sizeof(at->local)) == 0) {
        return 0;
    }
    struct stat info;
    if (errno != EADDRINUSE) {
        return errno;
    }
    if (lstat(path, &info) != 0 || !S_ISSOCK(info.st_mode) || is_answered(at)) {
        return EADDRINUSE;
    }
    if (unlink(path) != 0 || bind(fd, &at->any, sizeof(at->local)) != 0) {
        return errno;
    }
    return 0;
}

static enum status
check_unix(const char *address, const char *path, struct error *err)
{
    size_t limit = sizeof(((union address *)NULL)->local.sun_path) - 1;
    size_t len = strlen(path);
    if (len > 0 && len <= limit) {
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID,
                     "cannot listen on %s: the path must have 1 to %zu bytes "
                     "and has %zu; choose a shorter one",
                     address, limit, len);
}

static enum status
listen_unix(const char *address, const char *path, unsigned mode,
            struct http_listener *listener, struct error *err)
{
    union address at = { 0 };
    size_t len = strlen(path);
    enum status status = check_unix(address, path, err);
    if (status != STATUS_OK) {
        return status;
    }
    at.local.sun_family = AF_UNIX;
    memcpy(at.local.sun_path, path, len + 1);
    listener->is_unix = true;
    listener->path = mem_alloc(len + 1);
    if (listener->path == NULL) {
        return fail(err, address, ENOMEM);
    }
    memcpy(listener->path, path, len + 1);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int cause = fd < 0 ? errno : bind_unix(fd, &at, path);
    struct stat info;
    /* nobody can connect before listen, so the mode holds from the start */
    if (cause == 0 &&
        (lstat(path, &info) != 0 || chmod(path, (mode_t)mode) != 0 ||
         listen(fd, SOMAXCONN) != 0)) {
        cause = errno;
        (void)unlink(path);
    }
    if (cause != 0) {
        if (fd >= 0) {
            (void)close(fd);
        }
        mem_free(listener->path);
        listener->path = NULL;
        return fail(err, address, cause);
    }
    listener->device = info.st_dev;
    listener->inode = info.st_ino;
    listener->fd = fd;
    return STATUS_OK;
}

static enum status
listen_inherited(const char *address, const char *name,
                 struct http_listener *listener, struct error *err)
{
    int inherited = notify_listen_fd(name);
    if (inherited < 0) {
        return error_set(err, STATUS_NOT_FOUND,
                         "cannot listen on %s: no inherited socket has this "
                         "name; start through a systemd socket unit with "
                         "FileDescriptorName=%s",
                         address, name);
    }
    int listens = 0;
    socklen_t size = sizeof(listens);
    if (getsockopt(inherited, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) !=
            0 ||
        listens == 0) {
        return refuse(err, address,
                      "the inherited descriptor is no listening socket");
    }
    /* a copy, so that closing ours leaves it for the next configuration */
    int fd = fcntl(inherited, F_DUPFD_CLOEXEC, FD_BEHIND_INHERITED);
    int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
    union address at = { 0 };
    size = sizeof(at);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        getsockname(fd, &at.any, &size) != 0) {
        int cause = errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        return fail(err, address, cause);
    }
    listener->fd = fd;
    listener->is_unix = at.any.sa_family == AF_UNIX;
    listener->port = bound_port(fd);
    if (!listener->is_unix) {
        (void)set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    }
    return STATUS_OK;
}

enum status
http_listen_open(const char *address, unsigned unix_mode,
                 struct http_listener *ret, struct error *err)
{
    struct slice text = slice_of(address);
    *ret = (struct http_listener){ .fd = -1 };
    if (slice_starts(text, slice_of("unix:"))) {
        return listen_unix(address, address + 5, unix_mode, ret, err);
    }
    if (slice_starts(text, slice_of("fd:"))) {
        return listen_inherited(address, address + 3, ret, err);
    }
    return listen_tcp(address, ret, err);
}

enum status
http_listen_check(const char *address, struct error *err)
{
    struct slice text = slice_of(address);
    if (slice_starts(text, slice_of("unix:"))) {
        return check_unix(address, address + 5, err);
    }
    if (slice_starts(text, slice_of("fd:"))) {
        return text.len > 3 ? STATUS_OK
                            : refuse(err, address, "fd: needs a name");
    }
    union address at;
    socklen_t size;
    bool is_any;
    return parse_tcp(address, &at, &size, &is_any, err);
}

void
http_listen_close(struct http_listener *listener)
{
    struct stat info;
    if (listener->path != NULL && lstat(listener->path, &info) == 0 &&
        info.st_dev == listener->device && info.st_ino == listener->inode) {
        (void)unlink(listener->path);
    }
    mem_free(listener->path);
    listener->path = NULL;
    if (listener->fd >= 0) {
        (void)close(listener->fd);
        listener->fd = -1;
    }
}
