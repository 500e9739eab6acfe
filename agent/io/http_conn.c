/* SPDX-License-Identifier: MIT */
#include "io/http_server_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/clock.h"
#include "io/loop.h"

enum conn_state {
    CONN_IDLE,   /* between requests: holds neither parser nor buffers */
    CONN_HEAD,   /* a first byte was seen */
    CONN_BODY,   /* the head was accepted, or its body is being discarded */
    CONN_OPEN,   /* the program has the request */
    CONN_WRITE,  /* the answer is on its way out */
    CONN_LINGER, /* all is said; what still comes in is thrown away */
    CONN_DEAD    /* closed; stays while its exchange is open */
};

/*
 * Lingering (RFC 9112 §9.6): closing with unread bytes makes the kernel send a
 * reset, which may destroy the answer before the client has read it.
 */
enum {
    LINGER_MS = 2000,
    LINGER_BYTES = 8 * 1024 * 1024,
    DISCARD_BYTES = 65536, /* a refused body up to this keeps the connection */
    HEAD_READ_BYTES = 16384
};

struct http_exchange {
    bool is_open;
};

struct http_conn {
    struct http_exchange exchange;
    struct list link;
    struct list resume;
    struct http_server *server; /* NULL when it went first */
    struct http_peer *peer;
    struct loop_io *io;
    struct loop_timer *timer;
    struct http_parser *parser;
    struct buf out;     /* what the socket did not take yet */
    struct buf pending; /* read behind a request that is not answered yet */
    int64_t phase_ms;   /* when this phase began */
    int64_t deadline_ms;
    int64_t timer_ms; /* when the timer fires; it may be early */
    int64_t requests;
    size_t drained;
    int fd;
    int want;
    int busy; /* callbacks of this connection on the stack */
    enum conn_state state;
    bool is_deaf;    /* readable, but nothing is read before the answer */
    bool is_feeding; /* an answer now must not start the next request */
    bool is_discarding;
    bool is_refused; /* over a limit of the server */
    bool to_head;
    bool keeps_alive;
    bool says_keep_alive;
    bool closes; /* when `out` is empty */
    char peer_text[HTTP_PEER_TEXT_BYTES];
};

#define CONN(from, member) list_entry(from, struct http_conn, member)

static void conn_settle(struct http_conn *conn);

static void
drop_parser(struct http_conn *conn)
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

static void
conn_enter(struct http_conn *conn)
{
    conn->busy++;
}

/* The last one out of a closed connection frees it. */
static void
conn_leave(struct http_conn *conn)
{
    conn->busy--;
    if (conn->busy > 0 || conn->state != CONN_DEAD || conn->exchange.is_open) {
        return;
    }
    drop_parser(conn);
    if (conn->server != NULL) {
        http_server_forget(conn->server, &conn->link, conn->peer,
                           conn->is_refused);
    }
    mem_free(conn);
}

static void
conn_close(struct http_conn *conn)
{
    if (conn->state == CONN_DEAD) {
        return;
    }
    conn->state = CONN_DEAD;
    loop_io_destroy(conn->io);
    conn->io = NULL;
    loop_timer_destroy(conn->timer);
    conn->timer = NULL;
    (void)close(conn->fd);
    conn->fd = -1;
    list_remove(&conn->resume);
    buf_fini(&conn->out);
    buf_fini(&conn->pending);
}

static void
conn_phase(struct http_conn *conn, enum conn_state state)
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

