/* SPDX-License-Identifier: MIT */
/* Requests whole, cut anywhere, pipelined and malicious: the same bytes give
 * the same result however they arrive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "wire/http_request.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct http_limits limits = { .head_bytes = 256,
                                           .field_count = 6,
                                           .body_bytes = 32 };

/* Appends "POST /a?b 3:abc; " for a request and "400; " for a refusal. */
static void
describe(const struct http_parser *p, enum http_progress progress,
         struct buf *into)
{
    const struct http_request *request = http_parser_request(p);
    if (progress == HTTP_REFUSED) {
        buf_format(into, "%u; ", http_parser_status(p));
        assert_true(strlen(http_parser_reason(p)) > 0);
        return;
    }
    buf_format(into, "%.*s %.*s %zu:", SLICE_ARG(request->method),
               SLICE_ARG(request->target), request->body.len);
    buf_append(into, request->body);
    buf_text(into, request->keep_alive ? "; " : " close; ");
}

/* Feeds the input in pieces of `piece` bytes, the first one `first` bytes. */
static void
converse(struct slice input, size_t first, size_t piece, struct buf *into)
{
    struct http_parser *p = NULL;
    assert_int_equal(http_parser_create(&limits, &p), STATUS_OK);
    size_t at = 0;
    enum http_progress progress = HTTP_MORE;
    for (size_t turn = 0; progress != HTTP_REFUSED; turn++) {
        assert_true(turn < 4 * input.len + 16);
        size_t step = at < first ? first - at : piece;
        struct slice bytes = slice_first(slice_from(input, at), step);
        size_t used = SIZE_MAX;
        bool dry = bytes.len == 0 && progress == HTTP_MORE;
        progress = http_parser_feed(p, bytes, &used);
        assert_true(used <= bytes.len);
        at += used;
        if (progress == HTTP_MORE) {
            assert_int_equal(used, bytes.len);
            if (dry) {
                break;
            }
        }
        if (progress == HTTP_COMPLETE || progress == HTTP_REFUSED) {
            describe(p, progress, into);
        }
        if (progress == HTTP_COMPLETE) {
            http_parser_reset(p);
            progress = HTTP_MORE;
        }
    }
    if (progress == HTTP_MORE && http_parser_started(p)) {
        buf_text(into, "unfinished; ");
    }
    http_parser_destroy(p);
}

struct row {
    const char *input;
    const char *expected;
};

static void
assert_conversation(struct slice input, const char *expected)
{
    for (size_t cut = 0; cut < input.len + 2; cut++) {
        struct buf said = { 0 };
        /* First whole, then byte by byte, then in two at every place. */
        size_t piece = cut == 1 ? 1 : input.len + 1;
        converse(input, cut < 2 ? 0 : cut - 1, piece, &said);
        assert_int_equal(buf_status(&said), STATUS_OK);
        if (strcmp(said.ptr == NULL ? "" : said.ptr, expected) != 0) {
            fail_msg("cut %zu:\n%.*s\nsaid: %s\nwant: %s", cut,
                     SLICE_ARG(input), said.ptr, expected);
        }
        buf_fini(&said);
    }
}

static void
assert_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_conversation(slice_of(rows[i].input), rows[i].expected);
    }
}

#define H "Host: a\r\n"

