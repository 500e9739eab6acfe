/* SPDX-License-Identifier: MIT */
#include "io/http_conn_private.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/loop.h"

/*
 * Lingering (RFC 9112 §9.6): closing with unread bytes makes the kernel send a
 * reset, which may destroy the answer before the client has read it.
 */
enum {
    LINGER_MS = 2000,
    LINGER_BYTES = 8 * 1024 * 1024,
    HEAD_READ_BYTES = 16384
};

void
http_conn_drop_parser(struct http_conn *conn)
{
    if (conn->parser == NULL) {
        return;
    }
    if (conn->server != NULL) {
        http_server_return_parser(conn->server, conn->parser);
    } else {
        http_parser_destroy(conn->parser);
    }
    conn->parser = NULL;
}

void
http_conn_enter(struct http_conn *conn)
{
    conn->busy++;
}

void
http_conn_leave(struct http_conn *conn)
{
    conn->busy--;
    if (conn->busy > 0 || conn->state != CONN_DEAD || conn->exchange.is_open) {
        return;
    }
    http_conn_drop_parser(conn);
    if (conn->server != NULL) {
        http_server_forget(conn->server, &conn->link, conn->peer,
                           conn->is_refused);
    }
    mem_free(conn);
}

void
http_conn_close(struct http_conn *conn)
{
    if (conn->state == CONN_DEAD) {
        return;
    }
    conn->state = CONN_DEAD;
    loop_io_destroy(conn->io);
    conn->io = NULL;
    loop_timer_destroy(conn->timer);
    conn->timer = NULL;
    http_wire_close(conn);
    list_remove(&conn->resume);
    buf_fini(&conn->out);
    buf_fini(&conn->pending);
}

void
http_conn_phase(struct http_conn *conn, enum conn_state state)
{
    conn->state = state;
    conn->phase_ms = loop_now_ms(conn->server->loop);
}

/* How long this phase may last; 0: for ever. */
static int64_t
phase_limit(const struct http_conn *conn)
{
    const struct http_server_limits *limits = &conn->server->limits;
    switch (conn->state) {
    case CONN_IDLE:
        /* who has never said anything is given no longer than a head */
        return conn->requests > 0 ? limits->idle_timeout_ms
                                  : limits->head_timeout_ms;
    case CONN_HEAD: return limits->head_timeout_ms;
    case CONN_BODY: return limits->body_timeout_ms;
    case CONN_WRITE: return limits->write_timeout_ms;
    case CONN_FLOW: return conn->out.len > 0 ? limits->write_timeout_ms : 0;
    case CONN_LINGER: return LINGER_MS;
    case CONN_OPEN:
    case CONN_DEAD: break;
    }
    return 0;
}

/* Deadlines mostly move back: the timer is left as it is then, and looks again
 * when it fires. A kept-alive connection costs no timer call a request. */
static void
conn_schedule(struct http_conn *conn)
{
    int64_t limit = phase_limit(conn);
    if (limit <= 0) {
        conn->deadline_ms = INT64_MAX;
        return;
    }
    conn->deadline_ms = conn->phase_ms + limit;
    if (loop_timer_armed(conn->timer) && conn->timer_ms <= conn->deadline_ms) {
        return;
    }
    conn->timer_ms = conn->deadline_ms;
    loop_timer_arm(conn->timer,
                   conn->deadline_ms - loop_now_ms(conn->server->loop));
}

static void
conn_watch(struct http_conn *conn)
{
    int want = conn->out.len > 0 ? LOOP_WRITE : 0;
    if (!conn->is_deaf) {
        want |= LOOP_READ;
    }
    if (want != conn->want) {
        conn->want = want;
        loop_io_want(conn->io, want);
    }
}

void
http_conn_settle(struct http_conn *conn)
{
    if (conn->state != CONN_WRITE || conn->out.len > 0) {
        return;
    }
    conn->is_deaf = false;
    if (conn->closes || conn->server->is_stopping) {
        if (http_wire_end(conn)) {
            buf_fini(&conn->pending);
            http_conn_phase(conn, CONN_LINGER);
        }
        return;
    }
    http_conn_phase(conn, CONN_IDLE);
    if (!conn->is_feeding && conn->pending.len > 0) {
        /* a turn later: no request is handed over inside another's answer */
        conn->is_deaf = true;
        http_server_resume_later(conn->server, &conn->resume);
    }
}

void
http_conn_rest(struct http_conn *conn)
{
    if (conn->state != CONN_DEAD) {
        http_conn_settle(conn);
        conn_schedule(conn);
        conn_watch(conn);
    }
    http_conn_leave(conn);
}

static void
conn_read(struct http_conn *conn)
{
    struct http_server *server = conn->server;
    if (conn->state == CONN_OPEN || conn->state == CONN_WRITE) {
        /* what is pipelined, or an end, waits in the kernel */
        conn->is_deaf = true;
        return;
    }
    bool reads_much = conn->state == CONN_BODY || conn->state == CONN_LINGER;
    size_t got = 0;
    switch (http_wire_read(
        conn, reads_much ? sizeof(server->scratch) : HEAD_READ_BYTES, &got)) {
    case HTTP_WIRE_BYTES: break;
    case HTTP_WIRE_LATER: return;
    case HTTP_WIRE_END: http_conn_close(conn); return;
    }
    if (conn->state == CONN_LINGER || conn->state == CONN_FLOW) {
        conn->drained += got;
        if (conn->drained > LINGER_BYTES) {
            http_conn_close(conn);
        }
        return;
    }
    http_exchange_feed(conn, (struct slice){ server->scratch, got });
}

