/* SPDX-License-Identifier: MIT */
/*
 * http_conn_private: one connection, shared by the file that owns its state and
 * its time (http_conn), the one that makes exchanges of its bytes
 * (http_exchange), the one for answers that go on (http_outflow), and the one
 * that knows its socket, and TLS where it is spoken (http_wire).
 */
#ifndef IO_HTTP_CONN_PRIVATE_H
#define IO_HTTP_CONN_PRIVATE_H

#include "base/bytes.h"
#include "base/list.h"
#include "io/http_server_private.h"
#include "io/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conn_state {
    CONN_IDLE,   /* between requests: holds neither parser nor buffers */
    CONN_HEAD,   /* a first byte was seen */
    CONN_BODY,   /* the head was accepted, or its body is being discarded */
    CONN_OPEN,   /* the program has the request */
    CONN_WRITE,  /* the answer is on its way out */
    CONN_FLOW,   /* an answer that goes on */
    CONN_LINGER, /* all is said; what still comes in is thrown away */
    CONN_DEAD    /* closed; stays while its exchange is open */
};

struct http_exchange {
    bool is_open;
};

struct http_outflow {
    struct http_conn *conn;
    size_t buffer_bytes;
    bool is_short; /* a send was refused: `drained` is to come */
    void *arg;
    void (*drained)(void *arg);
    void (*ended)(void *arg);
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
    struct tls_session *tls;   /* NULL: plain */
    struct http_outflow *flow; /* of CONN_FLOW, until somebody was told */
    struct buf out;            /* what the socket did not take yet */
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

/* The connection of a link or an exchange inside of it. */
#define HTTP_CONN(from, member) list_entry(from, struct http_conn, member)

/* Around every callback. The last to leave a closed connection frees it;
 * http_conn_rest also says what is awaited next, and until when. */
void http_conn_enter(struct http_conn *conn);
void http_conn_leave(struct http_conn *conn);
void http_conn_rest(struct http_conn *conn);

void http_conn_phase(struct http_conn *conn, enum conn_state state);
void http_conn_close(struct http_conn *conn);
void http_conn_drop_parser(struct http_conn *conn);

enum http_wire { HTTP_WIRE_BYTES, HTTP_WIRE_LATER, HTTP_WIRE_END };

/*
 * Reads into the server's scratch: at most `most` bytes off the socket, and
 * what they say once opened. Nothing whole is left in the session, so the
 * socket alone says when there is more. HTTP_WIRE_END: nothing follows, or the
 * connection broke. The handshake goes on in here; whoever fails it is told why
 * (an alert) and left to linger.
 */
enum http_wire http_wire_read(struct http_conn *conn, size_t most,
                              size_t *ret_got);

/* Sends what the socket takes, keeps the rest; may close. */
void http_wire_send(struct http_conn *conn, struct slice bytes);

/* Sends what was kept, as far as the socket takes it; may close. */
void http_wire_flush(struct http_conn *conn);

/* Says that nothing follows. Returns whether that has gone out: else it is in
 * `out`, and this is to be called again when that is empty. */
bool http_wire_end(struct http_conn *conn);

/* Closes the socket; a peer in TLS hears of it if there is room. */
void http_wire_close(struct http_conn *conn);

/* Goes on after an answer, if all of it went out. */
void http_conn_settle(struct http_conn *conn);

/* Renders an answer and sends it. `goes_on`: without a body or its length. */
void http_exchange_send(struct http_conn *conn,
                        const struct http_answer *answer, bool goes_on);

/* Tells who makes the answer that there is room again, or that its connection
 * is gone; at the end of what the loop calls. */
void http_outflow_tell(struct http_conn *conn);

/* Makes requests of what was read, as far as they may be handed over. */
void http_exchange_feed(struct http_conn *conn, struct slice bytes);

/* Answers with a refusal of the server's own, then closes. */
void http_exchange_refuse(struct http_conn *conn, unsigned status,
                          const char *reason);

#endif
