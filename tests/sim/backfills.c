/* SPDX-License-Identifier: MIT */
#include "sim/backfills.h"

#include <inttypes.h>
#include <string.h>

#include "base/instant.h"
#include "model/walk_backfill.h"
#include "sim/facts.h"
#include "sim/process.h"
#include "sim/vtime.h"
#include "sim/world.h"
#include "wire/json.h"

#define S INSTANT_SECOND_MS

/* Longer than an answer is waited for. */
#define CALM_MS INSTANT_MINUTE_MS

/* The span that was asked for last. */
static struct {
    int64_t asked_ms; /* by our clock: its name */
    int64_t since_ms; /* by the provider's: what was shown by then is owed */
    bool is_over;
} span;

void
backfills_begin(void)
{
    memset(&span, 0, sizeof(span));
}

static int64_t
number_in(struct slice state, const char *name)
{
    struct slice value;
    int64_t number = 0;
    if (json_member(state, slice_of(name), &value)) {
        PRE(slice_to_i64(value, &number) == STATUS_OK);
    }
    return number;
}

/* What the list showed when it was asked, and shows still. Stamps may be cut to
 * their second. */
static bool
is_owed(const struct fact *fact)
{
    int64_t now_ms = vtime_truth_ms();
    int64_t retention = world.plan.retention_ms;
    return fact->shown_ms <= span.since_ms && fact->gone_ms > now_ms &&
           (retention == 0 || fact->at_ms + retention > now_ms);
}

static void
check_span(int64_t from_ms, int64_t until_ms)
{
    size_t end = facts_from(until_ms - S);
    for (size_t i = facts_from(from_ms + S); i < end; i++) {
        const struct fact *fact = &world.facts[i];
        if (fact->number == 0 && is_owed(fact)) {
            world_fail("lost: fact %zu, stamped %+" PRId64 " ms of the "
                       "beginning: a backfill has read past it",
                       i, fact->at_ms - world.plan.epoch_ms);
        }
    }
}

/* What a process that died had stored is seen when the next one begins, and an
 * answer may have been waited for since before. */
static bool
has_been_calm(void)
{
    return world.calm_ms > 0 && process_is_up() &&
           vtime_now_ms() > world.calm_ms + CALM_MS;
}

void
backfills_walk(struct slice state)
{
    int64_t phase = number_in(state, "backfill");
    int64_t asked_ms = number_in(state, "back_began");
    if (asked_ms != span.asked_ms) {
        span.asked_ms = asked_ms;
        span.since_ms = vtime_truth_ms();
        span.is_over = false;
    }
    if (phase == BACKFILL_RUNNING || span.is_over) {
        return;
    }
    span.is_over = true;
    TRACE("the backfill is %s", walk_backfill_phase_name((unsigned)phase));
    if (phase == BACKFILL_DONE && number_in(state, "back_gaps") == 0) {
        check_span(number_in(state, "start"), number_in(state, "back_until"));
    } else if (phase == BACKFILL_FAILED && has_been_calm()) {
        world_fail("a backfill has failed where nothing is wrong");
    }
}
