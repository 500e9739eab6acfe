/* SPDX-License-Identifier: MIT */
/*
 * http_request: the llhttp gate: bytes of an HTTP/1.1 connection to requests,
 * strictly (RFC 9112), with hard limits; never touches a socket.
 *
 * One parser reads one connection. Feed it what arrived; it stops behind each
 * complete request, so that pipelined requests come out one at a time. A scan
 * of its own refuses what llhttp lets pass: folded fields, a second Host, a
 * bare LF, blanks before the colon, NUL, more than one length.
 */
#ifndef WIRE_HTTP_REQUEST_H
#define WIRE_HTTP_REQUEST_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"
#include "wire/http_field.h"

#include <stdbool.h>
#include <stdint.h>

/* What the bodies of many parsers may hold together while they come in: each
 * has HTTP_BODY_OWN_BYTES of its own, beyond which its memory counts here. A
 * body that is complete counts no more. */
struct http_share {
    size_t limit;
    size_t used;
};

#define HTTP_BODY_OWN_BYTES ((size_t)16 * 1024)

struct http_limits {
    size_t head_bytes;        /* request line and fields: 16 KiB */
    size_t field_count;       /* 100 */
    size_t body_bytes;        /* 1 MiB, after chunked decoding */
    struct http_share *share; /* borrowed; NULL: each for itself */
};

/* Borrowed from the parser until http_parser_reset, or for as long as the
 * arena taken with http_parser_take lives. */
struct http_request {
    struct slice method;
    struct slice target; /* as sent: origin form only, begins with '/', or "*"
                            with OPTIONS */
    struct slice path;   /* before '?' */
    struct slice query;  /* behind '?', raw */
    struct http_fields fields;
    struct slice body; /* as received, transfer coding removed */
    bool has_length;   /* Content-Length was given */
    uint64_t length;
    bool chunked;
    bool expects_continue; /* Expect: 100-continue */
    bool keep_alive;
};

enum http_progress {
    HTTP_MORE,     /* feed the next bytes */
    HTTP_HEAD,     /* the head is complete: look, then feed again */
    HTTP_COMPLETE, /* a whole request is there */
    HTTP_REFUSED   /* broken: answer with `http_parser_status`, then close */
};

struct http_parser;

NODISCARD
enum status http_parser_create(const struct http_limits *limits,
                               struct http_parser **ret_parser);
void http_parser_destroy(struct http_parser *parser);

/*
 * Reads from `bytes` and returns how many were used. HTTP_HEAD comes once a
 * request, before any of its body is taken.
 */
enum http_progress http_parser_feed(struct http_parser *parser,
                                    struct slice bytes, size_t *ret_used);

/* The request so far; whole after HTTP_COMPLETE, the head after HTTP_HEAD. */
const struct http_request *http_parser_request(const struct http_parser *p);

/* After HTTP_HEAD: another limit for this request's body. Feeding no bytes then
 * tells at once whether its Content-Length is over it. */
void http_parser_limit_body(struct http_parser *parser, size_t body_bytes);

/* After HTTP_REFUSED: 400, 413, 414, 431, 501, 503 (out of memory, or of the
 * share) or 505, and why in static words for the log (never for the sender).
 * Whether a request without a length is 411 is the caller's to say, see
 * has_length. */
unsigned http_parser_status(const struct http_parser *parser);
const char *http_parser_reason(const struct http_parser *parser);

/* Moves the request's memory (head, fields, body) into `into`; the request
 * then lives as long as that arena. STATUS_NOMEM leaves it with the parser. */
NODISCARD
enum status http_parser_take(struct http_parser *parser, struct arena *into,
                             struct http_request *ret_request);

/* Makes ready for the next request of the connection. */
void http_parser_reset(struct http_parser *parser);

/* Whether any byte of a next request was seen (for idle against 408). */
bool http_parser_started(const struct http_parser *parser);

#endif
