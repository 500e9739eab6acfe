/* SPDX-License-Identifier: MIT */
/*
 * bench_load: signed webhooks over kept-alive connections for some seconds, and
 * how fast they were answered.
 *
 *     bench_load --port P [--path /hooks/pay] [--secret S] [--connections 64]
 *         [--seconds 3] [--warm-ms 300] [--events 600000]
 *
 * Everything that costs is done before the clock starts: while it runs a
 * request is four memcpys and one send.
 */
#define _GNU_SOURCE /* memmem */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/bench.h"
#include "wire/digest.h"

enum { REQUEST_BYTES = 2048, REPLY_BYTES = 4096, SIGNATURE_CHARS = 64 };

/* Stamps go on as they would at this pace, so that keys are in time's order. */
#define EVENTS_PER_STAMP 20000

struct connection {
    int fd;
    int64_t sent_us;
    size_t got;
    char request[REQUEST_BYTES];
    size_t request_len;
    char reply[REPLY_BYTES];
};

struct load {
    const char *series;
    int64_t base_s;
    char (*signatures)[SIGNATURE_CHARS];
    uint64_t events;
    uint64_t next;
    size_t head_len;
    size_t signature_at;
    char head[REQUEST_BYTES - BENCH_EVENT_BYTES];
    uint32_t *samples;
    uint64_t accepted;
    uint64_t refused;
    int refused_as;
    int64_t begin_us; /* of what counts */
    int64_t end_us;
};

static void
to_hex(const unsigned char *bytes, size_t count, char *into)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        into[2 * i] = digits[bytes[i] >> 4];
        into[2 * i + 1] = digits[bytes[i] & 15];
    }
}

static void
body_of(const struct load *load, uint64_t number, char *into)
{
    bench_event(into, load->series, number,
                load->base_s + (int64_t)(number / EVENTS_PER_STAMP));
}

static void
sign_all(struct load *load, const char *secret)
{
    struct digest_key *key;
    if (digest_init(NULL) != STATUS_OK ||
        digest_key_create(DIGEST_SHA256, slice_of(secret), &key) != STATUS_OK) {
        bench_die("cannot sign", "libcrypto");
    }
    char stamp[32];
    (void)snprintf(stamp, sizeof(stamp), "%" PRId64 ".", load->base_s);
    for (uint64_t i = 0; i < load->events; i++) {
        char body[BENCH_EVENT_BYTES];
        body_of(load, i, body);
        struct slice parts[] = { slice_of(stamp), { body, sizeof(body) } };
        struct digest digest;
        if (digest_key_sign(key, parts, 2, &digest) != STATUS_OK) {
            bench_die("cannot sign", "libcrypto");
        }
        to_hex(digest.bytes, digest.len, load->signatures[i]);
    }
    digest_key_destroy(key);
}

