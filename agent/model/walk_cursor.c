/* SPDX-License-Identifier: MIT */
#include "model/walk_cursor.h"

#include <string.h>

#include "base/instant.h"
#include "base/rule.h"
#include "model/answer.h"
#include "model/walk_expired.h"
#include "model/walk_overlap.h"
#include "model/walk_span.h"
#include "wire/template.h"
#include "wire/zone.h"

/* So many marks at most inside overlap and settle, so that WALK_IDS_MAX always
 * holds one from before it. */
#define MARKS_IN_OVERLAP 48

static int64_t
format_unit_ms(enum timefmt format)
{
    static const int64_t units[] = {
        [TIMEFMT_AUTO] = 1000,           [TIMEFMT_UNIX_S] = 1000,
        [TIMEFMT_UNIX_MS] = 1,           [TIMEFMT_ISO8601] = 1,
        [TIMEFMT_ISO8601_S] = 1000,      [TIMEFMT_ISO8601_NAIVE] = 1000,
        [TIMEFMT_DATE] = INSTANT_DAY_MS, [TIMEFMT_MINUTE] = INSTANT_MINUTE_MS,
        [TIMEFMT_RFC2822] = 1000,
    };
    size_t at = (size_t)format;
    return at < sizeof units / sizeof units[0] ? units[at] : 1000;
}

int64_t
walk_cursor_unit_ms(const struct cursor_spec *cursor)
{
    int64_t unit = format_unit_ms(cursor->format);
    return cursor->granularity_ms > unit ? cursor->granularity_ms : unit;
}

int64_t
walk_cursor_sent_ms(const struct cursor_spec *cursor, int64_t at_ms)
{
    int64_t unit = walk_cursor_unit_ms(cursor);
    if (!cursor->inclusive && RULE(RULE_INCLUSIVE)) {
        /* The list may stamp coarser than the format can say. */
        int64_t back = cursor->granularity_ms > 0 ? cursor->granularity_ms
                                                  : INSTANT_SECOND_MS;
        at_ms = instant_add(at_ms, -(back > unit ? back : unit));
    }
    at_ms = at_ms <= 0 ? 0 : at_ms - at_ms % unit;
    return cursor->zone == NULL ? at_ms
                                : zone_sure_ms(cursor->zone, at_ms, unit);
}

int64_t
walk_cursor_floor_ms(const struct cursor_spec *cursor, int64_t at_ms)
{
    int64_t unit = walk_cursor_unit_ms(cursor);
    int64_t parsed = format_unit_ms(cursor->parse);
    unit = parsed > unit ? parsed : unit;
    unit = unit > INSTANT_SECOND_MS ? unit : INSTANT_SECOND_MS;
    return at_ms <= 0 ? at_ms : at_ms - at_ms % unit;
}

enum status
walk_cursor_time_text(const struct cursor_spec *cursor, int64_t at_ms,
                      struct arena *arena, struct slice *ret_text)
{
    struct buf buf = { 0 };
    if (cursor->zone != NULL) {
        at_ms = instant_add(at_ms, zone_offset_ms(cursor->zone, at_ms));
    }
    timefmt_write(cursor->kind == CURSOR_TIME ? cursor->format
                                              : TIMEFMT_ISO8601,
                  at_ms, &buf);
    enum status status = buf_status(&buf);
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&buf), ret_text);
    }
    buf_fini(&buf);
    return status;
}

enum status
walk_cursor_set_time(const struct connector *connector,
                     struct walk_state *state, int64_t at_ms,
                     struct arena *arena)
{
    const struct cursor_spec *cursor = &connector->poll.cursor;
    struct slice text;
    state->has_cursor = false;
    if (!cursor->send) {
        return STATUS_OK;
    }
    int64_t sent_ms = walk_cursor_sent_ms(cursor, at_ms);
    enum status status = walk_cursor_time_text(cursor, sent_ms, arena, &text);
    if (status == STATUS_OK) {
        state->cursor = text;
        state->cursor_ms = sent_ms;
        state->has_cursor = true;
    }
    return status;
}

/* Adds one to a decimal of any length; anything else stays as it is. */
static void
add_one(struct slice id, struct buf *into)
{
    size_t nines = 0;
    for (size_t i = 0; i < id.len; i++) {
        if (id.ptr[i] < '0' || id.ptr[i] > '9') {
            buf_append(into, id);
            return;
        }
        nines = id.ptr[i] == '9' ? nines + 1 : 0;
    }
    if (nines == id.len) {
        buf_byte(into, '1');
    } else {
        size_t at = id.len - nines - 1;
        buf_append(into, slice_first(id, at));
        buf_byte(into, (char)(id.ptr[at] + 1));
    }
    for (size_t i = 0; i < nines; i++) {
        buf_byte(into, '0');
    }
}