static const struct row good_rows[] = {
    { "", "" },
    { "GET / HTTP/1.1\r\n" H "\r\n", "GET / 0:; " },
    { "GET / HTTP/1.0\r\n\r\n", "GET / 0: close; " },
    { "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET / 0:; " },
    { "GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n", "GET / 0: close; " },
    { "\r\nGET / HTTP/1.1\r\n" H "\r\n", "GET / 0:; " },
    { "POST /a?b=c&d HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc",
      "POST /a?b=c&d 3:abc; " },
    { "POST /a HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
      "POST /a 3:abc close; " },
    { "POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", "POST / 0:; " },
    { "POST / HTTP/1.1\r\n" H "Content-Length: 0000000003\r\n\r\nabc",
      "POST / 3:abc; " },
    { "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nab", "unfinished; " },
    { "POST / HTTP/1.1\r\n" H, "unfinished; " },
    { "P", "unfinished; " },
    { "\r\n", "" },
    { "POST / HTTP/1.1\r\n" H "\r\n", "POST / 0:; " },
    { "PUT / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
      "PUT / 13:abc0123456789; " },
    { "PUT / HTTP/1.1\r\n" H "Transfer-Encoding:\tChunked \r\n\r\n0\r\n\r\n",
      "PUT / 0:; " },
    { "PUT / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
      "03;a=b;c=\"d e\"\r\nabc\r\n0;x\r\n\r\n",
      "PUT / 3:abc; " },
    { "PUT / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
      "1\r\n\n\r\n2\r\n\r\n\r\n0\r\nX-Sum: 1\r\nContent-Length-X: 5\r\n\r\n"
      "GET /b HTTP/1.1\r\n" H "\r\n",
      "PUT / 3:\n\r\n; GET /b 0:; " },
    { "GET /a HTTP/1.1\r\n" H "\r\nPOST /b HTTP/1.1\r\n" H
      "Content-Length: 2\r\n\r\nhiGET /c HTTP/1.1\r\n" H "\r\n",
      "GET /a 0:; POST /b 2:hi; GET /c 0:; " },
    { "POST /a HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nhi\r\n"
      "GET /c HTTP/1.1\r\n" H "\r\n",
      "POST /a 2:hi; GET /c 0:; " },
    { "OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS * 0:; " },
    { "HEAD /x HTTP/1.1\r\nhOST: [::1]:80\r\n\r\n", "HEAD /x 0:; " },
    { "POST / HTTP/1.1\r\n" H "Connection: upgrade, x\r\nUpgrade: h2c\r\n"
      "Content-Length: 1\r\n\r\nxGET /b HTTP/1.1\r\n" H "\r\n",
      "POST / 1:x; GET /b 0:; " },
    { "GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: websocket\r\n"
      "\r\nGET /b HTTP/1.1\r\n" H "\r\n",
      "GET / 0:; GET /b 0:; " },
    { "GET / HTTP/1.1\r\n" H "X: a\xc3\xa4\tb\r\nY:\r\nZ:   \r\n\r\n",
      "GET / 0:; " },
};

static void
good_requests_come_out_however_they_are_cut(void **state)
{
    (void)state;
    assert_rows(good_rows, COUNT(good_rows));
}

