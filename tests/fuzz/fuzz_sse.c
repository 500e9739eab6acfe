/* SPDX-License-Identifier: MIT */
/* sse: the same bytes give the same events, however they are cut into pieces,
 * and none is larger than its limit. */
#include "fuzz/fuzz.h"
#include "wire/sse.h"

#define LIMIT 96

static void
describe(const struct sse_event *event, struct buf *into)
{
    FUZZ_HOLDS(event->data.len <= LIMIT);
    FUZZ_HOLDS(event->id.len <= SSE_WORD_BYTES);
    FUZZ_HOLDS(slice_find(event->id, '\0') >= event->id.len);
    buf_json(into, event->type);
    buf_json(into, event->data);
    buf_json(into, event->id);
    buf_byte(into, event->has_id ? 'i' : '-');
    buf_byte(into, event->has_data ? 'd' : '-');
    buf_byte(into, event->too_large ? 'x' : '-');
}

static void
read_in(struct slice input, size_t step, struct buf *into)
{
    struct sse_reader reader = { 0 };
    sse_begin(&reader, LIMIT);
    while (input.len > 0) {
        struct slice piece = slice_first(input, step);
        struct sse_event event;
        input = slice_from(input, piece.len);
        while (sse_read(&reader, &piece, &event) == STATUS_OK) {
            describe(&event, into);
        }
        FUZZ_HOLDS(piece.len == 0);
    }
    buf_i64(into, reader.retry_ms);
    sse_end(&reader);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct slice input = fuzz_input(bytes, count);
    struct buf whole = { 0 };
    read_in(input, SIZE_MAX, &whole);
    for (size_t step = 1; step <= 5; step += 2) {
        struct buf cut = { 0 };
        read_in(input, step, &cut);
        FUZZ_HOLDS(slice_equal(buf_slice(&whole), buf_slice(&cut)));
        buf_fini(&cut);
    }
    buf_fini(&whole);
    return 0;
}