/* Sends what the socket takes, keeps the rest. */
static void
conn_send(struct http_conn *conn, struct slice bytes)
{
    while (conn->out.len == 0 && bytes.len > 0) {
        ssize_t put = send(conn->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (put >= 0) {
            bytes = slice_from(bytes, (size_t)put);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } else if (errno != EINTR) {
            conn_close(conn);
            return;
        }
    }
    if (bytes.len > 0) {
        buf_append(&conn->out, bytes);
        if (buf_status(&conn->out) != STATUS_OK) {
            conn_close(conn);
        }
    }
}

static void
conn_flush(struct http_conn *conn)
{
    struct buf out = conn->out;
    conn->out = (struct buf){ 0 };
    struct slice rest = buf_slice(&out);
    while (rest.len > 0) {
        ssize_t put = send(conn->fd, rest.ptr, rest.len, MSG_NOSIGNAL);
        if (put >= 0) {
            rest = slice_from(rest, (size_t)put);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            buf_consume(&out, out.len - rest.len);
            conn->out = out;
            return;
        } else if (errno != EINTR) {
            conn_close(conn);
            break;
        }
    }
    buf_fini(&out);
}

/* Renders into the server's buffer and sends. */
static void
conn_answer(struct http_conn *conn, const struct http_answer *answer)
{
    struct http_server *server = conn->server;
    struct http_framing framing = {
        .date = http_date_text(&server->date, clock_unix_ms()),
        .to_head = conn->to_head,
        .close = conn->closes,
        .says_keep_alive = conn->says_keep_alive,
    };
    buf_clear(&server->answer);
    http_answer_render(answer, &framing, &server->answer);
    if (buf_status(&server->answer) != STATUS_OK) {
        conn_close(conn);
    } else {
        conn_send(conn, buf_slice(&server->answer));
    }
    if (server->answer.cap > HTTP_SCRATCH_BYTES) {
        buf_fini(&server->answer);
    }
}

/* What a refusal by the server itself says; the reason is never told. */
static void
conn_refuse(struct http_conn *conn, unsigned status, const char *reason)
{
    static const struct http_field retry = { SLICE("Retry-After"), SLICE("1") };
    struct http_answer answer = { .status = status };
    struct slice path = { 0 };
    if (status == 503) {
        answer.fields = (struct http_fields){ &retry, 1 };
    }
    if (conn->state == CONN_BODY) {
        path = http_parser_request(conn->parser)->path;
    }
    http_server_tell_refused(conn->server, path, status, reason);
    conn->closes = true;
    conn->to_head = false;
    conn_phase(conn, CONN_WRITE);
    conn_answer(conn, &answer);
    drop_parser(conn);
}

static bool
says_keep_alive(const struct http_request *request)
{
    struct slice value;
    return http_field_find(request->fields, "connection", &value) &&
           slice_equal_nocase(slice_trim(value), slice_of("keep-alive"));
}

/* Notes what the answer's framing will need, before the request is taken. */
static void
note_request(struct http_conn *conn, const struct http_request *request)
{
    conn->requests++;
    conn->to_head = slice_equal_text(request->method, "HEAD");
    /* nothing behind a chunked body is trusted to be a request: the framing
     * most smuggling tricks are made of ends the connection */
    conn->keeps_alive = request->keep_alive && !request->chunked;
    conn->says_keep_alive = conn->keeps_alive && says_keep_alive(request);
}

static bool
must_close(const struct http_conn *conn)
{
    int64_t most = conn->server->limits.requests_per_connection;
    return !conn->keeps_alive || conn->server->is_stopping ||
           (most > 0 && conn->requests >= most);
}

/* Whether the body of a refused request is small enough to read past. */
static bool
may_discard(const struct http_request *request)
{
    if (request->chunked || request->expects_continue) {
        return false;
    }
    return !request->has_length || request->length <= DISCARD_BYTES;
}

static void
refuse_head(struct http_conn *conn, const struct http_request *request,
            unsigned status, struct http_answer *refusal)
{
    refusal->status = status;
    note_request(conn, request);
    conn->closes = refusal->close || must_close(conn) || !may_discard(request);
    conn_phase(conn, conn->closes ? CONN_WRITE : CONN_BODY);
    conn->is_discarding = true;
    http_parser_limit_body(conn->parser, DISCARD_BYTES);
    conn_answer(conn, refusal);
    if (conn->closes) {
        drop_parser(conn);
    }
}

static void
on_head(struct http_conn *conn, size_t bytes_left)
{
    struct http_server *server = conn->server;
    const struct http_request *request = http_parser_request(conn->parser);
    size_t limit = server->limits.request.body_bytes;
    struct http_answer refusal = { 0 };
    unsigned status =
        server->handler.head(server->handler.arg, request,
                             slice_of(conn->peer_text), &limit, &refusal);
    if (status != 0) {
        refuse_head(conn, request, status, &refusal);
        return;
    }
    conn_phase(conn, CONN_BODY);
    conn->is_discarding = false;
    http_parser_limit_body(conn->parser, limit);
    if (request->has_length && request->length > limit) {
        conn_refuse(conn, 413, "body over its limit");
        return;
    }
    bool has_body = request->chunked || request->length > 0;
    /* RFC 9110 §10.1.1: not needed once the body is coming */
    if (request->expects_continue && has_body && bytes_left == 0) {
        conn_send(conn, slice_of("HTTP/1.1 100 Continue\r\n\r\n"));
    }
}

static void
on_complete(struct http_conn *conn)
{
    struct http_server *server = conn->server;
    if (conn->is_discarding) {
        /* answered already */
        drop_parser(conn);
        conn_phase(conn, CONN_WRITE);
        conn_settle(conn);
        return;
    }
    note_request(conn, http_parser_request(conn->parser));
    conn->exchange.is_open = true;
    conn_phase(conn, CONN_OPEN);
    server->handler.request(server->handler.arg, &conn->exchange);
}

/* Whether the next bytes belong to a request. */
static bool
can_feed(const struct http_conn *conn)
{
    return conn->state == CONN_IDLE || conn->state == CONN_HEAD ||
           conn->state == CONN_BODY;
}

static bool
begin_request(struct http_conn *conn)
{
    if (conn->state != CONN_IDLE) {
        return true;
    }
    conn->parser = http_server_lend_parser(conn->server);
    if (conn->parser == NULL) {
        conn_close(conn);
        return false;
    }
    conn_phase(conn, CONN_HEAD);
    return true;
}

static void
conn_feed(struct http_conn *conn, struct slice bytes)
{
    conn->is_feeding = true;
    bool again = false; /* a head without a body is complete without bytes */
    while ((bytes.len > 0 || again) && can_feed(conn) && begin_request(conn)) {
        size_t used = 0;
        enum http_progress progress =
            http_parser_feed(conn->parser, bytes, &used);
        bool is_stuck = progress == HTTP_MORE && used == 0 && bytes.len > 0;
        bytes = slice_from(bytes, used);
        again = progress == HTTP_HEAD;
        switch (progress) {
        case HTTP_MORE:
            if (is_stuck) {
                conn_close(conn);
            }
            break;
        case HTTP_HEAD: on_head(conn, bytes.len); break;
        case HTTP_COMPLETE: on_complete(conn); break;
        case HTTP_REFUSED:
            if (conn->is_discarding && conn->state == CONN_BODY) {
                conn_close(conn);
            } else {
                conn_refuse(conn, http_parser_status(conn->parser),
                            http_parser_reason(conn->parser));
            }
            break;
        }
    }
    conn->is_feeding = false;
    bool waits = conn->state == CONN_OPEN ||
                 (conn->state == CONN_WRITE && !conn->closes);
    if (waits && bytes.len > 0) {
        buf_append(&conn->pending, bytes);
        if (buf_status(&conn->pending) != STATUS_OK) {
            conn_close(conn);
        }
    }
}

/* Goes on after an answer went out, if it did. */
static void
conn_settle(struct http_conn *conn)
{
    if (conn->state != CONN_WRITE || conn->out.len > 0) {
        return;
    }
    conn->is_deaf = false;
    if (conn->closes || conn->server->is_stopping) {
        buf_fini(&conn->pending);
        (void)shutdown(conn->fd, SHUT_WR);
        conn_phase(conn, CONN_LINGER);
        return;
    }
    conn_phase(conn, CONN_IDLE);
    if (!conn->is_feeding && conn->pending.len > 0) {
        /* a turn later: no request is handed over inside another's answer */
        conn->is_deaf = true;
        http_server_resume_later(conn->server, &conn->resume);
    }
}

/* The end of every callback: what comes next, and until when. */
static void
conn_rest(struct http_conn *conn)
{
    if (conn->state != CONN_DEAD) {
        conn_settle(conn);
        conn_schedule(conn);
        conn_watch(conn);
    }
    conn_leave(conn);
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
    ssize_t got =
        recv(conn->fd, server->scratch,
             reads_much ? sizeof(server->scratch) : HEAD_READ_BYTES, 0);
    if (got < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            conn_close(conn);
        }
        return;
    }
    if (got == 0) {
        conn_close(conn);
        return;
    }
    if (conn->state == CONN_LINGER) {
        conn->drained += (size_t)got;
        if (conn->drained > LINGER_BYTES) {
            conn_close(conn);
        }
        return;
    }
    conn_feed(conn, (struct slice){ server->scratch, (size_t)got });
}