/* Each begins a request that some server somewhere would have answered. */
static const struct row bad_rows[] = {
    /* who is asked */
    { "GET / HTTP/1.1\r\n\r\n", "400; " },
    { "GET / HTTP/1.1\r\n" H H "\r\n", "400; " },
    { "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400; " },
    { "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", "400; " },
    { "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", "400; " },
    { "GET / HTTP/1.1\r\nHost:\r\n\r\n", "400; " },
    { "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "400; " },
    { "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400; " },
    { "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400; " },
    { "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "400; " },
    /* how long the body is */
    { "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\n"
      "abc",
      "400; " },
    { "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 4\r\n\r\n"
      "abc",
      "400; " },
    { "POST / HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\nabc", "400; " },
    { "POST / HTTP/1.1\r\n" H "Content-Length: +3\r\n\r\nabc", "400; " },
    { "POST / HTTP/1.1\r\n" H "Content-Length: -3\r\n\r\nabc", "400; " },
    { "POST / HTTP/1.1\r\n" H "Content-Length: 0x3\r\n\r\nabc", "400; " },
    { "POST / HTTP/1.1\r\n" H "Content-Length: 3 3\r\n\r\nabc", "400; " },
    { "POST / HTTP/1.1\r\n" H "Content-Length: 3.0\r\n\r\nabc", "400; " },
    { "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\nabc", "400; " },
    { "POST / HTTP/1.1\r\n" H "Content-Length: three\r\n\r\nabc", "400; " },
    { "POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551617\r\n\r\nx",
      "400; " },
    { "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n"
      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "400; " },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n"
      "Content-Length: 3\r\n\r\n0\r\n\r\n",
      "400; " },
    { "POST / HTTP/1.1\r\n" H "Content-Length : 3\r\n\r\nabc", "400; " },
    { "POST / HTTP/1.1\r\n" H "Content-Length\t: 3\r\n\r\nabc", "400; " },
    { "POST / HTTP/1.1\r\n" H " Content-Length: 3\r\n\r\nabc", "400; " },
    { "POST / HTTP/1.1\r\n" H "Content_Length: 3\r\n\r\nabc",
      "POST / 0:; unfinished; " },
    /* transfer codings */
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\n\r\nx", "400; " },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\nx", "400; " },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n"
      "0\r\n\r\n",
      "501; " },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n"
      "0\r\n\r\n",
      "400; " },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, identity\r\n\r\n"
      "0\r\n\r\n",
      "400; " },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
      "400; " },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n"
      "0\r\n\r\n",
      "400; " },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n0\r\n\r\n", "400; " },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n"
      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "400; " },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n"
      "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
      "400; " },
    { "POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "400; " },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\x0b"
      "chunked\r\n\r\n0\r\n\r\n",
      "400; " },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
      "400; " },
    { "POST / HTTP/1.1\r\n" H "X: y\r\n Transfer-Encoding: chunked\r\n\r\n",
      "400; " },
    /* line ends and control bytes */
    { "GET / HTTP/1.1\nHost: a\n\n", "400; " },
    { "GET / HTTP/1.1\r\nHost: a\n\r\n", "400; " },
    { "GET / HTTP/1.1\r\n" H "X: a\nTransfer-Encoding: chunked\r\n\r\n",
      "400; " },
    { "GET / HTTP/1.1\r\n" H "\n", "400; " },
    { "GET / HTTP/1.1\r\n" H "X: a\rY: b\r\n\r\n", "400; " },
    { "GET / HTTP/1.1\r\r\n" H "\r\n", "400; " },
    { "GET / HTTP/1.1\r\n" H "\r\r\n", "400; " },
    { "GET / HTTP/1.1\r\n" H "X: a\x01\r\n\r\n", "400; " },
    { "GET / HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n", "400; " },
    { "GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", "400; " },
    { "GET / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n", "400; " },
    { "GET / HTTP/1.1\r\n X: a\r\n" H "\r\n", "400; " },
    { "GET / HTTP/1.1\r\n" H ": a\r\n\r\n", "400; " },
    { "GET / HTTP/1.1\r\n" H "X\r\n\r\n", "400; " },
    { "GET / HTTP/1.1\r\n" H "X y: a\r\n\r\n", "400; " },
    { "GET / HTTP/1.1\r\n" H "X(y): a\r\n\r\n", "400; " },
    { "GET / HTTP/1.1\r\n" H "\xc3\xa4: a\r\n\r\n", "400; " },
    { "\nGET / HTTP/1.1\r\n" H "\r\n", "400; " },
    { "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", "400; " },
    { "\rGET / HTTP/1.1\r\n" H "\r\n", "400; " },
    { " GET / HTTP/1.1\r\n" H "\r\n", "400; " },
    { "\x16\x03\x01\x02", "400; " },
    /* request lines */
    { "GET http://a/ HTTP/1.1\r\n" H "\r\n", "400; " },
    { "GET a/b HTTP/1.1\r\n" H "\r\n", "400; " },
    { "GET * HTTP/1.1\r\n" H "\r\n", "400; " },
    { "OPTIONS ** HTTP/1.1\r\n" H "\r\n", "400; " },
    { "CONNECT a:443 HTTP/1.1\r\n" H "\r\n", "400; " },
    { "CONNECT /a HTTP/1.1\r\n" H "\r\n", "400; " },
    { "GET  / HTTP/1.1\r\n" H "\r\n", "400; " },
    { "GET /  HTTP/1.1\r\n" H "\r\n", "400; " },
    { "GET /a b HTTP/1.1\r\n" H "\r\n", "400; " },
    { "GET /a\tHTTP/1.1\r\n" H "\r\n", "400; " },
    { "GET /a#b HTTP/1.1\r\n" H "\r\n", "400; " },
    { "GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", "400; " },
    { "GET /\x7f HTTP/1.1\r\n" H "\r\n", "400; " },
    { "GET /\r\n\r\n", "400; " },
    { "GET / HTTP/1.1 \r\n" H "\r\n", "400; " },
    { "GET / http/1.1\r\n" H "\r\n", "400; " },
    { "GET / HTTP/1\r\n" H "\r\n", "400; " },
    { "GET / HTTP/1.10\r\n" H "\r\n", "400; " },
    { "GET / HTTP/1,1\r\n" H "\r\n", "400; " },
    { "GET / XTTP/1.1\r\n" H "\r\n", "400; " },
    { "GET / HTTP/1.2\r\n" H "\r\n", "505; " },
    { "GET / HTTP/0.9\r\n" H "\r\n", "505; " },
    { "GET / HTTP/2.0\r\n" H "\r\n", "505; " },
    { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505; " },
    { "get / HTTP/1.1\r\n" H "\r\n", "501; " },
    { "BREW / HTTP/1.1\r\n" H "\r\n", "501; " },
    { "PROPFIND / HTTP/1.1\r\n" H "\r\n", "501; " },
    { "GETTTTTTTTTTTTT / HTTP/1.1\r\n" H "\r\n", "501; " },
    { "G(T / HTTP/1.1\r\n" H "\r\n", "400; " },
    /* limits */
    { "POST / HTTP/1.1\r\n" H "Content-Length: 33\r\n\r\n", "413; " },
    { "GET / HTTP/1.1\r\n" H "a:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\n\r\n",
      "431; " },
};

