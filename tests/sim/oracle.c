/* SPDX-License-Identifier: MIT */
#include "sim/oracle.h"

#include <inttypes.h>
#include <string.h>

#include "base/instant.h"
#include "sim/backfills.h"
#include "sim/books.h"
#include "sim/facts.h"
#include "sim/file.h"
#include "sim/listed.h"
#include "sim/process.h"
#include "sim/vtime.h"
#include "sim/world.h"
#include "store/store.h"
#include "wire/json.h"

#define S INSTANT_SECOND_MS

/* A first walk may take so long to begin. */
#define FIRST_MS (5 * INSTANT_MINUTE_MS)

enum { TIERS = 1 + PLAN_SWEEPS_MAX, GAPS_MAX = 4096 };

/* What is known of one tier. */
struct tier {
    int64_t hw_ms;
    size_t whole;     /* walks */
    size_t proven;    /* facts before it were looked at: complete until */
    size_t passed;    /* and before it: the watermark has passed them */
    int64_t began_ms; /* since the beginning: the open walk's first page */
    size_t forgotten; /* facts before it have been looked at so */
    int64_t longest_ms;
};

static struct {
    struct tier tiers[TIERS];
    struct walk_gap gaps[GAPS_MAX];
    bool closed[GAPS_MAX]; /* a backfill has read it */
    size_t gap_count;
    int64_t start_ms; /* since the beginning: `start` was durable; 0: not yet */
    int64_t first_ms; /* the first whole walk's first page; 0: none is yet */
    bool midway;
} oracle;

/* Of each fact: which tiers' watermarks passed it while it was not stored. */
static unsigned char passed_by[FACTS_MAX];
static bool unknowable[FACTS_MAX]; /* see excuse_forgotten */

void
oracle_begin(void)
{
    memset(&oracle, 0, sizeof(oracle));
    backfills_begin();
    listed_begin();
    memset(passed_by, 0, world.fact_count);
    memset(unknowable, 0, world.fact_count * sizeof(unknowable[0]));
}

/* ---- what must be found ---- */

static int64_t
overlap_of(unsigned tier)
{
    return tier == 0 ? world.plan.overlap_ms
                     : world.plan.sweeps[tier - 1].overlap_ms;
}

/* From where on nothing may be missing; some seconds are the first walk's,
 * which begins when it can. */
static int64_t
start_ms(void)
{
    return world.plan.epoch_ms + oracle.start_ms - world.plan.start_age_ms +
           90 * S;
}

static bool
is_in_gap(const struct fact *fact)
{
    for (size_t i = 0; i < oracle.gap_count; i++) {
        const struct walk_gap *gap = &oracle.gaps[i];
        if (!oracle.closed[i] && fact->at_ms >= gap->from_ms - S &&
            fact->at_ms <= gap->to_ms + S) {
            return true;
        }
    }
    return false;
}

/* A list that is begun at its end passes over what stands there: that takes the
 * first walk's own time, or a gap row tells of it. */
static bool
is_told(const struct fact *fact)
{
    int64_t start_ms = world.plan.epoch_ms + oracle.start_ms;
    return fact->at_ms <= start_ms + FIRST_MS || is_in_gap(fact);
}

static bool
is_passed_over(const struct fact *fact)
{
    return world.plan.cursor == PLAN_ID &&
           facts_number(fact) <= world.first_newest && is_told(fact);
}

/* A walk that reads so far back has to find it while it is listed. */
static bool
must_be_found(const struct fact *fact, int64_t bound_ms)
{
    bool begun = fact->at_ms >= start_ms();
    if (world.plan.cursor == PLAN_ID) {
        begun = !is_passed_over(fact);
    } else if (world.plan.cursor == PLAN_LOG) {
        /* Read anew, it is read from `start` on. */
        bool is_shown = fact->shown_ms <= world.first_ms && is_told(fact);
        begun = !is_shown && (begun || world.forgotten == 0);
    }
    /* A list of its latest rows may never show one that comes late. */
    return begun && fact->gone_ms > vtime_truth_ms() &&
           fact->shown_ms - fact->at_ms <= bound_ms &&
           !facts_is_pushed_out(fact, fact->shown_ms);
}

static bool
is_expired(const struct fact *fact)
{
    int64_t retention = world.plan.retention_ms;
    return (retention > 0 && fact->at_ms + retention <= vtime_truth_ms()) ||
           facts_is_pushed_out(fact, vtime_truth_ms());
}

