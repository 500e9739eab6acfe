/* SPDX-License-Identifier: MIT */
#include "base/instant.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Days from 1970-01-01 in the proleptic Gregorian calendar, counted in years
 * that begin in March so that the leap day comes last. */
static int64_t
days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year =
        (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void
civil_from_days(int64_t days, struct civil *civil)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
                           day_of_era / 146096) /
                          365;
    int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    civil->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    civil->month = (int)(month < 10 ? month + 3 : month - 9);
    civil->year = year_of_era + era * 400 + (civil->month <= 2);
}

int
instant_month_days(int64_t year, int month)
{
    static const int days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

int64_t
instant_from_civil(const struct civil *civil)
{
    return days_from_civil(civil->year, civil->month, civil->day) *
               INSTANT_DAY_MS +
           civil->hour * INSTANT_HOUR_MS + civil->minute * INSTANT_MINUTE_MS +
           civil->second * INSTANT_SECOND_MS + civil->ms;
}

struct civil
instant_to_civil(int64_t at_ms)
{
    int64_t days = at_ms / INSTANT_DAY_MS - (at_ms % INSTANT_DAY_MS < 0);
    int64_t rest = at_ms % INSTANT_DAY_MS;
    rest += rest < 0 ? INSTANT_DAY_MS : 0;
    struct civil civil = { .hour = (int)(rest / INSTANT_HOUR_MS),
                           .minute = (int)(rest / INSTANT_MINUTE_MS % 60),
                           .second = (int)(rest / INSTANT_SECOND_MS % 60),
                           .ms = (int)(rest % INSTANT_SECOND_MS),
                           .weekday = (int)(((days + 4) % 7 + 7) % 7) };
    civil_from_days(days, &civil);
    return civil;
}

const char *
instant_text(int64_t at_ms, char into[INSTANT_TEXT_BYTES])
{
    struct civil at = instant_to_civil(at_ms);
    (void)snprintf(into, INSTANT_TEXT_BYTES,
                   "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d.%03dZ", at.year,
                   at.month, at.day, at.hour, at.minute, at.second, at.ms);
    return into;
}

struct unit {
    struct slice name;
    int64_t factor;
};

static const struct unit span_units[] = {
    { SLICE("d"), INSTANT_DAY_MS },
    { SLICE("h"), INSTANT_HOUR_MS },
    { SLICE("m"), INSTANT_MINUTE_MS },
    { SLICE("s"), INSTANT_SECOND_MS },
    { SLICE("ms"), 1 },
};

static const struct unit size_units[] = {
    { SLICE("B"), 1 },
    { SLICE("kB"), 1000 },
    { SLICE("MB"), INT64_C(1000) * 1000 },
    { SLICE("GB"), INT64_C(1000) * 1000 * 1000 },
    { SLICE("KiB"), 1024 },
    { SLICE("MiB"), INT64_C(1024) * 1024 },
    { SLICE("GiB"), INT64_C(1024) * 1024 * 1024 },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Writes seconds with as many decimals as they have; at least 1 ms. */
static void
write_seconds(int64_t span_ms, char *into, size_t size)
{
    int fraction = (int)(span_ms % INSTANT_SECOND_MS);
    int decimals = fraction == 0 ? 0 : 3;
    for (; decimals > 0 && fraction % 10 == 0; decimals--) {
        fraction /= 10;
    }
    if (decimals == 0) {
        (void)snprintf(into, size, "%" PRId64 "s", span_ms / INSTANT_SECOND_MS);
    } else {
        (void)snprintf(into, size, "%" PRId64 ".%0*ds",
                       span_ms / INSTANT_SECOND_MS, decimals, fraction);
    }
}

const char *
instant_span_text(int64_t span_ms, char into[INSTANT_TEXT_BYTES])
{
    if (span_ms > 0 && span_ms < INSTANT_SECOND_MS) {
        (void)snprintf(into, INSTANT_TEXT_BYTES, "%" PRId64 "ms", span_ms);
        return into;
    }
    int64_t left = span_ms < 0 ? 0 : span_ms;
    size_t used = 0;
    for (size_t i = 0; span_units[i].factor > INSTANT_SECOND_MS; i++) {
        int64_t whole = left / span_units[i].factor;
        left -= whole * span_units[i].factor;
        if (whole > 0) {
            used += (size_t)snprintf(into + used, INSTANT_TEXT_BYTES - used,
                                     "%" PRId64 "%s", whole,
                                     span_units[i].name.ptr);
        }
    }
    if (left > 0 || used == 0) {
        write_seconds(left, into + used, INSTANT_TEXT_BYTES - used);
    }
    return into;
}

/* Reads "<digits><unit>" once; the number must fit. */
static enum status
parse_with_unit(struct slice text, const struct unit *units, size_t count,
                int64_t *ret_value)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' &&
           text.ptr[digits] <= '9') {
        digits++;
    }
    int64_t number;
    if (slice_to_i64(slice_first(text, digits), &number) != STATUS_OK) {
        return STATUS_INVALID;
    }
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(slice_from(text, digits), units[i].name)) {
            return __builtin_mul_overflow(number, units[i].factor, ret_value)
                       ? STATUS_INVALID
                       : STATUS_OK;
        }
    }
    return STATUS_INVALID;
}

enum status
instant_parse_span(struct slice text, int64_t *ret_span_ms)
{
    int64_t span_ms;
    enum status status =
        parse_with_unit(text, span_units, COUNT(span_units), &span_ms);
    if (status == STATUS_OK) {
        *ret_span_ms = span_ms;
    }
    return status;
}

enum status
instant_parse_size(struct slice text, int64_t *ret_bytes)
{
    int64_t bytes;
    enum status status =
        parse_with_unit(text, size_units, COUNT(size_units), &bytes);
    if (status == STATUS_OK) {
        *ret_bytes = bytes;
    }
    return status;
}

/* A year: whoever multiplies with it stays inside 64 bits. */
#define RATE_MOST_MS (365 * INSTANT_DAY_MS)

enum status
instant_parse_rate(struct slice text, int64_t *ret_count, int64_t *ret_per_ms)
{
    const size_t slash = slice_find(text, '/');
    uint64_t count;
    int64_t per_ms;
    char span[INSTANT_TEXT_BYTES] = "1";
    if (slash == SIZE_MAX ||
        slice_to_u64(slice_trim(slice_first(text, slash)), &count) !=
            STATUS_OK ||
        count == 0 || count > INT32_MAX) {
        return STATUS_INVALID;
    }
    struct slice unit = slice_trim(slice_from(text, slash + 1));
    if (unit.len == 0 || unit.len > sizeof(span) - 2) {
        return STATUS_INVALID;
    }
    const bool has_number = unit.ptr[0] >= '0' && unit.ptr[0] <= '9';
    memcpy(span + (has_number ? 0 : 1), unit.ptr, unit.len);
    const struct slice whole = { span, unit.len + (has_number ? 0 : 1) };
    if (instant_parse_span(whole, &per_ms) != STATUS_OK || per_ms <= 0 ||
        per_ms > RATE_MOST_MS) {
        return STATUS_INVALID;
    }
    *ret_count = (int64_t)count;
    *ret_per_ms = per_ms;
    return STATUS_OK;
}

int64_t
instant_add(int64_t at_ms, int64_t span_ms)
{
    int64_t sum;
    if (__builtin_add_overflow(at_ms, span_ms, &sum)) {
        return span_ms > 0 ? INT64_MAX : INT64_MIN;
    }
    return sum;
}
