/* SPDX-License-Identifier: MIT */
/*
 * line_stream: lines in and lines out over two descriptors that do not block: a
 * child's pipes, or the two sides of a socket.
 *
 * What is put waits in memory until it is flushed and the other side takes it;
 * how much that may be is its caller's business. What comes is handed on line
 * by line, and a line that does not end ends the stream.
 */
#ifndef IO_LINE_STREAM_H
#define IO_LINE_STREAM_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>

struct loop;
struct line_stream;

/* A line without its end, borrowed for the call. False: the stream is gone. */
typedef bool line_stream_line_fn(void *arg, struct slice line);

/* No line comes any more, for this reason: STATUS_OK at the end of what there
 * was to read, STATUS_TOO_LARGE for a line over the limit, STATUS_UNAVAILABLE
 * for a descriptor that failed, STATUS_NOMEM. Comes once at most; the stream
 * may be destroyed in it. */
typedef void line_stream_end_fn(void *arg, enum status status);

struct line_stream_spec {
    int in_fd;  /* written to */
    int out_fd; /* read from; not the same number */
    size_t line_limit;
    line_stream_line_fn *line;
    line_stream_end_fn *ended;
    void *arg;
};

/* Takes both descriptors, also on failure. STATUS_NOMEM. */
NODISCARD
enum status line_stream_create(struct loop *loop,
                               const struct line_stream_spec *spec,
                               struct line_stream **ret);

/* Where the next bytes to be sent are appended. */
struct buf *line_stream_room(struct line_stream *stream);

/* Sends what was appended, as far as it is taken now; the rest follows. */
void line_stream_flush(struct line_stream *stream);

/* Hands on the lines that have come, before the stream is destroyed: `ended`
 * does not come any more. */
void line_stream_drain(struct line_stream *stream);

/* Says that no more will be sent: closes the side that is written to. What was
 * not taken is lost. */
void line_stream_finish(struct line_stream *stream);

/* Closes both. NULL is allowed. */
void line_stream_destroy(struct line_stream *stream);

#endif
