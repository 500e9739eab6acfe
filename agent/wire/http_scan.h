/* SPDX-License-Identifier: MIT */
/*
 * http_scan: the strict byte-by-byte scan of a head and of chunked framing,
 * ahead of the parser; private to http_request.c.
 *
 * It decides on each byte from the bytes before it and nothing else, so the
 * result is the same however the network cut them.
 */
#ifndef WIRE_HTTP_SCAN_H
#define WIRE_HTTP_SCAN_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_scan_result { HTTP_SCAN_MORE, HTTP_SCAN_DONE, HTTP_SCAN_REFUSED };

struct http_scan {
    unsigned char state;
    unsigned char method_len;
    unsigned char version_len;
    unsigned char size_digits;
    bool in_trailer;
    bool began; /* a byte of a request line was seen */
    char method[10];
    char version[9];
    size_t head_used; /* bytes of the head so far, or of the trailer */
    size_t head_limit;
    size_t field_count; /* field lines so far */
    size_t field_limit;
    size_t extra_used;       /* bytes of chunk extensions so far */
    unsigned char extension; /* where in one: enum extension */
    unsigned char name_len;  /* of a trailer field, as far as it is kept */
    char name[20];
    uint64_t chunk_left;
    uint64_t body_left; /* how much more body is allowed */
    unsigned status;    /* of a refusal */
    const char *reason;
};

void http_scan_init(struct http_scan *scan, size_t head_limit,
                    size_t field_limit);

/* Reads the head. DONE comes with the byte behind its last in *ret_used. */
enum http_scan_result http_scan_head(struct http_scan *scan, struct slice bytes,
                                     size_t *ret_used);

/* Goes on with a chunked body of at most `limit` bytes. */
void http_scan_chunked(struct http_scan *scan, uint64_t limit);

/*
 * Reads a run of a chunked body, at least one byte. `ret_keep` tells whether
 * the parser needs the run: extensions and trailer fields are dropped here, so
 * that nothing depends on how a parser reads them.
 */
enum http_scan_result http_scan_chunk(struct http_scan *scan,
                                      struct slice bytes, size_t *ret_used,
                                      bool *ret_keep);

#endif
