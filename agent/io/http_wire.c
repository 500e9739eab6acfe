/* SPDX-License-Identifier: MIT */
/* A connection's bytes, to and from its socket: plain, or through TLS. */
#include "io/http_conn_private.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* Answers to a peer that itself takes none: more than ever waits in order. */
enum { UNTAKEN_BYTES_MAX = 262144 };

/* ---- out ---- */

/* Sends as much of *rest as the socket takes, and moves it on. Returns whether
 * the connection is still good. */
static bool
put(const struct http_conn *conn, struct slice *rest)
{
    while (rest->len > 0) {
        ssize_t sent = send(conn->fd, rest->ptr, rest->len, MSG_NOSIGNAL);
        if (sent >= 0) {
            *rest = slice_from(*rest, (size_t)sent);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return true;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

static void
send_or_keep(struct http_conn *conn, struct slice bytes)
{
    if (conn->out.len == 0 && !put(conn, &bytes)) {
        http_conn_close(conn);
        return;
    }
    if (bytes.len > 0) {
        buf_append(&conn->out, bytes);
        if (buf_status(&conn->out) != STATUS_OK) {
            http_conn_close(conn);
        }
    }
}

/* Sends what the session has for the peer. */
static void
send_sealed(struct http_conn *conn)
{
    struct slice sealed = tls_session_output(conn->tls);
    if (sealed.len > 0) {
        send_or_keep(conn, sealed);
    }
    if (conn->state != CONN_DEAD) {
        tls_session_sent(conn->tls);
    }
}

void
http_wire_send(struct http_conn *conn, struct slice bytes)
{
    if (conn->tls == NULL) {
        send_or_keep(conn, bytes);
    } else if (tls_session_write(conn->tls, bytes) == STATUS_OK) {
        send_sealed(conn);
    } else {
        http_conn_close(conn);
    }
}

void
http_wire_flush(struct http_conn *conn)
{
    struct buf out = conn->out;
    conn->out = (struct buf){ 0 };
    struct slice rest = buf_slice(&out);
    bool is_good = put(conn, &rest);
    if (is_good && rest.len > 0) {
        buf_consume(&out, out.len - rest.len);
        conn->out = out;
        return;
    }
    buf_fini(&out);
    if (!is_good) {
        http_conn_close(conn);
    }
}

bool
http_wire_end(struct http_conn *conn)
{
    if (conn->tls != NULL) {
        tls_session_end(conn->tls);
        send_sealed(conn);
        if (conn->state == CONN_DEAD || conn->out.len > 0) {
            return false;
        }
    }
    (void)shutdown(conn->fd, SHUT_WR);
    return true;
}

void
http_wire_close(struct http_conn *conn)
{
    if (conn->tls != NULL) {
        tls_session_end(conn->tls);
        struct slice last = tls_session_output(conn->tls);
        if (conn->out.len == 0) {
            (void)put(conn, &last);
        }
        tls_session_destroy(conn->tls);
        conn->tls = NULL;
    }
    (void)close(conn->fd);
    conn->fd = -1;
}

/* ---- in ---- */

static enum http_wire
receive(const struct http_conn *conn, char *into, size_t room, size_t *ret_got)
{
    ssize_t got = recv(conn->fd, into, room, 0);
    *ret_got = got > 0 ? (size_t)got : 0;
    if (got > 0) {
        return HTTP_WIRE_BYTES;
    }
    bool comes_again =
        got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    return comes_again ? HTTP_WIRE_LATER : HTTP_WIRE_END;
}

/* Opens all that was fed. */
static enum tls_progress
open_all(struct http_conn *conn, size_t *ret_got)
{
    struct http_server *server = conn->server;
    enum tls_progress progress;
    size_t got = 0, part;
    do {
        progress = tls_session_read(conn->tls, server->scratch + got,
                                    sizeof(server->scratch) - got, &part);
        got += part;
    } while (progress == TLS_BYTES && got < sizeof(server->scratch));
    *ret_got = got;
    return progress;
}

/* Who speaks no TLS we know is told so and heard no more: closed at once, with
 * bytes unread, the kernel's reset could overtake the alert. */
static enum http_wire
give_up(struct http_conn *conn)
{
    static const struct slice in_plain =
        SLICE("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n"
              "Connection: close\r\n\r\n");
    struct slice none = { 0 };
    bool met_http = tls_session_met_http(conn->tls);
    http_server_tell_refused(conn->server, none, met_http ? 400 : 0,
                             tls_session_reason(conn->tls));
    if (met_http && conn->out.len == 0) {
        struct slice rest = in_plain;
        (void)put(conn, &rest);
    }
    if (conn->out.len > 0 || conn->flow != NULL) {
        return HTTP_WIRE_END;
    }
    (void)shutdown(conn->fd, SHUT_WR);
    http_conn_drop_parser(conn);
    http_conn_phase(conn, CONN_LINGER);
    return HTTP_WIRE_LATER;
}

static enum http_wire
read_sealed(struct http_conn *conn, size_t *ret_got)
{
    struct http_server *server = conn->server;
    size_t got;
    enum http_wire wire =
        receive(conn, server->sealed, sizeof(server->sealed), &got);
    if (wire != HTTP_WIRE_BYTES) {
        return wire;
    }
    struct slice sealed = { server->sealed, got };
    if (tls_session_feed(conn->tls, sealed) != STATUS_OK) {
        return HTTP_WIRE_END;
    }
    enum tls_progress progress = open_all(conn, ret_got);
    send_sealed(conn);
    if (conn->state == CONN_DEAD ||
        (conn->flow == NULL && conn->out.len > UNTAKEN_BYTES_MAX)) {
        return HTTP_WIRE_END;
    }
    /* what came before an end or a mistake is good; the next read finds it */
    if (*ret_got > 0) {
        return HTTP_WIRE_BYTES;
    }
    switch (progress) {
    case TLS_FAILED: return give_up(conn);
    case TLS_ENDED: return HTTP_WIRE_END;
    case TLS_BYTES:
    case TLS_WANTS: break;
    }
    return HTTP_WIRE_LATER;
}

enum http_wire
http_wire_read(struct http_conn *conn, size_t most, size_t *ret_got)
{
    *ret_got = 0;
    /* what lingers is thrown away, sealed or not */
    if (conn->tls == NULL || conn->state == CONN_LINGER) {
        return receive(conn, conn->server->scratch, most, ret_got);
    }
    return read_sealed(conn, ret_got);
}
