/* SPDX-License-Identifier: MIT */
#include "model/walk.h"

#include <string.h>

#include "wire/json.h"

/*
 * The stored text is one line of JSON: {"v":1,"hw":…}. Names are short because
 * the line is written with every page; they never change their meaning, and a
 * member that is not known is skipped, so a program can go back by one version.
 */

#define DEPTH 8

enum kind { KIND_BOOL, KIND_I64, KIND_U64, KIND_UNSIGNED, KIND_TEXT };

struct member {
    const char *name;
    enum kind kind;
    size_t offset;
};

#define MEMBER(name, kind, field)                                              \
    {                                                                          \
        name, kind, offsetof(struct walk_state, field)                         \
    }

static const struct member members[] = {
    MEMBER("has_start", KIND_BOOL, has_start),
    MEMBER("start_ours", KIND_BOOL, start_ours),
    MEMBER("start", KIND_I64, start_ms),
    MEMBER("start_set", KIND_I64, start_set_ms),
    MEMBER("hw", KIND_I64, hw_ms),
    MEMBER("seen", KIND_I64, seen_ms),
    MEMBER("complete", KIND_I64, complete_ms),
    MEMBER("largest", KIND_I64, largest_ms),
    MEMBER("told", KIND_I64, told_ms),
    MEMBER("again", KIND_I64, again_ms),
    MEMBER("token", KIND_TEXT, token),
    MEMBER("has_token", KIND_BOOL, has_token),
    MEMBER("etag", KIND_TEXT, etag),
    MEMBER("modified", KIND_TEXT, modified),
    MEMBER("etag_url", KIND_U64, etag_url),
    MEMBER("ties", KIND_UNSIGNED, ties),
    MEMBER("tie", KIND_I64, tie_ms),
    MEMBER("keys_hash", KIND_U64, keys_hash),
    MEMBER("cursor_hash", KIND_U64, cursor_hash),
    MEMBER("list_hash", KIND_U64, list_hash),
    MEMBER("overlap", KIND_I64, overlap_ms),
    MEMBER("tiers", KIND_UNSIGNED, tiers),
    MEMBER("open", KIND_BOOL, open),
    MEMBER("has_s", KIND_BOOL, has_s),
    MEMBER("a", KIND_I64, a_ms),
    MEMBER("s", KIND_I64, s_ms),
    MEMBER("date", KIND_I64, date_ms),
    MEMBER("now", KIND_I64, now_ms),
    MEMBER("now_theirs", KIND_BOOL, now_theirs),
    MEMBER("began", KIND_I64, began_ms),
    MEMBER("cursor", KIND_TEXT, cursor),
    MEMBER("has_cursor", KIND_BOOL, has_cursor),
    MEMBER("cursor_ms", KIND_I64, cursor_ms),
    MEMBER("page", KIND_TEXT, page),
    MEMBER("has_page", KIND_BOOL, has_page),
    MEMBER("from", KIND_I64, from_ms),
    MEMBER("until", KIND_I64, until_ms),
    MEMBER("span", KIND_I64, span_ms),
    MEMBER("span_rows", KIND_I64, span_rows),
    MEMBER("listed", KIND_I64, listed_ms),
    MEMBER("oldest", KIND_I64, oldest_ms),
    MEMBER("met", KIND_BOOL, met),
    MEMBER("top", KIND_I64, top_ms),
    MEMBER("last_rows", KIND_I64, last_rows),
    MEMBER("running", KIND_I64, running_ms),
    MEMBER("running_id", KIND_TEXT, running_id),
    MEMBER("pages", KIND_I64, pages),
    MEMBER("rows", KIND_I64, rows),
    MEMBER("page_hash", KIND_U64, page_hash),
    MEMBER("anchor", KIND_U64, anchor),
    MEMBER("restarts", KIND_UNSIGNED, restarts),
    MEMBER("place_sum", KIND_U64, place_sum),
    MEMBER("place_last", KIND_U64, place_last),
    MEMBER("place", KIND_I64, place_ms),
    MEMBER("place_top", KIND_I64, place_top_ms),
    MEMBER("first", KIND_BOOL, first),
    MEMBER("anew", KIND_BOOL, anew),
    MEMBER("after_first", KIND_BOOL, after_first),
    MEMBER("rejections", KIND_UNSIGNED, rejections),
    MEMBER("failures", KIND_UNSIGNED, failures),
    MEMBER("backfill", KIND_UNSIGNED, backfill.phase),
    MEMBER("back_since", KIND_I64, backfill.since_ms),
    MEMBER("back_until", KIND_I64, backfill.until_ms),
    MEMBER("back_rate", KIND_I64, backfill.rate),
    MEMBER("back_rate_per", KIND_I64, backfill.rate_per_ms),
    MEMBER("back_began", KIND_I64, backfill.began_ms),
    MEMBER("back_ended", KIND_I64, backfill.ended_ms),
    MEMBER("back_at", KIND_I64, backfill.at_ms),
    MEMBER("back_pages", KIND_I64, backfill.pages),
    MEMBER("back_rows", KIND_I64, backfill.rows),
    MEMBER("back_fresh", KIND_I64, backfill.fresh),
    MEMBER("back_known", KIND_I64, backfill.known),
    MEMBER("back_gaps", KIND_UNSIGNED, backfill.gaps),
    MEMBER("back_why", KIND_TEXT, backfill.why),
};

