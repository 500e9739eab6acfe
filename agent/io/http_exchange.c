/* SPDX-License-Identifier: MIT */
#include "io/http_conn_private.h"

#include "base/mem.h"
#include "io/clock.h"

/* A refused body up to this is read past, and the connection kept. */
enum { DISCARD_BYTES = 65536 };

void
http_exchange_send(struct http_conn *conn, const struct http_answer *answer,
                   bool goes_on)
{
    struct http_server *server = conn->server;
    struct http_framing framing = {
        .date = http_date_text(&server->date, clock_unix_ms()),
        .to_head = conn->to_head,
        .goes_on = goes_on,
        .close = conn->closes,
        .says_keep_alive = conn->says_keep_alive,
    };
    buf_clear(&server->answer);
    http_answer_render(answer, &framing, &server->answer);
    if (buf_status(&server->answer) != STATUS_OK) {
        http_conn_close(conn);
    } else {
        http_wire_send(conn, buf_slice(&server->answer));
    }
    if (server->answer.cap > HTTP_SCRATCH_BYTES) {
        buf_fini(&server->answer);
    }
}

/* The reason is for our log, never for the sender. */
void
http_exchange_refuse(struct http_conn *conn, unsigned status,
                     const char *reason)
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
    http_conn_phase(conn, CONN_WRITE);
    http_exchange_send(conn, &answer, false);
    http_conn_drop_parser(conn);
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
    http_conn_phase(conn, conn->closes ? CONN_WRITE : CONN_BODY);
    conn->is_discarding = true;
    http_parser_limit_body(conn->parser, DISCARD_BYTES);
    http_exchange_send(conn, refusal, false);
    if (conn->closes) {
        http_conn_drop_parser(conn);
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
    http_conn_phase(conn, CONN_BODY);
    conn->is_discarding = false;
    http_parser_limit_body(conn->parser, limit);
    if (request->has_length && request->length > limit) {
        http_exchange_refuse(conn, 413, "body over its limit");
        return;
    }
    bool has_body = request->chunked || request->length > 0;
    /* RFC 9110 §10.1.1: not needed once the body is coming */
    if (request->expects_continue && has_body && bytes_left == 0) {
        http_wire_send(conn, slice_of("HTTP/1.1 100 Continue\r\n\r\n"));
    }
}

static void
on_complete(struct http_conn *conn)
{
    struct http_server *server = conn->server;
    if (conn->is_discarding) {
        /* answered already */
        http_conn_drop_parser(conn);
        http_conn_phase(conn, CONN_WRITE);
        http_conn_settle(conn);
        return;
    }
    note_request(conn, http_parser_request(conn->parser));
    conn->exchange.is_open = true;
    http_conn_phase(conn, CONN_OPEN);
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
        http_conn_close(conn);
        return false;
    }
    http_conn_phase(conn, CONN_HEAD);
    return true;
}

void
http_exchange_feed(struct http_conn *conn, struct slice bytes)
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
                http_conn_close(conn);
            }
            break;
        case HTTP_HEAD: on_head(conn, bytes.len); break;
        case HTTP_COMPLETE: on_complete(conn); break;
        case HTTP_REFUSED:
            if (conn->is_discarding && conn->state == CONN_BODY) {
                http_conn_close(conn);
            } else {
                http_exchange_refuse(conn, http_parser_status(conn->parser),
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
            http_conn_close(conn);
        }
    }
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
    return HTTP_CONN(open.out, exchange);
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
    http_conn_enter(conn);
    exchange->is_open = false;
    if (conn->state != CONN_DEAD) {
        conn->closes = answer->close || must_close(conn);
        http_conn_phase(conn, CONN_WRITE);
        http_exchange_send(conn, answer, false);
    }
    /* only now: the answer may be made of the request's bytes */
    http_conn_drop_parser(conn);
    if (conn->is_feeding) {
        /* whoever feeds goes on from here, and rests at its end */
        if (conn->state != CONN_DEAD) {
            http_conn_settle(conn);
        }
        http_conn_leave(conn);
    } else {
        http_conn_rest(conn);
    }
}
