/* SPDX-License-Identifier: MIT */
#include "wire/zone.h"

#include "base/instant.h"

#define HEADER_BYTES 44
#define DAY_S        86400
/* No zone sets its clocks by more, and no two transitions are closer. */
#define SHIFT_MS (3 * INSTANT_HOUR_MS)

/* When clocks change in a year: day `day` (0: Sunday) of week `week` (5: the
 * last) of the month, so many seconds after midnight. */
struct change {
    int month;
    int week;
    int day;
    int64_t seconds;
};

struct zone {
    struct slice times; /* 8 bytes each, big-endian seconds, ascending */
    struct slice types; /* one byte each */
    struct slice infos; /* 6 bytes each: offset, is_dst, name */
    size_t count;
    /* Behind the last of them, or always. */
    bool has_rule;
    bool has_summer;
    int64_t winter_s; /* ahead of UTC */
    int64_t summer_s;
    struct change begins; /* by winter's clocks */
    struct change ends;   /* by summer's */
};

/* ---- the file ---- */

static int64_t
number_at(struct slice bytes, size_t at, size_t size)
{
    uint64_t number = (unsigned char)bytes.ptr[at] >= 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < size; i++) {
        number = number << 8 | (unsigned char)bytes.ptr[at + i];
    }
    return (int64_t)number;
}

/* One of the two blocks of a file: its header's counts. */
struct block {
    size_t utc;
    size_t standard;
    size_t leaps;
    size_t times;
    size_t types;
    size_t names;
};

static bool
read_header(struct slice bytes, struct block *ret)
{
    static const struct slice magic = SLICE("TZif");
    size_t counts[6];
    if (bytes.len < HEADER_BYTES || !slice_starts(bytes, magic)) {
        return false;
    }
    for (size_t i = 0; i < 6; i++) {
        const int64_t count = number_at(bytes, 20 + 4 * i, 4);
        if (count < 0 || count > 100000) {
            return false;
        }
        counts[i] = (size_t)count;
    }
    *ret = (struct block){ counts[0], counts[1], counts[2],
                           counts[3], counts[4], counts[5] };
    return true;
}

static size_t
block_bytes(const struct block *block, size_t time_bytes)
{
    return block->times * (time_bytes + 1) + block->types * 6 + block->names +
           block->leaps * (time_bytes + 4) + block->standard + block->utc;
}

static bool
types_exist(const struct zone *zone)
{
    for (size_t i = 0; i < zone->types.len; i++) {
        if ((size_t)(unsigned char)zone->types.ptr[i] * 6 >= zone->infos.len) {
            return false;
        }
    }
    return zone->infos.len > 0;
}

/* ---- the rule ---- */

static bool
take(struct slice *rest, char byte)
{
    if (rest->len == 0 || rest->ptr[0] != byte) {
        return false;
    }
    *rest = slice_from(*rest, 1);
    return true;
}

static bool
take_number(struct slice *rest, int64_t most, int64_t *ret)
{
    size_t len = 0;
    int64_t number = 0;
    while (len < rest->len && len < 4 && rest->ptr[len] >= '0' &&
           rest->ptr[len] <= '9') {
        number = number * 10 + (rest->ptr[len++] - '0');
    }
    *rest = slice_from(*rest, len);
    *ret = number;
    return len > 0 && number <= most;
}

/* "[+-]hh[:mm[:ss]]" */
static bool
take_time(struct slice *rest, int64_t *ret_s)
{
    int64_t hours;
    int64_t minutes = 0;
    int64_t seconds = 0;
    const bool negative = take(rest, '-');
    if (!negative) {
        (void)take(rest, '+');
    }
    if (!take_number(rest, 167, &hours) ||
        (take(rest, ':') && !take_number(rest, 59, &minutes)) ||
        (take(rest, ':') && !take_number(rest, 59, &seconds))) {
        return false;
    }
    *ret_s = hours * 3600 + minutes * 60 + seconds;
    *ret_s = negative ? -*ret_s : *ret_s;
    return true;
}

/* "CET" or "<+03>"; at least three bytes (POSIX). */
static bool
take_name(struct slice *rest)
{
    size_t len = 0;
    if (take(rest, '<')) {
        len = slice_find(*rest, '>');
        if (len == SIZE_MAX || len == 0) {
            return false;
        }
        *rest = slice_from(*rest, len + 1);
        return true;
    }
    while (len < rest->len &&
           ((rest->ptr[len] >= 'A' && rest->ptr[len] <= 'Z') ||
            (rest->ptr[len] >= 'a' && rest->ptr[len] <= 'z'))) {
        len++;
    }
    *rest = slice_from(*rest, len);
    return len >= 3;
}

/* ",Mm.w.d[/time]" */
static bool
take_change(struct slice *rest, struct change *ret)
{
    int64_t month;
    int64_t week;
    int64_t day;
    int64_t seconds = 7200;
    if (!take(rest, ',') || !take(rest, 'M') ||
        !take_number(rest, 12, &month) || !take(rest, '.') ||
        !take_number(rest, 5, &week) || !take(rest, '.') ||
        !take_number(rest, 6, &day) || month < 1 || week < 1 ||
        (take(rest, '/') && !take_time(rest, &seconds))) {
        return false;
    }
    *ret = (struct change){ (int)month, (int)week, (int)day, seconds };
    return true;
}