enum status
walk_cursor_set_text(const struct connector *connector,
                     struct walk_state *state, struct slice text,
                     struct arena *arena)
{
    const struct cursor_spec *cursor = &connector->poll.cursor;
    struct slice copy;
    state->has_cursor = false;
    if (text.len == 0) {
        return STATUS_OK;
    }
    struct buf buf = { 0 };
    if (cursor->kind == CURSOR_ID && cursor->pick == PICK_MAX_PLUS_1) {
        add_one(text, &buf);
    } else {
        buf_append(&buf, text);
    }
    enum status status = buf_status(&buf);
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&buf), &copy);
    }
    buf_fini(&buf);
    if (status == STATUS_OK) {
        state->cursor = copy;
        state->has_cursor = true;
    }
    return status;
}

/* What the template of `cursor.start` may look at. */
struct start_view {
    const struct connector *connector;
    const struct walk_state *state;
};

static enum status
look_up(void *arg, const struct template_ref *ref, struct arena *arena,
        struct slice *ret_value)
{
    const struct start_view *view = arg;
    const struct cursor_spec *cursor = &view->connector->poll.cursor;
    if (slice_equal_text(ref->kind, "start")) {
        return walk_cursor_time_text(cursor, view->state->a_ms, arena,
                                     ret_value);
    }
    if (slice_equal_text(ref->kind, "now")) {
        return walk_cursor_time_text(cursor, view->state->now_ms, arena,
                                     ret_value);
    }
    const struct connector_param *param =
        connector_param_find(view->connector, ref->name);
    if (param == NULL || !param->given || param->count == 0) {
        return STATUS_NOT_FOUND;
    }
    *ret_value = param->values[0];
    return STATUS_OK;
}

/* Nothing was seen yet, or what was seen is refused: ask `first` or `resync`,
 * or begin at `cursor.start`. */
static enum status
begin_unseen(const struct connector *connector, struct walk_state *state,
             struct arena *arena)
{
    const struct cursor_spec *cursor = &connector->poll.cursor;
    struct start_view view = { connector, state };
    struct template_scope scope = { .lookup = look_up, .arg = &view };
    struct slice text;
    state->first = walk_expired_first(connector, state) != NULL;
    if (state->first) {
        return STATUS_OK;
    }
    if (state->anew && connector->poll.first_else.len > 0) {
        return walk_cursor_set_text(connector, state,
                                    connector->poll.first_else, arena);
    }
    if (cursor->start == NULL) {
        return STATUS_OK;
    }
    enum status status =
        template_eval(cursor->start, &scope, arena, &text, NULL);
    if (status != STATUS_OK) {
        return status == STATUS_NOMEM ? status : STATUS_OK;
    }
    status = arena_copy(arena, text, &state->cursor);
    state->has_cursor = status == STATUS_OK && text.len > 0;
    return status;
}

/* The newest mark that was set at `at_ms` or before, else the oldest. */
static const struct walk_mark *
mark_at(const struct walk_state *state, int64_t at_ms)
{
    if (state->id_count == 0) {
        return NULL;
    }
    size_t at = state->id_count - 1;
    while (RULE(RULE_ID_OVERLAP) && at > 0 && state->ids[at].at_ms > at_ms) {
        at--;
    }
    return &state->ids[at];
}

/* hw stands `settle` behind its walk, which counts without an overlap too. */
static int64_t
reached_ms(const struct walk_plan *plan, const struct walk_state *state,
           int64_t overlap_ms)
{
    bool reaches = overlap_ms + plan->connector->poll.settle_ms > 0;
    return reaches ? state->hw_ms - overlap_ms : INT64_MAX;
}

static int64_t
behind_ms(const struct walk_plan *plan, const struct walk_state *state,
          int64_t overlap_ms)
{
    int64_t at_ms = reached_ms(plan, state, overlap_ms);
    return state->again_ms > 0 && state->again_ms < at_ms ? state->again_ms
                                                          : at_ms;
}

/* Whether no mark is old enough to begin behind, in the first `overlap` of a
 * list: ids below the oldest mark may still become visible. What `first` gave
 * is where the list begins, whatever its age. */
static bool
is_young(const struct walk_plan *plan, const struct walk_state *state)
{
    return RULE(RULE_ID_OVERLAP) && state->id_count > 0 &&
           plan->connector->poll.first.url == NULL &&
           state->ids[0].at_ms > reached_ms(plan, state, plan->overlap_ms);
}

