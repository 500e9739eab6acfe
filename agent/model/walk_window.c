/* SPDX-License-Identifier: MIT */
#include "model/walk_window.h"

#include "base/instant.h"
#include "base/rule.h"
#include "model/request.h"
#include "model/walk_cursor.h"
#include "model/walk_span.h"
#include "wire/timefmt.h"

/* While `start` is by our clock alone, the first request asks from this much
 * earlier, so that a clock that is a little fast costs no second request. */
#define START_MARGIN_MS (5 * INSTANT_MINUTE_MS)

/* What a clock that is slow may list below `start` before it is worth asking
 * again. */
#define START_FLOOD_MS INSTANT_HOUR_MS

/* So far behind what the provider still keeps a page may come that was asked
 * for in time. */
#define FALL_BEHIND_MS (10 * INSTANT_SECOND_MS)

/* A Date that is ahead of us by more is not believed. */
#define DATE_AHEAD_MS (5 * INSTANT_MINUTE_MS)

static int64_t
earlier_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t
later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t
age_of(const struct walk_plan *plan)
{
    const struct poll_spec *spec = &plan->connector->poll;
    return spec->start_kind == START_AGO ? spec->start_ms : 0;
}

bool
walk_window_start(const struct walk_plan *plan, struct walk_state *state,
                  const struct walk_now *now)
{
    const struct poll_spec *spec = &plan->connector->poll;
    if (state->has_start) {
        return false;
    }
    state->has_start = true;
    state->start_set_ms = now->our_ms;
    if (spec->start_kind == START_AT) {
        state->start_ms = spec->start_ms;
        return true;
    }
    int64_t age = age_of(plan);
    state->start_ours = now->provider_ms == 0;
    state->start_ms =
        (state->start_ours ? now->our_ms : now->provider_ms) - age;
    return true;
}

int64_t
walk_window_lower(const struct walk_plan *plan, const struct walk_state *state)
{
    int64_t lower = state->start_ms - (state->start_ours ? START_MARGIN_MS : 0);
    if (state->hw_ms > 0) {
        int64_t from =
            state->hw_ms - (RULE(RULE_OVERLAP) ? plan->overlap_ms : 0);
        lower = later_of(lower, state->again_ms > 0
                                    ? earlier_of(from, state->again_ms)
                                    : from);
    }
    return later_of(lower, 0);
}

int64_t
walk_window_set_ms(const struct walk_plan *plan, const struct walk_state *state)
{
    /* A point is configured, and nobody has told what their clock said then. */
    return plan->connector->poll.start_kind == START_AT
               ? state->start_set_ms
               : state->start_ms + age_of(plan);
}

/* Where the list began to be read, by the provider's clock: at `start`, or at
 * what it still kept when that was set, and a first answer's time later. What
 * it drops from then on is missing. 0 while that is not known: a whole walk
 * that was told no Date has to take ours for it. */
static int64_t
begun_at(const struct walk_plan *plan, const struct walk_state *state,
         bool at_end)
{
    if (!state->has_start ||
        (state->start_ours && (!at_end || state->hw_ms > 0))) {
        return 0;
    }
    /* The clock that set a point, which may be years fast, counts no longer
     * than it has to. */
    if (plan->connector->poll.start_kind == START_AT && state->hw_ms > 0) {
        return state->start_ms;
    }
    int64_t kept_ms = walk_window_set_ms(plan, state) + DATE_AHEAD_MS -
                      plan->connector->poll.retention_ms;
    return later_of(state->start_ms, kept_ms);
}

/* Returns the time up to which nothing can be missing, 0 when it is not known.
 */
static int64_t
whole_up_to(const struct walk_plan *plan, const struct walk_state *state,
            bool at_end)
{
    return later_of(state->hw_ms, begun_at(plan, state, at_end));
}

/* What the provider keeps no longer is left out of a span: nobody was promised
 * it. Pages that are stored stay read. */
static void
cut_span(struct walk_state *state, int64_t cut)
{
    if (state->pages == 0) {
        state->start_ms = later_of(state->start_ms, cut);
        state->a_ms = later_of(state->a_ms, cut);
    }
}

/* A list whose requests have an upper bound is asked for the span alone. */
static void
bound_span(const struct connector *connector, struct walk_state *state)
{
    int64_t end = instant_add(state->backfill.until_ms,
                              walk_cursor_unit_ms(&connector->poll.cursor));
    state->now_ms = earlier_of(state->now_ms, end);
    /* What an earlier attempt was led to is not where the span begins. */
    state->has_token = false;
    state->id_count = 0;
}

/* One answer of a machine whose clock is years ahead would put the watermark
 * there, and nothing would be asked for until then. What is durable and what is
 * listed was stamped by then, so behind that our clock is known to be slow. */