static void
what_could_be_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    assert_rows(bad_rows, COUNT(bad_rows));
}

#define C   "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
#define Z32 "01234567890123456789012345678901"

static const struct row chunk_rows[] = {
    { C "20\r\n" Z32 "\r\n0\r\n\r\n", "POST / 32:" Z32 "; " },
    { C "21\r\n", "413; " },
    { C "1f\r\n0123456789012345678901234567890\r\n2\r\n", "413; " },
    { C "ffffffffffffffff\r\n", "413; " },
    { C "00000000000000000\r\n", "400; " },
    { C "10000000000000000\r\n", "400; " },
    { C "3\nabc\r\n0\r\n\r\n", "400; " },
    { C "3\r\nabc\n0\r\n\r\n", "400; " },
    { C "3\r\nabc\r\n0\n\r\n", "400; " },
    { C "3\r\nabc\r\n0\r\n\n", "400; " },
    { C "3\rabc\r\n0\r\n\r\n", "400; " },
    { C "3\r\nabcd\r\n0\r\n\r\n", "400; " },
    { C "3\r\nab\r\n0\r\n\r\n", "400; " },
    { C "3\r\nabc0\r\n\r\n", "400; " },
    { C "3 \r\nabc\r\n0\r\n\r\n", "400; " },
    { C " 3\r\nabc\r\n0\r\n\r\n", "400; " },
    { C "+3\r\nabc\r\n0\r\n\r\n", "400; " },
    { C "0x3\r\nabc\r\n0\r\n\r\n", "400; " },
    { C "g\r\n", "400; " },
    { C "\r\n", "400; " },
    { C ";a\r\n", "400; " },
    { C "3;a\nb\r\nabc\r\n0\r\n\r\n", "400; " },
    { C "3;a\x01\r\nabc\r\n0\r\n\r\n", "400; " },
    { C "0\r\nX : a\r\n\r\n", "400; " },
    { C "0\r\nX: a\n\r\n", "400; " },
    { C "0\r\n X: a\r\n\r\n", "400; " },
    { C "0\r\nX: a\r\n", "unfinished; " },
    { C "0\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\ng:\r\n\r\n", "431; " },
    { C "0\r\nTransfer-Encoding: chunked\r\n\r\n", "400; " },
    { C "0\r\nX: y\r\ncontent-LENGTH: 5\r\n\r\n", "400; " },
    { C "0\r\nHost: b\r\n\r\n", "400; " },
    { C "0\r\nConnection: close\r\n\r\n", "400; " },
    { C "0\r\nHosts: b\r\nContent-Lengt: 5\r\n\r\n", "POST / 0:; " },
    { C "0\r\nTransfer-Encodings-And-More: a\r\n\r\n", "POST / 0:; " },
    { C "0;a;b=c;d=\"e;\\\"=\\\\\"\r\n\r\n", "POST / 0:; " },
    { C "0;\r\n\r\n", "400; " },
    { C "0;a;\r\n\r\n", "400; " },
    { C "0;;a\r\n\r\n", "400; " },
    { C "0; a\r\n\r\n", "400; " },
    { C "0;a=\r\n\r\n", "400; " },
    { C "0;a=b=c\r\n\r\n", "400; " },
    { C "0;a=\x80\r\n\r\n", "400; " },
    { C "0;a=\"\r\n\r\n", "400; " },
    { C "0;a=\"b\"c\r\n\r\n", "400; " },
    { C "0;a=\"\\\r\n\"\r\n\r\n", "400; " },
};

