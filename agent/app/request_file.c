/* SPDX-License-Identifier: MIT */
#include "app/request_file.h"

#include "wire/http_request.h"

#define BODY_LIMIT ((size_t)64 * 1024 * 1024)
#define GZIP_RATIO 1000

/* What the head says that the rewriting needs to know. */
struct head {
    struct buf lines; /* with CRLF, without the length */
    bool has_host;
    bool chunked;
    bool has_length;
    uint64_t length;
    struct slice body; /* all that follows the head */
};

static bool
is_field(struct slice line, const char *name)
{
    size_t colon = slice_find(line, ':');
    return colon != SIZE_MAX &&
           slice_equal_nocase(slice_trim(slice_first(line, colon)),
                              slice_of(name));
}

static enum status
take_line(struct head *head, struct slice line, struct error *err)
{
    if (is_field(line, "Content-Length")) {
        head->has_length = true;
        struct slice value =
            slice_trim(slice_from(line, slice_find(line, ':') + 1));
        return slice_to_u64(value, &head->length) == STATUS_OK
                   ? STATUS_OK
                   : error_set(err, STATUS_INVALID,
                               "Content-Length is no number");
    }
    head->has_host = head->has_host || is_field(line, "Host");
    head->chunked = head->chunked || is_field(line, "Transfer-Encoding");
    buf_append(&head->lines, line);
    buf_text(&head->lines, "\r\n");
    return buf_status(&head->lines);
}

static enum status
take_head(struct slice raw, struct head *head, struct error *err)
{
    struct slice line;
    while (slice_split(&raw, '\n', &line)) {
        if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
            line.len--;
        }
        if (line.len == 0) {
            head->body = raw.ptr == NULL ? (struct slice)SLICE("") : raw;
            return STATUS_OK;
        }
        enum status status = take_line(head, line, err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return error_set(err, STATUS_INVALID,
                     "no empty line ends the head of the request");
}

/* Writes the request as the strict parser wants it. */
static enum status
rewrite(struct slice raw, struct buf *into, struct error *err)
{
    struct head head = { 0 };
    enum status status = take_head(raw, &head, err);
    if (status == STATUS_OK && head.has_length && head.length > head.body.len) {
        status = error_set(err, STATUS_INVALID,
                           "the request is cut short: Content-Length says "
                           "%llu bytes, %zu are there",
                           (unsigned long long)head.length, head.body.len);
    }
    if (status == STATUS_OK) {
        struct slice body = head.has_length
                                ? slice_first(head.body, (size_t)head.length)
                                : head.body;
        buf_append(into, buf_slice(&head.lines));
        buf_text(into, head.has_host ? "" : "Host: localhost\r\n");
        if (!head.chunked) {
            buf_format(into, "Content-Length: %zu\r\n", body.len);
        }
        buf_text(into, "\r\n");
        buf_append(into, body);
        status = buf_status(into);
    }
    buf_fini(&head.lines);
    return status;
}

static enum status
parse_strict(struct slice text, struct arrival *arrival, struct error *err)
{
    const struct http_limits limits = { .head_bytes = (size_t)256 * 1024,
                                        .field_count = 1000,
                                        .body_bytes = BODY_LIMIT };
    struct http_parser *parser;
    struct http_request request;
    enum status status = http_parser_create(&limits, &parser);
    if (status != STATUS_OK) {
        return status;
    }
    enum http_progress progress = HTTP_MORE;
    size_t used = 1;
    while (text.len > 0 &&
           ((progress == HTTP_MORE && used > 0) || progress == HTTP_HEAD)) {
        used = 0;
        progress = http_parser_feed(parser, text, &used);
        text = slice_from(text, used);
    }
    if (progress == HTTP_HEAD) { /* nothing follows: the body is empty */
        progress = http_parser_feed(parser, text, &used);
    }
    if (progress != HTTP_COMPLETE) {
        status = error_set(err, STATUS_INVALID, "no HTTP request: %s",
                           progress == HTTP_REFUSED ? http_parser_reason(parser)
                                                    : "it is cut short");
    } else {
        status = http_parser_take(parser, &arrival->arena, &request);
    }
    http_parser_destroy(parser);
    if (status == STATUS_OK) {
        arrival->request = (struct inbound){ .method = request.method,
                                             .path_query = request.target,
                                             .query = request.query,
                                             .fields = request.fields,
                                             .body = request.body };
    }
    return status;
}

enum status
request_file_parse(struct slice raw, struct arrival *arrival, struct error *err)
{
    struct buf text = { 0 };
    enum status status = rewrite(raw, &text, err);
    if (status == STATUS_OK) {
        status = parse_strict(buf_slice(&text), arrival, err);
    }
    buf_fini(&text);
    if (status != STATUS_OK) {
        return status;
    }
    status = arrival_inflate(arrival, BODY_LIMIT, GZIP_RATIO);
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(err, status,
                           "the body is not what its Content-Encoding says");
}