static bool
read_rule(struct slice text, struct zone *zone)
{
    int64_t west_s;
    if (!take_name(&text) || !take_time(&text, &west_s)) {
        return false;
    }
    zone->winter_s = -west_s;
    zone->has_rule = true;
    if (text.len == 0) {
        return true;
    }
    zone->summer_s = zone->winter_s + 3600;
    if (!take_name(&text)) {
        return false;
    }
    if (text.len > 0 && text.ptr[0] != ',') {
        if (!take_time(&text, &west_s)) {
            return false;
        }
        zone->summer_s = -west_s;
    }
    zone->has_summer = true;
    return take_change(&text, &zone->begins) &&
           take_change(&text, &zone->ends) && text.len == 0;
}

/* Returns when clocks change in `year`, in seconds, by the clocks themselves.
 */
static int64_t
change_s(const struct change *change, int64_t year)
{
    const struct civil first = { .year = year,
                                 .month = change->month,
                                 .day = 1 };
    const int64_t first_day = instant_from_civil(&first) / INSTANT_DAY_MS;
    /* 1970-01-01 was a Thursday. */
    const int64_t weekday = ((first_day % 7) + 11) % 7;
    int64_t day =
        (change->day - weekday + 7) % 7 + 7 * ((int64_t)change->week - 1);
    while (day >= instant_month_days(year, change->month)) {
        day -= 7;
    }
    return (first_day + day) * DAY_S + change->seconds;
}

static int64_t
rule_offset_s(const struct zone *zone, int64_t at_s)
{
    if (!zone->has_summer) {
        return zone->winter_s;
    }
    const struct civil civil =
        instant_to_civil((at_s + zone->winter_s) * INSTANT_SECOND_MS);
    const int64_t begins_s =
        change_s(&zone->begins, civil.year) - zone->winter_s;
    const int64_t ends_s = change_s(&zone->ends, civil.year) - zone->summer_s;
    const bool summer = begins_s < ends_s ? at_s >= begins_s && at_s < ends_s
                                          : at_s >= begins_s || at_s < ends_s;
    return summer ? zone->summer_s : zone->winter_s;
}

/* ---- both ---- */

enum status
zone_rule(struct slice text, struct arena *arena, const struct zone **ret_zone)
{
    struct zone *zone = arena_array(arena, 1, sizeof(*zone));
    if (zone == NULL) {
        return STATUS_NOMEM;
    }
    *ret_zone = zone;
    return read_rule(text, zone) ? STATUS_OK : STATUS_INVALID;
}

enum status
zone_read(struct slice bytes, struct arena *arena, const struct zone **ret_zone,
          struct error *err)
{
    struct zone *zone = arena_array(arena, 1, sizeof(*zone));
    struct block block;
    bool good = read_header(bytes, &block) && bytes.ptr[4] >= '2';
    if (zone == NULL) {
        return STATUS_NOMEM;
    }
    /* The first block has 32 bits a time; the second one is meant for us. */
    if (good) {
        bytes = slice_from(bytes, HEADER_BYTES + block_bytes(&block, 4));
        good = read_header(bytes, &block) &&
               bytes.len >= HEADER_BYTES + block_bytes(&block, 8);
    }
    if (good) {
        const struct slice data = slice_from(bytes, HEADER_BYTES);
        zone->count = block.times;
        zone->times = slice_first(data, block.times * 8);
        zone->types =
            slice_first(slice_from(data, block.times * 8), block.times);
        zone->infos =
            slice_first(slice_from(data, block.times * 9), block.types * 6);
        struct slice rule =
            slice_trim(slice_from(data, block_bytes(&block, 8)));
        good = types_exist(zone) && (rule.len == 0 || read_rule(rule, zone));
    }
    *ret_zone = zone;
    return good ? STATUS_OK
                : error_set(err, STATUS_INVALID,
                            "it is no zoneinfo file that can be read (TZif, "
                            "version 2 or later)");
}

static int64_t
info_offset_s(const struct zone *zone, size_t type)
{
    return number_at(zone->infos, type * 6, 4);
}

static int64_t
offset_s(const struct zone *zone, int64_t at_s)
{
    size_t low = 0;
    size_t high = zone->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (number_at(zone->times, middle * 8, 8) <= at_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == zone->count && zone->has_rule) {
        return rule_offset_s(zone, at_s);
    }
    if (low == 0) {
        return zone->infos.len > 0 ? info_offset_s(zone, 0) : 0;
    }
    return info_offset_s(zone, (unsigned char)zone->types.ptr[low - 1]);
}

int64_t
zone_offset_ms(const struct zone *zone, int64_t at_ms)
{
    int64_t at_s = at_ms / INSTANT_SECOND_MS;
    at_s -= at_ms % INSTANT_SECOND_MS < 0;
    return offset_s(zone, at_s) * INSTANT_SECOND_MS;
}

/* Whether clocks show at `at_ms` what they show at another instant too. */
static bool
comes_twice(const struct zone *zone, int64_t at_ms)
{
    const int64_t wall_ms = at_ms + zone_offset_ms(zone, at_ms);
    const int64_t others[] = { zone_offset_ms(zone, at_ms - SHIFT_MS),
                               zone_offset_ms(zone, at_ms + SHIFT_MS) };
    for (size_t i = 0; i < 2; i++) {
        const int64_t other_ms = wall_ms - others[i];
        if (other_ms != at_ms && zone_offset_ms(zone, other_ms) == others[i]) {
            return true;
        }
    }
    return false;
}

int64_t
zone_sure_ms(const struct zone *zone, int64_t at_ms, int64_t unit_ms)
{
    const int64_t least_ms = at_ms - 2 * SHIFT_MS;
    while (at_ms > least_ms && comes_twice(zone, at_ms)) {
        at_ms -= unit_ms;
    }
    return at_ms;
}