static int64_t
latest_ms(const struct walk_state *state, int64_t our_ms)
{
    int64_t listed_ms = later_of(state->hw_ms, state->largest_ms);
    return instant_add(later_of(our_ms, listed_ms), DATE_AHEAD_MS);
}

/* Whether the provider has dropped what was not read: since the watermark by
 * the clock that it went by, or since the last whole walk as far as rows bear
 * the provider's clock out. Two clocks are never compared: a start that was
 * learnt is by the provider's, whatever the watermark goes by. */
static bool
has_dropped(const struct walk_state *state, const struct walk_now *now,
            int64_t retention, int64_t whole, int64_t reach)
{
    int64_t mark = state->hw_ms > 0 ? state->hw_ms : whole;
    int64_t ours = instant_add(later_of(now->our_ms, mark), DATE_AHEAD_MS);
    int64_t latest = latest_ms(state, now->our_ms);
    return whole > 0 && reach < now->provider_ms - retention &&
           (mark < earlier_of(now->provider_ms, ours) - retention ||
            reach < earlier_of(now->provider_ms, latest) - retention);
}

/* Up to where the open walk of an ascending list has read all that it shows. */
static int64_t
read_up_to(const struct walk_plan *plan, const struct walk_state *state)
{
    const struct poll_spec *spec = &plan->connector->poll;
    if (spec->order != ORDER_ASC || spec->cursor.kind != CURSOR_TIME ||
        !state->open || state->pages == 0) {
        return 0;
    }
    return walk_span_used(plan->connector) ? state->from_ms : state->running_ms;
}

/* Whether the walk has waited so long between two pages that the provider may
 * have dropped what the next one would have shown. */
static bool
has_fallen_behind(const struct walk_plan *plan, const struct walk_state *state,
                  int64_t date_ms)
{
    int64_t retention = plan->connector->poll.retention_ms;
    int64_t read_ms =
        later_of(later_of(state->a_ms, state->hw_ms), read_up_to(plan, state));
    return retention > 0 && plan->connector->poll.order == ORDER_ASC &&
           plan->connector->poll.cursor.kind == CURSOR_TIME &&
           read_ms < date_ms - retention - FALL_BEHIND_MS;
}

int64_t
walk_window_late_from(const struct walk_plan *plan,
                      const struct walk_state *state, int64_t whole_ms)
{
    int64_t from_ms = whole_ms - (RULE(RULE_OVERLAP) ? plan->overlap_ms : 0);
    if (state->again_ms > 0) {
        from_ms = earlier_of(from_ms, state->again_ms);
    }
    from_ms = later_of(from_ms, later_of(state->start_ms, state->told_ms));
    return earlier_of(from_ms, whole_ms);
}

void
walk_window_tell(struct walk_step *step, enum gap_kind kind, int64_t from_ms,
                 int64_t to_ms)
{
    if (step->has_gap) {
        from_ms = earlier_of(from_ms, step->gap.from_ms);
        to_ms = later_of(to_ms, step->gap.to_ms);
    }
    step->has_gap = true;
    step->gap = (struct walk_gap){ kind, from_ms, to_ms };
}

/* Says what is dropped, once. From here on the row tells what is missing, and
 * the watermark may stand above it: else every walk would write the row again.
 * A slow clock of ours holds back the watermark, not what the row tells. */
static void
tell_gap(struct walk_state *state, int64_t from, int64_t to, int64_t cut,
         struct walk_step *step)
{
    step->has_gap = RULE(RULE_GAP);
    step->gap = (struct walk_gap){ GAP_RETENTION, from, to };
    step->state_changed = true;
    state->now_theirs = true;
    state->told_ms = later_of(state->told_ms, cut);
    state->hw_ms = later_of(state->hw_ms, cut);
}

/* What is known besides when a window is cut. */
struct cut {
    int64_t read_ms; /* all below was read, and judged, in this walk */
    bool at_end;     /* of the walk */
};

/* A clock that is not believed may be borne out by the rows that are still to
 * be read, and the gap is told once, at the end. */
static void
cut_window(const struct walk_plan *plan, struct walk_state *state,
           const struct walk_now *now, struct cut known, struct walk_step *step)
{
    int64_t retention = plan->connector->poll.retention_ms;
    int64_t latest = latest_ms(state, now->our_ms);
    int64_t cut = earlier_of(now->provider_ms, latest) - retention;
    state->now_theirs = now->provider_ms <= latest;
    if (retention == 0 || cut <= 0) {
        return;
    }
    if (plan->is_backfill) {
        cut_span(state, cut);
        return;
    }
    int64_t whole = whole_up_to(plan, state, known.at_end);
    int64_t from = later_of(later_of(whole, state->seen_ms), known.read_ms);
    if ((state->now_theirs || known.at_end) &&
        has_dropped(state, now, retention, whole, from)) {
        from = known.read_ms == from ? from
                                     : walk_window_late_from(plan, state, from);
        tell_gap(state, from, now->provider_ms - retention, cut, step);
    }
    state->a_ms = later_of(state->a_ms, cut);
    if (state->again_ms > 0) {
        state->again_ms = later_of(state->again_ms, cut);
    }
}