static void
lose(const struct fact *fact, const char *why)
{
    world_fail("lost: fact %zu, stamped %+" PRId64 " ms of the beginning, "
               "shown %" PRId64 " ms later: %s",
               facts_number(fact), fact->at_ms - world.plan.epoch_ms,
               fact->shown_ms - fact->at_ms, why);
}

/* ---- events ---- */

/* The fact is event `number` in the store, recorded at `at_ms`. */
void
oracle_event(struct fact *fact, uint64_t number, enum channel via,
             int64_t at_ms)
{
    if (fact->number == number) {
        return;
    }
    if (fact->number != 0) {
        world_fail("twice: fact %zu is event %" PRIu64 " and event %" PRIu64,
                   facts_number(fact), fact->number, number);
        return;
    }
    fact->number = number;
    fact->durable_ms = vtime_truth_ms();
    books_fresh(fact, via, at_ms);
    TRACE("fact %zu is durable, by %s", facts_number(fact), channel_name(via));
}

/* How long it took from visible to durable, when nothing was wrong meanwhile
 * and nobody told us by webhook. */
static void
note_staleness(const struct fact *fact)
{
    int64_t calm_ms = world.plan.epoch_ms + world.trouble_ms;
    int64_t since_ms = fact->shown_ms > calm_ms ? fact->shown_ms : calm_ms;
    int64_t stale_ms = fact->durable_ms - since_ms;
    bool by_first = fact->shown_ms - fact->at_ms <=
                    world.plan.overlap_ms + world.plan.settle_ms;
    if (fact->via != CHANNEL_POLL || !by_first || fact->at_ms < start_ms() ||
        is_passed_over(fact) || stale_ms <= 0) {
        return;
    }
    if (stale_ms > world.staleness_ms) {
        world.staleness_ms = stale_ms;
    }
    const struct tier *tier = &oracle.tiers[0];
    int64_t walk_ms = tier->longest_ms;
    if (tier->began_ms > 0 && vtime_now_ms() - tier->began_ms > walk_ms) {
        walk_ms = vtime_now_ms() - tier->began_ms;
    }
    int64_t gate_ms = world.plan.gated ? world.plan.patience_ms : 0;
    if (stale_ms > world.plan.every_ms + gate_ms + 2 * walk_ms + 60 * S) {
        world_fail("stale: fact %zu was visible for %" PRId64
                   " s before it was durable; a walk takes %" PRId64
                   " s at most and comes every %" PRId64 " s",
                   facts_number(fact), stale_ms / S, walk_ms / S,
                   world.plan.every_ms / S);
    }
}

static void
note_sighting(const struct sighting *sighting)
{
    struct fact *fact = facts_of_body(sighting->body);
    books_told(sighting);
    if (sighting->fresh) {
        oracle_event(fact, sighting->number, sighting->via, vtime_ours_ms());
        note_staleness(fact);
    } else if (fact->number == 0) {
        world_fail("lost: fact %zu was taken for one that is known",
                   facts_number(fact));
    } else {
        books_again(fact, sighting->via, vtime_ours_ms());
    }
}

/* ---- gaps ---- */

static size_t
count_between(int64_t from_ms, int64_t to_ms)
{
    return facts_from(to_ms) - facts_from(from_ms);
}

/* Where the walk that reaches furthest back would begin. */
static int64_t
lowest_ms(void)
{
    int64_t lowest = INT64_MAX;
    for (unsigned i = 0; i <= world.plan.sweep_count; i++) {
        int64_t from_ms = oracle.tiers[i].hw_ms - overlap_of(i);
        lowest = from_ms < lowest ? from_ms : lowest;
    }
    return lowest;
}

/* A list of its latest rows need not show any from before `at_ms`. */
static bool
is_cut_off(int64_t at_ms)
{
    const struct plan *plan = &world.plan;
    int64_t now_ms = vtime_truth_ms();
    size_t behind = count_between(at_ms - plan_bound_ms(plan), now_ms);
    return (plan->shows > 0 && behind >= plan->shows) ||
           (plan->retention_ms > 0 && at_ms <= now_ms - plan->retention_ms + S);
}

/* Whether the list still shows a row that it showed by then: one that tells
 * that nothing behind it was dropped. There may be none but for retention. */
