/* SPDX-License-Identifier: MIT */
#include "model/errand.h"

#include <inttypes.h>

#include "base/instant.h"
#include "wire/json.h"

#define DEPTH   4
#define WAIT_MS 50  /* what a slice of a rate lets go */
#define FULL_MS 100 /* until deliveries may have ended */

const char *
errand_kind_name(enum again kind)
{
    static const char *const names[] = { [AGAIN_NOT] = "",
                                         [AGAIN_RETRY] = "retry",
                                         [AGAIN_REPLAY] = "replay",
                                         [AGAIN_DROP] = "drop" };
    return names[kind];
}

static bool
holds(struct slice text, struct slice part)
{
    for (size_t at = 0; at + part.len <= text.len; at++) {
        if (slice_equal_nocase(slice_first(slice_from(text, at), part.len),
                               part)) {
            return true;
        }
    }
    return false;
}

bool
errand_says(const struct errand_filter *filter, struct slice reason,
            struct slice answer)
{
    return filter->reason.len == 0 || holds(reason, filter->reason) ||
           holds(answer, filter->reason);
}

bool
errand_reach(struct errand *errand, uint64_t number)
{
    bool takes = number <= errand->last;
    errand->at = takes ? number : errand->last;
    return takes;
}

int
errand_permille(const struct errand *errand)
{
    if (errand->is_over) {
        return 1000;
    }
    if (errand->at < errand->first || errand->at > errand->last) {
        return 0;
    }
    /* Numbers of events are too large to be multiplied first. */
    return (int)((errand->at - errand->first) /
                 ((errand->last - errand->first) / 1000 + 1));
}

/* ---- the stored text ---- */

/* Members are never renamed; one that is not known is skipped. */
static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
    { "total", offsetof(struct errand, total) },
    { "rate", offsetof(struct errand, rate) },
    { "rate_per", offsetof(struct errand, rate_per_ms) },
    { "since", offsetof(struct errand, filter.since_ms) },
    { "until", offsetof(struct errand, filter.until_ms) },
    { "began", offsetof(struct errand, began_ms) },
    { "ended", offsetof(struct errand, ended_ms) },
}, texts[] = {
    { "connector", offsetof(struct errand, filter.connector) },
    { "handler", offsetof(struct errand, filter.handler) },
    { "type", offsetof(struct errand, filter.type) },
    { "reason", offsetof(struct errand, filter.reason) },
}, ids[] = {
    { "at", offsetof(struct errand, at) },
    { "first", offsetof(struct errand, first) },
    { "last", offsetof(struct errand, last) },
    { "event", offsetof(struct errand, filter.event) },
};

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

static const void *
place_in(const struct errand *errand, size_t offset)
{
    return (const char *)errand + offset;
}

void
errand_encode(const struct errand *errand, struct buf *into)
{
    buf_format(into, "{\"v\":1,\"kind\":%d,\"over\":%s", (int)errand->kind,
               errand->is_over ? "true" : "false");
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        const uint64_t *place = place_in(errand, ids[i].offset);
        buf_format(into, ",\"%s\":%" PRIu64, ids[i].name, *place);
    }
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        const int64_t *place = place_in(errand, numbers[i].offset);
        buf_format(into, ",\"%s\":%" PRId64, numbers[i].name, *place);
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const struct slice *place = place_in(errand, texts[i].offset);
        if (place->len > 0) {
            buf_format(into, ",\"%s\":", texts[i].name);
            buf_json(into, *place);
        }
    }
    buf_byte(into, '}');
}

static enum status
read_kind(struct slice text, struct errand *ret)
{
    struct slice value;
    int64_t kind;
    if (!json_member(text, slice_of("kind"), &value) ||
        slice_to_i64(slice_trim(value), &kind) != STATUS_OK ||
        kind < AGAIN_RETRY || kind > AGAIN_DROP) {
        return STATUS_CORRUPT;
    }
    ret->kind = (enum again)kind;
    ret->is_over = json_member(text, slice_of("over"), &value) &&
                   json_type(value) == JSON_TRUE;
    return STATUS_OK;
}

enum status
errand_decode(struct slice text, struct arena *arena, struct errand *ret)
{
    struct slice value;
    *ret = (struct errand){ 0 };
    if (json_check(text, DEPTH, NULL) != STATUS_OK ||
        json_type(text) != JSON_OBJECT) {
        return STATUS_CORRUPT;
    }
    /* What is in it without escapes is borrowed of it. */
    enum status status = arena_copy(arena, text, &text);
    if (status == STATUS_OK) {
        status = read_kind(text, ret);
    }
    for (size_t i = 0; status == STATUS_OK && i < COUNT_OF(ids); i++) {
        uint64_t *place = (uint64_t *)(void *)((char *)ret + ids[i].offset);
        if (json_member(text, slice_of(ids[i].name), &value)) {
            status = slice_to_u64(slice_trim(value), place);
        }
    }
    for (size_t i = 0; status == STATUS_OK && i < COUNT_OF(numbers); i++) {
        int64_t *place = (int64_t *)(void *)((char *)ret + numbers[i].offset);
        if (json_member(text, slice_of(numbers[i].name), &value)) {
            status = slice_to_i64(slice_trim(value), place);
        }
    }
    for (size_t i = 0; status == STATUS_OK && i < COUNT_OF(texts); i++) {
        struct slice *place =
            (struct slice *)(void *)((char *)ret + texts[i].offset);
        if (json_member(text, slice_of(texts[i].name), &value)) {
            status = json_text(value, arena, place);
        }
    }
    return status == STATUS_OK || status == STATUS_NOMEM ? status
                                                         : STATUS_CORRUPT;
}

/* ---- pace ---- */

size_t
errand_room(const struct errand *errand, const struct errand_pace *pace,
            int64_t open, int64_t most, size_t slice, int64_t now_ms,
            int64_t *ret_wait_ms)
{
    int64_t room = errand->kind == AGAIN_DROP ? INT64_MAX : most - open;
    *ret_wait_ms = FULL_MS;
    if (room <= 0) {
        return 0;
    }
    if (errand->rate > 0) {
        *ret_wait_ms = pace->free_ms - now_ms;
        if (*ret_wait_ms > 0) {
            return 0;
        }
        /* What the rate lets go within the wait, so that a high one does not
         * need a transaction for each. */
        int64_t within = errand->rate_per_ms <= 0
                             ? 1
                             : errand->rate * WAIT_MS / errand->rate_per_ms;
        within = within < 1 ? 1 : within;
        room = room < within ? room : within;
    }
    return room < (int64_t)slice ? (size_t)room : slice;
}

void
errand_went(const struct errand *errand, struct errand_pace *pace, size_t count,
            int64_t now_ms)
{
    if (errand->rate <= 0) {
        return;
    }
    int64_t from = pace->free_ms > now_ms - WAIT_MS ? pace->free_ms : now_ms;
    pace->free_ms =
        instant_add(from, (int64_t)count * errand->rate_per_ms / errand->rate);
}
