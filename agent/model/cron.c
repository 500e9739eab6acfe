/* SPDX-License-Identifier: MIT */
#include "model/cadence.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/instant.h"

/* The calendar repeats its weekdays every 28 years, so a plan that matches no
 * day in so many never will. */
#define CYCLE_DAYS ((int64_t)28 * 366)

struct cron_plan {
    uint64_t minutes;  /* bit 0-59 */
    uint64_t hours;    /* bit 0-23 */
    uint64_t days;     /* bit 1-31 */
    uint64_t months;   /* bit 1-12 */
    uint64_t weekdays; /* bit 0-6, 0 is Sunday */
    bool any_day;      /* the field begins with '*' */
    bool any_weekday;
};

struct field {
    const char *name;
    unsigned low;
    unsigned high;
    const char *const *names; /* the first one means `low` */
};

static const char *const month_names[] = { "jan", "feb", "mar", "apr", "may",
                                           "jun", "jul", "aug", "sep", "oct",
                                           "nov", "dec", NULL };
static const char *const weekday_names[] = { "sun", "mon", "tue", "wed",
                                             "thu", "fri", "sat", NULL };

static const struct field fields[] = {
    { "minute", 0, 59, NULL },
    { "hour", 0, 23, NULL },
    { "day of month", 1, 31, NULL },
    { "month", 1, 12, month_names },
    { "day of week", 0, 7, weekday_names },
};

#define FIELD_COUNT (sizeof fields / sizeof fields[0])

static const struct {
    const char *name;
    const char *line;
} shorthands[] = {
    { "@hourly", "0 * * * *" },   { "@daily", "0 0 * * *" },
    { "@midnight", "0 0 * * *" }, { "@weekly", "0 0 * * 0" },
    { "@monthly", "0 0 1 * *" },  { "@yearly", "0 0 1 1 *" },
    { "@annually", "0 0 1 1 *" },
};

static bool
read_value(const struct field *field, struct slice text, unsigned *ret_value)
{
    uint64_t number;
    for (unsigned i = 0; field->names != NULL && field->names[i] != NULL; i++) {
        if (slice_equal_nocase(text, slice_of(field->names[i]))) {
            *ret_value = field->low + i;
            return true;
        }
    }
    if (slice_to_u64(text, &number) != STATUS_OK || number < field->low ||
        number > field->high) {
        return false;
    }
    *ret_value = (unsigned)number;
    return true;
}

/* Reads "*", "5", "1-5" or either range with "/step". */
static bool
read_part(const struct field *field, struct slice part, uint64_t *bits)
{
    struct slice range;
    struct slice step_text = part;
    uint64_t step = 1;
    (void)slice_split(&step_text, '/', &range);
    bool stepped = step_text.ptr != NULL;
    unsigned low = field->low;
    unsigned high = field->high;
    if (!slice_equal_text(range, "*")) {
        struct slice first;
        struct slice last = range;
        (void)slice_split(&last, '-', &first);
        bool single = last.ptr == NULL;
        if (!read_value(field, first, &low) ||
            !read_value(field, single ? first : last, &high) || low > high ||
            (single && stepped)) {
            return false;
        }
    }
    if (stepped && (slice_to_u64(step_text, &step) != STATUS_OK || step == 0 ||
                    step > field->high)) {
        return false;
    }
    for (unsigned value = low; value <= high; value += (unsigned)step) {
        *bits |= UINT64_C(1) << value;
    }
    return true;
}

static enum status
read_field(const struct field *field, struct slice text, uint64_t *ret_bits,
           struct error *err)
{
    struct slice part;
    uint64_t bits = 0;
    for (struct slice rest = text; slice_split(&rest, ',', &part);) {
        if (!read_part(field, part, &bits)) {
            return error_set(err, STATUS_INVALID,
                             "cron: '%.*s' is no %s (%u-%u)", SLICE_ARG(part),
                             field->name, field->low, field->high);
        }
    }
    *ret_bits = bits;
    return STATUS_OK;
}

static bool
next_word(struct slice *rest, struct slice *ret_word)
{
    while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t')) {
        *rest = slice_from(*rest, 1);
    }
    size_t len = 0;
    while (len < rest->len && rest->ptr[len] != ' ' && rest->ptr[len] != '\t') {
        len++;
    }
    *ret_word = slice_first(*rest, len);
    *rest = slice_from(*rest, len);
    return len > 0;
}

static bool
has(uint64_t bits, int value)
{
    return ((bits >> value) & 1) != 0;
}

static bool
day_matches(const struct cron_plan *plan, const struct civil *day)
{
    bool by_day = has(plan->days, day->day);
    bool by_weekday = has(plan->weekdays, day->weekday);
    if (!has(plan->months, day->month)) {
        return false;
    }
    /* crontab(5): two restricted day fields widen each other. */
    return plan->any_day || plan->any_weekday ? by_day && by_weekday
                                              : by_day || by_weekday;
}

/* Returns the first matching midnight from `from_ms` (a midnight) on, or
 * INT64_MAX. */
