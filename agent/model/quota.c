/* SPDX-License-Identifier: MIT */
#include "model/quota.h"

#include <stdio.h>

#include "base/instant.h"
#include "base/mem.h"
#include "model/answer.h"
#include "wire/json.h"
#include "wire/timefmt.h"

#define WAIT_MAX_MS   INSTANT_HOUR_MS
#define SLOW_FROM     80 /* percent of a leaky bucket that may be in use */
#define SLOW_FIRST_MS ((int64_t)1000)
#define SLOW_LAST_MS  ((int64_t)5000)

static bool
is_limit(const struct quota *quota)
{
    return quota->count > 0 && quota->per_ms > 0;
}

/* Rounded up: never one request too many. */
static int64_t
step_us(const struct quota *quota)
{
    return (quota->per_ms * 1000 + quota->count - 1) / quota->count;
}

/* How far the theoretical arrival lies beyond what a burst allows; <= 0: one
 * may be taken. */
static int64_t
beyond_us(const struct quota *quota, int64_t now_us)
{
    int64_t burst = quota->burst > 0 ? quota->burst : quota->count;
    int64_t full_at = quota->full_at_us > now_us ? quota->full_at_us : now_us;
    return full_at - now_us - step_us(quota) * (burst - 1);
}

int64_t
quota_wait(const struct quota *quota, int64_t now_ms)
{
    int64_t beyond = is_limit(quota) ? beyond_us(quota, now_ms * 1000) : 0;
    return beyond > 0 ? (beyond + 999) / 1000 : 0;
}

int64_t
quota_room(const struct quota *quota, int64_t now_ms)
{
    if (!is_limit(quota)) {
        return INT64_MAX;
    }
    int64_t beyond = beyond_us(quota, now_ms * 1000);
    return beyond > 0 ? 0 : -beyond / step_us(quota) + 1;
}

void
quota_spend(struct quota *quota, int64_t count, int64_t now_ms)
{
    if (is_limit(quota)) {
        int64_t now_us = now_ms * 1000;
        int64_t from = quota->full_at_us > now_us ? quota->full_at_us : now_us;
        quota->full_at_us = from + count * step_us(quota);
    }
}

void
quota_give(struct quota *quota, int64_t count)
{
    if (is_limit(quota)) {
        quota->full_at_us -= count * step_us(quota);
    }
}

int64_t
quota_take(struct quota *quota, int64_t now_ms)
{
    int64_t wait = quota_wait(quota, now_ms);
    if (wait == 0) {
        quota_spend(quota, 1, now_ms);
    }
    return wait;
}

/* What reading an answer needs; `status` stays OK or becomes NOMEM. */
struct reading {
    const struct connector *connector;
    struct answer_view answer;
    struct arena arena;
    int64_t now_ms;
    enum status status;
};

static bool
text_of(struct reading *reading, const struct template *t,
        struct slice *ret_text)
{
    if (reading->status != STATUS_OK) {
        return false;
    }
    enum status status =
        answer_text(t, &reading->answer, &reading->arena, ret_text);
    if (status == STATUS_NOMEM) {
        reading->status = status;
    }
    return status == STATUS_OK;
}

static int64_t
cut(int64_t wait_ms)
{
    if (wait_ms < 0) {
        return 0;
    }
    return wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS;
}

static bool
retry_after(struct reading *reading, int64_t *ret_wait_ms)
{
    const struct limit_spec *limit = &reading->connector->poll.limit;
    struct slice text;
    for (size_t i = 0; i < limit->retry_after_count; i++) {
        if (text_of(reading, limit->retry_after[i], &text) &&
            http_field_retry_after(text, reading->now_ms, WAIT_MAX_MS,
                                   ret_wait_ms) == STATUS_OK) {
            return true;
        }
    }
    /* RFC 9110 §10.2.3: any server may send it, asked for or not. */
    return http_field_find(reading->answer.fields, "Retry-After", &text) &&
           http_field_retry_after(text, reading->now_ms, WAIT_MAX_MS,
                                  ret_wait_ms) == STATUS_OK;
}

/* The usual names, for a connector that names none. */
static bool
usual_field(const struct reading *reading, const char *what,
            struct slice *ret_text)
{
    static const char *const prefixes[] = { "X-RateLimit-", "RateLimit-",
                                            "X-Rate-Limit-" };
    char name[32];
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        (void)snprintf(name, sizeof(name), "%s%s", prefixes[i], what);
        if (http_field_find(reading->answer.fields, name, ret_text)) {
            return true;
        }
    }
    return false;
}

/* Epochs are told from seconds to wait by their size: nobody asks to wait for
 * thirty years, and no clock stands before 2001. */