static void
on_ready(void *arg, int ready)
{
    struct http_conn *conn = arg;
    conn_enter(conn);
    if ((ready & LOOP_WRITE) != 0 && conn->out.len > 0) {
        conn_flush(conn);
    }
    if ((ready & LOOP_READ) != 0 && conn->state != CONN_DEAD) {
        conn_read(conn);
    }
    conn_rest(conn);
}

static void
on_deadline(struct http_conn *conn)
{
    switch (conn->state) {
    case CONN_HEAD:
        if (http_parser_started(conn->parser)) {
            conn_refuse(conn, 408, "head not complete in time");
            return;
        }
        break;
    case CONN_BODY:
        if (!conn->is_discarding) {
            conn_refuse(conn, 408, "body not complete in time");
            return;
        }
        break;
    case CONN_IDLE:
    case CONN_OPEN:
    case CONN_WRITE:
    case CONN_LINGER:
    case CONN_DEAD: break;
    }
    conn_close(conn);
}

static void
on_timer(void *arg)
{
    struct http_conn *conn = arg;
    conn_enter(conn);
    if (loop_now_ms(conn->server->loop) >= conn->deadline_ms) {
        on_deadline(conn);
    }
    conn_rest(conn);
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
    enum status status =
        loop_io_create(server->loop, fd, on_ready, conn, &conn->io);
    if (status == STATUS_OK) {
        status = loop_timer_create(server->loop, on_timer, conn, &conn->timer);
    }
    if (status != STATUS_OK) {
        loop_io_destroy(conn->io);
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
    conn_phase(conn, CONN_IDLE);
    conn_enter(conn);
    /* senders speak first: mostly the request is there already */
    conn_read(conn);
    conn_rest(conn);
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
    conn_enter(conn);
    conn_refuse(conn, 503, "too many connections");
    conn_rest(conn);
    return STATUS_OK;
}

void
http_conn_resume(struct list *resume_link)
{
    struct http_conn *conn = CONN(resume_link, resume);
    conn_enter(conn);
    conn->is_deaf = false;
    struct buf pending = conn->pending;
    conn->pending = (struct buf){ 0 };
    conn_feed(conn, buf_slice(&pending));
    buf_fini(&pending);
    conn_rest(conn);
}

void
http_conn_sweep(struct list *link)
{
    struct http_conn *conn = CONN(link, link);
    if (conn->state != CONN_IDLE || conn->pending.len > 0) {
        return;
    }
    conn_enter(conn);
    /* a request that is on its way in is still answered */
    conn_read(conn);
    if (conn->state == CONN_IDLE) {
        conn_close(conn);
    }
    conn_rest(conn);
}

void
http_conn_abandon(struct list *link)
{
    struct http_conn *conn = CONN(link, link);
    conn_enter(conn);
    conn_close(conn);
    if (conn->exchange.is_open) {
        http_server_forget(conn->server, &conn->link, conn->peer,
                           conn->is_refused);
        conn->server = NULL;
        conn->peer = NULL;
    }
    conn_leave(conn);
}

static struct http_conn *
conn_of(const struct http_exchange *exchange)
{
    PRE(exchange->is_open);
    /* the exchange is part of its connection, which is never const */
    union {
        const struct http_exchange *in;
        struct http_exchange *out;
    } open = { .in = exchange };
    return CONN(open.out, exchange);
}

const struct http_request *
http_exchange_request(const struct http_exchange *exchange)
{
    return http_parser_request(conn_of(exchange)->parser);
}

struct slice
http_exchange_peer(const struct http_exchange *exchange)
{
    return slice_of(conn_of(exchange)->peer_text);
}

enum status
http_exchange_take(struct http_exchange *exchange, struct arena *into,
                   struct http_request *ret_request)
{
    return http_parser_take(conn_of(exchange)->parser, into, ret_request);
}

void
http_exchange_answer(struct http_exchange *exchange,
                     const struct http_answer *answer)
{
    struct http_conn *conn = conn_of(exchange);
    conn_enter(conn);
    exchange->is_open = false;
    if (conn->state != CONN_DEAD) {
        conn->closes = answer->close || must_close(conn);
        conn_phase(conn, CONN_WRITE);
        conn_answer(conn, answer);
    }
    /* only now: the answer may be made of the request's bytes */
    drop_parser(conn);
    if (conn->is_feeding) {
        /* whoever feeds goes on from here, and rests at its end */
        if (conn->state != CONN_DEAD) {
            conn_settle(conn);
        }
        conn_leave(conn);
    } else {
        conn_rest(conn);
    }
}
