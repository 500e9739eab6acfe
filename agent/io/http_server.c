/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* accept4 */
#include "io/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/http_server_private.h"
#include "io/loop.h"

enum {
    ACCEPTS_A_TURN = 64,
    ACCEPT_PAUSE_MS = 100,
    REFUSING_MAX = 64 /* connections over the limit that are told so */
};

static struct http_peer **
find_peer(struct http_server *server, const char key[16], uint64_t *ret_hash)
{
    uint64_t hash = slice_hash((struct slice){ key, 16 }, server->seed);
    struct http_peer **at = &server->peers[hash % HTTP_PEER_BUCKETS];
    while (*at != NULL && memcmp((*at)->key, key, 16) != 0) {
        at = &(*at)->next;
    }
    *ret_hash = hash;
    return at;
}

static enum status
count_peer(struct http_server *server, const char key[16],
           struct http_peer **ret)
{
    uint64_t hash;
    struct http_peer **at = find_peer(server, key, &hash);
    if (*at == NULL) {
        struct http_peer *peer = mem_zero(sizeof(*peer));
        if (peer == NULL) {
            return STATUS_NOMEM;
        }
        memcpy(peer->key, key, 16);
        peer->hash = hash;
        *at = peer;
    }
    if ((*at)->count >= server->limits.connections_per_address &&
        server->limits.connections_per_address > 0) {
        return STATUS_FULL;
    }
    (*at)->count++;
    *ret = *at;
    return STATUS_OK;
}

static void
uncount_peer(struct http_server *server, struct http_peer *peer)
{
    if (peer == NULL || --peer->count > 0) {
        return;
    }
    struct http_peer **at = &server->peers[peer->hash % HTTP_PEER_BUCKETS];
    while (*at != peer) {
        at = &(*at)->next;
    }
    *at = peer->next;
    mem_free(peer);
}

/* An address as text, and what it is counted by: one IPv4 address, or the /64
 * an IPv6 customer is given as a rule. */
static bool
describe_peer(const struct sockaddr_storage *from, char *text, char key[16])
{
    memset(key, 0, 16);
    if (from->ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, from, sizeof(v4));
        memcpy(key + 12, &v4.sin_addr, 4);
        return inet_ntop(AF_INET, &v4.sin_addr, text, HTTP_PEER_TEXT_BYTES) !=
               NULL;
    }
    if (from->ss_family != AF_INET6) {
        return false;
    }
    struct sockaddr_in6 v6;
    memcpy(&v6, from, sizeof(v6));
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
        memcpy(key + 12, &v6.sin6_addr.s6_addr[12], 4);
        return inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text,
                         HTTP_PEER_TEXT_BYTES) != NULL;
    }
    memcpy(key, &v6.sin6_addr, 8);
    return inet_ntop(AF_INET6, &v6.sin6_addr, text, HTTP_PEER_TEXT_BYTES) !=
           NULL;
}

void
http_server_tell_refused(struct http_server *server, struct slice path,
                         unsigned status, const char *reason)
{
    if (server->handler.refused != NULL) {
        server->handler.refused(server->handler.arg, path, status, reason);
    }
}

static void
refuse_connection(struct http_server *server, int fd)
{
    /* a handshake only to say no would be dearer to us than to whoever asks */
    if (server->tls == NULL && server->refusing < REFUSING_MAX &&
        http_conn_open_refused(server, fd) == STATUS_OK) {
        return;
    }
    struct slice none = { 0 };
    http_server_tell_refused(server, none, 503, "too many connections");
    (void)close(fd);
}

static void
welcome(struct http_server *server, int fd, const struct sockaddr_storage *from)
{
    if (server->count - server->refusing >= server->limits.connections) {
        refuse_connection(server, fd);
        return;
    }
    char text[HTTP_PEER_TEXT_BYTES] = "unix";
    char key[16];
    struct http_peer *peer = NULL;
    enum status status = STATUS_OK;
    if (!server->listener.is_unix && describe_peer(from, text, key)) {
        status = count_peer(server, key, &peer);
    }
    if (status == STATUS_OK) {
        status = http_conn_open(server, fd, text, peer);
        if (status != STATUS_OK) {
            uncount_peer(server, peer);
        }
    }
    if (status == STATUS_FULL) {
        refuse_connection(server, fd);
    } else if (status != STATUS_OK) {
        (void)close(fd);
    }
}