static void
chunks_are_framed_strictly(void **state)
{
    (void)state;
    assert_rows(chunk_rows, COUNT(chunk_rows));
}

static void
nul_is_refused_everywhere(void **state)
{
    (void)state;
    static const char request[] =
        "POST /a HTTP/1.1\r\n" H "X: y\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0;x\r\nT: u\r\n\r\n";
    for (size_t at = 0; at < sizeof(request) - 1; at++) {
        char broken[sizeof(request)];
        memcpy(broken, request, sizeof(request));
        broken[at] = '\0';
        struct buf said = { 0 };
        converse((struct slice){ broken, sizeof(broken) - 1 }, 0,
                 sizeof(broken), &said);
        if (!slice_equal_text(buf_slice(&said), "400; ")) {
            fail_msg("a NUL at %zu: %s", at, said.ptr);
        }
        buf_fini(&said);
    }
}

static void
heads_over_the_limit_are_refused_with_414_or_431(void **state)
{
    (void)state;
    struct buf text = { 0 };
    buf_text(&text, "GET /");
    for (int i = 0; i < 300; i++) {
        buf_byte(&text, 'a');
    }
    assert_conversation(buf_slice(&text), "414; ");
    buf_clear(&text);
    buf_text(&text, "GET / HTTP/1.1\r\n" H "X: ");
    for (int i = 0; i < 300; i++) {
        buf_byte(&text, 'a');
    }
    assert_conversation(buf_slice(&text), "431; ");
    buf_clear(&text);
    buf_text(&text, C "0\r\nX: ");
    for (int i = 0; i < 300; i++) {
        buf_byte(&text, 'a');
    }
    assert_conversation(buf_slice(&text), "431; ");
    buf_clear(&text);
    buf_text(&text, C "1;");
    for (int i = 0; i < 1100; i++) {
        buf_byte(&text, 'a');
    }
    struct buf said = { 0 };
    converse(buf_slice(&text), 0, text.len, &said);
    assert_string_equal(said.ptr, "400; ");
    buf_fini(&said);
    buf_fini(&text);
}

/* Feeds all of `text` in one piece from where it stands. */
static enum http_progress
feed(struct http_parser *p, const char *text, size_t *at)
{
    size_t used;
    enum http_progress progress =
        http_parser_feed(p, slice_from(slice_of(text), *at), &used);
    *at += used;
    return progress;
}

