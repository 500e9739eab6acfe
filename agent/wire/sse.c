/* SPDX-License-Identifier: MIT */
/* sse: lines out of pieces, fields out of lines, events out of fields. */
#include "wire/sse.h"

#define RETRY_MOST_MS INT64_C(86400000)

static const struct slice byte_order_mark = SLICE("\xEF\xBB\xBF");

void
sse_begin(struct sse_reader *reader, size_t limit_bytes)
{
    sse_end(reader);
    reader->limit_bytes = limit_bytes;
    reader->retry_ms = -1;
}

void
sse_end(struct sse_reader *reader)
{
    buf_fini(&reader->line);
    buf_fini(&reader->data);
    buf_fini(&reader->type);
    buf_fini(&reader->id);
    *reader = (struct sse_reader){ 0 };
}

/* Fields */

static enum status
set_word(struct buf *word, struct slice value)
{
    buf_clear(word);
    buf_append(word, value);
    return buf_status(word);
}

static enum status
add_data(struct sse_reader *reader, struct slice value)
{
    if (reader->too_large ||
        reader->data.len + value.len > reader->limit_bytes) {
        reader->too_large = true;
        buf_clear(&reader->data);
        return STATUS_OK;
    }
    /* the last LF is cut off again: it stands between lines */
    buf_append(&reader->data, value);
    buf_byte(&reader->data, '\n');
    return buf_status(&reader->data);
}

static enum status
set_id(struct sse_reader *reader, struct slice value)
{
    if (value.len > SSE_WORD_BYTES || slice_find(value, '\0') != SIZE_MAX) {
        return STATUS_OK;
    }
    reader->has_id = true;
    reader->block_has_id = true;
    return set_word(&reader->id, value);
}

/* slice_to_i64 would take a sign. */
static void
set_retry(struct sse_reader *reader, struct slice value)
{
    int64_t ms = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9') {
            return;
        }
        ms = ms * 10 + (value.ptr[i] - '0');
        ms = ms < RETRY_MOST_MS ? ms : RETRY_MOST_MS;
    }
    if (value.len > 0) {
        reader->retry_ms = ms;
    }
}

/* One line that is not blank. */
static enum status
take_field(struct sse_reader *reader, struct slice line)
{
    const size_t colon = slice_find(line, ':');
    const struct slice name =
        colon == SIZE_MAX ? line : slice_first(line, colon);
    struct slice value = colon == SIZE_MAX ? slice_from(line, line.len)
                                           : slice_from(line, colon + 1);
    if (value.len > 0 && value.ptr[0] == ' ') {
        value = slice_from(value, 1);
    }
    if (slice_equal_text(name, "data")) {
        return add_data(reader, value);
    }
    if (slice_equal_text(name, "event") && value.len <= SSE_WORD_BYTES) {
        return set_word(&reader->type, value);
    }
    if (slice_equal_text(name, "id")) {
        return set_id(reader, value);
    }
    if (slice_equal_text(name, "retry")) {
        set_retry(reader, value);
    }
    return STATUS_OK;
}

/* Events */

/* A blank line: STATUS_OK when there is something to tell. */
static enum status
end_event(struct sse_reader *reader, struct sse_event *event)
{
    const bool has_data = reader->data.len > 0 || reader->too_large;
    reader->is_told = true;
    if (!has_data && !reader->block_has_id) {
        return STATUS_NOT_FOUND;
    }
    const struct slice data = buf_slice(&reader->data);
    *event = (struct sse_event){
        .type = buf_slice(&reader->type),
        .data = slice_first(data, data.len > 0 ? data.len - 1 : 0),
        .id = buf_slice(&reader->id),
        .has_id = reader->has_id,
        .has_data = has_data,
        .too_large = reader->too_large,
    };
    return STATUS_OK;
}

static void
forget_event(struct sse_reader *reader)
{
    buf_clear(&reader->data);
    buf_clear(&reader->type);
    reader->block_has_id = false;
    reader->too_large = false;
    reader->is_told = false;
}

/* STATUS_OK when the line ends an event, STATUS_NOT_FOUND when not. */
static enum status
take_line(struct sse_reader *reader, struct slice line, struct sse_event *event)
{
    if (!reader->is_begun && slice_starts(line, byte_order_mark)) {
        line = slice_from(line, byte_order_mark.len);
    }
    reader->is_begun = true;
    if (line.len == 0) {
        return end_event(reader, event);
    }
    const enum status status = take_field(reader, line);
    return status == STATUS_OK ? STATUS_NOT_FOUND : status;
}

/* Lines */

/* Room for the longest value and for the name before it: what of a longer line
 * is left out is not missed, for its value is over its limit without it. */
static size_t
line_limit(const struct sse_reader *reader)
{
    const size_t most = reader->limit_bytes > SSE_WORD_BYTES
                            ? reader->limit_bytes
                            : SSE_WORD_BYTES;
    return most + 16;
}

/* Keeps a line that has not ended, as far as there is room for it. */
static enum status
keep_line(struct sse_reader *reader, struct slice bytes)
{
    const size_t room = line_limit(reader) - reader->line.len;
    buf_append(&reader->line, slice_first(bytes, room));
    return buf_status(&reader->line);
}

static size_t
line_end(struct slice bytes)
{
    const size_t lf = slice_find(bytes, '\n');
    const size_t cr =
        slice_find(lf == SIZE_MAX ? bytes : slice_first(bytes, lf), '\r');
    return cr != SIZE_MAX ? cr : lf;
}

/* The line that ends at `end`; what was kept of it lies in reader->line. */
static enum status
finish_line(struct sse_reader *reader, struct slice bytes, size_t end,
            struct sse_event *event)
{
    struct slice line = slice_first(bytes, end);
    if (reader->line.len > 0 || line.len > line_limit(reader)) {
        enum status status = keep_line(reader, line);
        if (status != STATUS_OK) {
            return status;
        }
        line = buf_slice(&reader->line);
    }
    const enum status status = take_line(reader, line, event);
    buf_clear(&reader->line);
    return status;
}

enum status
sse_read(struct sse_reader *reader, struct slice *bytes,
         struct sse_event *ret_event)
{
    if (reader->is_told) {
        forget_event(reader);
    }
    while (bytes->len > 0) {
        if (reader->is_behind_cr && bytes->ptr[0] == '\n') {
            *bytes = slice_from(*bytes, 1);
        }
        reader->is_behind_cr = false;
        const size_t end = line_end(*bytes);
        if (end == SIZE_MAX) {
            const enum status status = keep_line(reader, *bytes);
            *bytes = slice_from(*bytes, bytes->len);
            return status == STATUS_OK ? STATUS_NOT_FOUND : status;
        }
        const enum status status = finish_line(reader, *bytes, end, ret_event);
        reader->is_behind_cr = bytes->ptr[end] == '\r';
        *bytes = slice_from(*bytes, end + 1);
        if (status != STATUS_NOT_FOUND) {
            return status;
        }
        if (reader->is_told) {
            forget_event(reader);
        }
    }
    return STATUS_NOT_FOUND;
}
