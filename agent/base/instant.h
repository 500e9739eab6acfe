/* SPDX-License-Identifier: MIT */
/*
 * instant: points and spans of time as 64-bit milliseconds.
 *
 * A point is Unix time in ms, UTC, without leap seconds. A span written by a
 * person needs a unit: "250ms", "30s", "5m", "2h", "35d". So does a size:
 * "1KiB", "1MiB", "64kB", "512B".
 */
#ifndef BASE_INSTANT_H
#define BASE_INSTANT_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdint.h>

#define INSTANT_SECOND_MS ((int64_t)1000)
#define INSTANT_MINUTE_MS (60 * INSTANT_SECOND_MS)
#define INSTANT_HOUR_MS   (60 * INSTANT_MINUTE_MS)
#define INSTANT_DAY_MS    (24 * INSTANT_HOUR_MS)

/* Room for "2026-11-21T23:22:01.123Z" and its NUL. */
#define INSTANT_TEXT_BYTES 32

/* A day and a time of day in UTC. */
struct civil {
    int64_t year; /* 1 to 9999 */
    int month;    /* 1 to 12 */
    int day;      /* 1 to 31 */
    int hour, minute, second, ms;
    int weekday; /* 0 is Sunday; ignored by instant_from_civil */
};

/* Both ways; the fields must be in range (days of the month included). */
int64_t instant_from_civil(const struct civil *civil);
struct civil instant_to_civil(int64_t at_ms);

/* Returns the days of `month` (1-12) in `year`. */
int instant_month_days(int64_t year, int month);

/* Writes RFC 3339 with milliseconds, UTC; returns `into`. */
const char *instant_text(int64_t at_ms, char into[INSTANT_TEXT_BYTES]);

/* Writes a span as a person would: "1d12h", "2m", "1.5s", "0s". */
const char *instant_span_text(int64_t span_ms, char into[INSTANT_TEXT_BYTES]);

/* Reads a span; STATUS_INVALID without a unit, on overflow, or otherwise. */
NODISCARD
enum status instant_parse_span(struct slice text, int64_t *ret_span_ms);

/* Reads a size in bytes: B, kB, MB, GB (1000) and KiB, MiB, GiB (1024). */
NODISCARD
enum status instant_parse_size(struct slice text, int64_t *ret_bytes);

/* Reads so many in a time, a year at most: "25/1s"; "100/s" means one of the
 * unit.
 * STATUS_INVALID otherwise. */
NODISCARD
enum status instant_parse_rate(struct slice text, int64_t *ret_count,
                               int64_t *ret_per_ms);

/* Sums that stay inside int64_t instead of overflowing. */
int64_t instant_add(int64_t at_ms, int64_t span_ms);

#endif