enum status
walk_cursor_begin(const struct walk_plan *plan, struct walk_state *state,
                  struct arena *arena)
{
    const struct connector *connector = plan->connector;
    const struct walk_mark *mark;
    state->has_cursor = false;
    state->first = false;
    switch (connector->poll.cursor.kind) {
    case CURSOR_TIME:
        if (walk_span_used(connector)) {
            return walk_span_begin(connector, state, arena);
        }
        if (state->anew) {
            return STATUS_OK; /* the whole list */
        }
        return walk_cursor_set_time(connector, state, state->a_ms, arena);
    case CURSOR_ID:
        if (!state->has_token || is_young(plan, state)) {
            return begin_unseen(connector, state, arena);
        }
        mark = walk_cursor_behind(plan, state);
        return walk_cursor_set_text(
            connector, state, mark == NULL ? state->token : mark->id, arena);
    case CURSOR_TOKEN:
        return state->has_token
                   ? walk_cursor_set_text(connector, state, state->token, arena)
                   : begin_unseen(connector, state, arena);
    case CURSOR_SEEN:
    case CURSOR_NONE: break;
    }
    return STATUS_OK;
}

bool
walk_cursor_at_start(const struct poll_spec *spec)
{
    if (spec->first.url != NULL) {
        return spec->cursor.kind == CURSOR_TOKEN &&
               connector_request_names(&spec->first, "start");
    }
    return template_names(spec->cursor.start, "start") ||
           connector_request_names(&spec->request, "start");
}

enum status
walk_cursor_row_ms(const struct connector *connector, struct slice row,
                   struct arena *arena, int64_t *ret_ms)
{
    const struct cursor_spec *cursor = &connector->poll.cursor;
    const struct record_spec *record = &connector->poll.record;
    const struct answer_view view = { .row = row };
    bool by_record = cursor->kind == CURSOR_SEEN;
    struct slice text;
    enum status status = by_record
                             ? answer_text(record->time, &view, arena, &text)
                             : answer_at(cursor->from, row, arena, &text);
    if (status != STATUS_OK) {
        return status;
    }
    return timefmt_read(by_record ? record->time_unit : cursor->parse, text,
                        ret_ms) == STATUS_OK
               ? STATUS_OK
               : STATUS_NOT_FOUND;
}

/* What stands before the point, without zeros that say nothing. */
static struct slice
whole_of(struct slice decimal)
{
    struct slice whole = slice_first(decimal, slice_find(decimal, '.'));
    while (whole.len > 1 && whole.ptr[0] == '0') {
        whole = slice_from(whole, 1);
    }
    return whole;
}

/* Fractions compare as text: what is longer has only more digits. */
int
walk_cursor_compare(const struct cursor_spec *cursor, struct slice a,
                    struct slice b)
{
    if (!cursor->numeric) {
        return slice_compare(a, b);
    }
    struct slice whole_a = whole_of(a);
    struct slice whole_b = whole_of(b);
    if (whole_a.len != whole_b.len) {
        return whole_a.len < whole_b.len ? -1 : 1;
    }
    int order = slice_compare(whole_a, whole_b);
    return order != 0 ? order : slice_compare(a, b);
}

const struct walk_mark *
walk_cursor_behind(const struct walk_plan *plan, const struct walk_state *state)
{
    return mark_at(state, behind_ms(plan, state, plan->overlap_ms));
}

static void
drop_marks(struct walk_state *state, size_t first, size_t count)
{
    memmove(&state->ids[first], &state->ids[first + count],
            (state->id_count - first - count) * sizeof state->ids[0]);
    state->id_count -= count;
}

static void
push_mark(const struct walk_plan *plan, struct walk_state *state, int64_t at_ms)
{
    size_t count = state->id_count;
    /* A newest mark that stands close behind the one before it may go: a walk
     * that would have begun there begins at that earlier one. */
    int64_t reach_ms =
        walk_overlap_reach_ms(plan) + plan->connector->poll.settle_ms;
    int64_t apart = reach_ms / MARKS_IN_OVERLAP;
    if (count >= 2 &&
        at_ms - state->ids[count - 2].at_ms < (apart > 0 ? apart : 1)) {
        drop_marks(state, count - 1, 1);
    }
    if (state->id_count == WALK_IDS_MAX) {
        /* Only a clock that jumps leads here; the second goes, so the oldest
         * bound stays. */
        drop_marks(state, 1, 1);
    }
    state->ids[state->id_count++] = (struct walk_mark){ at_ms, state->token };
}

void
walk_cursor_mark(const struct walk_plan *plan, struct walk_state *state,
                 int64_t at_ms)
{
    size_t count = state->id_count;
    if (state->has_token &&
        (count == 0 || !slice_equal(state->ids[count - 1].id, state->token))) {
        push_mark(plan, state, at_ms);
    }
    const struct walk_mark *behind =
        mark_at(state, behind_ms(plan, state, walk_overlap_reach_ms(plan)));
    if (behind != NULL) {
        drop_marks(state, 0, (size_t)(behind - state->ids));
    }
}

uint64_t
walk_cursor_hash(struct slice text)
{
    static const uint64_t seed[2] = { UINT64_C(0x6c6f6e6773746f70),
                                      UINT64_C(0x77616c6b) };
    uint64_t hash = slice_hash(text, seed);
    return hash == 0 ? 1 : hash;
}
