/* SPDX-License-Identifier: MIT */
/*
 * http_server_private: what the server and its connections share.
 *
 * The server owns its connections. A connection whose descriptor is closed
 * stays, and counts, until the exchange it has open is answered; if the server
 * goes first, it stays alone (`server` is NULL).
 */
#ifndef IO_HTTP_SERVER_PRIVATE_H
#define IO_HTTP_SERVER_PRIVATE_H

#include "base/list.h"
#include "io/http_answer.h"
#include "io/http_listen.h"
#include "io/http_server.h"

#include <stdbool.h>
#include <stdint.h>

struct loop_io;
struct loop_timer;
struct tls_server;

enum {
    HTTP_SCRATCH_BYTES = 65536, /* one read of a body */
    /* One read in TLS: with a record that was in parts (RFC 8446 §5.2: 16 KiB
     * and a little), what comes of it fits into the scratch. */
    HTTP_SEALED_BYTES = 32768,
    HTTP_PEER_BUCKETS = 4096,
    HTTP_PARSERS_SPARE = 64,
    HTTP_PEER_TEXT_BYTES = 46
};

/* An address and how many connections come from it. */
struct http_peer {
    struct http_peer *next;
    uint64_t hash;
    int64_t count;
    char key[16];
};

struct http_server {
    struct loop *loop;
    struct http_listener listener;
    struct http_server_limits limits;
    struct http_server_handler handler;
    struct tls_server *tls; /* borrowed; NULL: plain */
    struct loop_io *accept_io;
    struct loop_timer *accept_timer; /* ends a pause of accepting */
    struct loop_timer *resume_timer; /* goes on with pipelined bytes */
    struct loop_timer *stop_timer;
    struct list conns;
    struct list resumes;
    int64_t count;
    struct http_share bodies;
    int64_t refusing; /* of these, how many were over a limit */
    int reserve_fd;   /* given up to accept, and end, one too many */
    uint64_t seed[2];
    struct http_peer *peers[HTTP_PEER_BUCKETS];
    struct http_parser *spare[HTTP_PARSERS_SPARE];
    size_t spare_count;
    struct http_date date;
    struct buf answer; /* rendered here first; used again and again */
    bool is_stopping;
    bool is_swept; /* idle connections were let go */
    int64_t grace_ms;
    void (*stopped)(void *arg);
    void *stopped_arg;
    char scratch[HTTP_SCRATCH_BYTES];
    char sealed[HTTP_SEALED_BYTES];
};

/* Lends a parser; an idle connection holds none. NULL when memory is short. */
struct http_parser *http_server_lend_parser(struct http_server *server);
void http_server_return_parser(struct http_server *server,
                               struct http_parser *parser);

/* Takes note that a connection is gone. */
void http_server_forget(struct http_server *server, struct list *link,
                        struct http_peer *peer, bool was_refused);

/* Asks for http_conn_resume, in a turn to come. */
void http_server_resume_later(struct http_server *server, struct list *link);

void http_server_tell_refused(struct http_server *server, struct slice path,
                              unsigned status, const char *reason);

/* Owns `fd` from here on, and counts at `peer` (NULL: not counted). */
enum status http_conn_open(struct http_server *server, int fd,
                           const char *peer_text, struct http_peer *peer);

/* Likewise, but answers 503 at once and closes. */
enum status http_conn_open_refused(struct http_server *server, int fd);

/* All of these take the connection by its link. */
void http_conn_resume(struct list *resume_link);
void http_conn_sweep(struct list *link);   /* lets go if idle */
void http_conn_abandon(struct list *link); /* closes; the server goes */

#endif