#define MEMBER_COUNT (sizeof members / sizeof members[0])

static void
write_name(const struct member *member, struct buf *into)
{
    buf_text(into, ",\"");
    buf_text(into, member->name);
    buf_text(into, "\":");
}

/* Without buf_format, which measures before it writes: the line is written with
 * every page. */
static void
write_member(const struct member *member, const void *place, struct buf *into)
{
    uint64_t number = 0;
    switch (member->kind) {
    case KIND_BOOL:
        if (*(const bool *)place) {
            write_name(member, into);
            buf_text(into, "true");
        }
        return;
    case KIND_I64:
        if (*(const int64_t *)place != 0) {
            write_name(member, into);
            buf_i64(into, *(const int64_t *)place);
        }
        return;
    case KIND_TEXT:
        if (((const struct slice *)place)->len > 0) {
            write_name(member, into);
            buf_json(into, *(const struct slice *)place);
        }
        return;
    case KIND_U64: number = *(const uint64_t *)place; break;
    case KIND_UNSIGNED: number = *(const unsigned *)place; break;
    }
    if (number != 0) {
        write_name(member, into);
        buf_u64(into, number);
    }
}

static void
write_tally(const struct lag_tally *tally, struct buf *into)
{
    size_t count = LAG_BUCKETS;
    while (count > 0 && tally->counts[count - 1] == 0) {
        count--;
    }
    buf_byte(into, '[');
    buf_i64(into, tally->max_ms);
    for (size_t i = 0; i < count; i++) {
        buf_byte(into, ',');
        buf_u64(into, tally->counts[i]);
    }
    buf_byte(into, ']');
}

/* "lag":[turned,[max,count,…],[max,count,…]], trailing zeros left out. */
static void
write_lag(const struct lag *lag, struct buf *into)
{
    if (lag->turned_ms == 0) {
        return;
    }
    buf_text(into, ",\"lag\":[");
    buf_i64(into, lag->turned_ms);
    buf_byte(into, ',');
    write_tally(&lag->now, into);
    buf_byte(into, ',');
    write_tally(&lag->before, into);
    buf_byte(into, ']');
}

void
walk_encode(const struct walk_state *state, struct buf *into)
{
    buf_text(into, "{\"v\":1");
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        write_member(&members[i], (const char *)state + members[i].offset,
                     into);
    }
    for (size_t i = 0; i < state->id_count; i++) {
        buf_text(into, i == 0 ? ",\"ids\":[[" : ",[");
        buf_i64(into, state->ids[i].at_ms);
        buf_byte(into, ',');
        buf_json(into, state->ids[i].id);
        buf_byte(into, ']');
    }
    buf_text(into, state->id_count > 0 ? "]" : "");
    write_lag(&state->lag, into);
    buf_byte(into, '}');
}

static enum status
read_text(struct slice value, struct arena *arena, struct slice *ret_text)
{
    struct slice text;
    if (json_type(value) != JSON_STRING) {
        return STATUS_CORRUPT;
    }
    enum status status = json_text(value, arena, &text);
    return status == STATUS_OK ? arena_copy(arena, text, ret_text) : status;
}

static enum status
read_unsigned(struct slice value, unsigned *ret_number)
{
    uint64_t number;
    if (slice_to_u64(value, &number) != STATUS_OK || number > UINT32_MAX) {
        return STATUS_CORRUPT;
    }
    *ret_number = (unsigned)number;
    return STATUS_OK;
}

static enum status
read_member(const struct member *member, struct slice value,
            struct arena *arena, void *place)
{
    enum json_type type = json_type(value);
    switch (member->kind) {
    case KIND_BOOL:
        *(bool *)place = type == JSON_TRUE;
        return type == JSON_TRUE || type == JSON_FALSE ? STATUS_OK
                                                       : STATUS_CORRUPT;
    case KIND_I64:
        return slice_to_i64(value, place) == STATUS_OK ? STATUS_OK
                                                       : STATUS_CORRUPT;
    case KIND_U64:
        return slice_to_u64(value, place) == STATUS_OK ? STATUS_OK
                                                       : STATUS_CORRUPT;
    case KIND_UNSIGNED: return read_unsigned(value, place);
    case KIND_TEXT: return read_text(value, arena, place);
    }
    return STATUS_CORRUPT;
}