static int64_t
next_day(const struct cron_plan *plan, int64_t from_ms)
{
    for (int64_t i = 0; i < CYCLE_DAYS; i++) {
        int64_t at = from_ms + i * INSTANT_DAY_MS;
        struct civil day = instant_to_civil(at);
        if (day_matches(plan, &day)) {
            return at;
        }
    }
    return INT64_MAX;
}

/* Returns the first minute of the day from `from` on that the plan names, or
 * -1. */
static int
next_minute(const struct cron_plan *plan, int from)
{
    for (int minute = from; minute < 24 * 60; minute++) {
        if (has(plan->hours, minute / 60) && has(plan->minutes, minute % 60)) {
            return minute;
        }
    }
    return -1;
}

static enum status
read_line(struct slice line, struct cron_plan *ret_plan, struct error *err)
{
    uint64_t bits[FIELD_COUNT];
    struct slice words[FIELD_COUNT];
    struct slice rest = line;
    struct slice more;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (!next_word(&rest, &words[i])) {
            return error_set(err, STATUS_INVALID,
                             "cron: five fields are needed, '%.*s' has %zu",
                             SLICE_ARG(line), i);
        }
        enum status status = read_field(&fields[i], words[i], &bits[i], err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (next_word(&rest, &more)) {
        return error_set(err, STATUS_INVALID,
                         "cron: '%.*s' stands behind the five fields",
                         SLICE_ARG(more));
    }
    *ret_plan = (struct cron_plan){
        .minutes = bits[0],
        .hours = bits[1],
        .days = bits[2],
        .months = bits[3],
        .weekdays = (bits[4] | bits[4] >> 7) & 0x7f, /* 7 is Sunday too */
        .any_day = words[2].ptr[0] == '*',
        .any_weekday = words[4].ptr[0] == '*',
    };
    return STATUS_OK;
}

static enum status
expand(struct slice text, struct slice *ret_line, struct error *err)
{
    *ret_line = slice_trim(text);
    if (ret_line->len == 0 || ret_line->ptr[0] != '@') {
        return STATUS_OK;
    }
    for (size_t i = 0; i < sizeof shorthands / sizeof shorthands[0]; i++) {
        if (slice_equal_nocase(*ret_line, slice_of(shorthands[i].name))) {
            *ret_line = slice_of(shorthands[i].line);
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_INVALID, "cron: '%.*s' is not known",
                     SLICE_ARG(*ret_line));
}

enum status
cron_compile(struct slice text, struct arena *arena,
             const struct cron_plan **ret_plan, struct error *err)
{
    struct slice line;
    struct cron_plan plan;
    enum status status = expand(text, &line, err);
    if (status == STATUS_OK) {
        status = read_line(line, &plan, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (next_day(&plan, 0) == INT64_MAX) {
        return error_set(err, STATUS_INVALID,
                         "cron: '%.*s' names a day that never comes",
                         SLICE_ARG(line));
    }
    struct cron_plan *kept = arena_alloc(arena, sizeof *kept);
    if (kept == NULL) {
        return error_set(err, STATUS_NOMEM, "out of memory");
    }
    *kept = plan;
    *ret_plan = kept;
    return STATUS_OK;
}

static int64_t
midnight(int64_t at_ms)
{
    int64_t into_day = at_ms % INSTANT_DAY_MS;
    return at_ms - into_day - (into_day < 0 ? INSTANT_DAY_MS : 0);
}

int64_t
cron_next(const struct cron_plan *plan, int64_t after_ms)
{
    int64_t today = midnight(after_ms);
    int from = (int)((after_ms - today) / INSTANT_MINUTE_MS) + 1;
    int64_t day = next_day(plan, today);
    int minute = day == today ? next_minute(plan, from) : -1;
    if (minute < 0) {
        day = day == today ? next_day(plan, today + INSTANT_DAY_MS) : day;
        minute = next_minute(plan, 0);
    }
    return day == INT64_MAX ? day : day + minute * INSTANT_MINUTE_MS;
}

/* The shortest and the longest time between two runs. */
struct span {
    int64_t least_ms;
    int64_t most_ms;
};

static void
widen(struct span *span, int64_t gap_ms)
{
    span->least_ms = gap_ms < span->least_ms ? gap_ms : span->least_ms;
    span->most_ms = gap_ms > span->most_ms ? gap_ms : span->most_ms;
}

static struct span
span_of(const struct cron_plan *plan)
{
    int first = next_minute(plan, 0);
    int last = first;
    struct span span = { INT64_MAX, 0 };
    for (int at = next_minute(plan, first + 1); at >= 0;
         at = next_minute(plan, at + 1)) {
        widen(&span, (at - last) * INSTANT_MINUTE_MS);
        last = at;
    }
    int64_t over_night = (first - last) * INSTANT_MINUTE_MS;
    int64_t day = next_day(plan, 0);
    for (int64_t next; day < CYCLE_DAYS * INSTANT_DAY_MS; day = next) {
        next = next_day(plan, day + INSTANT_DAY_MS);
        widen(&span, next - day + over_night);
    }
    return span;
}

int64_t
cron_shortest_ms(const struct cron_plan *plan)
{
    return span_of(plan).least_ms;
}

int64_t
cron_longest_ms(const struct cron_plan *plan)
{
    return span_of(plan).most_ms;
}