static void
the_head_is_shown_before_the_body_is_taken(void **state)
{
    (void)state;
    static const char text[] =
        "POST /hooks/shop?a=b HTTP/1.1\r\nHost: a\r\nX-Id:  17 \r\n"
        "Content-Length: 40\r\nExpect: 100-Continue\r\n\r\n"
        "0123456789012345678901234567890123456789";
    struct http_parser *p = NULL;
    size_t at = 0;
    struct slice value;
    assert_int_equal(http_parser_create(&limits, &p), STATUS_OK);
    assert_false(http_parser_started(p));
    assert_int_equal(feed(p, text, &at), HTTP_HEAD);
    assert_int_equal(at, sizeof(text) - 1 - 40);
    const struct http_request *request = http_parser_request(p);
    assert_true(slice_equal_text(request->path, "/hooks/shop"));
    assert_true(slice_equal_text(request->query, "a=b"));
    assert_true(http_field_find(request->fields, "x-id", &value));
    assert_true(slice_equal_text(value, "17"));
    assert_int_equal(request->fields.count, 4);
    assert_true(request->has_length);
    assert_int_equal(request->length, 40);
    assert_false(request->chunked);
    assert_true(request->expects_continue);
    assert_true(request->keep_alive);
    assert_true(http_parser_started(p));
    http_parser_limit_body(p, 40);
    assert_int_equal(feed(p, text, &at), HTTP_COMPLETE);
    assert_int_equal(request->body.len, 40);

    /* The next request has the connection's own limit again. */
    http_parser_reset(p);
    at = 0;
    assert_int_equal(feed(p, text, &at), HTTP_HEAD);
    size_t used = 1;
    assert_int_equal(http_parser_feed(p, slice_of(""), &used), HTTP_REFUSED);
    assert_int_equal(used, 0);
    assert_int_equal(http_parser_status(p), 413);
    assert_int_equal(feed(p, text, &at), HTTP_REFUSED);
    http_parser_destroy(p);
    http_parser_destroy(NULL);
}

static void
a_request_taken_outlives_its_parser(void **state)
{
    (void)state;
    static const char text[] = C "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    struct http_parser *p = NULL;
    struct arena arena = { 0 };
    struct http_request request;
    struct slice value;
    size_t at = 0;
    assert_int_equal(http_parser_create(&limits, &p), STATUS_OK);
    assert_int_equal(feed(p, text, &at), HTTP_HEAD);
    assert_int_equal(feed(p, text, &at), HTTP_COMPLETE);
    const char *body = http_parser_request(p)->body.ptr;
    assert_int_equal(http_parser_take(p, &arena, &request), STATUS_OK);
    assert_ptr_equal(request.body.ptr, body); /* moved, not copied */
    http_parser_reset(p);
    http_parser_destroy(p);
    assert_true(slice_equal_text(request.body, "abcde"));
    assert_true(slice_equal_text(request.method, "POST"));
    assert_true(http_field_find(request.fields, "host", &value));
    assert_true(slice_equal_text(value, "a"));
    arena_fini(&arena);
}

static void
large_bodies_arrive_whole(void **state)
{
    (void)state;
    static const struct http_limits wide = { .head_bytes = 1024,
                                             .field_count = 10,
                                             .body_bytes = 1 << 20 };
    const size_t sizes[] = { 1000, 65536, 65537, 200000, 1 << 20 };
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct http_parser *p = NULL;
        struct buf text = { 0 };
        size_t at = 0;
        enum http_progress progress = HTTP_MORE;
        buf_format(&text,
                   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
                   sizes[i]);
        size_t head = text.len;
        for (size_t j = 0; j < sizes[i]; j++) {
            buf_byte(&text, (char)('a' + j % 26));
        }
        assert_int_equal(http_parser_create(&wide, &p), STATUS_OK);
        while (progress == HTTP_MORE || progress == HTTP_HEAD) {
            size_t used;
            progress = http_parser_feed(
                p, slice_first(slice_from(buf_slice(&text), at), 7919), &used);
            at += used;
        }
        assert_int_equal(progress, HTTP_COMPLETE);
        assert_true(slice_equal(http_parser_request(p)->body,
                                slice_from(buf_slice(&text), head)));
        http_parser_destroy(p);
        buf_fini(&text);
    }
}