static unsigned
usual_unit(struct slice text)
{
    int64_t at;
    struct slice whole;
    if (!slice_split(&text, '.', &whole) ||
        slice_to_i64(slice_trim(whole), &at) != STATUS_OK) {
        return RESET_DELTA_S;
    }
    return at >= 1000000000000 ? RESET_EPOCH_MS
           : at >= 1000000000  ? RESET_EPOCH_S
                               : RESET_DELTA_S;
}

static bool
until_reset(struct reading *reading, int64_t *ret_wait_ms)
{
    const struct limit_spec *limit = &reading->connector->poll.limit;
    unsigned unit = limit->reset_unit;
    struct slice text;
    int64_t at_ms;
    if (limit->reset == NULL) {
        if (!usual_field(reading, "Reset", &text)) {
            return false;
        }
        unit = usual_unit(text);
    } else if (!text_of(reading, limit->reset, &text)) {
        return false;
    }
    enum timefmt format =
        unit == RESET_EPOCH_MS ? TIMEFMT_UNIX_MS : TIMEFMT_UNIX_S;
    if (timefmt_read(format, text, &at_ms) != STATUS_OK) {
        return false;
    }
    *ret_wait_ms = cut(
        unit == RESET_DELTA_S ? at_ms : instant_add(at_ms, -reading->now_ms));
    return true;
}

/* "32/40": from 80 % on each request waits, the longer the fuller it is. */
static int64_t
slow_down(struct reading *reading)
{
    struct slice rest;
    struct slice used_text;
    int64_t used;
    int64_t full;
    if (!text_of(reading, reading->connector->poll.limit.used_of, &rest) ||
        !slice_split(&rest, '/', &used_text) ||
        slice_to_i64(slice_trim(used_text), &used) != STATUS_OK ||
        slice_to_i64(slice_trim(rest), &full) != STATUS_OK || full <= 0 ||
        used < 0 || used > INT64_MAX / 100) {
        return 0;
    }
    int64_t percent = used * 100 / full;
    if (percent < SLOW_FROM) {
        return 0;
    }
    int64_t over = percent > 100 ? 100 - SLOW_FROM : percent - SLOW_FROM;
    return SLOW_FIRST_MS +
           (SLOW_LAST_MS - SLOW_FIRST_MS) * over / (100 - SLOW_FROM);
}

static bool
none_remains(struct reading *reading)
{
    const struct template *remaining = reading->connector->poll.limit.remaining;
    struct slice text;
    int64_t left;
    bool is_there = remaining == NULL ? usual_field(reading, "Remaining", &text)
                                      : text_of(reading, remaining, &text);
    return is_there && slice_to_i64(slice_trim(text), &left) == STATUS_OK &&
           left <= 0;
}

static bool
has_status(const int64_t *statuses, size_t count, unsigned status)
{
    for (size_t i = 0; i < count; i++) {
        if (statuses[i] == (int64_t)status) {
            return true;
        }
    }
    return false;
}

static bool
is_limited(struct reading *reading, unsigned status)
{
    const struct limit_spec *limit = &reading->connector->poll.limit;
    if (status == 429 || status == 503) {
        return true;
    }
    /* as GitHub and those who copied its fields say it */
    if (status == 403 && none_remains(reading)) {
        return true;
    }
    return has_status(limit->statuses, limit->status_count, status);
}

static int64_t
wait_of(struct reading *reading, bool limited)
{
    int64_t wait = 0;
    if (limited) {
        if ((retry_after(reading, &wait) || until_reset(reading, &wait)) &&
            wait > 0) {
            return wait;
        }
        return cut(reading->connector->poll.limit.floor_ms);
    }
    if (none_remains(reading) && until_reset(reading, &wait) && wait > 0) {
        return wait;
    }
    return slow_down(reading);
}

/* Returns the value of one directive ("max-age=60, private"). */
static bool
directive_of(struct slice value, struct slice name, struct slice *ret_text)
{
    struct slice part;
    while (slice_split(&value, ',', &part)) {
        struct slice key;
        part = slice_trim(part);
        if (slice_split(&part, '=', &key) &&
            slice_equal_nocase(slice_trim(key), name)) {
            *ret_text = slice_trim(part);
            return true;
        }
    }
    return false;
}