static void
render_head(struct load *load, const char *path)
{
    int len =
        snprintf(load->head, sizeof(load->head),
                 "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                 "User-Agent: Stripe/1.0\r\nAccept: */*\r\n"
                 "Content-Type: application/json; charset=utf-8\r\n"
                 "Content-Length: %d\r\nStripe-Signature: t=%" PRId64 ",v1=",
                 path, BENCH_EVENT_BYTES, load->base_s);
    load->signature_at = (size_t)len;
    memset(load->head + len, '0', SIGNATURE_CHARS);
    memcpy(load->head + len + SIGNATURE_CHARS, "\r\n\r\n", 4);
    load->head_len = (size_t)len + SIGNATURE_CHARS + 4;
}

static bool
send_next(struct load *load, struct connection *connection)
{
    if (load->next == load->events) {
        return false;
    }
    uint64_t number = load->next++;
    memcpy(connection->request + load->signature_at, load->signatures[number],
           SIGNATURE_CHARS);
    body_of(load, number, connection->request + load->head_len);
    connection->sent_us = bench_now_us();
    ssize_t sent = send(connection->fd, connection->request,
                        connection->request_len, MSG_NOSIGNAL);
    if (sent != (ssize_t)connection->request_len) {
        bench_die("send", strerror(errno));
    }
    return true;
}

/* How long the reply is that begins at `text`; 0: it is not whole. */
static size_t
reply_length(const char *text, size_t len)
{
    const char *end = memmem(text, len, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }
    size_t head = (size_t)(end - text) + 4;
    const char *field = memmem(text, head, "Content-Length: ", 16);
    size_t body = field == NULL ? 0 : strtoul(field + 16, NULL, 10);
    return len >= head + body ? head + body : 0;
}

static void
count_reply(struct load *load, const struct connection *connection)
{
    int64_t now_us = bench_now_us();
    if (now_us < load->begin_us || now_us >= load->end_us) {
        return;
    }
    if (connection->reply[9] == '2') {
        load->samples[load->accepted++] =
            (uint32_t)(now_us - connection->sent_us);
    } else {
        load->refused++;
        load->refused_as = atoi(connection->reply + 9);
    }
}

/* False when there is nothing left to send. */
static bool
on_readable(struct load *load, struct connection *connection)
{
    ssize_t got = recv(connection->fd, connection->reply + connection->got,
                       REPLY_BYTES - 1 - connection->got, 0);
    if (got <= 0) {
        bench_die("the agent closed a connection",
                  got < 0 ? strerror(errno) : "end of file");
    }
    connection->got += (size_t)got;
    connection->reply[connection->got] = '\0';
    if (reply_length(connection->reply, connection->got) == 0) {
        return true;
    }
    count_reply(load, connection);
    connection->got = 0;
    return send_next(load, connection);
}

static int
connect_to(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)(void *)&address,
                          sizeof(address)) != 0) {
        bench_die("connect", strerror(errno));
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static void
run(struct load *load, struct connection *connections, size_t count,
    uint16_t port)
{
    int poll = epoll_create1(0);
    for (size_t i = 0; i < count; i++) {
        struct connection *connection = &connections[i];
        struct epoll_event want = { .events = EPOLLIN, .data.ptr = connection };
        connection->fd = connect_to(port);
        memcpy(connection->request, load->head, load->head_len);
        connection->request_len = load->head_len + BENCH_EVENT_BYTES;
        if (epoll_ctl(poll, EPOLL_CTL_ADD, connection->fd, &want) != 0) {
            bench_die("epoll_ctl", strerror(errno));
        }
    }
    bool more = true;
    for (size_t i = 0; i < count; i++) {
        more = send_next(load, &connections[i]) && more;
    }
    while (more && bench_now_us() < load->end_us) {
        struct epoll_event ready[64];
        int found = epoll_wait(poll, ready, 64, 100);
        for (int i = 0; i < found && more; i++) {
            more = on_readable(load, ready[i].data.ptr);
        }
    }
    if (!more) {
        load->end_us = bench_now_us();
    }
    (void)close(poll);
}

int
main(int argc, char **argv)
{
    size_t count = (size_t)bench_number(argc, argv, "--connections", 64);
    int64_t seconds = bench_number(argc, argv, "--seconds", 3);
    char series[16];
    (void)snprintf(series, sizeof(series), "%ld", (long)getpid());
    struct load load = {
        .series = series,
        .base_s = (int64_t)time(NULL),
        .events = (uint64_t)bench_number(argc, argv, "--events", 600000),
    };
    load.signatures = malloc(load.events * SIGNATURE_CHARS);
    load.samples = malloc(load.events * sizeof(*load.samples));
    struct connection *connections = calloc(count, sizeof(*connections));
    if (load.signatures == NULL || load.samples == NULL ||
        connections == NULL) {
        bench_die("out of memory", "events");
    }
    render_head(&load, bench_text(argc, argv, "--path", "/hooks/pay"));
    sign_all(&load, bench_text(argc, argv, "--secret", "whsec_bench"));
    load.begin_us =
        bench_now_us() + 1000 * bench_number(argc, argv, "--warm-ms", 300);
    load.end_us = load.begin_us + seconds * 1000000;
    run(&load, connections, count,
        (uint16_t)bench_number(argc, argv, "--port", 0));
    if (load.end_us <= load.begin_us) {
        bench_die("--events", "too few: all were sent before the clock began");
    }
    double took = (double)(load.end_us - load.begin_us) / 1e6;
    uint32_t p50 = bench_percentile(load.samples, load.accepted, 50);
    uint32_t p99 = bench_percentile(load.samples, load.accepted, 99);
    (void)printf("{\"rate\":%.1f,\"accepted\":%" PRIu64 ",\"refused\":%" PRIu64
                 ",\"refused_as\":%d,\"p50_us\":%u,\"p99_us\":%u}\n",
                 (double)load.accepted / took, load.accepted, load.refused,
                 load.refused_as, p50, p99);
    return 0;
}
