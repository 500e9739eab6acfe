/* SPDX-License-Identifier: MIT */
#include "sim/listed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "base/rule.h"
#include "flow/telemetry.h"
#include "model/sighting.h"
#include "sim/facts.h"
#include "sim/process.h"
#include "sim/world.h"
#include "store/store.h"
#include "wire/json.h"

#define S INSTANT_SECOND_MS

enum { TIERS = 1 + PLAN_SWEEPS_MAX, BOUNDS_MAX = 32 };

struct tier {
    int64_t hw_ms;
    int64_t start_ms;   /* what is stamped before need not have been read */
    int64_t claim_ms;   /* complete until, as its own walks say */
    int64_t told_ms;    /* that of all, as it knew when its last page came */
    bool anew;          /* its cursor was refused, and it reads all again */
    int64_t longest_ms; /* how late it has been shown anything first */
};

static struct {
    struct tier tiers[TIERS];
    int64_t claim_ms; /* of all, in this life */
    /* Of this process. */
    size_t broken_least, broken_most;
    int64_t lags_ms[FACTS_MAX]; /* true ones */
    int64_t told_ms[FACTS_MAX]; /* and what one tier's walks could tell */
    size_t lag_count;
} listed;

void
listed_begin(void)
{
    memset(listed.tiers, 0, sizeof(listed.tiers));
    listed_life();
}

void
listed_life(void)
{
    listed.broken_least = 0;
    listed.broken_most = 0;
    listed.lag_count = 0;
    listed.claim_ms = 0;
    for (size_t i = 0; i < TIERS; i++) {
        struct tier *tier = &listed.tiers[i];
        tier->told_ms = tier->claim_ms;
        if (tier->claim_ms > listed.claim_ms) {
            listed.claim_ms = tier->claim_ms;
        }
    }
}

void
listed_mark(struct fact *fact)
{
    fact->listed = true;
}

/* ---- walks ---- */

static int64_t
number_of(struct slice state, const char *name)
{
    struct slice value;
    int64_t number;
    return json_member(state, slice_of(name), &value) &&
                   slice_to_i64(value, &number) == STATUS_OK
               ? number
               : 0;
}

static int64_t
later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Without one of its rules the agent has to lose events, and not to be found
 * out by what it measures on the way. */
static bool
is_whole(void)
{
    return rule_removed == RULE_COUNT;
}

/* A list that is read from its first row on is complete up to there. */
static int64_t
claim_of(unsigned tier, int64_t hw_ms, struct slice state)
{
    int64_t overlap_ms = tier == 0 ? world.plan.overlap_ms
                                   : world.plan.sweeps[tier - 1].overlap_ms;
    int64_t until_ms =
        hw_ms == 0 ? 0
                   : later_of(hw_ms - overlap_ms, number_of(state, "start"));
    return later_of(until_ms, number_of(state, "complete"));
}

/* "lag":[turned,[longest,count,…],[longest,count,…]] */
static int64_t
longest_of(struct slice state)
{
    struct slice lag, part;
    int64_t longest_ms = 0;
    size_t at = 0;
    if (!json_member(state, slice_of("lag"), &lag)) {
        return 0;
    }
    while (json_next_element(lag, &at, &part)) {
        struct slice first;
        int64_t ms;
        size_t within = 0;
        if (json_type(part) == JSON_ARRAY &&
            json_next_element(part, &within, &first) &&
            slice_to_i64(first, &ms) == STATUS_OK) {
            longest_ms = later_of(ms, longest_ms);
        }
    }
    return longest_ms;
}

void
listed_walk(unsigned number, int64_t hw_ms, struct slice state)
{
    struct tier *tier = &listed.tiers[number];
    PRE(number < TIERS);
    tier->hw_ms = hw_ms;
    tier->start_ms = number_of(state, "start");
    tier->anew = slice_find_slice(state, slice_of("\"anew\":true")) != SIZE_MAX;
    tier->claim_ms = claim_of(number, hw_ms, state);
    listed.claim_ms = later_of(tier->claim_ms, listed.claim_ms);
    tier->told_ms = listed.claim_ms;
    if (is_whole() && longest_of(state) > tier->longest_ms) {
        world_fail("lag: tier %u says that the list shows events up to %" PRId64
                   " ms late, and it was never more than %" PRId64 " ms",
                   number, longest_of(state), tier->longest_ms);
    }
}

