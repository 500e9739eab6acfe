/* SPDX-License-Identifier: MIT */
/*
 * bench_server: the smallest receiver of webhooks: prints its port, answers
 * every request 204 as soon as its body is there, until its stdin ends.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/bench.h"

enum { CONNECTIONS = 1024, ROOM = 64 * 1024, EVENTS = 64 };

static char *held[CONNECTIONS]; /* by descriptor: what is not answered yet */
static size_t held_len[CONNECTIONS];

/* The length of the first request in `bytes`, or 0 while it is not whole. */
static size_t
request_len(const char *bytes, size_t len)
{
    const char *end = memmem(bytes, len, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }
    size_t head = (size_t)(end - bytes) + 4;
    const char *at = bytes;
    size_t body = 0;
    while (at < end) {
        if (strncasecmp(at, "content-length:", 15) == 0) {
            body = strtoul(at + 15, NULL, 10);
        }
        at = (const char *)memchr(at, '\n', (size_t)(end + 2 - at)) + 1;
    }
    return len >= head + body ? head + body : 0;
}

static void
hang_up(int fd)
{
    held_len[fd] = 0;
    (void)close(fd);
}

static void
serve(int fd)
{
    static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
    ssize_t got = read(fd, held[fd] + held_len[fd], ROOM - held_len[fd]);
    if (got <= 0) {
        hang_up(fd);
        return;
    }
    held_len[fd] += (size_t)got;
    size_t len;
    while ((len = request_len(held[fd], held_len[fd])) > 0) {
        held_len[fd] -= len;
        memmove(held[fd], held[fd] + len, held_len[fd]);
        if (write(fd, answer, sizeof(answer) - 1) < 0) {
            hang_up(fd);
            return;
        }
    }
}

static void
watch(int poll_fd, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
    if (fd >= CONNECTIONS ||
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        bench_die("server", "too many connections");
    }
    if (held[fd] == NULL && (held[fd] = malloc(ROOM)) == NULL) {
        bench_die("server", "memory");
    }
}

static int
listen_somewhere(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(fd, CONNECTIONS) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
        bench_die("server", "listen");
    }
    (void)printf("%u\n", ntohs(at.sin_port));
    (void)fflush(stdout);
    return fd;
}

int
main(void)
{
    int listener = listen_somewhere();
    int poll_fd = epoll_create1(0);
    int on = 1;
    watch(poll_fd, listener);
    watch(poll_fd, STDIN_FILENO);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(poll_fd, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO) {
                return 0;
            }
            if (fd != listener) {
                serve(fd);
                continue;
            }
            int made = accept(listener, NULL, NULL);
            (void)setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
            watch(poll_fd, made);
        }
    }
}
