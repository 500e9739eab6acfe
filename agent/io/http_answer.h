/* SPDX-License-Identifier: MIT */
/*
 * http_answer: the bytes of an answer: status line, Date, framing, fields,
 * body (RFC 9110, RFC 9112).
 */
#ifndef IO_HTTP_ANSWER_H
#define IO_HTTP_ANSWER_H

#include "base/bytes.h"
#include "io/http_server.h"

#include <stdbool.h>
#include <stdint.h>

/* Renders a Date once a second. Start with `struct http_date date = { 0 };`. */
struct http_date {
    int64_t second;
    char text[32];
};

/* Returns `now_ms` as an HTTP date (RFC 9110 §5.6.7). */
const char *http_date_text(struct http_date *date, int64_t now_ms);

/* What the request and the connection ask of the framing. */
struct http_framing {
    const char *date;
    bool to_head;         /* no body, but its length */
    bool goes_on;         /* no body yet, and no length */
    bool close;           /* Connection: close */
    bool says_keep_alive; /* Connection: keep-alive, for HTTP/1.0 */
};

/* Appends the answer. Fields that are not valid are left out: no text from
 * outside may begin a line of ours. Whoever reads it is told to take the
 * content type at its word. */
void http_answer_render(const struct http_answer *answer,
                        const struct http_framing *framing, struct buf *into);

#endif
