/* SPDX-License-Identifier: MIT */
#include "wire/timefmt.h"

#include <inttypes.h>

#include "base/instant.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    struct slice name;
    enum timefmt format;
} names[] = {
    { SLICE("auto"), TIMEFMT_AUTO },
    { SLICE("feed"), TIMEFMT_AUTO }, /* Atom has RFC 3339, RSS has RFC 2822 */
    { SLICE("s"), TIMEFMT_UNIX_S },
    { SLICE("unix_s"), TIMEFMT_UNIX_S },
    { SLICE("epoch_s"), TIMEFMT_UNIX_S },
    { SLICE("ms"), TIMEFMT_UNIX_MS },
    { SLICE("unix_ms"), TIMEFMT_UNIX_MS },
    { SLICE("epoch_ms"), TIMEFMT_UNIX_MS },
    { SLICE("iso8601"), TIMEFMT_ISO8601 },
    { SLICE("iso8601_s"), TIMEFMT_ISO8601_S },
    { SLICE("iso8601_naive"), TIMEFMT_ISO8601_NAIVE },
    { SLICE("iso8601_utc"), TIMEFMT_ISO8601_NAIVE },
    { SLICE("date"), TIMEFMT_DATE },
    { SLICE("minute"), TIMEFMT_MINUTE },
    { SLICE("rfc2822"), TIMEFMT_RFC2822 },
};

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char weekdays[] = "SunMonTueWedThuFriSat";