static void
pause_accepting(struct http_server *server)
{
    loop_io_want(server->accept_io, 0);
    loop_timer_arm(server->accept_timer, ACCEPT_PAUSE_MS);
}

/*
 * Without a descriptor to spare the listening socket would stay readable and
 * the loop would spin. The reserve takes one connection off the queue, so that
 * its client learns at once; then there is a pause.
 */
static void
survive_shortage(struct http_server *server)
{
    if (server->reserve_fd >= 0) {
        (void)close(server->reserve_fd);
        int fd = accept4(server->listener.fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct slice none = { 0 };
    http_server_tell_refused(server, none, 503, "out of descriptors");
    pause_accepting(server);
}

static bool
is_shortage(int cause)
{
    return cause == EMFILE || cause == ENFILE || cause == ENOBUFS ||
           cause == ENOMEM;
}

/* Returns whether there may be more. */
static bool
accept_one(struct http_server *server)
{
    struct sockaddr_storage from;
    socklen_t size = sizeof(from);
    from.ss_family = AF_UNSPEC;
    int fd = accept4(server->listener.fd, (struct sockaddr *)&from, &size,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        welcome(server, fd, &from);
        return true;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        return false;
    }
    if (is_shortage(errno)) {
        survive_shortage(server);
        return false;
    }
    /* accept(2): errors of that one connection, gone before it was taken */
    return true;
}

static void
on_acceptable(void *arg, int ready)
{
    (void)ready;
    struct http_server *server = arg;
    for (int i = 0; i < ACCEPTS_A_TURN && accept_one(server); i++) {
    }
}

static void
on_accept_again(void *arg)
{
    struct http_server *server = arg;
    if (server->accept_io != NULL) {
        loop_io_want(server->accept_io, LOOP_READ);
    }
}

static void
on_resume(void *arg)
{
    struct http_server *server = arg;
    struct list batch;
    list_init(&batch);
    list_join(&batch, &server->resumes);
    struct list *link;
    while ((link = list_take(&batch)) != NULL) {
        http_conn_resume(link);
    }
}

void
http_server_resume_later(struct http_server *server, struct list *link)
{
    list_remove(link);
    list_append(&server->resumes, link);
    loop_timer_arm(server->resume_timer, 0);
}

struct http_parser *
http_server_lend_parser(struct http_server *server)
{
    if (server->spare_count > 0) {
        return server->spare[--server->spare_count];
    }
    struct http_parser *parser;
    return http_parser_create(&server->limits.request, &parser) == STATUS_OK
               ? parser
               : NULL;
}

void
http_server_return_parser(struct http_server *server,
                          struct http_parser *parser)
{
    if (server->spare_count == HTTP_PARSERS_SPARE) {
        http_parser_destroy(parser);
        return;
    }
    http_parser_reset(parser);
    server->spare[server->spare_count++] = parser;
}

void
http_server_forget(struct http_server *server, struct list *link,
                   struct http_peer *peer, bool was_refused)
{
    list_remove(link);
    uncount_peer(server, peer);
    server->count--;
    server->refusing -= was_refused ? 1 : 0;
    if (server->is_swept && server->count == 0) {
        /* not from here: the caller may stand inside an answer */
        loop_timer_arm(server->stop_timer, 0);
    }
}

static void
close_listener(struct http_server *server)
{
    loop_io_destroy(server->accept_io);
    server->accept_io = NULL;
    if (server->accept_timer != NULL) {
        loop_timer_disarm(server->accept_timer);
    }
    http_listen_close(&server->listener);
}

static void
abandon_all(struct http_server *server)
{
    list_for_each_safe(at, &server->conns) {
        http_conn_abandon(at);
    }
}

/* What the kernel has accepted for us is still served. */
static void
sweep(struct http_server *server)
{
    for (int64_t i = 0; i < SOMAXCONN && accept_one(server); i++) {
    }
    close_listener(server);
    list_for_each_safe(at, &server->conns) {
        http_conn_sweep(at);
    }
    server->is_swept = true;
}

static void
on_stop(void *arg)
{
    struct http_server *server = arg;
    if (!server->is_swept) {
        sweep(server);
        loop_timer_arm(server->stop_timer,
                       server->count == 0 ? 0 : server->grace_ms);
        return;
    }
    abandon_all(server);
    loop_timer_disarm(server->stop_timer);
    if (server->stopped != NULL) {
        /* last: it may destroy the server */
        server->stopped(server->stopped_arg);
    }
}

void
http_server_stop(struct http_server *server, int64_t grace_ms,
                 void (*stopped)(void *arg), void *arg)
{
    if (server->is_stopping) {
        return;
    }
    server->is_stopping = true;
    server->grace_ms = grace_ms;
    server->stopped = stopped;
    server->stopped_arg = arg;
    loop_timer_arm(server->stop_timer, 0);
}

void
http_server_speak_tls(struct http_server *server, struct tls_server *tls)
{
    server->tls = tls;
}

static void
set_limits(struct http_server *server, const struct http_server_limits *limits)
{
    server->limits = *limits;
    server->bodies.limit = (size_t)limits->bodies_bytes;
    server->limits.request.share =
        limits->bodies_bytes > 0 ? &server->bodies : NULL;
}

void
http_server_serve(struct http_server *server,
                  const struct http_server_limits *limits,
                  const struct http_server_handler *handler)
{
    server->handler = *handler;
    set_limits(server, limits);
    while (server->spare_count > 0) {
        http_parser_destroy(server->spare[--server->spare_count]);
    }
}

uint16_t
http_server_port(const struct http_server *server)
{
    return server->listener.port;
}

void
http_server_destroy(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    server->is_swept = false;
    close_listener(server);
    abandon_all(server);
    loop_timer_destroy(server->accept_timer);
    loop_timer_destroy(server->resume_timer);
    loop_timer_destroy(server->stop_timer);
    while (server->spare_count > 0) {
        http_parser_destroy(server->spare[--server->spare_count]);
    }
    if (server->reserve_fd >= 0) {
        (void)close(server->reserve_fd);
    }
    buf_fini(&server->answer);
    mem_free(server);
}

static enum status
create_watchers(struct http_server *server)
{
    struct loop *loop = server->loop;
    enum status status =
        loop_timer_create(loop, on_accept_again, server, &server->accept_timer);
    if (status == STATUS_OK) {
        status =
            loop_timer_create(loop, on_resume, server, &server->resume_timer);
    }
    if (status == STATUS_OK) {
        status = loop_timer_create(loop, on_stop, server, &server->stop_timer);
    }
    if (status == STATUS_OK) {
        status = loop_io_create(loop, server->listener.fd, on_acceptable,
                                server, &server->accept_io);
    }
    return status;
}

enum status
http_server_create(struct loop *loop, const char *address, unsigned unix_mode,
                   const struct http_server_limits *limits,
                   const struct http_server_handler *handler,
                   struct http_server **ret, struct error *err)
{
    struct http_server *server = mem_zero(sizeof(*server));
    if (server == NULL) {
        return error_set(err, STATUS_NOMEM, "cannot listen on %s: %s", address,
                         status_text(STATUS_NOMEM));
    }
    server->loop = loop;
    server->handler = *handler;
    set_limits(server, limits);
    server->listener.fd = -1;
    server->reserve_fd = -1;
    list_init(&server->conns);
    list_init(&server->resumes);
    enum status status =
        http_listen_open(address, unix_mode, &server->listener, err);
    if (status == STATUS_OK) {
        status = create_watchers(server);
        if (status != STATUS_OK) {
            (void)error_set(err, status, "cannot listen on %s: %s", address,
                            status_text(status));
        }
    }
    if (status != STATUS_OK) {
        http_server_destroy(server);
        return status;
    }
    /* a weak seed only makes the table slower under attack */
    ssize_t got = getrandom(server->seed, sizeof(server->seed), GRND_NONBLOCK);
    (void)got;
    server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    loop_io_want(server->accept_io, LOOP_READ);
    *ret = server;
    return STATUS_OK;
}
