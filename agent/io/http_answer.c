/* SPDX-License-Identifier: MIT */
#include "io/http_answer.h"

#include <stdio.h>

#include "base/instant.h"
#include "wire/http_field.h"

static const struct {
    unsigned status;
    const char *reason;
} reasons[] = {
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 204, "No Content" },
    { 304, "Not Modified" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 411, "Length Required" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 417, "Expectation Failed" },
    { 422, "Unprocessable Content" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 503, "Service Unavailable" },
    { 505, "HTTP Version Not Supported" },
    { 507, "Insufficient Storage" },
};

static const char *
reason_of(unsigned status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    /* RFC 9112 §4: the phrase may be empty, the space before it not */
    return "";
}

const char *
http_date_text(struct http_date *date, int64_t now_ms)
{
    static const char days[][4] = { "Sun", "Mon", "Tue", "Wed",
                                    "Thu", "Fri", "Sat" };
    static const char months[][4] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun",
        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
    };
    int64_t second = now_ms / 1000;
    if (second != date->second || date->text[0] == '\0') {
        struct civil at = instant_to_civil(now_ms);
        (void)snprintf(date->text, sizeof(date->text),
                       "%s, %02u %s %04u %02u:%02u:%02u GMT", days[at.weekday],
                       (unsigned)at.day % 100, months[at.month - 1],
                       (unsigned)at.year % 10000, (unsigned)at.hour % 100,
                       (unsigned)at.minute % 100, (unsigned)at.second % 100);
        date->second = second;
    }
    return date->text;
}

static void
render_field(struct buf *into, struct slice name, struct slice value)
{
    if (!http_field_name_valid(name) || !http_field_value_valid(value)) {
        return;
    }
    buf_append(into, name);
    buf_text(into, ": ");
    buf_append(into, value);
    buf_text(into, "\r\n");
}

void
http_answer_render(const struct http_answer *answer,
                   const struct http_framing *framing, struct buf *into)
{
    /* RFC 9110 §8.6, §15.4.5: neither body nor length */
    bool has_body =
        answer->status != 204 && answer->status != 304 && !framing->goes_on;
    buf_text(into, "HTTP/1.1 ");
    buf_i64(into, answer->status);
    buf_byte(into, ' ');
    buf_text(into, reason_of(answer->status));
    buf_text(into, "\r\n");
    /* RFC 9110 §6.6.1: one Date; an answer that brings its own keeps it */
    if (http_field_count(answer->fields, "Date") == 0) {
        buf_text(into, "Date: ");
        buf_text(into, framing->date);
        buf_text(into, "\r\n");
    }
    if (answer->content_type.len > 0) {
        render_field(into, slice_of("Content-Type"), answer->content_type);
        /* Fetch §3.6: what anybody had us say back is no page of ours, whatever
         * it looks like. */
        buf_text(into, "X-Content-Type-Options: nosniff\r\n");
    }
    for (size_t i = 0; i < answer->fields.count; i++) {
        render_field(into, answer->fields.at[i].name,
                     answer->fields.at[i].value);
    }
    if (framing->close) {
        buf_text(into, "Connection: close\r\n");
    } else if (framing->says_keep_alive) {
        buf_text(into, "Connection: keep-alive\r\n");
    }
    if (has_body) {
        buf_text(into, "Content-Length: ");
        buf_i64(into, (int64_t)answer->body.len);
        buf_text(into, "\r\n");
    }
    buf_text(into, "\r\n");
    if (has_body && !framing->to_head) {
        buf_append(into, answer->body);
    }
}