enum status
timefmt_by_name(struct slice name, enum timefmt *ret_format)
{
    for (size_t i = 0; i < COUNT(names); i++) {
        if (slice_equal(names[i].name, name)) {
            *ret_format = names[i].format;
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}

/* Reading: each take_ function cuts what it read off the front of `*rest`, and
 * returns false where something else stands there. */

static bool
take_byte(struct slice *rest, char byte)
{
    if (rest->len == 0 || rest->ptr[0] != byte) {
        return false;
    }
    *rest = slice_from(*rest, 1);
    return true;
}

static bool
take_any(struct slice *rest, const char *bytes)
{
    for (; *bytes != '\0'; bytes++) {
        if (take_byte(rest, *bytes)) {
            return true;
        }
    }
    return false;
}

static bool
take_blanks(struct slice *rest)
{
    size_t before = rest->len;
    while (take_any(rest, " \t")) {
    }
    return rest->len < before;
}

static size_t
digit_count(struct slice text)
{
    size_t count = 0;
    while (count < text.len && text.ptr[count] >= '0' &&
           text.ptr[count] <= '9') {
        count++;
    }
    return count;
}

/* Takes exactly `count` digits; at most 9, so that an int holds them. */
static bool
take_number(struct slice *rest, size_t count, int *ret_number)
{
    int number = 0;
    if (digit_count(slice_first(*rest, count)) != count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        number = number * 10 + (rest->ptr[i] - '0');
    }
    *rest = slice_from(*rest, count);
    *ret_number = number;
    return true;
}

/* Takes one to `most` digits. */
static bool
take_short_number(struct slice *rest, size_t most, int *ret_number)
{
    size_t count = digit_count(*rest);
    return count > 0 && count <= most && take_number(rest, count, ret_number);
}

/* Takes one of the three-letter words of `words`, in any case. */
static bool
take_word(struct slice *rest, const char *words, int *ret_index)
{
    struct slice list = slice_of(words);
    for (size_t i = 0; i * 3 < list.len; i++) {
        struct slice word = slice_first(slice_from(list, i * 3), 3);
        if (slice_equal_nocase(slice_first(*rest, 3), word)) {
            *rest = slice_from(*rest, 3);
            *ret_index = (int)i;
            return true;
        }
    }
    return false;
}

/* Takes ".123456" where it stands; digits behind the third are cut. */
static bool
take_fraction(struct slice *rest, int *ret_ms)
{
    *ret_ms = 0;
    if (!take_byte(rest, '.')) {
        return true;
    }
    size_t count = digit_count(*rest);
    for (size_t i = 0; i < 3; i++) {
        *ret_ms = *ret_ms * 10 + (i < count ? rest->ptr[i] - '0' : 0);
    }
    *rest = slice_from(*rest, count);
    return count > 0;
}

static bool
take_date(struct slice *rest, struct civil *at)
{
    int year;
    if (!take_number(rest, 4, &year) || !take_byte(rest, '-') ||
        !take_number(rest, 2, &at->month) || !take_byte(rest, '-') ||
        !take_number(rest, 2, &at->day)) {
        return false;
    }
    at->year = year;
    return true;
}

static bool
take_minute(struct slice *rest, struct civil *at)
{
    return take_number(rest, 2, &at->hour) && take_byte(rest, ':') &&
           take_number(rest, 2, &at->minute);
}

static bool
take_clock(struct slice *rest, struct civil *at)
{
    return take_minute(rest, at) && take_byte(rest, ':') &&
           take_number(rest, 2, &at->second);
}

/* Takes "+01:00"; the colon and the minutes may be missing, as ISO 8601 has it
 * and as Jira writes it. */
static bool
take_offset(struct slice *rest, int64_t *ret_offset_ms)
{
    int hours;
    int minutes = 0;
    bool west = rest->len > 0 && rest->ptr[0] == '-';
    if (!take_any(rest, "+-") || !take_number(rest, 2, &hours)) {
        return false;
    }
    bool colon = take_byte(rest, ':');
    if (!take_number(rest, 2, &minutes) && colon) {
        return false;
    }
    int64_t offset = hours * INSTANT_HOUR_MS + minutes * INSTANT_MINUTE_MS;
    *ret_offset_ms = west ? -offset : offset;
    return hours < 24 && minutes < 60;
}

/* Second 60 is the leap second; Unix time has no place for it but the second
 * after. */
static bool
civil_valid(const struct civil *at)
{
    return at->year >= 1 && at->year <= 9999 && at->month >= 1 &&
           at->month <= 12 && at->day >= 1 &&
           at->day <= instant_month_days(at->year, at->month) &&
           at->hour <= 23 && at->minute <= 59 && at->second <= 60;
}

/* What can be written again: years 0001 to 9999 in UTC. */
static enum status
in_range(int64_t at_ms, int64_t *ret_ms)
{
    static const struct civil first = { .year = 1, .month = 1, .day = 1 };
    static const struct civil behind = { .year = 10000, .month = 1, .day = 1 };
    if (at_ms < instant_from_civil(&first) ||
        at_ms >= instant_from_civil(&behind)) {
        return STATUS_INVALID;
    }
    *ret_ms = at_ms;
    return STATUS_OK;
}

static enum status
finish(struct slice rest, const struct civil *at, int64_t offset_ms,
       int64_t *ret_ms)
{
    if (rest.len > 0 || !civil_valid(at)) {
        return STATUS_INVALID;
    }
    return in_range(instant_from_civil(at) - offset_ms, ret_ms);
}

/* " UTC", as Ruby writes a time and GitLab's webhooks have it. */
static bool
take_utc(struct slice *rest)
{
    const bool is_utc = slice_equal_text(*rest, " UTC");
    *rest = slice_from(*rest, is_utc ? rest->len : 0);
    return is_utc;
}

/* RFC 3339 §5.6; §5.6 also allows the blank and small letters. */
static enum status
read_iso(struct slice rest, bool zone_needed, int64_t *ret_ms)
{
    struct civil at = { 0 };
    int64_t offset = 0;
    if (!take_date(&rest, &at) || !take_any(&rest, "Tt ") ||
        !take_clock(&rest, &at) || !take_fraction(&rest, &at.ms)) {
        return STATUS_INVALID;
    }
    bool zone = take_any(&rest, "Zz") || take_utc(&rest) ||
                (rest.len > 0 && take_offset(&rest, &offset));
    return zone || !zone_needed ? finish(rest, &at, offset, ret_ms)
                                : STATUS_INVALID;
}

static enum status
read_date(struct slice rest, bool minute, int64_t *ret_ms)
{
    struct civil at = { 0 };
    if (!take_date(&rest, &at) ||
        (minute && (!take_any(&rest, " T") || !take_minute(&rest, &at)))) {
        return STATUS_INVALID;
    }
    return finish(rest, &at, 0, ret_ms);
}

/* Reads digits with an optional sign and fraction; `scale` is in ms, 0 where
 * the size of the number has to tell. */
static enum status
read_unix(struct slice text, int64_t scale, int64_t *ret_ms)
{
    bool negative = take_byte(&text, '-');
    size_t count = digit_count(text);
    int64_t whole;
    int64_t at;
    int fraction;
    if (slice_to_i64(slice_first(text, count), &whole) != STATUS_OK) {
        return STATUS_INVALID;
    }
    text = slice_from(text, count);
    if (!take_fraction(&text, &fraction) || text.len > 0) {
        return STATUS_INVALID;
    }
    if (scale == 0) {
        scale = whole >= INT64_C(100000000000) ? 1 : INSTANT_SECOND_MS;
    }
    if (__builtin_mul_overflow(whole, scale, &at)) {
        return STATUS_INVALID;
    }
    at = instant_add(at, scale == 1 ? 0 : fraction);
    return in_range(negative ? -at : at, ret_ms);
}

/* RFC 5322 §4.3: the names of zones that old mail carries. Letters of the
 * military alphabet mean nothing reliable and are refused, but for Z. */
static bool
take_zone(struct slice *rest, int64_t *ret_offset_ms)
{
    static const struct {
        struct slice name;
        int hours;
    } zones[] = {
        { SLICE("GMT"), 0 },  { SLICE("UTC"), 0 },  { SLICE("UT"), 0 },
        { SLICE("EST"), -5 }, { SLICE("EDT"), -4 }, { SLICE("CST"), -6 },
        { SLICE("CDT"), -5 }, { SLICE("MST"), -7 }, { SLICE("MDT"), -6 },
        { SLICE("PST"), -8 }, { SLICE("PDT"), -7 }, { SLICE("Z"), 0 },
    };
    for (size_t i = 0; i < COUNT(zones); i++) {
        size_t len = zones[i].name.len;
        if (slice_equal_nocase(slice_first(*rest, len), zones[i].name)) {
            *rest = slice_from(*rest, len);
            *ret_offset_ms = zones[i].hours * INSTANT_HOUR_MS;
            return true;
        }
    }
    return take_offset(rest, ret_offset_ms);
}

/* RFC 5322 §4.3: two digits below 50 are of this century. */
static bool
take_mail_year(struct slice *rest, struct civil *at)
{
    int year;
    size_t count = digit_count(*rest);
    if ((count != 2 && count != 4) || !take_number(rest, count, &year)) {
        return false;
    }
    at->year = count == 4 ? year : year + (year < 50 ? 2000 : 1900);
    return true;
}

static bool
take_mail_date(struct slice *rest, struct civil *at)
{
    int month;
    (void)take_blanks(rest);
    if (take_word(rest, weekdays, &at->weekday)) {
        if (!take_byte(rest, ',')) {
            return false;
        }
        (void)take_blanks(rest);
    }
    if (!take_short_number(rest, 2, &at->day) || !take_blanks(rest) ||
        !take_word(rest, months, &month) || !take_blanks(rest) ||
        !take_mail_year(rest, at) || !take_blanks(rest)) {
        return false;
    }
    at->month = month + 1;
    return true;
}

/* RFC 5322 §3.3, which superseded RFC 2822; seconds may be missing, and a
 * comment such as "(UTC)" may follow. */
static enum status
read_mail(struct slice rest, int64_t *ret_ms)
{
    struct civil at = { 0 };
    int64_t offset;
    if (!take_mail_date(&rest, &at) || !take_minute(&rest, &at)) {
        return STATUS_INVALID;
    }
    if (take_byte(&rest, ':') && !take_number(&rest, 2, &at.second)) {
        return STATUS_INVALID;
    }
    if (!take_blanks(&rest) || !take_zone(&rest, &offset)) {
        return STATUS_INVALID;
    }
    (void)take_blanks(&rest);
    if (rest.len > 1 && rest.ptr[0] == '(' && rest.ptr[rest.len - 1] == ')') {
        rest.len = 0;
    }
    return finish(rest, &at, offset, ret_ms);
}

static enum status
read_auto(struct slice text, int64_t *ret_ms)
{
    enum status status = read_unix(text, 0, ret_ms);
    if (status != STATUS_OK) {
        status = read_iso(text, false, ret_ms);
    }
    /* What is written as a date or to the minute can be read back. */
    for (int minute = 1; status != STATUS_OK && minute >= 0; minute--) {
        status = read_date(text, minute == 1, ret_ms);
    }
    return status == STATUS_OK ? status : read_mail(text, ret_ms);
}

enum status
timefmt_read(enum timefmt format, struct slice text, int64_t *ret_ms)
{
    switch (format) {
    case TIMEFMT_AUTO: return read_auto(text, ret_ms);
    case TIMEFMT_UNIX_S: return read_unix(text, INSTANT_SECOND_MS, ret_ms);
    case TIMEFMT_UNIX_MS: return read_unix(text, 1, ret_ms);
    case TIMEFMT_ISO8601:
    case TIMEFMT_ISO8601_S: return read_iso(text, true, ret_ms);
    case TIMEFMT_ISO8601_NAIVE: return read_iso(text, false, ret_ms);
    case TIMEFMT_DATE: return read_date(text, false, ret_ms);
    case TIMEFMT_MINUTE: return read_date(text, true, ret_ms);
    case TIMEFMT_RFC2822: return read_mail(text, ret_ms);
    }
    return STATUS_INVALID;
}

static void
write_mail(const struct civil *at, struct buf *into)
{
    buf_format(into, "%.3s, %02d %.3s %04" PRId64 " %02d:%02d:%02d +0000",
               weekdays + (ptrdiff_t)at->weekday * 3, at->day,
               months + (ptrdiff_t)(at->month - 1) * 3, at->year, at->hour,
               at->minute, at->second);
}

enum status
timefmt_read_since(struct slice text, int64_t now_ms, int64_t *ret_ms)
{
    int64_t age_ms;
    if (instant_parse_span(text, &age_ms) == STATUS_OK) {
        *ret_ms = now_ms - age_ms;
        return STATUS_OK;
    }
    enum status status = timefmt_read(TIMEFMT_ISO8601, text, ret_ms);
    return status == STATUS_OK ? status
                               : timefmt_read(TIMEFMT_DATE, text, ret_ms);
}

void
timefmt_write(enum timefmt format, int64_t at_ms, struct buf *into)
{
    struct civil at = instant_to_civil(at_ms);
    if (format == TIMEFMT_UNIX_S) {
        /* Downwards, also before 1970. */
        buf_i64(into,
                at_ms / INSTANT_SECOND_MS - (at_ms % INSTANT_SECOND_MS < 0));
        return;
    }
    if (format == TIMEFMT_UNIX_MS) {
        buf_i64(into, at_ms);
        return;
    }
    if (format == TIMEFMT_RFC2822) {
        write_mail(&at, into);
        return;
    }
    buf_format(into, "%04" PRId64 "-%02d-%02d", at.year, at.month, at.day);
    if (format == TIMEFMT_DATE) {
        return;
    }
    buf_format(into, "%c%02d:%02d", format == TIMEFMT_MINUTE ? ' ' : 'T',
               at.hour, at.minute);
    if (format == TIMEFMT_MINUTE) {
        return;
    }
    buf_format(into, ":%02d", at.second);
    if (format == TIMEFMT_ISO8601 || format == TIMEFMT_AUTO) {
        buf_format(into, ".%03d", at.ms);
    }
    if (format != TIMEFMT_ISO8601_NAIVE) {
        buf_byte(into, 'Z');
    }
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool
take_imf_date(struct slice *rest, struct civil *at)
{
    int month;
    int year;
    if (!take_word(rest, weekdays, &at->weekday) || !take_byte(rest, ',') ||
        !take_byte(rest, ' ') || !take_number(rest, 2, &at->day) ||
        !take_byte(rest, ' ') || !take_word(rest, months, &month) ||
        !take_byte(rest, ' ') || !take_number(rest, 4, &year) ||
        !take_byte(rest, ' ') || !take_clock(rest, at)) {
        return false;
    }
    at->month = month + 1;
    at->year = year;
    return slice_equal_text(*rest, " GMT");
}

/* "Sunday, 06-Nov-94 08:49:37 GMT". RFC 9110 §5.6.7: a year that seems more
 * than 50 years ahead is in the past; 1970 is the pivot, as no server is older
 * than Unix time. */
static bool
take_rfc850_date(struct slice *rest, struct civil *at)
{
    int month;
    int year;
    size_t comma = slice_find(*rest, ',');
    if (!take_word(rest, weekdays, &at->weekday) || comma == SIZE_MAX) {
        return false;
    }
    *rest = slice_from(*rest, comma - 3);
    if (!take_byte(rest, ',') || !take_byte(rest, ' ') ||
        !take_number(rest, 2, &at->day) || !take_byte(rest, '-') ||
        !take_word(rest, months, &month) || !take_byte(rest, '-') ||
        !take_number(rest, 2, &year) || !take_byte(rest, ' ') ||
        !take_clock(rest, at)) {
        return false;
    }
    at->month = month + 1;
    at->year = year + (year < 70 ? 2000 : 1900);
    return slice_equal_text(*rest, " GMT");
}

/* "Sun Nov  6 08:49:37 1994" */
static bool
take_asctime_date(struct slice *rest, struct civil *at)
{
    int month;
    int year;
    if (!take_word(rest, weekdays, &at->weekday) || !take_byte(rest, ' ') ||
        !take_word(rest, months, &month) || !take_blanks(rest) ||
        !take_short_number(rest, 2, &at->day) || !take_byte(rest, ' ') ||
        !take_clock(rest, at) || !take_byte(rest, ' ') ||
        !take_number(rest, 4, &year)) {
        return false;
    }
    at->month = month + 1;
    at->year = year;
    return rest->len == 0;
}

enum status
timefmt_read_http(struct slice text, int64_t *ret_ms)
{
    static bool (*const forms[])(struct slice *, struct civil *) = {
        take_imf_date, take_rfc850_date, take_asctime_date
    };
    for (size_t i = 0; i < COUNT(forms); i++) {
        struct slice rest = slice_trim(text);
        struct civil at = { 0 };
        if (forms[i](&rest, &at)) {
            return finish((struct slice){ "", 0 }, &at, 0, ret_ms);
        }
    }
    return STATUS_INVALID;
}
