/* SPDX-License-Identifier: MIT */
#include "wire/gzip.h"

#include <limits.h>
#include <stdint.h>

#define ZLIB_CONST
#include <zlib.h>

#include "base/mem.h"

/* Bits of the window, and what zlib wants added to them for its formats. */
#define WINDOW_BITS  15
#define READS_BOTH   32 /* gzip or zlib, whichever the first bytes are */
#define WRITES_GZIP  16
#define MEMORY_LEVEL 8 /* zlib's default */

/* Below this much output a high ratio is harmless (and common: blanks). */
#define RATIO_FROM ((size_t)64 * 1024)

static void *
zlib_alloc(void *opaque, unsigned count, unsigned size)
{
    (void)opaque;
    return mem_array(count, size);
}

static void
zlib_free(void *opaque, void *block)
{
    (void)opaque;
    mem_free(block);
}

static bool
over_limit(size_t made, size_t taken, size_t limit_bytes, unsigned ratio_max)
{
    size_t most;
    if (__builtin_mul_overflow(taken, (size_t)ratio_max, &most)) {
        most = SIZE_MAX;
    }
    return made > limit_bytes || (made > RATIO_FROM && made > most);
}

static enum status
status_of(int code)
{
    return code == Z_MEM_ERROR ? STATUS_NOMEM : STATUS_INVALID;
}

enum status
gzip_inflate(struct slice packed, size_t limit_bytes, unsigned ratio_max,
             struct buf *into)
{
    z_stream stream = { .zalloc = zlib_alloc, .zfree = zlib_free };
    size_t start = into->len;
    enum status status = STATUS_OK;
    char chunk[8192];
    if (packed.len > UINT_MAX) {
        return STATUS_TOO_LARGE;
    }
    int code = inflateInit2(&stream, WINDOW_BITS + READS_BOTH);
    if (code != Z_OK) {
        return status_of(code);
    }
    stream.next_in = (const Bytef *)packed.ptr;
    stream.avail_in = (uInt)packed.len;
    ratio_max = ratio_max == 0 ? 1 : ratio_max;
    while (status == STATUS_OK && code != Z_STREAM_END) {
        stream.next_out = (Bytef *)chunk;
        stream.avail_out = sizeof(chunk);
        code = inflate(&stream, Z_NO_FLUSH);
        size_t made = sizeof(chunk) - stream.avail_out;
        if (code != Z_OK && code != Z_STREAM_END) {
            /* Z_BUF_ERROR: the input ended before the stream did. */
            status = status_of(code);
        } else if (over_limit(into->len - start + made, packed.len, limit_bytes,
                              ratio_max)) {
            status = STATUS_TOO_LARGE;
        } else {
            buf_append(into, (struct slice){ chunk, made });
            status = buf_status(into);
        }
    }
    if (status == STATUS_OK && stream.avail_in > 0) {
        status = STATUS_INVALID;
    }
    (void)inflateEnd(&stream);
    if (status != STATUS_OK) {
        buf_truncate(into, start);
    }
    return status;
}

enum status
gzip_deflate(struct slice bytes, struct buf *into)
{
    z_stream stream = { .zalloc = zlib_alloc, .zfree = zlib_free };
    enum status status = STATUS_OK;
    if (bytes.len > UINT_MAX / 2) {
        return STATUS_TOO_LARGE;
    }
    int code = deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                            WINDOW_BITS + WRITES_GZIP, MEMORY_LEVEL,
                            Z_DEFAULT_STRATEGY);
    if (code != Z_OK) {
        return status_of(code);
    }
    size_t bound = deflateBound(&stream, bytes.len);
    char *room = buf_reserve(into, bound);
    if (room == NULL) {
        status = buf_status(into);
        goto end_stream;
    }
    stream.next_in = (const Bytef *)bytes.ptr;
    stream.avail_in = (uInt)bytes.len;
    stream.next_out = (Bytef *)room;
    stream.avail_out = (uInt)bound;
    code = deflate(&stream, Z_FINISH);
    if (code != Z_STREAM_END) {
        status = status_of(code);
        goto end_stream;
    }
    into->len += bound - stream.avail_out;
    into->ptr[into->len] = '\0';

end_stream:
    (void)deflateEnd(&stream);
    return status;
}