void
walk_window_cut(const struct walk_plan *plan, struct walk_state *state,
                const struct walk_now *now, struct walk_step *step)
{
    cut_window(plan, state, now, (struct cut){ 0 }, step);
}

enum status
walk_window_open(const struct walk_plan *plan, struct walk_state *state,
                 const struct walk_now *now, struct arena *arena,
                 struct walk_step *step)
{
    state->open = true;
    state->has_s = false;
    state->s_ms = 0;
    state->date_ms = 0;
    state->began_ms = now->our_ms;
    state->now_ms = now->provider_ms != 0 ? now->provider_ms : now->our_ms;
    state->now_theirs = false;
    state->page = (struct slice){ NULL, 0 };
    state->has_page = false;
    state->page_hash = 0;
    state->running_ms = 0;
    state->anchor = 0;
    state->restarts = 0;
    state->oldest_ms = 0;
    state->met = false;
    state->top_ms = 0;
    state->running_id = (struct slice){ NULL, 0 };
    state->pages = 0;
    state->rows = 0;
    state->after_first = false;
    state->failures = 0;
    state->a_ms = walk_window_lower(plan, state);
    if (now->provider_ms != 0) {
        walk_window_cut(plan, state, now, step);
    }
    if (plan->is_backfill) {
        bound_span(plan->connector, state);
    }
    return walk_cursor_begin(plan, state, arena);
}

/* Whether the start that was learnt lies ahead of both clocks: the Date it came
 * from was wrong. */
static bool
start_is_wrong(const struct walk_plan *plan, const struct walk_state *state,
               const struct walk_now *now)
{
    int64_t latest = later_of(now->our_ms, now->provider_ms);
    return !state->start_ours && !plan->is_backfill &&
           plan->connector->poll.start_kind != START_AT &&
           state->start_ms > instant_add(latest, DATE_AHEAD_MS);
}

/* Turns a start by our clock into one by the provider's: its time when the
 * request was sent, less our time gone by since the start was stored. A walk
 * may have waited long for its first request. Returns whether what was asked
 * does not reach down to it, or far below. */
static bool
learn_start(const struct walk_plan *plan, struct walk_state *state,
            int64_t asked_theirs_ms, int64_t asked_ms)
{
    const struct cursor_spec *cursor = &plan->connector->poll.cursor;
    int64_t age = state->start_set_ms - state->start_ms;
    int64_t gone = later_of(asked_ms - state->start_set_ms, 0);
    int64_t asked = state->a_ms;
    state->start_ours = false;
    state->start_ms = asked_theirs_ms - gone - age;
    bool sent =
        state->first || (state->has_cursor &&
                         (cursor->kind == CURSOR_TIME || !state->has_token));
    if (sent &&
        (asked > state->start_ms || asked < state->start_ms - START_FLOOD_MS)) {
        return true;
    }
    state->a_ms = walk_window_lower(plan, state);
    return false;
}

/* Learns the start once more, and has all since then read again: what was read
 * meanwhile was read from the wrong one. */
static bool
learn_start_again(const struct walk_plan *plan, struct walk_state *state,
                  int64_t asked_theirs_ms, int64_t asked_ms)
{
    state->start_ms = state->start_set_ms - age_of(plan);
    state->complete_ms = 0;
    /* That nothing has changed since is no answer to it. */
    state->etag = (struct slice){ NULL, 0 };
    state->modified = (struct slice){ NULL, 0 };
    if (plan->connector->poll.cursor.kind == CURSOR_TOKEN &&
        walk_cursor_at_start(&plan->connector->poll)) {
        state->has_token = false; /* it leads on from the wrong start */
    }
    state->again_ms = 1;
    bool again = learn_start(plan, state, asked_theirs_ms, asked_ms);
    state->again_ms = state->start_ms;
    return again;
}

