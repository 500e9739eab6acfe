/* SPDX-License-Identifier: MIT */
/* http_request: the same bytes give the same requests or the same refusal,
 * however they are cut; no request has two Hosts or two lengths. */
#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "wire/http_request.h"

static const struct http_limits limits = { .head_bytes = 2048,
                                           .field_count = 16,
                                           .body_bytes = 4096 };

static void
describe(const struct http_request *request, struct buf *into)
{
    FUZZ_HOLDS(http_field_count(request->fields, "Host") <= 1);
    FUZZ_HOLDS(http_field_count(request->fields, "Content-Length") <= 1);
    FUZZ_HOLDS(!request->chunked || !request->has_length);
    FUZZ_HOLDS(request->body.len <= limits.body_bytes);
    buf_format(into, "%.*s %.*s %zu:", SLICE_ARG(request->method),
               SLICE_ARG(request->target), request->body.len);
    buf_append(into, request->body);
    for (size_t i = 0; i < request->fields.count; i++) {
        const struct http_field *field = &request->fields.at[i];
        FUZZ_HOLDS(http_field_name_valid(field->name));
        FUZZ_HOLDS(http_field_value_valid(field->value));
        buf_append(into, field->name);
        buf_append(into, field->value);
    }
}

/* Feeds the input in steps of `step` bytes and writes down what comes. */
static void
converse(struct slice input, size_t step, struct buf *into)
{
    struct http_parser *parser = NULL;
    FUZZ_HOLDS(http_parser_create(&limits, &parser) == STATUS_OK);
    size_t at = 0;
    enum http_progress progress = HTTP_MORE;
    while (progress != HTTP_REFUSED) {
        struct slice bytes = slice_first(slice_from(input, at), step);
        size_t used = 0;
        bool dry = bytes.len == 0 && progress == HTTP_MORE;
        progress = http_parser_feed(parser, bytes, &used);
        FUZZ_HOLDS(used <= bytes.len);
        at += used;
        if (progress == HTTP_REFUSED) {
            buf_format(into, "%u", http_parser_status(parser));
        } else if (progress == HTTP_COMPLETE) {
            describe(http_parser_request(parser), into);
            http_parser_reset(parser);
            progress = HTTP_MORE;
            dry = dry || at == input.len;
        }
        if (dry) {
            break;
        }
    }
    http_parser_destroy(parser);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static const size_t steps[] = { 1, 7 };
    struct slice input = fuzz_input(bytes, count);
    struct buf whole = { 0 };
    if (count > 8192) {
        return 0;
    }
    converse(input, SIZE_MAX, &whole);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct buf cut = { 0 };
        converse(input, steps[i], &cut);
        FUZZ_HOLDS(slice_equal(buf_slice(&whole), buf_slice(&cut)));
        buf_fini(&cut);
    }
    buf_fini(&whole);
    return 0;
}