static bool
has_anchor(int64_t at_ms)
{
    size_t end = facts_from(at_ms);
    for (size_t i = 0; i < end; i++) {
        const struct fact *fact = &world.facts[i];
        if (fact->number != 0 && fact->shown_ms <= at_ms && !is_expired(fact)) {
            return true;
        }
    }
    return false;
}

static bool
has_cause(const struct walk_gap *gap)
{
    const struct plan *plan = &world.plan;
    switch (gap->kind) {
    case GAP_RETENTION:
        return plan->retention_ms > 0 && gap->from_ms < gap->to_ms &&
               gap->to_ms <= vtime_truth_ms() - plan->retention_ms + S;
    case GAP_TIE:
        return (plan->pages == PLAN_BY_CURSOR || plan->window_ms > 0) &&
               count_between(gap->from_ms - 2 * S, gap->to_ms + 2 * S) >=
                   plan->page_size;
    case GAP_CURSOR:
        return (world.forgotten > 0 ||
                gap->to_ms <= world.newest_ms + plan->latency_ms + 2 * S) &&
               gap->from_ms <= gap->to_ms && gap->from_ms >= lowest_ms() - S &&
               gap->to_ms <= vtime_truth_ms() + S;
    case GAP_COUNT:
        return plan->seen && gap->from_ms <= gap->to_ms &&
               (is_cut_off(gap->from_ms) || !has_anchor(gap->from_ms));
    }
    return false;
}

void
oracle_gap(const struct walk_gap *gap, bool closed)
{
    for (size_t i = 0; i < oracle.gap_count; i++) {
        const struct walk_gap *old = &oracle.gaps[i];
        if (old->kind == gap->kind && old->from_ms == gap->from_ms &&
            old->to_ms == gap->to_ms) {
            oracle.closed[i] = closed;
            return;
        }
    }
    PRE(oracle.gap_count < GAPS_MAX);
    oracle.closed[oracle.gap_count] = closed;
    oracle.gaps[oracle.gap_count++] = *gap;
    world.gaps++;
    TRACE("gap (%s): from %+" PRId64 " s to %+" PRId64 " s",
          gap_kind_name(gap->kind), (gap->from_ms - world.plan.epoch_ms) / S,
          (gap->to_ms - world.plan.epoch_ms) / S);
    if (!has_cause(gap)) {
        world_fail("gap without a cause: %s, %" PRId64 " to %" PRId64,
                   gap_kind_name(gap->kind), gap->from_ms, gap->to_ms);
    }
}

/* A backfill has read all of a span. */
static void
close_gaps(int64_t from_ms, int64_t to_ms)
{
    for (size_t i = 0; i < oracle.gap_count; i++) {
        const struct walk_gap *gap = &oracle.gaps[i];
        if (gap->from_ms >= from_ms && gap->to_ms <= to_ms) {
            TRACE("gap (%s): closed", gap_kind_name(gap->kind));
            oracle.closed[i] = true;
        }
    }
}

/* ---- walks ---- */

/* Everything below complete-until is durable, or nobody could have known. */
static void
check_complete(unsigned number)
{
    struct tier *tier = &oracle.tiers[number];
    int64_t bound_ms = overlap_of(number) + world.plan.settle_ms;
    int64_t until_ms = tier->hw_ms - overlap_of(number);
    for (; tier->proven < world.fact_count &&
           world.facts[tier->proven].at_ms < until_ms;
         tier->proven++) {
        const struct fact *fact = &world.facts[tier->proven];
        if (fact->number == 0 && must_be_found(fact, bound_ms) &&
            !is_in_gap(fact) && !is_expired(fact)) {
            lose(fact, "complete-until has passed it");
        }
    }
}

/* Notes what lies behind a tier and is not stored. */
static void
note_passed(unsigned number, int64_t until_ms)
{
    struct tier *tier = &oracle.tiers[number];
    for (; tier->passed < world.fact_count &&
           world.facts[tier->passed].at_ms < until_ms;
         tier->passed++) {
        if (world.facts[tier->passed].number == 0 &&
            !is_expired(&world.facts[tier->passed])) {
            passed_by[tier->passed] |= (unsigned char)(1U << number);
        }
    }
}

/* A clock that is slow holds the watermark back, and gaps begin where the list
 * was seen to: the walk's state says up to when that is. */
static void
note_seen(unsigned number, struct slice state)
{
    struct slice value;
    int64_t seen_ms;
    if (json_member(state, slice_of("seen"), &value) &&
        slice_to_i64(value, &seen_ms) == STATUS_OK) {
        note_passed(number, seen_ms);
    }
}

