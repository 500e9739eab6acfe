/* SPDX-License-Identifier: MIT */
/* http_request, chunked bodies: what is taken is what a reader without states
 * makes of it, to the same byte; what that one cannot read is refused. The
 * first byte says how the bytes are cut. */
#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "wire/http_request.h"

#include <string.h>

static const struct http_limits limits = { .head_bytes = 2048,
                                           .field_count = 16,
                                           .body_bytes = 4096 };

#define HEAD "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

/* Takes a line without its CRLF; false when none ends here. */
static bool
take_line(struct slice *rest, struct slice *ret_line)
{
    size_t at = slice_find_slice(*rest, slice_of("\r\n"));
    if (at == SIZE_MAX) {
        return false;
    }
    *ret_line = slice_first(*rest, at);
    *rest = slice_from(*rest, at + 2);
    return true;
}

static bool
read_size(struct slice line, size_t *ret_size)
{
    size_t size = 0;
    line = slice_first(line, slice_find(line, ';'));
    for (size_t i = 0; i < line.len; i++) {
        const char *digits = "0123456789abcdef";
        char low = line.ptr[i];
        low = (char)(low >= 'A' && low <= 'F' ? low + 32 : low);
        const char *digit = low == '\0' ? NULL : strchr(digits, low);
        if (digit == NULL || size > limits.body_bytes) {
            return false;
        }
        size = size * 16 + (size_t)(digit - digits);
    }
    *ret_size = size;
    return line.len > 0;
}

/* The plain reading: lines and sizes. False where there is no whole body. */
static bool
read_plainly(struct slice rest, struct buf *body, size_t *ret_left)
{
    struct slice line;
    size_t size = 1;
    while (size > 0) {
        if (!take_line(&rest, &line) || !read_size(line, &size) ||
            rest.len < size) {
            return false;
        }
        buf_append(body, slice_first(rest, size));
        rest = slice_from(rest, size);
        if (size > 0 && (!take_line(&rest, &line) || line.len > 0)) {
            return false;
        }
    }
    do {
        if (!take_line(&rest, &line)) {
            return false;
        }
    } while (line.len > 0);
    *ret_left = rest.len;
    return true;
}

/* Feeds all of it in steps; returns how it ended and what was left. */
static enum http_progress
feed(struct http_parser *parser, struct slice rest, size_t step,
     size_t *ret_left)
{
    enum http_progress progress = HTTP_MORE;
    while (progress == HTTP_MORE || progress == HTTP_HEAD) {
        struct slice bytes = slice_first(rest, step);
        size_t used = 0;
        bool dry = rest.len == 0 && progress == HTTP_MORE;
        progress = http_parser_feed(parser, bytes, &used);
        FUZZ_HOLDS(used <= bytes.len);
        rest = slice_from(rest, used);
        if (dry) {
            break;
        }
    }
    *ret_left = rest.len;
    return progress;
}

/* What was taken, beside the plain reading. */
static void
check_body(struct slice chunked, struct slice body, size_t left)
{
    struct buf plain = { 0 };
    size_t plain_left = 0;
    FUZZ_HOLDS(read_plainly(chunked, &plain, &plain_left));
    FUZZ_HOLDS(left == plain_left);
    FUZZ_HOLDS(slice_equal(body, buf_slice(&plain)));
    FUZZ_HOLDS(body.len <= limits.body_bytes);
    buf_fini(&plain);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct http_parser *parser = NULL;
    struct buf whole = { 0 };
    size_t left = 0;
    if (count == 0 || count > 8192) {
        return 0;
    }
    const size_t step = (bytes[0] & 7) == 0 ? SIZE_MAX : bytes[0] & 7;
    const struct slice chunked = fuzz_input(bytes + 1, count - 1);
    buf_text(&whole, HEAD);
    buf_append(&whole, chunked);
    FUZZ_HOLDS(http_parser_create(&limits, &parser) == STATUS_OK);
    if (feed(parser, buf_slice(&whole), step, &left) == HTTP_COMPLETE) {
        check_body(chunked, http_parser_request(parser)->body, left);
    }
    http_parser_destroy(parser);
    buf_fini(&whole);
    return 0;
}
