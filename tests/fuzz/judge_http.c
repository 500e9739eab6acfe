/* SPDX-License-Identifier: MIT */
/*
 * judge_http: what http_request makes of connections, a line for each: the
 * requests that came of it, and how it ended. judge_http.js says the same of
 * node's parser; against_node.py compares.
 *
 * In: 4 bytes, the lower first, say how long a connection is; then its bytes.
 * Out: METHOD TARGET BODY FIELDS, in hex and with ';' between requests, then
 * '.' where more could come, '!' and words where it was refused, '/' where the
 * connection is to be closed.
 */
#include "base/mem.h"
#include "wire/http_request.h"

#include <stdio.h>

enum { CONNECTION_MOST = 1 << 20 };

static const struct http_limits limits = { .head_bytes = 16384,
                                           .field_count = 100,
                                           .body_bytes = 1 << 20 };

static void
put_hex(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        (void)printf("%02x", (unsigned char)bytes.ptr[i]);
    }
}

static void
put_request(const struct http_request *request)
{
    const struct slice parts[] = { request->method, request->target,
                                   request->body };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        put_hex(parts[i]);
        (void)putchar(' ');
    }
    for (size_t i = 0; i < request->fields.count; i++) {
        put_hex(request->fields.at[i].name);
        (void)putchar(':');
        put_hex(request->fields.at[i].value);
        (void)putchar(',');
    }
    (void)putchar(';');
}

static int
judge(struct slice bytes)
{
    struct http_parser *parser = NULL;
    if (http_parser_create(&limits, &parser) != STATUS_OK) {
        return 1;
    }
    bool open = true;
    while (open) {
        size_t used = 0;
        const enum http_progress progress =
            http_parser_feed(parser, bytes, &used);
        bytes = slice_from(bytes, used);
        if (progress == HTTP_REFUSED) {
            (void)printf("!%u %s", http_parser_status(parser),
                         http_parser_reason(parser));
            open = false;
        } else if (progress == HTTP_COMPLETE) {
            put_request(http_parser_request(parser));
            open = http_parser_request(parser)->keep_alive;
            if (!open) {
                (void)putchar('/');
            }
            http_parser_reset(parser);
        } else if (progress == HTTP_MORE && bytes.len == 0) {
            (void)putchar('.');
            open = false;
        }
    }
    (void)putchar('\n');
    http_parser_destroy(parser);
    return 0;
}

int
main(void)
{
    unsigned char head[4];
    static char bytes[CONNECTION_MOST];
    while (fread(head, 1, sizeof(head), stdin) == sizeof(head)) {
        const size_t len = (size_t)head[0] | (size_t)head[1] << 8 |
                           (size_t)head[2] << 16 | (size_t)head[3] << 24;
        if (len > sizeof(bytes) || fread(bytes, 1, len, stdin) != len ||
            judge((struct slice){ bytes, len }) != 0) {
            return 1;
        }
    }
    return 0;
}