/* A list of its latest rows was read past these before they showed; what comes
 * so late may be pushed out before the next walk, and nothing tells of it. */
static void
note_listed(struct slice state)
{
    struct slice value;
    int64_t listed_ms;
    if (!world.plan.seen || !json_member(state, slice_of("listed"), &value) ||
        slice_to_i64(value, &listed_ms) != STATUS_OK) {
        return;
    }
    for (size_t i = 0;
         i < world.fact_count && facts_stamp_ms(&world.facts[i]) <= listed_ms;
         i++) {
        passed_by[i] |= world.facts[i].shown_ms > world.top_ms;
    }
}

/* Where no answer has a Date, the list's latest stamp is all that tells the
 * time: what is forgotten by the provider's clock and not by that stamp is lost
 * without a word. What the list showed a while before a walk was whole, or our
 * clock where that is slow, is the least that the agent can go by. */
static void
excuse_forgotten(struct tier *tier)
{
    const struct plan *plan = &world.plan;
    int64_t now_ms = vtime_truth_ms();
    int64_t latest_ms = 0;
    if (plan->dated || plan->retention_ms == 0) {
        return;
    }
    size_t end = facts_from(now_ms);
    for (size_t i = 0; i < end; i++) {
        const struct fact *fact = &world.facts[i];
        bool was_shown = fact->shown_ms <= plan->epoch_ms + tier->began_ms;
        latest_ms = was_shown ? fact->at_ms : latest_ms;
    }
    int64_t ours_ms = vtime_ours_ms() + 5 * INSTANT_MINUTE_MS;
    latest_ms = ours_ms < latest_ms ? ours_ms : latest_ms;
    for (; tier->forgotten < end && is_expired(&world.facts[tier->forgotten]);
         tier->forgotten++) {
        const struct fact *fact = &world.facts[tier->forgotten];
        if (fact->number == 0 &&
            fact->at_ms >= latest_ms - plan->retention_ms - 2 * S) {
            unknowable[tier->forgotten] = true;
        }
    }
}

void
oracle_walk(unsigned number, int64_t hw_ms, struct slice state)
{
    struct tier *tier = &oracle.tiers[number];
    PRE(number < TIERS);
    if (hw_ms < tier->hw_ms) {
        world_fail("the watermark of tier %u went back by %" PRId64 " ms",
                   number, tier->hw_ms - hw_ms);
    }
    if (hw_ms > vtime_truth_ms()) {
        world_fail("the watermark of tier %u is %" PRId64
                   " ms ahead of the provider",
                   number, hw_ms - vtime_truth_ms());
    }
    tier->hw_ms = hw_ms;
    listed_walk(number, hw_ms, state);
    check_complete(number);
    note_passed(number, hw_ms);
    note_listed(state);
}

static bool
says(struct slice state, const char *what)
{
    return slice_find_slice(state, slice_of(what)) != SIZE_MAX;
}

/* A walk that ended and is not whole has left something of it. */
static bool
has_failed(struct slice state)
{
    return says(state, "\"has_s\":true") || says(state, "\"anew\":true") ||
           says(state, "\"rejections\":");
}

static void
note_walk(const struct store_walk *walk)
{
    if (walk->tier == WALK_TIER_BACKFILL) {
        TRACE("backfill: %.*s", SLICE_ARG(walk->state));
        backfills_walk(walk->state);
        return;
    }
    struct tier *tier = &oracle.tiers[walk->tier];
    bool open = says(walk->state, "\"open\":true");
    oracle.midway = says(walk->state, "\"has_page\":true");
    TRACE("walk %u: %.*s", walk->tier, SLICE_ARG(walk->state));
    oracle.start_ms = oracle.start_ms == 0 ? vtime_now_ms() : oracle.start_ms;
    oracle_walk(walk->tier, walk->hw_ms, walk->state);
    note_seen(walk->tier, walk->state);
    if (tier->began_ms == 0) {
        tier->began_ms = vtime_now_ms();
    }
    if (!open) {
        int64_t took_ms = vtime_now_ms() - tier->began_ms;
        tier->longest_ms =
            took_ms > tier->longest_ms ? took_ms : tier->longest_ms;
        if (!has_failed(walk->state)) {
            excuse_forgotten(tier);
            if (oracle.first_ms == 0) {
                oracle.first_ms = world.top_ms;
            }
            tier->whole++;
            world.walks++;
        }
        tier->began_ms = 0;
    }
}

