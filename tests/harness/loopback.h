/* SPDX-License-Identifier: MIT */
/*
 * loopback: a small blocking server for tests, with a thread for each of its
 * connections, that does to a client what the test says.
 */
#ifndef HARNESS_LOOPBACK_H
#define HARNESS_LOOPBACK_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LOOPBACK_CONNECTIONS = 64, LOOPBACK_REQUEST_BYTES = 2 * 1024 * 1024 };

struct loopback;

/* Serves one connection until it returns; the server closes it. */
typedef void loopback_serve_fn(struct loopback *server, int fd);

struct loopback_connection {
    struct loopback *server;
    int fd;
    pthread_t thread;
};

struct loopback {
    loopback_serve_fn *serve;
    void *arg;
    uint16_t port; /* 0 for a unix socket */
    int listener;
    pthread_t acceptor;
    struct loopback_connection connections[LOOPBACK_CONNECTIONS];
    atomic_int connected; /* so many were accepted */
    atomic_int requests;  /* so many were read */
    char last[LOOPBACK_REQUEST_BYTES];
};

static inline bool
loopback_write(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t wrote = send(fd, bytes, len, MSG_NOSIGNAL);
        if (wrote <= 0) {
            return false;
        }
        bytes += wrote;
        len -= (size_t)wrote;
    }
    return true;
}

static inline bool
loopback_say(int fd, const char *text)
{
    return loopback_write(fd, text, strlen(text));
}

/* How long the request is that begins `text`; 0: its head is not whole. */
static inline size_t
loopback_request_length(const char *text)
{
    const char *end = strstr(text, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }
    size_t len = (size_t)(end - text) + 4;
    for (const char *line = text; line < end; line = strstr(line, "\r\n") + 2) {
        if (strncasecmp(line, "content-length:", 15) == 0) {
            len += strtoul(line + 15, NULL, 10);
        }
    }
    return len;
}

/* Reads one request and keeps it in server->last; false when there is none. */
static inline bool
loopback_read(struct loopback *server, int fd)
{
    size_t len = 0;
    char text[LOOPBACK_REQUEST_BYTES];
    text[0] = '\0';
    for (;;) {
        size_t whole = loopback_request_length(text);
        if (whole != 0 && len >= whole) {
            memcpy(server->last, text, len + 1);
            atomic_fetch_add(&server->requests, 1);
            return true;
        }
        ssize_t got = read(fd, text + len, sizeof(text) - 1 - len);
        if (got <= 0) {
            return false;
        }
        len += (size_t)got;
        text[len] = '\0';
    }
}

static inline void *
loopback_connection_run(void *arg)
{
    struct loopback_connection *connection = arg;
    connection->server->serve(connection->server, connection->fd);
    (void)shutdown(connection->fd, SHUT_RDWR);
    return NULL;
}

static inline void *
loopback_run(void *arg)
{
    struct loopback *server = arg;
    while (atomic_load(&server->connected) < LOOPBACK_CONNECTIONS) {
        int fd = accept(server->listener, NULL, NULL);
        if (fd < 0) {
            break;
        }
        struct loopback_connection *connection =
            &server->connections[atomic_load(&server->connected)];
        connection->server = server;
        connection->fd = fd;
        if (pthread_create(&connection->thread, NULL, loopback_connection_run,
                           connection) != 0) {
            (void)close(fd);
            break;
        }
        atomic_fetch_add(&server->connected, 1);
    }
    return NULL;
}

/* Listens on a free port of 127.0.0.1, or on the unix socket `path`. */
static inline bool
loopback_start(struct loopback *server, const char *path,
               loopback_serve_fn *serve, void *arg)
{
    memset(server, 0, sizeof(*server));
    server->serve = serve;
    server->arg = arg;
    struct sockaddr_in in = { .sin_family = AF_INET };
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct sockaddr *address = (struct sockaddr *)(void *)&in;
    socklen_t len = sizeof(in);
    if (path != NULL) {
        (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
        (void)unlink(path);
        address = (struct sockaddr *)(void *)&un;
        len = sizeof(un);
    }
    server->listener = socket(address->sa_family, SOCK_STREAM, 0);
    if (server->listener < 0 || bind(server->listener, address, len) != 0 ||
        listen(server->listener, LOOPBACK_CONNECTIONS) != 0) {
        return false;
    }
    if (path == NULL) {
        (void)getsockname(server->listener, address, &len);
        server->port = ntohs(in.sin_port);
    }
    return pthread_create(&server->acceptor, NULL, loopback_run, server) == 0;
}

static inline void
loopback_stop(struct loopback *server)
{
    (void)shutdown(server->listener, SHUT_RDWR);
    (void)pthread_join(server->acceptor, NULL);
    (void)close(server->listener);
    int count = atomic_load(&server->connected);
    for (int i = 0; i < count; i++) {
        (void)shutdown(server->connections[i].fd, SHUT_RDWR);
        (void)pthread_join(server->connections[i].thread, NULL);
        (void)close(server->connections[i].fd);
    }
}

#endif
