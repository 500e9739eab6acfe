/* SPDX-License-Identifier: MIT */
/* Answers that go on: bytes as they come to be, within what a peer takes. */
#include "io/http_conn_private.h"

#include "base/mem.h"
#include "io/loop.h"

/*
 * The happy path: http_exchange_flow sends the head, and the connection is in
 * CONN_FLOW from there on; each http_outflow_send goes to the socket, what it
 * does not take waits in `out`; http_outflow_end lets that go out and closes.
 *
 * Whoever makes the answer learns of the connection's end once: as the answer
 * of its own call, or else through `ended`, which only the loop's callbacks
 * tell, so that no call of his comes back to him by the side door.
 */

static void
forget(struct http_conn *conn)
{
    mem_free(conn->flow);
    conn->flow = NULL;
}

static struct http_conn *
conn_of(struct http_exchange *exchange)
{
    PRE(exchange->is_open);
    return HTTP_CONN(exchange, exchange);
}

static void
begin(struct http_conn *conn, const struct http_answer *head)
{
    conn->closes = true;
    conn->is_deaf = false; /* that it goes is all it can say from here on */
    conn->drained = 0;
    buf_fini(&conn->pending);
    http_conn_phase(conn, CONN_FLOW);
    http_exchange_send(conn, head, true);
}

enum status
http_exchange_flow(struct http_exchange *exchange,
                   const struct http_outflow_spec *spec,
                   struct http_outflow **ret)
{
    struct http_conn *conn = conn_of(exchange);
    *ret = NULL;
    if (conn->to_head || conn->state == CONN_DEAD) {
        http_exchange_answer(exchange, &spec->head);
        return STATUS_CANCELED;
    }
    struct http_outflow *flow = mem_zero(sizeof(*flow));
    if (flow == NULL) {
        return STATUS_NOMEM;
    }
    *flow = (struct http_outflow){ .conn = conn,
                                   .buffer_bytes = spec->buffer_bytes,
                                   .arg = spec->arg,
                                   .drained = spec->drained,
                                   .ended = spec->ended };
    http_conn_enter(conn);
    exchange->is_open = false;
    conn->flow = flow;
    begin(conn, &spec->head);
    http_conn_drop_parser(conn);
    bool is_gone = conn->state == CONN_DEAD;
    if (is_gone) {
        forget(conn);
    } else {
        *ret = flow;
    }
    if (conn->is_feeding) {
        /* whoever feeds rests at its end */
        http_conn_leave(conn);
    } else {
        http_conn_rest(conn);
    }
    return is_gone ? STATUS_CANCELED : STATUS_OK;
}

enum status
http_outflow_send(struct http_outflow *flow, struct slice bytes)
{
    struct http_conn *conn = flow->conn;
    if (conn->state != CONN_DEAD && conn->out.len > 0 &&
        conn->out.len + bytes.len > flow->buffer_bytes) {
        flow->is_short = true;
        return STATUS_FULL;
    }
    http_conn_enter(conn);
    if (conn->state != CONN_DEAD) {
        if (conn->out.len == 0) {
            http_conn_phase(conn, CONN_FLOW); /* its time to take this begins */
        }
        http_wire_send(conn, bytes);
    }
    bool is_gone = conn->state == CONN_DEAD;
    if (is_gone) {
        forget(conn);
    }
    http_conn_rest(conn);
    return is_gone ? STATUS_CANCELED : STATUS_OK;
}

void
http_outflow_end(struct http_outflow *flow)
{
    struct http_conn *conn = flow->conn;
    http_conn_enter(conn);
    forget(conn);
    if (conn->state != CONN_DEAD) {
        http_conn_phase(conn, CONN_WRITE);
    }
    http_conn_rest(conn);
}

void
http_outflow_cut(struct http_outflow *flow)
{
    struct http_conn *conn = flow->conn;
    http_conn_enter(conn);
    forget(conn);
    http_conn_close(conn);
    http_conn_rest(conn);
}

void
http_outflow_tell(struct http_conn *conn)
{
    struct http_outflow *flow = conn->flow;
    if (flow == NULL) {
        return;
    }
    if (conn->state == CONN_DEAD) {
        conn->flow = NULL;
        flow->ended(flow->arg);
        mem_free(flow);
    } else if (flow->is_short && conn->out.len == 0) {
        flow->is_short = false;
        flow->drained(flow->arg);
    }
}