static int64_t
began_ms(const struct walk_plan *plan, const struct walk_state *state,
         const struct walk_answer *answer, bool has_date, int64_t date_ms)
{
    const struct cursor_spec *cursor = &plan->connector->poll.cursor;
    /* Our clock may be set while the provider answers; the earlier reading
     * passes over nothing. */
    const int64_t ours_ms = earlier_of(state->began_ms, answer->our_ms);
    int64_t s;
    if (!RULE(RULE_THEIR_CLOCK)) {
        s = answer->our_ms;
    } else if (has_date) {
        /* A clock that is not believed leaves ours: is that slow, more is read
         * again; is the other wrong, nothing is passed over. */
        s = date_ms <= instant_add(answer->our_ms, DATE_AHEAD_MS) ? date_ms
                                                                  : ours_ms;
    } else if (cursor->kind == CURSOR_TIME ||
               (cursor->kind == CURSOR_SEEN &&
                plan->connector->poll.record.time != NULL)) {
        /* A stamp that was read before this walk began is surely not ahead of
         * the provider's clock when it did. */
        s = earlier_of(state->largest_ms, ours_ms);
    } else {
        /* Neither a Date nor stamps to compare with: our clock, alone here as
         * for the marks of an id cursor. */
        s = ours_ms;
    }
    if (request_is_bounded(plan->connector)) {
        /* What was stamped behind the upper bound that was sent has not been
         * asked for. */
        int64_t unit = walk_cursor_unit_ms(cursor);
        s = earlier_of(s, state->now_ms - state->now_ms % unit);
    }
    return later_of(s, 0);
}

/* Up to a clock that is years ahead, ours or that of an earlier answer, there
 * would be years of spans. What is left out so was not read. Up to one that is
 * slow, what has come since would wait for the next walk. */
static void
fit_top(const struct walk_plan *plan, struct walk_state *state, int64_t date_ms)
{
    int64_t slack = state->now_theirs ? DATE_AHEAD_MS : 0;
    if (!walk_span_used(plan->connector)) {
        return;
    }
    if (state->now_ms > instant_add(date_ms, slack)) {
        state->now_ms = date_ms;
        state->s_ms = earlier_of(state->s_ms, date_ms);
    } else if (!state->has_s) {
        state->now_ms = later_of(state->now_ms, date_ms);
    }
}

static bool
date_of(const struct walk_answer *answer, int64_t *ret_ms)
{
    struct slice text;
    return http_field_find(answer->fields, "Date", &text) &&
           timefmt_read_http(text, ret_ms) == STATUS_OK;
}

/* What the list's own rows say of the time: it is so late at least. */
static int64_t
listed_ms(const struct walk_state *state, int64_t our_ms)
{
    return earlier_of(state->largest_ms, instant_add(our_ms, DATE_AHEAD_MS));
}

void
walk_window_whole(const struct walk_plan *plan, struct walk_state *state,
                  const struct walk_answer *answer, int64_t settle_ms,
                  struct walk_step *step)
{
    struct walk_now now = { .our_ms = answer->our_ms };
    bool has_date = date_of(answer, &now.provider_ms);
    if (!has_date) {
        now.provider_ms = listed_ms(state, answer->our_ms);
    }
    /* A list that does not begin with its oldest rows may have dropped them
     * while it was read. */
    bool late = plan->connector->poll.order != ORDER_ASC;
    if (!step->has_gap && (late || !has_date || !state->now_theirs)) {
        cut_window(plan, state, &now, (struct cut){ .at_end = true }, step);
    }
    if (state->date_ms <= latest_ms(state, answer->our_ms)) {
        state->seen_ms = later_of(state->seen_ms, state->date_ms - settle_ms);
    }
}

void
walk_window_clock(const struct walk_plan *plan, struct walk_state *state,
                  const struct walk_answer *answer, struct walk_step *step,
                  bool *ret_again)
{
    int64_t date_ms = 0;
    bool has_date = date_of(answer, &date_ms);
    /* A Date is cut to its second and may have waited for us. */
    int64_t began_theirs_ms = date_ms - answer->duration_ms - INSTANT_SECOND_MS;
    const struct walk_now now = { .our_ms = answer->our_ms,
                                  .provider_ms = date_ms };
    *ret_again = false;
    if (has_date && state->start_ours) {
        *ret_again = learn_start(plan, state, began_theirs_ms,
                                 answer->our_ms - answer->duration_ms);
        step->state_changed = true;
    } else if (has_date && start_is_wrong(plan, state, &now)) {
        *ret_again = learn_start_again(plan, state, began_theirs_ms,
                                       answer->our_ms - answer->duration_ms);
        step->state_changed = true;
    }
    if (has_date) {
        fit_top(plan, state, date_ms);
    }
    if (has_date && !state->now_theirs) {
        walk_window_cut(plan, state, &now, step);
    } else if (has_date && has_fallen_behind(plan, state, date_ms)) {
        const struct cut known = { .read_ms = read_up_to(plan, state) };
        cut_window(plan, state, &now, known, step);
    }
    if (!state->has_s || !RULE(RULE_CLOCK_FIRST)) {
        state->s_ms = began_ms(plan, state, answer, has_date, began_theirs_ms);
        state->date_ms = has_date ? later_of(began_theirs_ms, 0) : 0;
        state->has_s = true;
    }
}