static enum status
read_mark(struct slice value, struct arena *arena, struct walk_mark *ret_mark)
{
    struct slice at;
    struct slice id;
    size_t place = 0;
    if (json_type(value) != JSON_ARRAY ||
        !json_next_element(value, &place, &at) ||
        slice_to_i64(slice_trim(at), &ret_mark->at_ms) != STATUS_OK ||
        !json_next_element(value, &place, &id)) {
        return STATUS_CORRUPT;
    }
    return read_text(id, arena, &ret_mark->id);
}

static enum status
read_marks(struct slice array, struct arena *arena, struct walk_state *state)
{
    struct slice value;
    if (json_type(array) != JSON_ARRAY) {
        return STATUS_CORRUPT;
    }
    for (size_t at = 0; json_next_element(array, &at, &value);) {
        if (state->id_count == WALK_IDS_MAX) {
            return STATUS_CORRUPT;
        }
        enum status status =
            read_mark(value, arena, &state->ids[state->id_count]);
        if (status != STATUS_OK) {
            return status;
        }
        state->id_count++;
    }
    return STATUS_OK;
}

static bool
read_tally(struct slice array, struct lag_tally *tally)
{
    struct slice value;
    size_t place = 0;
    uint64_t count;
    if (json_type(array) != JSON_ARRAY ||
        !json_next_element(array, &place, &value) ||
        slice_to_i64(slice_trim(value), &tally->max_ms) != STATUS_OK) {
        return false;
    }
    for (size_t i = 0; json_next_element(array, &place, &value); i++) {
        if (i == LAG_BUCKETS ||
            slice_to_u64(slice_trim(value), &count) != STATUS_OK ||
            count > UINT32_MAX) {
            return false;
        }
        tally->counts[i] = (uint32_t)count;
    }
    return true;
}

/* What was measured can be measured again: damage to it is no reason to refuse
 * the watermark beside it. */
static void
read_lag(struct slice array, struct lag *ret_lag)
{
    struct lag lag = { 0 };
    struct slice parts[3];
    size_t place = 0;
    for (size_t i = 0; i < 3; i++) {
        if (json_type(array) != JSON_ARRAY ||
            !json_next_element(array, &place, &parts[i])) {
            return;
        }
    }
    if (slice_to_i64(slice_trim(parts[0]), &lag.turned_ms) == STATUS_OK &&
        read_tally(slice_trim(parts[1]), &lag.now) &&
        read_tally(slice_trim(parts[2]), &lag.before)) {
        *ret_lag = lag;
    }
}

/* Takes one member of the text into the state. */
static enum status
read_named(struct slice name, struct slice value, struct arena *arena,
           struct walk_state *state)
{
    if (slice_equal_text(name, "ids")) {
        return read_marks(value, arena, state);
    }
    if (slice_equal_text(name, "lag")) {
        read_lag(value, &state->lag);
        return STATUS_OK;
    }
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        if (slice_equal_text(name, members[i].name)) {
            return read_member(&members[i], value, arena,
                               (char *)state + members[i].offset);
        }
    }
    return STATUS_OK;
}

/* One pass over the text, which is read with every page. */
static enum status
read_state(struct slice text, struct arena *arena, struct walk_state *state,
           struct error *err)
{
    struct slice name;
    struct slice value;
    enum status status = STATUS_OK;
    for (size_t at = 0;
         status == STATUS_OK && json_next_member(text, &at, &name, &value);) {
        name = slice_first(slice_from(name, 1), name.len - 2); /* its quotes */
        status = read_named(name, slice_trim(value), arena, state);
    }
    return status == STATUS_OK ? status
           : status == STATUS_CORRUPT
               ? error_set(err, status, "walk state: '%.*s' is damaged",
                           SLICE_ARG(name))
               : error_set(err, status, "walk state: %s", status_text(status));
}

enum status
walk_decode(struct slice text, struct arena *arena,
            struct walk_state *ret_state, struct error *err)
{
    struct slice version;
    struct walk_state state;
    memset(&state, 0, sizeof state);
    if (json_check(text, DEPTH, NULL) != STATUS_OK ||
        json_type(text) != JSON_OBJECT ||
        !json_member(text, slice_of("v"), &version)) {
        return error_set(err, STATUS_CORRUPT, "this is no walk state");
    }
    enum status status = read_state(text, arena, &state, err);
    if (status == STATUS_OK) {
        *ret_state = state;
    }
    return status;
}
