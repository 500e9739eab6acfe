/* SPDX-License-Identifier: MIT */
/*
 * http_server: listening sockets and their connections: accept within limits,
 * read requests strictly, hand them over, answer in order, keep alive or
 * close.
 *
 * One request of a connection is in the hands of the program at a time; what
 * was pipelined behind it waits in the kernel and a bounded buffer. Every
 * phase has a deadline: head, body, answer, idle. An answer may go on for as
 * long as its reader takes what it is sent.
 */
#ifndef IO_HTTP_SERVER_H
#define IO_HTTP_SERVER_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"
#include "wire/http_request.h"

#include <stdint.h>

struct loop;
struct tls_server;

struct http_server_limits {
    struct http_limits request;
    int64_t connections;             /* 10,000; over it: 503 and close */
    int64_t connections_per_address; /* 1,024; unix sockets are not counted */
    int64_t head_timeout_ms;         /* from the first byte: 10 s → 408; also
                                        for a handshake of TLS → close */
    int64_t body_timeout_ms;         /* whole body: 30 s → 408 */
    int64_t idle_timeout_ms;         /* between requests: 75 s, silent close */
    int64_t write_timeout_ms;        /* an answer not taken: 30 s */
    int64_t requests_per_connection; /* 0: no limit */
    int64_t bodies_bytes; /* of all that come in, see struct http_share:
                             256 MiB; over it: 503 and close; 0: no limit */
};

struct http_server;
struct http_exchange; /* one request and its answer */

struct http_answer {
    unsigned status;
    struct slice content_type; /* empty: none is sent */
    struct slice body;         /* copied */
    struct http_fields fields; /* further fields, copied; a Date among them
                                  replaces ours */
    bool close;                /* close behind this answer */
};

struct http_server_handler {
    void *arg;
    /*
     * Called when the head is complete, before the body: return 0 to read on
     * (body limit in *body_limit may be lowered or raised), or the status to
     * refuse with at once (404, 405, 413, 415, 429, 503 …); further fields of
     * the refusal may be put into *refusal.
     */
    unsigned (*head)(void *arg, const struct http_request *request,
                     struct slice peer, size_t *body_limit,
                     struct http_answer *refusal);
    /* Called with a whole request, which lives until the exchange is answered.
     * It is answered exactly once, now or later. */
    void (*request)(void *arg, struct http_exchange *exchange);
    /* Told of requests the server refused by itself, for counting; `path` is
     * empty where none could be read, `status` 0 where nothing was answered.
     * May be NULL. */
    void (*refused)(void *arg, struct slice path, unsigned status,
                    const char *reason);
};

/*
 * Listens on "127.0.0.1:8080", "[::1]:8080", "unix:/path" or "fd:NAME" (socket
 * activation). A unix socket is made with `unix_mode` and removed at the end; a
 * stale one nobody answers on is replaced. STATUS_EXISTS when the port is in
 * use, with words that say what to do.
 */
NODISCARD
enum status http_server_create(struct loop *loop, const char *address,
                               unsigned unix_mode,
                               const struct http_server_limits *limits,
                               const struct http_server_handler *handler,
                               struct http_server **ret, struct error *err);

/* Speaks TLS on all connections from here on; to be called before the loop
 * turns. Borrows `tls`. */
void http_server_speak_tls(struct http_server *server, struct tls_server *tls);

/* What is read from here on goes to `handler`, within `limits`, on connections
 * that are open too. A request whose head the one before has seen may come to
 * this one. */
void http_server_serve(struct http_server *server,
                       const struct http_server_limits *limits,
                       const struct http_server_handler *handler);

/* The port that is bound, for "host:0"; 0 for a unix socket. */
uint16_t http_server_port(const struct http_server *server);

/* Stops accepting; answers go out with Connection: close; `stopped` comes when
 * the last connection is gone or `grace_ms` has passed. */
void http_server_stop(struct http_server *server, int64_t grace_ms,
                      void (*stopped)(void *arg), void *arg);

/* Closes what is left; not from a callback of the handler. Exchanges still
 * unanswered may be answered afterwards, to no effect. */
void http_server_destroy(struct http_server *server);

const struct http_request *
http_exchange_request(const struct http_exchange *exchange);

/* The peer's address as text ("192.0.2.1", "unix"); borrowed. */
struct slice http_exchange_peer(const struct http_exchange *exchange);

/* Moves the request's bytes into `into`, so they outlive the exchange. */
NODISCARD
enum status http_exchange_take(struct http_exchange *exchange,
                               struct arena *into,
                               struct http_request *ret_request);

/* Answers; the exchange is gone afterwards. The connection may be gone
 * already; that is no error here. */
void http_exchange_answer(struct http_exchange *exchange,
                          const struct http_answer *answer);

/* ---- answers that go on ---- */

/* The body of an answer while it is being made; it ends with its connection
 * (RFC 9112 §6.3). What its peer has not taken for write_timeout_ms cuts it. */
struct http_outflow;

struct http_outflow_spec {
    struct http_answer head; /* its body is left out */
    size_t buffer_bytes;     /* that may wait for the peer */
    void *arg;
    /* All is taken, after a send was refused for its size. */
    void (*drained)(void *arg);
    /* The connection is gone, by its peer, its time or the server's end; so is
     * the outflow. Never called from within the calls below. */
    void (*ended)(void *arg);
};

/*
 * Begins to answer, with the head. The exchange is gone afterwards but after
 * STATUS_NOMEM, when it can still be answered. STATUS_CANCELED: nothing
 * follows, for it was a HEAD, or the connection is gone.
 */
NODISCARD
enum status http_exchange_flow(struct http_exchange *exchange,
                               const struct http_outflow_spec *spec,
                               struct http_outflow **ret);

/*
 * Sends bytes, all or none. STATUS_FULL: none, for more than buffer_bytes would
 * wait (what comes when nothing waits is always taken); `drained` will come.
 * STATUS_CANCELED: the connection is gone, and so is the outflow.
 */
NODISCARD
enum status http_outflow_send(struct http_outflow *flow, struct slice bytes);

/* Ends the answer; what waits is still sent. The outflow is gone. */
void http_outflow_end(struct http_outflow *flow);

/* Cuts the connection, and what waits with it. The outflow is gone. */
void http_outflow_cut(struct http_outflow *flow);

#endif