static void
on_ready(void *arg, int ready)
{
    struct http_conn *conn = arg;
    http_conn_enter(conn);
    if ((ready & LOOP_WRITE) != 0 && conn->out.len > 0) {
        http_wire_flush(conn);
    }
    if ((ready & LOOP_READ) != 0 && conn->state != CONN_DEAD) {
        conn_read(conn);
    }
    http_outflow_tell(conn);
    http_conn_rest(conn);
}

static void
on_deadline(struct http_conn *conn)
{
    switch (conn->state) {
    case CONN_HEAD:
        if (http_parser_started(conn->parser)) {
            http_exchange_refuse(conn, 408, "head not complete in time");
            return;
        }
        break;
    case CONN_BODY:
        if (!conn->is_discarding) {
            http_exchange_refuse(conn, 408, "body not complete in time");
            return;
        }
        break;
    case CONN_IDLE:
    case CONN_OPEN:
    case CONN_WRITE:
    case CONN_FLOW:
    case CONN_LINGER:
    case CONN_DEAD: break;
    }
    http_conn_close(conn);
}

static void
on_timer(void *arg)
{
    struct http_conn *conn = arg;
    http_conn_enter(conn);
    if (loop_now_ms(conn->server->loop) >= conn->deadline_ms) {
        on_deadline(conn);
    }
    http_outflow_tell(conn);
    http_conn_rest(conn);
}

static enum status
conn_create(struct http_server *server, int fd, struct http_conn **ret)
{
    struct http_conn *conn = mem_zero(sizeof(*conn));
    if (conn == NULL) {
        return STATUS_NOMEM;
    }
    conn->server = server;
    conn->fd = fd;
    enum status status = server->tls == NULL
                             ? STATUS_OK
                             : tls_session_create(server->tls, &conn->tls);
    if (status == STATUS_OK) {
        status = loop_io_create(server->loop, fd, on_ready, conn, &conn->io);
    }
    if (status == STATUS_OK) {
        status = loop_timer_create(server->loop, on_timer, conn, &conn->timer);
    }
    if (status != STATUS_OK) {
        loop_io_destroy(conn->io);
        tls_session_destroy(conn->tls);
        mem_free(conn);
        return status;
    }
    list_init(&conn->resume);
    list_append(&server->conns, &conn->link);
    server->count++;
    *ret = conn;
    return STATUS_OK;
}

enum status
http_conn_open(struct http_server *server, int fd, const char *peer_text,
               struct http_peer *peer)
{
    struct http_conn *conn;
    enum status status = conn_create(server, fd, &conn);
    if (status != STATUS_OK) {
        return status;
    }
    conn->peer = peer;
    (void)snprintf(conn->peer_text, sizeof(conn->peer_text), "%s", peer_text);
    http_conn_phase(conn, CONN_IDLE);
    http_conn_enter(conn);
    /* senders speak first: mostly the request is there already */
    conn_read(conn);
    http_conn_rest(conn);
    return STATUS_OK;
}

enum status
http_conn_open_refused(struct http_server *server, int fd)
{
    struct http_conn *conn;
    enum status status = conn_create(server, fd, &conn);
    if (status != STATUS_OK) {
        return status;
    }
    conn->is_refused = true;
    server->refusing++;
    http_conn_enter(conn);
    http_exchange_refuse(conn, 503, "too many connections");
    http_conn_rest(conn);
    return STATUS_OK;
}

void
http_conn_resume(struct list *resume_link)
{
    struct http_conn *conn = HTTP_CONN(resume_link, resume);
    http_conn_enter(conn);
    conn->is_deaf = false;
    struct buf pending = conn->pending;
    conn->pending = (struct buf){ 0 };
    http_exchange_feed(conn, buf_slice(&pending));
    buf_fini(&pending);
    http_conn_rest(conn);
}

void
http_conn_sweep(struct list *link)
{
    struct http_conn *conn = HTTP_CONN(link, link);
    if (conn->state != CONN_IDLE || conn->pending.len > 0) {
        return;
    }
    http_conn_enter(conn);
    /* a request that is on its way in is still answered */
    conn_read(conn);
    if (conn->state == CONN_IDLE) {
        http_conn_close(conn);
    }
    http_conn_rest(conn);
}

void
http_conn_abandon(struct list *link)
{
    struct http_conn *conn = HTTP_CONN(link, link);
    http_conn_enter(conn);
    http_conn_close(conn);
    http_outflow_tell(conn);
    if (conn->exchange.is_open) {
        http_server_forget(conn->server, &conn->link, conn->peer,
                           conn->is_refused);
        conn->server = NULL;
        conn->peer = NULL;
    }
    http_conn_leave(conn);
}