/* The longest time that the answer asks to leave until the next walk. */
static int64_t
interval_of(const struct reading *reading)
{
    const struct poll_spec *poll = &reading->connector->poll;
    const struct interval_source header = { .field = poll->interval_header };
    int64_t longest_ms = 0;
    for (size_t i = 0; i <= poll->interval_from_count; i++) {
        const struct interval_source *source =
            i == 0 ? &header : &poll->interval_from[i - 1];
        struct slice text;
        int64_t ms;
        bool said =
            source->field.len > 0 && !source->of_feed &&
            http_field_find_slice(reading->answer.fields, source->field, &text);
        if (said && source->directive.len > 0) {
            said = directive_of(text, source->directive, &text);
        }
        if (said &&
            http_field_retry_after(text, reading->now_ms, WAIT_MAX_MS, &ms) ==
                STATUS_OK &&
            ms > longest_ms) {
            longest_ms = ms;
        }
    }
    return longest_ms;
}

static struct slice
feed_member(struct slice feed, const char *name)
{
    struct slice value;
    /* What the gate writes has no escape where a number or a word is. */
    return json_member(feed, slice_of(name), &value) && value.len > 2
               ? slice_first(slice_from(value, 1), value.len - 2)
               : (struct slice){ NULL, 0 };
}

/* `<ttl>` is minutes (RSS 2.0); the syndication module of RSS 1.0 says how
 * often in a period. */
static int64_t
feed_interval_of(struct slice feed, struct slice member)
{
    static const struct {
        struct slice word;
        int64_t ms;
    } periods[] = {
        { SLICE("hourly"), INSTANT_HOUR_MS },
        { SLICE("daily"), INSTANT_DAY_MS },
        { SLICE("weekly"), 7 * INSTANT_DAY_MS },
        { SLICE("monthly"), 30 * INSTANT_DAY_MS },
        { SLICE("yearly"), 365 * INSTANT_DAY_MS },
    };
    int64_t number = 0;
    if (slice_equal_text(member, "ttl")) {
        return slice_to_i64(feed_member(feed, "ttl"), &number) == STATUS_OK &&
                       number > 0
                   ? cut(number < 60 ? number * INSTANT_MINUTE_MS : WAIT_MAX_MS)
                   : 0;
    }
    if (slice_to_i64(feed_member(feed, "updateFrequency"), &number) !=
            STATUS_OK ||
        number < 1) {
        number = 1;
    }
    for (size_t i = 0; i < sizeof(periods) / sizeof(periods[0]); i++) {
        if (slice_equal(feed_member(feed, "updatePeriod"), periods[i].word)) {
            return cut(periods[i].ms / number);
        }
    }
    return 0;
}

int64_t
quota_feed_interval_ms(const struct connector *connector, struct slice json)
{
    const struct poll_spec *poll = &connector->poll;
    struct slice feed;
    int64_t longest_ms = 0;
    if (!poll->items_in_feed || json.len == 0 ||
        !json_member(json, slice_of("feed"), &feed)) {
        return 0;
    }
    for (size_t i = 0; i < poll->interval_from_count; i++) {
        const struct interval_source *source = &poll->interval_from[i];
        const int64_t ms =
            source->of_feed ? feed_interval_of(feed, source->field) : 0;
        longest_ms = ms > longest_ms ? ms : longest_ms;
    }
    return longest_ms;
}

/* What a failed answer says of asking again (Stripe-Should-Retry). */
static unsigned
retry_of(const struct reading *reading, unsigned status)
{
    const struct slice name = reading->connector->poll.limit.retry_header;
    struct slice text;
    if (status < 400 || name.len == 0 ||
        !http_field_find_slice(reading->answer.fields, name, &text)) {
        return RETRY_UNSAID;
    }
    return slice_equal_nocase(text, slice_of("true"))    ? RETRY_SOON
           : slice_equal_nocase(text, slice_of("false")) ? RETRY_LATER
                                                         : RETRY_UNSAID;
}

enum status
quota_advise(const struct connector *connector, unsigned status,
             struct http_fields fields, struct slice body, int64_t now_ms,
             struct quota_advice *ret_advice)
{
    struct reading reading = { .connector = connector,
                               .answer = { .fields = fields, .body = body },
                               .now_ms = now_ms };
    const struct limit_spec *limit = &connector->poll.limit;
    struct quota_advice advice = {
        .limited = is_limited(&reading, status),
        .gone = has_status(limit->gone, limit->gone_count, status),
        .retry = retry_of(&reading, status),
    };
    struct slice text;
    int64_t ms;
    /* Times in the answer are by the provider's clock, and ours may be years
     * off. */
    if (http_field_find(fields, "Date", &text) &&
        timefmt_read_http(text, &ms) == STATUS_OK) {
        reading.now_ms = ms;
    }
    advice.wait_ms = wait_of(&reading, advice.limited);
    advice.poll_interval_ms = interval_of(&reading);
    arena_fini(&reading.arena);
    if (reading.status == STATUS_OK) {
        *ret_advice = advice;
    }
    return reading.status;
}