/* ---- rows ---- */

static void
first_listed(struct fact *fact, struct tier *tier)
{
    int64_t at_ms = facts_stamp_ms(fact);
    int64_t lag_ms = later_of(fact->shown_ms - at_ms, 0);
    if (tier->hw_ms > 0 && !tier->anew && at_ms >= tier->start_ms) {
        int64_t told_ms = tier->hw_ms + world.plan.settle_ms - at_ms;
        listed.told_ms[listed.lag_count] = later_of(told_ms, 0);
        listed.lags_ms[listed.lag_count++] = lag_ms;
        tier->longest_ms = later_of(lag_ms, tier->longest_ms);
    }
    if (!tier->anew) {
        listed.broken_least += at_ms < tier->told_ms;
        listed.broken_most += at_ms < listed.claim_ms;
        if (at_ms < listed.claim_ms) {
            TRACE("fact %zu is first listed below the complete-until",
                  facts_number(fact));
        }
    }
    listed_mark(fact);
}

void
listed_unit(const struct store_unit *unit)
{
    for (size_t i = 0; i < unit->sighting_count; i++) {
        struct fact *fact = facts_of_body(unit->sightings[i].body);
        if (unit->sightings[i].via == CHANNEL_POLL && !fact->listed) {
            PRE(unit->walk_count > 0 && unit->walks[0].tier < TIERS);
            first_listed(fact, &listed.tiers[unit->walks[0].tier]);
        }
    }
}

/* ---- the end ---- */

static void
check_broken(const struct telemetry_connector *counts)
{
    double theirs = metric_value(counts->bound_broken);
    if (theirs < (double)listed.broken_least ||
        theirs > (double)listed.broken_most) {
        world_fail("accounting: %.0f are said to be first listed below the "
                   "complete-until, and there are %zu to %zu",
                   theirs, listed.broken_least, listed.broken_most);
    }
}

static size_t
count_above(const int64_t *lags_ms, double bound_s)
{
    size_t count = 0;
    for (size_t i = 0; i < listed.lag_count; i++) {
        count += (double)lags_ms[i] > bound_s * S;
    }
    return count;
}

/* None is said to be later than it was, and where there is one tier they are as
 * late as its last walk could tell. */
static void
check_bucket(double bound_s, size_t within)
{
    size_t above = listed.lag_count - within;
    size_t most = count_above(listed.lags_ms, bound_s);
    size_t told = count_above(listed.told_ms, bound_s);
    if (above > most) {
        world_fail("lag: %zu are said to have been listed more than %.0f s "
                   "late, and %zu were",
                   above, bound_s, most);
    } else if (world.plan.sweep_count == 0 && above != told) {
        world_fail("lag: %zu are said to have been listed more than %.0f s "
                   "late, and walks tell it of %zu",
                   above, bound_s, told);
    }
}

static void
check_lags(void)
{
    static const char name[] = "longstop_visibility_lag_seconds_";
    struct buf text = { 0 };
    process_metrics(&text);
    PRE(buf_status(&text) == STATUS_OK);
    for (const char *line = strstr(text.ptr, name); line != NULL;
         line = strstr(line + 1, name)) {
        const char *word = line + strlen(name);
        const char *end = strchr(line, '\n');
        const char *value = end;
        PRE(end != NULL);
        while (*value != ' ') {
            value--;
        }
        size_t count = strtoul(value, NULL, 10);
        const char *bound = strstr(word, "le=\"");
        if (strncmp(word, "count", 5) == 0 && count != listed.lag_count) {
            world_fail("lag: it was measured %zu times, and %zu were listed "
                       "first",
                       count, listed.lag_count);
        } else if (strncmp(word, "bucket", 6) == 0 && bound != NULL &&
                   bound < end && bound[4] != '+') {
            check_bucket(strtod(bound + 4, NULL), count);
        }
    }
    buf_fini(&text);
}

void
listed_end(void)
{
    const struct telemetry_connector counts = process_counts();
    if (is_whole()) {
        check_broken(&counts);
        check_lags();
    }
}
