/* SPDX-License-Identifier: MIT */
#include "io/line_stream.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/loop.h"

/* Above it the memory of a buffer is given back: lines may be long once. */
#define KEEP_BYTES   ((size_t)256 * 1024)
#define READ_BYTES   ((size_t)64 * 1024)
#define READS_A_TURN 4 /* who only writes does not hold the loop */
#define READS_AT_END 16

struct line_stream {
    struct loop_io *in_io;
    struct loop_io *out_io;
    int in_fd; /* -1: finished */
    int out_fd;
    size_t line_limit;
    line_stream_line_fn *line;
    line_stream_end_fn *ended;
    void *arg;
    struct buf out; /* what is to be sent, */
    size_t sent;    /* and how much of it was */
    struct buf in;  /* what came, */
    size_t scanned; /* and where no end of a line was found before */
    bool is_over;
};

static void
end(struct line_stream *stream, enum status status)
{
    if (!stream->is_over) {
        stream->is_over = true;
        loop_io_want(stream->out_io, 0);
        stream->ended(stream->arg, status);
    }
}

/* ---- in ---- */

/* Hands on each whole line; false when the stream may be gone. */
static bool
hand_on(struct line_stream *stream)
{
    size_t begin = 0;
    for (;;) {
        struct slice rest = slice_from(buf_slice(&stream->in), stream->scanned);
        size_t len = slice_find(rest, '\n');
        if (len == SIZE_MAX) {
            break;
        }
        size_t past = stream->scanned + len;
        struct slice line = { stream->in.ptr + begin, past - begin };
        stream->scanned = begin = past + 1;
        if (!stream->line(stream->arg, line)) {
            return false;
        }
    }
    buf_consume(&stream->in, begin);
    stream->scanned = stream->in.len;
    if (stream->in.len == 0 && stream->in.cap > KEEP_BYTES) {
        buf_fini(&stream->in);
    }
    return true;
}

/* Reads once; false when there is no more now, or no stream. */
static bool
read_once(struct line_stream *stream)
{
    char *room = buf_reserve(&stream->in, READ_BYTES);
    if (room == NULL) {
        end(stream, STATUS_NOMEM);
        return false;
    }
    ssize_t got = read(stream->out_fd, room, READ_BYTES);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            end(stream, got == 0 ? STATUS_OK : STATUS_UNAVAILABLE);
        }
        return false;
    }
    stream->in.len += (size_t)got;
    if (!hand_on(stream)) {
        return false;
    }
    if (stream->in.len > stream->line_limit) {
        end(stream, STATUS_TOO_LARGE);
        return false;
    }
    return (size_t)got == READ_BYTES;
}

static void
readable(void *arg, int ready)
{
    struct line_stream *stream = arg;
    (void)ready;
    for (int i = 0; i < READS_A_TURN && read_once(stream); i++) {
    }
}

void
line_stream_drain(struct line_stream *stream)
{
    stream->is_over = true;
    for (int i = 0; i < READS_AT_END && read_once(stream); i++) {
    }
}

/* ---- out ---- */

struct buf *
line_stream_room(struct line_stream *stream)
{
    return &stream->out;
}

static void
writable(void *arg, int ready)
{
    (void)ready;
    line_stream_flush(arg);
}

/* Whether all of it went. A side that takes nothing any more is seen by its
 * reader, or by whoever waits for the answer. */
static bool
send_out(struct line_stream *stream)
{
    while (stream->sent < stream->out.len) {
        ssize_t took = write(stream->in_fd, stream->out.ptr + stream->sent,
                             stream->out.len - stream->sent);
        if (took >= 0) {
            stream->sent += (size_t)took;
        } else if (errno == EAGAIN) {
            return false;
        } else if (errno != EINTR) {
            return true;
        }
    }
    return true;
}

void
line_stream_flush(struct line_stream *stream)
{
    if (stream->in_fd < 0) {
        return;
    }
    if (!send_out(stream)) {
        loop_io_want(stream->in_io, LOOP_WRITE);
        return;
    }
    loop_io_want(stream->in_io, 0);
    stream->sent = 0;
    buf_clear(&stream->out);
    if (stream->out.cap > KEEP_BYTES) {
        buf_fini(&stream->out);
    }
}

void
line_stream_finish(struct line_stream *stream)
{
    if (stream->in_fd >= 0) {
        loop_io_destroy(stream->in_io);
        stream->in_io = NULL;
        (void)shutdown(stream->in_fd, SHUT_WR); /* of a socket: for both */
        (void)close(stream->in_fd);
        stream->in_fd = -1;
    }
}

void
line_stream_destroy(struct line_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    line_stream_finish(stream);
    loop_io_destroy(stream->out_io);
    (void)close(stream->out_fd);
    buf_fini(&stream->in);
    buf_fini(&stream->out);
    mem_free(stream);
}

enum status
line_stream_create(struct loop *loop, const struct line_stream_spec *spec,
                   struct line_stream **ret)
{
    struct line_stream *stream = mem_zero(sizeof(*stream));
    if (stream == NULL) {
        (void)close(spec->in_fd);
        (void)close(spec->out_fd);
        return STATUS_NOMEM;
    }
    stream->in_fd = spec->in_fd;
    stream->out_fd = spec->out_fd;
    stream->line_limit = spec->line_limit;
    stream->line = spec->line;
    stream->ended = spec->ended;
    stream->arg = spec->arg;
    enum status status =
        loop_io_create(loop, stream->in_fd, writable, stream, &stream->in_io);
    if (status == STATUS_OK) {
        status = loop_io_create(loop, stream->out_fd, readable, stream,
                                &stream->out_io);
    }
    if (status != STATUS_OK) {
        line_stream_destroy(stream);
        return status;
    }
    loop_io_want(stream->out_io, LOOP_READ);
    *ret = stream;
    return STATUS_OK;
}
