/* SPDX-License-Identifier: MIT */
/*
 * sse: bytes of a text/event-stream to its events, however they are cut into
 * pieces (WHATWG HTML, 9.2.5 and 9.2.6).
 *
 * Lines end in CR, LF or both; a byte order mark before the first is left out;
 * comments and fields that nobody knows are passed over. An event is whole at
 * the blank line behind it, so the end of a stream drops what was begun. The
 * reader keeps one line and one event; its memory is used again for the next.
 */
#ifndef WIRE_SSE_H
#define WIRE_SSE_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* An `id` or `event` that is longer is passed over. */
#define SSE_WORD_BYTES 1024

/* Borrowed until the next call with its reader. */
struct sse_event {
    struct slice type; /* empty: "message" */
    struct slice data; /* its lines, joined by LF */
    struct slice id;   /* of this event, or of the last before it with one */
    bool has_id;       /* an id came since the reader began, if an empty one */
    bool has_data;     /* false: no event, but its id counts */
    bool too_large;    /* its data were over the limit and are left out */
};

/* Private, but for retry_ms. */
struct sse_reader {
    size_t limit_bytes;
    int64_t retry_ms; /* how long the server asks to wait before the next
                         connection; -1: it has not asked */
    struct buf line;  /* begun, in an earlier piece */
    struct buf data;
    struct buf type;
    struct buf id;
    bool has_id;
    bool block_has_id;
    bool too_large;
    bool is_behind_cr; /* an LF next belongs to the line that has ended */
    bool is_begun;     /* the first line is read */
    bool is_told;      /* the event in data and type was handed out */
};

/* Makes a reader of a stream's first byte. One event's data may have
 * `limit_bytes`, at least 64; of more only id and type are handed out. */
void sse_begin(struct sse_reader *reader, size_t limit_bytes);

/* Frees; sse_begin makes it new. A zeroed reader is fine. */
void sse_end(struct sse_reader *reader);

/*
 * Reads up to the end of the next event and cuts what was read off `*bytes`.
 * STATUS_NOT_FOUND: all is read, and no event has ended in it. STATUS_NOMEM:
 * the stream cannot be read on.
 */
NODISCARD
enum status sse_read(struct sse_reader *reader, struct slice *bytes,
                     struct sse_event *ret_event);

#endif