bool
oracle_is_midway(void)
{
    return oracle.midway;
}

size_t
oracle_walks(unsigned tier)
{
    return oracle.tiers[tier].whole;
}

void
oracle_unit(const struct store_unit *unit)
{
    listed_unit(unit);
    for (size_t i = 0; i < unit->sighting_count; i++) {
        note_sighting(&unit->sightings[i]);
    }
    for (size_t i = 0; i < unit->gap_count; i++) {
        oracle_gap(&unit->gaps[i].gap, false);
    }
    for (size_t i = 0; i < unit->close_count; i++) {
        close_gaps(unit->closes[i].from_ms, unit->closes[i].to_ms);
    }
    for (size_t i = 0; i < unit->walk_count; i++) {
        note_walk(&unit->walks[i]);
    }
}

void
oracle_account(const struct store_account *account)
{
    books_account(account);
}

void
oracle_acked(const struct fact *fact)
{
    if (fact->number == 0) {
        lose(fact, "its sender was told that it is stored");
    }
}

/* ---- the end ---- */

/* A Date far ahead of our clock is believed as far as rows bear it out: what is
 * dropped by it alone is told when the next row comes, and none may. */
static bool
waits_for_rows(const struct fact *fact)
{
    int64_t latest_ms = vtime_ours_ms();
    if (!world.plan.dated || world.plan.retention_ms == 0) {
        return false;
    }
    for (size_t i = 0; i < world.fact_count; i++) {
        const struct fact *other = &world.facts[i];
        bool is_shown = other->shown_ms <= vtime_truth_ms();
        latest_ms =
            is_shown && other->at_ms > latest_ms ? other->at_ms : latest_ms;
    }
    latest_ms += 5 * INSTANT_MINUTE_MS;
    return fact->at_ms + world.plan.retention_ms > latest_ms - 2 * S;
}

/* A list of its latest rows may show and push out some while the first walk is
 * still on its way to it: nobody can have seen them. A walk that comes later
 * than five minutes tells of it. */
static bool
is_before_first(const struct fact *fact)
{
    int64_t start_ms = world.plan.epoch_ms + oracle.start_ms;
    return world.plan.seen && oracle.first_ms > 0 &&
           oracle.first_ms - start_ms <= FIRST_MS &&
           facts_is_pushed_out(fact, oracle.first_ms);
}

static bool
is_excused(const struct fact *fact)
{
    unsigned all = (1U << (1 + world.plan.sweep_count)) - 1;
    if (is_in_gap(fact) || unknowable[facts_number(fact)] ||
        is_before_first(fact)) {
        return true;
    }
    if (is_expired(fact) && waits_for_rows(fact)) {
        return true;
    }
    /* What lies before the beginning is owed as far as it can be read. */
    if (is_expired(fact) && fact->at_ms < world.plan.epoch_ms) {
        return true;
    }
    /* Shown late and gone again while nobody looked, behind every watermark:
     * the overlap was cut by retention, which is no gap. */
    return is_expired(fact) && passed_by[facts_number(fact)] == all;
}

static void
check_delivered(const struct fact *fact)
{
    for (size_t i = 0; i < world.plan.handler_count; i++) {
        if (fact->number != 0 && !fact->done[i]) {
            world_fail("fact %zu is neither done nor dead at handler %zu",
                       facts_number(fact), i);
        }
    }
}

/* A gate that calls for walks in vain is not believed for long. */
static void
check_calls(void)
{
    const struct plan *plan = &world.plan;
    int64_t every_ms = plan->fastest_ms > 0 ? plan->fastest_ms : plan->every_ms;
    size_t most = (size_t)(vtime_now_ms() / every_ms) + 20 +
                  7 * (world.fact_count + process_life());
    if (plan->gated && oracle.tiers[0].whole > most) {
        world_fail("the gate had the list read %zu times",
                   oracle.tiers[0].whole);
    }
}

void
oracle_end(const char *folder)
{
    file_reload(folder);
    books_end();
    listed_end();
    file_dead(folder);
    check_calls();
    for (size_t i = 0; i < world.fact_count; i++) {
        const struct fact *fact = &world.facts[i];
        if (fact->number == 0 &&
            must_be_found(fact, plan_bound_ms(&world.plan)) &&
            !is_excused(fact)) {
            lose(fact, "the world has come to rest without it");
        }
        check_delivered(fact);
    }
}
