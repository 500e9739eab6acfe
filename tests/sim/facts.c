/* SPDX-License-Identifier: MIT */
#include "sim/facts.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/instant.h"
#include "wire/timefmt.h"

#define S INSTANT_SECOND_MS
#define H INSTANT_HOUR_MS

/* Mostly at once, sometimes a while later, now and then as late as can be. */
static int64_t
draw_delay(struct prng *prng)
{
    const struct plan *plan = &world.plan;
    int64_t longest = plan->delay_ms;
    uint64_t draw = prng_below(prng, 100);
    if (plan_chance(prng, plan->beyond)) {
        return plan_bound_ms(plan) + plan_between(prng, 10 * S, 2 * H);
    }
    int64_t most = draw < 60 ? 0 : draw < 85 ? longest / 10 : longest;
    return plan_between(prng, draw >= 97 ? longest : 0, most);
}

static void
add(struct prng *prng, int64_t at_ms)
{
    if (world.fact_count == FACTS_MAX) {
        return;
    }
    struct fact *fact = &world.facts[world.fact_count++];
    *fact = (struct fact){
        .at_ms = at_ms,
        .shown_ms = at_ms + draw_delay(prng),
        .gone_ms = INT64_MAX,
        .object = (size_t)prng_below(prng, world.plan.objects),
    };
}

static int
by_stamp(const void *a, const void *b)
{
    const struct fact *x = a;
    const struct fact *y = b;
    return x->at_ms < y->at_ms ? -1 : x->at_ms > y->at_ms;
}

/* An object is listed with its latest version that can be seen: a version ends
 * the one before it, and one that shows behind a later one never shows. */
static void
supersede(void)
{
    size_t last[PLAN_OBJECTS_MAX];
    for (size_t i = 0; i < PLAN_OBJECTS_MAX; i++) {
        last[i] = SIZE_MAX;
    }
    for (size_t i = 0; i < world.fact_count; i++) {
        struct fact *fact = &world.facts[i];
        size_t before = last[fact->object];
        if (before != SIZE_MAX) {
            struct fact *old = &world.facts[before];
            if (fact->shown_ms < old->shown_ms) {
                fact->shown_ms = old->shown_ms;
            }
            old->gone_ms = fact->shown_ms;
        }
        last[fact->object] = i;
    }
}

static int
by_shown(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a;
    const size_t y = *(const size_t *)b;
    int64_t shown = world.facts[x].shown_ms - world.facts[y].shown_ms;
    return shown != 0 ? (shown < 0 ? -1 : 1) : x < y ? -1 : x > y;
}

static void
make_log(void)
{
    world.log = calloc(world.fact_count + 1, sizeof(*world.log));
    PRE(world.log != NULL);
    for (size_t i = 0; i < world.fact_count; i++) {
        world.log[i] = i;
    }
    qsort(world.log, world.fact_count, sizeof(*world.log), by_shown);
}

void
facts_make(void)
{
    const struct plan *plan = &world.plan;
    struct prng prng = { plan->seed ^ UINT64_C(0xfac75) };
    world.facts = calloc(FACTS_MAX, sizeof(*world.facts));
    PRE(world.facts != NULL);
    world.fact_count = 0;
    int64_t at = plan->epoch_ms - 8 * H;
    for (;;) {
        size_t count = 1;
        at += plan_between(&prng, plan->state ? 2 * S : 1, 2 * plan->gap_ms);
        if (at >= plan->epoch_ms + plan->length_ms) {
            break;
        }
        if (plan->burst_most > 1 && plan_chance(&prng, plan->burst)) {
            count = (size_t)plan_between(&prng, 2, (int64_t)plan->burst_most);
        }
        for (size_t i = 0; i < count; i++) {
            int64_t within = count == 1 ? 0 : plan_between(&prng, 0, 800);
            add(&prng, (count == 1 ? at : at - at % S) + within);
        }
    }
    qsort(world.facts, world.fact_count, sizeof(*world.facts), by_stamp);
    if (plan->state) {
        supersede();
    }
    if (plan->cursor == PLAN_LOG) {
        make_log();
    }
}

void
facts_free(void)
{
    free(world.facts);
    free(world.log);
    world.log = NULL;
    world.facts = NULL;
    world.fact_count = 0;
}

int64_t
facts_stamp_ms(const struct fact *fact)
{
    return world.plan.stamp == PLAN_S ? fact->at_ms - fact->at_ms % S
                                      : fact->at_ms;
}

void
facts_write_stamp(const struct fact *fact, struct buf *into)
{
    switch (world.plan.stamp) {
    case PLAN_S: buf_i64(into, fact->at_ms / S); break;
    case PLAN_MS: buf_i64(into, fact->at_ms); break;
    case PLAN_ISO:
        buf_byte(into, '"');
        timefmt_write(TIMEFMT_ISO8601, fact->at_ms, into);
        buf_byte(into, '"');
        break;
    }
}

struct fact *
facts_of_body(struct slice body)
{
    static const struct slice mark = SLICE("\"n\":");
    size_t at = slice_find_slice(body, mark);
    PRE(at != SIZE_MAX);
    struct slice rest = slice_from(body, at + mark.len);
    uint64_t number;
    size_t end = slice_find(rest, ',');
    PRE(slice_to_u64(slice_first(rest, end), &number) == STATUS_OK &&
        number < world.fact_count);
    return &world.facts[number];
}

size_t
facts_number(const struct fact *fact)
{
    return (size_t)(fact - world.facts);
}

size_t
facts_from(int64_t at_ms)
{
    size_t low = 0;
    for (size_t high = world.fact_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (world.facts[middle].at_ms < at_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool
facts_is_pushed_out(const struct fact *fact, int64_t now_ms)
{
    size_t shows = world.plan.shows;
    size_t behind = 0;
    for (size_t i = facts_number(fact) + 1;
         i < world.fact_count && world.facts[i].at_ms <= now_ms &&
         behind < shows;
         i++) {
        behind += world.facts[i].shown_ms <= now_ms;
    }
    return shows > 0 && behind >= shows;
}
