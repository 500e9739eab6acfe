/* SPDX-License-Identifier: MIT */
/*
 * timefmt: the ways providers write a time, read and written as Unix ms.
 */
#ifndef WIRE_TIMEFMT_H
#define WIRE_TIMEFMT_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdint.h>

enum timefmt {
    TIMEFMT_AUTO, /* reading only: digits are seconds, or ms from 1e11 up; else
                     RFC 3339, then without a zone (UTC), to the minute or
                     the day, then RFC 2822 */
    TIMEFMT_UNIX_S,        /* "1700000000", a decimal fraction is allowed */
    TIMEFMT_UNIX_MS,       /* "1700000000123" */
    TIMEFMT_ISO8601,       /* RFC 3339; written with ms and Z */
    TIMEFMT_ISO8601_S,     /* RFC 3339; written in whole seconds and Z */
    TIMEFMT_ISO8601_NAIVE, /* without a zone, means UTC */
    TIMEFMT_DATE,          /* "2026-11-21" */
    TIMEFMT_MINUTE,        /* "2026-11-21 23:22", as JQL takes it */
    TIMEFMT_RFC2822        /* "Sat, 21 Nov 2026 23:22:01 +0000" */
};

/* Returns the format called `name` ("unix_s", "s", "ms", "iso8601", "rfc2822",
 * …: the names of connectors/README.md); STATUS_NOT_FOUND otherwise. */
NODISCARD
enum status timefmt_by_name(struct slice name, enum timefmt *ret_format);

/*
 * Reads a time. RFC 3339 with offset, any number of fraction digits (cut to
 * ms), leap second 60 (read as the second after), years 0001-9999, lower-case t
 * and z, a blank in place of T, an offset without its colon ("+0000"), " UTC".
 * A zone in a naive time is honoured. STATUS_INVALID otherwise, and for
 * whatever lies outside those years in UTC.
 */
NODISCARD
enum status timefmt_read(enum timefmt format, struct slice text,
                         int64_t *ret_ms);

/* Reads how people say from when on: an age before `now_ms` ("90d"), a time
 * (RFC 3339) or a day. STATUS_INVALID otherwise. */
NODISCARD
enum status timefmt_read_since(struct slice text, int64_t now_ms,
                               int64_t *ret_ms);

/* Appends a time; fractions are cut, never rounded up. */
void timefmt_write(enum timefmt format, int64_t at_ms, struct buf *into);

/* Reads the three forms of an HTTP date (RFC 9110 §5.6.7). */
NODISCARD
enum status timefmt_read_http(struct slice text, int64_t *ret_ms);

#endif