/* A parser that has the head and `sent` bytes of the body of a request. */
static struct http_parser *
halfway(struct http_share *share, size_t sent, enum http_progress *ret_last)
{
    const struct http_limits shared = { .head_bytes = 1024,
                                        .field_count = 10,
                                        .body_bytes = 1 << 20,
                                        .share = share };
    struct http_parser *p = NULL;
    struct buf text = { 0 };
    size_t at = 0;
    enum http_progress progress = HTTP_HEAD;
    buf_text(&text,
             "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n");
    for (size_t i = 0; i < sent; i++) {
        buf_byte(&text, 'x');
    }
    assert_int_equal(http_parser_create(&shared, &p), STATUS_OK);
    while (at < text.len && progress != HTTP_REFUSED) {
        size_t used;
        progress = http_parser_feed(
            p, slice_first(slice_from(buf_slice(&text), at), 30000), &used);
        at += used;
    }
    buf_fini(&text);
    *ret_last = progress;
    return p;
}

static void
bodies_on_their_way_in_share_their_memory(void **state)
{
    (void)state;
    struct http_share share = { .limit = 100000 };
    enum http_progress last;
    /* A small body has its own memory, whatever the others hold. */
    struct http_parser *first = halfway(&share, 1000, &last);
    assert_int_equal(last, HTTP_MORE);
    assert_int_equal(share.used, 0);
    http_parser_destroy(first);

    first = halfway(&share, 59999, &last);
    assert_int_equal(last, HTTP_MORE);
    assert_true(share.used >= 59999 - HTTP_BODY_OWN_BYTES);
    size_t before = share.used;
    struct http_parser *second = halfway(&share, 59999, &last);
    assert_int_equal(last, HTTP_REFUSED);
    assert_int_equal(http_parser_status(second), 503);
    assert_int_equal(share.used, before);
    http_parser_destroy(second);
    second = halfway(&share, 1000, &last);
    assert_int_equal(last, HTTP_MORE);
    http_parser_destroy(second);

    /* A whole body counts no more: what is done with it has its own limits. */
    size_t used;
    assert_int_equal(http_parser_feed(first, slice_of("x"), &used),
                     HTTP_COMPLETE);
    assert_int_equal(share.used, 0);
    http_parser_destroy(first);
    first = halfway(&share, 59999, &last);
    http_parser_reset(first);
    assert_int_equal(share.used, 0);
    http_parser_destroy(first);
    http_parser_destroy(halfway(&share, 59999, &last));
    assert_int_equal(share.used, 0);
}

static void
running_out_of_memory_is_503(void **state)
{
    (void)state;
    static const char text[] = C "20\r\n" Z32 "\r\n0\r\n\r\n";
    enum http_progress progress = HTTP_REFUSED;
    long n = 0;
    for (; progress != HTTP_COMPLETE; n++) {
        struct http_parser *p = NULL;
        assert_true(n < 100);
        (void)mem_fail_after(n, 0);
        if (http_parser_create(&limits, &p) == STATUS_OK) {
            size_t at = 20;
            size_t used;
            progress =
                http_parser_feed(p, slice_first(slice_of(text), at), &used);
            while (progress == HTTP_MORE || progress == HTTP_HEAD) {
                progress = feed(p, text, &at);
            }
            if (progress == HTTP_REFUSED) {
                assert_int_equal(http_parser_status(p), 503);
            }
        }
        (void)mem_fail_after(-1, 0);
        http_parser_destroy(p);
    }
    assert_true(n > 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_requests_come_out_however_they_are_cut),
        cmocka_unit_test(what_could_be_read_in_two_ways_is_refused),
        cmocka_unit_test(chunks_are_framed_strictly),
        cmocka_unit_test(nul_is_refused_everywhere),
        cmocka_unit_test(heads_over_the_limit_are_refused_with_414_or_431),
        cmocka_unit_test(the_head_is_shown_before_the_body_is_taken),
        cmocka_unit_test(a_request_taken_outlives_its_parser),
        cmocka_unit_test(large_bodies_arrive_whole),
        cmocka_unit_test(bodies_on_their_way_in_share_their_memory),
        cmocka_unit_test(running_out_of_memory_is_503),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
